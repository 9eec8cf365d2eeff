package promotion

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/internal/record"
	"github.com/affineur/affineur/internal/workload"
)

var errTrouble = errors.New("it does not answer")

// trouble of a kind with an object, nil without.
func trouble(of func(runtime.Object) error, o runtime.Object) error {
	if of == nil {
		return nil
	}
	return of(o)
}

// troubleWith objects whose type contains a word.
func troubleWith(words ...string) func(runtime.Object) error {
	return func(o runtime.Object) error {
		if slices.ContainsFunc(words, func(word string) bool { return strings.Contains(fmt.Sprintf("%T", o), word) }) {
			return errTrouble
		}
		return nil
	}
}

func (w *world) stops(name string, action v1alpha1.StopAction, scope v1alpha1.StopScope) {
	w.Helper()
	w.must(w.client.Create(w.ctx(), &v1alpha1.EmergencyStop{
		ObjectMeta: metav1.ObjectMeta{Name: name, CreationTimestamp: metav1.NewTime(w.now)},
		Spec:       v1alpha1.EmergencyStopSpec{Scope: scope, Action: action, Reason: "It leaks.", By: "rita@example.org"},
	}))
}

func (w *world) lifts(name string) {
	w.Helper()
	var stop v1alpha1.EmergencyStop
	w.must(w.client.Get(w.ctx(), client.ObjectKey{Name: name}, &stop))
	stop.Spec.Lifted = &v1alpha1.Lift{Reason: "It is mended.", By: "rolf@example.org"}
	w.must(w.client.Update(w.ctx(), &stop))
}

// open are the network policies in production that open something.
func (w *world) open() []string {
	w.Helper()
	var list networkingv1.NetworkPolicyList
	w.must(w.client.List(w.ctx(), &list, client.InNamespace(identity.Production())))
	var out []string
	for i := range list.Items {
		if workload.Opens(&list.Items[i]) {
			out = append(out, list.Items[i].Name)
		}
	}
	return out
}

func (w *world) alive() int {
	w.Helper()
	var pods corev1.PodList
	w.must(w.client.List(w.ctx(), &pods, client.InNamespace(identity.Production())))
	return len(pods.Items)
}

// stopped fails the test unless nothing runs in production and nothing is open.
func (w *world) stopped() {
	w.Helper()
	if replicas, open := *w.deployment().Spec.Replicas, w.open(); replicas != 0 || len(open) > 0 || w.alive() > 0 {
		w.Errorf("%d replicas, %d pods, open are %v", replicas, w.alive(), open)
	}
}

// untouched fails the test unless production runs as it did.
func (w *world) untouched() {
	w.Helper()
	if replicas, open := *w.deployment().Spec.Replicas, w.open(); replicas != 2 || len(open) != 2 || w.alive() != 2 {
		w.Errorf("%d replicas, %d pods, open are %v", replicas, w.alive(), open)
	}
}

var (
	membership   = v1alpha1.StopScope{Team: "membership"}
	otherGateway = v1alpha1.StopScope{Gateway: "default"}
)

// What can't be read keeps nothing running that a stop means; without a stop what serves goes on, and it is told.
func TestStoppedWhateverCanNotBeRead(t *testing.T) {
	rotates := func(w *world) { w.now = w.now.Add(credentialsFresh) }
	soaks := func(w *world) { w.soaking(w.addSecond()) }
	waits := func(w *world) { w.gates = Check{Why: "not yet"}; w.addSecond() }
	for name, test := range map[string]struct {
		unread  string
		arrange func(w *world)
	}{
		"its record":             {"ControllerRevision", (*world).restart},
		"its reviews":            {"HardeningReviewList", nil},
		"its prototype":          {"AIPrototypeList", nil},
		"whose namespace it is":  {"AIPrototypeList", func(w *world) { w.restart() }},
		"the decisions on it":    {"HardeningDecisionList", soaks},
		"the next one's reports": {"ConfigMapList", waits},
		"its credentials":        {"v1.Secret", rotates},
		"what runs":              {"HorizontalPodAutoscaler", nil},
	} {
		t.Run(name, func(t *testing.T) {
			w, _ := first(t, withPullSecret)
			w.must(w.client.Create(w.ctx(), pullSecret("one")))
			w.settle()
			if test.arrange != nil {
				test.arrange(w)
			}
			w.unread = troubleWith(test.unread)
			writes := len(w.writes)
			if _, err := w.pass(); !errors.Is(err, errTrouble) {
				t.Errorf("it is not told: %v", err)
			}
			if len(w.writes) != writes || len(w.open()) < 2 {
				t.Fatalf("something was changed for a trouble that says nothing about it: %v", w.writes[writes:])
			}
			w.stops("leak", v1alpha1.StopStop, membership)
			if _, err := w.pass(); !errors.Is(err, errTrouble) {
				t.Errorf("it is not told under a stop: %v", err)
			}
			w.stopped()
			w.unread = nil
			w.settle()
			w.stopped()
			w.unbroken()
		})
	}
}

