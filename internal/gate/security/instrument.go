package security

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/internal/gate"
	"github.com/affineur/affineur/internal/workload"
)

// Instrument judges the pod as production would run it, from the record, and the isolation of the sandbox.
type Instrument struct{}

// Type implements gate.Instrument.
func (Instrument) Type() v1alpha1.GateType { return v1alpha1.GateSecurity }

// Plan implements gate.Instrument: isolation is measured by the sandbox itself.
func (Instrument) Plan(gate.Case, gate.Taken) ([]gate.Run, error) { return nil, nil }

// Judge implements gate.Instrument.
func (Instrument) Judge(c gate.Case, taken gate.Taken) gate.Verdict {
	rec := c.Record
	pod := workload.PodTemplate(rec.Subject, workload.Surroundings{
		Identity: rec.Prototype, Namespace: rec.Prototype.Production(), Purpose: v1alpha1.PurposeProduction,
		Requirements: rec.Requirements, SubjectDigest: rec.SubjectDigest,
	})
	var env []string
	for _, e := range rec.Subject.Container.Env {
		env = append(env, e.Name)
	}
	verdict := Judge(Evidence{
		Pod: &pod, Env: env, Registries: []string{rec.Requirements.Registry.Prefix},
		Isolation: taken.Isolation.Verdict, Now: c.Now, IsolationMaxAge: gate.IsolationMaxAge,
	})
	for i := range verdict.Findings {
		verdict.Findings[i].Field = byName(verdict.Findings[i].Field, env)
	}
	return verdict
}

// Summarize implements gate.Instrument.
func (Instrument) Summarize(gate.Case, gate.Taken) gate.Summary { return gate.Summary{} }

var envField = regexp.MustCompile(`\.env\[([0-9]+)\]$`)

// byName names a variable in a field by its name: the subject's are sorted, so a position in them is none in the
// manifest.
func byName(field string, env []string) string {
	match := envField.FindStringSubmatch(field)
	if match == nil {
		return field
	}
	var at int
	if _, err := fmt.Sscan(match[1], &at); err != nil || at >= len(env) {
		return field
	}
	return strings.TrimSuffix(field, match[0]) + ".env[name=" + env[at] + "]"
}
