package review

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/internal/assess"
	"github.com/affineur/affineur/internal/evidence"
	"github.com/affineur/affineur/internal/gate"
	"github.com/affineur/affineur/internal/record"
)

// gauge is an instrument of which a test says what it plans. It passes when all of its parts were measured.
type gauge struct {
	parts  []gate.Run
	sample func() (evidence.Result, error)
}

func (gauge) Type() v1alpha1.GateType { return "Gauge" }

func (g gauge) Plan(_ gate.Case, taken gate.Taken) ([]gate.Run, error) {
	parts := slices.Clone(g.parts)
	// The second part is planned by what the first one found.
	if first, ok := taken.Runs["first"]; ok && first.Report != nil && len(parts) > 1 {
		parts[1].Files = map[string][]byte{"first.txt": []byte(first.Report.Nonce)}
	}
	return parts, nil
}

func (g gauge) Judge(c gate.Case, taken gate.Taken) gate.Verdict {
	for _, part := range g.parts {
		if _, refused := gate.Open[evidence.IsolationReport](c.Frame(), taken.Runs[part.Part].Measurement, "part "+part.Part); refused != nil {
			return *refused
		}
	}
	return gate.Pass("Gauged", "every part was measured", c.Now)
}

func (g gauge) Summarize(_ gate.Case, taken gate.Taken) gate.Summary {
	return gate.Summary{Markdown: strings.Repeat("part ", len(taken.Runs)), Files: map[string]string{"plot.svg": "<svg/>"}}
}

func (g gauge) Sample(context.Context, gate.Case, gate.Run) (evidence.Result, error) {
	return g.sample()
}

func part(name string, site gate.Site) gate.Run {
	return gate.Run{Part: name, Site: site, Order: anOrder(), Length: 5 * time.Second, CPU: "100m", Memory: "64Mi"}
}

func anOrder() *evidence.IsolationSpec {
	return &evidence.IsolationSpec{Deadline: evidence.Duration(time.Second), Targets: []evidence.Target{
		{Name: "it", Network: evidence.NetworkTCP, Address: "192.0.2.1:80", Mode: evidence.ModeConnect, Timeout: evidence.Duration(time.Second)},
	}}
}

// gauged is a world whose policy asks for a gate of the instrument's type besides the usual ones.
func gauged(t *testing.T, instrument gauge, edits ...func(*v1alpha1.Gate)) *world {
	t.Helper()
	w := newWorld(t, func(r *record.Record) {
		asked := v1alpha1.Gate{Name: "gauge", Type: "Gauge", Enforcement: v1alpha1.EnforcementRequired}
		for _, edit := range edits {
			edit(&asked)
		}
		r.Requirements.Gates = append(r.Requirements.Gates, asked)
	})
	w.controller.Settings.Bench = append(slices.Clone(bench), instrument)
	return w
}

func (w *world) gauge() v1alpha1.GateStatus {
	w.Helper()
	gates := w.review().Status.Gates
	return gates[len(gates)-1]
}

func TestPartsAreMeasuredOneAfterTheOther(t *testing.T) {
	w := gauged(t, gauge{parts: []gate.Run{part("first", gate.SiteClosed), part("second", gate.SiteSandbox)}})
	w.settle()
	reports := w.reports(assess.ReportOf("gauge"))
	slices.SortFunc(reports, func(a, b record.Report) int { return a.MeasuredAt.Compare(b.MeasuredAt) })
	if len(reports) != 2 || reports[0].Part != "first" || reports[1].Part != "second" || reports[0].Attempt != 1 || reports[1].Attempt != 1 {
		t.Fatalf("%+v", reports)
	}
	if got := w.gauge(); got.Verdict != v1alpha1.GatePassed || got.Attempts != 1 || got.ReportDigest != reports[1].Digest() {
		t.Errorf("%+v", got)
	}
	// The summary of the whole attempt is kept beside the last part, once.
	if summary := reports[1].Beside[record.Summary]; !strings.Contains(summary, "part part") || !strings.Contains(summary, "# gauge: Passed") || reports[1].Beside["plot.svg"] == "" {
		t.Errorf("%q", summary)
	}
	if len(reports[0].Beside) > 0 {
		t.Errorf("%v", reports[0].Beside)
	}
}

