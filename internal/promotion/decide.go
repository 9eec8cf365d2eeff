package promotion

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/internal/drift"
	"github.com/affineur/affineur/internal/policy"
	"github.com/affineur/affineur/internal/record"
)

const (
	// lookAgain is how long something is waited for that no watch tells of: a Secret of IT's, a foreign object in
	// the way, guards that could not be measured.
	lookAgain = time.Minute
	// credentialsFresh is how long Secrets in production count as right without another look.
	credentialsFresh = 10 * time.Minute
)

// Decide says what production needs now. It is pure: the same snapshot at the same time gives the same plan.
//
//	           gates, approvals and guards,
//	           computed anew                reported       every replica available      soak over, guards in place
//	nothing ──────────────────────▶ intended ───▶ rolling out ───────────────▶ soaking ─────────▶ serving
//	serving P        Remember R        │  Release R   │          Remember R       │   Remember R    (Prune P)
//	   ▲                               │              │                           │
//	   │   no longer allowed           │              │ fault                     │ fault
//	   └───────────────────────────────┘              ▼                           ▼
//	   └──────────────────────────────────── Remember P and the fault → Release P, or Stop where there was none
//
//	serving ── another model answers than the approved one, or worse, and the policy says RollBack ──▶ as with a fault
//	rolling out, soaking ── a role rejects it, an approval no longer counts, the prototype is deleted ──▶ as with a fault
//	any of them ── an emergency stop cuts its network or stops it ──▶ kept so until it is lifted
//	soaking, or just serving ── an emergency stop freezes it ──▶ stays there, with what it can go back to, until it is lifted
//	any of them ── target Retired, or an orphan that is to go ──▶ retiring (Remember) ──▶ Teardown, pods first ──▶ nothing
//
// Three rules hold in every plan. The Deployment becomes another record's only when the namespace remembers that
// record and the review says so, or when the record soaked before. Remember is the last action, so that a kill
// between any two of them leaves a state that the next pass understands. What soaked is kept as it is whatever
// becomes of the review, the policy or the prototype, until the team retires it.
//
// Before all of that comes what emergency stops want, also where not everything could be read; then it is all that is done.
func Decide(s Snapshot, now time.Time) Plan {
	p := decide(s, now)
	p.Actions = append(s.cut(), p.Actions...)
	return p
}

func decide(s Snapshot, now time.Time) Plan {
	m := s.memory()
	switch {
	case s.Failed != nil:
		return unread(s, now)
	case s.Place.Foreign:
		return waits(s, Blocker{v1alpha1.ReasonNamespaceConflict, fmt.Sprintf(
			"Namespace %s exists and is not this prototype's. Whoever made it has to delete it.", s.Name)}, time.Time{})
	case s.Place.Terminating:
		return waits(s, Blocker{v1alpha1.ReasonRetiring, "Production is being taken down: namespace " + s.Name + " is being deleted."}, time.Time{})
	case m.Retiring || s.retired():
		return retire(s)
	case s.effects().Severs():
		return suspended(s, now)
	case m.Record == "":
		return begin(s, now)
	case s.Current == nil:
		return waits(s, Blocker{v1alpha1.ReasonRecordMissing, fmt.Sprintf(
			"Record %s can't be read or does not match, so production is left as it is. IT restores it in namespace %s.",
			m.Record, v1alpha1.RecordsNamespace)}, now.Add(lookAgain))
	case m.underWay() && !s.released():
		return release(s)
	case m.underWay():
		return watch(s, now)
	}
	return serve(s, now)
}

// waits does nothing, and says why: to what serves if something does, else to the candidate.
func waits(s Snapshot, b Blocker, wake time.Time) Plan {
	p := Plan{Wake: wake}
	if s.memory().Record != "" {
		p.Current = &b
	}
	if s.next() != nil {
		p.Candidate = &b
	}
	return p
}

