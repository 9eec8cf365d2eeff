package world

import (
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/test/lifecycle/server"
)

// honest: whoever reads a status with kstatus's rules is told the truth, at every moment.
func (w *World) honest(request server.Request) {
	object := request.After
	if object == nil || request.Verb != server.Status || request.Actor != operatorName {
		return
	}
	var conditions, before []metav1.Condition
	var observed int64
	switch o := object.(type) {
	case *v1alpha1.AIPrototype:
		conditions, observed, before = o.Status.Conditions, o.Status.ObservedGeneration, request.Before.(*v1alpha1.AIPrototype).Status.Conditions
		w.namesSomebody(o)
	case *v1alpha1.HardeningReview:
		conditions, observed, before = o.Status.Conditions, o.Status.ObservedGeneration, request.Before.(*v1alpha1.HardeningReview).Status.Conditions
		if o.Status.Outcome == "" && observed > 0 && len(o.Status.WaitingOn) == 0 {
			w.broken("review %s is open and waits for nobody", o.Name)
		}
		if was := request.Before.(*v1alpha1.HardeningReview).Status.Outcome; was != "" && was != o.Status.Outcome {
			w.broken("review %s ended as %s and now says %q", o.Name, was, o.Status.Outcome)
		}
	case *v1alpha1.HardeningPolicy:
		conditions, observed, before = o.Status.Conditions, o.Status.ObservedGeneration, request.Before.(*v1alpha1.HardeningPolicy).Status.Conditions
	default:
		return
	}
	name := request.Kind + " " + object.GetName()
	seen := map[string]bool{}
	for _, c := range conditions {
		switch was := apimeta.FindStatusCondition(before, c.Type); {
		case seen[c.Type]:
			w.broken("%s has two conditions %s", name, c.Type)
		case c.ObservedGeneration <= 0 || c.ObservedGeneration > object.GetGeneration():
			w.broken("condition %s of %s has observedGeneration %d, and the generation is %d", c.Type, name, c.ObservedGeneration, object.GetGeneration())
		case c.Reason == "" || c.Message == "":
			w.broken("condition %s of %s gives no reason or says nothing", c.Type, name)
		// A clock that was put right may have written a time that has not come yet.
		case was != nil && was.Status == c.Status && !was.LastTransitionTime.After(w.clock) && !was.LastTransitionTime.Equal(&c.LastTransitionTime):
			w.broken("condition %s of %s did not change, and its time of transition did", c.Type, name)
		}
		seen[c.Type] = true
	}
	// The promotion controller may be the first to say something about a review, before there is a Ready.
	if observed > 0 {
		w.kstatus(name, conditions)
	}
}

// kstatus: Ready is there; Reconciling and Stalled are there only while they are true, and never both; and one of them
// says why Ready is not true.
func (w *World) kstatus(name string, conditions []metav1.Condition) {
	ready := apimeta.FindStatusCondition(conditions, v1alpha1.ConditionReady)
	working := apimeta.FindStatusCondition(conditions, v1alpha1.ConditionReconciling)
	stuck := apimeta.FindStatusCondition(conditions, v1alpha1.ConditionStalled)
	switch {
	case ready == nil:
		w.broken("%s has no condition Ready", name)
	case working != nil && working.Status != metav1.ConditionTrue || stuck != nil && stuck.Status != metav1.ConditionTrue:
		w.broken("%s has a condition Reconciling or Stalled that is not true", name)
	case working != nil && stuck != nil:
		w.broken("%s is Reconciling and Stalled at once", name)
	case ready.Status == metav1.ConditionTrue && (working != nil || stuck != nil):
		w.broken("%s is Ready and Reconciling or Stalled at once", name)
	case ready.Status != metav1.ConditionTrue && working == nil && stuck == nil:
		w.broken("%s is not Ready (%s) and neither Reconciling nor Stalled", name, ready.Reason)
	}
}

// reached tells whether a prototype is where its team wants it.
func reached(p *v1alpha1.AIPrototype) bool {
	ready := apimeta.FindStatusCondition(p.Status.Conditions, v1alpha1.ConditionReady)
	switch {
	case ready == nil || ready.Status != metav1.ConditionTrue:
		return false
	case p.Spec.Target != v1alpha1.TargetProduction || p.Spec.Suspend:
		return true
	}
	return p.Status.Production != nil && p.Status.Production.SubjectDigest == p.Status.SubjectDigest
}

// namesSomebody: a prototype that is not where its team wants it is worked at, or waits for somebody.
func (w *World) namesSomebody(p *v1alpha1.AIPrototype) {
	if !reached(p) && !apimeta.IsStatusConditionTrue(p.Status.Conditions, v1alpha1.ConditionReconciling) && len(p.Status.WaitingOn) == 0 {
		ready := apimeta.FindStatusCondition(p.Status.Conditions, v1alpha1.ConditionReady)
		w.broken("the prototype's target %s is not reached (Ready says %s), and nobody is named whose turn it is", p.Spec.Target, ready.Reason)
	}
	for _, turn := range p.Status.WaitingOn {
		if turn.Party == "" || turn.Message == "" || turn.Since.IsZero() {
			w.broken("the prototype waits for %+v", turn)
		}
	}
}

// saysWhoseTurn: at rest, a prototype that is not where its team wants it names somebody.
func (w *World) saysWhoseTurn(p *v1alpha1.AIPrototype) {
	switch {
	case p.Status.ObservedGeneration != p.Generation:
		w.broken("at rest, the prototype's status speaks of generation %d, and it is %d", p.Status.ObservedGeneration, p.Generation)
	case !reached(p) && len(p.Status.WaitingOn) == 0:
		w.broken("at rest, the prototype's target %s is not reached, and nobody is named whose turn it is", p.Spec.Target)
	}
}
