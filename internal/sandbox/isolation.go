package sandbox

import (
	"cmp"
	"slices"
	"strings"
	"time"

	networkingv1 "k8s.io/api/networking/v1"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/internal/assess"
	"github.com/affineur/affineur/internal/evidence"
	"github.com/affineur/affineur/internal/gate"
	"github.com/affineur/affineur/internal/gate/isolation"
	"github.com/affineur/affineur/internal/run"
	"github.com/affineur/affineur/internal/subject"
)

// Verdicts in status.sandbox.isolation.
const (
	verdictEnforced     = "Enforced"
	verdictNotEnforced  = "NotEnforced"
	verdictInconclusive = "Inconclusive"
)

const (
	// maxEvidenceAge bounds how long after its end a measurement may be judged: an operator that was away for longer
	// measures again.
	maxEvidenceAge = 10 * time.Minute
	// retryNotEnforced is the pace at which a cluster without enforcement is looked at again, to find an engine that
	// was installed meanwhile.
	retryNotEnforced = 3 * time.Minute
	// retryLeast and retryMost bound the pause after an inconclusive measurement.
	retryLeast = 10 * time.Second
	retryMost  = 5 * time.Minute
)

// inputs is what a measurement is made under: when any of it changes, the measurement says nothing any more.
type inputs struct {
	Policies []networkingv1.NetworkPolicySpec `json:"policies"`
	Targets  []evidence.Target                `json:"targets"`
	// RuntimeClass, because another runtime may have another network.
	RuntimeClass string `json:"runtimeClass,omitempty"`
}

// inputsDigest is the SHA-256 of the rendered network policies, the targets and the runtime.
func inputsDigest(policies []*networkingv1.NetworkPolicy, targets []evidence.Target, runtimeClass string) (string, error) {
	in := inputs{Targets: targets, RuntimeClass: runtimeClass}
	for _, p := range policies {
		in.Policies = append(in.Policies, p.Spec)
	}
	return subject.Digest(in)
}

// step is what a measurement of isolation needs next.
type step string

const (
	// rest: nothing until a known time.
	rest step = "rest"
	// begin: both runs at once; they find each other by themselves.
	begin step = "begin"
	// join: the run inside, where its control was started without it.
	join step = "join"
	// follow: both are at work.
	follow step = "follow"
	// conclude: both have ended.
	conclude step = "conclude"
	// discard: what is there was made for something else.
	discard step = "discard"
)

// measurement says what is next, and when at the latest if it is to rest.
//
//	due ─begin▶ both at work ─follow▶ both ended ─conclude▶ rest until due again
//	      killed in between ─join▶
//	          any run made under other inputs ─discard▶ due
//
// Who asks for a new look while one is being taken is served after it, or asking often enough would put off every verdict.
func (s Snapshot) measurement(now time.Time) (step, time.Time) {
	inside, control := s.Inside.State, s.Control.State
	switch {
	case s.stale(s.Inside) || s.stale(s.Control):
		return discard, time.Time{}
	case control == run.Absent && inside == run.Absent:
		if due := s.measurementDue(now); now.Before(due) {
			return rest, due
		}
		return begin, time.Time{}
	case control == run.Absent:
		return discard, time.Time{}
	case inside == run.Absent && control == run.Running:
		return join, time.Time{}
	case control == run.Running || inside == run.Running:
		return follow, time.Time{}
	}
	return conclude, time.Time{}
}

// stale tells whether a run was made for other inputs.
func (s Snapshot) stale(p Probe) bool { return p.State != run.Absent && p.Inputs != s.Inputs }

// answers tells whether both runs were made for the newest request, and not before it.
func (s Snapshot) answers() bool {
	return s.Control.Request == s.request() && s.Inside.Request == s.request()
}

// asksToMeasure is true while a request for a new look is not handled. The image comes first: as long as the registry
// does not answer, one measurement after the other would be made for the same request.
func (s Snapshot) asksToMeasure() bool { return s.asked() && !s.Image.Pending }

// measurementDue is when isolation is to be measured; in the past when at once.
func (s Snapshot) measurementDue(now time.Time) time.Time {
	if s.asksToMeasure() {
		return time.Time{}
	}
	return s.scheduled(now)
}

// scheduled is when isolation is to be measured, whether or not anybody asks for it.
func (s Snapshot) scheduled(now time.Time) time.Time {
	last := s.measured()
	if last == nil || last.InputsDigest != s.Inputs || ahead(last, now) {
		return time.Time{}
	}
	switch last.Verdict {
	case verdictEnforced:
		if s.moved(last) {
			return time.Time{}
		}
		return s.shownAt(last).Add(s.Settings.MeasureEvery)
	case verdictNotEnforced:
		return last.MeasuredAt.Add(retryNotEnforced)
	}
	return last.MeasuredAt.Add(pause(last.MeasuredAt.Sub(s.since(v1alpha1.ConditionNetworkIsolated, last.MeasuredAt.Time))))
}

// pause doubles what has passed already, so that the pause grows with every failure and needs no memory.
func pause(passed time.Duration) time.Duration { return min(max(passed, retryLeast), retryMost) }

// early tells whether a time has not come yet, by more than clocks may differ: a clock that was put right since wrote it.
func early(at metav1.Time, now time.Time) bool { return at.After(now.Add(clockTolerance)) }

// ahead tells whether a verdict is of a time that has not come yet. Such a one says nothing: it would hold, or put off the
// next measurement, until that time comes.
func ahead(verdict *v1alpha1.IsolationStatus, now time.Time) bool {
	return early(verdict.MeasuredAt, now) ||
		slices.ContainsFunc(verdict.Nodes, func(m v1alpha1.MeasuredNode) bool { return early(m.MeasuredAt, now) })
}

