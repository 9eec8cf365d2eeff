package sandbox

import (
	"context"
	"slices"
	"testing"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/internal/workload"
)

// lagging is a cache that still shows a prototype, or Jobs, as they were.
type lagging struct {
	client.Client
	prototype *v1alpha1.AIPrototype
	jobs      []*batchv1.Job
}

func (l *lagging) Get(ctx context.Context, key client.ObjectKey, object client.Object, options ...client.GetOption) error {
	switch into := object.(type) {
	case *v1alpha1.AIPrototype:
		if l.prototype != nil {
			l.prototype.DeepCopyInto(into)
			return nil
		}
	case *batchv1.Job:
		at := slices.IndexFunc(l.jobs, func(j *batchv1.Job) bool { return client.ObjectKeyFromObject(j) == key })
		if at >= 0 {
			l.jobs[at].DeepCopyInto(into)
			return nil
		}
	}
	return l.Client.Get(ctx, key, object, options...)
}

func TestCacheThatShowsThePrototypeAsItWas(t *testing.T) {
	w := newWorld(t, aPrototype().obj(), aPolicy())
	before := w.prototype()
	_, err := w.reconcile()
	w.must(err)
	w.Client = &lagging{Client: w.client, prototype: before}
	writes := len(w.writes)
	result, err := w.reconcile()
	if err != nil || len(w.writes) != writes || result.RequeueAfter == 0 || result.RequeueAfter > time.Second {
		t.Errorf("acted on what was: %v, %v, %v", w.writes[writes:], result, err)
	}
	w.advance(lag)
	if _, err := w.reconcile(); err != nil || w.plans[len(w.plans)-1] == "" {
		t.Errorf("waits for ever: %v", err)
	}
}

func TestCacheThatShowsRunsThatWereRemoved(t *testing.T) {
	w := newWorld(t, aPrototype().obj(), aPolicy())
	w.settle()
	var jobs []*batchv1.Job
	var list batchv1.JobList
	w.must(w.client.List(t.Context(), &list))
	for i := range list.Items {
		jobs = append(jobs, &list.Items[i])
	}
	w.advance(20 * time.Second)
	w.ends(true)
	w.settle()
	measured := w.prototype().Status.Sandbox.Isolation.MeasuredAt
	w.advance(time.Second)
	w.Client = &lagging{Client: w.client, jobs: jobs}
	w.runs.client = w.Client
	if _, err := w.reconcile(); err != nil {
		t.Fatal(err)
	}
	if again := w.prototype().Status.Sandbox.Isolation.MeasuredAt; len(jobs) != 2 || !again.Equal(&measured) {
		t.Errorf("the same %d runs were judged twice, at %v and %v", len(jobs), measured, again)
	}
}

func TestMeasurementIsBoundToItsInputs(t *testing.T) {
	port := func(n int32) func(*v1alpha1.AIPrototype) {
		return func(p *v1alpha1.AIPrototype) { p.Spec.Workload.Container.Port = n }
	}
	t.Run("a running workload changes only after another measurement", func(t *testing.T) {
		w := runs(t, aPrototype())
		w.edit(port(9090))
		w.settle()
		if got := w.deployment().Spec.Template.Spec.Containers[0].Ports[0].ContainerPort; got != 8080 {
			t.Fatalf("port %d under policies that nobody measured", got)
		}
		w.measures(true)
		if got := w.deployment().Spec.Template.Spec.Containers[0].Ports[0].ContainerPort; got != 9090 {
			t.Errorf("port %d", got)
		}
	})
	t.Run("runs made before are thrown away", func(t *testing.T) {
		w := newWorld(t, aPrototype().obj(), aPolicy())
		w.settle()
		control := func() batchv1.Job {
			var job batchv1.Job
			if !w.exists(&job, v1alpha1.GatesNamespace, w.identity.Run("isolation", suffixControl)) {
				t.Fatal("there is no control")
			}
			return job
		}
		before := control()
		w.edit(port(9090))
		w.settle()
		now := control()
		if now.Annotations[v1alpha1.AnnotationInputs] == before.Annotations[v1alpha1.AnnotationInputs] {
			t.Error("the measurement goes on under policies that are gone")
		}
		if now.Name == before.Name {
			t.Errorf("the name %s is used again at once", now.Name)
		}
	})
}

func TestSecretsThatCouldNotBeWrittenAreMadeLater(t *testing.T) {
	policy := aPolicy()
	policy.Spec.Sandbox.Registries[0].PullSecret = &v1alpha1.LocalName{Name: "pull"}
	pull := &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: v1alpha1.SystemNamespace, Name: "pull"}, Data: map[string][]byte{corev1.DockerConfigJsonKey: []byte("{}")},
	}
	w := newWorld(t, aPrototype().obj(), policy, pull)
	leaving := namespace(w.identity.Sandbox(), w.identity.Labels("sandbox"))
	leaving.Finalizers = []string{"kubernetes.io/test"}
	w.must(w.client.Create(t.Context(), leaving))
	w.must(w.client.Delete(t.Context(), leaving))
	w.settle()
	w.expect(v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonPreparingSandbox)
	w.must(w.client.Get(t.Context(), client.ObjectKeyFromObject(leaving), leaving))
	leaving.Finalizers = nil
	w.must(w.client.Update(t.Context(), leaving))
	w.settle()
	if !w.exists(&corev1.Secret{}, w.identity.Sandbox(), workload.PullSecret) {
		t.Error("the pull secret was forgotten")
	}
}

func TestSecretsComeBackWithTheNamespace(t *testing.T) {
	policy := aPolicy()
	policy.Spec.Sandbox.Registries[0].PullSecret = &v1alpha1.LocalName{Name: "pull"}
	pull := &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: v1alpha1.SystemNamespace, Name: "pull"}, Data: map[string][]byte{corev1.DockerConfigJsonKey: []byte("{}")},
	}
	w := newWorld(t, aPrototype().obj(), policy, pull)
	w.settle()
	w.settle()
	gone := &corev1.Secret{}
	if !w.exists(gone, w.identity.Sandbox(), workload.PullSecret) {
		t.Fatal("no pull secret")
	}
	w.must(w.client.Delete(t.Context(), gone))
	w.must(w.client.Delete(t.Context(), namespace(w.identity.Sandbox(), nil)))
	w.settle()
	if !w.exists(&corev1.Secret{}, w.identity.Sandbox(), workload.PullSecret) {
		t.Error("the namespace was made again without its pull secret")
	}
}

func TestCredentialsThatThePolicyTakesBack(t *testing.T) {
	policy := aPolicy()
	policy.Spec.Sandbox.Registries[0].PullSecret = &v1alpha1.LocalName{Name: "pull"}
	pull := &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: v1alpha1.SystemNamespace, Name: "pull"}, Data: map[string][]byte{corev1.DockerConfigJsonKey: []byte("{}")},
	}
	w := newWorld(t, aPrototype().obj(), policy, pull)
	w.settle()
	if !w.exists(&corev1.Secret{}, w.identity.Sandbox(), workload.PullSecret) {
		t.Fatal("no pull secret")
	}
	w.must(w.client.Get(t.Context(), client.ObjectKey{Name: "organisation"}, policy))
	policy.Spec.Sandbox.Registries[0].PullSecret = nil
	w.must(w.client.Update(t.Context(), policy))
	w.settle()
	if w.exists(&corev1.Secret{}, w.identity.Sandbox(), workload.PullSecret) {
		t.Error("the credential stays in the sandbox")
	}
}
