package main

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/internal/names"
	"github.com/affineur/affineur/internal/workload"
	"github.com/affineur/affineur/test/story/await"
)

// patchLabels applies the labels of a merge patch.
func patchLabels(object client.Object, patch string) error {
	var wanted struct {
		Metadata struct{ Labels map[string]*string }
	}
	if err := json.Unmarshal([]byte(patch), &wanted); err != nil {
		return err
	}
	labels := object.GetLabels()
	for key, value := range wanted.Metadata.Labels {
		if value == nil {
			delete(labels, key)
			continue
		}
		labels[key] = *value
	}
	object.SetLabels(labels)
	return nil
}

// squatting is row 21: to be there first.
func (f *field) squatting() []attack {
	var out []attack
	for _, prefix := range []string{v1alpha1.SandboxPrefix, v1alpha1.ProductionPrefix, v1alpha1.RehearsalPrefix} {
		squat := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: prefix + "squatted"}}
		out = append(out, f.creates(21, f.pipeline, "making a namespace "+prefix+"… first", squat).by(prefixes))
	}
	ours := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: v1alpha1.SandboxPrefix + "squatted", Labels: map[string]string{v1alpha1.LabelManagedBy: v1alpha1.ManagedBy}}}
	return append(out, f.creates(21, f.pipeline, "making one with our label", ours).by(namespaces), attack{
		row: 21, who: f.pipeline.name, what: "making the sandbox of a prototype whose UID is known already", meant: []wall{prefixes},
		control: func(ctx context.Context) error {
			other := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "not-ours"}}
			return f.pipeline.Create(ctx, other, client.DryRunAll)
		},
		try: f.squatted,
	})
}

// squatted makes the sandbox's namespace while the prototype has none yet, and wants the operator to make it later.
func (f *field) squatted(ctx context.Context) (string, error) {
	p := f.newPrototype(home, "early", "churn-advisor-1.4")
	image := p.Spec.Workload.Container.Image
	p.Spec.Workload.Container.Image = "elsewhere.example.org/advisor:1"
	if err := f.lead.Create(ctx, p); err != nil {
		return "", err
	}
	err := f.comes(ctx, p, func(p *v1alpha1.AIPrototype) bool { return conditionOf(p, v1alpha1.ReasonRegistryNotAllowed) != nil })
	if err != nil {
		return "", err
	}
	squat := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: names.Of(p).Sandbox()}}
	by, err := f.refused(ctx, func(ctx context.Context) error { return f.pipeline.Create(ctx, squat.DeepCopy()) }, squat)
	if err != nil {
		return "", err
	}
	if err := f.lead.Patch(ctx, p, merge(`{"spec":{"workload":{"container":{"image":"`+image+`"}}}}`)); err != nil {
		return "", err
	}
	err = await.Until(ctx, func() error { return f.admin.Get(ctx, client.ObjectKeyFromObject(squat), squat) })
	if err != nil {
		return "", err
	}
	if squat.Labels[v1alpha1.LabelPrototypeUID] != string(p.UID) {
		return "", fmt.Errorf("namespace %s is not the operator's: %v", squat.Name, squat.Labels)
	}
	return by, f.lead.Delete(ctx, p)
}

// finalizers are row 23, as far as requests go.
func (f *field) finalizers() []attack {
	held := &corev1.Service{ObjectMeta: in(f.sandbox, workload.Name)}
	hold := `{"metadata":{"finalizers":["example.org/hold"]}}`
	own := `{"metadata":{"ownerReferences":[{"apiVersion":"v1","kind":"ConfigMap","name":"x","uid":"00000000-0000-0000-0000-000000000000"}]}}`
	another := `{"metadata":{"finalizers":["` + v1alpha1.FinalizerSandbox + `","affineur.dev/another"]}}`
	fresh := f.newPrototype(home, "finalized", "churn-advisor-1.4")
	fresh.Finalizers = []string{v1alpha1.FinalizerSandbox}
	var out []attack
	for _, who := range []*person{f.lead, f.pipeline} {
		out = append(out,
			f.changes(23, who, "taking the operator's finalizer off a prototype", f.intruder.DeepCopy(), `{"metadata":{"finalizers":null}}`).by(prototypes),
			f.changes(23, who, "adding a finalizer of the operator's to a prototype", f.intruder.DeepCopy(), another).by(prototypes),
			f.changes(23, who, "holding an object of a sandbox with a finalizer", held, hold).by(f.beyond(who, content)...),
			f.changes(23, who, "giving an object of a sandbox an owner elsewhere, to have it collected", held, own).by(f.beyond(who, content)...))
	}
	return append(out, f.applies(23, "a prototype with the operator's finalizer", fresh).by(prototypes))
}

