package cli

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/cli-runtime/pkg/genericclioptions"
	"k8s.io/cli-runtime/pkg/genericiooptions"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"

	"github.com/affineur/affineur/api/v1alpha1"
)

const root = "../.."

// server is a real API server with the CRDs, the roles and the guards of decisions, as they are shipped.
type server struct {
	t          *testing.T
	kubeconfig string
	admin      client.WithWatch
}

// startServer skips where nobody built an API server; make test builds one and says where under KUBEBUILDER_ASSETS.
func startServer(t *testing.T) *server {
	t.Helper()
	assets := os.Getenv("KUBEBUILDER_ASSETS")
	if assets == "" {
		assets = filepath.Join(root, ".cluster", "bin")
		if _, err := os.Stat(filepath.Join(assets, "kube-apiserver")); err != nil {
			t.Skip("no kube-apiserver: run make envtest")
		}
	}
	absolute, err := filepath.Abs(assets)
	if err != nil {
		t.Fatal(err)
	}
	environment := &envtest.Environment{BinaryAssetsDirectory: absolute, ErrorIfCRDPathMissing: true,
		CRDDirectoryPaths: []string{filepath.Join(root, "config", "crd")}, ControlPlaneStartTimeout: time.Minute}
	// Also where the start failed halfway: a server that runs on would never end.
	t.Cleanup(func() { _ = environment.Stop() })
	config, err := environment.Start()
	if err != nil {
		t.Fatal(err)
	}
	scheme, err := newScheme()
	if err != nil {
		t.Fatal(err)
	}
	for _, add := range []func() error{
		func() error { return corev1.AddToScheme(scheme) },
		func() error { return rbacv1.AddToScheme(scheme) },
	} {
		if err := add(); err != nil {
			t.Fatal(err)
		}
	}
	s := &server{t: t, kubeconfig: filepath.Join(t.TempDir(), "kubeconfig")}
	if s.admin, err = client.NewWithWatch(config, client.Options{Scheme: scheme}); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(s.kubeconfig, environment.KubeConfig, 0o600); err != nil {
		t.Fatal(err)
	}
	s.install()
	return s
}

func (s *server) install() {
	s.t.Helper()
	for _, name := range []string{v1alpha1.SystemNamespace, v1alpha1.RecordsNamespace, "education"} {
		s.create(&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}})
	}
	for _, file := range []string{"rbac/people.yaml", "rbac/prototypes.yaml", "admission/parameters.yaml",
		"admission/stamp-decisions.yaml", "admission/decisions.yaml"} {
		content, err := os.ReadFile(filepath.Join(root, "config", file))
		if err != nil {
			s.t.Fatal(err)
		}
		decoder := yaml.NewYAMLOrJSONDecoder(bytes.NewReader(content), 4096)
		for {
			object := &unstructured.Unstructured{}
			err := decoder.Decode(object)
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				s.t.Fatalf("%s: %v", file, err)
			}
			if len(object.Object) > 0 {
				s.create(object)
			}
		}
	}
	s.create(&rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: "approve-security"}, Rules: []rbacv1.PolicyRule{{
		APIGroups: []string{"affineur.dev"}, Resources: []string{v1alpha1.RoleResource}, ResourceNames: []string{"security"}, Verbs: []string{"approve"}}}})
	for group, roles := range map[string][]string{
		"team-education": {"affineur-edit", "affineur-view"},
		"it-security":    {"affineur-reviewer", "approve-security"},
		"it-operations":  {"affineur-reviewer"},
	} {
		for _, role := range roles {
			s.create(&rbacv1.RoleBinding{ObjectMeta: metav1.ObjectMeta{Namespace: "education", Name: group + "-" + role},
				RoleRef:  rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: role},
				Subjects: []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: "Group", Name: group}}})
		}
	}
}

// on is the same server under a subtest.
func (s *server) on(t *testing.T) *server {
	return &server{t: t, kubeconfig: s.kubeconfig, admin: s.admin}
}

func (s *server) create(object client.Object) {
	s.t.Helper()
	if err := s.admin.Create(context.Background(), object); err != nil {
		s.t.Fatalf("%T %s: %v", object, object.GetName(), err)
	}
}

