package world

import (
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	nodev1 "k8s.io/api/node/v1"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/internal/run"
	"github.com/affineur/affineur/test/lifecycle/server"
)

// Person acts under a name and with groups that the API server knows.
type Person struct {
	Name   string
	Groups []string
}

// The people of the stories, by their roles.
var (
	Lead       = Person{"membership-lead@example.org", []string{"team-membership"}}
	Colleague  = Person{"membership-colleague@example.org", []string{"team-membership", "it-security", "it-operations"}}
	Security   = Person{"security-reviewer@example.org", []string{"it-security"}}
	Deputy     = Person{"security-deputy@example.org", []string{"it-security"}}
	Operations = Person{"operations-reviewer@example.org", []string{"it-operations"}}
	Both       = Person{"it-lead@example.org", []string{"it-security", "it-operations"}}
	Outsider   = Person{"finance-lead@example.org", []string{"team-finance"}}
	// Pipeline is no person, and applies what people wrote that nobody here knows.
	Pipeline = Person{"system:serviceaccount:argocd:syncer", []string{"system:serviceaccounts"}}
)

var people = map[string]Person{}

func init() {
	for _, p := range []Person{Lead, Colleague, Security, Deputy, Operations, Both, Outsider, Pipeline} {
		people[p.Name] = p
	}
}

// The prototype of every story.
const (
	Team = "membership"
	Name = "churn-advisor"
)

// Creates the prototype of the story.
func (w *World) Creates(p Person, prototype *v1alpha1.AIPrototype) {
	w.Helper()
	w.Must(w.as(p.Name).Create(w.context(), prototype))
}

// Prototype as it is; nil where it is gone.
func (w *World) Prototype() *v1alpha1.AIPrototype {
	w.Helper()
	return get(w, &v1alpha1.AIPrototype{}, Team, Name)
}

// Edits the prototype.
func (w *World) Edits(p Person, change func(*v1alpha1.AIPrototype)) {
	w.Helper()
	prototype := w.Prototype()
	change(prototype)
	w.Must(w.as(p.Name).Update(w.context(), prototype))
}

// Wants another target.
func (w *World) Wants(p Person, target v1alpha1.Target) {
	w.Helper()
	w.Edits(p, func(prototype *v1alpha1.AIPrototype) { prototype.Spec.Target = target })
}

// AsksAgain for another look.
func (w *World) AsksAgain(p Person) {
	w.Helper()
	// A request is heard if it is later than what it asks to be looked at again.
	w.clock = w.clock.Add(2 * time.Second)
	w.Edits(p, func(prototype *v1alpha1.AIPrototype) {
		if prototype.Annotations == nil {
			prototype.Annotations = map[string]string{}
		}
		prototype.Annotations[v1alpha1.AnnotationRequestedAt] = w.clock.UTC().Format(time.RFC3339)
	})
}

// Deletes the prototype; an error is what the API server refuses it with.
func (w *World) Deletes(p Person) error {
	w.Helper()
	return w.as(p.Name).Delete(w.context(), w.Prototype())
}

// Review of the given ordinal; nil where it is absent.
func (w *World) Review(ordinal int) *v1alpha1.HardeningReview {
	w.Helper()
	return get(w, &v1alpha1.HardeningReview{}, Team, fmt.Sprintf("%s-%d", Name, ordinal))
}

// Decides on a review; changes are made to the decision before it is sent.
func (w *World) Decides(p Person, ordinal int, role string, verdict v1alpha1.DecisionVerdict, changes ...func(*v1alpha1.HardeningDecision)) {
	w.Helper()
	review := w.Review(ordinal)
	w.Expect(review != nil, "there is no review %d to decide on", ordinal)
	// The server's time has whole seconds: a decision of the second in which a review opened comes after it.
	w.clock = w.clock.Add(time.Second)
	decision := &v1alpha1.HardeningDecision{
		ObjectMeta: metav1.ObjectMeta{Namespace: Team, GenerateName: fmt.Sprintf("%s-%s-%s-", review.Name, role, strings.ToLower(string(verdict)))},
		Spec: v1alpha1.HardeningDecisionSpec{
			Review:       v1alpha1.ObjectIdentity{Name: review.Name, UID: string(review.UID)},
			ReviewDigest: review.Spec.ReviewDigest, Role: role, Verdict: verdict, Reason: "Looked at it.",
		},
	}
	if verdict == v1alpha1.VerdictReject {
		decision.Spec.Reject = &v1alpha1.Rejection{ApproveWhen: "it answers in French"}
	}
	for _, change := range changes {
		change(decision)
	}
	w.Must(w.as(p.Name).Create(w.context(), decision))
}

// act is what somebody is going to do.
type act struct {
	at time.Time
	do func()
}

// Soon lets somebody do something at a time, or within a while after it, in the middle of whatever happens then.
func (w *World) Soon(at time.Time, within time.Duration, do func()) {
	w.Helper()
	w.acts = append(w.acts, act{at.Add(w.jitter(within)), do})
}

func (w *World) perform(i int) {
	do := w.acts[i].do
	w.acts = slices.Delete(w.acts, i, i+1)
	do()
}

// AsWritten is a decision as it comes in while nothing stamps it: it says what whoever sent it wrote.
func (p Person) AsWritten(d *v1alpha1.HardeningDecision) { d.Spec.By, d.Spec.Groups = p.Name, p.Groups }

// Annotates a namespace, as an administrator.
func (w *World) Annotates(name, key, value string) {
	w.Helper()
	namespace := w.Namespace(name)
	namespace.Annotations[key] = value
	w.Must(w.as(platform).Update(w.context(), namespace))
}

