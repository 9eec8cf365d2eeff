package promotion

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/internal/apply"
	"github.com/affineur/affineur/internal/evidence"
	"github.com/affineur/affineur/internal/workload"
)

// rightsSettle is how long the cluster may take until a new RoleBinding is known to it everywhere.
const rightsSettle = 200 * time.Millisecond

// Outcome is what came of a plan.
type Outcome struct {
	// Memory of the namespace afterwards.
	Memory Memory
	// Released means that the Deployment was written as the current record's.
	Released bool
	// Drifted names what was not as it should be and was put back.
	Drifted []string
	// Orphaned means that the namespace was marked now.
	Orphaned bool
	// Blocked is what was in the way of the plan.
	Blocked *Blocker
	// Cut means that something was cut off now that was open, or ran.
	Cut bool
	// Closed means that no rule opens any more what is cut off.
	Closed bool
	// Again is after which time to go on; 0 for when something changes.
	Again time.Duration
}

// errLater ends a pass that goes on after Outcome.Again.
var errLater = errors.New("later")

// act carries out a plan, action by action, and stops at the first that can't be done, but for what halts. Where a cut
// changed something, the rest is for the next pass, which sees what is there now.
func (c *Controller) act(ctx context.Context, s Snapshot, p Plan) (Outcome, error) {
	o := Outcome{Memory: s.memory()}
	var failed []error
	ended := false
	for _, action := range p.Actions {
		if ended && !action.safer(o) {
			continue
		}
		if o.Cut && !action.cuts() {
			o.Again = retryConflict
			break
		}
		if err := c.one(ctx, s, action, &o); err != nil {
			ended = true
			failed = append(failed, c.hindered(&o, action, err))
		}
	}
	if err := c.byHand(ctx, s); err != nil {
		failed = append(failed, c.hindered(&o, Action{Kind: Prepare}, err))
	}
	return o, errors.Join(failed...)
}

// hindered tells what has to be ended by somebody from what just takes another try.
func (c *Controller) hindered(o *Outcome, a Action, err error) error {
	var conflict *apply.ConflictError
	switch {
	case errors.Is(err, errLater):
		return nil
	case errors.As(err, &conflict):
		o.Again = lookAgain
		o.Blocked = &Blocker{v1alpha1.ReasonObjectConflict, evidence.Clean(conflict.Error()+". Whoever made it has to delete it.", maxMessage)}
		return nil
	case apierrors.IsInvalid(err) || apierrors.IsForbidden(err):
		reason := v1alpha1.ReasonPreparingProduction
		if a.Kind == Release {
			reason = v1alpha1.ReasonPodsRefused
		}
		o.Blocked = &Blocker{reason, evidence.Clean("The cluster refuses it: "+err.Error(), maxMessage)}
	}
	return fmt.Errorf("%s: %w", a.Kind, err)
}

func (c *Controller) one(ctx context.Context, s Snapshot, a Action, o *Outcome) error {
	uid := s.Place.UID
	switch a.Kind {
	case Prepare:
		return c.prepare(ctx, s, a, o)
	case Release:
		return c.release(ctx, s, a, o)
	case Remember:
		reach := s.reach(a.Memory.Record, a.Memory.beside())
		if _, err := c.destination.Remember(ctx, *s.Identity, a.Memory, reach, s.orphaned(), s.Place.OrphanMark); err != nil {
			return err
		}
		o.Memory = a.Memory
		return nil
	case Stop:
		return c.destination.Stop(ctx, s.Name, uid)
	case Sever:
		return c.sever(ctx, s, o)
	case Replace, Halt:
		changed, err := c.destination.Replace(ctx, s.Name, uid, s.effects().Mark(), a.Kind == Halt)
		o.Cut = o.Cut || changed
		return err
	case Prune:
		return c.destination.Prune(ctx, s.Name, uid, reviewOfRecord(a.Record))
	case Teardown:
		_, err := c.destination.Teardown(ctx, s.Name, uid)
		return err
	}
	return fmt.Errorf("unknown action %q", a.Kind)
}

// sever needs the operator's rights in the namespace. Where they are not there it tries all the same; in a namespace that is
// being deleted nothing can be made.
func (c *Controller) sever(ctx context.Context, s Snapshot, o *Outcome) error {
	var rights error
	granted := apply.Unchanged
	if s.furnished() {
		granted, rights = c.destination.EnsureRights(ctx, *s.Identity)
	}
	changed, err := c.destination.Sever(ctx, s.Name, s.Place.UID, s.effects().Cut, s.severed())
	o.Cut, o.Closed = o.Cut || changed, err == nil
	if granted == apply.Created && apierrors.IsForbidden(err) {
		o.Again = rightsSettle
		return errLater
	}
	return errors.Join(rights, err)
}

