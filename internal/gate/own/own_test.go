package own

import (
	"slices"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/internal/condition"
	"github.com/affineur/affineur/internal/evidence"
	"github.com/affineur/affineur/internal/gate"
)

var (
	now     = time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)
	advisor = condition.Prototype{
		Name: "churn-advisor", Namespace: "membership", UID: "4f1c", Team: "membership", SandboxNamespace: "affx-membership-churn-advisor-1a2b3c4d",
		Image: "registry.example.org/a@sha256:" + strings.Repeat("a", 64), ImageDigest: "sha256:" + strings.Repeat("a", 64),
	}
	criteria = v1alpha1.Criteria{SuccessWhen: "true", FailureWhen: "false"}
)

func said(success, failure evidence.Answer) *evidence.Answers {
	a := &evidence.Answers{Success: success, Failure: failure}
	if success == evidence.AnswerNone {
		a.SuccessWhy = "there is no field a"
	}
	if failure == evidence.AnswerNone {
		a.FailureWhy = "there is no field a"
	}
	return a
}

func TestDecided(t *testing.T) {
	const yes, no, none = evidence.AnswerHolds, evidence.AnswerDoesNot, evidence.AnswerNone
	for name, tc := range map[string]struct {
		answers *evidence.Answers
		state   gate.State
		reason  string
	}{
		"success":                 {said(yes, no), gate.Passed, v1alpha1.ReasonConditionsMet},
		"failure":                 {said(no, yes), gate.Failed, v1alpha1.ReasonFailureShown},
		"neither":                 {said(no, no), gate.Inconclusive, v1alpha1.ReasonNeitherShown},
		"both":                    {said(yes, yes), gate.Inconclusive, v1alpha1.ReasonBothShown},
		"success, failure silent": {said(yes, none), gate.Inconclusive, v1alpha1.ReasonConditionUndecided},
		"failure, success silent": {said(none, yes), gate.Inconclusive, v1alpha1.ReasonConditionUndecided},
		"silence":                 {said(none, none), gate.Inconclusive, v1alpha1.ReasonConditionUndecided},
		"an unknown word":         {said("Yes", no), gate.Inconclusive, v1alpha1.ReasonConditionUndecided},
		"nothing":                 {nil, gate.Inconclusive, v1alpha1.ReasonEvidenceUnverifiable},
		"empty":                   {&evidence.Answers{}, gate.Inconclusive, v1alpha1.ReasonConditionUndecided},
	} {
		got := decided(tc.answers, "it", now)
		if got.State != tc.state || got.Reason != tc.reason {
			t.Errorf("%s: got %s %s", name, got.State, got.Reason)
		}
		if (got.State == gate.Passed) != (len(got.Findings) == 0) {
			t.Errorf("%s: %d findings", name, len(got.Findings))
		}
	}
}

func TestResourceOrderOfAPolicy(t *testing.T) {
	good := v1alpha1.ResourceGate{APIVersion: "scan.example.org/v1", Kind: "ScanReport", Namespace: "scanners", Name: "all", MadeAt: "object.at", Criteria: criteria}
	for name, tc := range map[string]struct {
		mend func(*v1alpha1.ResourceGate)
		want string
		says string
	}{
		"fixed": {func(*v1alpha1.ResourceGate) {}, "scanners/all", ""},
		"by expressions": {func(g *v1alpha1.ResourceGate) {
			g.Namespace, g.NamespaceExpression, g.Name, g.NameExpression = "", "prototype.sandboxNamespace", "", "prototype.name + '-' + prototype.imageDigest.substring(7, 15)"
		}, "affx-membership-churn-advisor-1a2b3c4d/churn-advisor-aaaaaaaa", ""},
		"of the cluster":                  {func(g *v1alpha1.ResourceGate) { g.Namespace = "" }, "/all", ""},
		"where the team writes":           {func(g *v1alpha1.ResourceGate) { g.Namespace = "membership" }, "", "own namespace"},
		"where the team writes, computed": {func(g *v1alpha1.ResourceGate) { g.Namespace, g.NamespaceExpression = "", "prototype.namespace" }, "", "own namespace"},
		"a name that is none":             {func(g *v1alpha1.ResourceGate) { g.Name, g.NameExpression = "", "'../' + prototype.name" }, "", "name is none"},
		"an empty name":                   {func(g *v1alpha1.ResourceGate) { g.Name, g.NameExpression = "", "''" }, "", "name is none"},
		"an expression that errs":         {func(g *v1alpha1.ResourceGate) { g.Name, g.NameExpression = "", "prototype.name.substring(99)" }, "", "nameExpression"},
		"no expression":                   {func(g *v1alpha1.ResourceGate) { g.Name, g.NameExpression = "", "prototype.nam" }, "", "nameExpression"},
		"a Secret":                        {func(g *v1alpha1.ResourceGate) { g.APIVersion, g.Kind = "v1", "Secret" }, "", "Secret"},
	} {
		g := good
		tc.mend(&g)
		got, err := resourceOrder(g, advisor)
		if tc.says != "" {
			if err == nil || !strings.Contains(err.Error(), tc.says) {
				t.Errorf("%s: got %v", name, err)
			}
			continue
		}
		if err != nil || got.Namespace+"/"+got.Name != tc.want {
			t.Errorf("%s: got %s/%s, %v", name, got.Namespace, got.Name, err)
		}
	}
}

