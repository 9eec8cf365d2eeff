package policy

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/affineur/affineur/api/v1alpha1"
)

func TestAnswersInPlainWords(t *testing.T) {
	for name, test := range map[string]struct {
		edit   func(*v1alpha1.AIPrototypeSpec)
		govern func(*v1alpha1.HardeningPolicySpec)
		want   []string
	}{
		"a place that it names, and one that it could": {func(s *v1alpha1.AIPrototypeSpec) {
			s.Model = &v1alpha1.ModelUse{Gateway: "default"}
			s.Data.Uses = []string{"course-titles", "feedback"}
		}, nil, []string{
			"May go to gateway default: course-titles. Never: feedback.", "May go to integration lms: course-titles, feedback.",
		}},
		"what it names comes first": {func(s *v1alpha1.AIPrototypeSpec) {
			s.Integrations = []v1alpha1.IntegrationUse{{Name: "lms"}}
			s.Data.Uses = []string{"renewal-dates"}
		}, nil, []string{
			"May go to integration lms: nothing. Never: renewal-dates.", "May go to gateway default: renewal-dates.",
		}},
		"a kind of data that nobody knows": {func(s *v1alpha1.AIPrototypeSpec) { s.Data.Uses = []string{"salaries", "course-titles"} }, nil, []string{
			"Unknown to policy organisation, so it may go nowhere: salaries.",
			"May go to gateway default: course-titles.", "May go to integration lms: course-titles.",
		}},
		"no data": {func(s *v1alpha1.AIPrototypeSpec) { s.Data = nil }, nil, []string{
			"No data is named, so it counts as Restricted, PersonalData, and may go nowhere.",
		}},
		"no data, and a place for every class, but not for all that the policy knows": {func(s *v1alpha1.AIPrototypeSpec) { s.Data = nil }, func(p *v1alpha1.HardeningPolicySpec) {
			p.Catalogue.ModelGateways[0].MayCarry.Classes = classes
		}, []string{"No data is named, so it counts as Restricted, PersonalData, and may go nowhere."}},
		"no data, and a place for everything": {func(s *v1alpha1.AIPrototypeSpec) { s.Data = nil }, func(p *v1alpha1.HardeningPolicySpec) {
			p.Catalogue.ModelGateways[0].MayCarry = v1alpha1.MayCarry{Classes: classes, Categories: []string{"PersonalData"}}
		}, []string{"No data is named, so it counts as Restricted, PersonalData, and may go only to gateway default."}},
		"an empty catalogue": {nil, func(p *v1alpha1.HardeningPolicySpec) { p.Catalogue = v1alpha1.Catalogue{} }, nil},
	} {
		t.Run(name, func(t *testing.T) {
			if got := Answers(organisation(test.govern), prototype(test.edit)); !slices.Equal(got, test.want) {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}

// A catalogue of any size gives an answer that a condition can hold, and says what it leaves out.
func TestAnswersAreBounded(t *testing.T) {
	governing := organisation(func(p *v1alpha1.HardeningPolicySpec) {
		for i := range 64 {
			p.DataRules = append(p.DataRules, v1alpha1.DataRule{Name: fmt.Sprintf("%s-%d", strings.Repeat("d", 60), i), Class: v1alpha1.DataPublic})
			p.Catalogue.Integrations = append(p.Catalogue.Integrations, v1alpha1.Integration{Name: fmt.Sprintf("system-%d", i)})
		}
	})
	got := Answers(governing, prototype(func(s *v1alpha1.AIPrototypeSpec) {
		s.Data.Uses = nil
		for i := range 32 {
			s.Data.Uses = append(s.Data.Uses, fmt.Sprintf("%s-%d", strings.Repeat("d", 60), i))
		}
	}))
	if whole := strings.Join(got, " "); len(whole) > roomForAnswers+200 || !strings.Contains(whole, " and 20 more.") {
		t.Errorf("%d bytes: %s", len(whole), whole)
	}
	if last := got[len(got)-1]; last != fmt.Sprintf("%d more places of the policy's catalogue are not listed here.", 66-len(got)+1) {
		t.Errorf("leaves out without saying so: %s", last)
	}
}

// Leaving data out gets nowhere that naming all of it would not.
func TestUndeclaredOpensNoMore(t *testing.T) {
	for name, test := range map[string]struct {
		categories []string
		want       []string
	}{
		"a place for every class alone":                       {nil, []string{v1alpha1.ReasonDataNotAllowed}},
		"a place for every class and all that the policy has": {[]string{"PersonalData"}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			place := v1alpha1.MayCarry{Classes: classes, Categories: test.categories}
			open := organisation(func(p *v1alpha1.HardeningPolicySpec) {
				p.Catalogue.ModelGateways[0].MayCarry, p.Catalogue.Integrations[0].MayCarry = place, place
			})
			for field, edit := range map[string]func(*v1alpha1.AIPrototypeSpec){
				"gateway":     func(s *v1alpha1.AIPrototypeSpec) { s.Model = &v1alpha1.ModelUse{Gateway: "default"} },
				"integration": func(s *v1alpha1.AIPrototypeSpec) { s.Integrations = []v1alpha1.IntegrationUse{{Name: "lms"}} },
			} {
				_, problems := Resolve(open, membership, prototype(func(s *v1alpha1.AIPrototypeSpec) { edit(s); s.Data = nil }))
				var reasons []string
				for _, p := range problems {
					reasons = append(reasons, p.Reason)
				}
				if !slices.Equal(reasons, test.want) {
					t.Errorf("%s: %v, want %v", field, problems, test.want)
				}
			}
		})
	}
}
