package scalability_test

import (
	"strings"
	"testing"
	"time"

	"k8s.io/utils/ptr"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/internal/evidence"
	"github.com/affineur/affineur/internal/gate"
	"github.com/affineur/affineur/internal/gate/scalability"
)

func upTo(n int32) func(*gate.Case) {
	return func(c *gate.Case) { c.Gate.Scalability.UpToReplicas = n }
}

func allowing(least, most int32) func(*gate.Case) {
	return func(c *gate.Case) {
		c.Record.Requirements.Production.Replicas = v1alpha1.ReplicaRange{Min: least, Max: most}
	}
}

// late answers nobody in time.
func late(rate string) evidence.StepResult {
	s := lasting(rate, 5*time.Second)
	s.WithinTarget = 0
	return s
}

// carried is a run whose limit lies at a rate.
func carried(rate string, steps ...string) gate.Witnessed {
	var climb []evidence.StepResult
	for i, r := range append(steps, rate) {
		s := lasting(r, 100*ms)
		if i == len(steps) {
			s = behind(lasting(r, 900*ms))
		}
		climb = append(climb, s)
	}
	return takenOf([]evidence.StepResult{lasting("30", 100*ms)}, climb...).Runs[""]
}

func failed() gate.Witnessed { return takenOf([]evidence.StepResult{late("30")}).Runs[""] }

func lost(noRoom bool) gate.Witnessed {
	return gate.Witnessed{Measurement: gate.Measurement{Lost: "no node has room for 1 of them", NoRoom: noRoom}}
}

func with124(one, two, four gate.Witnessed) gate.Taken {
	return gate.Taken{Runs: map[string]gate.Witnessed{"": one, "x2": two, "x4": four}}
}

func TestReplicasArePlannedOnceOneSaidSomething(t *testing.T) {
	i := scalability.Instrument{}
	found, unfound := carried("60", "42"), takenOf([]evidence.StepResult{lasting("30", 100*ms)}, lasting("60", 100*ms)).Runs[""]
	limited := takenOf([]evidence.StepResult{unable(lasting("30", 100*ms))}).Runs[""]
	for name, c := range map[string]struct {
		of    gate.Case
		first *gate.Witnessed
		want  string
	}{
		"nothing is asked for":         {caseOf(), &found, ""},
		"one is asked for":             {caseOf(upTo(1)), &found, ""},
		"one is not measured yet":      {caseOf(upTo(4)), nil, ""},
		"one says nothing":             {caseOf(upTo(4)), &limited, ""},
		"one is lost":                  {caseOf(upTo(4)), &gate.Witnessed{Measurement: gate.Measurement{Lost: "x"}}, ""},
		"up to four":                   {caseOf(upTo(4)), &found, "x2 x4"},
		"up to six":                    {caseOf(upTo(6)), &found, "x2 x4 x6"},
		"more than ever":               {caseOf(upTo(99), allowing(1, 99)), &found, "x2 x4 x8 x16"},
		"production may have three":    {caseOf(upTo(16), allowing(1, 3)), &found, "x2 x3"},
		"production may have only one": {caseOf(upTo(16), allowing(1, 1)), &found, ""},
		"one fails":                    {caseOf(upTo(2)), ptr.To(failed()), "x2"},
		"one's limit was not found":    {caseOf(upTo(2)), &unfound, "x2"},
	} {
		taken := gate.Taken{Runs: map[string]gate.Witnessed{}}
		if c.first != nil {
			taken.Runs[""] = *c.first
		}
		runs, err := i.Plan(c.of, taken)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		var parts []string
		for _, r := range runs[1:] {
			parts = append(parts, r.Part)
			order := evidence.As[evidence.LoadSpec](r.Order)
			if r.Replicas < 2 || order.Steps[0] != evidence.As[evidence.LoadSpec](runs[0].Order).Steps[0] || order.Validate() != nil {
				t.Errorf("%s: %+v", name, r)
			}
			if climbs := order.Climb != nil; climbs == (name == "one's limit was not found") {
				t.Errorf("%s: climbs: %t", name, climbs)
			}
		}
		if got := strings.Join(parts, " "); got != c.want {
			t.Errorf("%s: got %q, want %q", name, got, c.want)
		}
	}
}