func TestJudgeResource(t *testing.T) {
	order := evidence.ResourceOrder{APIVersion: "scan.example.org/v1", ObjectKind: "ScanReport", Namespace: "scanners", Name: "all"}
	at := func(ago time.Duration) *time.Time { then := now.Add(-ago); return &then }
	passing := said(evidence.AnswerHolds, evidence.AnswerDoesNot)
	read := func(made *time.Time) evidence.ResourceResult {
		r := evidence.ResourceResult{Found: evidence.FoundObject, UID: "a", MadeAt: made, Answers: passing}
		if made == nil {
			r.MadeWhy = "there is no field at"
		}
		return r
	}
	for name, tc := range map[string]struct {
		result evidence.ResourceResult
		maxAge time.Duration
		state  gate.State
		reason string
		says   string
	}{
		"fresh":                          {read(at(time.Hour)), 2 * time.Hour, gate.Passed, v1alpha1.ReasonConditionsMet, ""},
		"old":                            {read(at(3 * time.Hour)), 2 * time.Hour, gate.Inconclusive, v1alpha1.ReasonResourceOld, "2h0m0s"},
		"of the future":                  {read(at(-time.Minute)), 2 * time.Hour, gate.Inconclusive, v1alpha1.ReasonResourceOld, "not come"},
		"of no time":                     {read(nil), 2 * time.Hour, gate.Inconclusive, v1alpha1.ReasonResourceOld, "no field at"},
		"no age allowed":                 {read(at(0)), 0, gate.Inconclusive, v1alpha1.ReasonResourceOld, ""},
		"missing":                        {evidence.ResourceResult{Found: evidence.FoundNothing}, time.Hour, gate.Inconclusive, v1alpha1.ReasonResourceMissing, "ScanReport all of namespace scanners"},
		"no such kind":                   {evidence.ResourceResult{Found: evidence.FoundNoKind}, time.Hour, gate.Inconclusive, v1alpha1.ReasonResourceMissing, "scan.example.org/v1"},
		"forbidden":                      {evidence.ResourceResult{Found: evidence.FoundForbidden, Rule: "{resources: [scanreports]}"}, time.Hour, gate.Inconclusive, v1alpha1.ReasonResourceForbidden, ""},
		"where a team may write":         {evidence.ResourceResult{Found: evidence.FoundTeams}, time.Hour, gate.Inconclusive, v1alpha1.ReasonResourceOfTeam, "a team may write"},
		"nothing":                        {evidence.ResourceResult{}, time.Hour, gate.Inconclusive, v1alpha1.ReasonEvidenceUnverifiable, ""},
		"passing, but nothing was found": {evidence.ResourceResult{Found: evidence.FoundNothing, Answers: passing, MadeAt: at(0)}, time.Hour, gate.Inconclusive, v1alpha1.ReasonResourceMissing, ""},
	} {
		got := judgeResource(order, tc.maxAge, &tc.result, now, now)
		if got.State != tc.state || got.Reason != tc.reason || !strings.Contains(got.Message, tc.says) {
			t.Errorf("%s: got %s %s %q", name, got.State, got.Reason, got.Message)
		}
		if later := judgeResource(order, tc.maxAge, &tc.result, now, now.Add(time.Minute)); later.State == got.State && later.Message != got.Message {
			t.Errorf("%s: the message changes while nothing does: %q", name, later.Message)
		}
	}
	forbidden := judgeResource(order, time.Hour, &evidence.ResourceResult{Found: evidence.FoundForbidden, Rule: "{resources: [scanreports]}"}, now, now)
	if !strings.Contains(forbidden.Findings[0].Hint, "{resources: [scanreports]}") || !strings.Contains(forbidden.Findings[0].Hint, v1alpha1.LabelAggregateToReads) {
		t.Errorf("hint %q", forbidden.Findings[0].Hint)
	}
}

