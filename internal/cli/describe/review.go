package describe

import (
	"slices"
	"strings"
	"time"

	"github.com/affineur/affineur/api/v1alpha1"
)

// verdictWidth is the column of a gate's verdict, in runes.
const verdictWidth = 14

// Review says what was measured and decided, whose turn it is and what would move it on. The prototype is only
// asked for the image and may be nil.
func Review(review *v1alpha1.HardeningReview, prototype *v1alpha1.AIPrototype, now time.Time, paint Paint) string {
	p := &page{paint: paint}
	subject(p, review, prototype)
	reviewState(p, review, now)
	p.section("Gates")
	gateLines(p, review.Status.Gates, nil, now)
	decisions(p, review.Status.Decisions, now)
	turns(p, review.Status.WaitingOn, now)
	if promotion := review.Status.Promotion; promotion != nil {
		p.section("Promotion")
		p.line(2, promotionSpans(promotion, now)...)
	}
	p.section("What would move it on")
	p.steps(MovesOn(review))
	reviewers(p, review)
	return p.String()
}

// subject says what is reviewed: the part that a decision is about.
func subject(p *page, review *v1alpha1.HardeningReview, prototype *v1alpha1.AIPrototype) {
	p.field("Review", say("%s/%s", review.Namespace, review.Name))
	if review.Spec.Title != "" {
		p.more(say("%s", review.Spec.Title))
	}
	p.field("Prototype", say("%s", review.Spec.Prototype.Name))
	p.field("Tier", say("%s", review.Spec.Tier))
	p.field("Asked by", say("%s; written by %s", review.Spec.RequestedBy, strings.Join(review.Spec.Authors, ", ")))
	if doubt := review.Spec.AuthorsDoubt; doubt != "" {
		p.more(say("it can't be told who wrote it: %s; where approvals are asked, it takes one more person", doubt))
	}
	if resolved := reviewedImage(review, prototype); resolved != "" {
		p.field("Image", say("%s", image(resolved)))
	}
	p.field("Revision", say("%s, with its requirements %s", digest(review.Spec.SubjectDigest), digest(review.Spec.ReviewDigest)))
}

// reviewedImage is the prototype's image only while the prototype is still what is reviewed: a review itself holds
// digests, and the image of a later revision beside them would mislead.
func reviewedImage(review *v1alpha1.HardeningReview, prototype *v1alpha1.AIPrototype) string {
	if prototype == nil || prototype.Status.Image == nil || string(prototype.UID) != review.Spec.Prototype.UID ||
		prototype.Status.SubjectDigest != review.Spec.SubjectDigest {
		return ""
	}
	return prototype.Status.Image.Resolved
}

func reviewState(p *page, review *v1alpha1.HardeningReview, now time.Time) {
	status := review.Status
	if status.Outcome == "" {
		p.field("State", in(open, "open"), say(", asked %s", since(now, review.CreationTimestamp)))
		if status.Due != nil {
			p.more(say("decisions %s", due(now, status.Due)))
		}
	} else {
		when := ""
		if status.OutcomeAt != nil {
			when = " " + at(now, *status.OutcomeAt)
		}
		p.field("State", in(outcomeTone(status.Outcome), humanise(string(status.Outcome))), say("%s", when))
	}
	for _, c := range status.Conditions {
		if c.Type == v1alpha1.ConditionReady && c.Message != "" {
			p.more(say("%s", c.Message))
		}
	}
	p.field("Record", say("%s/%s", v1alpha1.RecordsNamespace, review.Spec.Record))
}

func outcomeTone(outcome v1alpha1.ReviewOutcome) tone {
	switch outcome {
	case v1alpha1.OutcomePromoted:
		return good
	case v1alpha1.OutcomeRejected, v1alpha1.OutcomeRolledBack:
		return bad
	default:
		return faint
	}
}

// gateLines leaves out the findings that the page named before.
func gateLines(p *page, gates []v1alpha1.GateStatus, named []v1alpha1.Gap, now time.Time) {
	if len(gates) == 0 {
		p.line(2, say("none measured yet"))
	}
	for _, gate := range gates {
		name := gate.Name
		if gate.Enforcement == v1alpha1.EnforcementAdvisory {
			name += " (advice only)"
		}
		p.line(2, in(verdictTone(gate.Verdict), string(gate.Verdict)).wide(verdictWidth), in(strong, name), say(": %s", evidence(gate)))
		if gate.MeasuredAt != nil {
			p.line(2+verdictWidth, say("measured %s%s", at(now, *gate.MeasuredAt), proof(gate)))
		}
		for _, finding := range gate.Findings {
			if slices.Contains(named, finding) {
				continue
			}
			p.line(2+verdictWidth, say("- %s", gapWords(finding)))
			p.line(4+verdictWidth, say("%s", filling(finding)))
		}
	}
}

