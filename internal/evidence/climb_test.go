package evidence

import (
	"strings"
	"testing"
	"time"
)

func TestClimbSteps(t *testing.T) {
	climb := Climb{Factor: "1.5", Most: 3, Duration: Duration(2 * time.Second), ErrorRatio: "0.01"}
	var got []string
	for _, s := range climb.Steps([]Step{{RatePerSecond: "10"}, {RatePerSecond: "30"}, {RatePerSecond: "20"}}) {
		got = append(got, s.RatePerSecond)
	}
	if strings.Join(got, " ") != "45 67.5 101.25" {
		t.Errorf("got %v", got)
	}
	climb.Most = 24
	if steps := climb.Steps([]Step{{RatePerSecond: "60000"}}); len(steps) != 1 {
		t.Errorf("%v: a step above 100,000 a second can't be asked for", steps)
	}
	if steps := climb.Steps(nil); len(steps) != 0 {
		t.Errorf("got %v from nothing", steps)
	}
}

func climbed(change func(*StepResult)) StepResult {
	s := StepResult{RatePerSecond: "100", Duration: Duration(10 * time.Second), Planned: 1000, Succeeded: 1000, WithinTarget: 1000,
		FirstWithinTarget: 1000, SecondHalf: Flow{Arrived: 500, Answered: 500}}
	if change != nil {
		change(&s)
	}
	return s
}

func TestClimbEnds(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*StepResult)
		first  Duration
		want   ClimbEnd
	}{
		"all well":              {nil, 1, ""},
		"a few slow":            {func(s *StepResult) { s.WithinTarget = 951 }, 0, ""},
		"too many slow":         {func(s *StepResult) { s.WithinTarget = 949 }, 0, ClimbOverloaded},
		"begin too late":        {func(s *StepResult) { s.FirstWithinTarget = 949 }, 1, ClimbOverloaded},
		"no promise to begin":   {func(s *StepResult) { s.FirstWithinTarget = 0 }, 0, ""},
		"a few fail":            {func(s *StepResult) { s.Succeeded, s.Failures.Timeout = 990, 10 }, 0, ""},
		"too many fail":         {func(s *StepResult) { s.Succeeded, s.Failures.Timeout = 989, 11 }, 0, ClimbOverloaded},
		"all fail":              {func(s *StepResult) { s.Succeeded, s.WithinTarget = 0, 0 }, 0, ClimbOverloaded},
		"does not keep up":      {func(s *StepResult) { s.SecondHalf.Answered = 447 }, 0, ClimbOverloaded},
		"keeps up":              {func(s *StepResult) { s.SecondHalf.Answered = 448 }, 0, ""},
		"generator was limited": {func(s *StepResult) { s.GeneratorLimited, s.Succeeded = true, 0 }, 0, ClimbLimited},
		"stopped":               {func(s *StepResult) { s.Unfinished = 1 }, 0, ClimbCutShort},
	} {
		if got := (Climb{ErrorRatio: "0.01"}).Ends(climbed(c.change), c.first); got != c.want {
			t.Errorf("%s: got %q, want %q", name, got, c.want)
		}
	}
	if got := (Climb{ErrorRatio: "NaN"}).Ends(climbed(nil), 0); got != ClimbOverloaded {
		t.Errorf("a ratio that is none lets it climb on: %q", got)
	}
}

