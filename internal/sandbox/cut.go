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
	for _, object := range s.severed(p.Shut) {
		failed = append(failed, client.IgnoreNotFound(a.writer.Put(ctx, object)))
	}
	return errors.Join(failed...)
}

// replacePods marks the template, as it is: the Deployment makes its pods anew. It needs to know nothing of the
// subject either.
func (a *actor) replacePods(ctx context.Context, s *Snapshot) error {
	marked := s.Deployment.DeepCopy()
	workload.CutOff(marked, s.effects().Mark())
	return client.IgnoreNotFound(a.writer.Put(ctx, marked))
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
