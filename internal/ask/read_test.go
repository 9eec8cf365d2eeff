package ask

import (
	"bytes"
	"compress/gzip"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/affineur/affineur/internal/evidence"
)

// What can't be read to its end says so, whatever its status, and what a server packs unasked is unpacked within bounds.
func TestUnread(t *testing.T) {
	packed := func(text string) string {
		var b bytes.Buffer
		w := gzip.NewWriter(&b)
		_, _ = io.WriteString(w, text)
		_ = w.Close()
		return b.String()
	}
	long := strings.Repeat("x", evidence.MaxAnswerBytes+1)
	for name, c := range map[string]struct {
		encoding, body string
		status         int
		raw            string
		unread         bool
		failure        evidence.AskFailure
	}{
		"text":               {"", "fine", 200, "fine", false, ""},
		"identity":           {"identity", "fine", 200, "fine", false, ""},
		"gzip":               {"gzip", packed("fine"), 200, "fine", false, ""},
		"gzip in an error":   {"GZIP", packed("no"), 400, "no", false, evidence.AskOtherStatus},
		"gzip of nothing":    {"gzip", "", 500, "", false, evidence.AskServerError},
		"gzip, a bomb":       {"gzip", packed(long), 200, long[1:], true, evidence.AskTooLong},
		"gzip, cut off":      {"gzip", packed(long)[:60], 200, "", true, evidence.AskShortRead},
		"gzip, unsaid":       {"", packed("fine"), 400, packed("fine"), true, evidence.AskOtherStatus},
		"no gzip":            {"gzip", "fine", 200, "", true, evidence.AskNotAsDeclared},
		"another packing":    {"br", "fine", 200, "fine", true, evidence.AskNotAsDeclared},
		"packed twice":       {"gzip, br", "fine", 404, "fine", true, evidence.AskOtherStatus},
		"a long error":       {"", long, 500, long[1:], true, evidence.AskServerError},
		"bytes in an error":  {"", "\x00\xff\x01", 400, "\x00\xff\x01", true, evidence.AskOtherStatus},
		"an older encoding":  {"", "ung\xfcltig\r\n", 400, "ung\xfcltig\r\n", false, evidence.AskOtherStatus},
		"bytes in an answer": {"", "\x00\xff\x01", 200, "\x00\xff\x01", true, evidence.AskNotAsDeclared},
	} {
		t.Run(name, func(t *testing.T) {
			url := serve(t, func(w http.ResponseWriter, _ *http.Request) {
				if c.encoding != "" {
					w.Header().Set("Content-Encoding", c.encoding)
				}
				w.WriteHeader(c.status)
				_, _ = io.WriteString(w, c.body)
			})
			answer, failure := client(t, evidence.Call{URL: url, JSON: &evidence.JSONCall{Method: "POST", Path: "/"}}, dialer).Ask(t.Context(), "?")
			if failure != c.failure || answer.Unread != c.unread || c.raw != "" && string(answer.Raw) != c.raw || len(answer.Raw) > evidence.MaxAnswerBytes {
				t.Errorf("%q, unread %t, %d bytes", failure, answer.Unread, len(answer.Raw))
			}
		})
	}
}
