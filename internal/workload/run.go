package workload

import (
	"maps"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/internal/evidence"
	"github.com/affineur/affineur/internal/names"
)

// RunnerContainer is the container of a run that measures.
const RunnerContainer = "runner"

// Run is one measurement by the project's own runner, in a pod of its own.
type Run struct {
	Identity  names.Identity
	Namespace string
	// Name of the Job, and of its network policy if it has one.
	Name string
	// Component is ComponentProbe, ComponentCaller, ComponentRehearsal, ComponentClosed or ComponentAgain.
	Component string
	// Gate is the kind of measurement, in a label.
	Gate string
	// Review is the ordinal of the review whose subject is measured, in a label; empty where there is none, or where somebody
	// else labels it.
	Review string
	// Image of the runner. IT names it, never the prototype.
	Image string
	// Order is what the runner is asked: its nonce and its subject bind what it answers.
	Order evidence.RunSpec
	// Secrets to mount, by the absolute directory in which the runner finds them.
	Secrets map[string]string
	// Tool runs before the runner and leaves files for it; nil for none.
	Tool *Tool
	// Files for the runner, by name: FileSecret holds them.
	Files map[string][]byte
	// Unbound are files beside those whose content no order binds, such as a key that is made for the run; none without Files.
	Unbound map[string][]byte
	// RuntimeClass of what is measured, where the run stands in for it: the same network path. Empty for the cluster's
	// default.
	RuntimeClass string
	// ServiceAccount without rights, in the run's namespace.
	ServiceAccount string
	// Resolves is true for a runner that is given names; the others need no resolver, and get none.
	Resolves bool
	// DeadlineSeconds after which the run counts as failed.
	DeadlineSeconds int64
	// CPU and Memory of the runner, as quantities.
	CPU, Memory string
	// Node that it has to run on, whatever keeps others from there; any where it is empty.
	Node string
}

// Job runs once: a runner that could not measure says so, and the operator decides about another attempt.
func (r Run) Job() (*batchv1.Job, error) {
	spec := r.Order
	for _, name := range sortedKeys(r.Files) {
		spec.Files = append(spec.Files, evidence.File{Name: name, Digest: evidence.Digest(r.Files[name])})
	}
	order, err := evidence.EncodeRun(spec)
	if err != nil {
		return nil, err
	}
	volumes, mounts := r.volumes()
	labels := r.labels()
	annotations := map[string]string{v1alpha1.AnnotationNonce: r.Order.Nonce, v1alpha1.AnnotationInputs: r.Order.Subject}
	return &batchv1.Job{
		ObjectMeta: metav1.ObjectMeta{Namespace: r.Namespace, Name: r.Name, Labels: labels, Annotations: annotations},
		Spec: batchv1.JobSpec{
			BackoffLimit: ptr.To[int32](0), ActiveDeadlineSeconds: ptr.To(r.DeadlineSeconds),
			Template: corev1.PodTemplateSpec{
				ObjectMeta: metav1.ObjectMeta{Labels: labels, Annotations: annotations},
				Spec: corev1.PodSpec{
					RuntimeClassName: runtimeClass(r.RuntimeClass),
					RestartPolicy:    corev1.RestartPolicyNever, ServiceAccountName: r.ServiceAccount,
					AutomountServiceAccountToken: ptr.To(false), EnableServiceLinks: ptr.To(false),
					TerminationGracePeriodSeconds: ptr.To[int64](2),
					SecurityContext:               PodSecurity(), Volumes: volumes,
					Affinity: r.affinity(), Tolerations: r.tolerations(), InitContainers: r.Tool.containers(),
					Containers: []corev1.Container{{
						Name: RunnerContainer, Image: r.Image, ImagePullPolicy: corev1.PullIfNotPresent, Args: []string{"run"},
						Env:                      append(r.addresses(), corev1.EnvVar{Name: evidence.RunEnv, Value: literal(string(order))}),
						SecurityContext:          ContainerSecurity(),
						Resources:                resources(r.CPU, r.Memory),
						VolumeMounts:             mounts,
						TerminationMessagePolicy: corev1.TerminationMessageReadFile,
					}},
				},
			},
		},
	}, nil
}

// affinity by the node's name, as DaemonSets have it: the label for the host name may say something else.
func (r Run) affinity() *corev1.Affinity {
	if r.Node == "" {
		return nil
	}
	return &corev1.Affinity{NodeAffinity: &corev1.NodeAffinity{
		RequiredDuringSchedulingIgnoredDuringExecution: &corev1.NodeSelector{NodeSelectorTerms: []corev1.NodeSelectorTerm{{
			MatchFields: []corev1.NodeSelectorRequirement{{Key: metav1.ObjectNameField, Operator: corev1.NodeSelectorOpIn, Values: []string{r.Node}}},
		}}},
	}}
}

// tolerations of everything, for a run that has to follow something which runs there already.
func (r Run) tolerations() []corev1.Toleration {
	if r.Node == "" {
		return nil
	}
	return []corev1.Toleration{{Operator: corev1.TolerationOpExists}}
}

// addresses that a run can't be told beforehand.
func (r Run) addresses() []corev1.EnvVar {
	order := evidence.As[evidence.IsolationSpec](r.Order.Order)
	if (order == nil || order.Meeting == nil) && !evidence.As[evidence.IntegrationSpec](r.Order.Order).AtNode() {
		return nil
	}
	from := func(name, field string) corev1.EnvVar {
		return corev1.EnvVar{Name: name, ValueFrom: &corev1.EnvVarSource{FieldRef: &corev1.ObjectFieldSelector{FieldPath: field}}}
	}
	return []corev1.EnvVar{from(evidence.NodeAddressEnv, "status.hostIP"), from(evidence.PodAddressesEnv, "status.podIPs")}
}

