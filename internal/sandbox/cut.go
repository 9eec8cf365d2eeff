package sandbox

import (
	"context"
	"errors"

	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/affineur/affineur/internal/workload"
)

// stopWorkload needs to know nothing of the subject, so that it works whatever else is wrong.
func (a *actor) stopWorkload(ctx context.Context, s *Snapshot) error {
	stopped := s.Deployment.DeepCopy()
	stopped.Spec.Replicas = ptr.To[int32](0)
	return client.IgnoreNotFound(a.writer.Put(ctx, stopped))
}

// severNetwork leaves everything else open that is. The next rendering makes the policies whole. Each is tried, whatever
// becomes of the others.
func (a *actor) severNetwork(ctx context.Context, s *Snapshot, p Plan) error {
	var failed []error
	for _, object := range s.severed(p.Shut || s.effects().Cut) {
		failed = append(failed, client.IgnoreNotFound(a.writer.Put(ctx, object)))
	}
	return errors.Join(failed...)
}

// replacePods marks the template, as it is: the Deployment makes its pods anew. It needs to know nothing of the
// subject either. What makes pods comes first: it would make others like those that go.
func (a *actor) replacePods(ctx context.Context, s *Snapshot) error {
	e := s.effects()
	if s.beforeCut(e) {
		marked := s.Deployment.DeepCopy()
		workload.CutOff(marked, e.Mark())
		if err := a.writer.Put(ctx, marked); client.IgnoreNotFound(err) != nil {
			return err
		}
	}
	return a.endPods(ctx, s, e.Mark())
}

// endPods deletes the pods that don't carry the mark, also those that no Deployment owns.
func (a *actor) endPods(ctx context.Context, s *Snapshot, mark string) error {
	var failed []error
	for i := range s.Pods {
		pod := &s.Pods[i]
		if workload.Outlives(pod, mark) {
			err := a.client.Delete(ctx, pod, client.Preconditions{UID: &pod.UID}, client.GracePeriodSeconds(workload.Hurry))
			failed = append(failed, client.IgnoreNotFound(err))
		}
	}
	return errors.Join(failed...)
}

// closeNetwork makes sure that everything is denied before it takes away what allowed something: without any policy a
// pod reaches everything. What opens was emptied before and denies by itself, so what fails here leaves nothing open.
func (a *actor) closeNetwork(ctx context.Context, s *Snapshot) error {
	at := s.surroundings()
	keep, remove := s.closure()
	_, rights := a.writer.Ensure(ctx, workload.OperatorBinding(at))
	_, denied := a.writer.EnsureAll(ctx, keep...)
	_, byHand := a.writer.Ensure(ctx, workload.ByHandBinding(at))
	failed := []error{rights, denied, byHand}
	for _, object := range s.forwarding() {
		failed = append(failed, a.writer.Remove(ctx, object))
	}
	if denied == nil {
		for _, object := range remove {
			failed = append(failed, a.writer.Remove(ctx, object))
		}
	}
	return errors.Join(failed...)
}
