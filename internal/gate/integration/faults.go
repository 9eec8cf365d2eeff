package integration

import (
	"fmt"
	"slices"
	"time"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/internal/evidence"
	"github.com/affineur/affineur/internal/gate"
)

// Down is a system of which a prototype declares what people see while it is slow or down.
type Down struct {
	// Name of the system, as the run plays it.
	Name string
	// Field of the prototype that declares it.
	Field string
	// Faults that have to be tried.
	Faults []evidence.Fault
	// Degrades means that people still get an answer. Otherwise they are told in time that there is none.
	Degrades bool
	// Within is how long people may wait for either.
	Within time.Duration
	// Alone means that nothing is down meanwhile that the prototype may fail without: only then an error is this
	// system's doing.
	Alone bool
}

// Shown is what was found out about all of them.
type Shown struct {
	// Broken are promises that were not kept. Unclear is what was not shown. Notes stand in nobody's way.
	Broken, Unclear, Notes []gate.Finding
}

// Faults concludes from a run what a prototype made of systems that were down. Every fault of every system has to have
// been tried, in full, with requests that led there: a prototype that never asks a system shows nothing about it.
//
//	answered in time, as declared ─────────────────────── kept
//	late or never ─────────────────────────────────────── broken (HangsWhenDown)
//	broken off, an error where an answer is declared, or
//	an answer where an error is declared ──────────────── broken (BreaksWhenDown)
//	gone, or too busy for its health ──────────────────── broken (DiesWhenDown)
//	not tried, not led there, the runner's own fault ──── unclear
func Faults(declared []Down, r *evidence.FaultsResult) Shown {
	var s Shown
	if r == nil || !r.Started {
		for _, d := range declared {
			s.unclear(v1alpha1.ReasonNotExercised, d, "without its systems the prototype never began to answer, so nothing could be tried with "+d.Name,
				"Have the program begin to serve whether or not the systems answer. If it does, look at the platform: its image may not start here.")
		}
		return s
	}
	for _, d := range declared {
		s.judge(d, r)
	}
	if last := r.Phases[len(r.Phases)-1]; last.Alive && !r.AliveAfter {
		if i := slices.IndexFunc(declared, func(d Down) bool { return d.Name == last.System }); i >= 0 {
			s.broken(v1alpha1.ReasonDiesWhenDown, declared[i], fmt.Sprintf("after %s %s, the prototype did not answer its health any more", declared[i].Name, conduct[last.Fault]))
		}
	}
	return s
}

func (s *Shown) judge(d Down, r *evidence.FaultsResult) {
	kept, asked := 0, exercise{}
	for _, p := range r.Phases {
		if p.System == d.Name {
			asked.add(p)
		}
	}
	for _, fault := range d.Faults {
		at := slices.IndexFunc(r.Phases, func(p evidence.FaultPhase) bool { return p.System == d.Name && p.Fault == fault })
		if at < 0 {
			s.unclear(v1alpha1.ReasonWhenDownNotShown, d, fmt.Sprintf("it was not tried what happens while %s %s", d.Name, conduct[fault]), "It is measured again once the rest is mended.")
			continue
		}
		p := r.Phases[at]
		if !p.Alive {
			s.gone(d, r.Phases[:at])
			return
		}
		kept = max(kept, p.Open)
		s.phase(d, p, asked.shown())
	}
	switch {
	case !asked.shown() && len(d.Faults) > 0:
		message, hint := asked.words(d.Name)
		s.unclear(v1alpha1.ReasonNotExercised, Down{Name: d.Name, Field: "spec.demand.request"}, message, hint)
	case len(asked.missed) > 0:
		s.Notes = append(s.Notes, asked.remark(d))
	}
	if kept >= evidence.FaultRequests {
		s.Notes = append(s.Notes, business(v1alpha1.ReasonKeepsConnections, d,
			fmt.Sprintf("%d connections to %s were still open after people had their answer; under load they pile up", kept, d.Name),
			"Give the call to "+d.Name+" a time limit, and close the connection when it is over."))
	}
}

// gone says after what the prototype did not come back.
func (s *Shown) gone(d Down, before []evidence.FaultPhase) {
	if len(before) == 0 {
		s.unclear(v1alpha1.ReasonWhenDownNotShown, d, "the prototype answered at first and then no more, before anything was tried", "It is measured again.")
		return
	}
	last := before[len(before)-1]
	s.broken(v1alpha1.ReasonDiesWhenDown, d, fmt.Sprintf("after %s %s, the prototype did not answer its health any more", last.System, conduct[last.Fault]))
}

