package examples

import (
	"errors"
	"fmt"
	"math/big"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"
)

// plainNumber keeps exponents, and with them the memory that an exact number takes, small.
var plainNumber = regexp.MustCompile(`^[+-]?(?:[0-9]{1,40}(?:\.[0-9]{1,40})?|\.[0-9]{1,40})(?:[eE][+-]?[0-9]{1,2})?$`)

// exact reads a number without rounding it; nil for what is none.
func exact(text string) *big.Rat {
	if !plainNumber.MatchString(text) {
		return nil
	}
	n, ok := new(big.Rat).SetString(text)
	if !ok {
		return nil
	}
	return n
}

func (n Number) validate() error {
	if exact(string(n.Value)) == nil {
		return errors.New("value is not a plain number such as 120 or 0.5")
	}
	for name, text := range map[string]decimalText{"absolute": n.Absolute, "relative": n.Relative} {
		if tolerance := exact(string(text)); text != "" && (tolerance == nil || tolerance.Sign() < 0) {
			return fmt.Errorf("%s is not a plain number from 0 on", name)
		}
	}
	if relative := exact(string(n.Relative)); relative != nil && relative.Cmp(big.NewRat(1, 1)) >= 0 {
		return errors.New("relative is 1 or more: a hundredth is 0.01")
	}
	return nil
}

// numberInText finds what looks like a number, with or without thousands separators, and with nothing before its point.
var numberInText = regexp.MustCompile(`[+-]?(?:(?:[0-9]{1,3}(?:,[0-9]{3})+|[0-9]+)(?:\.[0-9]+)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?`)

var (
	// minusSign also stands before a space, as a dash does not.
	minusSign = regexp.MustCompile(`−[\s\p{Zs}]*`)
	minusWord = regexp.MustCompile(`(?i)\b(?:minus|negative)[\s\p{Zs}]+`)
	// dashes that are set close before a number in place of a minus.
	dashes = strings.NewReplacer("‒", "-", "–", "-")
	// scaled is what makes another number of the one before it.
	scaled = regexp.MustCompile(`(?i)^[\s\p{Zs}-]*(?:(?:hundred|thousand|million|billion|trillion|dozen)s?|(?:ten|hundred|thousand|million|billion)ths?|` +
		`and (?:a |one )?(?:half|quarter|third)|mn|bn|tn|tsd|mio|mrd|tausend|million(?:en)?|milliarden?|mille|milliards?|mil|mill[oó]n(?:es)?)\b`)
)

// holds tells whether the answer holds exactly one number, which is plain, and close enough. An answer of several numbers would
// be right by chance, and of one with something at it (A4, 3b, 5 million) it is not known what it says.
func (n Number) holds(text string) bool {
	text = minusWord.ReplaceAllString(minusSign.ReplaceAllString(dashes.Replace(text), "-"), "-")
	found := numberInText.FindAllStringIndex(text, 2)
	if len(found) != 1 || !standsAlone(text[:found[0][0]], text[found[0][1]:]) {
		return false
	}
	got, want := exact(strings.ReplaceAll(text[found[0][0]:found[0][1]], ",", "")), exact(string(n.Value))
	if got == nil || want == nil {
		return false
	}
	off := new(big.Rat).Sub(got, want)
	return off.Abs(off).Cmp(n.tolerance(want)) <= 0
}

// standsAlone tells whether nothing before and after a number makes something else of it. A point after it ends a sentence.
func standsAlone(before, after string) bool {
	last, _ := utf8.DecodeLastRuneInString(before)
	first, _ := utf8.DecodeRuneInString(after)
	return !joins(last) && !strings.ContainsRune(".+-±", last) && !joins(first) && !scaled.MatchString(after)
}

// joins tells what is one word with the digits beside it: A4, 10⁵, 1½.
func joins(r rune) bool {
	return r == '_' || unicode.IsLetter(r) || unicode.IsNumber(r) || unicode.IsMark(r)
}

func (n Number) tolerance(want *big.Rat) *big.Rat {
	tolerance := new(big.Rat)
	if absolute := exact(string(n.Absolute)); absolute != nil {
		tolerance = absolute
	}
	if relative := exact(string(n.Relative)); relative != nil {
		relative.Mul(relative, new(big.Rat).Abs(want))
		if relative.Cmp(tolerance) > 0 {
			tolerance = relative
		}
	}
	return tolerance
}
