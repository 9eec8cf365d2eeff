package sandbox

import (
	"testing"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/internal/record"
)

func TestSuspendAndResume(t *testing.T) {
	w := runs(t, aPrototype())
	w.must(w.client.Delete(t.Context(), aPolicy()))
	w.edit(func(p *v1alpha1.AIPrototype) { p.Spec.Suspend = true })
	w.settle()
	if *w.deployment().Spec.Replicas != 0 {
		t.Fatal("suspending needs a policy")
	}
	w.serves()
	w.settle()
	w.expect(v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonSuspended)
	w.must(w.client.Create(t.Context(), aPolicy()))
	w.edit(func(p *v1alpha1.AIPrototype) { p.Spec.Suspend = false })
	w.settle()
	if *w.deployment().Spec.Replicas != 1 {
		t.Error("not resumed")
	}
}

func TestSuspendedForLongIsMeasuredBeforeItRuns(t *testing.T) {
	w := runs(t, aPrototype())
	w.edit(func(p *v1alpha1.AIPrototype) { p.Spec.Suspend = true })
	w.settle()
	w.advance(2 * time.Hour)
	w.edit(func(p *v1alpha1.AIPrototype) { p.Spec.Suspend = false })
	w.settle()
	if *w.deployment().Spec.Replicas != 0 {
		t.Fatal("started on a measurement of two hours ago")
	}
	w.measures(true)
	if *w.deployment().Spec.Replicas != 1 {
		t.Error("not resumed")
	}
}

func TestExpiry(t *testing.T) {
	w := runs(t, aPrototype().with(func(p *v1alpha1.AIPrototype) {
		p.Spec.Sandbox = &v1alpha1.SandboxWish{Lifetime: &metav1.Duration{Duration: 30 * time.Minute}}
	}))
	end := birth.Add(30 * time.Minute)
	if got := w.prototype().Status.Sandbox.ExpiresAt; got == nil || !got.Time.Equal(end) {
		t.Fatalf("expires at %v", got)
	}
	w.clock.SetTime(end.Add(-90 * time.Second))
	w.settle()
	result, err := w.reconcile()
	if err != nil || result.RequeueAfter != 90*time.Second {
		t.Errorf("wakes in %v, %v", result.RequeueAfter, err)
	}
	w.clock.SetTime(end)
	w.settle()
	w.expect(v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonExpired)
	w.expect(v1alpha1.ConditionStalled, metav1.ConditionTrue, v1alpha1.ReasonExpired)
	if w.exists(&corev1.Namespace{}, "", w.identity.Sandbox()) {
		t.Error("the sandbox outlives its end")
	}
	w.edit(func(p *v1alpha1.AIPrototype) { p.Spec.Sandbox = nil })
	w.settle()
	w.expect(v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonMeasuringIsolation)
}

func TestNeedWithoutAWorkload(t *testing.T) {
	w := newWorld(t, aPrototype().with(func(p *v1alpha1.AIPrototype) { p.Spec.Workload = nil }).obj(), aPolicy())
	w.settle()
	w.expect(v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonNeedStated)
	if w.exists(&corev1.Namespace{}, "", w.identity.Sandbox()) || len(w.prototype().Finalizers) > 0 {
		t.Error("a need makes a namespace, or is held")
	}
	w.edit(func(p *v1alpha1.AIPrototype) { p.Spec.Data.Uses = []string{"salaries"} })
	w.settle()
	w.expect(v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonUnknownName)
}

func TestForeignNamespace(t *testing.T) {
	p := aPrototype().obj()
	w := newWorld(t, p, aPolicy())
	w.must(w.client.Create(t.Context(), namespace(w.identity.Sandbox(), map[string]string{"made-by": "somebody"})))
	w.settle()
	w.expect(v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonNamespaceConflict)
	w.expect(v1alpha1.ConditionStalled, metav1.ConditionTrue, v1alpha1.ReasonNamespaceConflict)
	if w.exists(&corev1.ServiceAccount{}, w.identity.Sandbox(), "prototype") {
		t.Error("something was made in a foreign namespace")
	}
	w.must(w.client.Delete(t.Context(), w.prototype()))
	w.settle()
	if !w.exists(&corev1.Namespace{}, "", w.identity.Sandbox()) {
		t.Error("a foreign namespace was deleted")
	}
}

