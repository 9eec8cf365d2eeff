package promotion

import (
	"fmt"
	"time"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/internal/evidence"
	"github.com/affineur/affineur/internal/record"
	"github.com/affineur/affineur/internal/stop"
	"github.com/affineur/affineur/internal/workload"
)

// effects of the emergency stops on everything that runs here. They override every record: what a record says was
// reviewed, and a stop is newer.
func (s Snapshot) effects() stop.Effects { return stop.Of(s.Stops, s.facts(s.Current, s.Beside)) }

// facts of what runs here, and of the given records.
func (s Snapshot) facts(records ...*record.Record) stop.Facts {
	facts := stop.Facts{Unknown: s.unknown()}.OfTeam(s.TeamLabel)
	for _, here := range s.reaches(records...) {
		facts = facts.And(here.Facts())
	}
	facts.Digests = append(facts.Digests, stop.Digest(s.Place.Rollout.Image)...)
	return facts
}

// unknown means that nobody can tell what a stop is matched against: whose it is, or, where something runs, what that may
// reach, neither by its records nor by what the namespace says.
func (s Snapshot) unknown() bool {
	m := s.memory()
	read := (m.Record == "" || s.Current != nil) && (m.beside() == "" || s.Beside != nil) && m.Record+m.beside() != ""
	return s.TeamUnread || s.Place.runs() && !read && !s.Place.tells(m.Record)
}

// reaches of the records, and of what runs, as the namespace tells it.
func (s Snapshot) reaches(records ...*record.Record) []stop.Reach {
	var out []stop.Reach
	for _, r := range records {
		if r != nil {
			out = append(out, reachOf(*r))
		}
	}
	if s.Place.Said != nil && s.Place.runs() {
		out = append(out, *s.Place.Said)
	}
	return out
}

// severed are the destinations that the stops cut off from here.
func (s Snapshot) severed() []v1alpha1.Destination {
	var out []v1alpha1.Destination
	for _, here := range s.reaches(s.Current, s.Beside) {
		for _, place := range here.Severed(s.effects()) {
			out = append(out, place.To)
		}
	}
	return out
}

// severance is what rendering has to leave out: also what another record, or the namespace, knows under another name.
func (s Snapshot) severance() workload.Severance {
	out := s.effects().Severance()
	out.To = s.severed()
	return out
}

// cut is what emergency stops want done before anything else, for they wait for nothing: rules first, then the pods with
// whatever they had open. It needs to know of nothing but the stops and what the namespace says of itself. A namespace that is
// being deleted is cut too: pods may take long to go, and what they may reach stands until then.
func (s Snapshot) cut() []Action {
	e := s.effects()
	switch {
	case !s.Place.Exists || s.Place.Foreign || !e.Severs():
		return nil
	case e.Stopped && (s.outdated() || s.Place.Rollout.Replicas > 0):
		return []Action{{Kind: Sever}, {Kind: Halt}}
	case !e.Stopped && s.outdated():
		return []Action{{Kind: Sever}, {Kind: Replace}}
	}
	return []Action{{Kind: Sever}}
}

// furnished tells whether the namespace is one in which anything can be made.
func (s Snapshot) furnished() bool {
	return s.Place.Exists && !s.Place.Foreign && !s.Place.Terminating && s.Identity != nil
}

// keepsPrevious tells whether a freeze keeps what served before: it is what one would go back to.
func (s Snapshot) keepsPrevious() bool {
	m := s.memory()
	return s.effects().Frozen && m.Leftover == m.Previous.Record
}

// reachOf is what a record's pods may reach in production.
func reachOf(r record.Record) stop.Reach {
	return stop.ReachOf(surroundings(r, ""), r.Subject.Container.Image)
}

// reach that the namespace tells of while it is about these records; "" where none of them can be read. Of one that can't,
// it goes on telling what it told.
func (s Snapshot) reach(names ...string) string {
	var known []stop.Reach
	lost := false
	for _, name := range names {
		if r := s.record(name); r != nil {
			reach := reachOf(*r)
			reach.Review = reviewOfRecord(name)
			known = append(known, reach)
		} else if name != "" {
			lost = true
		}
	}
	if len(known) == 0 {
		return ""
	}
	if lost && s.Place.Said != nil {
		known = append(known, *s.Place.Said)
	}
	out := known[0]
	for _, also := range known[1:] {
		out = out.And(also)
	}
	return out.String()
}

// stopped is why nothing new is promoted; nil without an emergency stop on what runs or on what is to.
func (s Snapshot) stopped() *Blocker {
	known := []*record.Record{s.Current, s.Beside}
	if s.Candidate != nil {
		known = append(known, s.Candidate.Record)
	}
	e := stop.Of(s.Stops, s.facts(known...))
	if !e.Frozen {
		return nil
	}
	return &Blocker{v1alpha1.ReasonEmergencyStop, evidence.Clean(e.Message(), maxMessage)}
}

// suspended is what serves, or is on its way, under an emergency stop that cuts its network or stops it: kept as the
// stop wants it, after it was cut. Nothing is held against the revision meanwhile, and what had begun to soak begins anew.
func suspended(s Snapshot, now time.Time) Plan {
	m, b := s.memory(), s.stopped()
	p := Plan{Current: b}
	if s.next() != nil {
		p.Candidate = b
	}
	switch {
	case m.Record == "" || s.Current == nil:
		// Nobody can tell what would be right, so nothing is written that opens anything.
		return p
	case m.underWay() && !s.released():
		p.Actions = []Action{{Kind: Remember, Memory: m.withdraw()}}
		return p
	case m.soaking():
		p.Actions = []Action{{Kind: Remember, Memory: m.soakAgain()}}
		return p
	}
	p.Actions = keep(s)
	if s.usesSecrets() {
		p.Wake = now.Add(credentialsFresh)
	}
	return p
}

// unread is where not everything could be read: what serves stays as it is, but for what emergency stops want, and nothing
// new is promoted. It is told when it goes on.
func unread(s Snapshot, now time.Time) Plan {
	switch {
	case s.effects().Severs():
		return waits(s, *s.stopped(), time.Time{})
	case now.Before(s.FailedSince.Add(lookAgain)):
		return Plan{}
	}
	return waits(s, Blocker{v1alpha1.ReasonNotReadable, evidence.Clean(fmt.Sprintf(
		"Since %s not everything that it rests on can be read, so what serves is left as it is and nothing new is promoted. It is tried again; "+
			"where that goes on, the platform team finds out why: %s.", s.FailedSince.UTC().Format(time.RFC3339), s.Failed), maxMessage)}, time.Time{})
}

// outdated tells whether pods run that were not started under the present stops, or under their end. Under a cut also those
// count that are going and still have time; after it nobody waits for them.
func (s Snapshot) outdated() bool {
	e := s.effects()
	mark := e.Mark()
	if s.Place.Blind {
		return true
	}
	for _, pod := range s.Place.Rollout.Pods {
		going := pod.Hurried || pod.Terminating && !e.Severs()
		if !going && pod.CutOff != mark {
			return true
		}
	}
	return s.Place.Rollout.Exists && s.Place.Rollout.CutOff != mark
}
