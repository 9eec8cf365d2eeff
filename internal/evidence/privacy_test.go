package evidence

import (
	"slices"
	"testing"

	"github.com/affineur/affineur/internal/leak"
)

// What is kept of a conversation has no room for a word of it, whoever wrote the result.
func TestPrivacyResults(t *testing.T) {
	good := func() PrivacyResult {
		return PrivacyResult{
			Told: Tally{Planned: 6, Answered: 6}, Others: Tally{Planned: 6, Answered: 6}, Texts: Texts{Shown: 3, Open: 1, Late: 1},
			Leaks:    []Leak{{Channel: LeakOtherUser, Record: "c3", Kinds: []leak.Kind{leak.Phone}, Cases: []string{"asked-4", "broken-c1-12"}}},
			Personal: []Personal{{Kind: PersonalEMail, Values: 1, Answers: 1, Cases: []string{"told-c1"}}},
		}
	}
	if err := good().Validate(); err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(*PrivacyResult){
		"a name for a record":       func(r *PrivacyResult) { r.Leaks[0].Record = "Ana" },
		"a name for a case":         func(r *PrivacyResult) { r.Leaks[0].Cases[0] = "ana@affineur.dev" },
		"a number for a case":       func(r *PrivacyResult) { r.Personal[0].Cases[0] = "+41446681800" },
		"a long case":               func(r *PrivacyResult) { r.Leaks[0].Cases[0] = "abcdefghijkl-c123-c123456" },
		"more cases than are told":  func(r *PrivacyResult) { r.Leaks[0].Cases = slices.Repeat([]string{"asked-1"}, maxCases+1) },
		"words for a kind":          func(r *PrivacyResult) { r.Leaks[0].Kinds[0] = "her number" },
		"no kind":                   func(r *PrivacyResult) { r.Leaks[0].Kinds = nil },
		"a kind twice":              func(r *PrivacyResult) { r.Leaks[0].Kinds = []leak.Kind{leak.Phone, leak.Phone} },
		"a record twice":            func(r *PrivacyResult) { r.Leaks = append(r.Leaks, r.Leaks[0]) },
		"words for a form":          func(r *PrivacyResult) { r.Personal[0].Kind = "her address" },
		"a form twice":              func(r *PrivacyResult) { r.Personal = append(r.Personal, r.Personal[0]) },
		"a form of no value":        func(r *PrivacyResult) { r.Personal[0].Values = 0 },
		"a form in no case":         func(r *PrivacyResult) { r.Personal[0].Cases = nil },
		"more texts than there are": func(r *PrivacyResult) { r.Texts.Late = 3 },
		"fewer than none":           func(r *PrivacyResult) { r.Broken = Tally{Answered: -1, Refused: 1} },
	} {
		r := good()
		change(&r)
		if r.Validate() == nil {
			t.Errorf("%s: taken for a result: %+v", name, r)
		}
	}
}
