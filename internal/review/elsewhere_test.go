package review

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/internal/evidence"
	"github.com/affineur/affineur/internal/names"
	"github.com/affineur/affineur/internal/record"
	"github.com/affineur/affineur/internal/workload"
)

// populate puts a policy with more in its catalogue than the prototype declares into the world, and what else there is.
func (w *world) populate() {
	service := func(namespace, name, ip string, labels map[string]string) *corev1.Service {
		return &corev1.Service{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name, Labels: labels}, Spec: corev1.ServiceSpec{
			ClusterIP: ip, ClusterIPs: []string{ip}, Selector: map[string]string{"app": name},
			Ports: []corev1.ServicePort{{Port: 443, TargetPort: intstr.FromInt32(8443)}},
		}}
	}
	at := func(address, app string) *v1alpha1.Endpoint {
		return &v1alpha1.Endpoint{Address: address, To: v1alpha1.Destination{Pods: &v1alpha1.PodDestination{
			Namespace: "crm", PodLabels: map[string]string{"app": app}, Port: 8443}}}
	}
	other := names.Identity{Namespace: "finance", Name: "payroll", UID: "33333333-0000-4000-8000-000000000000"}
	node := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "node-1"}, Status: corev1.NodeStatus{Addresses: []corev1.NodeAddress{
		{Type: corev1.NodeHostName, Address: "node-1"}, {Type: corev1.NodeInternalIP, Address: "192.0.2.11"}, {Type: corev1.NodeInternalIP, Address: "2001:db8::11"}}}}
	policy := &v1alpha1.HardeningPolicy{ObjectMeta: metav1.ObjectMeta{Name: "organisation"}, Spec: v1alpha1.HardeningPolicySpec{
		Sandbox: v1alpha1.SandboxPolicy{Registries: []v1alpha1.Registry{{Prefix: "registry.example.org/"}}},
		Catalogue: v1alpha1.Catalogue{
			ModelGateways: []v1alpha1.ModelGateway{{Name: "main", Address: "https://metadata.example.org/v1", To: at("", "gateway").To}},
			Integrations: []v1alpha1.Integration{
				{Name: "crm", Production: at("https://crm.crm.svc:443", "crm"), Sandbox: at("https://crm-test.crm.svc:443", "crm-test")},
				{Name: "erp", Production: at("https://erp.crm.svc:443", "erp")},
				{Name: "gone", Production: at("https://gone.crm.svc:443", "gone")},
			},
		},
	}}
	ours := map[string]string{v1alpha1.LabelManagedBy: v1alpha1.ManagedBy}
	for _, object := range []*corev1.Service{
		service("crm", "crm", "10.0.0.1", nil), service("crm", "crm-test", "10.0.0.2", nil), service("crm", "erp", "10.0.0.3", nil),
		service("kube-system", "kube-dns", "10.0.0.53", nil), service(other.Sandbox(), workload.Name, "10.0.0.4", ours),
		service(identity.Production(), workload.Name, "10.0.0.5", ours), service(other.Sandbox(), "other", "10.0.0.6", ours),
	} {
		w.must(w.client.Create(w.ctx(), object))
	}
	w.must(errors.Join(w.client.Create(w.ctx(), policy), w.client.Create(w.ctx(), node)))
}

// orders of the rehearsal's run and of its control, once both are there.
func (w *world) rehearsalOrders() (inside *evidence.IntegrationSpec, outside *evidence.IsolationSpec) {
	w.Helper()
	for range 60 {
		w.must(w.pass())
		var jobs batchv1.JobList
		w.must(w.client.List(w.ctx(), &jobs))
		for _, job := range jobs.Items {
			order := w.orderOf(job)
			if spec := evidence.As[evidence.IntegrationSpec](order.Order); spec != nil {
				inside = spec
				w.knowsItsNode(job)
			}
			if spec := evidence.As[evidence.IsolationSpec](order.Order); spec != nil {
				outside = spec
			}
		}
		if inside != nil && outside != nil {
			return inside, outside
		}
	}
	w.Fatal("no rehearsal")
	return nil, nil
}

// knowsItsNode holds that the kubelet tells the run where it is: the API server can't know beforehand.
func (w *world) knowsItsNode(job batchv1.Job) {
	w.Helper()
	for _, env := range job.Spec.Template.Spec.Containers[0].Env {
		if env.Name == evidence.NodeAddressEnv && env.ValueFrom != nil && env.ValueFrom.FieldRef != nil && env.ValueFrom.FieldRef.FieldPath == "status.hostIP" {
			return
		}
	}
	w.Error("the run is not told its node")
}

