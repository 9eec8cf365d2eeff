package material

import (
	"maps"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/internal/evidence"
	"github.com/affineur/affineur/internal/gate"
	"github.com/affineur/affineur/internal/record"
)

// report of trivy-operator about an image.
func report(namespace, name, digest string) client.Object {
	return &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": reports.GroupVersion().String(), "kind": strings.TrimSuffix(reports.Kind, "List"), "metadata": map[string]any{"namespace": namespace, "name": name},
		"report": map[string]any{"artifact": map[string]any{"digest": digest}, "scanner": map[string]any{"name": name}},
	}}
}

// Reports count from the prototype's own namespaces, in which no team writes, and about this image.
func TestReportsCountFromThePrototypesNamespaces(t *testing.T) {
	image, other := evidence.Digest([]byte("image")), evidence.Digest([]byte("another"))
	i := Instrument{Live: fake.NewClientBuilder().WithObjects(
		report(identity.Sandbox(), "a", image), report(identity.Production(), "b", image), report(identity.Sandbox(), "c", other),
		report(identity.Namespace, "d", image), report("finance", "e", image)).Build()}
	found, err := i.reports(t.Context(), gate.Case{Record: record.Record{Prototype: identity}}, image)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, d := range found {
		names = append(names, d.Name)
	}
	if want := []string{identity.Sandbox() + "/a", identity.Production() + "/b"}; !slices.Equal(names, want) {
		t.Errorf("%q; want %q", names, want)
	}
}

// What the policy names has to be there, with something in it.
func TestPapersOfTheOperatorsNamespace(t *testing.T) {
	configMap := func(name string, data map[string]string) client.Object {
		return &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: v1alpha1.SystemNamespace, Name: name}, Data: data}
	}
	i := Instrument{Live: fake.NewClientBuilder().WithObjects(
		configMap("root", map[string]string{keyTrustedRoot: "{}"}), configMap("vex", map[string]string{"b": "2", "a": "1"}), configMap("empty", nil)).Build()}
	for name, ok := range map[string]bool{"root": true, "vex": false, "empty": false, "nowhere": false} {
		if root, err := i.trustedRoot(t.Context(), name); (err == nil) != ok || ok && string(root) != "{}" {
			t.Errorf("trusted root %s: %q, %v", name, root, err)
		}
	}
	for name, want := range map[string]map[string]string{"vex": {"vex/a": "1", "vex/b": "2"}, "empty": nil, "nowhere": nil} {
		papers, err := i.papers(t.Context(), name)
		got := map[string]string{}
		for _, p := range papers {
			got[p.Name] = string(p.Content)
		}
		if (err == nil) != (want != nil) || !maps.Equal(got, want) {
			t.Errorf("papers of %s: %v, %v", name, got, err)
		}
	}
}
