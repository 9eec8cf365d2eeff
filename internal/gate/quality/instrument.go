package quality

import (
	"fmt"
	"strings"
	"time"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/internal/evidence"
	"github.com/affineur/affineur/internal/examples"
	"github.com/affineur/affineur/internal/gate"
	"github.com/affineur/affineur/internal/record"
	"github.com/affineur/affineur/internal/workload"
)

const (
	// file is the name of the evaluation set among the runner's files.
	file = "examples"
	// inFlight is how many questions are asked at the same time: few people at once, so that it is no load.
	inFlight = 4
	// perQuestion is how long one is expected to take, and shortest and longest bound the whole.
	perQuestion = 5 * time.Second
	shortest    = 2 * time.Minute
	longest     = 3 * time.Hour
	// ending is the time in which the runner writes its report.
	ending = 30 * time.Second
)

// Instrument asks the examples of the evaluation set in the sandbox.
type Instrument struct{}

// Type implements gate.Instrument.
func (Instrument) Type() v1alpha1.GateType { return v1alpha1.GateQuality }

// Compares tells whether a gate demands a comparison with the last revision that was promoted.
func Compares(g v1alpha1.Gate) bool {
	return g.Type == v1alpha1.GateQuality && (g.Quality == nil || g.Quality.NonRegression != v1alpha1.NonRegressionNone)
}

// Plan implements gate.Instrument: one run, with the frozen set as its file, or of IT's image.
func (Instrument) Plan(c gate.Case, _ gate.Taken) ([]gate.Run, error) {
	if i := importOf(c.Gate); i != nil {
		return planImport(c, *i)
	}
	run, err := Ask(c, c.Record.Prototype.Sandbox())
	if err != nil {
		return nil, err
	}
	run.Site = gate.SiteSandbox
	return []gate.Run{withJudge(c, run)}, nil
}

// Ask plans the evaluation of the prototype in a namespace: the frozen set, every question as often as the gate says.
func Ask(c gate.Case, namespace string) (gate.Run, error) {
	set, settings, problem := prepare(c)
	if problem != nil {
		return gate.Run{}, problem
	}
	raw, err := c.Record.EvaluationSet()
	if err != nil {
		return gate.Run{}, err
	}
	order := evidence.QualityOrder{
		Call: callOf(c.Record, namespace), File: file, Digest: set.Digest, Examples: len(set.Examples),
		Repeats: Repeats(len(set.Examples), settings.Repeats), InFlight: inFlight,
		Content: contentOf(c.Record),
	}
	order.Within = evidence.Duration(given(c, order))
	if err := order.Validate(); err != nil {
		return gate.Run{}, err
	}
	return gate.Run{
		Order: &order, Length: order.Within.Std() + ending, CPU: "250m", Memory: "256Mi", Files: map[string][]byte{file: raw},
	}, nil
}

// given is how long all questions may take. At first they take as long as people wait; where it is known how long they took before,
// be it when what serves was approved, twice that, and at most what the prototype says that each may take. Who never answered gets
// no such time: it is taken from everybody who waits. Who answers sooner ends sooner.
func given(c gate.Case, o evidence.QualityOrder) time.Duration {
	asked := time.Duration(o.Examples * o.Repeats)
	within := max(asked*perQuestion/inFlight+o.Call.Timeout.Std(), shortest) * time.Duration(c.Patience)
	each := min(2*paceBefore(c), o.Call.Timeout.Std())
	return min(max(within, asked*each/inFlight+o.Call.Timeout.Std()), atMost(c.Gate))
}

// paceBefore is how long a question took in the attempt before; 0 where none was answered.
func paceBefore(c gate.Case) time.Duration {
	report := c.Before.Runs[""].Report
	if report == nil {
		return 0
	}
	result := evidence.As[evidence.QualityResult](report.Result)
	if result == nil || result.Validate() != nil {
		return 0
	}
	if answers, _ := said(*result); answers == 0 {
		return 0
	}
	return pace(casesOf(*result, examples.Set{}))
}

// atMost is the longest that all questions may ever take.
func atMost(g v1alpha1.Gate) time.Duration {
	if g.Timeout == nil {
		return longest
	}
	return min(longest, max(g.Timeout.Duration-ending, time.Second))
}

// Spent implements gate.Statistical: answers to the same questions may be luckier the next time.
func (Instrument) Spent(state gate.State, reason string) bool {
	switch reason {
	case v1alpha1.ReasonTooFewExamples, v1alpha1.ReasonTooCloseToTell, v1alpha1.ReasonNothingToCompare:
		return true
	}
	return state == gate.Failed
}

// Judge implements gate.Instrument.
func (Instrument) Judge(c gate.Case, taken gate.Taken) gate.Verdict {
	if i := importOf(c.Gate); i != nil {
		return judgeImport(c, taken, *i)
	}
	set, settings, problem := prepare(c)
	if problem != nil {
		return problem.verdict()
	}
	result, refused := gate.Open[evidence.QualityResult](c.Frame(), taken.Runs[""].Measurement, "the evaluation")
	if refused != nil {
		refused.Findings = append(refused.Findings, foreseen(set, settings)...)
		return *refused
	}
	return advised(c, Judge(evidenceOf(c, set, settings, *result, taken.Runs[""].Report.FinishedAt)), *result)
}

