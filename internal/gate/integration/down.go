package integration

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/internal/evidence"
	"github.com/affineur/affineur/internal/gate"
	"github.com/affineur/affineur/internal/record"
	"github.com/affineur/affineur/internal/subject"
	"github.com/affineur/affineur/internal/workload"
)

const (
	// partDown is the run that plays systems which are down.
	partDown = "down"
	// startWithin is how long the prototype may take to start.
	startWithin = 2 * time.Minute
	// longestDown bounds the run: every system that a prototype can have, each with the time that people wait if nothing is said.
	longestDown = 30 * time.Minute
	// AroundPhase is what a phase takes at most besides the answers, of a prototype whose health is good.
	AroundPhase = 14 * time.Second
)

// promise is what the subject says about one system, nil where it says nothing.
func promise(s subject.Subject, system workload.System) (field string, said *subject.WhenDown) {
	if system.Gateway {
		if s.Model != nil {
			said = s.Model.WhenDown
		}
		return "spec.model.whenDown", said
	}
	for _, integration := range s.Integrations {
		if integration.Name == system.Name {
			said = integration.WhenDown
		}
	}
	return "spec.integrations[name=" + system.Name + "].whenDown", said
}

// played is a system as the run plays it. Only what is declared is tried.
func played(rec record.Record, system workload.System) (evidence.Played, error) {
	out := evidence.Played{Name: system.Name, Port: int(system.Port), Speaks: evidence.CheckKind(system.Scheme), Model: system.Gateway}
	out.Blind = (out.Speaks == evidence.CheckHTTPS || out.Speaks == evidence.CheckTLS) && !system.Verified
	if _, said := promise(rec.Subject, system); said != nil {
		within, err := time.ParseDuration(said.Within)
		if err != nil {
			return out, errors.New("whenDown.within is no duration")
		}
		out.Within = evidence.Duration(within)
	}
	return out, nil
}

// downRun plans the run that plays systems; nil where nothing is declared, or where it can't be made, which Judge says.
func downRun(c gate.Case) (*gate.Run, error) {
	rec := c.Record
	if rec.Requirements.DNS == "None" || rec.Subject.Demand == nil {
		return nil, nil
	}
	base := workload.URL(rec.Prototype.Rehearsal())
	order := &evidence.FaultsOrder{
		URL: base + rec.Subject.Demand.Path, Method: rec.Subject.Demand.Method, Body: rec.Subject.Demand.Body,
		Start:    evidence.Duration(startWithin),
		CertFile: workload.PlayedPath + "/tls.crt", KeyFile: workload.PlayedPath + "/tls.key",
	}
	if rec.Subject.Container.Health != "" {
		order.Health = base + rec.Subject.Container.Health
	}
	var phases time.Duration
	for _, system := range workload.Systems(rec.Prototype, rec.Requirements) {
		p, err := played(rec, system)
		if err != nil {
			return nil, err
		}
		order.Systems = append(order.Systems, p)
		phases += time.Duration(len(p.Faults())) * (p.Within.Std() + AroundPhase)
	}
	switch {
	case phases == 0:
		return nil, nil
	case phases > longestDown:
		return nil, fmt.Errorf("what the prototype declares under whenDown takes %s to measure, and %s is the longest: shorten within", phases, longestDown)
	}
	return &gate.Run{Part: partDown, Site: gate.SitePlayed, Order: order, Length: startWithin + phases, CPU: "100m", Memory: "64Mi"}, order.Validate()
}

// promises are what the subject declares about its systems, and the names of those about which it says nothing.
func promises(rec record.Record) (declared []Down, silent []Down, err error) {
	hard := 0
	systems := workload.Systems(rec.Prototype, rec.Requirements)
	for _, system := range systems {
		field, said := promise(rec.Subject, system)
		// A gateway stands in while others are down, unless the prototype can't verify it.
		plays := system.Gateway && system.Scheme != string(evidence.CheckHTTPS)
		if !plays && (said == nil || said.Then != v1alpha1.PromiseDegrades) {
			hard++
		}
		if said == nil {
			silent = append(silent, Down{Name: system.Name, Field: field})
			continue
		}
		p, wrong := played(rec, system)
		if wrong != nil {
			err = wrong
		}
		declared = append(declared, Down{Name: system.Name, Field: field, Faults: p.Faults(), Degrades: said.Then == v1alpha1.PromiseDegrades, Within: p.Within.Std()})
	}
	for i := range declared {
		// A system that degrades is not among the hard ones itself. Where a model only stands in, what it says may not suit.
		standsIn := slices.ContainsFunc(systems, func(system workload.System) bool {
			_, said := promise(rec.Subject, system)
			return system.Gateway && system.Name != declared[i].Name && (said == nil || said.Then != v1alpha1.PromiseDegrades)
		})
		declared[i].Alone = hard == 0 && !standsIn
	}
	return declared, silent, err
}

