package evidence

import (
	"errors"
	"fmt"
)

// Content is what a report may hold of what was asked and answered. The zero value is nothing.
type Content string

const (
	// ContentRedacted holds texts without what looks like personal data, and none with what looks like a secret.
	ContentRedacted Content = "Redacted"
	// ContentFull holds texts as they are.
	ContentFull Content = "Full"
)

// known tells whether it is nothing, or one of the above.
func (c Content) known() bool { return c == "" || c == ContentRedacted || c == ContentFull }

const (
	// MaxShown bounds how many cases a result shows.
	MaxShown = 20
	// MaxShownText bounds each of their texts, in bytes.
	MaxShownText = 512
)

// ShownCase is a question that was answered wrongly, with the first answer that was wrong.
type ShownCase struct {
	ID     string `json:"id"`
	Input  string `json:"input"`
	Answer string `json:"answer"`
}

func (r QualityResult) validateShown(cases map[string]bool) error {
	if len(r.Shown) > MaxShown {
		return fmt.Errorf("more than %d cases are shown", MaxShown)
	}
	seen := map[string]bool{}
	for i, c := range r.Shown {
		switch {
		case !cases[c.ID] || seen[c.ID]:
			return fmt.Errorf("shown[%d] is no case, or is there twice", i)
		case c.Input != Clean(c.Input, MaxShownText) || c.Answer != Clean(c.Answer, MaxShownText):
			return errors.New("a text that is shown is too long, or not clean")
		}
		seen[c.ID] = true
	}
	return nil
}

// Bound makes the texts that are shown as short as they have to be.
func (r *QualityResult) Bound() {
	for i := range r.Shown {
		r.Shown[i].Input, r.Shown[i].Answer = Clean(r.Shown[i].Input, MaxShownText), Clean(r.Shown[i].Answer, MaxShownText)
	}
}
