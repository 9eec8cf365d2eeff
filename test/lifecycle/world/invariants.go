package world

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/internal/assess"
	"github.com/affineur/affineur/internal/names"
	"github.com/affineur/affineur/internal/record"
	"github.com/affineur/affineur/test/lifecycle/server"
)

// truth is what the world knows, whatever the operator believes.
type truth struct {
	networks networks
	trials   trials
	writers  map[types.UID]map[string]bool
	made     map[string]made
	// admitted are the records that were let into production, refused those that were taken back.
	admitted, refused map[string]bool
	// served are production namespaces in which something has soaked.
	served map[string]bool
	// serving is the record that began to serve there last, or serves again.
	serving map[string]string
	// look is what the operator saw in its pass about production.
	look look
	// hurt are those whose pods failed by themselves and are not all replaced yet.
	hurt map[string]bool
	// handed means that the credential of production was given to the run that tries the integrations.
	handed bool
	// identity of the story's prototype, for when it is gone.
	identity names.Identity
}

func newTruth() truth {
	return truth{
		networks: newNetworks(), trials: trials{}, writers: map[types.UID]map[string]bool{}, made: map[string]made{},
		admitted: map[string]bool{}, refused: map[string]bool{}, served: map[string]bool{}, serving: map[string]string{}, hurt: map[string]bool{},
	}
}

// broken notes that something is as it must never be.
func (w *World) broken(format string, args ...any) {
	w.wrong = append(w.wrong, fmt.Sprintf(format, args...))
	w.script.note(w, "BROKEN: "+w.wrong[len(w.wrong)-1])
}

// look at what was changed: every invariant that it touches is checked.
func (w *World) look(request server.Request) {
	object := request.Object()
	if request.Actor == operatorName {
		w.ownPlaces(request)
	}
	if object.GetNamespace() == v1alpha1.RecordsNamespace {
		w.recordsStay(request)
	}
	switch o := request.After.(type) {
	case *appsv1.Deployment:
		switch {
		case sandboxed(o.Namespace):
			w.isolatedFirst(request, o)
		case strings.HasPrefix(o.Namespace, v1alpha1.ProductionPrefix) && request.Verb != server.Status:
			w.onlyWhatPassed(o)
		}
	case *corev1.Pod:
		w.onlyDigests(o)
	case *corev1.Namespace:
		w.remember(o)
	case *v1alpha1.HardeningReview:
		w.speaksOfItsRecord(request, o)
	case *appsv1.ControllerRevision:
		w.truth.recordMade(w, request, o)
	case *v1alpha1.AIPrototype:
		w.truth.written(request, o)
	}
	w.keepsCredential(request)
	w.networkChanged(request)
	w.honest(request)
	w.serves()
}

// ownPlaces: the operator writes in managed namespaces, in the records and the gates, and of its own API only what is
// its own.
func (w *World) ownPlaces(request server.Request) {
	object, namespace := request.Object(), request.Object().GetNamespace()
	switch o := object.(type) {
	case *v1alpha1.AIPrototype:
		before, ok := request.Before.(*v1alpha1.AIPrototype)
		if !ok || request.Verb == server.Update && request.After != nil && (!equality.Semantic.DeepEqual(before.Spec, o.Spec) ||
			!equality.Semantic.DeepEqual(before.Annotations, o.Annotations) || !equality.Semantic.DeepEqual(before.Labels, o.Labels)) {
			w.broken("the operator changed more of a prototype than its finalizer and its status")
		}
	case *v1alpha1.HardeningReview:
		if request.Verb != server.Create && request.Verb != server.Status {
			w.broken("the operator made a %s of review %s", request.Verb, o.Name)
		}
	case *v1alpha1.HardeningPolicy:
		if request.Verb != server.Status {
			w.broken("the operator made a %s of a policy", request.Verb)
		}
	case *v1alpha1.HardeningDecision:
		w.broken("the operator made a %s of a decision", request.Verb)
	case *v1alpha1.EmergencyStop:
		if request.Verb != server.Status {
			w.broken("the operator made a %s of emergency stop %s", request.Verb, o.Name)
		}
	case *corev1.Namespace:
		if !managed(o.Name) {
			w.broken("the operator made a %s of namespace %s", request.Verb, o.Name)
		}
	default:
		if !managed(namespace) && namespace != v1alpha1.RecordsNamespace && namespace != v1alpha1.GatesNamespace {
			w.broken("the operator made a %s of %s %s/%s", request.Verb, request.Kind, namespace, object.GetName())
		}
	}
}

