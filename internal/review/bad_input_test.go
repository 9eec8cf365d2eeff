package review

import (
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/affineur/affineur/api/v1alpha1"
)

// Without IT's Secret the integrations can't be tried. Nothing is half made, and it goes on when the Secret is there.
func TestCredentialMissing(t *testing.T) {
	w := newWorld(t)
	secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: v1alpha1.SystemNamespace, Name: "crm-prod"}}
	w.must(w.client.Delete(w.ctx(), secret))
	w.settle()
	w.measured(allPassed[0], allPassed[1], "integration Pending CredentialMissing")
	w.is(v1alpha1.ConditionStalled, "True CredentialMissing")
	if w.waiting() != "IT" {
		t.Error(w.dump())
	}
	w.clear()
	secret.Data, secret.ResourceVersion = map[string][]byte{"token": []byte("t")}, ""
	w.must(w.client.Create(w.ctx(), secret))
	w.settle()
	w.measured(allPassed...)
	w.is(v1alpha1.ConditionStalled, "")
}

// A review without its record, or with another's, does nothing at all.
func TestRecordMissing(t *testing.T) {
	for name, spoil := range map[string]func(w *world){
		"gone": func(w *world) {
			w.must(w.client.Delete(w.ctx(), &appsv1.ControllerRevision{ObjectMeta: metav1.ObjectMeta{Namespace: v1alpha1.RecordsNamespace, Name: w.rec.Name()}}))
		},
		"tampered with": func(w *world) {
			var object appsv1.ControllerRevision
			w.must(w.client.Get(w.ctx(), client.ObjectKey{Namespace: v1alpha1.RecordsNamespace, Name: w.rec.Name()}, &object))
			object.Data.Raw = []byte(strings.Replace(string(object.Data.Raw), `"quorum":1`, `"quorum":0`, 1))
			w.must(w.client.Update(w.ctx(), &object))
		},
		"review written by hand": func(w *world) {
			review := w.review()
			review.Spec.Authors = []string{"nobody@example.org"}
			w.must(w.client.Update(w.ctx(), review))
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			spoil(w)
			w.approve()
			w.settle()
			w.is(v1alpha1.ConditionStalled, "True RecordMissing")
			w.is(v1alpha1.ConditionApproved, "Unknown RecordMissing")
			if w.waiting() != "IT" || w.outcome() != nil {
				t.Error(w.dump())
			}
			w.clear()
			if len(w.writes) != 1 {
				t.Errorf("%v", w.writes)
			}
		})
	}
}

// The rehearsal namespace of an earlier review goes before this one's is made; a stranger's is left alone and named.
func TestRehearsalInTheWay(t *testing.T) {
	w := newWorld(t)
	other := w.rehearsalOf(2)
	w.must(w.client.Create(w.ctx(), other))
	w.settle()
	w.measured(allPassed...)
	w.clear()

	w = newWorld(t)
	w.must(w.client.Create(w.ctx(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: identity.Rehearsal()}}))
	w.settle()
	w.measured(allPassed[0], allPassed[1], "integration Pending NamespaceConflict")
	w.is(v1alpha1.ConditionStalled, "True NamespaceConflict")
	if got := w.review().Status; w.waiting() != "IT" || !strings.Contains(got.Gates[2].Message, identity.Rehearsal()) {
		t.Error(w.dump())
	}
	if w.rehearsal() == nil {
		t.Error("a stranger's namespace was deleted")
	}
}

// A stranger's object of a name that is needed is named and left alone.
func TestObjectInTheWay(t *testing.T) {
	w := newWorld(t)
	name := identity.Run("scalability", key(w.review(), "scalability", "")+"-1")
	foreign := &batchv1.Job{ObjectMeta: metav1.ObjectMeta{Namespace: v1alpha1.GatesNamespace, Name: name}}
	w.hidden = name
	w.must(w.client.Create(w.ctx(), foreign))
	w.settle()
	w.is(v1alpha1.ConditionStalled, "True ObjectConflict")
	if got := w.review().Status.WaitingOn; w.waiting() != "IT" || !strings.Contains(got[0].Message, name) {
		t.Error(w.dump())
	}
	w.must(w.client.Delete(w.ctx(), foreign))
	w.hidden = ""
	w.settle()
	w.measured(allPassed...)
}

// Without the canary nothing shows what is out of reach.
func TestCanaryMissing(t *testing.T) {
	w := newWorld(t)
	canary := &corev1.Service{ObjectMeta: metav1.ObjectMeta{Namespace: v1alpha1.GatesNamespace, Name: v1alpha1.CanaryService}}
	w.must(w.client.Delete(w.ctx(), canary))
	w.settle()
	w.measured(allPassed[0], allPassed[1], "integration Pending CanaryMissing")
	w.is(v1alpha1.ConditionStalled, "True CanaryMissing")
	w.clear()
}

// A review that was deleted in the middle leaves nothing running.
func TestReviewDeletedInTheMiddle(t *testing.T) {
	for passes := range 6 {
		w := newWorld(t)
		for range passes {
			w.must(w.pass())
		}
		w.must(w.client.Delete(w.ctx(), w.review()))
		for range 5 {
			w.must(w.pass())
		}
		if jobs := w.jobs(); len(jobs) > 0 || len(w.openings()) > 0 || w.rehearsal() != nil {
			t.Errorf("after %d passes: left behind: %v, %v", passes, jobs, w.rehearsal())
		}
	}
}
