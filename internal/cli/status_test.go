package cli

import (
	"context"
	"encoding/json"
	"strings"
	"testing"
	"time"
	"unicode"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/internal/cli/describe"
)

func TestStatus(t *testing.T) {
	w := newWorld(t, "awaiting-decisions")
	code := w.play(context.Background(), "status", prototypeName)
	w.expect(code, 0, "in its sandbox, under review", "Privacy has not decided on course-outliner-3.", "kubectl affineur explain course-outliner-3 -n education")
}

func TestStatusOfAReviewThatMayNotBeRead(t *testing.T) {
	w := newWorld(t, "awaiting-decisions")
	w.get = func(key client.ObjectKey, object client.Object) error {
		if _, isReview := object.(*v1alpha1.HardeningReview); isReview {
			return apierrors.NewForbidden(schema.GroupResource{Group: "affineur.dev", Resource: "hardeningreviews"}, key.Name, nil)
		}
		return nil
	}
	w.expect(w.play(context.Background(), "status", prototypeName), 0, "Gates passed: 3/3. You may not read the review itself.")
}

func TestStatusOfAll(t *testing.T) {
	w := newWorld(t, "gaps")
	w.expect(w.play(context.Background(), "status"), 0, "NAME ", "course-outliner", "2 gaps")
	w.expect(w.play(context.Background(), "status", "-A"), 0, "NAMESPACE ")
	empty := newWorld(t, "")
	empty.expect(empty.play(context.Background(), "status"), 0, "There is no prototype in namespace education.")
}

func TestStatusRefuses(t *testing.T) {
	for _, test := range []struct{ args, want string }{
		{"status nobody", "there is no prototype nobody in namespace education; to see which there are: kubectl affineur status -n education"},
		{"status a b", "accepts at most 1 arg"},
		{"status --watch", "name the prototype to watch"},
		{"status course-outliner -o table", "--output is json or yaml"},
		{"status course-outliner -o json --watch", "--output prints once"},
		{"status course-outliner --until=tomorrow", "--until is ready or promoted"},
		{"status course-outliner --timeout=5m", "--timeout needs --watch or --until"},
		{"status course-outliner --watch --timeout=-5m", "above zero"},
		{"status course-outliner -A", "not both"},
		{"explain", "name one review"},
		{"explain nothing", "kubectl get hardeningreviews -n education"},
		{"promote", "name one prototype"},
	} {
		w := newWorld(t, "in-sandbox")
		w.expect(w.play(context.Background(), strings.Fields(test.args)...), 1, "error: ", test.want)
	}
}

func TestExplain(t *testing.T) {
	w := newWorld(t, "awaiting-decisions")
	w.expect(w.play(context.Background(), "explain", reviewName), 0, "Image ", "does not count: this person wrote the revision")
}

// TestPrintedObjects: what is printed parses, names its kind, and holds nothing that a terminal obeys.
func TestPrintedObjects(t *testing.T) {
	for _, format := range []string{"json", "yaml"} {
		for _, args := range [][]string{{"status", prototypeName}, {"status"}} {
			w := newWorld(t, "hostile")
			w.expect(w.play(context.Background(), append(args, "-o", format)...), 0)
			printed := w.out.String()
			if i := strings.IndexFunc(printed, func(r rune) bool { return r != '\n' && !unicode.IsGraphic(r) }); i >= 0 {
				t.Errorf("%s of %v lets through %q", format, args, printed[i:i+4])
			}
			var object struct {
				Kind  string
				Items []struct{ Kind, APIVersion string }
			}
			parse := func(into any) error { return yaml.Unmarshal([]byte(printed), into) }
			if format == "json" {
				parse = func(into any) error { return json.Unmarshal([]byte(printed), into) }
			}
			if err := parse(&object); err != nil {
				t.Fatalf("%s of %v: %v\n%s", format, args, err, printed)
			}
			single := len(args) == 2 && object.Kind == "AIPrototype"
			list := len(args) == 1 && object.Kind == "AIPrototypeList" && object.Items[0].Kind == "AIPrototype" && object.Items[0].APIVersion == "affineur.dev/v1alpha1"
			if !single && !list {
				t.Errorf("%s of %v is %+v", format, args, object)
			}
		}
	}
}

