package describe

import (
	"errors"
	"flag"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/yaml"

	"github.com/affineur/affineur/api/v1alpha1"
)

var update = flag.Bool("update", false, "write the golden files anew")

var now = time.Date(2026, 3, 2, 14, 5, 0, 0, time.UTC)

// TestGolden reads a prototype and its review from each directory and compares every page about them.
func TestGolden(t *testing.T) {
	directories, err := filepath.Glob("testdata/*/prototype.yaml")
	if err != nil || len(directories) == 0 {
		t.Fatalf("no cases: %v", err)
	}
	for _, file := range directories {
		directory := filepath.Dir(file)
		t.Run(filepath.Base(directory), func(t *testing.T) {
			view := load(t, directory)
			golden(t, directory, "status.txt", Prototype(view, now, false))
			if view.Review != nil {
				golden(t, directory, "explain.txt", Review(view.Review, view.Prototype, now, false))
			}
		})
	}
}

func load(t *testing.T, directory string) View {
	t.Helper()
	view := View{Prototype: &v1alpha1.AIPrototype{}, Review: &v1alpha1.HardeningReview{}}
	parse(t, filepath.Join(directory, "prototype.yaml"), view.Prototype)
	if !parse(t, filepath.Join(directory, "review.yaml"), view.Review) {
		view.Review = nil
	}
	_, err := os.Stat(filepath.Join(directory, "hidden"))
	view.Hidden = err == nil
	return view
}

func parse(t *testing.T, path string, into any) bool {
	t.Helper()
	content, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return false
	}
	if err == nil {
		err = yaml.UnmarshalStrict(content, into)
	}
	if err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	return true
}

func golden(t *testing.T, directory, name, got string) {
	t.Helper()
	path := filepath.Join(directory, name)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got, -update writes it anew):\n%s", path, diff)
	}
}

// TestNothingObeyedReachesTheTerminal: whatever stands in the objects, a page holds only what can be seen, and no
// line of it was begun by somebody else's text (threat 33).
func TestNothingObeyedReachesTheTerminal(t *testing.T) {
	view := load(t, "testdata/hostile")
	choice := Choice{Role: "security", Verdict: v1alpha1.VerdictApprove, By: "a\x1b[31mb"}
	for name, text := range map[string]string{
		"status":   Prototype(view, now, false),
		"explain":  Review(view.Review, view.Prototype, now, false),
		"choosing": Choosing(view.Review, view.Prototype, choice, now, false),
		"decided":  Decided(view.Review, view.Review.Status.Decisions[0]),
		"promoted": Promoted(view, false),
		"retiring": Retiring(view.Prototype, now, false),
		"list":     Prototypes([]v1alpha1.AIPrototype{*view.Prototype}, true, now),
	} {
		for _, line := range strings.Split(text, "\n") {
			if strings.IndexFunc(line, func(r rune) bool { return !unicode.IsGraphic(r) }) >= 0 {
				t.Errorf("%s lets through %q", name, line)
			}
			if strings.HasPrefix(strings.TrimSpace(line), "rm -rf") {
				t.Errorf("%s lets a line be forged: %q", name, line)
			}
		}
	}
}

func TestPaint(t *testing.T) {
	view := load(t, "testdata/gates-failed")
	painted := Prototype(view, now, true)
	if !strings.Contains(painted, "\x1b[31mFailed\x1b[0m") || !strings.Contains(painted, "\x1b[32mPassed\x1b[0m") {
		t.Errorf("verdicts have no colour:\n%q", painted)
	}
	bare := painted
	for _, code := range []string{"0", "1", "2", "31", "32", "33"} {
		bare = strings.ReplaceAll(bare, "\x1b["+code+"m", "")
	}
	if diff := cmp.Diff(Prototype(view, now, false), bare); diff != "" {
		t.Errorf("colour changes the words:\n%s", diff)
	}
}

func TestList(t *testing.T) {
	var prototypes []v1alpha1.AIPrototype
	for _, name := range []string{"need-only", "gaps", "awaiting-decisions", "not-isolated", "promoted", "expired", "never-seen"} {
		prototype := load(t, "testdata/"+name).Prototype
		prototype.Name = name
		prototypes = append(prototypes, *prototype)
	}
	golden(t, "testdata", "list.txt", Prototypes(prototypes, false, now))
	golden(t, "testdata", "list-all.txt", Prototypes(prototypes, true, now))
}

func TestChoosing(t *testing.T) {
	view := load(t, "testdata/awaiting-decisions")
	reject := Choice{Role: "privacy", Verdict: v1alpha1.VerdictReject, Gate: "privacy", ApproveWhen: "the feedback goes",
		Reason: "too much is kept", By: "dpo@example.org"}
	golden(t, "testdata", "choosing-reject.txt", Choosing(view.Review, view.Prototype, reject, now, false))
	author := Choice{Role: "security", Verdict: v1alpha1.VerdictApprove, By: "education-lead@example.org"}
	golden(t, "testdata", "choosing-author.txt", Choosing(view.Review, nil, author, now, false))
}

// TestAnotherImageIsNotShown: the image beside a review is the reviewed one or none.
func TestAnotherImageIsNotShown(t *testing.T) {
	view := load(t, "testdata/awaiting-decisions")
	if !strings.Contains(Review(view.Review, view.Prototype, now, false), "Image ") {
		t.Error("the reviewed image is not shown")
	}
	view.Prototype.Status.SubjectDigest = "sha256:another"
	if strings.Contains(Review(view.Review, view.Prototype, now, false), "Image ") {
		t.Error("the image of another revision is shown beside the review")
	}
	view = load(t, "testdata/awaiting-decisions")
	view.Prototype.UID = "another"
	if strings.Contains(Review(view.Review, view.Prototype, now, false), "Image ") {
		t.Error("the image of another prototype of the same name is shown beside the review")
	}
}
