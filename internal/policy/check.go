package policy

import (
	"fmt"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/internal/answer"
	"github.com/affineur/affineur/internal/subject"
)

// Check says what makes a policy unusable that a schema can't tell, in a cluster with these ranges of its own; nil for a
// good one.
func Check(spec v1alpha1.HardeningPolicySpec, own []Own) *Problem {
	if _, err := metav1.LabelSelectorAsSelector(&spec.AppliesTo.NamespaceSelector); err != nil {
		return broken(v1alpha1.ReasonSelectorInvalid, "spec.appliesTo.namespaceSelector", err.Error())
	}
	for i, tier := range spec.Tiers {
		field := fmt.Sprintf("spec.tiers[%d].when", i)
		if _, err := compile(tier.When); err != nil {
			return broken(v1alpha1.ReasonExpressionInvalid, field, firstLine(err))
		}
		// Tried on the worst facts, because a name that is not a fact compiles and errs only when evaluated.
		if _, err := evaluate(tier.When, subject.FactsOf(v1alpha1.AIPrototypeSpec{}), Data{}); err != nil {
			return broken(v1alpha1.ReasonExpressionInvalid, field, firstLine(err))
		}
	}
	if problem := checkOwn(spec.Gates); problem != nil {
		return problem
	}
	if problem := checkSigners(spec.Gates); problem != nil {
		return problem
	}
	if problem := checkRoom(spec); problem != nil {
		return problem
	}
	if problem := checkRanges(spec.Catalogue, own); problem != nil {
		return problem
	}
	if problem := checkDurations(spec); problem != nil {
		return problem
	}
	if problem := checkAnswers(spec.Catalogue); problem != nil {
		return problem
	}
	if problem := checkAssurances(spec); problem != nil {
		return problem
	}
	if problem := checkJudges(spec); problem != nil {
		return problem
	}
	return checkOwners(spec)
}

// leastCPU and leastMemory are what a measuring run needs in a sandbox: less room for one container would keep
// isolation from being measured.
const leastCPU, leastMemory = "200m", "128Mi"

func checkRoom(spec v1alpha1.HardeningPolicySpec) *Problem {
	limits := spec.Sandbox.Limits
	if problem := enough("spec.sandbox.limits.perPrototype", limits.PerPrototype); problem != nil {
		return problem
	}
	for i, of := range limits.PerClass {
		if problem := enough(fmt.Sprintf("spec.sandbox.limits.perClass[%d].perPrototype", i), of.PerPrototype); problem != nil {
			return problem
		}
	}
	return nil
}

func enough(field string, limits v1alpha1.Resources) *Problem {
	cpu, memory := quantityOf(limits.CPU), quantityOf(limits.Memory)
	if cpu.Cmp(quantityOf(leastCPU)) < 0 || memory.Cmp(quantityOf(leastMemory)) < 0 {
		return broken(v1alpha1.ReasonPolicyInvalid, field,
			"a sandbox needs at least cpu "+leastCPU+" and memory "+leastMemory+" for the probe of its isolation")
	}
	return nil
}

func checkDurations(spec v1alpha1.HardeningPolicySpec) *Problem {
	life := spec.Sandbox.Lifetime
	if life.Default.Duration <= 0 || life.Max.Duration < life.Default.Duration {
		return broken(v1alpha1.ReasonPolicyInvalid, "spec.sandbox.lifetime", "default must be above zero and not above max")
	}
	if life.WarnBefore.Duration < 0 {
		return broken(v1alpha1.ReasonPolicyInvalid, "spec.sandbox.lifetime.warnBefore", "must not be below zero")
	}
	for i, tier := range spec.Tiers {
		if tier.Soak.Duration < 0 || tier.Due.Duration <= 0 {
			return broken(v1alpha1.ReasonPolicyInvalid, fmt.Sprintf("spec.tiers[%d]", i), "soak must not be below zero, due must be above zero")
		}
		if problem := checkValidity(tier, fmt.Sprintf("spec.tiers[%d].approvalsValidFor", i)); problem != nil {
			return problem
		}
	}
	for i, gate := range spec.Gates {
		if gate.Scalability != nil && gate.Scalability.Duration.Duration <= 0 {
			return broken(v1alpha1.ReasonPolicyInvalid, fmt.Sprintf("spec.gates[%d].scalability.duration", i), "must be above zero")
		}
	}
	return nil
}

// checkOwners: an owner that is no role can't be asked.
func checkOwners(spec v1alpha1.HardeningPolicySpec) *Problem {
	for i, integration := range spec.Catalogue.Integrations {
		if integration.Owner != "" && !hasRole(spec.Roles, integration.Owner) {
			return broken(v1alpha1.ReasonPolicyInvalid, fmt.Sprintf("spec.catalogue.integrations[%d].owner", i),
				fmt.Sprintf("%q is not among the roles", integration.Owner))
		}
	}
	return nil
}

// checkAnswers: a schema that nobody can use would leave every prototype waiting for a verdict.
func checkAnswers(catalogue v1alpha1.Catalogue) *Problem {
	for i, integration := range catalogue.Integrations {
		for scheme, check := range map[string]*v1alpha1.HTTPCheck{"http": integration.Check.HTTP, "https": integration.Check.HTTPS} {
			if check == nil || check.Answer == nil || check.Answer.Schema == "" {
				continue
			}
			if _, err := answer.Compile(check.Answer.Schema); err != nil {
				return broken(v1alpha1.ReasonPolicyInvalid, fmt.Sprintf("spec.catalogue.integrations[%d].check.%s.answer.schema", i, scheme), err.Error())
			}
		}
	}
	return nil
}

// shortestValidity and longestValidity bound for how long an approval counts: in less nobody could act on it, and after
// more nobody remembers what was looked at.
const shortestValidity, longestValidity = time.Hour, 8760 * time.Hour

// checkValidity also where the tier does not say for how long approvals count: one that ends before the soak does would
// take back whatever it let in.
func checkValidity(tier v1alpha1.Tier, field string) *Problem {
	valid := usualValidity
	if tier.ApprovalsValidFor != nil {
		valid = tier.ApprovalsValidFor.Duration
	}
	if valid < shortestValidity || valid > longestValidity || valid <= tier.Soak.Duration {
		return broken(v1alpha1.ReasonPolicyInvalid, field, fmt.Sprintf("approvals count for %s, which must be from %s to %s, and longer than soak",
			valid, shortestValidity, longestValidity))
	}
	return nil
}

func hasRole(roles []v1alpha1.Role, name string) bool {
	for _, role := range roles {
		if role.Name == name {
			return true
		}
	}
	return false
}

func broken(reason, field, message string) *Problem {
	return &Problem{
		Reason: reason, Field: field, Owner: v1alpha1.OwnerIT,
		Message: field + ": " + message, Hint: "IT mends the policy.",
	}
}

// firstLine of an error, without CEL's drawing of where it is.
func firstLine(err error) string {
	line, _, _ := strings.Cut(err.Error(), "\n")
	return strings.TrimPrefix(line, "ERROR: ")
}
