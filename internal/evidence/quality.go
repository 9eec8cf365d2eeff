package evidence

import (
	"errors"
	"fmt"
	"regexp"
	"time"
)

// KindQuality asks a prototype the questions of its evaluation set.
const KindQuality Kind = "quality"

const (
	// MaxExamples bounds the examples of one evaluation.
	MaxExamples = 2000
	// MaxAsked bounds how many questions they make with repeats: more would not fit into a report.
	MaxAsked = 4000
	// MaxRepeats bounds how often one question is asked.
	MaxRepeats = 10

	// MaxModels bounds how many models a result names.
	MaxModels = 8
)

// QualityOrder asks for the answers to an evaluation set, which is handed over as a file.
type QualityOrder struct {
	Call Call `json:"call"`
	// File is the name of the set among the run's files, Digest what it holds, and Examples how many.
	File     string `json:"file"`
	Digest   string `json:"digest"`
	Examples int    `json:"examples"`
	// Repeats is how often each question is asked.
	Repeats int `json:"repeats"`
	// InFlight is how many questions are asked at the same time, 1 to 16.
	InFlight int `json:"inFlight"`
	// Content is what the result may hold of questions and answers; empty for nothing.
	Content Content `json:"content,omitempty"`
	// Within is how long all of it may take; what is not asked by then counts as lost. 1 s to 6 h.
	Within Duration `json:"within"`
	// Judge looks at answers too, after all questions are asked; nil for none.
	Judge *JudgeOrder `json:"judge,omitempty"`
}

// CaseOutcome is what came of one question.
type CaseOutcome string

const (
	// CaseRight means that everything held that was asserted.
	CaseRight CaseOutcome = "Right"
	// CaseWrong means that there was an answer, and something did not hold.
	CaseWrong CaseOutcome = "Wrong"
	// CaseUnanswered means that the prototype gave no answer.
	CaseUnanswered CaseOutcome = "Unanswered"
	// CaseLost means that the question was not asked or its answer not judged, by no fault of the prototype.
	CaseLost CaseOutcome = "Lost"
)

// CaseAnswer is what came of asking one question once. It holds neither the question nor the answer.
type CaseAnswer struct {
	Outcome CaseOutcome `json:"outcome"`
	// Kind is the first assertion that did not hold; set exactly when the outcome is Wrong.
	Kind string `json:"kind,omitempty"`
	// Failure is set exactly when the outcome is Unanswered or Lost.
	Failure AskFailure `json:"failure,omitempty"`
	// Took is the time to the last byte of the answer; 0 where nothing was asked.
	Took Micros `json:"took,omitempty"`
}

// CaseResult is what came of one example.
type CaseResult struct {
	ID string `json:"id"`
	// Slice is set by an evaluation that brings its own examples.
	Slice string `json:"slice,omitempty"`
	// Answers in the order in which they were asked for.
	Answers []CaseAnswer `json:"answers"`
	// Differ means that the answers were not all the same but for white space. They are compared by the runner.
	Differ bool `json:"differ,omitempty"`
}

// ModelSeen is what an answer said about the model that gave it.
type ModelSeen struct {
	Name        string `json:"name"`
	Fingerprint string `json:"fingerprint,omitempty"`
	// Answers that said so.
	Answers int `json:"answers"`
}

// QualityResult holds one result for each example, in the order of the set.
type QualityResult struct {
	// Digest repeats the order's; that of the results file for an evaluation that brings its own examples.
	Digest string       `json:"digest"`
	Cases  []CaseResult `json:"cases"`
	// Models that the answers named, the first eight; MoreModels tells that there were more, and MoreNames that those had
	// other names, and not only other fingerprints.
	Models     []ModelSeen `json:"models,omitempty"`
	MoreModels bool        `json:"moreModels,omitempty"`
	MoreNames  bool        `json:"moreNames,omitempty"`
	// Shown are questions that were answered wrongly, where the policy allows reports to hold them.
	Shown []ShownCase `json:"shown,omitempty"`
	// Judge is what a judge said, nil where none was asked. Nothing above depends on it.
	Judge *JudgeResult `json:"judge,omitempty"`
}

// IsCaseName tells whether an example or a slice may be called so: names go into reports, file names and terminals.
func IsCaseName(name string) bool { return caseName.MatchString(name) }