// remembering is a gauge that never tells anything, and remembers what it was told of the attempt before.
type remembering struct {
	gauge
	before map[gate.Patience]string
}

func (r remembering) Plan(c gate.Case, taken gate.Taken) ([]gate.Run, error) {
	if report := c.Before.Runs[""].Report; report == nil {
		r.before[c.Patience] = "nothing"
	} else if r.before[c.Patience] == "" {
		r.before[c.Patience] = report.Nonce
	}
	return r.gauge.Plan(c, taken)
}

func (remembering) Judge(c gate.Case, _ gate.Taken) gate.Verdict {
	return gate.Unknown("Gauged", "who knows", c.Now)
}

// How long an attempt may take goes by what the one before found; one that was lost found nothing.
func TestAnAttemptKnowsTheOneBefore(t *testing.T) {
	r := remembering{gauge{parts: []gate.Run{part("", gate.SiteClosed)}}, map[gate.Patience]string{}}
	w := gauged(t, r.gauge)
	w.controller.Settings.Bench = append(slices.Clone(bench), r)
	w.loses = func(name string) bool { return strings.HasPrefix(name, "gauge-") && strings.HasSuffix(name, "-2") }
	w.exhaust(gate.SiteClosed)
	if r.before[1] != "nothing" || r.before[2] == "nothing" || r.before[2] == "" || r.before[3] == "nothing" || r.before[3] == "" {
		t.Errorf("%v", r.before)
	}
}

// An attempt of which one part was lost is over; the next one begins with the first part.
func TestALostPartBeginsAnew(t *testing.T) {
	for lost, want := range map[string][]string{
		"first": {"first 1", "first 2", "second 2"}, "second": {"first 1", "first 2", "second 1", "second 2"},
	} {
		w := gauged(t, gauge{parts: []gate.Run{part("first", gate.SiteClosed), part("second", gate.SiteClosed)}})
		w.loses = func(name string) bool { return name == identity.Run("gauge", key(w.review(), "gauge", lost)+"-1") }
		w.settle()
		var made []string
		for _, report := range w.reports(assess.ReportOf("gauge")) {
			made = append(made, fmt.Sprintf("%s %d", report.Part, report.Attempt))
		}
		slices.Sort(made)
		if !slices.Equal(made, want) || w.gauge().Verdict != v1alpha1.GatePassed {
			t.Errorf("%s is lost: %v, %+v", lost, made, w.gauge())
		}
	}
}

// What the operator looks at itself is kept like any run's report; what it could not see is tried again, and given up.
func TestSamples(t *testing.T) {
	answers := 0
	found := &evidence.IsolationReport{Targets: reached(anOrder().Targets, opened, opened.Add(time.Second))}
	instrument := gauge{parts: []gate.Run{part("", gate.SiteOperator)}, sample: func() (evidence.Result, error) {
		if answers++; answers < 3 {
			return nil, errors.New("the source does not answer")
		}
		return found, nil
	}}
	w := gauged(t, instrument)
	w.settle()
	if got := w.gauge(); got.Verdict != v1alpha1.GatePassed || got.Attempts != 3 {
		t.Errorf("%+v", got)
	}
	instrument.sample = func() (evidence.Result, error) { return nil, errors.New("the source does not answer") }
	w = gauged(t, instrument)
	w.exhaust(gate.SiteOperator)
	if got := w.gauge(); got.Verdict != v1alpha1.GateInconclusive || got.Attempts != looksAtMost || !strings.Contains(got.Message, "the source does not answer") {
		t.Errorf("%+v", got)
	}
	instrument.sample = func() (evidence.Result, error) { return nil, nil }
	w = gauged(t, instrument)
	w.settle()
	if got := w.gauge(); got.Verdict != v1alpha1.GateInconclusive {
		t.Errorf("%+v", got)
	}
}

