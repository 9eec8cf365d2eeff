package sandbox

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/internal/apply"
	"github.com/affineur/affineur/internal/names"
	"github.com/affineur/affineur/internal/workload"
)

// What can't be furnished keeps nothing open: rules are emptied where they stand, before anything else is written.
func TestClosedWhateverIsInTheWay(t *testing.T) {
	team := v1alpha1.StopScope{Team: "membership"}
	for name, breaks := range map[string]func(*world){
		"no RoleBinding is written": func(w *world) {
			// As after a restart: what was written before is not known.
			w.Writer = &apply.Writer{Client: w.client, Live: w.client, Rights: workload.RightsIn}
			w.refuses = "RoleBinding"
		},
		"somebody's deny-all is in the way": (*world).deniedBySomebody,
	} {
		t.Run(name, func(t *testing.T) {
			w := connected(t)
			breaks(w)
			w.stops("leak", v1alpha1.StopSever, team)
			for range 4 {
				_, _ = w.reconcile()
				w.advance(lag)
			}
			if opening, _ := w.opened(); len(opening) > 0 {
				t.Errorf("open are %v", opening)
			}
			if w.deployment().Spec.Template.Annotations[v1alpha1.AnnotationCutOff] == "" {
				t.Error("its pods are not made anew")
			}
		})
	}
}

// deniedBySomebody has somebody's own policy stand in the place of ours.
func (w *world) deniedBySomebody() {
	denies := &networkingv1.NetworkPolicy{ObjectMeta: metav1.ObjectMeta{Namespace: w.identity.Sandbox(), Name: "deny-all"}}
	w.must(w.client.Delete(w.t.Context(), denies.DeepCopy()))
	w.must(w.client.Create(w.t.Context(), denies))
}

// One rule that can't be closed leaves no other open.
func TestEveryRuleIsTried(t *testing.T) {
	w := connected(t)
	w.deniedBySomebody()
	w.refusesNamed = "allow-callers"
	w.stops("leak", v1alpha1.StopSever, v1alpha1.StopScope{Team: "membership"})
	for range 4 {
		_, _ = w.reconcile()
		w.advance(lag)
	}
	if opening, _ := w.opened(); !slices.Equal(opening, []string{"allow-callers"}) {
		t.Errorf("open are %v", opening)
	}
	if w.deployment().Spec.Template.Annotations[v1alpha1.AnnotationCutOff] != "" {
		t.Error("pods were made anew while a rule was there")
	}
}

// forwards tells what lets the team open a port: the namespace's label, and the binding.
func (w *world) forwards() (string, bool) {
	w.t.Helper()
	var namespace corev1.Namespace
	w.must(w.client.Get(w.t.Context(), clientKey(w.identity.Sandbox()), &namespace))
	return namespace.Labels[v1alpha1.LabelPortForward], w.exists(&rbacv1.RoleBinding{}, w.identity.Sandbox(), "affineur-team-portforward")
}

// No network policy is asked about a port that somebody opens through the API server: a whole cut takes that away as well.
func TestNoPortIsOpenedToWhatIsCutOff(t *testing.T) {
	w := connected(t)
	may := func(may bool) {
		w.govern(func(p *v1alpha1.HardeningPolicy) { p.Spec.Sandbox.Access.PortForward = may })
		w.settle()
	}
	says := func(label string, bound bool) {
		t.Helper()
		if l, b := w.forwards(); l != label || b != bound {
			t.Errorf("the label is %q, the binding there: %v", l, b)
		}
	}
	may(true)
	says("true", true)
	w.stops("leak", v1alpha1.StopSever, v1alpha1.StopScope{Team: "membership"})
	w.settle()
	says("false", false)
	w.lifts("leak", "rolf@example.org")
	w.settle()
	says("true", true)
	may(false)
	says("false", false)
}

