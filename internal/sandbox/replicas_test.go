package sandbox

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/affineur/affineur/api/v1alpha1"
)

// wants is what the review controller says while it measures; 0 for no more.
func (w *world) wants(replicas int32) {
	w.t.Helper()
	review := w.review(w.identity.Review(1))
	review.Status.SandboxReplicas = nil
	if replicas > 0 {
		review.Status.SandboxReplicas = &v1alpha1.SandboxReplicas{Count: replicas, Since: metav1.NewTime(w.clock.Now())}
	}
	w.must(w.client.Status().Update(w.t.Context(), review))
	w.settle()
}

func (w *world) has(replicas int32) {
	w.t.Helper()
	if got := *w.deployment().Spec.Replicas; got != replicas {
		w.t.Errorf("%d replicas, want %d", got, replicas)
	}
	var quota corev1.ResourceQuota
	w.must(w.client.Get(w.t.Context(), client.ObjectKey{Namespace: w.identity.Sandbox(), Name: "room"}, &quota))
	pods := quota.Spec.Hard[corev1.ResourcePods]
	if got := int32(pods.Value()); got != replicas+2 {
		w.t.Errorf("room for %d pods with %d replicas", got, replicas)
	}
}

// inReview is a prototype in review, in a team that may use so much CPU.
func inReview(t *testing.T, cpu string) *world {
	t.Helper()
	policy := aPolicy()
	policy.Spec.Production.Replicas = v1alpha1.ReplicaRange{Min: 2, Max: 4}
	policy.Spec.Sandbox.Limits.PerTeam = &v1alpha1.TeamResources{CPU: cpu, Memory: "100Gi"}
	w := newWorld(t, aPrototype().inProduction().obj(), policy)
	w.settle()
	w.measures(true)
	w.serves()
	w.settle()
	return w
}

// The sandbox has as many replicas as a measurement wants, for as long as it wants them.
func TestReplicasForAMeasurement(t *testing.T) {
	w := inReview(t, "1")
	w.has(1)
	w.wants(2)
	w.has(2)
	w.serves()
	w.settle()
	w.expect(v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonInReview)
	w.wants(4)
	w.has(4)
	w.wants(0)
	w.has(1)
}

// Nobody gets more than production may have, than the team has room for, or after the review has ended.
func TestReplicasWithinBounds(t *testing.T) {
	w := inReview(t, "100")
	w.wants(16)
	w.has(4)
	w.concludes(w.identity.Review(1), v1alpha1.OutcomeWithdrawn)
	w.settle()
	w.has(1)

	w = inReview(t, "749m")
	w.wants(2)
	w.has(2)
	w.wants(4)
	w.has(1)
}

// Replicas of a measurement hold no room: whoever comes goes first, and what ran before runs on.
func TestReplicasMakeRoom(t *testing.T) {
	w := inReview(t, "1")
	w.wants(4)
	w.has(4)
	w.must(w.client.Create(t.Context(), aPrototype().with(func(p *v1alpha1.AIPrototype) {
		p.Name, p.UID = "younger", "5c9f3f1e-0000-4000-8000-000000000002"
		p.Status.ObservedGeneration = p.Generation
		p.Status.Sandbox = &v1alpha1.SandboxStatus{Room: written(w.clock.Now(), amountOf("250m", "256Mi"))}
	}).obj()))
	w.settle()
	w.has(1)
	w.serves()
	w.settle()
	w.expect(v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonInReview)
}

// A measurement of one subject gives another no replicas.
func TestReplicasOfAnotherSubject(t *testing.T) {
	w := inReview(t, "100")
	w.edit(func(p *v1alpha1.AIPrototype) { p.Spec.Workload.Container.Resources.CPU = "200m" })
	w.wants(4)
	w.settle()
	w.has(1)
}
