package sandbox

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-logr/logr"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	clientrest "k8s.io/client-go/rest"
	"k8s.io/client-go/tools/events"
	clocktesting "k8s.io/utils/clock/testing"
	"k8s.io/utils/ptr"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	controllerconfig "sigs.k8s.io/controller-runtime/pkg/config"
	"sigs.k8s.io/controller-runtime/pkg/envtest"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/internal/apply"
	"github.com/affineur/affineur/internal/credentials"
	"github.com/affineur/affineur/internal/names"
	"github.com/affineur/affineur/internal/run"
	"github.com/affineur/affineur/internal/workload"
)

// onServer is a real API server without controllers but this one. The test plays the others.
type onServer struct {
	*testing.T
	config *clientrest.Config
	admin  client.Client
	// operator reads Secrets with the rights that it was given.
	operator client.Reader
	clock    *clocktesting.FakePassiveClock
	runs     *runsStub
	key      client.ObjectKey
}

func startServer(t *testing.T) *onServer {
	t.Helper()
	if os.Getenv("KUBEBUILDER_ASSETS") == "" {
		t.Skip("needs a kube-apiserver and an etcd in KUBEBUILDER_ASSETS")
	}
	ctrl.SetLogger(logr.Discard())
	environment := &envtest.Environment{CRDDirectoryPaths: []string{filepath.Join("..", "..", "config", "crd")}, ErrorIfCRDPathMissing: true}
	// The canary has the address that the runs of this package's tests speak of.
	environment.ControlPlane.GetAPIServer().Configure().Set("service-cluster-ip-range", "10.96.0.0/24")
	config, err := environment.Start()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	t.Cleanup(func() {
		cancel()
		if err := errors.Join(<-done, environment.Stop()); err != nil {
			t.Error(err)
		}
	})
	if err != nil {
		done <- nil
		t.Fatal(err)
	}
	s := &onServer{T: t, config: config, clock: clocktesting.NewFakePassiveClock(time.Now()), key: client.ObjectKey{Namespace: "membership", Name: "churn-advisor"}}
	s.admin, err = client.New(config, client.Options{Scheme: newScheme(t)})
	if err != nil {
		done <- nil
		t.Fatal(err)
	}
	s.runs = &runsStub{client: s.admin, result: map[string]run.Result{}}
	s.operator, err = s.asTheOperator()
	if err != nil {
		done <- nil
		t.Fatal(err)
	}
	manager, err := s.manager()
	if err != nil {
		done <- nil
		t.Fatal(err)
	}
	go func() { done <- manager.Start(ctx) }()
	return s
}

// manager with the controller on it, wired as the operator wires it.
func (s *onServer) manager() (ctrl.Manager, error) {
	ours := labels.SelectorFromSet(labels.Set{v1alpha1.LabelManagedBy: v1alpha1.ManagedBy})
	config := clientrest.CopyConfig(s.config)
	config.QPS = -1
	manager, err := ctrl.NewManager(config, ctrl.Options{
		Scheme: newScheme(s.T), Metrics: metricsserver.Options{BindAddress: "0"}, Controller: controllerconfig.Controller{SkipNameValidation: ptr.To(true)},
		Cache:  cache.Options{ByObject: map[client.Object]cache.ByObject{&corev1.Secret{}: {Namespaces: map[string]cache.Config{v1alpha1.SystemNamespace: {}}}}},
		Client: client.Options{Cache: &client.CacheOptions{DisableFor: []client.Object{&corev1.Secret{}, &corev1.ConfigMap{}, &appsv1.ControllerRevision{}}}},
	})
	if err != nil {
		return nil, err
	}
	routes, err := NewRoutes(manager, ours)
	if err != nil {
		return nil, err
	}
	return manager, (&Reconciler{
		Client: manager.GetClient(), Live: manager.GetAPIReader(), Writer: &apply.Writer{Client: manager.GetClient(), Live: manager.GetAPIReader()},
		Resolver: &registryStub{digest: digest}, Maker: credentials.Maker{Live: s.operator}, Collector: s.runs, Routes: routes, Witness: s,
		Recorder: events.NewFakeRecorder(1000), Clock: s.clock,
		Settings: Settings{RunnerImage: "registry.example.org/affineur/gate-runner@" + digest, APIServer: "10.96.0.1:443", MeasureEvery: time.Hour, Bench: bench},
	}).SetupWithManager(context.Background(), manager)
}

