// Package reach draws conclusions from attempts to reach something. That a target was reached is a fact. That it was
// not reached says something about the network only if the target was up meanwhile: a dead canary, a missing route
// and a packet filter look alike. So "blocked" always needs a witness, who reached the same target from elsewhere.
package reach

import (
	"net"
	"time"

	"github.com/affineur/affineur/internal/evidence"
	"github.com/affineur/affineur/internal/gate"
)

// Outcome of a conclusion.
type Outcome string

const (
	// Holds means that it is as it should be, shown.
	Holds Outcome = "Holds"
	// Broken means that it is not as it should be, shown.
	Broken Outcome = "Broken"
	// Unclear means that nothing can be said.
	Unclear Outcome = "Unclear"
	// Nowhere means that nobody reached it, from outside either: there is nothing to be kept from.
	Nowhere Outcome = "Nowhere"
)

// Conclusion is an outcome and why.
type Conclusion struct {
	Outcome Outcome
	Why     string
	// OpenFor is for how long a blocked target was reached before the policy took effect; zero when it never was.
	OpenFor time.Duration
}

// Reachable concludes whether a target that should be reached was.
func Reachable(r *evidence.TargetResult) Conclusion {
	switch {
	case r == nil:
		return Conclusion{Outcome: Unclear, Why: "it was not tried"}
	case r.Reached:
		return Conclusion{Outcome: Holds, Why: "reached"}
	}
	return Conclusion{Outcome: Broken, Why: "not reached: " + words(r.Class)}
}

// Blocked concludes whether a target that should be out of reach is. The witness tried the same target from where it
// should be reached. By what came back:
//
//	an answer ─────────────────────────── Broken, whatever the witness saw
//	silence, RST, ICMP, EPERM, steadily ─ Holds, if the witness shows that the target was up during all of it
//	 "                                  ─ Unclear without such a witness: a dead target refuses and is silent too
//	a connection without an answer ────── Unclear: packets passed to something, if not to the target
//	anything else ─────────────────────── Unclear
//
// A refused connection deserves a second thought, since a RST can also mean that packets did get through, to a host on
// which nobody listens. The witness excludes that: the port was open all the time, so a SYN that had reached it would
// have been accepted, and the RST was made by somebody on the way. Many policy engines reject in just this manner.
func Blocked(r, witness *evidence.TargetResult) Conclusion {
	switch {
	case r == nil:
		return Conclusion{Outcome: Unclear, Why: "it was not tried"}
	case r.Reached:
		return Conclusion{Outcome: Broken, Why: "reached"}
	case !r.Class.SaysBlocked():
		return Conclusion{Outcome: Unclear, Why: "no blocked target looks like this: " + words(r.Class)}
	case !r.Settled:
		return Conclusion{Outcome: Unclear, Why: "the attempts did not agree with each other"}
	}
	if why := doubt(r, witness); why != "" {
		return Conclusion{Outcome: Unclear, Why: why}
	}
	return Conclusion{Outcome: Holds, Why: "blocked: " + words(r.Class), OpenFor: openFor(r)}
}

// BlockedIfAny is Blocked for a target that there need not be. Where the witness tried it and never got an answer
// either, nothing was shown, and nothing could have been: Nowhere. It takes a witness who tried; one who did not leaves
// it Unclear. One answer to anybody makes it a target like any other.
func BlockedIfAny(r, witness *evidence.TargetResult) Conclusion {
	switch {
	case r == nil && witness == nil:
		return Conclusion{Outcome: Nowhere, Why: "not tried: there is none here"}
	case r != nil && r.Reaches == 0 && witness != nil && witness.Reaches == 0:
		return Conclusion{Outcome: Nowhere, Why: "nothing answers there, from outside either"}
	}
	return Blocked(r, witness)
}

// Meanwhile tells whether a way was open during all of the attempts of r: the twin is tried from the same place, at
// the same host, and something answered it before they began and after they ended.
func Meanwhile(r, twin *evidence.TargetResult) bool {
	return r != nil && twin != nil && twin.FirstReachedAt != nil && host(twin) == host(r) &&
		!twin.FirstReachedAt.After(r.Since.Add(gate.ClockSkew)) && !twin.LastReachedAt.Before(r.Until.Add(-gate.ClockSkew))
}

func host(r *evidence.TargetResult) string {
	host, _, err := net.SplitHostPort(r.Address)
	if err != nil {
		return r.Address
	}
	return host
}

// doubt says why the witness does not show that the target was up from the first to the last blocked attempt, or "".
// A witness's answer from a canary reaches back to the canary's start; one from another target to the first answer.
func doubt(r, witness *evidence.TargetResult) string {
	switch {
	case witness == nil:
		return "nobody else tried it, so it may have been down"
	case witness.Reaches == 0 || witness.FirstReachedAt == nil || witness.LastReachedAt == nil:
		return "nobody else reached it either, so it may have been down"
	case witness.Address != r.Address || witness.Network != r.Network:
		return "somebody else reached another address, so it may have been down"
	}
	up := *witness.FirstReachedAt
	if witness.UpSince != nil {
		up = *witness.UpSince
	}
	switch {
	case up.After(r.Since.Add(gate.ClockSkew)):
		return "it was seen up only after the attempts had begun"
	case witness.LastReachedAt.Before(r.Until.Add(-gate.ClockSkew)):
		return "it was last seen up before the attempts had ended"
	}
	return ""
}

// openFor is the time between the first and the last answer of a target that was blocked in the end. One answer alone
// counts as a millisecond.
func openFor(r *evidence.TargetResult) time.Duration {
	if r.LastReachedAt == nil || r.FirstReachedAt == nil {
		return 0
	}
	return max(r.LastReachedAt.Sub(*r.FirstReachedAt), time.Millisecond).Round(time.Millisecond)
}

// words says a class in words.
func words(c evidence.Class) string {
	switch c {
	case evidence.ClassTimeout:
		return "no answer"
	case evidence.ClassRefused:
		return "rejected"
	case evidence.ClassNoRoute:
		return "no route"
	case evidence.ClassDenied:
		return "denied by the node"
	case evidence.ClassUnanswered:
		return "a connection without the expected answer"
	case evidence.ClassDNS:
		return "the name did not resolve"
	case evidence.ClassLocal:
		return "the runner itself could not try"
	}
	return "an unexpected error"
}
