package review

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/internal/assess"
	"github.com/affineur/affineur/internal/evidence"
	"github.com/affineur/affineur/internal/gate"
	"github.com/affineur/affineur/internal/record"
	"github.com/affineur/affineur/internal/workload"
)

var allPassed = []string{"security Passed NoHolesFound", "scalability Passed SustainsDemand", "integration Passed IntegrationsWork"}

// ask is what "kubectl affineur promote" does a second time.
func (w *world) ask(at time.Time) { w.request(at.Format(time.RFC3339)) }

func (w *world) request(request string) {
	w.prototype(func(p *v1alpha1.AIPrototype) {
		metav1.SetMetaDataAnnotation(&p.ObjectMeta, v1alpha1.AnnotationRequestedAt, request)
	})
}

func (w *world) measured(want ...string) {
	w.Helper()
	if diff := cmp.Diff(want, w.gates()); diff != "" {
		w.Errorf("%s\n%s", diff, w.dump())
	}
}

// clear asserts that nothing of the review is left but its record, and that no rule was broken on the way.
func (w *world) clear() {
	w.Helper()
	var policies = w.openings()
	if jobs := w.jobs(); len(jobs) > 0 || len(policies) > 0 || w.rehearsal() != nil {
		w.Errorf("left behind: %v, %v, %v", jobs, policies, w.rehearsal())
	}
	if len(w.wrong) > 0 {
		w.Error(w.wrong)
	}
}

// The whole way: measured, decided, promoted, cleared away.
func TestTheWholeWay(t *testing.T) {
	w := newWorld(t)
	first := w.review()
	first.Status.Conditions = []metav1.Condition{{Type: v1alpha1.ConditionPromoted, Status: metav1.ConditionFalse, Reason: v1alpha1.ReasonNotApproved}}
	w.must(w.client.Status().Update(w.ctx(), first))
	w.must(w.pass())
	if n := w.told(v1alpha1.ReasonReviewOpened); n != 2 {
		t.Errorf("its opening was told %d times: once on the review, once on the prototype", n)
	}
	w.is(v1alpha1.ConditionReady, "False Measuring")
	w.is(v1alpha1.ConditionReconciling, "True Measuring")
	if got := w.waiting(); got != "Operator" {
		t.Errorf("waits for %s", got)
	}
	w.settle()
	w.measured(allPassed...)
	w.is(v1alpha1.ConditionGatesPassed, "True AllGatesPassed")
	w.is(v1alpha1.ConditionApproved, "False AwaitingDecisions")
	w.is(v1alpha1.ConditionReady, "True AwaitingDecisions")
	w.is(v1alpha1.ConditionReconciling, "")
	w.is(v1alpha1.ConditionStalled, "")
	if got := w.waiting(); got != "IT/security, IT/operations" {
		t.Errorf("waits for %s", got)
	}
	w.clear()
	w.approve()
	w.settle()
	w.is(v1alpha1.ConditionApproved, "True AllRolesApproved")
	w.is(v1alpha1.ConditionReady, "False Promoting")
	w.promotion(v1alpha1.StepServing)
	w.settle()
	w.is(v1alpha1.ConditionReady, "True Promoted")
	if o := w.outcome(); o == nil || o.Outcome != v1alpha1.OutcomePromoted || len(o.Gates) != 3 || len(o.Decisions) != 2 {
		t.Errorf("sealed: %+v", o)
	}
	w.is(v1alpha1.ConditionPromoted, "False NotApproved")
	if got := w.review().Status; got.Outcome != v1alpha1.OutcomePromoted || got.Promotion == nil || len(got.WaitingOn) > 0 {
		t.Error(w.dump())
	}
	w.clear()
}

