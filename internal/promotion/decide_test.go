package promotion

import (
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/internal/credentials"
	"github.com/affineur/affineur/internal/policy"
	"github.com/affineur/affineur/internal/record"
)

// situation builds a snapshot.
type situation struct {
	t        *testing.T
	snapshot Snapshot
	records  map[string]record.Record
}

func makeSituation(t *testing.T) *situation {
	s := &situation{t: t, records: map[string]record.Record{"1": recordOf(t, 1, digestA), "2": recordOf(t, 2, digestB)}}
	id := identity
	s.snapshot = Snapshot{
		Name: identity.Production(), Identity: &id, Prototype: prototypeOf(v1alpha1.TargetProduction), Approvals: &Check{OK: true},
		Guards: &Check{OK: true},
	}
	return s
}

func (s *situation) name(n string) string {
	if n == "" {
		return ""
	}
	r := s.records[n]
	return r.Name()
}

func (s *situation) remembers(m Memory) *situation {
	s.snapshot.Place.Exists, s.snapshot.Place.UID, s.snapshot.Place.Memory = true, identity.UID, m
	for n, r := range s.records {
		if r.Name() == m.Record {
			r := s.records[n]
			s.snapshot.Current = &r
		}
		if r.Name() == m.beside() {
			r := s.records[n]
			s.snapshot.Beside = &r
		}
	}
	return s
}

func (s *situation) runs(r Rollout) *situation {
	s.snapshot.Place.Rollout = r
	return s
}

// candidate is permitted in every respect, but for the edits.
func (s *situation) candidate(n string, edits ...func(c *Candidate)) *situation {
	r := s.records[n]
	c := &Candidate{
		Review: reviewOf(r), Record: &r, Hinted: true,
		Guards: Check{OK: true}, Gates: Check{OK: true}, Approvals: Check{OK: true},
	}
	for _, edit := range edits {
		edit(c)
	}
	s.snapshot.Candidate = c
	s.snapshot.Credentials, s.snapshot.CredentialsOf = &credentials.Made{}, r.Name()
	return s.review(n)
}

func (s *situation) review(n string) *situation {
	if s.snapshot.reviewOf(s.name(n)) == nil {
		s.snapshot.Reviews = append(s.snapshot.Reviews, reviewOf(s.records[n]))
	}
	return s
}

// reported lets the review of the current record tell the intent.
func (s *situation) reported() *situation {
	if review := s.snapshot.reviewOf(s.snapshot.memory().Record); review != nil {
		review.Status.Promotion = &v1alpha1.PromotionStatus{Step: v1alpha1.StepPreparing, IntentAt: seconds(s.snapshot.memory().IntentAt)}
	}
	return s
}

// rollouts of a record.
func available(name string) Rollout {
	return Rollout{
		Exists: true, Record: name, Observed: true, Replicas: 2, Total: 2, Updated: 2, Available: 2, Autoscaled: true, Created: start,
		Pods: []Pod{
			{Name: "a", Review: reviewOfRecord(name), Ready: true, Created: start},
			{Name: "b", Review: reviewOfRecord(name), Ready: true, Created: start},
		},
	}
}

func starting(name string) Rollout {
	r := available(name)
	r.Total, r.Updated, r.Available = 3, 1, 2
	r.Pods[0].Ready = false
	return r
}

func crashing(name string) Rollout {
	r := starting(name)
	r.Pods[0].Waiting = crashLoop
	return r
}

var (
	intentAt = start.Add(time.Minute)
	soakedAt = start.Add(2 * time.Minute)
	later    = soakedAt.Add(time.Hour)
)

