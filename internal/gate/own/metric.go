package own

import (
	"fmt"
	"time"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/internal/condition"
	"github.com/affineur/affineur/internal/evidence"
	"github.com/affineur/affineur/internal/gate"
)

// metricOrder is what is to be asked of the window that begins when the review was opened.
func metricOrder(g v1alpha1.MetricGate, opened time.Time, p condition.Prototype) (evidence.MetricOrder, error) {
	query, err := condition.Expand(g.Query, g.Window.Duration, p)
	if err != nil {
		return evidence.MetricOrder{}, fmt.Errorf("query: %w", err)
	}
	// Whole seconds, and none from before.
	start := opened.UTC().Add(time.Second - 1).Truncate(time.Second)
	order := evidence.MetricOrder{
		Query: query, Start: start, End: start.Add(g.Window.Duration.Truncate(time.Second)), Many: g.Series == v1alpha1.SeriesMany,
		Conditions: evidence.Conditions{SuccessWhen: g.SuccessWhen, FailureWhen: g.FailureWhen},
	}
	return order, order.Validate()
}

// judgeMetric judges the answer to what was ordered.
func judgeMetric(order evidence.MetricOrder, r *evidence.MetricResult, at time.Time) gate.Verdict {
	if !r.Start.Equal(order.Start) || !r.End.Equal(order.End) {
		return unclear(v1alpha1.ReasonEvidenceUnverifiable, "The metric was asked for another window of time.", again, at)
	}
	if at.Before(order.End) {
		return unclear(v1alpha1.ReasonEvidenceUnverifiable, "The metric was asked for before its window had ended.", again, at)
	}
	if r.Outcome != evidence.MetricAnswered {
		why, hint := unanswered(r)
		return unclear(v1alpha1.ReasonMetricUnclear, "The metric says nothing: "+why+".", hint, at)
	}
	value := r.Lowest
	if r.Series > 1 {
		value = fmt.Sprintf("%s to %s in %d series", r.Lowest, r.Highest, r.Series)
	}
	return decided(r.Answers, fmt.Sprintf("the metric from %s to %s (%s)",
		order.Start.Format(time.RFC3339), order.End.Format(time.RFC3339), value), at)
}

func unanswered(r *evidence.MetricResult) (why, hint string) {
	const query = "IT looks at the query in the policy."
	switch r.Outcome {
	case evidence.MetricNoData:
		return "no series answered", "Look whether the prototype is scraped, whether it was used in that time, and at the query's labels."
	case evidence.MetricNotANumber:
		return "a value is not a number", "Most often something was divided by nothing: look whether the prototype was used in that time."
	case evidence.MetricManySeries:
		return fmt.Sprintf("%d series answered", r.Series), "IT sums them up in the query, or says series: Many."
	case evidence.MetricOtherForm:
		return "the query gives no numbers of one moment", query
	case evidence.MetricWarned:
		return "the source warned that its answer may not be whole", "Look at the metrics source."
	case evidence.MetricRejected:
		return "the source did not take the query", query
	case evidence.MetricUnusable:
		return "the source can't be asked: " + r.Detail, "IT looks at the gate's source in the policy, and at what it names in the operator's namespace."
	}
	return "no usable answer came: " + r.Detail, "Look whether the metrics source runs, and at its address, ca and credentials in the policy."
}
