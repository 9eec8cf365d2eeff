package integration_test

import (
	"strings"
	"testing"
	"time"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/internal/evidence"
	"github.com/affineur/affineur/internal/gate"
	"github.com/affineur/affineur/internal/gate/integration"
)

var played = evidence.Played{Name: "lms", Port: 8081, Speaks: evidence.CheckHTTP, Within: evidence.Duration(2 * time.Second)}

func degrades() integration.Down {
	return integration.Down{Name: "lms", Field: "spec.integrations[name=lms].whenDown", Faults: played.Faults(), Degrades: true, Within: 2 * time.Second, Alone: true}
}

// kept is a prototype that answers everything with a status, after some time.
func kept(status int, after time.Duration) evidence.FaultsResult {
	r := evidence.FaultsResult{Started: true, AliveAfter: true}
	for _, fault := range played.Faults() {
		p := evidence.FaultPhase{System: "lms", Fault: fault, Alive: true, HealthAsked: 3}
		for range evidence.FaultRequests {
			p.Answers = append(p.Answers, evidence.FaultAnswer{Status: status, ElapsedMicroseconds: evidence.MicrosOf(after)})
		}
		if fault != evidence.FaultRefused {
			p.Contacts = evidence.FaultRequests
			p.Idle, p.Asked = window(0, time.Second), window(evidence.FaultRequests, 600*time.Millisecond)
		}
		r.Phases = append(r.Phases, p)
	}
	return r
}

func window(contacts int, took time.Duration) evidence.FaultWindow {
	return evidence.FaultWindow{Contacts: contacts, ElapsedMicroseconds: evidence.MicrosOf(took)}
}

// slow is the phase in which the system is slow.
const slow = 2

