package promotion

import (
	"time"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/internal/evidence"
	"github.com/affineur/affineur/internal/record"
	"github.com/affineur/affineur/internal/stop"
)

// effects of the emergency stops on everything that runs here. They override every record: what a record says was
// reviewed, and a stop is newer.
func (s Snapshot) effects() stop.Effects { return stop.Of(s.Stops, s.facts(s.Current, s.Beside)) }

// facts of what runs here, and of the given records.
func (s Snapshot) facts(records ...*record.Record) stop.Facts {
	var facts stop.Facts
	if s.TeamLabel != "" {
		facts.Teams = append(facts.Teams, s.TeamLabel)
	}
	if s.Place.Rollout.Exists && s.Current == nil {
		facts.Unknown = true
	}
	for _, r := range records {
		if r == nil {
			continue
		}
		facts = facts.And(reachOf(*r).Facts())
	}
	facts.Digests = append(facts.Digests, stop.Digest(s.Place.Rollout.Image)...)
	return facts
}

// reachOf is what a record's pods may reach in production.
func reachOf(r record.Record) stop.Reach {
	return stop.ReachOf(surroundings(r, ""), r.Subject.Container.Image)
}

// reach that the namespace tells of while it is about these records; "" where none of them can be read.
func (s Snapshot) reach(names ...string) string {
	var out *stop.Reach
	for _, name := range names {
		r := s.record(name)
		if r == nil {
			continue
		}
		reach := reachOf(*r)
		if out == nil {
			out = &reach
			out.Review = reviewOfRecord(name)
			continue
		}
		reach = out.And(reach)
		out = &reach
	}
	if out == nil {
		return ""
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
// stop wants it, rules first, then the pods with whatever they had open. Nothing is held against the revision meanwhile,
// and what had begun to soak begins anew.
func suspended(s Snapshot, now time.Time) Plan {
	m, b := s.memory(), s.stopped()
	p := Plan{Current: b}
	if s.next() != nil {
		p.Candidate = b
	}
	switch {
	case m.Record == "" && !s.Place.Rollout.Exists:
		return p
	case m.Record == "" || s.Current == nil:
		// Nobody can tell what would be right, so nothing is left open.
		p.Actions = []Action{{Kind: Shut}}
		return p
	case m.underWay() && !s.released():
		p.Actions = []Action{{Kind: Remember, Memory: m.withdraw()}}
		return p
	case m.soaking():
		p.Actions = []Action{{Kind: Remember, Memory: m.soakAgain()}}
		return p
	}
	p.Actions = keep(s)
	if s.outdated() {
		p.Actions = append(p.Actions, Action{Kind: Replace})
	}
	if s.usesSecrets() {
		p.Wake = now.Add(credentialsFresh)
	}
	return p
}

// outdated tells whether pods run that were not started under the present stops, or under their end.
func (s Snapshot) outdated() bool {
	mark := s.effects().Mark()
	for _, pod := range s.Place.Rollout.Pods {
		if !pod.Hurried && pod.CutOff != mark {
			return true
		}
	}
	return s.Place.Rollout.Exists && s.Place.Rollout.CutOff != mark
}
