package quality

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/internal/evidence"
	"github.com/affineur/affineur/internal/examples"
	"github.com/affineur/affineur/internal/gate"
)

const (
	fieldExamples = "spec.evaluation.examples"
	fieldCall     = "spec.evaluation.call"
	// named is how many examples a finding names; the report names all.
	named = 8
)

// overall judges all examples together.
func overall(cases []asked, bound Bound) part {
	s := share{counted(cases, all), bound}
	state, reason := s.judge()
	p := part{state: state, reason: reason, message: s.says() + varying(s.count)}
	switch {
	case state == gate.Passed:
	case state == gate.Failed:
		p.findings = holes(cases, s, reason)
	case reason == v1alpha1.ReasonExamplesNotAsked:
		p.findings = []gate.Finding{notAsked(cases, s.unasked(cases))}
	default:
		p.findings = []gate.Finding{moreExamples(reason, s.says())}
	}
	return p
}

// ofSlice judges the examples of one slice.
func ofSlice(cases []asked, floor Floor) part {
	within := slices.DeleteFunc(slices.Clone(cases), func(a asked) bool { return a.slice != floor.Slice })
	s := inSlice(cases, floor)
	state, reason := s.judge()
	says := floor.name() + ": " + s.says()
	p := part{state: state, reason: reason, message: says}
	switch {
	case state == gate.Passed:
	case state == gate.Failed:
		p.reason = v1alpha1.ReasonSliceTooWeak
		p.findings = []gate.Finding{{
			Reason: v1alpha1.ReasonSliceTooWeak, Field: fieldExamples, Owner: v1alpha1.OwnerBusiness, Message: says + "; " + badOnes(within),
			Hint: "Look at the examples of this slice in the sandbox: mend the prototype, or an example that expects the wrong thing.",
		}}
	case reason == v1alpha1.ReasonExamplesNotAsked:
		p.findings = []gate.Finding{notAsked(within, s.unasked(within))}
	default:
		p.findings = []gate.Finding{moreExamples(reason, says)}
	}
	return p
}

// holes are what is wrong with too many answers: those that came, and those that did not.
func holes(cases []asked, s share, reason string) []gate.Finding {
	var found []gate.Finding
	wrong := slices.DeleteFunc(slices.Clone(cases), func(a asked) bool { return a.right || a.unclear || a.kind == "" })
	mute := slices.DeleteFunc(slices.Clone(cases), func(a asked) bool { return a.right || a.unclear || a.kind != "" })
	if len(wrong) > 0 {
		f := gate.Finding{
			Reason: v1alpha1.ReasonTooManyWrong, Field: fieldExamples, Owner: v1alpha1.OwnerBusiness,
			Message: fmt.Sprintf("%d of %d examples are answered wrongly: %s", len(wrong), s.n, badOnes(wrong)),
			Hint:    "Look at these examples in the sandbox: mend the prototype, or an example that expects the wrong thing.",
		}
		if reason == v1alpha1.ReasonAnswersVary {
			f.Reason = reason
			f.Message = fmt.Sprintf("%d of %d examples are right one time and wrong another: %s", s.varies, s.n, badOnes(wrong))
			f.Hint = "Make the same question get the same answer: a lower temperature, a fixed seed, or rules around the model."
		}
		found = append(found, f)
	}
	if len(mute) > 0 {
		found = append(found, gate.Finding{
			Reason: v1alpha1.ReasonNotAnswered, Field: fieldCall, Owner: v1alpha1.OwnerBusiness,
			Message: fmt.Sprintf("%d of %d questions got no answer: %s", len(mute), s.n, badOnes(mute)),
			Hint:    "See that spec.evaluation.call says how the prototype is really asked, and look at its log for the time of the evaluation.",
		})
	}
	return found
}

func moreExamples(reason, message string) gate.Finding {
	return gate.Finding{
		Reason: reason, Field: fieldExamples, Owner: v1alpha1.OwnerBusiness, Message: message,
		Hint: "Add real questions with the answers that are right. The same question twice counts once.",
	}
}

// unasked says how many of some examples it is not known of, and why.
func (s share) unasked(cases []asked) string {
	return fmt.Sprintf("%d of %d examples could not be asked or judged: %s", s.unclear, s.n,
		badOnes(slices.DeleteFunc(slices.Clone(cases), func(a asked) bool { return !a.unclear })))
}

func notAsked(cases []asked, message string) gate.Finding {
	f := gate.Finding{
		Reason: v1alpha1.ReasonExamplesNotAsked, Owner: v1alpha1.OwnerIT, Message: message,
		Hint: "It is measured again. If it stays so, the platform team can look at the run's pod and at the prototype's Service.",
	}
	if slices.ContainsFunc(cases, func(a asked) bool { return a.unclear && a.failure == evidence.AskThrottled }) {
		f.Owner = v1alpha1.OwnerBusiness
		f.Hint = "The prototype says that it is asked too often: let it take four questions at a time, or let IT raise the model's budget."
	}
	return f
}

