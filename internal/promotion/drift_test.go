package promotion

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/internal/assess"
	"github.com/affineur/affineur/internal/drift"
	"github.com/affineur/affineur/internal/evidence"
	"github.com/affineur/affineur/internal/examples"
	"github.com/affineur/affineur/internal/record"
	"github.com/affineur/affineur/internal/run"
	"github.com/affineur/affineur/internal/subject"
	"github.com/affineur/affineur/internal/workload"
)

// rollsBack is a record whose policy takes back what drifts.
func rollsBack(r *record.Record) {
	r.Requirements.Production.ModelDrift = &v1alpha1.ModelDriftPolicy{Every: metav1.Duration{Duration: 24 * time.Hour}, OnDrift: v1alpha1.DriftRollBack}
}

// drifts has something found out about what serves.
func (w *world) drifts(record string, verdict drift.Verdict) {
	w.Helper()
	namespace := w.namespace()
	namespace.Annotations[v1alpha1.AnnotationModelDrift] = drift.State{
		Record: record, Verdict: verdict, Reason: v1alpha1.ReasonModelChanged, Message: "Another model answers: example-mini.", Since: w.now,
	}.String()
	w.must(w.client.Update(w.ctx(), namespace))
}

// What serves is taken back for a drift of its own alone, and where the policy that it was reviewed under says so.
func TestWhatDriftTakesBack(t *testing.T) {
	alerts := func(r *record.Record) {
		rollsBack(r)
		r.Requirements.Production.ModelDrift.OnDrift = v1alpha1.DriftAlert
	}
	for name, c := range map[string]struct {
		edit    func(*record.Record)
		ordinal int
		verdict drift.Verdict
		step    string
	}{
		"told to":           {rollsBack, 1, drift.Drifted, "RolledBack ModelChanged"},
		"told to alert":     {alerts, 1, drift.Drifted, "Serving Promoted"},
		"told nothing":      {func(*record.Record) {}, 1, drift.Drifted, "Serving Promoted"},
		"nobody knows":      {rollsBack, 1, drift.Unknown, "Serving Promoted"},
		"as approved":       {rollsBack, 1, drift.AsApproved, "Serving Promoted"},
		"another record":    {rollsBack, 2, drift.Drifted, "Serving Promoted"},
		"a verdict of none": {rollsBack, 1, "Gone", "Serving Promoted"},
	} {
		t.Run(name, func(t *testing.T) {
			w, _ := first(t, c.edit)
			w.settle()
			w.drifts(identity.Record(c.ordinal), c.verdict)
			w.settle()
			if got := w.step(identity.Record(1)); got != c.step {
				t.Errorf("%s: %+v", got, w.promotion(identity.Record(1)))
			}
		})
	}
}

// player stands in for the nodes: it answers the orders of Jobs as a runner would.
type player struct {
	client client.Client
	mutex  sync.Mutex
	// ahead is how much later it is than the clock says; held lets no run end.
	ahead time.Duration
	held  bool
	// script are the results of the measurements, by their number from 1.
	script []*evidence.QualityResult
}

func (p *player) now() time.Time {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	return time.Now().Add(p.ahead)
}

func (p *player) set(edit func(*player)) {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	edit(p)
}

// Collect implements drift.Collector.
func (p *player) Collect(ctx context.Context, namespace, name string, _ evidence.Kind) (run.Result, error) {
	var job batchv1.Job
	if err := p.client.Get(ctx, client.ObjectKey{Namespace: namespace, Name: name}, &job); err != nil {
		return run.Result{State: run.Absent}, client.IgnoreNotFound(err)
	}
	result := run.Result{State: run.Running, Why: "ContainerCreating", Nonce: job.Annotations[v1alpha1.AnnotationNonce], UID: job.UID}
	at := p.now()
	p.mutex.Lock()
	defer p.mutex.Unlock()
	if p.held {
		return result, nil
	}
	spec, err := evidence.DecodeRun([]byte(job.Spec.Template.Spec.Containers[0].Env[0].Value))
	if err != nil {
		return result, err
	}
	order, err := evidence.Read[evidence.QualityOrder](spec.Order)
	if err != nil {
		return result, err
	}
	number, err := strconv.Atoi(name[strings.LastIndex(name, "-")+1:])
	if err != nil || number > len(p.script) || order.Repeats != 2 || order.Within.Std() != 21*time.Minute {
		return result, fmt.Errorf("nobody foresaw %s, which asks %d times within %s", name, order.Repeats, order.Within.Std())
	}
	report := evidence.Report{Schema: evidence.ReportSchema, Nonce: spec.Nonce, Subject: spec.Subject, StartedAt: at, FinishedAt: at, Result: p.script[number-1]}
	raw, err := evidence.Encode(report)
	result.State, result.Opened = run.Measured, &evidence.Opened{Report: &report, Raw: raw, Digest: evidence.Digest(raw)}
	return result, err
}

