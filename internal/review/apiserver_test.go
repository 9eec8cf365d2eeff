package review

import (
	"context"
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
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"
	"k8s.io/utils/ptr"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	controllerconfig "sigs.k8s.io/controller-runtime/pkg/config"
	"sigs.k8s.io/controller-runtime/pkg/envtest"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/internal/apply"
	"github.com/affineur/affineur/internal/credentials"
	"github.com/affineur/affineur/internal/evidence"
	"github.com/affineur/affineur/internal/names"
	"github.com/affineur/affineur/internal/record"
	"github.com/affineur/affineur/internal/run"
)

// tokenOfProduction is what IT keeps on the real API server.
const tokenOfProduction = "the-token-of-production"

// onServer is a real API server without controllers but this one, which can be killed. The test plays the others.
type onServer struct {
	*testing.T
	config *rest.Config
	admin  client.WithWatch
	owner  *v1alpha1.AIPrototype
	rec    record.Record
	kill   func()

	mutex sync.Mutex
	ended map[evidence.Kind]bool
}

func startServer(t *testing.T) *onServer {
	t.Helper()
	if os.Getenv("KUBEBUILDER_ASSETS") == "" {
		t.Skip("needs a kube-apiserver and an etcd in KUBEBUILDER_ASSETS")
	}
	ctrl.SetLogger(logr.Discard())
	environment := &envtest.Environment{CRDDirectoryPaths: []string{filepath.Join("..", "..", "config", "crd")}, ErrorIfCRDPathMissing: true}
	config, err := environment.Start()
	s := &onServer{T: t, config: config, kill: func() {}, ended: map[evidence.Kind]bool{}}
	t.Cleanup(func() {
		s.kill()
		if err := environment.Stop(); err != nil {
			t.Error(err)
		}
	})
	s.must(err)
	scheme, _ := knownTypes()
	s.admin, err = client.NewWithWatch(config, client.Options{Scheme: scheme})
	s.must(err)
	return s
}

// revive starts the controller, which remembers nothing.
func (s *onServer) revive() {
	s.Helper()
	scheme, _ := knownTypes()
	ours := cache.ByObject{Label: labels.SelectorFromSet(labels.Set{v1alpha1.LabelManagedBy: v1alpha1.ManagedBy})}
	config := rest.CopyConfig(s.config)
	config.QPS = -1
	manager, err := ctrl.NewManager(config, ctrl.Options{
		Scheme: scheme, Metrics: metricsserver.Options{BindAddress: "0"}, Controller: controllerconfig.Controller{SkipNameValidation: ptr.To(true)},
		Cache: cache.Options{ByObject: map[client.Object]cache.ByObject{
			&batchv1.Job{}: ours, &corev1.Pod{}: ours, &corev1.Service{}: ours, &networkingv1.NetworkPolicy{}: ours, &appsv1.Deployment{}: ours,
		}},
		Client: client.Options{Cache: &client.CacheOptions{DisableFor: []client.Object{&corev1.Secret{}, &corev1.ConfigMap{}, &appsv1.ControllerRevision{}}}},
	})
	s.must(err)
	s.must((&Reconciler{
		Client: manager.GetClient(), Live: manager.GetAPIReader(), Writer: &apply.Writer{Client: manager.GetClient(), Live: manager.GetAPIReader()},
		Credentials: credentials.Maker{Live: manager.GetAPIReader()}, Collector: s, Events: manager.GetEventRecorder("affineur-review"), Lookup: nowhere, Turns: &run.Turns{},
		Settings: Settings{RunnerImage: "registry.example.org/affineur/gate-runner:1", APIServer: "10.0.0.1:443", Bench: bench, RunsAtMost: 8},
	}).SetupWithManager(manager))
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- manager.Start(ctx) }()
	s.kill = func() {
		cancel()
		if err := <-done; err != nil {
			s.Error(err)
		}
		s.kill = func() {}
	}
}

func (s *onServer) must(err error) {
	s.Helper()
	if err != nil {
		s.Fatal(err)
	}
}

// open makes everything that a review needs, of a prototype that uses one system and promises something about it.
func (s *onServer) open() {
	s.Helper()
	for _, name := range []string{identity.Namespace, v1alpha1.RecordsNamespace, v1alpha1.SystemNamespace, v1alpha1.GatesNamespace} {
		s.must(s.admin.Create(s.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}}))
	}
	s.owner = &v1alpha1.AIPrototype{
		ObjectMeta: metav1.ObjectMeta{Namespace: identity.Namespace, Name: identity.Name},
		Spec: v1alpha1.AIPrototypeSpec{
			Target:   v1alpha1.TargetProduction,
			Need:     v1alpha1.Need{Problem: "x", Outcomes: []v1alpha1.Outcome{{Name: "x", Unit: "x", Direction: v1alpha1.DirectionIncrease, Baseline: "1", Target: "2"}}},
			Workload: &v1alpha1.Workload{Container: &v1alpha1.Container{Image: "registry.example.org/x:1", Port: 8080}},
			Demand:   &v1alpha1.Demand{People: ptr.To[int32](10), BusiestHour: ptr.To[int32](60), AnswerWithin: &metav1.Duration{Duration: time.Second}},
		},
	}
	for _, object := range []client.Object{s.owner,
		&corev1.Service{ObjectMeta: metav1.ObjectMeta{Namespace: v1alpha1.GatesNamespace, Name: v1alpha1.CanaryService},
			Spec: corev1.ServiceSpec{Ports: []corev1.ServicePort{{Port: v1alpha1.CanaryDeniedPort}}}},
		&corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: v1alpha1.SystemNamespace, Name: "crm-prod"}, Data: map[string][]byte{"token": []byte(tokenOfProduction)}},
	} {
		s.must(s.admin.Create(s.Context(), object))
	}
	s.review(3)
}