// retire remembers that it does before the first pod goes, so that it ends even if the prototype is gone by then.
func retire(s Snapshot) Plan {
	var p Plan
	if s.next() != nil {
		p.Candidate = s.permit()
	}
	switch {
	case !s.Place.Exists:
	case !s.memory().Retiring:
		p.Actions = []Action{{Kind: Remember, Memory: s.memory().retire()}}
	default:
		p.Actions = []Action{{Kind: Teardown}}
	}
	return p
}

// begin is for a place where nothing is to serve.
func begin(s Snapshot, now time.Time) Plan {
	m, next := s.memory(), s.next()
	switch {
	case s.Place.Rollout.Exists && m != (Memory{}):
		return Plan{Actions: []Action{{Kind: Stop}}}
	case m.Leftover != "" && s.Identity != nil:
		return Plan{Actions: []Action{{Kind: Prune, Record: m.Leftover}, {Kind: Remember, Memory: m.cleaned()}}}
	case next != nil:
		return advance(s, Plan{}, now)
	case s.Place.Exists && !s.Place.Rollout.Exists && (m == (Memory{}) || s.Prototype == nil):
		// Nothing runs there and nothing will: no half-made namespace is left behind.
		return Plan{Actions: []Action{{Kind: Teardown}}}
	}
	return Plan{}
}

// advance adds to a plan the intent to promote the next review, or why not.
func advance(s Snapshot, p Plan, now time.Time) Plan {
	next := s.next()
	if b := s.permit(); b != nil {
		p.Candidate = b
		if slices.Contains([]string{v1alpha1.ReasonGuardsNotInPlace, v1alpha1.ReasonCredentialMissing, v1alpha1.ReasonRecordMissing}, b.Reason) {
			p.Wake = earlier(p.Wake, now.Add(lookAgain))
		}
		return p
	}
	m := s.memory().intend(*next.Record, next.Size, now)
	p.Actions = []Action{{Kind: Prepare, Record: m.Record, Beside: m.Previous.Record}, {Kind: Remember, Memory: m}}
	return p
}

// release makes an intent true if it still may be, and takes it back otherwise.
func release(s Snapshot) Plan {
	m := s.memory()
	if b := s.stopped(); b != nil {
		return Plan{Current: b}
	}
	if b := s.permit(); b != nil || s.Candidate.Record.Name() != m.Record {
		return Plan{Actions: []Action{{Kind: Remember, Memory: m.withdraw()}}, Candidate: b}
	}
	p := Plan{Actions: []Action{{Kind: Prepare, Record: m.Record, Beside: m.Previous.Record}}}
	if s.intentReported() {
		p.Actions = append(p.Actions, Action{Kind: Release, Record: m.Record})
	}
	return p
}

// watch follows a revision until it has soaked.
func watch(s Snapshot, now time.Time) Plan {
	m, r := s.memory(), s.Place.Rollout
	ordinal := strconv.Itoa(s.Current.Ordinal)
	keep := Plan{Actions: keep(s), Candidate: s.behind(), Wake: s.recountAt(now)}
	if s.Guards != nil && !s.Guards.OK {
		keep.Current = &Blocker{v1alpha1.ReasonGuardsNotInPlace, s.Guards.Why}
	}
	if s.effects().Frozen {
		keep.Current = s.stopped()
	}
	remember := func(m Memory) Plan {
		return Plan{Actions: []Action{{Kind: Remember, Memory: m}}, Candidate: s.behind()}
	}
	if b := s.disapproval(); b != nil {
		return remember(m.rollBack(b.Reason, b.Message, now))
	}
	if s.outdated() {
		// Pods from under an emergency stop that was lifted are being replaced, and say nothing about the revision.
		return keep
	}
	if !m.soaking() {
		if b := r.failure(ordinal); b != nil {
			return remember(m.rollBack(b.Reason, b.Message, now))
		}
		if r.complete() && r.answering(ordinal) {
			return remember(m.soak(now))
		}
		return keep
	}
	if b := r.misbehaviour(ordinal, m.SoakingSince.Truncate(time.Second)); b != nil {
		return remember(m.rollBack(b.Reason, b.Message, now))
	}
	switch {
	case r.interrupted(m.SoakingSince):
		return remember(m.soakAgain())
	case now.Before(s.soakEnds()):
		keep.Wake = earlier(keep.Wake, s.soakEnds())
	case s.Approvals == nil || s.Guards == nil || !s.Guards.OK:
		// Nobody vouches for what was counted, so it goes on soaking.
	case s.effects().Frozen:
		// It is in traffic, and becomes no more than that.
	case r.complete():
		return remember(m.serve(now))
	}
	return keep
}

