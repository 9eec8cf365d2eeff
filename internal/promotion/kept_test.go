package promotion

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/go-logr/logr/funcr"
	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/internal/record"
	"github.com/affineur/affineur/internal/workload"
)

// event tells whether one with the reason was recorded; it takes all that are there.
func (w *world) event(reason string) bool {
	found := false
	for {
		select {
		case e := <-w.recorder.Events:
			found = found || strings.Contains(e, reason)
		default:
			return found
		}
	}
}

func TestDrift(t *testing.T) {
	at := client.ObjectKey{Namespace: identity.Production(), Name: workload.Name}
	named := func(name string) client.ObjectKey {
		return client.ObjectKey{Namespace: identity.Production(), Name: name}
	}
	for name, test := range map[string]struct {
		key    client.ObjectKey
		object client.Object
		change func(o client.Object)
		holds  func(o client.Object) bool
	}{
		"image": {at, &appsv1.Deployment{},
			func(o client.Object) { o.(*appsv1.Deployment).Spec.Template.Spec.Containers[0].Image = digestB },
			func(o client.Object) bool {
				return o.(*appsv1.Deployment).Spec.Template.Spec.Containers[0].Image == digestA
			}},
		"stopped": {at, &appsv1.Deployment{},
			func(o client.Object) { o.(*appsv1.Deployment).Spec.Replicas = ptr.To[int32](0) },
			func(o client.Object) bool { return *o.(*appsv1.Deployment).Spec.Replicas == 2 }},
		"deployment": {at, &appsv1.Deployment{}, nil, nil},
		"autoscaler": {at, &autoscalingv2.HorizontalPodAutoscaler{},
			func(o client.Object) { o.(*autoscalingv2.HorizontalPodAutoscaler).Spec.MaxReplicas = 400 },
			func(o client.Object) bool { return o.(*autoscalingv2.HorizontalPodAutoscaler).Spec.MaxReplicas == 4 }},
		"budget":       {at, &policyv1.PodDisruptionBudget{}, nil, nil},
		"service":      {at, &corev1.Service{}, func(o client.Object) { o.(*corev1.Service).Spec.Selector = nil }, func(o client.Object) bool { return len(o.(*corev1.Service).Spec.Selector) == 2 }},
		"service gone": {at, &corev1.Service{}, nil, nil},
		"account":      {at, &corev1.ServiceAccount{}, nil, nil},
		"deny all":     {named("deny-all"), &networkingv1.NetworkPolicy{}, nil, nil},
		"egress": {named("allow-catalogue-1"), &networkingv1.NetworkPolicy{},
			func(o client.Object) {
				o.(*networkingv1.NetworkPolicy).Spec.Egress = []networkingv1.NetworkPolicyEgressRule{{}}
			},
			func(o client.Object) bool { return len(o.(*networkingv1.NetworkPolicy).Spec.Egress[0].Ports) == 2 }},
		"callers": {named("allow-callers-1"), &networkingv1.NetworkPolicy{}, nil, nil},
		"quota":   {named("room"), &corev1.ResourceQuota{}, nil, nil},
		"limits":  {named("room"), &corev1.LimitRange{}, nil, nil},
		"rights":  {named("affineur-operator"), &rbacv1.RoleBinding{}, nil, nil},
	} {
		t.Run(name, func(t *testing.T) {
			w, _ := first(t)
			w.settle()
			w.event("")
			w.must(w.client.Get(w.ctx(), test.key, test.object))
			if test.change == nil {
				w.must(w.client.Delete(w.ctx(), test.object))
			} else {
				test.change(test.object)
				w.must(w.client.Update(w.ctx(), test.object))
			}
			w.settle()
			w.unbroken()
			w.must(w.client.Get(w.ctx(), test.key, test.object))
			if test.holds != nil && !test.holds(test.object) {
				t.Errorf("not put back: %+v", test.object)
			}
			told := 0
			for len(w.recorder.Events) > 0 {
				if strings.Contains(<-w.recorder.Events, v1alpha1.ReasonDrift) {
					told++
				}
			}
			if told != 1 {
				t.Errorf("told %d times", told)
			}
		})
	}
}

