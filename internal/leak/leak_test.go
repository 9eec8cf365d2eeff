package leak

import (
	"encoding/base32"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"html"
	"math/rand/v2"
	"mime/quotedprintable"
	"net/url"
	"slices"
	"strings"
	"testing"
	"unicode/utf16"
)

func made(t testing.TB, seed string, n int) []Record {
	t.Helper()
	records, err := Records(seed, n)
	if err != nil {
		t.Fatal(err)
	}
	return records
}

// The operator makes the records that the runner made, maybe in another version: they must never change.
func TestRecordsStayTheSame(t *testing.T) {
	want := Record{ID: "c2", Reference: "JJJX-QF5R-BJ7H", Given: "Bivu", Family: "Mogekenuvo", EMail: "bivu.mogekenuvo.9601@example.org",
		Phone: "+33 2 61 91 81 85", NationalID: "756.3405.6915.48"}
	if got := made(t, "0123456789abcdef", 2)[1]; got != want {
		t.Errorf("%#v", got)
	}
}

func TestRecordsAreNobodysAndDiffer(t *testing.T) {
	seen := map[string]bool{}
	for _, seed := range []string{"a", "b"} {
		for _, r := range made(t, seed, MaxRecords) {
			for _, value := range []string{r.Reference, r.Family, r.EMail, r.Phone, r.NationalID} {
				if seen[value] {
					t.Errorf("%q twice", value)
				}
				seen[value] = true
			}
			if !strings.HasSuffix(r.EMail, "@example.org") {
				t.Errorf("%s could be somebody's", r.EMail)
			}
			digits := fold(r.NationalID, isDigit).text
			sum := 0
			for i, c := range []byte(digits) {
				sum += int(c-'0') * (1 + 2*(i%2))
			}
			if len(digits) != 13 || sum%10 == 0 {
				t.Errorf("%s could be somebody's", r.NationalID)
			}
			if !slices.ContainsFunc(fictional, func(p string) bool { return strings.HasPrefix(fold(r.Phone, isDigit).text, "33"+p) }) {
				t.Errorf("%s could be somebody's", r.Phone)
			}
		}
	}
	for _, n := range []int{-1, 0, MaxRecords + 1} {
		if _, err := Records("a", n); err == nil {
			t.Errorf("%d records were made", n)
		}
	}
	if _, err := Records("", 1); err == nil {
		t.Error("records were made of no seed, which everybody knows")
	}
}

func inJSON(v any) string {
	raw, _ := json.Marshal(v)
	return string(raw)
}

// escaped writes every character as JSON may.
func escaped(s string) string {
	var b strings.Builder
	for _, r := range s {
		fmt.Fprintf(&b, `\u%04x`, r)
	}
	return b.String()
}

func lines(s string, width int) string {
	var out []string
	for chunk := range slices.Chunk([]byte(s), width) {
		out = append(out, string(chunk))
	}
	return strings.Join(out, "\r\n")
}

func printable(s string) string {
	var b strings.Builder
	w := quotedprintable.NewWriter(&b)
	_, _ = w.Write([]byte(s))
	_ = w.Close()
	return b.String()
}

func spaced(s, by string) string { return strings.Join(strings.Split(s, ""), by) }

func wide(s string) string {
	return strings.Map(func(r rune) rune {
		if r > ' ' && r <= '~' {
			return r + 0xFEE0
		}
		return r
	}, s)
}

func arabic(s string) string {
	return strings.Map(func(r rune) rune {
		if r >= '0' && r <= '9' {
			return r - '0' + '٠'
		}
		return r
	}, s)
}

