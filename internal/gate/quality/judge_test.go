package quality

import (
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/internal/evidence"
	"github.com/affineur/affineur/internal/gate"
)

// judging is a gate with a judge that may see the prototype's data.
func judging(t *testing.T, edits ...func(*gate.Case)) gate.Case {
	t.Helper()
	c := caseOfSet(t, text(50))
	c.Gate.Quality.Judge = &v1alpha1.QualityJudge{Gateway: "judges", Model: "judge-large", Rubric: "A good answer is polite.", Examples: 20}
	c.Record.Requirements.DataRules = []v1alpha1.DataRule{{Name: "titles", Class: v1alpha1.DataPublic}}
	c.Record.Requirements.Judges = []v1alpha1.ModelGateway{{
		Name: "judges", Address: "https://models.example.org:8443/v1/", MayCarry: v1alpha1.MayCarry{Classes: []v1alpha1.DataClass{v1alpha1.DataPublic}},
		Credentials: &v1alpha1.CredentialSource{Secret: v1alpha1.LocalName{Name: "judge-keys"}},
	}}
	for _, edit := range edits {
		edit(&c)
	}
	return c
}

func planned(t *testing.T, c gate.Case) (gate.Run, evidence.QualityOrder) {
	t.Helper()
	runs, err := Instrument{}.Plan(c, gate.Taken{})
	if err != nil || len(runs) != 1 {
		t.Fatalf("%v, %v", runs, err)
	}
	order, err := evidence.Read[evidence.QualityOrder](runs[0].Order)
	if err != nil {
		t.Fatal(err)
	}
	return runs[0], *order
}

func TestAJudgeIsPlanned(t *testing.T) {
	run, order := planned(t, judging(t))
	want := &evidence.JudgeOrder{
		Call: evidence.Call{URL: "https://models.example.org:8443", Timeout: evidence.Duration(time.Minute),
			OpenAIChat: &evidence.ChatCall{Path: "/v1/chat/completions", Model: "judge-large"}},
		Rubric: "A good answer is polite.", Examples: 20, Keyed: true, Within: order.Judge.Within,
	}
	if diff := cmp.Diff(want, order.Judge); diff != "" {
		t.Error(diff)
	}
	plain, without := planned(t, judging(t, func(c *gate.Case) { c.Gate.Quality.Judge = nil }))
	if run.Gateway != "judges" || plain.Gateway != "" || without.Judge != nil || run.Length != plain.Length+order.Judge.Within.Std() {
		t.Errorf("%q for %v, %q for %v", run.Gateway, run.Length, plain.Gateway, plain.Length)
	}
	// All but the judge's part is what it is without one.
	order.Judge = nil
	if diff := cmp.Diff(without, order); diff != "" {
		t.Error(diff)
	}
}