// review opens the ordinal-th review, of another subject than all others.
func (s *onServer) review(ordinal int) *v1alpha1.HardeningReview {
	s.Helper()
	s.rec = sealed(s.T, promises, func(r *record.Record) {
		r.Prototype, r.Ordinal = names.Of(s.owner), ordinal
		r.Subject.Destination.Namespace = r.Prototype.Production()
		r.Subject.Container.Env[0].Value = strings.Repeat("x", ordinal)
		r.Requirements.Gates = r.Requirements.Gates[2:]
	})
	object, err := s.rec.Object()
	s.must(err)
	s.must(s.admin.Create(s.Context(), object))
	s.mutex.Lock()
	clear(s.ended)
	s.mutex.Unlock()
	review := s.rec.Review(s.owner)
	s.must(s.admin.Create(s.Context(), review))
	return review
}

// Collect stands in for the nodes: a run is at work until the test ends its kind, and a control as long as its run.
func (s *onServer) Collect(ctx context.Context, namespace, name string, want evidence.Kind) (run.Result, error) {
	var job batchv1.Job
	err := s.admin.Get(ctx, client.ObjectKey{Namespace: namespace, Name: name}, &job)
	if apierrors.IsNotFound(err) {
		return run.Result{State: run.Absent}, nil
	}
	result := run.Result{State: run.Running, Why: atWorkNow, StartedAt: job.CreationTimestamp.Time, Nonce: job.Annotations[v1alpha1.AnnotationNonce]}
	kind := want
	if kind == evidence.KindIsolation {
		kind = evidence.KindIntegration
	}
	s.mutex.Lock()
	defer s.mutex.Unlock()
	if err != nil || !s.ended[kind] {
		return result, err
	}
	result.State, result.Why = run.Measured, ""
	result.Opened, err = s.measured(job)
	return result, err
}

// measured is what a runner finds for whom everything is as it should be.
func (s *onServer) measured(job batchv1.Job) (*evidence.Opened, error) {
	order := (&world{T: s.T}).orderOf(job)
	now := time.Now()
	report := evidence.Report{Nonce: order.Nonce, Subject: order.Subject, StartedAt: now.Add(-10 * time.Second), FinishedAt: now}
	switch order.Kind() {
	case evidence.KindIntegration:
		report.Result = integrationReport(*evidence.As[evidence.IntegrationSpec](order.Order), false, "", now)
	case evidence.KindFaults:
		report.Result = faultsReport(*evidence.As[evidence.FaultsOrder](order.Order), false)
	default:
		report.Result = &evidence.IsolationReport{Targets: reached(evidence.As[evidence.IsolationSpec](order.Order).Targets, now.Add(-9*time.Second), now)}
	}
	line, envelope, err := evidence.Seal(report)
	if err != nil {
		return nil, err
	}
	return evidence.Open(envelope, line, evidence.Expect{Nonce: order.Nonce, Subject: order.Subject, Kind: order.Kind()})
}

// end has all runs of a kind end, until the next review opens.
func (s *onServer) end(kind evidence.Kind) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	s.ended[kind] = true
}

// eventually waits, plays the namespace controller meanwhile, and has the controller look.
func (s *onServer) eventually(what string, holds func() bool) {
	s.Helper()
	for end := time.Now().Add(60 * time.Second); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		if holds() {
			return
		}
		s.finish()
		s.nudge()
	}
	var reviews v1alpha1.HardeningReviewList
	_ = s.admin.List(s.Context(), &reviews)
	for _, review := range reviews.Items {
		s.Logf("%s: %+v", review.Name, review.Status.Gates)
	}
	s.Fatalf("never: %s", what)
}

// finish empties namespaces that are being deleted and lets them go, as the namespace controller does.
func (s *onServer) finish() {
	s.Helper()
	var namespaces corev1.NamespaceList
	s.must(s.admin.List(s.Context(), &namespaces))
	for _, namespace := range namespaces.Items {
		if namespace.DeletionTimestamp.IsZero() {
			continue
		}
		for _, kind := range []client.Object{&corev1.Secret{}, &corev1.Service{}, &networkingv1.NetworkPolicy{}, &corev1.ServiceAccount{}} {
			s.must(s.admin.DeleteAllOf(s.Context(), kind, client.InNamespace(namespace.Name)))
		}
		namespace.Spec.Finalizers = nil
		s.must(client.IgnoreNotFound(s.admin.SubResource("finalize").Update(s.Context(), &namespace)))
	}
}

// nudge has the controller look at every review: a run that ends is an event of its pod, and no pods are here.
func (s *onServer) nudge() {
	s.Helper()
	var reviews v1alpha1.HardeningReviewList
	s.must(s.admin.List(s.Context(), &reviews))
	patch := client.RawPatch(types.MergePatchType, []byte(`{"metadata":{"annotations":{"example.org/nudge":"`+time.Now().Format(time.RFC3339Nano)+`"}}}`))
	for i := range reviews.Items {
		s.must(client.IgnoreNotFound(s.admin.Patch(s.Context(), &reviews.Items[i], patch)))
	}
}
