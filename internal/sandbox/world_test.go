package sandbox

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"github.com/go-logr/logr/funcr"
	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/api/validation"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/tools/events"
	clocktesting "k8s.io/utils/clock/testing"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/internal/apply"
	"github.com/affineur/affineur/internal/assess"
	"github.com/affineur/affineur/internal/credentials"
	"github.com/affineur/affineur/internal/evidence"
	"github.com/affineur/affineur/internal/gate/integration"
	"github.com/affineur/affineur/internal/gate/quality"
	"github.com/affineur/affineur/internal/gate/scalability"
	"github.com/affineur/affineur/internal/gate/security"
	"github.com/affineur/affineur/internal/guard"
	"github.com/affineur/affineur/internal/names"
	"github.com/affineur/affineur/internal/record"
	"github.com/affineur/affineur/internal/registry"
	"github.com/affineur/affineur/internal/run"
	"github.com/affineur/affineur/internal/workload"
)

// bench is what the operator has.
var bench = assess.Bench{security.Instrument{}, scalability.Instrument{}, integration.Instrument{}, quality.Instrument{}}

var birth = time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)

const digest = "sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

// world is a cluster of objects, without the controllers that a real one has: tests play those.
type world struct {
	t        *testing.T
	client   client.Client
	clock    *clocktesting.FakePassiveClock
	registry *registryStub
	runs     *runsStub
	// skew is by how much the API server's clock differs, and timed how often it was asked for the time.
	skew     time.Duration
	timed    int
	events   *events.FakeRecorder
	key      client.ObjectKey
	identity names.Identity
	// plans of every pass, and writes as verb and kind.
	plans  []string
	writes []string
	// full records take no report.
	full bool
	// strict: without its RoleBinding the operator may change and delete nothing in the sandbox.
	strict bool
	// gatewayAPI tells whether the cluster has HTTPRoutes and Gateways; it was asked, and watches began, so many times.
	gatewayAPI       bool
	asked, beginning int
	// said is the workload's log; one that can't be read gives an error, of the silent pod alone if one is named.
	said, silent string
	unspoken     error
	// refuses is the kind of object that can't be written.
	refuses string
	// refusesNamed is the name of objects that can't be updated.
	refusesNamed string
	// timeless is why the second clock does not answer.
	timeless error
	*Reconciler
}

type registryStub struct {
	digest string
	err    error
	asked  int
	// Resolver asks real registries for artifacts.
	registry.Resolver
}

func (r *registryStub) Resolve(_ context.Context, image string, _ v1alpha1.Registry) (string, error) {
	r.asked++
	repository, _, _ := strings.Cut(image, ":")
	return repository + "@" + r.digest, r.err
}

// runsStub gives results to the Jobs that exist.
type runsStub struct {
	client client.Client
	mutex  sync.Mutex
	// result of the newest attempt, by the name of the series.
	result map[string]run.Result
	// unread is why no run's log can be read.
	unread error
}

func (r *runsStub) set(results map[string]run.Result) {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	r.result = results
}

func (r *runsStub) Collect(ctx context.Context, namespace, name string, _ evidence.Kind) (run.Result, error) {
	var job batchv1.Job
	if err := r.client.Get(ctx, client.ObjectKey{Namespace: namespace, Name: name}, &job); err != nil {
		return run.Result{State: run.Absent}, client.IgnoreNotFound(err)
	}
	if r.unread != nil {
		return run.Result{}, r.unread
	}
	r.mutex.Lock()
	result, ok := r.result[name[:strings.LastIndex(name, "-")]]
	r.mutex.Unlock()
	if !ok {
		result = run.Result{State: run.Running, Why: "Pending"}
	}
	result.Nonce = job.Annotations[v1alpha1.AnnotationNonce]
	if result.Opened != nil {
		opened := *result.Opened
		report := *opened.Report
		report.Nonce, report.Subject = result.Nonce, job.Annotations[v1alpha1.AnnotationInputs]
		opened.Report = &report
		opened.Raw, _ = json.Marshal(report)
		result.Opened = &opened
	}
	return result, nil
}

// routes of a cluster that may have the Gateway API.
func (w *world) routes() *Routes {
	return &Routes{
		Gateways: cached{reader: w.client}, Writer: &apply.Writer{Client: w.client, Live: w.client},
		Served: func() (bool, error) { w.asked++; return w.gatewayAPI, nil },
		watch:  func() error { w.beginning++; return nil },
	}
}

// cached reads as a cache would; nobody watches it.
type cached struct {
	cache.Cache
	reader client.Reader
}

func (c cached) Get(ctx context.Context, key client.ObjectKey, object client.Object, options ...client.GetOption) error {
	return c.reader.Get(ctx, key, object, options...)
}