// Nobody is shown what may not go to them, and nothing of what is measured has less time for it.
func TestJudgesThatAreNotAsked(t *testing.T) {
	until := func(day string) func(*gate.Case) {
		return func(c *gate.Case) {
			c.Record.Requirements.DataRules[0] = v1alpha1.DataRule{Name: "titles", Class: v1alpha1.DataPublic, Residency: []string{"eu"}}
			c.Record.Requirements.Judges[0].Assurance = &v1alpha1.Assurance{TrainsOnInputs: v1alpha1.TrainingNever, Residency: "eu", CheckedBy: "privacy", ValidUntil: day}
		}
	}
	for name, c := range map[string]struct {
		edit func(*gate.Case)
		asks bool
		says string
	}{
		"an assurance that counts": {until("2026-03-04"), true, ""},
		"one that is over":         {until("2026-03-03"), false, "counted until 2026-03-03"},
		"a stricter class": {func(c *gate.Case) {
			c.Record.Requirements.DataRules = append(c.Record.Requirements.DataRules, v1alpha1.DataRule{Name: "members", Class: v1alpha1.DataRestricted})
		}, false, "members may not go to gateway judges"},
		"a category": {func(c *gate.Case) {
			c.Record.Requirements.DataRules[0].Categories = []string{"PersonalData"}
		}, false, "titles may not go to gateway judges"},
		"training that nobody knows of": {func(c *gate.Case) {
			c.Record.Requirements.DataRules[0].MayTrain = v1alpha1.MayTrainNever
		}, false, "nobody has said what happens there"},
		"no rules":          {func(c *gate.Case) { c.Record.Requirements.DataRules = nil }, false, "was not frozen"},
		"no gateway":        {func(c *gate.Case) { c.Record.Requirements.Judges = nil }, false, "gateway judges was not frozen"},
		"an address of no":  {func(c *gate.Case) { c.Record.Requirements.Judges[0].Address = "https://" }, false, "can't be asked"},
		"an emergency stop": {func(c *gate.Case) { c.Ground.Severed = []string{"judges"} }, false, "an emergency stop cuts its gateway judges off"},
		"a stop of another": {func(c *gate.Case) { c.Ground.Severed = []string{"default"} }, true, ""},
		"a key in the clear": {func(c *gate.Case) {
			c.Record.Requirements.Judges[0].Address = "http://models.example.org/v1"
			c.Record.Requirements.Judges[0].To = v1alpha1.Destination{CIDR: &v1alpha1.CIDRDestination{}}
		}, false, "its key would go in the clear to http://models.example.org/v1"},
		"a key in the clear to a pod": {func(c *gate.Case) {
			c.Record.Requirements.Judges[0].Address = "http://models.judges.svc:8080/v1"
			c.Record.Requirements.Judges[0].To = v1alpha1.Destination{Pods: &v1alpha1.PodDestination{}}
		}, true, ""},
		"no key in the clear": {func(c *gate.Case) {
			c.Record.Requirements.Judges[0].Address, c.Record.Requirements.Judges[0].Credentials = "http://models.example.org/v1", nil
		}, true, ""},
		"no time for it":      {func(c *gate.Case) { c.Gate.Timeout = &metav1.Duration{Duration: 5 * time.Minute} }, false, "no time for it"},
		"time enough for all": {func(c *gate.Case) { c.Gate.Timeout = &metav1.Duration{Duration: time.Hour} }, true, ""},
	} {
		t.Run(name, func(t *testing.T) {
			asked := judging(t, c.edit)
			run, order := planned(t, asked)
			if (order.Judge != nil) != c.asks || (run.Gateway != "") != c.asks {
				t.Fatalf("%+v by %q", order.Judge, run.Gateway)
			}
			if limit := asked.Gate.Timeout; limit != nil && c.asks && run.Length > limit.Duration-starting {
				t.Errorf("it takes %v of %v", run.Length, limit.Duration)
			}
			_, without := planned(t, judging(t, c.edit, func(c *gate.Case) { c.Gate.Quality.Judge = nil }))
			if without.Within != order.Within {
				t.Errorf("questions have %v, without a judge %v", order.Within, without.Within)
			}
			v := Instrument{}.Judge(asked, took(t, asked, all50(t, right, right)))
			want(t, v, gate.Passed, v1alpha1.ReasonAnswersRight)
			if !c.asks && (len(v.Findings) != 1 || v.Findings[0].Reason != v1alpha1.ReasonJudgeSilent || !strings.Contains(v.Findings[0].Message, c.says)) {
				t.Errorf("%+v", v.Findings)
			}
		})
	}
}

func TestWhatAJudgeAdds(t *testing.T) {
	result := all50(t, right, right)
	result.Judge = &evidence.JudgeResult{
		Shown: 20, Good: 11, Unparsable: 3, Refused: 1, Silent: 1, Rejected: 1, Status: 404, Models: []evidence.ModelSeen{{Name: "judge-small", Answers: 18}},
		Objections: []evidence.JudgeObjection{{ID: "line-2", Why: evidence.JudgeWrong}, {ID: "line-9", Why: evidence.JudgeTone}, {ID: "line-12", Why: evidence.JudgeWrong}},
	}
	c := judging(t)
	v := Instrument{}.Judge(c, took(t, c, result))
	want(t, v, gate.Passed, v1alpha1.ReasonAnswersRight)
	for i, f := range []gate.Finding{
		{Reason: v1alpha1.ReasonJudgeObjects, Owner: v1alpha1.OwnerBusiness, Message: "objects to 3 of 20 answers that the examples call right: 2 wrong, 1 tone (line-2, line-9, line-12)"},
		{Reason: v1alpha1.ReasonJudgeSilent, Owner: v1alpha1.OwnerIT, Message: "no usable word about 6 of 20 answers: 3 verdicts that can't be read, 1 refusals to judge, 1 that did not come, 1 that its gateway answered with an error (status 404)"},
		{Reason: v1alpha1.ReasonJudgeSilent, Owner: v1alpha1.OwnerIT, Message: "come from judge-small, and judge-large was to judge"},
	} {
		if len(v.Findings) != 3 || v.Findings[i].Reason != f.Reason || v.Findings[i].Owner != f.Owner || !strings.Contains(v.Findings[i].Message, f.Message) {
			t.Fatalf("%+v", v.Findings)
		}
	}
	summary := Instrument{}.Summarize(c, took(t, c, result)).Markdown
	for _, says := range []string{"shown 20 right answers, and finds 11 good", "**The judge calls 2 wrong:** line-2, line-12", "`judge-small`"} {
		if !strings.Contains(summary, says) {
			t.Errorf("%q is not in %s", says, summary)
		}
	}
}

