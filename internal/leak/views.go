package leak

import (
	"html"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// unescapings is how often a text is unescaped: JSON inside JSON inside an address is three.
const unescapings = 3

// decodings is how often what looks like an encoding is decoded: base64 of base64 is two.
const decodings = 2

// views are the readings of a text: as it is, unescaped, decoded, and backwards. What a text is not is read too; nothing
// that can be found is made by that, since a record is far too long to come about by chance.
func views(text string) []string {
	layer := []string{text}
	if said, _ := pieced(text); said != "" {
		layer = append(layer, said)
	}
	all := []string{backwards(text)}
	for range decodings + 1 {
		var next []string
		for _, one := range layer {
			for _, plain := range unescaped(one, "%=") {
				all = append(all, plain)
				next = append(next, decoded(plain)...)
			}
		}
		layer = next
	}
	return all
}

// Written are the readings of a text in which numbers and addresses stand as people write them, without escapes: of a
// stream also what it says altogether. A letter that a backslash escapes would else be taken for one of the next word.
func Written(text string) []string {
	var out []string
	for _, one := range []string{text, Streamed(text)} {
		if one != "" {
			readings := unescaped(one, "%")
			out = append(out, readings[len(readings)-1])
		}
	}
	return out
}

// unescaped are the text, and what comes of it each time that its escapes are undone, those in addresses by these marks.
func unescaped(text, marks string) []string {
	out := []string{text}
	for range unescapings {
		plain := html.UnescapeString(percents(backslashes(text), marks))
		if plain == text {
			break
		}
		out = append(out, plain)
		text = plain
	}
	return out
}

// spaces are what letters behind a backslash stand for. Of the white space among them lines stay lines.
var spaces = strings.NewReplacer("n", "\n", "r", "\r", "t", "\t", "b", " ", "f", " ", "v", " ", "0", " ")

// backslashes undoes the escapes of JSON and of most languages' strings: \n, \", \/, \u0041, \x41. What is no escape stays.
func backslashes(text string) string {
	if !strings.Contains(text, `\`) {
		return text
	}
	var b strings.Builder
	for i := 0; i < len(text); i++ {
		if text[i] != '\\' || i+1 == len(text) {
			b.WriteByte(text[i])
			continue
		}
		i++
		switch digits := map[byte]int{'u': 4, 'x': 2, 'U': 8}[text[i]]; {
		case digits > 0:
			code, err := strconv.ParseUint(text[i+1:min(i+1+digits, len(text))], 16, 32)
			if err != nil || i+digits >= len(text) || code > utf8.MaxRune {
				b.WriteString(text[i-1 : i+1])
				continue
			}
			b.WriteRune(rune(code))
			i += digits
		default:
			b.WriteString(spaces.Replace(text[i : i+1]))
		}
	}
	return b.String()
}

// percents undoes the escapes of addresses (%40) and of mail (=40, RFC 2045) by their marks. One that escapes nothing stays.
func percents(text, marks string) string {
	if !strings.ContainsAny(text, marks) {
		return text
	}
	var b strings.Builder
	for i := 0; i < len(text); i++ {
		if strings.IndexByte(marks, text[i]) >= 0 && i+2 < len(text) {
			if code, err := strconv.ParseUint(text[i+1:i+3], 16, 8); err == nil {
				b.WriteByte(byte(code))
				i += 2
				continue
			}
		}
		b.WriteByte(text[i])
	}
	return b.String()
}

// backwards is the text from its end to its beginning.
func backwards(text string) string {
	runes := []rune(text)
	slices.Reverse(runes)
	return string(runes)
}