func TestFaults(t *testing.T) {
	type change = func(*integration.Down, *evidence.FaultsResult)
	each := func(edit func(*evidence.FaultPhase)) change {
		return func(_ *integration.Down, r *evidence.FaultsResult) {
			for i := range r.Phases {
				edit(&r.Phases[i])
			}
		}
	}
	status := func(status int) change {
		return func(_ *integration.Down, r *evidence.FaultsResult) { *r = kept(status, time.Millisecond) }
	}
	contacts := func(idle, asked int) change {
		return each(func(p *evidence.FaultPhase) {
			if p.Fault != evidence.FaultRefused {
				p.Contacts, p.Idle.Contacts, p.Asked.Contacts = idle+asked+3, idle, asked
			}
		})
	}
	// apart is a time in which a prototype is slow for reasons of its own, and one after it in which it makes connections.
	apart := func(after int) change {
		return each(func(p *evidence.FaultPhase) {
			if p.Fault != evidence.FaultRefused {
				p.Asked.ElapsedMicroseconds, p.After = evidence.MicrosOf(2700*time.Millisecond), window(after, 2500*time.Millisecond)
			}
		})
	}
	// heard over connections while it is slow: only then they are kept.
	heard := func(idle, asked int) change {
		return func(_ *integration.Down, r *evidence.FaultsResult) {
			r.Phases[slow].Idle.Heard, r.Phases[slow].Asked.Heard = idle, asked
		}
	}
	fails := func(d *integration.Down, _ *evidence.FaultsResult) { d.Degrades = false }
	for name, c := range map[string]struct {
		changes                []change
		broken, unclear, notes string
	}{
		"answers":              {},
		"says so where it may": {changes: []change{fails, status(503)}},
		"answers where it said it would not": {[]change{fails, status(200)},
			"BreaksWhenDown while lms refuses connections people get status 200, as if there were an answer", "", ""},
		"leads elsewhere where it said it would fail": {[]change{fails, status(302)}, "BreaksWhenDown while lms refuses connections people get status 302", "", ""},
		"takes garbage of the right status": {changes: []change{fails, status(503), each(func(p *evidence.FaultPhase) {
			if p.Fault == evidence.FaultGarbage {
				p.Answers[0].Status = 200
			}
		})}},
		"answers without asking, where it said it would not": {[]change{fails, status(200), each(func(p *evidence.FaultPhase) { p.Contacts, p.Asked.Contacts = 0, 0 })},
			"", "NotExercised the sample request never led to lms", ""},
		"an error where it answers": {[]change{status(503)}, "BreaksWhenDown while lms refuses connections people get status 503", "", ""},
		"a redirect is no answer":   {[]change{status(302)}, "BreaksWhenDown while lms refuses", "", ""},
		"an error that may be another's": {[]change{status(500), func(d *integration.Down, _ *evidence.FaultsResult) { d.Alone = false }}, "",
			"WhenDownNotShown while lms refuses", ""},
		"late": {[]change{func(_ *integration.Down, r *evidence.FaultsResult) { *r = kept(200, 2001*time.Millisecond) }},
			"HangsWhenDown while lms refuses connections people wait longer than the declared 2s", "", ""},
		"just in time": {changes: []change{func(_ *integration.Down, r *evidence.FaultsResult) { *r = kept(200, 2*time.Second) }}},
		"one of three hangs": {[]change{func(_ *integration.Down, r *evidence.FaultsResult) {
			r.Phases[slow].Answers[2] = evidence.FaultAnswer{Class: evidence.ClassTimeout}
		}}, "HangsWhenDown while lms takes requests and never answers", "", ""},
		"hangs where it may fail": {[]change{fails, status(503), func(_ *integration.Down, r *evidence.FaultsResult) {
			r.Phases[slow].Answers[0] = evidence.FaultAnswer{Class: evidence.ClassTimeout}
		}}, "HangsWhenDown", "", ""},
		"breaks off": {[]change{fails, status(503), func(_ *integration.Down, r *evidence.FaultsResult) {
			r.Phases[4].Answers[0] = evidence.FaultAnswer{Class: evidence.ClassUnanswered}
		}}, "BreaksWhenDown while lms answers with garbage people get no answer at all", "", ""},
		"the runner had no sockets": {[]change{func(_ *integration.Down, r *evidence.FaultsResult) {
			r.Phases[0].Answers[0] = evidence.FaultAnswer{Class: evidence.ClassLocal}
		}}, "", "MeasurementLost", ""},
		"dies": {[]change{func(_ *integration.Down, r *evidence.FaultsResult) {
			r.Phases = append(r.Phases[:slow], evidence.FaultPhase{System: "lms", Fault: evidence.FaultSlow})
			r.AliveAfter = false
		}}, "DiesWhenDown after lms breaks connections off, the prototype did not answer its health any more", "", ""},
		"dies last":            {[]change{func(_ *integration.Down, r *evidence.FaultsResult) { r.AliveAfter = false }}, "DiesWhenDown after lms answers with garbage", "", ""},
		"too busy for health":  {[]change{each(func(p *evidence.FaultPhase) { p.HealthMissed = 2 })}, "DiesWhenDown while lms refuses connections the prototype missed 2 of 3", "", ""},
		"late once for health": {changes: []change{each(func(p *evidence.FaultPhase) { p.HealthMissed = 1 })}},
		"health not asked":     {[]change{each(func(p *evidence.FaultPhase) { p.HealthAsked = 0 })}, "", "WhenDownNotShown while lms refuses connections nobody asked", ""},
		"keeps connections":    {[]change{each(func(p *evidence.FaultPhase) { p.Open = p.Contacts })}, "", "", "KeepsConnections 3 connections to lms"},
		"never asks the system": {[]change{each(func(p *evidence.FaultPhase) { p.Contacts, p.Asked.Contacts = 0, 0 })}, "",
			"NotExercised the sample request never led to lms", ""},
		"asks it once for all":       {changes: []change{each(func(p *evidence.FaultPhase) { p.Asked.Contacts = min(p.Asked.Contacts, 1) })}},
		"only its health asks it":    {[]change{contacts(3, 2)}, "", "NotExercised while the sample request was sent, lms was asked no more often than", ""},
		"its health asks it as well": {changes: []change{contacts(3, 5)}},
		"keeps a connection": {[]change{contacts(3, 2)}, "", "NotExercised while the sample request was sent, lms was asked no more often than the prototype does by itself, " +
			"for its health or to keep a connection of its own", ""},
		"asks over the connection that it keeps": {[]change{contacts(3, 2), heard(0, 3)}, "", "",
			"WhenDownNotShown no request was seen to lead to lms while it breaks connections off, or answers with errors, or answers with garbage"},
		"says as much over it by itself": {[]change{contacts(3, 2), heard(5, 4)}, "", "NotExercised while", ""},
		"says something over it once":    {[]change{contacts(3, 2), heard(0, 1)}, "", "NotExercised while", ""},
		"says something over it every second": {[]change{contacts(3, 2), heard(0, 3), apart(0), func(_ *integration.Down, r *evidence.FaultsResult) {
			r.Phases[slow].After.Heard = 3
		}}, "", "NotExercised while", ""},
		"asks over it, and says something every second": {[]change{contacts(1, 0), heard(0, 3), func(_ *integration.Down, r *evidence.FaultsResult) {
			r.Phases[slow].After = evidence.FaultWindow{Heard: 3, ElapsedMicroseconds: evidence.MicrosOf(2500 * time.Millisecond)}
		}}, "", "", "WhenDownNotShown no request was seen"},
		"asks it every few seconds by itself, and is slow": {[]change{contacts(0, 1), apart(1)}, "",
			"NotExercised while the sample request was sent, lms was asked no more often than the prototype does by itself", ""},
		"asks it by itself, and happens to do so a little more": {[]change{contacts(3, 3), func(_ *integration.Down, r *evidence.FaultsResult) {
			r.Phases[slow].Asked.Contacts = 2
		}}, "", "NotExercised while the sample request was sent, lms was asked no more often than the prototype does by itself", ""},
		"asks it by itself as well, and is slow": {changes: []change{contacts(0, 4), apart(1)}},
		"says something in a time that nobody knows": {[]change{contacts(3, 2), heard(0, 3), func(_ *integration.Down, r *evidence.FaultsResult) {
			r.Phases[slow].Idle.ElapsedMicroseconds = 0
		}}, "", "NotExercised while", ""},
		"a breaker spares the system after a while": {[]change{func(_ *integration.Down, r *evidence.FaultsResult) {
			for i := range r.Phases {
				if i != slow {
					r.Phases[i].Contacts, r.Phases[i].Asked.Contacts = 0, 0
				}
			}
		}}, "", "", "WhenDownNotShown no request was seen to lead to lms while it breaks connections off, or answers with errors"},
		"asked once by chance": {[]change{func(_ *integration.Down, r *evidence.FaultsResult) {
			for i := range r.Phases {
				r.Phases[i].Asked.Contacts = 0
			}
			r.Phases[slow].Asked.Contacts = 1
		}}, "", "NotExercised while the sample request", ""},
		"nobody knows its pace":        {[]change{each(func(p *evidence.FaultPhase) { p.Idle = evidence.FaultWindow{} })}, "", "NotExercised while the sample request", ""},
		"nobody knows how long it was": {[]change{each(func(p *evidence.FaultPhase) { p.Asked.ElapsedMicroseconds = 0 })}, "", "NotExercised while the sample request", ""},
		"a phase is missing": {[]change{func(_ *integration.Down, r *evidence.FaultsResult) { r.Phases = r.Phases[:4] }}, "",
			"WhenDownNotShown it was not tried what happens while lms answers with garbage", ""},
		"another system's phases": {[]change{each(func(p *evidence.FaultPhase) { p.System = "crm" })}, "", "WhenDownNotShown it was not tried", ""},
		"no answers":              {[]change{each(func(p *evidence.FaultPhase) { p.Answers = nil })}, "", "WhenDownNotShown while lms refuses connections too few", ""},
		"never started":           {[]change{func(_ *integration.Down, r *evidence.FaultsResult) { *r = evidence.FaultsResult{} }}, "", "NotExercised without its systems", ""},
		"gone before anything": {[]change{func(_ *integration.Down, r *evidence.FaultsResult) {
			*r = evidence.FaultsResult{Started: true, Phases: []evidence.FaultPhase{{System: "lms", Fault: evidence.FaultRefused}}}
		}}, "", "WhenDownNotShown the prototype answered at first", ""},
	} {
		t.Run(name, func(t *testing.T) {
			d, r := degrades(), kept(200, 20*time.Millisecond)
			for _, change := range c.changes {
				change(&d, &r)
			}
			s := integration.Faults([]integration.Down{d}, &r)
			for what, pair := range map[string]struct {
				got  []gate.Finding
				want string
			}{"broken": {s.Broken, c.broken}, "unclear": {s.Unclear, c.unclear}, "notes": {s.Notes, c.notes}} {
				switch {
				case pair.want == "" && len(pair.got) > 0:
					t.Errorf("%s: %+v", what, pair.got)
				case pair.want != "" && (len(pair.got) == 0 || !strings.HasPrefix(pair.got[0].Reason+" "+pair.got[0].Message, pair.want)):
					t.Errorf("%s: %+v, want %q", what, pair.got, pair.want)
				}
				for _, f := range pair.got {
					// A step of what to do next shows no more of it.
					if len(f.Message) > 200 || len(f.Hint) > 180 && f.Reason == v1alpha1.ReasonNotExercised {
						t.Errorf("%d and %d characters: %+v", len(f.Message), len(f.Hint), f)
					}
					if f.Hint == "" || f.Field == "" || f.Owner != v1alpha1.OwnerBusiness {
						t.Errorf("a finding that helps nobody: %+v", f)
					}
				}
			}
		})
	}
	if s := integration.Faults([]integration.Down{degrades()}, nil); len(s.Unclear) == 0 {
		t.Error("no result passes")
	}
}
