package sandbox

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/internal/registry"
	"github.com/affineur/affineur/internal/run"
	"github.com/affineur/affineur/internal/workload"
)

// runs is a world in which the prototype runs in its sandbox.
func runs(t *testing.T, m maker) *world {
	t.Helper()
	w := newWorld(t, m.obj(), aPolicy())
	w.settle()
	w.measures(true)
	w.serves()
	w.settle()
	return w
}

func TestFromManifestToReview(t *testing.T) {
	w := newWorld(t, aPrototype().inProduction().obj(), aPolicy())
	w.settle()
	w.expect(v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonMeasuringIsolation)
	w.expect(v1alpha1.ConditionReconciling, metav1.ConditionTrue, v1alpha1.ReasonMeasuringIsolation)
	if w.exists(&appsv1.Deployment{}, w.identity.Sandbox(), workload.Name) {
		t.Fatal("the workload was started before isolation was measured")
	}
	w.measures(true)
	w.expect(v1alpha1.ConditionNetworkIsolated, metav1.ConditionTrue, v1alpha1.ReasonEnforced)
	w.expect(v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonStartingWorkload)
	w.serves()
	w.settle()
	w.expect(v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonInReview)
	w.expect(v1alpha1.ConditionSandboxReady, metav1.ConditionTrue, v1alpha1.ReasonRunningInSandbox)
	w.expect(v1alpha1.ConditionReviewOpen, metav1.ConditionTrue, v1alpha1.ReasonInReview)
	want := []string{
		"Measuring: AddFinalizer PrepareSandbox StartControl StartInside",
		"Measuring: PrepareSandbox",
		"Starting: PrepareSandbox KeepReports RunWorkload isolation=Enforced",
		"Starting: PrepareSandbox KeepReports RemoveRuns Prune RunWorkload",
		"Starting: PrepareSandbox RunWorkload",
		"Running: PrepareSandbox RunWorkload OpenReview record=1",
		"Running: PrepareSandbox RunWorkload",
	}
	if got := w.transcript(); !slices.Equal(got, want) {
		t.Errorf("went:\n%s", strings.Join(got, "\n"))
	}
}

func TestSteadyPassMakesNoRequest(t *testing.T) {
	w := runs(t, aPrototype())
	live := &countingReader{Reader: w.client}
	w.Live, w.Maker.Live, w.Writer.Live = live, live, live
	before := len(w.writes)
	for range 5 {
		w.advance(time.Second)
		if result, err := w.reconcile(); err != nil || result.RequeueAfter == 0 {
			t.Fatalf("%v, %v", result, err)
		}
	}
	if live.reads != 0 || len(w.writes) != before {
		t.Errorf("%d reads past the cache, writes %v", live.reads, w.writes[before:])
	}
	w.advance(referencesFresh)
	if _, err := w.reconcile(); err != nil || live.reads == 0 {
		t.Errorf("references are never read again: %v", err)
	}
}

type countingReader struct {
	client.Reader
	reads int
}

func (c *countingReader) Get(ctx context.Context, key client.ObjectKey, object client.Object, options ...client.GetOption) error {
	c.reads++
	return c.Reader.Get(ctx, key, object, options...)
}

