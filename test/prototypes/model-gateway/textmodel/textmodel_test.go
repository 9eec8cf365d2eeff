package textmodel_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/affineur/affineur/test/prototypes/model-gateway/textmodel"
)

// Pinned: an answer that changed without a new version would be the very drift that reviews look for.
func TestAnswerIsPinned(t *testing.T) {
	const want = `Discussion: ask where fair negotiation meets the daily work of the members can use at work.
Worked example: solve one small problem about fair negotiation in front of the group.
Tools: show one tool that helps with fair negotiation and let the members for a mistake of their own work.
Principles: ask what the group and collect the questions from the opening with the answers that were found.
People: draw a map of the group.
Foundations: compare two views of fair negotiation that the members and where they do not.`
	got, complete := textmodel.New("example-large", "4.7").Answer([]string{"Write a course outline about fair negotiation."}, 500)
	if got != want || !complete {
		t.Errorf("answer = %q (complete: %v), want %q", got, complete, want)
	}
}

func TestAnswersDiffer(t *testing.T) {
	answer := func(version string, conversation ...string) string {
		text, _ := textmodel.New("example-large", version).Answer(conversation, 500)
		return text
	}
	base := answer("4.7", "ab", "c")
	for name, other := range map[string]string{
		"version":  answer("4.8", "ab", "c"),
		"question": answer("4.7", "ab", "d"),
		"history":  answer("4.7", "a", "c"),
		"division": answer("4.7", "a", "bc"),
	} {
		if other == base {
			t.Errorf("another %s gave the same answer", name)
		}
	}
	if again := answer("4.7", "ab", "c"); again != base {
		t.Errorf("the same question got two answers:\n%s\n%s", base, again)
	}
}

func TestAnswerIsWellFormed(t *testing.T) {
	model := textmodel.New("example-large", "4.7")
	for i := range 300 {
		text, complete := model.Answer([]string{fmt.Sprintf("An outline about knitting in %d steps?", i)}, 500)
		lines := strings.Split(text, "\n")
		if !complete || len(lines) != 6 {
			t.Fatalf("%d: %d lines, complete: %v", i, len(lines), complete)
		}
		for _, line := range lines {
			if !strings.HasSuffix(line, ".") || !strings.Contains(line, ": ") || strings.Contains(line, "{") {
				t.Errorf("%d: %q is no line of an outline", i, line)
			}
		}
	}
}

func TestAnswerKeepsToItsLimit(t *testing.T) {
	model := textmodel.New("example-large", "4.7")
	for limit := 1; limit < 150; limit++ {
		text, complete := model.Answer([]string{"about a very long winded matter"}, limit)
		words := len(strings.Fields(text))
		if words > limit || (!complete && words != limit) {
			t.Errorf("limit %d: %d words, complete: %v", limit, words, complete)
		}
	}
}

func TestSubject(t *testing.T) {
	for question, want := range map[string]string{
		"An outline about first aid, please. Be brief.": "first aid, please",
		"Talk about x. No, about\n  data   protection":  "data protection",
		"Hello":                             "the subject",
		"about {subject}":                   "the subject",
		"about " + strings.Repeat("ü", 200): strings.Repeat("ü", 80),
	} {
		text, _ := textmodel.New("m", "1").Answer([]string{question}, 5000)
		text += everySentence(question)
		if !strings.Contains(text, want) {
			t.Errorf("%q: %q does not speak of %q", question, text, want)
		}
	}
}

// everySentence asks several versions: one answer need not name its subject.
func everySentence(question string) string {
	var all strings.Builder
	for version := range 20 {
		text, _ := textmodel.New("m", fmt.Sprint(version)).Answer([]string{question}, 5000)
		all.WriteString(text)
	}
	return all.String()
}
