package policy

import (
	"fmt"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/internal/condition"
)

// expression of a gate, and what it must be.
type expression struct {
	field, text string
	scope       condition.Scope
	wants       condition.Wants
}

// checkOwn compiles what gates of IT's own say, so that a mistake is one of the policy and not of a review.
func checkOwn(gates []v1alpha1.Gate) *Problem {
	for i, g := range gates {
		at := fmt.Sprintf("spec.gates[%d].", i)
		if g.Metric != nil {
			if _, err := condition.Expand(g.Metric.Query, g.Metric.Window.Duration, condition.Prototype{}); err != nil {
				return broken(v1alpha1.ReasonExpressionInvalid, at+"metric.query", err.Error())
			}
		}
		for _, e := range expressionsOf(g) {
			if _, err := condition.Compile(e.text, e.scope, e.wants); err != nil {
				return broken(v1alpha1.ReasonExpressionInvalid, at+e.field, firstLine(err))
			}
		}
	}
	return nil
}

func expressionsOf(g v1alpha1.Gate) []expression {
	var out []expression
	criteria := func(member string, c v1alpha1.Criteria, scope condition.Scope) {
		out = append(out, expression{member + ".successWhen", c.SuccessWhen, scope, condition.Truth},
			expression{member + ".failureWhen", c.FailureWhen, scope, condition.Truth})
	}
	if r := g.Resource; r != nil {
		if r.NameExpression != "" {
			out = append(out, expression{"resource.nameExpression", r.NameExpression, condition.OfPrototype, condition.Text})
		}
		if r.NamespaceExpression != "" {
			out = append(out, expression{"resource.namespaceExpression", r.NamespaceExpression, condition.OfPrototype, condition.Text})
		}
		out = append(out, expression{"resource.madeAt", r.MadeAt, condition.OfObject, condition.Time})
		criteria("resource", r.Criteria, condition.OfObject)
	}
	if m := g.Metric; m != nil {
		scope := condition.OfNumber
		if m.Series == v1alpha1.SeriesMany {
			scope = condition.OfSeries
		}
		criteria("metric", m.Criteria, scope)
	}
	return out
}