// TestOrphan: the team's namespace goes, and production keeps serving, also through a restart and drift.
func TestOrphan(t *testing.T) {
	w, r := first(t)
	w.settle()
	w.must(w.client.Delete(w.ctx(), w.review(r.Name())))
	w.must(w.client.Delete(w.ctx(), prototypeOf(v1alpha1.TargetProduction)))
	w.settle()
	if got := w.namespace().Labels[v1alpha1.LabelOrphaned]; got != "true" {
		t.Errorf("marked %q", got)
	}
	if !w.event(v1alpha1.ReasonOrphaned) {
		t.Error("nobody was told")
	}
	w.restart()
	w.must(w.client.Delete(w.ctx(), w.deployment()))
	w.settle()
	w.unbroken()
	if d := w.deployment(); d == nil || d.Spec.Template.Spec.Containers[0].Image != digestA {
		t.Errorf("does not serve: %+v", d)
	}
	if w.event(v1alpha1.ReasonOrphaned) {
		t.Error("told twice")
	}
}

// TestRetiredForGood: a retirement ends even if the prototype is gone meanwhile, and pods go before policies.
func TestRetiredForGood(t *testing.T) {
	w, r := first(t)
	w.settle()
	w.target(v1alpha1.TargetRetired)
	for !recall(w.namespace()).Retiring {
		_, err := w.pass()
		w.must(err)
	}
	if got := w.step(r.Name()); got != "Retiring Retiring" {
		t.Errorf("says %s", got)
	}
	w.must(w.client.Delete(w.ctx(), w.review(r.Name())))
	prototype := prototypeOf(v1alpha1.TargetRetired)
	w.must(w.client.Delete(w.ctx(), prototype))
	w.settle()
	if w.namespace() != nil {
		t.Error("the namespace is still there")
	}
	stopped := slices.Index(w.writes, "delete Deployment "+workload.Name)
	gone := slices.Index(w.writes, "delete Namespace "+identity.Production())
	if stopped < 0 || gone < stopped {
		t.Errorf("order: %v", w.writes)
	}
	var kept appsv1.ControllerRevision
	w.must(w.client.Get(w.ctx(), client.ObjectKey{Namespace: v1alpha1.RecordsNamespace, Name: r.Name()}, &kept))
}

// TestRetiredStaysRetired: asking for production again takes a new review.
func TestRetiredStaysRetired(t *testing.T) {
	w, r := first(t)
	w.settle()
	w.target(v1alpha1.TargetRetired)
	w.settle()
	w.target(v1alpha1.TargetProduction)
	w.settle()
	if w.deployment() != nil || w.step(r.Name()) != "Retired Retired" {
		t.Errorf("came back: %s", w.step(r.Name()))
	}
}

func TestRecordDestroyed(t *testing.T) {
	w, r := first(t)
	w.settle()
	w.must(w.client.Delete(w.ctx(), object(t, r)))
	w.restart()
	writes := len(w.writes)
	w.settle()
	if w.deployment() == nil {
		t.Error("production went with its record")
	}
	if p := w.promotion(r.Name()); p.Step != v1alpha1.StepServing || p.Reason != v1alpha1.ReasonRecordMissing {
		t.Errorf("says %+v after %v", p, w.writes[writes:])
	}
}

func withPullSecret(r *record.Record) {
	r.Requirements.Registry = v1alpha1.Registry{Prefix: "registry.example.org/", PullSecret: &v1alpha1.LocalName{Name: "registry-pull"}}
}

func pullSecret(token string) *corev1.Secret {
	return &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: v1alpha1.SystemNamespace, Name: "registry-pull"},
		Data:       map[string][]byte{corev1.DockerConfigJsonKey: []byte(token)},
	}
}

