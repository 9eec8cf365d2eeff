package policy

import (
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/affineur/affineur/api/v1alpha1"
)

func TestGatesOfOnesOwnAreCompiled(t *testing.T) {
	resource := func(mend func(*v1alpha1.ResourceGate)) v1alpha1.Gate {
		r := &v1alpha1.ResourceGate{
			APIVersion: "scan.example.org/v1", Kind: "ScanReport", NamespaceExpression: "prototype.sandboxNamespace", NameExpression: "prototype.name",
			MadeAt: "object.at", Criteria: v1alpha1.Criteria{SuccessWhen: "object.ok", FailureWhen: "!object.ok"},
		}
		mend(r)
		return v1alpha1.Gate{Name: "scanned", Type: v1alpha1.GateResource, Resource: r}
	}
	metric := func(mend func(*v1alpha1.MetricGate)) v1alpha1.Gate {
		m := &v1alpha1.MetricGate{
			Query: `sum(rate(errors{namespace="$sandbox"}[$window]))`, Window: metav1.Duration{Duration: time.Minute}, Series: v1alpha1.SeriesOne,
			Criteria: v1alpha1.Criteria{SuccessWhen: "result < 0.1", FailureWhen: "result >= 0.1"},
		}
		mend(m)
		return v1alpha1.Gate{Name: "quiet", Type: v1alpha1.GateMetric, Metric: m}
	}
	for name, tc := range map[string]struct {
		gate  v1alpha1.Gate
		field string
	}{
		"a resource":                {resource(func(*v1alpha1.ResourceGate) {}), ""},
		"a name that is no text":    {resource(func(r *v1alpha1.ResourceGate) { r.NameExpression = "1" }), "spec.gates[0].resource.nameExpression"},
		"an unknown field":          {resource(func(r *v1alpha1.ResourceGate) { r.NamespaceExpression = "prototype.sandbox" }), "spec.gates[0].resource.namespaceExpression"},
		"a name from the object":    {resource(func(r *v1alpha1.ResourceGate) { r.NameExpression = "object.name" }), "spec.gates[0].resource.nameExpression"},
		"no time":                   {resource(func(r *v1alpha1.ResourceGate) { r.MadeAt = "true" }), "spec.gates[0].resource.madeAt"},
		"no condition":              {resource(func(r *v1alpha1.ResourceGate) { r.SuccessWhen = "object.ok ==" }), "spec.gates[0].resource.successWhen"},
		"no failure":                {resource(func(r *v1alpha1.ResourceGate) { r.FailureWhen = "" }), "spec.gates[0].resource.failureWhen"},
		"a metric":                  {metric(func(*v1alpha1.MetricGate) {}), ""},
		"a name that is none":       {metric(func(m *v1alpha1.MetricGate) { m.Query = "up{a=\"$sandboxes\"}[$window]" }), "spec.gates[0].metric.query"},
		"a list where a number is":  {metric(func(m *v1alpha1.MetricGate) { m.SuccessWhen = "result.all(r, r.value < 1.0)" }), "spec.gates[0].metric.successWhen"},
		"a number where a list is":  {metric(func(m *v1alpha1.MetricGate) { m.Series = v1alpha1.SeriesMany }), "spec.gates[0].metric.successWhen"},
		"an object that is missing": {metric(func(m *v1alpha1.MetricGate) { m.FailureWhen = "object.ok" }), "spec.gates[0].metric.failureWhen"},
	} {
		t.Run(name, func(t *testing.T) {
			problem := checkOwn([]v1alpha1.Gate{tc.gate})
			if tc.field == "" {
				if problem != nil {
					t.Errorf("got %+v", problem)
				}
				return
			}
			if problem == nil || problem.Field != tc.field || problem.Reason != v1alpha1.ReasonExpressionInvalid || strings.Contains(problem.Message, "\n") {
				t.Errorf("got %+v", problem)
			}
		})
	}
}
