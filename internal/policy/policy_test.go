package policy

import (
	"slices"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/affineur/affineur/api/v1alpha1"
)

func organisation(edit func(*v1alpha1.HardeningPolicySpec)) *v1alpha1.HardeningPolicy {
	hours := func(n int) metav1.Duration { return metav1.Duration{Duration: time.Duration(n) * time.Hour} }
	gates := []string{"security", "scalability", "integration"}
	p := &v1alpha1.HardeningPolicy{
		ObjectMeta: metav1.ObjectMeta{Name: "organisation", Generation: 1},
		Spec: v1alpha1.HardeningPolicySpec{
			AppliesTo: v1alpha1.AppliesTo{NamespaceSelector: metav1.LabelSelector{MatchLabels: map[string]string{"affineur.dev/ai-sandbox": "true"}}},
			Teams:     []v1alpha1.Team{{Name: "membership", Groups: []string{"team-membership"}}},
			DataRules: []v1alpha1.DataRule{
				{Name: "course-titles", Class: v1alpha1.DataPublic},
				{Name: "renewal-dates", Class: v1alpha1.DataInternal},
				{Name: "feedback", Class: v1alpha1.DataConfidential, Categories: []string{"PersonalData"}},
			},
			Sandbox: v1alpha1.SandboxPolicy{
				Registries: []v1alpha1.Registry{{Prefix: "registry.example.org/"}, {Prefix: "registry.example.org/it/"}},
				Lifetime:   v1alpha1.LifetimePolicy{Default: hours(336), Max: hours(2160)},
				Limits:     v1alpha1.SandboxLimits{PerPrototype: v1alpha1.Resources{CPU: "2", Memory: "4Gi"}},
			},
			Catalogue: v1alpha1.Catalogue{
				ModelGateways: []v1alpha1.ModelGateway{{Name: "default", MayCarry: v1alpha1.MayCarry{Classes: []v1alpha1.DataClass{v1alpha1.DataPublic, v1alpha1.DataInternal}}}},
				Integrations:  []v1alpha1.Integration{{Name: "lms", Owner: "lms-owners", MayCarry: v1alpha1.MayCarry{Classes: []v1alpha1.DataClass{v1alpha1.DataPublic, v1alpha1.DataConfidential}, Categories: []string{"PersonalData"}}}},
			},
			Gates: []v1alpha1.Gate{{Name: "security", Type: v1alpha1.GateSecurity}, {Name: "scalability", Type: v1alpha1.GateScalability}, {Name: "integration", Type: v1alpha1.GateIntegration}},
			Roles: []v1alpha1.Role{{Name: "security", Groups: []string{"it-security"}}, {Name: "operations", Groups: []string{"it-ops"}}, {Name: "lms-owners", Groups: []string{"lms-team"}}},
			Tiers: []v1alpha1.Tier{
				{Name: "High", When: "'PersonalData' in facts.categories || facts.autonomy == 'Acts'", Gates: gates, Approvals: []v1alpha1.Approval{{Role: "security", Quorum: 1}, {Role: "operations", Quorum: 2}}, Due: hours(40), Soak: hours(24)},
				{Name: "Low", When: "true", Gates: gates, Due: hours(8)},
			},
		},
		Status: v1alpha1.HardeningPolicyStatus{Conditions: []metav1.Condition{{Type: v1alpha1.ConditionReady, Status: metav1.ConditionTrue, ObservedGeneration: 1}}},
	}
	if edit != nil {
		edit(&p.Spec)
	}
	return p
}

var membership = labels.Set{"affineur.dev/ai-sandbox": "true", v1alpha1.LabelTeam: "membership"}

func prototype(edit func(*v1alpha1.AIPrototypeSpec)) v1alpha1.AIPrototypeSpec {
	spec := v1alpha1.AIPrototypeSpec{
		Facts: &v1alpha1.Facts{Exposure: v1alpha1.ExposureInternal, Autonomy: v1alpha1.AutonomyAnswers},
		Data:  &v1alpha1.DataUse{Uses: []string{"renewal-dates"}},
		Workload: &v1alpha1.Workload{Container: &v1alpha1.Container{
			Image: "registry.example.org/membership/churn-advisor:1.4", Port: 8080, Resources: v1alpha1.Resources{CPU: "250m", Memory: "256Mi"},
		}},
	}
	if edit != nil {
		edit(&spec)
	}
	return spec
}

