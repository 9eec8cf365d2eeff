package cli

import (
	"context"
	"io/fs"
	"syscall"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/internal/cli/describe"
)

func TestPromote(t *testing.T) {
	w := newWorld(t, "in-sandbox")
	code := w.play(context.Background(), "promote", prototypeName, "--message", "the autumn courses start in May")
	w.expect(code, 0, "Asked for production of course-outliner.", "kubectl affineur status course-outliner --watch -n education")
	prototype := w.prototype()
	if prototype.Spec.Target != v1alpha1.TargetProduction || prototype.Annotations[describe.AnnotationMessage] != "the autumn courses start in May" {
		t.Errorf("target %s, annotations %v", prototype.Spec.Target, prototype.Annotations)
	}
	if _, asked := prototype.Annotations[v1alpha1.AnnotationRequestedAt]; asked {
		t.Error("a first request asks for another look")
	}
}

func TestPromoteTellsWhatIsKnown(t *testing.T) {
	w := newWorld(t, "gaps")
	prototype := w.prototype()
	prototype.Annotations = map[string]string{v1alpha1.AnnotationAuthors: "a@example.org\nsystem:serviceaccount:argocd:argocd"}
	if err := w.client.Update(context.Background(), prototype); err != nil {
		t.Fatal(err)
	}
	w.expect(w.play(context.Background(), "promote", prototypeName), 0, "Known so far: 2 gaps", "set spec.target to Production in its source too")
	early := newWorld(t, "measuring-isolation")
	early.expect(early.play(context.Background(), "promote", prototypeName), 0, "It does not run in its sandbox yet")
}

func TestPromoteRefusesWhatIsAskedForAlready(t *testing.T) {
	for name, want := range map[string]string{
		"awaiting-decisions": "course-outliner-3, a review of this revision, is open already; to see whose turn it is: kubectl affineur explain course-outliner-3 -n education",
		"promoted":           "exactly this revision serves in production already, let in by course-outliner-3",
		"waiting-for-review": "production is asked for already; the review opens as soon as this revision runs",
		"deleting":           "it is being deleted",
		"hidden-review":      "is open already",
		"measuring":          "is open already",
	} {
		w := newWorld(t, name)
		w.expect(w.play(context.Background(), "promote", prototypeName), 1, "error: ", want)
	}
	w := newWorld(t, "awaiting-decisions")
	prototype := w.prototype()
	prototype.Generation++
	if err := w.client.Update(context.Background(), prototype); err != nil {
		t.Fatal(err)
	}
	w.expect(w.play(context.Background(), "promote", prototypeName), 1, "Affineur has not looked at the newest change yet")
}

func TestPromoteAsksForAnotherLook(t *testing.T) {
	for _, name := range []string{"gates-failed", "rejected", "rolled-back"} {
		w := newWorld(t, name)
		w.expect(w.play(context.Background(), "promote", prototypeName), 0, "Asked Affineur to look at course-outliner again.")
		if got := w.prototype().Annotations[v1alpha1.AnnotationRequestedAt]; got != "2026-03-02T14:05:00Z" {
			t.Errorf("%s: asked at %q", name, got)
		}
	}
}

// TestASlowClockIsHeard: a request from before the answer would be taken for answered.
func TestASlowClockIsHeard(t *testing.T) {
	review := read(t, "rejected", "review.yaml", &v1alpha1.HardeningReview{})
	for clock, want := range map[string]string{
		"2026-03-02T14:05:00.9Z": "2026-03-02T14:05:00Z",
		"2026-03-02T14:02:00.5Z": "2026-03-02T14:02:01Z",
		"2026-03-02T11:00:00Z":   "2026-03-02T14:02:01Z",
	} {
		now, err := time.Parse(time.RFC3339Nano, clock)
		if err != nil {
			t.Fatal(err)
		}
		if got := requestTime(review, now).Format(time.RFC3339); got != want {
			t.Errorf("at %s: %s, want %s", clock, got, want)
		}
	}
}

var prototypes = schema.GroupResource{Group: "affineur.dev", Resource: "aiprototypes"}

// TestPromotePassesTheServersWordsOn: the rule and its sentence are the CRD's.
func TestPromotePassesTheServersWordsOn(t *testing.T) {
	w := newWorld(t, "need-only")
	w.patch = func(client.WithWatch, client.Object) error {
		return apierrors.NewInvalid(schema.GroupKind{Group: "affineur.dev", Kind: "AIPrototype"}, prototypeName, field.ErrorList{
			field.Invalid(field.NewPath("spec", "target"), "Production", "target Production needs a workload: there is nothing to review yet"),
			field.Invalid(field.NewPath("spec", "target"), "Production", "target Production needs a demand: say how many people will use it"),
		})
	}
	w.expect(w.play(context.Background(), "promote", prototypeName), 1,
		"error: refused: spec.target: target Production needs a workload: there is nothing to review yet; spec.target: target Production needs a demand")
}