func evidence(gate v1alpha1.GateStatus) string {
	if gate.Message != "" {
		return gate.Message
	}
	return humanise(gate.Reason)
}

func proof(gate v1alpha1.GateStatus) string {
	if gate.ReportDigest == "" {
		return ""
	}
	return ", report " + digest(gate.ReportDigest)
}

func verdictTone(verdict v1alpha1.GateState) tone {
	switch verdict {
	case v1alpha1.GatePassed:
		return good
	case v1alpha1.GateFailed:
		return bad
	default:
		return open
	}
}

func decisions(p *page, made []v1alpha1.DecisionStatus, now time.Time) {
	if len(made) == 0 {
		return
	}
	p.section("Decisions")
	for _, decision := range made {
		t := good
		if decision.Counts != v1alpha1.CountedYes {
			t = bad
		}
		p.line(2, say("%s as %s by %s, %s: ", decision.Verdict, decision.Role, decision.By, at(now, decision.At)), in(t, Counted(decision)))
		if decision.Message != "" {
			p.line(4, say("%s", decision.Message))
		}
	}
}

var promotionWords = map[v1alpha1.PromotionStep]string{
	v1alpha1.StepPreparing:  "production's namespace and policies are being made",
	v1alpha1.StepRollingOut: "the revision's pods are starting in production",
	v1alpha1.StepSoaking:    "the revision runs in production and is being watched",
	v1alpha1.StepServing:    "the revision serves",
	v1alpha1.StepRolledBack: "the revision was taken back",
	v1alpha1.StepRetiring:   "production is being taken down",
	v1alpha1.StepRetired:    "nothing of it runs in production any more",
}

// stepWords say where a promotion is. Production is being made only while nothing is in the way of it.
func stepWords(promotion *v1alpha1.PromotionStatus) string {
	if promotion.Step == v1alpha1.StepPreparing && promotion.Reason != v1alpha1.ReasonPreparingProduction {
		return "nothing of it is in production yet"
	}
	if words := promotionWords[promotion.Step]; words != "" {
		return words
	}
	return humanise(string(promotion.Step))
}

func promotionSpans(promotion *v1alpha1.PromotionStatus, now time.Time) []span {
	words := stepWords(promotion)
	spans := []span{in(stepTone(promotion.Step), words)}
	switch {
	case promotion.Step == v1alpha1.StepSoaking && promotion.SoakingSince != nil:
		spans = append(spans, say(", %s", since(now, *promotion.SoakingSince)))
	case promotion.Step == v1alpha1.StepServing && promotion.ServingSince != nil:
		spans = append(spans, say(", %s", since(now, *promotion.ServingSince)))
	}
	if promotion.Message != "" {
		spans = append(spans, say(": %s", promotion.Message))
	}
	return spans
}

func stepTone(step v1alpha1.PromotionStep) tone {
	switch step {
	case v1alpha1.StepServing:
		return good
	case v1alpha1.StepRolledBack:
		return bad
	default:
		return open
	}
}

// reviewers writes the exact commands for every role that is asked to decide.
func reviewers(p *page, review *v1alpha1.HardeningReview) {
	roles := Roles(review)
	if Closed(review) != "" || len(roles) == 0 {
		return
	}
	p.section("To decide on it")
	for _, role := range roles {
		p.line(4, in(strong, Command(review.Namespace, "approve", review.Name, "--role", role)))
		p.line(4, in(strong, Command(review.Namespace, "reject", review.Name, "--role", role, "--approve-when", "what would have to change")))
	}
}

// Roles are the roles that the review waits for, each once, in its order.
func Roles(review *v1alpha1.HardeningReview) []string {
	var roles []string
	known := map[string]bool{}
	for _, turn := range review.Status.WaitingOn {
		if turn.Role != "" && !known[turn.Role] {
			known[turn.Role] = true
			roles = append(roles, turn.Role)
		}
	}
	return roles
}