func TestCredentials(t *testing.T) {
	w, r := first(t, withPullSecret)
	w.settle()
	if p := w.promotion(r.Name()); p.Reason != v1alpha1.ReasonCredentialMissing || !strings.Contains(p.Message, "registry-pull") {
		t.Fatalf("says %+v", p)
	}
	if w.namespace() != nil {
		t.Error("a namespace was made before anything could run in it")
	}
	w.must(w.client.Create(w.ctx(), pullSecret("one")))
	w.settle()
	if got := w.step(r.Name()); got != "Serving Promoted" {
		t.Fatalf("says %s", got)
	}
	own := client.ObjectKey{Namespace: identity.Production(), Name: workload.PullSecret + "-1"}
	if got := w.deployment().Spec.Template.Spec.ImagePullSecrets[0].Name; got != own.Name {
		t.Errorf("pods pull with %s", got)
	}
	before := w.deployment().Spec.Template.Annotations[workload.AnnotationSecrets]

	rotated := pullSecret("two")
	w.must(w.client.Update(w.ctx(), rotated))
	w.event("")
	w.now = w.now.Add(credentialsFresh)
	w.settle()
	var secret corev1.Secret
	w.must(w.client.Get(w.ctx(), own, &secret))
	if string(secret.Data[corev1.DockerConfigJsonKey]) != "two" || w.deployment().Spec.Template.Annotations[workload.AnnotationSecrets] == before {
		t.Error("the rotated Secret did not arrive")
	}
	if w.event(v1alpha1.ReasonDrift) {
		t.Error("a rotation was told as drift")
	}

	after := w.deployment().Spec.Template.Annotations[workload.AnnotationSecrets]
	w.must(w.client.Delete(w.ctx(), rotated))
	w.now = w.now.Add(credentialsFresh)
	w.settle()
	if p := w.promotion(r.Name()); p.Step != v1alpha1.StepServing || p.Reason != v1alpha1.ReasonCredentialMissing {
		t.Errorf("says %+v", p)
	}
	if w.deployment().Spec.Template.Annotations[workload.AnnotationSecrets] != after {
		t.Error("pods were rolled because a source is missing")
	}
}

// TestCredentialsOfANewNamespace: what was looked at in a namespace is gone with it, also where another has its name.
func TestCredentialsOfANewNamespace(t *testing.T) {
	w, _ := first(t, withPullSecret)
	w.must(w.client.Create(w.ctx(), pullSecret("one")))
	w.settle()
	own := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: identity.Production(), Name: workload.PullSecret + "-1"}}
	namespace := w.namespace()
	w.must(w.client.Delete(w.ctx(), own))
	w.must(w.client.Delete(w.ctx(), namespace))
	namespace.UID, namespace.ResourceVersion = "another", ""
	w.must(w.client.Create(w.ctx(), namespace))
	for range 3 {
		_, err := w.pass()
		w.must(err)
	}
	w.must(w.client.Get(w.ctx(), client.ObjectKeyFromObject(own), own))
}

// TestToldOnce: that a revision serves ends its review, which is told there; and no log line says a key twice.
func TestToldOnce(t *testing.T) {
	w, r := first(t)
	var lines []string
	logger := funcr.NewJSON(func(line string) { lines = append(lines, line) }, funcr.Options{})
	ctx := log.IntoContext(t.Context(), logger.WithValues("namespace", "", "name", identity.Production()))
	request := reconcile.Request{NamespacedName: types.NamespacedName{Name: identity.Production()}}
	for range 40 {
		result, err := w.controller.Reconcile(ctx, request)
		w.must(err)
		w.rollOut()
		w.now = w.now.Add(result.RequeueAfter)
	}
	if got := w.step(r.Name()); got != "Serving Promoted" {
		t.Fatalf("is %s", got)
	}
	told := map[string]int{}
	for len(w.recorder.Events) > 0 {
		told[strings.Fields(<-w.recorder.Events)[1]]++
	}
	if want := map[string]int{v1alpha1.ReasonPreparingProduction: 1, v1alpha1.ReasonRollingOut: 1, v1alpha1.ReasonSoaking: 1}; !maps.Equal(told, want) {
		t.Errorf("told %v, want %v", told, want)
	}
	w.must(w.client.Delete(w.ctx(), w.deployment()))
	w.must(w.client.Delete(w.ctx(), w.review(r.Name())))
	w.must(w.client.Delete(w.ctx(), prototypeOf(v1alpha1.TargetProduction)))
	_, err := w.controller.Reconcile(ctx, request)
	w.must(err)
	if len(lines) < 5 {
		t.Errorf("logged only %v", lines)
	}
	for _, line := range lines {
		for _, key := range []string{`"namespace":`, `"name":`} {
			if strings.Count(line, key) > 1 {
				t.Errorf("%s twice in %s", key, line)
			}
		}
	}
}

