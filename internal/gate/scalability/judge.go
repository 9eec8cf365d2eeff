package scalability

import (
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/internal/evidence"
	"github.com/affineur/affineur/internal/gate"
	"github.com/affineur/affineur/internal/gate/stats"
)

const (
	// quantile is the share of answers that must keep the promised time.
	quantile = 0.95
	// rounding is the tolerance in comparing rates, which are rounded to a thousandth of a request a second.
	rounding = 1e-3
	// above is how far above the demand a measurement still speaks about the demand.
	above = 1.1
)

// Evidence is what the verdict rests on.
type Evidence struct {
	gate.Frame
	Run      gate.Measurement
	Demand   Demand
	Headroom float64
}

// Judge says
//
//	Passed        when the demand with headroom was sent, and it is shown with 95 % confidence that at least 95 of 100
//	              answers come within the promised time and that no more fail than may (Wilson's bounds);
//	Failed        when enough was sent and the promises were not kept, or so badly that fewer requests show it too;
//	Inconclusive  when the generator was the bottleneck, or answers were late only by its own lag, the run was cut short, less than the demand was sent, or too
//	              little to tell.
func Judge(e Evidence) gate.Verdict {
	if err := e.Demand.validate(); err != nil {
		return invalid(err)
	}
	if err := (Settings{Headroom: e.Headroom, Duration: time.Second}).validate(); err != nil {
		return invalid(err)
	}
	report, refused := gate.Open[evidence.LoadReport](e.Frame, e.Run, "the load measurement")
	if refused != nil {
		return *refused
	}
	at := e.Run.Report.FinishedAt
	wanted := e.Demand.Rate * e.Headroom
	step := stepFor(report, wanted)
	switch {
	case report.Within.Std() != e.Demand.LatencyP95:
		return gate.Unknown(v1alpha1.ReasonEvidenceUnverifiable, fmt.Sprintf("answers within %s were counted, %s are promised",
			span(report.Within.Std()), span(e.Demand.LatencyP95)), at)
	case report.FirstWithin.Std() != e.Demand.FirstWithin:
		return gate.Unknown(v1alpha1.ReasonEvidenceUnverifiable, "beginnings of answers were counted against another time than the promised one", at)
	case step == nil:
		return unknown(v1alpha1.ReasonMeasuredBelowDemand, fmt.Sprintf("less than %s req/s, the demand with headroom, was sent", short(wanted)),
			"It is measured again.", at)
	case step.Unfinished > 0:
		return unknown(v1alpha1.ReasonCutShort, "the load measurement was stopped before its end", "It is measured again.", at)
	case step.GeneratorLimited || step.Lag.P99.Std() > maxLag(e.Demand.LatencyP95):
		return limited(step, at)
	}
	m := measured{compared: report.Alone > 0, step: step, demand: e.Demand, wanted: wanted, at: at}
	if where := CapacityOf(report, e.Demand, 1).Describe(); where != "" && len(report.Climb) > 0 {
		m.more = "; " + where
	}
	return m.judge()
}

func invalid(err error) gate.Verdict {
	return gate.Unknown(v1alpha1.ReasonRequirementInvalid, "the demand can't be judged: "+err.Error(), time.Time{}, gate.Finding{
		Reason: v1alpha1.ReasonRequirementInvalid, Field: "spec.demand", Message: err.Error(), Owner: v1alpha1.OwnerBusiness,
		Hint: "Say how many people will use it, how many requests they make in the busiest hour, and how long they wait for an answer.",
	})
}

// stepFor is the first step that sent at least the wanted rate, or nil. What happened in later steps, which look for the
// knee, does not touch it.
func stepFor(r *evidence.LoadReport, wanted float64) *evidence.StepResult {
	for i := range r.Steps {
		rate, err := evidence.ParseDecimal(r.Steps[i].RatePerSecond)
		if err == nil && rate >= wanted-rounding {
			return &r.Steps[i]
		}
	}
	return nil
}

func unknown(reason, message, hint string, at time.Time) gate.Verdict {
	return gate.Unknown(reason, message, at, gate.Finding{Reason: reason, Message: message, Hint: hint, Owner: v1alpha1.OwnerIT})
}