func TestRetire(t *testing.T) {
	w := runs(t, aPrototype().inProduction())
	w.must(w.client.Create(t.Context(), namespace(w.identity.Production(), w.identity.Labels("production"))))
	w.edit(func(p *v1alpha1.AIPrototype) { p.Spec.Target = v1alpha1.TargetRetired })
	w.settle()
	w.expect(v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonRetiring)
	if w.exists(&corev1.Namespace{}, "", w.identity.Sandbox()) {
		t.Error("the sandbox is still there")
	}
	if !w.exists(&corev1.Namespace{}, "", w.identity.Production()) {
		t.Error("production is promotion's to take down")
	}
	w.must(w.client.Delete(t.Context(), namespace(w.identity.Production(), nil)))
	w.settle()
	w.expect(v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonRetired)
	w.expect(v1alpha1.ConditionInProduction, metav1.ConditionFalse, v1alpha1.ReasonRetired)
}

func TestDeletionPodsFirst(t *testing.T) {
	w := runs(t, aPrototype())
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: w.identity.Sandbox(), Name: "prototype-1", Labels: w.identity.Labels("prototype")}}
	w.must(w.client.Create(t.Context(), pod))
	leftover := &batchv1.Job{ObjectMeta: metav1.ObjectMeta{Namespace: v1alpha1.GatesNamespace, Name: "load", Labels: w.identity.Labels("load")}}
	w.must(w.client.Create(t.Context(), leftover))
	w.must(w.client.Delete(t.Context(), w.prototype()))
	// The policy and the team's namespace may be gone already.
	w.must(w.client.Delete(t.Context(), aPolicy()))
	w.must(w.client.Delete(t.Context(), namespace("membership", nil)))
	w.settle()
	w.expect(v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonDeleting)
	if !w.exists(&corev1.Namespace{}, "", w.identity.Sandbox()) {
		t.Fatal("the namespace, and its network policies with it, went before its pods")
	}
	if w.exists(&batchv1.Job{}, v1alpha1.GatesNamespace, "load") {
		t.Error("a run is left in the gates' namespace")
	}
	w.must(w.client.Delete(t.Context(), pod))
	for range 4 {
		_, err := w.reconcile()
		w.must(err)
	}
	if w.exists(&corev1.Namespace{}, "", w.identity.Sandbox()) {
		t.Error("the sandbox is still there")
	}
	if err := w.client.Get(t.Context(), w.key, &v1alpha1.AIPrototype{}); !apierrors.IsNotFound(err) {
		t.Errorf("the prototype is still held: %v", err)
	}
}

func TestPermissionsThatThePolicyTakesBack(t *testing.T) {
	w := runs(t, aPrototype())
	var policy v1alpha1.HardeningPolicy
	w.must(w.client.Get(t.Context(), client.ObjectKey{Name: "organisation"}, &policy))
	policy.Spec.Sandbox.Access.PortForward = false
	w.must(w.client.Update(t.Context(), &policy))
	found := false
	for _, object := range w.snapshot().surplus() {
		found = found || object.GetName() == "affineur-team-portforward"
	}
	if !found {
		t.Error("the team keeps its right to open ports")
	}
	w.settle()
	if left := w.snapshot().surplus(); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
}

func (w *world) snapshot() *Snapshot {
	w.t.Helper()
	s, err := w.observer().observe(w.t.Context(), w.key, w.clock.Now())
	w.must(err)
	return s
}