// asTheOperator may read what IT keeps for it, and of a team what that grants.
func (s *onServer) asTheOperator() (client.Reader, error) {
	meta := metav1.ObjectMeta{Namespace: v1alpha1.SystemNamespace, Name: "affineur-credentials"}
	for _, object := range []client.Object{
		namespace(v1alpha1.SystemNamespace, nil),
		&rbacv1.Role{ObjectMeta: meta, Rules: []rbacv1.PolicyRule{{APIGroups: []string{""}, Resources: []string{"secrets", "configmaps"}, Verbs: []string{"get"}}}},
		&rbacv1.RoleBinding{ObjectMeta: meta, RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: meta.Name},
			Subjects: []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Namespace: meta.Namespace, Name: workload.OperatorAccount}}},
	} {
		if err := s.admin.Create(s.Context(), object); err != nil {
			return nil, err
		}
	}
	config := clientrest.CopyConfig(s.config)
	config.Impersonate = clientrest.ImpersonationConfig{UserName: "system:serviceaccount:" + v1alpha1.SystemNamespace + ":" + workload.OperatorAccount}
	return client.New(config, client.Options{Scheme: newScheme(s.T)})
}

// Now implements Witness: both clocks agree.
func (s *onServer) Now(context.Context) (time.Time, error) { return s.clock.Now(), nil }

func (s *onServer) must(err error) {
	s.Helper()
	if err != nil {
		s.Fatal(err)
	}
}

func (s *onServer) eventually(what string, holds func() bool) {
	s.Helper()
	for end := time.Now().Add(30 * time.Second); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		if holds() {
			return
		}
	}
	s.Fatalf("never: %s; conditions %+v", what, s.prototype().Status.Conditions)
}

func (s *onServer) prototype() *v1alpha1.AIPrototype {
	var p v1alpha1.AIPrototype
	s.must(s.admin.Get(s.Context(), s.key, &p))
	return &p
}

// says waits for a reason of a condition.
func (s *onServer) says(kind, reason string) {
	s.Helper()
	s.eventually(kind+" "+reason, func() bool {
		c := apimeta.FindStatusCondition(s.prototype().Status.Conditions, kind)
		return c != nil && c.Reason == reason
	})
}

// govern makes everything that IT and a team bring along.
func (s *onServer) govern(edit func(*v1alpha1.HardeningPolicy), p *v1alpha1.AIPrototype) names.Identity {
	s.Helper()
	canary := canaryService()
	canary.Spec.Ports = []corev1.ServicePort{{Port: v1alpha1.CanaryDeniedPort}}
	governing := aPolicy()
	governing.Generation = 0
	edit(governing)
	for _, object := range []client.Object{
		namespace(v1alpha1.RecordsNamespace, nil), namespace(v1alpha1.GatesNamespace, nil),
		namespace("membership", map[string]string{"affineur.dev/ai-sandbox": "true", v1alpha1.LabelTeam: "membership"}), canary, governing,
	} {
		s.must(client.IgnoreAlreadyExists(s.admin.Create(s.Context(), object)))
	}
	governing.Status = aPolicy().Status
	governing.Status.ObservedGeneration, governing.Status.Conditions[0].ObservedGeneration = governing.Generation, governing.Generation
	s.must(s.admin.Status().Update(s.Context(), governing))
	p.UID, p.Generation, p.CreationTimestamp = "", 0, metav1.Time{}
	p.Spec.Need.Outcomes = []v1alpha1.Outcome{{Name: "renewal-rate", Unit: "percent", Direction: v1alpha1.DirectionIncrease, Baseline: "71", Target: "75"}}
	s.must(s.admin.Create(s.Context(), p))
	return names.Of(p)
}

