package scalability

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/internal/evidence"
	"github.com/affineur/affineur/internal/gate"
	"github.com/affineur/affineur/internal/subject"
	"github.com/affineur/affineur/internal/workload"
)

const (
	// stretch is by which factor a load measurement may grow with every step of patience, to send enough requests
	// at a rate nearer to the demand.
	stretch = 4
	// longestLoad is never exceeded for that.
	longestLoad = 20 * time.Minute
)

// Instrument measures the declared demand against the sandbox's Service.
type Instrument struct{}

// Type implements gate.Instrument.
func (Instrument) Type() v1alpha1.GateType { return v1alpha1.GateScalability }

// Plan implements gate.Instrument: one run with the demand's rate and the policy's headroom; and once that said something about
// the subject, one more with each number of replicas that the policy has measured.
func (Instrument) Plan(c gate.Case, taken gate.Taken) ([]gate.Run, error) {
	spec, err := orderOf(c)
	if err != nil {
		return nil, err
	}
	runs := []gate.Run{runOf(1, spec)}
	first := loadOf(taken, 1)
	if first == nil || !decided(judgeWith(c, taken, 1)) {
		return runs, nil
	}
	demand, err := demandOf(c.Record.Subject)
	if err != nil {
		return nil, err
	}
	for _, n := range numbers(c)[1:] {
		spec, err := orderWith(c, n, CapacityOf(first, demand, 1))
		if err != nil {
			return nil, err
		}
		runs = append(runs, runOf(n, spec))
	}
	return runs, nil
}

func runOf(n int32, spec evidence.LoadSpec) gate.Run {
	return gate.Run{
		Part: partOf(n), Site: gate.SiteSandbox, Replicas: n, Alone: true, Use: usePart(n),
		Order: &spec, Length: lengthOf(spec), CPU: "500m", Memory: "256Mi",
	}
}

// lengthOf an order: every step waits for its last answer.
func lengthOf(spec evidence.LoadSpec) time.Duration {
	var length time.Duration
	if spec.Alone != nil {
		length += spec.Alone.Duration.Std() + spec.Timeout.Std()
	}
	if spec.WarmUp != nil {
		length += spec.WarmUp.Duration.Std()
	}
	steps := spec.Steps
	if spec.Climb != nil {
		steps = append(slices.Clone(steps), spec.Climb.Steps(spec.Steps)...)
	}
	for _, step := range steps {
		length += step.Duration.Std() + spec.Timeout.Std()
	}
	return length
}

// orderOf is what the load generator is asked. An error says that the demand can't be measured.
func orderOf(c gate.Case) (evidence.LoadSpec, error) { return orderWith(c, 1, Capacity{}) }

// orderWith is what it is asked of a number of replicas, one having carried what it did: the same demand, and another climb.
func orderWith(c gate.Case, n int32, first Capacity) (evidence.LoadSpec, error) {
	demand, err := demandOf(c.Record.Subject)
	if err != nil {
		return evidence.LoadSpec{}, err
	}
	settings, err := settingsOf(c.Gate, c.Patience)
	if err != nil {
		return evidence.LoadSpec{}, err
	}
	if n > 1 {
		settings.Climb = climbing(settings.Climb, n, first)
	}
	sample := c.Record.Subject.Demand
	spec, err := Plan(demand, settings, evidence.LoadSpec{
		URL: workload.URL(c.Record.Prototype.Sandbox()) + sample.Path, Method: sample.Method, Body: sample.Body, Headers: contentType(sample.Body),
		Answer: answerOf(c.Record.Subject),
	})
	if err != nil {
		return evidence.LoadSpec{}, err
	}
	if n > 1 {
		spec.Reuse = reuse(spec)
	}
	return spec, spec.Validate()
}

// Judge implements gate.Instrument.
func (Instrument) Judge(c gate.Case, taken gate.Taken) gate.Verdict {
	_, err := demandOf(c.Record.Subject)
	_, wrong := settingsOf(c.Gate, 1)
	if err = errors.Join(err, wrong); err == nil {
		patient := c
		patient.Patience = 1
		_, err = orderOf(patient)
	}
	if err != nil {
		return unmeasurable(err)
	}
	return scalingOf(c, taken).judge(c, taken)
}