func TestGoverning(t *testing.T) {
	good := *organisation(nil)
	second := *organisation(nil)
	second.Name = "another"
	unread := *organisation(nil)
	unread.Generation = 2
	broken := *organisation(nil)
	broken.Status.Conditions[0].Status = metav1.ConditionFalse
	unreadable := *organisation(func(spec *v1alpha1.HardeningPolicySpec) {
		spec.AppliesTo.NamespaceSelector = metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{{Key: "a", Operator: "Like"}}}
	})
	unreadable.Name = "unreadable"
	for name, test := range map[string]struct {
		policies  []v1alpha1.HardeningPolicy
		namespace labels.Set
		reason    string
	}{
		"one matches":           {[]v1alpha1.HardeningPolicy{good}, membership, ""},
		"none matches":          {[]v1alpha1.HardeningPolicy{good}, labels.Set{}, v1alpha1.ReasonNoPolicy},
		"two match":             {[]v1alpha1.HardeningPolicy{good, second}, membership, v1alpha1.ReasonPolicyTie},
		"generation not read":   {[]v1alpha1.HardeningPolicy{unread}, membership, v1alpha1.ReasonPolicyNotReady},
		"the policy is broken":  {[]v1alpha1.HardeningPolicy{broken}, membership, v1alpha1.ReasonPolicyNotReady},
		"there is none at all":  {nil, membership, v1alpha1.ReasonNoPolicy},
		"a broken one is a tie": {[]v1alpha1.HardeningPolicy{broken, second}, membership, v1alpha1.ReasonPolicyTie},
		"one can't be read":     {[]v1alpha1.HardeningPolicy{good, unreadable}, membership, v1alpha1.ReasonPolicyNotReady},
		"none can be read":      {[]v1alpha1.HardeningPolicy{unreadable}, labels.Set{}, v1alpha1.ReasonPolicyNotReady},
	} {
		t.Run(name, func(t *testing.T) {
			_, problem := Governing(test.policies, test.namespace)
			if got := reasonOf(problem); got != test.reason {
				t.Errorf("reason %q, want %q", got, test.reason)
			}
		})
	}
}

func reasonOf(p *Problem) string {
	if p == nil {
		return ""
	}
	return p.Reason
}

func TestResolveFindsEveryProblem(t *testing.T) {
	for name, test := range map[string]struct {
		edit      func(*v1alpha1.AIPrototypeSpec)
		namespace labels.Set
		reasons   []string
	}{
		"nothing wrong":            {nil, membership, nil},
		"namespace without a team": {nil, labels.Set{}, []string{v1alpha1.ReasonNoTeam}},
		"unknown data":             {func(s *v1alpha1.AIPrototypeSpec) { s.Data.Uses = []string{"salaries"} }, membership, []string{v1alpha1.ReasonUnknownName}},
		"unknown gateway":          {func(s *v1alpha1.AIPrototypeSpec) { s.Model = &v1alpha1.ModelUse{Gateway: "other"} }, membership, []string{v1alpha1.ReasonUnknownName}},
		"unknown and foreign registry": {func(s *v1alpha1.AIPrototypeSpec) {
			s.Integrations = []v1alpha1.IntegrationUse{{Name: "crm"}}
			s.Workload.Container.Image = "registry.example.org.evil/a:1"
		}, membership, []string{v1alpha1.ReasonUnknownName, v1alpha1.ReasonRegistryNotAllowed}},
		"confidential to a gateway that may not": {func(s *v1alpha1.AIPrototypeSpec) {
			s.Model = &v1alpha1.ModelUse{Gateway: "default"}
			s.Data.Uses = []string{"feedback"}
		}, membership, []string{v1alpha1.ReasonDataNotAllowed}},
		"undeclared to a gateway": {func(s *v1alpha1.AIPrototypeSpec) {
			s.Model = &v1alpha1.ModelUse{Gateway: "default"}
			s.Data = nil
		}, membership, []string{v1alpha1.ReasonDataNotAllowed}},
		"more than the quota": {func(s *v1alpha1.AIPrototypeSpec) {
			s.Workload.Container.Resources = v1alpha1.Resources{CPU: "2500m", Memory: "5Gi"}
		}, membership, []string{v1alpha1.ReasonLimitExceeded, v1alpha1.ReasonLimitExceeded}},
		"lives too long": {func(s *v1alpha1.AIPrototypeSpec) {
			s.Sandbox = &v1alpha1.SandboxWish{Lifetime: &metav1.Duration{Duration: 10000 * time.Hour}}
		}, membership, []string{v1alpha1.ReasonLimitExceeded}},
	} {
		t.Run(name, func(t *testing.T) {
			_, problems := Resolve(organisation(nil), test.namespace, prototype(test.edit))
			var reasons []string
			for _, p := range problems {
				reasons = append(reasons, p.Reason)
				if p.Message == "" || p.Hint == "" || p.Owner == "" {
					t.Errorf("%+v does not say what, who and how", p)
				}
			}
			if !slices.Equal(reasons, test.reasons) {
				t.Errorf("reasons %v, want %v", reasons, test.reasons)
			}
		})
	}
}