// memories by what they say; "1" and "2" stand for records.
func memories(s *situation) map[string]Memory {
	one, two := s.name("1"), s.name("2")
	served := Served{Record: one, IntentAt: intentAt, Since: soakedAt}
	fault := Fault{Record: two, Reason: v1alpha1.ReasonSoakFailed, Message: "Pod a ended.", At: soakedAt, Previous: one}
	return map[string]Memory{
		"nothing":              {},
		"1 intended":           {Record: one, IntentAt: intentAt},
		"1 soaking":            {Record: one, IntentAt: intentAt, SoakingSince: soakedAt},
		"1 serving":            {Record: one, IntentAt: intentAt, ServingSince: soakedAt},
		"2 intended after 1":   {Record: two, IntentAt: intentAt, Previous: served},
		"2 soaking after 1":    {Record: two, IntentAt: intentAt, SoakingSince: soakedAt, Previous: served},
		"2 serving, 1 left":    {Record: two, IntentAt: intentAt, ServingSince: soakedAt, Previous: served, Leftover: one},
		"1 again, 2 failed":    {Record: one, IntentAt: intentAt, ServingSince: soakedAt, Fault: fault, Leftover: two},
		"nothing, 2 failed":    {Fault: fault, Leftover: two},
		"nothing, 2 forgotten": {Fault: fault},
		"1 retiring":           {Record: one, IntentAt: intentAt, ServingSince: soakedAt, Retiring: true},
	}
}

// TestWake: what has not soaked is looked at again in time, also when nothing happens.
func TestWake(t *testing.T) {
	now := soakedAt.Add(time.Second)
	for name, test := range map[string]struct {
		memory string
		change func(s *Snapshot)
		now    time.Time
		want   time.Time
	}{
		"soaks":                                  {"1 soaking", func(*Snapshot) {}, now, soakedAt.Add(10 * time.Second)},
		"an approval expires first":              {"1 soaking", func(s *Snapshot) { s.Approvals.Until = now.Add(time.Second) }, now, now.Add(time.Second)},
		"an approval expires later":              {"1 soaking", func(s *Snapshot) { s.Approvals.Until = later }, now, soakedAt.Add(10 * time.Second)},
		"rolls out":                              {"1 intended", func(*Snapshot) {}, now, time.Time{}},
		"an approval expires while it rolls out": {"1 intended", func(s *Snapshot) { s.Approvals.Until = later }, now, later},
		"approvals can't be counted while it rolls out":  {"1 intended", func(s *Snapshot) { s.Approvals = nil }, now, now.Add(lookAgain)},
		"approvals can't be counted when the soak ends":  {"1 soaking", func(s *Snapshot) { s.Approvals = nil }, later, later.Add(lookAgain)},
		"the guards are not in place when the soak ends": {"1 soaking", func(s *Snapshot) { s.Guards = &Check{} }, later, later.Add(lookAgain)},
		"approvals can't be counted while it soaks":      {"1 soaking", func(s *Snapshot) { s.Approvals = nil }, soakedAt.Add(-time.Hour), soakedAt.Add(-time.Hour + lookAgain)},
	} {
		t.Run(name, func(t *testing.T) {
			s := makeSituation(t)
			s.remembers(memories(s)[test.memory]).runs(starting(s.name("1")))
			if test.memory == "1 soaking" {
				s.runs(available(s.name("1")))
			}
			test.change(&s.snapshot)
			if got := Decide(s.snapshot, test.now).Wake; !got.Equal(test.want) {
				t.Errorf("wakes at %s, want %s", got, test.want)
			}
		})
	}
}