func unmeasurable(err error) gate.Verdict {
	return gate.Unknown(v1alpha1.ReasonRequirementInvalid, "The demand can't be measured: "+err.Error()+".", time.Time{}, gate.Finding{
		Reason: v1alpha1.ReasonRequirementInvalid, Field: "spec.demand", Owner: v1alpha1.OwnerBusiness, Message: err.Error(),
		Hint: "Say under demand how many requests to expect, how fast they are answered, and what one looks like.",
	})
}

// demanded tells whether a report was made with the rate and for the time that the gate demands, with any patience. One
// that can't be read is left to Judge.
func demanded(c gate.Case, report *evidence.Report) bool {
	load := evidence.As[evidence.LoadReport](report.Result)
	if load == nil {
		return true
	}
	for c.Patience = 1; c.Patience <= gate.MostPatient; c.Patience++ {
		order, err := orderOf(c)
		if err != nil || load.Within != order.Within {
			return false
		}
		if step := load.Steps[0]; step.RatePerSecond == order.Steps[0].RatePerSecond && step.Duration == order.Steps[0].Duration {
			return true
		}
	}
	return false
}

func settingsOf(g v1alpha1.Gate, patience gate.Patience) (Settings, error) {
	headroom, duration := "1.5", time.Minute
	if g.Scalability != nil {
		headroom, duration = g.Scalability.Headroom, g.Scalability.Duration.Duration
	}
	longest := duration
	for range patience - 1 {
		longest *= stretch
	}
	settings, err := NewSettings(headroom, duration, max(duration, min(longest, longestLoad)))
	if err == nil && g.Scalability != nil && g.Scalability.ClimbTo != "" {
		if settings.Climb.UpTo, err = evidence.ParseDecimal(g.Scalability.ClimbTo); err != nil {
			return Settings{}, fmt.Errorf("climbTo: %w", err)
		}
		err = settings.validate()
	}
	return settings, err
}

// contentType tells a program what it gets: there is no other way for a team to say.
func contentType(body string) []evidence.Header {
	switch {
	case body == "":
		return nil
	case json.Valid([]byte(body)):
		return []evidence.Header{{Name: "Content-Type", Value: "application/json"}}
	}
	return []evidence.Header{{Name: "Content-Type", Value: "text/plain; charset=utf-8"}}
}

// demandOf reads the frozen demand.
func demandOf(s subject.Subject) (Demand, error) {
	if s.Demand == nil {
		return Demand{}, fmt.Errorf("no demand is declared")
	}
	d := v1alpha1.Demand{ErrorRatio: s.Demand.ErrorRatio}
	if s.Demand.People > 0 {
		d.People = ptr.To(s.Demand.People)
	}
	if s.Demand.BusiestHour > 0 {
		d.BusiestHour = ptr.To(s.Demand.BusiestHour)
	}
	if s.Demand.RequestsPerSecond != "" {
		d.RequestsPerSecond = ptr.To(s.Demand.RequestsPerSecond)
	}
	var err error
	if d.AnswerWithin, err = durationOf("answerWithin", s.Demand.AnswerWithin); err != nil {
		return Demand{}, err
	}
	if d.LatencyP95, err = durationOf("latencyP95", s.Demand.LatencyP95); err != nil {
		return Demand{}, err
	}
	if d.FirstByteWithin, err = durationOf("firstByteWithin", s.Demand.FirstByteWithin); err != nil {
		return Demand{}, err
	}
	return NewDemand(d)
}

func durationOf(field, text string) (*metav1.Duration, error) {
	if text == "" {
		return nil, nil
	}
	d, err := time.ParseDuration(text)
	if err != nil {
		return nil, fmt.Errorf("%s is no duration", field)
	}
	return &metav1.Duration{Duration: d}, nil
}