// byHand lets responders go on by hand where an emergency stop cuts, whatever else could be prepared.
func (c *Controller) byHand(ctx context.Context, s Snapshot) error {
	if !s.furnished() || !s.effects().Severs() {
		return nil
	}
	_, err := c.destination.Ensure(ctx, workload.ByHandBinding(inProduction(*s.Identity)))
	return err
}

// prepare writes the namespace first, the operator's rights in it next and everything else side by side.
func (c *Controller) prepare(ctx context.Context, s Snapshot, a Action, o *Outcome) error {
	r := s.record(a.Record)
	if r == nil {
		return fmt.Errorf("record %s was not read", a.Record)
	}
	written, err := c.destination.Remember(ctx, r.Prototype, s.memory(), s.reach(a.Record, a.Beside), s.orphaned(), s.Place.OrphanMark)
	if err != nil {
		return err
	}
	marked := (s.Place.OrphanMark == "true") != s.orphaned()
	o.Orphaned = marked && s.orphaned()
	if !marked && s.Place.Reach == s.reach(a.Record, a.Beside) {
		o.noteDrift(s, []string{"Namespace " + s.Name}, written)
	}
	written, err = c.destination.EnsureRights(ctx, r.Prototype)
	if err != nil {
		return err
	}
	o.noteDrift(s, []string{"RoleBinding of the operator"}, written)
	if written == apply.Created {
		o.Again = rightsSettle
		return errLater
	}
	// What makes room for the next record is no drift of the one that serves, nor is what a stop, or its end, changes.
	expected := a.Record != s.memory().Record || s.Place.Rollout.CutOff != s.effects().Mark()
	return c.ensure(ctx, s, o, expected, content(*r, s.sized(*r).Requirements.Production.Replicas, s.record(a.Beside), s.severance())...)
}

// release writes the record's Secrets, then what runs with them.
func (c *Controller) release(ctx context.Context, s Snapshot, a Action, o *Outcome) error {
	r := s.record(a.Record)
	if r == nil {
		return fmt.Errorf("record %s was not read", a.Record)
	}
	made, digest := s.credentials(a.Record), s.secretsDigest(a.Record)
	rotated := s.released() && digest != s.Place.Rollout.SecretsDigest
	if made != nil && len(made.Problems) == 0 {
		if err := c.ensure(ctx, s, o, rotated, secretsOf(*r, made.Secrets)...); err != nil {
			return err
		}
	}
	e, wanted := s.effects(), replicas(s.sized(*r), s.Place.Rollout)
	if e.Stopped {
		wanted = 0
	}
	turned := s.Place.Rollout.Exists && s.Place.Rollout.CutOff != e.Mark()
	err := c.ensure(ctx, s, o, rotated || turned, deployment(*r, digest, s.severance(), wanted, s.size(r.Name())))
	if err != nil {
		return err
	}
	o.Released = true
	if err := c.ensure(ctx, s, o, false, autoscaler(s.sized(*r))); err != nil {
		return err
	}
	if made != nil {
		c.lookedAt(s, c.now())
	}
	return nil
}

// ensure writes objects; what differs from a state that was complete before, without being expected to, is drift.
func (c *Controller) ensure(ctx context.Context, s Snapshot, o *Outcome, expected bool, objects ...client.Object) error {
	outcomes, err := c.destination.Ensure(ctx, objects...)
	if !expected {
		var what []string
		for _, object := range objects {
			what = append(what, fmt.Sprintf("%s %s", kindOf(object), object.GetName()))
		}
		o.noteDrift(s, what, outcomes...)
	}
	return err
}

func (o *Outcome) noteDrift(s Snapshot, what []string, outcomes ...apply.Outcome) {
	if !s.steady() {
		return
	}
	for i, outcome := range outcomes {
		switch outcome {
		case apply.Created:
			o.Drifted = append(o.Drifted, what[i]+" was gone")
		case apply.Updated:
			o.Drifted = append(o.Drifted, what[i]+" was changed")
		}
	}
}

// kindOf is what people call the kind of an object.
func kindOf(object client.Object) string {
	name := fmt.Sprintf("%T", object)
	return name[strings.LastIndex(name, ".")+1:]
}

// reviewOfRecord is the ordinal at the end of a record's name.
func reviewOfRecord(name string) string {
	for i := len(name) - 1; i >= 0; i-- {
		if name[i] == '-' {
			if _, err := strconv.Atoi(name[i+1:]); err == nil {
				return name[i+1:]
			}
			break
		}
	}
	return ""
}
