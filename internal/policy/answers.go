package policy

import (
	"fmt"
	"slices"
	"strings"

	"github.com/affineur/affineur/api/v1alpha1"
)

const (
	// maxNamed is how many kinds of data one answer names, and roomForAnswers how many bytes all answers take together.
	maxNamed       = 12
	roomForAnswers = 2000
)

// Answers says in plain words what may go where, one place after the other: first those that the prototype names, then
// those that it could. What the policy does not know goes nowhere, and what is not declared may be
// anything that the policy knows.
func Answers(p *v1alpha1.HardeningPolicy, spec v1alpha1.AIPrototypeSpec) []string {
	data, _ := dataOf(p, spec)
	var out []string
	if unknown := unknownTo(p, spec); len(unknown) > 0 {
		out = append(out, "Unknown to policy "+p.Name+", so it may go nowhere: "+listed(unknown)+".")
	}
	places := placesOf(p, spec)
	if !data.Declared {
		return append(out, undeclared(data.anything(), places))
	}
	room := roomForAnswers
	for i, place := range places {
		said := place.answer(data.Uses)
		if room -= len(said); room < 0 {
			return append(out, fmt.Sprintf("%d more places of the policy's catalogue are not listed here.", len(places)-i))
		}
		out = append(out, said)
	}
	return out
}

// place is an entry of the catalogue.
type place struct {
	name string
	may  v1alpha1.MayCarry
}

// placesOf the catalogue, those that the prototype names first.
func placesOf(p *v1alpha1.HardeningPolicy, spec v1alpha1.AIPrototypeSpec) []place {
	var named, others []place
	for _, gateway := range p.Spec.Catalogue.ModelGateways {
		entry := place{"gateway " + gateway.Name, gateway.MayCarry}
		if spec.Model != nil && spec.Model.Gateway == gateway.Name {
			named = append(named, entry)
		} else {
			others = append(others, entry)
		}
	}
	for _, integration := range p.Spec.Catalogue.Integrations {
		entry := place{"integration " + integration.Name, integration.MayCarry}
		uses := func(use v1alpha1.IntegrationUse) bool { return use.Name == integration.Name }
		if slices.ContainsFunc(spec.Integrations, uses) {
			named = append(named, entry)
		} else {
			others = append(others, entry)
		}
	}
	return append(named, others...)
}

// answer is what of the data may go to the place, and what never may.
func (at place) answer(uses []v1alpha1.DataRule) string {
	var yes, never []string
	for _, use := range uses {
		if allowed(use, at.may) {
			yes = append(yes, use.Name)
		} else {
			never = append(never, use.Name)
		}
	}
	said := "May go to " + at.name + ": nothing."
	if len(yes) > 0 {
		said = "May go to " + at.name + ": " + listed(yes) + "."
	}
	if len(never) > 0 {
		said += " Never: " + listed(never) + "."
	}
	return said
}

// undeclared data goes only where anything may.
func undeclared(anything v1alpha1.DataRule, places []place) string {
	counts := "No data is named, so it counts as " + describe(anything)
	var open []string
	for _, at := range places {
		if allowed(anything, at.may) {
			open = append(open, at.name)
		}
	}
	if len(open) == 0 {
		return counts + ", and may go nowhere."
	}
	return counts + ", and may go only to " + listed(open) + "."
}

// unknownTo the policy are the kinds of data that it has no rule for.
func unknownTo(p *v1alpha1.HardeningPolicy, spec v1alpha1.AIPrototypeSpec) []string {
	if spec.Data == nil {
		return nil
	}
	return slices.DeleteFunc(slices.Clone(spec.Data.Uses), func(name string) bool {
		return slices.ContainsFunc(p.Spec.DataRules, func(rule v1alpha1.DataRule) bool { return rule.Name == name })
	})
}

func listed(names []string) string {
	if len(names) <= maxNamed {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(names[:maxNamed], ", "), len(names)-maxNamed)
}
