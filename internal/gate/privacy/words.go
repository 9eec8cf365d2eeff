package privacy

import (
	"fmt"
	"strings"

	"github.com/affineur/affineur/internal/evidence"
	"github.com/affineur/affineur/internal/leak"
)

func lower(s string) string { return strings.ToLower(s) }

func listed(words []string) string { return strings.Join(words, ", ") }

// kindWords are what people call the kinds of a record's data, and of personal data.
var kindWords = map[string]string{
	string(leak.Reference): "reference", string(leak.Name): "name", string(leak.EMail): "e-mail address", string(leak.Phone): "telephone number",
	string(leak.NationalID): "national number", string(evidence.PersonalIBAN): "account number", string(evidence.PersonalPaymentCard): "card number",
	string(evidence.PersonalIPAddress): "IP address",
}

// kindsOf leaks in words, each once.
func kindsOf(leaks []evidence.Leak) string {
	var words []string
	for _, kind := range leak.Kinds {
		for _, l := range leaks {
			if contains(l.Kinds, kind) {
				words = append(words, kindWords[string(kind)])
				break
			}
		}
	}
	return listed(words)
}

func contains(kinds []leak.Kind, want leak.Kind) bool {
	for _, kind := range kinds {
		if kind == want {
			return true
		}
	}
	return false
}

// casesOf leaks: which records, and the first few cases.
func casesOf(leaks []evidence.Leak) string {
	var records, cases []string
	for _, l := range leaks {
		records = append(records, l.Record)
		cases = append(cases, l.Cases...)
	}
	const few = 6
	text := "records " + listed(records[:min(few, len(records))])
	if len(records) > few {
		text += fmt.Sprintf(" and %d more", len(records)-few)
	}
	if len(cases) > 0 {
		text += "; cases " + listed(cases[:min(few, len(cases))])
	}
	return text
}

// size in the words of people.
func size(bytes int64) string {
	if bytes < 10<<10 {
		return fmt.Sprintf("%d bytes", bytes)
	}
	return fmt.Sprintf("%d KiB", bytes>>10)
}

func count(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

func was(n int) string {
	if n == 1 {
		return "was"
	}
	return "were"
}
