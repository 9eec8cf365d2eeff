package workload

import (
	"fmt"
	"strconv"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/utils/ptr"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/internal/names"
	"github.com/affineur/affineur/internal/subject"
)

// podSecurityVersion pins what "restricted" means: a newer cluster must not change it under a running workload.
const podSecurityVersion = "v1.36"

// Selector selects the pods of a prototype.
func Selector(identity names.Identity) map[string]string {
	return map[string]string{
		v1alpha1.LabelPrototypeUID: identity.UID,
		v1alpha1.LabelComponent:    ComponentPrototype,
	}
}

// meta is the metadata of an object in the workload's namespace.
func (s Surroundings) meta(name, component string) metav1.ObjectMeta {
	return metav1.ObjectMeta{Namespace: s.Namespace, Name: name, Labels: s.Identity.Labels(component)}
}

// Namespace is the managed namespace itself, with restricted Pod Security enforced at a pinned version.
func Namespace(s Surroundings, portForward bool) *corev1.Namespace {
	labels := s.Identity.Labels(s.Purpose)
	labels[v1alpha1.LabelPurpose] = s.Purpose
	for _, mode := range []string{"enforce", "audit", "warn"} {
		labels["pod-security.kubernetes.io/"+mode] = "restricted"
		labels["pod-security.kubernetes.io/"+mode+"-version"] = podSecurityVersion
	}
	if s.Purpose == v1alpha1.PurposeSandbox {
		// Written either way: a label that is left out stays as it is.
		labels[v1alpha1.LabelPortForward] = strconv.FormatBool(portForward)
	}
	return &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: s.Namespace, Labels: labels}}
}

// ServiceAccount is an identity without rights and without a token.
func ServiceAccount(s Surroundings) *corev1.ServiceAccount {
	return &corev1.ServiceAccount{ObjectMeta: s.meta(Name, ComponentPrototype), AutomountServiceAccountToken: ptr.To(false)}
}

// Service gives the prototype one name inside the cluster.
func Service(s subject.Subject, at Surroundings) *corev1.Service {
	return &corev1.Service{
		ObjectMeta: at.meta(Name, ComponentPrototype),
		Spec: corev1.ServiceSpec{
			Type: corev1.ServiceTypeClusterIP, Selector: Selector(at.Identity),
			Ports: []corev1.ServicePort{{Name: "http", Port: ServicePort, Protocol: corev1.ProtocolTCP, TargetPort: intstr.FromString("http")}},
		},
	}
}

// URL of the prototype inside the cluster.
func URL(namespace string) string { return fmt.Sprintf("http://%s.%s.svc", Name, namespace) }

// Deployment runs the subject. In a sandbox there is no surge, because its quota has no room for one.
func Deployment(s subject.Subject, at Surroundings, replicas int32) *appsv1.Deployment {
	surge, unavailable := intstr.FromInt32(0), intstr.FromInt32(1)
	if at.Purpose == v1alpha1.PurposeProduction {
		surge, unavailable = intstr.FromInt32(1), intstr.FromInt32(0)
	}
	deployment := &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: at.Namespace, Name: Name, Labels: at.Identity.Labels(ComponentPrototype),
			Annotations: map[string]string{v1alpha1.AnnotationSubject: at.SubjectDigest},
		},
		Spec: appsv1.DeploymentSpec{
			Replicas:                ptr.To(replicas),
			Selector:                &metav1.LabelSelector{MatchLabels: Selector(at.Identity)},
			Template:                PodTemplate(s, at),
			RevisionHistoryLimit:    ptr.To[int32](3),
			ProgressDeadlineSeconds: ptr.To[int32](120),
			Strategy: appsv1.DeploymentStrategy{
				Type:          appsv1.RollingUpdateDeploymentStrategyType,
				RollingUpdate: &appsv1.RollingUpdateDeployment{MaxSurge: &surge, MaxUnavailable: &unavailable},
			},
		},
	}
	if at.Severed.Mark != "" {
		CutOff(deployment, at.Severed.Mark)
	}
	return deployment
}

// CutOff has a Deployment make its pods anew under the mark of a cut, none waiting for its successor.
func CutOff(d *appsv1.Deployment, mark string) {
	if d.Spec.Template.Annotations == nil {
		d.Spec.Template.Annotations = map[string]string{}
	}
	d.Spec.Template.Annotations[v1alpha1.AnnotationCutOff] = mark
	if rolling := d.Spec.Strategy.RollingUpdate; rolling != nil {
		rolling.MaxUnavailable = ptr.To(intstr.FromString("100%"))
	}
}