// Killed after any of its writes, the operator comes to the same end, and never breaks a rule on the way.
func TestKilledAfterEveryWrite(t *testing.T) {
	for n := 0; ; n++ {
		w := newWorld(t)
		w.killAfter = n
		killed := false
		for range 60 {
			if err := w.pass(); err != nil {
				killed = true
				break
			}
		}
		w.killAfter = -1
		w.restart()
		w.settle()
		w.approve()
		w.settle()
		w.promotion(v1alpha1.StepServing)
		w.settle()
		if got := w.review().Status.Outcome; got != v1alpha1.OutcomePromoted {
			t.Errorf("killed after %d writes: outcome %q", n, got)
		}
		for _, gate := range []string{assess.ReportOf("scalability"), assess.ReportOf("integration")} {
			if got := len(w.reports(gate)); got != 1 {
				t.Errorf("killed after %d writes: %d reports of %s", n, got, gate)
			}
		}
		w.clear()
		if !killed {
			if n < 10 {
				t.Errorf("only %d writes: nothing was tried", n)
			}
			return
		}
	}
}

// While nothing happens, nothing is written, however long it takes.
func TestQuiet(t *testing.T) {
	w := newWorld(t)
	w.settle()
	before := len(w.writes)
	for range 50 {
		w.now = w.now.Add(37 * time.Second)
		w.must(w.pass())
	}
	if more := w.writes[before:]; len(more) > 0 {
		t.Errorf("written: %v", more)
	}
}

// A run asks what the requirements demand, of the sandbox and of nobody else.
func TestRunsAsk(t *testing.T) {
	w := newWorld(t)
	w.must(w.pass())
	s, err := w.controller.observer().observe(w.Context(), w.review())
	w.must(err)
	scalability := *s.measuringOf("scalability")
	job, err := s.job(scalability, strings.Repeat("n", 26))
	w.must(err)
	order := scalability.Current.Order.(*evidence.LoadSpec)
	if step := order.Steps[0]; step.Duration.Std() != 20*time.Second || order.URL != workload.URL(identity.Sandbox())+"/" {
		t.Errorf("%+v", order)
	}
	if rate, _ := evidence.ParseDecimal(order.Steps[0].RatePerSecond); rate < 15 {
		t.Errorf("%v requests a second; 10 with a headroom of 1.5 are demanded", rate)
	}
	if job.Namespace != v1alpha1.GatesNamespace || job.Spec.Template.Spec.ServiceAccountName != v1alpha1.RunnerAccount || len(job.Spec.Template.Spec.Volumes) > 0 {
		t.Errorf("%+v", job.Spec.Template.Spec)
	}
	opening := s.opening(scalability)
	if to := opening.Spec.Egress[len(opening.Spec.Egress)-1]; to.To[0].NamespaceSelector.MatchLabels["kubernetes.io/metadata.name"] != identity.Sandbox() || to.Ports[0].Port.IntValue() != 8080 {
		t.Errorf("%+v", to)
	}
	integration, err := s.job(*s.measuringOf("integration"), strings.Repeat("n", 26))
	w.must(err)
	if got := integration.Spec.Template.Spec.Volumes; len(got) != 1 || got[0].Secret.SecretName != workload.IntegrationSecret("crm") || integration.Namespace != identity.Rehearsal() {
		t.Errorf("%+v", integration.Spec.Template.Spec)
	}
}

// The rehearsal namespace holds production's policies, and of the credentials only the integrations'.
func TestRehearsal(t *testing.T) {
	w := newWorld(t, func(r *record.Record) {
		r.Subject.Container.Secrets = nil
		r.Requirements.ModelGateway = &v1alpha1.ModelGateway{
			Name: "default", Address: "http://gateway.models.svc:8080/v1",
			To:          v1alpha1.Destination{Pods: &v1alpha1.PodDestination{Namespace: "models", PodLabels: map[string]string{"app": "gateway"}, Port: 8080}},
			Credentials: &v1alpha1.CredentialSource{Secret: v1alpha1.LocalName{Name: "gateway-keys"}},
		}
	})
	w.must(w.pass())
	var secrets corev1.SecretList
	w.must(w.client.List(w.ctx(), &secrets, client.InNamespace(identity.Rehearsal())))
	if len(secrets.Items) != 1 || secrets.Items[0].Name != workload.IntegrationSecret("crm") {
		t.Errorf("%+v", secrets.Items)
	}
	if namespace := w.rehearsal(); namespace == nil || namespace.Labels["pod-security.kubernetes.io/enforce"] != "restricted" || namespace.Labels[v1alpha1.LabelReview] != "3" {
		t.Errorf("%+v", namespace)
	}
	if jobs := w.jobs(); !cmp.Equal(jobs, []string{v1alpha1.GatesNamespace + " control-integration", v1alpha1.GatesNamespace + " gate-scalability"}) {
		t.Errorf("%v: the integration run joins its control, and only it", jobs)
	}
	w.must(w.pass())
	w.must(w.pass())
	w.must(w.pass())
	if jobs := w.jobs(); len(jobs) != 3 {
		t.Errorf("%v", jobs)
	}
}

