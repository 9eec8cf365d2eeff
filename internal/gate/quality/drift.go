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
//	Drifted  when an answer names a model that none named then, or the same one under another fingerprint; or when so many
//	         more of the right answers became wrong that it is rarely by chance (McNemar), or the share of right answers,
//	         shown to be large enough then, is as surely too small now (Wilson);
//	Unsure   when the measurement says nothing, when answers say less about their model, when too few answers can be
//	         compared, or when they look worse, or the share is no longer shown, and that may be by chance.
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

const (
	// rarely is how often chance may make one look in production say that the answers became worse. It is so small because looks are
	// taken day after day, and because the answers they are held against were given on a day that was good enough to pass: who
	// compares with the luckiest of several days finds the usual ones worse. Two looks in a row have to say it, see internal/drift.
	// TestUnchangedIsNotDrifted there tells what comes of it.
	rarely = 0.001
	// fewestWatched can show a drift: ten that all became worse are so by chance once in 1024 times.
	fewestWatched = 10
)

// worsened compares what was answered, example by example, and then the shares. What looks worse, and is not rare enough by
// chance, is neither a drift nor as approved.
func worsened(before, after Evidence) Shift {
	cases, old := casesOf(after.Result, after.Set), casesOf(before.Result, before.Set)
	after.Production = &record.Baseline{Answers: answers(before.Set, before.Result)}
	found := pair(after, cases, asKnown)
	if found.n < fewestWatched || 2*found.n < int64(len(cases)) {
		return unsure(v1alpha1.ReasonDriftUncertain, "%d of %d examples were answered then and now, which is too few to tell", found.n, len(cases))
	}
	counts := fmt.Sprintf("of %d examples %d became wrong and %d became right since it was approved", found.n, found.worse, found.better)
	p, doubt := stats.McNemar(found.worse, found.better), Shift{}
	switch {
	case p < rarely:
		return drifted(v1alpha1.ReasonResultsChanged, "%s: by chance that happens %s times in 100", counts, hundredths(p))
	case p < byChance:
		doubt = unsure(v1alpha1.ReasonDriftUncertain, "%s: by chance that happens %s times in 100, too often to be sure on one of many days", counts, hundredths(p))
	}
	then, now := shares(before, old), shares(after, cases)
	for i, is := range now {
		was, _ := then[i].judge()
		still, _ := is.judge()
		switch {
		case was != gate.Passed || still == gate.Passed:
		// Each of several shares may err as much less often as there are (Bonferroni).
		case stats.ShowsLessBut(rarely/float64(len(now)), is.right+is.unclear, is.n, is.Ratio):
			return drifted(v1alpha1.ReasonResultsChanged, "%s%s", is.of, is.says())
		default:
			doubt = unsure(v1alpha1.ReasonDriftUncertain, "%s%s", is.of, is.says())
		}
	}
	if doubt.Unsure {
		return doubt
	}
	return Shift{Message: counts}
}

// watched is a share that was shown when a revision was approved, and the words that begin what it says.
type watched struct {
	share
	of string
}

// shares of all examples, and of every slice with a floor: the same for every evaluation of the set.
func shares(e Evidence, cases []asked) []watched {
	out := []watched{{share: share{counted(cases, all), e.Settings.Bound}}}
	for _, f := range e.Settings.expanded(cases) {
		out = append(out, watched{inSlice(cases, f), "slice " + f.Slice + ": "})
	}
	return out
}