// What may not be measured yet is not, and says until when.
func TestNothingIsMeasuredBeforeItsTime(t *testing.T) {
	run := part("", gate.SiteOperator)
	looked := 0
	found := &evidence.IsolationReport{Targets: reached(anOrder().Targets, opened, opened.Add(time.Second))}
	instrument := gauge{parts: []gate.Run{run}, sample: func() (evidence.Result, error) { looked++; return found, nil }}
	instrument.parts[0].NotBefore = opened.Add(10 * time.Minute)
	w := gauged(t, instrument)
	for w.now.Before(opened.Add(9 * time.Minute)) {
		w.must(w.pass())
		w.now = w.now.Add(time.Minute)
	}
	if got := w.gauge(); looked != 0 || got.Verdict != v1alpha1.GatePending || !strings.Contains(got.Message, instrument.parts[0].NotBefore.Format(time.RFC3339)) {
		t.Errorf("%d looks, %+v", looked, got)
	}
	w.now = w.now.Add(5 * time.Minute)
	w.settle()
	if got := w.gauge(); looked != 1 || got.Verdict != v1alpha1.GatePassed {
		t.Errorf("%d looks, %+v", looked, got)
	}
}

// A run is given its files by a Secret that goes with its Job, also when the operator died between the two.
func TestFilesAreHandedOver(t *testing.T) {
	run := part("", gate.SiteClosed)
	run.Files, run.Image = map[string][]byte{"examples.csv": []byte("question,expected\n")}, "registry.example.org/it/style@sha256:0"
	for _, writes := range []int{-1, 0, 1, 2, 3, 4, 5, 6, 7, 8} {
		w := gauged(t, gauge{parts: []gate.Run{run}})
		w.killAfter = writes
		if err := w.pass(); err != nil && !errors.Is(err, errKilled) {
			t.Fatal(err)
		}
		w.killAfter = -1
		w.must(w.pass())
		w.must(w.pass())
		name := identity.Run("gauge", key(w.review(), "gauge", "")+"-1")
		var job batchv1.Job
		var secret corev1.Secret
		w.must(w.client.Get(w.ctx(), client.ObjectKey{Namespace: v1alpha1.GatesNamespace, Name: name}, &job))
		w.must(w.client.Get(w.ctx(), client.ObjectKey{Namespace: v1alpha1.GatesNamespace, Name: name}, &secret))
		if !metav1.IsControlledBy(&secret, &job) || !ptr.Deref(secret.Immutable, false) || string(secret.Data["examples.csv"]) != "question,expected\n" {
			t.Errorf("%+v", secret)
		}
		pod := job.Spec.Template.Spec
		if pod.Containers[0].Image != run.Image || pod.Volumes[0].Secret.SecretName != name || pod.Containers[0].VolumeMounts[0].MountPath != evidence.FilesPath {
			t.Errorf("%+v", pod)
		}
		order := w.orderOf(job)
		if len(order.Files) != 1 || order.Files[0] != (evidence.File{Name: "examples.csv", Digest: evidence.Digest(run.Files["examples.csv"])}) {
			t.Errorf("%+v", order.Files)
		}
		err := w.client.Get(w.ctx(), client.ObjectKey{Namespace: v1alpha1.GatesNamespace, Name: name}, &networkingv1.NetworkPolicy{})
		if !apierrors.IsNotFound(err) {
			t.Errorf("a run without a network has an opening: %v", err)
		}
	}
}

// No more measurements are at work than the installation allows; the others say that they wait, and take their turn.
func TestMeasurementsTakeTurns(t *testing.T) {
	w := gauged(t, gauge{parts: []gate.Run{part("", gate.SiteClosed)}})
	w.controller.Settings.RunsAtMost = 1
	w.must(w.pass())
	if jobs := w.jobs(); len(jobs) != 1 {
		t.Errorf("%v", jobs)
	}
	if got := w.gauge(); got.Reason != v1alpha1.ReasonQueued || !strings.Contains(got.Message, "1 measurements") {
		t.Errorf("%+v", got)
	}
	w.settle()
	w.measured(append(slices.Clone(allPassed), "gauge Passed Gauged")...)
}