// caseName is the form of ids and slices.
var caseName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$`)

// assertionName is the form of the kinds of assertions.
var assertionName = regexp.MustCompile(`^[A-Za-z][A-Za-z-]{0,31}$`)

// Kind is KindQuality.
func (QualityOrder) Kind() Kind { return KindQuality }

// Kind is KindQuality.
func (QualityResult) Kind() Kind { return KindQuality }

// Validate says what is wrong with the order, or nil.
func (o QualityOrder) Validate() error {
	if err := o.Call.Validate(); err != nil {
		return fmt.Errorf("call: %w", err)
	}
	switch {
	case !caseName.MatchString(o.File):
		return errors.New("file is not a name")
	case !digestForm.MatchString(o.Digest):
		return errors.New("digest is not a sha256 digest")
	case o.Examples < 1 || o.Examples > MaxExamples:
		return fmt.Errorf("not 1 to %d examples", MaxExamples)
	case o.Repeats < 1 || o.Repeats > MaxRepeats || o.Examples*o.Repeats > MaxAsked:
		return fmt.Errorf("not 1 to %d repeats, or more than %d questions with them", MaxRepeats, MaxAsked)
	case o.InFlight < 1 || o.InFlight > 16:
		return errors.New("inFlight is not between 1 and 16")
	case !o.Content.known():
		return errors.New("content is unknown")
	}
	if err := within(o.Within.Std(), time.Second, 6*time.Hour); err != nil {
		return fmt.Errorf("within: %w", err)
	}
	return prefixed("judge", o.Judge.validate())
}

// Validate says what is wrong with the result by itself, or nil.
func (r QualityResult) Validate() error {
	if !digestForm.MatchString(r.Digest) {
		return errors.New("digest is not a sha256 digest")
	}
	if len(r.Cases) < 1 || len(r.Cases) > MaxExamples {
		return fmt.Errorf("not 1 to %d cases", MaxExamples)
	}
	seen, answers := make(map[string]bool, len(r.Cases)), 0
	for i, c := range r.Cases {
		if err := c.validate(); err != nil {
			return fmt.Errorf("cases[%d]: %w", i, err)
		}
		if seen[c.ID] {
			return fmt.Errorf("cases[%d] repeats an id", i)
		}
		seen[c.ID] = true
		answers += len(c.Answers)
	}
	if answers > MaxAsked {
		return fmt.Errorf("more than %d answers", MaxAsked)
	}
	if err := r.validateShown(seen); err != nil {
		return err
	}
	if r.MoreNames && !r.MoreModels || r.MoreModels && len(r.Models) < MaxModels {
		return errors.New("more models than there are places, and places are left")
	}
	if err := validateModels(r.Models, answers); err != nil {
		return err
	}
	return prefixed("judge", r.Judge.validate(r.Cases))
}

// validateModels that so many answers named.
func validateModels(models []ModelSeen, answers int) error {
	if len(models) > MaxModels {
		return fmt.Errorf("more than %d models", MaxModels)
	}
	named := 0
	seen := make(map[ModelSeen]bool, len(models))
	for i, m := range models {
		key := ModelSeen{Name: m.Name, Fingerprint: m.Fingerprint}
		switch {
		case m.Name == "" && m.Fingerprint == "" || m.Name != Clean(m.Name, 128) || m.Fingerprint != Clean(m.Fingerprint, 128):
			return fmt.Errorf("models[%d] has no usable name", i)
		case m.Answers < 1 || m.Answers > MaxAsked:
			return fmt.Errorf("models[%d]: a count is absurd", i)
		case seen[key]:
			return fmt.Errorf("models[%d] is there twice", i)
		}
		seen[key] = true
		named += m.Answers
	}
	if named > answers {
		return errors.New("more answers named a model than there are")
	}
	return nil
}

func (c CaseResult) validate() error {
	switch {
	case !caseName.MatchString(c.ID):
		return errors.New("id is not a name")
	case c.Slice != "" && !caseName.MatchString(c.Slice):
		return errors.New("slice is not a name")
	case len(c.Answers) < 1 || len(c.Answers) > MaxRepeats:
		return fmt.Errorf("not 1 to %d answers", MaxRepeats)
	case c.Differ && len(c.Answers) < 2:
		return errors.New("one answer differs from itself")
	}
	for i, a := range c.Answers {
		if err := a.validate(); err != nil {
			return fmt.Errorf("answers[%d]: %w", i, err)
		}
	}
	return nil
}

// validate demands that the outcome is said in words: nothing that is left out makes an answer right.
func (a CaseAnswer) validate() error {
	if a.Took < 0 || a.Took.Std() > 2*MaxTimeout {
		return errors.New("took is negative or absurd")
	}
	fits := false
	switch a.Outcome {
	case CaseRight:
		fits = a.Kind == "" && a.Failure == AskAnswered
	case CaseWrong:
		fits = assertionName.MatchString(a.Kind) && a.Failure == AskAnswered
	case CaseUnanswered:
		fits = a.Kind == "" && a.Failure != AskAnswered && a.Failure.Known() && !a.Failure.Local()
	case CaseLost:
		fits = a.Kind == "" && a.Failure.Known() && a.Failure.Local()
	default:
		return errors.New("unknown outcome")
	}
	if !fits {
		return errors.New("outcome, kind and failure contradict each other")
	}
	return nil
}

// Clean takes out of the result's strings what could harm a terminal or a status. Ids and kinds have a form of their own.
func (r *QualityResult) Clean() {
	r.Bound()
	cleanModels(r.Models)
	if r.Judge != nil {
		cleanModels(r.Judge.Models)
	}
}

func cleanModels(models []ModelSeen) {
	for i := range models {
		models[i].Name, models[i].Fingerprint = Clean(models[i].Name, 128), Clean(models[i].Fingerprint, 128)
	}
}