// A gate that failed is the subject's: it is not measured again unasked, and again when somebody asks.
func TestGateFailed(t *testing.T) {
	w := newWorld(t)
	w.slow = true
	w.settle()
	w.measured(allPassed[0], "scalability Failed TooSlow", allPassed[2])
	w.is(v1alpha1.ConditionGatesPassed, "False GatesFailed")
	w.is(v1alpha1.ConditionReady, "False GatesFailed")
	w.is(v1alpha1.ConditionStalled, "True GatesFailed")
	if got := w.review().Status; w.waiting() != "Business" || got.Summary.Gates != "2/3" || !strings.Contains(got.WaitingOn[0].Message, "800 ms") {
		t.Error(w.dump())
	}
	if n := len(w.reports(assess.ReportOf("scalability"))); n != 1 {
		t.Errorf("%d attempts; a failure is not tried again", n)
	}
	if n := w.told(v1alpha1.EventGateFailed); n != 2 {
		t.Errorf("told %d times: once on the review, once on the prototype", n)
	}
	w.approve()
	w.settle()
	w.is(v1alpha1.ConditionApproved, "True AllRolesApproved")
	w.is(v1alpha1.ConditionReady, "False GatesFailed")

	w.slow = false
	w.ask(w.now)
	w.settle()
	w.measured(allPassed...)
	w.is(v1alpha1.ConditionReady, "False Promoting")
	if n := len(w.reports(assess.ReportOf("scalability"))); n != 2 {
		t.Errorf("%d attempts", n)
	}
	w.clear()
}

// A control is told once, and not before its run has ended. Where the cluster refuses that, it goes by its window, says the
// same, and nothing else waits for it.
func TestControlsAreDismissed(t *testing.T) {
	w := newWorld(t)
	w.settle()
	w.measured(allPassed...)
	var patched []string
	for _, write := range w.writes {
		if strings.HasPrefix(write, "patch ") {
			patched = append(patched, write)
		}
	}
	if len(patched) != 1 || len(w.dismissed) != 1 {
		t.Errorf("told %v by %v", w.dismissed, patched)
	}
	if len(w.wrong) > 0 {
		t.Error(w.wrong)
	}

	w = newWorld(t)
	w.deaf = true
	for began := w.now; w.now.Sub(began) < time.Minute; {
		w.must(w.pass())
	}
	w.settle()
	w.measured(allPassed...)
}

// What IT has to mend is asked of IT, with the way to ask for another look.
func TestIntegrationBroken(t *testing.T) {
	w := newWorld(t)
	w.broken = true
	w.settle()
	w.measured(allPassed[0], allPassed[1], "integration Failed IntegrationBroken")
	if turns := w.review().Status.WaitingOn; w.waiting() != "IT" || !strings.Contains(turns[0].Message, "kubectl affineur promote churn-advisor -n membership") {
		t.Error(w.dump())
	}
	w.clear()
}

