package review

import (
	"context"
	"errors"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/internal/assess"
	"github.com/affineur/affineur/internal/guard"
)

var errNoRecords = errors.New("the records do not answer")

// recordless reads nothing from the records.
type recordless struct{ client.Reader }

func (r recordless) Get(ctx context.Context, key client.ObjectKey, o client.Object, opts ...client.GetOption) error {
	if _, is := o.(*appsv1.ControllerRevision); is {
		return errNoRecords
	}
	return r.Reader.Get(ctx, key, o, opts...)
}

// rehearses passes until a rehearsal goes on.
func (w *world) rehearses() {
	w.Helper()
	for range 20 {
		w.must(w.pass())
		if w.rehearsal() != nil {
			return
		}
	}
	w.Fatal("there is no rehearsal")
}

// A rehearsal that a stop means ends though its record can't be read, or is gone; one that it does not mean goes on.
func TestRehearsalEndsWithoutItsRecord(t *testing.T) {
	for name, test := range map[string]struct {
		scope v1alpha1.StopScope
		gone  bool
		ends  bool
	}{
		"unreadable":           {v1alpha1.StopScope{All: &v1alpha1.StopAll{}}, false, true},
		"gone":                 {v1alpha1.StopScope{All: &v1alpha1.StopAll{}}, true, true},
		"somebody else's stop": {v1alpha1.StopScope{Team: "another"}, false, false},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.rehearses()
			w.must(w.client.Create(w.ctx(), &v1alpha1.EmergencyStop{
				ObjectMeta: metav1.ObjectMeta{Name: "leak"},
				Spec:       v1alpha1.EmergencyStopSpec{Scope: test.scope, Action: v1alpha1.StopSever, Reason: "It leaks.", By: "rita@example.org"},
			}))
			if test.gone {
				at := metav1.ObjectMeta{Namespace: v1alpha1.RecordsNamespace, Name: w.rec.Name()}
				w.must(w.client.Delete(w.ctx(), &appsv1.ControllerRevision{ObjectMeta: at}))
			} else {
				w.controller.Live = recordless{w.client}
			}
			for range 10 {
				if err := w.pass(); !test.gone && !errors.Is(err, errNoRecords) {
					t.Fatalf("it is not told: %v", err)
				}
			}
			if ended := w.rehearsal() == nil; ended != test.ends {
				t.Errorf("ended: %v", ended)
			}
		})
	}
}

// What a stop ends waits for nothing that may fail.
func TestDecideTearsDownFirst(t *testing.T) {
	w := newWorld(t)
	s := Snapshot{Record: &w.rec, Review: w.review(), Rehearsal: PlaceOurs, Guards: guard.State{}}
	s.Stops.Cut = true
	if actions := Decide(s, w.now).Actions; len(actions) < 2 || actions[0].Do != TearDown || actions[1].Do != Seal {
		t.Errorf("%v", actions)
	}
}

// Under a stop that cuts something off nothing is measured, for it would measure the stop: what is at work goes, nothing is kept of
// it, and all of it is made when the stop is lifted.
func TestNothingIsMeasuredUnderAStop(t *testing.T) {
	w := newWorld(t)
	w.rehearses()
	stop := &v1alpha1.EmergencyStop{
		ObjectMeta: metav1.ObjectMeta{Name: "leak"},
		Spec:       v1alpha1.EmergencyStopSpec{Scope: v1alpha1.StopScope{All: &v1alpha1.StopAll{}}, Action: v1alpha1.StopSever, Reason: "It leaks.", By: "rita@example.org"},
	}
	w.must(w.client.Create(w.ctx(), stop))
	// Jobs of an open review go before their report is kept, here on purpose.
	w.settle()
	w.wrong = nil
	if jobs := w.jobs(); len(jobs) > 0 || len(w.openings()) > 0 || w.rehearsal() != nil {
		t.Errorf("at work under a stop: %v", jobs)
	}
	if n := len(w.reports(assess.ReportOf("scalability"))); n > 0 {
		t.Errorf("%d reports of what ran under a stop", n)
	}
	w.measured(allPassed[0], "scalability Pending EmergencyStop", "integration Pending EmergencyStop")
	w.must(w.client.Delete(w.ctx(), stop))
	w.settle()
	w.measured(allPassed...)
	w.clear()
}