// tooMuch is row 25, as far as single objects go.
func (f *field) tooMuch() []attack {
	crowded := f.newPrototype(home, "crowded", "churn-advisor-1.4")
	for i := range 65 {
		crowded.Spec.Workload.Container.Env = append(crowded.Spec.Workload.Container.Env, v1alpha1.EnvVar{Name: fmt.Sprintf("E%d", i), Value: "x"})
	}
	long := f.newPrototype(home, "long", "churn-advisor-1.4")
	long.Spec.Workload.Container.Env = []v1alpha1.EnvVar{{Name: "LONG", Value: strings.Repeat("x", 4097)}}
	huge := f.newPrototype(home, "huge", "churn-advisor-1.4")
	huge.Spec.Need.Problem = strings.Repeat("x", 4<<20)
	hungry := f.newPrototype(home, "hungry", "churn-advisor-1.4")
	hungry.Spec.Workload.Container.Resources = v1alpha1.Resources{CPU: "64", Memory: "1Ti"}
	return []attack{
		f.applies(25, "a prototype with 65 settings", crowded).by(schemaSays("spec.workload.container.env: Too many")),
		f.applies(25, "a prototype with a setting of 4097 characters", long).by(schemaSays("spec.workload.container.env[0].value: Too long")),
		f.applies(25, "a prototype of four megabytes", huge).by(tooLongABody),
		f.creates(25, f.thief, "another Deployment in a sandbox", f.deployment(f.sandbox, func(*corev1.PodSpec) {})).by(wall{by: "the quota room ("}),
		{row: 25, who: f.lead.name, what: "a prototype that asks for 64 processors and a terabyte", meant: []wall{told(v1alpha1.ReasonLimitExceeded)}, try: func(ctx context.Context) (string, error) {
			return f.heldFor(ctx, hungry, v1alpha1.ReasonLimitExceeded)
		}},
	}
}

// runtimes is row 18, where the cluster lacks the runtime that the data's class asks for.
func (f *field) runtimes() []attack {
	p := f.newPrototype(home, "confidential", "churn-advisor-1.4")
	p.Spec.Data.Uses = []string{"attendee-feedback"}
	return []attack{{row: 18, who: f.lead.name, what: "a prototype with confidential data on a cluster without the sealed container runtime", meant: []wall{told(v1alpha1.ReasonRuntimeClassMissing)}, try: func(ctx context.Context) (string, error) {
		return f.heldFor(ctx, p, v1alpha1.ReasonRuntimeClassMissing)
	}}}
}

// crowds is row 25, as far as a team's room goes.
func (f *field) crowds() []attack {
	second := f.newPrototype(dark, "second", "churn-advisor-1.4")
	return []attack{{row: 25, who: f.lead.name, what: "a second prototype, where the team has room for one", meant: []wall{told(v1alpha1.ReasonTeamAtCapacity)},
		control: func(ctx context.Context) error { return f.comes(ctx, f.blind, running) },
		try: func(ctx context.Context) (string, error) {
			return f.heldFor(ctx, second, v1alpha1.ReasonTeamAtCapacity)
		}}}
}

// gone tells whether an object is not there.
func (f *field) gone(ctx context.Context, object client.Object) (bool, error) {
	err := f.admin.Get(ctx, client.ObjectKeyFromObject(object), object.DeepCopyObject().(client.Object))
	return apierrors.IsNotFound(err), client.IgnoreNotFound(err)
}
