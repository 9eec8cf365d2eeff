//go:build e2e

// Package undeploy tests taking Affineur off a cluster. It leaves the cluster without it, so it comes after every other
// test (go test -p 1).
package undeploy

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/wait"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/test/story/await"
	"github.com/affineur/affineur/test/story/installation"
	"github.com/affineur/affineur/test/story/quick"
)

const (
	root = "../../.."
	slow = 4 * time.Minute
)

func connect(t *testing.T) client.WithWatch {
	t.Helper()
	config, err := clientcmd.NewNonInteractiveDeferredLoadingClientConfig(clientcmd.NewDefaultClientConfigLoadingRules(), nil).ClientConfig()
	if err != nil {
		t.Fatal(err)
	}
	scheme := runtime.NewScheme()
	if err := errors.Join(clientgoscheme.AddToScheme(scheme), apiextensionsv1.AddToScheme(scheme), v1alpha1.AddToScheme(scheme)); err != nil {
		t.Fatal(err)
	}
	c, err := client.NewWithWatch(config, client.Options{Scheme: scheme})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func bounded(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), slow)
	t.Cleanup(cancel)
	return ctx
}

// undeploy runs the script, and returns what it said.
func undeploy(t *testing.T, settings ...string) (string, error) {
	t.Helper()
	command := exec.CommandContext(bounded(t), filepath.Join(root, "hack", "undeploy.sh"))
	records := filepath.Join(t.TempDir(), "records.json")
	command.Env = append(append(os.Environ(), "RECORDS="+records), settings...)
	said, err := command.CombinedOutput()
	if err == nil {
		// Whatever was kept, it is written down before it goes.
		if kept, readErr := os.ReadFile(records); readErr != nil || !strings.Contains(string(kept), `"kind": "List"`) {
			t.Errorf("the records were not written: %v", readErr)
		}
	}
	return string(said), err
}

// What serves is not taken down by accident; asked to, everything goes in good order, with the operator and without.
func TestUndeploy(t *testing.T) {
	c := connect(t)
	if !serving(t, c) {
		t.Fatal("nothing serves in production: make demo comes before this test")
	}
	if said, err := undeploy(t); err == nil || !strings.Contains(said, "FORCE=1") {
		t.Fatalf("with something in production, undeploy should have refused: %v\n%s", err, said)
	}
	if !serving(t, c) {
		t.Fatal("the refused undeploy took production down")
	}
	if said, err := undeploy(t, "FORCE=1"); err != nil {
		t.Fatalf("%v\n%s", err, said)
	}
	leftNothing(t, c)
	leftTeams(t, c)
}

// Where the operator is gone already, only FORCE goes on: nobody lets go of the prototypes then. Installed and taken off
// again, Affineur leaves the cluster with exactly the objects that it had.
func TestUndeployWithoutTheOperator(t *testing.T) {
	c := connect(t)
	before := taken(t, c)
	manifest := filepath.Join(root, "dist", "install.yaml")
	if _, err := installation.Apply(bounded(t), c, "affineur-e2e", manifest); err != nil {
		t.Fatal(err)
	}
	if _, err := installation.RolledOut(bounded(t), c, v1alpha1.SystemNamespace, installation.Operator); err != nil {
		t.Fatal(err)
	}
	p := held(t, c)
	operator := &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Namespace: v1alpha1.SystemNamespace, Name: installation.Operator}}
	if err := c.Delete(t.Context(), operator, client.PropagationPolicy(metav1.DeletePropagationForeground)); err != nil {
		t.Fatal(err)
	}
	if err := await.Gone(bounded(t), c, operator); err != nil {
		t.Fatal(err)
	}
	if said, err := undeploy(t); err == nil || !strings.Contains(said, "FORCE=1") {
		t.Fatalf("without an operator, undeploy should have refused: %v\n%s", err, said)
	}
	if said, err := undeploy(t, "FORCE=1"); err != nil {
		t.Fatalf("%v\n%s", err, said)
	}
	if err := c.Delete(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: p.Namespace}}); err != nil {
		t.Error(err)
	}
	leftNothing(t, c)
	asBefore(t, c, before)
}

