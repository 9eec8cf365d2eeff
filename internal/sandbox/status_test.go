package sandbox

import (
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/internal/names"
	"github.com/affineur/affineur/internal/policy"
)

// aReview of the prototype.
func aReview(ordinal int, subject string, change func(*v1alpha1.HardeningReviewStatus)) v1alpha1.HardeningReview {
	r := v1alpha1.HardeningReview{
		ObjectMeta: metav1.ObjectMeta{Name: names.Of(aPrototype().obj()).Review(ordinal), CreationTimestamp: metav1.NewTime(birth)},
		Spec:       v1alpha1.HardeningReviewSpec{SubjectDigest: subject},
	}
	if change != nil {
		change(&r.Status)
	}
	return r
}

func promoting(step v1alpha1.PromotionStep) func(*v1alpha1.HardeningReviewStatus) {
	return func(s *v1alpha1.HardeningReviewStatus) {
		s.Promotion = &v1alpha1.PromotionStatus{Step: step, URL: "http://p", ServingSince: ptr.To(metav1.NewTime(birth))}
	}
}

func observed(change func(*Snapshot)) Snapshot {
	p := aPrototype().inProduction().obj()
	s := Snapshot{Prototype: p, Identity: names.Of(p), Policy: aPolicy(), SubjectDigest: "now"}
	s.Requirements.Team.Name = "membership"
	if change != nil {
		change(&s)
	}
	return s
}

func live(s *Snapshot) {
	s.Production = &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: s.Identity.Production(), Labels: s.Identity.Labels("production")}}
}

func TestProduction(t *testing.T) {
	before := &v1alpha1.ProductionStatus{Namespace: "p", SubjectDigest: "old", Review: "churn-advisor-1"}
	for name, test := range map[string]struct {
		change func(*Snapshot)
		review string
	}{
		"nothing": {nil, ""},
		"serves": {func(s *Snapshot) {
			live(s)
			s.Reviews = []v1alpha1.HardeningReview{aReview(1, "now", promoting(v1alpha1.StepServing))}
		}, "churn-advisor-1"},
		"namespace gone": {func(s *Snapshot) {
			s.Reviews = []v1alpha1.HardeningReview{aReview(1, "now", promoting(v1alpha1.StepServing))}
		}, ""},
		"a newer one is under way": {func(s *Snapshot) {
			live(s)
			s.Reviews = []v1alpha1.HardeningReview{aReview(1, "old", promoting(v1alpha1.StepServing)), aReview(2, "now", nil)}
		}, "churn-advisor-1"},
		"a newer one soaks": {func(s *Snapshot) {
			live(s)
			s.Reviews = []v1alpha1.HardeningReview{aReview(1, "old", promoting(v1alpha1.StepServing)), aReview(2, "now", promoting(v1alpha1.StepSoaking))}
		}, "churn-advisor-1"},
		"a newer one serves": {func(s *Snapshot) {
			live(s)
			s.Reviews = []v1alpha1.HardeningReview{aReview(1, "old", promoting(v1alpha1.StepServing)), aReview(2, "now", promoting(v1alpha1.StepServing))}
		}, "churn-advisor-2"},
		"a newer one rolled back": {func(s *Snapshot) {
			live(s)
			s.Reviews = []v1alpha1.HardeningReview{aReview(1, "old", promoting(v1alpha1.StepServing)), aReview(2, "now", promoting(v1alpha1.StepRolledBack))}
		}, "churn-advisor-1"},
		"what served was taken back": {func(s *Snapshot) {
			live(s)
			s.Prototype.Status.Production = before
			s.Reviews = []v1alpha1.HardeningReview{aReview(1, "now", promoting(v1alpha1.StepRolledBack))}
		}, ""},
		"being retired": {func(s *Snapshot) {
			live(s)
			s.Reviews = []v1alpha1.HardeningReview{aReview(1, "old", promoting(v1alpha1.StepServing)), aReview(2, "now", promoting(v1alpha1.StepRetiring))}
		}, ""},
		"first one soaks": {func(s *Snapshot) {
			live(s)
			s.Reviews = []v1alpha1.HardeningReview{aReview(1, "now", promoting(v1alpha1.StepSoaking))}
		}, ""},
		"its view is gone":          {func(s *Snapshot) { live(s); s.Prototype.Status.Production = before }, "churn-advisor-1"},
		"a foreign namespace there": {func(s *Snapshot) { live(s); s.Production.Labels = nil; s.Prototype.Status.Production = before }, ""},
	} {
		t.Run(name, func(t *testing.T) {
			got := observed(test.change).production()
			if (got == nil) != (test.review == "") || got != nil && got.Review != test.review {
				t.Errorf("%+v, want %s", got, test.review)
			}
		})
	}
}

