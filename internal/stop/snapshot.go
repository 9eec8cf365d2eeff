package stop

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/internal/assess"
	"github.com/affineur/affineur/internal/names"
	"github.com/affineur/affineur/internal/run"
	"github.com/affineur/affineur/internal/subject"
	"github.com/affineur/affineur/internal/workload"
)

// Scene is one managed namespace and what the stops make of it.
type Scene struct {
	Namespace *corev1.Namespace
	Identity  names.Identity
	Reach     Reach
	Facts     Facts
	Effects   Effects
	// Policies, Deployment (nil without one) and Pods that are in it.
	Policies   []networkingv1.NetworkPolicy
	Deployment *appsv1.Deployment
	Pods       []corev1.Pod
	// Stranger is what runs there, or opens something, and is none of the operator's, as far as it was looked for; "" without any.
	Stranger string
	// Measured is what was last seen of the cut; nil before.
	Measured *Measured
}

// Measured is what a namespace remembers of the last measurement of its cut.
type Measured struct {
	// Inputs is the digest of what it was made under.
	Inputs string `json:"inputs"`
	// Severed means that nothing of what is cut was reached, while the network was seen to be enforced.
	Severed bool   `json:"severed"`
	Message string `json:"message"`
	// At is when it was made, Since when the first of those was that came to the same.
	At    time.Time `json:"at"`
	Since time.Time `json:"since"`
}

// remembered is the last measurement of a namespace's cut. What can't be read was not measured.
func remembered(namespace *corev1.Namespace) *Measured {
	var m Measured
	said := namespace.Annotations[v1alpha1.AnnotationSevered]
	if said == "" || json.Unmarshal([]byte(said), &m) != nil {
		return nil
	}
	return &m
}

func (m Measured) String() string {
	raw, _ := json.Marshal(m) // a structure of strings and times
	return string(raw)
}

// Probe is one of the two runs that measure a cut.
type Probe struct {
	run.Result
	// Inputs that it was made under; "" where there are several attempts, of which none counts.
	Inputs string
	// Jobs are its attempts.
	Jobs []batchv1.Job
}

func (p Probe) present() bool { return p.State != run.Absent && p.State != "" }

// purpose of the namespace: sandbox, production or rehearsal.
func (s Scene) purpose() string { return s.Namespace.Labels[v1alpha1.LabelPurpose] }

func (s Scene) leaving() bool { return !s.Namespace.DeletionTimestamp.IsZero() }

// wanted is how many pods the workload asks for.
func (s Scene) wanted() int32 {
	if s.Deployment == nil {
		return 0
	}
	return ptr.Deref(s.Deployment.Spec.Replicas, 1)
}

// alive are the pods that run or may run, but for measuring runs.
func (s Scene) alive() []corev1.Pod {
	var out []corev1.Pod
	for _, pod := range s.Pods {
		if runs(&pod) {
			out = append(out, pod)
		}
	}
	return out
}

// runs tells whether a pod runs or may run, and measures nothing.
func runs(pod *corev1.Pod) bool {
	return !Measuring(pod) && pod.Status.Phase != corev1.PodSucceeded && pod.Status.Phase != corev1.PodFailed
}

// Measuring tells whether a pod is that of a measuring run of the operator's. Its label alone makes none: anybody's pod may
// carry one.
func Measuring(pod *corev1.Pod) bool {
	maker := metav1.GetControllerOf(pod)
	gate := pod.Labels[v1alpha1.LabelGate]
	ours := gate == gateInside || gate == assess.ReportIsolation || assess.IsGate(gate)
	return ours && maker != nil && maker.Kind == "Job"
}

// stranger is what runs in the namespace, or opens what is cut, and is not among what the scene knows.
func (s Scene) stranger(pods []corev1.Pod, policies []networkingv1.NetworkPolicy) string {
	for i := range pods {
		known := slices.ContainsFunc(s.Pods, func(p corev1.Pod) bool { return p.Name == pods[i].Name })
		if !known && runs(&pods[i]) {
			return "pod " + pods[i].Name + " runs there" + responderEnds
		}
	}
	for i := range policies {
		known := slices.ContainsFunc(s.Policies, func(p networkingv1.NetworkPolicy) bool { return p.Name == policies[i].Name })
		beside := s
		beside.Policies = policies[i : i+1]
		if open := beside.open(); !known && open != "" {
			return open + responderEnds
		}
	}
	return ""
}

// where the workload runs: the node and the runtime of its newest pod, for another one may have another network. Empty
// where there is none, and for the cluster's default runtime.
func (s Scene) where() (node, runtime string) {
	var newest *corev1.Pod
	for _, pod := range s.alive() {
		here := pod.Spec.NodeName != "" && pod.DeletionTimestamp.IsZero()
		if here && (newest == nil || newest.CreationTimestamp.Before(&pod.CreationTimestamp)) {
			newest = &pod
		}
	}
	if newest == nil {
		return "", ""
	}
	return newest.Spec.NodeName, ptr.Deref(newest.Spec.RuntimeClassName, "")
}

// before are the pods from before the cut.
func (s Scene) before() int {
	n := 0
	for _, pod := range s.alive() {
		if pod.Annotations[v1alpha1.AnnotationCutOff] != s.Effects.Mark() {
			n++
		}
	}
	return n
}

// open says which rule still opens something that is cut; "" without one.
func (s Scene) open() string {
	for i := range s.Policies {
		p := &s.Policies[i]
		if s.Effects.Cut && workload.Opens(p) {
			return "network policy " + p.Name + " still opens something"
		}
		for _, place := range s.Reach.Severed(s.Effects) {
			if workload.Lets(p, place.To) {
				return fmt.Sprintf("network policy %s still lets its pods go to %s", p.Name, place.Name)
			}
		}
	}
	return ""
}

// inputs is the digest of what a measurement of the cut is made under.
func (s Scene) inputs() string {
	in := struct {
		Mark          string
		Policies      []networkingv1.NetworkPolicySpec
		Places        []Place
		Node, Runtime string
	}{Mark: s.Effects.Mark(), Places: s.Reach.Severed(s.Effects)}
	in.Node, in.Runtime = s.where()
	for _, p := range s.Policies {
		in.Policies = append(in.Policies, p.Spec)
	}
	digest, err := subject.Digest(in)
	if err != nil {
		return ""
	}
	return digest
}
