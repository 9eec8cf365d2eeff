package review

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/managedfields"
	clientgoapply "k8s.io/client-go/applyconfigurations"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/tools/events"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/affineur/affineur/api/v1alpha1"
	generated "github.com/affineur/affineur/api/v1alpha1/applyconfiguration"
	"github.com/affineur/affineur/internal/apply"
	"github.com/affineur/affineur/internal/assess"
	"github.com/affineur/affineur/internal/credentials"
	"github.com/affineur/affineur/internal/evidence"
	"github.com/affineur/affineur/internal/gate"
	"github.com/affineur/affineur/internal/gate/integration"
	"github.com/affineur/affineur/internal/gate/scalability"
	"github.com/affineur/affineur/internal/gate/security"
	"github.com/affineur/affineur/internal/record"
	"github.com/affineur/affineur/internal/run"
	"github.com/affineur/affineur/internal/workload"
)

var errKilled = errors.New("killed")

// world is a cluster with everything but nodes: a fake API server, a stand-in for whatever runs Jobs, and the
// controller under test, which can be killed after any write.
type world struct {
	*testing.T
	client     client.WithWatch
	controller *Reconciler
	recorder   *events.FakeRecorder
	now        time.Time
	rec        record.Record
	// hidden is a Job that is not in the cache, because it does not carry our label.
	hidden string
	// slow requests, lost runs and broken integrations: what the stand-in makes of the runs.
	slow, lost, broken bool
	// loses a run of a name; nil for none.
	loses func(name string) bool
	// homeless means that no node has room.
	homeless bool
	// killAfter is the number of writes that are let through; -1 for all. Some are made side by side.
	killAfter int
	// leaks is an undeclared target that the rehearsal reaches.
	leaks string
	// neighbour does what other controllers do after every look; nil for nothing.
	neighbour func()
	// hangs: the prototype answers too late while a system is down.
	hangs bool
	// dismissed are the controls that were told that their run has ended, and deaf means that telling them comes to nothing.
	dismissed map[string]bool
	deaf      bool
	// played counts how often the prototype was started among played systems.
	played int
	mutex  sync.Mutex
	writes []string
	// wrong collects what must never be seen.
	wrong []string
}

// knownTypes are the types of the fake API server, made once: parsing their schemas takes longer than most tests.
var knownTypes = sync.OnceValues(func() (*runtime.Scheme, []managedfields.TypeConverter) {
	scheme, clientGo := runtime.NewScheme(), runtime.NewScheme()
	if err := errors.Join(clientgoscheme.AddToScheme(scheme), v1alpha1.AddToScheme(scheme), clientgoscheme.AddToScheme(clientGo)); err != nil {
		panic(err)
	}
	return scheme, []managedfields.TypeConverter{
		generated.NewTypeConverter(scheme), clientgoapply.NewTypeConverter(clientGo), managedfields.NewDeducedTypeConverter(),
	}
})

// newWorld has a prototype that runs in its sandbox, isolated, and an open review of it.
func newWorld(t *testing.T, edits ...func(*record.Record)) *world {
	t.Helper()
	w := &world{T: t, now: opened.Add(time.Minute), killAfter: -1, rec: sealed(t, edits...), dismissed: map[string]bool{}}
	scheme, converters := knownTypes()
	w.client = fake.NewClientBuilder().WithScheme(scheme).
		WithStatusSubresource(&v1alpha1.HardeningReview{}, &v1alpha1.AIPrototype{}, &appsv1.Deployment{}).
		WithTypeConverters(converters...).
		WithIndex(&v1alpha1.HardeningDecision{}, indexReview, decidedOn).WithIndex(&batchv1.Job{}, indexAtWork, measuringNow).
		WithInterceptorFuncs(w.interceptors()).Build()
	for _, object := range w.scene() {
		w.must(w.client.Create(w.ctx(), object))
	}
	deployment := w.sandboxed()
	deployment.Status = appsv1.DeploymentStatus{Replicas: 1, UpdatedReplicas: 1, AvailableReplicas: 1, ObservedGeneration: deployment.Generation}
	w.must(w.client.Status().Update(w.ctx(), deployment))
	w.restart()
	return w
}

// bench is what the operator has.
var bench = assess.Bench{security.Instrument{}, scalability.Instrument{}, integration.Instrument{}}

// restart makes a new controller that remembers nothing.
func (w *world) restart() {
	w.recorder = events.NewFakeRecorder(200)
	w.controller = &Reconciler{
		Client: w.client, Live: w.client, Writer: &apply.Writer{Client: w.client, Live: w.client},
		Credentials: credentials.Maker{Live: w.client}, Collector: w, Events: w.recorder,
		Turns: &run.Turns{}, Settings: Settings{RunnerImage: "registry.example.org/affineur/gate-runner:1", APIServer: "203.0.113.1:443", Bench: bench, RunsAtMost: 8},
		Now: func() time.Time { return w.now }, Lookup: nowhere,
	}
}

