package review

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"time"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/internal/assess"
	"github.com/affineur/affineur/internal/evidence"
	"github.com/affineur/affineur/internal/gate"
	"github.com/affineur/affineur/internal/run"
)

// Measuring is one attempt to measure a gate: its runs, made one after the other.
type Measuring struct {
	Gate v1alpha1.Gate
	// Number of the attempt, from 1, and what it has left so far.
	Number int
	Left   assess.Attempt
	// Before are the times of the attempts before it, in their order.
	Before []time.Time
	// Current is the run that is made next or at work; nil where the gate can't be measured, for the Problem.
	Current *Run
	Problem string
	// Last means that the attempt ends with the current run.
	Last bool
}

// Run is one run of an attempt, and what is known of it.
type Run struct {
	gate.Run
	run.Result
	// Name of the Job and of its report.
	Name string
	// Control is its witness, nil where it needs none.
	Control *Witness
	// Used is what the prototype's pods used meanwhile, as far as it was read.
	Used []evidence.UsageSample
	// NoRoom means that it is lost because there was no room for it.
	NoRoom bool
}

// Witness is the run that reaches, meanwhile, what another must not reach.
type Witness struct {
	run.Result
	Name string
}

// caseOf a gate, as its instrument is asked about it.
func (s Snapshot) caseOf(g v1alpha1.Gate, number int, now time.Time) gate.Case {
	return gate.Case{
		Record: *s.Record, Gate: g, Patience: gate.PatienceOf(number), Now: now,
		Ground: s.ground(),
	}
}

func (s Snapshot) ground() gate.Ground {
	return gate.Ground{
		Canary: s.Canary, APIServer: s.Settings.APIServer, Nodes: s.Elsewhere.Nodes, Others: s.Elsewhere.Others, Untried: s.Elsewhere.Untried,
		Severed: s.Severed,
	}
}

// measurings are the attempts that are made next or at work. A gate of an unknown type has none, and never passes.
func (s Snapshot) measurings(now time.Time) []Measuring {
	var out []Measuring
	for _, g := range s.Record.Requirements.Gates {
		instrument := s.Settings.Bench.Of(g.Type)
		if instrument == nil {
			continue
		}
		if m := s.next(instrument, g, now); m != nil {
			out = append(out, *m)
		}
	}
	return out
}

// replan what is made in a rehearsal, once it is known what must be out of reach there.
func (s Snapshot) replan(now time.Time) {
	for i, m := range s.Measured {
		if !m.rehearses() {
			continue
		}
		if next := s.next(s.Settings.Bench.Of(m.Gate.Type), m.Gate, now); next != nil {
			s.Measured[i] = *next
		}
	}
}

// next is the first attempt of a gate that has not ended: one ends when all of its runs have left a report, or one was
// lost. It is nil for a gate that needs no run.
func (s Snapshot) next(instrument gate.Instrument, g v1alpha1.Gate, now time.Time) *Measuring {
	m := Measuring{Gate: g}
	var before gate.Taken
	for m.Number = 1; ; m.Number++ {
		m.Left = assess.AttemptOf(*s.Record, g.Name, s.Reports, m.Number)
		planned := s.caseOf(g, m.Number, now)
		planned.Before = before
		runs, err := instrument.Plan(planned, m.Left.Taken())
		switch {
		case err != nil:
			m.Problem = "It can't be measured: " + err.Error() + "."
			return &m
		case len(runs) == 0:
			return nil
		}
		for i, planned := range runs {
			if !m.Left.Has(planned.Part) && !m.Left.Lost() {
				m.Current, m.Last = s.run(g, planned, m.Number), i == len(runs)-1
				return &m
			}
		}
		m.Before = append(m.Before, m.Left.At())
		if !m.Left.Lost() {
			before = m.Left.Taken()
		}
	}
}

func (s Snapshot) run(g v1alpha1.Gate, planned gate.Run, number int) *Run {
	suffix := fmt.Sprintf("%s-%d", key(s.Review, g.Name, planned.Part), number)
	if planned.Gateway != "" {
		// Where the judge must not be asked any more, nothing needs the run of this name, and the same is made without it.
		suffix += "-judged"
	}
	r := &Run{Run: planned, Name: s.Record.Prototype.Run(g.Name, suffix)}
	if planned.Control != nil {
		r.Control = &Witness{Name: s.Record.Prototype.Run("control", suffix)}
	}
	return r
}

// key tells the runs of one part of a gate of one review from all others, also of a review of the same name made later.
func key(review *v1alpha1.HardeningReview, gate, part string) string {
	sum := sha256.Sum256([]byte(string(review.UID) + " " + review.Spec.ReviewDigest + " " + gate + " " + part))
	return hex.EncodeToString(sum[:4])
}

// measuringOf is the attempt of a gate, nil where it needs no run.
func (s Snapshot) measuringOf(name string) *Measuring {
	for i := range s.Measured {
		if s.Measured[i].Gate.Name == name {
			return &s.Measured[i]
		}
	}
	return nil
}

// began tells whether the attempt has left something already and has to go on.
func (m Measuring) began() bool { return !m.Left.At().IsZero() }

// dismissible tells whether the run has ended and its control waits to hear of it.
func (r Run) dismissible() bool {
	ended := r.State == run.Measured || r.State == run.Lost
	return ended && r.Control != nil && r.Control.State == run.Running && r.Control.Pod != "" && !r.Control.Told
}

// newest is when the last attempt ended; the zero time before the first has.
func (m Measuring) newest() time.Time {
	if len(m.Before) == 0 {
		return time.Time{}
	}
	return m.Before[len(m.Before)-1]
}

// state of the current run. A run and its control are one: they have ended when both have, and begun with the control. A
// run whose control has ended before it began will not be begun any more: it is lost.
func (r Run) state() run.State {
	if r.Run.Control == nil {
		return r.State
	}
	switch control := r.Control.State; {
	case r.State == run.Absent && control == run.Absent:
		return run.Absent
	case r.State == run.Running || control == run.Running:
		return run.Running
	}
	return run.Lost
}

// left is what the run left. One that was never begun was lost with its control.
func (r Run) left() run.Result {
	result := r.Result
	if r.State == run.Absent && r.Control != nil && r.Control.State == run.Lost {
		result.Why = "its control was lost: " + r.Control.Why
	}
	return result
}

// untils are the times at which the run or its control counts as lost unless it has a pod by then.
func (r Run) untils() []time.Time {
	untils := []time.Time{r.Until}
	if r.Control != nil {
		untils = append(untils, r.Control.Until)
	}
	return slices.DeleteFunc(untils, time.Time.IsZero)
}
