// Package guard measures the guards: the admission policies of config/admission, on which every decision rests. It
// compares what the cluster has with what is shipped, tries forgeries by dry run, and keeps the times during which
// the guards were not provably in place. Decisions of those times don't count.
package guard

import (
	"slices"
	"time"

	"github.com/affineur/affineur/api/v1alpha1"
)

const (
	// settling is how long after a good measurement a gap still lasts: an API server applies a policy a moment
	// after it is stored, and several servers not at once.
	settling = 5 * time.Second
	// maxGaps bounds the list; beyond it the oldest two become one that spans both.
	maxGaps = 32
)

// Gap is a time during which the guards were not provably in place.
type Gap struct {
	// From is the last good measurement before it; the zero time if there was none.
	From time.Time `json:"from,omitzero"`
	// To is the first good measurement after it; the zero time while it lasts.
	To time.Time `json:"to,omitzero"`
	// Why says what was found.
	Why string `json:"why,omitempty"`
}

func (g Gap) open() bool { return g.To.IsZero() }

func (g Gap) holds(at time.Time) bool {
	return !at.Before(g.From) && (g.open() || !at.After(g.To))
}

// State is what is known about the guards. Its times are the API server's, like the creationTimestamp of a decision.
type State struct {
	// InPlace means that the last measurement found the guards as shipped, and saw them refuse every forgery.
	InPlace bool `json:"inPlace"`
	// Reason is one of v1alpha1.ReasonGuards….
	Reason string `json:"reason"`
	// Message says what is wrong and who can mend it.
	Message string `json:"message"`
	// Since when InPlace and Reason are as they are.
	Since time.Time `json:"since"`
	// MeasuredAt is the time of the last measurement that is kept.
	MeasuredAt time.Time `json:"measuredAt"`
	// Gaps are the times of doubt, oldest first. Whatever is older than the first good measurement is in the first.
	Gaps []Gap `json:"gaps,omitempty"`
	// LastGood is the time of the last measurement that found the guards in place.
	LastGood time.Time `json:"lastGood,omitzero"`
	// Fingerprint names what was in place at LastGood: the same fingerprint later means that nothing was changed
	// in between, however long nobody looked.
	Fingerprint string `json:"fingerprint,omitempty"`
}

// Unguarded tells whether the guards were not provably in place at a time. Of a time after the last measurement it
// knows nothing and says no: whoever acts on the answer measures first.
func (s State) Unguarded(at time.Time) bool {
	if s.LastGood.IsZero() {
		return true
	}
	return slices.ContainsFunc(s.Gaps, func(g Gap) bool { return g.holds(at) })
}

// SeenAt is the time of the last measurement.
func (s State) SeenAt() time.Time { return s.MeasuredAt }

// measurement is one look at the guards.
type measurement struct {
	at          time.Time
	fingerprint string
	reason      string
	message     string
}

// next is the state after a measurement.
//
//	first good look            the time before it was unguarded
//	good, same fingerprint     nothing was changed since the last good look, however long ago
//	good, other fingerprint    somebody changed the guards in between: a gap
//	Changed                    a gap begins at the last good look, and ends with the next
//	Unknown                    no gap by itself: the next good look tells by the fingerprint
func (s State) next(m measurement) State {
	n := s
	n.InPlace = m.reason == v1alpha1.ReasonGuardsMeasured
	n.Reason, n.Message, n.MeasuredAt = m.reason, m.message, m.at
	if n.Reason != s.Reason {
		n.Since = m.at
	}
	n.Gaps = slices.Clone(s.Gaps)
	switch {
	case m.reason == v1alpha1.ReasonGuardsChanged && !n.gapOpen():
		n.Gaps = append(n.Gaps, Gap{From: s.LastGood.Truncate(time.Second), Why: m.message})
	case n.InPlace:
		n.pass(m)
	}
	n.Gaps = bounded(n.Gaps)
	return n
}

// pass closes what doubt there was.
func (s *State) pass(m measurement) {
	end := m.at.Add(settling)
	switch {
	case s.gapOpen():
		s.Gaps[len(s.Gaps)-1].To = end
	case s.LastGood.IsZero():
		s.Gaps = append(s.Gaps, Gap{To: end, Why: "the guards had not been measured before"})
	case s.Fingerprint != m.fingerprint:
		s.Gaps = append(s.Gaps, Gap{From: s.LastGood.Truncate(time.Second), To: end, Why: "the guards were changed between two measurements"})
	}
	s.LastGood, s.Fingerprint = m.at, m.fingerprint
}

func (s *State) gapOpen() bool { return len(s.Gaps) > 0 && s.Gaps[len(s.Gaps)-1].open() }

// bounded joins gaps that touch, and the oldest two when there are too many: a wider doubt is the safe error.
func bounded(gaps []Gap) []Gap {
	var out []Gap
	for _, gap := range gaps {
		if last := len(out) - 1; last >= 0 && !out[last].open() && !gap.From.After(out[last].To) {
			out[last].To, out[last].Why = gap.To, gap.Why
			continue
		}
		out = append(out, gap)
	}
	for len(out) > maxGaps {
		out[1].From = out[0].From
		out = out[1:]
	}
	return out
}

// worthKeeping tells whether a state says more than the one that is kept: anything but the time of another good look
// at the same guards, and that only now and then, so that a later change leaves a short gap.
func worthKeeping(kept, now State) bool {
	if kept.Reason != now.Reason || kept.Message != now.Message || kept.Fingerprint != now.Fingerprint || !slices.Equal(kept.Gaps, now.Gaps) {
		return true
	}
	return now.LastGood.Sub(kept.LastGood) >= keepEvery
}

// keepEvery is how often the time of a good look is kept although nothing changed. If the guards are changed while
// no operator looks, decisions of at most this long before stop counting as well.
const keepEvery = time.Hour
