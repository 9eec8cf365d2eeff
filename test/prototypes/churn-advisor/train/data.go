package main

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/affineur/affineur/test/prototypes/internal/bayes"
)

// dataset is the labelled messages, divided by the file itself, so that nobody can try out divisions
// until one looks good.
type dataset struct {
	train, holdout []bayes.Example
}

func read(r io.Reader) (dataset, error) {
	rows, err := csv.NewReader(r).ReadAll()
	if err != nil {
		return dataset{}, err
	}
	if len(rows) == 0 || !slices.Equal(rows[0], []string{"split", "label", "text"}) {
		return dataset{}, errors.New("the columns must be split, label, text")
	}
	var set dataset
	seen := map[string]bool{}
	for i, row := range rows[1:] {
		split, example := row[0], bayes.Example{Label: row[1], Text: row[2]}
		switch {
		case example.Label == "" || example.Text == "":
			return dataset{}, fmt.Errorf("row %d has no label or no text", i+2)
		case seen[example.Text]:
			// A message in both parts would be a question whose answer was learnt by heart.
			return dataset{}, fmt.Errorf("row %d repeats an earlier message", i+2)
		case split == "train":
			set.train = append(set.train, example)
		case split == "holdout":
			set.holdout = append(set.holdout, example)
		default:
			return dataset{}, fmt.Errorf("row %d: split is %q, want train or holdout", i+2, split)
		}
		seen[example.Text] = true
	}
	if len(set.train) == 0 || len(set.holdout) == 0 {
		return dataset{}, errors.New("both train and holdout need messages")
	}
	return set, nil
}

type miss struct {
	bayes.Example
	got string
}

type result struct {
	total  int
	misses []miss
}

func (r result) accuracy() float64 { return 1 - float64(len(r.misses))/float64(r.total) }

func (r result) String() string {
	return fmt.Sprintf("%d of %d right, accuracy %.3f", r.total-len(r.misses), r.total, r.accuracy())
}

func evaluate(model bayes.Model, examples []bayes.Example) (result, error) {
	classifier, err := bayes.NewClassifier(model)
	if err != nil {
		return result{}, err
	}
	r := result{total: len(examples)}
	for _, example := range examples {
		if got, _ := classifier.Classify(example.Text); got != example.Label {
			r.misses = append(r.misses, miss{example, got})
		}
	}
	return r, nil
}
