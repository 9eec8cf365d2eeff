package evidence

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

const ellipsis = "…"

// Clean makes text from outside fit to be shown in a status, an event or a terminal: one line of at most limit
// bytes, without control characters, without the invisible formatting characters that reorder or hide text
// (Unicode Cc, Cf, Zl, Zp, Cs, Co), and valid UTF-8. White space becomes a single space. What was cut off ends in "…".
func Clean(s string, limit int) string {
	var b strings.Builder
	space := false
	for _, r := range s {
		if unicode.IsSpace(r) {
			space = b.Len() > 0
			continue
		}
		if r == utf8.RuneError || !unicode.IsGraphic(r) {
			continue
		}
		if space {
			b.WriteByte(' ')
			space = false
		}
		b.WriteRune(r)
		if b.Len() > limit {
			return cut(b.String(), limit)
		}
	}
	return b.String()
}

// cut shortens s to at most limit bytes at a rune boundary, and says so.
func cut(s string, limit int) string {
	if len(s) <= limit {
		return s
	}
	end := limit - len(ellipsis)
	if end <= 0 {
		return ""
	}
	for end > 0 && !utf8.RuneStart(s[end]) {
		end--
	}
	return s[:end] + ellipsis
}
