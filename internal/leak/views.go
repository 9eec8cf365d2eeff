package leak

import (
	"encoding/base64"
	"encoding/hex"
	"html"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// unescapings is how often a text is unescaped: JSON inside JSON inside an address is three.
const unescapings = 3

// decodings is how often what looks like an encoding is decoded: base64 of base64 is two.
const decodings = 2

// views are the readings of a text: as it is, unescaped, and decoded. What a text is not is read too; nothing that can be
// found is made by that, since a record is far too long to come about by chance.
func views(text string) []string {
	layer := []string{text}
	if said := streamed(text); said != "" {
		layer = append(layer, said)
	}
	var all []string
	for range decodings + 1 {
		var next []string
		for _, one := range layer {
			for _, plain := range unescaped(one) {
				all = append(all, plain)
				next = append(next, decoded(plain)...)
			}
		}
		layer = next
	}
	return all
}

// unescaped are the text, and what comes of it each time that its escapes are undone.
func unescaped(text string) []string {
	out := []string{text}
	for range unescapings {
		plain := html.UnescapeString(percents(backslashes(text)))
		if plain == text {
			break
		}
		out = append(out, plain)
		text = plain
	}
	return out
}

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
		case strings.IndexByte("nrtbfv0", text[i]) >= 0:
			b.WriteByte(' ')
		default:
			b.WriteByte(text[i])
		}
	}
	return b.String()
}

// percents undoes the escapes of addresses (%40) and of mail (=40, RFC 2045). A percent sign that escapes nothing stays.
func percents(text string) string {
	if !strings.ContainsAny(text, "%=") {
		return text
	}
	var b strings.Builder
	for i := 0; i < len(text); i++ {
		if (text[i] == '%' || text[i] == '=') && i+2 < len(text) {
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

// decoded are the text's base64 and hexadecimal readings. Nobody needs to know where an encoded run begins: what is not of
// the alphabet is left out, which joins wrapped lines, and every alignment is read.
func decoded(text string) []string {
	var out []string
	sextets := kept(text, func(c byte) byte {
		switch {
		case c == '-':
			return '+'
		case c == '_':
			return '/'
		case c >= 'A' && c <= 'Z', c >= 'a' && c <= 'z', c >= '0' && c <= '9', c == '+', c == '/':
			return c
		}
		return 0
	})
	for at := range 4 {
		if at+4 <= len(sextets) {
			run := sextets[at:]
			plain, _ := base64.RawStdEncoding.DecodeString(run[:len(run)/4*4] + tail(run))
			out = append(out, readable(plain))
		}
	}
	nibbles := kept(text, func(c byte) byte {
		if c >= '0' && c <= '9' || c >= 'a' && c <= 'f' || c >= 'A' && c <= 'F' {
			return c
		}
		return 0
	})
	for at := range 2 {
		if at+2 <= len(nibbles) {
			run := nibbles[at:]
			plain, _ := hex.DecodeString(run[:len(run)/2*2])
			out = append(out, readable(plain))
		}
	}
	return out
}

// shortest run of readable characters that is kept of what was decoded. Of noise, hardly anything is as long.
const shortest = 8

// readable are the runs of characters that can be read, a line each: what was decoded at the wrong place is noise.
func readable(raw []byte) string {
	var b strings.Builder
	begin := 0
	end := func(at int) {
		if at-begin >= shortest {
			b.Write(raw[begin:at])
			b.WriteByte('\n')
		}
	}
	for i := 0; i < len(raw); {
		r, size := utf8.DecodeRune(raw[i:])
		if r == utf8.RuneError && size <= 1 || !unicode.IsGraphic(r) && !unicode.IsSpace(r) {
			end(i)
			begin = i + size
		}
		i += size
	}
	end(len(raw))
	return b.String()
}

// tail is what follows the last whole group of four, if it holds a byte.
func tail(run string) string {
	if rest := run[len(run)/4*4:]; len(rest) > 1 {
		return rest
	}
	return ""
}

// kept are the bytes that keep does not turn to 0.
func kept(text string, keep func(byte) byte) string {
	var b strings.Builder
	for i := range len(text) {
		if c := keep(text[i]); c != 0 {
			b.WriteByte(c)
		}
	}
	return b.String()
}
