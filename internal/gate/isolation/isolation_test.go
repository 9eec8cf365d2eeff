package isolation_test

import (
	"strings"
	"testing"
	"time"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/internal/evidence"
	"github.com/affineur/affineur/internal/gate"
	"github.com/affineur/affineur/internal/gate/isolation"
	"github.com/affineur/affineur/internal/gate/reach"
)

var (
	subject = evidence.Digest([]byte("sandbox"))
	start   = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	now     = start.Add(time.Minute)
)

const (
	canaryTCP = "canary-tcp"
	canaryUDP = "canary-udp"
	allowed   = "canary-allowed"
)

func result(name string, class evidence.Class) evidence.TargetResult {
	until := start.Add(4 * time.Second)
	r := evidence.TargetResult{Name: name, Network: "tcp", Address: "198.51.100.7:8081", Class: class, Settled: true, Attempts: 3,
		Since: start, Until: until}
	if class == evidence.ClassNone {
		r.Reached, r.Reaches, r.FirstReachedAt, r.LastReachedAt, r.UpSince = true, 3, &until, &until, &start
	}
	return r
}

func run(results ...evidence.TargetResult) gate.Measurement {
	return gate.Measurement{Report: &evidence.Report{Schema: evidence.ReportSchema, Nonce: "0123456789abcdef", Subject: subject,
		StartedAt: start, FinishedAt: start.Add(5 * time.Second), Result: &evidence.IsolationReport{Targets: results}}}
}

const up = evidence.ClassNone

// enforced is evidence of a sandbox as it should be.
func enforced() isolation.Evidence {
	return isolation.Evidence{
		Frame: gate.Frame{Subject: subject, Now: now, MaxAge: time.Hour},
		Runs: map[isolation.Vantage]gate.Measurement{
			isolation.Inside:  run(result(canaryTCP, evidence.ClassTimeout), result(canaryUDP, evidence.ClassRefused), result(allowed, up)),
			isolation.Outside: run(result(canaryTCP, up), result(canaryUDP, up)),
		},
		Expect: isolation.Egresses([]string{canaryTCP, canaryUDP}, []string{allowed}),
	}
}