// Tail gives the workload's log.
func (w *world) Tail(_ context.Context, _, pod, _ string, length int) (run.Tail, error) {
	if w.unspoken != nil && (w.silent == "" || w.silent == pod) {
		return run.Tail{}, w.unspoken
	}
	return run.Tail{Text: []byte(w.said)[max(0, len(w.said)-length):], Cut: len(w.said) > length}, nil
}

func newScheme(t *testing.T) *runtime.Scheme {
	t.Helper()
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{clientgoscheme.AddToScheme, gatewayv1.Install, v1alpha1.AddToScheme} {
		if err := add(scheme); err != nil {
			t.Fatal(err)
		}
	}
	return scheme
}

func newWorld(t *testing.T, objects ...client.Object) *world {
	t.Helper()
	w := &world{
		t: t, clock: clocktesting.NewFakePassiveClock(birth), registry: &registryStub{digest: digest}, events: events.NewFakeRecorder(100),
		key: client.ObjectKey{Namespace: "membership", Name: "churn-advisor"},
	}
	objects = append(objects, namespace("membership", map[string]string{"affineur.dev/ai-sandbox": "true", v1alpha1.LabelTeam: "membership"}), canaryService(), guards(t, guard.State{InPlace: true, LastGood: birth}))
	w.client = fake.NewClientBuilder().WithScheme(newScheme(t)).WithObjects(objects...).
		WithStatusSubresource(&v1alpha1.AIPrototype{}, &v1alpha1.HardeningReview{}, &v1alpha1.HardeningPolicy{}, &gatewayv1.HTTPRoute{}).
		WithIndex(&v1alpha1.HardeningReview{}, indexPrototypeUID, indexReview).
		WithIndex(&corev1.Pod{}, indexNode, nodeOf).
		WithIndex(&corev1.Namespace{}, indexTeam, teamOf).WithIndex(&v1alpha1.AIPrototype{}, indexStake, stakesIn).
		WithInterceptorFuncs(w.counting()).Build()
	w.registry.Live = w.client
	w.runs = &runsStub{client: w.client, result: map[string]run.Result{}}
	w.Reconciler = &Reconciler{
		Client: w.client, Live: w.client, Writer: &apply.Writer{Client: w.client, Live: w.client, Rights: workload.RightsIn}, Resolver: w.registry,
		Maker: credentials.Maker{Live: w.client}, Collector: w.runs, Routes: w.routes(), Tailer: w, Recorder: w.events, Clock: w.clock, Witness: w,
		Settings: Settings{RunnerImage: "registry.example.org/affineur/gate-runner@" + digest, APIServer: "10.96.0.1:443", MeasureEvery: time.Hour, Bench: bench},
	}
	w.identity = names.Of(w.prototype())
	return w
}

func (w *world) counting() interceptor.Funcs {
	note := func(verb string, object client.Object) {
		kind, _ := w.client.GroupVersionKindFor(object)
		w.writes = append(w.writes, verb+" "+kind.Kind+" "+object.GetName())
	}
	return interceptor.Funcs{
		Create: func(ctx context.Context, c client.WithWatch, object client.Object, options ...client.CreateOption) error {
			note("create", object)
			if problems := validation.NameIsDNSSubdomain(object.GetName(), false); len(problems) > 0 {
				w.t.Errorf("name %q: %s", object.GetName(), problems)
			}
			if at := object.GetCreationTimestamp(); at.IsZero() {
				object.SetCreationTimestamp(metav1.NewTime(w.clock.Now().Add(w.skew)))
			}
			if object.GetUID() == "" {
				object.SetUID(types.UID(fmt.Sprintf("uid-%d", len(w.writes))))
			}
			if _, report := object.(*corev1.ConfigMap); report && w.full {
				return apierrors.NewForbidden(corev1.Resource("configmaps"), object.GetName(), errors.New("exceeded quota"))
			}
			return c.Create(ctx, object, options...)
		},
		Update: func(ctx context.Context, c client.WithWatch, object client.Object, options ...client.UpdateOption) error {
			note("update", object)
			if err := w.refused(ctx, c, object); err != nil {
				return err
			}
			if kind, _ := w.client.GroupVersionKindFor(object); kind.Kind == w.refuses || object.GetName() == w.refusesNamed {
				return apierrors.NewInternalError(errors.New("it is not written"))
			}
			if _, deployment := object.(*appsv1.Deployment); deployment {
				var live appsv1.Deployment
				w.must(c.Get(ctx, client.ObjectKeyFromObject(object), &live))
				object.SetGeneration(live.Generation + 1)
			}
			return c.Update(ctx, object, options...)
		},
		Delete: func(ctx context.Context, c client.WithWatch, object client.Object, options ...client.DeleteOption) error {
			note("delete", object)
			if err := w.refused(ctx, c, object); err != nil {
				return err
			}
			return c.Delete(ctx, object, options...)
		},
		SubResourceApply: func(ctx context.Context, c client.Client, sub string, object runtime.ApplyConfiguration, options ...client.SubResourceApplyOption) error {
			w.writes = append(w.writes, "apply "+sub)
			return c.SubResource(sub).Apply(ctx, object, options...)
		},
	}
}

