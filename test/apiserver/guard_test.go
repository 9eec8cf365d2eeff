package apiserver

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/go-logr/logr/testr"
	. "github.com/onsi/gomega"
	admissionv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/internal/guard"
)

func measure(t *testing.T) guard.State {
	t.Helper()
	state, err := guard.Measure(t.Context(), operatorConfig)
	if err != nil {
		t.Fatal(err)
	}
	return state
}

func TestGuardsAreInPlaceAsInstalled(t *testing.T) {
	state := measure(t)
	if !state.InPlace || state.Reason != v1alpha1.ReasonGuardsMeasured {
		t.Errorf("%s: %s", state.Reason, state.Message)
	}
	t.Log(state.Message)
}

// Threat 11: each of these lets something in, and each has to be seen.
func TestGuardsThatWereWeakenedAreSeen(t *testing.T) {
	for _, change := range []struct {
		name    string
		weaken  func(*testing.T)
		reason  string
		message string
	}{
		{"a binding is removed", func(t *testing.T) { remove(t, &admissionv1.ValidatingAdmissionPolicyBinding{}, "affineur-decisions") },
			v1alpha1.ReasonGuardsChanged, "ValidatingAdmissionPolicyBinding affineur-decisions is missing"},
		{"a binding only warns", func(t *testing.T) {
			change(t, &admissionv1.ValidatingAdmissionPolicyBinding{}, "affineur-managed-content", func(b *admissionv1.ValidatingAdmissionPolicyBinding) {
				b.Spec.ValidationActions = []admissionv1.ValidationAction{admissionv1.Audit}
			})
		}, v1alpha1.ReasonGuardsChanged, "a ConfigMap in a managed namespace was let through"},
		{"a binding leaves a namespace out", func(t *testing.T) {
			change(t, &admissionv1.ValidatingAdmissionPolicyBinding{}, "affineur-decisions", func(b *admissionv1.ValidatingAdmissionPolicyBinding) {
				b.Spec.MatchResources = &admissionv1.MatchResources{NamespaceSelector: &metav1.LabelSelector{MatchLabels: map[string]string{"kubernetes.io/metadata.name": "affineur-system"}}}
			})
		}, v1alpha1.ReasonGuardsChanged, "ValidatingAdmissionPolicyBinding affineur-decisions is not as shipped"},
		{"a rule is dropped", func(t *testing.T) {
			change(t, &admissionv1.ValidatingAdmissionPolicy{}, "affineur-prototypes", func(p *admissionv1.ValidatingAdmissionPolicy) {
				p.Spec.Validations = p.Spec.Validations[1:]
			})
		}, v1alpha1.ReasonGuardsChanged, "ValidatingAdmissionPolicy affineur-prototypes is not as shipped"},
		{"errors are let through", func(t *testing.T) {
			change(t, &admissionv1.ValidatingAdmissionPolicy{}, "affineur-records", func(p *admissionv1.ValidatingAdmissionPolicy) {
				ignore := admissionv1.Ignore
				p.Spec.FailurePolicy = &ignore
			})
		}, v1alpha1.ReasonGuardsChanged, "ValidatingAdmissionPolicy affineur-records is not as shipped"},
		{"the stamp of decisions is removed", func(t *testing.T) {
			remove(t, &admissionv1.MutatingAdmissionPolicyBinding{}, "affineur-stamp-decisions")
		},
			v1alpha1.ReasonGuardsChanged, "a decision in another's name was refused for another reason"},
		{"the stamp of prototypes is removed", func(t *testing.T) { remove(t, &admissionv1.MutatingAdmissionPolicy{}, "affineur-stamp-prototypes") },
			v1alpha1.ReasonGuardsChanged, "authors are not stamped any more"},
		{"another operator is named", func(t *testing.T) {
			changeParameters(t, func(data map[string]string) { data["operator"] = mallory })
		}, v1alpha1.ReasonGuardsChanged, "operator in ConfigMap affineur-system/affineur-guards is not as shipped"},
		{"the parameters are removed", func(t *testing.T) {
			restored(t, &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: v1alpha1.SystemNamespace, Name: "affineur-guards"}})
			must(t, admin.Delete(t.Context(), &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: v1alpha1.SystemNamespace, Name: "affineur-guards"}}))
		}, v1alpha1.ReasonGuardsChanged, "ConfigMap affineur-system/affineur-guards is missing"},
		// RBAC answers first, and nothing is known of admission.
		{"the checker loses its rights", func(t *testing.T) { remove(t, &rbacv1.ClusterRoleBinding{}, "affineur-guard-check") },
			v1alpha1.ReasonGuardsUnknown, "a namespace of a sandbox's name never reached policy affineur-namespace-names"},
		{"the operator may not act as the checker", func(t *testing.T) { removeIn(t, &rbacv1.RoleBinding{}, v1alpha1.SystemNamespace, "affineur") },
			v1alpha1.ReasonGuardsUnknown, "never reached policy"},
	} {
		t.Run(named(change.name), func(t *testing.T) {
			change.weaken(t)
			g := NewWithT(t)
			g.Eventually(func() string {
				state := measure(t)
				g.Expect(state.InPlace && state.Reason != v1alpha1.ReasonGuardsMeasured).To(BeFalse())
				return state.Reason + ": " + state.Message
			}, 10*time.Second, 200*time.Millisecond).Should(And(HavePrefix(change.reason), ContainSubstring(change.message)))
		})
	}
	g := NewWithT(t)
	g.Eventually(func() string { return measure(t).Message }, 20*time.Second, 200*time.Millisecond).Should(ContainSubstring("are as shipped"))
}

