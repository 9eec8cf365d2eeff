package promotion

import (
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/internal/drift"
	"github.com/affineur/affineur/internal/guard"
	"github.com/affineur/affineur/internal/record"
)

const reviewer = "security-reviewer@example.org"

// story is a situation with the one end that it must come to, however often the operator is killed on the way.
type story struct {
	// arrange makes the world as it is when the story begins.
	arrange func(t *testing.T) *world
	// steps of every record's review, what serves and what is remembered, at the end.
	steps  map[int]string
	image  string
	memory string
	// like says that it goes the way of another story, which is the one that is played with every kill.
	like bool
}

// first is a world in which record 1 waits to be promoted.
func first(t *testing.T, edits ...func(*record.Record)) (*world, record.Record) {
	t.Helper()
	r := recordOf(t, 1, digestA, edits...)
	return newWorld(t, object(t, r), reviewOf(r), prototypeOf(v1alpha1.TargetProduction), approval(r, reviewer)), r
}

// add brings the next reviewed record into the world.
func (w *world) add(r record.Record) {
	w.Helper()
	review := reviewOf(r)
	status := review.Status
	w.must(w.client.Create(w.ctx(), review))
	review.Status = status
	review.UID = ""
	w.must(w.client.Status().Update(w.ctx(), review))
	var live v1alpha1.HardeningReview
	w.must(w.client.Get(w.ctx(), client.ObjectKeyFromObject(review), &live))
	decision := approval(r, reviewer)
	decision.Spec.Review.UID = string(live.UID)
	w.must(w.client.Create(w.ctx(), object(w.T, r)))
	w.must(w.client.Create(w.ctx(), decision))
	// A stand-in's clock gives both the same second; the decision came later.
	w.now = w.now.Add(time.Minute)
}

func stories() map[string]story {
	second := func(bad, soaks bool) func(t *testing.T) *world {
		return func(t *testing.T) *world {
			w, _ := first(t)
			w.settle()
			w.add(recordOf(t, 2, digestB))
			w.bad[digestB], w.soaks = bad, soaks
			return w
		}
	}
	name := identity.Record
	return map[string]story{
		"the first": {
			arrange: func(t *testing.T) *world { w, _ := first(t); return w },
			steps:   map[int]string{1: "Serving Promoted"}, image: digestA, memory: name(1) + " serving",
		},
		"the second takes over": {
			arrange: second(false, false),
			steps:   map[int]string{1: "Retired Superseded", 2: "Serving Promoted"}, image: digestB,
			memory: name(2) + " serving, after " + name(1),
		},
		"the second crashes at start": {
			arrange: second(true, false),
			steps:   map[int]string{1: "Serving Promoted", 2: "RolledBack CrashLooping"}, image: digestA,
			memory: name(1) + " serving, fault " + name(2) + " CrashLooping",
		},
		"the second crashes while it soaks": {
			arrange: second(true, true),
			steps:   map[int]string{1: "Serving Promoted", 2: "RolledBack SoakFailed"}, image: digestA,
			memory: name(1) + " serving, fault " + name(2) + " SoakFailed",
		},
		"the first crashes at start": {
			arrange: func(t *testing.T) *world { w, _ := first(t); w.bad[digestA] = true; return w },
			steps:   map[int]string{1: "RolledBack CrashLooping"}, memory: "nothing, fault " + name(1) + " CrashLooping",
		},
		"the second is rejected while it soaks": {
			arrange: func(t *testing.T) *world {
				w := second(false, false)(t)
				for w.step(name(2)) != "Soaking Soaking" {
					_, err := w.pass()
					w.must(err)
				}
				review := w.review(name(2))
				review.Status.Outcome = v1alpha1.OutcomeRejected
				w.must(w.client.Status().Update(w.ctx(), review))
				return w
			},
			steps: map[int]string{1: "Serving Promoted", 2: "RolledBack Rejected"}, image: digestA,
			memory: name(1) + " serving, fault " + name(2) + " Rejected",
		},
		"the first is revoked while it rolls out": {
			arrange: until(func(t *testing.T) *world { w, _ := first(t); return w }, name(1), "RollingOut RollingOut", revoke),
			steps:   map[int]string{1: "RolledBack ApprovalRevoked"}, memory: "nothing, fault " + name(1) + " ApprovalRevoked",
		},
		"the first is revoked while it soaks": {
			arrange: until(func(t *testing.T) *world { w, _ := first(t); return w }, name(1), "Soaking Soaking", revoke),
			steps:   map[int]string{1: "RolledBack ApprovalRevoked"}, memory: "nothing, fault " + name(1) + " ApprovalRevoked",
		},
		"the second is revoked in the last moment of its soak": {
			arrange: until(second(false, false), name(2), "Soaking Soaking", func(w *world, name string) {
				w.now = recall(w.namespace()).SoakingSince.Add(10 * time.Second)
				revoke(w, name)
			}),
			steps: map[int]string{1: "Serving Promoted", 2: "RolledBack ApprovalRevoked"}, image: digestA,
			memory: name(1) + " serving, fault " + name(2) + " ApprovalRevoked",
		},
		"a decision on the second is deleted while it soaks": {
			like: true,
			arrange: until(second(false, false), name(2), "Soaking Soaking", func(w *world, name string) {
				w.must(w.client.Delete(w.ctx(), w.approval(name)))
			}),
			steps: map[int]string{1: "Serving Promoted", 2: "RolledBack ApprovalRevoked"}, image: digestA,
			memory: name(1) + " serving, fault " + name(2) + " ApprovalRevoked",
		},
		"the guards were out when the second was approved": {
			like: true,
			arrange: until(second(false, false), name(2), "Soaking Soaking", func(w *world, name string) {
				at := w.approval(name).CreationTimestamp.Time
				w.guards.Gaps = []guard.Gap{{From: at.Add(-time.Second), To: at.Add(time.Second)}}
			}),
			steps: map[int]string{1: "Serving Promoted", 2: "RolledBack ApprovalRevoked"}, image: digestA,
			memory: name(1) + " serving, fault " + name(2) + " ApprovalRevoked",
		},
		"revoked after it soaked": {
			like: true,
			arrange: until(func(t *testing.T) *world { w, _ := first(t); return w }, name(1), "Serving Promoted", func(w *world, name string) {
				revoke(w, name)
				w.add(recordOf(w.T, 2, digestB))
			}),
			steps: map[int]string{1: "Retired Superseded", 2: "Serving Promoted"}, image: digestB,
			memory: name(2) + " serving, after " + name(1),
		},
		"retired": {
			arrange: func(t *testing.T) *world {
				w, _ := first(t)
				w.settle()
				w.target(v1alpha1.TargetRetired)
				return w
			},
			steps: map[int]string{1: "Retired Retired"},
		},
		"the second drifts": {
			arrange: func(t *testing.T) *world {
				w, _ := first(t)
				w.settle()
				w.add(recordOf(t, 2, digestB, rollsBack))
				w.settle()
				w.drifts(name(2), drift.Drifted)
				return w
			},
			steps: map[int]string{1: "Serving Promoted", 2: "RolledBack ModelChanged"}, image: digestA,
			memory: name(1) + " serving, fault " + name(2) + " ModelChanged",
		},
		"the first drifts": {
			arrange: func(t *testing.T) *world {
				w, _ := first(t, rollsBack)
				w.settle()
				w.drifts(name(1), drift.Drifted)
				return w
			},
			steps: map[int]string{1: "RolledBack ModelChanged"}, memory: "nothing, fault " + name(1) + " ModelChanged",
		},
	}
}

