package own

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/internal/evidence"
	"github.com/affineur/affineur/internal/gate"
	"github.com/affineur/affineur/internal/workload"
)

// settle is how long after its window a metric is asked for: what was scraped last has to arrive.
const settle = 30 * time.Second

// Resource judges another operator's report. Who reads it is the package sample.
type Resource struct{}

// Type implements gate.Instrument.
func (Resource) Type() v1alpha1.GateType { return v1alpha1.GateResource }

// Plan implements gate.Instrument: one look.
func (Resource) Plan(c gate.Case, _ gate.Taken) ([]gate.Run, error) {
	order, _, err := resourceOf(c)
	if err != nil {
		return nil, err
	}
	return []gate.Run{{Site: gate.SiteOperator, Order: order}}, nil
}

func resourceOf(c gate.Case) (evidence.ResourceOrder, v1alpha1.ResourceGate, error) {
	g := c.Gate.Resource
	if g == nil {
		return evidence.ResourceOrder{}, v1alpha1.ResourceGate{}, errors.New("the policy does not say which object")
	}
	order, err := resourceOrder(*g, About(c.Record))
	return order, *g, err
}

// Judge implements gate.Instrument.
func (Resource) Judge(c gate.Case, taken gate.Taken) gate.Verdict {
	order, g, err := resourceOf(c)
	if err != nil {
		return unmeasurable(err)
	}
	found, refused := gate.Open[evidence.ResourceResult](c.Frame(), taken.Runs[""].Measurement, "the look at the "+order.ObjectKind)
	if refused != nil {
		return *refused
	}
	return judgeResource(order, g.MaxAge.Duration, found, taken.Runs[""].Report.FinishedAt, c.Now)
}

// Summarize implements gate.Instrument.
func (Resource) Summarize(c gate.Case, taken gate.Taken) gate.Summary {
	order, _, err := resourceOf(c)
	found := resultOf[evidence.ResourceResult](taken)
	if err != nil || found == nil {
		return gate.Summary{}
	}
	text := fmt.Sprintf("%s `%s` of namespace `%s`: %s", order.ObjectKind, order.Name, order.Namespace, strings.ToLower(string(found.Found)))
	if found.MadeAt != nil {
		text += ", of " + found.MadeAt.UTC().Format(time.RFC3339)
	}
	return gate.Summary{Markdown: text + ".\n\n" + answersTable(order.Conditions, found.Answers)}
}

// Metric judges what a Prometheus says about the time that begins when the review was opened. Who asks it is the package
// sample.
type Metric struct{}

// Type implements gate.Instrument.
func (Metric) Type() v1alpha1.GateType { return v1alpha1.GateMetric }

// Plan implements gate.Instrument: one question, when its window has ended.
func (Metric) Plan(c gate.Case, _ gate.Taken) ([]gate.Run, error) {
	order, err := metricOf(c)
	if err != nil {
		return nil, err
	}
	return []gate.Run{{Site: gate.SiteOperator, Order: order, NotBefore: order.End.Add(settle)}}, nil
}

func metricOf(c gate.Case) (evidence.MetricOrder, error) {
	if c.Gate.Metric == nil {
		return evidence.MetricOrder{}, errors.New("the policy does not say which metric")
	}
	return metricOrder(*c.Gate.Metric, c.Record.OpenedAt, About(c.Record))
}

// Judge implements gate.Instrument.
func (Metric) Judge(c gate.Case, taken gate.Taken) gate.Verdict {
	if c.Record.OpenedAt.IsZero() {
		return gate.Wait("no review is open that the metric could be about")
	}
	order, err := metricOf(c)
	if err != nil {
		return unmeasurable(err)
	}
	found, refused := gate.Open[evidence.MetricResult](c.Frame(), taken.Runs[""].Measurement, "the question about the metric")
	if refused != nil {
		return *refused
	}
	return judgeMetric(order, found, taken.Runs[""].Report.FinishedAt)
}

