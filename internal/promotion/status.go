package promotion

import (
	"fmt"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/internal/evidence"
	"github.com/affineur/affineur/internal/workload"
)

// maxMessage is the longest message that a status holds.
const maxMessage = 1024

// View is what a review is to say about its promotion.
type View struct {
	Review *v1alpha1.HardeningReview
	// Promotion is nil for a review that ended without one.
	Promotion *v1alpha1.PromotionStatus
	Promoted  metav1.Condition
	// Changed means that the review says something else.
	Changed bool
	// Turned means that it is a step or a reason that people are told of.
	Turned bool
}

// Views are what every review of the prototype is to say after a pass. They follow from the namespace's memory; of
// what a review says already, only the fact that it is over is taken over.
func Views(s Snapshot, p Plan, o Outcome, now time.Time) []View {
	var out []View
	for _, review := range s.Reviews {
		view, ok := viewOf(s, p, o, review)
		if !ok {
			continue
		}
		view.Review = review
		view.Promoted.Type, view.Promoted.ObservedGeneration = v1alpha1.ConditionPromoted, review.Generation
		conditions := slices.Clone(review.Status.Conditions)
		view.Promoted.LastTransitionTime = metav1.NewTime(now.Truncate(time.Second))
		changed := apimeta.SetStatusCondition(&conditions, view.Promoted)
		view.Promoted = *apimeta.FindStatusCondition(conditions, v1alpha1.ConditionPromoted)
		view.Changed = changed || !equality.Semantic.DeepEqual(view.Promotion, review.Status.Promotion)
		view.Turned = turned(review.Status.Promotion, view.Promotion)
		out = append(out, view)
	}
	return out
}

// turned leaves out what only says that nothing happened yet.
func turned(before, after *v1alpha1.PromotionStatus) bool {
	switch {
	case after == nil || after.Reason == v1alpha1.ReasonNotApproved || after.Reason == v1alpha1.ReasonNotRequested:
		return false
	case before == nil:
		return true
	}
	return before.Step != after.Step || before.Reason != after.Reason
}

// viewOf is false for a review that has nothing new to say.
func viewOf(s Snapshot, p Plan, o Outcome, review *v1alpha1.HardeningReview) (View, bool) {
	name, m, prior := review.Spec.Record, o.Memory, review.Status.Promotion
	if s.Failed != nil && !heldUp(s, p, review) {
		return View{}, false
	}
	switch {
	case !s.Place.Exists && prior != nil && (prior.Step == v1alpha1.StepRetiring || (s.retired() && ran(prior.Step))):
		return view(retired(*prior, "Nothing of it runs in production any more. Its record stays.", v1alpha1.ReasonRetired)), true
	case name == m.Record:
		return view(current(s, p, o)), true
	case name == m.Fault.Record:
		return view(rolledBack(s, m)), true
	case name == m.Previous.Record && m.underWay():
		return view(serving(s, m.Previous.IntentAt, m.Previous.Since, "Serves in production while another revision takes its place.")), true
	case s.Candidate != nil && s.Candidate.Review == review:
		return candidate(s, p, o), true
	case prior == nil || prior.Step == v1alpha1.StepRolledBack || prior.Step == v1alpha1.StepRetired:
		return View{}, false
	case ran(prior.Step):
		return view(retired(*prior, "It no longer runs in production.", v1alpha1.ReasonSuperseded)), true
	}
	return View{Promoted: metav1.Condition{Status: metav1.ConditionFalse, Reason: reasonOf(review.Status.Outcome), Message: "The review ended before a promotion."}}, true
}

// heldUp tells whether something stands in the way of a review's promotion: where not everything could be read, nothing
// else is told.
func heldUp(s Snapshot, p Plan, review *v1alpha1.HardeningReview) bool {
	if review.Spec.Record == s.memory().Record {
		return p.Current != nil
	}
	return p.Candidate != nil && s.Candidate.Review == review && s.Candidate.Hinted
}

// ran means that something of it was in production.
func ran(step v1alpha1.PromotionStep) bool {
	return slices.Contains([]v1alpha1.PromotionStep{
		v1alpha1.StepRollingOut, v1alpha1.StepSoaking, v1alpha1.StepServing, v1alpha1.StepRetiring,
	}, step)
}

// reasonOf a review's end, as its promotion tells it.
func reasonOf(outcome v1alpha1.ReviewOutcome) string {
	switch outcome {
	case v1alpha1.OutcomeRejected:
		return v1alpha1.ReasonRejected
	case v1alpha1.OutcomeWithdrawn:
		return v1alpha1.ReasonWithdrawn
	}
	return v1alpha1.ReasonSuperseded
}

// view adds the condition that goes with a promotion's state.
func view(p v1alpha1.PromotionStatus) View {
	p.Message = evidence.Clean(p.Message, maxMessage)
	v := View{Promotion: &p, Promoted: metav1.Condition{Status: metav1.ConditionFalse, Reason: p.Reason, Message: p.Message}}
	if p.Step == v1alpha1.StepServing {
		v.Promoted.Status, v.Promoted.Reason = metav1.ConditionTrue, v1alpha1.ReasonPromoted
	}
	return v
}

