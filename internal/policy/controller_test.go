package policy

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/tools/events"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/event"

	"github.com/affineur/affineur/api/v1alpha1"
)

// A node that comes where the catalogue leads takes the policy out of use, until one of the two goes.
func TestNodeComesWhereTheCatalogueLeads(t *testing.T) {
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{clientgoscheme.AddToScheme, v1alpha1.AddToScheme} {
		if err := add(scheme); err != nil {
			t.Fatal(err)
		}
	}
	p := organisation(func(spec *v1alpha1.HardeningPolicySpec) {
		spec.Catalogue.ModelGateways[0].To.CIDR = &v1alpha1.CIDRDestination{Range: "192.0.2.0/24", Port: 443}
	})
	c := fake.NewClientBuilder().WithScheme(scheme).WithObjects(p).WithStatusSubresource(p).Build()
	r := &Reconciler{Client: c, Live: c, Events: events.NewFakeRecorder(20)}
	expect := func(status metav1.ConditionStatus, reason string) {
		t.Helper()
		if _, err := r.Reconcile(t.Context(), ctrl.Request{NamespacedName: client.ObjectKeyFromObject(p)}); err != nil {
			t.Fatal(err)
		}
		var now v1alpha1.HardeningPolicy
		if err := c.Get(t.Context(), client.ObjectKeyFromObject(p), &now); err != nil {
			t.Fatal(err)
		}
		if got := apimeta.FindStatusCondition(now.Status.Conditions, v1alpha1.ConditionReady); got.Status != status || got.Reason != reason {
			t.Errorf("ready is %+v, want %s %s", got, status, reason)
		}
	}
	expect(metav1.ConditionTrue, v1alpha1.ReasonPolicyUsable)
	node := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "node2"}, Status: corev1.NodeStatus{Addresses: []corev1.NodeAddress{{Type: corev1.NodeInternalIP, Address: "192.0.2.99"}}}}
	if err := c.Create(t.Context(), node); err != nil {
		t.Fatal(err)
	}
	expect(metav1.ConditionFalse, v1alpha1.ReasonRangeOfCluster)
	if err := c.Delete(t.Context(), node); err != nil {
		t.Fatal(err)
	}
	expect(metav1.ConditionTrue, v1alpha1.ReasonPolicyUsable)
}

func TestOnlyWhereANodeIsMatters(t *testing.T) {
	at := func(address, boot string, cidrs ...string) *corev1.Node {
		return &corev1.Node{Spec: corev1.NodeSpec{PodCIDRs: cidrs}, Status: corev1.NodeStatus{
			Addresses: []corev1.NodeAddress{{Type: corev1.NodeInternalIP, Address: address}}, NodeInfo: corev1.NodeSystemInfo{BootID: boot},
		}}
	}
	before := at("192.0.2.10", "one", "198.51.100.0/24")
	for _, c := range []struct {
		after *corev1.Node
		told  bool
	}{
		{at("192.0.2.10", "two", "198.51.100.0/24"), false},
		{at("192.0.2.11", "one", "198.51.100.0/24"), true},
		{at("192.0.2.10", "one"), true},
	} {
		if got := located().Update(event.UpdateEvent{ObjectOld: before, ObjectNew: c.after}); got != c.told {
			t.Errorf("%+v: told %v", c.after, got)
		}
	}
}
