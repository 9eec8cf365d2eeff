package world

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/types"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/internal/assess"
	"github.com/affineur/affineur/internal/evidence"
	"github.com/affineur/affineur/internal/policy"
	"github.com/affineur/affineur/internal/record"
	"github.com/affineur/affineur/internal/subject"
	"github.com/affineur/affineur/test/lifecycle/server"
)

// onlyWhatPassed: a Deployment in production runs what its record says and nothing else; its record was intended
// before; and when it came in, it was allowed to.
func (w *World) onlyWhatPassed(d *appsv1.Deployment) {
	name := d.Annotations[v1alpha1.AnnotationRecord]
	rec, err := w.record(name)
	if err != nil {
		w.broken("production runs %q: %v", name, err)
		return
	}
	image := d.Spec.Template.Spec.Containers[0].Image
	namespace, ok := w.server.Find(namespaceKind, types.NamespacedName{Name: d.Namespace}).(*corev1.Namespace)
	switch {
	case image != rec.Subject.Container.Image || !strings.Contains(image, "@sha256:"):
		w.broken("production runs %s, and record %s says %s", image, name, rec.Subject.Container.Image)
	case d.Annotations[v1alpha1.AnnotationSubject] != rec.SubjectDigest || rec.Prototype.Production() != d.Namespace:
		w.broken("the Deployment in %s is not rendered from record %s", d.Namespace, name)
	case !ok || namespace.Annotations[v1alpha1.AnnotationRecord] != name:
		w.broken("record %s runs in %s without having been intended", name, d.Namespace)
	case w.truth.refused[name]:
		w.broken("record %s runs again after it was taken back", name)
	}
	if w.truth.admitted[name] {
		return
	}
	if why := w.whyNot(rec); why != "" {
		w.broken("record %s came into production: %s", name, why)
	}
	w.truth.admitted[name] = true
}

// look is what the operator saw last in a pass about production. Between that and its write the world may change,
// which is nobody's fault; not to have looked is.
type look struct {
	decisions, guards bool
	// version up to which it saw decisions, and when it did.
	version int
	at      time.Time
	// inPlace is what it found of the guards.
	inPlace bool
}

func (l *look) listed(w *World) { l.decisions, l.version, l.at = true, w.server.Version(), w.clock }

func (l *look) measured(w *World) { l.guards, l.inPlace = true, w.guards.inPlace }

// unseen is what was not looked at, or found wanting, before something comes into production or serves there.
func (l look) unseen() string {
	switch {
	case !l.decisions:
		return "nobody looked at the decisions"
	case !l.guards:
		return "nobody measured the guards"
	case !l.inPlace:
		return "the guards are not in place"
	}
	return ""
}

// servesRightly: when a record begins to serve, it has soaked, and everything that let it in holds still.
func (w *World) servesRightly(name string, soaked time.Time) {
	rec, err := w.record(name)
	if err != nil {
		w.broken("record %q serves: %v", name, err)
		return
	}
	why := w.truth.look.unseen()
	if end := soaked.Add(rec.Requirements.Soak()); why == "" && w.truth.look.at.Before(end) {
		why = fmt.Sprintf("the last look at the decisions was at %s, before the soak ended at %s", w.truth.look.at, end)
	}
	if why == "" {
		why = w.unapproved(rec, w.truth.made[name])
	}
	if why != "" {
		w.broken("record %s begins to serve: %s", name, why)
	}
}

// servesWhatIsSealed: at rest, the review of what serves has ended as Promoted, and nothing else was sealed of it.
func (w *World) servesWhatIsSealed(namespace *corev1.Namespace) {
	name := namespace.Annotations[v1alpha1.AnnotationRecord]
	if w.truth.serving[namespace.Name] != name || name == "" {
		return
	}
	rec, err := w.record(name)
	if err != nil {
		w.broken("%s serves: %v", name, err)
		return
	}
	at := types.NamespacedName{Namespace: v1alpha1.RecordsNamespace, Name: record.OutcomeName(name)}
	object, sealed := w.server.Find(revisionKind, at).(*appsv1.ControllerRevision)
	review := w.server.Find(reviewKind, types.NamespacedName{Namespace: rec.Prototype.Namespace, Name: rec.Prototype.Review(rec.Ordinal)})
	if !sealed {
		if review != nil {
			w.broken("record %s serves at rest, and its review has no end", name)
		}
		return
	}
	if outcome, err := record.ReadOutcome(object); err != nil || outcome.Outcome != v1alpha1.OutcomePromoted {
		w.broken("record %s serves and is sealed as %s (%v)", name, outcome.Outcome, err)
	}
}

