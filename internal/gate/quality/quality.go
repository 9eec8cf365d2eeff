// Package quality judges whether a prototype's answers are right: often enough, shown by enough examples, in every slice
// that matters, each time it is asked, and not worse than what is in production.
package quality

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/internal/evidence"
	"github.com/affineur/affineur/internal/examples"
	"github.com/affineur/affineur/internal/gate"
	"github.com/affineur/affineur/internal/gate/stats"
	"github.com/affineur/affineur/internal/record"
	"github.com/affineur/affineur/internal/subject"
)

// Settings are what the policy asks for.
type Settings struct {
	Bound
	// Floors of slices. The slice * stands for each one that has no floor of its own, and for what is in no slice.
	Floors []Floor
	// Repeats is how often each question is asked; fewer where the set is so large that it would be too many questions.
	Repeats int
	// NonRegression demands a comparison with the revision in production.
	NonRegression bool
	// Judged allows the result to hold what a judge said.
	Judged bool
}

// Bound is a share of right answers that must be shown, with 95 % confidence at the first look.
type Bound struct {
	// Ratio of right answers, above 0 and below 1: no sample shows that all are right.
	Ratio float64
	// Minimum number of examples, whatever fewer would show.
	Minimum int64
	// Looks that came before at the same subject.
	Looks stats.Look
}

// Floor is the bound of one slice; "" for the examples of none.
type Floor struct {
	Slice string
	Bound
}

// name of the slice, for people.
func (f Floor) name() string {
	if f.Slice == "" {
		return "examples of no slice"
	}
	return "slice " + f.Slice
}

// EverySlice is the floor of each slice that has none of its own, and of the examples of no slice.
const EverySlice = "*"

// Evidence is what the verdict rests on.
type Evidence struct {
	Settings Settings
	// Set that was frozen with the subject. It has no examples where the evaluation brings its own.
	Set examples.Set
	// Result that a runner measured, and when it had.
	Result evidence.QualityResult
	At     time.Time
	// Earlier results of the same review, of looks that did not show what was wanted, oldest first.
	Earlier []evidence.QualityResult
	// Production is how the last revision that was promoted answered; nil where none was, or where it was never evaluated.
	Production *record.Baseline
	// Model that the prototype declares; nil without one.
	Model *subject.Model
	// Content is what the result may hold of questions and answers.
	Content evidence.Content
	// AtMost is how long asking may take however often it is made again; zero where that is not known here.
	AtMost time.Duration
}

// Judge says
//
//	Passed        when it is shown with 95 % confidence (Wilson's lower bound) that at least the asked share of answers is
//	              right, overall and in every slice with a floor, the revision in production is not shown to be better, and
//	              no answer names another model than the declared one;
//	Failed        when enough examples were asked and fewer are right, or so few that a small set shows it too, when more of
//	              production's right answers became wrong than chance explains, or when another model answered;
//	Inconclusive  when the set is too small, the share too close, answers were lost on our side and would decide, or there
//	              is nothing to compare with.
//
// An example is right when every answer to it is. What was lost counts as wrong where it could make the gate pass, and as
// right where it could make it fail. Several bounds that must all be shown need no correction for their number: the
// chance that all are shown by mistake is no larger than that of one (Berger, "Multiparameter hypothesis testing and
// acceptance sampling", Technometrics 24 (1982)).
func Judge(e Evidence) gate.Verdict {
	if err := e.Settings.validate(); err != nil {
		return invalid(err)
	}
	if why := e.unfit(); why != "" {
		return gate.Unknown(v1alpha1.ReasonEvidenceUnverifiable, "The evaluation can't be used: "+why+".", e.At)
	}
	cases := casesOf(e.Result, e.Set)
	if mute(cases) {
		return silent(cases, e.At)
	}
	parts := []part{overall(cases, e.Settings.Bound)}
	for _, floor := range e.Settings.expanded(cases) {
		parts = append(parts, ofSlice(cases, floor))
	}
	if e.Settings.NonRegression && e.Production != nil {
		parts = append(parts, compared(e, cases))
	}
	if e.Model != nil {
		parts = append(parts, identified(*e.Model, e.Result))
	}
	v := together(parts, e.At)
	for i, f := range v.Findings {
		v.Findings[i] = timed(f, cases, e.AtMost)
	}
	return v
}

