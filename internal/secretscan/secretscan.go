// Package secretscan searches what a team wrote for secrets, by the rules of gitleaks. It never gives away what it found:
// only where, and by which rule.
package secretscan

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/rs/zerolog"
	"github.com/zricethezav/gitleaks/v8/detect"
	"github.com/zricethezav/gitleaks/v8/logging"
	"github.com/zricethezav/gitleaks/v8/report"

	"github.com/affineur/affineur/internal/evidence"
)

// depth of encodings that are looked into, such as a key in base64 in a setting in base64.
const depth = 3

// Search searches all texts. The error is why they could not all be searched: what was cut short says nothing.
func Search(ctx context.Context, order evidence.SecretsOrder, texts []evidence.Text) (evidence.SecretsResult, error) {
	if len(texts) != order.Count {
		return evidence.SecretsResult{}, fmt.Errorf("%d texts are there, %d were announced", len(texts), order.Count)
	}
	detector, err := newDetector()
	if err != nil {
		return evidence.SecretsResult{}, err
	}
	result := evidence.SecretsResult{Rules: len(detector.Config.Rules)}
	for _, text := range texts {
		for _, leak := range search(ctx, detector, text) {
			result.Add(leak)
		}
		// A search that was stopped returns what it had found until then, without an error.
		if err := ctx.Err(); err != nil {
			return evidence.SecretsResult{}, err
		}
		result.Searched++
	}
	result.Clean()
	return result, nil
}

func newDetector() (*detect.Detector, error) {
	// The log would be the only place that names what was found.
	logging.Logger = zerolog.Nop()
	detector, err := detect.NewDetectorDefaultConfig()
	if err != nil {
		return nil, errors.New("the rules of gitleaks can't be read")
	}
	detector.MaxDecodeDepth = depth
	// A comment in the text must not talk the search out of it.
	detector.IgnoreGitleaksAllow = true
	detector.Redact = 100
	return detector, nil
}

// search searches one text: by itself, and as the setting that it is, because rules go by the name in front of a value.
func search(ctx context.Context, detector *detect.Detector, text evidence.Text) []evidence.FoundSecret {
	shapes := []string{text.Value}
	if text.Name != "" {
		shapes = append(shapes, fmt.Sprintf("%s=%q\n", strings.ToLower(text.Name), text.Value))
	}
	var leaks []evidence.FoundSecret
	seen := map[string]bool{}
	for _, shape := range shapes {
		for _, f := range detector.DetectContext(ctx, detect.Fragment{Raw: shape}) { //nolint:staticcheck // the only type that the function takes until version 9
			if seen[f.RuleID] {
				continue
			}
			seen[f.RuleID] = true
			leaks = append(leaks, leakOf(text, f))
		}
	}
	return leaks
}

func leakOf(text evidence.Text, f report.Finding) evidence.FoundSecret {
	found := evidence.FoundSecret{Field: text.Field, Rule: f.RuleID, What: strings.TrimSuffix(f.Description, ".")}
	if text.Name == "" {
		found.Line = f.StartLine + 1
	}
	return found
}