// soaking goes on until a record soaks.
func (w *world) soaking(r record.Record) {
	w.Helper()
	for w.step(r.Name()) != "Soaking Soaking" {
		_, err := w.pass()
		w.must(err)
	}
}

func (w *world) addSecond() record.Record {
	w.Helper()
	r := recordOf(w.T, 2, digestB, withPullSecret)
	w.add(r)
	return r
}

// TestUnreadIsTold: what can't be read for a while is said where people look, and no longer than it is so.
func TestUnreadIsTold(t *testing.T) {
	w, r := first(t)
	w.settle()
	w.restart()
	w.unread = troubleWith("ControllerRevision")
	for range 2 {
		if _, err := w.pass(); !errors.Is(err, errTrouble) {
			t.Fatalf("it is not told: %v", err)
		}
	}
	if got := w.step(r.Name()); got != "Serving Promoted" {
		t.Errorf("a moment's trouble is told: %s", got)
	}
	w.now = w.now.Add(lookAgain)
	_, _ = w.pass()
	if p := w.promotion(r.Name()); p.Step != v1alpha1.StepServing || p.Reason != v1alpha1.ReasonNotReadable || !strings.Contains(p.Message, errTrouble.Error()) {
		t.Errorf("says %+v", p)
	}
	if !w.event("Warning " + v1alpha1.ReasonNotReadable) {
		t.Error("nobody was warned")
	}
	writes := len(w.writes)
	w.now = w.now.Add(time.Hour)
	_, _ = w.pass()
	if len(w.writes) != writes {
		t.Errorf("told again: %v", w.writes[writes:])
	}
	w.unread = nil
	w.settle()
	if got := w.step(r.Name()); got != "Serving Promoted" {
		t.Errorf("says %s when all can be read", got)
	}
}

// TestUnknownReach: where a record can't be read, what the namespace says of its reach tells which stops mean it; where that
// is not there either, every stop does.
func TestUnknownReach(t *testing.T) {
	w, _ := first(t)
	w.settle()
	w.restart()
	w.unread = troubleWith("ControllerRevision")
	w.stops("leak", v1alpha1.StopStop, otherGateway)
	_, _ = w.pass()
	w.untouched()
	namespace := w.namespace()
	delete(namespace.Annotations, v1alpha1.AnnotationReach)
	w.must(w.client.Update(w.ctx(), namespace))
	_, _ = w.pass()
	w.stopped()
}

// withGateway gives a record a model gateway.
func withGateway(r *record.Record) {
	r.Requirements.ModelGateway = &v1alpha1.ModelGateway{
		Name: "default", Address: "http://gateway.ai.svc", To: v1alpha1.Destination{Pods: &v1alpha1.PodDestination{
			Namespace: "ai", PodLabels: map[string]string{"app": "gateway"}, Port: 443,
		}},
	}
}

// TestSeveredUnread: a gateway is cut off also from a workload whose record can't be read, and nothing else is.
func TestSeveredUnread(t *testing.T) {
	w, r := first(t, withGateway)
	w.settle()
	if got := w.step(r.Name()); got != "Serving Promoted" {
		t.Fatalf("is %s", got)
	}
	reaches := func() bool {
		var p networkingv1.NetworkPolicy
		w.must(w.client.Get(w.ctx(), client.ObjectKey{Namespace: identity.Production(), Name: "allow-catalogue-1"}, &p))
		return workload.Lets(&p, r.Requirements.ModelGateway.To)
	}
	if !reaches() {
		t.Fatal("there is nothing to cut off")
	}
	w.restart()
	w.unread = troubleWith("ControllerRevision")
	w.stops("leak", v1alpha1.StopSever, otherGateway)
	_, _ = w.pass()
	if reaches() || w.deployment().Spec.Template.Annotations[v1alpha1.AnnotationCutOff] == "" {
		t.Error("the gateway can be reached, or by pods from before")
	}
	if len(w.open()) != 2 || *w.deployment().Spec.Replicas != 2 {
		t.Errorf("open are %v, %d replicas", w.open(), *w.deployment().Spec.Replicas)
	}
	w.unread = nil
	w.settle()
	w.event("")
	writes := len(w.writes)
	w.lifts("leak")
	w.settle()
	if !reaches() || w.deployment().Spec.Template.Annotations[v1alpha1.AnnotationCutOff] != "" {
		t.Errorf("did not come back: %v", w.writes[writes:])
	}
	if w.event(v1alpha1.ReasonDrift) {
		t.Error("the end of a stop was told as drift")
	}
	w.unbroken()
}

