//go:build e2e

package e2e

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/internal/assess"
	"github.com/affineur/affineur/internal/names"
	"github.com/affineur/affineur/test/story/await"
	"github.com/affineur/affineur/test/story/installation"
)

var errNotYet = errors.New("not yet")

// The operator's leader is killed again and again on the way, told to stop or not. The other replica takes over, and
// the outcome is the same: one review, one record, and the reviewed subject in production.
func TestOperatorKilledInTheMiddle(t *testing.T) {
	t.Parallel()
	g := newGround(t)
	p := g.created(t, g.newPrototype(g.team(t, "e2e"), "killed", wantsProduction))
	for _, kill := range []struct {
		moment
		grace int64
	}{
		{moment{"isolation", running(assess.ReportIsolation)}, 20},
		{moment{"load", running(assess.ReportOf("scalability"))}, 0},
		{moment{"promotion", productionMade}, 20},
	} {
		ctx := bounded(t)
		if err := kill.reached(ctx, g, p); err != nil {
			t.Fatalf("%s: %v; %s", kill.name, err, g.stateOf(p))
		}
		g.killLeader(ctx, t, kill.name, kill.grace)
	}
	g.comes(t, p, promoted)
	review := &v1alpha1.HardeningReview{ObjectMeta: metav1.ObjectMeta{Namespace: p.Namespace, Name: "killed-1"}}
	err := await.Object(bounded(t), g, review, func(r *v1alpha1.HardeningReview) (bool, error) { return r.Status.Outcome != "", nil })
	if err != nil || review.Status.Outcome != v1alpha1.OutcomePromoted || review.Spec.SubjectDigest != p.Status.Production.SubjectDigest {
		t.Errorf("the review came to %q: %v", review.Status.Outcome, err)
	}
	g.keptOnce(t, p, review)
	if replicas, err := installation.RolledOut(bounded(t), g, v1alpha1.SystemNamespace, installation.Operator); err != nil || replicas != 2 {
		t.Errorf("the operator has %d replicas: %v", replicas, err)
	}
	g.calm(t, p)
}

// keptOnce wants one review, its record, and how it ended.
func (g *ground) keptOnce(t *testing.T, p *v1alpha1.AIPrototype, review *v1alpha1.HardeningReview) {
	t.Helper()
	var reviews v1alpha1.HardeningReviewList
	var records appsv1.ControllerRevisionList
	ours := client.MatchingLabels{v1alpha1.LabelPrototypeUID: string(p.UID)}
	err := errors.Join(g.List(t.Context(), &reviews, client.InNamespace(p.Namespace)), g.List(t.Context(), &records, client.InNamespace(v1alpha1.RecordsNamespace), ours))
	if err != nil {
		t.Fatal(err)
	}
	var kept []string
	for _, record := range records.Items {
		kept = append(kept, record.Name)
	}
	slices.Sort(kept)
	if want := []string{review.Spec.Record, review.Spec.Record + "-outcome"}; len(reviews.Items) != 1 || !slices.Equal(kept, want) {
		t.Errorf("%d reviews, want 1; the records hold %v, want %v", len(reviews.Items), kept, want)
	}
}

// stateOf is what the prototype and its reviews say, for whoever reads why a test failed.
func (g *ground) stateOf(p *v1alpha1.AIPrototype) string {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	var reviews v1alpha1.HardeningReviewList
	if err := errors.Join(g.Get(ctx, client.ObjectKeyFromObject(p), p), g.List(ctx, &reviews, client.InNamespace(p.Namespace))); err != nil {
		return err.Error()
	}
	said := []string{"the prototype says: " + saying(p)}
	for _, review := range reviews.Items {
		for _, gate := range review.Status.Gates {
			said = append(said, fmt.Sprintf("%s, gate %s: %s %s: %s", review.Name, gate.Name, gate.Verdict, gate.Reason, gate.Message))
		}
	}
	return strings.Join(said, "\n")
}

func productionMade(ctx context.Context, g *ground, p *v1alpha1.AIPrototype) error {
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: names.Of(p).Production()}}
	return await.Object(ctx, g, namespace, func(*corev1.Namespace) (bool, error) { return true, nil })
}

// killLeader deletes the pod that holds the lease, and waits until another holds it.
func (g *ground) killLeader(ctx context.Context, t *testing.T, when string, grace int64) {
	t.Helper()
	lease := &coordinationv1.Lease{}
	if err := g.Get(ctx, client.ObjectKey{Namespace: v1alpha1.SystemNamespace, Name: installation.Operator}, lease); err != nil {
		t.Fatal(err)
	}
	holder := ptr.Deref(lease.Spec.HolderIdentity, "")
	// The holder is the pod's name and a random tail.
	name, _, _ := strings.Cut(holder, "_")
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: v1alpha1.SystemNamespace, Name: name}}
	if err := g.Delete(ctx, pod, client.GracePeriodSeconds(grace)); err != nil {
		t.Fatalf("kill leader %q during %s: %v", holder, when, err)
	}
	next, err := installation.Led(ctx, g, holder)
	if err != nil {
		t.Fatalf("nobody took over from %s: %v", holder, err)
	}
	t.Logf("during %s, %s took over from %s (grace %d s)", when, next, holder, grace)
}
