// Package scalability judges whether a subject carries its declared demand with headroom, as fast as promised.
package scalability

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"strconv"
	"time"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/internal/evidence"
	"github.com/affineur/affineur/internal/gate/stats"
)

// defaultErrorRatio is what the API defaults to.
const defaultErrorRatio = "0.01"

// Demand is what production must carry, in numbers that can be measured.
type Demand struct {
	// Rate is the number of requests a second, without headroom.
	Rate float64
	// LatencyP95 is the time within which 95 of 100 answers must be complete.
	LatencyP95 time.Duration
	// FirstWithin is the time within which 95 of 100 answers must have begun; 0 where none is promised.
	FirstWithin time.Duration
	// ErrorRatio is the share of requests that may fail, 0 to 1.
	ErrorRatio float64

	derivation string
}

// NewDemand reads a declared demand. What is given in requests wins over what is given in people.
//
// From people's words it takes the busiest hour and not the day, and in that hour the busiest minute: the requests of
// many people who do not know of each other are a Poisson process at a rate that is steady over the hour (the theorem
// of Palm and Khintchine; for people's sessions on networks seen by Paxson and Floyd, "Wide-Area Traffic: The Failure
// of Poisson Modeling", 1995). The rate is the number of requests that none of the hour's 60 minutes exceeds with 99 %
// confidence (Bonferroni: each minute with 1 − 0.01/60), divided by 60 seconds. For 60 requests an hour that is 6 in the
// worst minute, six times the mean; for 36,000 an hour 1.15 times. The load itself comes at equal distances, which is kinder to
// what serves one request after the other than clusters of people are; the summary says so. What people do together, after a mail to all of them,
// is not in it: that is what the policy's headroom is for.
func NewDemand(d v1alpha1.Demand) (Demand, error) {
	var out Demand
	var err error
	if out.Rate, out.derivation, err = rateOf(d); err != nil {
		return Demand{}, err
	}
	switch {
	case d.LatencyP95 != nil:
		out.LatencyP95 = d.LatencyP95.Duration
	case d.AnswerWithin != nil:
		out.LatencyP95 = d.AnswerWithin.Duration
	}
	if d.FirstByteWithin != nil {
		if out.FirstWithin = d.FirstByteWithin.Duration; out.FirstWithin <= 0 {
			return Demand{}, errors.New("firstByteWithin is not above zero")
		}
	}
	ratio := d.ErrorRatio
	if ratio == "" {
		ratio = defaultErrorRatio
	}
	if out.ErrorRatio, err = evidence.ParseDecimal(ratio); err != nil {
		return Demand{}, fmt.Errorf("errorRatio: %w", err)
	}
	return out, out.validate()
}

func rateOf(d v1alpha1.Demand) (rate float64, derivation string, err error) {
	switch {
	case d.RequestsPerSecond != nil:
		rate, err := evidence.ParseDecimal(*d.RequestsPerSecond)
		if err != nil {
			return 0, "", fmt.Errorf("requestsPerSecond: %w", err)
		}
		return rate, fmt.Sprintf("%s requests a second are declared", *d.RequestsPerSecond), nil
	case d.BusiestHour == nil || *d.BusiestHour <= 0:
		return 0, "", errors.New("neither requestsPerSecond nor busiestHour says how many requests to expect")
	}
	hour := int64(*d.BusiestHour)
	peak := stats.PoissonQuantile(float64(hour)/60, 1-0.01/60)
	who := "People make"
	if d.People != nil {
		who = fmt.Sprintf("%d people make", *d.People)
	}
	return float64(peak) / 60, fmt.Sprintf("%s %d requests in their busiest hour, %s a minute on average and up to %d in its busiest minute: %s a second",
		who, hour, short(float64(hour)/60), peak, short(float64(peak)/60)), nil
}

func (d Demand) validate() error {
	switch {
	case !(d.Rate > 0) || math.IsInf(d.Rate, 0):
		return errors.New("the demand is not above zero")
	case d.LatencyP95 <= 0:
		return errors.New("neither latencyP95 nor answerWithin says how fast an answer must come")
	case d.LatencyP95 > evidence.MaxTimeout:
		return fmt.Errorf("an answer that may take longer than %s is no service that people wait for", evidence.MaxTimeout)
	case d.FirstWithin < 0 || d.FirstWithin > d.LatencyP95:
		return errors.New("an answer can't be promised to begin after it is complete")
	case !(d.ErrorRatio >= 0 && d.ErrorRatio <= 1):
		return errors.New("errorRatio is not between 0 and 1")
	}
	return nil
}

// Explain says the arithmetic in a sentence or two, for the person who declared the demand.
func (d Demand) Explain() string {
	begins := ""
	if d.FirstWithin > 0 {
		begins = fmt.Sprintf("begin within %s and be complete within ", span(d.FirstWithin))
	}
	return fmt.Sprintf("%s. 95 of 100 must %s%s, and at most %s of 100 may fail.",
		d.derivation, cmp.Or(begins, "be answered within "), span(d.LatencyP95), short(d.ErrorRatio*100))
}

// needed is the smallest sample that can show both promises, when nothing goes wrong in it.
func (d Demand) needed() int64 {
	// That not one request fails can't be shown by any sample; then it is shown as well as the default is.
	errorRatio := d.ErrorRatio
	if errorRatio == 0 {
		errorRatio = 0.01
	}
	return max(stats.NeededForRatio(errorRatio), stats.NeededForRatio(1-quantile))
}

// short writes a number with at most three significant digits.
func short(v float64) string { return strconv.FormatFloat(round3(v), 'f', -1, 64) }

func round3(v float64) float64 {
	if v == 0 || math.IsNaN(v) || math.IsInf(v, 0) {
		return v
	}
	scale := math.Pow(10, 2-math.Floor(math.Log10(math.Abs(v))))
	return math.Round(v*scale) / scale
}
