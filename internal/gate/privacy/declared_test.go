package privacy

import (
	"slices"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/internal/gate"
)

var now = time.Date(2027, 3, 31, 12, 0, 0, 0, time.UTC)

func hours(n int) *metav1.Duration { return &metav1.Duration{Duration: time.Duration(n) * time.Hour} }

// everything may go to a place that was looked at yesterday.
func place(edit func(*Place)) Place {
	p := Place{
		Name: "gateway default", Field: "spec.model.gateway", Entry: "catalogue.modelGateways[name=default]",
		MayCarry:  v1alpha1.MayCarry{Classes: []v1alpha1.DataClass{v1alpha1.DataPublic, v1alpha1.DataInternal, v1alpha1.DataConfidential, v1alpha1.DataRestricted}, Categories: []string{"PersonalData"}},
		Assurance: &v1alpha1.Assurance{TrainsOnInputs: v1alpha1.TrainingNever, Retention: hours(0), Residency: "eu", Document: "file 7", CheckedBy: "privacy", ValidUntil: "2027-03-31"},
	}
	if edit != nil {
		edit(&p)
	}
	return p
}

func confidential(edit func(*v1alpha1.DataRule)) v1alpha1.DataRule {
	r := v1alpha1.DataRule{Name: "attendee-feedback", Class: v1alpha1.DataConfidential, Categories: []string{"PersonalData"}}
	if edit != nil {
		edit(&r)
	}
	return r
}

func reasons(findings []gate.Finding) string {
	var out []string
	for _, f := range findings {
		out = append(out, f.Reason)
	}
	slices.Sort(out)
	return strings.Join(out, " ")
}

