package main

import (
	"context"
	"errors"
	"fmt"
	"reflect"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/internal/names"
	"github.com/affineur/affineur/test/story/await"
)

// conflicts are row 21 once more, by those whom no guard holds: what they put in the operator's way is a named conflict,
// and nothing of theirs is taken over or taken away.
func (f *field) conflicts() []attack {
	return []attack{
		{row: 21, who: f.admin.name, what: "being first with a sandbox's namespace, with the guard on names taken down",
			meant: []wall{told(v1alpha1.ReasonNamespaceConflict)}, try: f.robbed},
		{row: 21, who: "a writer of the platform", what: "being first with a Secret that a sandbox needs",
			meant: []wall{told(v1alpha1.ReasonObjectConflict)}, try: f.crowdedIn},
	}
}

// robbed makes the namespace of a prototype that has none yet.
func (f *field) robbed(ctx context.Context) (by string, err error) {
	p := f.newPrototype(home, "robbed", "churn-advisor-1.4")
	image := p.Spec.Workload.Container.Image
	p.Spec.Workload.Container.Image = "elsewhere.example.org/advisor:1"
	if err := f.lead.Create(ctx, p); err != nil {
		return "", err
	}
	if err := f.comes(ctx, p, func(p *v1alpha1.AIPrototype) bool { return conditionOf(p, v1alpha1.ReasonRegistryNotAllowed) != nil }); err != nil {
		return "", err
	}
	theirs := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: names.Of(p).Sandbox()}}
	if err := f.withoutGuardOnNames(ctx, func() error { return f.admin.Create(ctx, theirs) }); err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, f.admin.Delete(context.WithoutCancel(ctx), theirs)) }()
	// One of a name of their own, and one of a name that the operator uses.
	things := []client.Object{theirs, &corev1.ConfigMap{ObjectMeta: in(theirs.Name, "theirs")}, &networkingv1.NetworkPolicy{ObjectMeta: in(theirs.Name, "deny-all")}}
	for _, thing := range things[1:] {
		if err := f.admin.Create(ctx, thing); err != nil {
			return "", err
		}
	}
	before, err := f.contents(ctx, things)
	if err != nil {
		return "", err
	}
	if err := f.lead.Patch(ctx, p, merge(`{"spec":{"workload":{"container":{"image":"`+image+`"}}}}`)); err != nil {
		return "", err
	}
	by, err = f.conflict(ctx, p, v1alpha1.ReasonNamespaceConflict)
	if err != nil {
		return "", err
	}
	if err := f.nothingOfOurs(ctx, theirs.Name); err != nil {
		return "", err
	}
	if err := errors.Join(f.lead.Delete(ctx, p), await.Gone(ctx, f.admin, p)); err != nil {
		return "", err
	}
	after, err := f.contents(ctx, things)
	if err == nil && !reflect.DeepEqual(before, after) {
		err = fmt.Errorf("what was theirs changed: %v, then %v", before, after)
	}
	return by, errors.Join(err, f.guarded(ctx))
}

// conflict waits until a prototype names it, and says how.
func (f *field) conflict(ctx context.Context, p *v1alpha1.AIPrototype, reason string) (string, error) {
	if err := f.comes(ctx, p, func(p *v1alpha1.AIPrototype) bool { return conditionOf(p, reason) != nil }); err != nil {
		return "", err
	}
	c := conditionOf(p, reason)
	return fmt.Sprintf("condition %s=%s %s (%s)", c.Type, c.Status, c.Reason, short(c.Message)), nil
}

// nothingOfOurs wants nothing that carries the operator's label in a namespace.
func (f *field) nothingOfOurs(ctx context.Context, namespace string) error {
	for _, list := range []client.ObjectList{&appsv1.DeploymentList{}, &corev1.PodList{}, &corev1.ServiceList{}, &corev1.ServiceAccountList{}, &corev1.SecretList{},
		&corev1.ConfigMapList{}, &networkingv1.NetworkPolicyList{}, &rbacv1.RoleBindingList{}} {
		if err := f.admin.List(ctx, list, client.InNamespace(namespace), client.MatchingLabels{v1alpha1.LabelManagedBy: v1alpha1.ManagedBy}); err != nil {
			return err
		}
		if n := apimeta.LenList(list); n > 0 {
			return fmt.Errorf("%d of %T are the operator's in a namespace that is not", n, list)
		}
	}
	return nil
}