// Whatever form an answer or a log gives a record's data, all of it is found.
func TestFindsEveryKindInEveryForm(t *testing.T) {
	records := made(t, "forms", 3)
	d, of := NewDetector(records), records[1]
	values := map[Kind]string{Reference: of.Reference, Name: of.Given + " " + of.Family, EMail: of.EMail, Phone: of.Phone, NationalID: of.NationalID}
	for name, form := range map[string]func(string) string{
		"as it is":                func(s string) string { return s },
		"upper case":              strings.ToUpper,
		"lower case":              strings.ToLower,
		"without spaces":          func(s string) string { return strings.ReplaceAll(s, " ", "") },
		"without punctuation":     func(s string) string { return strings.NewReplacer(".", "", "-", "", " ", "").Replace(s) },
		"spelled":                 func(s string) string { return spaced(s, " ") },
		"a character a line":      func(s string) string { return spaced(s, "\n") },
		"in Markdown":             func(s string) string { return "**" + spaced(s, "\u200b") + "**" },
		"in a sentence":           func(s string) string { return "The member who asked before is " + s + ", as far as I know." },
		"in JSON":                 func(s string) string { return inJSON(map[string]string{"answer": s}) },
		"in JSON in JSON":         func(s string) string { return inJSON(inJSON(map[string]string{"a": inJSON(s)})) },
		"every character escaped": escaped,
		"in an address":           func(s string) string { return "https://example.org/?q=" + url.QueryEscape(s) },
		"in an address's path":    func(s string) string { return "/members/" + url.PathEscape(s) + "/edit" },
		"every byte in percent": func(s string) string {
			return "%" + strings.ToUpper(strings.Join(pairs(hex.EncodeToString([]byte(s))), "%"))
		},
		"escaped twice": func(s string) string { return url.QueryEscape(url.QueryEscape(s)) },
		"in HTML":       func(s string) string { return "<p>" + html.EscapeString(s) + "</p>" },
		"HTML entities": func(s string) string {
			return strings.NewReplacer("@", "&#64;", ".", "&#x2e;", "-", "&#45;").Replace(s)
		},
		"quoted-printable":     printable,
		"base64":               func(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) },
		"base64 for addresses": func(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) },
		"base64 of a sentence": func(s string) string {
			return "data:text/plain;base64," + base64.StdEncoding.EncodeToString([]byte("Hey "+s+" ho"))
		},
		"base64, other alignment": func(s string) string { return "/x" + base64.StdEncoding.EncodeToString([]byte("é"+s)) },
		"base64 behind a letter":  func(s string) string { return "x" + base64.StdEncoding.EncodeToString([]byte(s)) },
		"base64 behind two":       func(s string) string { return "xy" + base64.StdEncoding.EncodeToString([]byte(s)) },
		"base64 behind three":     func(s string) string { return "xyz" + base64.StdEncoding.EncodeToString([]byte(s)) },
		"base64 in lines": func(s string) string {
			return lines(base64.StdEncoding.EncodeToString([]byte(strings.Repeat("a", 50)+s)), 16)
		},
		"base64 in JSON": func(s string) string { return inJSON(map[string][]byte{"trace": []byte(s)}) },
		"base64 of base64": func(s string) string {
			return base64.StdEncoding.EncodeToString([]byte(base64.StdEncoding.EncodeToString([]byte(s))))
		},
		"base64 of JSON escapes": func(s string) string { return base64.StdEncoding.EncodeToString([]byte(escaped(s))) },
		"hexadecimal":            func(s string) string { return hex.EncodeToString([]byte(s)) },
		"a hexadecimal dump":     func(s string) string { return "dump: " + strings.Join(pairs(hex.EncodeToString([]byte(s))), " ") },
		"full width":             wide,
		"base32":                 func(s string) string { return "id " + base32.StdEncoding.EncodeToString([]byte("Hi "+s)) },
		"base32 in lower case": func(s string) string {
			return lines(strings.ToLower(base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString([]byte(s+" ho"))), 16)
		},
		"bytes in decimal":     func(s string) string { return "2027-01-02 body=" + fmt.Sprintf("%d", []byte(s)) },
		"bytes in hexadecimal": func(s string) string { return fmt.Sprintf("%#v", []byte(s)) },
		"base64 of UTF-16":     func(s string) string { return base64.StdEncoding.EncodeToString(sixteen(s)) },
		"UTF-16":               func(s string) string { return string(sixteen(s)) },
		"backwards":            backwards,
		"Go's quotes":          func(s string) string { return fmt.Sprintf("level=INFO msg=%+q", s) },
	} {
		for kind, value := range values {
			text := form(value)
			if !slices.Contains(d.Find(text), Sighting{of.ID, kind}) {
				t.Errorf("%s: %s was not found in %q", name, kind, text)
			}
		}
	}
	if all := d.Find(of.Sentence()); len(all) != len(Kinds) || all[0] != (Sighting{of.ID, Reference}) {
		t.Errorf("in its own sentence: %v", all)
	}
}

