package own

import (
	"strings"
	"time"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/internal/condition"
	"github.com/affineur/affineur/internal/evidence"
	"github.com/affineur/affineur/internal/gate"
)

// jobOrder is what the image is told. url is the prototype's in its sandbox.
func jobOrder(g v1alpha1.JobGate, url string, p condition.Prototype) (evidence.JobOrder, error) {
	order := evidence.JobOrder{Prototype: p.Namespace + "/" + p.Name, Image: p.Image}
	if g.Network != v1alpha1.JobClosed {
		order.URL = url
	}
	for _, s := range g.Settings {
		order.Settings = append(order.Settings, evidence.Setting{Name: s.Name, Value: s.Value})
	}
	return order, order.Validate()
}

// judgeJob takes over what the image says. It speaks for its own gate alone.
func judgeJob(r *evidence.JobResult, at time.Time) gate.Verdict {
	reason, make := v1alpha1.ReasonJobUnsure, gate.Unknown
	switch r.Verdict {
	case evidence.JobPassed:
		return gate.Pass(v1alpha1.ReasonJobPassed, r.Summary, at)
	case evidence.JobFailed:
		reason, make = v1alpha1.ReasonJobFailed, gate.Fail
	}
	var findings []gate.Finding
	for _, f := range r.Findings {
		findings = append(findings, gate.Finding{Reason: reason, Field: f.Field, Message: f.Message, Hint: f.Hint, Owner: v1alpha1.Owner(f.Owner)})
	}
	return make(reason, r.Summary, at, findings...)
}

func digestOf(image string) string {
	_, digest, _ := strings.Cut(image, "@")
	return digest
}
