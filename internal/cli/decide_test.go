package cli

import (
	"context"
	"io"
	"strings"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/google/go-cmp/cmp"

	"github.com/affineur/affineur/api/v1alpha1"
)

// mirror lets the operator answer each decision at once.
func (w *world) mirror(counts v1alpha1.Counted, why string) {
	w.create = func(ctx context.Context, c client.WithWatch, object client.Object) error {
		if err := c.Create(ctx, object); err != nil {
			return err
		}
		w.answer(object, counts, why)
		return nil
	}
}

func (w *world) answer(object client.Object, counts v1alpha1.Counted, why string) {
	decision, isDecision := object.(*v1alpha1.HardeningDecision)
	if !isDecision {
		return
	}
	review := w.review()
	review.Status.Decisions = append(review.Status.Decisions, v1alpha1.DecisionStatus{
		Name: decision.Name, Role: decision.Spec.Role, Verdict: decision.Spec.Verdict, By: w.person, Counts: counts, Why: why,
	})
	w.report(review)
}

func TestApprove(t *testing.T) {
	w := newWorld(t, "awaiting-decisions")
	w.in = "y\n"
	w.mirror(v1alpha1.CountedYes, "")
	code := w.play(context.Background(), "approve", reviewName, "--role", "security", "--reason", "findings mended")
	w.expect(code, 0, "Education: draft a course outline in 2 days instead of 10", "Tier        High",
		"registry.example.org/education/outliner@sha256:9f8e7d6c5b4a", "with its requirements sha256:c0ffee012345",
		"Approve as security, under the name of security-reviewer@example.org", "Approve it? [y/N]", "Your approval as security counts.")
	if strings.Contains(w.out.String(), w.review().Spec.ReviewDigest) {
		t.Error("a whole digest is shown")
	}
	made := w.decisions()
	if len(made) != 1 {
		t.Fatalf("%d decisions", len(made))
	}
	review := w.review()
	want := v1alpha1.HardeningDecisionSpec{
		Review:       v1alpha1.ObjectIdentity{Name: reviewName, UID: string(review.UID)},
		ReviewDigest: review.Spec.ReviewDigest, Role: "security", Verdict: v1alpha1.VerdictApprove, Reason: "findings mended",
	}
	if diff := cmp.Diff(want, made[0].Spec); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if !strings.HasPrefix(made[0].Name, "course-outliner-3-security-") {
		t.Errorf("named %s", made[0].Name)
	}
}

func TestReject(t *testing.T) {
	w := newWorld(t, "awaiting-decisions")
	w.mirror(v1alpha1.CountedYes, "")
	w.expect(w.play(context.Background(), "reject", reviewName, "--role", "privacy", "--yes"), 1, "--approve-when")
	code := w.play(context.Background(), "reject", reviewName, "--role", "privacy", "--approve-when", "the feedback goes", "--gate", "security", "--yes")
	w.expect(code, 0, "You would approve when: the feedback goes")
	want := &v1alpha1.Rejection{Gate: "security", ApproveWhen: "the feedback goes"}
	if diff := cmp.Diff(want, w.decisions()[0].Spec.Reject); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestNothingIsDecidedWithoutAClearYes(t *testing.T) {
	for _, answer := range []string{"", "\n", "n\n", "maybe\n", "yesterday\n"} {
		w := newWorld(t, "awaiting-decisions")
		w.in = answer
		w.expect(w.play(context.Background(), "approve", reviewName, "--role", "security"), 1, "not confirmed, so nothing was done")
		if made := w.decisions(); len(made) != 0 {
			t.Errorf("%q decides: %v", answer, made)
		}
	}
}

// TestInterruptedQuestion: a terminal's read does not end with the context.
func TestInterruptedQuestion(t *testing.T) {
	w := newWorld(t, "awaiting-decisions")
	env := w.environment()
	silent, _ := io.Pipe()
	env.In = silent
	ctx, interrupt := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- confirm(ctx, env, "Approve it?", false) }()
	w.errOut.next(t)
	interrupt()
	if err := <-ended; err == nil || !strings.Contains(err.Error(), "nothing was done") {
		t.Error(err)
	}
}

func TestEndedReviewsTakeNoDecision(t *testing.T) {
	for name, want := range map[string]string{
		"superseded": "course-outliner-3 takes no decision any more: the prototype changed since, and another review speaks of it",
		"rejected":   "it was rejected",
		"promoted":   "it was promoted",
	} {
		w := newWorld(t, name)
		for _, verb := range []string{"approve", "revoke"} {
			w.expect(w.play(context.Background(), verb, reviewName, "--role", "security", "--yes"), 1, want)
		}
		if made := w.decisions(); len(made) != 0 {
			t.Errorf("%s: %v", name, made)
		}
	}
	w := newWorld(t, "superseded")
	prototype := w.prototype()
	prototype.Status.Review.Name = "course-outliner-4"
	w.report(prototype)
	w.expect(w.play(context.Background(), "approve", reviewName, "--role", "security", "--yes"), 1, "the newest review is course-outliner-4")
}