// nowhere is a resolver that knows no name.
func nowhere(context.Context, string) ([]netip.Addr, error) { return nil, errors.New("no such host") }

type outside struct{}

// ctx is for what others than the controller do.
func (w *world) ctx() context.Context { return context.WithValue(w.Context(), outside{}, true) }

func (w *world) must(err error) {
	w.Helper()
	if err != nil {
		w.Fatal(err)
	}
}

// interceptors count writes, kill, and check what must hold at every one.
func (w *world) interceptors() interceptor.Funcs {
	count := func(ctx context.Context, verb string, object client.Object, do func() error) error {
		if w.controller == nil || ctx.Value(outside{}) != nil {
			return do()
		}
		w.mutex.Lock()
		defer w.mutex.Unlock()
		if w.killAfter == 0 {
			return errKilled
		}
		w.check(verb, object)
		err := do()
		if err == nil {
			w.writes = append(w.writes, fmt.Sprintf("%s %T %s", verb, object, object.GetName()))
			w.killAfter = max(w.killAfter-1, -1)
		}
		return err
	}
	return interceptor.Funcs{
		Create: func(ctx context.Context, c client.WithWatch, o client.Object, opts ...client.CreateOption) error {
			if o.GetUID() == "" {
				o.SetUID(types.UID("uid-" + o.GetNamespace() + "-" + o.GetName()))
			}
			if o.GetCreationTimestamp().Time.IsZero() {
				o.SetCreationTimestamp(metav1.NewTime(w.now.Truncate(time.Second)))
			}
			return count(ctx, "create", o, func() error { return c.Create(ctx, o, opts...) })
		},
		Update: func(ctx context.Context, c client.WithWatch, o client.Object, opts ...client.UpdateOption) error {
			return count(ctx, "update", o, func() error { return c.Update(ctx, o, opts...) })
		},
		Patch: func(ctx context.Context, c client.WithWatch, o client.Object, patch client.Patch, opts ...client.PatchOption) error {
			if _, ok := o.(*corev1.Pod); !ok {
				return c.Patch(ctx, o, patch, opts...)
			}
			return count(ctx, "patch", o, func() error {
				if w.deaf {
					return apierrors.NewForbidden(corev1.Resource("pods"), o.GetName(), errors.New("nobody may"))
				}
				w.dismissed[o.GetName()] = true
				return nil
			})
		},
		Delete: func(ctx context.Context, c client.WithWatch, o client.Object, opts ...client.DeleteOption) error {
			return count(ctx, "delete", o, func() error { return errors.Join(w.empty(o), c.Delete(ctx, o, opts...)) })
		},
		SubResourceApply: func(ctx context.Context, c client.Client, sub string, o runtime.ApplyConfiguration, opts ...client.SubResourceApplyOption) error {
			review := &v1alpha1.HardeningReview{ObjectMeta: metav1.ObjectMeta{Name: "status"}}
			return count(ctx, "apply", review, func() error { return c.SubResource(sub).Apply(ctx, o, opts...) })
		},
	}
}

// empty a namespace that is deleted, as the namespace controller does.
func (w *world) empty(o client.Object) error {
	if _, ok := o.(*corev1.Namespace); !ok {
		return nil
	}
	var errs []error
	for _, kind := range []client.Object{&corev1.Secret{}, &corev1.Service{}, &networkingv1.NetworkPolicy{}, &batchv1.Job{}} {
		errs = append(errs, w.client.DeleteAllOf(w.ctx(), kind, client.InNamespace(o.GetName())))
	}
	return errors.Join(errs...)
}

// check holds every write against the rules.
func (w *world) check(verb string, object client.Object) {
	if pod, ok := object.(*corev1.Pod); ok {
		w.checkDismissed(pod.Name)
	}
	job, ok := object.(*batchv1.Job)
	if !ok {
		return
	}
	if job.Labels[v1alpha1.LabelReview] == "" {
		w.checkPlayed(verb, job)
		return
	}
	kept := func(name string) bool {
		err := w.client.Get(w.ctx(), client.ObjectKey{Namespace: v1alpha1.RecordsNamespace, Name: name}, &corev1.ConfigMap{})
		return err == nil
	}
	switch {
	case verb == "delete" && w.open() && !kept(job.Name):
		w.wrong = append(w.wrong, "Job "+job.Name+" deleted before its report was kept")
	case verb == "create" && kept(job.Name):
		w.wrong = append(w.wrong, "Job "+job.Name+" made for a report that is kept")
	case verb == "create" && w.orderOf(*job).Kind() == evidence.KindIntegration && !w.witnessed():
		w.wrong = append(w.wrong, "Job "+job.Name+" made before its control is at work")
	case verb == "create" && job.Spec.Template.Spec.AutomountServiceAccountToken != nil && *job.Spec.Template.Spec.AutomountServiceAccountToken:
		w.wrong = append(w.wrong, "Job "+job.Name+" with a token")
	}
}

