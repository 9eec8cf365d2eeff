// Package textmodel is a small text model: chains of words learnt from a text in this folder. It has
// no idea of what it says, and is no benchmark of any real model. It stands where a large model would
// stand, so that keys, budgets, streams and versions can be tried for real.
package textmodel

import (
	"crypto/sha256"
	_ "embed"
	"encoding/binary"
	"encoding/hex"
	"regexp"
	"strings"
)

//go:embed corpus.txt
var corpus string

const (
	// maxSentences ends an answer.
	maxSentences = 6
	// subjectMark is where the text speaks of what was asked about.
	subjectMark = "{subject}"
	// maxSubjectRunes keeps a long question from being repeated in every sentence.
	maxSubjectRunes = 80
)

// window is the two words that the next one depends on.
type window [2]string

// Model is one version of the text model. It is never written after New.
type Model struct {
	name, version string
	fingerprint   string
	// next lists the words that followed a window, as often as they did; "" ends a sentence.
	next map[window][]string
}

// New learns the text. Another version gives other answers to the same question, as with any model.
func New(name, version string) *Model {
	m := &Model{name: name, version: version, next: map[window][]string{}}
	for line := range strings.Lines(corpus) {
		var before window
		for _, word := range append(strings.Fields(line), "") {
			m.next[before] = append(m.next[before], word)
			before = window{before[1], word}
		}
	}
	sum := sha256.Sum256([]byte(corpus))
	m.fingerprint = name + "-" + version + "-" + hex.EncodeToString(sum[:4])
	return m
}

// Name is what callers ask for.
func (m *Model) Name() string { return m.name }

// Version is which of the models of this name answers.
func (m *Model) Version() string { return m.version }

// Fingerprint names the model, its version and the text that it learnt.
func (m *Model) Fingerprint() string { return m.fingerprint }

// Answer continues the conversation with at most maxTokens words; complete is false when they did not
// suffice. The same conversation gets the same answer from the same version, everywhere.
func (m *Model) Answer(conversation []string, maxTokens int) (text string, complete bool) {
	dice := m.dice(conversation)
	subject := subject(conversation[len(conversation)-1])
	var lines []string
	used := 0
	for len(lines) < maxSentences {
		words := strings.Fields(strings.ReplaceAll(m.sentence(dice), subjectMark, subject))
		if used+len(words) > maxTokens {
			lines = append(lines, strings.Join(words[:maxTokens-used], " "))
			return strings.TrimSpace(strings.Join(lines, "\n")), false
		}
		used += len(words)
		lines = append(lines, strings.Join(words, " "))
	}
	return strings.Join(lines, "\n"), true
}

func (m *Model) sentence(roll dice) string {
	var words []string
	for before := (window{}); ; {
		choices := m.next[before]
		word := choices[roll()%uint64(len(choices))]
		if word == "" {
			return strings.Join(words, " ")
		}
		words = append(words, word)
		before = window{before[1], word}
	}
}

// dice gives the next of an endless row of numbers.
type dice func() uint64

// dice is a hash in counter mode: unlike a library's generator it can't change with the compiler.
func (m *Model) dice(conversation []string) dice {
	seed := sha256.New()
	for _, part := range append([]string{m.name, m.version}, conversation...) {
		// The length goes first, so that ("ab","c") and ("a","bc") differ.
		_ = binary.Write(seed, binary.BigEndian, uint64(len(part)))
		seed.Write([]byte(part))
	}
	start := seed.Sum(nil)
	var rolls uint64
	return func() uint64 {
		sum := sha256.Sum256(binary.BigEndian.AppendUint64(start[:len(start):len(start)], rolls))
		rolls++
		return binary.BigEndian.Uint64(sum[:])
	}
}

var asked = regexp.MustCompile(`(?i)\babout\s+([^\n.?!:;]+)`)

// subject is what the question names after its last "about".
func subject(question string) string {
	found := asked.FindAllStringSubmatch(question, -1)
	if len(found) == 0 {
		return "the subject"
	}
	words := strings.Join(strings.Fields(found[len(found)-1][1]), " ")
	if runes := []rune(words); len(runes) > maxSubjectRunes {
		words = string(runes[:maxSubjectRunes])
	}
	if words == "" || strings.Contains(words, subjectMark) {
		return "the subject"
	}
	return words
}
