package run_test

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/rest"
	metricsv1beta1 "k8s.io/metrics/pkg/apis/metrics/v1beta1"
	metrics "k8s.io/metrics/pkg/client/clientset/versioned"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"
	"sigs.k8s.io/yaml"

	"github.com/affineur/affineur/internal/evidence"
	"github.com/affineur/affineur/internal/run"
)

// reader is whom the test lets read.
const reader = "system:serviceaccount:affineur-system:affineur"

// metricsAPI serves what a metrics server does: two pods of the prototype, and whatever else the selector does not keep out.
func metricsAPI(t *testing.T, at time.Time) *httptest.Server {
	t.Helper()
	answer := func(w http.ResponseWriter, object any) {
		w.Header().Set("Content-Type", "application/json")
		if err := json.NewEncoder(w).Encode(object); err != nil {
			t.Error(err)
		}
	}
	version := metav1.GroupVersionForDiscovery{GroupVersion: "metrics.k8s.io/v1beta1", Version: "v1beta1"}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /apis/metrics.k8s.io", func(w http.ResponseWriter, _ *http.Request) {
		answer(w, metav1.APIGroup{TypeMeta: metav1.TypeMeta{Kind: "APIGroup", APIVersion: "v1"}, Name: "metrics.k8s.io",
			Versions: []metav1.GroupVersionForDiscovery{version}, PreferredVersion: version})
	})
	mux.HandleFunc("GET /apis/metrics.k8s.io/v1beta1", func(w http.ResponseWriter, _ *http.Request) {
		answer(w, metav1.APIResourceList{TypeMeta: metav1.TypeMeta{Kind: "APIResourceList", APIVersion: "v1"}, GroupVersion: version.GroupVersion,
			APIResources: []metav1.APIResource{{Name: "pods", Namespaced: true, Kind: "PodMetrics", Verbs: metav1.Verbs{"get", "list"}}}})
	})
	mux.HandleFunc("GET /apis/metrics.k8s.io/v1beta1/namespaces/{namespace}/pods", func(w http.ResponseWriter, r *http.Request) {
		list := metricsv1beta1.PodMetricsList{TypeMeta: metav1.TypeMeta{Kind: "PodMetricsList", APIVersion: version.GroupVersion}}
		if r.PathValue("namespace") == "sandbox" && r.URL.Query().Get("labelSelector") == "app=prototype" {
			list.Items = []metricsv1beta1.PodMetrics{used("b", at, "40m", "20Mi"), used("a", at, "12500u", "16Mi")}
		}
		answer(w, list)
	})
	server := httptest.NewTLSServer(mux)
	t.Cleanup(server.Close)
	return server
}

func used(name string, at time.Time, cpu, memory string) metricsv1beta1.PodMetrics {
	usage := corev1.ResourceList{corev1.ResourceCPU: resource.MustParse(cpu), corev1.ResourceMemory: resource.MustParse(memory)}
	return metricsv1beta1.PodMetrics{ObjectMeta: metav1.ObjectMeta{Namespace: "sandbox", Name: name}, Timestamp: metav1.NewTime(at),
		Window: metav1.Duration{Duration: 15 * time.Second}, Containers: []metricsv1beta1.ContainerMetrics{{Name: "prototype", Usage: usage}}}
}

