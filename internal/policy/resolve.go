package policy

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/internal/subject"
)

// Resolve freezes what the policy asks of the prototype. All problems come back at once; while there is one, the
// requirements are not complete and must not be used.
func Resolve(p *v1alpha1.HardeningPolicy, namespace labels.Set, spec v1alpha1.AIPrototypeSpec) (Requirements, []Problem) {
	r := Requirements{Schema: RequirementsSchema, DNS: p.Spec.Sandbox.DNS, Production: p.Spec.Production}
	var problems []Problem
	add := func(found ...Problem) { problems = append(problems, found...) }

	team, problem := teamOf(p, namespace)
	add(problem...)
	r.Team = team
	data, found := dataOf(p, spec)
	add(found...)
	r.Limits, r.RuntimeClass = limitsOf(p, data), runtimeOf(p, data)
	r.ModelGateway, found = gatewayOf(p, spec, data)
	add(found...)
	r.Integrations, found = integrationsOf(p, spec, data)
	add(found...)
	if spec.Workload != nil && spec.Workload.Container != nil {
		r.Registry, found = registryOf(p, spec.Workload.Container.Image)
		add(found...)
		add(withinLimits(r.Limits, spec.Workload.Container.Resources, data)...)
		add(withinTeam(p, spec.Workload.Container.Resources)...)
	}
	add(withinLifetime(p, spec)...)
	r.freezeTier(p, tierOf(p, subject.FactsOf(spec), data))
	r.Judges = judgesOf(p.Spec.Catalogue, r.Gates)
	if r.Gate(v1alpha1.GatePrivacy) != nil || len(r.Judges) > 0 {
		r.DataRules = data.rules(p.Spec.DataRules)
	}
	if content := p.Spec.Reports.Content; content != v1alpha1.ReportCounts {
		r.ReportContent = content
	}
	return r, problems
}

// freezeTier copies the tier's gates, and its roles with their groups as they are now.
func (r *Requirements) freezeTier(p *v1alpha1.HardeningPolicy, tier v1alpha1.Tier) {
	r.Tier = tier.Name
	r.SoakSeconds = int64(tier.Soak.Seconds())
	r.DueSeconds = int64(tier.Due.Seconds())
	if valid := tier.ApprovalsValidFor; valid != nil && valid.Duration != usualValidity {
		r.ApprovalsValidForSeconds = int64(valid.Seconds())
	}
	for _, gate := range p.Spec.Gates {
		if slices.Contains(tier.Gates, gate.Name) {
			r.Gates = append(r.Gates, gate)
		}
	}
	for _, approval := range consents(p, tier, r.Integrations) {
		for _, role := range p.Spec.Roles {
			if role.Name == approval.Role {
				r.Approvals = append(r.Approvals, Approval{
					Role: role.Name, Groups: slices.Sorted(slices.Values(role.Groups)), Quorum: approval.Quorum,
				})
			}
		}
	}
}

// consents are the tier's approvals, and one of the owner of every integration that the prototype uses, if the
// policy has such a role and the tier does not ask it anyway.
func consents(p *v1alpha1.HardeningPolicy, tier v1alpha1.Tier, used []v1alpha1.Integration) []v1alpha1.Approval {
	out := slices.Clone(tier.Approvals)
	for _, integration := range used {
		asked := func(a v1alpha1.Approval) bool { return a.Role == integration.Owner }
		if integration.Owner != "" && !slices.ContainsFunc(out, asked) {
			out = append(out, v1alpha1.Approval{Role: integration.Owner, Quorum: 1})
		}
	}
	return out
}

func teamOf(p *v1alpha1.HardeningPolicy, namespace labels.Set) (v1alpha1.Team, []Problem) {
	name := namespace[v1alpha1.LabelTeam]
	for _, team := range p.Spec.Teams {
		if team.Name == name {
			return team, nil
		}
	}
	message := fmt.Sprintf("The namespace's team %q is not among the teams of policy %s.", name, p.Name)
	if name == "" {
		message = "The namespace has no label " + v1alpha1.LabelTeam + "."
	}
	return v1alpha1.Team{}, []Problem{{
		Reason: v1alpha1.ReasonNoTeam, Owner: v1alpha1.OwnerIT, Message: message,
		Hint: "IT labels the namespace with a team that the policy names.",
	}}
}

