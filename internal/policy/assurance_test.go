package policy

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/affineur/affineur/api/v1alpha1"
)

func hours(n int) *metav1.Duration {
	return &metav1.Duration{Duration: time.Duration(n) * time.Hour}
}

// What is frozen of the data rules: those that were declared, or all at once.
func TestDataRulesAreFrozen(t *testing.T) {
	private := func(p *v1alpha1.HardeningPolicySpec) {
		p.Gates = append(p.Gates, v1alpha1.Gate{Name: "privacy", Type: v1alpha1.GatePrivacy})
		for i := range p.Tiers {
			p.Tiers[i].Gates = append([]string{"privacy"}, p.Tiers[i].Gates...)
		}
		p.DataRules[1].Residency, p.DataRules[1].MaxRetention = []string{"eu", "ch"}, hours(48)
		p.DataRules[2].Residency, p.DataRules[2].MaxRetention = []string{"ch", "us"}, hours(24)
	}
	apart := func(p *v1alpha1.HardeningPolicySpec) { private(p); p.DataRules[2].Residency = []string{"us"} }
	undeclared := func(s *v1alpha1.AIPrototypeSpec) { s.Data = nil }
	for name, c := range map[string]struct {
		policy func(*v1alpha1.HardeningPolicySpec)
		edit   func(*v1alpha1.AIPrototypeSpec)
		want   []v1alpha1.DataRule
	}{
		"no gate asks": {nil, nil, nil},
		"declared":     {private, nil, []v1alpha1.DataRule{{Name: "renewal-dates", Class: v1alpha1.DataInternal, Residency: []string{"eu", "ch"}, MaxRetention: hours(48)}}},
		"undeclared": {private, undeclared, []v1alpha1.DataRule{{Class: v1alpha1.DataRestricted, Categories: []string{"PersonalData"},
			Residency: []string{"ch"}, MaxRetention: hours(24), MayTrain: v1alpha1.MayTrainNever}}},
		"undeclared, and no region is common": {apart, undeclared, []v1alpha1.DataRule{{Class: v1alpha1.DataRestricted, Categories: []string{"PersonalData"},
			Residency: []string{Nowhere}, MaxRetention: hours(24), MayTrain: v1alpha1.MayTrainNever}}},
	} {
		t.Run(name, func(t *testing.T) {
			r, _ := Resolve(organisation(c.policy), membership, prototype(c.edit))
			if diff := cmp.Diff(c.want, r.DataRules); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// What is usual is frozen as if nothing had been said, so that saying it makes no other review digest.
func TestReportContentIsFrozen(t *testing.T) {
	for said, want := range map[v1alpha1.ReportContent]v1alpha1.ReportContent{"": "", v1alpha1.ReportCounts: "", v1alpha1.ReportRedacted: v1alpha1.ReportRedacted, v1alpha1.ReportFull: v1alpha1.ReportFull} {
		r, _ := Resolve(organisation(func(p *v1alpha1.HardeningPolicySpec) { p.Reports.Content = said }), membership, prototype(nil))
		if r.ReportContent != want {
			t.Errorf("%q is frozen as %q", said, r.ReportContent)
		}
	}
}

func TestMayTrain(t *testing.T) {
	for _, c := range []struct {
		rule v1alpha1.DataRule
		want v1alpha1.MayTrain
	}{
		{v1alpha1.DataRule{Class: v1alpha1.DataPublic}, v1alpha1.MayTrainYes},
		{v1alpha1.DataRule{Class: v1alpha1.DataPublic, Categories: []string{"PersonalData"}}, v1alpha1.MayTrainNever},
		{v1alpha1.DataRule{Class: v1alpha1.DataInternal}, v1alpha1.MayTrainOptOut},
		{v1alpha1.DataRule{Class: v1alpha1.DataConfidential}, v1alpha1.MayTrainNever},
		{v1alpha1.DataRule{Class: v1alpha1.DataRestricted}, v1alpha1.MayTrainNever},
		{v1alpha1.DataRule{Class: v1alpha1.DataConfidential, MayTrain: v1alpha1.MayTrainYes}, v1alpha1.MayTrainYes},
	} {
		if got := MayTrain(c.rule); got != c.want {
			t.Errorf("%+v: %s, want %s", c.rule, got, c.want)
		}
	}
}
