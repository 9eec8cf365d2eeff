package stop

import (
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/internal/evidence"
)

// maxRemaining is how many namespaces a status names.
const maxRemaining = 16

// done is what a stop of an action has brought about, in a word.
var done = map[v1alpha1.StopAction]string{v1alpha1.StopFreeze: "frozen", v1alpha1.StopSever: "severed", v1alpha1.StopStop: "stopped"}

// StatusOf says how far a stop has come.
func StatusOf(stop v1alpha1.EmergencyStop, scenes []Scene, known bool, now time.Time) v1alpha1.EmergencyStopStatus {
	status := *stop.Status.DeepCopy()
	status.ObservedGeneration = stop.Generation
	status.InScope, status.Done, status.Remaining = int32(len(scenes)), 0, nil
	for _, scene := range scenes {
		missing := scene.missing(stop.Spec.Action)
		if missing == "" {
			status.Done++
		} else if len(status.Remaining) < maxRemaining {
			status.Remaining = append(status.Remaining, v1alpha1.StopRemaining{
				Namespace: scene.Namespace.Name, Message: evidence.Clean(missing, 256),
			})
		}
	}
	status.Summary = fmt.Sprintf("%s %d/%d", done[stop.Spec.Action], status.Done, status.InScope)
	effective, working := effect(stop, status, known)
	ready := metav1.Condition{Type: v1alpha1.ConditionReady, Status: metav1.ConditionTrue, Reason: effective.Reason, Message: effective.Message}
	if working {
		ready.Status = metav1.ConditionFalse
	}
	if !InForce(stop) {
		status.Summary = "lifted"
	}
	set := func(c metav1.Condition) {
		c.ObservedGeneration, c.LastTransitionTime = stop.Generation, metav1.NewTime(now.UTC().Truncate(time.Second))
		apimeta.SetStatusCondition(&status.Conditions, c)
	}
	set(ready)
	set(effective)
	if working {
		ready.Type, ready.Status = v1alpha1.ConditionReconciling, metav1.ConditionTrue
		set(ready)
	} else {
		apimeta.RemoveStatusCondition(&status.Conditions, v1alpha1.ConditionReconciling)
	}
	return status
}

// effect is the condition Effective, and whether there is something left to do.
func effect(stop v1alpha1.EmergencyStop, status v1alpha1.EmergencyStopStatus, known bool) (metav1.Condition, bool) {
	c := metav1.Condition{Type: v1alpha1.ConditionEffective, Status: metav1.ConditionTrue, Reason: v1alpha1.ReasonStopped}
	what, word := What(stop.Spec.Scope), done[stop.Spec.Action]
	switch {
	case !InForce(stop):
		c.Status, c.Reason = metav1.ConditionFalse, v1alpha1.ReasonLifted
		c.Message = evidence.Clean(fmt.Sprintf("Lifted by %s: %s", stop.Spec.Lifted.By, stop.Spec.Lifted.Reason), 512)
	case status.InScope == 0 && !known:
		c.Message = fmt.Sprintf("Nothing is in scope: no policy and no prototype knows %s. The stop holds for whatever comes under that name; "+
			"to name something else, make another.", what)
	case status.InScope == 0:
		c.Message = fmt.Sprintf("Nothing is in scope: no sandbox and no production has to do with %s at present. The stop holds for whatever comes.", what)
	case stop.Spec.Action == v1alpha1.StopFreeze:
		c.Message = fmt.Sprintf("Nothing new of %s gets into production.", what)
	case status.Done == status.InScope:
		c.Message = fmt.Sprintf("%s is %s in %d of %d namespaces, seen in each.", what, word, status.Done, status.InScope)
	default:
		c.Status, c.Reason = metav1.ConditionFalse, v1alpha1.ReasonStopping
		c.Message = fmt.Sprintf("%s is %s in %d of %d namespaces; in %s: %s.", what, word, status.Done, status.InScope,
			status.Remaining[0].Namespace, status.Remaining[0].Message)
		return c, true
	}
	return c, false
}

// known tells whether a policy names what the scope is about. Digests are nobody's to name.
func known(scope v1alpha1.StopScope, policies []v1alpha1.HardeningPolicy) bool {
	for _, p := range policies {
		switch {
		case scope.Team != "":
			if slices.ContainsFunc(p.Spec.Teams, func(t v1alpha1.Team) bool { return t.Name == scope.Team }) {
				return true
			}
		case scope.Gateway != "":
			if slices.ContainsFunc(p.Spec.Catalogue.ModelGateways, func(g v1alpha1.ModelGateway) bool { return g.Name == scope.Gateway }) {
				return true
			}
		case scope.Integration != "":
			if slices.ContainsFunc(p.Spec.Catalogue.Integrations, func(i v1alpha1.Integration) bool { return i.Name == scope.Integration }) {
				return true
			}
		}
	}
	return scope.Team == "" && scope.Gateway == "" && scope.Integration == ""
}

// turned is the condition Effective where it took another status or reason.
func turned(before, after v1alpha1.EmergencyStopStatus) *metav1.Condition {
	was := apimeta.FindStatusCondition(before.Conditions, v1alpha1.ConditionEffective)
	is := apimeta.FindStatusCondition(after.Conditions, v1alpha1.ConditionEffective)
	if was != nil && was.Status == is.Status && was.Reason == is.Reason {
		return nil
	}
	return is
}

// kindOf event that tells of a turn: a stop is no everyday matter before it is lifted.
func kindOf(c metav1.Condition) string {
	if c.Reason == v1alpha1.ReasonLifted {
		return corev1.EventTypeNormal
	}
	return corev1.EventTypeWarning
}
