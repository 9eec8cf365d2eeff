package evidence

import (
	"errors"
	"fmt"
	"math"
	"regexp"
	"strconv"
	"time"
)

// Duration is a length of time that is written in JSON as Go writes it: "1.5s", "250ms".
type Duration time.Duration

// MarshalText writes the duration as Go does.
func (d Duration) MarshalText() ([]byte, error) { return []byte(time.Duration(d).String()), nil }

// UnmarshalText reads what MarshalText wrote.
func (d *Duration) UnmarshalText(text []byte) error {
	parsed, err := time.ParseDuration(string(text))
	if err != nil {
		// The error of ParseDuration quotes its input, which may have come from outside.
		return errors.New("not a duration")
	}
	*d = Duration(parsed)
	return nil
}

// String writes the duration as Go does.
func (d Duration) String() string { return time.Duration(d).String() }

// Std is the duration in the standard library's type.
func (d Duration) Std() time.Duration { return time.Duration(d) }

// Micros is a length of time in microseconds, for measured values: an integer survives JSON unchanged.
type Micros int64

// MicrosOf rounds a duration down to microseconds.
func MicrosOf(d time.Duration) Micros { return Micros(d / time.Microsecond) }

// Std is the length of time in the standard library's type.
func (m Micros) Std() time.Duration { return time.Duration(m) * time.Microsecond }

// decimal is deliberately narrower than strconv.ParseFloat, which also takes NaN, Inf, signs, exponents, hex and "_".
var decimal = regexp.MustCompile(`^[0-9]{1,9}(\.[0-9]{1,6})?$`)

// ParseDecimal reads a non-negative decimal of at most nine digits before and six behind the point, such as "30" or
// "0.25". Quantities travel as strings so that no JSON reader on the way rounds them.
func ParseDecimal(s string) (float64, error) {
	if !decimal.MatchString(s) {
		return 0, errors.New("not a plain decimal such as 30 or 0.25")
	}
	return strconv.ParseFloat(s, 64)
}

// FormatDecimal writes a finite, non-negative number as ParseDecimal reads it, rounded to three digits behind the point.
func FormatDecimal(v float64) (string, error) {
	if !(v >= 0 && v < 1e9) {
		return "", fmt.Errorf("%v can't be written as a plain decimal", v)
	}
	return strconv.FormatFloat(math.Round(v*1000)/1000, 'f', -1, 64), nil
}