func told(targets []evidence.Target) string {
	var out []string
	for _, t := range targets[3:] {
		out = append(out, fmt.Sprintf("%s %s%s", t.Name, t.Place, t.Address))
	}
	slices.Sort(out)
	return strings.Join(out, "; ")
}

// Everything that the prototype did not declare is tried by address, from the rehearsal and from outside; what no runner
// may touch, and what has no address, is told.
func TestARehearsalTriesWhatIsUndeclared(t *testing.T) {
	for dns, resolver := range map[string]string{"Cluster": "", "None": "; the cluster's resolver 10.0.0.53:53"} {
		w := newWorld(t, func(r *record.Record) { r.Requirements.DNS = dns })
		w.populate()
		asked := map[string]int{}
		w.controller.Lookup = func(_ context.Context, host string) ([]netip.Addr, error) {
			w.mutex.Lock()
			defer w.mutex.Unlock()
			asked[host]++
			switch host {
			case "registry.example.org":
				return []netip.Addr{netip.MustParseAddr("198.51.100.7")}, nil
			case "metadata.example.org":
				return []netip.Addr{netip.MustParseAddr("169.254.169.254")}, nil
			}
			return nil, errors.New("no such host")
		}
		inside, outside := w.rehearsalOrders()
		other := names.Identity{Namespace: "finance", Name: "payroll", UID: "33333333-0000-4000-8000-000000000000"}.Sandbox()
		both := "integration erp 10.0.0.3:443; link-local-metadata 169.254.169.254:80; "
		rest := "registry registry.example.org 198.51.100.7:443; sandbox " + other + " 10.0.0.4:80; test instance of crm 10.0.0.2:443" + resolver
		if got, want := told(inside.Unreachable), both+"node-kubelet node:10250; "+rest; got != want {
			t.Errorf("%s: tried\n%s, want\n%s", dns, got, want)
		}
		if got, want := told(outside.Targets), both+"node-kubelet 192.0.2.11 192.0.2.11:10250; "+rest; got != want {
			t.Errorf("%s: the control tries\n%s, want\n%s", dns, got, want)
		}
		if got, want := strings.Join(inside.Untried, "; "), "integration gone (its name does not resolve); model gateway main (its name leads to an address that no runner touches)"; got != want {
			t.Errorf("%s: not tried %s, want %s", dns, got, want)
		}
		for host, n := range asked {
			if n > 1 {
				t.Errorf("%s was asked for %d times within a minute", host, n)
			}
		}
		w.settle()
		w.measured(allPassed...)
	}
}

// What is undeclared and reached fails the gate, and names what it is and where the policy says so.
func TestARehearsalThatReachesWhatIsUndeclared(t *testing.T) {
	w := newWorld(t)
	w.populate()
	w.leaks = "integration erp"
	w.settle()
	w.measured("security Passed NoHolesFound", "scalability Passed SustainsDemand", "integration Failed ForbiddenTargetReached")
	found := w.review().Status.Gates[2].Findings[0]
	if found.Field != "catalogue.integrations[name=erp].production" || !strings.Contains(found.Message, "integration erp can be reached") {
		t.Errorf("got %+v", found)
	}
}

// One address outside the cluster is tried, unless what is declared leads there.
func TestARehearsalTriesBeyondTheCluster(t *testing.T) {
	for name, c := range map[string]struct {
		beyond, leads string
		tried         bool
		untried       string
	}{
		"nothing is named": {}, "it is named": {beyond: "198.51.100.80:443", tried: true},
		"what is declared leads there":   {beyond: "198.51.100.80:443", leads: "198.51.100.0/24", untried: "beyond-cluster (what is declared leads there)"},
		"what is declared leads past it": {beyond: "198.51.100.80:443", leads: "203.0.113.0/24", tried: true},
		"no runner touches it":           {beyond: "169.254.169.254:443", untried: "beyond-cluster (an address that no runner touches)"},
	} {
		w := newWorld(t, func(r *record.Record) {
			if c.leads != "" {
				r.Requirements.Integrations[0].Production.To = v1alpha1.Destination{CIDR: &v1alpha1.CIDRDestination{Range: c.leads, Port: 443}}
			}
		})
		if c.beyond != "" {
			w.controller.Settings.Beyond = netip.MustParseAddrPort(c.beyond)
		}
		inside, outside := w.rehearsalOrders()
		for _, targets := range [][]evidence.Target{inside.Unreachable, outside.Targets} {
			if got := strings.Contains(told(targets), "beyond-cluster "+c.beyond); got != c.tried {
				t.Errorf("%s: tried %s", name, told(targets))
			}
		}
		if got := strings.Join(inside.Untried, "; "); got != c.untried {
			t.Errorf("%s: not tried %q, want %q", name, got, c.untried)
		}
	}
}