// TestPromoteOverAStatusWrite: the operator's write makes a conflict, and the person does not hear of it.
func TestPromoteOverAStatusWrite(t *testing.T) {
	w := newWorld(t, "in-sandbox")
	interfered := 0
	w.patch = func(client.WithWatch, client.Object) error {
		if interfered++; interfered == 1 {
			prototype := w.prototype()
			prototype.Status.LastHandledRequestedAt = "meanwhile"
			w.report(prototype)
		}
		return nil
	}
	w.expect(w.play(context.Background(), "promote", prototypeName), 0)
	if prototype := w.prototype(); interfered != 2 || prototype.Spec.Target != v1alpha1.TargetProduction || prototype.Status.LastHandledRequestedAt != "meanwhile" {
		t.Errorf("%d attempts, %+v", interfered, prototype)
	}
}

// TestPromoteOverSomebodyElsesChange: what was looked at is what is promoted, or nothing.
func TestPromoteOverSomebodyElsesChange(t *testing.T) {
	w := newWorld(t, "in-sandbox")
	w.patch = func(c client.WithWatch, _ client.Object) error {
		prototype := w.prototype()
		prototype.Generation++
		prototype.Spec.Workload.Container.Image = "registry.example.org/education/another:1"
		return c.Update(context.Background(), prototype)
	}
	w.expect(w.play(context.Background(), "promote", prototypeName), 1, "somebody changed course-outliner in this moment")
	if got := w.prototype().Spec.Target; got != v1alpha1.TargetSandbox {
		t.Errorf("target %s", got)
	}
}

func TestPromoteGivesUpOnEndlessConflicts(t *testing.T) {
	w := newWorld(t, "in-sandbox")
	tried := 0
	w.patch = func(client.WithWatch, client.Object) error {
		tried++
		return apierrors.NewConflict(prototypes, prototypeName, nil)
	}
	w.expect(w.play(context.Background(), "promote", prototypeName), 1, "repeat in a minute")
	if tried != attempts {
		t.Errorf("%d attempts", tried)
	}
}

func TestRetire(t *testing.T) {
	w := newWorld(t, "promoted")
	w.in = "n\n"
	w.expect(w.play(context.Background(), "retire", prototypeName), 1, "Retiring takes all of it down", "Retire it? [y/N]", "not confirmed, so nothing was done")
	if got := w.prototype().Spec.Target; got != v1alpha1.TargetProduction {
		t.Errorf("target %s", got)
	}
	w.expect(w.play(context.Background(), "retire", prototypeName), 1)
	w.in = "y\n"
	w.expect(w.play(context.Background(), "retire", prototypeName), 0, "course-outliner is being retired.")
	if got := w.prototype().Spec.Target; got != v1alpha1.TargetRetired {
		t.Errorf("target %s", got)
	}
	w.expect(w.play(context.Background(), "retire", prototypeName, "--yes"), 1, "it is retired already")
	deleting := newWorld(t, "deleting")
	deleting.expect(deleting.play(context.Background(), "retire", prototypeName, "--yes"), 1, "it is being deleted")
}

func TestErrorsInWords(t *testing.T) {
	notInstalled := apierrors.NewGenericServerResponse(404, "get", prototypes, prototypeName, "404 page not found", 0, true)
	denied := apierrors.NewForbidden(schema.GroupResource{Resource: "hardeningdecisions"}, "x", nil)
	denied.ErrStatus.Message = `hardeningdecisions.affineur.dev "x" is forbidden: ValidatingAdmissionPolicy 'affineur-decisions' with binding 'affineur-decisions' denied request: you may not decide as security`
	denied.ErrStatus.Details.Causes = []metav1.StatusCause{{Message: "ValidatingAdmissionPolicy and so on"}}
	rbac := apierrors.NewForbidden(prototypes, "x", nil)
	rbac.ErrStatus.Message = `aiprototypes.affineur.dev "x" is forbidden: User "bob" cannot get resource "aiprototypes" in API group "affineur.dev" in the namespace "education"`
	for _, test := range []struct {
		err  error
		want string
	}{
		{notInstalled, "this cluster does not have Affineur's resources: ask the platform team whether it is installed here"},
		{denied, "refused: you may not decide as security"},
		{rbac, `User "bob" cannot get resource "aiprototypes" in API group "affineur.dev" in the namespace "education"; ask the platform team for the right, or act as somebody who has it (--context, --as)`},
		{apierrors.NewUnauthorized("no"), "the cluster does not know you: your login is missing or over"},
		{context.Canceled, "interrupted"},
		{&fs.PathError{Op: "stat", Path: "/nothing", Err: syscall.ENOENT}, "stat /nothing: no such file or directory: check --kubeconfig and KUBECONFIG"},
		{clientcmd.ErrEmptyConfig, "no cluster is configured: set KUBECONFIG or --kubeconfig to the file that your platform team gave you"},
		{apierrors.NewTooManyRequestsError("slow down"), "Too many requests: slow down"},
	} {
		if got := inWords(test.err); got != test.want {
			t.Errorf("%v\n got %q\nwant %q", test.err, got, test.want)
		}
	}
	if !absent(apierrors.NewNotFound(prototypes, "x")) || absent(notInstalled) {
		t.Error("a missing object and a missing resource are taken for each other")
	}
}

func TestWarningsAreCleaned(t *testing.T) {
	out := newOutput()
	warner{out}.HandleWarningHeader(299, "", "the policy warns\x1b[2J\nerror: forged")
	warner{out}.HandleWarningHeader(199, "", "not Kubernetes' own")
	if got := out.String(); got != "warning: the policy warns[2J error: forged\n" {
		t.Errorf("%q", got)
	}
}