// isolates plays the runners: both work, then both have ended.
func (s *onServer) isolates(identity names.Identity) {
	s.Helper()
	inside, control := identity.Run("isolation", suffixInside), identity.Run("isolation", suffixControl)
	there := func(namespace, series string) bool {
		s.nudge()
		jobs, err := run.Attempts(s.Context(), s.admin, identity, client.ObjectKey{Namespace: namespace, Name: series})
		s.must(err)
		return len(jobs) > 0
	}
	s.eventually("a run inside", func() bool { return there(identity.Sandbox(), inside) })
	within, without := reports(s.clock.Now(), true)
	s.runs.set(map[string]run.Result{inside: within, control: without})
	s.eventually("an end of the runs", func() bool { return !there(v1alpha1.GatesNamespace, control) })
	s.runs.set(nil)
}

// serves plays the deployment controller and a kubelet.
func (s *onServer) serves(identity names.Identity) {
	s.Helper()
	var d appsv1.Deployment
	s.eventually("a workload", func() bool {
		return s.admin.Get(s.Context(), client.ObjectKey{Namespace: identity.Sandbox(), Name: workload.Name}, &d) == nil
	})
	d.Status = appsv1.DeploymentStatus{ObservedGeneration: d.Generation, Replicas: 1, UpdatedReplicas: 1, ReadyReplicas: 1, AvailableReplicas: 1}
	s.must(s.admin.Status().Update(s.Context(), &d))
	s.says(v1alpha1.ConditionReady, v1alpha1.ReasonRunningInSandbox)
}

// nudge has the controller look, whose clock stands still.
func (s *onServer) nudge() {
	s.Helper()
	patch := []byte(`{"metadata":{"annotations":{"example.org/nudge":"` + time.Now().Format(time.RFC3339Nano) + `"}}}`)
	s.must(s.admin.Patch(s.Context(), &v1alpha1.AIPrototype{ObjectMeta: metav1.ObjectMeta{Namespace: s.key.Namespace, Name: s.key.Name}}, client.RawPatch("application/merge-patch+json", patch)))
}

// gatewayCRDs of the module that the operator is built with.
func (s *onServer) gatewayCRDs() envtest.CRDInstallOptions {
	s.Helper()
	folder, err := exec.CommandContext(s.Context(), "go", "list", "-m", "-f", "{{.Dir}}", "sigs.k8s.io/gateway-api").Output()
	s.must(err)
	standard := filepath.Join(strings.TrimSpace(string(folder)), "config", "crd", "standard")
	return envtest.CRDInstallOptions{ErrorIfPathMissing: true, Paths: []string{
		filepath.Join(standard, "gateway.networking.k8s.io_gateways.yaml"), filepath.Join(standard, "gateway.networking.k8s.io_httproutes.yaml"),
	}}
}