func TestTier(t *testing.T) {
	for name, test := range map[string]struct {
		policy func(*v1alpha1.HardeningPolicySpec)
		edit   func(*v1alpha1.AIPrototypeSpec)
		tier   string
	}{
		"harmless":                         {nil, nil, "Low"},
		"personal data":                    {nil, func(s *v1alpha1.AIPrototypeSpec) { s.Data.Uses = []string{"feedback"} }, "High"},
		"nothing said counts as the worst": {nil, func(s *v1alpha1.AIPrototypeSpec) { s.Facts = nil }, "High"},
		"undeclared data may be personal":  {nil, func(s *v1alpha1.AIPrototypeSpec) { s.Data = nil }, "High"},
		"writing is acting": {nil, func(s *v1alpha1.AIPrototypeSpec) {
			s.Integrations = []v1alpha1.IntegrationUse{{Name: "lms", Access: v1alpha1.AccessReadWrite}}
		}, "High"},
		"an expression that errs is strict": {func(p *v1alpha1.HardeningPolicySpec) { p.Tiers[0].When = "facts.nothing == 1" }, nil, "High"},
		"none holds is strict":              {func(p *v1alpha1.HardeningPolicySpec) { p.Tiers[0].When, p.Tiers[1].When = "false", "false" }, nil, "High"},
	} {
		t.Run(name, func(t *testing.T) {
			r, _ := Resolve(organisation(test.policy), membership, prototype(test.edit))
			if r.Tier != test.tier {
				t.Errorf("tier %s, want %s", r.Tier, test.tier)
			}
		})
	}
}

func TestAnOwnerConsentsToWritingOnly(t *testing.T) {
	roles := func(access v1alpha1.Access) string {
		r, _ := Resolve(organisation(nil), membership, prototype(func(s *v1alpha1.AIPrototypeSpec) {
			s.Data.Uses = []string{"course-titles"}
			s.Integrations = []v1alpha1.IntegrationUse{{Name: "lms", Access: access}}
		}))
		var names []string
		for _, a := range r.Approvals {
			names = append(names, a.Role)
		}
		return strings.Join(names, " ")
	}
	if got := roles(v1alpha1.AccessRead); got != "" {
		t.Errorf("reading asks %q", got)
	}
	if got := roles(v1alpha1.AccessReadWrite); got != "security operations lms-owners" {
		t.Errorf("writing asks %q", got)
	}
}