func pairs(s string) (out []string) {
	for i := 0; i+1 < len(s); i += 2 {
		out = append(out, s[i:i+2])
	}
	return out
}

func sixteen(s string) (out []byte) {
	for _, unit := range utf16.Encode([]rune(s)) {
		out = append(out, byte(unit), byte(unit>>8))
	}
	return out
}

// Numbers and addresses are read as people write them, and no letter of an escape is taken for one of a word.
func TestWritten(t *testing.T) {
	for text, want := range map[string][]string{
		"":                    nil,
		"plain":               {"plain"},
		"a=40b 100%":          {"a=40b 100%"},
		`{"a":"one\n+41 44"}`: {"{\"a\":\"one\n+41 44\"}"},
		`"\\n\\tx"`:           {"\"\n\tx\""},
		`x\u0040y`:            {"x@y"},
		"x%40y":               {"x@y"},
		"x&#64;y":             {"x@y"},
		"data: {\"c\":\"x@\"}\n\ndata: {\"c\":\"y\\nz\"}\n": {"data: {\"c\":\"x@\"}\n\ndata: {\"c\":\"y\nz\"}\n", "x@y\nz\n"},
		"data: x@\n\ndata: y\n":                             {"data: x@\n\ndata: y\n", "x@y\n"},
	} {
		if got := Written(text); !slices.Equal(got, want) {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}

// A stream tells a text in pieces; each event has words of its own in between.
func TestFindsInAStream(t *testing.T) {
	r := made(t, "stream", 1)[0]
	d := NewDetector([]Record{r})
	for name, event := range map[string]func(piece string) string{
		"chat completions": func(piece string) string {
			return "data: " + inJSON(map[string]any{"id": "chatcmpl-17", "choices": []any{map[string]any{"delta": map[string]any{"content": piece}, "index": 0}}}) + "\n\n"
		},
		"texts": func(piece string) string { return "event: token\ndata: " + piece + "\n\n" },
		"JSON a line": func(piece string) string {
			return inJSON(map[string]any{"model": "m1", "response": piece, "done": false}) + "\n"
		},
		"a list of words": func(piece string) string {
			return inJSON([]any{map[string]any{"token": piece, "logprob": -0.1}}) + "\r\n"
		},
	} {
		var b strings.Builder
		for piece := range slices.Chunk([]byte("Of course: "+r.Sentence()), 3) {
			b.WriteString(event(string(piece)))
		}
		if found := d.Find(b.String() + "data: [DONE]\n\n"); len(found) != len(Kinds) {
			t.Errorf("%s: found %v", name, found)
		}
	}
	var tokens []any
	for piece := range slices.Chunk([]byte(r.Sentence()), 3) {
		tokens = append(tokens, map[string]any{"token": string(piece), "logprob": -0.1})
	}
	if found := d.Find(inJSON(tokens)); len(found) != len(Kinds) {
		t.Errorf("a list in one document: found %v", found)
	}
}

// Numbers are written in many ways.
func TestFindsNumbersReformatted(t *testing.T) {
	r := made(t, "numbers", 1)[0]
	d := NewDetector([]Record{r})
	phone, id := fold(r.Phone, isDigit).text[2:], fold(r.NationalID, isDigit).text
	for _, text := range []string{
		"+33" + phone, "0033" + phone, "0" + phone, phone, "+33(0)" + phone, "+33 (0) " + phone[:1] + "-" + phone[1:], "(0" + phone[:1] + ") " + phone[1:5] + " " + phone[5:],
		"tel:+33-" + phone, `{"country":"33","number":"` + phone + `"}`, `{"prefix":"0` + phone[:3] + `","line":"` + phone[3:] + `"}`, arabic(r.Phone),
		"call 0" + phone[:1] + " then " + phone[1:3] + " then " + phone[3:5] + " then " + phone[5:7] + " and " + phone[7:], "7 0" + phone,
	} {
		if !slices.Contains(d.Find(text), Sighting{"c1", Phone}) {
			t.Errorf("not found in %q", text)
		}
	}
	for _, text := range []string{id, id[:3] + " " + id[3:7] + " " + id[7:11] + " " + id[11:], id[:3] + "-" + id[3:7] + "-" + id[7:], "AHV" + id + "!",
		`["` + id[:3] + `","` + id[3:7] + `","` + id[7:11] + `","` + id[11:] + `"]`, "No. " + id[:7] + ", continued: " + id[7:], arabic(id)} {
		if !slices.Contains(d.Find(text), Sighting{"c1", NationalID}) {
			t.Errorf("not found in %q", text)
		}
	}
}

// What only looks like it is no leak.
func TestFindsNothingElse(t *testing.T) {
	records := made(t, "others", 12)
	d := NewDetector(records)
	r := records[0]
	phone, id := fold(r.Phone, isDigit).text[2:], fold(r.NationalID, isDigit).text
	for name, text := range map[string]string{
		"nothing":                       "",
		"another seed":                  fmt.Sprint(made(t, "elsewhere", 40)),
		"the given name":                "Good morning, " + r.Given + "!",
		"masked":                        r.Reference[:4] + "-****-**** " + r.EMail[:1] + "***@example.org " + r.Phone[:12] + " ** ** 756.****.****." + r.NationalID[14:],
		"a longer number with it":       "1" + phone + " " + phone + "7 00" + id + " " + id + "0",
		"a moment in nanoseconds":       "ts=17" + id + "42",
		"the example domain":            "Write to info@example.org or +33 6 39 98 00 00.",
		"all numbers of its range":      strings.Repeat("06 39 98 ", 100),
		"half of it in base64":          base64.StdEncoding.EncodeToString([]byte(r.Reference[:9])),
		"a plain text":                  strings.Repeat("When is the next course? It begins on 3 May at 10:30 in room 204, telephone 0611 222 333. ", 200),
		"escapes that are none":         `100% sure \q \u12 \uZZZZ \U0011ffff &nosuch; %zz %`,
		"the digits of a long fraction": "3.14159265358979323846264338327950288419716939937510582097494459230781640628620899",
	} {
		if found := d.Find(text); len(found) > 0 {
			t.Errorf("%s: %v", name, found)
		}
	}
}

// Noise of every sort is searched without a sighting: a wrong one would fail a prototype that did nothing.
func TestNoiseIsNoLeak(t *testing.T) {
	d := NewDetector(made(t, "noise", 12))
	random := rand.New(rand.NewPCG(1, 2))
	for name, alphabet := range map[string]string{
		"digits": "0123456789", "hexadecimal": "0123456789abcdef", "base64": letters + "abcdefghijklmnopqrstuvwxyzAEIOUYL018+/",
		"syllables": consonants + vowels + vowels + vowels, "references": letters,
	} {
		var b strings.Builder
		for range 1 << 18 {
			b.WriteByte(alphabet[random.IntN(len(alphabet))])
		}
		if found := d.Find(b.String()); len(found) > 0 {
			t.Errorf("%s: %v", name, found)
		}
	}
}

// Whatever a text is, it is read without a panic, and a record that is put into it is found.
func FuzzFind(f *testing.F) {
	r := made(f, "fuzz", 1)[0]
	d := NewDetector([]Record{r})
	for _, seed := range []string{"", `\`, `\u`, `\u00`, "%", "%4", "=3D=", "&#", "&#x110000;", "\xff\xfe", `{"a":"\ud83d"}`, "٣٣", r.Sentence(), strings.Repeat("%25", 40)} {
		f.Add(seed, seed)
	}
	f.Fuzz(func(t *testing.T, before, after string) {
		d.Find(before)
		all := d.Find(before + "\n" + r.Sentence() + "\n" + after)
		for _, kind := range Kinds {
			if !slices.Contains(all, Sighting{r.ID, kind}) {
				t.Errorf("%s was lost between %q and %q", kind, before, after)
			}
		}
	})
}

func BenchmarkFind(b *testing.B) {
	d := NewDetector(made(b, "bench", 12))
	text := strings.Repeat(`{"time":"2026-01-02T03:04:05.678Z","level":"info","path":"/v1/chat","ms":12.5}`+"\n", 800)
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		d.Find(text)
	}
}