// The operator starts where there is no Gateway API, notices when it comes, makes a route that the real schema takes,
// hears what the gateway says about it, brings it back, and notices when the Gateway API goes.
func TestPilotsOnARealAPIServer(t *testing.T) {
	s := startServer(t)
	identity := s.govern(func(p *v1alpha1.HardeningPolicy) { p.Spec.Sandbox.Access.Gateway = aGateway() },
		aPrototype().with(withPilots("members-board", "volunteers")).obj())
	s.says(v1alpha1.ConditionOpenToPilots, v1alpha1.ReasonGatewayAPIMissing)
	s.isolates(identity)
	s.serves(identity)

	crds := s.gatewayCRDs()
	_, err := envtest.InstallCRDs(s.config, crds)
	s.must(err)
	s.clock.SetTime(s.clock.Now().Add(referencesRetry))
	s.nudge()
	s.says(v1alpha1.ConditionOpenToPilots, v1alpha1.ReasonNoPilotListener)
	entrance := anEntrance(speaking(gatewayv1.HTTPProtocolType, "signed-in", 80))
	s.must(s.admin.Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: entrance.Namespace}}))
	s.must(s.admin.Create(t.Context(), entrance))
	s.says(v1alpha1.ConditionOpenToPilots, v1alpha1.ReasonListenerNotEncrypted)
	entrance.Spec.Listeners = []gatewayv1.Listener{speaking(gatewayv1.HTTPSProtocolType, "signed-in", 8443)}
	entrance.Spec.Listeners[0].TLS = &gatewayv1.ListenerTLSConfig{CertificateRefs: []gatewayv1.SecretObjectReference{{Name: "pilots"}}}
	s.must(s.admin.Update(t.Context(), entrance))
	s.says(v1alpha1.ConditionOpenToPilots, v1alpha1.ReasonWaitingForSandbox)
	s.isolates(identity) // anew, since the network is open to the gateway now
	route := &gatewayv1.HTTPRoute{}
	key := client.ObjectKey{Namespace: identity.Sandbox(), Name: workload.PilotsName}
	s.eventually("a route", func() bool { return s.admin.Get(t.Context(), key, route) == nil })

	said := accepted()
	said.ObservedGeneration, said.LastTransitionTime = route.Generation, metav1.Now()
	route.Status.Parents = []gatewayv1.RouteParentStatus{{ParentRef: route.Spec.ParentRefs[0], ControllerName: "gateway.example.org/controller", Conditions: []metav1.Condition{said}}}
	s.must(s.admin.Status().Update(t.Context(), route))
	s.says(v1alpha1.ConditionOpenToPilots, v1alpha1.ReasonPilotsAdmitted)
	if got, want := s.prototype().Status.Sandbox.PilotURL, "https://churn-advisor-"+identity.Hash()+".pilots.example.org:8443/"; got != want {
		t.Errorf("pilots find it at %q, want %q", got, want)
	}

	s.must(s.admin.Delete(t.Context(), route))
	s.eventually("the route again", func() bool {
		var again gatewayv1.HTTPRoute
		return s.admin.Get(t.Context(), key, &again) == nil && again.UID != route.UID
	})
	s.must(envtest.UninstallCRDs(s.config, crds))
	s.says(v1alpha1.ConditionOpenToPilots, v1alpha1.ReasonNoPilotListener)
	s.clock.SetTime(s.clock.Now().Add(referencesRetry))
	s.nudge()
	s.says(v1alpha1.ConditionOpenToPilots, v1alpha1.ReasonGatewayAPIMissing)
	s.says(v1alpha1.ConditionReady, v1alpha1.ReasonRunningInSandbox)
}

// IT gives a model gateway another signing key, and every running sandbox has a key of it a moment later.
func TestRotationReachesARunningSandbox(t *testing.T) {
	s := startServer(t)
	signing := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: v1alpha1.SystemNamespace, Name: "gateway-keys"},
		Data: map[string][]byte{credentials.KeySigning: []byte(strings.Repeat("a", 32))}}
	s.must(s.admin.Create(t.Context(), signing))
	identity := s.govern(withGateway, aPrototype().with(func(p *v1alpha1.AIPrototype) {
		p.Spec.Model = &v1alpha1.ModelUse{Gateway: "default", Name: "example-large", Version: "1"}
	}).obj())
	s.isolates(identity)
	s.serves(identity)
	rolled := func() (key, pods string) {
		var secret corev1.Secret
		s.must(s.admin.Get(t.Context(), client.ObjectKey{Namespace: identity.Sandbox(), Name: workload.ModelSecret}, &secret))
		var d appsv1.Deployment
		s.must(s.admin.Get(t.Context(), client.ObjectKey{Namespace: identity.Sandbox(), Name: workload.Name}, &d))
		return string(secret.Data[credentials.KeyModel]), d.Spec.Template.Annotations[workload.AnnotationSecrets]
	}
	key, pods := rolled()
	signing.Data[credentials.KeySigning] = []byte(strings.Repeat("b", 32))
	s.must(s.admin.Update(t.Context(), signing))
	s.eventually("another key, and pods that have it", func() bool {
		newKey, newPods := rolled()
		return newKey != key && newPods != pods
	})
}
