package own

import (
	"errors"
	"fmt"
	"time"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/internal/condition"
	"github.com/affineur/affineur/internal/evidence"
	"github.com/affineur/affineur/internal/gate"
	"github.com/affineur/affineur/internal/record"
)

// About is what expressions may know of a record's subject.
func About(r record.Record) condition.Prototype {
	return condition.Prototype{
		Name: r.Prototype.Name, Namespace: r.Prototype.Namespace, UID: r.Prototype.UID, Team: r.Requirements.Team.Name,
		SandboxNamespace: r.Prototype.Sandbox(), ProductionNamespace: r.Prototype.Production(),
		Image: r.Subject.Container.Image, ImageDigest: digestOf(r.Subject.Container.Image), SubjectDigest: r.SubjectDigest,
	}
}

// resourceOrder is what is to be read. The error says why it can't be, for IT.
func resourceOrder(g v1alpha1.ResourceGate, p condition.Prototype) (evidence.ResourceOrder, error) {
	name, err := given(g.Name, g.NameExpression, p)
	if err != nil {
		return evidence.ResourceOrder{}, fmt.Errorf("nameExpression: %w", err)
	}
	namespace, err := given(g.Namespace, g.NamespaceExpression, p)
	if err != nil {
		return evidence.ResourceOrder{}, fmt.Errorf("namespaceExpression: %w", err)
	}
	if namespace == p.Namespace {
		return evidence.ResourceOrder{}, errors.New("the object would be in the prototype's own namespace, where its team may write what it likes")
	}
	order := evidence.ResourceOrder{
		APIVersion: g.APIVersion, ObjectKind: g.Kind, Namespace: namespace, Name: name, TimeFrom: g.MadeAt,
		Conditions: evidence.Conditions{SuccessWhen: g.SuccessWhen, FailureWhen: g.FailureWhen},
	}
	return order, order.Validate()
}

// given is the fixed text, or what the expression gives.
func given(fixed, expression string, p condition.Prototype) (string, error) {
	if expression == "" {
		return fixed, nil
	}
	compiled, err := condition.Compile(expression, condition.OfPrototype, condition.Text)
	if err != nil {
		return "", err
	}
	return compiled.Text(p)
}

// judgeResource judges what was found of the object that was ordered. at is when it was looked for.
func judgeResource(order evidence.ResourceOrder, maxAge time.Duration, r *evidence.ResourceResult, at, now time.Time) gate.Verdict {
	what := order.ObjectKind + " " + order.Name
	if order.Namespace != "" {
		what += " of namespace " + order.Namespace
	}
	switch r.Found {
	case evidence.FoundObject:
	case evidence.FoundNothing:
		return unclear(v1alpha1.ReasonResourceMissing, "There is no "+what+".",
			"It is looked for again. If it should be there, look at the operator that makes it, and at the name in the policy.", at)
	case evidence.FoundNoKind:
		return unclear(v1alpha1.ReasonResourceMissing, fmt.Sprintf("The cluster knows no %s of %s.", order.ObjectKind, order.APIVersion),
			"IT installs what makes them, or mends apiVersion and kind in the policy.", at)
	case evidence.FoundForbidden:
		return unclear(v1alpha1.ReasonResourceForbidden, "The operator may not read "+what+".",
			"IT adds a ClusterRole with the label "+v1alpha1.LabelAggregateToReads+`: "true" and the rule `+r.Rule+".", at)
	case evidence.FoundTeams:
		return unclear(v1alpha1.ReasonResourceOfTeam, "The "+what+" does not count: a team may write there what it likes.",
			"IT names a namespace in the policy that belongs to no team and that no policy governs.", at)
	default:
		return unclear(v1alpha1.ReasonEvidenceUnverifiable, "It is not known what was found of "+what+".", again, at)
	}
	if old := tooOld(what, maxAge, r, now); old != "" {
		return unclear(v1alpha1.ReasonResourceOld, old, "It is looked for again. Look at the operator that makes it, or at madeAt and maxAge in the policy.", at)
	}
	return decided(r.Answers, "the "+what, at)
}

// tooOld says why the object's time makes it worthless, or nothing. The words don't change while time passes.
func tooOld(what string, maxAge time.Duration, r *evidence.ResourceResult, now time.Time) string {
	switch {
	case r.MadeAt == nil:
		return fmt.Sprintf("When the %s was made can't be told: %s.", what, r.MadeWhy)
	case r.MadeAt.After(now.Add(gate.ClockSkew)):
		return fmt.Sprintf("The %s is of %s, which has not come.", what, r.MadeAt.UTC().Format(time.RFC3339))
	case maxAge <= 0 || now.Sub(*r.MadeAt) > maxAge:
		return fmt.Sprintf("The %s is of %s; it may be %s old.", what, r.MadeAt.UTC().Format(time.RFC3339), maxAge)
	}
	return ""
}