func TestReviews(t *testing.T) {
	const first, next = "churn-advisor-1", "churn-advisor-2"
	opened := func(t *testing.T) *world {
		w := runs(t, aPrototype().inProduction())
		w.expect(v1alpha1.ConditionReviewOpen, metav1.ConditionTrue, v1alpha1.ReasonInReview)
		return w
	}
	reviews := func(w *world, want ...string) {
		t.Helper()
		var list v1alpha1.HardeningReviewList
		w.must(w.client.List(w.t.Context(), &list))
		if len(list.Items) != len(want) {
			w.t.Fatalf("%d reviews, want %v", len(list.Items), want)
		}
	}
	t.Run("speaks of its record", func(t *testing.T) {
		w := opened(t)
		review, records := w.review(first), w.records()
		if err := records.Newest.Matches(review); err != nil {
			t.Error(err)
		}
		if review.Spec.Title != "Membership: Members lapse before anyone notices that they are unhappy." {
			t.Errorf("title %q", review.Spec.Title)
		}
		if review.Spec.SubjectDigest != w.prototype().Status.SubjectDigest {
			t.Error("the status speaks of another subject")
		}
	})
	t.Run("a new subject gets its own", func(t *testing.T) {
		w := opened(t)
		w.edit(func(p *v1alpha1.AIPrototype) {
			p.Spec.Workload.Container.Env = []v1alpha1.EnvVar{{Name: "TONE", Value: "friendly"}}
		})
		w.settle()
		reviews(w, first)
		w.serves()
		w.settle()
		reviews(w, first, next)
	})
	t.Run("an edit of the policy opens none", func(t *testing.T) {
		w := opened(t)
		var policy v1alpha1.HardeningPolicy
		w.must(w.client.Get(t.Context(), client.ObjectKey{Name: "organisation"}, &policy))
		policy.Spec.Tiers[0].Due = metav1.Duration{Duration: time.Hour}
		w.must(w.client.Update(t.Context(), &policy))
		w.settle()
		reviews(w, first)
	})
	t.Run("a rejected subject is looked at again only when asked", func(t *testing.T) {
		w := opened(t)
		w.advance(time.Minute)
		w.concludes(first, v1alpha1.OutcomeRejected)
		w.settle()
		reviews(w, first)
		w.expect(v1alpha1.ConditionReviewOpen, metav1.ConditionFalse, v1alpha1.ReasonRejected)
		w.expect(v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonRunningInSandbox)
		w.advance(time.Minute)
		w.edit(func(p *v1alpha1.AIPrototype) {
			p.Annotations[v1alpha1.AnnotationRequestedAt] = w.clock.Now().Format(time.RFC3339)
		})
		w.settle()
		w.measures(true)
		reviews(w, first, next)
		w.concludes(next, v1alpha1.OutcomeRejected)
		w.settle()
		reviews(w, first, next)
	})
	t.Run("a withdrawn subject is looked at again when wanted again", func(t *testing.T) {
		w := opened(t)
		w.edit(func(p *v1alpha1.AIPrototype) { p.Spec.Target = v1alpha1.TargetSandbox })
		w.concludes(first, v1alpha1.OutcomeWithdrawn)
		w.settle()
		reviews(w, first)
		w.expect(v1alpha1.ConditionReviewOpen, metav1.ConditionFalse, v1alpha1.ReasonNotRequested)
		w.edit(func(p *v1alpha1.AIPrototype) { p.Spec.Target = v1alpha1.TargetProduction })
		w.settle()
		reviews(w, first, next)
	})
	t.Run("a promoted subject is not reviewed again", func(t *testing.T) {
		w := opened(t)
		w.concludes(first, v1alpha1.OutcomePromoted)
		w.edit(func(p *v1alpha1.AIPrototype) { p.Annotations[v1alpha1.AnnotationRequestedAt] = "2026-03-05T10:00:00Z" })
		w.settle()
		w.measures(true)
		reviews(w, first)
	})
	t.Run("what serves is not reviewed again after a detour", func(t *testing.T) {
		w := opened(t)
		w.concludes(first, v1alpha1.OutcomePromoted)
		w.must(w.client.Create(t.Context(), namespace(w.identity.Production(), w.identity.Labels("production"))))
		review := w.review(first)
		promoting(v1alpha1.StepServing)(&review.Status)
		w.must(w.client.Status().Update(t.Context(), review))
		w.settle()
		turn := func(env ...v1alpha1.EnvVar) {
			w.edit(func(p *v1alpha1.AIPrototype) { p.Spec.Workload.Container.Env = env })
			w.settle()
			w.serves()
			w.settle()
		}
		turn(v1alpha1.EnvVar{Name: "TONE", Value: "friendly"})
		reviews(w, first, next)
		turn()
		reviews(w, first, next)
		w.expect(v1alpha1.ConditionReviewOpen, metav1.ConditionFalse, v1alpha1.ReasonPromoted)
		w.expect(v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonInProduction)
		// What was taken out of production comes back through a review of its own.
		review = w.review(first)
		review.Status.Promotion.Step = v1alpha1.StepRetired
		w.must(w.client.Status().Update(t.Context(), review))
		w.concludes(next, v1alpha1.OutcomeSuperseded)
		w.settle()
		reviews(w, first, next, "churn-advisor-3")
	})
	t.Run("a view that is lost is made anew", func(t *testing.T) {
		w := opened(t)
		w.must(w.client.Delete(t.Context(), w.review(first)))
		w.settle()
		reviews(w, first)
		if w.records().Last != 1 {
			t.Error("a second record was made")
		}
	})
	t.Run("a crash between record and view", func(t *testing.T) {
		w := opened(t)
		w.must(w.client.Delete(t.Context(), w.review(first)))
		p := w.prototype()
		p.Status.Review = nil
		w.must(w.client.Status().Update(t.Context(), p))
		w.settle()
		reviews(w, first)
		if w.records().Last != 1 {
			t.Error("a second record was made")
		}
	})
	t.Run("an ended review's view stays gone", func(t *testing.T) {
		w := opened(t)
		w.concludes(first, v1alpha1.OutcomePromoted)
		w.must(w.client.Delete(t.Context(), w.review(first)))
		w.settle()
		reviews(w)
	})
	t.Run("authors that nobody kept", func(t *testing.T) {
		w := runs(t, aPrototype().inProduction().with(func(p *v1alpha1.AIPrototype) { delete(p.Annotations, v1alpha1.AnnotationAuthors) }))
		reviews(w)
		w.expect(v1alpha1.ConditionReviewOpen, metav1.ConditionFalse, v1alpha1.ReasonGuardsNotInPlace)
		w.expect(v1alpha1.ConditionStalled, metav1.ConditionTrue, v1alpha1.ReasonGuardsNotInPlace)
		w.expect(v1alpha1.ConditionSandboxReady, metav1.ConditionTrue, v1alpha1.ReasonRunningInSandbox)
	})
	t.Run("a sample request that changed is read anew", func(t *testing.T) {
		body := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: "membership", Name: "load"}, Data: map[string]string{"b": "old"}}
		w := newWorld(t, aPrototype().inProduction().with(func(p *v1alpha1.AIPrototype) {
			p.Spec.Demand.Request.Body = &v1alpha1.RequestBody{ConfigMap: &v1alpha1.ConfigMapKey{Name: "load", Key: "b"}}
		}).obj(), aPolicy(), body)
		w.settle()
		w.measures(true)
		w.must(w.client.Update(t.Context(), &corev1.ConfigMap{ObjectMeta: body.ObjectMeta, Data: map[string]string{"b": "new"}}))
		w.serves()
		w.settle()
		w.serves()
		w.settle()
		if got := w.records().Newest; got == nil || got.Subject.Demand.Body != "new" {
			t.Errorf("reviewed %+v", got)
		}
	})
	t.Run("a forged record speaks for nothing", func(t *testing.T) {
		w := opened(t)
		object, err := w.records().Newest.Object()
		w.must(err)
		object.Name, object.Labels[v1alpha1.LabelReview] = "churn-advisor-forged-7", "7"
		w.must(w.client.Create(t.Context(), object))
		records := w.records()
		if records.Newest.Ordinal != 1 || records.Last != 7 {
			t.Errorf("%+v", records)
		}
		if _, err := record.Read(object); err == nil {
			t.Error("the forged record can be read")
		}
	})
}