// fill creates an object of one of describe's cases with a status, as the operator would.
func (s *server) fill(object client.Object) {
	s.t.Helper()
	filled, _ := object.DeepCopyObject().(client.Object)
	object.SetUID("")
	object.SetResourceVersion("")
	s.create(object)
	filled.SetUID(object.GetUID())
	filled.SetResourceVersion(object.GetResourceVersion())
	if err := s.admin.Status().Update(context.Background(), filled); err != nil {
		s.t.Fatal(err)
	}
}

// start plays a command as a person, through a kubeconfig and --as, on the real clock.
func (s *server) start(ctx context.Context, out *output, person, group string, args ...string) <-chan int {
	flags := genericclioptions.NewConfigFlags(true)
	env := Environment{
		IOStreams: genericiooptions.IOStreams{In: strings.NewReader(""), Out: out, ErrOut: out},
		Clock:     clock.RealClock{},
	}
	env.Connect = func() (Session, error) { return connect(flags, env.ErrOut) }
	args = append(args, "--kubeconfig", s.kubeconfig, "-n", "education", "--as", person, "--as-group", group, "--as-group", "system:authenticated")
	ended := make(chan int, 1)
	go func() { ended <- run(ctx, args, env, flags) }()
	return ended
}

func (s *server) play(person, group string, args ...string) (string, int) {
	ctx, stop := context.WithTimeout(context.Background(), time.Minute)
	defer stop()
	out := newOutput()
	code := <-s.start(ctx, out, person, group, args...)
	return out.String(), code
}

func (s *server) expect(person, group, command string, want int, texts ...string) {
	s.t.Helper()
	said, code := s.play(person, group, strings.Fields(command)...)
	if code != want {
		s.t.Errorf("%s: exit code %d, want %d", command, code, want)
	}
	for _, text := range texts {
		if !strings.Contains(said, text) {
			s.t.Errorf("%s: nothing says %q", command, text)
		}
	}
	if s.t.Failed() {
		s.t.Logf("%s says:\n%s", command, said)
	}
}

const (
	lead    = "education-lead@example.org"
	team    = "team-education"
	sam     = "security-reviewer@example.org"
	samsIn  = "it-security"
	ops     = "ops@example.org"
	opsIn   = "it-operations"
	nobody  = "nobody@example.org"
	nowhere = "nothing"
)

// TestOnAnAPIServer plays every command against what a fake client does not have: CEL, admission, RBAC, real watches.
func TestOnAnAPIServer(t *testing.T) {
	s := startServer(t)
	t.Run("prototypes", s.prototypes)
	t.Run("decisions", s.decisions)
}

func (s *server) prototypes(t *testing.T) {
	s = s.on(t)
	need := read(t, "need-only", "prototype.yaml", &v1alpha1.AIPrototype{})
	need.Name = "need-only"
	s.fill(need)
	s.expect(lead, team, "promote need-only", 1, "error: refused: spec.target: target Production needs a workload: there is nothing to review yet",
		"target Production needs a demand: say how many people will use it")
	s.expect(lead, team, "status nothing", 1, "there is no prototype nothing in namespace education")
	s.expect(nobody, nowhere, "status need-only", 1, `User "nobody@example.org" cannot get resource "aiprototypes"`, "ask the platform team for the right")
	s.expect(lead, team, "status", 0, "need-only", "a stated need, without a program yet")
	s.expect(lead, team, "status -A", 1, "at the cluster scope")

	prototype := read(t, "in-sandbox", "prototype.yaml", &v1alpha1.AIPrototype{})
	prototype.Name = "watched"
	s.fill(prototype)
	s.expect(lead, team, "status watched --until=ready --timeout=1s", 1, "after 1s it is not ready yet")
	ctx, stop := context.WithTimeout(context.Background(), time.Minute)
	defer stop()
	out := newOutput()
	ended := s.start(ctx, out, lead, team, "status", "watched", "--until=ready")
	out.next(t)
	s.observe("watched")
	if code := <-ended; code != 0 {
		t.Fatalf("exit code %d:\n%s", code, out)
	}
	s.expect(lead, team, "promote watched -m soon", 0, "Asked for production of watched.")
	s.observe("watched")
	s.expect(lead, team, "promote watched", 1, "production is asked for already")
	s.expect(lead, team, "retire watched --yes", 0, "watched is being retired.")
	s.expect(lead, team, "status watched -o yaml", 0, "kind: AIPrototype", "target: Retired", "kubernetes.io/change-cause: soon")
	s.expect(lead, team, "status -o json", 0, `"kind": "AIPrototypeList"`)
}