func (r Run) labels() map[string]string {
	labels := r.Identity.Labels(r.Component)
	labels[v1alpha1.LabelGate] = r.Gate
	if r.Review != "" {
		labels[v1alpha1.LabelReview] = r.Review
	}
	return labels
}

func (r Run) volumes() ([]corev1.Volume, []corev1.VolumeMount) {
	var volumes []corev1.Volume
	var mounts []corev1.VolumeMount
	for _, directory := range sortedKeys(r.Secrets) {
		name := "secret-" + string(rune('a'+len(volumes)))
		volumes = append(volumes, corev1.Volume{Name: name, VolumeSource: corev1.VolumeSource{
			Secret: &corev1.SecretVolumeSource{SecretName: r.Secrets[directory], DefaultMode: ptr.To[int32](0o440)},
		}})
		mounts = append(mounts, corev1.VolumeMount{Name: name, MountPath: directory, ReadOnly: true})
	}
	if len(r.Files) > 0 {
		volumes = append(volumes, corev1.Volume{Name: "files", VolumeSource: corev1.VolumeSource{
			Secret: &corev1.SecretVolumeSource{SecretName: r.Name, DefaultMode: ptr.To[int32](0o440)},
		}})
		mounts = append(mounts, corev1.VolumeMount{Name: "files", MountPath: evidence.FilesPath, ReadOnly: true})
	}
	if order := evidence.As[evidence.IsolationSpec](r.Order.Order); order != nil && order.Told {
		volumes = append(volumes, corev1.Volume{Name: "told", VolumeSource: corev1.VolumeSource{DownwardAPI: &corev1.DownwardAPIVolumeSource{
			Items: []corev1.DownwardAPIVolumeFile{{Path: evidence.ToldFile, FieldRef: &corev1.ObjectFieldSelector{
				FieldPath: "metadata.annotations['" + v1alpha1.AnnotationWitnessed + "']",
			}}},
		}}})
		mounts = append(mounts, corev1.VolumeMount{Name: "told", MountPath: evidence.ToldPath, ReadOnly: true})
	}
	if r.Tool != nil {
		volumes = append(volumes, toolVolumes()...)
		mounts = append(mounts, corev1.VolumeMount{Name: volumeResults, MountPath: evidence.ResultsPath, ReadOnly: true})
	}
	return volumes, mounts
}

// FileSecret holds the run's files, under its name; nil without any. It is a Secret and no ConfigMap because few may read
// Secrets, and what a prototype is tried with may be confidential.
func (r Run) FileSecret() *corev1.Secret {
	if len(r.Files) == 0 {
		return nil
	}
	data := maps.Clone(r.Files)
	maps.Copy(data, r.Unbound)
	return &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: r.Namespace, Name: r.Name, Labels: r.labels()},
		Immutable:  ptr.To(true), Data: data,
	}
}

// RunnerQuota is what a namespace's quota leaves for a runner.
func RunnerQuota() corev1.ResourceList {
	return corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("200m"), corev1.ResourceMemory: resource.MustParse("128Mi")}
}

func (r Run) selector() map[string]string {
	return map[string]string{v1alpha1.LabelComponent: r.Component, v1alpha1.LabelPrototypeUID: r.Identity.UID, v1alpha1.LabelGate: r.Gate}
}

// AllowRun lets exactly this run's pods reach one place: the pods that the given labels select, on one port.
func (r Run) AllowRun(namespace string, pods map[string]string, ports ...networkingv1.NetworkPolicyPort) *networkingv1.NetworkPolicy {
	return &networkingv1.NetworkPolicy{
		ObjectMeta: metav1.ObjectMeta{Namespace: r.Namespace, Name: r.Name, Labels: r.labels()},
		Spec: networkingv1.NetworkPolicySpec{
			PodSelector: metav1.LabelSelector{MatchLabels: r.selector()},
			PolicyTypes: []networkingv1.PolicyType{networkingv1.PolicyTypeEgress},
			Egress:      append(r.names(), networkingv1.NetworkPolicyEgressRule{To: []networkingv1.NetworkPolicyPeer{peer(namespace, pods)}, Ports: ports}),
		},
	}
}

// OpenTo lets the pods that a policy selects go to a destination of the catalogue besides.
func OpenTo(policy *networkingv1.NetworkPolicy, to v1alpha1.Destination) {
	policy.Spec.Egress = append(policy.Spec.Egress, destination(to))
}

// AdmitTo lets exactly this run's pods reach those that the policy selects.
func (r Run) AdmitTo(policy *networkingv1.NetworkPolicy, ports ...networkingv1.NetworkPolicyPort) {
	policy.Spec.PolicyTypes = append(policy.Spec.PolicyTypes, networkingv1.PolicyTypeIngress)
	policy.Spec.Ingress = append(policy.Spec.Ingress, networkingv1.NetworkPolicyIngressRule{
		From: []networkingv1.NetworkPolicyPeer{peer(r.Namespace, r.selector())}, Ports: ports,
	})
}

func (r Run) names() []networkingv1.NetworkPolicyEgressRule {
	if !r.Resolves {
		return nil
	}
	return []networkingv1.NetworkPolicyEgressRule{resolver()}
}