// The climb of several replicas goes as much higher as there are more of them.
func TestReplicasAreClimbedHigher(t *testing.T) {
	runs, err := scalability.Instrument{}.Plan(caseOf(upTo(4)), gate.Taken{Runs: map[string]gate.Witnessed{"": carried("60", "42")}})
	if err != nil || len(runs) != 3 {
		t.Fatal(runs, err)
	}
	for i, want := range []int{4, 6, 8} {
		if got := evidence.As[evidence.LoadSpec](runs[i].Order).Climb.Most; got != want {
			t.Errorf("%s: %d steps, want %d", runs[i].Part, got, want)
		}
	}
}

func TestReplicasJudged(t *testing.T) {
	one, two, four := carried("60", "42"), carried("120", "42", "60", "84"), carried("240", "42", "84", "120", "169")
	i := scalability.Instrument{}
	for name, c := range map[string]struct {
		of     gate.Case
		taken  gate.Taken
		state  gate.State
		reason string
		size   gate.Size
		says   string
	}{
		"all keep it": {caseOf(upTo(4)), with124(one, two, four), gate.Passed, v1alpha1.ReasonSustainsDemand, gate.Size{Min: 2, Max: 3}, "kept with 2 and 4 replicas too"},
		"not yet":     {caseOf(upTo(4)), with124(one, two, gate.Witnessed{}), gate.Pending, v1alpha1.ReasonNotMeasured, gate.Size{}, "with 4 replicas: the load measurement has not ended"},
		"one fails and two are to come": {caseOf(upTo(4)), with124(failed(), gate.Witnessed{}, gate.Witnessed{}), gate.Pending, v1alpha1.ReasonNotMeasured,
			gate.Size{}, "with 2 replicas"},
		"no room for four": {caseOf(upTo(4)), with124(one, two, lost(true)), gate.Passed, v1alpha1.ReasonSustainsDemand, gate.Size{Min: 2, Max: 3},
			"4 replicas could not be measured: no node has room"},
		"no room for two, and one fails": {caseOf(upTo(4)), with124(failed(), lost(true), gate.Witnessed{}), gate.Failed, v1alpha1.ReasonTooSlow,
			gate.Size{}, "2 replicas could not be measured"},
		"two are lost otherwise":             {caseOf(upTo(4)), with124(one, lost(false), gate.Witnessed{}), gate.Inconclusive, v1alpha1.ReasonMeasurementLost, gate.Size{}, "with 2 replicas"},
		"one fails and two are lost":         {caseOf(upTo(4)), with124(failed(), lost(false), gate.Witnessed{}), gate.Inconclusive, v1alpha1.ReasonMeasurementLost, gate.Size{}, "with 2 replicas"},
		"two fail, and production has two":   {caseOf(upTo(4)), with124(one, failed(), failed()), gate.Failed, v1alpha1.ReasonWorseWithReplicas, gate.Size{}, "production has at least 2"},
		"two fail, and production needs one": {caseOf(upTo(4), allowing(1, 10)), with124(one, failed(), four), gate.Passed, v1alpha1.ReasonSustainsDemand, gate.Size{Min: 1, Max: 1, Most: 1}, "30 req/s"},
		"four fail":                          {caseOf(upTo(4)), with124(one, two, failed()), gate.Passed, v1alpha1.ReasonSustainsDemand, gate.Size{Min: 2, Max: 2, Most: 2}, "kept with 2 replicas too"},
		"four keep what one does not": {caseOf(upTo(4)), with124(failed(), failed(), four), gate.Passed, v1alpha1.ReasonSustainsDemand, gate.Size{Min: 4, Max: 6},
			"4 replicas keep the promises that fewer don't"},
		"none keeps it": {caseOf(upTo(4)), with124(failed(), failed(), failed()), gate.Failed, v1alpha1.ReasonTooSlow, gate.Size{}, "nor with 2 and 4 replicas"},
		"another subject": {caseOf(upTo(4)), with124(one, gate.Witnessed{Measurement: gate.Measurement{Report: ofAnother(two)}}, four), gate.Inconclusive,
			v1alpha1.ReasonEvidenceUnverifiable, gate.Size{}, "another subject"},
		"less was sent to two": {caseOf(upTo(4)), with124(one, takenOf([]evidence.StepResult{lasting("3", 100*ms)}).Runs[""], four), gate.Inconclusive,
			v1alpha1.ReasonEvidenceUnverifiable, gate.Size{}, "not what the requirements demand"},
	} {
		v := i.Judge(c.of, c.taken)
		if v.State != c.state || v.Reason != c.reason || !strings.Contains(v.Message, c.says) {
			t.Errorf("%s: got %+v", name, v)
		}
		if size, told := i.Size(c.of, c.taken); size != c.size || told != (c.state == gate.Passed) {
			t.Errorf("%s: a size of %+v, %t", name, size, told)
		}
	}
}