func TestWaitingMirrorsTheReview(t *testing.T) {
	due := metav1.NewTime(birth.Add(time.Hour))
	turns := []v1alpha1.WaitingOn{
		{Party: v1alpha1.PartyIT, Role: "security", Since: metav1.NewTime(birth), Due: &due, Message: "security has not decided."},
		{Party: v1alpha1.PartyIT, Role: "operations", Since: metav1.NewTime(birth.Add(time.Minute)), Message: "operations has not decided."},
	}
	s := observed(func(s *Snapshot) {
		s.Reviews = []v1alpha1.HardeningReview{aReview(1, "now", func(r *v1alpha1.HardeningReviewStatus) {
			r.WaitingOn, r.Summary = turns, &v1alpha1.Summary{Gates: "2/3"}
		})}
	})
	got := Status(s, Plan{State: Running}, Outcome{}, birth.Add(time.Hour))
	if len(got.WaitingOn) != 2 || *got.WaitingOn[0].Due != due {
		t.Errorf("%+v", got.WaitingOn)
	}
	if got.Summary.Gates != "2/3" || got.Summary.WaitingOn != "IT/security, IT/operations" || !got.Summary.Since.Time.Equal(birth) {
		t.Errorf("%+v", got.Summary)
	}
	s.Reviews[0].Status.Outcome = v1alpha1.OutcomeRejected
	// Whoever wants production is never left without a name: the team mends what was rejected, the operator opens what
	// is to be reviewed.
	if ended := Status(s, Plan{State: Running}, Outcome{}, birth).WaitingOn; len(ended) != 1 || ended[0].Party != v1alpha1.PartyBusiness {
		t.Errorf("after a rejection waits on %+v", ended)
	}
	s.Reviews[0].Status.Outcome, s.SubjectDigest = "", "next"
	if other := Status(s, Plan{State: Running}, Outcome{}, birth).WaitingOn; len(other) != 1 || other[0].Party != v1alpha1.PartyOperator {
		t.Errorf("before the review of another subject waits on %+v", other)
	}
}

// kstatus asks for exactly one Ready, and never for work and standstill at once.
func TestEveryStateReadsRight(t *testing.T) {
	states := []State{Deleting, Retiring, Retired, NeedStated, Expired, Suspended, Queued, Holding, Blocked, Conflict, Clearing, Measuring, Unmeasured, Unenforced, Starting, Running}
	for _, state := range states {
		t.Run(string(state), func(t *testing.T) {
			s := observed(func(s *Snapshot) {
				s.Namespace = namespace("affx", nil)
				if state == Blocked {
					s.Problems = []policy.Problem{{Reason: v1alpha1.ReasonUnknownName, Message: "No.", Hint: "Do.", Owner: v1alpha1.OwnerBusiness}}
				}
				if state == Deleting {
					s.Prototype.DeletionTimestamp = ptr.To(metav1.NewTime(birth))
				}
			})
			p := Plan{State: state, Isolation: &v1alpha1.IsolationStatus{Verdict: verdictInconclusive, Message: "Nothing was seen."}}
			if state == Queued {
				p.Place = place{queue: &v1alpha1.QueuePosition{Position: 2, Length: 3}, full: "has 10 of 10 sandboxes"}
			}
			status := Status(s, p, Outcome{}, birth)
			is := func(kind string) bool { return apimeta.IsStatusConditionTrue(status.Conditions, kind) }
			ready := apimeta.FindStatusCondition(status.Conditions, v1alpha1.ConditionReady)
			if ready == nil || ready.Reason == "" || ready.Message == "" {
				t.Fatalf("ready: %+v", ready)
			}
			working, stalled := is(v1alpha1.ConditionReconciling), is(v1alpha1.ConditionStalled)
			if working && stalled || is(v1alpha1.ConditionReady) == (working || stalled) {
				t.Errorf("ready %v, reconciling %v, stalled %v", ready.Status, working, stalled)
			}
			if stalled && (len(status.WaitingOn) == 0 || status.Summary.WaitingOn == "") {
				t.Error("it stalls and waits on nobody")
			}
			for _, c := range status.Conditions {
				if c.ObservedGeneration != s.Prototype.Generation || len(c.Message) > 512+64 {
					t.Errorf("%+v", c)
				}
			}
			again := observed(nil)
			again.Prototype = s.Prototype.DeepCopy()
			again.Prototype.Status = status
			again.Namespace, again.Problems = s.Namespace, s.Problems
			later := Status(again, p, Outcome{}, birth.Add(time.Hour))
			if !slices.EqualFunc(later.Conditions, status.Conditions, func(a, b metav1.Condition) bool { return a == b }) ||
				!slices.EqualFunc(later.WaitingOn, status.WaitingOn, func(a, b v1alpha1.WaitingOn) bool { return a == b }) {
				t.Errorf("an hour alone changes the status:\n%+v\n%+v", status, later)
			}
		})
	}
}

