package stop

import (
	"cmp"
	"fmt"
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

// word for what an action has brought about: one that this version does not know is taken for the strongest.
func word(action v1alpha1.StopAction) string { return cmp.Or(done[action], done[v1alpha1.StopStop]) }

// StatusOf says how far a stop has come. Where it has nothing in scope, known are the names that it could have meant.
func StatusOf(stop v1alpha1.EmergencyStop, scenes []Scene, known []string, now time.Time) v1alpha1.EmergencyStopStatus {
	status := *stop.Status.DeepCopy()
	status.ObservedGeneration = stop.Generation
	status.InScope, status.Done, status.Remaining = int32(len(scenes)), 0, nil
	for _, scene := range scenes {
		missing := scene.missing(stop.Spec.Action, now)
		if missing == "" {
			status.Done++
		} else if len(status.Remaining) < maxRemaining {
			status.Remaining = append(status.Remaining, v1alpha1.StopRemaining{
				Namespace: scene.Namespace.Name, Message: evidence.Clean(missing, 256),
			})
		}
	}
	status.Summary = fmt.Sprintf("%s %d/%d", word(stop.Spec.Action), status.Done, status.InScope)
	effective := effect(stop, status, known)
	ready := metav1.Condition{Type: v1alpha1.ConditionReady, Status: metav1.ConditionTrue, Reason: effective.Reason, Message: effective.Message}
	working, stalled := effective.Reason == v1alpha1.ReasonStopping, effective.Reason == v1alpha1.ReasonScopeUnknown
	if working || stalled {
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
	onlyWhile := func(kind string, holds bool) {
		if !holds {
			apimeta.RemoveStatusCondition(&status.Conditions, kind)
			return
		}
		ready.Type, ready.Status = kind, metav1.ConditionTrue
		set(ready)
	}
	onlyWhile(v1alpha1.ConditionReconciling, working)
	onlyWhile(v1alpha1.ConditionStalled, stalled)
	return status
}

// again is when what the scenes show says less without anything happening; the zero time for never.
func again(action v1alpha1.StopAction, scenes []Scene, now time.Time) time.Time {
	var first time.Time
	for _, scene := range scenes {
		if action != v1alpha1.StopSever || scene.Measured == nil || !scene.Measured.Severed {
			continue
		}
		if at := scene.Measured.expires(); now.Before(at) && (first.IsZero() || at.Before(first)) {
			first = at
		}
	}
	return first
}

// effect is the condition Effective.
func effect(stop v1alpha1.EmergencyStop, status v1alpha1.EmergencyStopStatus, known []string) metav1.Condition {
	c := metav1.Condition{Type: v1alpha1.ConditionEffective, Status: metav1.ConditionTrue, Reason: v1alpha1.ReasonStopped}
	what, word := What(stop.Spec.Scope), word(stop.Spec.Action)
	switch {
	case !InForce(stop):
		c.Status, c.Reason = metav1.ConditionFalse, v1alpha1.ReasonLifted
		c.Message = evidence.Clean(fmt.Sprintf("Lifted by %s: %s", stop.Spec.Lifted.By, stop.Spec.Lifted.Reason), 512)
	case status.InScope == 0 && unknown(stop.Spec.Scope, known):
		c.Status, c.Reason = metav1.ConditionUnknown, v1alpha1.ReasonScopeUnknown
		c.Message = fmt.Sprintf("Nothing is in scope, and nobody knows %s: no policy, no prototype and no namespace of a team names it%s. "+
			"The stop holds for whatever comes under that name; if another was meant, a responder makes a stop for that one.",
			what, nearest(stop.Spec.Scope, known))
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
	}
	return c
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
