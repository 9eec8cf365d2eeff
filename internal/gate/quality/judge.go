package quality

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/internal/evidence"
	"github.com/affineur/affineur/internal/gate"
	"github.com/affineur/affineur/internal/gate/privacy"
	"github.com/affineur/affineur/internal/policy"
	"github.com/affineur/affineur/internal/subject"
)

const (
	// perVerdict is how long a judge is expected to take for one, shortestHearing what is not worth to begin with, and
	// judgeTimeout what it has for one.
	perVerdict      = 10 * time.Second
	shortestHearing = 30 * time.Second
	longestHearing  = time.Hour
	judgeTimeout    = time.Minute
	// starting is the time in which a run's pod starts, which a gate's timeout includes.
	starting = 3 * time.Minute
	// usualShown is how many examples a judge is shown where the policy does not say, as the schema has it.
	usualShown = 50
)

// withJudge has the run ask the policy's judge too, with a way to its gateway, where nothing stands against it. The rest of the
// run stays as it is.
func withJudge(c gate.Case, run gate.Run) gate.Run {
	j := policy.JudgeOf(c.Gate)
	if j == nil || barred(c) != "" {
		return run
	}
	order := *run.Order.(*evidence.QualityOrder)
	gateway := c.Record.Requirements.Judge(j.Gateway)
	call, err := judgeCall(*gateway, j.Model)
	if err != nil {
		return run
	}
	shown := int(j.Examples)
	if shown == 0 {
		shown = usualShown
	}
	hearing := hearingOf(min(shown, order.Examples))
	if limit := c.Gate.Timeout; limit != nil {
		// What the questions may take comes first: nothing is lost for a judge.
		hearing = min(hearing, limit.Duration-starting-run.Length)
	}
	if hearing < shortestHearing {
		return run
	}
	order.Judge = &evidence.JudgeOrder{
		Call: call, Rubric: j.Rubric, Examples: shown, Keyed: gateway.Credentials != nil, Within: evidence.Duration(hearing),
	}
	if order.Validate() != nil {
		return run
	}
	run.Order, run.Gateway, run.Length = &order, gateway.Name, run.Length+hearing
	return run
}

// hearingOf is how long so many verdicts may take.
func hearingOf(shown int) time.Duration {
	return min(max(time.Duration(shown)*perVerdict/inFlight, time.Minute)+judgeTimeout, longestHearing)
}

// judgeCall is a chat completion at a gateway, whose address is the base of an OpenAI-compatible API.
func judgeCall(gateway v1alpha1.ModelGateway, model string) (evidence.Call, error) {
	base, err := url.Parse(gateway.Address)
	if err != nil {
		return evidence.Call{}, err
	}
	call := evidence.Call{
		URL: base.Scheme + "://" + base.Host, Timeout: evidence.Duration(judgeTimeout),
		OpenAIChat: &evidence.ChatCall{Path: strings.TrimSuffix(base.EscapedPath(), "/") + "/chat/completions", Model: model},
	}
	return call, call.Validate()
}

// barred says why the judge must not be shown what the prototype is asked and answers, or "". Whatever data the prototype
// works with may be in it, so the rules are those of a place that it goes to.
func barred(c gate.Case) string {
	gateway := c.Record.Requirements.Judge(policy.JudgeOf(c.Gate).Gateway)
	switch {
	case gateway == nil:
		return "its gateway " + policy.JudgeOf(c.Gate).Gateway + " was not frozen with the review"
	case slices.Contains(c.Ground.Severed, gateway.Name):
		return "an emergency stop cuts its gateway " + gateway.Name + " off"
	case len(c.Record.Requirements.DataRules) == 0:
		return "which data the prototype works with was not frozen with the review"
	case gateway.Credentials != nil && gateway.To.Pods == nil && !strings.HasPrefix(gateway.Address, "https://"):
		return "its key would go in the clear to " + gateway.Address + ", which is no pod of this cluster"
	}
	place := privacy.Place{
		Name: "gateway " + gateway.Name, Entry: "catalogue.modelGateways[name=" + gateway.Name + "]",
		MayCarry: gateway.MayCarry, Assurance: gateway.Assurance,
	}
	broken, unknown := privacy.Declared([]privacy.Place{place}, c.Record.Requirements.DataRules, c.Now)
	for _, f := range append(broken, unknown...) {
		return strings.TrimSuffix(f.Message, ".")
	}
	return ""
}

// advised adds what the policy's judge said. State, reason and message are the assertions' alone: only findings are added, and
// only where there is room for them.
func advised(c gate.Case, v gate.Verdict, result evidence.QualityResult) gate.Verdict {
	if policy.JudgeOf(c.Gate) == nil || result.Validate() != nil {
		return v
	}
	return gate.Advise(v, heardFrom(c, result.Judge)...)
}

