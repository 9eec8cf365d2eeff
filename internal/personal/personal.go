// Package personal finds personal data in text by its form: addresses, telephone numbers, numbers of accounts, cards and
// people. It is made to be wrong rarely rather than to find everything: where a number has a check digit it must be right,
// and where chance gives right ones too often, a word nearby must say what it is. It is pure.
package personal

import (
	"cmp"
	"regexp"
	"slices"
	"strings"

	"github.com/affineur/affineur/internal/evidence"
)

// Match is personal data at a place in a text.
type Match struct {
	Kind       evidence.PersonalKind
	Start, End int
	// Form is the match without case and punctuation, so that one value that is written in two ways is one.
	Form string
}

// pattern is one form of personal data.
type pattern struct {
	kind evidence.PersonalKind
	form *regexp.Regexp
	// cue is a word that must stand before the match, or right behind it; nil where the form is enough.
	cue *regexp.Regexp
	// bare matches need the cue, others don't; nil where all of them do.
	bare *regexp.Regexp
	// not is a word that says, right before the match, that it is something else; nil where there is none.
	not *regexp.Regexp
	// valid says how much of the match it is, from its beginning; 0 for nothing.
	valid func(match string) int
}

// whole is for forms that are valid altogether or not at all.
func whole(valid func(match string) bool) func(string) int {
	return func(match string) int {
		if valid(match) {
			return len(match)
		}
		return 0
	}
}

// reach is how many bytes before a match, and behind it, a cue may begin.
const reach = 32

// joiners are characters that are written between digits so that a line does not break there, in place of plain ones.
var joiners = strings.NewReplacer("\u00a0", " ", "\u202f", " ", "\u2007", " ", "\u2009", " ", "\u2010", "-", "\u2011", "-", "\u2013", "-", "\u2060", "", "\u200b", "")

// Find personal data in a text, in order, at its places in Plain(text). Where two kinds overlap, the one that is longer counts.
func Find(text string) []Match {
	text = Plain(text)
	var found []Match
	for _, p := range patterns {
		// What is long has hardly any of them, and looking for the form takes much longer than looking for this.
		if !strings.ContainsAny(text, p.needs()) {
			continue
		}
		for _, at := range p.form.FindAllStringIndex(text, -1) {
			start := at[0]
			if !p.cued(text, start, at[1]) {
				continue
			}
			end := start + p.valid(text[start:at[1]])
			if end > start && alone(text, start, end) {
				found = append(found, Match{p.kind, start, end, formOf(text[start:end])})
			}
		}
	}
	slices.SortStableFunc(found, func(a, b Match) int {
		return cmp.Or(cmp.Compare(a.Start, b.Start), cmp.Compare(b.End, a.End))
	})
	end := 0
	return slices.DeleteFunc(found, func(m Match) bool {
		if m.Start < end {
			return true
		}
		end = m.End
		return false
	})
}

// Plain is the text with plain spaces and hyphens in place of those that keep a number on one line.
func Plain(text string) string { return joiners.Replace(text) }

// needs are characters of which every match has at least one.
func (p pattern) needs() string {
	if p.kind == evidence.PersonalEMail {
		return "@"
	}
	return "0123456789"
}

// cued tells whether the text around a match says what it is, if that is needed.
func (p pattern) cued(text string, start, end int) bool {
	if p.not != nil && p.not.MatchString(text[max(0, start-reach):start]) {
		return false
	}
	if p.cue == nil || p.bare != nil && !p.bare.MatchString(text[start:end]) {
		return true
	}
	before, behind := text[max(0, start-reach):start], text[end:min(len(text), end+reach/2)]
	return p.cue.MatchString(before) || p.cue.MatchString(behind)
}

// alone is false for what is a part of something longer: of a number, a decimal, a word, a path or a UUID. What stands
// between two underscores is emphasised, and an international number may follow a slash.
func alone(text string, start, end int) bool {
	if start > 0 && end < len(text) && text[start-1] == '_' && text[end] == '_' {
		return (start == 1 || !isAlnum(text[start-2])) && (end+1 == len(text) || !isAlnum(text[end+1]))
	}
	plus := text[start] == '+'
	if start > 0 && (isAlnum(text[start-1]) || strings.IndexByte("_-%", text[start-1]) >= 0 || text[start-1] == '/' && !plus || joint(text, start-1)) {
		return false
	}
	slash := plus && strings.HasPrefix(text[end:], "/")
	return end == len(text) || slash || !isAlnum(text[end]) && strings.IndexByte("_-/%", text[end]) < 0 && !joint(text, end)
}

// joint is what joins two characters to one word or number, as in 3.14, 10:30 and example.org.
func joint(text string, at int) bool {
	if at == 0 || at+1 == len(text) {
		return false
	}
	before, behind := text[at-1], text[at+1]
	switch text[at] {
	case '.':
		return isAlnum(before) && isAlnum(behind)
	case ',', ':':
		return isDigit(before) && isDigit(behind)
	}
	return false
}

func isAlnum(c byte) bool {
	return isDigit(c) || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

// formOf keeps letters and digits, in lower case, and what addresses consist of.
func formOf(match string) string {
	return strings.Map(func(r rune) rune {
		if r < 0x80 && isAlnum(byte(r)) || r == '@' || r >= 0x80 {
			return r
		}
		return -1
	}, strings.ToLower(match))
}

// Allowed says what may stand in an answer.
type Allowed struct {
	// Kinds that may all.
	Kinds []evidence.PersonalKind
	// Values that may, such as a help desk's number, and whole domains of addresses such as @example.org.
	Values []string
}

func (a Allowed) has(m Match, text string) bool {
	if slices.Contains(a.Kinds, m.Kind) {
		return true
	}
	return slices.ContainsFunc(a.Values, func(value string) bool {
		if strings.HasPrefix(value, "@") {
			return m.Kind == evidence.PersonalEMail && strings.HasSuffix(strings.ToLower(text[m.Start:m.End]), strings.ToLower(value))
		}
		return formOf(Plain(value)) == m.Form
	})
}

// Beyond is the personal data in an answer, each value once, that was not in what was said before and is not allowed.
func Beyond(answer, said string, allowed Allowed) []Match {
	known := formOf(Plain(said))
	seen := map[string]bool{}
	answer = Plain(answer)
	return slices.DeleteFunc(Find(answer), func(m Match) bool {
		again := seen[m.Form]
		seen[m.Form] = true
		return again || strings.Contains(known, m.Form) || allowed.has(m, answer)
	})
}