func TestLoadReportRefuses(t *testing.T) {
	good := func() *LoadReport {
		step := climbed(func(s *StepResult) {
			s.Latency = Latency{Min: 10, Mean: 20, P50: 20, P90: 30, P95: 40, P99: 50, P999: 60, Max: 70}
			s.FirstByte = Latency{Min: 5, Mean: 10, P50: 10, P90: 15, P95: 20, P99: 25, P999: 30, Max: 35}
			s.LatencyCurve = []Point{{0, 10}, {500_000, 20}, {1_000_000, 70}}
		})
		above := step
		above.RatePerSecond = "200"
		above.Planned, above.Succeeded = 2000, 2000
		return &LoadReport{Within: 1, FirstWithin: 1, Steps: []StepResult{step}, Climb: []StepResult{above}, ClimbEnd: ClimbDone}
	}
	if err := good().Validate(); err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(*LoadReport){
		"no end":                       func(r *LoadReport) { r.ClimbEnd = "" },
		"unknown end":                  func(r *LoadReport) { r.ClimbEnd = "Tired" },
		"climbs down":                  func(r *LoadReport) { r.Climb = append(r.Climb, r.Steps[0]) },
		"climbs for ever":              func(r *LoadReport) { r.Climb = make([]StepResult, 25) },
		"counts in the climb":          func(r *LoadReport) { r.Climb[0].Succeeded++ },
		"unfinished in the climb":      func(r *LoadReport) { r.Climb[0].Succeeded, r.Climb[0].Unfinished = 1999, 1 },
		"first within is after within": func(r *LoadReport) { r.FirstWithin = 2 },
		"first within is negative":     func(r *LoadReport) { r.FirstWithin = -1 },
		"first byte after the last":    func(r *LoadReport) { r.Steps[0].FirstByte.P95, r.Steps[0].FirstByte.P99 = 45, 45 },
		"more begun than answered":     func(r *LoadReport) { r.Steps[0].FirstWithinTarget = 1001 },
		"curve goes back":              func(r *LoadReport) { r.Steps[0].LatencyCurve[2].PerMillion = 500_000 },
		"curve falls":                  func(r *LoadReport) { r.Steps[0].LatencyCurve[1].Micros = 9 },
		"curve above the maximum":      func(r *LoadReport) { r.Steps[0].LatencyCurve[2].Micros = 71 },
		"curve beyond a million":       func(r *LoadReport) { r.Steps[0].LatencyCurve[2].PerMillion = 1_000_001 },
		"curve without end":            func(r *LoadReport) { r.Steps[0].LatencyCurve = make([]Point, 100) },
		"curve of first bytes of none": func(r *LoadReport) { r.Steps[0].FirstByteCurve = []Point{{0, 40}} },
		"flow of more than all":        func(r *LoadReport) { r.Steps[0].SecondHalf.Arrived = 1001 },
		"failed, not counted":          func(r *LoadReport) { r.Steps[0].Failures.OtherShape = 1 },
		"nothing, not counted":         func(r *LoadReport) { r.Climb[0].Failures.NotAsDeclared = 1 },
		"negative, of another shape":   func(r *LoadReport) { f := &r.Steps[0].Failures; f.OtherShape, f.Timeout = f.OtherShape-1, f.Timeout+1 },
		"late by lag, and in time":     func(r *LoadReport) { r.Steps[0].LateByLag = r.Steps[0].Succeeded - r.Steps[0].WithinTarget + 1 },
		"begun late, and in time":      func(r *LoadReport) { s := &r.Steps[0]; s.FirstLateByLag = s.Succeeded - s.FirstWithinTarget + 1 },
		"negative lateness":            func(r *LoadReport) { r.Steps[0].LateByLag = -1 },
		"alone, never so often":        func(r *LoadReport) { r.Alone = 101 },
		"alone, less than never":       func(r *LoadReport) { r.Alone = -1 },
		"negative flow":                func(r *LoadReport) { r.Steps[0].SecondHalf.Answered = -1 },
		"negative processor time":      func(r *LoadReport) { r.Steps[0].Generator.Processor = -1 },
		"unknown limit":                func(r *LoadReport) { r.Climb[0].GeneratorLimited, r.Climb[0].LimitedBy = true, "Mood" },
	} {
		r := good()
		change(r)
		if err := r.Validate(); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

func TestLoadSpecRefuses(t *testing.T) {
	good := func() *LoadSpec {
		return &LoadSpec{URL: "http://subject.sandbox.svc:8080/", Method: "GET", Steps: []Step{{RatePerSecond: "1", Duration: Duration(time.Second)}},
			Timeout: Duration(time.Second), Within: Duration(time.Second), MaxInFlight: 10, MaxLag: Duration(time.Second),
			Climb: &Climb{Factor: "1.5", Most: 5, Duration: Duration(time.Second), ErrorRatio: "0.01"},
			Alone: &Alone{Most: 10, Duration: Duration(time.Second)}, Answer: []string{"", "/answer"}}
	}
	if err := good().Validate(); err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(*LoadSpec){
		"does not rise":      func(s *LoadSpec) { s.Climb.Factor = "1" },
		"leaps":              func(s *LoadSpec) { s.Climb.Factor = "5" },
		"factor of NaN":      func(s *LoadSpec) { s.Climb.Factor = "NaN" },
		"no step":            func(s *LoadSpec) { s.Climb.Most = 0 },
		"for ever":           func(s *LoadSpec) { s.Climb.Most = 25 },
		"no time":            func(s *LoadSpec) { s.Climb.Duration = 0 },
		"all the time":       func(s *LoadSpec) { s.Climb.Duration = Duration(2 * time.Hour) },
		"all may fail twice": func(s *LoadSpec) { s.Climb.ErrorRatio = "2" },
		"first after last":   func(s *LoadSpec) { s.FirstWithin = s.Within + 1 },
		"none alone":         func(s *LoadSpec) { s.Alone.Most = 0 },
		"alone for ever":     func(s *LoadSpec) { s.Alone.Most = 101 },
		"alone for no time":  func(s *LoadSpec) { s.Alone.Duration = 0 },
		"alone all day":      func(s *LoadSpec) { s.Alone.Duration = Duration(2 * time.Hour) },
		"no pointer":         func(s *LoadSpec) { s.Answer[1] = "answer" },
		"answers everywhere": func(s *LoadSpec) { s.Answer = make([]string, 9) },
		"first before now":   func(s *LoadSpec) { s.FirstWithin = -1 },
	} {
		s := good()
		change(s)
		if err := s.Validate(); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}