// By hand a namespace can be cut off also where it was closed before it could be furnished.
func TestCutOffByHandWhereTheNetworkIsClosed(t *testing.T) {
	w := connected(t)
	binding := workload.ByHandBinding(workload.Surroundings{Identity: w.identity, Namespace: w.identity.Sandbox(), Purpose: v1alpha1.PurposeSandbox})
	w.must(w.client.Delete(t.Context(), binding))
	w.stops("leak", v1alpha1.StopStop, v1alpha1.StopScope{Team: "membership"})
	w.settle()
	if !w.exists(&rbacv1.RoleBinding{}, w.identity.Sandbox(), binding.Name) {
		t.Error("the binding is not there")
	}
}

// One place under two names: while pods of before an edit end, the rule stays away, and nothing is written to and fro.
func TestSeveredUnderAnotherNameWhilePodsEnd(t *testing.T) {
	w := connected(t)
	w.govern(func(p *v1alpha1.HardeningPolicy) {
		other := p.Spec.Catalogue.Integrations[0].DeepCopy()
		other.Name = "lms-reports"
		p.Spec.Catalogue.Integrations = append(p.Spec.Catalogue.Integrations, *other)
	})
	w.settle()
	w.endsLate("before")
	w.stops("leak", v1alpha1.StopSever, v1alpha1.StopScope{Integration: "lms"})
	w.settle()
	w.edit(func(p *v1alpha1.AIPrototype) { p.Spec.Integrations[0].Name = "lms-reports" })
	w.settle()
	if w.reachesIntegration() {
		t.Error("the integration can be reached under its other name")
	}
	w.expect(v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonEmergencyStop)
}

// endsLate is a pod of the template as it is, whose node does not answer: deleted, it stays.
func (w *world) endsLate(name string) *corev1.Pod {
	w.t.Helper()
	pod := w.podOfTemplate(name)
	pod.Finalizers = []string{"example.org/node"}
	w.must(w.client.Update(w.t.Context(), pod))
	return pod
}

// gone has such a pod be gone.
func (w *world) gone(pod *corev1.Pod) {
	w.t.Helper()
	w.must(client.IgnoreNotFound(w.client.Delete(w.t.Context(), pod)))
	w.must(w.client.Get(w.t.Context(), client.ObjectKeyFromObject(pod), pod))
	pod.Finalizers = nil
	w.must(w.client.Update(w.t.Context(), pod))
}

// unlisted can't list autoscalers, which is what every teardown begins with.
type unlisted struct{ client.Reader }

func (r unlisted) List(ctx context.Context, list client.ObjectList, options ...client.ListOption) error {
	if _, is := list.(*autoscalingv2.HorizontalPodAutoscalerList); is {
		return errors.New("they are not listed")
	}
	return r.Reader.List(ctx, list, options...)
}

// What leaves is cut off and ends also where its teardown gets nowhere.
func TestWhatLeavesIsCutOff(t *testing.T) {
	team := v1alpha1.StopScope{Team: "membership"}
	lms := v1alpha1.StopScope{Integration: "lms"}
	leaving := map[string]func(*world){
		"deleted":     func(w *world) { w.must(w.client.Delete(w.t.Context(), w.prototype())) },
		"retired":     func(w *world) { w.edit(func(p *v1alpha1.AIPrototype) { p.Spec.Target = v1alpha1.TargetRetired }) },
		"need stated": func(w *world) { w.edit(func(p *v1alpha1.AIPrototype) { p.Spec.Workload = nil }) },
		"expired":     func(w *world) { w.advance(10000 * time.Hour) },
		"gone":        (*world).outrun,
	}
	for _, test := range []struct {
		name   string
		action v1alpha1.StopAction
		scope  v1alpha1.StopScope
	}{
		{"stopped", v1alpha1.StopStop, team}, {"severed", v1alpha1.StopSever, team}, {"severed from one", v1alpha1.StopSever, lms},
	} {
		for name, leave := range leaving {
			t.Run(name+", "+test.name, func(t *testing.T) {
				w := connected(t)
				w.endsLate("hangs")
				w.Writer.Live = unlisted{w.client}
				leave(w)
				w.stops("leak", test.action, test.scope)
				for range 3 {
					if _, err := w.reconcile(); err == nil {
						t.Error("it is not told that the teardown fails")
					}
					w.advance(lag)
				}
				if opening, _ := w.opened(); test.scope == team && len(opening) > 0 || w.reachesIntegration() {
					t.Errorf("open are %v", opening)
				}
				if *w.deployment().Spec.Replicas != 0 {
					t.Error("it runs")
				}
				var pod corev1.Pod
				w.must(w.client.Get(t.Context(), client.ObjectKey{Namespace: w.identity.Sandbox(), Name: "hangs"}, &pod))
				if pod.DeletionTimestamp.IsZero() {
					t.Error("its pod was not told to end")
				}
			})
		}
	}
}

