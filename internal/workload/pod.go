package workload

import (
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/utils/ptr"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/internal/subject"
)

// user is nobody in particular: prototypes run as it whatever their image says.
const user = 65532

// defaultScratch is what /tmp holds where the prototype asks for nothing: most programs need a little.
const defaultScratch = "64Mi"

// AnnotationSecrets rolls the pods when a mounted Secret's value changes.
const AnnotationSecrets = "affineur.dev/secrets"

// PodTemplate is the pod of a subject: restricted in every respect, by digest, without a service-account token.
func PodTemplate(s subject.Subject, at Surroundings) corev1.PodTemplateSpec {
	annotations := map[string]string{v1alpha1.AnnotationSubject: at.SubjectDigest}
	if at.SecretsDigest != "" {
		annotations[AnnotationSecrets] = at.SecretsDigest
	}
	if at.Reach != "" {
		annotations[v1alpha1.AnnotationReach] = at.Reach
	}
	if at.Severed.Mark != "" {
		annotations[v1alpha1.AnnotationCutOff] = at.Severed.Mark
	}
	volumes, mounts := volumes(s, at)
	return corev1.PodTemplateSpec{
		ObjectMeta: metav1.ObjectMeta{Labels: at.Identity.Labels(ComponentPrototype), Annotations: annotations},
		Spec: corev1.PodSpec{
			RuntimeClassName:              runtimeClass(at.Requirements.RuntimeClass),
			ServiceAccountName:            Name,
			AutomountServiceAccountToken:  ptr.To(false),
			EnableServiceLinks:            ptr.To(false),
			TerminationGracePeriodSeconds: ptr.To(grace(at)),
			ImagePullSecrets:              pullSecrets(at),
			SecurityContext:               PodSecurity(),
			TopologySpreadConstraints:     spread(at),
			Volumes:                       volumes,
			Containers: []corev1.Container{{
				Name: Name, Image: s.Container.Image, ImagePullPolicy: corev1.PullIfNotPresent,
				Ports:           []corev1.ContainerPort{{Name: "http", ContainerPort: s.Container.Port, Protocol: corev1.ProtocolTCP}},
				Env:             env(s, at),
				Resources:       resources(s.Container.CPU, s.Container.Memory),
				SecurityContext: ContainerSecurity(),
				VolumeMounts:    mounts,
				ReadinessProbe:  probe(s, 2, 3),
				LivenessProbe:   liveness(s, at),
				Lifecycle:       lifecycle(at),
			}},
		},
	}
}

// runtimeClass is nil for the cluster's default.
func runtimeClass(name string) *string {
	if name == "" {
		return nil
	}
	return &name
}

// PodSecurity is the restricted level for a pod.
func PodSecurity() *corev1.PodSecurityContext {
	return &corev1.PodSecurityContext{
		RunAsNonRoot: ptr.To(true), RunAsUser: ptr.To[int64](user), RunAsGroup: ptr.To[int64](user), FSGroup: ptr.To[int64](user),
		SeccompProfile: &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault},
	}
}

// ContainerSecurity is the restricted level for a container, and a read-only file system.
func ContainerSecurity() *corev1.SecurityContext {
	return &corev1.SecurityContext{
		AllowPrivilegeEscalation: ptr.To(false), ReadOnlyRootFilesystem: ptr.To(true), RunAsNonRoot: ptr.To(true),
		Capabilities: &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}},
	}
}

func env(s subject.Subject, at Surroundings) []corev1.EnvVar {
	var out []corev1.EnvVar
	for _, e := range s.Container.Env {
		out = append(out, corev1.EnvVar{Name: e.Name, Value: literal(e.Value)})
	}
	var model, version string
	if s.Model != nil {
		model, version = s.Model.Name, s.Model.Version
	}
	return append(out, at.environment(model, version)...)
}

func pullSecrets(at Surroundings) []corev1.LocalObjectReference {
	if at.Requirements.Registry.PullSecret == nil {
		return nil
	}
	return []corev1.LocalObjectReference{{Name: PullSecret}}
}

// resources are requested and limited alike: a measured sandbox then behaves like production.
func resources(cpu, memory string) corev1.ResourceRequirements {
	list := corev1.ResourceList{corev1.ResourceCPU: resource.MustParse(cpu), corev1.ResourceMemory: resource.MustParse(memory)}
	return corev1.ResourceRequirements{Requests: list, Limits: list.DeepCopy()}
}