// phase judges one system that is down in one way. One finding of a kind is enough.
func (s *Shown) phase(d Down, p evidence.FaultPhase, led bool) {
	while := fmt.Sprintf("while %s %s", d.Name, conduct[p.Fault])
	if len(p.Answers) != evidence.FaultRequests {
		s.unclear(v1alpha1.ReasonWhenDownNotShown, d, while+" too few requests were sent", "It is measured again.")
		return
	}
	if p.HealthAsked == 0 {
		s.unclear(v1alpha1.ReasonWhenDownNotShown, d, while+" nobody asked the prototype's health", "It is measured again.")
	}
	// One late answer may be the node's doing; most of them late are not.
	if p.HealthMissed > 0 && 2*p.HealthMissed >= p.HealthAsked {
		s.broken(v1alpha1.ReasonDiesWhenDown, d, fmt.Sprintf("%s the prototype missed %d of %d questions about its health; production would restart it, or send people elsewhere",
			while, p.HealthMissed, p.HealthAsked))
	}
	for _, a := range p.Answers {
		if done := s.answer(d, a, while); done {
			return
		}
		if !d.Degrades && led && pretends(p.Fault, a) {
			s.Broken = append(s.Broken, business(v1alpha1.ReasonBreaksWhenDown, d,
				fmt.Sprintf("%s people get status %d, as if there were an answer, where the prototype declares that it says there is none", while, a.Status),
				"Answer with a status of an error, 400 to 599. If it is an answer after all, declare that it Degrades."))
			return
		}
	}
}

// pretends tells whether a prototype that should say that there is no answer gave one. Where the system's own answer was
// of the right status, one that needs no more than that may have an answer.
func pretends(fault evidence.Fault, a evidence.FaultAnswer) bool {
	return a.Status < 400 && fault != evidence.FaultGarbage
}

// answer judges one request, and tells whether it said enough about the phase.
func (s *Shown) answer(d Down, a evidence.FaultAnswer, while string) bool {
	took := a.ElapsedMicroseconds.Std()
	switch {
	case a.Class == evidence.ClassLocal, a.Class == evidence.ClassDNS, a.Class == evidence.ClassForbiddenAddress:
		s.unclear(v1alpha1.ReasonMeasurementLost, d, while+" the runner itself could not ask", "It is measured again.")
	case a.Class == evidence.ClassTimeout, took > d.Within:
		s.broken(v1alpha1.ReasonHangsWhenDown, d, fmt.Sprintf("%s people wait longer than the declared %s", while, d.Within))
	case a.Class != evidence.ClassNone:
		s.broken(v1alpha1.ReasonBreaksWhenDown, d, while+" people get no answer at all: the connection breaks off")
	case !d.Degrades || a.Status >= 200 && a.Status <= 299:
		return false
	case d.Alone:
		s.broken(v1alpha1.ReasonBreaksWhenDown, d, fmt.Sprintf("%s people get status %d, where the prototype declares that it still answers", while, a.Status))
	default:
		s.unclear(v1alpha1.ReasonWhenDownNotShown, d,
			fmt.Sprintf("%s people get status %d. It could not be told whether that is for want of %s, because other systems were down as well", while, a.Status, d.Name),
			"Have the prototype answer without any of its systems, or take whenDown of "+d.Name+" away.")
	}
	return true
}

func (s *Shown) broken(reason string, d Down, message string) {
	limit := "Give the call to " + d.Name + " a time limit shorter than " + d.Within.String() + ", for all of it and not only for each part, "
	hint := limit + "and answer with what there is."
	if !d.Degrades {
		hint = limit + "and answer with an error that says so."
	}
	s.Broken = append(s.Broken, business(reason, d, message, hint))
}

func (s *Shown) unclear(reason string, d Down, message, hint string) {
	s.Unclear = append(s.Unclear, business(reason, d, message, hint))
}

// business: what the program does without a system is its team's to mend.
func business(reason string, d Down, message, hint string) gate.Finding {
	return gate.Finding{Reason: reason, Field: d.Field, Message: message, Hint: hint, Owner: v1alpha1.OwnerBusiness}
}

// conduct says a fault in words, behind the system's name.
var conduct = map[evidence.Fault]string{
	evidence.FaultSlow: "takes requests and never answers", evidence.FaultRefused: "refuses connections", evidence.FaultReset: "breaks connections off",
	evidence.FaultError: "answers with errors", evidence.FaultGarbage: "answers with garbage",
}