// follow starts a command that watches, and returns its exit code when it ends.
func (w *world) follow(ctx context.Context, args ...string) <-chan int {
	ended := make(chan int, 1)
	go func() { ended <- w.play(ctx, args...) }()
	return ended
}

func (w *world) ends(ended <-chan int) int {
	w.t.Helper()
	select {
	case code := <-ended:
		return code
	case <-time.After(20 * time.Second):
		w.t.Fatal("the command does not end")
		return -1
	}
}

func TestWatchSaysChangesOnlyAndEndsOnInterrupt(t *testing.T) {
	w := newWorld(t, "measuring")
	ctx, interrupt := context.WithCancel(context.Background())
	defer interrupt()
	ended := w.follow(ctx, "status", prototypeName, "--watch")
	if first := w.out.next(t); !strings.Contains(first, "30 req/s for 20 s are under way.") || strings.Contains(first, "---") {
		t.Fatalf("first page:\n%s", first)
	}

	// A write that changes nothing one could say is silent; the review's change after it is not.
	prototype := w.prototype()
	prototype.Status.LastHandledRequestedAt = "silent"
	w.report(prototype)
	review := w.review()
	review.Status.Gates[1].Verdict, review.Status.Gates[1].Message = v1alpha1.GateFailed, "p95 is 9 s of 2 s"
	w.report(review)
	if second := w.out.next(t); !strings.Contains(second, "--- 14:05:00 UTC") || !strings.Contains(second, "p95 is 9 s of 2 s") {
		t.Fatalf("second page:\n%s", second)
	}

	prototype = w.prototype()
	meta.FindStatusCondition(prototype.Status.Conditions, v1alpha1.ConditionReady).Message = "It changed."
	w.report(prototype)
	if third := w.out.next(t); !strings.Contains(third, "It changed.") {
		t.Fatalf("third page:\n%s", third)
	}
	interrupt()
	w.expect(w.ends(ended), 0)
	if len(w.out.writes) != 0 {
		t.Errorf("something was said without a change:\n%s", <-w.out.writes)
	}
}

func TestWatchGoesOnToTheNextReview(t *testing.T) {
	w := newWorld(t, "superseded")
	ctx, interrupt := context.WithCancel(context.Background())
	defer interrupt()
	ended := w.follow(ctx, "status", prototypeName, "--watch")
	w.out.next(t)
	next := w.review()
	next.ObjectMeta = *next.ObjectMeta.DeepCopy()
	next.Name, next.ResourceVersion, next.Status.Outcome = "course-outliner-4", "", ""
	if err := w.client.Create(context.Background(), next); err != nil {
		t.Fatal(err)
	}
	prototype := w.prototype()
	prototype.Status.Review = &v1alpha1.ReviewReference{Name: next.Name}
	w.report(prototype)
	if page := w.out.next(t); !strings.Contains(page, "Gates of review course-outliner-4") {
		t.Fatalf("page:\n%s", page)
	}
	next.Status.Gates = next.Status.Gates[:1]
	next.Status.Gates[0].Message = "seen in the next review"
	w.report(next)
	if page := w.out.next(t); !strings.Contains(page, "seen in the next review") {
		t.Fatalf("page:\n%s", page)
	}
	interrupt()
	w.expect(w.ends(ended), 0)
}

func TestWatchEndsWithThePrototype(t *testing.T) {
	w := newWorld(t, "in-sandbox")
	ended := w.follow(context.Background(), "status", prototypeName, "--watch")
	w.out.next(t)
	if err := w.client.Delete(context.Background(), w.prototype()); err != nil {
		t.Fatal(err)
	}
	w.expect(w.ends(ended), 1, "error: prototype course-outliner was deleted")
}

func TestWatchRedrawsATerminal(t *testing.T) {
	w := newWorld(t, "in-sandbox")
	env := w.environment()
	env.Terminal = true
	f := newFollower(env, Session{Client: w.client, Namespace: "education"}, prototypeName, goalReady, 0)
	if err := f.run(context.Background()); err != nil || !strings.HasPrefix(w.out.String(), clearScreen) {
		t.Errorf("%v\n%q", err, w.out)
	}
}