func TestClusterThatIgnoresNetworkPolicy(t *testing.T) {
	w := newWorld(t, aPrototype().inProduction().obj(), aPolicy())
	w.settle()
	w.measures(false)
	w.expect(v1alpha1.ConditionNetworkIsolated, metav1.ConditionFalse, v1alpha1.ReasonNotEnforced)
	w.expect(v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonNotEnforced)
	w.expect(v1alpha1.ConditionStalled, metav1.ConditionTrue, v1alpha1.ReasonNotEnforced)
	if w.exists(&appsv1.Deployment{}, w.identity.Sandbox(), workload.Name) {
		t.Fatal("the workload was started in a sandbox that is none")
	}
	if got := w.prototype().Status.Summary.WaitingOn; got != "IT" {
		t.Errorf("waits on %q", got)
	}
	if message := apimeta.FindStatusCondition(w.prototype().Status.Conditions, v1alpha1.ConditionReady).Message; !strings.Contains(message, "does not enforce NetworkPolicy") || !strings.Contains(message, "platform team must install") {
		t.Errorf("message %q", message)
	}
	result, err := w.reconcile()
	if err != nil || result.RequeueAfter <= time.Minute || result.RequeueAfter > retryNotEnforced {
		t.Errorf("looks again in %v, %v", result.RequeueAfter, err)
	}

	t.Run("finds an engine that was installed meanwhile", func(t *testing.T) {
		w.advance(retryNotEnforced)
		w.measures(true)
		w.expect(v1alpha1.ConditionNetworkIsolated, metav1.ConditionTrue, v1alpha1.ReasonEnforced)
		w.expect(v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonStartingWorkload)
		if w.isolationReports() != 2 {
			t.Errorf("%d reports", w.isolationReports())
		}
	})
	t.Run("stops the workload when the engine goes", func(t *testing.T) {
		w.serves()
		w.settle()
		w.advance(time.Hour)
		w.settle()
		w.expect(v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonInReview)
		w.measures(false)
		if replicas := w.deployment().Spec.Replicas; *replicas != 0 {
			t.Errorf("%d replicas", *replicas)
		}
		w.expect(v1alpha1.ConditionSandboxReady, metav1.ConditionFalse, v1alpha1.ReasonNotEnforced)
	})
	t.Run("looks at once when asked", func(t *testing.T) {
		w.edit(func(p *v1alpha1.AIPrototype) {
			p.Annotations[v1alpha1.AnnotationRequestedAt] = w.clock.Now().Format(time.RFC3339)
		})
		w.settle()
		if got := w.prototype().Status.LastHandledRequestedAt; got != "" {
			t.Errorf("handled %q before anything was measured", got)
		}
		w.measures(true)
		if got, want := w.prototype().Status.LastHandledRequestedAt, w.prototype().Annotations[v1alpha1.AnnotationRequestedAt]; got != want {
			t.Errorf("handled %q, want %q", got, want)
		}
		if w.registry.asked != 2 {
			t.Errorf("the registry was asked %d times, want once at first and once on request", w.registry.asked)
		}
		if replicas := w.deployment().Spec.Replicas; *replicas != 1 {
			t.Errorf("%d replicas", *replicas)
		}
	})
}

// What must not run is stopped also where nothing can be kept about it.
func TestStoppedWhileTheRecordsAreFull(t *testing.T) {
	w := runs(t, aPrototype())
	w.advance(time.Hour)
	w.settle()
	w.advance(20 * time.Second)
	w.ends(false)
	w.full = true
	if _, err := w.reconcile(); err == nil {
		t.Error("it is not told that the reports can't be kept")
	}
	if replicas := w.deployment().Spec.Replicas; *replicas != 0 {
		t.Errorf("%d replicas in a sandbox that is none", *replicas)
	}
	w.expect(v1alpha1.ConditionNetworkIsolated, metav1.ConditionFalse, v1alpha1.ReasonNotEnforced)
}

// transcript of what was planned, without times and repetitions.
func (w *world) transcript() []string {
	var out []string
	for _, plan := range w.plans {
		plan, _, _ = strings.Cut(plan, " wake=")
		out = append(out, plan)
	}
	return slices.Compact(out)
}

func (w *world) deployment() *appsv1.Deployment {
	w.t.Helper()
	var d appsv1.Deployment
	w.must(w.client.Get(w.t.Context(), client.ObjectKey{Namespace: w.identity.Sandbox(), Name: workload.Name}, &d))
	return &d
}

func TestInconclusiveIsTriedAgainWithGrowingPauses(t *testing.T) {
	w := newWorld(t, aPrototype().obj(), aPolicy())
	w.settle()
	var pauses []time.Duration
	for range 4 {
		lost := run.Result{State: run.Lost, Why: "DeadlineExceeded"}
		w.runs.result = map[string]run.Result{w.identity.Run("isolation", suffixControl): lost, w.identity.Run("isolation", suffixInside): lost}
		w.settle()
		w.expect(v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonIsolationInconclusive)
		w.expect(v1alpha1.ConditionNetworkIsolated, metav1.ConditionUnknown, v1alpha1.ReasonIsolationInconclusive)
		w.expect(v1alpha1.ConditionReconciling, metav1.ConditionTrue, v1alpha1.ReasonIsolationInconclusive)
		w.runs.result = nil
		result, err := w.reconcile()
		w.must(err)
		pauses = append(pauses, result.RequeueAfter)
		w.advance(result.RequeueAfter)
	}
	if !slices.IsSorted(pauses) || pauses[0] != retryLeast || pauses[3] < 4*pauses[0] {
		t.Errorf("pauses %v", pauses)
	}
	if message := w.prototype().Status.Sandbox.Isolation.Message; !strings.Contains(message, "DeadlineExceeded") {
		t.Errorf("message %q does not say why", message)
	}
}

