//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/internal/names"
	"github.com/affineur/affineur/internal/stop"
	"github.com/affineur/affineur/test/story/await"
	"github.com/affineur/affineur/test/story/people"
	"github.com/affineur/affineur/test/story/quick"
)

const responders = "e2e-responders"

// responder is a person who answers emergencies.
type responder struct {
	client.WithWatch
	config *rest.Config
}

// newResponders are two people, with the rights that an organisation gives its responders.
func newResponders(t *testing.T, g *ground) (first, second *responder) {
	t.Helper()
	group := []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: rbacv1.GroupKind, Name: responders}}
	for _, object := range []client.Object{
		&rbacv1.ClusterRoleBinding{ObjectMeta: metav1.ObjectMeta{Name: responders}, Subjects: group,
			RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "affineur-responder"}},
		&rbacv1.RoleBinding{ObjectMeta: metav1.ObjectMeta{Namespace: v1alpha1.SystemNamespace, Name: responders}, Subjects: group,
			RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: "affineur-responder"}},
	} {
		if err := g.Create(t.Context(), object); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = g.Delete(context.Background(), object) })
	}
	certified := func(name string) *responder {
		config, err := people.Certified(t.Context(), g, g.config, people.Person{Name: name, Groups: []string{responders}})
		if err != nil {
			t.Fatal(err)
		}
		c, err := client.NewWithWatch(config, client.Options{Scheme: g.Scheme()})
		if err != nil {
			t.Fatal(err)
		}
		return &responder{c, config}
	}
	return certified("e2e-responder@example.org"), certified("e2e-second@example.org")
}

// emergency is where stops are tried: a prototype in its sandbox and in production, which holds streams open, and two
// responders.
type emergency struct {
	*hearing
	first, second *responder
	prototype     *v1alpha1.AIPrototype
	namespaces    []string
}

func newEmergency(t *testing.T, policy string) *emergency {
	t.Helper()
	g := newGround(t)
	e := &emergency{hearing: newHearing(t, g)}
	e.first, e.second = newResponders(t, g)
	if err := g.govern(t.Context(), policy, e.catalogue); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = g.Delete(context.Background(), &v1alpha1.HardeningPolicy{ObjectMeta: metav1.ObjectMeta{Name: policy}})
	})
	e.prototype = g.created(t, g.newPrototype(g.team(t, policy), "holding", wantsProduction, e.holds))
	g.comes(t, e.prototype, promoted)
	of := names.Of(e.prototype)
	e.namespaces = []string{of.Sandbox(), of.Production()}
	return e
}

// made is a stop of the first responder's, which ends with the test whatever happens.
func (e *emergency) made(t *testing.T, name string, scope v1alpha1.StopScope, action v1alpha1.StopAction) *v1alpha1.EmergencyStop {
	t.Helper()
	s := &v1alpha1.EmergencyStop{ObjectMeta: metav1.ObjectMeta{Name: "e2e-" + name},
		Spec: v1alpha1.EmergencyStopSpec{Scope: scope, Action: action, Reason: "An exercise."}}
	if err := e.first.Create(t.Context(), s); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx := context.Background()
		if err := e.Get(ctx, client.ObjectKeyFromObject(s), s); err == nil && stop.InForce(*s) {
			_ = e.second.Patch(ctx, s.DeepCopy(), lifting)
		}
		_ = e.second.Delete(ctx, s)
	})
	return s
}

var lifting = client.RawPatch("application/merge-patch+json", []byte(`{"spec":{"lifted":{"reason":"The exercise is over."}}}`))

// takesEffect waits until the operator saw the stop in every namespace that is meant.
func (e *emergency) takesEffect(t *testing.T, s *v1alpha1.EmergencyStop) {
	t.Helper()
	err := await.Object(bounded(t), e, s, func(s *v1alpha1.EmergencyStop) (bool, error) {
		return apimeta.IsStatusConditionTrue(s.Status.Conditions, v1alpha1.ConditionEffective) && s.Status.InScope >= int32(len(e.namespaces)), nil
	})
	if err != nil {
		t.Fatalf("%v: %+v", err, s.Status)
	}
	found := regexp.MustCompile(`^(frozen|severed|stopped) (\d+)/(\d+)$`).FindStringSubmatch(s.Status.Summary)
	if found == nil || found[2] != found[3] || found[3] != fmt.Sprint(s.Status.InScope) || len(s.Status.Remaining) > 0 {
		t.Errorf("in effect, and it says %q with %d in scope, remaining %+v", s.Status.Summary, s.Status.InScope, s.Status.Remaining)
	}
	t.Logf("%s says %s", s.Name, s.Status.Summary)
}

