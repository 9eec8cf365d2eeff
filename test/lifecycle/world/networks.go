package world

import (
	"encoding/json"
	"maps"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/internal/assess"
	"github.com/affineur/affineur/internal/evidence"
	"github.com/affineur/affineur/internal/names"
	"github.com/affineur/affineur/test/lifecycle/server"
)

// grace is how long the operator may take to stop what must not run any more: conflicts, lost answers and its own
// death included.
const grace = 20 * time.Second

// remeasured is how long a measurement under new network policies may take, lost runs and their pauses included.
const remeasured = 5 * time.Minute

// networks is what the world knows of the networks of sandboxes, by their namespaces.
type networks struct {
	// measured is what the last run inside found under a set of network policies.
	measured map[string]map[string]measurement
	// proven is the set under which isolation holds good: whoever changes it of their own accord has to measure again.
	proven map[string]string
	// present is the set that is there.
	present map[string]string
	// began is the set of network policies under which a run began.
	began map[types.UID]string
	// leaks are runs inside that reached what they must not; open is since when their control has borne witness.
	leaks map[string]leak
	open  map[string]time.Time
	// unproven is since when something runs under network policies under which isolation is not proven.
	unproven map[string]time.Time
	// forbidden is since when the policy forbids what runs in a sandbox.
	forbidden map[string]time.Time
}

// leak is what a run inside was asked, and under which network policies it ran.
type leak struct{ inputs, policies string }

// measurement is what came of a run inside a sandbox.
type measurement struct {
	enforced bool
	at       time.Time
}

func newNetworks() networks {
	return networks{
		measured: map[string]map[string]measurement{}, proven: map[string]string{}, present: map[string]string{}, began: map[types.UID]string{},
		leaks: map[string]leak{}, open: map[string]time.Time{}, unproven: map[string]time.Time{}, forbidden: map[string]time.Time{},
	}
}

func sandboxed(namespace string) bool { return strings.HasPrefix(namespace, v1alpha1.SandboxPrefix) }

// policiesIn is the set of network policies of a namespace.
func (w *World) policiesIn(namespace string) string {
	var all []any
	for _, object := range w.server.All(networkKind) {
		if object.GetNamespace() == namespace {
			all = append(all, object.GetName(), object.(*networkingv1.NetworkPolicy).Spec)
		}
	}
	raw, err := json.Marshal(all)
	w.Must(err)
	return string(raw)
}

// networkChanged keeps what is known of a sandbox's network up to date. What somebody else changed and the operator
// put back is the network that was measured; what the operator itself closed or opened anew is another one.
func (w *World) networkChanged(request server.Request) {
	n := w.truth.networks
	switch o := request.Object().(type) {
	case *networkingv1.NetworkPolicy:
		if !sandboxed(o.Namespace) {
			return
		}
		before, now := n.present[o.Namespace], w.policiesIn(o.Namespace)
		n.present[o.Namespace] = now
		if request.Actor == operatorName && before != now && n.proven[o.Namespace] == before {
			delete(n.proven, o.Namespace)
		}
	case *corev1.Namespace:
		if request.After == nil {
			delete(n.proven, o.Name)
			delete(n.present, o.Name)
			delete(n.open, o.Name)
			delete(n.forbidden, o.Name)
		}
		w.forbids()
	case *v1alpha1.HardeningPolicy, *v1alpha1.AIPrototype:
		w.forbids()
	}
}

// runStarts remembers what a run measures.
func (n networks) runStarts(w *World, pod *corev1.Pod) {
	n.began[pod.UID] = w.policiesIn(pod.Namespace)
}

