package world

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/test/lifecycle/server"
)

// transcript is what happened, in lines that a person can read. Of what the cluster does it holds only what turns
// something.
type transcript struct {
	lines []string
	// actor whose block is open, and the heading under which it will be written.
	actor, heading string
	// detailed lines are kept for whoever looks for a fault, and are no part of the story.
	all []string
}

// begin a block of somebody's; the returned function goes back to the block before.
func (s *transcript) begin(w *World, actor string) func() {
	before := s.actor
	s.actor = actor
	s.detail(w, "looks")
	return func() { s.actor = before }
}

// note a line of the story.
func (s *transcript) note(w *World, line string) {
	line = shorten(line)
	heading := shorten(fmt.Sprintf("%s %s", w.clock.Sub(Start).Truncate(time.Second), s.actor))
	if heading != s.heading || len(s.lines) == 0 {
		s.heading = heading
		s.lines = append(s.lines, heading)
	}
	if last := len(s.lines) - 1; joins(s.lines[last], line) {
		_, object, _ := strings.Cut(line, ": ")
		s.lines[last] += ", " + object
	} else {
		s.lines = append(s.lines, "    "+line)
	}
	s.detail(w, line)
}

func (s *transcript) detail(w *World, line string) {
	s.all = append(s.all, fmt.Sprintf("%12s %-32s %s", w.clock.Sub(Start), s.actor, line))
}

// joins tells whether a line goes on where the last one ended: more of the same, in the same place.
func joins(last, line string) bool {
	what, _, listed := strings.Cut(line, ": ")
	return listed && (strings.HasPrefix(what, "create in") || strings.HasPrefix(what, "update in") || strings.HasPrefix(what, "delete in")) &&
		strings.HasPrefix(last, "    "+what+": ")
}

// tail are the last lines, with every detail.
func (s *transcript) tail(n int) string { return strings.Join(s.all[max(0, len(s.all)-n):], "\n") }

// Transcript is the story as it was played so far.
func (w *World) Transcript() string { return strings.Join(w.script.lines, "\n") + "\n" }

// Says puts a line into the story.
func (w *World) Says(line string) {
	w.script.actor, w.script.heading = "", ""
	w.script.lines = append(w.script.lines, "# "+line)
}

// Begins the story here: how it came to this is told by another one.
func (w *World) Begins(line string) {
	w.script.lines = nil
	w.Says(line)
}

var (
	// what a name says besides what it names: whose it is, and for which run.
	ownership = regexp.MustCompile(`-(membership-)?` + Name + `-[0-9a-f]{8}`)
	nonces    = regexp.MustCompile(`-[a-z2-7]{12}\b`)
	runKeys   = regexp.MustCompile(`-[0-9a-f]{8}(-\d+)\b`)
	digests   = regexp.MustCompile(`sha256:([0-9a-f]{4})[0-9a-f]{60}`)
)

func shorten(line string) string {
	line = ownership.ReplaceAllString(line, "")
	line = nonces.ReplaceAllString(line, "")
	line = runKeys.ReplaceAllString(line, "$1")
	return digests.ReplaceAllString(line, "$1…")
}

// change notes what was changed.
func (s *transcript) change(w *World, request server.Request) {
	if request.Actor != operatorName {
		defer s.begin(w, request.Actor)()
	}
	object := request.Object()
	switch o := object.(type) {
	case *corev1.Pod:
		s.detail(w, fmt.Sprintf("%s Pod %s/%s %s", request.Verb, o.Namespace, o.Name, o.Status.Phase))
		return
	case *appsv1.Deployment:
		if request.Verb == server.Status {
			was := request.Before.(*appsv1.Deployment)
			if o.Status.AvailableReplicas != was.Status.AvailableReplicas || o.Status.UpdatedReplicas != was.Status.UpdatedReplicas {
				s.note(w, fmt.Sprintf("in %s: %d new, %d available of %d", o.Namespace, o.Status.UpdatedReplicas, o.Status.AvailableReplicas, o.Status.Replicas))
			}
			return
		}
	case *batchv1.Job:
		if request.Verb == server.Status {
			s.note(w, fmt.Sprintf("Job %s: %s", o.Name, o.Status.Conditions[0].Type))
			return
		}
	}
	if request.Verb == server.Status {
		for _, line := range turns(request) {
			s.note(w, line)
		}
		return
	}
	if request.Actor == cleaner || object.GetNamespace() == v1alpha1.RecordsNamespace && request.Actor == platform {
		s.detail(w, written(request))
		return
	}
	s.note(w, written(request))
}

func written(request server.Request) string {
	object := request.Object()
	line := fmt.Sprintf("%s in %s: %s %s", request.Verb, object.GetNamespace(), request.Kind, object.GetName())
	if object.GetNamespace() == "" {
		line = fmt.Sprintf("%s %s %s", request.Verb, request.Kind, object.GetName())
	}
	if prototype, ok := request.After.(*v1alpha1.AIPrototype); ok {
		line += edited(request.Before, prototype)
	}
	if d, ok := request.After.(*appsv1.Deployment); ok {
		_, digest, _ := strings.Cut(d.Spec.Template.Spec.Containers[0].Image, "@")
		line += fmt.Sprintf(" (%d × %s)", *d.Spec.Replicas, digest)
	}
	return line
}