// heldFast wants the stop to be neither lifted by who made it nor deleted by anybody while it holds.
func (e *emergency) heldFast(t *testing.T, s *v1alpha1.EmergencyStop) {
	t.Helper()
	for what, try := range map[string]func() error{
		"lifted by who made it":          func() error { return e.first.Patch(t.Context(), s.DeepCopy(), lifting) },
		"deleted by who made it":         func() error { return e.first.Delete(t.Context(), s.DeepCopy()) },
		"deleted by another responder":   func() error { return e.second.Delete(t.Context(), s.DeepCopy()) },
		"deleted by the administrator":   func() error { return e.Delete(t.Context(), s.DeepCopy()) },
		"changed into a weaker one":      func() error { return e.second.Patch(t.Context(), s.DeepCopy(), weaker) },
		"aimed at something else":        func() error { return e.second.Patch(t.Context(), s.DeepCopy(), elsewhere) },
		"lifted in the name of somebody": func() error { return e.first.Patch(t.Context(), s.DeepCopy(), another) },
	} {
		if err := try(); !apierrors.IsForbidden(err) && !apierrors.IsInvalid(err) {
			t.Errorf("a stop that holds was %s: %v", what, err)
		}
	}
	if err := e.Get(t.Context(), client.ObjectKeyFromObject(s), s); err != nil || !stop.InForce(*s) {
		t.Errorf("the stop does not hold any more: %+v, %v", s.Spec.Lifted, err)
	}
}

var (
	weaker    = client.RawPatch("application/merge-patch+json", []byte(`{"spec":{"reason":"It was nothing."}}`))
	elsewhere = client.RawPatch("application/merge-patch+json", []byte(`{"spec":{"scope":{"team":"nobody","gateway":null,"integration":null,"digest":null,"all":null}}}`))
	another   = client.RawPatch("application/merge-patch+json", []byte(`{"spec":{"lifted":{"reason":"Over.","by":"e2e-second@example.org"}}}`))
)

// lifted by the second responder, everything comes back by itself, measured anew, and is heard.
func (e *emergency) lifted(t *testing.T, s *v1alpha1.EmergencyStop) {
	t.Helper()
	if err := e.second.Patch(t.Context(), s, lifting); err != nil {
		t.Fatal(err)
	}
	if s.Spec.Lifted.By != "e2e-second@example.org" {
		t.Errorf("lifted by %q", s.Spec.Lifted.By)
	}
	e.comes(t, e.prototype, func(p *v1alpha1.AIPrototype) bool {
		for _, condition := range []string{v1alpha1.ConditionSandboxReady, v1alpha1.ConditionNetworkIsolated, v1alpha1.ConditionInProduction} {
			if !apimeta.IsStatusConditionTrue(p.Status.Conditions, condition) {
				return false
			}
		}
		return !slices.ContainsFunc(p.Status.Conditions, func(c metav1.Condition) bool { return c.Reason == v1alpha1.ReasonEmergencyStop })
	})
	e.flows(t, e.namespaces, theGateway, theIntegration)
	if err := e.second.Delete(t.Context(), s); err != nil {
		t.Errorf("deleting what was lifted: %v", err)
	}
}

// measured waits until every namespace carries what a probe saw of the cut.
func (e *emergency) measured(t *testing.T) {
	t.Helper()
	for _, name := range e.namespaces {
		namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}}
		err := await.Object(bounded(t), e, namespace, func(n *corev1.Namespace) (bool, error) {
			return strings.Contains(n.Annotations[v1alpha1.AnnotationSevered], `"severed":true`), nil
		})
		if err != nil {
			t.Errorf("%v: of %s was measured %q", err, name, namespace.Annotations[v1alpha1.AnnotationSevered])
		}
	}
}

