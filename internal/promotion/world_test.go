package promotion

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
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
	"github.com/affineur/affineur/internal/credentials"
	"github.com/affineur/affineur/internal/guard"
	"github.com/affineur/affineur/internal/record"
	"github.com/affineur/affineur/internal/workload"
)

var errKilled = errors.New("killed")

// world is a cluster with everything but nodes: a fake API server, a stand-in for the deployment controller, and the
// controller under test, which can be killed after any write.
type world struct {
	*testing.T
	client     client.WithWatch
	controller *Controller
	recorder   *events.FakeRecorder
	now        time.Time
	guards     guard.State
	gates      Check
	// bad are images whose pods keep ending; they end only after having been ready where soaks is set.
	bad   map[string]bool
	soaks bool
	// killAfter is the number of writes that are let through; -1 for all. Some are made side by side.
	killAfter int
	mutex     sync.Mutex
	writes    []string
	// broken collects what must never be seen.
	broken []string
	// unread and refused say what the controller can't read and may not write; nil for nothing.
	unread, refused func(o runtime.Object) error
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

func newWorld(t *testing.T, objects ...client.Object) *world {
	t.Helper()
	w := &world{
		T: t, now: start.Add(time.Hour), killAfter: -1, bad: map[string]bool{},
		gates: Check{OK: true}, guards: guard.State{InPlace: true, LastGood: start},
	}
	scheme, converters := knownTypes()
	w.client = fake.NewClientBuilder().WithScheme(scheme).WithObjects(objects...).
		WithStatusSubresource(&v1alpha1.HardeningReview{}, &v1alpha1.AIPrototype{}, &appsv1.Deployment{}).
		WithTypeConverters(converters...).
		WithIndex(&v1alpha1.HardeningReview{}, indexProduction, Index).
		WithIndex(&v1alpha1.AIPrototype{}, indexProduction, Index).
		WithInterceptorFuncs(w.interceptors()).Build()
	w.restart()
	return w
}

// restart makes a new controller that remembers nothing.
func (w *world) restart() {
	w.recorder = events.NewFakeRecorder(100)
	w.controller = New(Config{
		Client: w.client, Live: w.client,
		Destination: &InCluster{Client: w.client, Live: w.client, Writer: &apply.Writer{Client: w.client, Live: w.client}},
		Credentials: credentials.Maker{Live: w.client}, Guards: w, Recorder: w.recorder,
	})
	w.controller.gates = func(record.Record, []record.Report, time.Time) Check { return w.gates }
	w.controller.now = func() time.Time { return w.now }
}

// Measure implements Guards.
func (w *world) Measure(context.Context) (guard.State, error) { return w.guards, nil }

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
		if err := trouble(w.refused, object); err != nil {
			return err
		}
		err := do()
		if err == nil {
			w.writes = append(w.writes, fmt.Sprintf("%s %s %s", verb, kindOf(object), object.GetName()))
			w.killAfter = max(w.killAfter-1, -1)
		}
		return err
	}
	read := func(ctx context.Context, o runtime.Object, do func() error) error {
		if w.controller != nil && ctx.Value(outside{}) == nil {
			if err := trouble(w.unread, o); err != nil {
				return err
			}
		}
		return do()
	}
	return interceptor.Funcs{
		Get: func(ctx context.Context, c client.WithWatch, key client.ObjectKey, o client.Object, opts ...client.GetOption) error {
			return read(ctx, o, func() error { return c.Get(ctx, key, o, opts...) })
		},
		List: func(ctx context.Context, c client.WithWatch, o client.ObjectList, opts ...client.ListOption) error {
			return read(ctx, o, func() error { return c.List(ctx, o, opts...) })
		},
		Create: func(ctx context.Context, c client.WithWatch, o client.Object, opts ...client.CreateOption) error {
			if o.GetUID() == "" {
				o.SetUID(types.UID("uid-" + o.GetName()))
			}
			o.SetCreationTimestamp(metav1.NewTime(w.now.Truncate(time.Second)))
			return count(ctx, "create", o, func() error { return c.Create(ctx, o, opts...) })
		},
		Update: func(ctx context.Context, c client.WithWatch, o client.Object, opts ...client.UpdateOption) error {
			return count(ctx, "update", o, func() error { return c.Update(ctx, o, opts...) })
		},
		Delete: func(ctx context.Context, c client.WithWatch, o client.Object, opts ...client.DeleteOption) error {
			return count(ctx, "delete", o, func() error { return c.Delete(ctx, o, opts...) })
		},
		DeleteAllOf: func(ctx context.Context, c client.WithWatch, o client.Object, opts ...client.DeleteAllOfOption) error {
			return count(ctx, "deleteall", o, func() error { return c.DeleteAllOf(ctx, o, opts...) })
		},
		SubResourceApply: func(ctx context.Context, c client.Client, sub string, o runtime.ApplyConfiguration, opts ...client.SubResourceApplyOption) error {
			review := &v1alpha1.HardeningReview{ObjectMeta: metav1.ObjectMeta{Name: "status"}}
			return count(ctx, "apply", review, func() error { return c.SubResource(sub).Apply(ctx, o, opts...) })
		},
	}
}