// Summarize implements gate.Instrument.
func (Metric) Summarize(c gate.Case, taken gate.Taken) gate.Summary {
	order, err := metricOf(c)
	found := resultOf[evidence.MetricResult](taken)
	if err != nil || found == nil {
		return gate.Summary{}
	}
	text := fmt.Sprintf("```promql\n%s\n```\n\n%s to %s: %s", order.Query, order.Start.Format(time.RFC3339), order.End.Format(time.RFC3339), strings.ToLower(string(found.Outcome)))
	if found.Outcome == evidence.MetricAnswered {
		text += fmt.Sprintf(", %d series, from %s to %s", found.Series, found.Lowest, found.Highest)
	}
	return gate.Summary{Markdown: text + ".\n\n" + answersTable(order.Conditions, found.Answers)}
}

// Job runs an image of IT's own and takes over what it says.
type Job struct{}

// Type implements gate.Instrument.
func (Job) Type() v1alpha1.GateType { return v1alpha1.GateJob }

// Plan implements gate.Instrument: one run of the policy's image.
func (Job) Plan(c gate.Case, _ gate.Taken) ([]gate.Run, error) {
	g := c.Gate.Job
	if g == nil {
		return nil, errors.New("the policy does not say which image")
	}
	order, err := jobOrder(*g, workload.URL(c.Record.Prototype.Sandbox()), About(c.Record))
	if err != nil {
		return nil, err
	}
	site := gate.SiteSandbox
	if g.Network == v1alpha1.JobClosed {
		site = gate.SiteClosed
	}
	return []gate.Run{{Site: site, Order: order, Length: g.Length.Duration, CPU: "500m", Memory: "256Mi", Image: g.Image}}, nil
}

// Judge implements gate.Instrument.
func (Job) Judge(c gate.Case, taken gate.Taken) gate.Verdict {
	if c.Gate.Job == nil {
		return unmeasurable(errors.New("the policy does not say which image"))
	}
	found, refused := gate.Open[evidence.JobResult](c.Frame(), taken.Runs[""].Measurement, "the run of the policy's image")
	if refused != nil {
		return *refused
	}
	return judgeJob(found, taken.Runs[""].Report.FinishedAt)
}

// Summarize implements gate.Instrument.
func (Job) Summarize(c gate.Case, taken gate.Taken) gate.Summary {
	found := resultOf[evidence.JobResult](taken)
	if c.Gate.Job == nil || found == nil {
		return gate.Summary{}
	}
	text := fmt.Sprintf("Said by `%s`.\n", c.Gate.Job.Image)
	if len(found.Measurements) > 0 {
		text += "\n| Measured | | |\n|---|---:|---|\n"
		for _, m := range found.Measurements {
			text += fmt.Sprintf("| %s | %s | %s |\n", m.Name, m.Value, cell(m.Unit))
		}
	}
	return gate.Summary{Markdown: text}
}

func resultOf[T any, P interface {
	*T
	evidence.Body
}](taken gate.Taken) *T {
	if report := taken.Runs[""].Report; report != nil {
		return evidence.As[T, P](report.Result)
	}
	return nil
}

func answersTable(c evidence.Conditions, a *evidence.Answers) string {
	if a == nil {
		return ""
	}
	row := func(name, text string, answer evidence.Answer, why string) string {
		if why == "" {
			why = strings.ToLower(string(answer))
		}
		return fmt.Sprintf("| %s | `%s` | %s |\n", name, cell(text), cell(why))
	}
	return "| Condition | | |\n|---|---|---|\n" + row("successWhen", c.SuccessWhen, a.Success, a.SuccessWhy) + row("failureWhen", c.FailureWhen, a.Failure, a.FailureWhy)
}

// cell keeps a text inside its cell of a table.
func cell(text string) string {
	return strings.NewReplacer("|", `\|`, "`", "'", "<", "&lt;").Replace(evidence.Clean(text, 2048))
}

func unmeasurable(err error) gate.Verdict {
	return unclear(v1alpha1.ReasonRequirementInvalid, "It can't be measured: "+err.Error()+".", "IT mends the gate in the policy, and the team asks for another review.", time.Time{})
}
