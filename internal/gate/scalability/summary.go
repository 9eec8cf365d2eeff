package scalability

import (
	"errors"
	"fmt"
	"strings"

	"github.com/affineur/affineur/internal/evidence"
	"github.com/affineur/affineur/internal/gate"
)

// plotFile is the name of the plot beside the summary.
const plotFile = "plot.svg"

// Summarize implements gate.Instrument: every step in a table, what it means for production, and a plot.
func (Instrument) Summarize(c gate.Case, taken gate.Taken) gate.Summary {
	report := loadOf(taken)
	demand, err := demandOf(c.Record.Subject)
	settings, wrong := settingsOf(c.Gate, 1)
	if report == nil || err != nil || wrong != nil {
		return gate.Summary{}
	}
	capacity := CapacityOf(report, demand, 1)
	text := demand.Explain() + fmt.Sprintf(" With a headroom of %s that is %s requests a second.\n\n", short(settings.Headroom), short(demand.Rate*settings.Headroom))
	text += table(report) + "\n" + closing(report, capacity)
	if advice, err := recommend(c, taken); err == nil {
		text += advice.markdown()
	}
	out := gate.Summary{Markdown: text}
	name := c.Record.Prototype.Namespace + "/" + c.Record.Prototype.Name
	if plot := Plot(Figure{Subject: name, Demand: demand, Wanted: demand.Rate * settings.Headroom, Capacities: []Capacity{capacity}}); plot != nil {
		out.Files = map[string]string{plotFile: string(plot)}
		out.Markdown += fmt.Sprintf("\n`%s` beside this text shows latency over load.\n", plotFile)
	}
	return out
}

// loadOf is the report of the gate's run, nil without one.
func loadOf(taken gate.Taken) *evidence.LoadReport {
	run := taken.Runs[""]
	if run.Report == nil {
		return nil
	}
	return evidence.As[evidence.LoadReport](run.Report.Result)
}

func table(report *evidence.LoadReport) string {
	var out strings.Builder
	out.WriteString("Times count from when a request was due, to the last byte of its answer.\n\n")
	out.WriteString("| Sent | For | Requests | Failed | In time | First byte p95 | p50 | p95 | p99 | p99.9 | Slowest | Generator late, p99 | |\n")
	out.WriteString("|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---|\n")
	row := func(s evidence.StepResult, what string) {
		if s.GeneratorLimited {
			what += ", says nothing: the generator was the bottleneck"
		}
		l := s.Latency
		fmt.Fprintf(&out, "| %s req/s | %s | %d | %d | %d | %s | %s | %s | %s | %s | %s | %s | %s |\n", s.RatePerSecond, span(s.Duration.Std()), s.Planned,
			s.Failures.Total(), s.WithinTarget, told(s.FirstByte.P95), told(l.P50), told(l.P95), told(l.P99), told(l.P999), told(l.Max), told(s.Lag.P99), what)
	}
	for _, s := range report.Steps {
		row(s, "judged")
	}
	for i, s := range report.Climb {
		what := "climb"
		if report.ClimbEnd == evidence.ClimbOverloaded && i == len(report.Climb)-1 {
			what = "climb, overloaded"
		}
		row(s, what)
	}
	return out.String()
}

// told writes a time, or a dash where there is none.
func told(m evidence.Micros) string {
	if m == 0 {
		return "–"
	}
	return span(m.Std())
}

// closing says why there are no more steps, and what the curve says.
func closing(report *evidence.LoadReport, c Capacity) string {
	var out strings.Builder
	switch report.ClimbEnd {
	case evidence.ClimbOverloaded:
		out.WriteString("The climb ended at the first step that overloaded the prototype.\n")
	case evidence.ClimbDone:
		out.WriteString("The climb ended where the policy ends it; nothing overloaded the prototype.\n")
	case evidence.ClimbLimited:
		out.WriteString("The climb ended where the generator could not go on; nothing is known of what lies above.\n")
	case evidence.ClimbCutShort:
		out.WriteString("The climb was stopped; nothing is known of what lies above.\n")
	}
	if where := c.Describe(); where != "" {
		fmt.Fprintf(&out, "One replica: %s.\n", where)
	}
	u, err := c.fitLoad()
	if err != nil {
		return out.String()
	}
	fmt.Fprintf(&out, "The Universal Scalability Law over %d levels of %s to %s requests under way: λ = %s/s, σ = %s, κ = %s, R² = %s.", u.Levels,
		short(u.Least), short(u.Most), short(u.Lambda), short(u.Sigma), short(u.Kappa), short(u.R2))
	if peak, seen := u.Peak(); seen {
		fmt.Fprintf(&out, " Its peak is at %s.", short(peak))
	} else {
		out.WriteString(" Its peak lies beyond what was measured, so nothing is said about it.")
	}
	return out.String() + "\n"
}

// recommend sizes production from what the gate has taken.
func recommend(c gate.Case, taken gate.Taken) (Recommendation, error) {
	report := loadOf(taken)
	if report == nil {
		return Recommendation{}, errors.New("nothing was measured")
	}
	demand, err := demandOf(c.Record.Subject)
	if err != nil {
		return Recommendation{}, err
	}
	settings, err := settingsOf(c.Gate, 1)
	if err != nil {
		return Recommendation{}, err
	}
	bounds := c.Record.Requirements.Production.Replicas
	return Recommend(Sizing{Demand: demand, Headroom: settings.Headroom, Least: bounds.Min, Most: bounds.Max,
		Capacities: []Capacity{CapacityOf(report, demand, 1)}})
}

func (r Recommendation) markdown() string {
	return fmt.Sprintf("\nFor production: %s for the demand with headroom; the autoscaler from %d to %d, at %d %% of the requested CPU; requests and limits as they were measured.\n\n- %s\n",
		replicas(int(r.Replicas)), r.Min, r.Max, gate.Utilization, strings.Join(r.Why, "\n- "))
}

// Size implements gate.Sizer: what is recommended, once the gate has passed.
func (i Instrument) Size(c gate.Case, taken gate.Taken) (gate.Size, bool) {
	r, err := recommend(c, taken)
	if err != nil || i.Judge(c, taken).State != gate.Passed {
		return gate.Size{}, false
	}
	return gate.Size{Min: r.Min, Max: r.Max}, true
}