// observe lets the operator have looked at the newest generation.
func (s *server) observe(name string) {
	s.t.Helper()
	prototype := &v1alpha1.AIPrototype{}
	if err := s.admin.Get(context.Background(), client.ObjectKey{Namespace: "education", Name: name}, prototype); err != nil {
		s.t.Fatal(err)
	}
	prototype.Status.ObservedGeneration = prototype.Generation
	meta.SetStatusCondition(&prototype.Status.Conditions, metav1.Condition{Type: v1alpha1.ConditionReady,
		Status: metav1.ConditionTrue, Reason: v1alpha1.ReasonRunningInSandbox, Message: "It runs in its sandbox."})
	if err := s.admin.Status().Update(context.Background(), prototype); err != nil {
		s.t.Fatal(err)
	}
}

func (s *server) decisions(t *testing.T) {
	s = s.on(t)
	s.fill(read(t, "awaiting-decisions", "prototype.yaml", &v1alpha1.AIPrototype{}))
	s.fill(read(t, "awaiting-decisions", "review.yaml", &v1alpha1.HardeningReview{}))
	s.expect(lead, team, "explain "+reviewName, 0, "Decisions", "--role security -n education")

	// The policies are loaded a moment after they were created.
	deadline := time.Now().Add(30 * time.Second)
	for said := ""; !strings.Contains(said, "you may not decide as security"); {
		if said, _ = s.play(ops, opsIn, "approve", reviewName, "--role", "security", "--yes", "--wait=0"); time.Now().After(deadline) {
			t.Fatalf("admission does not refuse:\n%s", said)
		}
	}
	s.expect(ops, opsIn, "approve "+reviewName+" --role security --yes", 1, "error: refused: you may not decide as security in namespace education")
	s.expect(ops, opsIn, "approve "+reviewName+" --yes", 1, "you may decide in none of the roles that are asked for (security, privacy)")
	s.expect(lead, team, "approve "+reviewName+" --role security --yes", 1, "It will not count", `cannot create resource "hardeningdecisions"`)

	ctx, stop := context.WithTimeout(context.Background(), time.Minute)
	defer stop()
	go s.mirrorNext(ctx)
	s.expect(sam, samsIn, "approve "+reviewName+" --yes --wait=30s --reason mended", 0,
		"Approve as security, under the name of security-reviewer@example.org", "Your approval as security counts. The review still waits for")
	s.expect(sam, samsIn, "reject "+reviewName+" --approve-when never --yes --wait=100ms", 0, "Affineur has not looked at it within 100ms")
}

// mirrorNext answers sam's next decision in the review, as the operator would.
func (s *server) mirrorNext(ctx context.Context) {
	for ctx.Err() == nil {
		time.Sleep(200 * time.Millisecond)
		list, review := &v1alpha1.HardeningDecisionList{}, &v1alpha1.HardeningReview{}
		if err := errors.Join(s.admin.List(ctx, list, client.InNamespace("education")),
			s.admin.Get(ctx, client.ObjectKey{Namespace: "education", Name: reviewName}, review)); err != nil {
			continue
		}
		for _, decision := range list.Items {
			exact := decision.Spec.ReviewDigest == review.Spec.ReviewDigest && decision.Spec.Review.UID == string(review.UID)
			if decision.Spec.By != sam || !exact {
				continue
			}
			review.Status.Decisions = append(review.Status.Decisions, v1alpha1.DecisionStatus{Name: decision.Name, Role: decision.Spec.Role,
				Verdict: decision.Spec.Verdict, By: decision.Spec.By, At: decision.CreationTimestamp, Counts: v1alpha1.CountedYes})
			if err := s.admin.Status().Update(ctx, review); err == nil {
				return
			}
		}
	}
}
