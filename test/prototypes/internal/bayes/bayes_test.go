package bayes_test

import (
	"bytes"
	"math"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/affineur/affineur/test/prototypes/internal/bayes"
)

func TestTokenize(t *testing.T) {
	for text, want := range map[string][]string{
		"":                       {},
		"Don't renew; I DON’T!":  {"don't", "renew", "i", "don't"},
		"Where is it??":          {"where", "is", "it", "?", "?"},
		"'quoted' 2026 words":    {"quoted", "words"},
		"Größe élan, naïve 日本語.": {"größe", "élan", "naïve", "日本語"},
	} {
		if diff := cmp.Diff(want, bayes.Tokenize(text)); diff != "" {
			t.Errorf("%q (-want +got):\n%s", text, diff)
		}
	}
}

// The example of the textbook, section 13.2, table 13.1, with its published answer.
func TestTextbookExample(t *testing.T) {
	model := bayes.Train([]bayes.Example{
		{Label: "china", Text: "Chinese Beijing Chinese"},
		{Label: "china", Text: "Chinese Chinese Shanghai"},
		{Label: "china", Text: "Chinese Macao"},
		{Label: "other", Text: "Tokyo Japan Chinese"},
	})
	classifier, err := bayes.NewClassifier(model)
	if err != nil {
		t.Fatal(err)
	}
	// 3/4·(3/7)³·(1/14)² against 1/4·(2/9)³·(2/9)²
	china, other := 0.75*math.Pow(3.0/7, 3)/196, 0.25*math.Pow(2.0/9, 5)
	want := math.Round(china/(china+other)*10_000) / 10_000
	label, confidence := classifier.Classify("Chinese Chinese Chinese Tokyo Japan")
	if label != "china" || confidence != want {
		t.Errorf("Classify = %s %v, want china %v", label, confidence, want)
	}
	if label, confidence := classifier.Classify("nothing known"); label != "china" || confidence != 0.75 {
		t.Errorf("unknown words = %s %v, want the prior of china, 0.75", label, confidence)
	}
	if diff := cmp.Diff([]string{"china", "other"}, classifier.Labels()); diff != "" {
		t.Error(diff)
	}
}

func TestEncodeIsDeterministic(t *testing.T) {
	examples := []bayes.Example{{"a", "one two two"}, {"b", "three"}, {"a", "four one"}, {"c", "two"}}
	want, err := bayes.Train(examples).Encode()
	if err != nil {
		t.Fatal(err)
	}
	slices.Reverse(examples)
	got, err := bayes.Train(examples).Encode()
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(want, got) {
		t.Errorf("the order of the examples changed the model:\n%s\n%s", want, got)
	}
	decoded, err := bayes.Decode(got)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(bayes.Train(examples), decoded); diff != "" {
		t.Error(diff)
	}
}

func TestDecodeRefuses(t *testing.T) {
	for name, data := range map[string]string{
		"no JSON":       "",
		"no labels":     `{}`,
		"one label":     `{"labels":{"a":{"documents":1}}}`,
		"no documents":  `{"labels":{"a":{"documents":1},"b":{"documents":0}}}`,
		"zero count":    `{"labels":{"a":{"documents":1},"b":{"documents":1,"tokens":{"x":0}}}}`,
		"unknown field": `{"labels":{"a":{"documents":1},"b":{"documents":1}},"weights":[]}`,
	} {
		if _, err := bayes.Decode([]byte(data)); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}