func ofAnother(w gate.Witnessed) *evidence.Report {
	out := *w.Report
	out.Subject = "sha256:" + strings.Repeat("9", 64)
	return &out
}

// What stands in nobody's way is told all the same.
func TestReplicasRemarked(t *testing.T) {
	one, two, four := carried("60", "42"), carried("60", "42"), carried("60", "42")
	for name, c := range map[string]struct {
		taken gate.Taken
		of    gate.Case
		want  string
	}{
		"they share":        {with124(one, two, four), caseOf(upTo(4)), v1alpha1.ReasonReplicasShare},
		"no room":           {with124(one, lost(true), gate.Witnessed{}), caseOf(upTo(4)), v1alpha1.ReasonNoRoomForReplicas},
		"worse":             {with124(one, failed(), failed()), caseOf(upTo(4), allowing(1, 4)), v1alpha1.ReasonWorseWithReplicas},
		"nothing to remark": {with124(one, carried("120", "42", "84"), carried("240", "42", "84", "169")), caseOf(upTo(4)), ""},
	} {
		v := scalability.Instrument{}.Judge(c.of, c.taken)
		var got []string
		for _, f := range v.Findings {
			got = append(got, f.Reason)
		}
		if v.State != gate.Passed || strings.Join(got, " ") != c.want {
			t.Errorf("%s: %s with %v, want %s", name, v.State, v.Findings, c.want)
		}
	}
}

func TestReplicasSummarized(t *testing.T) {
	taken := with124(carried("60", "42"), carried("120", "42", "60", "84"), carried("240", "42", "84", "120", "169"))
	got := scalability.Instrument{}.Summarize(caseOf(upTo(4)), taken)
	for _, want := range []string{
		"### With 1 replica", "### With 4 replicas", "| 4 | 169 req/s | 169 req/s | overloaded at 240 req/s |",
		"The Universal Scalability Law over 3 numbers of replicas: λ = ", "κ is taken as 0", "R² = 1", "and what replicas carry",
	} {
		if !strings.Contains(got.Markdown, want) {
			t.Errorf("%q is not in\n%s", want, got.Markdown)
		}
	}
	svg := got.Files["plot.svg"]
	wantSafe(t, svg)
	if !strings.Contains(svg, "What replicas carry") || !strings.Contains(svg, "fitted from 3 levels") {
		t.Error("the plot shows no replicas")
	}
	short := scalability.Instrument{}.Summarize(caseOf(upTo(4)), with124(carried("60", "42"), carried("120", "42", "84"), lost(true)))
	if !strings.Contains(short.Markdown, "says nothing about them: 2 levels") {
		t.Errorf("two numbers make a curve:\n%s", short.Markdown)
	}
}