func TestEarlyJudgement(t *testing.T) {
	w := runs(t, aPrototype().with(func(p *v1alpha1.AIPrototype) {
		p.Spec.Demand = nil
		p.Spec.Workload.Container.Env = []v1alpha1.EnvVar{{Name: "DB_PASSWORD", Value: "correct-horse-battery-staple"}}
	}))
	gap := w.gap(v1alpha1.ReasonPlainSecret)
	if gap == nil || len(w.prototype().Status.Gaps) != 2 || w.gap(v1alpha1.ReasonDemandMissing) == nil {
		t.Fatalf("%+v", w.prototype().Status.Gaps)
	}
	if strings.Contains(gap.Message, "correct-horse") {
		t.Error("the gap tells the secret")
	}
	w.expect(v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonRunningInSandbox)
}

func TestTransitions(t *testing.T) {
	condition := func(kind string, status metav1.ConditionStatus, reason string) metav1.Condition {
		return metav1.Condition{Type: kind, Status: status, Reason: reason, Message: reason + "\x1b!"}
	}
	stalled := condition(v1alpha1.ConditionStalled, metav1.ConditionTrue, v1alpha1.ReasonNotEnforced)
	unready := condition(v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonNotEnforced)
	open := condition(v1alpha1.ConditionNetworkIsolated, metav1.ConditionFalse, v1alpha1.ReasonNotEnforced)
	ready := condition(v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonRunningInSandbox)
	unasked := condition(v1alpha1.ConditionReviewOpen, metav1.ConditionFalse, v1alpha1.ReasonNotRequested)

	got := transitions([]metav1.Condition{ready}, []metav1.Condition{unready, stalled, open})
	if len(got) != 1 || got[0].kind != corev1.EventTypeWarning || got[0].note != v1alpha1.ReasonNotEnforced+"!" {
		t.Errorf("%+v", got)
	}
	if got := transitions([]metav1.Condition{unready, stalled, open}, []metav1.Condition{unready, stalled, open}); len(got) > 0 {
		t.Errorf("told twice: %+v", got)
	}
	reviewed := condition(v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonInReview)
	serves := condition(v1alpha1.ConditionInProduction, metav1.ConditionTrue, v1alpha1.ReasonInProduction)
	follows := condition(v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonInProduction)
	if got := transitions([]metav1.Condition{reviewed, serves}, []metav1.Condition{follows, serves}); len(got) > 0 {
		t.Errorf("told again in other words: %+v", got)
	}
	if got := transitions(nil, []metav1.Condition{ready, unasked}); len(got) != 1 || got[0].kind != corev1.EventTypeNormal {
		t.Errorf("%+v", got)
	}
}

func TestAnswersOfAPriorReview(t *testing.T) {
	opened, ended := birth, birth.Add(time.Hour)
	before, after := birth.Add(30*time.Minute), birth.Add(2*time.Hour)
	of := func(outcome v1alpha1.ReviewOutcome) prior {
		return prior{subject: "s", review: "r", outcome: outcome, opened: opened, ended: ended}
	}
	for name, test := range map[string]struct {
		prior           prior
		subject, review string
		request         time.Time
		want            bool
	}{
		"open":                               {of(""), "s", "r", time.Time{}, true},
		"open, asked again":                  {of(""), "s", "r", after, true},
		"open, policy edited":                {of(""), "s", "r2", time.Time{}, true},
		"open, policy edited, asked again":   {of(""), "s", "r2", after, false},
		"another subject":                    {of(""), "s2", "r", time.Time{}, false},
		"promoted":                           {of(v1alpha1.OutcomePromoted), "s", "r", after, true},
		"promoted, policy edited":            {of(v1alpha1.OutcomePromoted), "s", "r2", after, true},
		"promoted, another subject":          {of(v1alpha1.OutcomePromoted), "s2", "r", time.Time{}, false},
		"promoted and retired":               {prior{subject: "s", review: "r", outcome: v1alpha1.OutcomePromoted, retired: true}, "s", "r", time.Time{}, false},
		"rejected":                           {of(v1alpha1.OutcomeRejected), "s", "r", time.Time{}, true},
		"rejected, policy edited":            {of(v1alpha1.OutcomeRejected), "s", "r2", time.Time{}, true},
		"rejected, asked before the outcome": {of(v1alpha1.OutcomeRejected), "s", "r", before, true},
		"rejected, asked after it":           {of(v1alpha1.OutcomeRejected), "s", "r", after, false},
		"rolled back":                        {of(v1alpha1.OutcomeRolledBack), "s", "r2", time.Time{}, true},
		"rolled back, asked after it":        {of(v1alpha1.OutcomeRolledBack), "s", "r", after, false},
		"superseded":                         {of(v1alpha1.OutcomeSuperseded), "s", "r", time.Time{}, false},
		"withdrawn":                          {of(v1alpha1.OutcomeWithdrawn), "s", "r", time.Time{}, false},
	} {
		t.Run(name, func(t *testing.T) {
			if got := test.prior.answers(test.subject, test.review, test.request); got != test.want {
				t.Errorf("%v", got)
			}
		})
	}
}