// Summarize implements gate.Instrument.
func (Instrument) Summarize(c gate.Case, taken gate.Taken) gate.Summary {
	run := taken.Runs[""]
	if run.Report == nil {
		return gate.Summary{}
	}
	if i := importOf(c.Gate); i != nil {
		return summarizeImport(c, *run.Report, *i)
	}
	set, settings, problem := prepare(c)
	if problem != nil {
		return gate.Summary{}
	}
	result := evidence.As[evidence.QualityResult](run.Report.Result)
	if result == nil {
		return gate.Summary{}
	}
	return gate.Summary{Markdown: Markdown(evidenceOf(c, set, settings, *result, run.Report.FinishedAt))}
}

// contentOf the policy is what a report may hold of questions and answers.
func contentOf(rec record.Record) evidence.Content {
	return evidence.Content(rec.Requirements.ReportContent)
}

func evidenceOf(c gate.Case, set examples.Set, settings Settings, result evidence.QualityResult, at time.Time) Evidence {
	return Evidence{
		Settings: settings.after(c.Looks()), Set: set, Result: result, At: at, Earlier: earlier(c),
		Production: productionOf(c), Model: c.Record.Subject.Model, Content: contentOf(c.Record),
		AtMost: atMost(c.Gate),
	}
}

// productionOf is how the revision in production answered this gate; nil where nothing was promoted.
func productionOf(c gate.Case) *record.Baseline {
	if b, frozen := c.Record.Baselines[c.Gate.Name]; frozen {
		return &b
	}
	return nil
}

// unable is why nothing can be measured, as a hole that somebody can mend.
type unable struct{ gate.Finding }

func (u *unable) Error() string { return strings.TrimSuffix(u.Message, ".") }

func (u *unable) verdict() gate.Verdict {
	return gate.Unknown(u.Reason, u.Message, time.Time{}, u.Finding)
}

// prepare reads what the record and the policy say.
func prepare(c gate.Case) (examples.Set, Settings, *unable) {
	settings, err := settingsOf(c.Gate)
	if err == nil {
		err = settings.validate()
	}
	if err != nil {
		return examples.Set{}, settings, &unable{invalid(err).Findings[0]}
	}
	evaluation := c.Record.Subject.Evaluation
	switch {
	case evaluation == nil:
		return examples.Set{}, settings, &unable{gate.Finding{
			Reason: v1alpha1.ReasonExamplesMissing, Field: "spec.evaluation", Owner: v1alpha1.OwnerBusiness,
			Message: "Nothing says what right answers are: " + settings.Missing(0) + ".",
			Hint:    "Write a table with the columns question and expected, put it into a ConfigMap, and name it under evaluation.examples.",
		}}
	case evaluation.Digest == "":
		return examples.Set{}, settings, &unable{gate.Finding{
			Reason: v1alpha1.ReasonExamplesInvalid, Field: fieldExamples, Owner: v1alpha1.OwnerBusiness,
			Message: "The examples can't be used: " + evaluation.Problem + ".",
			Hint:    "Correct the set, or how it is named; it is read again by itself within half a minute.",
		}}
	}
	set, err := setOf(c.Record)
	if err != nil {
		return set, settings, &unable{gate.Finding{
			Reason: v1alpha1.ReasonExamplesInvalid, Field: fieldExamples, Owner: v1alpha1.OwnerIT,
			Message: "The examples that were frozen with the review can't be read.", Hint: "IT looks at the review's record.",
		}}
	}
	return set, settings, nil
}

// setOf a record is its evaluation set as it was frozen; it has no examples where the subject has none.
func setOf(rec record.Record) (examples.Set, error) {
	raw, err := rec.EvaluationSet()
	if err != nil || raw == nil {
		return examples.Set{}, err
	}
	return examples.Read(raw)
}

// foreseen are the examples that lack already before anything is measured.
func foreseen(set examples.Set, s Settings) []gate.Finding {
	var lacking []string
	if missing := s.Missing(int64(len(set.Examples))); missing != "" {
		lacking = append(lacking, missing)
	}
	held := set.Slices()
	for _, f := range s.Floors {
		if missing := f.Missing(int64(held[f.Slice])); missing != "" && f.Slice != EverySlice {
			lacking = append(lacking, "slice "+f.Slice+": "+missing)
		}
	}
	var found []gate.Finding
	for _, message := range lacking {
		found = append(found, moreExamples(v1alpha1.ReasonTooFewExamples, message))
	}
	return found
}

// settingsOf reads the policy's words.
func settingsOf(g v1alpha1.Gate) (Settings, error) {
	q := v1alpha1.QualityGate{MinimumExamples: 100, PassRateLowerBound: "0.90", Repeats: 2}
	if g.Quality != nil {
		q = *g.Quality
	}
	s := Settings{Repeats: int(q.Repeats), NonRegression: Compares(g), Judged: q.Judge != nil}
	var err error
	if s.Bound, err = boundOf(q.PassRateLowerBound, q.MinimumExamples); err != nil {
		return s, err
	}
	for _, slice := range q.Slices {
		bound, err := boundOf(slice.PassRateLowerBound, slice.MinimumExamples)
		if err != nil {
			return s, fmt.Errorf("slice %s: %w", slice.Name, err)
		}
		s.Floors = append(s.Floors, Floor{Slice: slice.Name, Bound: bound})
	}
	return s, nil
}

func boundOf(ratio string, minimum int32) (Bound, error) {
	share, err := evidence.ParseDecimal(ratio)
	if err != nil {
		return Bound{}, fmt.Errorf("passRateLowerBound: %w", err)
	}
	return Bound{Ratio: share, Minimum: int64(minimum)}, nil
}

// callOf is how the prototype is asked in a namespace.
func callOf(rec record.Record, namespace string) evidence.Call {
	declared := rec.Subject.Evaluation.Call
	return gate.DeclaredCall(workload.URL(namespace), declared, declared.Timeout.Duration)
}
