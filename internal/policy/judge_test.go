package policy

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/affineur/affineur/api/v1alpha1"
)

// A judge's gateway is frozen with the rules of the data that it would see, and only where a gate of the tier asks it.
func TestJudgesAreFrozen(t *testing.T) {
	asking := func(p *v1alpha1.HardeningPolicySpec) {
		p.Catalogue.ModelGateways = append(p.Catalogue.ModelGateways, v1alpha1.ModelGateway{Name: "another"}, v1alpha1.ModelGateway{Name: "judges"})
		p.Gates = append(p.Gates, v1alpha1.Gate{Name: "quality", Type: v1alpha1.GateQuality, Quality: &v1alpha1.QualityGate{
			Judge: &v1alpha1.QualityJudge{Gateway: "judges", Model: "j", Rubric: "Polite."},
		}})
	}
	without, _ := Resolve(organisation(asking), membership, prototype(nil))
	if without.Judges != nil || without.DataRules != nil || without.Judge("judges") != nil {
		t.Errorf("frozen though no gate of the tier asks: %+v, %+v", without.Judges, without.DataRules)
	}
	with, _ := Resolve(organisation(func(p *v1alpha1.HardeningPolicySpec) {
		asking(p)
		for i := range p.Tiers {
			p.Tiers[i].Gates = append([]string{"quality"}, p.Tiers[i].Gates...)
		}
	}), membership, prototype(nil))
	if diff := cmp.Diff([]v1alpha1.ModelGateway{{Name: "judges"}}, with.Judges); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]v1alpha1.DataRule{{Name: "renewal-dates", Class: v1alpha1.DataInternal}}, with.DataRules); diff != "" {
		t.Error(diff)
	}
	if with.Judge("judges") == nil || with.Judge("another") != nil || with.ModelGateway != nil {
		t.Errorf("%+v", with.Judges)
	}
}