// isolated tells whether a workload may be started: measured under what holds now, and not too long ago.
func (s Snapshot) isolated(verdict *v1alpha1.IsolationStatus, now time.Time) bool {
	return verdict != nil && verdict.Verdict == verdictEnforced && s.holds(verdict) && !ahead(verdict, now) &&
		!now.After(s.shownAt(verdict).Add(s.Settings.MeasureEvery))
}

// holds tells whether a verdict speaks of the sandbox as it is: under the present network policies, and on the nodes on
// which the workload runs.
func (s Snapshot) holds(verdict *v1alpha1.IsolationStatus) bool {
	return verdict.InputsDigest == s.Inputs && !s.moved(verdict)
}

// recent tells whether a good verdict still speaks of the sandbox: as it is, and recently. An operator that was away
// for longer does not know, and measures.
func (s Snapshot) recent(verdict *v1alpha1.IsolationStatus, now time.Time) bool {
	return s.holds(verdict) && !ahead(verdict, now) && !now.After(s.shownAt(verdict).Add(s.Settings.MeasureEvery+maxEvidenceAge))
}

// unknownUntil is how long what runs may go on without being shown to be isolated: one schedule after that became
// unknown, which is two after the last time that it was shown. Unknown is never passed, and a measurement that can't be
// made must not take down at once what was shown to be closed. Zero while it is known.
func (s Snapshot) unknownUntil(verdict *v1alpha1.IsolationStatus, now time.Time) time.Time {
	c := apimeta.FindStatusCondition(s.Prototype.Status.Conditions, v1alpha1.ConditionNetworkIsolated)
	if c == nil || c.Status != metav1.ConditionUnknown || s.isolated(verdict, now) {
		return time.Time{}
	}
	since := c.LastTransitionTime.Time
	if early(c.LastTransitionTime, now) {
		// The status of this pass writes it down so.
		since = now
	}
	return since.Add(s.Settings.MeasureEvery)
}

// halt plans the stop of what must not run: its sandbox was shown to be open, or was not shown to be closed for too
// long. The end of its log goes into the record first. It tells whether that is so.
func (s Snapshot) halt(plan *Plan, now time.Time) bool {
	verdict := plan.verdict(s)
	until := s.unknownUntil(verdict, now)
	switch {
	case verdict != nil && verdict.Verdict == verdictNotEnforced:
		plan.State = Unenforced
	case s.running() && !until.IsZero() && !now.Before(until):
		plan.State = Unmeasured
	default:
		if s.running() {
			plan.wakeBy(until)
		}
		return false
	}
	if s.running() {
		plan.first(StopWorkload)
		plan.first(KeepLogs)
	}
	return true
}

// told tells whether the status holds the verdict on the runs that are there.
func (s Snapshot) told() bool {
	last := s.measured()
	return last != nil && s.Inside.State == run.Measured && last.Report == s.reportName(assess.ReportIsolation)
}

// judged is the verdict on two runs that have ended.
func (s Snapshot) judged(now time.Time) *v1alpha1.IsolationStatus {
	table := isolation.Judge(isolation.Evidence{
		Frame:  gate.Frame{Subject: s.Inputs, Now: now, MaxAge: maxEvidenceAge},
		Runs:   map[isolation.Vantage]gate.Measurement{isolation.Inside: s.insideMeasurement(), isolation.Outside: s.Control.measurement()},
		Expect: isolation.Paths(),
	})
	result := table.Verdict
	status := &v1alpha1.IsolationStatus{
		Verdict: verdictInconclusive, Message: evidence.Clean(result.Message, 1024), MeasuredAt: seconds(now), InputsDigest: s.Inputs,
		Node: s.Inside.Node, Paths: rows(table.Paths),
	}
	if s.Inside.State == run.Measured {
		status.Report = s.reportName(assess.ReportIsolation)
	}
	last := s.measured()
	switch {
	case result.State == gate.Passed:
		status.Verdict = verdictEnforced
	case result.State == gate.Failed:
		status.Verdict = verdictNotEnforced
	case last != nil && last.Verdict == verdictNotEnforced && last.InputsDigest == s.Inputs:
		// What was shown to be open stays open until it is shown to be closed.
		status.Verdict, status.Message = verdictNotEnforced, last.Message
	}
	status.Nodes = s.measuredNodes(status)
	return status
}

// rows of the table, as people read it.
func rows(paths []isolation.Path) []v1alpha1.IsolationPath {
	var out []v1alpha1.IsolationPath
	for _, p := range paths {
		network := string(evidence.NetworkTCP)
		if strings.Contains(p.Target, "-udp") {
			network = string(evidence.NetworkUDP)
		}
		out = append(out, v1alpha1.IsolationPath{
			Name: p.Target, Direction: string(p.Direction), Network: network, Want: string(p.Want), Found: p.Found(),
			Why: evidence.Clean(p.Why, 256),
		})
	}
	return out
}

// insideMeasurement says why there is none, where the control never got so far that a run inside made sense.
func (s Snapshot) insideMeasurement() gate.Measurement {
	m := s.Inside.measurement()
	if control := s.Control.measurement(); s.Inside.State == run.Absent && control.Lost != "" {
		m.Lost += ", for its control was lost: " + control.Lost
	}
	return m
}

// measurement is what came of a run.
func (p Probe) measurement() gate.Measurement {
	switch p.State {
	case run.Measured:
		return gate.Measurement{Report: p.Opened.Report}
	case run.Lost:
		return gate.Measurement{Lost: evidence.Clean(cmp.Or(p.Why, "no reason is known"), 256)}
	}
	return gate.Measurement{Lost: "it was never started"}
}