func heardFrom(c gate.Case, said *evidence.JudgeResult) []gate.Finding {
	if said == nil {
		why := barred(c)
		if why == "" {
			why = "there was no time for it, no room in the report, its gateway was cut off by an emergency stop, or its address can't be asked"
		}
		return []gate.Finding{silence("The judge was not asked: " + why + ".")}
	}
	var found []gate.Finding
	if n := len(said.Objections); n > 0 {
		found = append(found, gate.Finding{
			Reason: v1alpha1.ReasonJudgeObjects, Field: fieldExamples, Owner: v1alpha1.OwnerBusiness,
			Message: fmt.Sprintf("The judge, %s, objects to %d of %d answers that the examples call right: %s. This does not change the verdict.",
				policy.JudgeOf(c.Gate).Model, n, said.Shown, objections(said.Objections)),
			Hint: "Look at these answers in the sandbox. Where the judge is right, mend the prototype, or have the example assert more.",
		})
	}
	if n := said.Unjudged(); n > 0 {
		found = append(found, silence(fmt.Sprintf("The judge gave no usable word about %d of %d answers: %s. They count for nothing.", n, said.Shown, silences(*said))))
	}
	if others := otherJudges(policy.JudgeOf(c.Gate).Model, *said); others != "" {
		found = append(found, silence("The judge's answers come from "+others+", and "+policy.JudgeOf(c.Gate).Model+" was to judge."))
	}
	return found
}

func silence(message string) gate.Finding {
	return gate.Finding{
		Reason: v1alpha1.ReasonJudgeSilent, Owner: v1alpha1.OwnerIT, Message: message,
		Hint: "This does not change the verdict. IT looks at quality.judge of the gate, at its gateway's key, mayCarry and assurance, and whether the gateway lets runs in.",
	}
}

// otherJudges names models that answered in the judge's stead, by their own word; "" for none.
func otherJudges(asked string, said evidence.JudgeResult) string {
	return listed(slices.DeleteFunc(namesOf(said.Models), func(name string) bool { return is(subject.Model{Name: asked}, name) }))
}

// objections counts them by what they are, in the order of the words, and names the first of them.
func objections(all []evidence.JudgeObjection) string {
	var kinds, ids []string
	for _, why := range evidence.JudgeWhys {
		if n := len(objectedTo(all, why)); n > 0 {
			kinds = append(kinds, fmt.Sprintf("%d %s", n, why))
		}
	}
	for _, o := range all {
		ids = append(ids, o.ID)
	}
	return fmt.Sprintf("%s (%s)", strings.Join(kinds, ", "), listed(ids))
}

func objectedTo(all []evidence.JudgeObjection, why evidence.JudgeWhy) []string {
	var out []string
	for _, o := range all {
		if o.Why == why {
			out = append(out, o.ID)
		}
	}
	return out
}

func silences(said evidence.JudgeResult) string {
	var out []string
	for _, s := range []struct {
		n    int
		what string
	}{
		{said.Unparsable, "verdicts that can't be read"}, {said.Refused, "refusals to judge"},
		{said.Keyless, "for want of the gateway's key"}, {said.Silent, "that did not come"},
		{said.Rejected, fmt.Sprintf("that its gateway answered with an error (status %d)", said.Status)},
	} {
		if s.n > 0 {
			out = append(out, fmt.Sprintf("%d %s", s.n, s.what))
		}
	}
	return strings.Join(out, ", ")
}

// ofJudge is the judge's part of the summary; "" where none was asked.
func ofJudge(said *evidence.JudgeResult) string {
	if said == nil {
		return ""
	}
	var b strings.Builder
	fmt.Fprintf(&b, "\nA judge was shown %d right answers, and finds %d good; the verdict does not depend on it.\n", said.Shown, said.Good)
	for _, why := range evidence.JudgeWhys {
		if ids := objectedTo(said.Objections, why); len(ids) > 0 {
			fmt.Fprintf(&b, "\n**The judge calls %d %s:** %s\n", len(ids), why, strings.Join(ids, ", "))
		}
	}
	if n := said.Unjudged(); n > 0 {
		fmt.Fprintf(&b, "\nNo usable word about %d: %s.\n", n, silences(*said))
	}
	for _, m := range said.Models {
		fmt.Fprintf(&b, "\n%d of the judge's answers named the model `%s`, fingerprint `%s`.\n", m.Answers, plain(m.Name), plain(m.Fingerprint))
	}
	return b.String()
}