// withPromises adds to a verdict on the systems what was found out about the prototype without them.
func withPromises(c gate.Case, v gate.Verdict, taken gate.Taken) gate.Verdict {
	declared, silent, err := promises(c.Record)
	if err != nil {
		return gate.Unknown(v1alpha1.ReasonRequirementInvalid, err.Error(), v.MeasuredAt)
	}
	shown := unspoken(c, silent)
	shown.Notes = append(shown.Notes, unproven(c, taken)...)
	if len(declared) > 0 {
		if refused := shown.add(c, declared, taken.Runs[partDown]); refused != nil {
			if v.State == gate.Passed {
				return *refused
			}
			return v
		}
	}
	return shown.onto(v, len(declared))
}

// unspoken says about which systems nothing is declared.
func unspoken(c gate.Case, silent []Down) Shown {
	var s Shown
	for _, d := range silent {
		f := business(v1alpha1.ReasonWhenDownUndeclared, d, "it is not said what people see while "+d.Name+" is slow or down",
			"Say it under whenDown: then: Degrades where they still get an answer, or Fails where they are told that there is none, and within how long.")
		if settingsOf(c.Gate).whenDownRequired {
			s.Broken = append(s.Broken, f)
		} else {
			s.Notes = append(s.Notes, f)
		}
	}
	return s
}

// add what the run that plays systems has shown; a verdict where there is nothing to judge yet.
func (s *Shown) add(c gate.Case, declared []Down, run gate.Witnessed) *gate.Verdict {
	if c.Record.Requirements.DNS == "None" {
		for _, d := range declared {
			s.Unclear = append(s.Unclear, finding(v1alpha1.ReasonWhenDownNotShown, Entry{Field: d.Field},
				"what people see while "+d.Name+" is down can't be measured where the policy closes DNS",
				"Open DNS in the policy's sandbox settings, or the team takes whenDown away."))
		}
		return nil
	}
	result, refused := gate.Open[evidence.FaultsResult](c.Frame(), run.Measurement, "the measurement of the prototype while its systems are down")
	if refused != nil {
		return refused
	}
	found := Faults(declared, result)
	s.Broken, s.Unclear, s.Notes = append(s.Broken, found.Broken...), append(s.Unclear, found.Unclear...), append(s.Notes, found.Notes...)
	return nil
}

// onto puts what was shown on top of the verdict on the systems themselves.
func (s Shown) onto(v gate.Verdict, declared int) gate.Verdict {
	findings := slices.Concat(v.Findings, s.Broken, s.Unclear)
	switch {
	case v.State == gate.Failed:
		return gate.Fail(v.Reason, v.Message, v.MeasuredAt, findings...)
	case v.State == gate.Pending:
		return v
	case len(s.Broken) > 0:
		return gate.Fail(s.Broken[0].Reason, sumUp(s.Broken), v.MeasuredAt, slices.Concat(s.Broken, v.Findings, s.Unclear)...)
	case v.State != gate.Passed:
		return gate.Unknown(v.Reason, v.Message, v.MeasuredAt, findings...)
	case len(s.Unclear) > 0:
		return gate.Unknown(s.Unclear[0].Reason, sumUp(s.Unclear), v.MeasuredAt, s.Unclear...)
	}
	message := v.Message
	if declared > 0 {
		message += fmt.Sprintf("; it keeps what it promises for when %d of its systems are down", declared)
	}
	return gate.Advise(gate.Pass(v.Reason, message, v.MeasuredAt), s.Notes...)
}
