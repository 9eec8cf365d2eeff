package sandbox

import (
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/internal/stop"
)

// factsOf a prototype that emergency stops are matched against: what it wants now, and what runs of it.
func factsOf(prototype *v1alpha1.AIPrototype, team string, images ...string) stop.Facts {
	var f stop.Facts
	if team != "" {
		f.Teams = []string{team}
	}
	if model := prototype.Spec.Model; model != nil {
		f.Gateways = []string{model.Gateway}
	}
	for _, use := range prototype.Spec.Integrations {
		f.Integrations = append(f.Integrations, use.Name)
	}
	if last := prototype.Status.Image; last != nil {
		images = append(images, last.Resolved)
	}
	if w := prototype.Spec.Workload; w != nil && w.Container != nil {
		images = append(images, w.Container.Image)
	}
	for _, image := range images {
		f.Digests = append(f.Digests, stop.Digest(image)...)
	}
	return f
}

// effects of the emergency stops on this prototype.
func (s Snapshot) effects() stop.Effects {
	if len(s.Stops) == 0 {
		return stop.Effects{}
	}
	images := []string{s.Image.Resolved}
	if s.Deployment != nil {
		for _, container := range s.Deployment.Spec.Template.Spec.Containers {
			images = append(images, container.Image)
		}
	}
	return stop.Of(s.Stops, factsOf(s.Prototype, s.TeamLabel, images...))
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
	if !s.exists() || !s.Namespace.DeletionTimestamp.IsZero() {
		return plan
	}
	if ends && s.running() {
		plan.do(StopWorkload)
	}
	plan.do(CloseNetwork)
	if !ends && s.beforeCut(e) {
		plan.do(ReplacePods)
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
	plan := Plan{State: Holding}
	switch {
	case e.Cut:
		return s.cutOff(e)
	case s.Prototype.Spec.Suspend:
		return s.suspend()
	case s.Prototype.Spec.Target == v1alpha1.TargetRetired,
		last != nil && last.Verdict == verdictNotEnforced,
		last != nil && now.After(last.MeasuredAt.Add(2*s.Settings.MeasureEvery)):
		if s.running() {
			plan.do(StopWorkload)
		}
	}
	return plan
}

// beforeCut tells whether the workload's pods are from before the cut.
func (s Snapshot) beforeCut(e stop.Effects) bool {
	return s.running() && s.Deployment.Spec.Template.Annotations[v1alpha1.AnnotationCutOff] != e.Mark()
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

// reach that the sandbox's namespace tells of.
func (s Snapshot) reach() stop.Reach {
	image := s.Image.Resolved
	if image == "" && s.Deployment != nil {
		image = s.Deployment.Spec.Template.Spec.Containers[0].Image
	}
	return stop.ReachOf(s.surroundings(), image)
}

// withReach adds to the namespace what stops are matched against.
func (s Snapshot) withReach(namespace *corev1.Namespace) *corev1.Namespace {
	namespace.Annotations = map[string]string{v1alpha1.AnnotationReach: s.reach().String()}
	return namespace
}

// alive tells whether a prototype is in a state that an emergency stop can change.
func (p Plan) alive() bool {
	return !slices.Contains([]State{Deleting, Retiring, Retired, NeedStated, Expired}, p.State)
}
