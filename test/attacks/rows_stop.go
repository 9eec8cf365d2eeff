package main

import (
	"context"
	"fmt"

	appsv1 "k8s.io/api/apps/v1"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/internal/workload"
	"github.com/affineur/affineur/test/story/await"
)

// stop is about the attacking team, in the name of whoever makes it.
func (f *field) stop() *v1alpha1.EmergencyStop {
	return &v1alpha1.EmergencyStop{ObjectMeta: metav1.ObjectMeta{Name: stopped}, Spec: v1alpha1.EmergencyStopSpec{
		Scope: v1alpha1.StopScope{Team: home}, Action: v1alpha1.StopStop, Reason: "somebody attacks from there"}}
}

// stopped is the name of the attacks' emergency stop.
const stopped = "attacks"

const lift = `{"spec":{"lifted":{"reason":"it was only an exercise"}}}`

// stops are row 36: a team that is cut off wants to go on.
func (f *field) stops() []attack {
	made := f.stop()
	after := f.newPrototype(home, "after-the-stop", "churn-advisor-1.4")
	again := `{"spec":{"workload":{"container":{"resources":{"cpu":"60m"}}}}}`
	all := []attack{
		f.asksToken("a token to cut off by hand, while nothing is stopped", 3600),
		f.creates(36, f.lead, "an emergency stop of one's own", made).by(rbac),
		f.creates(36, f.pipeline, "an emergency stop by an account that is no person", made).by(emergencies),
		{row: 36, who: f.lead.name, what: "a program that goes on when its team is stopped",
			control: func(ctx context.Context) error { return f.comes(ctx, f.intruder, running) }, try: f.cutOff,
			meant: []wall{{by: "emergency stop " + stopped + " by "}}},
		{row: 36, who: f.lead.name, what: "another prototype while the team is stopped", meant: []wall{told(v1alpha1.ReasonEmergencyStop)}, try: func(ctx context.Context) (string, error) {
			return f.heldFor(ctx, after, v1alpha1.ReasonEmergencyStop)
		}},
		{row: 36, who: f.lead.name, what: "another revision while the team is stopped", meant: []wall{told(v1alpha1.ReasonEmergencyStop)}, try: func(ctx context.Context) (string, error) {
			if err := f.lead.Patch(ctx, f.intruder, merge(again)); err != nil {
				return "", err
			}
			return f.keptOff(ctx)
		}},
		f.changes(36, f.lead, "lifting the stop", made, lift).by(rbac),
		f.changes(36, f.pipeline, "lifting the stop", made, lift).by(emergencies),
		f.changes(36, f.thief, "lifting the stop", made, lift).by(rbac),
		f.changes(36, f.responder, "lifting one's own stop", made, lift).by(emergencies),
		f.changes(36, f.second, "making the stop another one", made, `{"spec":{"action":"Freeze"}}`).by(schemaSays("a stop does not change")),
		f.deletes(36, f.pipeline, "deleting the stop", made).by(emergencies),
		f.deletes(36, f.second, "deleting the stop before it is lifted", made).by(emergencies),
	}
	all = append(all, f.handed()...)
	return append(all,
		attack{row: 36, who: f.thief.name, what: "bringing what was stopped back", meant: []wall{itsOperator}, try: f.revives},
		f.asksToken("a token to cut off by hand, once the stop was lifted", 3600))
}

// cutOff makes the stop, as a responder would, and wants every pod of the team's workloads gone.
func (f *field) cutOff(ctx context.Context) (string, error) {
	made := f.stop()
	if err := f.responder.Create(ctx, made); err != nil {
		return "", err
	}
	err := await.Object(ctx, f.admin, made, func(s *v1alpha1.EmergencyStop) (bool, error) {
		return apimeta.IsStatusConditionTrue(s.Status.Conditions, v1alpha1.ConditionEffective), nil
	})
	if err != nil {
		return "", fmt.Errorf("%w: %+v", err, made.Status)
	}
	if err := f.noPods(ctx, f.intruder); err != nil {
		return "", err
	}
	return fmt.Sprintf("emergency stop %s by %s (%s)", made.Name, made.Spec.By, made.Status.Summary), nil
}

// keptOff wants the intruder to say that it is stopped, at its newest generation, and nothing of it to run.
func (f *field) keptOff(ctx context.Context) (string, error) {
	err := f.comes(ctx, f.intruder, func(p *v1alpha1.AIPrototype) bool { return conditionOf(p, v1alpha1.ReasonEmergencyStop) != nil })
	if err != nil {
		return "", err
	}
	c := conditionOf(f.intruder, v1alpha1.ReasonEmergencyStop)
	return fmt.Sprintf("condition %s=%s %s (%s)", c.Type, c.Status, c.Reason, short(c.Message)), f.noPods(ctx, f.intruder)
}

// revives scales the workload up with the operator's own token, and wants the operator to take it down again. When that
// was seen, a second person lifts the stop, and the workload comes back by itself: what was shown was the stop's doing.
func (f *field) revives(ctx context.Context) (string, error) {
	by, err := f.scaledUp(ctx)
	if err != nil {
		return "", err
	}
	if err := f.second.Patch(ctx, f.stop(), merge(lift)); err != nil {
		return "", err
	}
	return by, f.comes(ctx, f.intruder, running)
}

func (f *field) scaledUp(ctx context.Context) (string, error) {
	deployment := &appsv1.Deployment{ObjectMeta: in(f.sandbox, workload.Name)}
	if err := f.thief.Get(ctx, client.ObjectKeyFromObject(deployment), deployment); err != nil {
		return "", err
	}
	deployment.Spec.Replicas = ptr.To[int32](1)
	if err := f.thief.Update(ctx, deployment); err != nil {
		return "", err
	}
	raised := deployment.Generation
	err := await.Object(ctx, f.admin, deployment, func(d *appsv1.Deployment) (bool, error) {
		return d.Generation > raised && ptr.Deref(d.Spec.Replicas, 1) == 0, nil
	})
	if err != nil {
		return "", err
	}
	if err := await.Until(ctx, func() error { return f.noPods(ctx, f.intruder) }); err != nil {
		return "", err
	}
	return "the operator (it scaled the workload to zero again)", nil
}
