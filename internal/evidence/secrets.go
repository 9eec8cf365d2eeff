package evidence

import (
	"encoding/json"
	"errors"
	"fmt"
)

// KindSecrets searches texts for secrets.
const KindSecrets Kind = "secrets"

const (
	maxTexts     = 256
	maxTextsSize = 640 << 10
	maxSecrets   = 128
)

// SecretsOrder asks which texts of a subject hold a secret.
type SecretsOrder struct {
	// Texts is the file that holds them; empty where Set is the only one.
	Texts string `json:"texts,omitempty"`
	// Set is a file that is a text of its own, and SetField where it was written; empty without one. It is too long to be
	// packed with the others.
	Set      string `json:"set,omitempty"`
	SetField string `json:"setField,omitempty"`
	// Count is how many there are, with the set: all of them have to be searched.
	Count int `json:"count"`
}

// Text is something that a team wrote and many can read.
type Text struct {
	// Field is where it was written.
	Field string `json:"field"`
	// Name under which the value is known, such as a variable's; may be empty.
	Name  string `json:"name,omitempty"`
	Value string `json:"value"`
}

// EncodeTexts writes texts as the file of a SecretsOrder.
func EncodeTexts(texts []Text) ([]byte, error) {
	if len(texts) < 1 || len(texts) > maxTexts {
		return nil, fmt.Errorf("%d texts, 1 to %d are allowed", len(texts), maxTexts)
	}
	raw, err := json.Marshal(texts)
	if err != nil {
		return nil, err
	}
	if len(raw) > maxTextsSize {
		return nil, fmt.Errorf("the texts are %d bytes long, %d are allowed", len(raw), maxTextsSize)
	}
	return raw, nil
}

// DecodeTexts reads what EncodeTexts wrote.
func DecodeTexts(raw []byte) ([]Text, error) {
	if len(raw) > maxTextsSize {
		return nil, errors.New("the texts are too long")
	}
	var texts []Text
	if err := decodeStrict(raw, &texts); err != nil {
		return nil, err
	}
	if len(texts) < 1 || len(texts) > maxTexts {
		return nil, errors.New("no texts, or too many")
	}
	return texts, nil
}

// Kind of the order.
func (SecretsOrder) Kind() Kind { return KindSecrets }

// Validate says what is wrong with the order, or nil.
func (o SecretsOrder) Validate() error {
	switch {
	case o.Texts == "" && o.Set == "" || o.Count < 1 || o.Count > maxTexts:
		return errors.New("no file, or no count")
	case o.Texts != "" && !fileForm.MatchString(o.Texts), o.Set != "" && !fileForm.MatchString(o.Set):
		return errors.New("a file has no usable name")
	case (o.Set == "") != (o.SetField == "") || o.SetField != Clean(o.SetField, maxText):
		return errors.New("the set and its field don't belong together")
	}
	return nil
}

// FoundSecret is a place that holds what looks like a secret. What it holds is not in it.
type FoundSecret struct {
	Field string `json:"field"`
	// Line of the text, counted from 1; 0 where it is not known.
	Line int `json:"line,omitempty"`
	// Rule that found it, by name, and What it finds.
	Rule string `json:"rule"`
	What string `json:"what"`
}

// SecretsResult is where secrets were found.
type SecretsResult struct {
	// Searched is how many texts were searched, and Rules by how many rules.
	Searched int           `json:"searched"`
	Rules    int           `json:"rules"`
	Found    []FoundSecret `json:"found,omitempty"`
	// FoundMore is how many more there were.
	FoundMore int `json:"foundMore,omitempty"`
}

// Kind of the result.
func (SecretsResult) Kind() Kind { return KindSecrets }

// Validate says what is wrong with the result by itself, or nil.
func (r SecretsResult) Validate() error {
	if r.Searched < 1 || r.Searched > maxTexts || r.Rules < 1 || r.Rules > MaxCount || len(r.Found) > maxSecrets || r.FoundMore < 0 || r.FoundMore > MaxCount {
		return errors.New("a number is out of range")
	}
	for i, found := range r.Found {
		if found.Field == "" || found.Rule == "" || found.Line < 0 || found.Line > maxTextsSize {
			return fmt.Errorf("found[%d] names no place or no rule", i)
		}
	}
	return nil
}

// Clean takes out of the result's strings what could harm a terminal or a status.
func (r *SecretsResult) Clean() {
	for i := range r.Found {
		found := &r.Found[i]
		found.Field, found.Rule, found.What = Clean(found.Field, maxText), Clean(found.Rule, 63), Clean(found.What, maxText)
	}
}

// Add notes what was found as far as there is room.
func (r *SecretsResult) Add(found FoundSecret) {
	if len(r.Found) == maxSecrets {
		r.FoundMore++
		return
	}
	r.Found = append(r.Found, found)
}
