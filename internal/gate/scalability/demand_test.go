package scalability_test

import (
	"math"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/internal/evidence"
	"github.com/affineur/affineur/internal/gate/scalability"
)

func duration(d time.Duration) *metav1.Duration { return &metav1.Duration{Duration: d} }

func inPeople(people, hour int32, answer time.Duration) v1alpha1.Demand {
	return v1alpha1.Demand{People: &people, BusiestHour: &hour, AnswerWithin: duration(answer), ErrorRatio: "0.01"}
}

func TestNewDemand(t *testing.T) {
	for name, c := range map[string]struct {
		in      v1alpha1.Demand
		rate    float64
		p95     time.Duration
		ratio   float64
		explain string
	}{
		"in people's words": {inPeople(120, 60, 2*time.Second), 0.1, 2 * time.Second, 0.01,
			"120 people make 60 requests in their busiest hour, 1 a minute on average and up to 6 in its busiest minute: 0.1 a second. " +
				"95 of 100 must be answered within 2 s, and at most 1 of 100 may fail."},
		"in requests": {v1alpha1.Demand{RequestsPerSecond: ptr.To("20"), LatencyP95: duration(800 * time.Millisecond), ErrorRatio: "0.005"},
			20, 800 * time.Millisecond, 0.005,
			"20 requests a second are declared. 95 of 100 must be answered within 800 ms, and at most 0.5 of 100 may fail."},
		"requests win over people": {v1alpha1.Demand{People: ptr.To[int32](5), BusiestHour: ptr.To[int32](10), AnswerWithin: duration(time.Second),
			RequestsPerSecond: ptr.To("0.5"), LatencyP95: duration(3 * time.Second)}, 0.5, 3 * time.Second, 0.01,
			"0.5 requests a second are declared. 95 of 100 must be answered within 3 s, and at most 1 of 100 may fail."},
	} {
		t.Run(name, func(t *testing.T) {
			d, err := scalability.NewDemand(c.in)
			if err != nil {
				t.Fatal(err)
			}
			if math.Abs(d.Rate-c.rate) > 1e-9 || d.LatencyP95 != c.p95 || d.ErrorRatio != c.ratio {
				t.Errorf("got %+v", d)
			}
			if got := d.Explain(); got != c.explain {
				t.Errorf("got  %s\nwant %s", got, c.explain)
			}
		})
	}
}

func TestPeakFactorShrinksWithTheCrowd(t *testing.T) {
	before := math.Inf(1)
	for _, hour := range []int32{1, 60, 600, 3600, 36_000, 3_600_000, 100_000_000} {
		d, err := scalability.NewDemand(inPeople(1, hour, time.Second))
		if err != nil {
			t.Fatal(err)
		}
		factor := d.Rate / (float64(hour) / 3600)
		if factor < 1 || factor >= before {
			t.Errorf("%d an hour: peak factor %v after %v", hour, factor, before)
		}
		before = factor
	}
	if before > 1.01 {
		t.Errorf("a hundred million an hour still peak at %v times the mean", before)
	}
}

func TestNewDemandRefuses(t *testing.T) {
	for name, in := range map[string]v1alpha1.Demand{
		"nothing":         {},
		"no latency":      {RequestsPerSecond: ptr.To("20")},
		"no rate":         {AnswerWithin: duration(time.Second)},
		"zero rate":       {RequestsPerSecond: ptr.To("0"), LatencyP95: duration(time.Second)},
		"rate of NaN":     {RequestsPerSecond: ptr.To("NaN"), LatencyP95: duration(time.Second)},
		"negative rate":   {RequestsPerSecond: ptr.To("-20"), LatencyP95: duration(time.Second)},
		"exponent":        {RequestsPerSecond: ptr.To("1e3"), LatencyP95: duration(time.Second)},
		"negative hour":   inPeople(5, -60, time.Second),
		"zero hour":       inPeople(5, 0, time.Second),
		"zero latency":    inPeople(5, 60, 0),
		"negative":        inPeople(5, 60, -time.Second),
		"a batch":         inPeople(5, 60, time.Hour),
		"ratio of NaN":    {RequestsPerSecond: ptr.To("20"), LatencyP95: duration(time.Second), ErrorRatio: "NaN"},
		"ratio above one": {RequestsPerSecond: ptr.To("20"), LatencyP95: duration(time.Second), ErrorRatio: "1.5"},
		"negative ratio":  {RequestsPerSecond: ptr.To("20"), LatencyP95: duration(time.Second), ErrorRatio: "-0.1"},
	} {
		if d, err := scalability.NewDemand(in); err == nil {
			t.Errorf("%s: accepted as %+v", name, d)
		}
	}
}