// until begins a story at the moment when a record's review says something, with what happens then.
func until(begin func(t *testing.T) *world, record, step string, then func(w *world, record string)) func(t *testing.T) *world {
	return func(t *testing.T) *world {
		w := begin(t)
		for range 40 {
			if w.step(record) == step {
				then(w, record)
				return w
			}
			result, err := w.pass()
			w.must(err)
			w.now = w.now.Add(result.RequeueAfter)
		}
		t.Fatalf("%s never was %s", record, step)
		return nil
	}
}

// approval of a record's review.
func (w *world) approval(record string) *v1alpha1.HardeningDecision {
	w.Helper()
	var list v1alpha1.HardeningDecisionList
	w.must(w.client.List(w.ctx(), &list))
	for i := range list.Items {
		if d := &list.Items[i]; d.Spec.Review.Name == w.review(record).Name && d.Spec.Verdict == v1alpha1.VerdictApprove {
			return d
		}
	}
	w.Fatalf("nobody approved %s", record)
	return nil
}

// revoke lets whoever approved a record take it back.
func revoke(w *world, record string) {
	w.Helper()
	d := w.approval(record)
	spec := d.Spec
	spec.Verdict = v1alpha1.VerdictRevoke
	w.must(w.client.Create(w.ctx(), &v1alpha1.HardeningDecision{
		ObjectMeta: metav1.ObjectMeta{Namespace: d.Namespace, Name: d.Name + "-revoke"}, Spec: spec,
	}))
}

func (w *world) target(target v1alpha1.Target) {
	w.Helper()
	prototype := &v1alpha1.AIPrototype{}
	w.must(w.client.Get(w.ctx(), client.ObjectKey{Namespace: identity.Namespace, Name: identity.Name}, prototype))
	prototype.Spec.Target = target
	w.must(w.client.Update(w.ctx(), prototype))
}

