// Package samples applies config/samples to a real API server, as the people who would: what the repository shows
// must be let in by the schemas and by admission, and the sample policy must answer the sample prototypes.
package samples

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/internal/policy"
	"github.com/affineur/affineur/test/story/manifest"
)

const (
	root  = "../.."
	owner = "samples"

	lead    = "membership-lead@example.org"
	teacher = "education-lead@example.org"
)

var (
	scheme = runtime.NewScheme()
	config *rest.Config
	admin  client.WithWatch
)

func TestMain(m *testing.M) {
	code, err := run(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

func run(m *testing.M) (code int, err error) {
	assets := os.Getenv("KUBEBUILDER_ASSETS")
	if assets == "" {
		assets = filepath.Join(root, ".cluster", "bin")
	}
	for _, add := range []func(*runtime.Scheme) error{clientgoscheme.AddToScheme, v1alpha1.AddToScheme} {
		if err := add(scheme); err != nil {
			return 0, err
		}
	}
	environment := &envtest.Environment{
		BinaryAssetsDirectory: assets, ControlPlaneStartTimeout: time.Minute,
		CRDDirectoryPaths: []string{filepath.Join(root, "config", "crd")}, ErrorIfCRDPathMissing: true,
	}
	// Also where the start failed halfway: a server that runs on would never end.
	defer func() { err = errors.Join(err, environment.Stop()) }()
	if config, err = environment.Start(); err != nil {
		return 0, fmt.Errorf("start the API server from %s (make envtest builds it): %w", assets, err)
	}
	config.QPS, config.Burst = 500, 500
	if admin, err = client.NewWithWatch(config, client.Options{Scheme: scheme}); err != nil {
		return 0, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := install(ctx); err != nil {
		return 0, err
	}
	return m.Run(), nil
}

// installed are the files of config/ that samples meet: roles, guards and the namespaces that they name.
var installed = []string{
	"manager/namespace.yaml", "records/namespace.yaml", "gates/namespace.yaml",
	"rbac/service-accounts.yaml", "rbac/prototypes.yaml", "rbac/people.yaml",
	"admission/parameters.yaml", "admission/prototypes.yaml", "admission/stamp-prototypes.yaml",
	"admission/decisions.yaml", "admission/stamp-decisions.yaml", "admission/team-labels.yaml", "admission/reviews-and-status.yaml",
	"admission/stamp-stops.yaml", "admission/stops.yaml",
}

func install(ctx context.Context) error {
	for _, file := range installed {
		objects, err := manifest.Read(filepath.Join(root, "config", file))
		if err != nil {
			return err
		}
		if err := manifest.Apply(ctx, admin, owner, objects...); err != nil {
			return err
		}
	}
	// What the cluster's role edit is made of by aggregation, which no controller does here.
	edit := &unstructured.Unstructured{}
	edit.SetUnstructuredContent(map[string]any{
		"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": map[string]any{"name": "edit"},
		"rules": []any{
			map[string]any{"apiGroups": []any{"affineur.dev"}, "resources": []any{"aiprototypes"}, "verbs": []any{"get", "create", "patch"}},
			map[string]any{"apiGroups": []any{""}, "resources": []any{"configmaps", "secrets"}, "verbs": []any{"get", "create", "patch"}},
		},
	})
	if err := manifest.Apply(ctx, admin, owner, edit); err != nil {
		return err
	}
	return patiently(ctx, stamps)
}

func as(t *testing.T, user string, groups ...string) client.Client {
	t.Helper()
	c, err := client.New(impersonated(user, groups...), client.Options{Scheme: scheme})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func impersonated(user string, groups ...string) *rest.Config {
	other := rest.CopyConfig(config)
	other.Impersonate = rest.ImpersonationConfig{UserName: user, Groups: append([]string{"system:authenticated"}, groups...)}
	return other
}

func read(t *testing.T, file string) []*unstructured.Unstructured {
	t.Helper()
	objects, err := manifest.Read(filepath.Join(root, "config", "samples", file))
	if err != nil {
		t.Fatal(err)
	}
	if len(objects) == 0 {
		t.Fatalf("%s is empty", file)
	}
	return objects
}

// retried applies once the API server knows what was applied before: roles and bindings are seen a moment later.
func retried(t *testing.T, who client.Client, objects ...*unstructured.Unstructured) {
	t.Helper()
	eventually(t, func(ctx context.Context) error { return manifest.Apply(ctx, who, owner, objects...) })
}

func eventually(t *testing.T, try func(context.Context) error) {
	t.Helper()
	if err := patiently(t.Context(), try); err != nil {
		t.Fatal(err)
	}
}

// patiently tries again for a while, and returns the last error.
func patiently(ctx context.Context, try func(context.Context) error) error {
	deadline := time.Now().Add(20 * time.Second)
	for {
		err := try(ctx)
		if err == nil || time.Now().After(deadline) {
			return err
		}
		time.Sleep(100 * time.Millisecond)
	}
}

// stamps fails until the guards are applied, a moment after they are created.
func stamps(ctx context.Context) error {
	prototype := &v1alpha1.AIPrototype{
		ObjectMeta: metav1.ObjectMeta{Namespace: metav1.NamespaceDefault, Name: "canary"},
		Spec: v1alpha1.AIPrototypeSpec{Need: v1alpha1.Need{Problem: "canary", Outcomes: []v1alpha1.Outcome{
			{Name: "canary", Unit: "songs", Direction: v1alpha1.DirectionIncrease, Baseline: "0", Target: "1"}}}},
	}
	if err := admin.Create(ctx, prototype, client.DryRunAll); err != nil {
		return err
	}
	if prototype.Annotations[v1alpha1.AnnotationAuthors] == "" {
		return errors.New("the guards are not applied")
	}
	return nil
}

func TestSamplesAreLetIn(t *testing.T) {
	retried(t, admin, read(t, "namespaces.yaml")...)
	retried(t, admin, read(t, "people.yaml")...)
	retried(t, admin, read(t, "policy.yaml")...)
	membership, education := as(t, lead, "team-membership"), as(t, teacher, "team-education")
	for file, who := range map[string]client.Client{
		"prototype-need.yaml": membership, "prototype-churn-advisor.yaml": membership, "prototype-course-outliner.yaml": education,
		// A team lead may not grant rights that they do not hold on roles; whoever administers the namespace does.
		"prototype-with-secret.yaml": admin,
	} {
		t.Run(file, func(t *testing.T) {
			retried(t, who, read(t, file)...)
			for _, object := range read(t, file) {
				if object.GetKind() == "AIPrototype" {
					answered(t, object)
				}
			}
		})
	}
}

// answered: the sample policy governs the sample prototype and has nothing against it.
func answered(t *testing.T, object *unstructured.Unstructured) {
	t.Helper()
	prototype, hardening, namespace := &v1alpha1.AIPrototype{}, &v1alpha1.HardeningPolicy{}, &corev1.Namespace{}
	for key, into := range map[client.ObjectKey]client.Object{
		client.ObjectKeyFromObject(object): prototype, {Name: "organisation"}: hardening, {Name: object.GetNamespace()}: namespace,
	} {
		if err := admin.Get(t.Context(), key, into); err != nil {
			t.Fatal(err)
		}
	}
	selector, err := metav1.LabelSelectorAsSelector(&hardening.Spec.AppliesTo.NamespaceSelector)
	if err != nil || !selector.Matches(labels.Set(namespace.Labels)) {
		t.Errorf("the policy does not govern namespace %s: %v", namespace.Name, err)
	}
	if problem := policy.Check(hardening.Spec, nil); problem != nil {
		t.Errorf("the policy: %s", problem.Message)
	}
	requirements, problems := policy.Resolve(hardening, namespace.Labels, prototype.Spec)
	for _, problem := range problems {
		t.Errorf("%s: %s", problem.Field, problem.Message)
	}
	if prototype.Spec.Facts != nil && requirements.Tier != "Standard" {
		t.Errorf("tier %s, want Standard: the demonstration asks for one approval of each role", requirements.Tier)
	}
	if prototype.Annotations[v1alpha1.AnnotationAuthors] == "" {
		t.Error("no author was stamped: the guards are not applied")
	}
}

func TestSampleDecisionIsLetIn(t *testing.T) {
	retried(t, admin, read(t, "namespaces.yaml")...)
	retried(t, admin, read(t, "people.yaml")...)
	const reviewer = "security-reviewer@example.org"
	made, who := read(t, "decision.yaml")[0], as(t, reviewer, "it-security")
	eventually(t, func(ctx context.Context) error { return who.Create(ctx, made) })
	if by, _, _ := unstructured.NestedString(made.Object, "spec", "by"); by != reviewer {
		t.Errorf("by %q, want the one who asked", by)
	}
	if err := as(t, lead, "team-membership").Create(t.Context(), read(t, "decision.yaml")[0]); !apierrors.IsForbidden(err) {
		t.Errorf("somebody without the role decided: %v", err)
	}
}

func TestTheSampleStopIsARespondersToMake(t *testing.T) {
	retried(t, admin, read(t, "namespaces.yaml")...)
	retried(t, admin, read(t, "people.yaml")...)
	made, who := read(t, "stop.yaml")[0], as(t, "responder@example.org", "it-responders")
	retried(t, who, made)
	var stop v1alpha1.EmergencyStop
	if err := admin.Get(t.Context(), client.ObjectKeyFromObject(made), &stop); err != nil || stop.Spec.By != "responder@example.org" {
		t.Errorf("made by %q: %v", stop.Spec.By, err)
	}
}
