package policy

import (
	"fmt"

	"github.com/affineur/affineur/api/v1alpha1"
)

// limitsOf are the bounds of one sandbox: those of the strictest class of its data where the policy has some.
func limitsOf(p *v1alpha1.HardeningPolicy, data Data) v1alpha1.Resources {
	limits := p.Spec.Sandbox.Limits
	for _, of := range limits.PerClass {
		if of.Class == data.Class() {
			return of.PerPrototype
		}
	}
	return limits.PerPrototype
}

// runtimeOf is the RuntimeClass under which data of the strictest class is handled; empty for the cluster's default.
func runtimeOf(p *v1alpha1.HardeningPolicy, data Data) string {
	for _, of := range p.Spec.Sandbox.RuntimeClasses {
		if of.Class == data.Class() {
			return of.RuntimeClass
		}
	}
	return ""
}

// RuntimeMissing is the problem of data that only a runtime may handle which the cluster does not have.
func RuntimeMissing(name string) Problem {
	return Problem{
		Reason: v1alpha1.ReasonRuntimeClassMissing, Owner: v1alpha1.OwnerIT,
		Message: fmt.Sprintf("The policy wants such data handled under RuntimeClass %s, which the cluster does not have.", name),
		Hint:    "The platform team installs it, or names another one in sandbox.runtimeClasses of the policy.",
	}
}

// withinLimits compares what a replica asks with the sandbox's quota.
func withinLimits(limits, asked v1alpha1.Resources, data Data) []Problem {
	return over(asked, limits, "a sandbox with "+string(data.Class())+" data may have")
}

// withinTeam compares what a replica asks with all that a team may have: beyond that no queue would ever end.
func withinTeam(p *v1alpha1.HardeningPolicy, asked v1alpha1.Resources) []Problem {
	limits := p.Spec.Sandbox.Limits.PerTeam
	if limits == nil {
		return nil
	}
	return over(asked, v1alpha1.Resources{CPU: limits.CPU, Memory: limits.Memory}, "all sandboxes of a team may have together")
}

func over(asked, limits v1alpha1.Resources, who string) []Problem {
	var problems []Problem
	compare := func(field, ask, limit string) {
		if asked, most := quantityOf(ask), quantityOf(limit); asked.Cmp(most) > 0 {
			problems = append(problems, Problem{
				Reason: v1alpha1.ReasonLimitExceeded, Field: "spec.workload.container.resources." + field, Owner: v1alpha1.OwnerBusiness,
				Message: fmt.Sprintf("%s %s is more than %s: %s.", field, ask, who, limit),
				Hint:    "Ask for less, or ask IT to raise the limit.",
			})
		}
	}
	compare("cpu", asked.CPU, limits.CPU)
	compare("memory", asked.Memory, limits.Memory)
	return problems
}