// after is what is asked for at a look after so many others.
func (s Settings) after(looks stats.Look) Settings {
	s.Looks, s.Floors = looks, slices.Clone(s.Floors)
	for i := range s.Floors {
		s.Floors[i].Looks = looks
	}
	return s
}

func (s Settings) validate() error {
	if err := s.Bound.validate(); err != nil {
		return err
	}
	for _, f := range s.Floors {
		if err := f.validate(); err != nil {
			return fmt.Errorf("slice %s: %w", f.Slice, err)
		}
	}
	if s.Repeats < 1 || s.Repeats > evidence.MaxRepeats {
		return fmt.Errorf("repeats is not between 1 and %d", evidence.MaxRepeats)
	}
	return nil
}

func (b Bound) validate() error {
	switch {
	case !(b.Ratio > 0 && b.Ratio < 1):
		return errors.New("the share of right answers is not above 0 and below 1, which no number of examples would show")
	case b.Minimum < 1 || b.needed() > evidence.MaxExamples:
		return fmt.Errorf("it would take %d examples, and a set holds at most %d", b.needed(), evidence.MaxExamples)
	}
	return nil
}

// needed is the least number of examples that can pass.
func (b Bound) needed() int64 { return max(b.Minimum, stats.SmallestSample(b.Ratio)) }

func invalid(err error) gate.Verdict {
	return gate.Unknown(v1alpha1.ReasonRequirementInvalid, "The policy's quality gate can't be measured: "+err.Error()+".", time.Time{}, gate.Finding{
		Reason: v1alpha1.ReasonRequirementInvalid, Owner: v1alpha1.OwnerIT, Message: err.Error(),
		Hint: "IT changes passRateLowerBound, minimumExamples or repeats of the policy's quality gate.",
	})
}

// Repeats is how often each question of a set of n is asked where the policy asks for so many repeats.
func Repeats(n, asked int) int {
	if n < 1 {
		return 1
	}
	return max(min(asked, evidence.MaxAsked/n), 1)
}

// unfit says why the result is not the evaluation that was ordered, or "". A result that leaves out the hard examples
// must not count.
func (e Evidence) unfit() string {
	if e.Result.Validate() != nil {
		return "it contradicts itself"
	}
	if e.Content == "" && len(e.Result.Shown) > 0 {
		return "it quotes what the policy does not allow"
	}
	if !e.Settings.Judged && e.Result.Judge != nil {
		return "it holds the word of a judge that nobody asked for"
	}
	if why := strays(e.Set, e.Result); why != "" || len(e.Set.Examples) == 0 {
		return why
	}
	repeats := Repeats(len(e.Set.Examples), e.Settings.Repeats)
	for _, c := range e.Result.Cases {
		if len(c.Answers) != repeats {
			return "it did not ask each example as often as it should"
		}
	}
	return ""
}

// strays says how a result speaks of something else than the set, or "". An evaluation that brings its own examples has
// no set to stray from.
func strays(set examples.Set, r evidence.QualityResult) string {
	switch {
	case len(set.Examples) == 0:
		return ""
	case r.Digest != set.Digest:
		return "it asked another set"
	case len(r.Cases) != len(set.Examples):
		return "it does not speak of all examples"
	}
	for i, c := range r.Cases {
		if c.ID != set.Examples[i].ID || c.Slice != "" {
			return "it does not speak of the set's examples"
		}
	}
	return ""
}

// expanded are the floors with * written out. Examples of no slice are held to it as one slice without a name, but where they
// are all that there is and the gate asks for more anyway: who leaves the slice empty must not get out of it.
func (s Settings) expanded(cases []asked) []Floor {
	named := make(map[string]bool)
	var all []Floor
	var every *Floor
	for i, f := range s.Floors {
		named[f.Slice] = true
		if f.Slice == EverySlice {
			every = &s.Floors[i]
			continue
		}
		all = append(all, f)
	}
	if every == nil {
		return all
	}
	if asksLess(every.Bound, s.Bound) && !slices.ContainsFunc(cases, func(a asked) bool { return a.slice != "" }) {
		return all
	}
	for _, c := range cases {
		if !named[c.slice] {
			named[c.slice] = true
			all = append(all, Floor{Slice: c.slice, Bound: every.Bound})
		}
	}
	return all
}

// asksLess tells a bound that holds wherever the other does.
func asksLess(a, b Bound) bool { return a.Ratio <= b.Ratio && a.needed() <= b.needed() }
