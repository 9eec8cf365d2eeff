package world

import (
	"fmt"
	"slices"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/internal/names"
	"github.com/affineur/affineur/internal/workload"
)

// said is a condition in a word or two, such as "True InReview"; "" for one that is absent.
func said(conditions []metav1.Condition, kind string) string {
	if c := apimeta.FindStatusCondition(conditions, kind); c != nil {
		return string(c.Status) + " " + c.Reason
	}
	return ""
}

// Condition of the prototype in a word or two, such as "True InReview".
func (w *World) Condition(kind string) string {
	w.Helper()
	if p := w.Prototype(); p != nil {
		return said(p.Status.Conditions, kind)
	}
	return ""
}

// Another prototype of the story's team; nil where it is gone.
func (w *World) Another(name string) *v1alpha1.AIPrototype {
	w.Helper()
	return get(w, &v1alpha1.AIPrototype{}, Team, name)
}

// Place of a prototype in its team's room: "has room", "2 of 3" in the queue, or "" where it wants none.
func (w *World) Place(name string) string {
	w.Helper()
	p := w.Another(name)
	switch {
	case p == nil || p.Status.Sandbox == nil:
	case p.Status.Sandbox.Queue != nil:
		return fmt.Sprintf("%d of %d", p.Status.Sandbox.Queue.Position, p.Status.Sandbox.Queue.Length)
	case p.Status.Sandbox.Room != nil:
		return "has room"
	}
	return ""
}

// Is ends the story where a condition of the prototype is not as it should be.
func (w *World) Is(kind, want string) {
	w.Helper()
	got := w.Condition(kind)
	w.Expect(got == want, "the prototype's %s is %q, want %q", kind, got, want)
}

// ReviewIs ends the story where a condition of a review is not as it should be.
func (w *World) ReviewIs(ordinal int, kind, want string) {
	w.Helper()
	review := w.Review(ordinal)
	w.Expect(review != nil, "there is no review %d", ordinal)
	got := said(review.Status.Conditions, kind)
	w.Expect(got == want, "review %d: %s is %q, want %q", ordinal, kind, got, want)
}

// Ends ends the story where a review has another outcome.
func (w *World) Ends(ordinal int, want v1alpha1.ReviewOutcome) {
	w.Helper()
	review := w.Review(ordinal)
	w.Expect(review != nil, "there is no review %d", ordinal)
	w.Expect(review.Status.Outcome == want, "review %d ended as %q, want %q", ordinal, review.Status.Outcome, want)
}

// Waits ends the story where the prototype waits for somebody else.
func (w *World) Waits(want string) {
	w.Helper()
	got := ""
	if summary := w.Prototype().Status.Summary; summary != nil {
		got = summary.WaitingOn
	}
	w.Expect(got == want, "the prototype waits for %q, want %q", got, want)
}

// Counts ends the story where the decisions of a person on a review are not counted like this, such as "No
// AuthorOfTheRevision, Yes", in the order of their making.
func (w *World) Counts(p Person, ordinal int, want string) {
	w.Helper()
	var got []string
	for _, d := range w.Review(ordinal).Status.Decisions {
		if d.By == p.Name {
			got = append(got, strings.TrimSpace(string(d.Counts)+" "+d.Why))
		}
	}
	w.Expect(strings.Join(got, ", ") == want, "decisions of %s count %q, want %q", p.Name, strings.Join(got, ", "), want)
}

// Gate is the verdict of a gate of a review, such as "Failed IntegrationBroken".
func (w *World) Gate(ordinal int, name string) string {
	review := w.Review(ordinal)
	if review == nil {
		return ""
	}
	at := slices.IndexFunc(review.Status.Gates, func(g v1alpha1.GateStatus) bool { return g.Name == name })
	if at < 0 {
		return ""
	}
	return string(review.Status.Gates[at].Verdict) + " " + review.Status.Gates[at].Reason
}

// identity of the story's prototype, also when it is gone.
func (w *World) identity() names.Identity {
	if p := w.Prototype(); p != nil {
		w.truth.identity = names.Of(p)
	}
	return w.truth.identity
}

// Sandbox is the name of the prototype's sandbox namespace.
func (w *World) Sandbox() string { return w.identity().Sandbox() }

// Production is the name of its production namespace.
func (w *World) Production() string { return w.identity().Production() }

// Rehearsal is the name of its rehearsal namespace.
func (w *World) Rehearsal() string { return w.identity().Rehearsal() }

// Runs is what runs in a namespace: the character of its image's digest; "" for nothing.
func (w *World) Runs(namespace string) string {
	d, ok := w.server.Find(deploymentKind, types.NamespacedName{Namespace: namespace, Name: workload.Name}).(*appsv1.Deployment)
	if !ok || ptr.Deref(d.Spec.Replicas, 1) == 0 {
		return ""
	}
	_, digest, _ := strings.Cut(d.Spec.Template.Spec.Containers[0].Image, "@sha256:")
	return digest[:1]
}

// RunsUnder is the RuntimeClass under which a namespace's workload runs; "" for the cluster's default, or nothing.
func (w *World) RunsUnder(namespace string) string {
	d, ok := w.server.Find(deploymentKind, types.NamespacedName{Namespace: namespace, Name: workload.Name}).(*appsv1.Deployment)
	if !ok {
		return ""
	}
	return ptr.Deref(d.Spec.Template.Spec.RuntimeClassName, "")
}

// Serving are the pods in production that answer with the given image.
func (w *World) Serving(image string) int {
	count := 0
	for _, object := range w.server.All(podKind) {
		pod := object.(*corev1.Pod)
		if pod.Namespace == w.Production() && ready(pod) && strings.HasSuffix(pod.Spec.Containers[0].Image, Digest(image)) {
			count++
		}
	}
	return count
}

// There tells whether a namespace is there.
func (w *World) There(namespace string) bool { return w.Namespace(namespace) != nil }

// Said of a review's condition.
func (w *World) Said(ordinal int, kind string) string {
	w.Helper()
	if review := w.Review(ordinal); review != nil {
		return said(review.Status.Conditions, kind)
	}
	return ""
}

// Decided tells whether anybody decided on a review.
func (w *World) Decided(ordinal int) bool {
	for _, object := range w.server.All(decisionKind) {
		if review := w.Review(ordinal); review != nil && object.(*v1alpha1.HardeningDecision).Spec.Review.UID == string(review.UID) {
			return true
		}
	}
	return false
}

// Series is what begins the names of measuring Jobs that are made anew as often as needed.
func (w *World) Series(gate, suffix string) string { return w.identity().Series(gate, suffix) }
