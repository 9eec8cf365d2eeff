package quality

import (
	"fmt"
	"slices"
	"strings"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/internal/evidence"
	"github.com/affineur/affineur/internal/gate"
	"github.com/affineur/affineur/internal/subject"
)

const fieldModel = "spec.model"

// is tells whether an answer's word for its model is the declared one. Gateways put a provider before the name, which
// counts only where both have one, and some the version after it, which must then be the declared one: what merely begins
// like the declared name is another model.
func is(declared subject.Model, seen string) bool {
	name := declared.Name
	if strings.Contains(name, "/") != strings.Contains(seen, "/") {
		name, seen = name[strings.LastIndex(name, "/")+1:], seen[strings.LastIndex(seen, "/")+1:]
	}
	if strings.EqualFold(name, seen) {
		return true
	}
	for _, between := range []string{"-", ":", "@", "_", "-v", ":v", "@v", "_v"} {
		if strings.EqualFold(name+between+declared.Version, seen) {
			return true
		}
	}
	return false
}

// namesOf the models that answered, without those that said none.
func namesOf(seen []evidence.ModelSeen) []string {
	var out []string
	for _, m := range seen {
		if m.Name != "" && !slices.Contains(out, m.Name) {
			out = append(out, m.Name)
		}
	}
	return out
}

// said is how many answers came, and how many of them named their model.
func said(r evidence.QualityResult) (answers, named int) {
	for _, c := range r.Cases {
		for _, a := range c.Answers {
			if a.Outcome == evidence.CaseRight || a.Outcome == evidence.CaseWrong {
				answers++
			}
		}
	}
	for _, m := range r.Models {
		if m.Name != "" {
			named += m.Answers
		}
	}
	return answers, named
}

// identified holds the models that answered against the declared one. Answers that name none are no match, and no hole
// either: many prototypes answer in words of their own. It is the prototype's word; a gateway that lies, or a prototype
// that does, is not found by it.
func identified(declared subject.Model, r evidence.QualityResult) part {
	others := slices.DeleteFunc(namesOf(r.Models), func(name string) bool { return is(declared, name) })
	approved := declared.Name + " " + declared.Version
	answers, named := said(r)
	switch {
	case len(others) > 0:
		message := fmt.Sprintf("answers come from %s, and %s is declared", listed(others), approved)
		return part{state: gate.Failed, reason: v1alpha1.ReasonOtherModel, message: message, findings: []gate.Finding{{
			Reason: v1alpha1.ReasonOtherModel, Field: fieldModel, Owner: v1alpha1.OwnerBusiness, Message: message,
			Hint: "Declare the model that answers, by the name that its answers carry, or ask IT to have the gateway answer with the declared one.",
		}}}
	case r.MoreNames:
		message := fmt.Sprintf("more models answered than the %d that are listed", evidence.MaxModels)
		return part{state: gate.Inconclusive, reason: v1alpha1.ReasonModelUnclear, message: message, findings: []gate.Finding{{
			Reason: v1alpha1.ReasonModelUnclear, Field: fieldModel, Owner: v1alpha1.OwnerIT, Message: message,
			Hint: "IT has the gateway answer with one model, under one name.",
		}}}
	case named == 0:
		return part{state: gate.Passed, reason: v1alpha1.ReasonAnswersRight, message: "no answer says which model gave it"}
	case named < answers && !r.MoreModels:
		return part{state: gate.Passed, reason: v1alpha1.ReasonAnswersRight,
			message: fmt.Sprintf("%d of %d answers name the model %s, the others none", named, answers, listed(namesOf(r.Models)))}
	}
	return part{state: gate.Passed, reason: v1alpha1.ReasonAnswersRight, message: "answered by " + listed(namesOf(r.Models))}
}