// outlines is an evaluation set of 60 examples.
func outlines() []byte {
	var b strings.Builder
	b.WriteString("question,expected\n")
	for i := range 60 {
		fmt.Fprintf(&b, "question %d,yes\n", i)
	}
	return []byte(b.String())
}

// outlined are answers of a model to it, the first of them wrong.
func outlined(model string, wrong int) *evidence.QualityResult {
	set, err := examples.Read(outlines())
	if err != nil {
		panic(err)
	}
	r := &evidence.QualityResult{Digest: set.Digest}
	for i, e := range set.Examples {
		answer := evidence.CaseAnswer{Outcome: evidence.CaseRight, Took: 1}
		if i < wrong {
			answer = evidence.CaseAnswer{Outcome: evidence.CaseWrong, Kind: "equals", Took: 1}
		}
		r.Cases = append(r.Cases, evidence.CaseResult{ID: e.ID, Answers: slices.Repeat([]evidence.CaseAnswer{answer}, 2)})
	}
	r.Models = []evidence.ModelSeen{{Name: model, Answers: 2 * len(set.Examples)}}
	return r
}

// evaluated is a record with a model, and an evaluation set that its quality gate asks.
func evaluated(t *testing.T) func(*record.Record) {
	return func(r *record.Record) {
		rollsBack(r)
		packed, err := record.Pack(outlines())
		if err != nil {
			t.Fatal(err)
		}
		r.Examples = packed
		r.Subject.Facts.Autonomy = v1alpha1.AutonomyAnswers
		r.Subject.Model = &subject.Model{Gateway: "default", Name: "example-large", Version: "4.7"}
		r.Subject.Evaluation = &subject.Evaluation{
			Examples: subject.Examples{Digest: evidence.Digest(outlines())},
			Call:     v1alpha1.EvaluationCall{OpenAIChat: &v1alpha1.ChatCall{Path: "/v1/chat/completions"}, Timeout: metav1.Duration{Duration: time.Minute}},
		}
		r.Requirements.Gates = []v1alpha1.Gate{{Name: "quality", Type: v1alpha1.GateQuality, Quality: &v1alpha1.QualityGate{
			MinimumExamples: 50, PassRateLowerBound: "0.80", Repeats: 2,
		}}}
	}
}

// approves keeps the evaluation that the review of a record rested on: every answer took 20 seconds, so in production all of them get
// twice that, four at a time, and a minute for the last.
func approves(t *testing.T, c client.Client, r record.Record) {
	t.Helper()
	at, approved := time.Now().Add(-time.Minute), outlined("example-large", 0)
	for i := range approved.Cases {
		for j := range approved.Cases[i].Answers {
			approved.Cases[i].Answers[j].Took = evidence.MicrosOf(20 * time.Second)
		}
	}
	raw, err := evidence.Encode(evidence.Report{
		Schema: evidence.ReportSchema, Nonce: "0123456789abcdef", Subject: r.ReviewDigest, StartedAt: at, FinishedAt: at, Result: approved,
	})
	if err != nil {
		t.Fatal(err)
	}
	report, err := record.Report{
		Prototype: r.Prototype, Gate: assess.ReportOf("quality"), Ordinal: r.Ordinal, Name: "quality-1", Attempt: 1, Inputs: r.ReviewDigest,
		Nonce: "0123456789abcdef", MeasuredAt: at, Body: raw,
	}.Object()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Create(t.Context(), report); err != nil {
		t.Fatal(err)
	}
}