// A prototype holds streams to a gateway and to an integration, in its sandbox and in production. Every stop ends those
// that it is about, in both, and no new one comes about; the others go on. Not beside other tests: some stop everything.
func TestStopsEndLiveConnections(t *testing.T) {
	e := newEmergency(t, "e2e-stops")
	both := []string{theGateway, theIntegration}
	for _, test := range []struct {
		name   string
		scope  v1alpha1.StopScope
		action v1alpha1.StopAction
		silent []string
	}{
		{"gateway", v1alpha1.StopScope{Gateway: theGateway}, v1alpha1.StopSever, []string{theGateway}},
		{"integration", v1alpha1.StopScope{Integration: theIntegration}, v1alpha1.StopSever, []string{theIntegration}},
		{"digest", v1alpha1.StopScope{Digest: e.digest(t)}, v1alpha1.StopStop, both},
		{"team", v1alpha1.StopScope{Team: quick.Team}, v1alpha1.StopSever, both},
		{"all", v1alpha1.StopScope{All: &v1alpha1.StopAll{}}, v1alpha1.StopSever, both},
	} {
		t.Run(test.name, func(t *testing.T) {
			old := e.flows(t, e.namespaces, both...)
			s := e.made(t, test.name, test.scope, test.action)
			e.takesEffect(t, s)
			for _, listener := range test.silent {
				e.silence(t, listener)
			}
			e.without(t, old)
			if test.action == v1alpha1.StopSever {
				e.measured(t)
			}
			for _, listener := range both {
				if !slices.Contains(test.silent, listener) {
					e.flows(t, e.namespaces, listener)
				}
			}
			e.comes(t, e.prototype, func(p *v1alpha1.AIPrototype) bool {
				ready := apimeta.FindStatusCondition(p.Status.Conditions, v1alpha1.ConditionReady)
				return ready != nil && ready.Status == metav1.ConditionFalse && ready.Reason == v1alpha1.ReasonEmergencyStop
			})
			e.heldFast(t, s)
			e.lifted(t, s)
		})
	}
}

// digest of the image that the prototype runs.
func (e *emergency) digest(t *testing.T) string {
	t.Helper()
	var pods corev1.PodList
	if err := e.List(t.Context(), &pods, client.InNamespace(e.namespaces[1])); err != nil || len(pods.Items) == 0 {
		t.Fatalf("%d pods serve: %v", len(pods.Items), err)
	}
	return stop.Digest(pods.Items[0].Spec.Containers[0].Image)[0]
}

// without wants none of the pods to be there any more.
func (e *emergency) without(t *testing.T, old []string) {
	t.Helper()
	for _, namespace := range e.namespaces {
		now, err := e.pods(t.Context(), namespace)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range now {
			if slices.Contains(old, name) {
				t.Errorf("pod %s is from before the cut", name)
			}
		}
	}
}

// While everything is frozen, what runs goes on and nothing new gets into production, however good; afterwards it does.
func TestFreezeHoldsPromotionsBack(t *testing.T) {
	e := newEmergency(t, "e2e-freeze")
	s := e.made(t, "freeze", v1alpha1.StopScope{All: &v1alpha1.StopAll{}}, v1alpha1.StopFreeze)
	e.takesEffect(t, s)
	late := e.created(t, e.newPrototype(e.prototype.Namespace, "late", wantsProduction))
	review := &v1alpha1.HardeningReview{ObjectMeta: metav1.ObjectMeta{Namespace: late.Namespace, Name: "late-1"}}
	err := await.Object(bounded(t), e, review, func(r *v1alpha1.HardeningReview) (bool, error) {
		passed := len(r.Status.Gates) > 0 && !slices.ContainsFunc(r.Status.Gates, func(gate v1alpha1.GateStatus) bool { return gate.Verdict != v1alpha1.GatePassed })
		return passed && slices.ContainsFunc(r.Status.Conditions, func(c metav1.Condition) bool { return c.Reason == v1alpha1.ReasonEmergencyStop }), nil
	})
	if err != nil {
		t.Fatalf("%v: %+v", err, review.Status)
	}
	if err := e.Get(t.Context(), client.ObjectKeyFromObject(late), late); err != nil || late.Status.Production != nil {
		t.Errorf("in production, while everything is frozen: %+v, %v", late.Status.Production, err)
	}
	e.flows(t, e.namespaces, theGateway, theIntegration)
	e.heldFast(t, s)
	e.lifted(t, s)
	e.comes(t, late, promoted)
}