// Now is the API server's time.
func (w *world) Now(context.Context) (time.Time, error) {
	w.timed++
	return w.clock.Now().Add(w.skew).Truncate(time.Second), w.timeless
}

func namespace(name string, labels map[string]string) *corev1.Namespace {
	return &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: labels}}
}

func canaryService() *corev1.Service {
	return &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Namespace: v1alpha1.GatesNamespace, Name: v1alpha1.CanaryService},
		Spec:       corev1.ServiceSpec{ClusterIP: "10.96.0.53"},
	}
}

// reconcile once; errors are the test's to expect.
func (w *world) reconcile() (ctrl.Result, error) {
	w.t.Helper()
	logger := funcr.NewJSON(func(line string) {
		var entry struct{ Plan string }
		if json.Unmarshal([]byte(line), &entry) == nil && entry.Plan != "" {
			w.plans = append(w.plans, entry.Plan)
		}
	}, funcr.Options{Verbosity: 1})
	return w.Reconcile(logr.NewContext(w.t.Context(), logger), ctrl.Request{NamespacedName: w.key})
}

// settle reconciles until a pass writes nothing, and fails if that takes more than a few.
func (w *world) settle() {
	w.t.Helper()
	for range 8 {
		before := len(w.writes)
		if _, err := w.reconcile(); err != nil {
			w.t.Fatalf("reconcile: %v", err)
		}
		if len(w.writes) == before {
			return
		}
	}
	w.t.Fatalf("does not settle: %s", strings.Join(w.writes, ", "))
}

func (w *world) prototype() *v1alpha1.AIPrototype {
	w.t.Helper()
	var p v1alpha1.AIPrototype
	if err := w.client.Get(w.t.Context(), w.key, &p); err != nil {
		w.t.Fatal(err)
	}
	return &p
}

// edit the prototype as its team would.
func (w *world) edit(change func(*v1alpha1.AIPrototype)) {
	w.t.Helper()
	p := w.prototype()
	change(p)
	p.Generation++
	w.must(w.client.Update(w.t.Context(), p))
}

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) advance(d time.Duration) { w.clock.SetTime(w.clock.Now().Add(d)) }

// expect a condition's status and reason.
func (w *world) expect(kind string, status metav1.ConditionStatus, reason string) {
	w.t.Helper()
	c := apimeta.FindStatusCondition(w.prototype().Status.Conditions, kind)
	if c == nil || c.Status != status || c.Reason != reason {
		w.t.Fatalf("condition %s is %+v, want %s %s", kind, c, status, reason)
	}
}

func clientKey(name string) client.ObjectKey { return client.ObjectKey{Name: name} }

// condition of the prototype, nil where it is absent.
func (w *world) condition(kind string) *metav1.Condition {
	w.t.Helper()
	return apimeta.FindStatusCondition(w.prototype().Status.Conditions, kind)
}

// measured settles, and measures isolation if it is time for that.
func (w *world) measured() {
	w.t.Helper()
	w.settle()
	if w.exists(&batchv1.Job{}, v1alpha1.GatesNamespace, w.identity.Run("isolation", suffixControl)) {
		w.measures(true)
	}
}

// told are the events of a reason, so far.
func (w *world) told(reason string) []string {
	var out []string
	for {
		select {
		case event := <-w.events.Events:
			if strings.Contains(event, " "+reason+" ") {
				out = append(out, event)
			}
		default:
			return out
		}
	}
}

// exists tells whether an object is there, and reads it; of a measurement, the only attempt, by the name of its series.
func (w *world) exists(object client.Object, namespace, name string) bool {
	w.t.Helper()
	if _, measures := object.(*batchv1.Job); measures {
		name = w.attempt(namespace, name)
	}
	err := w.client.Get(w.t.Context(), client.ObjectKey{Namespace: namespace, Name: name}, object)
	w.must(client.IgnoreNotFound(err))
	return err == nil
}

// attempt is the name of the one attempt of a series that is there; the series' without one.
func (w *world) attempt(namespace, series string) string {
	w.t.Helper()
	jobs, err := run.Attempts(w.t.Context(), w.client, w.identity, client.ObjectKey{Namespace: namespace, Name: series})
	w.must(err)
	switch len(jobs) {
	case 0:
		return series
	case 1:
		return jobs[0].Name
	}
	w.t.Fatalf("%d attempts of %s", len(jobs), series)
	return ""
}