// What is usual is frozen as if nothing had been said, so that saying it makes no other review digest.
func TestApprovalsValidFor(t *testing.T) {
	for name, test := range map[string]struct {
		said   *metav1.Duration
		frozen int64
		counts time.Duration
	}{
		"nothing said":  {nil, 0, 2160 * time.Hour},
		"what is usual": {&metav1.Duration{Duration: 2160 * time.Hour}, 0, 2160 * time.Hour},
		"a week":        {&metav1.Duration{Duration: 168 * time.Hour}, 604800, 168 * time.Hour},
	} {
		t.Run(name, func(t *testing.T) {
			r, _ := Resolve(organisation(func(p *v1alpha1.HardeningPolicySpec) { p.Tiers[1].ApprovalsValidFor = test.said }), membership, prototype(nil))
			if r.ApprovalsValidForSeconds != test.frozen || r.ApprovalsValidFor() != test.counts {
				t.Errorf("frozen %d, counts for %s", r.ApprovalsValidForSeconds, r.ApprovalsValidFor())
			}
		})
	}
}

func TestTheLongestPrefixWins(t *testing.T) {
	r, _ := registryOf(organisation(nil), "registry.example.org/it/a:1")
	if r.Prefix != "registry.example.org/it/" {
		t.Errorf("got %q", r.Prefix)
	}
}

