package material

import (
	"context"
	"os"
	"strings"
	"testing"
	"time"

	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/internal/evidence"
	"github.com/affineur/affineur/internal/gate"
	"github.com/affineur/affineur/internal/gate/security"
	"github.com/affineur/affineur/internal/names"
	"github.com/affineur/affineur/internal/record"
)

var identity = names.Identity{Namespace: "membership", Name: "churn-advisor", UID: "u-1"}

// binding of view, which is nothing special, to a prototype's account in a namespace.
func binding(name, namespace string) *rbacv1.ClusterRoleBinding {
	return &rbacv1.ClusterRoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "view"},
		Subjects:   []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Namespace: namespace, Name: "prototype"}},
	}
}

// What Kubernetes binds by itself gives a prototype nothing; a binding for it is found, and one for another account of the
// name is not. Who may not look has seen nothing.
func TestRightsOnARealAPIServer(t *testing.T) {
	if os.Getenv("KUBEBUILDER_ASSETS") == "" {
		t.Skip("needs a kube-apiserver and an etcd in KUBEBUILDER_ASSETS")
	}
	environment := &envtest.Environment{}
	config, err := environment.Start()
	must(t, err)
	t.Cleanup(func() { must(t, environment.Stop()) })
	admin, err := client.New(config, client.Options{Scheme: clientgoscheme.Scheme})
	must(t, err)
	gate := Instrument{Instrument: security.Instrument{Rights: true}, Live: admin}

	found := looks(t, gate)
	if found.Cluster == 0 || len(found.Bindings) == 0 {
		t.Errorf("what Kubernetes binds by itself is not seen: %+v", found)
	}
	holes(t, found)
	must(t, admin.Create(t.Context(), binding("elsewhere", "finance")))
	holes(t, looks(t, gate))
	must(t, admin.Create(t.Context(), binding("debug", identity.Sandbox())))
	holes(t, looks(t, gate), "ClusterRoleBinding debug gives ClusterRole view")
	must(t, admin.Delete(t.Context(), binding("debug", identity.Sandbox())))
	holes(t, looks(t, gate))

	small := gate
	small.Live = pages{admin}
	if whole, paged := looks(t, gate), looks(t, small); whole.Cluster != paged.Cluster || whole.Namespaced != paged.Namespaced || whole.Cluster <= pageSize {
		t.Errorf("%+v in small pages, and %+v in large ones", paged, whole)
	}

	someone := rest.CopyConfig(config)
	someone.Impersonate = rest.ImpersonationConfig{UserName: "somebody@example.org", Groups: []string{"system:authenticated"}}
	gate.Live, err = client.New(someone, client.Options{Scheme: clientgoscheme.Scheme})
	must(t, err)
	c, r := planned(t, gate)
	if found, err := gate.Sample(t.Context(), c, r); err == nil {
		t.Errorf("who may not look found %+v", found)
	}
}

// pageSize is what fits on a page of pages.
const pageSize = 3

// pages give little at a time.
type pages struct{ client.Reader }

func (p pages) List(ctx context.Context, list client.ObjectList, options ...client.ListOption) error {
	return p.Reader.List(ctx, list, append(options, client.Limit(pageSize))...)
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// planned is the case, and the only run that is planned for it.
func planned(t *testing.T, i Instrument) (gate.Case, gate.Run) {
	t.Helper()
	c := gate.Case{Now: time.Now(), Record: record.Record{Prototype: identity, ReviewDigest: evidence.Digest([]byte("review"))}}
	c.Record.Subject.Container.CPU, c.Record.Subject.Container.Memory = "100m", "64Mi"
	c.Gate = v1alpha1.Gate{Name: "security", Type: v1alpha1.GateSecurity}
	runs, err := i.Plan(c, gate.Taken{})
	must(t, err)
	if len(runs) != 1 {
		t.Fatalf("%d runs", len(runs))
	}
	return c, runs[0]
}

// looks once.
func looks(t *testing.T, i Instrument) *evidence.RightsResult {
	t.Helper()
	c, r := planned(t, i)
	result, err := i.Sample(t.Context(), c, r)
	must(t, err)
	must(t, result.Validate())
	return result.(*evidence.RightsResult)
}

// holes are what the gate says of rights, and nothing else.
func holes(t *testing.T, found *evidence.RightsResult, want ...string) {
	t.Helper()
	c, r := planned(t, Instrument{Instrument: security.Instrument{Rights: true}})
	now := time.Now()
	report := &evidence.Report{Schema: evidence.ReportSchema, Nonce: "0123456789abcdef", Subject: c.Record.ReviewDigest, StartedAt: now, FinishedAt: now, Result: found}
	verdict := security.Instrument{Rights: true}.Judge(c, gate.Taken{Runs: map[string]gate.Witnessed{r.Part: {Measurement: gate.Measurement{Report: report}}}})
	var got []string
	for _, f := range verdict.Findings {
		if f.Reason == v1alpha1.ReasonRightsGranted {
			got = append(got, f.Message)
		}
	}
	if len(got) != len(want) {
		t.Fatalf("%q; want %q", got, want)
	}
	for i := range want {
		if !strings.Contains(got[i], want[i]) {
			t.Errorf("%q; want %q", got[i], want[i])
		}
	}
}