func TestMissingCanary(t *testing.T) {
	w := newWorld(t, aPrototype().obj(), aPolicy())
	w.must(w.client.Delete(t.Context(), canaryService()))
	w.settle()
	w.expect(v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonCanaryMissing)
	w.expect(v1alpha1.ConditionStalled, metav1.ConditionTrue, v1alpha1.ReasonCanaryMissing)
	w.must(w.client.Create(t.Context(), canaryService()))
	w.advance(referencesRetry)
	w.settle()
	w.measures(true)
	w.expect(v1alpha1.ConditionNetworkIsolated, metav1.ConditionTrue, v1alpha1.ReasonEnforced)
}

func TestProblemBeforeAnythingRan(t *testing.T) {
	for name, test := range map[string]struct {
		change func(*v1alpha1.AIPrototype)
		reason string
		party  string
	}{
		"unknown data":     {func(p *v1alpha1.AIPrototype) { p.Spec.Data.Uses = []string{"salaries"} }, v1alpha1.ReasonUnknownName, "Business"},
		"foreign registry": {func(p *v1alpha1.AIPrototype) { p.Spec.Workload.Container.Image = "evil.example.net/a:1" }, v1alpha1.ReasonRegistryNotAllowed, "Business"},
		"missing body": {func(p *v1alpha1.AIPrototype) {
			p.Spec.Demand.Request.Body = &v1alpha1.RequestBody{ConfigMap: &v1alpha1.ConfigMapKey{Name: "load", Key: "body.json"}}
		}, v1alpha1.ReasonReferenceMissing, "Business"},
		"missing secret": {func(p *v1alpha1.AIPrototype) {
			p.Spec.Workload.Container.Secrets = []v1alpha1.SecretMount{{Name: "token", MountPath: "/etc/secrets/token"}}
		}, v1alpha1.ReasonReferenceMissing, "Business"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, aPrototype().with(test.change).obj(), aPolicy())
			w.settle()
			w.expect(v1alpha1.ConditionReady, metav1.ConditionFalse, test.reason)
			w.expect(v1alpha1.ConditionStalled, metav1.ConditionTrue, test.reason)
			status := w.prototype().Status
			if len(status.Gaps) == 0 || status.Gaps[0].Reason != test.reason || status.Summary.WaitingOn != test.party {
				t.Errorf("gaps %+v, waiting on %+v", status.Gaps, status.Summary)
			}
			if w.exists(&corev1.Namespace{}, "", w.identity.Sandbox()) {
				t.Error("a half-made namespace is left")
			}
			if status.Sandbox != nil {
				t.Errorf("a sandbox is shown that nobody made: %+v", status.Sandbox)
			}
		})
	}
}

func TestProblemWhileMeasuringLeavesNoNamespace(t *testing.T) {
	w := newWorld(t, aPrototype().obj(), aPolicy())
	w.settle()
	w.edit(func(p *v1alpha1.AIPrototype) { p.Spec.Data.Uses = []string{"salaries"} })
	w.settle()
	if w.exists(&corev1.Namespace{}, "", w.identity.Sandbox()) {
		t.Error("a half-made namespace is left")
	}
	if shown := w.prototype().Status.Sandbox; shown.Namespace != "" || shown.Room != nil || shown.StartedAt == nil {
		t.Errorf("a sandbox is shown that is gone, or its life is forgotten: %+v", shown)
	}
}