// withoutGuardOnNames does something while no policy looks at names of namespaces, as only a cluster's administrator can.
func (f *field) withoutGuardOnNames(ctx context.Context, do func() error) error {
	binding := &admissionv1.ValidatingAdmissionPolicyBinding{ObjectMeta: metav1.ObjectMeta{Name: "affineur-namespace-names"}}
	if err := f.admin.Get(ctx, client.ObjectKeyFromObject(binding), binding); err != nil {
		return err
	}
	if err := f.admin.Delete(ctx, binding.DeepCopy()); err != nil {
		return err
	}
	// The API server hears of it a moment later, of both.
	done := await.Until(ctx, do)
	binding.UID, binding.ResourceVersion = "", ""
	restored := f.admin.Create(context.WithoutCancel(ctx), binding)
	squat := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: v1alpha1.SandboxPrefix + "squatted"}}
	return errors.Join(done, restored, await.Until(ctx, func() error {
		if _, refused := stopper(f.admin.Create(ctx, squat.DeepCopy(), client.DryRunAll)); !refused {
			return errors.New("the guard on names is not back")
		}
		return nil
	}))
}

// guarded waits until the operator has measured that the guards are in place again.
func (f *field) guarded(ctx context.Context) error {
	return await.Object(ctx, f.admin, &v1alpha1.HardeningPolicy{ObjectMeta: metav1.ObjectMeta{Name: home}}, func(p *v1alpha1.HardeningPolicy) (bool, error) {
		return apimeta.IsStatusConditionTrue(p.Status.Conditions, v1alpha1.ConditionGuardsInPlace), nil
	})
}

// crowdedIn makes a Secret under the name that the operator will need as soon as the prototype uses a model.
func (f *field) crowdedIn(ctx context.Context) (by string, err error) {
	p := f.newPrototype(home, "crowded-in", "churn-advisor-1.4")
	if err := f.lead.Create(ctx, p); err != nil {
		return "", err
	}
	if err := f.comes(ctx, p, running); err != nil {
		return "", err
	}
	theirs := &corev1.Secret{ObjectMeta: in(p.Status.Sandbox.Namespace, "affineur-model"), StringData: map[string]string{"api-key": "theirs"}}
	parameters := &corev1.ConfigMap{ObjectMeta: in(v1alpha1.SystemNamespace, "affineur-guards")}
	writers := func(who string) error {
		return f.admin.Patch(context.WithoutCancel(ctx), parameters, merge(`{"data":{"platformWriters":"`+who+`"}}`))
	}
	if err := f.admin.Get(ctx, client.ObjectKeyFromObject(parameters), parameters); err != nil {
		return "", err
	}
	was := parameters.Data["platformWriters"]
	defer func() { err = errors.Join(err, writers(was)) }()
	if err := writers("system:serviceaccount:" + unguarded + ":" + pipeline); err != nil {
		return "", err
	}
	if err := await.Until(ctx, func() error { return f.pipeline.Create(ctx, theirs.DeepCopy()) }); err != nil {
		return "", err
	}
	before, err := f.contents(ctx, []client.Object{theirs})
	if err != nil {
		return "", err
	}
	if err := f.lead.Patch(ctx, p, merge(`{"spec":{"model":{"gateway":"default","name":"any","version":"1"}}}`)); err != nil {
		return "", err
	}
	if by, err = f.conflict(ctx, p, v1alpha1.ReasonObjectConflict); err != nil {
		return "", err
	}
	after, err := f.contents(ctx, []client.Object{theirs})
	if err == nil && (before[0] == nil || !reflect.DeepEqual(before, after)) {
		err = errors.New("the foreign Secret was taken over or taken away")
	}
	return by, errors.Join(err, f.lead.Delete(ctx, p))
}
