package promotion

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/affineur/affineur/api/v1alpha1"
)

// TestDecideInvariants tries every combination of what the namespace remembers, what runs, what is asked and what
// is permitted, and holds every plan against what must never happen.
func TestDecideInvariants(t *testing.T) {
	doubts := map[string]func(*Candidate){
		"":             func(*Candidate) {},
		"no hint":      func(c *Candidate) { c.Hinted = false },
		"no guards":    func(c *Candidate) { c.Guards.OK = false },
		"no gates":     func(c *Candidate) { c.Gates.OK = false },
		"no approvals": func(c *Candidate) { c.Approvals.OK = false },
		"no record":    func(c *Candidate) { c.Record = nil },
		"a tag": func(c *Candidate) {
			tagged := *c.Record
			tagged.Subject.Container.Image = "registry.example.org/membership/churn:1"
			c.Record = &tagged
		},
	}
	deleting := prototypeOf(v1alpha1.TargetProduction)
	deleting.DeletionTimestamp = &metav1.Time{Time: start}
	prototypes := map[string]*v1alpha1.AIPrototype{
		"gone": nil, "Sandbox": prototypeOf(v1alpha1.TargetSandbox), "Production": prototypeOf(v1alpha1.TargetProduction),
		"Retired": prototypeOf(v1alpha1.TargetRetired), "deleting": deleting,
	}
	base := makeSituation(t)
	one, two := base.name("1"), base.name("2")
	rollouts := map[string]Rollout{
		"none": {}, "1": available(one), "2 starting": starting(two), "2": available(two), "2 crashing": crashing(two),
		"foreign": available("somebody-elses-1"),
	}
	seen := 0
	for remembered, m := range memories(base) {
		for running, rollout := range rollouts {
			for wish, prototype := range prototypes {
				for _, asks := range []string{"", "1", "2"} {
					for doubt, edit := range doubts {
						for _, told := range []bool{false, true} {
							for _, now := range []time.Time{soakedAt.Add(time.Second), later} {
								s := makeSituation(t)
								s.remembers(m).runs(rollout).review("1").review("2")
								s.snapshot.Prototype = prototype
								if asks != "" {
									s.candidate(asks, edit)
								}
								switch doubt {
								case "no approvals":
									s.snapshot.Approvals = &Check{Why: "security is missing."}
								case "no guards":
									s.snapshot.Guards = &Check{Why: "Policy x differs."}
								}
								if told {
									s.reported()
								}
								seen++
								at := fmt.Sprintf("%s | runs %s | %s | asks %q %s | told %v | %s", remembered, running, wish, asks, doubt, told, now.Format(time.TimeOnly))
								permitted := asks != "" && doubt == "" && wish == "Production"
								mustHold(t, at, s, asks, permitted, told, now)
							}
						}
					}
				}
			}
		}
	}
	if seen < 10000 {
		t.Errorf("only %d situations", seen)
	}
}

func mustHold(t *testing.T, at string, s *situation, asks string, permitted, told bool, now time.Time) {
	t.Helper()
	m, before := s.snapshot.memory(), s.snapshot.Place.Rollout
	p := Decide(s.snapshot, now)
	bad := func(format string, args ...any) {
		t.Helper()
		t.Errorf("%s\n plan %s: %s", at, p, fmt.Sprintf(format, args...))
	}
	if again := Decide(s.snapshot, now); again.String() != p.String() {
		bad("another plan the second time: %s", again)
	}
	for i, a := range p.Actions {
		switch a.Kind {
		case Release:
			other := before.Record != a.Record && !m.serving()
			if before.Record == m.Record && m.underWay() && !s.snapshot.Approvals.OK {
				bad("keeps what is not approved")
			}
			if a.Record != m.Record || (other && !(permitted && told && s.name(asks) == a.Record)) {
				bad("the Deployment changes without recorded intent, gates, approvals or guards")
			}
		case Remember:
			if i != len(p.Actions)-1 {
				bad("something follows Remember")
			}
			if a.Memory == m {
				bad("remembers nothing new: it would never settle")
			}
			if !m.serving() && a.Memory.Record == m.Record && a.Memory.serving() &&
				(!s.snapshot.Approvals.OK || !s.snapshot.Guards.OK || s.snapshot.deleted()) {
				bad("serves what is not approved, or without guards, or for nobody")
			}
			known := []string{"", m.Record, m.Previous.Record}
			if !slices.Contains(known, a.Memory.Record) && !(permitted && a.Memory.Record == s.name(asks)) {
				bad("intends what is not permitted")
			}
		case Teardown:
			if !m.Retiring && (m.Record != "" || before.Exists) {
				bad("takes down what serves")
			}
		case Stop:
			if m.Record != "" {
				bad("stops what is to serve")
			}
		case Prune:
			if a.Record == m.Record || (m.Record != "" && !(before.Record == m.Record && before.complete())) {
				bad("removes what pods still need")
			}
		}
	}
	keeps := m.serving() && !m.Retiring && s.snapshot.Prototype == nil
	if keeps && (!p.has(Release) || p.has(Teardown) || p.has(Stop)) {
		bad("an orphan does not keep serving")
	}
	if strings.Contains(p.String(), "nothing · ") && p.Candidate == nil && p.Current == nil {
		bad("waits without a word")
	}
}

// has tells whether a plan holds an action of the kind.
func (p Plan) has(kind Kind) bool {
	for _, a := range p.Actions {
		if a.Kind == kind {
			return true
		}
	}
	return false
}