// mute tells whether nothing that was asked was ever heard, be it that it was asked no more for that.
func mute(cases []asked) bool {
	if slices.ContainsFunc(cases, givenUp) {
		return !slices.ContainsFunc(cases, func(a asked) bool { return a.right || a.varies || a.kind != "" })
	}
	return !slices.ContainsFunc(cases, func(a asked) bool {
		return a.right || a.unclear || a.varies || a.kind != "" || a.failure != evidence.AskConnect && a.failure != evidence.AskTimeout
	})
}

func givenUp(a asked) bool {
	return slices.ContainsFunc(a.answers, func(answer evidence.CaseAnswer) bool { return answer.Failure == evidence.AskGivenUp })
}

// silent is the verdict on a prototype that did not once say anything: whether it can't or was not reached is not known.
func silent(cases []asked, at time.Time) gate.Verdict {
	message := fmt.Sprintf("not one of %d questions was answered: %s", len(cases), badOnes(cases))
	return gate.Unknown(v1alpha1.ReasonNotAnswered, message, at, gate.Finding{
		Reason: v1alpha1.ReasonNotAnswered, Field: fieldCall, Owner: v1alpha1.OwnerBusiness, Message: message,
		Hint: "See that the prototype runs in its sandbox and answers there. It is measured again.",
	})
}

// varying says what repeats showed, where there is something to say.
func varying(c count) string {
	switch {
	case c.varies > 0:
		return fmt.Sprintf("; %d were right one time and wrong another", c.varies)
	case c.differs > 0:
		return fmt.Sprintf("; %d were answered in different words when asked again", c.differs)
	}
	return ""
}

// together is the verdict over all parts: the worst of them, with what all have to say.
func together(parts []part, at time.Time) gate.Verdict {
	worst := parts[0]
	var says []string
	var findings, notes []gate.Finding
	for _, p := range parts {
		if rank(p.state) > rank(worst.state) {
			worst = p
		}
		findings, notes = append(findings, p.findings...), append(notes, p.notes...)
	}
	says = append(says, worst.message)
	for _, p := range parts {
		if p.message != worst.message && p.message != "" {
			says = append(says, p.message)
		}
	}
	message := strings.Join(says, "; ")
	switch worst.state {
	case gate.Passed:
		return gate.Advise(gate.Pass(worst.reason, message, at), notes...)
	case gate.Failed:
		return gate.Advise(gate.Fail(worst.reason, message, at, findings...), notes...)
	}
	return gate.Advise(gate.Unknown(worst.reason, message, at, findings...), notes...)
}

func rank(s gate.State) int {
	switch s {
	case gate.Passed:
		return 0
	case gate.Failed:
		return 2
	}
	return 1
}

// wrongness says in words what an assertion did not find; what is not known here is wrong all the same.
var wrongness = map[string]string{
	string(examples.KindEquals):     "not what is expected",
	string(examples.KindContains):   "without what is expected in it",
	string(examples.KindRegexp):     "not of the expected form",
	string(examples.KindJSONSchema): "not JSON as described",
	string(examples.KindNumber):     "without the expected number",
	string(examples.KindLabel):      "another label",
	string(examples.KindRefusal):    "no refusal where one is expected",
}

var muteness = map[evidence.AskFailure]string{
	evidence.AskTimeout:       "no complete answer in time",
	evidence.AskConnect:       "no connection",
	evidence.AskThrottled:     "asked too often, it says",
	evidence.AskServerError:   "a server error (5xx)",
	evidence.AskOtherStatus:   "another status than 2xx",
	evidence.AskShortRead:     "an answer that broke off",
	evidence.AskTooLong:       "an endless answer",
	evidence.AskNotAsDeclared: "no text where the answer is declared to be",
	evidence.AskAddress:       "no address of its Service",
	evidence.AskResources:     "the runner ran out of sockets, ports or memory",
	evidence.AskStopped:       "the time was up",
	evidence.AskReported:      "the tool reports an error",
	evidence.AskGivenUp:       "not asked any more",
}

// badOnes counts what is wrong with the examples that are not right, and names the first of them.
func badOnes(cases []asked) string {
	counts := make(map[string]int)
	var names []string
	for _, a := range cases {
		if a.right {
			continue
		}
		counts[why(a)]++
		names = append(names, a.id)
	}
	if len(names) == 0 {
		return "none is wrong"
	}
	kinds := make([]string, 0, len(counts))
	for what := range counts {
		kinds = append(kinds, what)
	}
	slices.SortFunc(kinds, func(a, b string) int {
		if counts[a] != counts[b] {
			return counts[b] - counts[a]
		}
		return strings.Compare(a, b)
	})
	for i, what := range kinds {
		kinds[i] = fmt.Sprintf("%d %s", counts[what], what)
	}
	return fmt.Sprintf("%s (%s)", strings.Join(kinds, ", "), listed(names))
}

func why(a asked) string {
	if a.kind != "" {
		if words, known := wrongness[a.kind]; known {
			return words
		}
		return "wrong by " + a.kind
	}
	return muteness[a.failure]
}