// Threat 11, the whole of it: guards removed for a moment, restored, and the time between remembered, also across a
// restart of the operator.
func TestGapIsRemembered(t *testing.T) {
	g := NewWithT(t)
	load := func() guard.State {
		state, err := guard.Load(t.Context(), admin)
		g.Expect(err).NotTo(HaveOccurred())
		return state
	}
	inPlace := func() bool { return load().InPlace }

	stop := startController(t)
	g.Eventually(inPlace, 30*time.Second, 100*time.Millisecond).Should(BeTrue())
	first := load()
	g.Expect(first.Unguarded(time.Now().Add(-time.Hour))).To(BeTrue(), "before the first look")
	g.Expect(first.Unguarded(time.Now().Add(time.Minute))).To(BeFalse())

	// Nothing is changed while nobody looks: no gap.
	time.Sleep(6 * time.Second) // past the settling of the first look
	stop()
	stop = startController(t)
	g.Consistently(func() []guard.Gap { return load().Gaps }, 3*time.Second, 200*time.Millisecond).Should(Equal(first.Gaps))

	// While somebody looks.
	before := time.Now()
	restore := remove(t, &admissionv1.ValidatingAdmissionPolicyBinding{}, "affineur-decisions")
	g.Eventually(inPlace, 20*time.Second, 100*time.Millisecond).Should(BeFalse())
	g.Expect(load().Unguarded(time.Now())).To(BeTrue())
	restore()
	g.Eventually(inPlace, 30*time.Second, 100*time.Millisecond).Should(BeTrue())
	seen := load()
	g.Expect(seen.Gaps).To(HaveLen(len(first.Gaps) + 1))
	g.Expect(seen.Unguarded(before.Add(time.Second))).To(BeTrue())
	g.Expect(seen.Unguarded(time.Now().Add(time.Minute))).To(BeFalse())

	// While nobody looks: changed and changed back, the content is the same and the fingerprint is not.
	stop()
	time.Sleep(6 * time.Second)
	hidden := time.Now()
	remove(t, &admissionv1.ValidatingAdmissionPolicyBinding{}, "affineur-decisions")()
	g.Expect(until(t.Context(), unguarded)).To(Succeed())
	g.Expect(measure(t).Unguarded(hidden)).To(BeTrue(), "promotion measures by itself")
	stop = startController(t)
	g.Eventually(func() bool { return load().Unguarded(hidden) }, 20*time.Second, 100*time.Millisecond).Should(BeTrue())
	g.Expect(load().InPlace).To(BeTrue())
	stop()
}

func startController(t *testing.T) (stop func()) {
	t.Helper()
	controller, err := guard.NewController(operatorConfig, testr.New(t))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- controller.Start(ctx) }()
	return func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}

// must fails the test on an error.
func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// remove deletes a cluster-scoped object; the returned function, and the end of the test, bring it back.
func remove(t *testing.T, object client.Object, name string) (restore func()) {
	t.Helper()
	return removeIn(t, object, "", name)
}

func removeIn(t *testing.T, object client.Object, namespace, name string) (restore func()) {
	t.Helper()
	object.SetNamespace(namespace)
	object.SetName(name)
	restore = restored(t, object)
	must(t, admin.Delete(t.Context(), object))
	return restore
}

// restored brings an object back to what it is now.
func restored(t *testing.T, object client.Object) (restore func()) {
	t.Helper()
	must(t, admin.Get(t.Context(), client.ObjectKeyFromObject(object), object))
	original := object.DeepCopyObject().(client.Object)
	done := false
	restore = func() {
		if done {
			return
		}
		done = true
		ctx := context.Background()
		original.SetResourceVersion("")
		original.SetUID("")
		err := admin.Create(ctx, original)
		if err != nil {
			live := original.DeepCopyObject().(client.Object)
			must(t, admin.Get(ctx, client.ObjectKeyFromObject(original), live))
			original.SetResourceVersion(live.GetResourceVersion())
			original.SetUID(live.GetUID())
			err = admin.Update(ctx, original)
		}
		must(t, err)
	}
	guardedAgain(t)
	t.Cleanup(restore)
	return restore
}

var waiting = map[string]bool{}

// guardedAgain has the test end, after everything is brought back, only when the server applies the guards again.
func guardedAgain(t *testing.T) {
	if waiting[t.Name()] {
		return
	}
	waiting[t.Name()] = true
	t.Cleanup(func() {
		must(t, until(context.Background(), unguarded))
		delete(waiting, t.Name())
	})
}

// soon is for what a right that was just granted allows: the authorizer hears of it a moment later.
func soon(t *testing.T, try func() error) {
	t.Helper()
	must(t, until(t.Context(), func(context.Context) error { return try() }))
}

// until tries until it works, for as long as a server may take to notice what changed.
func until(ctx context.Context, f func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	var last error
	for {
		err := f(ctx)
		if err == nil {
			return nil
		}
		if ctx.Err() != nil {
			return errors.Join(ctx.Err(), last)
		}
		last = err
		time.Sleep(100 * time.Millisecond)
	}
}

func change[T client.Object](t *testing.T, object T, name string, edit func(T)) {
	t.Helper()
	object.SetName(name)
	restored(t, object)
	edit(object)
	must(t, admin.Update(t.Context(), object))
}

func changeParameters(t *testing.T, edit func(map[string]string)) {
	t.Helper()
	parameters := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: v1alpha1.SystemNamespace, Name: "affineur-guards"}}
	restored(t, parameters)
	edit(parameters.Data)
	must(t, admin.Update(t.Context(), parameters))
}
