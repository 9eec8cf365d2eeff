package workload

import (
	"maps"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
)

// roomWithin is how many seconds a run's pod may wait for a node with room. A full cluster is no fault of the measurement.
const roomWithin = 30 * 60

// WaitForRoom has a run's time begin when a node has taken its pod.
func WaitForRoom(job *batchv1.Job) {
	job.Spec.Template.Spec.ActiveDeadlineSeconds = job.Spec.ActiveDeadlineSeconds
	job.Spec.ActiveDeadlineSeconds = ptr.To(*job.Spec.ActiveDeadlineSeconds + roomWithin)
}

// Openings let the pods of this one Job, of no earlier and no later one, reach pods in another namespace on one port: a way
// out of its own namespace and a way into theirs, both under the run's name. A namespace in which what is real serves has no
// opening for measurements beside these.
func (r Run) Openings(at Surroundings, pods map[string]string, port int32) []*networkingv1.NetworkPolicy {
	mine := maps.Clone(r.selector())
	mine[batchv1.JobNameLabel] = r.Name
	target := policyPort(corev1.ProtocolTCP, port)
	out := r.AllowRun(at.Namespace, pods, target)
	out.Spec.PodSelector.MatchLabels = mine
	in := &networkingv1.NetworkPolicy{
		ObjectMeta: metav1.ObjectMeta{Namespace: at.Namespace, Name: r.Name, Labels: r.labels()},
		Spec: networkingv1.NetworkPolicySpec{
			PodSelector: metav1.LabelSelector{MatchLabels: pods},
			PolicyTypes: []networkingv1.PolicyType{networkingv1.PolicyTypeIngress},
			Ingress: []networkingv1.NetworkPolicyIngressRule{{
				From: []networkingv1.NetworkPolicyPeer{peer(r.Namespace, mine)}, Ports: []networkingv1.NetworkPolicyPort{target},
			}},
		},
	}
	return []*networkingv1.NetworkPolicy{out, in}
}