// squatted puts a foreign object in the way.
func (w *world) squatted() {
	w.Helper()
	at := metav1.ObjectMeta{Namespace: identity.Production(), Name: workload.Name}
	w.must(w.client.Delete(w.ctx(), &policyv1.PodDisruptionBudget{ObjectMeta: at}))
	at.UID = "foreign"
	w.must(w.client.Create(w.ctx(), &policyv1.PodDisruptionBudget{ObjectMeta: at}))
}

// A stop waits for nothing else that has to be written.
func TestStoppedWhateverCanNotBeWritten(t *testing.T) {
	refused := func(words ...string) func(w *world) {
		return func(w *world) {
			w.restart()
			w.refused = troubleWith(words...)
		}
	}
	for name, hinder := range map[string]func(w *world){
		"nothing in the way":            func(*world) {},
		"a foreign object":              (*world).squatted,
		"the namespace":                 refused("v1.Namespace"),
		"quota and limits":              refused("ResourceQuota", "LimitRange"),
		"its rights":                    refused("RoleBinding"),
		"the status of its review":      refused("HardeningReview", "ApplyConfiguration"),
		"what it remembers of the soak": func(w *world) { w.soaking(w.addSecond()); w.refused = troubleWith("v1.Namespace") },
		"its retirement":                func(w *world) { w.target(v1alpha1.TargetRetired); w.refused = troubleWith("v1.Namespace") },
	} {
		t.Run(name, func(t *testing.T) {
			w, _ := first(t, withPullSecret)
			w.must(w.client.Create(w.ctx(), pullSecret("one")))
			w.settle()
			hinder(w)
			w.stops("leak", v1alpha1.StopStop, membership)
			_, _ = w.pass()
			w.stopped()
			_, _ = w.pass()
			w.stopped()
		})
	}
}

// Rules that can't be closed keep nothing running that is stopped; what is only severed is not made anew before they are.
func TestStoppedWhileRulesCanNotBeClosed(t *testing.T) {
	for action, replicas := range map[v1alpha1.StopAction]int32{v1alpha1.StopStop: 0, v1alpha1.StopSever: 2} {
		w, r := first(t)
		w.settle()
		w.refused = troubleWith("NetworkPolicy")
		w.stops("leak", action, membership)
		if _, err := w.pass(); !errors.Is(err, errTrouble) {
			t.Errorf("%s: it is not told: %v", action, err)
		}
		if d := w.deployment(); *d.Spec.Replicas != replicas {
			t.Errorf("%s: %d replicas", action, *d.Spec.Replicas)
		}
		marked := w.deployment().Spec.Template.Annotations[v1alpha1.AnnotationCutOff] != ""
		if marked != (action == v1alpha1.StopStop) {
			t.Errorf("%s: pods made anew: %v", action, marked)
		}
		if p := w.promotion(r.Name()); p.Reason != v1alpha1.ReasonEmergencyStop {
			t.Errorf("%s: says %+v", action, p)
		}
		w.refused = nil
		w.settle()
		if open := w.open(); len(open) > 0 {
			t.Errorf("%s: open are %v", action, open)
		}
	}
}

// TestStopBesideAConflict: a stop is told before what is in the way of the rest, and both are.
func TestStopBesideAConflict(t *testing.T) {
	w, r := first(t)
	w.settle()
	w.squatted()
	w.stops("leak", v1alpha1.StopSever, membership)
	w.settle()
	p := w.promotion(r.Name())
	if p.Reason != v1alpha1.ReasonEmergencyStop || !strings.Contains(p.Message, "PodDisruptionBudget") || !strings.HasPrefix(p.Message, "EmergencyStop leak") {
		t.Errorf("says %+v", p)
	}
	if open, mark := w.open(), w.deployment().Spec.Template.Annotations[v1alpha1.AnnotationCutOff]; len(open) > 0 || mark == "" {
		t.Errorf("open are %v, marked %q", open, mark)
	}
}
