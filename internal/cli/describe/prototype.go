package describe

import (
	"fmt"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/affineur/affineur/api/v1alpha1"
)

// View is a prototype and its newest review as they were read together.
type View struct {
	Prototype *v1alpha1.AIPrototype
	// Review is nil where there is none, or where the reader may not see it.
	Review *v1alpha1.HardeningReview
	// Hidden tells that there is a review and the reader may not see it: only what the prototype repeats is shown.
	Hidden bool
}

// AnnotationMessage is Kubernetes' own name for why an object was changed, so that kubectl shows it too.
const AnnotationMessage = "kubernetes.io/change-cause"

// Prototype says where a prototype is, what is missing, whose turn it is and what to do next.
func Prototype(view View, now time.Time, paint Paint) string {
	p := &page{paint: paint}
	about(p, view.Prototype)
	asked(p, view.Prototype)
	sandbox(p, view.Prototype, now)
	pilots(p, view.Prototype)
	data(p, view.Prototype)
	answers(p, view.Prototype)
	production(p, view, now)
	isolation(p, view.Prototype)
	gaps(p, view.Prototype.Status.Gaps)
	prototypeGates(p, view, now)
	turns(p, view.Prototype.Status.WaitingOn, now)
	p.section("What to do next")
	p.steps(Next(view))
	return p.String()
}

func about(p *page, prototype *v1alpha1.AIPrototype) {
	p.field("Prototype", say("%s/%s", prototype.Namespace, prototype.Name))
	p.field("Problem", say("%s", prototype.Spec.Need.Problem))
	p.field("Where", in(strong, where(prototype)))
	ready := condition(prototype, v1alpha1.ConditionReady)
	if ready != nil && ready.Message != "" {
		p.more(say("%s", ready.Message))
	}
	if ready != nil && !seen(prototype) {
		p.more(in(open, "Affineur has not looked at the newest change yet: what it says here may be about the one before."))
	}
}

func asked(p *page, prototype *v1alpha1.AIPrototype) {
	target := prototype.Spec.Target
	if target == "" {
		target = v1alpha1.TargetSandbox
	}
	spans := []span{say("%s", target)}
	if by := prototype.Annotations[v1alpha1.AnnotationRequestedBy]; by != "" && target == v1alpha1.TargetProduction {
		spans = append(spans, say(", asked by %s", by))
	}
	if message := prototype.Annotations[AnnotationMessage]; message != "" {
		spans = append(spans, say(": %q", Clean(message)))
	}
	p.field("Target", spans...)
}

func sandbox(p *page, prototype *v1alpha1.AIPrototype, now time.Time) {
	status := prototype.Status.Sandbox
	if status == nil {
		return
	}
	address := status.URL
	switch {
	case address != "":
	case status.Namespace != "":
		address = "in namespace " + status.Namespace
	case status.Queue != nil:
		address = fmt.Sprintf("waits for room, place %d of %d in the team's queue", status.Queue.Position, status.Queue.Length)
	default:
		address = "none at present"
	}
	p.field("Sandbox", say("%s", address))
	if status.HeldSince != nil {
		p.more(say("its clock stands still while IT decides, since %s", at(now, *status.HeldSince)))
	}
	if status.ExpiresAt != nil {
		verb := "ends "
		if !status.ExpiresAt.After(now) {
			verb = "ended "
		}
		p.more(say("%s%s", verb, ends(now, *status.ExpiresAt)))
	}
	if measured := status.Isolation; measured != nil {
		p.more(isolated(measured.Verdict), say(", measured %s", at(now, measured.MeasuredAt)))
		if measured.Verdict != enforced && measured.Message != "" {
			p.more(say("%s", measured.Message))
		}
	}
	if resolved := prototype.Status.Image; resolved != nil {
		p.field("Image", say("%s, which is %s", resolved.Requested, image(resolved.Resolved)))
	}
}

// Verdicts of status.sandbox.isolation.
const (
	enforced    = "Enforced"
	notEnforced = "NotEnforced"
)

func isolated(verdict string) span {
	switch verdict {
	case enforced:
		return in(good, "network isolation holds")
	case notEnforced:
		return in(bad, "network isolation does not hold")
	default:
		return in(open, "network isolation could not be measured")
	}
}

// pilots are told where to find the prototype, or the team what keeps them out.
func pilots(p *page, prototype *v1alpha1.AIPrototype) {
	wish := prototype.Spec.Sandbox
	if wish == nil || wish.Pilots == nil {
		return
	}
	groups := say("%s: ", strings.Join(wish.Pilots.Groups, ", "))
	if status := prototype.Status.Sandbox; status != nil && status.PilotURL != "" && seen(prototype) {
		p.field("Pilots", groups, in(good, status.PilotURL))
		return
	}
	p.field("Pilots", groups, in(open, "not let in yet"))
	if closed := condition(prototype, v1alpha1.ConditionOpenToPilots); closed != nil && closed.Message != "" {
		p.more(say("%s", closed.Message))
	}
}

// answers repeat what the policy says about the data, a line for every place.
func answers(p *page, prototype *v1alpha1.AIPrototype) {
	answer := condition(prototype, v1alpha1.ConditionDataAnswered)
	if answer == nil || !seen(prototype) {
		return
	}
	const start = " May go to "
	first, rest, found := strings.Cut(" "+answer.Message, start)
	if first = strings.TrimSpace(first); first != "" {
		p.more(say("%s", first))
	}
	for found {
		var next string
		next, rest, found = strings.Cut(rest, start)
		p.more(say("May go to %s", next))
	}
}