// runEnds remembers what a run in a sandbox found, if nothing changed under it. What it reached and must not is known
// once its control has ended as well.
func (n networks) runEnds(w *World, pod *corev1.Pod, order evidence.RunSpec) {
	if strings.HasPrefix(pod.Labels[batchv1.JobNameLabel], "stop-") {
		// It measures a cut, and not isolation.
		return
	}
	namespace := identityOf(pod).Sandbox()
	policies := w.policiesIn(namespace)
	if pod.Namespace != namespace {
		if pod.Labels[v1alpha1.LabelGate] == assess.ReportIsolationControl && n.leaks[namespace] == (leak{order.Subject, policies}) {
			n.open[namespace] = w.clock
		}
		return
	}
	delete(n.leaks, namespace)
	if n.began[pod.UID] != policies {
		return
	}
	leaked := w.leaks(pod)
	enforced := !leaked && w.reaches(pod, net.JoinHostPort(canary, strconv.Itoa(v1alpha1.CanaryAllowedPort)))
	if leaked {
		n.leaks[namespace] = leak{order.Subject, policies}
		if control := w.other(pod, order); control != nil && control.Status.Phase == corev1.PodSucceeded {
			n.open[namespace] = w.clock
		}
	}
	if n.measured[namespace] == nil {
		n.measured[namespace] = map[string]measurement{}
	}
	n.measured[namespace][policies] = measurement{enforced, w.clock}
	delete(n.proven, namespace)
	if enforced {
		n.proven[namespace] = policies
		delete(n.open, namespace)
	}
}

// leaks tells whether a pod in a sandbox reaches anything that it must not, whatever the operator had it try.
func (w *World) leaks(pod *corev1.Pod) bool {
	forbidden := []string{net.JoinHostPort(canary, strconv.Itoa(v1alpha1.CanaryDeniedPort)), apiServer, nodeAddress + ":10250"}
	return slices.ContainsFunc(forbidden, func(address string) bool { return w.reaches(pod, address) })
}

// isolatedFirst: a workload is started or changed in a sandbox only under network policies under which isolation was
// measured to be enforced.
func (w *World) isolatedFirst(request server.Request, d *appsv1.Deployment) {
	replicas := func(d *appsv1.Deployment) int32 { return ptr.Deref(d.Spec.Replicas, 1) }
	before, known := request.Before.(*appsv1.Deployment)
	if request.Verb == server.Status || replicas(d) == 0 ||
		known && replicas(before) > 0 && equality.Semantic.DeepEqual(before.Spec.Template, d.Spec.Template) {
		return
	}
	if known && replicas(before) > 0 && onlyCutOff(before, d) {
		return
	}
	if w.truth.networks.proven[d.Namespace] != w.policiesIn(d.Namespace) {
		w.broken("the workload was started in %s although isolation was not measured under its present network policies", d.Namespace)
	}
}

// onlyCutOff tells whether nothing is changed but that the pods are made anew because an emergency stop took something
// from their network: under fewer openings than isolation was measured with.
func onlyCutOff(before, after *appsv1.Deployment) bool {
	was, is := before.Spec.Template.DeepCopy(), after.Spec.Template.DeepCopy()
	marked := is.Annotations[v1alpha1.AnnotationCutOff] != ""
	delete(was.Annotations, v1alpha1.AnnotationCutOff)
	delete(is.Annotations, v1alpha1.AnnotationCutOff)
	return marked && equality.Semantic.DeepEqual(was, is)
}

// forbids finds out in which sandboxes the policy forbids everything, and since when.
func (w *World) forbids() {
	n := w.truth.networks
	for _, object := range w.server.All(prototypeKind) {
		prototype := object.(*v1alpha1.AIPrototype)
		namespace := names.Of(prototype).Sandbox()
		switch _, known := n.forbidden[namespace]; {
		case w.mayRun(prototype):
			delete(n.forbidden, namespace)
		case !known:
			n.forbidden[namespace] = w.clock
		}
	}
}

