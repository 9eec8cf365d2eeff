package promotion

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-logr/logr"
	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/client-go/rest"
	"k8s.io/utils/ptr"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	ctrlconfig "sigs.k8s.io/controller-runtime/pkg/config"
	"sigs.k8s.io/controller-runtime/pkg/envtest"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/internal/apply"
	"github.com/affineur/affineur/internal/credentials"
	"github.com/affineur/affineur/internal/drift"
	"github.com/affineur/affineur/internal/guard"
	"github.com/affineur/affineur/internal/record"
	"github.com/affineur/affineur/internal/run"
	"github.com/affineur/affineur/internal/workload"
)

// requestLog counts what the operator asks the API server, watches apart.
type requestLog struct {
	mutex sync.Mutex
	lines []string
}

func (l *requestLog) wrap(next http.RoundTripper) http.RoundTripper {
	return roundTripper(func(r *http.Request) (*http.Response, error) {
		if !strings.Contains(r.URL.RawQuery, "watch=true") && !strings.Contains(r.URL.Path, "/events") {
			l.mutex.Lock()
			l.lines = append(l.lines, r.Method+" "+r.URL.Path)
			l.mutex.Unlock()
		}
		return next.RoundTrip(r)
	})
}

func (l *requestLog) take() []string {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	out := l.lines
	l.lines = nil
	return out
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

type guardsInPlace struct{}

func (guardsInPlace) Measure(context.Context) (guard.State, error) {
	return guard.State{InPlace: true, LastGood: time.Now()}, nil
}

// startServer starts an API server without controllers, and on it the promotion controller and the one that watches for drift.
func startServer(t *testing.T, runs *player) (client.Client, *requestLog) {
	t.Helper()
	if os.Getenv("KUBEBUILDER_ASSETS") == "" {
		t.Skip("needs a kube-apiserver and an etcd in KUBEBUILDER_ASSETS")
	}
	ctrl.SetLogger(logr.Discard())
	environment := &envtest.Environment{CRDDirectoryPaths: []string{filepath.Join("..", "..", "config", "crd")}, ErrorIfCRDPathMissing: true}
	config, err := environment.Start()
	if err != nil {
		t.Fatal(errors.Join(err, environment.Stop()))
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	t.Cleanup(func() {
		cancel()
		if err := errors.Join(<-done, environment.Stop()); err != nil {
			t.Error(err)
		}
	})
	scheme, _ := knownTypes()
	admin, err := client.New(config, client.Options{Scheme: scheme})
	if err != nil {
		t.Fatal(err)
	}
	log := &requestLog{}
	counted := rest.CopyConfig(config)
	counted.QPS = -1
	counted.Wrap(log.wrap)
	runs.client = admin
	go func() { done <- runControllers(ctx, counted, runs) }()
	return admin, log
}

func runControllers(ctx context.Context, config *rest.Config, runs *player) error {
	scheme, _ := knownTypes()
	ours := cache.ByObject{Label: labels.SelectorFromSet(labels.Set{v1alpha1.LabelManagedBy: v1alpha1.ManagedBy})}
	byObject := map[client.Object]cache.ByObject{&batchv1.Job{}: ours}
	for _, kind := range owned {
		byObject[kind] = ours
	}
	manager, err := ctrl.NewManager(config, ctrl.Options{
		Controller: ctrlconfig.Controller{SkipNameValidation: ptr.To(true)},
		Scheme:     scheme, Metrics: metricsserver.Options{BindAddress: "0"}, Cache: cache.Options{ByObject: byObject},
		Client: client.Options{Cache: &client.CacheOptions{DisableFor: []client.Object{&corev1.Secret{}, &corev1.ConfigMap{}, &appsv1.ControllerRevision{}}}},
	})
	if err != nil {
		return err
	}
	c := New(Config{
		Client: manager.GetClient(), Live: manager.GetAPIReader(),
		Destination: &InCluster{
			Client: manager.GetClient(), Live: manager.GetAPIReader(),
			Writer: &apply.Writer{Client: manager.GetClient(), Live: manager.GetAPIReader()},
		},
		Credentials: credentials.Maker{Live: manager.GetAPIReader()}, Guards: guardsInPlace{},
		Recorder: manager.GetEventRecorder("affineur-promotion"),
	})
	c.gates = func(record.Record, []record.Report, time.Time) Check { return Check{OK: true} }
	watching := drift.New(drift.Config{
		Client: manager.GetClient(), Live: manager.GetAPIReader(), Writer: &apply.Writer{Client: manager.GetClient(), Live: manager.GetAPIReader()},
		Collector: runs, Serving: Serving, RunnerImage: "registry.example.org/affineur/gate-runner:1", RunsAtMost: 8, Turns: &run.Turns{}, Now: runs.now,
	})
	if err := errors.Join(c.SetupWithManager(ctx, manager), watching.SetupWithManager(manager)); err != nil {
		return err
	}
	return manager.Start(ctx)
}

// eventually waits for something that takes the controller moments.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		if holds() {
			return
		}
	}
	t.Fatalf("never: %s", what)
}

