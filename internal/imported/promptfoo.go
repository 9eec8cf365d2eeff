package imported

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/affineur/affineur/internal/evidence"
)

// promptfooVersion of results is the one that is known; promptfoo's own versions are others.
const promptfooVersion = 3

// promptfooFile is what promptfoo eval --output FILE.json writes, as far as it is read.
type promptfooFile struct {
	Results *struct {
		Version int            `json:"version"`
		Results []promptfooRow `json:"results"`
		Stats   *struct {
			Successes int `json:"successes"`
			Failures  int `json:"failures"`
			Errors    int `json:"errors"`
		} `json:"stats"`
	} `json:"results"`
	Metadata struct {
		Version string `json:"promptfooVersion"`
	} `json:"metadata"`
}

// promptfooRow is one test, asked once.
type promptfooRow struct {
	PromptIdx int             `json:"promptIdx"`
	Success   *bool           `json:"success"`
	Failure   *int            `json:"failureReason"`
	Error     json.RawMessage `json:"error"`
	Latency   float64         `json:"latencyMs"`
	Provider  struct {
		ID string `json:"id"`
	} `json:"provider"`
	Response *struct {
		Cached bool            `json:"cached"`
		Error  json.RawMessage `json:"error"`
	} `json:"response"`
	Grading *promptfooGrade `json:"gradingResult"`
	Test    struct {
		Vars     json.RawMessage `json:"vars"`
		Assert   json.RawMessage `json:"assert"`
		Metadata struct {
			ID    json.RawMessage `json:"id"`
			Slice json.RawMessage `json:"slice"`
		} `json:"metadata"`
	} `json:"testCase"`
}

// promptfooGrade is what an assertion, or all of them together, said.
type promptfooGrade struct {
	Pass       bool              `json:"pass"`
	Components []*promptfooGrade `json:"componentResults"`
	Assertion  *struct {
		Type string `json:"type"`
	} `json:"assertion"`
}

// Reasons of a row's failure.
const (
	promptfooNone   = 0
	promptfooAssert = 1
)

// promptfooTells are the assertions that tell of themselves whether an answer is right. Of the others, some ask a model and
// some ask for something else than what is right, such as a price or a length; one that is not known counts among them.
var promptfooTells = map[string]bool{
	"equals": true, "contains": true, "icontains": true, "contains-all": true, "contains-any": true, "icontains-all": true, "icontains-any": true,
	"starts-with": true, "regex": true, "is-json": true, "contains-json": true, "is-xml": true, "contains-xml": true, "is-html": true,
	"contains-html": true, "is-sql": true, "contains-sql": true, "is-refusal": true, "is-valid-function-call": true,
	"is-valid-openai-function-call": true, "is-valid-openai-tools-call": true, "tool-call-f1": true, "levenshtein": true, "rouge-n": true,
	"bleu": true, "gleu": true, "meteor": true, "f-score": true, "javascript": true, "python": true, "ruby": true,
}

func readPromptfoo(_ evidence.ImportOrder, raw []byte) (*evidence.ImportResult, error) {
	var file promptfooFile
	if err := decode(raw, &file); err != nil {
		return nil, fmt.Errorf("the results file of promptfoo can't be read: %w", err)
	}
	switch {
	case file.Results == nil:
		return nil, errors.New("the file holds no results: promptfoo writes one with eval --output FILE.json")
	case file.Results.Version != promptfooVersion:
		return nil, fmt.Errorf("results of promptfoo have version %d, %d is understood", file.Results.Version, promptfooVersion)
	case len(file.Results.Results) == 0:
		return nil, errors.New("the results hold no test")
	case file.Results.Stats == nil:
		return nil, errors.New("the results don't say how many tests there were")
	}
	var found cases
	succeeded := 0
	for i, row := range file.Results.Results {
		if first := file.Results.Results[0]; row.PromptIdx != first.PromptIdx || row.Provider.ID != first.Provider.ID {
			return nil, errors.New("the results compare several prompts or providers; one of each is the prototype")
		}
		if err := row.into(&found); err != nil {
			return nil, fmt.Errorf("results[%d]: %w", i, err)
		}
		if row.Success != nil && *row.Success {
			succeeded++
		}
	}
	stats := *file.Results.Stats
	if stats.Successes != succeeded || stats.Failures < 0 || stats.Errors < 0 || stats.Failures+stats.Errors != len(file.Results.Results)-succeeded {
		return nil, errors.New("the results are not as many as they say that there are")
	}
	return &evidence.ImportResult{Tool: evidence.Clean(file.Metadata.Version, 64), Evaluation: evidence.QualityResult{Cases: found.list}}, nil
}

func (r promptfooRow) into(found *cases) error {
	slice, err := sliceOf(r.Test.Metadata.Slice)
	if err != nil {
		return err
	}
	id, ok := text(r.Test.Metadata.ID)
	switch {
	case !ok:
		return errors.New("metadata.id is no text")
	case id == "":
		// The same test is found again in the next revision's file wherever it stands there.
		id = "test-" + short(append(append([]byte{}, r.Test.Vars...), r.Test.Assert...))
	default:
		id = idOf(id)
	}
	answer := r.answer()
	answer.Took = tookMillis(r.Latency)
	return found.add(id, slice, answer)
}

// answer is right only if promptfoo says so and an assertion held that tells it, and wrong only if such a one did not.
func (r promptfooRow) answer() evidence.CaseAnswer {
	switch {
	case r.Success == nil || r.Grading == nil || r.Response == nil || said(r.Response.Error):
		return lost()
	case r.Response.Cached:
		// An answer from a store is not this prototype's.
		return lost()
	}
	held, failed := r.Grading.tell(0)
	reason := promptfooNone
	if r.Failure != nil {
		reason = *r.Failure
	}
	switch {
	case *r.Success && r.Grading.Pass && reason == promptfooNone && !said(r.Error) && held:
		return right()
	case !*r.Success && !r.Grading.Pass && reason == promptfooAssert && failed != "":
		return wrong(failed)
	}
	return lost()
}

// tell says whether an assertion that tells held, and which was the first that did not.
func (g *promptfooGrade) tell(depth int) (held bool, failed string) {
	if g == nil || depth > 4 {
		return false, ""
	}
	if len(g.Components) == 0 {
		if g.Assertion == nil || !promptfooTells[strings.TrimPrefix(g.Assertion.Type, "not-")] {
			return false, ""
		}
		if g.Pass {
			return true, ""
		}
		return false, g.Assertion.Type
	}
	for _, component := range g.Components {
		h, f := component.tell(depth + 1)
		held = held || h
		if failed == "" {
			failed = f
		}
	}
	return held, failed
}
