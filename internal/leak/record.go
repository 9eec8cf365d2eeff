// Package leak makes canary records, invented personal data that is told to a prototype as one person, and finds them
// again where they must not be: in another person's answers, in error texts, in logs. It is pure: a seed and text in,
// records and sightings out.
package leak

import (
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
)

// MaxRecords is how many records one seed gives at most.
const MaxRecords = 64

// Kind of personal data in a record.
type Kind string

// The kinds. All of one record are found apart, so that a program that keeps nothing but a telephone number is found too.
const (
	Reference  Kind = "Reference"
	Name       Kind = "Name"
	EMail      Kind = "EMail"
	Phone      Kind = "Phone"
	NationalID Kind = "NationalID"
)

// Kinds in the order in which they are counted.
var Kinds = []Kind{Reference, Name, EMail, Phone, NationalID}

// Record is a person who does not exist. Nothing in it can belong to anybody: the name is made of syllables, the
// address is at a domain that is reserved for examples (RFC 2606), the telephone number is in a range that the French
// regulator keeps for fiction (ARCEP, decision 2018-0881, 06 39 98 and its likes), and the number of an insured person
// has the form of a Swiss one with a check digit that is wrong.
type Record struct {
	// ID is c1, c2, …: what reports say in place of the data.
	ID string
	// Reference is twelve random characters in groups of four.
	Reference     string
	Given, Family string
	EMail         string
	// Phone in the international form with spaces, +33 6 39 98 12 34.
	Phone      string
	NationalID string
}

// Records are the same for the same seed, today and in every later version: the operator makes them once more, to
// look for them in logs.
func Records(seed string, n int) ([]Record, error) {
	if seed == "" || n < 1 || n > MaxRecords {
		return nil, errors.New("canary records need a seed, and a number from 1 to 64")
	}
	records := make([]Record, 0, n)
	for i := range n {
		d, err := newDice(seed, i)
		if err != nil {
			return nil, err
		}
		records = append(records, d.record(fmt.Sprintf("c%d", i+1)))
	}
	return records, nil
}

// dice are random numbers that follow from a seed.
type dice struct{ bytes []byte }

// newDice stretches a seed (HKDF, RFC 5869). 64 numbers of four bytes are more than a record takes.
func newDice(seed string, i int) (*dice, error) {
	raw, err := hkdf.Key(sha256.New, []byte(seed), nil, fmt.Sprintf("affineur.dev/canary-record/v1/%d", i), 64*4)
	return &dice{raw}, err
}

// below gives a number from 0 to n-1. The bias of the remainder is below n in 2³², of no matter here.
func (d *dice) below(n int) int {
	v := binary.BigEndian.Uint32(d.bytes)
	d.bytes = d.bytes[4:]
	return int(v % uint32(n))
}

const (
	// letters without vowels, so that no word comes out, and without what is read as a digit.
	letters    = "BCDFGHJKMNPQRSTVWXZ2345679"
	consonants = "bdfgklmnprstvz"
	vowels     = "aeiou"
)

// fictional are prefixes of which every number is kept for fiction, without the leading zero.
var fictional = []string{"19900", "26191", "35301", "46571", "53649", "63998"}

func (d *dice) record(id string) Record {
	given, family := d.word(2), d.word(5)
	reference := d.pick(letters, 12)
	phone := fictional[d.below(len(fictional))] + d.pick("0123456789", 4)
	insured := "756" + d.pick("0123456789", 9)
	return Record{
		ID: id, Given: given, Family: family,
		Reference:  reference[:4] + "-" + reference[4:8] + "-" + reference[8:],
		EMail:      strings.ToLower(given+"."+family) + "." + d.pick("0123456789", 4) + "@example.org",
		Phone:      "+33 " + phone[:1] + " " + phone[1:3] + " " + phone[3:5] + " " + phone[5:7] + " " + phone[7:],
		NationalID: insured[:3] + "." + insured[3:7] + "." + insured[7:11] + "." + insured[11:] + wrongCheckDigit(insured),
	}
}

func (d *dice) pick(from string, n int) string {
	var b strings.Builder
	for range n {
		b.WriteByte(from[d.below(len(from))])
	}
	return b.String()
}

// word of so many syllables, capitalised.
func (d *dice) word(syllables int) string {
	var b strings.Builder
	for range syllables {
		b.WriteByte(consonants[d.below(len(consonants))])
		b.WriteByte(vowels[d.below(len(vowels))])
	}
	return strings.ToUpper(b.String()[:1]) + b.String()[1:]
}

// wrongCheckDigit is one more than the check digit of the twelve digits (EAN-13, GS1 General Specifications 7.9), so that
// the number is nobody's.
func wrongCheckDigit(twelve string) string {
	sum := 0
	for i, c := range []byte(twelve) {
		sum += int(c-'0') * (1 + 2*(i%2))
	}
	return string(rune('0' + (10-sum%10+1)%10))
}

// Sentence tells a record as a person would write it.
func (r Record) Sentence() string {
	return fmt.Sprintf("My name is %s %s, my reference is %s. You reach me at %s or %s; my insurance number is %s.",
		r.Given, r.Family, r.Reference, r.EMail, r.Phone, r.NationalID)
}