// recordsStay: nothing in the records namespace is changed or deleted, but what is known of the guards, and measurements
// of isolation, which the operator makes every hour.
func (w *World) recordsStay(request server.Request) {
	gate := request.Object().GetLabels()[v1alpha1.LabelGate]
	hourly := request.Verb == server.Delete && (gate == assess.ReportIsolation || gate == assess.ReportIsolationControl)
	if request.Verb != server.Create && !hourly && request.Object().GetLabels()[v1alpha1.LabelPrototypeUID] != "" {
		w.broken("%s made a %s of %s %s in the records", request.Actor, request.Verb, request.Kind, request.Object().GetName())
	}
}

// onlyDigests: no pod in production comes from a tag.
func (w *World) onlyDigests(pod *corev1.Pod) {
	if strings.HasPrefix(pod.Namespace, v1alpha1.ProductionPrefix) && !strings.Contains(pod.Spec.Containers[0].Image, "@sha256:") {
		w.broken("pod %s runs %s in production", pod.Name, pod.Spec.Containers[0].Image)
	}
}

// remember that something served in production.
func (w *World) remember(namespace *corev1.Namespace) {
	if !strings.HasPrefix(namespace.Name, v1alpha1.ProductionPrefix) {
		return
	}
	var memory struct {
		Record       string    `json:"record"`
		SoakingSince time.Time `json:"soakingSince"`
		ServingSince string    `json:"servingSince"`
		Retiring     bool      `json:"retiring"`
		Fault        struct {
			Record string `json:"record"`
		} `json:"fault"`
	}
	if raw := namespace.Annotations[v1alpha1.AnnotationPromotion]; raw != "" {
		w.Must(json.Unmarshal([]byte(raw), &memory))
	}
	if memory.Fault.Record != "" {
		w.truth.refused[memory.Fault.Record] = true
	}
	if memory.ServingSince != "" {
		// What is gone back to has no soak behind it in this memory, but in an earlier one.
		if w.truth.serving[namespace.Name] != memory.Record && !memory.SoakingSince.IsZero() {
			w.servesRightly(memory.Record, memory.SoakingSince)
		}
		w.truth.served[namespace.Name], w.truth.serving[namespace.Name] = true, memory.Record
	}
	if memory.Retiring {
		delete(w.truth.served, namespace.Name)
	}
}

// serves: what serves in production goes on serving with all its replicas, whatever is reviewed, promoted or rolled
// back meanwhile, until it is retired, or while an emergency stop holds. Programs that fail there by themselves are not
// held against the operator.
func (w *World) serves() {
	for namespace := range w.truth.served {
		if w.stopped() {
			w.truth.hurt[namespace] = true
			continue
		}
		d, ok := w.server.Find(deploymentKind, types.NamespacedName{Namespace: namespace, Name: "prototype"}).(*appsv1.Deployment)
		if !ok || ptr.Deref(d.Spec.Replicas, 1) < 2 && !w.truth.hurt[namespace] {
			w.broken("what served in %s was stopped", namespace)
			delete(w.truth.served, namespace)
			continue
		}
		answering := 0
		for _, object := range w.server.All(podKind) {
			pod := object.(*corev1.Pod)
			if pod.Namespace != namespace {
				continue
			}
			program := w.program(pod.Spec.Containers[0].Image)
			w.truth.hurt[namespace] = w.truth.hurt[namespace] || program.Fails || program.Crashes
			if ready(pod) && pod.DeletionTimestamp.IsZero() {
				answering++
			}
		}
		switch {
		case answering >= 2:
			delete(w.truth.hurt, namespace)
		case !w.truth.hurt[namespace]:
			w.broken("only %d pods serve in %s", answering, namespace)
			delete(w.truth.served, namespace)
		}
	}
}

// stopped tells whether an emergency stop holds.
func (w *World) stopped() bool {
	return slices.ContainsFunc(w.server.All(stopKind), func(o client.Object) bool { return o.(*v1alpha1.EmergencyStop).Spec.Lifted == nil })
}

