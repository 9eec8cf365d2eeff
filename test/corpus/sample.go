package main

import (
	"fmt"
	"slices"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/internal/names"
)

// sample is one prototype of the corpus.
type sample struct {
	// name of the prototype.
	name string
	// hole is what is wrong with it; of a known-good one, what looks wrong and is not.
	hole string
	// gate that must find the hole, "" where there is none. The gate "policy" is what stops a prototype before any review.
	gate string
	// reason that the gate must give, itself or in all of its findings.
	reason string
	// says is in what people read about it, be it a remark about one without a hole.
	says string
	// policy that governs it; none is the corpus's own.
	policy string
	// alone means that its measurement would be disturbed by others, and that it is tried apart from them.
	alone bool
	// waits means that most of its time nothing is measured: it takes no place of others.
	waits bool
	// fast ones are tried in CI.
	fast bool
	// papers are what its image has beside it, an image of its own; nil where nobody asks.
	papers *papers
	// beside are what somebody else makes in the cluster for it; nil for nothing.
	beside func(names.Identity) client.Object
	// before makes the revision that is in production when this one is reviewed; nil where there is none.
	before edit
	// edit makes it of a prototype without a hole.
	edit func(*v1alpha1.AIPrototype)
}

// bad tells whether it has a hole.
func (c sample) bad() bool { return c.gate != "" }

// all is the corpus.
func all() []sample {
	return slices.Concat(secrets(), images(), rights(), supplies(), loads(), several(), integrations(), promises(), refused(), answers(), opinions(), successors(), takenOver(), keptInRegistry(), extensions(), confided(),
		confidences(), identities(), readings(), good())
}

// newPrototype is small and has no hole.
func (g *ground) newPrototype(c sample) *v1alpha1.AIPrototype {
	p := &v1alpha1.AIPrototype{
		ObjectMeta: metav1.ObjectMeta{Namespace: home, Name: c.name},
		Spec: v1alpha1.AIPrototypeSpec{
			Target: v1alpha1.TargetProduction,
			Need: v1alpha1.Need{Problem: "Nobody knows whether the gates tell the truth.", Outcomes: []v1alpha1.Outcome{
				{Name: "wrong-verdicts", Unit: "verdicts", Direction: v1alpha1.DirectionDecrease, Baseline: "1", Target: "0"}}},
			Facts: &v1alpha1.Facts{Exposure: v1alpha1.ExposureInternal, Autonomy: v1alpha1.AutonomyAnswers, Users: 10},
			Data:  &v1alpha1.DataUse{Uses: []string{"renewal-dates"}},
			Workload: &v1alpha1.Workload{Container: &v1alpha1.Container{
				Image: "suspect", Port: 8080, Health: &v1alpha1.Health{Path: "/healthz"},
				Resources: v1alpha1.Resources{CPU: "50m", Memory: "48Mi"},
			}},
			Demand: demand("2", 2*time.Second, "0.05"),
		},
	}
	if c.policy != "" {
		p.Namespace = c.policy
	}
	c.edit(p)
	// Cases name images and artifacts without a registry, since they don't know it.
	if evaluation := p.Spec.Evaluation; evaluation != nil {
		evaluation.Examples.Artifact = strings.Replace(evaluation.Examples.Artifact, "REGISTRY/", g.registry+"/", 1)
	}
	if container := p.Spec.Workload.Container; !strings.Contains(container.Image, "/") {
		container.Image = g.registry + "/corpus/" + container.Image + ":1"
	} else {
		container.Image = strings.Replace(container.Image, "REGISTRY/", g.registry+"/", 1)
	}
	return p
}

func demand(rate string, within time.Duration, errors string) *v1alpha1.Demand {
	return &v1alpha1.Demand{RequestsPerSecond: ptr.To(rate), LatencyP95: &metav1.Duration{Duration: within}, ErrorRatio: errors,
		Request: v1alpha1.SampleRequest{Method: "GET", Path: "/"}}
}

// edit is a change to a prototype.
type edit = func(*v1alpha1.AIPrototype)

// env sets a variable.
func env(name, value string) edit {
	return func(p *v1alpha1.AIPrototype) {
		p.Spec.Workload.Container.Env = append(p.Spec.Workload.Container.Env, v1alpha1.EnvVar{Name: name, Value: value})
	}
}

// runs names another image; REGISTRY/ stands for the cluster's registry.
func runs(image string) edit {
	return func(p *v1alpha1.AIPrototype) { p.Spec.Workload.Container.Image = image }
}

// plays has the program behave in a way of its own.
func plays(how string) edit { return env("PLAY", how) }

// uses declares integrations.
func uses(names ...string) edit {
	return func(p *v1alpha1.AIPrototype) {
		for _, name := range names {
			p.Spec.Integrations = append(p.Spec.Integrations, v1alpha1.IntegrationUse{Name: name, Access: v1alpha1.AccessRead})
		}
	}
}

// also makes several changes.
func also(edits ...edit) edit {
	return func(p *v1alpha1.AIPrototype) {
		for _, e := range edits {
			e(p)
		}
	}
}

// String is how a case is told.
func (c sample) String() string {
	if c.bad() {
		return fmt.Sprintf("%s (%s; gate %s should find %s)", c.name, c.hole, c.gate, c.reason)
	}
	return fmt.Sprintf("%s (%s; no gate should find anything)", c.name, c.hole)
}