func TestProblemWithARunningSandbox(t *testing.T) {
	w := runs(t, aPrototype())
	before := w.deployment()
	w.edit(func(p *v1alpha1.AIPrototype) { p.Spec.Workload.Container.Resources.CPU = "64" })
	w.settle()
	w.expect(v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonLimitExceeded)
	w.expect(v1alpha1.ConditionSandboxReady, metav1.ConditionFalse, v1alpha1.ReasonLimitExceeded)
	if after := w.deployment(); after.ResourceVersion != before.ResourceVersion {
		t.Error("what ran before was touched")
	}
	since := w.prototype().Status.WaitingOn[0].Since
	w.advance(time.Minute)
	w.edit(func(p *v1alpha1.AIPrototype) { p.Spec.Contact = "somebody@example.org" })
	w.settle()
	if again := w.prototype().Status.WaitingOn[0].Since; !again.Equal(&since) {
		t.Errorf("waiting since %v, then since %v", since, again)
	}
}

func TestPolicyThatIsBeingReadChangesNothing(t *testing.T) {
	w := runs(t, aPrototype())
	var policy v1alpha1.HardeningPolicy
	w.must(w.client.Get(t.Context(), client.ObjectKey{Name: "organisation"}, &policy))
	policy.Generation = 2
	w.must(w.client.Update(t.Context(), &policy))
	before := len(w.writes)
	w.settle()
	if len(w.writes) != before {
		t.Errorf("wrote %v", w.writes[before:])
	}
}

func TestRegistry(t *testing.T) {
	unreachable := &registry.Error{Reason: v1alpha1.ReasonRegistryUnreachable, Message: "Registry registry.example.org does not answer.", Owner: v1alpha1.OwnerIT, Passing: true}
	t.Run("does not answer at first", func(t *testing.T) {
		w := newWorld(t, aPrototype().obj(), aPolicy())
		w.registry.err = unreachable
		w.settle()
		w.expect(v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonRegistryUnreachable)
		w.expect(v1alpha1.ConditionReconciling, metav1.ConditionTrue, v1alpha1.ReasonRegistryUnreachable)
		asked := w.registry.asked
		for range 10 {
			w.must(second(w.reconcile()))
		}
		if w.registry.asked != asked {
			t.Error("events make the registry be asked at once again")
		}
		w.registry.err = nil
		w.advance(registryLeast)
		w.settle()
		w.expect(v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonMeasuringIsolation)
	})
	t.Run("does not answer later", func(t *testing.T) {
		w := runs(t, aPrototype())
		w.registry.err = unreachable
		w.edit(func(p *v1alpha1.AIPrototype) { p.Annotations[v1alpha1.AnnotationRequestedAt] = "2026-03-02T10:00:00Z" })
		w.settle()
		w.expect(v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonRunningInSandbox)
		if got := w.prototype().Status; got.LastHandledRequestedAt != "" || len(got.Gaps) == 0 || got.Gaps[0].Reason != v1alpha1.ReasonRegistryUnreachable {
			t.Errorf("handled %q, gaps %+v", got.LastHandledRequestedAt, got.Gaps)
		}
		w.registry.err, w.registry.digest = nil, strings.ReplaceAll(digest, "a", "b")
		w.advance(registryMost)
		w.settle()
		w.measures(true)
		if image := w.deployment().Spec.Template.Spec.Containers[0].Image; !strings.HasSuffix(image, w.registry.digest) {
			t.Errorf("image %s", image)
		}
	})
	t.Run("a moved tag changes nothing unasked", func(t *testing.T) {
		w := runs(t, aPrototype())
		w.registry.digest = strings.ReplaceAll(digest, "a", "b")
		w.edit(func(p *v1alpha1.AIPrototype) { p.Spec.Contact = "somebody@example.org" })
		w.advance(time.Hour)
		w.settle()
		if image := w.deployment().Spec.Template.Spec.Containers[0].Image; !strings.HasSuffix(image, digest) {
			t.Errorf("image %s", image)
		}
	})
	t.Run("does not have the image", func(t *testing.T) {
		w := newWorld(t, aPrototype().obj(), aPolicy())
		w.registry.err = &registry.Error{Reason: v1alpha1.ReasonImageNotFound, Message: "Registry registry.example.org does not have it.", Owner: v1alpha1.OwnerBusiness, Passing: true}
		w.settle()
		w.expect(v1alpha1.ConditionStalled, metav1.ConditionTrue, v1alpha1.ReasonImageNotFound)
		if w.exists(&corev1.Namespace{}, "", w.identity.Sandbox()) {
			t.Error("a namespace without anything to run")
		}
	})
}

func second(_ ctrl.Result, err error) error { return err }