func TestNewSettingsRefuses(t *testing.T) {
	for _, c := range []struct {
		headroom string
		duration time.Duration
	}{{"", time.Minute}, {"0.9", time.Minute}, {"NaN", time.Minute}, {"-1", time.Minute}, {"1.5", 0}, {"1.5", -time.Second}, {"1.5", 2 * time.Hour}} {
		if s, err := scalability.NewSettings(c.headroom, c.duration, 0); err == nil {
			t.Errorf("accepted %+v", s)
		}
	}
}

func TestPlan(t *testing.T) {
	requests := func(rate string, p95 time.Duration, ratio string) v1alpha1.Demand {
		return v1alpha1.Demand{RequestsPerSecond: &rate, LatencyP95: duration(p95), ErrorRatio: ratio}
	}
	for name, c := range map[string]struct {
		demand            v1alpha1.Demand
		duration, longest time.Duration
		rate              string
		lasts             time.Duration
	}{
		"enough":               {requests("20", 2*time.Second, "0.01"), 20 * time.Second, 0, "30", 20 * time.Second},
		"stretched":            {requests("2", 2*time.Second, "0.01"), 20 * time.Second, 10 * time.Minute, "3", 112 * time.Second},
		"raised":               {inPeople(120, 60, 2*time.Second), 20 * time.Second, 0, "16.75", 20 * time.Second},
		"stretched and raised": {inPeople(120, 60, 2*time.Second), 20 * time.Second, 10 * time.Minute, "0.559", 10 * time.Minute},
		"stretched far":        {inPeople(120, 60, 2*time.Second), 20 * time.Second, 100 * time.Hour, "0.15", 2234 * time.Second},
		"strict":               {requests("100", 2*time.Second, "0.0001"), time.Minute, 0, "563.617", time.Minute},
		"no error allowed":     {requests("20", 2*time.Second, "0"), 20 * time.Second, 0, "30", 20 * time.Second},
		"slow":                 {requests("20", 9*time.Minute, "0.01"), 20 * time.Second, 0, "30", 20 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			d, err := scalability.NewDemand(c.demand)
			if err != nil {
				t.Fatal(err)
			}
			settings, err := scalability.NewSettings("1.5", c.duration, c.longest)
			if err != nil {
				t.Fatal(err)
			}
			spec, err := scalability.Plan(d, settings, evidence.LoadSpec{URL: "http://subject.sandbox.svc:8080/", Method: "GET"})
			if err != nil {
				t.Fatal(err)
			}
			if got := spec.Steps[0]; got.RatePerSecond != c.rate || got.Duration.Std() != c.lasts {
				t.Errorf("got %s/s for %s, want %s/s for %s", got.RatePerSecond, got.Duration, c.rate, c.lasts)
			}
			if spec.Within.Std() != d.LatencyP95 || spec.Timeout < spec.Within || spec.WarmUp.Arrivals() < 3 {
				t.Errorf("got %+v, warm-up %+v", spec, spec.WarmUp)
			}
			_, err = evidence.EncodeRun(evidence.RunSpec{Nonce: "0123456789abcdef", Subject: evidence.Digest(nil), Order: &spec})
			if err != nil {
				t.Errorf("the runner would refuse it: %v", err)
			}
		})
	}
}

func TestPlanRefuses(t *testing.T) {
	good, err := scalability.NewDemand(inPeople(120, 60, 2*time.Second))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := scalability.Plan(scalability.Demand{}, scalability.Settings{Headroom: 1.5, Duration: time.Minute}, evidence.LoadSpec{}); err == nil {
		t.Error("no demand at all is planned for")
	}
	if _, err := scalability.Plan(good, scalability.Settings{Headroom: math.NaN(), Duration: time.Minute}, evidence.LoadSpec{}); err == nil {
		t.Error("a headroom of NaN is planned for")
	}
}