// TestDriftOnAPIServer: what serves is asked through openings that are there for one run alone; one bad day is confirmed
// before anybody is told, another model is told at once, and what the policy says is done about it.
func TestDriftOnAPIServer(t *testing.T) {
	good := outlined("example-large", 0)
	runs := &player{held: true, script: []*evidence.QualityResult{good, outlined("example-large", 10), good, outlined("example-mini", 0)}}
	c, log := startServer(t, runs)
	ctx := t.Context()
	r := opened(t, c, evaluated(t))
	approves(t, c, r)
	production := r.Prototype.Production()
	state := func() drift.State {
		rollOutOnce(ctx, c, production)
		var namespace corev1.Namespace
		if c.Get(ctx, client.ObjectKey{Name: production}, &namespace) != nil {
			return drift.State{}
		}
		return drift.Read(namespace.Annotations)
	}
	// again are the runs that are there, and their openings.
	again := func() (jobs, openings []string) {
		labels := client.MatchingLabels{v1alpha1.LabelComponent: workload.ComponentAgain}
		var runs batchv1.JobList
		var policies networkingv1.NetworkPolicyList
		if err := c.List(ctx, &runs, labels); err != nil {
			t.Fatal(err)
		}
		if err := c.List(ctx, &policies, labels); err != nil {
			t.Fatal(err)
		}
		for i := range runs.Items {
			jobs = append(jobs, runs.Items[i].Name)
		}
		for i := range policies.Items {
			openings = append(openings, policies.Items[i].Namespace)
		}
		return jobs, openings
	}
	closed := func() bool { jobs, openings := again(); return len(jobs)+len(openings) == 0 }
	// later has the controllers look at another time.
	later := func(by time.Duration) {
		runs.set(func(p *player) { p.ahead += by })
		var namespace corev1.Namespace
		eventually(t, "the namespace is told of the time", func() bool {
			if err := c.Get(ctx, client.ObjectKey{Name: production}, &namespace); err != nil {
				t.Fatal(err)
			}
			namespace.Annotations["example.org/poked"] = runs.now().String()
			return c.Update(ctx, &namespace) == nil
		})
	}

	eventually(t, "it is asked", func() bool { state(); jobs, _ := again(); return len(jobs) == 1 })
	jobs, openings := again()
	if slices.Sort(openings); !slices.Equal(openings, []string{v1alpha1.GatesNamespace, production}) || !strings.HasPrefix(jobs[0], "drift-") {
		t.Errorf("%v with openings in %v", jobs, openings)
	}
	var files corev1.Secret
	eventually(t, "the questions are handed over", func() bool {
		return c.Get(ctx, client.ObjectKey{Namespace: v1alpha1.GatesNamespace, Name: jobs[0]}, &files) == nil
	})
	if string(files.Data["examples"]) != string(outlines()) {
		t.Error("other questions are asked than those that were frozen")
	}
	if s := state(); s.Verdict != drift.Unknown || s.Reason != v1alpha1.ReasonDriftNotMeasured {
		t.Errorf("known before it was measured: %+v", s)
	}

	runs.set(func(p *player) { p.held = false })
	later(0)
	eventually(t, "it is as approved", func() bool { return state().Verdict == drift.AsApproved })
	eventually(t, "nothing is open", closed)
	var report corev1.ConfigMap
	if err := c.Get(ctx, client.ObjectKey{Namespace: v1alpha1.RecordsNamespace, Name: state().Report}, &report); err != nil {
		t.Fatal(err)
	}
	if text := report.Data[record.Summary]; !strings.Contains(text, "60") {
		t.Errorf("people read %q", text)
	}
	time.Sleep(time.Second)
	log.take()
	time.Sleep(2 * time.Second)
	if asked := log.take(); len(asked) > 0 {
		t.Errorf("until it is due nothing is to be done, and it asked %v", asked)
	}

	// The second shows answers that are worse, and the third, which follows at once, that this was chance.
	later(24 * time.Hour)
	eventually(t, "it was chance", func() bool { s := state(); return s.Number == 3 && s.Verdict == drift.AsApproved })
	eventually(t, "nothing is open again", closed)

	later(24 * time.Hour)
	var review v1alpha1.HardeningReview
	eventually(t, "it is taken back", func() bool {
		state()
		at := client.ObjectKey{Namespace: identity.Namespace, Name: identity.Name + "-1"}
		return c.Get(ctx, at, &review) == nil && review.Status.Promotion != nil && review.Status.Promotion.Step == v1alpha1.StepRolledBack
	})
	if p := review.Status.Promotion; p.Reason != v1alpha1.ReasonModelChanged || !strings.Contains(p.Message, "IT finds out") {
		t.Errorf("told %+v", p)
	}
	eventually(t, "nothing is open any more", closed)
}