func TestJudgeMetric(t *testing.T) {
	opened := now.Add(-time.Hour).Add(300 * time.Millisecond)
	g := v1alpha1.MetricGate{Query: `sum(rate(errors{namespace="$sandbox"}[$window]))`, Window: metav1.Duration{Duration: 10 * time.Minute}, Series: v1alpha1.SeriesOne, Criteria: criteria}
	order, err := metricOrder(g, opened, advisor)
	if err != nil {
		t.Fatal(err)
	}
	if order.Start.Before(opened) || order.End.Sub(order.Start) != 10*time.Minute {
		t.Errorf("window from %s to %s", order.Start, order.End)
	}
	answered := evidence.MetricResult{
		Outcome: evidence.MetricAnswered, Start: order.Start, End: order.End, Series: 1, Lowest: "0.01", Highest: "0.01",
		Answers: said(evidence.AnswerHolds, evidence.AnswerDoesNot),
	}
	for name, tc := range map[string]struct {
		mend  func(*evidence.MetricResult)
		at    time.Time
		state gate.State
	}{
		"success":                 {func(*evidence.MetricResult) {}, now, gate.Passed},
		"failure":                 {func(r *evidence.MetricResult) { r.Answers = said(evidence.AnswerDoesNot, evidence.AnswerHolds) }, now, gate.Failed},
		"neither":                 {func(r *evidence.MetricResult) { r.Answers = said(evidence.AnswerDoesNot, evidence.AnswerDoesNot) }, now, gate.Inconclusive},
		"another window":          {func(r *evidence.MetricResult) { r.Start, r.End = r.Start.Add(time.Minute), r.End.Add(time.Minute) }, now, gate.Inconclusive},
		"a shorter window":        {func(r *evidence.MetricResult) { r.End = r.End.Add(-time.Minute) }, now, gate.Inconclusive},
		"before the window ended": {func(*evidence.MetricResult) {}, order.End.Add(-time.Second), gate.Inconclusive},
	} {
		r := answered
		tc.mend(&r)
		if got := judgeMetric(order, &r, tc.at); got.State != tc.state {
			t.Errorf("%s: got %s %q", name, got.State, got.Message)
		}
	}
	for _, outcome := range []evidence.MetricOutcome{
		evidence.MetricNoData, evidence.MetricNotANumber, evidence.MetricManySeries, evidence.MetricOtherForm, evidence.MetricWarned,
		evidence.MetricRejected, evidence.MetricUnreachable, evidence.MetricUnusable, "", "Fine",
	} {
		r := evidence.MetricResult{Outcome: outcome, Start: order.Start, End: order.End, Answers: answered.Answers}
		if got := judgeMetric(order, &r, now); got.State != gate.Inconclusive || got.Reason != v1alpha1.ReasonMetricUnclear || len(got.Findings) != 1 {
			t.Errorf("%s: got %s %s", outcome, got.State, got.Reason)
		}
	}
}

func TestJob(t *testing.T) {
	g := v1alpha1.JobGate{Image: advisor.Image, Network: v1alpha1.JobSandbox, Settings: []v1alpha1.JobSetting{{Name: "path", Value: "/v1"}}}
	order, err := jobOrder(g, "http://prototype:8080", advisor)
	if err != nil || order.URL == "" || !slices.Equal(order.Settings, []evidence.Setting{{Name: "path", Value: "/v1"}}) {
		t.Errorf("got %+v, %v", order, err)
	}
	g.Network = v1alpha1.JobClosed
	if order, err := jobOrder(g, "http://prototype:8080", advisor); err != nil || order.URL != "" {
		t.Errorf("a closed job is told where the prototype is: %+v, %v", order, err)
	}
	found := []evidence.JobFinding{{Message: "no title", Hint: "write one", Owner: "Business"}}
	for verdict, want := range map[evidence.JobVerdict]gate.State{
		evidence.JobPassed: gate.Passed, evidence.JobFailed: gate.Failed, evidence.JobInconclusive: gate.Inconclusive, "": gate.Inconclusive, "passed": gate.Inconclusive,
	} {
		got := judgeJob(&evidence.JobResult{Verdict: verdict, Summary: "said", Findings: found}, now)
		if got.State != want || got.Message != "said" {
			t.Errorf("%s: got %s %q", verdict, got.State, got.Message)
		}
		if want == gate.Failed && (len(got.Findings) != 1 || got.Findings[0].Owner != v1alpha1.OwnerBusiness) {
			t.Errorf("%s: findings %+v", verdict, got.Findings)
		}
	}
}
