// Package privacy judges whether a prototype keeps what people tell it to itself, and whether the data that it works with
// may go where it goes.
package privacy

import (
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/internal/evidence"
	"github.com/affineur/affineur/internal/gate"
	"github.com/affineur/affineur/internal/subject"
	"github.com/affineur/affineur/internal/workload"
)

// The parts of a measurement, one after the other.
const (
	partTalk = "talk"
	partLog  = "log"
)

const (
	// usualRecords, usualHeader and usualAnswer are the settings' defaults, as the schema has them.
	usualRecords = 12
	usualHeader  = "X-Forwarded-User"
	usualAnswer  = time.Minute
	// talking is how long a conversation may take at most, times the patience. A slow one ends by then with what it has.
	talking = 10 * time.Minute
	// settling is how long a program has to write down what it was told: what stands in its buffers is not in its log yet.
	settling = time.Minute
	// sealing is what a runner takes for its report.
	sealing = 15 * time.Second
)

// Instrument tells the prototype canary records, and looks for them in answers to others, in error texts and in its log.
// The log is looked at by whoever embeds it as a run.Sampler.
type Instrument struct{}

// Type implements gate.Instrument.
func (Instrument) Type() v1alpha1.GateType { return v1alpha1.GatePrivacy }

// Plan implements gate.Instrument: the conversation, and when it is over, the log from then on.
func (Instrument) Plan(c gate.Case, taken gate.Taken) ([]gate.Run, error) {
	order, err := orderOf(c)
	if err != nil {
		return nil, err
	}
	runs := []gate.Run{{
		Part: partTalk, Site: gate.SiteSandbox, Order: order, Length: order.Deadline.Std() + sealing, CPU: "250m", Memory: "256Mi",
	}}
	if talk := taken.Runs[partTalk].Report; talk != nil {
		runs = append(runs, gate.Run{Part: partLog, Site: gate.SiteOperator, Order: &evidence.LogOrder{
			Nonce: talk.Nonce, Records: order.Records, Since: talk.StartedAt,
		}, NotBefore: talk.FinishedAt.Add(settling)})
	}
	return runs, nil
}

// orderOf is what the runner is asked. An error says that the prototype can't be asked anything.
func orderOf(c gate.Case) (*evidence.PrivacyOrder, error) {
	settings := settingsOf(c.Gate)
	call, err := callOf(c.Record.Subject, workload.URL(c.Record.Prototype.Sandbox()), settings.AnswerWithin.Duration)
	if err != nil {
		return nil, err
	}
	order := &evidence.PrivacyOrder{
		Call: call, UserHeader: settings.UserHeader, Records: int(settings.Records), AllowedValues: settings.Allowed.Values,
		Deadline: evidence.Duration(talking * time.Duration(max(1, c.Patience))),
	}
	for _, kind := range settings.Allowed.Kinds {
		order.AllowedKinds = append(order.AllowedKinds, evidence.PersonalKind(kind))
	}
	return order, order.Validate()
}

// settingsOf fills in what the policy left out.
func settingsOf(g v1alpha1.Gate) v1alpha1.PrivacyGate {
	var s v1alpha1.PrivacyGate
	if g.Privacy != nil {
		s = *g.Privacy.DeepCopy()
	}
	if s.Records == 0 {
		s.Records = usualRecords
	}
	if s.UserHeader == "" {
		s.UserHeader = usualHeader
	}
	if s.AnswerWithin == nil {
		s.AnswerWithin = &durationUsual
	}
	return s
}

// callOf is how the prototype is asked: as it declares, or else like the sample request, with the question in place of
// one of its texts at a time.
func callOf(s subject.Subject, url string, within time.Duration) (evidence.Call, error) {
	if s.Evaluation != nil {
		call := gate.DeclaredCall(url, s.Evaluation.Call, within)
		return call, call.Validate()
	}
	call := evidence.Call{URL: url, Timeout: evidence.Duration(within)}
	demand := s.Demand
	switch {
	case demand == nil:
		return call, errors.New("it is not said how a question is asked")
	case demand.Method != http.MethodPost && demand.Method != http.MethodPut || demand.Body == "":
		return call, fmt.Errorf("the sample request %s %s holds no text that a question could take the place of", demand.Method, demand.Path)
	case len(demand.Body) > evidence.MaxSampleBytes:
		return call, fmt.Errorf("the sample request is longer than %d KiB", evidence.MaxSampleBytes>>10)
	}
	call.Sample = &evidence.SampleCall{Method: demand.Method, Path: demand.Path, Body: demand.Body}
	return call, call.Validate()
}

// Summarize implements gate.Instrument.
func (Instrument) Summarize(c gate.Case, taken gate.Taken) gate.Summary {
	var text string
	if run := taken.Runs[partTalk].Report; run != nil {
		if talk := evidence.As[evidence.PrivacyResult](run.Result); talk != nil {
			text += talkTable(*talk)
		}
	}
	if run := taken.Runs[partLog].Report; run != nil {
		if log := evidence.As[evidence.LogResult](run.Result); log != nil {
			text += fmt.Sprintf("\nLog: %s of %s searched, %s found.\n", size(log.Bytes), count(log.Pods, "pod", "pods"), count(len(log.Leaks), "record", "records"))
		}
	}
	return gate.Summary{Markdown: text + placesTable(placesOf(c.Record))}
}

func talkTable(r evidence.PrivacyResult) string {
	text := "| What | Asked | Answered | Refused | Failed | Without an answer |\n|---|---:|---:|---:|---:|---:|\n"
	for _, row := range []struct {
		what string
		of   evidence.Tally
	}{{"records told", r.Told}, {"questions of somebody else", r.Others}, {"questions without a name", r.Unnamed}, {"broken input", r.Broken}, {"the sample request's texts", r.Tried}} {
		text += fmt.Sprintf("| %s | %d | %d | %d | %d | %d |\n", row.what, row.of.Planned, row.of.Answered, row.of.Refused, row.of.Failed,
			row.of.Silent+row.of.CutOff+row.of.Local+row.of.NotAsked)
	}
	for _, l := range r.Leaks {
		text += fmt.Sprintf("\n- %s: record %s (%s), cases %s", l.Channel, l.Record, kindsOf([]evidence.Leak{l}), listed(l.Cases))
	}
	for _, p := range r.Personal {
		text += fmt.Sprintf("\n- personal data: %s of kind %s in %s, cases %s", count(p.Values, "value", "values"), p.Kind, count(p.Answers, "answer", "answers"), listed(p.Cases))
	}
	return text + "\n"
}

func placesTable(places []Place) string {
	if len(places) == 0 {
		return ""
	}
	text := "\n| Place | Trains on inputs | Keeps them for | In | Checked by | Until |\n|---|---|---|---|---|---|\n"
	for _, p := range places {
		a := p.Assurance
		if a == nil {
			text += fmt.Sprintf("| %s | no assurance | | | | |\n", p.Name)
			continue
		}
		kept := "not said"
		if a.Retention != nil {
			kept = a.Retention.Duration.String()
		}
		text += fmt.Sprintf("| %s | %s | %s | %s | %s | %s |\n", p.Name, a.TrainsOnInputs, kept, a.Residency, a.CheckedBy, a.ValidUntil)
	}
	return text
}