// recountAt is when approvals have to be counted again although nothing happens: soon where nobody vouches for the
// count, else when the first of them expires.
func (s Snapshot) recountAt(now time.Time) time.Time {
	if s.Approvals == nil || s.Guards != nil && !s.Guards.OK {
		return now.Add(lookAgain)
	}
	return s.Approvals.Until
}

// disapproval is why what has not soaked is no longer wanted, nil while it is.
func (s Snapshot) disapproval() *Blocker {
	check := s.Approvals
	switch outcome := s.outcome(); {
	case outcome == v1alpha1.OutcomeRejected:
		return &Blocker{v1alpha1.ReasonRejected, "A role rejected it before it had soaked."}
	case s.deleted():
		return &Blocker{v1alpha1.ReasonWithdrawn, "The prototype was deleted before it had soaked."}
	case outcome != "" && outcome != v1alpha1.OutcomePromoted:
		return &Blocker{reasonOf(outcome), "Its review had ended before it had soaked."}
	case check == nil || check.OK:
		return nil
	case check.Rejected:
		return &Blocker{v1alpha1.ReasonRejected, check.Why + " It had not soaked yet."}
	}
	return &Blocker{v1alpha1.ReasonApprovalRevoked, "An approval was taken back, or no longer counts, before it had soaked. " + check.Why}
}

// outcome that the review of the current record has come to, "" while it is open.
func (s Snapshot) outcome() v1alpha1.ReviewOutcome {
	if review := s.reviewOf(s.memory().Record); s.Sealed == "" && review != nil {
		return review.Status.Outcome
	}
	return s.Sealed
}

// serve keeps what soaked as it is, cleans up after what was before, and lets the next one in.
func serve(s Snapshot, now time.Time) Plan {
	m := s.memory()
	if b := s.drifted(); b != nil {
		return Plan{Actions: []Action{{Kind: Remember, Memory: m.rollBack(b.Reason, b.Message, now)}}, Candidate: s.behind()}
	}
	p := Plan{Actions: keep(s)}
	if made := s.credentials(m.Record); made != nil && len(made.Problems) > 0 {
		p.Current = problem(made.Problems)
	}
	if s.usesSecrets() {
		p.Wake = now.Add(credentialsFresh)
	}
	switch {
	case m.Leftover != "" && s.released() && s.Place.Rollout.complete() && !s.keepsPrevious():
		p.Actions = append(p.Actions, Action{Kind: Prune, Record: m.Leftover}, Action{Kind: Remember, Memory: m.cleaned()})
	case m.Leftover != "":
		p.Candidate = s.behind()
	case s.next() != nil:
		return advance(s, p, now)
	}
	return p
}

// drifted is why what serves is taken back, nil where it is not: another model answers than the one that was approved, or worse,
// and the policy that it was reviewed under says so. What an earlier one left behind is cleaned up first, or nobody would
// know of it any more.
func (s Snapshot) drifted() *Blocker {
	m, found, asked := s.memory(), s.Place.Drift, s.Current.Requirements.Production.ModelDrift
	if asked == nil || asked.OnDrift != v1alpha1.DriftRollBack || !found.Of(m.Record) || found.Verdict != drift.Drifted || m.Leftover != "" && m.Leftover != m.Previous.Record {
		return nil
	}
	return &Blocker{found.Reason, "It had served since " + m.ServingSince.Format(time.RFC3339) + ", and drifted. " + found.Message}
}

