package assess

import (
	"fmt"
	"slices"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/internal/gate"
	"github.com/affineur/affineur/internal/gate/isolation"
	"github.com/affineur/affineur/internal/record"
)

// Bench holds the instruments, one for each type of gate.
type Bench []gate.Instrument

// Of is the instrument for a type of gate, nil where there is none.
func (b Bench) Of(kind v1alpha1.GateType) gate.Instrument {
	for _, instrument := range b {
		if instrument.Type() == kind {
			return instrument
		}
	}
	return nil
}

// Gates says what every gate of the record finds, in the order of the requirements, from the reports of the prototype.
// All of them are judged, so that every hole shows at once.
func (b Bench) Gates(rec record.Record, reports []record.Report, now time.Time) []v1alpha1.GateStatus {
	isolated := isolationOf(rec, reports, now)
	var out []v1alpha1.GateStatus
	for _, g := range rec.Requirements.Gates {
		newest := Newest(rec, g.Name, reports)
		taken := newest.Taken()
		taken.Isolation = isolated
		verdict := gate.Unknown(v1alpha1.ReasonGateUnknown, fmt.Sprintf("This operator can't judge a gate of type %s.", g.Type), time.Time{})
		if instrument := b.Of(g.Type); instrument != nil {
			verdict = instrument.Judge(gate.Case{
				Record: rec, Gate: g, Earlier: earlier(rec, g, instrument, reports, newest.Number), Patience: gate.PatienceOf(newest.Number), Now: now,
			}, taken)
		}
		out = append(out, statusOf(g, verdict, newest, isolated))
	}
	return out
}

// earlier is what the attempts before the given one took that used up a look.
func earlier(rec record.Record, g v1alpha1.Gate, instrument gate.Instrument, reports []record.Report, before int) []gate.Taken {
	statistical, ok := instrument.(gate.Statistical)
	if !ok {
		return nil
	}
	var spent []gate.Taken
	for number := 1; number < before; number++ {
		attempt := AttemptOf(rec, g.Name, reports, number)
		// As it was judged then: it may be old by now, and was not.
		then := gate.Case{Record: rec, Gate: g, Earlier: spent, Patience: gate.PatienceOf(number), Now: attempt.At()}
		if verdict := statistical.Judge(then, attempt.Taken()); statistical.Spent(verdict.State, verdict.Reason) {
			spent = append(spent, attempt.Taken())
		}
	}
	return spent
}

// Size is how many replicas production should have by what was measured: where several gates tell, enough for each of
// them. The zero Size means that none can tell.
func (b Bench) Size(rec record.Record, reports []record.Report, now time.Time) gate.Size {
	var out gate.Size
	for _, g := range rec.Requirements.Gates {
		sizer, ok := b.Of(g.Type).(gate.Sizer)
		if !ok {
			continue
		}
		newest := Newest(rec, g.Name, reports)
		size, told := sizer.Size(gate.Case{Record: rec, Gate: g, Patience: gate.PatienceOf(newest.Number), Now: now}, newest.Taken())
		if told {
			out = out.And(size)
		}
	}
	out.Most = 0
	return out
}

// Passed tells whether every required gate passed, and whether security, scalability and integration are all among
// them: a list that leaves one out proves nothing.
func Passed(rec record.Record, gates []v1alpha1.GateStatus) bool {
	passed := map[v1alpha1.GateType]bool{}
	for _, g := range rec.Requirements.Gates {
		at := slices.IndexFunc(gates, func(status v1alpha1.GateStatus) bool { return status.Name == g.Name })
		ok := at >= 0 && gates[at].Verdict == v1alpha1.GatePassed
		if g.Enforcement != v1alpha1.EnforcementAdvisory && !ok {
			return false
		}
		if ok && g.Enforcement != v1alpha1.EnforcementAdvisory {
			passed[g.Type] = true
		}
	}
	return passed[v1alpha1.GateSecurity] && passed[v1alpha1.GateScalability] && passed[v1alpha1.GateIntegration]
}

// statusOf is a verdict as a status shows it. It must not change while nothing changes: a message that counts seconds
// would make every look at it a write. A gate without a report of its own rests on the isolation of the sandbox.
func statusOf(g v1alpha1.Gate, v gate.Verdict, newest Attempt, isolated gate.Isolation) v1alpha1.GateStatus {
	digest, at := newest.last()
	if digest == "" {
		digest, at = isolated.Report, isolated.At
	}
	status := v1alpha1.GateStatus{
		Name: g.Name, Enforcement: g.Enforcement, Verdict: v.State, Reason: v.Reason, Message: v.Message, ReportDigest: digest,
	}
	if status.Enforcement == "" {
		status.Enforcement = v1alpha1.EnforcementRequired
	}
	if !at.IsZero() {
		status.MeasuredAt = ptr.To(metav1.NewTime(at.UTC().Truncate(time.Second)))
	}
	for _, f := range v.Findings {
		status.Findings = append(status.Findings, f.Gap(g.Name))
	}
	if v.Reason == v1alpha1.ReasonEvidenceStale {
		status.Message = "The newest measurement is too old, or its time can't be trusted. It has to be made anew."
		status.Findings = nil
	}
	return status
}

// isolationOf judges the newest pair of runs under the network policies that the record renders: the one inside the
// sandbox, and the control that was nearest to it in time and was made under the same policies.
func isolationOf(rec record.Record, reports []record.Report, now time.Time) gate.Isolation {
	reports = underPolicies(rec, reports)
	inside := newest(rec, reports, ReportIsolation)
	outside := nearest(rec, reports, ReportIsolationControl, inside)
	result := isolation.Judge(isolation.Evidence{
		Frame:  gate.Frame{Subject: inside.inputs, Now: now, MaxAge: gate.IsolationMaxAge},
		Runs:   map[isolation.Vantage]gate.Measurement{isolation.Inside: inside.Measurement, isolation.Outside: outside.Measurement},
		Expect: isolation.Paths(),
	})
	return gate.Isolation{Verdict: result.Verdict, Report: inside.digest, At: inside.at}
}