// edited is what changed of a prototype.
func edited(object client.Object, after *v1alpha1.AIPrototype) string {
	before, _ := object.(*v1alpha1.AIPrototype)
	if before == nil {
		return fmt.Sprintf(" (target %s)", after.Spec.Target)
	}
	var out []string
	if before.Spec.Target != after.Spec.Target {
		out = append(out, "target "+string(after.Spec.Target))
	}
	if len(before.Finalizers) != len(after.Finalizers) {
		out = append(out, fmt.Sprintf("finalizers %v", after.Finalizers))
	}
	if before.Spec.Suspend != after.Spec.Suspend {
		out = append(out, fmt.Sprintf("suspend %v", after.Spec.Suspend))
	}
	if before.Annotations[v1alpha1.AnnotationRequestedAt] != after.Annotations[v1alpha1.AnnotationRequestedAt] {
		out = append(out, "asks again")
	}
	if was, is := before.Spec.Workload, after.Spec.Workload; was != nil && is != nil && was.Container.Image != is.Container.Image {
		out = append(out, "image "+is.Container.Image)
	}
	if len(out) == 0 {
		return ""
	}
	return " (" + strings.Join(out, ", ") + ")"
}

// turns are what changed in a status that people read.
func turns(request server.Request) []string {
	var out []string
	say := func(what string, changed []string) {
		if len(changed) > 0 {
			out = append(out, what+": "+strings.Join(changed, ", "))
		}
	}
	switch after := request.After.(type) {
	case *v1alpha1.AIPrototype:
		before := request.Before.(*v1alpha1.AIPrototype)
		say("prototype", slices.Concat(flips(before.Status.Conditions, after.Status.Conditions), waits(before.Status.Summary, after.Status.Summary)))
	case *v1alpha1.HardeningReview:
		before := request.Before.(*v1alpha1.HardeningReview)
		say("review "+after.Name, slices.Concat(flips(before.Status.Conditions, after.Status.Conditions), judged(before, after),
			waits(before.Status.Summary, after.Status.Summary)))
	case *v1alpha1.HardeningPolicy:
		say("policy", flips(request.Before.(*v1alpha1.HardeningPolicy).Status.Conditions, after.Status.Conditions))
	}
	return out
}

// flips are conditions that took another status or reason.
func flips(before, after []metav1.Condition) []string {
	var out []string
	for _, c := range after {
		if was := apimeta.FindStatusCondition(before, c.Type); was == nil || was.Status != c.Status || was.Reason != c.Reason {
			out = append(out, fmt.Sprintf("%s=%s %s", c.Type, c.Status, c.Reason))
		}
	}
	for _, c := range before {
		if apimeta.FindStatusCondition(after, c.Type) == nil {
			out = append(out, "no longer "+c.Type)
		}
	}
	return out
}

// judged are the verdicts, decisions and steps that changed.
func judged(before, after *v1alpha1.HardeningReview) []string {
	var out []string
	for _, gate := range after.Status.Gates {
		same := func(g v1alpha1.GateStatus) bool {
			return g.Name == gate.Name && g.Verdict == gate.Verdict && g.Reason == gate.Reason
		}
		if !slices.ContainsFunc(before.Status.Gates, same) {
			out = append(out, fmt.Sprintf("gate %s %s %s", gate.Name, gate.Verdict, gate.Reason))
		}
	}
	for _, d := range after.Status.Decisions {
		same := func(o v1alpha1.DecisionStatus) bool {
			return o.Name == d.Name && o.Counts == d.Counts && o.Why == d.Why
		}
		if !slices.ContainsFunc(before.Status.Decisions, same) {
			out = append(out, strings.TrimSpace(fmt.Sprintf("%s as %s by %s counts %s %s", d.Verdict, d.Role, d.By, d.Counts, d.Why)))
		}
	}
	step := func(r *v1alpha1.HardeningReview) string {
		if p := r.Status.Promotion; p != nil {
			return fmt.Sprintf("%s %s", p.Step, p.Reason)
		}
		return ""
	}
	if step(before) != step(after) {
		out = append(out, "promotion "+step(after))
	}
	if before.Status.Outcome != after.Status.Outcome {
		out = append(out, "OUTCOME "+string(after.Status.Outcome))
	}
	return out
}

func waits(before, after *v1alpha1.Summary) []string {
	on := func(s *v1alpha1.Summary) string {
		if s == nil {
			return ""
		}
		return s.WaitingOn
	}
	switch {
	case on(before) == on(after):
		return nil
	case on(after) == "":
		return []string{"waits for nobody"}
	}
	return []string{"waits for " + on(after)}
}

// event notes what the operator told.
func (s *transcript) event(w *World, about runtime.Object, kind, reason, note string) {
	name := "?"
	if object, ok := about.(client.Object); ok {
		name = fmt.Sprintf("%s %s", strings.ToLower(strings.TrimPrefix(fmt.Sprintf("%T", about), "*v1alpha1.")), object.GetName())
	}
	s.note(w, fmt.Sprintf("event: %s %s on %s", kind, reason, name))
	s.detail(w, note)
}
