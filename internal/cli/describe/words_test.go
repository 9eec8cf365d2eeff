package describe

import (
	"go/ast"
	"go/parser"
	"go/token"
	"strconv"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/affineur/affineur/api/v1alpha1"
)

// TestEveryWhyHasASentence reads the reasons from the API package, so that a new one can't be forgotten here.
func TestEveryWhyHasASentence(t *testing.T) {
	file, err := parser.ParseFile(token.NewFileSet(), "../../../api/v1alpha1/conditions.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	ast.Inspect(file, func(node ast.Node) bool {
		spec, isValue := node.(*ast.ValueSpec)
		if !isValue || !strings.HasPrefix(spec.Names[0].Name, "Why") {
			return true
		}
		found++
		reason, err := strconv.Unquote(spec.Values[0].(*ast.BasicLit).Value)
		if err != nil {
			t.Fatal(err)
		}
		if _, known := whys[reason]; !known {
			t.Errorf("%s (%s) has no sentence", spec.Names[0].Name, reason)
		}
		return true
	})
	if found == 0 || found != len(whys) {
		t.Errorf("%d reasons, %d sentences", found, len(whys))
	}
	if got := Why("SomethingNew"); got != "something new" {
		t.Errorf("an unknown reason reads %q", got)
	}
}

func TestTimes(t *testing.T) {
	moment := func(s string) metav1.Time {
		at, err := time.Parse(time.RFC3339, s)
		if err != nil {
			t.Fatal(err)
		}
		return metav1.NewTime(at)
	}
	late, early := moment("2026-03-02T12:05:00Z"), moment("2026-03-02T18:05:00+02:00")
	for _, test := range []struct{ name, got, want string }{
		{"today", since(now, moment("2026-03-02T14:02:00Z")), "3m ago (since 14:02 UTC)"},
		{"elsewhere", since(now, moment("2026-03-02T15:02:00+01:00")), "3m ago (since 14:02 UTC)"},
		{"another day", since(now, moment("2026-02-27T10:00:00Z")), "3d4h ago (since 2026-02-27 10:00 UTC)"},
		{"a clock behind", at(now, moment("2026-03-02T14:05:30Z")), "0s ago (14:05 UTC)"},
		{"unknown", at(now, metav1.Time{}), "at an unknown time"},
		{"still time", due(now, &early), "due in 120m (16:05 UTC)"},
		{"late", due(now, &late), "late by 120m (due 12:05 UTC)"},
		{"no due", due(now, nil), ""},
		{"to come", ends(now, moment("2026-03-14T09:00:00Z")), "in 11d (2026-03-14 09:00 UTC)"},
		{"over", ends(now, moment("2026-03-02T14:00:00Z")), "5m ago (14:00 UTC)"},
	} {
		if test.got != test.want {
			t.Errorf("%s: %q, want %q", test.name, test.got, test.want)
		}
	}
}

func TestClean(t *testing.T) {
	for given, want := range map[string]string{
		"plain ü 日本 é":                   "plain ü 日本 é",
		"\x1b[31mred\x1b[0m":             "[31mred[0m",
		"one\r\ntwo\tthree\u2028four":    "one two three four",
		"\u202ereversed\u200b\ufeff":     "reversed",
		"\x9b31m\xff bytes":              "31m bytes",
		"\u009b31m and \u0085 new":       "31m and new",
		"far                       away": "far away",
		"bell\x07 null\x00 delete\x7f":   "bell null delete",
	} {
		if got := Clean(given); got != want {
			t.Errorf("Clean(%q) = %q, want %q", given, got, want)
		}
	}
}

func TestCommandsCanBePasted(t *testing.T) {
	got := Command("education", "reject", "course-outliner-3", "--role", "x; rm -rf /", "--approve-when", "it's mended\x1b")
	want := `kubectl affineur reject course-outliner-3 --role 'x; rm -rf /' --approve-when 'it'\''s mended' -n education`
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestDecided(t *testing.T) {
	view := load(t, "testdata/awaiting-decisions")
	for _, test := range []struct {
		name     string
		decision v1alpha1.DecisionStatus
		outcome  v1alpha1.ReviewOutcome
		want     string
	}{
		{"counts, others asked", v1alpha1.DecisionStatus{Role: "operations", Verdict: v1alpha1.VerdictApprove, Counts: v1alpha1.CountedYes}, "",
			"Your approval as operations counts. The review still waits for security, privacy."},
		{"counts and ends it", v1alpha1.DecisionStatus{Role: "operations", Verdict: v1alpha1.VerdictReject, Counts: v1alpha1.CountedYes}, v1alpha1.OutcomeRejected,
			"Your rejection as operations counts."},
		{"does not count", v1alpha1.DecisionStatus{Role: "security", Verdict: v1alpha1.VerdictApprove, Counts: v1alpha1.CountedNo, Why: v1alpha1.WhyNotInRole, Message: "it-security is needed."}, "",
			"Your approval as security does not count: this person is in none of the groups that the policy names for the role. It-security is needed."},
	} {
		review := view.Review.DeepCopy()
		review.Status.Outcome = test.outcome
		if got := Decided(review, test.decision); got != test.want {
			t.Errorf("%s: %q\nwant %q", test.name, got, test.want)
		}
	}
}

func TestClosed(t *testing.T) {
	for outcome, want := range map[v1alpha1.ReviewOutcome]string{
		"":                             "",
		v1alpha1.OutcomePromoted:       "it was promoted",
		v1alpha1.OutcomeRejected:       "it was rejected",
		v1alpha1.OutcomeRolledBack:     "it was taken back from production",
		v1alpha1.OutcomeSuperseded:     "the prototype changed since",
		v1alpha1.OutcomeWithdrawn:      "the team no longer asks for production",
		v1alpha1.ReviewOutcome("Lost"): "it ended: lost",
	} {
		review := &v1alpha1.HardeningReview{Status: v1alpha1.HardeningReviewStatus{Outcome: outcome}}
		if got := Closed(review); !strings.HasPrefix(got, want) || (want == "") != (got == "") {
			t.Errorf("%s: %q", outcome, got)
		}
	}
	deleted := metav1.NewTime(now)
	if got := Closed(&v1alpha1.HardeningReview{ObjectMeta: metav1.ObjectMeta{DeletionTimestamp: &deleted}}); got == "" {
		t.Error("a review that is being deleted takes decisions")
	}
}

// TestPreparing: production is said to be made only while it is.
func TestPreparing(t *testing.T) {
	for reason, want := range map[string]string{
		v1alpha1.ReasonPreparingProduction: "production's namespace and policies are being made",
		v1alpha1.ReasonGuardsNotInPlace:    "nothing of it is in production yet",
		v1alpha1.ReasonAnotherUnderWay:     "nothing of it is in production yet",
	} {
		if got := stepWords(&v1alpha1.PromotionStatus{Step: v1alpha1.StepPreparing, Reason: reason}); got != want {
			t.Errorf("%s reads %q, want %q", reason, got, want)
		}
	}
}