func volumes(s subject.Subject, at Surroundings) ([]corev1.Volume, []corev1.VolumeMount) {
	size := s.Container.Scratch
	if size == "" {
		size = defaultScratch
	}
	limit := resource.MustParse(size)
	volumes := []corev1.Volume{{Name: "tmp", VolumeSource: corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{SizeLimit: &limit}}}}
	mounts := []corev1.VolumeMount{{Name: "tmp", MountPath: "/tmp"}}
	add := func(volume, secret, path string) {
		volumes = append(volumes, corev1.Volume{Name: volume, VolumeSource: corev1.VolumeSource{Secret: &corev1.SecretVolumeSource{SecretName: secret}}})
		mounts = append(mounts, corev1.VolumeMount{Name: volume, MountPath: path, ReadOnly: true})
	}
	for i, secret := range s.Container.Secrets {
		add("team-"+string(rune('a'+i)), TeamSecret(secret.Name), secret.MountPath)
	}
	if at.Requirements.ModelGateway != nil {
		add("model", ModelSecret, ModelKeyPath)
	}
	for i, integration := range at.Requirements.Integrations {
		endpoint := at.Endpoint(integration)
		if endpoint != nil && (endpoint.Credentials != nil || endpoint.CA != nil) {
			add("integration-"+string(rune('a'+i)), IntegrationSecret(integration.Name), IntegrationFiles(integration.Name))
		}
	}
	return volumes, mounts
}

// probe asks the program's health path, or whether its port is open.
func probe(s subject.Subject, period, failures int32) *corev1.Probe {
	p := &corev1.Probe{PeriodSeconds: period, FailureThreshold: failures, TimeoutSeconds: 2, SuccessThreshold: 1}
	port := intstr.FromString("http")
	if s.Container.Health != "" {
		p.HTTPGet = &corev1.HTTPGetAction{Path: s.Container.Health, Port: port, Scheme: corev1.URISchemeHTTP}
	} else {
		p.TCPSocket = &corev1.TCPSocketAction{Port: port}
	}
	return p
}

// liveness restarts a program that hangs, in production only: in a sandbox a restart would hide the hole.
func liveness(s subject.Subject, at Surroundings) *corev1.Probe {
	if at.Purpose != v1alpha1.PurposeProduction {
		return nil
	}
	return probe(s, 10, 6)
}

// lifecycle lets load balancers forget a pod in production before it stops.
func lifecycle(at Surroundings) *corev1.Lifecycle {
	if at.Purpose != v1alpha1.PurposeProduction {
		return nil
	}
	return &corev1.Lifecycle{PreStop: &corev1.LifecycleHandler{Sleep: &corev1.SleepAction{Seconds: 3}}}
}

func grace(at Surroundings) int64 {
	if at.Purpose == v1alpha1.PurposeProduction {
		return 30
	}
	return 5
}

func spread(at Surroundings) []corev1.TopologySpreadConstraint {
	if at.Purpose != v1alpha1.PurposeProduction {
		return nil
	}
	return []corev1.TopologySpreadConstraint{{
		MaxSkew: 1, TopologyKey: corev1.LabelHostname, WhenUnsatisfiable: corev1.ScheduleAnyway,
		LabelSelector: &metav1.LabelSelector{MatchLabels: Selector(at.Identity)},
	}}
}

// Hurry is how many seconds a pod gets to end that may still hold connections which an emergency stop is to end.
const Hurry = 1

// Outlives tells whether a pod does not carry the mark of a cut, runs and was not told to end at once. No pod carries an
// empty mark.
func Outlives(pod *corev1.Pod, mark string) bool {
	switch {
	case mark != "" && pod.Annotations[v1alpha1.AnnotationCutOff] == mark:
		return false
	case pod.Status.Phase == corev1.PodSucceeded || pod.Status.Phase == corev1.PodFailed:
		return false
	}
	return !Hurried(pod)
}

// Hurried tells whether a pod is given no time any more to end by itself.
func Hurried(pod *corev1.Pod) bool {
	return !pod.DeletionTimestamp.IsZero() && ptr.Deref(pod.DeletionGracePeriodSeconds, 0) <= Hurry
}