func TestWatchOutlivesAServerThatIsAway(t *testing.T) {
	w := newWorld(t, "in-sandbox")
	away := true
	seen := 0
	w.get = func(client.ObjectKey, client.Object) error {
		if seen++; seen > 1 && away {
			return apierrors.NewServiceUnavailable("restarting")
		}
		return nil
	}
	ctx, interrupt := context.WithCancel(context.Background())
	defer interrupt()
	session := Session{Client: w.client, Namespace: "education"}
	f := newFollower(w.environment(), session, prototypeName, "", 0)
	for range 3 {
		if done, err := f.look(ctx); done || err != nil {
			t.Fatalf("%v %v", done, err)
		}
	}
	if got := strings.Count(w.errOut.String(), "trying again: restarting"); got != 1 {
		t.Errorf("it is said %d times that the server is away", got)
	}
	away = false
	if _, err := f.look(ctx); err != nil {
		t.Error(err)
	}
}

func TestUntil(t *testing.T) {
	w := newWorld(t, "soaking")
	ended := w.follow(context.Background(), "status", prototypeName, "--until=promoted")
	w.out.next(t)
	promoted := read(t, "promoted", "prototype.yaml", &v1alpha1.AIPrototype{})
	prototype := w.prototype()
	prototype.Status = promoted.Status
	w.report(prototype)
	w.expect(w.ends(ended), 0, "this revision serves")
}

func TestUntilGivesUp(t *testing.T) {
	w := newWorld(t, "soaking")
	ended := w.follow(context.Background(), "status", prototypeName, "--until=promoted", "--timeout=10m")
	w.out.next(t)
	w.clock.Step(10 * time.Minute)
	w.expect(w.ends(ended), 1, "after 10m0s it is not promoted yet")
}

func TestUntilInterrupted(t *testing.T) {
	w := newWorld(t, "soaking")
	ctx, interrupt := context.WithCancel(context.Background())
	ended := w.follow(ctx, "status", prototypeName, "--until=promoted")
	w.out.next(t)
	interrupt()
	w.expect(w.ends(ended), 1, "error: interrupted")
}

func TestReached(t *testing.T) {
	for _, test := range []struct {
		name    string
		goal    goal
		change  func(*describe.View)
		reached bool
		never   string
	}{
		{"in-sandbox", goalReady, nil, true, ""},
		{"in-sandbox", "", nil, false, ""},
		{"changed-since", goalReady, nil, false, ""},
		{"measuring-isolation", goalReady, nil, false, ""},
		{"not-isolated", goalReady, nil, false, "it will not be ready until somebody acts: The cluster does not enforce NetworkPolicy"},
		{"in-sandbox", goalPromoted, nil, false, "its target is Sandbox; to ask for promotion: kubectl affineur promote course-outliner -n education"},
		{"soaking", goalPromoted, nil, false, ""},
		{"promoted", goalPromoted, nil, true, ""},
		{"rejected", goalPromoted, nil, false, "course-outliner-3, a review of this revision, ended as Rejected"},
		{"rolled-back", goalPromoted, nil, false, "ended as RolledBack"},
		{"rolled-back", goalPromoted, func(v *describe.View) {
			v.Prototype.Annotations[v1alpha1.AnnotationRequestedAt] = "2026-03-02T14:00:01Z"
		}, false, ""},
		{"rolled-back", goalPromoted, func(v *describe.View) {
			v.Prototype.Annotations[v1alpha1.AnnotationRequestedAt] = "2026-03-02T14:00:00Z"
		}, false, "ended as RolledBack"},
		{"superseded", goalPromoted, nil, false, ""},
		{"promoted", goalPromoted, func(v *describe.View) { v.Prototype.Generation++ }, false, ""},
		{"promoted", goalPromoted, func(v *describe.View) { v.Prototype.Status.SubjectDigest = "sha256:newer" }, false, ""},
		{"promoted", goalPromoted, func(v *describe.View) {
			meta.RemoveStatusCondition(&v.Prototype.Status.Conditions, v1alpha1.ConditionInProduction)
		}, false, ""},
	} {
		w := newWorld(t, test.name)
		view, err := Session{Client: w.client, Namespace: "education"}.view(context.Background(), prototypeName)
		if err != nil {
			t.Fatal(err)
		}
		if test.change != nil {
			test.change(&view)
		}
		reached, err := test.goal.reached(view)
		if reached != test.reached || (err == nil) != (test.never == "") || (err != nil && !strings.Contains(err.Error(), test.never)) {
			t.Errorf("%s until %q: %v, %v", test.name, test.goal, reached, err)
		}
	}
}
