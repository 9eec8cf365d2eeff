package imported

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/affineur/affineur/internal/evidence"
)

// inspectVersion of logs is the one that is known.
const inspectVersion = 2

// inspectLog is an evaluation log of inspect_ai as JSON, as far as it is read.
type inspectLog struct {
	Version     int             `json:"version"`
	Status      string          `json:"status"`
	Error       json.RawMessage `json:"error"`
	Invalidated bool            `json:"invalidated"`
	Eval        struct {
		Config struct {
			Epochs *int `json:"epochs"`
		} `json:"config"`
		Packages map[string]string `json:"packages"`
	} `json:"eval"`
	Results *struct {
		Total int `json:"total_samples"`
	} `json:"results"`
	Samples []inspectSample `json:"samples"`
}

// inspectSample is one sample of one epoch.
type inspectSample struct {
	ID       json.RawMessage `json:"id"`
	Epoch    int             `json:"epoch"`
	Error    json.RawMessage `json:"error"`
	Invalid  json.RawMessage `json:"invalidation"`
	Time     float64         `json:"total_time"`
	Metadata struct {
		Slice json.RawMessage `json:"slice"`
	} `json:"metadata"`
	Output struct {
		Model string          `json:"model"`
		Error json.RawMessage `json:"error"`
	} `json:"output"`
	Scores map[string]struct {
		Value json.RawMessage `json:"value"`
	} `json:"scores"`
}

func readInspect(order evidence.ImportOrder, raw []byte) (*evidence.ImportResult, error) {
	var log inspectLog
	if err := decode(raw, &log); err != nil {
		return nil, fmt.Errorf("the log of inspect_ai can't be read: %w; it is to be written as JSON (INSPECT_LOG_FORMAT=json)", err)
	}
	if err := log.check(); err != nil {
		return nil, err
	}
	var found cases
	var models heard
	more, epochs := false, map[string][]int{}
	for i, sample := range log.Samples {
		id, err := sample.into(&found, order.Scorer)
		if err != nil {
			return nil, fmt.Errorf("samples[%d]: %w", i, err)
		}
		if slices.Contains(epochs[id], sample.Epoch) {
			return nil, fmt.Errorf("samples[%d]: example %s is there twice in one epoch", i, id)
		}
		epochs[id] = append(epochs[id], sample.Epoch)
		more = models.add(sample.Output.Model) || more
	}
	for id, seen := range epochs {
		if len(seen) != log.epochs() || slices.Min(seen) != 1 || slices.Max(seen) != log.epochs() {
			return nil, fmt.Errorf("example %s is not there once in each of %d epochs", id, log.epochs())
		}
	}
	return &evidence.ImportResult{
		Tool: evidence.Clean(log.Eval.Packages["inspect_ai"], 64), Evaluation: evidence.QualityResult{Cases: found.list, Models: models, MoreModels: more},
	}, nil
}

func (l inspectLog) epochs() int {
	if l.Eval.Config.Epochs == nil {
		return 1
	}
	return *l.Eval.Config.Epochs
}

// check that the log is of a known version and speaks of a whole evaluation.
func (l inspectLog) check() error {
	switch {
	case l.Version != inspectVersion:
		return fmt.Errorf("the log of inspect_ai has version %d, %d is understood", l.Version, inspectVersion)
	case l.Status != "success":
		return fmt.Errorf("the evaluation did not end well: inspect_ai gives it the status %q", evidence.Clean(l.Status, 32))
	case said(l.Error):
		return errors.New("the evaluation ended with an error")
	case l.Invalidated:
		return errors.New("inspect_ai calls samples of the log invalid")
	case len(l.Samples) == 0:
		return errors.New("the log holds no samples: it is to be written with them (INSPECT_EVAL_LOG_SAMPLES)")
	case l.Results == nil || l.Results.Total != len(l.Samples):
		return errors.New("the samples are not as many as the log says that there are")
	}
	return nil
}

func (s inspectSample) into(found *cases, scorer string) (string, error) {
	slice, err := sliceOf(s.Metadata.Slice)
	if err != nil {
		return "", err
	}
	id, ok := text(s.ID)
	if !ok || id == "" {
		return "", errors.New("it has no id")
	}
	id = idOf(id)
	answer := s.answer(scorer)
	answer.Took = tookMillis(s.Time * 1000)
	return id, found.add(id, slice, answer)
}

// graded is part of the names of inspect_ai's scorers that ask a model.
const graded = "model_graded"

// answer is right only if every score that counts says so. Where one does not, it is wrong; where one says nothing, it is
// not known.
func (s inspectSample) answer(scorer string) evidence.CaseAnswer {
	if said(s.Error) || said(s.Invalid) || said(s.Output.Error) {
		return lost()
	}
	names := make([]string, 0, len(s.Scores))
	for name := range s.Scores {
		if (scorer == "" || name == scorer) && !strings.Contains(name, graded) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	out := lost()
	for i, name := range names {
		switch got := scoreOf(s.Scores[name].Value); {
		case got == scoredWrong:
			return wrong(strings.ReplaceAll(name, "_", "-"))
		case got == unscored:
			out = lost()
		case i == 0 || out.Outcome == evidence.CaseRight:
			out = right()
		}
	}
	return out
}

// score is what a value says.
type score int

const (
	unscored score = iota
	scoredRight
	scoredWrong
)

// scoreOf reads a value as inspect_ai means it: C is correct, I incorrect, P partly, N no answer; true and false; or a number
// of which 1 is correct. Another scale is not guessed at.
func scoreOf(raw json.RawMessage) score {
	var v any
	if json.Unmarshal(raw, &v) != nil {
		return unscored
	}
	switch v := v.(type) {
	case string:
		switch v {
		case "C":
			return scoredRight
		case "I", "P", "N":
			return scoredWrong
		}
	case bool:
		if v {
			return scoredRight
		}
		return scoredWrong
	case float64:
		switch {
		case v == 1:
			return scoredRight
		case v >= 0 && v < 1:
			return scoredWrong
		}
	}
	return unscored
}