// ends both runs with reports in which the sandbox is, or is not, closed.
func (w *world) ends(enforced bool) {
	inside, control := reports(w.clock.Now(), enforced)
	w.runs.result[w.identity.Run("isolation", suffixInside)] = inside
	w.runs.result[w.identity.Run("isolation", suffixControl)] = control
}

// measures plays the runners: both are started, then both end.
func (w *world) measures(enforced bool) {
	w.t.Helper()
	w.runs.result = map[string]run.Result{}
	w.settle()
	if !w.exists(&batchv1.Job{}, w.identity.Sandbox(), w.identity.Run("isolation", suffixInside)) {
		w.t.Fatalf("no run inside the sandbox; plans: %s", strings.Join(w.plans, "\n"))
	}
	w.advance(20 * time.Second)
	w.ends(enforced)
	w.settle()
	w.runs.result = map[string]run.Result{}
}

// serves plays the deployment controller and a kubelet whose program answers.
func (w *world) serves() {
	w.t.Helper()
	var d appsv1.Deployment
	w.must(w.client.Get(w.t.Context(), client.ObjectKey{Namespace: w.identity.Sandbox(), Name: workload.Name}, &d))
	d.Status = appsv1.DeploymentStatus{ObservedGeneration: d.Generation, Replicas: *d.Spec.Replicas, UpdatedReplicas: *d.Spec.Replicas, AvailableReplicas: *d.Spec.Replicas}
	w.must(w.client.Status().Update(w.t.Context(), &d))
}

// reports of two runs, as a runner would write them.
func reports(now time.Time, enforced bool) (inside, control run.Result) {
	half := func(inside bool) run.Result {
		report := &evidence.Report{Schema: evidence.ReportSchema, StartedAt: now.Add(-15 * time.Second), FinishedAt: now.Add(-time.Second)}
		found := &evidence.IsolationReport{}
		for _, target := range targets(places{Canary: "10.96.0.53", APIServer: "10.96.0.1:443"}, inside) {
			reached := target.Settle == evidence.SettleReached || target.Settle == evidence.SettleBlocked && !enforced
			found.Targets = append(found.Targets, resultOf(target, reached, now))
		}
		report.Result = found
		return run.Result{State: run.Measured, Node: "node-1", Opened: &evidence.Opened{Report: report}}
	}
	return half(true), half(false)
}

func resultOf(target evidence.Target, reached bool, now time.Time) evidence.TargetResult {
	first, last := now.Add(-14*time.Second), now.Add(-2*time.Second)
	hosts := map[evidence.Place]string{
		evidence.PlaceNode: "192.0.2.10", evidence.PlaceOtherNode: "192.0.2.10", evidence.PlaceSelf: "198.51.100.7", evidence.PlaceOther: "198.51.100.7",
	}
	r := evidence.TargetResult{
		Name: target.Name, Network: target.Network, Address: hosts[target.Place] + target.Address, Settled: true, Attempts: 10, Since: first, Until: last,
	}
	if reached {
		r.Reached, r.Reaches, r.FirstReachedAt, r.LastReachedAt = true, 10, &first, &last
	} else {
		r.Class = evidence.ClassTimeout
	}
	return r
}

func (w *world) records() Records {
	w.t.Helper()
	var list appsv1.ControllerRevisionList
	w.must(w.client.List(w.t.Context(), &list, client.InNamespace(v1alpha1.RecordsNamespace)))
	return readRecords(list.Items, nil)
}

func (w *world) review(name string) *v1alpha1.HardeningReview {
	w.t.Helper()
	var review v1alpha1.HardeningReview
	w.must(w.client.Get(w.t.Context(), client.ObjectKey{Namespace: w.key.Namespace, Name: name}, &review))
	return &review
}

// concludes a review as the review controller would: the outcome is sealed, then shown.
func (w *world) concludes(name string, outcome v1alpha1.ReviewOutcome) {
	w.t.Helper()
	records := w.records()
	if records.Newest.Prototype.Review(records.Newest.Ordinal) != name {
		w.t.Fatalf("the newest record is %s", records.Newest.Name())
	}
	at := metav1.NewTime(w.clock.Now())
	sealed, err := records.Newest.Outcome(record.Outcome{Outcome: outcome, At: at})
	w.must(err)
	w.must(w.client.Create(w.t.Context(), sealed))
	review := w.review(name)
	review.Status.Outcome, review.Status.OutcomeAt = outcome, &at
	w.must(w.client.Status().Update(w.t.Context(), review))
}

func (w *world) isolationReports() int {
	var list corev1.ConfigMapList
	w.must(w.client.List(w.t.Context(), &list, client.InNamespace(v1alpha1.RecordsNamespace), client.MatchingLabels{v1alpha1.LabelGate: assess.ReportIsolation}))
	return len(list.Items)
}