type outside struct{}

// ctx is for what others than the controller do.
func (w *world) ctx() context.Context { return context.WithValue(w.Context(), outside{}, true) }

// check holds every write of a Deployment against the rules.
func (w *world) check(verb string, object client.Object) {
	if after, ok := object.(*corev1.Namespace); ok && (verb == "create" || verb == "update") {
		m, before := recall(after), Memory{}
		if namespace := w.namespace(); namespace != nil {
			before = recall(namespace)
		}
		if m.serving() && before.soaking() && m.Record == before.Record && !w.approved(m.Record) {
			w.broken = append(w.broken, m.Record+" serves without approvals")
		}
	}
	d, ok := object.(*appsv1.Deployment)
	if !ok || (verb != "create" && verb != "update") {
		return
	}
	name := d.Annotations[v1alpha1.AnnotationRecord]
	namespace := w.namespace()
	if namespace == nil || namespace.Annotations[v1alpha1.AnnotationRecord] != name {
		w.broken = append(w.broken, "Deployment of "+name+" without a recorded intent")
		return
	}
	if !strings.Contains(d.Spec.Template.Spec.Containers[0].Image, "@sha256:") {
		w.broken = append(w.broken, "Deployment by tag")
	}
	m := recall(namespace)
	if m.serving() || m.soaking() {
		return
	}
	var live appsv1.Deployment
	err := w.client.Get(w.ctx(), client.ObjectKeyFromObject(d), &live)
	if err == nil && live.Annotations[v1alpha1.AnnotationRecord] == name {
		return
	}
	if !w.gates.OK || !w.guards.InPlace || !w.approved(name) {
		w.broken = append(w.broken, "Deployment of "+name+" without gates, guards or approvals")
	}
	if p := w.promotion(name); p == nil || p.IntentAt == nil {
		w.broken = append(w.broken, "Deployment of "+name+" before its review told so")
	}
}

func (w *world) approved(name string) bool {
	var list v1alpha1.HardeningDecisionList
	w.must(w.client.List(w.ctx(), &list))
	approved := false
	for _, d := range list.Items {
		if strings.HasSuffix(name, strings.TrimPrefix(d.Spec.Review.Name, identity.Name)) {
			if d.Spec.Verdict == v1alpha1.VerdictRevoke {
				return false
			}
			approved = true
		}
	}
	return approved
}

func (w *world) must(err error) {
	w.Helper()
	if err != nil {
		w.Fatal(err)
	}
}

func (w *world) namespace() *corev1.Namespace {
	var namespace corev1.Namespace
	if err := w.client.Get(w.ctx(), client.ObjectKey{Name: identity.Production()}, &namespace); err != nil {
		return nil
	}
	return &namespace
}

func (w *world) deployment() *appsv1.Deployment {
	var d appsv1.Deployment
	if err := w.client.Get(w.ctx(), client.ObjectKey{Namespace: identity.Production(), Name: workload.Name}, &d); err != nil {
		return nil
	}
	return &d
}

func (w *world) review(name string) *v1alpha1.HardeningReview {
	var list v1alpha1.HardeningReviewList
	w.must(w.client.List(w.ctx(), &list))
	for i := range list.Items {
		if list.Items[i].Spec.Record == name {
			return &list.Items[i]
		}
	}
	return nil
}

func (w *world) promotion(name string) *v1alpha1.PromotionStatus {
	review := w.review(name)
	if review == nil {
		return nil
	}
	return review.Status.Promotion
}

// step is the step and reason that a record's review tells.
func (w *world) step(name string) string {
	p := w.promotion(name)
	if p == nil {
		return ""
	}
	return fmt.Sprintf("%s %s", p.Step, p.Reason)
}

