package main

import (
	"context"
	"encoding/json"
	"strconv"
	"strings"

	"github.com/affineur/affineur/internal/evidence"
	"github.com/affineur/affineur/internal/personal"
	"github.com/affineur/affineur/internal/secretscan"
)

const (
	// maxSearched bounds a text before it is searched: the rest would be cut off anyway.
	maxSearched = 16 << 10
	// withheld stands for a text that is not shown.
	withheld = "[not shown: it holds what looks like a secret]"
	// besides is what a report has besides its result.
	besides = 4 << 10
)

// presentable makes of what a result shows what its order allows. What can't be made so is not shown.
func presentable(ctx context.Context, content evidence.Content, result *evidence.QualityResult) {
	switch content {
	case evidence.ContentFull:
	case evidence.ContentRedacted:
		if err := redact(ctx, result.Shown); err != nil {
			result.Shown = nil
		}
	default:
		result.Shown = nil
	}
	result.Bound()
	// The cases count, and neither what is shown nor what a judge said must keep them from being told.
	if !fits(result) {
		result.Shown = nil
	}
	if !fits(result) {
		result.Judge = nil
	}
}

// fits tells whether a report can hold the result.
func fits(result *evidence.QualityResult) bool {
	raw, err := json.Marshal(result)
	return err == nil && len(raw) <= evidence.MaxReportBytes-besides
}

// redact takes out of all texts what looks like personal data, and withholds those in which a rule finds a secret. A text
// is searched as it would be shown: what is invisible could tear a number apart.
func redact(ctx context.Context, shown []evidence.ShownCase) error {
	var texts []*string
	var searched []evidence.Text
	for i := range shown {
		for _, text := range []*string{&shown[i].Input, &shown[i].Answer} {
			raw := *text
			*text = evidence.Clean(raw, maxSearched)
			searched = append(searched,
				evidence.Text{Field: strconv.Itoa(len(texts)), Value: *text}, evidence.Text{Field: strconv.Itoa(len(texts)), Value: raw[:min(len(raw), maxSearched)]})
			texts = append(texts, text)
		}
	}
	if len(texts) == 0 {
		return nil
	}
	found, err := secretscan.Search(ctx, evidence.SecretsOrder{Count: len(searched)}, searched)
	if err != nil {
		return err
	}
	for _, text := range texts {
		*text = masked(*text)
	}
	for _, hit := range found.Found {
		if i, err := strconv.Atoi(hit.Field); err == nil && i < len(texts) {
			*texts[i] = withheld
		}
	}
	if found.FoundMore > 0 {
		for _, text := range texts {
			*text = withheld
		}
	}
	return nil
}

// masked is a text with the kind of personal data in its place.
func masked(text string) string {
	var b strings.Builder
	from := 0
	for _, m := range personal.Find(text) {
		b.WriteString(text[from:m.Start])
		b.WriteString("[" + string(m.Kind) + "]")
		from = m.End
	}
	return b.String() + text[from:]
}