func (w *world) ends(s story) {
	w.Helper()
	w.unbroken()
	for ordinal, want := range s.steps {
		if got := w.step(identity.Record(ordinal)); got != want {
			w.Errorf("review %d: %q, want %q (%+v)", ordinal, got, want, w.promotion(identity.Record(ordinal)))
		}
		promoted := apimeta.IsStatusConditionTrue(w.review(identity.Record(ordinal)).Status.Conditions, v1alpha1.ConditionPromoted)
		if promoted != strings.HasPrefix(want, "Serving") {
			w.Errorf("review %d: Promoted %v while %s", ordinal, promoted, want)
		}
	}
	image := ""
	if d := w.deployment(); d != nil {
		image = d.Spec.Template.Spec.Containers[0].Image
	}
	if image != s.image {
		w.Errorf("serves %q, want %q", image, s.image)
	}
	memory := ""
	if namespace := w.namespace(); namespace != nil {
		memory = recall(namespace).String()
	}
	if memory != s.memory {
		w.Errorf("remembers %q, want %q", memory, s.memory)
	}
	w.nothingLeft()
}

// nothingLeft looks for policies, Secrets and pods of records that do not serve.
func (w *world) nothingLeft() {
	w.Helper()
	namespace := w.namespace()
	if namespace == nil {
		return
	}
	serves := reviewOfRecord(namespace.Annotations[v1alpha1.AnnotationRecord])
	for _, list := range []client.ObjectList{&networkingv1.NetworkPolicyList{}, &corev1.SecretList{}, &corev1.PodList{}} {
		w.must(w.client.List(w.ctx(), list, client.InNamespace(namespace.Name)))
		w.must(apimeta.EachListItem(list, func(o runtime.Object) error {
			if review := o.(client.Object).GetLabels()[v1alpha1.LabelReview]; review != "" && review != serves {
				w.Errorf("%s %s of review %s is left while %q serves", kindOf(o.(client.Object)), o.(client.Object).GetName(), review, serves)
			}
			return nil
		}))
	}
}

func TestStories(t *testing.T) {
	for name, s := range stories() {
		t.Run(name, func(t *testing.T) {
			w := s.arrange(t)
			w.settle()
			w.ends(s)
			writes := len(w.writes)
			w.restart()
			w.settle()
			if again := w.writes[writes:]; slices.ContainsFunc(again, func(s string) bool { return strings.HasPrefix(s, "apply") }) {
				t.Errorf("a restart without news reports again: %v", again)
			}
		})
	}
}

// TestKilled kills the operator after every single write of every story, and before the first.
func TestKilled(t *testing.T) {
	for name, s := range stories() {
		if s.like {
			continue
		}
		t.Run(name, func(t *testing.T) {
			for n := 0; ; n++ {
				w := s.arrange(t)
				w.killAfter = n
				killed := false
				for range 40 {
					before := len(w.writes)
					result, err := w.pass()
					if err != nil {
						killed = true
						break
					}
					if len(w.writes) == before && (result.RequeueAfter == 0 || result.RequeueAfter >= lookAgain) {
						break
					}
					w.now = w.now.Add(result.RequeueAfter)
				}
				if !killed && w.killAfter != 0 {
					if n < 3 {
						t.Fatalf("only %d writes: the story tells nothing", n)
					}
					return
				}
				w.killAfter = -1
				w.restart()
				w.settle()
				w.ends(s)
				if t.Failed() {
					t.Fatalf("killed after %d writes: %v", n, w.writes)
				}
			}
		})
	}
}

func TestTheOldOneServesUntilTheNewOneDoes(t *testing.T) {
	w, one := first(t)
	w.settle()
	two := recordOf(t, 2, digestB)
	w.add(two)
	seen := map[string]bool{}
	for range 20 {
		result, err := w.pass()
		w.must(err)
		seen[w.step(two.Name())] = true
		if w.step(two.Name()) == "Serving Promoted" {
			break
		}
		if got := w.step(one.Name()); got != "Serving Promoted" {
			t.Errorf("while the second is %s the first is %s", w.step(two.Name()), got)
		}
		w.now = w.now.Add(result.RequeueAfter)
	}
	for _, step := range []string{"RollingOut RollingOut", "Soaking Soaking", "Serving Promoted"} {
		if !seen[step] {
			t.Errorf("%s was never told; seen %v", step, seen)
		}
	}
	if got := w.promotion(two.Name()).PreviousRecord; got != one.Name() {
		t.Errorf("previous record %q", got)
	}
}

func TestSoakEndsExactly(t *testing.T) {
	w, r := first(t)
	for range 20 {
		result, err := w.pass()
		w.must(err)
		if w.step(r.Name()) == "Soaking Soaking" && result.RequeueAfter > 0 {
			since := recall(w.namespace()).SoakingSince
			if got, want := w.now.Add(result.RequeueAfter), since.Add(10*time.Second); !got.Equal(want) {
				t.Fatalf("looks again at %s, want %s", got, want)
			}
			return
		}
	}
	t.Fatal("never soaked")
}
