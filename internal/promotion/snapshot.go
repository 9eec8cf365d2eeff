package promotion

import (
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/internal/credentials"
	"github.com/affineur/affineur/internal/drift"
	"github.com/affineur/affineur/internal/gate"
	"github.com/affineur/affineur/internal/names"
	"github.com/affineur/affineur/internal/record"
	"github.com/affineur/affineur/internal/stop"
)

// Snapshot is everything that one pass looks at. It is filled by the observer and changed by nobody.
type Snapshot struct {
	// Name of the production namespace: the key of a pass.
	Name string
	// Identity of the prototype, nil while neither a review, a prototype nor a record tells it.
	Identity *names.Identity
	Place    Place
	// Prototype is nil when it is gone or another one has its name.
	Prototype *v1alpha1.AIPrototype
	// TeamLabel is the team that the prototype's namespace names; empty where that is gone.
	TeamLabel string
	// Stops are all emergency stops.
	Stops []v1alpha1.EmergencyStop
	// Failed is why not everything could be read, since FailedSince: then nothing is done but what emergency stops want.
	Failed      error
	FailedSince time.Time
	// TeamUnread means that nobody can tell which team the prototype's namespace names.
	TeamUnread bool
	// Reviews of the prototype, oldest first.
	Reviews []*v1alpha1.HardeningReview
	// Current is the verified record that is to serve, nil if there is none or it can't be read.
	Current *record.Record
	// Beside is the verified record whose pods may still run next to the current one's.
	Beside *record.Record
	// Approvals of the current record while it is under way, counted anew; nil when they can't be counted now.
	Approvals *Check
	// Guards were measured when that was counted; nil where it was not necessary.
	Guards *Check
	// Sealed is the outcome that the current record's review has come to, as far as it was looked for; "" while it is open.
	Sealed v1alpha1.ReviewOutcome
	// Candidate is the newest review that may still be promoted.
	Candidate *Candidate
	// Credentials were made for the record CredentialsOf; nil when it is not yet time to look again.
	Credentials   *credentials.Made
	CredentialsOf string
}

// Place is the production namespace and what runs there.
type Place struct {
	Exists      bool
	Terminating bool
	// Foreign means that the namespace is not the prototype's.
	Foreign bool
	// Blind means that what runs there could not be read; Rollout is as far as it is known.
	Blind bool
	// Made tells this namespace from another one of its name.
	Made types.UID
	// UID of the prototype, from the namespace's label, and its whole identity, nil where the labels don't tell it.
	UID   string
	Whose *names.Identity
	// OrphanMark is the label that says whether the prototype is gone, as it stands.
	OrphanMark string
	// Retire means that whoever manages installations asked to take an orphan down.
	Retire bool
	// Reach is what the namespace says that its pods may reach; Said is the same, nil where it can't be read.
	Reach string
	Said  *stop.Reach
	// Drift is what was found out about the model behind what serves.
	Drift   drift.State
	Memory  Memory
	Rollout Rollout
}

// Candidate is a review that may be promoted, judged anew from the record.
type Candidate struct {
	Review *v1alpha1.HardeningReview
	// Record is nil when it can't be read or does not match; Problem says why.
	Record  *record.Record
	Problem string
	// Hinted means that the review's status claims gates and approvals. That alone promotes nothing; without it
	// nothing is computed.
	Hinted bool
	// Guards says whether the admission policies were measured just now.
	Guards Check
	// RuntimeMissing names the RuntimeClass that it needs and the cluster does not have.
	RuntimeMissing string
	// Gates and Approvals are computed from reports and decisions.
	Gates, Approvals Check
	// Size is how many replicas it should have by what was measured; zero where nothing tells.
	Size gate.Size
}

// Check is an answer and, if it is no, why.
type Check struct {
	OK  bool
	Why string
	// Rejected means that a role said no, which nothing takes back.
	Rejected bool
	// Until is how long a yes lasts by itself; zero for ever.
	Until time.Time
}

// Blocker is why something waits, and who can end it.
type Blocker struct {
	Reason, Message string
}

// runs tells whether something runs there, as far as anybody can tell.
func (p Place) runs() bool { return p.Blind || p.Rollout.Exists || len(p.Rollout.Pods) > 0 }

