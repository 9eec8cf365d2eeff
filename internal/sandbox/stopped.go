package sandbox

import (
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/internal/stop"
	"github.com/affineur/affineur/internal/workload"
)

// factsOf a prototype that emergency stops are matched against: what it wants now, whose it is, and the given images.
func factsOf(prototype *v1alpha1.AIPrototype, team string, images ...string) stop.Facts {
	f := stop.Facts{}.OfTeam(team)
	for _, image := range images {
		f.Digests = append(f.Digests, stop.Digest(image)...)
	}
	return f.And(stop.Wanted(prototype))
}

// effects of the emergency stops on this prototype.
func (s Snapshot) effects() stop.Effects {
	if len(s.Stops) == 0 {
		return stop.Effects{}
	}
	_, facts := s.carried()
	if s.Prototype != nil {
		return stop.Of(s.Stops, facts.And(factsOf(s.Prototype, s.TeamLabel, s.Image.Resolved)))
	}
	// Of what a prototype left that is gone, the namespace tells.
	_, said := stop.Read(s.Namespace)
	return stop.Of(s.Stops, facts.And(said).OfTeam(s.TeamLabel))
}

// carried is what runs was rendered with, whatever the spec says now, and the facts of it: no edit takes a pod out of a
// stop's scope before that pod has ended. One that does not say counts as what its namespace says.
func (s Snapshot) carried() (stop.Reach, stop.Facts) {
	var reach stop.Reach
	var facts stop.Facts
	add := func(annotations map[string]string) {
		here, said := stop.Said(annotations)
		known := here.Facts()
		if !said && s.Namespace != nil {
			here, known = stop.Read(s.Namespace)
		}
		reach, facts = reach.And(here), facts.And(known)
	}
	if s.running() {
		add(s.Deployment.Spec.Template.Annotations)
	}
	for i := range s.Pods {
		if phase := s.Pods[i].Status.Phase; phase != corev1.PodSucceeded && phase != corev1.PodFailed {
			add(s.Pods[i].Annotations)
		}
	}
	return reach, facts
}

// cutOff is what an emergency stop leaves of a sandbox whose whole network it cuts. It needs neither policy nor subject:
// it works when nothing else does. What runs is cut off, rules first, then the pods with whatever they had open.
func (s Snapshot) cutOff(e stop.Effects) Plan {
	plan := Plan{State: Severed, Handled: true, Shut: true}
	if e.Stopped {
		plan.State = Halted
	}
	// What must not run for another reason does not run cut off either.
	ends := e.Stopped || s.Prototype.Spec.Suspend || s.Policy == nil || s.Deployment != nil && s.mishandled() ||
		slices.ContainsFunc(s.Problems, unbounded) || slices.ContainsFunc(s.Problems, withdrawn)
	if !s.exists() {
		return plan
	}
	if ends && s.running() {
		plan.do(StopWorkload)
	}
	if len(s.severed(true)) > 0 {
		plan.do(SeverNetwork)
	}
	if s.Namespace.DeletionTimestamp.IsZero() {
		plan.do(CloseNetwork)
	}
	switch {
	case !ends && s.running() && (s.beforeCut(e) || s.outlived(e.Mark())):
		plan.do(ReplacePods)
	case (ends || !s.running()) && s.outlived(""):
		plan.do(EndPods)
	}
	if s.measuring() {
		plan.do(RemoveRuns)
	}
	return plan
}

// safest is all that is done where not everything could be read: what has to be cut off or stopped whatever else is
// true. The verdict before counts, and one that is too old counts as none.
func (s Snapshot) safest(now time.Time) Plan {
	e, last := s.effects(), s.measured()
	if e.Cut {
		return s.cutOff(e)
	}
	plan := Plan{State: Holding}
	switch {
	case s.Prototype.Spec.Suspend:
		plan = s.suspend()
	case s.Prototype.Spec.Target == v1alpha1.TargetRetired,
		last != nil && last.Verdict == verdictNotEnforced,
		last != nil && now.After(last.MeasuredAt.Add(2*s.Settings.MeasureEvery)):
		if s.running() {
			plan.do(StopWorkload)
		}
	}
	s.sever(&plan)
	return plan
}

// sever puts a cut of part of the network before everything that can fail, whatever state the sandbox is in and whether
// or not it is known what else it may reach: rules first, then the pods with whatever they had open. Where the workload is
// stopped, its pods get no time.
func (s Snapshot) sever(plan *Plan) {
	e := s.effects()
	if e.Cut || !e.Severs() || !s.exists() {
		return
	}
	ends := !s.running() || slices.Contains(plan.Actions, StopWorkload)
	switch {
	case !ends && (s.beforeCut(e) || s.outlived(e.Mark())):
		plan.first(ReplacePods)
	case ends && s.outlived(""):
		plan.do(EndPods)
	}
	if len(s.severed(false)) > 0 {
		plan.first(SeverNetwork)
	}
}

// cutFirst puts what emergency stops want before a teardown: one of its steps may fail, and a pod may hang. What leaves
// does not run cut off either.
func (s Snapshot) cutFirst(plan Plan) Plan {
	e := s.effects()
	if !e.Severs() || !s.exists() {
		return plan
	}
	var before []Action
	if len(s.severed(e.Cut)) > 0 {
		before = append(before, SeverNetwork)
	}
	if s.running() {
		before = append(before, StopWorkload)
	}
	if s.outlived("") {
		before = append(before, EndPods)
	}
	plan.Actions = slices.Concat(before, plan.Actions)
	return plan
}

