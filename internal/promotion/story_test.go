package promotion

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/internal/guard"
	"github.com/affineur/affineur/internal/record"
	"github.com/affineur/affineur/internal/workload"
)

const reviewer = "security-reviewer@example.org"

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

// story is a situation with the one end that it must come to, however often the operator is killed on the way.
type story struct {
	// arrange makes the world as it is when the story begins.
	arrange func(t *testing.T) *world
	// steps of every record's review, what serves and what is remembered, at the end.
	steps  map[int]string
	image  string
	memory string
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
		"retired": {
			arrange: func(t *testing.T) *world {
				w, _ := first(t)
				w.settle()
				w.target(v1alpha1.TargetRetired)
				return w
			},
			steps: map[int]string{1: "Retired Retired"},
		},
	}
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

func TestNotPermitted(t *testing.T) {
	for name, test := range map[string]struct {
		change  func(w *world, r record.Record)
		reason  string
		message string
	}{
		"guards out of place": {
			change: func(w *world, _ record.Record) { w.guards = guard.State{Message: "Policy x differs.", LastGood: start} },
			reason: v1alpha1.ReasonGuardsNotInPlace, message: "Policy x differs.",
		},
		"a gate failed": {
			change: func(w *world, _ record.Record) { w.gates = Check{Why: "Gate security failed."} },
			reason: v1alpha1.ReasonNotApproved, message: "Gate security failed.",
		},
		"no approval": {
			change: func(w *world, r record.Record) { w.must(w.client.Delete(w.ctx(), approval(r, reviewer))) },
			reason: v1alpha1.ReasonNotApproved, message: "security (0 of 1)",
		},
		"approved by an author": {
			change: func(w *world, r record.Record) {
				w.must(w.client.Delete(w.ctx(), approval(r, reviewer)))
				w.must(w.client.Create(w.ctx(), approval(r, "owner@example.org")))
			},
			reason: v1alpha1.ReasonNotApproved, message: "security (0 of 1)",
		},
		"approved while the guards were out": {
			change: func(w *world, _ record.Record) {
				w.guards.Gaps = []guard.Gap{{From: start, To: start.Add(30 * time.Minute)}}
			},
			reason: v1alpha1.ReasonNotApproved, message: "security (0 of 1)",
		},
		"the status claims nothing": {
			change: func(w *world, r record.Record) {
				review := w.review(r.Name())
				review.Status.Conditions = nil
				w.must(w.client.Status().Update(w.ctx(), review))
			},
			reason: v1alpha1.ReasonNotApproved, message: "every role approved",
		},
		"the record is gone": {
			change: func(w *world, r record.Record) { w.must(w.client.Delete(w.ctx(), object(w.T, r))) },
			reason: v1alpha1.ReasonRecordMissing, message: "is not there",
		},
		"the record was swapped": {
			change: func(w *world, r record.Record) {
				w.must(w.client.Delete(w.ctx(), object(w.T, r)))
				w.must(w.client.Create(w.ctx(), object(w.T, recordOf(w.T, 1, digestB))))
			},
			reason: v1alpha1.ReasonRecordMissing, message: "speaks of something else",
		},
		"the team changed its mind": {
			change: func(w *world, _ record.Record) { w.target(v1alpha1.TargetSandbox) },
			reason: v1alpha1.ReasonNotRequested, message: "no longer asks",
		},
		"the prototype is another": {
			change: func(w *world, _ record.Record) {
				w.must(w.client.Delete(w.ctx(), prototypeOf(v1alpha1.TargetProduction)))
				other := prototypeOf(v1alpha1.TargetProduction)
				other.UID = "another"
				w.must(w.client.Create(w.ctx(), other))
			},
			reason: v1alpha1.ReasonNotRequested, message: "gone",
		},
	} {
		t.Run(name, func(t *testing.T) {
			w, r := first(t)
			test.change(w, r)
			w.settle()
			w.unbroken()
			p := w.promotion(r.Name())
			if p == nil || p.Step != v1alpha1.StepPreparing || p.Reason != test.reason || !strings.Contains(p.Message, test.message) {
				t.Errorf("says %+v", p)
			}
			if w.namespace() != nil || w.deployment() != nil {
				t.Errorf("something was made: %v", w.writes)
			}
			writes := len(w.writes)
			w.settle()
			if len(w.writes) != writes {
				t.Errorf("writes again without news: %v", w.writes[writes:])
			}
		})
	}
}