func TestDeclared(t *testing.T) {
	trains := func(how v1alpha1.Training) func(*Place) { return func(p *Place) { p.Assurance.TrainsOnInputs = how } }
	own := func(p *Place) { p.Own, p.Assurance = true, nil }
	public, internal := v1alpha1.DataRule{Name: "titles", Class: v1alpha1.DataPublic}, v1alpha1.DataRule{Name: "dates", Class: v1alpha1.DataInternal}
	undeclared := v1alpha1.DataRule{Class: v1alpha1.DataRestricted, Categories: []string{"PersonalData"}, MayTrain: v1alpha1.MayTrainNever}
	inEU := confidential(func(r *v1alpha1.DataRule) { r.Residency = []string{"eu", "ch"} })
	short := confidential(func(r *v1alpha1.DataRule) { r.MaxRetention = hours(24) })
	for name, c := range map[string]struct {
		place           Place
		rule            v1alpha1.DataRule
		broken, unknown string
	}{
		"all is well":                       {place(nil), confidential(nil), "", ""},
		"undeclared, and anything may go":   {place(nil), undeclared, "", ""},
		"class":                             {place(func(p *Place) { p.MayCarry.Classes = p.MayCarry.Classes[:2] }), confidential(nil), v1alpha1.ReasonDataNotAllowed, ""},
		"category":                          {place(func(p *Place) { p.MayCarry.Categories = nil }), confidential(nil), v1alpha1.ReasonDataNotAllowed, ""},
		"nothing may":                       {place(func(p *Place) { p.MayCarry = v1alpha1.MayCarry{} }), public, v1alpha1.ReasonDataNotAllowed, ""},
		"no assurance":                      {place(func(p *Place) { p.Assurance = nil }), confidential(nil), "", v1alpha1.ReasonAssuranceMissing},
		"no assurance for undeclared data":  {place(func(p *Place) { p.Assurance = nil }), undeclared, "", v1alpha1.ReasonAssuranceMissing},
		"no assurance for internal data":    {place(func(p *Place) { p.Assurance = nil }), internal, "", v1alpha1.ReasonAssuranceMissing},
		"no assurance needed":               {place(func(p *Place) { p.Assurance = nil }), public, "", ""},
		"public data anywhere":              {place(trains(v1alpha1.TrainingYes)), public, "", ""},
		"the day after":                     {place(func(p *Place) { p.Assurance.ValidUntil = "2027-03-30" }), confidential(nil), "", v1alpha1.ReasonAssuranceExpired},
		"expired, and trains":               {place(func(p *Place) { p.Assurance.ValidUntil, p.Assurance.TrainsOnInputs = "2026-01-01", "Yes" }), confidential(nil), "", v1alpha1.ReasonAssuranceExpired},
		"no day":                            {place(func(p *Place) { p.Assurance.ValidUntil = "soon" }), confidential(nil), "", v1alpha1.ReasonAssuranceExpired},
		"trains":                            {place(trains(v1alpha1.TrainingYes)), confidential(nil), v1alpha1.ReasonTrainingNotAllowed, ""},
		"trains unless one objects":         {place(trains(v1alpha1.TrainingOptOut)), confidential(nil), v1alpha1.ReasonTrainingNotAllowed, ""},
		"internal data, objected":           {place(trains(v1alpha1.TrainingOptOut)), internal, "", ""},
		"internal data, trains":             {place(trains(v1alpha1.TrainingYes)), internal, v1alpha1.ReasonTrainingNotAllowed, ""},
		"nobody knows":                      {place(trains(v1alpha1.TrainingUnknown)), internal, "", v1alpha1.ReasonAssuranceMissing},
		"nothing that is known":             {place(trains("")), internal, "", v1alpha1.ReasonAssuranceMissing},
		"a rule that lets it train":         {place(trains(v1alpha1.TrainingYes)), confidential(func(r *v1alpha1.DataRule) { r.MayTrain = v1alpha1.MayTrainYes }), "", ""},
		"a rule of another word":            {place(nil), confidential(func(r *v1alpha1.DataRule) { r.MayTrain = "Maybe" }), "", v1alpha1.ReasonAssuranceMissing},
		"in its region":                     {place(nil), inEU, "", ""},
		"in another region":                 {place(func(p *Place) { p.Assurance.Residency = "us" }), inEU, v1alpha1.ReasonResidencyNotAllowed, ""},
		"in no region that is said":         {place(func(p *Place) { p.Assurance.Residency = "" }), inEU, "", v1alpha1.ReasonAssuranceMissing},
		"kept as long as allowed":           {place(func(p *Place) { p.Assurance.Retention = hours(24) }), short, "", ""},
		"kept too long":                     {place(func(p *Place) { p.Assurance.Retention = hours(25) }), short, v1alpha1.ReasonRetentionTooLong, ""},
		"nobody says how long":              {place(func(p *Place) { p.Assurance.Retention = nil }), short, "", v1alpha1.ReasonAssuranceMissing},
		"kept for less than nothing":        {place(func(p *Place) { p.Assurance.Retention = hours(-1) }), short, "", v1alpha1.ReasonAssuranceMissing},
		"own system":                        {place(own), confidential(nil), "", ""},
		"own system, and the rule asks":     {place(own), inEU, "", v1alpha1.ReasonAssuranceMissing},
		"own system that is said to train":  {place(func(p *Place) { p.Own, p.Assurance.TrainsOnInputs = true, "Yes" }), confidential(nil), v1alpha1.ReasonTrainingNotAllowed, ""},
		"own system, class":                 {place(func(p *Place) { own(p); p.MayCarry.Classes = nil }), confidential(nil), v1alpha1.ReasonDataNotAllowed, ""},
		"two things at once":                {place(func(p *Place) { p.Assurance.Residency, p.Assurance.TrainsOnInputs = "us", "Yes" }), inEU, v1alpha1.ReasonResidencyNotAllowed + " " + v1alpha1.ReasonTrainingNotAllowed, ""},
		"what is forbidden and what is not": {place(func(p *Place) { p.Assurance.Residency, p.Assurance.Retention = "us", nil }), confidential(func(r *v1alpha1.DataRule) { r.Residency, r.MaxRetention = []string{"eu"}, hours(1) }), v1alpha1.ReasonResidencyNotAllowed, v1alpha1.ReasonAssuranceMissing},
	} {
		t.Run(name, func(t *testing.T) {
			broken, unknown := Declared([]Place{c.place}, []v1alpha1.DataRule{c.rule}, now)
			if reasons(broken) != c.broken || reasons(unknown) != c.unknown {
				t.Errorf("broken %q, unknown %q; want %q, %q", reasons(broken), reasons(unknown), c.broken, c.unknown)
			}
			for _, f := range append(broken, unknown...) {
				if f.Field != c.place.Field || f.Message == "" || f.Hint == "" || f.Owner == "" {
					t.Errorf("%+v does not say where, what, who and how", f)
				}
			}
		})
	}
}

// Every kind of data goes to every place.
func TestDeclaredLooksAtAll(t *testing.T) {
	trains := place(func(p *Place) { p.Name, p.Assurance.TrainsOnInputs = "gateway other", "Yes" })
	broken, unknown := Declared([]Place{place(nil), trains}, []v1alpha1.DataRule{{Name: "titles", Class: v1alpha1.DataPublic}, confidential(nil)}, now)
	if reasons(broken) != v1alpha1.ReasonTrainingNotAllowed || len(unknown) > 0 || !strings.Contains(broken[0].Message, "gateway other") {
		t.Errorf("%+v %+v", broken, unknown)
	}
}