// witnessed tells whether a control is at work.
func (w *world) witnessed() bool {
	var jobs batchv1.JobList
	w.must(w.client.List(w.ctx(), &jobs, client.InNamespace(v1alpha1.GatesNamespace), client.MatchingLabels{v1alpha1.LabelGate: assess.ControlOf("integration")}))
	return slices.ContainsFunc(jobs.Items, func(job batchv1.Job) bool { return w.now.Sub(job.CreationTimestamp.Time) >= starting })
}

// starting is how long a pod takes to be at work.
const starting = 4 * time.Second

// Collect stands in for the runner and for whoever starts its pod: a run is at work for ten seconds and has then
// measured.
func (w *world) Collect(ctx context.Context, namespace, name string, want evidence.Kind) (run.Result, error) {
	var job batchv1.Job
	err := w.client.Get(ctx, client.ObjectKey{Namespace: namespace, Name: name}, &job)
	if apierrors.IsNotFound(err) || name == w.hidden {
		return run.Result{State: run.Absent}, nil
	}
	if err != nil {
		return run.Result{}, err
	}
	result := run.Result{StartedAt: job.CreationTimestamp.Time, Nonce: job.Annotations[v1alpha1.AnnotationNonce]}
	switch age := w.now.Sub(job.CreationTimestamp.Time); {
	case w.homeless:
		result.State, result.Why, result.Homeless = run.Running, "Pending", true
	case age < starting:
		result.State, result.Why = run.Running, "ContainerCreating"
	case age < 10*time.Second, w.waits(job) && age < time.Minute && !w.dismissed[name]:
		result.State, result.Why, result.Pod, result.Told = run.Running, atWorkNow, name, w.dismissed[name]
	case w.lost && want == evidence.KindLoad, w.loses != nil && w.loses(name):
		result.State, result.Why = run.Lost, "the run ended before it could measure: DeadlineExceeded"
	default:
		result.State, result.Opened = run.Measured, w.measure(job)
	}
	return result, nil
}

// measure answers a run's order as a runner would, through the same door.
func (w *world) measure(job batchv1.Job) *evidence.Opened {
	order := w.orderOf(job)
	finished := job.CreationTimestamp.Add(9 * time.Second)
	report := evidence.Report{Nonce: order.Nonce, Subject: order.Subject, StartedAt: finished.Add(-6 * time.Second), FinishedAt: finished}
	switch order.Kind() {
	case evidence.KindLoad:
		report.Result = loadReport(*evidence.As[evidence.LoadSpec](order.Order), w.slow)
	case evidence.KindIntegration:
		report.Result = integrationReport(*evidence.As[evidence.IntegrationSpec](order.Order), w.broken, w.leaks, finished)
	case evidence.KindSecrets, evidence.KindSupply:
		report.Result = w.secured(job, order)
	case evidence.KindFaults:
		report.Result = faultsReport(*evidence.As[evidence.FaultsOrder](order.Order), w.hangs)
	case evidence.KindQuality:
		report.Result = w.answered(job, *evidence.As[evidence.QualityOrder](order.Order))
	case evidence.KindPrivacy:
		report.Result = discreet(*evidence.As[evidence.PrivacyOrder](order.Order))
	case evidence.KindIsolation:
		// The control began before the run that joined it, and outlasts it.
		report.FinishedAt = w.now
		report.Result = &evidence.IsolationReport{Targets: reached(evidence.As[evidence.IsolationSpec](order.Order).Targets, finished.Add(-8*time.Second), w.now)}
	}
	line, envelope, err := evidence.Seal(report)
	w.must(err)
	sealed, err := evidence.Open(envelope, line, evidence.Expect{Nonce: order.Nonce, Subject: order.Subject, Kind: order.Kind()})
	w.must(err)
	return sealed
}

// orderOf is what a Job's runner is asked.
func (w *world) orderOf(job batchv1.Job) (order evidence.RunSpec) {
	for _, env := range job.Spec.Template.Spec.Containers[0].Env {
		if env.Name == evidence.RunEnv {
			var err error
			order, err = evidence.DecodeRun([]byte(env.Value))
			w.must(err)
		}
	}
	return order
}