// TestWithdrawnIntent: between the recorded intent and the Deployment, everything is looked at once more.
func TestWithdrawnIntent(t *testing.T) {
	w, r := first(t)
	for w.namespace() == nil || w.namespace().Annotations[v1alpha1.AnnotationRecord] == "" {
		_, err := w.pass()
		w.must(err)
	}
	w.must(w.client.Delete(w.ctx(), approval(r, reviewer)))
	w.settle()
	w.unbroken()
	if w.deployment() != nil {
		t.Error("released without approval")
	}
	if got := w.step(r.Name()); got != "Preparing NotApproved" {
		t.Errorf("says %s", got)
	}
	if got := w.namespace().Annotations[v1alpha1.AnnotationRecord]; got != "" {
		t.Errorf("still intends %s", got)
	}
}

func TestFaultsAreTold(t *testing.T) {
	w, r := first(t)
	w.bad[digestA] = true
	w.settle()
	p := w.promotion(r.Name())
	if !strings.Contains(p.Message, "exit code 3 (Error)") || !strings.Contains(p.Message, "Nothing serves") {
		t.Errorf("message %q", p.Message)
	}
	if strings.Contains(p.Message, "secret words") {
		t.Errorf("quotes the program: %q", p.Message)
	}
	if !w.event("CrashLooping") {
		t.Error("no event names the cause")
	}
}

// event tells whether one with the reason was recorded; it takes all that are there.
func (w *world) event(reason string) bool {
	found := false
	for {
		select {
		case e := <-w.recorder.Events:
			found = found || strings.Contains(e, reason)
		default:
			return found
		}
	}
}