// rollOutOnce is the deployment controller: every replica is there at once.
func rollOutOnce(ctx context.Context, c client.Client, namespace string) {
	var d appsv1.Deployment
	if c.Get(ctx, client.ObjectKey{Namespace: namespace, Name: workload.Name}, &d) != nil || d.Status.ObservedGeneration == d.Generation {
		return
	}
	n := *d.Spec.Replicas
	if countQuota(ctx, c, namespace) != nil || startPods(ctx, c, &d) != nil {
		return // it is tried again
	}
	d.Status = appsv1.DeploymentStatus{ObservedGeneration: d.Generation, Replicas: n, UpdatedReplicas: n, AvailableReplicas: n, ReadyReplicas: n}
	_ = c.Status().Update(ctx, &d) // a conflict is tried again
}

// countQuota is the quota controller: without its first count the API server admits no pod.
func countQuota(ctx context.Context, c client.Client, namespace string) error {
	var quotas corev1.ResourceQuotaList
	if err := c.List(ctx, &quotas, client.InNamespace(namespace)); err != nil {
		return err
	}
	for _, q := range quotas.Items {
		q.Status = corev1.ResourceQuotaStatus{Hard: q.Spec.Hard, Used: corev1.ResourceList{}}
		for name := range q.Spec.Hard {
			q.Status.Used[name] = resource.MustParse("0")
		}
		if err := c.Status().Update(ctx, &q); err != nil {
			return err
		}
	}
	return nil
}

// startPods are pods of the Deployment's template, ready at once.
func startPods(ctx context.Context, c client.Client, d *appsv1.Deployment) error {
	for i := range *d.Spec.Replicas {
		pod := &corev1.Pod{ObjectMeta: *d.Spec.Template.ObjectMeta.DeepCopy(), Spec: d.Spec.Template.Spec}
		pod.Namespace, pod.Name = d.Namespace, fmt.Sprintf("%s-%d", d.Annotations[v1alpha1.AnnotationRecord], i)
		if err := client.IgnoreAlreadyExists(c.Create(ctx, pod)); err != nil {
			return err
		}
		pod.Status = corev1.PodStatus{Phase: corev1.PodRunning, Conditions: []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue}}}
		pod.ResourceVersion = ""
		if err := c.Status().Update(ctx, pod); err != nil {
			return err
		}
	}
	return nil
}

// opened creates a prototype, the record of its first revision, its review and an approval, as the other controllers
// and people would.
func opened(t *testing.T, c client.Client, edits ...func(*record.Record)) record.Record {
	t.Helper()
	ctx := t.Context()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{identity.Namespace, v1alpha1.RecordsNamespace, v1alpha1.SystemNamespace, v1alpha1.GatesNamespace} {
		must(c.Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}}))
	}
	people, busiest := int32(10), int32(60)
	prototype := &v1alpha1.AIPrototype{
		ObjectMeta: metav1.ObjectMeta{Namespace: identity.Namespace, Name: identity.Name},
		Spec: v1alpha1.AIPrototypeSpec{
			Target:   v1alpha1.TargetProduction,
			Need:     v1alpha1.Need{Problem: "x", Outcomes: []v1alpha1.Outcome{{Name: "x", Unit: "x", Direction: v1alpha1.DirectionIncrease, Baseline: "1", Target: "2"}}},
			Workload: &v1alpha1.Workload{Container: &v1alpha1.Container{Image: "registry.example.org/x:1", Port: 8080}},
			Demand:   &v1alpha1.Demand{People: &people, BusiestHour: &busiest, AnswerWithin: &metav1.Duration{Duration: time.Second}},
		},
	}
	must(c.Create(ctx, prototype))
	r := recordOf(t, 1, digestA, func(r *record.Record) {
		r.Prototype.UID = string(prototype.UID)
		r.Subject.Destination.Namespace = r.Prototype.Production()
		r.Requirements.SoakSeconds = 2
		r.Requirements.Production.Ingress.From = nil
		for _, edit := range edits {
			edit(r)
		}
	})
	must(c.Create(ctx, object(t, r)))
	review := r.Review(prototype)
	must(c.Create(ctx, review))
	for _, kind := range []string{v1alpha1.ConditionGatesPassed, v1alpha1.ConditionApproved} {
		review.Status.Conditions = append(review.Status.Conditions, metav1.Condition{
			Type: kind, Status: metav1.ConditionTrue, Reason: "Test", LastTransitionTime: metav1.Now(), ObservedGeneration: 1,
		})
	}
	must(apply.Status(ctx, c, &v1alpha1.HardeningReview{
		ObjectMeta: metav1.ObjectMeta{Namespace: review.Namespace, Name: review.Name},
		Status:     v1alpha1.HardeningReviewStatus{ObservedGeneration: 1, Conditions: review.Status.Conditions},
	}, "affineur-review"))
	decision := approval(r, reviewer)
	decision.CreationTimestamp = metav1.Time{}
	decision.Spec.Review.UID = string(review.UID)
	must(c.Create(ctx, decision))
	return r
}