// checkDismissed holds the word to a control against what must never be: that its run is still at work.
func (w *world) checkDismissed(control string) {
	var jobs batchv1.JobList
	w.must(w.client.List(w.ctx(), &jobs, client.InNamespace(identity.Rehearsal())))
	ended := slices.ContainsFunc(jobs.Items, func(job batchv1.Job) bool { return w.now.Sub(job.CreationTimestamp.Time) >= 10*time.Second })
	if !ended {
		w.wrong = append(w.wrong, control+" is told before its run has ended")
	}
}

// waits tells whether a Job's runner waits to be told that it may end.
func (w *world) waits(job batchv1.Job) bool {
	order := evidence.As[evidence.IsolationSpec](w.orderOf(job).Order)
	return order != nil && order.Told
}

// open is true while the review is there and has not ended.
func (w *world) open() bool {
	var review v1alpha1.HardeningReview
	err := w.client.Get(w.ctx(), client.ObjectKey{Namespace: identity.Namespace, Name: identity.Review(3)}, &review)
	return err == nil && review.Status.Outcome == ""
}

func (w *world) review() *v1alpha1.HardeningReview {
	var review v1alpha1.HardeningReview
	w.must(w.client.Get(w.ctx(), client.ObjectKey{Namespace: identity.Namespace, Name: identity.Review(3)}, &review))
	return &review
}

func (w *world) sandboxed() *appsv1.Deployment {
	var deployment appsv1.Deployment
	w.must(w.client.Get(w.ctx(), client.ObjectKey{Namespace: identity.Sandbox(), Name: workload.Name}, &deployment))
	return &deployment
}

func (w *world) prototype(edit func(*v1alpha1.AIPrototype)) {
	var prototype v1alpha1.AIPrototype
	w.must(w.client.Get(w.ctx(), client.ObjectKey{Namespace: identity.Namespace, Name: identity.Name}, &prototype))
	edit(&prototype)
	w.must(w.client.Update(w.ctx(), &prototype))
}

// promotion is what the promotion controller tells.
func (w *world) promotion(step v1alpha1.PromotionStep, reason ...string) {
	review := w.review()
	at := metav1.NewTime(w.now.Truncate(time.Second))
	review.Status.Promotion = &v1alpha1.PromotionStatus{Step: step, IntentAt: &at, Reason: strings.Join(reason, "")}
	w.must(w.client.Status().Update(w.ctx(), review))
}

func (w *world) decide(verdict v1alpha1.DecisionVerdict, role, by string) *v1alpha1.HardeningDecision {
	review := w.review()
	d := &v1alpha1.HardeningDecision{
		ObjectMeta: metav1.ObjectMeta{Namespace: review.Namespace, Name: fmt.Sprintf("%s-%s-%s-%d", review.Name, role, strings.ToLower(string(verdict)), w.now.Unix())},
		Spec: v1alpha1.HardeningDecisionSpec{
			Review:       v1alpha1.ObjectIdentity{Name: review.Name, UID: string(review.UID)},
			ReviewDigest: review.Spec.ReviewDigest, Role: role, Verdict: verdict, By: by, Groups: []string{"it-" + role},
		},
	}
	if verdict == v1alpha1.VerdictReject {
		d.Spec.Reject = &v1alpha1.Rejection{ApproveWhen: "it answers in French"}
	}
	w.must(w.client.Create(w.ctx(), d))
	return d
}

func (w *world) approve() {
	w.decide(v1alpha1.VerdictApprove, "security", "security-reviewer@example.org")
	w.decide(v1alpha1.VerdictApprove, "operations", "operations-reviewer@example.org")
}

// pass reconciles once and lets a second go by, or as long as the controller wants to wait, at most a minute.
func (w *world) pass() error {
	result, err := w.controller.Reconcile(w.Context(), reconcile.Request{NamespacedName: types.NamespacedName{
		Namespace: identity.Namespace, Name: identity.Review(3),
	}})
	w.now = w.now.Add(min(max(result.RequeueAfter, time.Second), 3*time.Second))
	if w.neighbour != nil {
		w.neighbour()
	}
	return err
}

// exhaust lets time pass until what comes to nothing at a site was measured as often as it may be, and once more if it might.
func (w *world) exhaust(site gate.Site) {
	w.Helper()
	atMost, _ := patience(site, 1)
	for attempt := range atMost + 1 {
		w.settle()
		_, pause := patience(site, attempt+1)
		w.now = w.now.Add(pause)
	}
}

// settle reconciles until nothing changes any more, for half a minute of the world's time at least.
func (w *world) settle() {
	w.Helper()
	quiet := 0
	for range 200 {
		before := len(w.writes)
		w.must(w.pass())
		if quiet++; len(w.writes) > before {
			quiet = 0
		}
		if quiet == 12 {
			return
		}
	}
	w.Fatalf("it does not come to rest: %s", strings.Join(w.writes[len(w.writes)-20:], "\n"))
}