func TestDrift(t *testing.T) {
	at := client.ObjectKey{Namespace: identity.Production(), Name: workload.Name}
	named := func(name string) client.ObjectKey {
		return client.ObjectKey{Namespace: identity.Production(), Name: name}
	}
	for name, test := range map[string]struct {
		key    client.ObjectKey
		object client.Object
		change func(o client.Object)
		holds  func(o client.Object) bool
	}{
		"image": {at, &appsv1.Deployment{},
			func(o client.Object) { o.(*appsv1.Deployment).Spec.Template.Spec.Containers[0].Image = digestB },
			func(o client.Object) bool {
				return o.(*appsv1.Deployment).Spec.Template.Spec.Containers[0].Image == digestA
			}},
		"stopped": {at, &appsv1.Deployment{},
			func(o client.Object) { o.(*appsv1.Deployment).Spec.Replicas = ptr.To[int32](0) },
			func(o client.Object) bool { return *o.(*appsv1.Deployment).Spec.Replicas == 2 }},
		"deployment": {at, &appsv1.Deployment{}, nil, nil},
		"autoscaler": {at, &autoscalingv2.HorizontalPodAutoscaler{},
			func(o client.Object) { o.(*autoscalingv2.HorizontalPodAutoscaler).Spec.MaxReplicas = 400 },
			func(o client.Object) bool { return o.(*autoscalingv2.HorizontalPodAutoscaler).Spec.MaxReplicas == 4 }},
		"budget":       {at, &policyv1.PodDisruptionBudget{}, nil, nil},
		"service":      {at, &corev1.Service{}, func(o client.Object) { o.(*corev1.Service).Spec.Selector = nil }, func(o client.Object) bool { return len(o.(*corev1.Service).Spec.Selector) == 2 }},
		"service gone": {at, &corev1.Service{}, nil, nil},
		"account":      {at, &corev1.ServiceAccount{}, nil, nil},
		"deny all":     {named("deny-all"), &networkingv1.NetworkPolicy{}, nil, nil},
		"egress": {named("allow-catalogue-1"), &networkingv1.NetworkPolicy{},
			func(o client.Object) {
				o.(*networkingv1.NetworkPolicy).Spec.Egress = []networkingv1.NetworkPolicyEgressRule{{}}
			},
			func(o client.Object) bool { return len(o.(*networkingv1.NetworkPolicy).Spec.Egress[0].Ports) == 2 }},
		"callers": {named("allow-callers-1"), &networkingv1.NetworkPolicy{}, nil, nil},
		"quota":   {named("room"), &corev1.ResourceQuota{}, nil, nil},
		"limits":  {named("room"), &corev1.LimitRange{}, nil, nil},
		"rights":  {named("affineur-operator"), &rbacv1.RoleBinding{}, nil, nil},
	} {
		t.Run(name, func(t *testing.T) {
			w, _ := first(t)
			w.settle()
			w.event("")
			w.must(w.client.Get(w.ctx(), test.key, test.object))
			if test.change == nil {
				w.must(w.client.Delete(w.ctx(), test.object))
			} else {
				test.change(test.object)
				w.must(w.client.Update(w.ctx(), test.object))
			}
			w.settle()
			w.unbroken()
			w.must(w.client.Get(w.ctx(), test.key, test.object))
			if test.holds != nil && !test.holds(test.object) {
				t.Errorf("not put back: %+v", test.object)
			}
			told := 0
			for len(w.recorder.Events) > 0 {
				if strings.Contains(<-w.recorder.Events, v1alpha1.ReasonDrift) {
					told++
				}
			}
			if told != 1 {
				t.Errorf("told %d times", told)
			}
		})
	}
}

// TestOrphan: the team's namespace goes, and production keeps serving, also through a restart and drift.
func TestOrphan(t *testing.T) {
	w, r := first(t)
	w.settle()
	w.must(w.client.Delete(w.ctx(), w.review(r.Name())))
	w.must(w.client.Delete(w.ctx(), prototypeOf(v1alpha1.TargetProduction)))
	w.settle()
	if got := w.namespace().Labels[v1alpha1.LabelOrphaned]; got != "true" {
		t.Errorf("marked %q", got)
	}
	if !w.event(v1alpha1.ReasonOrphaned) {
		t.Error("nobody was told")
	}
	w.restart()
	w.must(w.client.Delete(w.ctx(), w.deployment()))
	w.settle()
	w.unbroken()
	if d := w.deployment(); d == nil || d.Spec.Template.Spec.Containers[0].Image != digestA {
		t.Errorf("does not serve: %+v", d)
	}
	if w.event(v1alpha1.ReasonOrphaned) {
		t.Error("told twice")
	}
}

// TestRetiredForGood: a retirement ends even if the prototype is gone meanwhile, and pods go before policies.
func TestRetiredForGood(t *testing.T) {
	w, r := first(t)
	w.settle()
	w.target(v1alpha1.TargetRetired)
	for !recall(w.namespace()).Retiring {
		_, err := w.pass()
		w.must(err)
	}
	if got := w.step(r.Name()); got != "Retiring Retiring" {
		t.Errorf("says %s", got)
	}
	w.must(w.client.Delete(w.ctx(), w.review(r.Name())))
	prototype := prototypeOf(v1alpha1.TargetRetired)
	w.must(w.client.Delete(w.ctx(), prototype))
	w.settle()
	if w.namespace() != nil {
		t.Error("the namespace is still there")
	}
	stopped := slices.Index(w.writes, "delete Deployment "+workload.Name)
	gone := slices.Index(w.writes, "delete Namespace "+identity.Production())
	if stopped < 0 || gone < stopped {
		t.Errorf("order: %v", w.writes)
	}
	var kept appsv1.ControllerRevision
	w.must(w.client.Get(w.ctx(), client.ObjectKey{Namespace: v1alpha1.RecordsNamespace, Name: r.Name()}, &kept))
}

