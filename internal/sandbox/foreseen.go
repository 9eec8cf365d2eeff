package sandbox

import (
	"fmt"
	"slices"
	"time"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/internal/gate/scalability"
	"github.com/affineur/affineur/internal/policy"
	"github.com/affineur/affineur/internal/subject"
)

// reviewed are the judgements of the newest review, if it speaks of the present subject and has any.
func (s Snapshot) reviewed() []v1alpha1.GateStatus {
	if newest := s.newest(); newest != nil && newest.Spec.SubjectDigest == s.current() && len(newest.Status.Gates) > 0 {
		return newest.Status.Gates
	}
	return nil
}

// early are the judgements that need no measurement, so that a hole shows long before a review is asked for, also while
// something keeps the prototype from running.
func (s Snapshot) early(now time.Time) []v1alpha1.GateStatus {
	if s.container() == nil || s.Policy == nil || s.Unread {
		return nil
	}
	known := s.Subject != nil
	if !known {
		s.Subject = s.provisional()
	}
	rec := s.record(0)
	rec.Requirements.Gates = slices.DeleteFunc(slices.Clone(rec.Requirements.Gates), func(gate v1alpha1.Gate) bool {
		return gate.Type == v1alpha1.GateScalability && s.Subject.Demand == nil
	})
	judged := s.Settings.Bench.Gates(rec, nil, now)
	if !known {
		for i := range judged {
			judged[i].Findings = slices.DeleteFunc(judged[i].Findings, ofTheImage)
		}
	}
	return judged
}

// provisional is the subject as far as it is known without a registry.
func (s Snapshot) provisional() *subject.Subject {
	rendered := subject.New(s.Prototype.Spec, subject.Inputs{
		Image: s.container().Image, SecretKeys: s.References.Keys, Body: s.References.Body, Examples: s.References.Examples.Examples,
		ProductionNamespace: s.Identity.Production(),
	})
	return &rendered
}

// ofTheImage tells findings that only speak of an image which was not resolved yet; what is wrong with its name or its
// registry is among the policy's problems.
func ofTheImage(gap v1alpha1.Gap) bool { return gap.Field == "spec.workload.container.image" }

// foreseen is what gates will ask for and what is not there yet. It stands in nobody's way in a sandbox.
func (s Snapshot) foreseen() []v1alpha1.Gap {
	if s.container() == nil || s.Policy == nil || s.Unread {
		return nil
	}
	var out []v1alpha1.Gap
	if s.Prototype.Spec.Data == nil {
		out = append(out, gapOf(policy.Problem{
			Reason: v1alpha1.ReasonDataUndeclared, Field: "spec.data.uses", Owner: v1alpha1.OwnerBusiness,
			Message: "No data is named, so it counts as Restricted, and the review is as strict as that.",
			Hint:    "Say under data.uses which data the prototype works with, in the policy's words.",
		}))
	}
	for _, gate := range s.Requirements.Gates {
		var problems []policy.Problem
		switch gate.Type {
		case v1alpha1.GateScalability:
			problems = s.load()
		case v1alpha1.GateIntegration:
			problems = slices.Concat(s.untriable(), s.References.Foreseen)
		}
		for _, problem := range problems {
			gap := gapOf(problem)
			gap.Gate = gate.Name
			out = append(out, gap)
		}
	}
	return out
}

// load is what keeps a demand from being measured, or from being met, whatever the program is like.
func (s Snapshot) load() []policy.Problem {
	demand := s.Prototype.Spec.Demand
	if demand == nil {
		return []policy.Problem{{
			Reason: v1alpha1.ReasonDemandMissing, Field: "spec.demand", Owner: v1alpha1.OwnerBusiness,
			Message: "It is not said what production must carry, so nothing can be measured.",
			Hint:    "Say under demand how many people will use it, how many requests they make in the busiest hour, and how long they wait for an answer.",
		}}
	}
	var problems []policy.Problem
	if request := demand.Request; request.Body == nil && (request.Method == "POST" || request.Method == "PUT") {
		problems = append(problems, policy.Problem{
			Reason: v1alpha1.ReasonSampleMissing, Field: "spec.demand.request.body", Owner: v1alpha1.OwnerBusiness,
			Message: fmt.Sprintf("The load measurement would send %s %s without a body.", request.Method, request.Path),
			Hint:    "Put a typical request into a ConfigMap and name it there.",
		})
	}
	return append(problems, s.budget(*demand)...)
}

// budget of tokens that is less than one for every request of the busiest hour can't carry the demand.
func (s Snapshot) budget(stated v1alpha1.Demand) []policy.Problem {
	model := s.Prototype.Spec.Model
	demand, err := scalability.NewDemand(stated)
	if err != nil || model == nil || model.Budget == nil {
		return nil
	}
	hour := demand.Rate * 3600
	if stated.RequestsPerSecond == nil && stated.BusiestHour != nil {
		hour = float64(*stated.BusiestHour)
	}
	if float64(model.Budget.TokensPerDay) >= hour {
		return nil
	}
	return []policy.Problem{{
		Reason: v1alpha1.ReasonLimitExceeded, Field: "spec.model.budget.tokensPerDay", Owner: v1alpha1.OwnerBusiness,
		Message: fmt.Sprintf("A budget of %d tokens a day does not even give one token to each of the %.0f requests of the busiest hour.", model.Budget.TokensPerDay, hour),
		Hint:    "Ask for a larger budget, or correct the demand.",
	}}
}

// untriable are integrations that the prototype names and can't reach from its sandbox.
func (s Snapshot) untriable() []policy.Problem {
	var problems []policy.Problem
	for _, entry := range s.Requirements.Integrations {
		if entry.Sandbox == nil {
			problems = append(problems, policy.Problem{
				Reason: v1alpha1.ReasonNoSandboxTarget, Field: "spec.integrations[name=" + entry.Name + "]", Owner: v1alpha1.OwnerIT,
				Message: entry.Name + " has no test instance in the catalogue, so it can't be reached, and not be tried, from a sandbox.",
				Hint:    "IT names one under catalogue.integrations." + entry.Name + ".sandbox.",
			})
		}
	}
	return problems
}