// data says in a word whether it may be used: a sandbox that runs was allowed its data, for Affineur starts no other.
func data(p *page, prototype *v1alpha1.AIPrototype) {
	use := prototype.Spec.Data
	if use == nil {
		p.field("Data", say("none named under spec.data.uses"))
		return
	}
	names := say("%s: ", strings.Join(use.Uses, ", "))
	ready := condition(prototype, v1alpha1.ConditionReady)
	switch {
	case objected(prototype):
		p.field("Data", names, in(bad, "not allowed where this prototype would send it"))
	case ready != nil && seen(prototype) && holds(prototype, v1alpha1.ConditionSandboxReady):
		p.field("Data", names, in(good, "the policy allows it in this sandbox"))
	default:
		p.field("Data", names, say("no answer yet"))
	}
}

func objected(prototype *v1alpha1.AIPrototype) bool {
	for _, c := range prototype.Status.Conditions {
		if c.Reason == v1alpha1.ReasonDataNotAllowed {
			return true
		}
	}
	for _, gap := range prototype.Status.Gaps {
		if gap.Reason == v1alpha1.ReasonDataNotAllowed {
			return true
		}
	}
	return false
}

func production(p *page, view View, now time.Time) {
	if status := view.Prototype.Status.Production; status != nil {
		p.field("Production", servingRevision(view.Prototype), say(" serves, let in by %s, %s", status.Review, since(now, status.Since)))
		if status.URL != "" {
			p.more(say("%s", status.URL))
		}
		drift(p, view.Prototype, now)
	}
	if view.Review == nil || view.Review.Status.Promotion == nil {
		return
	}
	if promotion := view.Review.Status.Promotion; promotion.Step != v1alpha1.StepServing {
		p.field("Promotion", promotionSpans(promotion, now)...)
	}
}

// Drifted tells whether another model answers in production than the one that was approved, or worse.
func Drifted(prototype *v1alpha1.AIPrototype) bool {
	return holds(prototype, v1alpha1.ConditionModelDrift)
}

// drift says whether what serves is still what was approved, where somebody looks.
func drift(p *page, prototype *v1alpha1.AIPrototype, now time.Time) {
	found := condition(prototype, v1alpha1.ConditionModelDrift)
	if found == nil {
		return
	}
	verdict := in(open, "whether its model is as approved is not known")
	switch found.Status {
	case metav1.ConditionTrue:
		verdict = in(bad, "its model drifted")
	case metav1.ConditionFalse:
		verdict = in(good, "its model is as approved")
	}
	p.more(verdict, say(", %s", since(now, found.LastTransitionTime)))
	p.more(say("%s", found.Message))
}

func servingRevision(prototype *v1alpha1.AIPrototype) span {
	switch {
	case serves(prototype):
		return in(good, "this revision")
	case prototype.Status.SubjectDigest == "":
		return in(open, "a revision")
	default:
		return in(open, "an earlier revision")
	}
}

func gaps(p *page, found []v1alpha1.Gap) {
	if len(found) == 0 {
		return
	}
	p.section("What is missing")
	for _, gap := range found {
		p.line(2, in(open, gap.Gate), say(": %s", gapWords(gap)))
		p.line(4, say("%s", filling(gap)))
	}
}

// filling says who can fill a gap, and how.
func filling(gap v1alpha1.Gap) string {
	words := sentence(owner(gap.Owner)) + " can fill it"
	if gap.Hint != "" {
		words += ": " + gap.Hint
	}
	return words
}

// gapWords prefers the message, which is written for people, to the reason, which is a word for machines.
func gapWords(gap v1alpha1.Gap) string {
	text := gap.Message
	if text == "" {
		text = humanise(gap.Reason)
	}
	if gap.Field != "" {
		text += " (" + gap.Field + ")"
	}
	return text
}

func prototypeGates(p *page, view View, now time.Time) {
	reference := view.Prototype.Status.Review
	switch {
	case view.Review != nil:
		title := "Gates of review " + view.Review.Name + ", tier " + view.Review.Spec.Tier
		if outcome := view.Review.Status.Outcome; outcome != "" {
			title += ": " + humanise(string(outcome))
		}
		p.section(title)
		gateLines(p, view.Review.Status.Gates, view.Prototype.Status.Gaps, now)
	case view.Hidden && reference != nil:
		p.section("Review " + reference.Name)
		passed := "not counted yet"
		if summary := view.Prototype.Status.Summary; summary != nil && summary.Gates != "" {
			passed = summary.Gates
		}
		p.line(2, say("Gates passed: %s. You may not read the review itself.", passed))
	}
}

func turns(p *page, waiting []v1alpha1.WaitingOn, now time.Time) {
	if len(waiting) == 0 {
		return
	}
	p.section("Whose turn")
	for _, turn := range waiting {
		p.line(2, in(strong, sentence(party(turn.Party, turn.Role))), say(": %s", turn.Message))
		when := since(now, turn.Since)
		if turn.Due != nil {
			when += ", " + due(now, turn.Due)
		}
		p.line(4, say("%s", when))
	}
}

// sentence begins words with a capital.
func sentence(words string) string {
	if words == "" {
		return words
	}
	return strings.ToUpper(words[:1]) + words[1:]
}
