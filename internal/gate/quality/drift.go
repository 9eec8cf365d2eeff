package quality

import (
	"fmt"
	"slices"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/internal/evidence"
	"github.com/affineur/affineur/internal/gate"
	"github.com/affineur/affineur/internal/gate/stats"
	"github.com/affineur/affineur/internal/record"
)

// Repeatable tells whether what a gate measures can be asked again by the operator: what an image of IT's takes over can't.
func Repeatable(g v1alpha1.Gate) bool { return g.Type == v1alpha1.GateQuality && importOf(g) == nil }

// Shift is how what serves differs from what was approved.
type Shift struct {
	Drifted bool
	// Unsure means that nobody can tell. Neither means: measured, and as approved.
	Unsure  bool
	Reason  string
	Message string
}

func drifted(reason, format string, args ...any) Shift {
	return Shift{Drifted: true, Reason: reason, Message: fmt.Sprintf(format, args...)}
}

func unsure(reason, format string, args ...any) Shift {
	return Shift{Unsure: true, Reason: reason, Message: fmt.Sprintf(format, args...)}
}

// Compare holds what a revision answered in production against what it answered when it was approved, to the same frozen
// questions, as often:
//
//	Drifted  when an answer names a model that none named then, or the same one under another fingerprint; or when more of
//	         the right answers became wrong than chance explains (McNemar), or the share of right answers, shown to be
//	         large enough then, has become too small;
//	Unsure   when the measurement says nothing, when answers say less about their model, when too few answers can be
//	         compared, or when the share is no longer shown and not refuted either.
//
// Whoever could not be reached is not worse for it: that is known elsewhere, and no word about the model. What was not shown
// when it was approved is not asked for now.
func Compare(c gate.Case, approved gate.Measurement, now gate.Measurement) Shift {
	before, after, problem := both(c, approved, now)
	if problem != nil {
		return *problem
	}
	identity := answerers(c.Record.Subject.Model, before.Result, after.Result)
	if identity.Drifted {
		return identity
	}
	results := worsened(before, after)
	switch {
	case results.Drifted, results.Unsure && !identity.Unsure:
		return results
	case identity.Unsure:
		return identity
	}
	identity.Message += "; " + results.Message
	return identity
}

// both evaluations, read and found to be of the frozen set.
func both(c gate.Case, approved, now gate.Measurement) (before, after Evidence, problem *Shift) {
	fail := func(s Shift) (Evidence, Evidence, *Shift) { return Evidence{}, Evidence{}, &s }
	before, problem = then(c, approved)
	if problem != nil {
		return fail(*problem)
	}
	result, refused := gate.Open[evidence.QualityResult](c.Frame(), now, "the evaluation in production")
	if refused != nil {
		return fail(unsure(refused.Reason, "%s", refused.Message))
	}
	after = Evidence{Settings: before.Settings, Set: before.Set, Result: *result}
	if why := after.unfit(); why != "" {
		return fail(unsure(v1alpha1.ReasonEvidenceUnverifiable, "the evaluation in production can't be used: %s", why))
	}
	before.Result, after.Result = heard(before.Result), heard(after.Result)
	return before, after, nil
}

// then is the evaluation that was approved.
func then(c gate.Case, approved gate.Measurement) (Evidence, *Shift) {
	fail := func(why string) (Evidence, *Shift) {
		problem := unsure(v1alpha1.ReasonNothingApproved, "%s", why)
		return Evidence{}, &problem
	}
	set, settings, missing := prepare(c)
	switch {
	case missing != nil:
		return fail(missing.Error())
	case approved.Lost != "" || approved.Report == nil:
		return fail("the evaluation that was approved is not there or can't be read")
	}
	result, err := evidence.Read[evidence.QualityResult](approved.Report.Result)
	if err != nil || approved.Report.Subject != c.Record.ReviewDigest {
		return fail("the evaluation that was approved contradicts itself")
	}
	e := Evidence{Settings: settings, Set: set, Result: *result}
	if why := e.unfit(); why != "" {
		return fail("the evaluation that was approved can't be used: " + why)
	}
	return e, nil
}

// Incomparable is why nothing that is measured now could be compared with what was approved; nil where it can be.
func Incomparable(c gate.Case, approved gate.Measurement) *Shift {
	_, problem := then(c, approved)
	return problem
}

// heard is a result in which nobody is held to be wrong for not being reached.
func heard(r evidence.QualityResult) evidence.QualityResult {
	r.Cases = slices.Clone(r.Cases)
	for i := range r.Cases {
		r.Cases[i].Answers = slices.Clone(r.Cases[i].Answers)
		for j := range r.Cases[i].Answers {
			if a := &r.Cases[i].Answers[j]; a.Failure == evidence.AskConnect || a.Failure == evidence.AskTimeout {
				a.Outcome = evidence.CaseLost
			}
		}
	}
	return r
}

// worsened compares what was answered, example by example, and then the shares.
func worsened(before, after Evidence) Shift {
	cases, old := casesOf(after.Result, after.Set), casesOf(before.Result, before.Set)
	after.Production = &record.Baseline{Answers: answers(before.Set, before.Result)}
	found := pair(after, cases)
	if found.n < fewestPairs || 2*found.n < int64(len(cases)) {
		return unsure(v1alpha1.ReasonDriftUncertain, "%d of %d examples were answered then and now, which is too few to tell", found.n, len(cases))
	}
	counts := fmt.Sprintf("of %d examples %d became wrong and %d became right since it was approved", found.n, found.worse, found.better)
	if p := stats.McNemar(found.worse, found.better); p < byChance {
		return drifted(v1alpha1.ReasonResultsChanged, "%s: by chance that happens %s times in 100", counts, hundredths(p))
	}
	doubt := Shift{}
	for i, now := range shares(after, cases) {
		was, _ := shares(before, old)[i].judge()
		is, _ := now.judge()
		switch {
		case was != gate.Passed || is == gate.Passed:
		case is == gate.Failed:
			return drifted(v1alpha1.ReasonResultsChanged, "%s", now.says())
		default:
			doubt = unsure(v1alpha1.ReasonDriftUncertain, "%s", now.says())
		}
	}
	if doubt.Unsure {
		return doubt
	}
	return Shift{Message: counts}
}

// shares of all examples, and of every slice with a floor: the same for every evaluation of the set.
func shares(e Evidence, cases []asked) []share {
	out := []share{{counted(cases, all), e.Settings.Bound}}
	for _, f := range e.Settings.expanded(cases) {
		out = append(out, inSlice(cases, f))
	}
	return out
}