func TestDecide(t *testing.T) {
	one, two := identity.Record(1), identity.Record(2)
	for name, test := range map[string]struct {
		memory string
		make   func(s *situation)
		now    time.Time
		want   string
	}{
		"nothing asked": {"", func(*situation) {}, later, "nothing"},
		"permitted": {"", func(s *situation) { s.candidate("1") }, later,
			"Prepare(" + one + ") → Remember(" + one + " intended)"},
		"guards are out": {"", func(s *situation) { s.candidate("1", func(c *Candidate) { c.Guards = Check{} }) }, later,
			"nothing · candidate: GuardsNotInPlace"},
		"intent not told yet": {"1 intended", func(s *situation) { s.candidate("1") }, later, "Prepare(" + one + ")"},
		"intent told": {"1 intended", func(s *situation) { s.candidate("1").reported() }, later,
			"Prepare(" + one + ") → Release(" + one + ")"},
		"revoked before release": {"2 intended after 1", func(s *situation) {
			s.candidate("2", func(c *Candidate) { c.Approvals = Check{} }).reported().runs(available(one))
		}, later, "Remember(" + one + " serving, leftover " + two + ") · candidate: NotApproved"},
		"revoked after release": {"2 intended after 1", func(s *situation) {
			s.runs(starting(two))
			s.snapshot.Approvals = &Check{Why: "security is missing."}
		}, later, "Remember(" + one + " serving, fault " + two + " ApprovalRevoked, leftover " + two + ")"},
		"revoked while it soaks": {"2 soaking after 1", func(s *situation) {
			s.runs(available(two))
			s.snapshot.Approvals = &Check{Why: "security is missing."}
		}, soakedAt.Add(time.Second), "Remember(" + one + " serving, fault " + two + " ApprovalRevoked, leftover " + two + ")"},
		"revoked when the soak ends, with nothing before": {"1 soaking", func(s *situation) {
			s.runs(available(one))
			s.snapshot.Approvals = &Check{Why: "security is missing."}
		}, later, "Remember(nothing, fault " + one + " ApprovalRevoked, leftover " + one + ")"},
		"rejected by count while it soaks": {"1 soaking", func(s *situation) {
			s.runs(available(one))
			s.snapshot.Approvals = &Check{Why: "Role security rejected it.", Rejected: true}
		}, soakedAt.Add(time.Second), "Remember(nothing, fault " + one + " Rejected, leftover " + one + ")"},
		"approvals can't be counted when the soak ends": {"1 soaking", func(s *situation) {
			s.runs(available(one))
			s.snapshot.Approvals = nil
		}, later, "Prepare(" + one + ") → Release(" + one + ")"},
		"guards can't be measured when the soak ends": {"1 soaking", func(s *situation) {
			s.runs(available(one))
			s.snapshot.Approvals, s.snapshot.Guards = nil, &Check{Why: "The API server does not answer."}
		}, later, "Prepare(" + one + ") → Release(" + one + ") · current: GuardsNotInPlace"},
		"guards are out when the soak ends": {"1 soaking", func(s *situation) {
			s.runs(available(one))
			s.snapshot.Guards = &Check{Why: "Policy x differs."}
		}, later, "Prepare(" + one + ") → Release(" + one + ") · current: GuardsNotInPlace"},
		"guards were not looked at when the soak ends": {"1 soaking", func(s *situation) {
			s.runs(available(one))
			s.snapshot.Guards = nil
		}, later, "Prepare(" + one + ") → Release(" + one + ")"},
		"revoked while the guards are out": {"1 soaking", func(s *situation) {
			s.runs(available(one))
			s.snapshot.Guards, s.snapshot.Approvals = &Check{Why: "Policy x differs."}, &Check{Why: "security is missing."}
		}, later, "Remember(nothing, fault " + one + " ApprovalRevoked, leftover " + one + ")"},
		"deleted while it rolls out": {"2 intended after 1", func(s *situation) {
			s.runs(starting(two))
			s.snapshot.Prototype = nil
		}, later, "Remember(" + one + " serving, fault " + two + " Withdrawn, leftover " + two + ")"},
		"deleted while it soaks": {"1 soaking", func(s *situation) {
			s.runs(available(one))
			s.snapshot.Prototype.DeletionTimestamp = &metav1.Time{Time: start}
		}, soakedAt.Add(time.Second), "Remember(nothing, fault " + one + " Withdrawn, leftover " + one + ")"},
		"its review was sealed as superseded": {"1 soaking", func(s *situation) {
			s.runs(available(one))
			s.snapshot.Sealed = v1alpha1.OutcomeSuperseded
		}, later, "Remember(nothing, fault " + one + " Superseded, leftover " + one + ")"},
		"revoked after it soaked": {"1 serving", func(s *situation) {
			s.runs(available(one))
			s.snapshot.Approvals = &Check{Why: "security is missing."}
		}, later, "Prepare(" + one + ") → Release(" + one + ")"},
		"pods available": {"2 intended after 1", func(s *situation) { s.runs(available(two)) }, later,
			"Remember(" + two + " soaking, after " + one + ")"},
		"pods counted, and not all seen to be ready yet": {"2 intended after 1", func(s *situation) {
			r := available(two)
			r.Pods[1].Ready = false
			s.runs(r)
		}, later, "Prepare(" + two + " beside " + one + ") → Release(" + two + ")"},
		"crash loop": {"2 intended after 1", func(s *situation) { s.runs(crashing(two)) }, later,
			"Remember(" + one + " serving, fault " + two + " CrashLooping, leftover " + two + ")"},
		"back to the one before": {"1 again, 2 failed", func(s *situation) { s.runs(crashing(two)) }, later,
			"Prepare(" + one + " beside " + two + ") → Release(" + one + ")"},
		"cleaned up after the way back": {"1 again, 2 failed", func(s *situation) { s.runs(available(one)) }, later,
			"Prepare(" + one + " beside " + two + ") → Release(" + one + ") → Prune(" + two + ") → Remember(" + one + " serving, fault " + two + " SoakFailed)"},
		"nothing to go back to": {"nothing, 2 failed", func(s *situation) { s.runs(crashing(two)) }, later, "Stop"},
		"stopped":               {"nothing, 2 failed", func(*situation) {}, later, "Prune(" + two + ") → Remember(nothing, fault " + two + " SoakFailed)"},
		"soaks": {"2 soaking after 1", func(s *situation) { s.runs(available(two)) }, soakedAt.Add(9 * time.Second),
			"Prepare(" + two + " beside " + one + ") → Release(" + two + ")"},
		"soaked": {"2 soaking after 1", func(s *situation) { s.runs(available(two)) }, soakedAt.Add(10 * time.Second),
			"Remember(" + two + " serving, after " + one + ", leftover " + one + ")"},
		"put back while it soaks": {"2 soaking after 1", func(s *situation) {
			r := available(two)
			r.Created = soakedAt.Add(time.Second)
			s.runs(r)
		}, later, "Remember(" + two + " intended, after " + one + ")"},
		"not all available when the soak ends": {"2 soaking after 1", func(s *situation) {
			r := available(two)
			r.Replicas, r.Total, r.Updated, r.Available = 3, 3, 3, 2
			s.runs(r)
		}, later, "Prepare(" + two + " beside " + one + ") → Release(" + two + ")"},
		"stops answering while it soaks": {"2 soaking after 1", func(s *situation) {
			r := available(two)
			r.Pods[0].Ready = false
			s.runs(r)
		}, soakedAt.Add(time.Second), "Remember(" + one + " serving, fault " + two + " SoakFailed, leftover " + two + ")"},
		"rejected while it soaks": {"2 soaking after 1", func(s *situation) {
			s.runs(available(two)).review("2")
			s.snapshot.reviewOf(two).Status.Outcome = v1alpha1.OutcomeRejected
		}, soakedAt.Add(time.Second), "Remember(" + one + " serving, fault " + two + " Rejected, leftover " + two + ")"},
		"rejected after it soaked": {"1 serving", func(s *situation) {
			s.runs(available(one))
			s.snapshot.reviewOf(one).Status.Outcome = v1alpha1.OutcomeRejected
		}, later, "Prepare(" + one + ") → Release(" + one + ")"},
		"retired before anything ran": {"", func(s *situation) {
			s.candidate("1")
			s.snapshot.Prototype = prototypeOf(v1alpha1.TargetRetired)
		}, later, "nothing · candidate: NotRequested"},
		"serves": {"1 serving", func(s *situation) { s.runs(available(one)) }, later,
			"Prepare(" + one + ") → Release(" + one + ")"},
		"the next": {"1 serving", func(s *situation) { s.runs(available(one)).candidate("2") }, later,
			"Prepare(" + two + " beside " + one + ") → Remember(" + two + " intended, after " + one + ")"},
		"the next while leftovers remain": {"2 serving, 1 left", func(s *situation) { s.runs(starting(two)).candidate("1") }, later,
			"Prepare(" + two + " beside " + one + ") → Release(" + two + ") · candidate: AnotherUnderWay"},
		"orphaned": {"1 serving", func(s *situation) { s.snapshot.Prototype = nil; s.runs(available(one)) }, later,
			"Prepare(" + one + ") → Release(" + one + ")"},
		"an orphan that is to go": {"1 serving", func(s *situation) {
			s.snapshot.Prototype, s.snapshot.Place.OrphanMark, s.snapshot.Place.Retire = nil, "true", true
			s.runs(available(one))
		}, later, "Remember(" + one + " serving, retiring)"},
		"no orphan, and yet it is to go": {"1 serving", func(s *situation) {
			s.snapshot.Place.OrphanMark, s.snapshot.Place.Retire = "false", true
			s.runs(available(one))
		}, later, "Prepare(" + one + ") → Release(" + one + ")"},
		"back to the sandbox": {"1 serving", func(s *situation) {
			s.snapshot.Prototype = prototypeOf(v1alpha1.TargetSandbox)
			s.runs(available(one))
		}, later, "Prepare(" + one + ") → Release(" + one + ")"},
		"retired": {"1 serving", func(s *situation) {
			s.snapshot.Prototype = prototypeOf(v1alpha1.TargetRetired)
			s.runs(available(one))
		}, later, "Remember(" + one + " serving, retiring)"},
		"retiring": {"1 retiring", func(s *situation) { s.snapshot.Prototype = nil; s.runs(available(one)) }, later, "Teardown"},
		"record destroyed": {"1 serving", func(s *situation) { s.snapshot.Current = nil; s.runs(available(one)) }, later,
			"nothing · current: RecordMissing"},
		"foreign namespace": {"nothing", func(s *situation) { s.snapshot.Place.Foreign = true; s.candidate("1") }, later,
			"nothing · candidate: NamespaceConflict"},
		"being deleted while it retires": {"1 retiring", func(s *situation) { s.snapshot.Place.Terminating = true }, later,
			"nothing · current: Retiring"},
		"an orphan that is being deleted": {"1 serving", func(s *situation) {
			s.snapshot.Prototype, s.snapshot.Place.Terminating = nil, true
			s.runs(available(one))
		}, later, "nothing · current: Retiring"},
		"half-made":   {"nothing", func(s *situation) { s.snapshot.Prototype = nil }, later, "Teardown"},
		"memory lost": {"nothing", func(s *situation) { s.runs(available(one)) }, later, "nothing"},
		"credentials missing": {"", func(s *situation) {
			s.candidate("1")
			s.snapshot.Credentials = &credentials.Made{Problems: []policy.Problem{{Message: "Secret x is not there."}}}
		}, later, "nothing · candidate: CredentialMissing"},
	} {
		t.Run(name, func(t *testing.T) {
			s := makeSituation(t)
			if test.memory != "" {
				m, ok := memories(s)[test.memory]
				if !ok {
					t.Fatalf("no memory %q", test.memory)
				}
				s.remembers(m).review("1")
			}
			test.make(s)
			if got := Decide(s.snapshot, test.now).String(); got != test.want {
				t.Errorf("\n got %s\nwant %s", got, test.want)
			}
		})
	}
}
