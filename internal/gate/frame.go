package gate

import (
	"fmt"
	"time"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/internal/evidence"
)

// ClockSkew is by how much the clocks of two nodes may differ. Nodes of a cluster are kept in step by NTP; leases and
// certificates already depend on it.
const ClockSkew = 2 * time.Second

// Measurement is what came of a run: a report, the reason why there will be none, or neither while it has not ended.
type Measurement struct {
	// Report that evidence.Open verified.
	Report *evidence.Report
	// Lost says why the run ended without evidence that can be used.
	Lost string
	// NoRoom means that it was lost because there was no room to make it, which is nobody's fault.
	NoRoom bool
}

// Frame is what evidence must be about and how old it may be.
type Frame struct {
	// Subject is the digest that the evidence must carry.
	Subject string
	// Now is the present time.
	Now time.Time
	// MaxAge is how old evidence may be. Without one, above zero, no evidence is fresh.
	MaxAge time.Duration
}

// Open gives what a measurement found, as the type that it has to have, or the verdict on a measurement that is not
// worth judging: it must be there, whole, of that kind, about the subject, and fresh. what names the measurement in
// messages, such as "the load measurement".
func Open[T any, P interface {
	*T
	evidence.Body
}](f Frame, m Measurement, what string) (*T, *Verdict) {
	if refused := f.refuse(m, what); refused != nil {
		return nil, refused
	}
	var want P = new(T)
	if m.Report.Kind() != want.Kind() {
		return nil, refusal(v1alpha1.ReasonEvidenceUnverifiable, what+" can't be used: it measured something else", time.Time{})
	}
	found, err := evidence.Read[T, P](m.Report.Result)
	if err != nil {
		return nil, refusal(v1alpha1.ReasonEvidenceUnverifiable, what+" can't be used: the report contradicts itself", time.Time{})
	}
	return found, nil
}

// refuse looks at everything but the result.
func (f Frame) refuse(m Measurement, what string) *Verdict {
	unverifiable := func(why string) *Verdict {
		return refusal(v1alpha1.ReasonEvidenceUnverifiable, what+" can't be used: "+why, time.Time{})
	}
	switch {
	case m.Lost != "":
		return refusal(v1alpha1.ReasonMeasurementLost, what+" was lost: "+m.Lost, time.Time{})
	case m.Report == nil:
		v := Wait(what + " has not ended yet")
		return &v
	}
	r := m.Report
	if err := r.Validate(); err != nil {
		return unverifiable("the report contradicts itself")
	}
	switch {
	case r.Subject != f.Subject:
		return unverifiable("it measured another subject")
	case r.FinishedAt.After(f.Now.Add(ClockSkew)):
		return refusal(v1alpha1.ReasonEvidenceStale, what+" is from the future: the clocks of the cluster's nodes differ", r.FinishedAt)
	case f.MaxAge <= 0 || f.Now.Sub(r.FinishedAt) > f.MaxAge:
		return refusal(v1alpha1.ReasonEvidenceStale, fmt.Sprintf("%s ended %s ago, %s are allowed",
			what, f.Now.Sub(r.FinishedAt).Round(time.Second), f.MaxAge), r.FinishedAt)
	}
	return nil
}

func refusal(reason, message string, at time.Time) *Verdict {
	v := Unknown(reason, message, at, Finding{
		Reason: reason, Message: message, Owner: v1alpha1.OwnerIT,
		Hint: "It is measured again. If it stays so, the platform team can look at the run's pod and at the operator's log.",
	})
	return &v
}