// tells means that what the namespace says of its reach was written for the record.
func (p Place) tells(record string) bool {
	return p.Said != nil && p.Said.Review != "" && p.Said.Review == reviewOfRecord(record)
}

// memory is a shorthand.
func (s Snapshot) memory() Memory { return s.Place.Memory }

// orphaned means that something serves whose prototype is gone.
func (s Snapshot) orphaned() bool {
	return s.Prototype == nil && s.Place.Exists && s.memory().Record != "" && !s.memory().Retiring
}

// retired means that the team took it out of production, or somebody else for a team that is gone.
func (s Snapshot) retired() bool {
	if s.Prototype == nil {
		return s.Place.Retire && s.Place.OrphanMark == "true"
	}
	return s.Prototype.Spec.Target == v1alpha1.TargetRetired
}

// deleted means that the prototype is gone, or goes as soon as what holds it is gone.
func (s Snapshot) deleted() bool {
	return s.Prototype == nil || !s.Prototype.DeletionTimestamp.IsZero()
}

// released means that the Deployment is the current record's.
func (s Snapshot) released() bool {
	return s.memory().Record != "" && s.Place.Rollout.Record == s.memory().Record
}

// steady means that everything in production was once written as it should be, so that a difference is drift and no
// change of ours.
func (s Snapshot) steady() bool {
	m := s.memory()
	return m.Leftover == "" && (m.serving() || s.released())
}

// reviewOf is the review of a record, nil if it is gone.
func (s Snapshot) reviewOf(name string) *v1alpha1.HardeningReview {
	for _, review := range s.Reviews {
		if name != "" && review.Spec.Record == name {
			return review
		}
	}
	return nil
}

// intentReported means that the review says what is about to happen.
func (s Snapshot) intentReported() bool {
	review := s.reviewOf(s.memory().Record)
	if review == nil || review.Status.Promotion == nil || review.Status.Promotion.IntentAt == nil {
		return false
	}
	return review.Status.Promotion.IntentAt.Unix() == s.memory().IntentAt.Unix()
}

// soakEnds is when the current record will have soaked.
func (s Snapshot) soakEnds() time.Time {
	return s.memory().SoakingSince.Add(s.Current.Requirements.Soak())
}

// record finds a record that the snapshot holds, nil if it could not be read.
func (s Snapshot) record(name string) *record.Record {
	known := []*record.Record{s.Current, s.Beside}
	if s.Candidate != nil {
		known = append(known, s.Candidate.Record)
	}
	for _, r := range known {
		if r != nil && name != "" && r.Name() == name {
			return r
		}
	}
	return nil
}

// size of a record by what was measured for it: that which was settled when it was intended, or for a candidate what it
// would be. The zero Size where nothing tells.
func (s Snapshot) size(name string) gate.Size {
	switch m := s.memory(); {
	case name == m.Record:
		return m.Size
	case name == m.Previous.Record:
		return m.Previous.Size
	case s.Candidate != nil && s.Candidate.Record != nil && name == s.Candidate.Record.Name():
		return s.Candidate.Size
	}
	return gate.Size{}
}

// sized is a record with as many replicas as were measured for it to need, within what was reviewed.
func (s Snapshot) sized(r record.Record) record.Record {
	bounds := &r.Requirements.Production.Replicas
	if size := s.size(r.Name()); size != (gate.Size{}) {
		bounds.Min = min(max(size.Min, bounds.Min), bounds.Max)
		bounds.Max = min(max(size.Max, bounds.Min), bounds.Max)
	}
	return r
}

// credentials are those that were made for a record, nil if they were not looked at.
func (s Snapshot) credentials(name string) *credentials.Made {
	if s.CredentialsOf != name {
		return nil
	}
	return s.Credentials
}

// secretsDigest is what the record's pods are rendered with. Where a source is missing they keep what they have.
func (s Snapshot) secretsDigest(name string) string {
	if made := s.credentials(name); made != nil && len(made.Problems) == 0 {
		return made.Digest
	}
	if s.Place.Rollout.Record == name {
		return s.Place.Rollout.SecretsDigest
	}
	return ""
}
