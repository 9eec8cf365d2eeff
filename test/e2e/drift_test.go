//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"reflect"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	networkingv1 "k8s.io/api/networking/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/internal/workload"
	"github.com/affineur/affineur/test/story/await"
)

const meddler = "system:serviceaccount:e2e:meddler"

// meddling is a client of an identity that the guards let write in sandboxes: a component of the platform.
func (g *ground) meddling(t *testing.T) client.Client {
	t.Helper()
	binding := &rbacv1.ClusterRoleBinding{ObjectMeta: metav1.ObjectMeta{Name: "e2e-meddler"},
		RoleRef:  rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "cluster-admin"},
		Subjects: []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Namespace: "e2e", Name: "meddler"}}}
	parameters := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: v1alpha1.SystemNamespace, Name: "affineur-guards"}}
	writers := func(name string) client.Patch {
		return client.RawPatch("application/merge-patch+json", []byte(`{"data":{"platformWriters":"`+name+`"}}`))
	}
	if err := g.Create(t.Context(), binding); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = g.Delete(context.Background(), binding)
		_ = g.Patch(context.Background(), parameters, writers(""))
	})
	if err := g.Patch(t.Context(), parameters, writers(meddler)); err != nil {
		t.Fatal(err)
	}
	as := rest.CopyConfig(g.config)
	as.Impersonate = rest.ImpersonationConfig{UserName: meddler, Groups: []string{"system:serviceaccounts", "system:authenticated"}}
	c, err := client.New(as, client.Options{Scheme: g.Scheme()})
	if err != nil {
		t.Fatal(err)
	}
	return client.WithFieldOwner(c, "meddler")
}

// Whatever is changed or deleted in a sandbox, by somebody whom the guards let, comes back and is told once. Not beside the
// test that kills the operator: one that starts anew does not know what was there before.
func TestDriftComesBack(t *testing.T) {
	g := newGround(t)
	p := g.created(t, g.newPrototype(g.team(t, "e2e"), "drifting"))
	g.comes(t, p, func(p *v1alpha1.AIPrototype) bool {
		return apimeta.IsStatusConditionTrue(p.Status.Conditions, v1alpha1.ConditionSandboxReady)
	})
	other := g.meddling(t)
	sandbox := p.Status.Sandbox.Namespace
	at := func(name string) metav1.ObjectMeta { return metav1.ObjectMeta{Namespace: sandbox, Name: name} }
	for kind, object := range map[string]client.Object{
		"NetworkPolicy": &networkingv1.NetworkPolicy{ObjectMeta: at("deny-all")}, "ServiceAccount": &corev1.ServiceAccount{ObjectMeta: at(workload.Name)},
		"Service": &corev1.Service{ObjectMeta: at(workload.Name)}, "Deployment": &appsv1.Deployment{ObjectMeta: at(workload.Name)},
	} {
		g.comesBack(t, other, kind, object, "deleted", func(o client.Object) error { return other.Delete(t.Context(), o) })
		g.toldOnce(t, p, fmt.Sprintf("%s %s was deleted", kind, object.GetName()))
	}
	deployment := &appsv1.Deployment{ObjectMeta: at(workload.Name)}
	// Its controller writes into a new one as well, and could pass for who wrote last.
	if err := await.Object(bounded(t), g, deployment, func(d *appsv1.Deployment) (bool, error) {
		return d.Status.ObservedGeneration == d.Generation && d.Status.AvailableReplicas > 0, nil
	}); err != nil {
		t.Fatal(err)
	}
	g.comesBack(t, other, "Deployment", deployment, "scaled", func(o client.Object) error {
		o.(*appsv1.Deployment).Spec.Replicas = ptr.To[int32](0)
		return other.Update(t.Context(), o)
	})
	g.toldOnce(t, p, "Deployment prototype was changed by field manager meddler")
	open := &networkingv1.NetworkPolicy{ObjectMeta: at("deny-all")}
	g.comesBack(t, other, "NetworkPolicy", open, "opened", func(o client.Object) error {
		o.(*networkingv1.NetworkPolicy).Spec.Egress = []networkingv1.NetworkPolicyEgressRule{{}}
		return other.Update(t.Context(), o)
	})
	g.toldOnce(t, p, "NetworkPolicy deny-all was changed by field manager meddler")
	g.comes(t, p, func(p *v1alpha1.AIPrototype) bool {
		return apimeta.IsStatusConditionTrue(p.Status.Conditions, v1alpha1.ConditionSandboxReady)
	})
}

// comesBack meddles with an object, and waits until it is as it was.
func (g *ground) comesBack(t *testing.T, other client.Client, kind string, object client.Object, how string, meddle func(client.Object) error) {
	t.Helper()
	ctx := bounded(t)
	if err := g.Get(ctx, client.ObjectKeyFromObject(object), object); err != nil {
		t.Fatal(err)
	}
	before := object.DeepCopyObject().(client.Object)
	// The new parameter reaches the API server's admission after a moment.
	if err := await.Until(ctx, func() error { return meddle(object.DeepCopyObject().(client.Object)) }); err != nil {
		t.Fatalf("%s %s: %v", kind, how, err)
	}
	err := await.Until(ctx, func() error {
		if err := g.Get(ctx, client.ObjectKeyFromObject(object), object); err != nil {
			return err
		}
		if object.GetResourceVersion() == before.GetResourceVersion() || !reflect.DeepEqual(specOf(object), specOf(before)) {
			return errNotYet
		}
		return nil
	})
	if err != nil {
		t.Errorf("%s was %s, and did not come back: %v", kind, how, err)
	}
}

// specOf is what of an object is the operator's to say.
func specOf(object client.Object) any {
	switch o := object.(type) {
	case *appsv1.Deployment:
		return []any{o.Spec, o.Labels}
	case *networkingv1.NetworkPolicy:
		return []any{o.Spec, o.Labels}
	case *corev1.Service:
		return []any{o.Spec.Selector, o.Spec.Ports, o.Spec.Type, o.Labels}
	}
	return object.GetLabels()
}

// toldOnce wants one event about the drift, which did not happen again.
func (g *ground) toldOnce(t *testing.T, p *v1alpha1.AIPrototype, words string) {
	t.Helper()
	count := func() (int, error) {
		var events eventsv1.EventList
		if err := g.List(t.Context(), &events, client.InNamespace(p.Namespace)); err != nil {
			return 0, err
		}
		found := 0
		for _, event := range events.Items {
			if event.Reason != v1alpha1.ReasonDriftRepaired || !strings.Contains(event.Note, words) {
				continue
			}
			found++
			if event.Series != nil {
				found += int(event.Series.Count)
			}
		}
		return found, nil
	}
	err := await.Until(bounded(t), func() error {
		if found, err := count(); err != nil || found == 0 {
			return fmt.Errorf("%d events say %q: %w", found, words, err)
		}
		return nil
	})
	if found, _ := count(); err != nil || found != 1 {
		t.Errorf("%d events say %q, want one: %v", found, words, err)
	}
}