// Gateways put a provider before a model's name.
func TestWhoJudged(t *testing.T) {
	for seen, others := range map[string]string{"judge-large": "", "Judge-Large": "", "provider/judge-large": "", "": "", "judge-large-2": "judge-large-2", "judge": "judge"} {
		said := evidence.JudgeResult{Models: []evidence.ModelSeen{{Name: seen, Fingerprint: "f", Answers: 1}}}
		if got := otherJudges("judge-large", said); got != others {
			t.Errorf("%q: others are %q", seen, got)
		}
	}
}

// A judge that nobody asked for is a report that nobody ordered.
func TestAJudgeThatNobodyAsked(t *testing.T) {
	c := judging(t, func(c *gate.Case) { c.Gate.Quality.Judge = nil })
	result := all50(t, right, right)
	result.Judge = &evidence.JudgeResult{Shown: 1, Good: 1}
	want(t, Instrument{}.Judge(c, took(t, c, result)), gate.Inconclusive, v1alpha1.ReasonEvidenceUnverifiable, "nobody asked for")
}

// someJudge says anything that a judge can say about a result.
func someJudge(r evidence.QualityResult, chance *rand.Rand) *evidence.JudgeResult {
	var j evidence.JudgeResult
	for _, c := range r.Cases {
		if c.Answers[0].Outcome != evidence.CaseRight || j.Shown == evidence.MaxJudged {
			continue
		}
		j.Shown++
		switch chance.IntN(6) {
		case 0:
			j.Good++
		case 1:
			j.Unparsable++
		case 2:
			j.Refused++
		case 3:
			j.Silent++
		default:
			j.Objections = append(j.Objections, evidence.JudgeObjection{ID: c.ID, Why: evidence.JudgeWhys[chance.IntN(len(evidence.JudgeWhys))]})
		}
	}
	return &j
}

// Whatever a judge says, and whether it says anything: state, reason, message, time and holes are those of the assertions.
func TestAJudgeDecidesNothing(t *testing.T) {
	chance := rand.New(rand.NewPCG(7, 11))
	with, without := judging(t), judging(t, func(c *gate.Case) { c.Gate.Quality.Judge = nil })
	states := map[gate.State]int{}
	kinds := [][]evidence.CaseAnswer{{right, right}, {right, wrong}, {wrong, wrong}, {broken, right}, {right, lost}, {throttle, throttle}, {unheard, unheard}}
	for range 500 {
		result := all50(t, right, right)
		share := chance.IntN(20)
		for i := range result.Cases {
			if chance.IntN(20) < share {
				result.Cases[i].Answers = kinds[chance.IntN(len(kinds))]
			}
		}
		alone := Instrument{}.Judge(without, took(t, without, result))
		states[alone.State]++
		for _, said := range []*evidence.JudgeResult{nil, {}, someJudge(result, chance)} {
			result.Judge = said
			both := Instrument{}.Judge(with, took(t, with, result))
			added := both.Findings[min(len(alone.Findings), len(both.Findings)):]
			for _, f := range added {
				if f.Reason != v1alpha1.ReasonJudgeObjects && f.Reason != v1alpha1.ReasonJudgeSilent {
					t.Errorf("the judge adds %+v", f)
				}
			}
			both.Findings = both.Findings[:len(both.Findings)-len(added)]
			if diff := cmp.Diff(alone, both, cmpopts.EquateEmpty()); diff != "" {
				t.Fatalf("with a judge that says %+v:\n%s", said, diff)
			}
		}
	}
	if len(states) < 3 {
		t.Errorf("not every verdict was tried: %v", states)
	}
}