// current is the record that is to serve.
func current(s Snapshot, p Plan, o Outcome) v1alpha1.PromotionStatus {
	m := o.Memory
	out := v1alpha1.PromotionStatus{
		Namespace: s.Name, URL: workload.URL(s.Name), IntentAt: seconds(m.IntentAt),
		PreviousRecord: m.Previous.Record, SoakingSince: seconds(m.SoakingSince), ServingSince: seconds(m.ServingSince),
	}
	switch {
	case m.Retiring || s.Place.Terminating:
		out.Step, out.Reason, out.Message = v1alpha1.StepRetiring, v1alpha1.ReasonRetiring, "Production is being taken down, pods first."
	case m.serving():
		out.Step, out.Reason, out.Message = v1alpha1.StepServing, v1alpha1.ReasonPromoted, "Serves in production."
	case m.soaking():
		out.Step, out.Reason = v1alpha1.StepSoaking, v1alpha1.ReasonSoaking
		out.Message = "Every replica is available. A restart or a pod that stops answering takes it back."
		if s.Current != nil {
			until := m.SoakingSince.Add(s.Current.Requirements.Soak())
			out.Message = fmt.Sprintf("Every replica is available; it is watched until %s. A restart or a pod that stops answering takes it back.",
				until.UTC().Format(time.RFC3339))
		}
	case s.released() || o.Released:
		out.Step, out.Reason, out.Message = v1alpha1.StepRollingOut, v1alpha1.ReasonRollingOut, "Its pods are starting in production."
		if m.Previous.Record != "" {
			out.Message += " Record " + m.Previous.Record + " serves until they have taken over."
		}
	default:
		out.Step, out.Reason, out.Message = v1alpha1.StepPreparing, v1alpha1.ReasonPreparingProduction, "Its namespace, policies and credentials in production are being made."
	}
	return hinder(out, nearest(o.Blocked, p.Current))
}

// candidate is the newest review before anything of it is in production. Its promotion begins when nothing but the
// operator, or what the operator needs, is in the way: until then there is none to tell of.
func candidate(s Snapshot, p Plan, o Outcome) View {
	b := p.Candidate
	switch {
	case b != nil && (b.Reason == v1alpha1.ReasonNotApproved || b.Reason == v1alpha1.ReasonNotRequested):
		return unbegun(*b)
	case b != nil && !s.Candidate.Hinted:
		return unbegun(unapproved)
	}
	return view(preparing(p, o))
}

// unbegun says why there is no promotion.
func unbegun(b Blocker) View {
	return View{Promoted: metav1.Condition{
		Status: metav1.ConditionFalse, Reason: b.Reason, Message: evidence.Clean(b.Message, maxMessage),
	}}
}

func preparing(p Plan, o Outcome) v1alpha1.PromotionStatus {
	out := v1alpha1.PromotionStatus{
		Step: v1alpha1.StepPreparing, Reason: v1alpha1.ReasonPreparingProduction,
		Message: "Its namespace, policies and credentials in production are being made.",
	}
	return hinder(out, nearest(o.Blocked, p.Candidate))
}

// hinder says what is in the way, if anything is.
func hinder(p v1alpha1.PromotionStatus, b *Blocker) v1alpha1.PromotionStatus {
	if b != nil {
		p.Reason, p.Message = b.Reason, b.Message
	}
	return p
}

// nearest of what came in the way of a plan and what the plan says is. An emergency stop comes first, with the other.
func nearest(acting, planned *Blocker) *Blocker {
	switch {
	case acting == nil:
		return planned
	case planned == nil || planned.Reason != v1alpha1.ReasonEmergencyStop:
		return acting
	}
	return &Blocker{planned.Reason, planned.Message + " Besides: " + acting.Message}
}

func serving(s Snapshot, intent, since time.Time, message string) v1alpha1.PromotionStatus {
	return v1alpha1.PromotionStatus{
		Step: v1alpha1.StepServing, Namespace: s.Name, URL: workload.URL(s.Name), IntentAt: seconds(intent),
		ServingSince: seconds(since), Reason: v1alpha1.ReasonPromoted, Message: message,
	}
}

func rolledBack(s Snapshot, m Memory) v1alpha1.PromotionStatus {
	f, then := m.Fault, " Nothing serves in its place."
	if f.Previous != "" {
		then = " Record " + f.Previous + " serves again."
	}
	return v1alpha1.PromotionStatus{
		Step: v1alpha1.StepRolledBack, Namespace: s.Name, IntentAt: seconds(f.IntentAt), PreviousRecord: f.Previous,
		Reason: f.Reason, Message: f.Message + then + onward(f.Reason),
	}
}

// onward is what brings a revision that was taken back on its way again.
func onward(reason string) string {
	switch reason {
	case v1alpha1.ReasonApprovalRevoked:
		return " The team clears it up with the role, then asks for another review or changes the prototype."
	case v1alpha1.ReasonWithdrawn, v1alpha1.ReasonSuperseded:
		return ""
	case v1alpha1.ReasonModelChanged, v1alpha1.ReasonFingerprintChanged, v1alpha1.ReasonResultsChanged:
		return " IT finds out with whoever runs the gateway; then the team asks for another review, with kubectl affineur promote."
	}
	return " The team mends it; the mended revision gets a review of its own."
}

func retired(prior v1alpha1.PromotionStatus, message, reason string) v1alpha1.PromotionStatus {
	return v1alpha1.PromotionStatus{
		Step: v1alpha1.StepRetired, IntentAt: prior.IntentAt, PreviousRecord: prior.PreviousRecord,
		SoakingSince: prior.SoakingSince, ServingSince: prior.ServingSince, Reason: reason, Message: message,
	}
}

// seconds is a time as the API server keeps it, nil for the zero time.
func seconds(t time.Time) *metav1.Time {
	if t.IsZero() {
		return nil
	}
	out := metav1.NewTime(t.Truncate(time.Second))
	return &out
}