// mayRun tells whether a policy says what a prototype may reach, and lets its data go there.
func (w *World) mayRun(prototype *v1alpha1.AIPrototype) bool {
	team := w.server.Find(namespaceKind, types.NamespacedName{Name: prototype.Namespace})
	if team == nil {
		return false
	}
	var governing []*v1alpha1.HardeningPolicy
	for _, object := range w.server.All(policyKind) {
		policy := object.(*v1alpha1.HardeningPolicy)
		selector, err := metav1.LabelSelectorAsSelector(&policy.Spec.AppliesTo.NamespaceSelector)
		w.Must(err)
		if selector.Matches(labels.Set(team.GetLabels())) {
			governing = append(governing, policy)
		}
	}
	if len(governing) != 1 {
		return false
	}
	policy := governing[0].Spec
	// The stories know one expression that can be used.
	usable := !slices.ContainsFunc(policy.Tiers, func(t v1alpha1.Tier) bool { return t.When != "true" })
	named := slices.ContainsFunc(policy.Teams, func(t v1alpha1.Team) bool { return t.Name == team.GetLabels()[v1alpha1.LabelTeam] })
	return usable && named && !slices.ContainsFunc(prototype.Spec.Integrations, func(use v1alpha1.IntegrationUse) bool {
		at := slices.IndexFunc(policy.Catalogue.Integrations, func(i v1alpha1.Integration) bool { return i.Name == use.Name })
		return at < 0 || !mayCarry(policy, policy.Catalogue.Integrations[at].MayCarry, prototype.Spec.Data)
	})
}

// mayCarry tells whether all data may go where only some classes may.
func mayCarry(policy v1alpha1.HardeningPolicySpec, limits v1alpha1.MayCarry, data *v1alpha1.DataUse) bool {
	if data == nil {
		return true
	}
	return !slices.ContainsFunc(data.Uses, func(use string) bool {
		at := slices.IndexFunc(policy.DataRules, func(r v1alpha1.DataRule) bool { return r.Name == use })
		return at < 0 || !slices.Contains(limits.Classes, policy.DataRules[at].Class)
	})
}

// stoppedInTime: soon after isolation turned out not to be enforced, nothing is to run in the sandbox; what goes on
// under new network policies is measured under them before long; and soon after the policy forbids it, nothing runs,
// and nothing is open.
func (w *World) stoppedInTime() {
	n := w.truth.networks
	for _, namespace := range slices.Sorted(maps.Keys(n.open)) {
		if w.clock.After(n.open[namespace].Add(grace)) {
			if w.Runs(namespace) != "" {
				w.broken("a workload runs in %s, and %s ago it was measured that it reaches what it must not", namespace, w.clock.Sub(n.open[namespace]))
			}
			delete(n.open, namespace)
		}
	}
	for _, namespace := range slices.Sorted(maps.Keys(n.present)) {
		since, known := n.unproven[namespace]
		switch {
		case n.present[namespace] == n.proven[namespace] || w.Runs(namespace) == "":
			delete(n.unproven, namespace)
		case !known:
			n.unproven[namespace] = w.clock
		case w.clock.After(since.Add(remeasured)):
			w.broken("what runs in %s runs for %s under network policies that were not measured", namespace, w.clock.Sub(since))
			delete(n.unproven, namespace)
		}
	}
	for _, namespace := range slices.Sorted(maps.Keys(n.forbidden)) {
		if w.clock.After(n.forbidden[namespace].Add(grace)) {
			w.shut(namespace)
		}
	}
}

// shut: no pod is to run in a sandbox, and no network policy opens anything in it. A team that suspended its prototype
// has stopped it already; nothing is opened to nobody.
func (w *World) shut(namespace string) {
	if w.closing(namespace) {
		return
	}
	for _, object := range w.server.All(podKind) {
		if pod := object.(*corev1.Pod); pod.Namespace == namespace && pod.DeletionTimestamp.IsZero() {
			w.broken("the policy forbids what runs in %s, and pod %s does", namespace, pod.Name)
		}
	}
	if p := w.Prototype(); p == nil || p.Spec.Suspend {
		return
	}
	closed := false
	for _, object := range w.server.All(networkKind) {
		policy := object.(*networkingv1.NetworkPolicy)
		if policy.Namespace != namespace {
			continue
		}
		if len(policy.Spec.Ingress)+len(policy.Spec.Egress) > 0 {
			w.broken("the policy forbids what runs in %s, and network policy %s opens something to it", namespace, policy.Name)
		}
		closed = closed || len(policy.Spec.PodSelector.MatchLabels) == 0 && len(policy.Spec.PolicyTypes) == 2
	}
	if !closed {
		w.broken("the policy forbids what runs in %s, and nothing closes it", namespace)
	}
}