// register has the API server pass metrics.k8s.io on to the test's server, as it does to any extension.
func register(t *testing.T, admin client.Client, server *httptest.Server) {
	t.Helper()
	address, err := url.Parse(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	port, err := strconv.ParseInt(address.Port(), 10, 32)
	if err != nil {
		t.Fatal(err)
	}
	service := &corev1.Service{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "metrics"},
		Spec: corev1.ServiceSpec{Type: corev1.ServiceTypeExternalName, ExternalName: "localhost"}}
	extension := &unstructured.Unstructured{Object: map[string]any{"metadata": map[string]any{"name": "v1beta1.metrics.k8s.io"}, "spec": map[string]any{
		"group": "metrics.k8s.io", "version": "v1beta1", "groupPriorityMinimum": int64(100), "versionPriority": int64(100), "insecureSkipTLSVerify": true,
		"service": map[string]any{"namespace": "default", "name": "metrics", "port": port},
	}}}
	extension.SetGroupVersionKind(schema.GroupVersionKind{Group: "apiregistration.k8s.io", Version: "v1", Kind: "APIService"})
	for _, object := range []client.Object{service, extension} {
		if err := admin.Create(t.Context(), object); err != nil {
			t.Fatal(err)
		}
	}
}

// managed is the role that the operator binds to itself in the namespaces that it manages, bound in one.
func managed(t *testing.T, admin client.Client, namespace string) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", "config", "rbac", "operator-managed.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var role rbacv1.ClusterRole
	first, _, _ := strings.Cut(string(text), "\n---\n")
	if err := yaml.UnmarshalStrict([]byte(first), &role); err != nil {
		t.Fatal(err)
	}
	for _, object := range []client.Object{
		&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}}, &role,
		&rbacv1.RoleBinding{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "managed"},
			RoleRef:  rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: role.Name},
			Subjects: []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: reader}}},
	} {
		if err := admin.Create(t.Context(), object); err != nil {
			t.Fatal(err)
		}
	}
}

// What pods use is read through the API server, with the rights that the operator has where it manages, and nowhere else;
// a cluster without the API tells nothing, which is no failure.
func TestUsageIsRead(t *testing.T) {
	if os.Getenv("KUBEBUILDER_ASSETS") == "" {
		t.Skip("needs a kube-apiserver and an etcd in KUBEBUILDER_ASSETS")
	}
	ctrl.SetLogger(logr.Discard())
	environment := &envtest.Environment{}
	environment.ControlPlane.GetAPIServer().Configure().Set("authorization-mode", "RBAC")
	config, err := environment.Start()
	t.Cleanup(func() {
		if err := environment.Stop(); err != nil {
			t.Error(err)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	admin, err := client.New(config, client.Options{})
	if err != nil {
		t.Fatal(err)
	}
	managed(t, admin, "sandbox")
	operator := rest.CopyConfig(config)
	operator.Impersonate.UserName = reader
	clients, err := metrics.NewForConfig(operator)
	if err != nil {
		t.Fatal(err)
	}
	meter, selector := run.Meter{Metrics: clients}, map[string]string{"app": "prototype"}
	if got, err := meter.Look(t.Context(), "sandbox", selector); !errors.Is(err, run.ErrNoMetrics) || got != nil {
		t.Errorf("without the API: %v, %v", got, err)
	}

	at := time.Now().UTC().Truncate(time.Second)
	register(t, admin, metricsAPI(t, at))
	var got []evidence.UsageSample
	// The API server takes a moment to learn of an extension.
	for until := time.Now().Add(time.Minute); time.Now().Before(until); {
		if got, err = meter.Look(t.Context(), "sandbox", selector); err == nil {
			break
		}
		time.Sleep(100 * time.Millisecond)
	}
	window := evidence.Duration(15 * time.Second)
	want := []evidence.UsageSample{{At: at, Window: window, CPU: 13, Memory: 16 << 20}, {At: at, Window: window, Pod: 1, CPU: 40, Memory: 20 << 20}}
	if err != nil || len(got) != 2 || got[0] != want[0] || got[1] != want[1] {
		t.Errorf("read %+v, %v; want %+v", got, err, want)
	}
	if err := (&evidence.UsageReport{Samples: got}).Validate(); err != nil {
		t.Error(err)
	}
	if got, err := meter.Look(t.Context(), "elsewhere", selector); !errors.Is(err, run.ErrNoMetrics) {
		t.Errorf("elsewhere it reads %v, %v", got, err)
	}
}