// Another review's measurement takes up room too, and its end wakes those that wait.
func TestOtherReviewsTakeUpRoom(t *testing.T) {
	w := newWorld(t)
	w.controller.Settings.RunsAtMost = 1
	other := identity
	other.Name, other.UID = "another", "99999999-0000-4000-8000-000000000000"
	labels := other.Labels("caller")
	labels[v1alpha1.LabelReview] = "7"
	job := &batchv1.Job{ObjectMeta: metav1.ObjectMeta{Namespace: v1alpha1.GatesNamespace, Name: "another", Labels: labels}}
	w.must(w.client.Create(w.ctx(), job))
	w.settle()
	if jobs := w.jobs(); len(jobs) != 1 || w.review().Status.Gates[1].Reason != v1alpha1.ReasonQueued {
		t.Errorf("%v %v", jobs, w.gates())
	}
	finished := job.DeepCopy()
	finished.Status.Conditions = []batchv1.JobCondition{{Type: batchv1.JobComplete, Status: corev1.ConditionTrue}}
	if len(measuringNow(job)) != 1 || len(measuringNow(finished)) != 0 {
		t.Error("a Job that has ended takes up room")
	}
	if waiting := w.controller.queued(w.ctx(), finished); len(waiting) != 1 || waiting[0].Name != w.review().Name {
		t.Errorf("%v", waiting)
	}
	w.must(w.client.Delete(w.ctx(), job))
	w.settle()
	w.measured(allPassed...)
}

// A gate that came to nothing keeps its verdict while it waits to be measured again: it is woken all the same, and looks by
// itself whether it is its turn.
func TestWhatCameToNothingWaitsForItsTurn(t *testing.T) {
	w := newWorld(t)
	w.loses = func(name string) bool {
		return strings.HasPrefix(name, "scalability-") && strings.HasSuffix(name, "-1")
	}
	for w.review().Status.Gates == nil || w.review().Status.Gates[1].Verdict != v1alpha1.GateInconclusive {
		w.must(w.pass())
	}
	w.controller.Settings.RunsAtMost = 0
	w.settle()
	if got := w.review().Status.Gates[1]; got.Verdict != v1alpha1.GateInconclusive || got.Attempts != 1 {
		t.Fatalf("%+v", got)
	}
	if waiting := w.controller.queued(w.ctx(), nil); len(waiting) != 1 || waiting[0].Name != w.review().Name {
		t.Errorf("%v", waiting)
	}
	result, err := w.controller.Reconcile(w.Context(), reconcile.Request{NamespacedName: client.ObjectKeyFromObject(w.review())})
	if err != nil || result.RequeueAfter > pollTurn {
		t.Errorf("it is looked at again after %s, %v", result.RequeueAfter, err)
	}
	w.controller.Settings.RunsAtMost = 8
	w.settle()
	w.measured(allPassed...)
}

// What another review began is seen before the cache shows it.
func TestTurnsAreTakenPastTheCache(t *testing.T) {
	w := newWorld(t)
	w.controller.Settings.RunsAtMost = 1
	other := identity
	other.Name, other.UID = "another", "99999999-0000-4000-8000-000000000000"
	labels := other.Labels("caller")
	labels[v1alpha1.LabelReview] = "7"
	w.must(w.client.Create(w.ctx(), &batchv1.Job{ObjectMeta: metav1.ObjectMeta{Namespace: v1alpha1.GatesNamespace, Name: "another", Labels: labels}}))
	w.controller.Client = blind{w.client}
	result, err := w.controller.Reconcile(w.Context(), reconcile.Request{NamespacedName: client.ObjectKeyFromObject(w.review())})
	if jobs := w.jobs(); err != nil || len(jobs) != 1 {
		t.Errorf("%v, %v", jobs, err)
	}
	if result.RequeueAfter == 0 || result.RequeueAfter > time.Second {
		t.Errorf("it is looked at again after %s", result.RequeueAfter)
	}
}

// blind is a cache that has seen no Job yet.
type blind struct{ client.Client }

func (b blind) List(ctx context.Context, list client.ObjectList, opts ...client.ListOption) error {
	if _, jobs := list.(*batchv1.JobList); jobs {
		return nil
	}
	return b.Client.List(ctx, list, opts...)
}