func TestCheck(t *testing.T) {
	for name, test := range map[string]struct {
		edit   func(*v1alpha1.HardeningPolicySpec)
		reason string
	}{
		"good":                     {nil, ""},
		"does not compile":         {func(p *v1alpha1.HardeningPolicySpec) { p.Tiers[0].When = "facts.class ==" }, v1alpha1.ReasonExpressionInvalid},
		"is no truth value":        {func(p *v1alpha1.HardeningPolicySpec) { p.Tiers[0].When = "'yes'" }, v1alpha1.ReasonExpressionInvalid},
		"is a number at run time":  {func(p *v1alpha1.HardeningPolicySpec) { p.Tiers[0].When = "facts.users" }, v1alpha1.ReasonExpressionInvalid},
		"names a fact that is not": {func(p *v1alpha1.HardeningPolicySpec) { p.Tiers[1].When = "facts.colour == 'red'" }, v1alpha1.ReasonExpressionInvalid},
		"no time to decide":        {func(p *v1alpha1.HardeningPolicySpec) { p.Tiers[1].Due = metav1.Duration{} }, v1alpha1.ReasonPolicyInvalid},
		"max below default":        {func(p *v1alpha1.HardeningPolicySpec) { p.Sandbox.Lifetime.Max = metav1.Duration{Duration: time.Hour} }, v1alpha1.ReasonPolicyInvalid},
		"no room for a probe":      {func(p *v1alpha1.HardeningPolicySpec) { p.Sandbox.Limits.PerPrototype.CPU = "100m" }, v1alpha1.ReasonPolicyInvalid},
		"no room for a probe with some data": {func(p *v1alpha1.HardeningPolicySpec) {
			p.Sandbox.Limits.PerClass = []v1alpha1.ClassLimits{{Class: v1alpha1.DataPublic, PerPrototype: v1alpha1.Resources{CPU: "1", Memory: "64Mi"}}}
		}, v1alpha1.ReasonPolicyInvalid},
		"warns before it begins": {func(p *v1alpha1.HardeningPolicySpec) {
			p.Sandbox.Lifetime.WarnBefore = metav1.Duration{Duration: -time.Hour}
		}, v1alpha1.ReasonPolicyInvalid},
		"approvals for no time": {func(p *v1alpha1.HardeningPolicySpec) {
			p.Tiers[0].ApprovalsValidFor = &metav1.Duration{Duration: time.Minute}
		}, v1alpha1.ReasonPolicyInvalid},
		"approvals for ever": {func(p *v1alpha1.HardeningPolicySpec) {
			p.Tiers[0].ApprovalsValidFor = &metav1.Duration{Duration: 8761 * time.Hour}
		}, v1alpha1.ReasonPolicyInvalid},
		"approvals end in a soak": {func(p *v1alpha1.HardeningPolicySpec) {
			p.Tiers[0].ApprovalsValidFor = &metav1.Duration{Duration: 24 * time.Hour}
		}, v1alpha1.ReasonPolicyInvalid},
		"approvals for a week": {func(p *v1alpha1.HardeningPolicySpec) {
			p.Tiers[0].ApprovalsValidFor = &metav1.Duration{Duration: 168 * time.Hour}
		}, ""},
		"a key that is none": {func(p *v1alpha1.HardeningPolicySpec) {
			p.Gates[0].Security = &v1alpha1.SecurityGate{Signatures: &v1alpha1.Signatures{Keys: []v1alpha1.SignerKey{{Name: "release", PublicKey: "-----BEGIN PUBLIC KEY-----"}}}}
		}, v1alpha1.ReasonPolicyInvalid},
		"an expression that is none": {func(p *v1alpha1.HardeningPolicySpec) {
			p.Gates[0].Security = &v1alpha1.SecurityGate{Signatures: &v1alpha1.Signatures{Identities: []v1alpha1.SignerIdentity{{Name: "release", SubjectRegExp: "("}}}}
		}, v1alpha1.ReasonPolicyInvalid},
		"a schema with a way out": {func(p *v1alpha1.HardeningPolicySpec) {
			p.Catalogue.Integrations[0].Check = v1alpha1.IntegrationCheck{HTTPS: &v1alpha1.HTTPCheck{Answer: &v1alpha1.HTTPAnswer{Schema: "$ref: https://example.org/x"}}}
		}, v1alpha1.ReasonPolicyInvalid},
		"a schema": {func(p *v1alpha1.HardeningPolicySpec) {
			p.Catalogue.Integrations[0].Check = v1alpha1.IntegrationCheck{HTTPS: &v1alpha1.HTTPCheck{Answer: &v1alpha1.HTTPAnswer{Schema: "{required: [status]}"}}}
		}, ""},
		"assurance that ends on no day": {func(p *v1alpha1.HardeningPolicySpec) {
			p.Catalogue.ModelGateways[0].Assurance = &v1alpha1.Assurance{TrainsOnInputs: v1alpha1.TrainingNever, CheckedBy: "security", ValidUntil: "2027-02-30"}
		}, v1alpha1.ReasonPolicyInvalid},
		"assurance that nobody renews": {func(p *v1alpha1.HardeningPolicySpec) {
			p.Catalogue.Integrations[0].Assurance = &v1alpha1.Assurance{TrainsOnInputs: v1alpha1.TrainingNever, CheckedBy: "nobody", ValidUntil: "2027-02-28"}
		}, v1alpha1.ReasonPolicyInvalid},
		"an assurance": {func(p *v1alpha1.HardeningPolicySpec) {
			p.Catalogue.Integrations[0].Assurance = &v1alpha1.Assurance{TrainsOnInputs: v1alpha1.TrainingNever, CheckedBy: "security", ValidUntil: "2027-02-28"}
		}, ""},
		"a judge that is nowhere": {func(p *v1alpha1.HardeningPolicySpec) {
			p.Gates[0].Quality = &v1alpha1.QualityGate{Judge: &v1alpha1.QualityJudge{Gateway: "judges", Model: "j", Rubric: "Polite."}}
		}, v1alpha1.ReasonPolicyInvalid},
		"a judge": {func(p *v1alpha1.HardeningPolicySpec) {
			p.Gates[0].Quality = &v1alpha1.QualityGate{Judge: &v1alpha1.QualityJudge{Gateway: "default", Model: "j", Rubric: "Polite."}}
		}, ""},
		"owner without a role": {func(p *v1alpha1.HardeningPolicySpec) { p.Catalogue.Integrations[0].Owner = "nobody" }, v1alpha1.ReasonPolicyInvalid},
		"selector with bad operator": {func(p *v1alpha1.HardeningPolicySpec) {
			p.AppliesTo.NamespaceSelector = metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{{Key: "a", Operator: "Near"}}}
		}, v1alpha1.ReasonSelectorInvalid},
	} {
		t.Run(name, func(t *testing.T) {
			if got := reasonOf(Check(organisation(test.edit).Spec, nil)); got != test.reason {
				t.Errorf("reason %q, want %q", got, test.reason)
			}
		})
	}
}
