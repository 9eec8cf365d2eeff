package promotion

import (
	"testing"

	"github.com/affineur/affineur/api/v1alpha1"
)

func (s *situation) stopped(action v1alpha1.StopAction, scope v1alpha1.StopScope) *situation {
	s.snapshot.Stops = append(s.snapshot.Stops, v1alpha1.EmergencyStop{Spec: v1alpha1.EmergencyStopSpec{
		Action: action, Scope: scope, Reason: "It leaks.", By: "rita@example.org",
	}})
	return s
}

// A stop freezes before traffic, keeps what runs as the stop wants it, and holds nothing against the revision.
func TestDecideUnderAnEmergencyStop(t *testing.T) {
	const freeze, sever, halt = v1alpha1.StopFreeze, v1alpha1.StopSever, v1alpha1.StopStop
	one, two := identity.Record(1), identity.Record(2)
	all, membership, other := v1alpha1.StopScope{All: &v1alpha1.StopAll{}}, v1alpha1.StopScope{Team: "membership"}, v1alpha1.StopScope{Gateway: "default"}
	for name, test := range map[string]struct {
		memory string
		make   func(s *situation)
		want   string
	}{
		"frozen before anything": {"", func(s *situation) { s.stopped(freeze, all).candidate("1") }, "nothing · candidate: EmergencyStop"},
		"frozen by an image": {"", func(s *situation) {
			s.stopped(freeze, v1alpha1.StopScope{Digest: "sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"}).candidate("1")
		}, "nothing · candidate: EmergencyStop"},
		"frozen before its release": {"1 intended", func(s *situation) { s.stopped(freeze, all).candidate("1").reported() }, "nothing · current: EmergencyStop"},
		"frozen while it serves":    {"1 serving", func(s *situation) { s.stopped(freeze, all).runs(available(one)) }, "Prepare(" + one + ") → Release(" + one + ")"},
		"another's gateway": {"1 serving", func(s *situation) { s.stopped(halt, other).runs(available(one)) },
			"Prepare(" + one + ") → Release(" + one + ")"},
		"severed while it serves": {"1 serving", func(s *situation) { s.stopped(sever, membership).runs(available(one)) },
			"Sever → Replace → Prepare(" + one + ") → Release(" + one + ") · current: EmergencyStop"},
		"severed, pods replaced": {"1 serving", func(s *situation) {
			r := available(one)
			s.stopped(sever, membership).runs(r)
			r.CutOff = s.snapshot.effects().Mark()
			for i := range r.Pods {
				r.Pods[i].CutOff = r.CutOff
			}
			s.runs(r)
		}, "Sever → Prepare(" + one + ") → Release(" + one + ") · current: EmergencyStop"},
		"stopped while it soaks": {"1 soaking", func(s *situation) { s.stopped(halt, all).runs(available(one)) },
			"Sever → Halt → Remember(" + one + " intended) · current: EmergencyStop"},
		"stopped before its release": {"2 intended after 1", func(s *situation) {
			s.stopped(halt, all).candidate("2").reported().runs(available(one))
		}, "Sever → Halt → Remember(" + one + " serving, leftover " + two + ") · current: EmergencyStop"},
		"crashing, and stopped": {"1 intended", func(s *situation) { s.stopped(halt, all).runs(crashing(one)) },
			"Sever → Halt → Prepare(" + one + ") → Release(" + one + ") · current: EmergencyStop"},
		"stopped, and its record is gone": {"1 serving", func(s *situation) {
			s.stopped(halt, other).runs(available(one))
			s.snapshot.Current = nil
		}, "Sever → Halt · current: EmergencyStop"},
		"nobody can tell whose it is": {"1 serving", func(s *situation) {
			s.stopped(halt, other).runs(available(one))
			s.snapshot.Failed, s.snapshot.TeamUnread = errTrouble, true
		}, "Sever → Halt · current: EmergencyStop"},
		"frozen, and not everything can be read": {"1 serving", func(s *situation) {
			s.stopped(freeze, all).candidate("2").runs(available(one))
			s.snapshot.Failed, s.snapshot.FailedSince = errTrouble, later
		}, "nothing"},
		"what runs before it can't be told": {"2 intended after 1", func(s *situation) {
			s.stopped(halt, other).candidate("2").reported().runs(available(one))
			s.snapshot.Beside = nil
		}, "Sever → Halt → Remember(" + one + " serving, leftover " + two + ") · current: EmergencyStop"},
		"retired all the same": {"1 serving", func(s *situation) {
			s.stopped(halt, all).runs(available(one))
			s.snapshot.Prototype = prototypeOf(v1alpha1.TargetRetired)
		}, "Sever → Halt → Remember(" + one + " serving, retiring)"},
		"frozen when the soak ends": {"1 soaking", func(s *situation) { s.stopped(freeze, all).runs(available(one)) },
			"Prepare(" + one + ") → Release(" + one + ") · current: EmergencyStop"},
		"frozen, and it fails while it soaks": {"2 soaking after 1", func(s *situation) {
			r := available(two)
			r.Pods[0].Ready = false
			s.stopped(freeze, all).runs(r)
		}, "Remember(" + one + " serving, fault " + two + " SoakFailed, leftover " + two + ")"},
		"frozen with what served before": {"2 serving, 1 left", func(s *situation) { s.stopped(freeze, all).runs(available(two)) },
			"Prepare(" + two + " beside " + one + ") → Release(" + two + ")"},
		"frozen with what failed": {"1 again, 2 failed", func(s *situation) { s.stopped(freeze, all).runs(available(one)) },
			"Prepare(" + one + " beside " + two + ") → Release(" + one + ") → Prune(" + two + ") → Remember(" + one + " serving, fault " + two + " SoakFailed)"},
		"lifted, and a pod from under it does not end": {"1 soaking", func(s *situation) {
			r := available(one)
			r.Pods = append(r.Pods, Pod{Name: "old", Review: "1", Terminating: true, CutOff: "earlier", Created: start})
			s.runs(r)
		}, "Remember(" + one + " serving)"},
		"stopped while its namespace goes": {"1 serving", func(s *situation) {
			s.stopped(halt, all).runs(available(one))
			s.snapshot.Place.Terminating = true
		}, "Sever → Halt · current: Retiring"},
		"severed while its namespace goes": {"1 serving", func(s *situation) {
			s.stopped(sever, membership).runs(available(one))
			s.snapshot.Place.Terminating = true
		}, "Sever → Replace · current: Retiring"},
		"nothing runs": {"", func(s *situation) { s.stopped(halt, all) }, "nothing · current: EmergencyStop"},
	} {
		t.Run(name, func(t *testing.T) {
			s := makeSituation(t)
			if test.memory != "" {
				s.remembers(memories(s)[test.memory]).review("1")
			}
			test.make(s)
			if got := Decide(s.snapshot, later).String(); got != test.want {
				t.Errorf("got  %s\nwant %s", got, test.want)
			}
		})
	}
}