// proofLasts is how long a proof of isolation counts, and no longer.
const proofLasts = 24 * time.Hour

// whyNot says why a record must not come into production now, or "". It believes no status and no verdict: what
// counts is what the world knows of the sandbox's network, of its integrations and of the program.
func (w *World) whyNot(rec record.Record) string {
	at := w.truth.made[rec.Name()]
	proof := w.truth.networks.measured[rec.Prototype.Sandbox()][at.policies]
	unseen := w.truth.look.unseen()
	switch {
	case unseen != "":
		return unseen
	case !proof.enforced:
		return "isolation is not proven under the network policies that it was reviewed under"
	case w.clock.After(proof.at.Add(proofLasts)):
		return fmt.Sprintf("isolation was proven %s ago", w.clock.Sub(proof.at))
	case slices.ContainsFunc(rec.Subject.Container.Env, func(e subject.Env) bool { return strings.HasSuffix(e.Name, "PASSWORD") }):
		return "a password is in its environment"
	}
	for _, kind := range []evidence.Kind{evidence.KindLoad, evidence.KindIntegration} {
		if why := w.truth.trials.whyNot(kind, rec.ReviewDigest, at.at); why != "" {
			return why
		}
	}
	return w.unapproved(rec, at)
}

// unapproved counts approvals: by people of the role, distinct, neither authors nor of the owning team, on exactly this
// review, while the guards were in place, not too long ago; one more than are asked where the authors are in doubt; and
// no rejection among them. Only what the operator could see when it looked is counted.
func (w *World) unapproved(rec record.Record, at made) string {
	if len(rec.Requirements.Approvals) == 0 {
		return ""
	}
	name := types.NamespacedName{Namespace: rec.Prototype.Namespace, Name: rec.Prototype.Review(rec.Ordinal)}
	review := w.server.Find(reviewKind, name)
	if review == nil {
		return "its review is gone"
	}
	said := map[string]v1alpha1.HardeningDecisionSpec{}
	for _, d := range w.decisionsOn(rec, string(review.GetUID())) {
		spec, when := d.Spec, d.CreationTimestamp.Time
		before, decided := said[spec.By]
		switch {
		case spec.Verdict == v1alpha1.VerdictRevoke, spec.Verdict == v1alpha1.VerdictReject && w.guards.doubtedAt(when):
			delete(said, spec.By)
		case !w.mayDecide(rec, at, d), decided && before.Role != spec.Role:
		case spec.Verdict == v1alpha1.VerdictReject:
			return "it was rejected by " + spec.By
		case w.truth.look.at.Before(when.Add(rec.Requirements.ApprovalsValidFor())):
			said[spec.By] = spec
		default:
			delete(said, spec.By)
		}
	}
	return tooFew(rec, at.doubtful, said)
}

// tooFew people approved, where that is so.
func tooFew(rec record.Record, doubtful bool, said map[string]v1alpha1.HardeningDecisionSpec) string {
	spare := 0
	for _, asked := range rec.Requirements.Approvals {
		people := 0
		for _, spec := range said {
			if spec.Role == asked.Role {
				people++
			}
		}
		if people < int(asked.Quorum) {
			return fmt.Sprintf("%d of %d people approved as %s", people, asked.Quorum, asked.Role)
		}
		spare += people - int(asked.Quorum)
	}
	if doubtful && spare == 0 {
		return "its authors are in doubt, and nobody approved beyond those who are asked"
	}
	return ""
}

// decisionsOn a review, in the order of their making, as far as the operator could see them.
func (w *World) decisionsOn(rec record.Record, reviewUID string) []*v1alpha1.HardeningDecision {
	var out []*v1alpha1.HardeningDecision
	for _, object := range w.server.All(decisionKind) {
		d := object.(*v1alpha1.HardeningDecision)
		if d.Spec.Review.UID == reviewUID && d.Spec.ReviewDigest == rec.ReviewDigest && versionOf(d) <= w.truth.look.version {
			out = append(out, d)
		}
	}
	slices.SortFunc(out, func(a, b *v1alpha1.HardeningDecision) int { return versionOf(a) - versionOf(b) })
	return out
}