func TestTheRoleMayBeLeftOut(t *testing.T) {
	for _, test := range []struct {
		name, verb, person string
		roles              map[string]bool
		want               string
		role               string
	}{
		{name: "awaiting-decisions", verb: "approve", roles: map[string]bool{"security": true, "another": true}, role: "security"},
		{name: "awaiting-decisions", verb: "approve", roles: map[string]bool{"operations": true}, want: "you may decide in none of the roles that are asked for (security, privacy)"},
		{name: "awaiting-decisions", verb: "approve", roles: map[string]bool{"security": true, "privacy": true}, want: "choose one with --role (security, privacy)"},
		{name: "measuring", verb: "approve", roles: map[string]bool{"security": true}, want: "name yours with --role"},
		{name: "awaiting-decisions", verb: "revoke", person: "education-lead@example.org", roles: map[string]bool{"security": true, "privacy": true}, role: "security"},
		{name: "awaiting-decisions", verb: "revoke", roles: map[string]bool{"security": true}, want: "name yours with --role"},
	} {
		w := newWorld(t, test.name)
		w.roles = test.roles
		if test.person != "" {
			w.person = test.person
		}
		w.mirror(v1alpha1.CountedYes, "")
		code := w.play(context.Background(), test.verb, reviewName, "--yes")
		if test.want != "" {
			w.expect(code, 1, test.want)
			continue
		}
		w.expect(code, 0)
		if made := w.decisions(); len(made) != 1 || made[0].Spec.Role != test.role {
			t.Errorf("%s: %+v", test.verb, made)
		}
	}
}

func TestADecisionThatDoesNotCount(t *testing.T) {
	w := newWorld(t, "awaiting-decisions")
	w.person = "education-lead@example.org"
	w.mirror(v1alpha1.CountedNo, v1alpha1.WhyAuthor)
	w.expect(w.play(context.Background(), "approve", reviewName, "--role", "security", "--yes"), 1,
		"It will not count: this person wrote the revision", "Your approval as security does not count: this person wrote the revision")
	if said := w.errOut.String(); said != "" {
		t.Errorf("it is said twice: %s", said)
	}
}

// TestTheAnswerIsWaitedForByAWatch: the operator answers only after the command has looked once.
func TestTheAnswerIsWaitedForByAWatch(t *testing.T) {
	w := newWorld(t, "awaiting-decisions")
	created := make(chan client.Object, 1)
	w.create = func(ctx context.Context, c client.WithWatch, object client.Object) error {
		err := c.Create(ctx, object)
		created <- object.DeepCopyObject().(client.Object)
		return err
	}
	w.get = func(_ client.ObjectKey, object client.Object) error {
		if _, isReview := object.(*v1alpha1.HardeningReview); isReview && len(created) == 1 {
			decision := <-created
			go w.answer(decision, v1alpha1.CountedYes, "")
		}
		return nil
	}
	w.expect(w.play(context.Background(), "approve", reviewName, "--role", "security", "--yes"), 0, "Your approval as security counts.")
}

func TestASlowOperatorIsNoFailure(t *testing.T) {
	w := newWorld(t, "awaiting-decisions")
	ended := w.follow(context.Background(), "approve", reviewName, "--role", "security", "--yes")
	for !strings.Contains(w.out.next(t), "Recorded as") {
	}
	for !w.clock.HasWaiters() {
		time.Sleep(time.Millisecond)
	}
	w.clock.Step(5 * time.Second)
	w.expect(w.ends(ended), 0, "Affineur has not looked at it within 5s. Whether it counts stands in the review: kubectl affineur explain course-outliner-3 -n education")
	hasty := newWorld(t, "awaiting-decisions")
	hasty.expect(hasty.play(context.Background(), "approve", reviewName, "--role", "security", "--yes", "--wait=0"), 0, "Whether it counts stands in the review")
}

func TestTheServersRefusalIsPassedOn(t *testing.T) {
	w := newWorld(t, "awaiting-decisions")
	w.create = func(context.Context, client.WithWatch, client.Object) error {
		err := apierrors.NewForbidden(schema.GroupResource{Group: "affineur.dev", Resource: "hardeningdecisions"}, "", nil)
		err.ErrStatus.Message = "is forbidden: ValidatingAdmissionPolicy 'x' denied request: you may not decide as security\x1b[2J"
		return err
	}
	w.expect(w.play(context.Background(), "approve", reviewName, "--role", "security", "--yes"), 1, "error: refused: you may not decide as security[2J\n")
}
