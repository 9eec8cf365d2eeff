package scalability

import (
	"errors"
	"fmt"
	"strings"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/internal/evidence"
	"github.com/affineur/affineur/internal/gate"
)

// plotFile is the name of the plot beside the summary.
const plotFile = "plot.svg"

// Summarize implements gate.Instrument: every step in a table, what it means for production, and a plot.
func (Instrument) Summarize(c gate.Case, taken gate.Taken) gate.Summary {
	demand, err := demandOf(c.Record.Subject)
	settings, wrong := settingsOf(c.Gate, 1)
	capacities := capacitiesOf(c, taken)
	if len(capacities) == 0 || err != nil || wrong != nil {
		return gate.Summary{}
	}
	text := demand.Explain() + fmt.Sprintf(" With a headroom of %s that is %s requests a second.\n\n", short(settings.Headroom), short(demand.Rate*settings.Headroom))
	for _, capacity := range capacities {
		report := loadOf(taken, int32(capacity.Replicas))
		if len(capacities) > 1 {
			text += fmt.Sprintf("### With %s\n\n", replicas(capacity.Replicas))
		}
		text += table(report) + "\n" + closing(report, capacity) + usedWith(c, taken, int32(capacity.Replicas)).markdown() + "\n"
	}
	text += together(capacities)
	if advice, err := recommend(c, taken); err == nil {
		text += advice.markdown(requested(c, taken))
	}
	out := gate.Summary{Markdown: text}
	name := c.Record.Prototype.Namespace + "/" + c.Record.Prototype.Name
	if plot := Plot(Figure{Subject: name, Demand: demand, Wanted: demand.Rate * settings.Headroom, Capacities: capacities}); plot != nil {
		out.Files = map[string]string{plotFile: string(plot)}
		out.Markdown += fmt.Sprintf("\n`%s` beside this text shows latency over load%s.\n", plotFile, map[bool]string{true: ", and what replicas carry"}[len(capacities) > 1])
	}
	return out
}

// loadOf is the report of the gate's run with a number of replicas, nil without one.
func loadOf(taken gate.Taken, n int32) *evidence.LoadReport {
	run := taken.Runs[partOf(n)]
	if run.Report == nil {
		return nil
	}
	return evidence.As[evidence.LoadReport](run.Report.Result)
}

// capacitiesOf are what the numbers of replicas carried, as far as they were measured.
func capacitiesOf(c gate.Case, taken gate.Taken) []Capacity {
	demand, err := demandOf(c.Record.Subject)
	if err != nil {
		return nil
	}
	var out []Capacity
	for _, n := range numbers(c) {
		report := loadOf(taken, n)
		if report == nil {
			break
		}
		out = append(out, CapacityOf(report, demand, int(n)))
	}
	return out
}

// together says what the numbers of replicas amount to; nothing of one alone.
func together(capacities []Capacity) string {
	if len(capacities) < 2 {
		return ""
	}
	var out strings.Builder
	out.WriteString("### What replicas carry\n\n| Replicas | Promises kept up to | Carried at the knee | Its limit |\n|---:|---:|---:|---|\n")
	for _, c := range capacities {
		limit := "not found"
		if c.Bracketed {
			limit = fmt.Sprintf("overloaded at %s req/s", short(c.Over))
		}
		fmt.Fprintf(&out, "| %d | %s req/s | %s req/s | %s |\n", c.Replicas, short(c.Usable), short(c.Carries()), limit)
	}
	u, err := fitReplicas(capacities)
	if err != nil {
		return out.String() + fmt.Sprintf("\nThe Universal Scalability Law says nothing about them: %s.\n", err)
	}
	fmt.Fprintf(&out, "\nThe Universal Scalability Law over %d numbers of replicas: λ = %s/s, σ = %s, κ = %s, R² = %s.", u.Levels, short(u.Lambda), short(u.Sigma), short(u.Kappa), short(u.R2))
	if !u.Coherency {
		out.WriteString(" With fewer than five numbers κ is taken as 0, and so few could hardly contradict a curve: R² says little, and beyond them nothing is concluded.")
	}
	return out.String() + "\n"
}

func table(report *evidence.LoadReport) string {
	var out strings.Builder
	out.WriteString("Times count from when a request was due, to the last byte of its answer. All requests were the same sample, at equal distances: ")
	out.WriteString("one that is answered from memory is answered faster than people's would be, and theirs come in clusters, which wait longer where requests are served one by one.\n\n")
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

// recommend sizes production from what the gate has taken, within the numbers of replicas that keep the promises.
func recommend(c gate.Case, taken gate.Taken) (Recommendation, error) {
	capacities := capacitiesOf(c, taken)
	if len(capacities) == 0 {
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
	bounds, scaled := c.Record.Requirements.Production.Replicas, scalingOf(c, taken)
	sizing := Sizing{Demand: demand, Headroom: settings.Headroom, Least: bounds.Min, Most: bounds.Max, Capacities: capacities}
	if within := scaled.extent(bounds); within != nil {
		sizing.Least, sizing.Most, sizing.From = within.least, within.most, scaled.firstGood().replicas
	}
	return Recommend(sizing)
}

func (r Recommendation) markdown(requested string) string {
	return fmt.Sprintf("\nFor production: %s for the demand with headroom; the autoscaler from %d to %d, at %d %% of the requested CPU; %s.\n\n- %s\n",
		replicas(int(r.Replicas)), r.Min, r.Max, gate.Utilization, requested, strings.Join(r.Why, "\n- "))
}

// requested says what production's pods request, by the policy's word.
func requested(c gate.Case, taken gate.Taken) string {
	if c.Record.Requirements.Production.Requests != v1alpha1.RequestsMeasured {
		return "requests and limits as they were measured"
	}
	cpu, memory := scalingOf(c, taken).requests(c, taken)
	if cpu == 0 {
		return "requests and limits as they were measured, since what was used is not known"
	}
	return fmt.Sprintf("requests of %s and %s by what was used, limits as they were measured", millis(cpu), mebi(memory))
}

// Size implements gate.Sizer: what is recommended, once the gate has passed. Where nothing can be, the numbers of replicas that
// keep the promises bound it all the same.
func (i Instrument) Size(c gate.Case, taken gate.Taken) (gate.Size, bool) {
	if i.Judge(c, taken).State != gate.Passed {
		return gate.Size{}, false
	}
	policy := c.Record.Requirements.Production.Replicas
	scaled := scalingOf(c, taken)
	within := scaled.extent(policy)
	if within == nil {
		return gate.Size{}, false
	}
	size := gate.Size{Min: within.least, Max: within.most}
	if within.most < policy.Max {
		size.Most = within.most
	}
	if r, err := recommend(c, taken); err == nil {
		size.Min, size.Max = r.Min, r.Max
	}
	size.CPU, size.Memory = scaled.requests(c, taken)
	return size, true
}