// speaksOfItsRecord: a review is opened after its record, and says what the record says.
func (w *World) speaksOfItsRecord(request server.Request, review *v1alpha1.HardeningReview) {
	if request.Verb != server.Create {
		return
	}
	rec, err := w.record(review.Spec.Record)
	if err == nil {
		err = rec.Matches(review)
	}
	if err != nil {
		w.broken("review %s was opened without its record: %v", review.Name, err)
	}
}

func (w *World) record(name string) (record.Record, error) {
	object, ok := w.server.Find(revisionKind,
		types.NamespacedName{Namespace: v1alpha1.RecordsNamespace, Name: name}).(*appsv1.ControllerRevision)
	if !ok {
		return record.Record{}, fmt.Errorf("record %q is not there", name)
	}
	return record.Read(object)
}

// nothingLeft: of a prototype that is gone, nothing is left outside production and the records.
func (w *World) nothingLeft() {
	prototypes := map[string]bool{}
	for _, object := range w.server.All(prototypeKind) {
		prototypes[string(object.GetUID())] = true
	}
	for _, kind := range w.server.Kinds() {
		for _, object := range w.server.All(kind) {
			identity, ours := names.FromLabels(object.GetLabels())
			place := object.GetNamespace() + "/" + object.GetName()
			kept := strings.HasPrefix(place, v1alpha1.RecordsNamespace) || strings.HasPrefix(place, v1alpha1.ProductionPrefix) ||
				strings.HasPrefix(place, "/"+v1alpha1.ProductionPrefix)
			if ours && !prototypes[identity.UID] && !kept {
				w.broken("%s %s of a prototype that is gone is left", kind.Kind, place)
			}
		}
	}
}

// noRunsLeft: what measured is gone once everything is at rest, and so is every rehearsal.
func (w *World) noRunsLeft() {
	for _, object := range w.server.All(jobKind) {
		w.broken("Job %s/%s is left: %v", object.GetNamespace(), object.GetName(), object.(*batchv1.Job).Status.Conditions)
	}
	for _, object := range w.server.All(namespaceKind) {
		if strings.HasPrefix(object.GetName(), v1alpha1.RehearsalPrefix) {
			w.broken("namespace %s is left", object.GetName())
		}
	}
}

// roomIsKept: once everything is at rest, no more workloads run in the team's sandboxes than the policy gives it.
func (w *World) roomIsKept() {
	most := get(w, &v1alpha1.HardeningPolicy{}, "", "organisation").Spec.Sandbox.Limits.PrototypesPerTeam
	var running int32
	for _, object := range w.server.All(deploymentKind) {
		d := object.(*appsv1.Deployment)
		if strings.HasPrefix(d.Namespace, v1alpha1.SandboxPrefix) && ptr.Deref(d.Spec.Replicas, 1) > 0 {
			running++
		}
	}
	if most > 0 && running > most {
		w.broken("%d workloads run in sandboxes of the team, which may have %d", running, most)
	}
}

// atRest are the invariants that hold once nothing is under way.
func (w *World) atRest() {
	w.nothingLeft()
	w.noRunsLeft()
	w.roomIsKept()
	for _, object := range w.server.All(prototypeKind) {
		w.saysWhoseTurn(object.(*v1alpha1.AIPrototype))
	}
	for _, object := range w.server.All(namespaceKind) {
		w.servesWhatIsSealed(object.(*corev1.Namespace))
	}
	for _, object := range w.server.All(reviewKind) {
		w.outcomeIsSealed(object.(*v1alpha1.HardeningReview))
	}
}

// outcomeIsSealed: what a review says of its end is what its record says.
func (w *World) outcomeIsSealed(review *v1alpha1.HardeningReview) {
	if review.Status.Outcome == "" {
		return
	}
	name := types.NamespacedName{Namespace: v1alpha1.RecordsNamespace, Name: record.OutcomeName(review.Spec.Record)}
	object, ok := w.server.Find(revisionKind, name).(*appsv1.ControllerRevision)
	if !ok {
		w.broken("review %s ended, and no outcome is sealed", review.Name)
		return
	}
	if sealed, err := record.ReadOutcome(object); err != nil || sealed.Outcome != review.Status.Outcome {
		w.broken("review %s says %s; sealed is %s (%v)", review.Name, review.Status.Outcome, sealed.Outcome, err)
	}
}