func serving(t *testing.T, c client.Client) bool {
	t.Helper()
	var namespaces corev1.NamespaceList
	if err := c.List(t.Context(), &namespaces, client.MatchingLabels{v1alpha1.LabelPurpose: v1alpha1.PurposeProduction}); err != nil {
		t.Fatal(err)
	}
	return len(namespaces.Items) > 0
}

// leftNothing wants no kind, guard, right or namespace of Affineur's.
func leftNothing(t *testing.T, c client.Client) {
	t.Helper()
	for _, list := range []client.ObjectList{
		&apiextensionsv1.CustomResourceDefinitionList{}, &corev1.NamespaceList{}, &rbacv1.ClusterRoleList{}, &rbacv1.ClusterRoleBindingList{},
		&admissionv1.ValidatingAdmissionPolicyList{}, &admissionv1.ValidatingAdmissionPolicyBindingList{},
		&admissionv1.MutatingAdmissionPolicyList{}, &admissionv1.MutatingAdmissionPolicyBindingList{},
	} {
		if err := c.List(t.Context(), list); err != nil {
			t.Fatal(err)
		}
		err := meta.EachListItem(list, func(item runtime.Object) error {
			object := item.(client.Object)
			labels := object.GetLabels()
			ours := labels["app.kubernetes.io/part-of"] == "affineur" || labels[v1alpha1.LabelManagedBy] == v1alpha1.ManagedBy ||
				strings.HasSuffix(object.GetName(), ".affineur.dev") || strings.HasPrefix(object.GetName(), "affineur-system")
			if ours {
				t.Errorf("%T %s is left", object, object.GetName())
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

// leftTeams: what belongs to teams stays theirs.
func leftTeams(t *testing.T, c client.Client) {
	t.Helper()
	var maps corev1.ConfigMapList
	if err := c.List(t.Context(), &maps, client.InNamespace("membership")); err != nil {
		t.Fatal(err)
	}
	for _, found := range maps.Items {
		if found.Name == "churn-advisor-load" {
			return
		}
	}
	t.Error("the team's ConfigMap churn-advisor-load is gone")
}

// held is a prototype that the operator's finalizer holds.
func held(t *testing.T, c client.WithWatch) *v1alpha1.AIPrototype {
	t.Helper()
	registry, err := quick.Registry(root)
	if err != nil {
		t.Fatal(err)
	}
	if err := quick.Govern(t.Context(), c, root, "e2e", nil); err != nil {
		t.Fatal(err)
	}
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{
		GenerateName: "e2e-undeploy-", Labels: map[string]string{quick.Governs: "e2e", v1alpha1.LabelTeam: quick.Team},
	}}
	if err := c.Create(t.Context(), namespace); err != nil {
		t.Fatal(err)
	}
	p := &v1alpha1.AIPrototype{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace.Name, Name: "held"},
		Spec: v1alpha1.AIPrototypeSpec{
			Need: v1alpha1.Need{Problem: "Members lapse.", Outcomes: []v1alpha1.Outcome{
				{Name: "renewal-rate", Unit: "percent", Direction: v1alpha1.DirectionIncrease, Baseline: "71", Target: "75"}}},
			Workload: &v1alpha1.Workload{Container: &v1alpha1.Container{Image: registry + "/membership/churn-advisor:1.4", Port: 8080}},
		},
	}
	// Right after the CRDs are there, the API server's mutating policies do not know the kind yet.
	var refused error
	err = wait.PollUntilContextTimeout(bounded(t), time.Second, time.Minute, true, func(ctx context.Context) (bool, error) {
		refused = c.Create(ctx, p)
		return refused == nil, nil
	})
	if err != nil {
		t.Fatalf("%v: %v", err, refused)
	}
	err = await.Object(bounded(t), c, p, func(p *v1alpha1.AIPrototype) (bool, error) {
		return len(p.Finalizers) > 0 && p.Status.Sandbox != nil, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return p
}
