package promotion

import (
	"errors"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/internal/workload"
)

// A namespace that is being deleted is cut off too, where nothing can be made any more: its pods may take long to go.
func TestStoppedWhileItsNamespaceGoes(t *testing.T) {
	for action, replicas := range map[v1alpha1.StopAction]int32{v1alpha1.StopStop: 0, v1alpha1.StopSever: 2} {
		w, _ := first(t)
		w.settle()
		namespace := w.namespace()
		namespace.Finalizers = []string{"example.org/held"}
		w.must(w.client.Update(w.ctx(), namespace))
		w.must(w.client.Delete(w.ctx(), namespace))
		w.must(w.client.DeleteAllOf(w.ctx(), &rbacv1.RoleBinding{}, client.InNamespace(identity.Production())))
		w.refused = troubleWith("RoleBinding")
		w.stops("leak", action, membership)
		if _, err := w.pass(); err != nil {
			t.Errorf("%s: %v", action, err)
		}
		d := w.deployment()
		if open := w.open(); len(open) > 0 || *d.Spec.Replicas != replicas || d.Spec.Template.Annotations[v1alpha1.AnnotationCutOff] == "" {
			t.Errorf("%s: open are %v, %d replicas, annotations %v", action, open, *d.Spec.Replicas, d.Spec.Template.Annotations)
		}
	}
}

// What keeps rights from being made keeps no pods from before: the rules are closed all the same.
func TestSeveredWithoutRights(t *testing.T) {
	w, _ := first(t)
	w.settle()
	w.must(w.client.DeleteAllOf(w.ctx(), &rbacv1.RoleBinding{}, client.InNamespace(identity.Production())))
	w.refused = troubleWith("RoleBinding")
	w.stops("leak", v1alpha1.StopSever, membership)
	if _, err := w.pass(); !errors.Is(err, errTrouble) {
		t.Errorf("it is not told: %v", err)
	}
	if open, mark := w.open(), w.deployment().Spec.Template.Annotations[v1alpha1.AnnotationCutOff]; len(open) > 0 || mark == "" {
		t.Errorf("open are %v, marked %q", open, mark)
	}
}

// Where nobody can tell any more what was reviewed, responders can go on by hand.
func TestByHandUnderAStop(t *testing.T) {
	w, _ := first(t)
	w.settle()
	at := client.ObjectKey{Namespace: identity.Production(), Name: workload.RoleByHand}
	w.must(w.client.Delete(w.ctx(), &rbacv1.RoleBinding{ObjectMeta: metav1.ObjectMeta{Namespace: at.Namespace, Name: at.Name}}))
	w.restart()
	w.unread = troubleWith("ControllerRevision")
	w.stops("leak", v1alpha1.StopSever, membership)
	_, _ = w.pass()
	w.must(w.client.Get(w.ctx(), at, &rbacv1.RoleBinding{}))
}

// However often a cut failed, it is tried again soon.
func TestFailedCutIsTriedAgainSoon(t *testing.T) {
	limiter, request := retries(), requests(identity.Production())[0]
	var pause time.Duration
	for range 50 {
		pause = limiter.When(request)
	}
	if pause > 30*time.Second || pause < time.Second {
		t.Errorf("after %s", pause)
	}
}

// Whose production is its team's namespace says: a change of that looks at every production of its prototypes.
func TestTeamsNamespaceLeadsToProduction(t *testing.T) {
	w, _ := first(t)
	w.settle()
	before := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: identity.Namespace, Labels: map[string]string{v1alpha1.LabelTeam: "a"}}}
	after := before.DeepCopy()
	if relabelled().Update(event.UpdateEvent{ObjectOld: before, ObjectNew: after}) {
		t.Error("nothing changed, and it is looked at")
	}
	after.Labels[v1alpha1.LabelTeam] = "b"
	if !relabelled().Update(event.UpdateEvent{ObjectOld: before, ObjectNew: after}) {
		t.Error("another team, and nobody looks")
	}
	if got := w.controller.ofTeam(w.ctx(), after); len(got) != 1 || got[0].Name != identity.Production() {
		t.Errorf("leads to %v", got)
	}
}