func versionOf(d *v1alpha1.HardeningDecision) int {
	version, err := strconv.Atoi(d.ResourceVersion)
	if err != nil {
		return 0
	}
	return version
}

func (w *World) mayDecide(rec record.Record, at made, decision *v1alpha1.HardeningDecision) bool {
	spec := decision.Spec
	in := func(groups []string) bool {
		return slices.ContainsFunc(spec.Groups, func(g string) bool { return slices.Contains(groups, g) })
	}
	role := slices.IndexFunc(rec.Requirements.Approvals, func(a policy.Approval) bool { return a.Role == spec.Role })
	return !w.guards.wereLost(decision.CreationTimestamp.Time, decision.CreationTimestamp.Time) &&
		role >= 0 && in(rec.Requirements.Approvals[role].Groups) && !in(rec.Requirements.Team.Groups) &&
		!at.authors[spec.By] && isPerson(spec.By)
}

// isPerson tells a person's name from a component's.
func isPerson(name string) bool { return !strings.HasPrefix(name, "system:") }

// made is what was the case when a record was made.
type made struct {
	at time.Time
	// policies are the network policies of the sandbox.
	policies string
	// authors are all who had written the prototype; doubtful is true where there may be others.
	authors  map[string]bool
	doubtful bool
}

// recordMade remembers under what a record was made.
func (t truth) recordMade(w *World, request server.Request, object *appsv1.ControllerRevision) {
	rec, err := record.Read(object)
	if request.Verb != server.Create || err != nil {
		return
	}
	m := made{at: w.clock, policies: w.policiesIn(rec.Prototype.Sandbox()), authors: maps.Clone(t.writers[types.UID(rec.Prototype.UID)])}
	for name := range m.authors {
		m.doubtful = m.doubtful || !isPerson(name)
	}
	if prototype := w.Prototype(); prototype != nil {
		m.doubtful = m.doubtful || w.guards.wereLost(prototype.CreationTimestamp.Time, w.clock)
	}
	t.made[rec.Name()] = m
}

// written remembers who wrote a prototype.
func (t truth) written(request server.Request, after *v1alpha1.AIPrototype) {
	before, _ := request.Before.(*v1alpha1.AIPrototype)
	if request.Actor == operatorName || before != nil && equality.Semantic.DeepEqual(before.Spec, after.Spec) &&
		before.Annotations[v1alpha1.AnnotationRequestedAt] == after.Annotations[v1alpha1.AnnotationRequestedAt] {
		return
	}
	if t.writers[after.UID] == nil {
		t.writers[after.UID] = map[string]bool{}
	}
	t.writers[after.UID][request.Actor] = true
}

// trials are the runs of every kind that measured a subject under its requirements, in the order of their ends.
type trials map[string][]trial

type trial struct {
	began time.Time
	good  bool
}

func trialOf(kind evidence.Kind, digest string) string { return string(kind) + " " + digest }

func (t trials) add(w *World, pod *corev1.Pod, order evidence.RunSpec, good bool) {
	key := trialOf(order.Kind(), order.Subject)
	t[key] = append(t[key], trial{pod.Status.StartTime.Time, good})
}

// runLost remembers a run that ended without a report.
func (t truth) runLost(w *World, pod *corev1.Pod, order evidence.RunSpec) {
	switch pod.Labels[v1alpha1.LabelGate] {
	case assess.ReportIsolation, assess.ReportIsolationControl:
		// Without both runs nobody can tell.
		delete(t.networks.leaks, identityOf(pod).Sandbox())
	default:
		t.trials.add(w, pod, order, false)
	}
}

// whyNot says why a review that was opened at a time has not passed, or "". What was measured for another review of the
// same subject does not count.
func (t trials) whyNot(kind evidence.Kind, digest string, opened time.Time) string {
	all := t[trialOf(kind, digest)]
	switch {
	case len(all) == 0 || all[len(all)-1].began.Before(opened.Truncate(time.Second)):
		return "it was not measured for this review: " + string(kind)
	case !all[len(all)-1].good:
		return "the last measurement did not go well: " + string(kind)
	}
	return ""
}
