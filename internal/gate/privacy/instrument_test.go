package privacy

import (
	"strings"
	"testing"
	"time"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/internal/evidence"
	"github.com/affineur/affineur/internal/gate"
	"github.com/affineur/affineur/internal/leak"
	"github.com/affineur/affineur/internal/names"
	"github.com/affineur/affineur/internal/policy"
	"github.com/affineur/affineur/internal/record"
	"github.com/affineur/affineur/internal/subject"
)

// asked is a prototype that shows a request with a text.
func asked(edit func(*gate.Case)) gate.Case {
	c := gate.Case{
		Record: record.Record{
			Prototype: names.Identity{Namespace: "membership", Name: "advisor", UID: "11111111-0000-4000-8000-000000000000"},
			Subject:   subject.Subject{Demand: &subject.Demand{Method: "POST", Path: "/v1/classify", Body: `{"text":"When is the next course?"}`, Guarded: true}},
			Requirements: policy.Requirements{
				DataRules:    []v1alpha1.DataRule{confidential(nil)},
				ModelGateway: &v1alpha1.ModelGateway{Name: "default", Assurance: &v1alpha1.Assurance{TrainsOnInputs: "Never", CheckedBy: "privacy", ValidUntil: "2027-03-31"}},
				Integrations: []v1alpha1.Integration{{Name: "lms"}},
			},
			ReviewDigest: subjectDigest,
		},
		Gate: v1alpha1.Gate{Name: "privacy", Type: v1alpha1.GatePrivacy}, Patience: 1, Now: now,
	}
	if edit != nil {
		edit(&c)
	}
	return c
}

func talkedOf(result evidence.Result) gate.Taken {
	return gate.Taken{Runs: map[string]gate.Witnessed{partTalk: {Measurement: gate.Measurement{Report: report(result, 0)}}}}
}

func TestPlan(t *testing.T) {
	first, err := Instrument{}.Plan(asked(nil), gate.Taken{})
	if err != nil || len(first) != 1 || first[0].Part != partTalk || first[0].Site != gate.SiteSandbox {
		t.Fatalf("%+v %v", first, err)
	}
	order := first[0].Order.(*evidence.PrivacyOrder)
	if order.Records != usualRecords || order.UserHeader != usualHeader || order.Call.Timeout.Std() != usualAnswer || first[0].Length <= order.Deadline.Std() {
		t.Errorf("%+v for %s", order, first[0].Length)
	}
	// The log is searched for the records of the run that was made, whose nonce is known only then.
	then, err := Instrument{}.Plan(asked(nil), talkedOf(&evidence.PrivacyResult{}))
	if err != nil || len(then) != 2 || then[1].Part != partLog || then[1].Site != gate.SiteOperator {
		t.Fatalf("%+v %v", then, err)
	}
	if end := talkedOf(&evidence.PrivacyResult{}).Runs[partTalk].Report.FinishedAt; !then[1].NotBefore.Equal(end.Add(settling)) {
		t.Errorf("the log is searched at %s, when buffers may not be empty yet", then[1].NotBefore)
	}
	begin := talkedOf(&evidence.PrivacyResult{}).Runs[partTalk].Report.StartedAt
	if log := then[1].Order.(*evidence.LogOrder); log.Nonce != nonce || log.Records != usualRecords || !log.Since.Equal(begin) || log.Validate() != nil {
		t.Errorf("%+v", log)
	}
	patient, err := Instrument{}.Plan(asked(func(c *gate.Case) { c.Patience = 3 }), gate.Taken{})
	if err != nil || patient[0].Length <= 2*first[0].Length {
		t.Errorf("%s with patience, %s without: %v", patient[0].Length, first[0].Length, err)
	}
}

// Where an evaluation says how the prototype is asked, that is how it is asked.
func TestPlanAsksAsDeclared(t *testing.T) {
	for name, c := range map[string]struct {
		call v1alpha1.EvaluationCall
		want func(evidence.Call) bool
	}{
		"own form": {v1alpha1.EvaluationCall{JSON: &v1alpha1.JSONCall{Method: "POST", Path: "/ask", Input: "/text", Answer: "/label"}},
			func(c evidence.Call) bool { return c.JSON != nil && c.JSON.Input == "/text" && c.Sample == nil }},
		"chat": {v1alpha1.EvaluationCall{OpenAIChat: &v1alpha1.ChatCall{Path: "/v1/chat/completions"}},
			func(c evidence.Call) bool { return c.OpenAIChat != nil && c.Sample == nil }},
	} {
		runs, err := Instrument{}.Plan(asked(func(g *gate.Case) {
			g.Record.Subject.Evaluation, g.Record.Subject.Demand = &subject.Evaluation{Call: c.call}, nil
		}), gate.Taken{})
		if err != nil || !c.want(runs[0].Order.(*evidence.PrivacyOrder).Call) {
			t.Errorf("%s: %+v %v", name, runs, err)
		}
	}
	_, err := Instrument{}.Plan(asked(func(g *gate.Case) { g.Record.Subject.Evaluation = &subject.Evaluation{} }), gate.Taken{})
	if err == nil {
		t.Error("a declaration of nothing was followed")
	}
}

func TestPlanFollowsThePolicy(t *testing.T) {
	runs, err := Instrument{}.Plan(asked(func(c *gate.Case) {
		c.Gate.Privacy = &v1alpha1.PrivacyGate{Records: 6, UserHeader: "Remote-User", AnswerWithin: hours(0),
			Allowed: v1alpha1.AllowedPersonalData{Kinds: []v1alpha1.PersonalData{"EMail"}, Values: []string{"@affineur.dev"}}}
		c.Gate.Privacy.AnswerWithin.Duration = 5 * time.Second
	}), gate.Taken{})
	if err != nil {
		t.Fatal(err)
	}
	order := runs[0].Order.(*evidence.PrivacyOrder)
	if order.Records != 6 || order.UserHeader != "Remote-User" || order.Call.Timeout.Std() != 5*time.Second || len(order.AllowedKinds) != 1 || len(order.AllowedValues) != 1 {
		t.Errorf("%+v", order)
	}
}