// A cluster without room is no fault of the measurement: it waits, says so, and its time begins when a node takes its pod.
func TestRunsWaitForRoom(t *testing.T) {
	w := gauged(t, gauge{parts: []gate.Run{part("", gate.SiteClosed)}})
	w.homeless = true
	w.must(w.pass())
	w.must(w.pass())
	if got := w.gauge(); got.Reason != v1alpha1.ReasonQueued || !strings.Contains(got.Message, "a node with room") {
		t.Errorf("%+v", got)
	}
	var job batchv1.Job
	w.must(w.client.Get(w.ctx(), client.ObjectKey{Namespace: v1alpha1.GatesNamespace, Name: identity.Run("gauge", key(w.review(), "gauge", "")+"-1")}, &job))
	if pod, whole := *job.Spec.Template.Spec.ActiveDeadlineSeconds, *job.Spec.ActiveDeadlineSeconds; pod != 185 || whole != 185+1800 {
		t.Errorf("the pod has %d s, the Job %d s", pod, whole)
	}
	w.homeless = false
	w.settle()
	w.measured(append(slices.Clone(allPassed), "gauge Passed Gauged")...)
}

// Evidence that became too old is measured anew, however often it was measured before.
func TestOldEvidenceIsMeasuredAnew(t *testing.T) {
	w := gauged(t, gauge{parts: []gate.Run{part("", gate.SiteClosed)}}, func(g *v1alpha1.Gate) {
		g.MaxAge, g.Timeout = &metav1.Duration{Duration: time.Hour}, &metav1.Duration{Duration: 20 * time.Second}
	})
	w.must(w.pass())
	var job batchv1.Job
	w.must(w.client.Get(w.ctx(), client.ObjectKey{Namespace: v1alpha1.GatesNamespace, Name: identity.Run("gauge", key(w.review(), "gauge", "")+"-1")}, &job))
	if got := *job.Spec.ActiveDeadlineSeconds; got != 20 {
		t.Errorf("a deadline of %d s, the policy gives it 20", got)
	}
	for n := int32(1); n <= attemptsAtMost+2; n++ {
		w.settle()
		if got := w.gauge(); got.Verdict != v1alpha1.GatePassed || got.Attempts != n {
			t.Fatalf("time %d: %+v", n, got)
		}
		w.now = w.now.Add(time.Hour)
	}
}

// Nobody else calls the prototype while it is measured how fast it is.
func TestLoadIsMeasuredAlone(t *testing.T) {
	w := gauged(t, gauge{parts: []gate.Run{part("", gate.SiteSandbox)}})
	w.homeless = true
	for range 5 {
		w.must(w.pass())
	}
	if got := w.gauge(); !strings.Contains(got.Message, "disturb") {
		t.Errorf("beside the load: %+v", got)
	}
	w.homeless = false
	w.settle()
	w.measured(append(slices.Clone(allPassed), "gauge Passed Gauged")...)
}

// However often it is asked, a review keeps so many measurements of a gate and no more.
func TestAskingHasAnEnd(t *testing.T) {
	w := gauged(t, gauge{parts: []gate.Run{part("", gate.SiteClosed)}})
	for range measuredAtMost + 2 {
		w.settle()
		w.ask(w.now)
	}
	w.settle()
	if got := w.gauge(); got.Verdict != v1alpha1.GatePassed || got.Attempts != measuredAtMost {
		t.Errorf("%+v", got)
	}
}

// chancy is a gauge that fails until it was looked at so often.
type chancy struct {
	gauge
	failing int
}

func (c chancy) Judge(k gate.Case, taken gate.Taken) gate.Verdict {
	v := c.gauge.Judge(k, taken)
	if v.State == gate.Passed && int(k.Looks()) < c.failing {
		return gate.Unknown("Close", fmt.Sprintf("%d looks", k.Looks()), v.MeasuredAt)
	}
	return v
}

func (chancy) Spent(state gate.State, reason string) bool {
	return reason == "Close" || state == gate.Failed
}

// What chance may have said is not measured again until it is asked, and the instrument is told how often it looked.
func TestChanceIsAskedOnce(t *testing.T) {
	instrument := chancy{gauge{parts: []gate.Run{part("", gate.SiteClosed)}}, 2}
	w := gauged(t, instrument.gauge)
	w.controller.Settings.Bench = append(slices.Clone(bench), instrument)
	for n, want := range []string{"0 looks", "1 looks", "every part was measured"} {
		w.exhaust(gate.SiteClosed)
		if got := w.gauge(); got.Attempts != int32(n+1) || got.Message != want {
			t.Errorf("look %d: %+v", n, got)
		}
		w.ask(w.now)
	}
}