// rollOut is the deployment controller and the kubelet, in one go.
func (w *world) rollOut() {
	var pods corev1.PodList
	w.must(w.client.List(w.ctx(), &pods, client.InNamespace(identity.Production())))
	d := w.deployment()
	if d == nil {
		for i := range pods.Items {
			w.must(w.client.Delete(w.ctx(), &pods.Items[i]))
		}
		return
	}
	image, revision := d.Spec.Template.Spec.Containers[0].Image, d.Spec.Template.Annotations[v1alpha1.AnnotationRecord]
	failing := w.bad[image] && !w.soaks
	have := map[string]bool{}
	old := int32(0)
	for i := range pods.Items {
		pod := &pods.Items[i]
		if pod.Annotations[v1alpha1.AnnotationRecord] != revision && !failing {
			w.must(w.client.Delete(w.ctx(), pod))
			continue
		}
		if pod.Annotations[v1alpha1.AnnotationRecord] != revision {
			old++
		}
		have[pod.Name] = true
	}
	for i := range *d.Spec.Replicas {
		name := fmt.Sprintf("%s-%d", revision, i)
		if !have[name] {
			w.start(d, name, failing)
		}
	}
	d.Status = appsv1.DeploymentStatus{Replicas: *d.Spec.Replicas, UpdatedReplicas: *d.Spec.Replicas, AvailableReplicas: *d.Spec.Replicas}
	if failing {
		d.Status.Replicas, d.Status.AvailableReplicas = d.Status.Replicas+old, old
	}
	w.must(w.client.Status().Update(w.ctx(), d))
}

func (w *world) start(d *appsv1.Deployment, name string, failing bool) {
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: d.Namespace, Name: name, Labels: d.Spec.Template.Labels, Annotations: d.Spec.Template.Annotations,
			CreationTimestamp: metav1.NewTime(w.now.Truncate(time.Second)),
		},
		Spec: d.Spec.Template.Spec,
		Status: corev1.PodStatus{Phase: corev1.PodRunning, Conditions: []corev1.PodCondition{
			{Type: corev1.PodReady, Status: corev1.ConditionTrue},
		}},
	}
	if failing {
		pod.Status.Conditions[0].Status = corev1.ConditionFalse
		pod.Status.ContainerStatuses = []corev1.ContainerStatus{{
			RestartCount: 2, State: corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: crashLoop}},
			LastTerminationState: corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{
				ExitCode: 3, Reason: "Error", Message: "secret words", FinishedAt: metav1.NewTime(w.now),
			}},
		}}
	}
	w.must(w.client.Create(w.ctx(), pod))
}

// misbehave lets pods that soak end once.
func (w *world) misbehave() {
	d := w.deployment()
	if d == nil || !w.soaks || !w.bad[d.Spec.Template.Spec.Containers[0].Image] {
		return
	}
	namespace := w.namespace()
	if namespace == nil || !recall(namespace).soaking() {
		return
	}
	var pods corev1.PodList
	w.must(w.client.List(w.ctx(), &pods, client.InNamespace(identity.Production())))
	for i := range pods.Items {
		pods.Items[i].Status.ContainerStatuses = []corev1.ContainerStatus{{
			RestartCount: 1, LastTerminationState: corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{
				ExitCode: 137, Reason: "OOMKilled", FinishedAt: metav1.NewTime(w.now.Add(time.Second)),
			}},
		}}
		w.must(w.client.Status().Update(w.ctx(), &pods.Items[i]))
	}
}

// pass reconciles once and lets the cluster react.
func (w *world) pass() (reconcile.Result, error) {
	request := reconcile.Request{NamespacedName: types.NamespacedName{Name: identity.Production()}}
	result, err := w.controller.Reconcile(w.Context(), request)
	w.rollOut()
	w.misbehave()
	return result, err
}

// settle goes on until nothing is written any more and nothing is waited for but the next look at credentials.
func (w *world) settle() {
	w.Helper()
	for range 60 {
		before := len(w.writes)
		result, err := w.pass()
		if err != nil && !apierrors.IsForbidden(err) {
			w.Fatalf("%v after %v", err, w.writes)
		}
		quiet := len(w.writes) == before
		if quiet && (result.RequeueAfter == 0 || result.RequeueAfter >= lookAgain) {
			return
		}
		w.now = w.now.Add(result.RequeueAfter)
	}
	w.Fatalf("does not settle: %v", w.writes[max(0, len(w.writes)-12):])
}

// unbroken fails the test for everything that must never have been seen.
func (w *world) unbroken() {
	w.Helper()
	for _, b := range w.broken {
		w.Error(b)
	}
}

// object turns a record into what the records namespace keeps.
func object(t *testing.T, r record.Record) client.Object {
	t.Helper()
	o, err := r.Object()
	if err != nil {
		t.Fatal(err)
	}
	return o
}