// Approve as both roles that are asked, by those who may.
func (w *World) Approve(ordinal int) {
	w.Helper()
	w.Decides(Security, ordinal, "security", v1alpha1.VerdictApprove)
	w.Decides(Operations, ordinal, "operations", v1alpha1.VerdictApprove)
}

// Forges the status of a review, as somebody with rights on it can: every gate passed, and everybody approved. For a
// while the operator does not get to put it right, and is not to go by it meanwhile.
func (w *World) Forges(ordinal int) {
	w.Helper()
	review := w.Review(ordinal)
	for _, kind := range forged {
		apimeta.SetStatusCondition(&review.Status.Conditions, metav1.Condition{
			Type: kind, Status: metav1.ConditionTrue, Reason: "Forged", Message: "forged", ObservedGeneration: review.Generation,
			LastTransitionTime: w.stamp(),
		})
	}
	for i := range review.Status.Gates {
		review.Status.Gates[i].Verdict = v1alpha1.GatePassed
	}
	w.Must(w.as("somebody").Status().Update(w.context(), review))
	w.forging = true
	w.Pass(time.Minute)
	w.forging = false
}

// forged are the conditions on which a promotion could be led to act.
var forged = []string{v1alpha1.ConditionGatesPassed, v1alpha1.ConditionApproved}

// holdsForgery refuses to put a forged status right while it is forged.
func (w *World) holdsForgery(request *server.Request) error {
	review, is := request.After.(*v1alpha1.HardeningReview)
	if !w.forging || !is || request.Verb != server.Status {
		return nil
	}
	for _, kind := range forged {
		if !apimeta.IsStatusConditionTrue(review.Status.Conditions, kind) {
			return refused("somebody holds the status")
		}
	}
	return nil
}

// EditsPolicy as whoever owns it.
func (w *World) EditsPolicy(change func(*v1alpha1.HardeningPolicy)) {
	w.Helper()
	policy := get(w, &v1alpha1.HardeningPolicy{}, "", "organisation")
	change(policy)
	w.Must(w.as(platform).Update(w.context(), policy))
}

// DropsNamespace deletes a namespace, as an administrator.
func (w *World) DropsNamespace(name string) {
	w.Helper()
	w.Must(w.as(platform).Delete(w.context(), w.Namespace(name)))
}

// Installs a container runtime.
func (w *World) Installs(runtime string) {
	w.Helper()
	w.Must(w.as(platform).Create(w.context(), &nodev1.RuntimeClass{ObjectMeta: metav1.ObjectMeta{Name: runtime}, Handler: runtime}))
}

// Uninstalls a container runtime.
func (w *World) Uninstalls(runtime string) {
	w.Helper()
	w.Must(w.as(platform).Delete(w.context(), &nodev1.RuntimeClass{ObjectMeta: metav1.ObjectMeta{Name: runtime}}))
}

// Pushes another image under a tag of the story's repository.
func (w *World) Pushes(tag, digest string) { w.Tags[Repository+":"+tag] = digest }

// Exists tells whether an object is there.
func (w *World) Exists(object client.Object, namespace, name string) bool {
	w.Helper()
	return w.as(platform).Get(w.context(), client.ObjectKey{Namespace: namespace, Name: name}, object) == nil
}

// Measures tells whether a run of a series is there.
func (w *World) Measures(namespace, series string) bool {
	w.Helper()
	jobs, err := run.Attempts(w.context(), w.as(platform), w.identity(), client.ObjectKey{Namespace: namespace, Name: series})
	w.Must(err)
	return len(jobs) > 0
}

// Destroys an object, as an administrator can.
func (w *World) Destroys(object client.Object) {
	w.Helper()
	w.Must(w.as(cleaner).Delete(w.context(), object))
}

// closing is the network policy that closes a namespace.
const closing = "deny-all"

// Tampers with a managed namespace, as an administrator can who takes the guards away for it: what closes it goes.
func (w *World) Tampers(namespace string) {
	w.Helper()
	w.Destroys(get(w, &networkingv1.NetworkPolicy{}, namespace, closing))
}

// Closed tells whether what closes a namespace is there.
func (w *World) Closed(namespace string) bool {
	w.Helper()
	return w.Exists(&networkingv1.NetworkPolicy{}, namespace, closing)
}

// Stops everything in a scope, as a responder.
func (w *World) Stops(p Person, name string, action v1alpha1.StopAction, scope v1alpha1.StopScope) {
	w.Helper()
	w.addressed()
	w.Must(w.as(p.Name).Create(w.context(), &v1alpha1.EmergencyStop{
		ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: v1alpha1.EmergencyStopSpec{Scope: scope, Action: action, Reason: "It leaks."},
	}))
}

// Lifts a stop, as another responder.
func (w *World) Lifts(p Person, name string) {
	w.Helper()
	stop := get(w, &v1alpha1.EmergencyStop{}, "", name)
	stop.Spec.Lifted = &v1alpha1.Lift{Reason: "It is mended."}
	w.Must(w.as(p.Name).Update(w.context(), stop))
}

// Stopped is how far a stop has come, as its status tells.
func (w *World) Stopped(name string) string {
	w.Helper()
	return get(w, &v1alpha1.EmergencyStop{}, "", name).Status.Summary
}

// Reaches tells whether any pod of the workload in a namespace could reach one of IT's systems now.
func (w *World) Reaches(namespace, system string) bool {
	for _, object := range w.server.All(podKind) {
		pod := object.(*corev1.Pod)
		if pod.Namespace == namespace && pod.Labels[v1alpha1.LabelGate] == "" && w.reaches(pod, systems[system]+":443") {
			return true
		}
	}
	return false
}

// Alive is how many pods there are in a namespace.
func (w *World) Alive(namespace string) int {
	n := 0
	for _, object := range w.server.All(podKind) {
		if object.GetNamespace() == namespace {
			n++
		}
	}
	return n
}
