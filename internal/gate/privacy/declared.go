package privacy

import (
	"fmt"
	"slices"
	"time"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/internal/gate"
	"github.com/affineur/affineur/internal/policy"
	"github.com/affineur/affineur/internal/record"
)

// Place that data goes to: an entry of the catalogue as it was frozen.
type Place struct {
	// Name for people, such as gateway default.
	Name string
	// Field of the prototype that names it, and Entry of the policy.
	Field, Entry string
	MayCarry     v1alpha1.MayCarry
	Assurance    *v1alpha1.Assurance
	// Own is true for a system of the organisation. It needs an assurance only for data whose rule asks for one.
	Own bool
}

// placesOf the record that data goes to.
func placesOf(rec record.Record) []Place {
	var out []Place
	if gateway := rec.Requirements.ModelGateway; gateway != nil {
		out = append(out, Place{
			Name: "gateway " + gateway.Name, Field: "spec.model.gateway", Entry: "catalogue.modelGateways[name=" + gateway.Name + "]",
			MayCarry: gateway.MayCarry, Assurance: gateway.Assurance,
		})
	}
	for _, integration := range rec.Requirements.Integrations {
		out = append(out, Place{
			Name: "integration " + integration.Name, Field: "spec.integrations[name=" + integration.Name + "]",
			Entry:    "catalogue.integrations[name=" + integration.Name + "]",
			MayCarry: integration.MayCarry, Assurance: integration.Assurance, Own: true,
		})
	}
	return out
}

// Declared holds what is declared of the places against the rules of the data that goes there. What a rule forbids is
// broken; what nobody knows, or knows no longer, is unknown.
func Declared(places []Place, rules []v1alpha1.DataRule, now time.Time) (broken, unknown []gate.Finding) {
	for _, place := range places {
		b, u := place.judge(rules, now)
		broken, unknown = append(broken, b...), append(unknown, u...)
	}
	return broken, unknown
}

func (p Place) judge(rules []v1alpha1.DataRule, now time.Time) (broken, unknown []gate.Finding) {
	var asking []v1alpha1.DataRule
	for _, rule := range rules {
		if !policy.MayGo(rule, p.MayCarry) {
			broken = append(broken, gate.Finding{
				Reason: v1alpha1.ReasonDataNotAllowed, Field: p.Field, Owner: v1alpha1.OwnerBusiness,
				Message: fmt.Sprintf("%s may not go to %s: its mayCarry does not name that class and all of its categories.", nameOf(rule), p.Name),
				Hint:    "Leave that data out, use a place that may carry it, or ask IT what else could.",
			})
		}
		if p.asks(rule) {
			asking = append(asking, rule)
		}
	}
	if len(asking) == 0 {
		return broken, nil
	}
	if p.Assurance == nil {
		return broken, []gate.Finding{p.finding(v1alpha1.ReasonAssuranceMissing, nameOf(asking[0])+
			" goes to "+p.Name+", and nobody has said what happens there with inputs: whether they train models, for how long they are kept, and where.",
			"IT writes what it was assured of under "+p.Entry+".assurance of the policy. The review is then opened anew.")}
	}
	if unknown = p.expired(now); len(unknown) > 0 {
		return broken, unknown
	}
	for _, rule := range asking {
		for _, f := range []*gate.Finding{p.training(rule), p.residency(rule), p.retention(rule)} {
			switch {
			case f == nil:
			case f.Reason == v1alpha1.ReasonAssuranceMissing:
				unknown = append(unknown, *f)
			default:
				broken = append(broken, *f)
			}
		}
	}
	return broken, unknown
}

// asks tells whether a rule asks for anything that an assurance has to say.
func (p Place) asks(rule v1alpha1.DataRule) bool {
	if len(rule.Residency) > 0 || rule.MaxRetention != nil {
		return true
	}
	// What IT has written down about a system of its own counts, and what it has not is not asked.
	return policy.MayTrain(rule) != v1alpha1.MayTrainYes && (!p.Own || p.Assurance != nil)
}