// TestOnAPIServer: with the server's own defaults, schemas and watches, a promotion arrives, then asks for nothing any
// more, puts drift back at once, and is taken down when it is retired.
func TestOnAPIServer(t *testing.T) {
	c, log := startServer(t, &player{})
	ctx := t.Context()
	r := opened(t, c)
	production := r.Prototype.Production()
	var review v1alpha1.HardeningReview
	step := func() v1alpha1.PromotionStep {
		rollOutOnce(ctx, c, production)
		if err := c.Get(ctx, client.ObjectKey{Namespace: identity.Namespace, Name: identity.Name + "-1"}, &review); err != nil || review.Status.Promotion == nil {
			return ""
		}
		return review.Status.Promotion.Step
	}
	// The review's status may have been seen before the approval existed: the decision wakes the controller.
	eventually(t, "serving", func() bool { return step() == v1alpha1.StepServing })
	if p := review.Status.Promotion; p.ServingSince.Sub(p.SoakingSince.Time) < 2*time.Second {
		t.Errorf("soaked from %s to %s", p.SoakingSince, p.ServingSince)
	}

	time.Sleep(2 * time.Second)
	if len(log.take()) == 0 {
		t.Error("the log of requests holds none: it would show nothing")
	}
	var d appsv1.Deployment
	if err := c.Get(ctx, client.ObjectKey{Namespace: production, Name: workload.Name}, &d); err != nil {
		t.Fatal(err)
	}
	d.Status.Conditions = []appsv1.DeploymentCondition{{Type: appsv1.DeploymentAvailable, Status: corev1.ConditionTrue, Reason: "Test"}}
	if err := c.Status().Update(ctx, &d); err != nil {
		t.Fatal(err)
	}
	time.Sleep(2 * time.Second)
	if asked := log.take(); len(asked) > 0 {
		t.Errorf("a pass with nothing to change asked %v", asked)
	}

	for _, gone := range []client.Object{
		&networkingv1.NetworkPolicy{ObjectMeta: metav1.ObjectMeta{Namespace: production, Name: "deny-all"}},
		&policyv1.PodDisruptionBudget{ObjectMeta: metav1.ObjectMeta{Namespace: production, Name: workload.Name}},
	} {
		if err := c.Delete(ctx, gone); err != nil {
			t.Fatal(err)
		}
		eventually(t, gone.GetName()+" is back", func() bool { return c.Get(ctx, client.ObjectKeyFromObject(gone), gone) == nil })
	}

	var prototype v1alpha1.AIPrototype
	if err := c.Get(ctx, client.ObjectKey{Namespace: identity.Namespace, Name: identity.Name}, &prototype); err != nil {
		t.Fatal(err)
	}
	prototype.Spec.Target = v1alpha1.TargetRetired
	if err := c.Update(ctx, &prototype); err != nil {
		t.Fatal(err)
	}
	eventually(t, "retiring", func() bool { return step() == v1alpha1.StepRetiring })
	eventually(t, "the namespace is being deleted", func() bool {
		var namespace corev1.Namespace
		if client.IgnoreNotFound(c.Get(ctx, client.ObjectKey{Namespace: production, Name: workload.Name}, &d)) == nil {
			// The garbage collector and the node: pods go with their Deployment.
			_ = c.DeleteAllOf(ctx, &corev1.Pod{}, client.InNamespace(production), client.GracePeriodSeconds(0))
		}
		return c.Get(ctx, client.ObjectKey{Name: production}, &namespace) == nil && !namespace.DeletionTimestamp.IsZero()
	})
}
