package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/internal/names"
	"github.com/affineur/affineur/internal/workload"
	"github.com/affineur/affineur/test/story/await"
	"github.com/affineur/affineur/test/story/manifest"
)

// start is how a prototype came into its sandbox, by the times that its objects carry; those have whole seconds. The
// middle is the image's and the program's, the rest is ours.
type start struct {
	// Prepared: from the manifest until the sandbox was made and measured, and its pod created.
	Prepared time.Duration
	// Pod: from there until the pod was ready: pulling the image, starting the program, its first probe.
	Pod time.Duration
	// Told: from there until SandboxReady said so.
	Told time.Duration
}

// startOf reads a start from the prototype and its pod; an error says what is not known yet.
func startOf(p *v1alpha1.AIPrototype, pod *corev1.Pod) (start, error) {
	told := apimeta.FindStatusCondition(p.Status.Conditions, v1alpha1.ConditionSandboxReady)
	at := slices.IndexFunc(pod.Status.Conditions, func(c corev1.PodCondition) bool {
		return c.Type == corev1.PodReady && c.Status == corev1.ConditionTrue
	})
	if told == nil || told.Status != "True" || at < 0 {
		return start{}, fmt.Errorf("prototype %s, or its pod, is not ready", p.Name)
	}
	ready := pod.Status.Conditions[at].LastTransitionTime
	return start{
		Prepared: pod.CreationTimestamp.Sub(p.CreationTimestamp.Time),
		Pod:      ready.Sub(pod.CreationTimestamp.Time),
		Told:     told.LastTransitionTime.Sub(ready.Time),
	}, nil
}

// parts of a start, in its order.
var parts = []struct {
	key, title string
	of         func(start) time.Duration
}{
	{"sandboxPrepared", "from the manifest to the pod: namespace made, isolation measured (ours)", func(s start) time.Duration { return s.Prepared }},
	{"sandboxPod", "until the pod was ready: image pulled, program started (the image's)", func(s start) time.Duration { return s.Pod }},
	{"sandboxTold", "until SandboxReady said so (ours)", func(s start) time.Duration { return s.Told }},
	{"", "in all", func(s start) time.Duration { return s.Prepared + s.Pod + s.Told }},
}

// String is the start in one line.
func (s start) String() string {
	return fmt.Sprintf("%.0f s from the manifest to a ready sandbox: %.0f s ours until its pod was made, %.0f s the image's until that was ready, %.0f s ours until that was told",
		(s.Prepared + s.Pod + s.Told).Seconds(), s.Prepared.Seconds(), s.Pod.Seconds(), s.Told.Seconds())
}

// started reads a start from the cluster.
func (s *stage) started(ctx context.Context, p *v1alpha1.AIPrototype) (start, error) {
	var pods corev1.PodList
	err := s.admin.List(ctx, &pods, client.InNamespace(names.Of(p).Sandbox()), client.MatchingLabels{v1alpha1.LabelComponent: workload.ComponentPrototype})
	if err != nil {
		return start{}, err
	}
	if len(pods.Items) != 1 {
		return start{}, fmt.Errorf("prototype %s has %d pods", p.Name, len(pods.Items))
	}
	return startOf(p, &pods.Items[0])
}

// tellStart says how long the parts took, and puts them into the result.
func (s *stage) tellStart(ctx context.Context, p *v1alpha1.AIPrototype) error {
	took, err := s.started(ctx, p)
	if err != nil {
		return err
	}
	s.out.say("%s", took)
	for _, part := range parts {
		if part.key != "" {
			s.result.Seconds[part.key] = part.of(took).Seconds()
		}
	}
	return nil
}

// measureStarts starts prototypes one after the other on the cluster that the story left, images pulled already, and
// takes each down again.
func (s *stage) measureStarts(ctx context.Context) error {
	var all []start
	for n := range s.starts {
		took, err := s.startOne(ctx, fmt.Sprintf("start-%d", n+1))
		if err != nil {
			return err
		}
		s.out.say("%s", took)
		all = append(all, took)
	}
	for _, part := range parts {
		least, median, most := spread(all, part.of)
		s.out.say("median %.0f s (%.0f to %.0f) %s", median.Seconds(), least.Seconds(), most.Seconds(), part.title)
	}
	return nil
}

func (s *stage) startOne(ctx context.Context, name string) (took start, err error) {
	objects, err := manifest.ReadFor(filepath.Join(s.samples, "prototype-churn-advisor.yaml"), s.registry)
	if err != nil {
		return took, err
	}
	at := slices.IndexFunc(objects, func(o *unstructured.Unstructured) bool { return o.GetKind() == "AIPrototype" })
	if at < 0 {
		return took, errors.New("the sample holds no prototype")
	}
	objects[at].SetName(name)
	if err := manifest.Apply(ctx, s.admin, owner, objects[at]); err != nil {
		return took, err
	}
	p := prototypeOf(membership, name)
	defer func() {
		gone := s.admin.Delete(ctx, prototypeOf(membership, name))
		err = cmp.Or(err, gone, await.Gone(ctx, s.admin, prototypeOf(membership, name)))
	}()
	if err := await.Object(ctx, s.admin, p, inSandbox); err != nil {
		return took, err
	}
	return s.started(ctx, p)
}

// spread of one part: the least, the one in the middle, and the most.
func spread(all []start, of func(start) time.Duration) (least, median, most time.Duration) {
	var took []time.Duration
	for _, one := range all {
		took = append(took, of(one))
	}
	slices.Sort(took)
	return took[0], took[len(took)/2], took[len(took)-1]
}
