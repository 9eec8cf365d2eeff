package describe

import (
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/affineur/affineur/api/v1alpha1"
)

// places are the reasons of Ready that say where a prototype is; every other reason says what is in its way.
var places = map[string]string{
	v1alpha1.ReasonNeedStated:         "a stated need, without a program yet",
	v1alpha1.ReasonRunningInSandbox:   "in its sandbox",
	v1alpha1.ReasonInReview:           "in its sandbox, under review",
	v1alpha1.ReasonInProduction:       "in production",
	v1alpha1.ReasonSuspended:          "suspended",
	v1alpha1.ReasonExpired:            "its sandbox's time is over",
	v1alpha1.ReasonTeamAtCapacity:     "waits for room in its team",
	v1alpha1.ReasonRetired:            "retired",
	v1alpha1.ReasonRetiring:           "being retired",
	v1alpha1.ReasonDeleting:           "being deleted",
	v1alpha1.ReasonPreparingSandbox:   "its sandbox is being made",
	v1alpha1.ReasonMeasuringIsolation: "its sandbox's isolation is being measured",
	v1alpha1.ReasonStartingWorkload:   "starting in its sandbox",
}

// where says in a phrase where a prototype is.
func where(prototype *v1alpha1.AIPrototype) string {
	if !prototype.DeletionTimestamp.IsZero() {
		return places[v1alpha1.ReasonDeleting]
	}
	ready := condition(prototype, v1alpha1.ConditionReady)
	if ready == nil {
		return "not looked at yet"
	}
	if place, known := places[ready.Reason]; known {
		return place
	}
	if holds(prototype, v1alpha1.ConditionStalled) {
		return "stopped: " + humanise(ready.Reason)
	}
	return "not ready: " + humanise(ready.Reason)
}

// seen tells whether the operator's status speaks of the spec as it is now.
func seen(prototype *v1alpha1.AIPrototype) bool {
	return prototype.Status.ObservedGeneration == prototype.Generation
}

func condition(prototype *v1alpha1.AIPrototype, kind string) *metav1.Condition {
	return meta.FindStatusCondition(prototype.Status.Conditions, kind)
}

func holds(prototype *v1alpha1.AIPrototype, kind string) bool {
	return meta.IsStatusConditionTrue(prototype.Status.Conditions, kind)
}

// serves tells whether production runs exactly the prototype's present revision.
func serves(prototype *v1alpha1.AIPrototype) bool {
	production := prototype.Status.Production
	return production != nil && production.SubjectDigest != "" && production.SubjectDigest == prototype.Status.SubjectDigest
}