// TestOrphanIsRetired: an orphan is taken down by the operator, pods first, when whoever may asks for it.
func TestOrphanIsRetired(t *testing.T) {
	w, r := first(t)
	w.settle()
	w.must(w.client.Delete(w.ctx(), w.review(r.Name())))
	w.must(w.client.Delete(w.ctx(), prototypeOf(v1alpha1.TargetProduction)))
	w.settle()
	if !w.event("kubectl annotate namespace " + identity.Production() + " affineur.dev/retire=true") {
		t.Error("nobody was told how to retire it")
	}
	namespace := w.namespace()
	namespace.Annotations[v1alpha1.AnnotationRetire] = "true"
	w.must(w.client.Update(w.ctx(), namespace))
	w.settle()
	w.unbroken()
	stopped := slices.Index(w.writes, "delete Deployment "+workload.Name)
	gone := slices.Index(w.writes, "delete Namespace "+identity.Production())
	if w.namespace() != nil || stopped < 0 || gone < stopped {
		t.Errorf("order: %v", w.writes)
	}
}

// TestOrphanIsDeleted: an orphan whose namespace is deleted in an emergency is left to go, and does not come back.
func TestOrphanIsDeleted(t *testing.T) {
	w, r := first(t)
	w.settle()
	w.must(w.client.Delete(w.ctx(), w.review(r.Name())))
	w.must(w.client.Delete(w.ctx(), prototypeOf(v1alpha1.TargetProduction)))
	w.settle()
	namespace := w.namespace()
	namespace.Finalizers = []string{"test/content"}
	w.must(w.client.Update(w.ctx(), namespace))
	w.must(w.client.Delete(w.ctx(), namespace))
	w.must(w.client.Delete(w.ctx(), w.deployment()))
	writes := len(w.writes)
	w.restart()
	w.settle()
	namespace = w.namespace()
	namespace.Finalizers = nil
	w.must(w.client.Update(w.ctx(), namespace))
	w.settle()
	if len(w.writes) != writes || w.namespace() != nil {
		t.Errorf("comes back: %v", w.writes[writes:])
	}
}

// TestBeingDeleted: what is being deleted says so, whoever deletes it.
func TestBeingDeleted(t *testing.T) {
	w, r := first(t)
	w.settle()
	namespace := w.namespace()
	namespace.Finalizers = []string{"test/content"}
	w.must(w.client.Update(w.ctx(), namespace))
	w.target(v1alpha1.TargetRetired)
	w.must(w.client.Delete(w.ctx(), namespace))
	w.settle()
	if got := w.step(r.Name()); got != "Retiring Retiring" {
		t.Errorf("says %s", got)
	}
}

// TestQuiet: a pass without news writes nothing.
func TestQuiet(t *testing.T) {
	w, _ := first(t)
	w.settle()
	writes := len(w.writes)
	for range 5 {
		_, err := w.pass()
		w.must(err)
	}
	if len(w.writes) != writes {
		t.Errorf("wrote %v", w.writes[writes:])
	}
}

// TestWokenByDecisions: a decision leads to the production of the review that it names, also when it is deleted.
func TestWokenByDecisions(t *testing.T) {
	w, r := first(t)
	got := w.controller.decided(t.Context(), approval(r, reviewer))
	if len(got) != 1 || got[0].Name != identity.Production() {
		t.Errorf("leads to %v", got)
	}
	elsewhere := approval(r, reviewer)
	elsewhere.Namespace = "education"
	if got := w.controller.decided(t.Context(), elsewhere); len(got) != 0 {
		t.Errorf("a decision on a review that is not there leads to %v", got)
	}
}