func TestJudge(t *testing.T) {
	inside := func(results ...evidence.TargetResult) func(*isolation.Evidence) {
		return func(e *isolation.Evidence) { e.Runs[isolation.Inside] = run(results...) }
	}
	outside := func(results ...evidence.TargetResult) func(*isolation.Evidence) {
		return func(e *isolation.Evidence) { e.Runs[isolation.Outside] = run(results...) }
	}
	tcp, udp, ok := result(canaryTCP, evidence.ClassTimeout), result(canaryUDP, evidence.ClassTimeout), result(allowed, up)
	for name, c := range map[string]struct {
		change  func(*isolation.Evidence)
		state   gate.State
		reason  string
		finding string
	}{
		"enforced": {func(*isolation.Evidence) {}, gate.Passed, v1alpha1.ReasonEnforced, ""},
		"policies are ignored": {inside(result(canaryTCP, up), result(canaryUDP, up), ok), gate.Failed, v1alpha1.ReasonNotEnforced,
			v1alpha1.ReasonForbiddenReached},
		"only UDP passes": {inside(tcp, result(canaryUDP, up), ok), gate.Failed, v1alpha1.ReasonNotEnforced, v1alpha1.ReasonForbiddenReached},
		"passes, and the control is blind": {func(e *isolation.Evidence) {
			inside(result(canaryTCP, up), udp, ok)(e)
			outside(result(canaryTCP, evidence.ClassTimeout), result(canaryUDP, up))(e)
		}, gate.Failed, v1alpha1.ReasonNotEnforced, v1alpha1.ReasonForbiddenReached},
		"no network at all": {inside(tcp, udp, result(allowed, evidence.ClassTimeout)), gate.Inconclusive, v1alpha1.ReasonIsolationInconclusive,
			v1alpha1.ReasonAllowedNotReached},
		"dead canary": {outside(result(canaryTCP, evidence.ClassRefused), result(canaryUDP, up)), gate.Inconclusive, v1alpha1.ReasonIsolationInconclusive,
			v1alpha1.ReasonNotProven},
		"control forgot one": {outside(result(canaryTCP, up)), gate.Inconclusive, v1alpha1.ReasonIsolationInconclusive, v1alpha1.ReasonNotProven},
		"inside forgot one":  {inside(tcp, ok), gate.Inconclusive, v1alpha1.ReasonIsolationInconclusive, v1alpha1.ReasonNotProven},
		"a proxy answers": {inside(result(canaryTCP, evidence.ClassUnanswered), udp, ok), gate.Inconclusive, v1alpha1.ReasonIsolationInconclusive,
			v1alpha1.ReasonNotProven},
		"no sockets": {inside(result(canaryTCP, evidence.ClassLocal), udp, ok), gate.Inconclusive, v1alpha1.ReasonIsolationInconclusive,
			v1alpha1.ReasonNotProven},
		"inside is running": {func(e *isolation.Evidence) { e.Runs[isolation.Inside] = gate.Measurement{} }, gate.Pending,
			v1alpha1.ReasonNotMeasured, ""},
		"control is running": {func(e *isolation.Evidence) { delete(e.Runs, isolation.Outside) }, gate.Pending, v1alpha1.ReasonNotMeasured, ""},
		"inside is lost": {func(e *isolation.Evidence) { e.Runs[isolation.Inside] = gate.Measurement{Lost: "RunFailed"} }, gate.Inconclusive,
			v1alpha1.ReasonMeasurementLost, v1alpha1.ReasonMeasurementLost},
		"another sandbox": {func(e *isolation.Evidence) { e.Subject = evidence.Digest(nil) }, gate.Inconclusive,
			v1alpha1.ReasonEvidenceUnverifiable, v1alpha1.ReasonEvidenceUnverifiable},
		"stale": {func(e *isolation.Evidence) { e.Now = now.Add(2 * time.Hour) }, gate.Inconclusive, v1alpha1.ReasonEvidenceStale,
			v1alpha1.ReasonEvidenceStale},
		"nothing expected": {func(e *isolation.Evidence) { e.Expect = nil }, gate.Inconclusive, v1alpha1.ReasonIsolationInconclusive, ""},
		"nothing blocked": {func(e *isolation.Evidence) { e.Expect = isolation.Egresses(nil, []string{allowed}) }, gate.Inconclusive,
			v1alpha1.ReasonIsolationInconclusive, ""},
		"nothing allowed": {func(e *isolation.Evidence) { e.Expect = isolation.Egresses([]string{canaryTCP}, nil) }, gate.Inconclusive,
			v1alpha1.ReasonIsolationInconclusive, ""},
		"own witness": {func(e *isolation.Evidence) { e.Expect[0].Witness = isolation.Inside }, gate.Inconclusive,
			v1alpha1.ReasonIsolationInconclusive, v1alpha1.ReasonNotProven},
		"no wish": {func(e *isolation.Evidence) { e.Expect[0].Want = "" }, gate.Inconclusive, v1alpha1.ReasonIsolationInconclusive,
			v1alpha1.ReasonNotProven},
		"nothing at all": {func(e *isolation.Evidence) { *e = isolation.Evidence{} }, gate.Inconclusive, v1alpha1.ReasonIsolationInconclusive, ""},
	} {
		t.Run(name, func(t *testing.T) {
			e := enforced()
			c.change(&e)
			got := isolation.Judge(e).Verdict
			if got.State != c.state || got.Reason != c.reason || got.Message == "" {
				t.Fatalf("got %+v, want %s %s", got, c.state, c.reason)
			}
			if c.finding != "" && (len(got.Findings) == 0 || got.Findings[0].Reason != c.finding || got.Findings[0].Hint == "") {
				t.Errorf("findings %+v, want %s", got.Findings, c.finding)
			}
		})
	}
}

// at gives a result another address, reached from the beginning if at all.
func at(r evidence.TargetResult, address string) evidence.TargetResult {
	r.Address = address
	if r.Reached {
		r.FirstReachedAt = &start
	}
	return r
}

