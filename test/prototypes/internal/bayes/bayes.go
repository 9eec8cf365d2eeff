// Package bayes is a multinomial naive Bayes text classifier, small enough to be trained while the
// program is built (C. D. Manning, P. Raghavan, H. Schütze, Introduction to Information Retrieval,
// 2008, chapter 13).
package bayes

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"unicode"
)

// Example is a text whose label is known.
type Example struct {
	Label, Text string
}

// Model holds what was counted, in whole numbers, so that training gives the same bytes everywhere.
type Model struct {
	Labels map[string]Counts `json:"labels"`
}

// Counts are those of one label.
type Counts struct {
	// Documents is the number of examples with this label.
	Documents int `json:"documents"`
	// Tokens is how often each token occurs in them.
	Tokens map[string]int `json:"tokens"`
}

// Tokenize splits a text into lower-case words, with apostrophes inside them kept ("don't" is another
// word than "do"). The question mark is a token of its own, since it says much about a text.
func Tokenize(text string) []string {
	text = strings.ReplaceAll(strings.ToLower(text), "’", "'")
	text = strings.ReplaceAll(text, "?", " ? ")
	tokens := strings.FieldsFunc(text, func(r rune) bool {
		return !unicode.IsLetter(r) && !unicode.IsMark(r) && r != '\'' && r != '?'
	})
	for i, token := range tokens {
		tokens[i] = strings.Trim(token, "'")
	}
	return slices.DeleteFunc(tokens, func(token string) bool { return token == "" })
}

// Train counts the examples.
func Train(examples []Example) Model {
	model := Model{Labels: map[string]Counts{}}
	for _, example := range examples {
		counts, known := model.Labels[example.Label]
		if !known {
			counts.Tokens = map[string]int{}
		}
		counts.Documents++
		for _, token := range Tokenize(example.Text) {
			counts.Tokens[token]++
		}
		model.Labels[example.Label] = counts
	}
	return model
}

// Encode returns the model as JSON, with sorted keys: the same model always gives the same bytes.
func (m Model) Encode() ([]byte, error) {
	data, err := json.MarshalIndent(m, "", " ")
	if err != nil {
		return nil, err
	}
	return append(data, '\n'), nil
}

// Decode reads what Encode wrote.
func Decode(data []byte) (Model, error) {
	var model Model
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&model); err != nil {
		return Model{}, fmt.Errorf("reading the model: %w", err)
	}
	return model, model.validate()
}

func (m Model) validate() error {
	if len(m.Labels) < 2 {
		return errors.New("the model has fewer than two labels")
	}
	for label, counts := range m.Labels {
		if counts.Documents < 1 {
			return fmt.Errorf("label %q has no documents", label)
		}
		for token, count := range counts.Tokens {
			if count < 1 {
				return fmt.Errorf("label %q: token %q was counted %d times", label, token, count)
			}
		}
	}
	return nil
}

// Classifier is a model made ready for use. It is never written again, so any number of requests may
// use it at once.
type Classifier struct {
	labels []string
	priors []float64
	// weights hold, for every token of the vocabulary, its logarithmic likelihood under each label.
	weights map[string][]float64
}

// NewClassifier prepares a model. A token that a label never had counts as seen once (Laplace
// smoothing), tokens that no label had are ignored.
func NewClassifier(model Model) (*Classifier, error) {
	if err := model.validate(); err != nil {
		return nil, err
	}
	classifier := &Classifier{labels: slices.Sorted(maps.Keys(model.Labels)), weights: map[string][]float64{}}
	documents := 0
	for _, counts := range model.Labels {
		documents += counts.Documents
		for token := range counts.Tokens {
			classifier.weights[token] = make([]float64, len(classifier.labels))
		}
	}
	for i, label := range classifier.labels {
		counts := model.Labels[label]
		total := len(classifier.weights)
		for _, count := range counts.Tokens {
			total += count
		}
		classifier.priors = append(classifier.priors, math.Log(float64(counts.Documents)/float64(documents)))
		for token, weights := range classifier.weights {
			weights[i] = math.Log(float64(counts.Tokens[token]+1) / float64(total))
		}
	}
	return classifier, nil
}

// Labels are the labels that Classify may return, sorted.
func (c *Classifier) Labels() []string { return slices.Clone(c.labels) }

// Classify returns the likeliest label and its posterior probability, rounded to four digits. Naive
// Bayes overstates its certainty, since it takes words to be independent: the probability ranks
// texts, and is no promise about how often the label is right.
func (c *Classifier) Classify(text string) (label string, confidence float64) {
	scores := slices.Clone(c.priors)
	for _, token := range Tokenize(text) {
		for i, weight := range c.weights[token] {
			scores[i] += weight
		}
	}
	best := 0
	for i, score := range scores {
		if score > scores[best] {
			best = i
		}
	}
	var sum float64
	for _, score := range scores {
		sum += math.Exp(score - scores[best])
	}
	return c.labels[best], math.Round(10_000/sum) / 10_000
}