// What can't be asked is never planned, and says who has to say what.
func TestUnaskable(t *testing.T) {
	for name, edit := range map[string]func(*gate.Case){
		"no demand":       func(c *gate.Case) { c.Record.Subject.Demand = nil },
		"a GET":           func(c *gate.Case) { c.Record.Subject.Demand.Method = "GET" },
		"no body":         func(c *gate.Case) { c.Record.Subject.Demand.Body = "" },
		"a long body":     func(c *gate.Case) { c.Record.Subject.Demand.Body = strings.Repeat("x", evidence.MaxSampleBytes+1) },
		"a bad header":    func(c *gate.Case) { c.Gate.Privacy = &v1alpha1.PrivacyGate{UserHeader: "a b"} },
		"too many people": func(c *gate.Case) { c.Gate.Privacy = &v1alpha1.PrivacyGate{Records: 1000} },
	} {
		t.Run(name, func(t *testing.T) {
			c := asked(edit)
			if runs, err := (Instrument{}).Plan(c, gate.Taken{}); err == nil {
				t.Errorf("planned %+v", runs)
			}
			if v := (Instrument{}).Judge(c, gate.Taken{}); v.State == gate.Passed || v.State == gate.Pending {
				t.Errorf("%+v", v)
			}
		})
	}
}

// The frozen catalogue and the frozen settings are what counts.
func TestJudgeReadsTheRecord(t *testing.T) {
	v := Instrument{}.Judge(asked(nil), gate.Taken{})
	if v.State != gate.Failed || reasons(v.Findings) != v1alpha1.ReasonDataNotAllowed+" "+v1alpha1.ReasonDataNotAllowed {
		t.Errorf("%+v", v)
	}
	v = Instrument{}.Judge(asked(func(c *gate.Case) { c.Record.Requirements.ModelGateway, c.Record.Requirements.Integrations = nil, nil }), gate.Taken{})
	if v.State != gate.Pending {
		t.Errorf("%+v", v)
	}
	v = Instrument{}.Judge(asked(func(c *gate.Case) {
		c.Record.Requirements.ModelGateway, c.Record.Requirements.Integrations, c.Record.Subject.Demand.Guarded = nil, nil, false
		c.Record.Subject.Evaluation = &subject.Evaluation{Call: v1alpha1.EvaluationCall{OpenAIChat: &v1alpha1.ChatCall{Path: "/"}}}
	}), gate.Taken{})
	if v.State != gate.Failed || reasons(v.Findings) != v1alpha1.ReasonConfidentialInConfigMap+" "+v1alpha1.ReasonConfidentialInConfigMap {
		t.Errorf("%+v", v)
	}
}

// One kind of data that not everybody may see is enough, wherever it stands in the list.
func TestTextsThatMayHoldRestrictedData(t *testing.T) {
	public, restricted := v1alpha1.DataRule{Name: "courses", Class: v1alpha1.DataPublic}, v1alpha1.DataRule{Name: "health", Class: v1alpha1.DataRestricted}
	internal := v1alpha1.DataRule{Name: "rooms", Class: v1alpha1.DataInternal}
	for want, rules := range map[string][]v1alpha1.DataRule{
		"":       {public, internal},
		"health": {public, restricted},
	} {
		found := exposed([]string{"spec.demand.request.body.configMap"}, rules)
		if (len(found) == 1) != (want != "") || want != "" && !strings.HasPrefix(found[0].Message, want+" is Restricted") {
			t.Errorf("%+v", found)
		}
	}
}

func TestConfidentialArtifacts(t *testing.T) {
	for guarded, state := range map[bool]gate.State{true: gate.Pending, false: gate.Failed} {
		v := Instrument{}.Judge(asked(func(c *gate.Case) {
			c.Record.Requirements.ModelGateway, c.Record.Requirements.Integrations = nil, nil
			c.Record.Subject.Evaluation = &subject.Evaluation{
				Examples: subject.Examples{Artifact: "registry.example.org/golden/set:1", Guarded: guarded},
				Call:     v1alpha1.EvaluationCall{OpenAIChat: &v1alpha1.ChatCall{Path: "/"}},
			}
		}), gate.Taken{})
		if v.State != state || !guarded && (v.Findings[0].Field != "spec.evaluation.examples.artifact" || !strings.Contains(v.Findings[0].Message, "the registry shows")) {
			t.Errorf("guarded %v: %+v", guarded, v)
		}
	}
}

func TestSummaryHoldsWhatWasCounted(t *testing.T) {
	result := &evidence.PrivacyResult{Texts: evidence.Texts{Shown: 1, Open: 1}, Told: evidence.Tally{Planned: 12, Answered: 12}, Others: evidence.Tally{Planned: 31, Answered: 31},
		Leaks:    []evidence.Leak{{Channel: evidence.LeakOtherUser, Record: "c3", Kinds: []leak.Kind{leak.Phone}, Cases: []string{"asked-4"}}},
		Personal: []evidence.Personal{{Kind: evidence.PersonalIBAN, Values: 1, Answers: 2, Cases: []string{"asked-3"}}}}
	text := Instrument{}.Summarize(asked(nil), talkedOf(result)).Markdown
	for _, want := range []string{"| records told | 12 | 12 |", "c3 (telephone number)", "asked-4", "IBAN", "| gateway default | Never | not said |", "| integration lms | no assurance |"} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is not in\n%s", want, text)
		}
	}
}