// A measurement that comes to nothing is made again, a few times, with growing patience; then somebody has to look.
func TestLost(t *testing.T) {
	w := newWorld(t)
	w.lost = true
	w.exhaust(gate.SiteSandbox)
	w.measured(allPassed[0], "scalability Inconclusive MeasurementLost", allPassed[2])
	w.is(v1alpha1.ConditionStalled, "True GatesInconclusive")
	if n := len(w.reports(assess.ReportOf("scalability"))); n != attemptsAtMost || w.review().Status.Gates[1].Attempts != attemptsAtMost {
		t.Errorf("%d attempts are kept", n)
	}
	w.clear()

	w.ask(w.now)
	w.exhaust(gate.SiteSandbox)
	if n := len(w.reports(assess.ReportOf("scalability"))); n != 2*attemptsAtMost {
		t.Errorf("%d attempts are kept after it was asked again", n)
	}
	w.lost = false
	w.ask(w.now)
	w.settle()
	w.measured(allPassed...)
}

// A request from the far future, or one that is no time, would ask for ever.
func TestRequestThatIsNone(t *testing.T) {
	for _, request := range []string{"2999-01-01T00:00:00Z", "now", "", "\x00"} {
		w := newWorld(t)
		w.request(request)
		w.settle()
		w.measured(allPassed...)
		if n := len(w.reports(assess.ReportOf("scalability"))); n != 1 {
			t.Errorf("%q: %d attempts", request, n)
		}
	}
}

// What was measured on a pod that was replaced meanwhile says nothing about the subject.
func TestSandboxReplacedMeanwhile(t *testing.T) {
	w := newWorld(t)
	w.must(w.pass())
	w.must(w.client.Delete(w.ctx(), &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: identity.Sandbox(), Name: "prototype-1"}}))
	w.must(w.client.Create(w.ctx(), &corev1.Pod{ObjectMeta: metav1.ObjectMeta{
		Namespace: identity.Sandbox(), Name: "prototype-2", Labels: w.sandboxed().Spec.Template.Labels, CreationTimestamp: metav1.NewTime(w.now.Add(3 * time.Second)),
	}}))
	w.settle()
	w.measured(allPassed...)
	if n := len(w.reports(assess.ReportOf("scalability"))); n != 2 {
		t.Errorf("%d attempts", n)
	}
}

// Load is measured only where the reviewed revision, and nothing else, runs and answers.
func TestSandboxRunsSomethingElse(t *testing.T) {
	for name, edit := range map[string]func(*appsv1.Deployment){
		"another revision": func(d *appsv1.Deployment) { d.Annotations[v1alpha1.AnnotationSubject] = "sha256:other" },
		"another template": func(d *appsv1.Deployment) { d.Spec.Template.Annotations[v1alpha1.AnnotationSubject] = "sha256:other" },
		"no answer":        func(d *appsv1.Deployment) { d.Status.AvailableReplicas = 0 },
		"half rolled out":  func(d *appsv1.Deployment) { d.Status.Replicas = 2 },
		"not observed":     func(d *appsv1.Deployment) { d.Status.ObservedGeneration = d.Generation - 1 },
		"stopped":          func(d *appsv1.Deployment) { d.Spec.Replicas = new(int32) },
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			d := w.sandboxed()
			edit(d)
			status := d.Status
			w.must(w.client.Update(w.ctx(), d))
			d.Status = status
			w.must(w.client.Status().Update(w.ctx(), d))
			w.settle()
			w.measured(allPassed[0], "scalability Pending WaitingForSandbox", allPassed[2])
			w.is(v1alpha1.ConditionReconciling, "True Measuring")
			w.clear()
		})
	}
}

// A decision that was counted and is gone is told of, and counts no more.
func TestDecisionDeleted(t *testing.T) {
	w := newWorld(t)
	w.settle()
	d := w.decide(v1alpha1.VerdictApprove, "security", "security-reviewer@example.org")
	w.settle()
	if got := w.review().Status.Decisions; len(got) != 1 || got[0].Counts != v1alpha1.CountedYes || w.waiting() != "IT/operations" {
		t.Fatal(w.dump())
	}
	w.must(w.client.Delete(w.ctx(), d))
	w.settle()
	got := w.review().Status.Decisions
	if len(got) != 1 || got[0].Counts != v1alpha1.CountedNo || got[0].Why != v1alpha1.WhyDeleted || w.waiting() != "IT/security, IT/operations" {
		t.Error(w.dump())
	}
	before := len(w.writes)
	w.settle()
	if len(w.writes) > before {
		t.Errorf("written again: %v", w.writes[before:])
	}
}

