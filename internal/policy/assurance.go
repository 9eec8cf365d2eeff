package policy

import (
	"fmt"
	"slices"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/affineur/affineur/api/v1alpha1"
)

// ValidUntil is the first moment at which an assurance no longer counts: the end of its last day, in UTC.
func ValidUntil(a v1alpha1.Assurance) (time.Time, error) {
	day, err := time.Parse(time.DateOnly, a.ValidUntil)
	return day.AddDate(0, 0, 1), err
}

// checkAssurances: one that nobody looks at again, or that ends on a day that does not come, would end in silence.
func checkAssurances(spec v1alpha1.HardeningPolicySpec) *Problem {
	check := func(field string, a *v1alpha1.Assurance) *Problem {
		if a == nil {
			return nil
		}
		if _, err := ValidUntil(*a); err != nil {
			return broken(v1alpha1.ReasonPolicyInvalid, field+".validUntil", fmt.Sprintf("%q is no day", a.ValidUntil))
		}
		if !hasRole(spec.Roles, a.CheckedBy) {
			return broken(v1alpha1.ReasonPolicyInvalid, field+".checkedBy", fmt.Sprintf("%q is not among the roles", a.CheckedBy))
		}
		return nil
	}
	for i, gateway := range spec.Catalogue.ModelGateways {
		if problem := check(fmt.Sprintf("spec.catalogue.modelGateways[%d].assurance", i), gateway.Assurance); problem != nil {
			return problem
		}
	}
	for i, integration := range spec.Catalogue.Integrations {
		if problem := check(fmt.Sprintf("spec.catalogue.integrations[%d].assurance", i), integration.Assurance); problem != nil {
			return problem
		}
	}
	return nil
}

// MayGo tells whether data may go to a place at all.
func MayGo(use v1alpha1.DataRule, may v1alpha1.MayCarry) bool { return allowed(use, may) }

// MayTrain is what a rule says about training, or what its class and categories mean where it does not.
func MayTrain(rule v1alpha1.DataRule) v1alpha1.MayTrain {
	switch {
	case rule.MayTrain != "":
		return rule.MayTrain
	case len(rule.Categories) > 0 || rule.Class == v1alpha1.DataConfidential || rule.Class == v1alpha1.DataRestricted:
		return v1alpha1.MayTrainNever
	case rule.Class == v1alpha1.DataPublic:
		return v1alpha1.MayTrainYes
	}
	return v1alpha1.MayTrainOptOut
}

// rules freezes the rules of the data that the prototype works with. Where it names none, its data may be anything that
// the policy knows, so what every rule says holds at once.
func (d Data) rules(all []v1alpha1.DataRule) []v1alpha1.DataRule {
	if d.Declared {
		return d.Uses
	}
	strictest := d.anything()
	strictest.MayTrain = v1alpha1.MayTrainNever
	for _, rule := range all {
		if rule.MaxRetention != nil && (strictest.MaxRetention == nil || rule.MaxRetention.Duration < strictest.MaxRetention.Duration) {
			strictest.MaxRetention = &metav1.Duration{Duration: rule.MaxRetention.Duration}
		}
		strictest.Residency = common(strictest.Residency, rule.Residency)
	}
	return []v1alpha1.DataRule{strictest}
}

// Nowhere is the residency of data whose rules have no region in common.
const Nowhere = "nowhere"

// common regions of two lists, of which an empty one names all.
func common(a, b []string) []string {
	switch {
	case len(a) == 0:
		return slices.Clone(b)
	case len(b) == 0:
		return a
	}
	both := slices.DeleteFunc(slices.Clone(a), func(region string) bool { return !slices.Contains(b, region) })
	if len(both) == 0 {
		return []string{Nowhere}
	}
	return both
}
