package world

import (
	"net"
	"slices"
	"strconv"
	"time"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/affineur/affineur/internal/evidence"
)

// Where every pod is, and what every measured pod's address is: no two that are measured know of each other.
const (
	nodeName     = "node1"
	nodeAddress  = "192.0.2.10"
	probeAddress = "198.51.100.7"
	metadata     = "169.254.169.254:80"
)

// together is how long a pair of runs works once both have started.
const together = 4 * time.Second

// other run of a pair, nil while it has not started, or never does.
func (w *World) other(pod *corev1.Pod, order evidence.RunSpec) *corev1.Pod {
	for _, object := range w.server.All(podKind) {
		candidate := object.(*corev1.Pod)
		if candidate.UID == pod.UID || candidate.Status.StartTime == nil || !runs(candidate) {
			continue
		}
		spec := evidence.As[evidence.IsolationSpec](w.orderOf(candidate).Order)
		if spec != nil && spec.Meeting != nil && spec.Meeting.Token == evidence.As[evidence.IsolationSpec](order.Order).Meeting.Token {
			return candidate
		}
	}
	return nil
}

// runs tells whether a pod is a runner's.
func runs(pod *corev1.Pod) bool {
	return slices.ContainsFunc(pod.Spec.Containers[0].Env, func(e corev1.EnvVar) bool { return e.Name == evidence.RunEnv })
}

// span is the time during which a paired run measures: from when both are at work, or alone after it lost patience.
func (w *World) span(pod *corev1.Pod, order evidence.RunSpec) (from, to time.Time, other *corev1.Pod) {
	began := pod.Status.StartTime.UTC()
	other = w.other(pod, order)
	if other == nil {
		from = began.Add(evidence.As[evidence.IsolationSpec](order.Order).Meeting.Patience.Std())
		return from, from.Add(evidence.As[evidence.IsolationSpec](order.Order).Deadline.Std()), nil
	}
	from = began
	if theirs := other.Status.StartTime.UTC(); theirs.After(from) {
		from = theirs
	}
	return from, from.Add(together), other
}

// pair measures what is the case, seen by one of the two.
func (w *World) pair(pod *corev1.Pod, order evidence.RunSpec) []evidence.TargetResult {
	from, to, other := w.span(pod, order)
	var out []evidence.TargetResult
	for _, target := range evidence.As[evidence.IsolationSpec](order.Order).Targets {
		host, reached := "", false
		switch target.Place {
		case evidence.PlaceNone:
			reached = target.Address != metadata && w.reaches(pod, target.Address)
		case evidence.PlaceNode:
			host = nodeAddress
			reached = w.reaches(pod, host+target.Address)
		case evidence.PlaceSelf:
			host, reached = probeAddress, true
		case evidence.PlaceOtherNode:
			host = nodeAddress
			reached = w.reaches(pod, host+target.Address)
		case evidence.PlaceOther:
			host = probeAddress
			reached = other != nil && w.admits(other, pod, target.Address)
		}
		if target.Place != evidence.PlaceNone && host == "" || other == nil && (target.Place == evidence.PlaceOther || target.Place == evidence.PlaceOtherNode) {
			continue
		}
		target.Address = host + target.Address
		out = append(out, tried(target, reached, from, to))
	}
	return out
}

func tried(target evidence.Target, reached bool, from, to time.Time) evidence.TargetResult {
	result := evidence.TargetResult{
		Name: target.Name, Network: target.Network, Address: target.Address, Settled: true, Attempts: 5, Since: from, Until: to,
		Class: evidence.ClassTimeout,
	}
	if reached {
		result.Class, result.Reached, result.Reaches, result.FirstReachedAt, result.LastReachedAt = "", true, 5, &from, &to
	}
	return result
}

// admits tells whether the network lets a caller's packets into a pod.
func (w *World) admits(pod, caller *corev1.Pod, port string) bool {
	_, number, err := net.SplitHostPort(port)
	w.Must(err)
	var restrained bool
	for _, policy := range w.restraining(pod, networkingv1.PolicyTypeIngress) {
		restrained = true
		for _, rule := range policy.Spec.Ingress {
			open := slices.ContainsFunc(rule.Ports, func(p networkingv1.NetworkPolicyPort) bool {
				return p.Port != nil && strconv.Itoa(p.Port.IntValue()) == number
			})
			if open && slices.ContainsFunc(rule.From, func(peer networkingv1.NetworkPolicyPeer) bool { return w.selects(peer, caller) }) {
				return true
			}
		}
	}
	return !restrained || !w.Network
}

// selects tells whether a peer of a policy of ours means a pod: it names a namespace and labels.
func (w *World) selects(peer networkingv1.NetworkPolicyPeer, pod *corev1.Pod) bool {
	if peer.PodSelector == nil || peer.NamespaceSelector == nil || peer.NamespaceSelector.MatchLabels["kubernetes.io/metadata.name"] != pod.Namespace {
		return false
	}
	selector, err := metav1.LabelSelectorAsSelector(peer.PodSelector)
	w.Must(err)
	return selector.Matches(labelsOf(pod))
}

// restraining are the policies of a managed namespace that restrain a pod in one direction.
func (w *World) restraining(pod *corev1.Pod, direction networkingv1.PolicyType) []*networkingv1.NetworkPolicy {
	var out []*networkingv1.NetworkPolicy
	for _, object := range w.server.All(networkKind) {
		policy := object.(*networkingv1.NetworkPolicy)
		selector, err := metav1.LabelSelectorAsSelector(&policy.Spec.PodSelector)
		w.Must(err)
		if policy.Namespace == pod.Namespace && managed(pod.Namespace) && selector.Matches(labelsOf(pod)) && slices.Contains(policy.Spec.PolicyTypes, direction) {
			out = append(out, policy)
		}
	}
	return out
}