// Since when somebody is waited for does not move while the same is waited for.
func TestSinceStays(t *testing.T) {
	w := newWorld(t)
	w.settle()
	since := func(role string) metav1.Time {
		for _, turn := range w.review().Status.WaitingOn {
			if turn.Role == role {
				return turn.Since
			}
		}
		t.Fatalf("nobody waits for %s", role)
		return metav1.Time{}
	}
	before := since("operations")
	w.now = w.now.Add(10 * time.Minute)
	w.decide(v1alpha1.VerdictApprove, "security", "security-reviewer@example.org")
	w.settle()
	if after := since("operations"); !after.Equal(&before) {
		t.Errorf("%v, was %v", after, before)
	}
}

// Roles have their time from the moment when every gate had passed. Waiting approves nothing.
func TestOverdue(t *testing.T) {
	w := newWorld(t)
	w.settle()
	due := w.review().Status.Due
	if due == nil {
		t.Fatal(w.dump())
	}
	w.is(v1alpha1.ConditionOverdue, "False WithinDue")
	w.now = due.Add(time.Second)
	w.settle()
	w.is(v1alpha1.ConditionOverdue, "True PastDue")
	w.is(v1alpha1.ConditionApproved, "False AwaitingDecisions")
	w.approve()
	w.settle()
	w.is(v1alpha1.ConditionOverdue, "False WithinDue")
}

// An approval that expires while the review is open counts no more, and the review looks at that moment.
func TestApprovalExpires(t *testing.T) {
	w := newWorld(t, func(r *record.Record) { r.Requirements.ApprovalsValidForSeconds = 3600 })
	w.settle()
	d := w.decide(v1alpha1.VerdictApprove, "security", "security-reviewer@example.org")
	w.settle()
	if w.waiting() != "IT/operations" {
		t.Fatal(w.dump())
	}
	// What it lets in has to soak before it ends.
	end := d.CreationTimestamp.Add(time.Hour - w.rec.Requirements.Soak())
	w.now = end.Add(-2 * time.Second)
	result, err := w.controller.Reconcile(w.Context(), reconcile.Request{NamespacedName: client.ObjectKeyFromObject(w.review())})
	w.must(err)
	if result.RequeueAfter != 2*time.Second {
		t.Errorf("looks again after %s", result.RequeueAfter)
	}
	w.now = end
	w.settle()
	got := w.review().Status.Decisions
	if len(got) != 1 || got[0].Counts != v1alpha1.CountedNo || got[0].Why != v1alpha1.WhyExpired || w.waiting() != "IT/security, IT/operations" {
		t.Error(w.dump())
	}
}

// Isolation that was measured long ago says nothing any more, whoever approved.
func TestIsolationStale(t *testing.T) {
	w := newWorld(t)
	w.settle()
	w.approve()
	w.now = w.now.Add(gate.IsolationMaxAge + time.Hour)
	w.settle()
	w.measured("security Inconclusive EvidenceStale", allPassed[1], allPassed[2])
	w.is(v1alpha1.ConditionGatesPassed, "False GatesInconclusive")
	for _, object := range w.isolated(w.now) {
		object.SetName(object.GetName() + "-again")
		w.must(w.client.Create(w.ctx(), object))
	}
	w.settle()
	w.measured(allPassed...)
}

// The lowest tier asks nobody.
func TestNoApprovalNeeded(t *testing.T) {
	w := newWorld(t, func(r *record.Record) { r.Requirements.Approvals = nil })
	w.settle()
	w.is(v1alpha1.ConditionApproved, "True NoApprovalNeeded")
	w.is(v1alpha1.ConditionReady, "False Promoting")
	if w.review().Status.Due != nil {
		t.Error("nobody is asked, and yet there is a due time")
	}
}
