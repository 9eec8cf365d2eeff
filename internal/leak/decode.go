package leak

import (
	"bytes"
	"encoding/base32"
	"encoding/base64"
	"encoding/hex"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// decoded are the text's readings as base64, base32, and bytes in hexadecimal and decimal. Nobody needs to know where an
// encoded run begins: what is not of the alphabet is left out, which joins wrapped lines, and every alignment is read.
func decoded(text string) []string {
	return slices.Concat(sixtyFours(text), thirtyTwos(text), hexadecimals(text), []string{readable(decimals(text))})
}

func sixtyFours(text string) (out []string) {
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
	return out
}

// word is the shortest word of base32. Words of a language are left out where they are shorter, or have other letters.
const word = 8

// thirtyTwos reads words of base32 (RFC 4648) in upper or lower case.
func thirtyTwos(text string) (out []string) {
	var b strings.Builder
	for of := range strings.FieldsFuncSeq(text, func(r rune) bool { return r >= 0x80 || !isWord(byte(r|0x20)) && !isWord(byte(r)) }) {
		upper := strings.ToUpper(of)
		if len(of) >= word && (of == upper || of == strings.ToLower(of)) && !strings.ContainsAny(of, "0189") {
			b.WriteString(upper)
		}
	}
	all := b.String()
	for at := range 8 {
		if at < len(all) {
			run := all[at:]
			if rest := len(run) % 8; rest == 1 || rest == 3 || rest == 6 {
				run = run[:len(run)-1]
			}
			plain, _ := base32.StdEncoding.WithPadding(base32.NoPadding).DecodeString(run)
			out = append(out, readable(plain))
		}
	}
	return out
}

// hexadecimals reads bytes such as 4d61, 4d 61, and 0x4d, 0x61.
func hexadecimals(text string) (out []string) {
	text = strings.NewReplacer("0x", "", "0X", "").Replace(text)
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

// decimals reads bytes such as 77, 97 and 100. A number that is none ends what can be read.
func decimals(text string) []byte {
	var out []byte
	value, digits := 0, 0
	for _, c := range []byte(text + " ") {
		switch {
		case isDigit(c):
			value, digits = min(value*10+int(c-'0'), 256), digits+1
		case digits > 0 && value < 256:
			out = append(out, byte(value))
			value, digits = 0, 0
		case digits > 0:
			out = append(out, 0xFF)
			value, digits = 0, 0
		}
	}
	return out
}

// shortest run of readable characters that is kept of what was decoded. Of noise, hardly anything is as long.
const shortest = 8

// readable are the runs of characters that can be read, a line each: what was decoded at the wrong place is noise. Of text
// in UTF-16 every other byte is zero.
func readable(raw []byte) string {
	if zeros := bytes.Count(raw, []byte{0}); zeros >= shortest {
		raw = slices.Concat(raw, []byte{0}, bytes.ReplaceAll(raw, []byte{0}, nil))
	}
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