// A pod that hangs keeps the namespace, and no rule of it open meanwhile.
func TestHungPodIsCutOff(t *testing.T) {
	w := connected(t)
	w.endsLate("hangs")
	w.must(w.client.Delete(t.Context(), w.prototype()))
	w.stops("leak", v1alpha1.StopSever, v1alpha1.StopScope{Team: "membership"})
	for range 3 {
		_, err := w.reconcile()
		w.must(err)
		w.advance(lag)
	}
	if opening, _ := w.opened(); len(opening) > 0 {
		t.Errorf("open are %v", opening)
	}
}

// A namespace that somebody deletes is cut off while it ends: nothing can be made in it, but its rules can be emptied.
func TestLeavingNamespaceIsCutOff(t *testing.T) {
	for name, scope := range map[string]v1alpha1.StopScope{"all of it": {Team: "membership"}, "one place": {Integration: "lms"}} {
		t.Run(name, func(t *testing.T) {
			w := connected(t)
			w.endsLate("hangs")
			var namespace corev1.Namespace
			w.must(w.client.Get(t.Context(), clientKey(w.identity.Sandbox()), &namespace))
			namespace.Finalizers = []string{"example.org/held"}
			w.must(w.client.Update(t.Context(), &namespace))
			w.must(w.client.Delete(t.Context(), &namespace))
			w.stops("leak", v1alpha1.StopSever, scope)
			w.settle()
			if opening, _ := w.opened(); scope.Team != "" && len(opening) > 0 || w.reachesIntegration() {
				t.Errorf("open are %v", opening)
			}
		})
	}
}

// What another prototype of the name left keeps this one from nothing.
func TestOrphanIsInNobodysWay(t *testing.T) {
	w := connected(t)
	earlier := names.Identity{Namespace: w.identity.Namespace, Name: w.identity.Name, UID: "99999999-0000-4000-8000-000000000000"}
	labels := earlier.Labels(v1alpha1.PurposeSandbox)
	labels[v1alpha1.LabelPurpose] = v1alpha1.PurposeSandbox
	w.must(w.client.Create(t.Context(), namespace(earlier.Sandbox(), labels)))
	w.Writer.Live = unlisted{w.client}
	w.stops("leak", v1alpha1.StopStop, v1alpha1.StopScope{Team: "membership"})
	if _, err := w.reconcile(); err == nil {
		t.Error("it is not told that the teardown fails")
	}
	if opening, _ := w.opened(); len(opening) > 0 || *w.deployment().Spec.Replicas != 0 {
		t.Errorf("open are %v, %d replicas", opening, *w.deployment().Spec.Replicas)
	}
}

// Pods that no Deployment owns end like those that one does.
func TestPodsOfNobodyEnd(t *testing.T) {
	for _, action := range []v1alpha1.StopAction{v1alpha1.StopStop, v1alpha1.StopSever} {
		for name, scope := range map[string]v1alpha1.StopScope{"a team": {Team: "membership"}, "an integration": {Integration: "lms"}} {
			t.Run(string(action)+" "+name, func(t *testing.T) {
				w := connected(t)
				pod := w.podOfTemplate("by-hand")
				w.stops("leak", action, scope)
				w.settle()
				if w.exists(&corev1.Pod{}, pod.Namespace, pod.Name) {
					t.Error("it is there")
				}
				if action == v1alpha1.StopStop {
					return
				}
				after := w.podOfTemplate("after")
				w.settle()
				if !w.exists(&corev1.Pod{}, after.Namespace, after.Name) {
					t.Error("one that started after the cut is gone")
				}
			})
		}
	}
}