// TestRetiredStaysRetired: asking for production again takes a new review.
func TestRetiredStaysRetired(t *testing.T) {
	w, r := first(t)
	w.settle()
	w.target(v1alpha1.TargetRetired)
	w.settle()
	w.target(v1alpha1.TargetProduction)
	w.settle()
	if w.deployment() != nil || w.step(r.Name()) != "Retired Retired" {
		t.Errorf("came back: %s", w.step(r.Name()))
	}
}

func TestRecordDestroyed(t *testing.T) {
	w, r := first(t)
	w.settle()
	w.must(w.client.Delete(w.ctx(), object(t, r)))
	w.restart()
	writes := len(w.writes)
	w.settle()
	if w.deployment() == nil {
		t.Error("production went with its record")
	}
	if p := w.promotion(r.Name()); p.Step != v1alpha1.StepServing || p.Reason != v1alpha1.ReasonRecordMissing {
		t.Errorf("says %+v after %v", p, w.writes[writes:])
	}
}

func withPullSecret(r *record.Record) {
	r.Requirements.Registry = v1alpha1.Registry{Prefix: "registry.example.org/", PullSecret: &v1alpha1.LocalName{Name: "registry-pull"}}
}

func pullSecret(token string) *corev1.Secret {
	return &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: v1alpha1.SystemNamespace, Name: "registry-pull"},
		Data:       map[string][]byte{corev1.DockerConfigJsonKey: []byte(token)},
	}
}

func TestCredentials(t *testing.T) {
	w, r := first(t, withPullSecret)
	w.settle()
	if p := w.promotion(r.Name()); p.Reason != v1alpha1.ReasonCredentialMissing || !strings.Contains(p.Message, "registry-pull") {
		t.Fatalf("says %+v", p)
	}
	if w.namespace() != nil {
		t.Error("a namespace was made before anything could run in it")
	}
	w.must(w.client.Create(w.ctx(), pullSecret("one")))
	w.settle()
	if got := w.step(r.Name()); got != "Serving Promoted" {
		t.Fatalf("says %s", got)
	}
	own := client.ObjectKey{Namespace: identity.Production(), Name: workload.PullSecret + "-1"}
	if got := w.deployment().Spec.Template.Spec.ImagePullSecrets[0].Name; got != own.Name {
		t.Errorf("pods pull with %s", got)
	}
	before := w.deployment().Spec.Template.Annotations[workload.AnnotationSecrets]

	rotated := pullSecret("two")
	w.must(w.client.Update(w.ctx(), rotated))
	w.event("")
	w.now = w.now.Add(credentialsFresh)
	w.settle()
	var secret corev1.Secret
	w.must(w.client.Get(w.ctx(), own, &secret))
	if string(secret.Data[corev1.DockerConfigJsonKey]) != "two" || w.deployment().Spec.Template.Annotations[workload.AnnotationSecrets] == before {
		t.Error("the rotated Secret did not arrive")
	}
	if w.event(v1alpha1.ReasonDrift) {
		t.Error("a rotation was told as drift")
	}

	after := w.deployment().Spec.Template.Annotations[workload.AnnotationSecrets]
	w.must(w.client.Delete(w.ctx(), rotated))
	w.now = w.now.Add(credentialsFresh)
	w.settle()
	if p := w.promotion(r.Name()); p.Step != v1alpha1.StepServing || p.Reason != v1alpha1.ReasonCredentialMissing {
		t.Errorf("says %+v", p)
	}
	if w.deployment().Spec.Template.Annotations[workload.AnnotationSecrets] != after {
		t.Error("pods were rolled because a source is missing")
	}
}