// severance is what rendering has to leave out: what is cut off by its place is cut off under every name that pods here
// know it by.
func (s Snapshot) severance() workload.Severance {
	out := s.effects().Severance()
	out.To = s.severedPlaces()
	return out
}

// severedPlaces are the destinations that emergency stops cut off, of what may be reached from here.
func (s Snapshot) severedPlaces() []v1alpha1.Destination {
	e := s.effects()
	if !e.Severs() || !s.exists() {
		return nil
	}
	reach, _ := stop.Read(s.Namespace)
	running, _ := s.carried()
	var out []v1alpha1.Destination
	for _, place := range reach.And(running).Severed(e) {
		out = append(out, place.To)
	}
	return out
}

// severed are the objects that let through what is cut off, without that: as they are, because they can't always be
// rendered. Where all is cut off, the team's people open no port either: the network sees nothing of those.
func (s Snapshot) severed(all bool) []client.Object {
	var out []client.Object
	if all && s.exists() && s.Namespace.Labels[v1alpha1.LabelPortForward] == "true" {
		namespace := s.Namespace.DeepCopy()
		namespace.Labels[v1alpha1.LabelPortForward] = "false"
		out = append(out, namespace)
	}
	places := s.severedPlaces()
	for _, object := range s.Present {
		if p, is := object.(*networkingv1.NetworkPolicy); is && p.DeletionTimestamp.IsZero() {
			if next := workload.Closed(p, all, places); next != nil {
				out = append(out, next)
			}
		}
	}
	return out
}

// forwarding are the bindings under which the team's people open a port to the prototype.
func (s Snapshot) forwarding() []client.Object {
	var out []client.Object
	for _, object := range s.Present {
		if b, is := object.(*rbacv1.RoleBinding); is && b.RoleRef.Name == workload.RoleTeamPortForward {
			out = append(out, b)
		}
	}
	return out
}

// leavesOpen tells whether an action that failed may have left a way open that an emergency stop closes. Without what
// denies everything, the emptied policies deny, where there are any.
func (s Snapshot) leavesOpen(action Action) bool {
	return action == SeverNetwork || action == CloseNetwork && !s.denied()
}

// denied tells whether the sandbox's network policies close the workload's pods both ways, but for what they open.
func (s Snapshot) denied() bool {
	by := func(direction networkingv1.PolicyType) bool {
		return slices.ContainsFunc(s.Present, func(object client.Object) bool {
			p, is := object.(*networkingv1.NetworkPolicy)
			if !is || !p.DeletionTimestamp.IsZero() || !slices.Contains(p.Spec.PolicyTypes, direction) {
				return false
			}
			selector, err := metav1.LabelSelectorAsSelector(&p.Spec.PodSelector)
			return err == nil && selector.Matches(labels.Set(workload.Selector(s.Identity)))
		})
	}
	return by(networkingv1.PolicyTypeIngress) && by(networkingv1.PolicyTypeEgress)
}

// beforeCut tells whether the workload's pods are from before the cut.
func (s Snapshot) beforeCut(e stop.Effects) bool {
	return s.running() && s.Deployment.Spec.Template.Annotations[v1alpha1.AnnotationCutOff] != e.Mark()
}

// outlived tells whether a pod without the mark is there that was not told to end at once; any at all, where it is empty.
func (s Snapshot) outlived(mark string) bool {
	return slices.ContainsFunc(s.Pods, func(pod corev1.Pod) bool { return workload.Outlives(&pod, mark) })
}

// stoppedVerdict is the answer about readiness under an emergency stop; nil where none keeps the prototype from
// anything. A freeze concerns only who wants production and is not there.
func (s Snapshot) stoppedVerdict(p Plan) *verdict {
	e := s.effects()
	message := s.stoppedInProduction()
	if e.Severs() || e.Frozen && s.wanting(p) {
		message = e.Message()
	}
	if message == "" {
		return nil
	}
	answer := stuck(v1alpha1.ReasonEmergencyStop, clean(message))
	return &answer
}

// stoppedInProduction says which emergency stop keeps what serves in production from it: that may be another revision,
// which uses other things than the present one. Empty without one.
func (s Snapshot) stoppedInProduction() string {
	for _, review := range s.Reviews {
		p := review.Status.Promotion
		if p != nil && p.Step == v1alpha1.StepServing && p.Reason == v1alpha1.ReasonEmergencyStop && s.promoted() {
			return p.Message
		}
	}
	return ""
}

// withReach adds to the namespace what stops are matched against: what is to run, and what still does. Nothing where
// that is not known.
func (s Snapshot) withReach(namespace *corev1.Namespace) *corev1.Namespace {
	running, facts := s.carried()
	said := stop.ReachOf(s.surroundings(), append(stop.Images(s.Prototype), s.Image.Resolved)...).And(running).String()
	if facts.Unknown {
		said = ""
	}
	namespace.Annotations = map[string]string{v1alpha1.AnnotationReach: said}
	return namespace
}

// alive tells whether a prototype is in a state that an emergency stop can change.
func (p Plan) alive() bool {
	return !slices.Contains([]State{Deleting, Retiring, Retired, NeedStated, Expired}, p.State)
}