func limited(s *evidence.StepResult, at time.Time) gate.Verdict {
	message, hint := "the load generator ran out of sockets, ports or memory", "Give the runner more memory; it is measured again."
	switch s.LimitedBy {
	case evidence.LimitLate, evidence.LimitNone:
		message = fmt.Sprintf("the load generator was too late itself (1 of 100 requests by more than %s), so nothing is said about the prototype", span(s.Lag.P99.Std()))
		hint = "Give the runner more processor time, or a node with less to do; it is measured again."
	case evidence.LimitProcessor:
		message = fmt.Sprintf("the load generator had too little processor time (it used %s of %s and was held back for %s), so nothing is said about the prototype",
			span(s.Generator.Processor.Std()), span(s.Generator.Available.Std()), span(s.Generator.Throttled.Std()))
		hint = "Give the runner more processor time, or a node with less to do; it is measured again."
	case evidence.LimitAddress:
		message = "the load generator could not resolve the prototype's Service to an address that it may use"
		hint = "Look whether the Service exists and cluster DNS answers; it is measured again."
	}
	return unknown(v1alpha1.ReasonGeneratorLimited, message, hint, at)
}

// measured is a step that says something about the subject.
type measured struct {
	step   *evidence.StepResult
	demand Demand
	wanted float64
	at     time.Time
	// compared tells whether there were answers without load to compare with.
	compared bool
	// more is what was seen above the demand.
	more string
}

func (m measured) judge() gate.Verdict {
	s := m.step
	n, failed, slow := s.Planned, s.Failures.Total(), s.Succeeded-s.WithinTarget
	errorsLow, errorsHigh := stats.Wilson(failed, n)
	slowLow, slowHigh := stats.Wilson(slow, s.Succeeded)
	enough := n >= m.demand.needed()
	lateFirst, firstLow, firstHigh := m.first()

	var holes []gate.Finding
	if exceeds(failed, n, m.demand.ErrorRatio) && enough || errorsLow > m.demand.ErrorRatio {
		holes = append(holes, m.tooManyErrors())
	}
	ownFault := false
	for _, late := range []struct {
		n, byLag int64
		low      float64
		hole     func() gate.Finding
	}{{slow, s.LateByLag, slowLow, m.tooSlow}, {lateFirst, s.FirstLateByLag, firstLow, m.beginsLate}} {
		switch {
		case !m.tooMany(late.n, late.low, enough):
		case late.byLag > 0 && !m.tooMany(late.n-late.byLag, lowest(late.n-late.byLag, s.Succeeded), enough):
			ownFault = true
		default:
			holes = append(holes, late.hole())
		}
	}
	// Where not even one failure is allowed, none of a sufficient sample is as much as can be shown.
	errorsShown := errorsHigh <= m.demand.ErrorRatio || m.demand.ErrorRatio == 0 && failed == 0 && enough
	slowShown := slowHigh <= 1-quantile && firstHigh <= 1-quantile
	switch {
	case len(holes) > 0 && m.aboveDemand():
		return unknown(v1alpha1.ReasonMeasuredAboveDemand, fmt.Sprintf("%s; that is above the demand of %s req/s with headroom, sent to have enough requests in the given time, so it says nothing about the demand",
			m.summary(), short(m.wanted)), "Let the policy's scalability gate measure for longer, so that the demand itself can be measured.", m.at)
	case len(holes) > 0:
		return gate.Fail(holes[0].Reason, m.summary(), m.at, holes...)
	case ownFault:
		return m.ownFault()
	case errorsShown && slowShown && !m.compared:
		return unknown(v1alpha1.ReasonNoAnswerAlone, m.summary()+"; but not one good answer came without load, so nobody knows what one looks like",
			"See that the prototype answers spec.demand.request as soon as its health is good; it is measured again.", m.at)
	case errorsShown && slowShown:
		return gate.Pass(v1alpha1.ReasonSustainsDemand, m.summary()+m.more, m.at)
	}
	return m.tooFew(failed, max(slow, lateFirst), errorsShown)
}

// first is how many answers began too late, and the bounds of their share; none where no time is promised.
func (m measured) first() (late int64, low, high float64) {
	if m.demand.FirstWithin == 0 {
		return 0, 0, 0
	}
	late = m.step.Succeeded - m.step.FirstWithinTarget
	low, high = stats.Wilson(late, m.step.Succeeded)
	return late, low, high
}

// tooMany tells whether more answers were late than may be, low being the lower bound of their share.
func (m measured) tooMany(late int64, low float64, enough bool) bool {
	return exceeds(late, m.step.Succeeded, 1-quantile) && enough || low > 1-quantile
}

func lowest(k, n int64) float64 {
	low, _ := stats.Wilson(k, n)
	return low
}

// ownFault is the verdict where too many answers were late, and would not have been had all been asked for when they were due.
func (m measured) ownFault() gate.Verdict {
	return unknown(v1alpha1.ReasonGeneratorLimited, m.summary()+fmt.Sprintf("; but so many were late only because the load generator was (1 of 100 requests by more than %s), so nothing is said about the prototype",
		span(m.step.Lag.P99.Std())), "Give the runner more processor time, or a node with less to do; it is measured again.", m.at)
}