// Data is the worst of what a prototype works with.
type Data struct {
	// Uses are the rules that it named.
	Uses []v1alpha1.DataRule
	// Declared is false where nothing was said; then the worst is assumed.
	Declared bool
	// known are all categories of the policy: what undeclared data may be.
	known []string
}

// Class is the strictest class, Restricted where nothing was declared.
func (d Data) Class() v1alpha1.DataClass {
	if !d.Declared {
		return v1alpha1.DataRestricted
	}
	worst := v1alpha1.DataPublic
	for _, use := range d.Uses {
		if slices.Index(classes, use.Class) > slices.Index(classes, worst) {
			worst = use.Class
		}
	}
	return worst
}

// Categories is the sorted union of the categories, all that the policy knows where nothing was declared.
func (d Data) Categories() []string {
	all := slices.Clone(d.known)
	for _, use := range d.Uses {
		all = append(all, use.Categories...)
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// anything is what undeclared data may be: the strictest class, and every category that the policy knows.
func (d Data) anything() v1alpha1.DataRule {
	return v1alpha1.DataRule{Class: v1alpha1.DataRestricted, Categories: d.Categories()}
}

// classes from harmless to strict.
var classes = []v1alpha1.DataClass{
	v1alpha1.DataPublic, v1alpha1.DataInternal, v1alpha1.DataConfidential, v1alpha1.DataRestricted,
}

func dataOf(p *v1alpha1.HardeningPolicy, spec v1alpha1.AIPrototypeSpec) (Data, []Problem) {
	if spec.Data == nil {
		var known []string
		for _, rule := range p.Spec.DataRules {
			known = append(known, rule.Categories...)
		}
		return Data{known: known}, nil
	}
	data := Data{Declared: true}
	var problems []Problem
	for i, name := range spec.Data.Uses {
		at := slices.IndexFunc(p.Spec.DataRules, func(rule v1alpha1.DataRule) bool { return rule.Name == name })
		if at < 0 {
			problems = append(problems, unknown(fmt.Sprintf("spec.data.uses[%d]", i), "data rule", name, p.Name))
			continue
		}
		data.Uses = append(data.Uses, p.Spec.DataRules[at])
	}
	return data, problems
}

func unknown(field, kind, name, policy string) Problem {
	return Problem{
		Reason: v1alpha1.ReasonUnknownName, Field: field, Owner: v1alpha1.OwnerBusiness,
		Message: fmt.Sprintf("Policy %s has no %s named %q.", policy, kind, name),
		Hint:    "Use a name that the policy has, or ask IT to add it.",
	}
}

func gatewayOf(p *v1alpha1.HardeningPolicy, spec v1alpha1.AIPrototypeSpec, data Data) (*v1alpha1.ModelGateway, []Problem) {
	if spec.Model == nil {
		return nil, nil
	}
	for i := range p.Spec.Catalogue.ModelGateways {
		gateway := &p.Spec.Catalogue.ModelGateways[i]
		if gateway.Name == spec.Model.Gateway {
			return gateway, mayGo(data, gateway.MayCarry, "spec.model.gateway", "gateway "+gateway.Name)
		}
	}
	return nil, []Problem{unknown("spec.model.gateway", "model gateway", spec.Model.Gateway, p.Name)}
}

func integrationsOf(p *v1alpha1.HardeningPolicy, spec v1alpha1.AIPrototypeSpec, data Data) ([]v1alpha1.Integration, []Problem) {
	var used []v1alpha1.Integration
	var problems []Problem
	for i, use := range spec.Integrations {
		field := fmt.Sprintf("spec.integrations[%d].name", i)
		at := slices.IndexFunc(p.Spec.Catalogue.Integrations, func(c v1alpha1.Integration) bool { return c.Name == use.Name })
		if at < 0 {
			problems = append(problems, unknown(field, "integration", use.Name, p.Name))
			continue
		}
		entry := p.Spec.Catalogue.Integrations[at]
		problems = append(problems, mayGo(data, entry.MayCarry, field, "integration "+entry.Name)...)
		if use.Access != v1alpha1.AccessReadWrite {
			// Its owner consents to writing only; without a write there is nothing to consent to.
			entry.Owner = ""
		}
		used = append(used, entry)
	}
	slices.SortFunc(used, func(a, b v1alpha1.Integration) int { return strings.Compare(a.Name, b.Name) })
	return used, problems
}

// mayGo checks every kind of declared data against what may go to a place. Saying nothing opens no more than saying
// everything does.
func mayGo(data Data, may v1alpha1.MayCarry, field, where string) []Problem {
	if !data.Declared {
		if allowed(data.anything(), may) {
			return nil
		}
		return []Problem{{
			Reason: v1alpha1.ReasonDataNotAllowed, Field: "spec.data.uses", Owner: v1alpha1.OwnerBusiness,
			Message: "No data is declared, so it counts as " + describe(data.anything()) + ", which may not go to " + where + ".",
			Hint:    "Say under data.uses which data the prototype works with, in the policy's words.",
		}}
	}
	var problems []Problem
	for _, use := range data.Uses {
		if allowed(use, may) {
			continue
		}
		problems = append(problems, Problem{
			Reason: v1alpha1.ReasonDataNotAllowed, Field: field, Owner: v1alpha1.OwnerBusiness,
			Message: fmt.Sprintf("%s (%s) may not go to %s.", use.Name, describe(use), where),
			Hint:    "Leave that data out, use a place that may carry it, or ask IT what else could.",
		})
	}
	return problems
}

func allowed(use v1alpha1.DataRule, may v1alpha1.MayCarry) bool {
	for _, category := range use.Categories {
		if !slices.Contains(may.Categories, category) {
			return false
		}
	}
	return slices.Contains(may.Classes, use.Class)
}

func describe(use v1alpha1.DataRule) string {
	return listed(append([]string{string(use.Class)}, use.Categories...))
}

// RegistryOf is the entry with the longest prefix that covers a reference; false without one.
func RegistryOf(p *v1alpha1.HardeningPolicy, reference string) (v1alpha1.Registry, bool) {
	var best v1alpha1.Registry
	for _, registry := range p.Spec.Sandbox.Registries {
		// A prefix ends in a slash, so that registry.example.org/ does not cover registry.example.org.evil/.
		if strings.HasPrefix(reference, registry.Prefix) && len(registry.Prefix) > len(best.Prefix) {
			best = registry
		}
	}
	return best, best.Prefix != ""
}

func registryOf(p *v1alpha1.HardeningPolicy, image string) (v1alpha1.Registry, []Problem) {
	best, covered := RegistryOf(p, image)
	if covered {
		return best, nil
	}
	var prefixes []string
	for _, registry := range p.Spec.Sandbox.Registries {
		prefixes = append(prefixes, registry.Prefix)
	}
	return best, []Problem{{
		Reason: v1alpha1.ReasonRegistryNotAllowed, Field: "spec.workload.container.image", Owner: v1alpha1.OwnerBusiness,
		Message: "The image comes from a registry that the policy does not name. It names: " + strings.Join(prefixes, ", ") + ".",
		Hint:    "Push the image to one of these, or ask IT to name the registry.",
	}}
}

// quantityOf reads what the schema admitted.
func quantityOf(s string) resource.Quantity {
	q, err := resource.ParseQuantity(s)
	if err != nil {
		return resource.Quantity{}
	}
	return q
}

// withinLifetime refuses a wish beyond the policy's maximum, and says what is allowed: a wish that is cut in silence
// surprises on the day of the end.
func withinLifetime(p *v1alpha1.HardeningPolicy, spec v1alpha1.AIPrototypeSpec) []Problem {
	longest := p.Spec.Sandbox.Lifetime.Max.Duration
	if spec.Sandbox == nil || spec.Sandbox.Lifetime == nil || spec.Sandbox.Lifetime.Duration <= longest {
		return nil
	}
	return []Problem{{
		Reason: v1alpha1.ReasonLimitExceeded, Field: "spec.sandbox.lifetime", Owner: v1alpha1.OwnerBusiness,
		Message: fmt.Sprintf("spec.sandbox.lifetime asks for %s; a sandbox lives %s at most.", Span(spec.Sandbox.Lifetime.Duration), Span(longest)),
		Hint:    fmt.Sprintf("Ask for %s or less, or ask IT to raise sandbox.lifetime.max of policy %s.", Span(longest), p.Name),
	}}
}

// Span is a duration in the words of a manifest: 336h, not 336h0m0s.
func Span(d time.Duration) string {
	text := d.String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}