// expired is a finding where the assurance's last day is over, or can't be read.
func (p Place) expired(now time.Time) []gate.Finding {
	until, err := policy.ValidUntil(*p.Assurance)
	if err == nil && now.Before(until) {
		return nil
	}
	return []gate.Finding{p.finding(v1alpha1.ReasonAssuranceExpired,
		fmt.Sprintf("The assurance of %s counted until %s. What happens there with inputs may have changed.", p.Name, p.Assurance.ValidUntil),
		fmt.Sprintf("Role %s looks at %s again and writes the new day under %s.assurance.validUntil of the policy. The review is then opened anew.",
			p.Assurance.CheckedBy, p.Assurance.Document, p.Entry))}
}

// suffices says which answers about training are good enough for a rule.
var suffices = map[v1alpha1.MayTrain][]v1alpha1.Training{
	v1alpha1.MayTrainNever:  {v1alpha1.TrainingNever},
	v1alpha1.MayTrainOptOut: {v1alpha1.TrainingNever, v1alpha1.TrainingOptOut},
	v1alpha1.MayTrainYes:    {v1alpha1.TrainingNever, v1alpha1.TrainingOptOut, v1alpha1.TrainingYes, v1alpha1.TrainingUnknown},
}

func (p Place) training(rule v1alpha1.DataRule) *gate.Finding {
	trains := p.Assurance.TrainsOnInputs
	switch {
	case slices.Contains(suffices[policy.MayTrain(rule)], trains):
		return nil
	case trains != v1alpha1.TrainingOptOut && trains != v1alpha1.TrainingYes:
		return p.unsaid(rule, "whether models are trained on inputs", "trainsOnInputs")
	}
	f := p.finding(v1alpha1.ReasonTrainingNotAllowed,
		fmt.Sprintf("%s may train models %s, and %s says %s: what a model learnt can come out of it anywhere.", nameOf(rule), lower(string(policy.MayTrain(rule))), p.Name, trains),
		"Use a gateway that does not train on inputs, or leave that data out. IT may have a better contract, or another rule for the data.")
	return &f
}

func (p Place) residency(rule v1alpha1.DataRule) *gate.Finding {
	at := p.Assurance.Residency
	switch {
	case len(rule.Residency) == 0 || slices.Contains(rule.Residency, at):
		return nil
	case at == "":
		return p.unsaid(rule, "where inputs are worked on and kept", "residency")
	}
	f := p.finding(v1alpha1.ReasonResidencyNotAllowed,
		fmt.Sprintf("%s has to stay in %s, and %s works on it in %s.", nameOf(rule), listed(rule.Residency), p.Name, at),
		"Use a place in an allowed region, or leave that data out.")
	return &f
}

func (p Place) retention(rule v1alpha1.DataRule) *gate.Finding {
	kept := p.Assurance.Retention
	switch {
	case rule.MaxRetention == nil || kept != nil && kept.Duration >= 0 && kept.Duration <= rule.MaxRetention.Duration:
		return nil
	case kept == nil || kept.Duration < 0:
		return p.unsaid(rule, "for how long inputs are kept", "retention")
	}
	f := p.finding(v1alpha1.ReasonRetentionTooLong,
		fmt.Sprintf("%s may be kept for %s, and %s keeps it for %s.", nameOf(rule), policy.Span(rule.MaxRetention.Duration), p.Name, policy.Span(kept.Duration)),
		"Use a place that keeps it shorter, or leave that data out. IT may agree on less with whoever runs it.")
	return &f
}

func (p Place) unsaid(rule v1alpha1.DataRule, what, member string) *gate.Finding {
	f := p.finding(v1alpha1.ReasonAssuranceMissing,
		fmt.Sprintf("%s goes to %s, and its assurance does not say %s.", nameOf(rule), p.Name, what),
		fmt.Sprintf("Role %s finds out and writes it under %s.assurance.%s of the policy. The review is then opened anew.", p.Assurance.CheckedBy, p.Entry, member))
	return &f
}

func (p Place) finding(reason, message, hint string) gate.Finding {
	return gate.Finding{Reason: reason, Field: p.Field, Owner: v1alpha1.OwnerIT, Message: message, Hint: hint}
}

// nameOf a rule's data; of data that nobody declared, what it counts as.
func nameOf(rule v1alpha1.DataRule) string {
	if rule.Name == "" {
		return "Data that is not declared, which counts as " + string(rule.Class) + ","
	}
	return rule.Name
}
