// Package drift watches whether what serves in production is still what was approved: now and then it asks the questions of
// the approved evaluation set again, and compares who answers, and how well.
//
// A pass is about one production namespace. What was found out stays on it, as an annotation: the promotion controller rolls
// back by it where the policy says so, and the sandbox controller tells it to people.
package drift

import (
	"encoding/json"
	"time"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/internal/evidence"
	"github.com/affineur/affineur/internal/gate"
	"github.com/affineur/affineur/internal/gate/quality"
)

const (
	// usualEvery is how long after one measurement the next begins where a record does not say.
	usualEvery = 24 * time.Hour
	// pause after a measurement that came to nothing; it doubles with each, up to the usual time.
	pause = 5 * time.Minute
	// maxMessage bounds what an annotation and a condition say.
	maxMessage = 512
)

// Verdict about what serves.
type Verdict string

// The verdicts. What is not known is never AsApproved.
const (
	Drifted    Verdict = "Drifted"
	AsApproved Verdict = "AsApproved"
	Unknown    Verdict = "Unknown"
)

// State is what is known of the model behind what serves, as the production namespace keeps it. The zero State knows nothing.
type State struct {
	// Record that it is about.
	Record  string  `json:"record"`
	Verdict Verdict `json:"verdict"`
	Reason  string  `json:"reason"`
	Message string  `json:"message"`
	// Since when the verdict is this one, for this reason.
	Since time.Time `json:"since"`
	// At is when the last measurement ended, the zero time before the first; and Lost how many came to nothing in a row.
	At   time.Time `json:"at,omitzero"`
	Lost int       `json:"lost,omitempty"`
	// Number of the last measurement of the prototype.
	Number int `json:"number,omitempty"`
	// Report that the verdict rests on.
	Report string `json:"report,omitempty"`
}

// Read the annotations of a namespace. What can't be read is not known.
func Read(annotations map[string]string) State {
	var s State
	if json.Unmarshal([]byte(annotations[v1alpha1.AnnotationModelDrift]), &s) != nil {
		return State{}
	}
	switch s.Verdict {
	case Drifted, AsApproved, Unknown:
		s.Message = evidence.Clean(s.Message, maxMessage)
		return s
	}
	return State{}
}

// String is what the annotation holds.
func (s State) String() string {
	raw, _ := json.Marshal(s) // a structure of strings, numbers and times
	return string(raw)
}

// Of a record is the state if it is about that one.
func (s State) Of(record string) bool { return record != "" && s.Record == record }

// unmeasured is the state of a record that was not measured yet. Numbers go on, so that no report takes another's name.
func unmeasured(record string, number int, now time.Time) State {
	return State{
		Record: record, Verdict: Unknown, Reason: v1alpha1.ReasonDriftNotMeasured, Since: stamp(now), Number: number,
		Message: "What serves was not asked again yet; it is asked as soon as it answers.",
	}
}

// unasked is the state of what acts by itself.
func (s State) unasked(now time.Time) State {
	next := s
	next.Message = "What serves acts by itself (spec.facts.autonomy, or an integration with ReadWrite), so what it is asked it may do, and the policy does " +
		"not have such prototypes asked in production. Where that does no harm, IT says so with production.modelDrift.acting: Ask; it counts from the next review on."
	return next.turned(Unknown, v1alpha1.ReasonDriftNotAsked, s.Since, now)
}

// doubtful means that answers looked worse once.
func (s State) doubtful() bool {
	return s.Verdict == Unknown && s.Reason == v1alpha1.ReasonDriftDoubtful
}

// due is when the next measurement begins: at once before the first, and to confirm a doubt; soon after one that was lost.
// By a clock that was put back it is now.
func (s State) due(every time.Duration, now time.Time) time.Time {
	switch {
	case s.At.IsZero() || s.doubtful() || s.At.After(now.Add(gate.ClockSkew)):
		return now
	case s.Lost > 0:
		return s.At.Add(min(every, pause<<min(s.Lost-1, 10)))
	}
	return s.At.Add(every)
}

// outlived is when a good verdict is too old to be one; the zero time for verdicts that don't age.
func (s State) outlived(every time.Duration) time.Time {
	if s.Verdict != AsApproved {
		return time.Time{}
	}
	return s.At.Add(2 * every)
}

// aged is the state of what was not measured for too long.
func (s State) aged(why string, now time.Time) State {
	next := s
	next.Message = "What serves was as approved at " + s.At.UTC().Format(time.RFC3339) + ", and could not be asked again since: " + why
	return next.turned(Unknown, v1alpha1.ReasonDriftNotMeasured, s.Since, now)
}

// turned keeps since when while verdict and reason stay.
func (s State) turned(verdict Verdict, reason string, since, now time.Time) State {
	if s.Verdict != verdict || s.Reason != reason {
		since = stamp(now)
	}
	s.Verdict, s.Reason, s.Since = verdict, reason, since
	s.Message = evidence.Clean(s.Message, maxMessage)
	return s
}

// conclude is the state after a measurement. A drift that was shown stays until a measurement shows that it is over: one
// that says nothing does not. Answers that look worse once are asked for again first, since among many days chance has one
// on which they do; who answered is no matter of chance.
func (s State) conclude(shift quality.Shift, number int, report string, now time.Time) State {
	next := s
	next.Number, next.At, next.Lost = number, stamp(now), 0
	if shift.Unsure && shift.Reason != v1alpha1.ReasonDriftUncertain && shift.Reason != v1alpha1.ReasonNothingApproved {
		next.Lost = s.Lost + 1
	}
	if shift.Unsure && s.Verdict == Drifted {
		return next
	}
	next.Report = report
	switch {
	case shift.Reason == v1alpha1.ReasonNothingApproved:
		next.Message = sentence(shift.Message) + " With an evaluation set of the team's and a gate of type Quality of IT's, the next review approves answers to compare with."
		return next.turned(Unknown, shift.Reason, s.Since, now)
	case shift.Unsure:
		next.Message = sentence(shift.Message) + " It is measured again."
		return next.turned(Unknown, shift.Reason, s.Since, now)
	case !shift.Drifted:
		next.Message = sentence(shift.Message) + " Asked at " + next.At.Format(time.RFC3339) + "."
		return next.turned(AsApproved, shift.Reason, s.Since, now)
	case shift.Reason == v1alpha1.ReasonResultsChanged && s.Verdict != Drifted && !s.doubtful():
		next.Message = sentence(shift.Message) + " It is asked again at once, to be sure."
		return next.turned(Unknown, v1alpha1.ReasonDriftDoubtful, s.Since, now)
	}
	next.Message = sentence(shift.Message)
	return next.turned(Drifted, shift.Reason, s.Since, now)
}

// sentence begins large and ends with a full stop.
func sentence(text string) string {
	if text == "" {
		return ""
	}
	if first := text[0]; first >= 'a' && first <= 'z' {
		text = string(first-'a'+'A') + text[1:]
	}
	if last := text[len(text)-1]; last != '.' {
		text += "."
	}
	return text
}

// stamp drops what does not survive being written.
func stamp(t time.Time) time.Time { return t.UTC().Truncate(time.Second) }