func exceeds(k, n int64, ratio float64) bool { return n > 0 && float64(k) > ratio*float64(n) }

// aboveDemand tells whether a failure at this rate says nothing about the demand. One that answered nobody well in time
// would not do better with less to do.
func (m measured) aboveDemand() bool {
	rate, err := evidence.ParseDecimal(m.step.RatePerSecond)
	return err == nil && rate > m.wanted*above && m.step.WithinTarget > 0
}

func (m measured) tooFew(failed, slow int64, errorsShown bool) gate.Verdict {
	needed := stats.NeededFor(slow, m.step.Succeeded, 1-quantile)
	if !errorsShown {
		needed = max(needed, stats.NeededFor(failed, m.step.Planned, m.demand.ErrorRatio))
	}
	message := m.summary() + "; that is too close to what was promised to be sure"
	if m.step.Planned < m.demand.needed() {
		message = m.summary() + "; that is too few to be sure"
	}
	if needed < math.MaxInt64 {
		message += fmt.Sprintf(": about %d requests would show it", max(needed, m.demand.needed()))
	}
	return unknown(v1alpha1.ReasonTooFewRequests, message, "Let the policy's scalability gate measure for longer.", m.at)
}

func (m measured) tooSlow() gate.Finding {
	message := fmt.Sprintf("95 of 100 answers took up to %s; %s are promised (%d of %d kept it)",
		span(m.step.Latency.P95.Std()), span(m.demand.LatencyP95), m.step.WithinTarget, m.step.Succeeded)
	return gate.Finding{Reason: v1alpha1.ReasonTooSlow, Field: "spec.demand", Message: message, Owner: v1alpha1.OwnerBusiness,
		Hint: "Make it faster, give it more under spec.workload.container.resources, or declare the time that people really accept."}
}

func (m measured) beginsLate() gate.Finding {
	message := fmt.Sprintf("95 of 100 answers began after up to %s; %s are promised (%d of %d kept it)",
		span(m.step.FirstByte.P95.Std()), span(m.demand.FirstWithin), m.step.FirstWithinTarget, m.step.Succeeded)
	return gate.Finding{Reason: v1alpha1.ReasonTooSlow, Field: "spec.demand.firstByteWithin", Message: message, Owner: v1alpha1.OwnerBusiness,
		Hint: "Send the beginning of an answer as soon as it is there, or declare the time that people really accept."}
}

func (m measured) tooManyErrors() gate.Finding {
	f := m.step.Failures
	var kinds []string
	for _, k := range []struct {
		n    int64
		what string
	}{
		{f.Timeout, "without an answer in time"}, {f.Connect, "without a connection"}, {f.ServerError, "with a server error (5xx)"},
		{f.OtherStatus, "with another status than 2xx"}, {f.OtherShape, "with an answer of another shape than without load"},
		{f.NotAsDeclared, "with nothing where the answer is to be (in the data of a stream, or where spec.evaluation.call says)"}, {f.ShortRead, "broken off"}, {f.NotSent, "not accepted: too many were waiting"},
	} {
		if k.n > 0 {
			kinds = append(kinds, fmt.Sprintf("%d %s", k.n, k.what))
		}
	}
	return gate.Finding{Reason: v1alpha1.ReasonTooManyErrors, Field: "spec.demand", Owner: v1alpha1.OwnerBusiness,
		Message: fmt.Sprintf("%d of %d requests failed, %s of 100 may: %s", f.Total(), m.step.Planned, short(m.demand.ErrorRatio*100), strings.Join(kinds, ", ")),
		Hint:    "Look at the prototype's own log for the time of the measurement, and at whether spec.demand.request is what it expects."}
}

// summary is what was measured, in one line.
func (m measured) summary() string {
	s := m.step
	latency := "no answer"
	if s.Succeeded > 0 {
		latency = fmt.Sprintf("p95 %s of %s", span(s.Latency.P95.Std()), span(m.demand.LatencyP95))
		if m.demand.FirstWithin > 0 {
			latency += fmt.Sprintf(", first byte %s of %s", span(s.FirstByte.P95.Std()), span(m.demand.FirstWithin))
		}
	}
	return fmt.Sprintf("%s req/s for %s: %s, %d of %d failed", s.RatePerSecond, span(s.Duration.Std()), latency, s.Failures.Total(), s.Planned)
}

// span writes a length of time for people: "0.8 ms", "412 ms", "2 s", "1.25 s", "3m20s".
func span(d time.Duration) string {
	switch {
	case d < time.Second:
		return short(d.Seconds()*1000) + " ms"
	case d < 2*time.Minute:
		return short(d.Seconds()) + " s"
	}
	return d.Round(time.Second).String()
}
