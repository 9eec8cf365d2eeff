package main

import (
	"fmt"

	"github.com/affineur/affineur/api/v1alpha1"
)

// metered is the policy whose gate quiet asks a metrics source how many requests fail. The source is a program of the
// organisation's that speaks Prometheus' HTTP API; a real one is asked in test/prometheus.
const metered, quiet = "corpus-metered", "quiet"

func watches(spec map[string]any) {
	adds(spec, map[string]any{"name": quiet, "type": string(v1alpha1.GateMetric), "metric": map[string]any{
		"source": map[string]any{"address": fmt.Sprintf("http://%s:8080", systemsHost)}, "window": "1m",
		"query":       `sum(rate(errors_total{namespace="$namespace",prototype="$prototype"}[$window])) / sum(rate(requests_total{namespace="$namespace",prototype="$prototype"}[$window]))`,
		"successWhen": "result <= 0.02", "failureWhen": "result > 0.05",
	}})
}

// readings are prototypes of which metrics tell something. The source answers by their names.
func readings() []sample {
	of := func(name, hole, reason, says string) sample {
		c := sample{name: "metric-" + name, hole: hole, reason: reason, says: says, policy: metered, waits: true, edit: func(*v1alpha1.AIPrototype) {}}
		if reason != "" {
			c.gate = quiet
		}
		return c
	}
	return []sample{
		of("high", "half of its requests fail", v1alpha1.ReasonFailureShown, "0.5"),
		of("between", "more of its requests fail than is good, and fewer than is bad", v1alpha1.ReasonNeitherShown, ""),
		of("unused", "nobody used it, and nothing divided by nothing is no number", v1alpha1.ReasonMetricUnclear, "not a number"),
		of("unknown", "nobody measured it", v1alpha1.ReasonMetricUnclear, "no series answered"),
		of("twice", "two series answer where one is asked for", v1alpha1.ReasonMetricUnclear, "2 series answered"),
		of("stale", "what answers was measured an hour before", v1alpha1.ReasonMetricUnclear, ""),
		of("partial", "the source warns that its answer may not be whole", v1alpha1.ReasonMetricUnclear, "warned"),
		of("low", "hardly any of its requests fail", "", ""),
	}
}