// keep puts back whatever differs from the current record.
func keep(s Snapshot) []Action {
	m := s.memory()
	return []Action{{Kind: Prepare, Record: m.Record, Beside: m.beside()}, {Kind: Release, Record: m.Record}}
}

// next is the candidate if it is another record than the one that is to serve.
func (s Snapshot) next() *Candidate {
	if s.Candidate == nil || s.Candidate.Review.Spec.Record == s.memory().Record {
		return nil
	}
	return s.Candidate
}

// behind says why the next one waits while another is under way.
func (s Snapshot) behind() *Blocker {
	if s.next() == nil {
		return nil
	}
	return &Blocker{v1alpha1.ReasonAnotherUnderWay, fmt.Sprintf(
		"Record %s is under way in production; it serves or is rolled back first.", s.memory().Record)}
}

// unapproved is what there is to say of a review that its own status does not call approved.
var unapproved = Blocker{v1alpha1.ReasonNotApproved, "Waits until every required gate passed and every role approved."}

// permit is nil when the candidate may be promoted: everything is computed from the record, the decisions and the
// guards as they are now.
func (s Snapshot) permit() *Blocker {
	c := s.Candidate
	switch {
	case c == nil:
		return &Blocker{v1alpha1.ReasonNotRequested, "No open review asks for it."}
	case s.Prototype == nil || !s.Prototype.DeletionTimestamp.IsZero():
		return &Blocker{v1alpha1.ReasonNotRequested, "The prototype is gone."}
	case s.Prototype.Spec.Target != v1alpha1.TargetProduction:
		return &Blocker{v1alpha1.ReasonNotRequested, "The team no longer asks for production: spec.target of the prototype is " + string(s.Prototype.Spec.Target) + "."}
	case c.Record == nil:
		return &Blocker{v1alpha1.ReasonRecordMissing, c.Problem}
	case !pinned(*c.Record):
		return &Blocker{v1alpha1.ReasonImageInvalid, "The record names no image digest, and production runs digests only. A new review resolves the image."}
	case !c.Hinted:
		return &unapproved
	case s.stopped() != nil:
		return s.stopped()
	case !c.Guards.OK:
		return &Blocker{v1alpha1.ReasonGuardsNotInPlace, c.Guards.Why}
	case !c.Gates.OK:
		return &Blocker{v1alpha1.ReasonNotApproved, c.Gates.Why}
	case !c.Approvals.OK:
		return &Blocker{v1alpha1.ReasonNotApproved, c.Approvals.Why}
	case c.RuntimeMissing != "":
		missing := policy.RuntimeMissing(c.RuntimeMissing)
		return &Blocker{missing.Reason, missing.Message + " " + missing.Hint}
	case s.credentials(c.Record.Name()) == nil:
		return &Blocker{v1alpha1.ReasonCredentialMissing, "The credentials for production were not read yet."}
	case len(s.Credentials.Problems) > 0:
		return problem(s.Credentials.Problems)
	}
	return nil
}

// pinned means that the record's image is a digest.
func pinned(r record.Record) bool { return strings.Contains(r.Subject.Container.Image, "@sha256:") }

// usesSecrets means that something in production is a copy that no watch follows.
func (s Snapshot) usesSecrets() bool {
	r := s.Current.Requirements
	return r.Registry.PullSecret != nil || r.ModelGateway != nil || len(r.Integrations) > 0 || len(s.Current.Subject.Container.Secrets) > 0
}

func earlier(a, b time.Time) time.Time {
	if a.IsZero() || b.Before(a) {
		return b
	}
	return a
}

// problem joins what is missing for the Secrets in production into one blocker.
func problem(found []policy.Problem) *Blocker {
	var all []string
	for _, p := range found {
		all = append(all, strings.TrimSpace(p.Message+" "+p.Hint))
	}
	return &Blocker{v1alpha1.ReasonCredentialMissing, strings.Join(all, " ")}
}
