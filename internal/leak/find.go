package leak

import (
	"slices"
	"strings"
	"unicode"
)

// Sighting is one kind of a record's data in a text.
type Sighting struct {
	Record string
	Kind   Kind
}

// Detector finds records in text. It is safe for several at the same time.
type Detector struct {
	needles []needle
	// first tells by its first two characters whether a needle may begin there.
	first [1 << 16]bool
	// begins holds the needles by their first characters.
	begins map[string][]int
}

// needle is a form of a record's data as folding leaves it.
type needle struct {
	sighting Sighting
	text     string
	// number is found only where no further digit adjoins, and also where words stand between its digits.
	number bool
}

// key is how many characters needles are looked up by. None is shorter.
const key = 6

// NewDetector for records.
func NewDetector(records []Record) *Detector {
	d := &Detector{begins: map[string][]int{}}
	for _, r := range records {
		d.add(Sighting{r.ID, Reference}, false, r.Reference)
		d.add(Sighting{r.ID, Name}, false, r.Family)
		d.add(Sighting{r.ID, EMail}, false, r.EMail)
		d.add(Sighting{r.ID, NationalID}, true, r.NationalID)
		national := strings.TrimPrefix(r.Phone, "+33 ")
		d.add(Sighting{r.ID, Phone}, true, r.Phone, "+33 (0)"+national, "0033 "+national, "0033 (0)"+national, "0"+national, national)
	}
	return d
}

func (d *Detector) add(s Sighting, number bool, forms ...string) {
	for _, form := range forms {
		n := needle{sighting: s, text: fold(form, isWord).text, number: number}
		d.first[pair(n.text)] = true
		d.begins[n.text[:key]] = append(d.begins[n.text[:key]], len(d.needles))
		d.needles = append(d.needles, n)
	}
}

func pair(s string) uint16 { return uint16(s[0])<<8 | uint16(s[1]) }

// Find what of the records is in the text, whatever its case, white space, punctuation, escapes and encodings. Sorted.
func (d *Detector) Find(text string) []Sighting {
	seen := map[Sighting]bool{}
	for _, view := range views(text) {
		d.look(fold(view, isWord), seen)
		d.look(fold(view, isDigit), seen)
	}
	out := make([]Sighting, 0, len(seen))
	for s := range seen {
		out = append(out, s)
	}
	slices.SortFunc(out, func(a, b Sighting) int {
		if a.Record != b.Record {
			return strings.Compare(a.Record, b.Record)
		}
		return slices.Index(Kinds, a.Kind) - slices.Index(Kinds, b.Kind)
	})
	return out
}

func (d *Detector) look(f folded, seen map[Sighting]bool) {
	for i := 0; i+key <= len(f.text); i++ {
		if !d.first[pair(f.text[i:])] {
			continue
		}
		for _, at := range d.begins[f.text[i:i+key]] {
			n := d.needles[at]
			if !strings.HasPrefix(f.text[i:], n.text) || n.number && (f.joined(i) || f.joined(i+len(n.text))) {
				continue
			}
			seen[n.sighting] = true
		}
	}
}

// folded is a text without case, white space and punctuation.
type folded struct {
	text string
	// joins says of each character whether it and the one before were digits side by side before folding: then they are
	// of one number.
	joins []bool
}

func (f folded) joined(i int) bool { return i < len(f.joins) && f.joins[i] }

func isWord(c byte) bool { return c >= 'a' && c <= 'z' || c >= '0' && c <= '9' }

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

// fold keeps what keep says of a text's letters and digits, in lower case. Full-width letters and the digits of other
// scripts become plain ones: a translated answer tells a telephone number as well.
func fold(text string, keep func(byte) bool) folded {
	out := folded{joins: make([]bool, 0, len(text))}
	var b strings.Builder
	b.Grow(len(text))
	before := false
	for _, r := range text {
		c := plain(r)
		digit := isDigit(c)
		if c != 0 && keep(c) {
			b.WriteByte(c)
			out.joins = append(out.joins, digit && before)
		}
		before = digit
	}
	out.text = b.String()
	return out
}

// plain is the lower-case ASCII letter or digit that a character stands for, 0 for none.
func plain(r rune) byte {
	switch {
	case r >= 'a' && r <= 'z', r >= '0' && r <= '9':
		return byte(r)
	case r >= 'A' && r <= 'Z':
		return byte(r) + 'a' - 'A'
	case r < 0x80:
		return 0
	case r >= 0xFF21 && r <= 0xFF5A:
		return plain(r - 0xFEE0)
	case unicode.IsDigit(r):
		return '0' + value(r)
	}
	return 0
}

// value of a decimal digit. Unicode keeps the ten of a script side by side, zero first (The Unicode Standard, 4.6).
func value(r rune) byte {
	for _, block := range unicode.Nd.R16 {
		if rune(block.Lo) <= r && r <= rune(block.Hi) {
			return byte((r - rune(block.Lo)) % 10)
		}
	}
	for _, block := range unicode.Nd.R32 {
		if rune(block.Lo) <= r && r <= rune(block.Hi) {
			return byte((r - rune(block.Lo)) % 10)
		}
	}
	return 0
}