// TestQuiet: a pass without news writes nothing.
func TestQuiet(t *testing.T) {
	w, _ := first(t)
	w.settle()
	writes := len(w.writes)
	for range 5 {
		_, err := w.pass()
		w.must(err)
	}
	if len(w.writes) != writes {
		t.Errorf("wrote %v", w.writes[writes:])
	}
}

// TestForeignNamespace: a namespace of the right name that is not the prototype's is never written to.
func TestForeignNamespace(t *testing.T) {
	w, r := first(t)
	w.must(w.client.Create(w.ctx(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: identity.Production()}}))
	w.settle()
	if got := w.step(r.Name()); got != "Preparing NamespaceConflict" {
		t.Errorf("says %s", got)
	}
	if len(w.namespace().Annotations) > 0 || w.deployment() != nil {
		t.Errorf("wrote into it: %v", w.writes)
	}
}

// TestForeignObject: a squatter inside is a named conflict that is looked at again.
func TestForeignObject(t *testing.T) {
	w, r := first(t)
	w.must(w.client.Create(w.ctx(), &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Namespace: identity.Production(), Name: workload.Name},
		Spec:       corev1.ServiceSpec{Ports: []corev1.ServicePort{{Port: 80, TargetPort: intstr.FromInt32(80)}}},
	}))
	w.settle()
	if got := w.step(r.Name()); got != "Preparing ObjectConflict" {
		t.Errorf("says %s", got)
	}
	if w.deployment() != nil {
		t.Error("released next to a squatter")
	}
}

// TestOthersFieldsStay: the one block and the one condition are all that is written into a review.
func TestOthersFieldsStay(t *testing.T) {
	w, r := first(t)
	review := w.review(r.Name())
	review.Status.Summary = &v1alpha1.Summary{Gates: "3/3"}
	w.must(w.client.Status().Update(w.ctx(), review))
	w.settle()
	got := w.review(r.Name()).Status
	if got.Summary == nil || got.Summary.Gates != "3/3" || !apimeta.IsStatusConditionTrue(got.Conditions, v1alpha1.ConditionApproved) {
		t.Errorf("others' fields: %+v", got)
	}
	if c := apimeta.FindStatusCondition(got.Conditions, v1alpha1.ConditionPromoted); c == nil || c.ObservedGeneration != 1 {
		t.Errorf("condition %+v", c)
	}
}

// TestOneAtATime: the next review waits until the one under way is settled.
func TestOneAtATime(t *testing.T) {
	w, one := first(t)
	for w.step(one.Name()) != "Soaking Soaking" {
		_, err := w.pass()
		w.must(err)
	}
	two := recordOf(t, 2, digestB)
	w.add(two)
	w.now = w.now.Add(-time.Minute)
	_, err := w.pass()
	w.must(err)
	if got := w.step(two.Name()); got != "Preparing AnotherUnderWay" {
		t.Errorf("the second says %s", got)
	}
	w.now = w.now.Add(time.Minute)
	w.settle()
	w.unbroken()
	if got := fmt.Sprint(w.step(one.Name()), ", ", w.step(two.Name())); got != "Retired Superseded, Serving Promoted" {
		t.Errorf("ends with %s", got)
	}
}

// TestRolledBackIsRemembered: what failed is not tried again, even if every view of it was lost.
func TestRolledBackIsRemembered(t *testing.T) {
	w, r := first(t)
	w.bad[digestA] = true
	w.settle()
	review := w.review(r.Name())
	review.Status.Promotion = nil
	w.must(w.client.Status().Update(w.ctx(), review))
	w.bad[digestA] = false
	w.settle()
	if w.deployment() != nil || w.step(r.Name()) != "RolledBack CrashLooping" {
		t.Errorf("says %s", w.step(r.Name()))
	}
}