func TestJudgeTablesEveryPath(t *testing.T) {
	const closed, open = "198.51.100.9:8083", "198.51.100.9:8084"
	for name, c := range map[string]struct {
		inside, outside []evidence.TargetResult
		state           gate.State
		outcome         reach.Outcome
		found           string
	}{
		"closed": {[]evidence.TargetResult{at(result("listener", up), closed)},
			[]evidence.TargetResult{at(result("listener", evidence.ClassTimeout), closed), at(result("open", up), open)}, gate.Passed, reach.Holds, "Blocked"},
		"let in": {[]evidence.TargetResult{at(result("listener", up), closed)},
			[]evidence.TargetResult{at(result("listener", up), closed), at(result("open", up), open)}, gate.Failed, reach.Broken, "Reachable"},
		"let in, and nobody listens": {nil,
			[]evidence.TargetResult{at(result("listener", up), closed), at(result("open", up), open)}, gate.Failed, reach.Broken, "Reachable"},
		"nobody listens": {nil,
			[]evidence.TargetResult{at(result("listener", evidence.ClassRefused), closed), at(result("open", up), open)}, gate.Inconclusive, reach.Unclear, "Unknown"},
		"no way there": {[]evidence.TargetResult{at(result("listener", up), closed)},
			[]evidence.TargetResult{at(result("listener", evidence.ClassTimeout), closed), at(result("open", evidence.ClassTimeout), open)},
			gate.Inconclusive, reach.Unclear, "Unknown"},
		"a way to another pod": {[]evidence.TargetResult{at(result("listener", up), closed)},
			[]evidence.TargetResult{at(result("listener", evidence.ClassTimeout), closed), at(result("open", up), "198.51.100.10:8084")},
			gate.Inconclusive, reach.Unclear, "Unknown"},
		"not tried": {[]evidence.TargetResult{at(result("listener", up), closed)}, nil, gate.Inconclusive, reach.Unclear, "Unknown"},
	} {
		t.Run(name, func(t *testing.T) {
			e := enforced()
			e.Expect = append(e.Expect, isolation.Expectation{Target: "listener", Direction: isolation.Ingress, Want: isolation.Blocked,
				From: isolation.Outside, Witness: isolation.Inside, Twin: "open"})
			for vantage, more := range map[isolation.Vantage][]evidence.TargetResult{isolation.Inside: c.inside, isolation.Outside: c.outside} {
				report := evidence.As[evidence.IsolationReport](e.Runs[vantage].Report.Result)
				report.Targets = append(report.Targets, more...)
			}
			got := isolation.Judge(e)
			if got.Verdict.State != c.state || len(got.Paths) != 4 {
				t.Fatalf("got %+v", got)
			}
			if p := got.Paths[3]; p.Outcome != c.outcome || p.Why == "" || p.Found() != c.found {
				t.Errorf("got %+v, found %s", p, p.Found())
			}
			if c.state == gate.Failed && !strings.Contains(got.Verdict.Message, "listener (Ingress) was reached") {
				t.Errorf("message %q", got.Verdict.Message)
			}
		})
	}
}

func TestWhatThereNeedNotBe(t *testing.T) {
	const name = "metadata"
	nothing, answer := result(name, evidence.ClassTimeout), result(name, up)
	for title, c := range map[string]struct {
		inside, outside *evidence.TargetResult
		state           gate.State
		found           string
	}{
		"nobody tried":                    {nil, nil, gate.Passed, "Unknown"},
		"nobody reaches it":               {&nothing, &nothing, gate.Passed, "Unknown"},
		"only inside is kept from it":     {&nothing, &answer, gate.Passed, "Blocked"},
		"inside reaches it":               {&answer, &answer, gate.Failed, "Reachable"},
		"inside reaches it, alone":        {&answer, &nothing, gate.Failed, "Reachable"},
		"the control did not try":         {&nothing, nil, gate.Inconclusive, "Unknown"},
		"inside did not try":              {nil, &answer, gate.Inconclusive, "Unknown"},
		"inside did not, nobody is there": {nil, &nothing, gate.Inconclusive, "Unknown"},
	} {
		t.Run(title, func(t *testing.T) {
			e := enforced()
			e.Expect = append(e.Expect, isolation.Expectation{Target: name, Direction: isolation.Egress, Want: isolation.Blocked,
				From: isolation.Inside, Witness: isolation.Outside, IfAny: true})
			for vantage, more := range map[isolation.Vantage]*evidence.TargetResult{isolation.Inside: c.inside, isolation.Outside: c.outside} {
				if report := evidence.As[evidence.IsolationReport](e.Runs[vantage].Report.Result); more != nil {
					report.Targets = append(report.Targets, *more)
				}
			}
			got := isolation.Judge(e)
			if got.Verdict.State != c.state || got.Paths[3].Found() != c.found {
				t.Fatalf("got %s, found %s: %s", got.Verdict.State, got.Paths[3].Found(), got.Verdict.Message)
			}
			if says := strings.Contains(got.Verdict.Message, "not known, since nothing was found there from outside either: "+name); says != (c.state == gate.Passed && c.found == "Unknown") {
				t.Errorf("message %q", got.Verdict.Message)
			}
		})
	}
}

func TestVerdictIsAsOldAsItsOldestEvidence(t *testing.T) {
	e := enforced()
	old := e.Runs[isolation.Outside].Report
	old.FinishedAt = start.Add(4500 * time.Millisecond)
	if got := isolation.Judge(e).Verdict; !got.MeasuredAt.Equal(old.FinishedAt) {
		t.Errorf("measured at %v, the control ended at %v", got.MeasuredAt, old.FinishedAt)
	}
}
