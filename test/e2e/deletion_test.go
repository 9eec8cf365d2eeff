//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/internal/assess"
	"github.com/affineur/affineur/internal/names"
	"github.com/affineur/affineur/test/story/await"
)

// moment is a point on the way at which something happens to a prototype.
type moment struct {
	name string
	// reached waits for it.
	reached func(context.Context, *ground, *v1alpha1.AIPrototype) error
}

// moments from the beginning to production.
var moments = []moment{
	{"namespace-made", func(ctx context.Context, g *ground, p *v1alpha1.AIPrototype) error {
		return await.Object(ctx, g, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: names.Of(p).Sandbox()}},
			func(*corev1.Namespace) (bool, error) { return true, nil })
	}},
	{"isolation-measured", running(assess.ReportIsolation)},
	{"workload-starting", announcing(v1alpha1.ReasonStartingWorkload)},
	{"load-measured", running(assess.ReportOf("scalability"))},
	{"rehearsal", func(ctx context.Context, g *ground, p *v1alpha1.AIPrototype) error {
		return await.Object(ctx, g, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: names.Of(p).Rehearsal()}},
			func(*corev1.Namespace) (bool, error) { return true, nil })
	}},
}

// running waits until a run of the gate is at work.
func running(gate string) func(context.Context, *ground, *v1alpha1.AIPrototype) error {
	return func(ctx context.Context, g *ground, p *v1alpha1.AIPrototype) error {
		return await.Until(ctx, func() error {
			var jobs batchv1.JobList
			labels := client.MatchingLabels{v1alpha1.LabelPrototypeUID: string(p.UID), v1alpha1.LabelGate: gate}
			if err := g.List(ctx, &jobs, labels); err != nil {
				return err
			}
			for _, job := range jobs.Items {
				if job.Status.Active > 0 {
					return nil
				}
			}
			return errNotYet
		})
	}
}

// announcing waits until Ready gives the reason.
func announcing(reason string) func(context.Context, *ground, *v1alpha1.AIPrototype) error {
	return func(ctx context.Context, g *ground, p *v1alpha1.AIPrototype) error {
		return await.Object(ctx, g, p.DeepCopy(), func(p *v1alpha1.AIPrototype) (bool, error) {
			for _, c := range p.Status.Conditions {
				if c.Type == v1alpha1.ConditionReady && c.Reason == reason {
					return true, nil
				}
			}
			return false, nil
		})
	}
}

// Deleted at any moment before production, a prototype leaves nothing.
func TestDeletedInTheMiddle(t *testing.T) {
	t.Parallel()
	g := newGround(t)
	for _, moment := range moments {
		t.Run(moment.name, func(t *testing.T) {
			t.Parallel()
			p := g.created(t, g.newPrototype(g.team(t, "e2e"), moment.name, wantsProduction))
			ctx := bounded(t)
			if err := moment.reached(ctx, g, p); err != nil {
				t.Fatal(err)
			}
			if err := g.Delete(ctx, p.DeepCopy()); err != nil {
				t.Fatal(err)
			}
			if err := g.leftNothing(ctx, p); err != nil {
				t.Error(err)
			}
		})
	}
}

// In production it is not deleted but retired, and then leaves nothing either.
func TestRetiredFromProduction(t *testing.T) {
	t.Parallel()
	g := newGround(t)
	p := g.created(t, g.newPrototype(g.team(t, "e2e"), "retired", wantsProduction))
	g.comes(t, p, promoted)
	if err := g.Delete(t.Context(), p.DeepCopy()); err == nil || !strings.Contains(err.Error(), "serves in production") {
		t.Errorf("deleting what serves: %v", err)
	}
	if err := g.takeAway(bounded(t), p); err != nil {
		t.Error(err)
	}
}

// Deleted within the first moments, while the finalizer and the sandbox are being made, prototypes leave nothing: a
// deletion that meets the finalizer's patch wins over it.
func TestDeletedAtOnce(t *testing.T) {
	t.Parallel()
	g := newGround(t)
	namespace := g.team(t, "e2e")
	var all []*v1alpha1.AIPrototype
	for i := range 20 {
		p := g.created(t, g.newPrototype(namespace, fmt.Sprintf("hasty-%d", i), wantsProduction))
		time.Sleep(time.Duration(i) * 15 * time.Millisecond)
		if err := g.Delete(t.Context(), p.DeepCopy()); err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
	// Those whose namespace comes only after they are gone are not to be missed.
	time.Sleep(still)
	for _, p := range all {
		if err := g.leftNothing(bounded(t), p); err != nil {
			t.Error(err)
		}
	}
}
