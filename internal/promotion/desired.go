package promotion

import (
	"strconv"

	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/internal/gate"
	"github.com/affineur/affineur/internal/names"
	"github.com/affineur/affineur/internal/record"
	"github.com/affineur/affineur/internal/workload"
)

const (
	// maxSecrets in production: two revisions' side by side, of at most 16 team Secrets, 16 integrations, a pull
	// secret and a model key each.
	maxSecrets = "80"
	// surge is how many pods a rolling update starts beyond the wanted number.
	surge = 1
)

// surroundings are what a record's workload has in production.
func surroundings(r record.Record, secrets string) workload.Surroundings {
	return workload.Surroundings{
		Identity: r.Prototype, Namespace: r.Prototype.Production(), Purpose: v1alpha1.PurposeProduction,
		Requirements: r.Requirements, SubjectDigest: r.SubjectDigest, SecretsDigest: secrets,
	}
}

// inProduction are the surroundings of what does not depend on any record.
func inProduction(identity names.Identity) workload.Surroundings {
	return workload.Surroundings{Identity: identity, Namespace: identity.Production(), Purpose: v1alpha1.PurposeProduction}
}

// namespaceOf is the production namespace with its memory. The mark of an orphan is taken back by its opposite,
// because labels that we no longer want stay.
func namespaceOf(identity names.Identity, m Memory, reach string, orphaned bool, mark string) (*corev1.Namespace, error) {
	namespace := workload.Namespace(inProduction(identity), false)
	var err error
	namespace.Annotations, err = m.annotations()
	if reach != "" && err == nil {
		namespace.Annotations[v1alpha1.AnnotationReach] = reach
	}
	if orphaned || mark != "" {
		namespace.Labels[v1alpha1.LabelOrphaned] = strconv.FormatBool(orphaned)
	}
	return namespace, err
}

// content is everything in production but the pods' makers and the Secrets. Its room is for as many replicas as the policy
// allows, whatever was measured: it would otherwise change with every revision. replicas are those that it is to have. While two revisions run side by side,
// each has network policies of its own for its own pods, and the room is enough for both.
func content(r record.Record, replicas v1alpha1.ReplicaRange, beside *record.Record, severed workload.Severance) []client.Object {
	at := surroundings(r, "")
	quota, limits := quotaOf(r), workload.LimitRange(at)
	policies := policiesOf(r, severed)
	if beside != nil {
		other := workload.LimitRange(surroundings(*beside, ""))
		quota.Spec.Hard = larger(quota.Spec.Hard, quotaOf(*beside).Spec.Hard)
		limits.Spec.Limits[0].Max = larger(limits.Spec.Limits[0].Max, other.Spec.Limits[0].Max)
		policies = append(policies, policiesOf(*beside, severed)...)
	}
	objects := []client.Object{
		workload.ByHandBinding(at), quota, limits, workload.ServiceAccount(at), workload.Service(r.Subject, at), budget(r, replicas),
	}
	seen := map[string]bool{}
	for _, p := range policies {
		if !seen[p.Name] {
			objects = append(objects, p)
		}
		seen[p.Name] = true
	}
	return objects
}

func quotaOf(r record.Record) *corev1.ResourceQuota {
	quota := workload.Quota(surroundings(r, ""), r.Subject.Container, int64(r.Requirements.Production.Replicas.Max)+surge)
	quota.Spec.Hard[corev1.ResourceSecrets] = resource.MustParse(maxSecrets)
	return quota
}

func larger(a, b corev1.ResourceList) corev1.ResourceList {
	out := a.DeepCopy()
	for name, quantity := range b {
		if have, ok := out[name]; !ok || quantity.Cmp(have) > 0 {
			out[name] = quantity
		}
	}
	return out
}

// policiesOf are the reviewed network policies. What closes the namespace is for every pod; what opens something
// is for the pods of this record alone.
func policiesOf(r record.Record, severed workload.Severance) []*networkingv1.NetworkPolicy {
	at := surroundings(r, "")
	at.Severed = severed
	policies := workload.NetworkPolicies(at, r.Subject.Container.Port)
	for _, p := range policies {
		if !workload.Opens(p) && len(p.Spec.PolicyTypes) == 2 {
			continue
		}
		p.Name = own(p.Name, r)
		p.Labels[v1alpha1.LabelReview] = strconv.Itoa(r.Ordinal)
		p.Spec.PodSelector = metav1.LabelSelector{MatchLabels: podLabels(r)}
	}
	return policies
}

// podLabels select the pods of one record.
func podLabels(r record.Record) map[string]string {
	labels := workload.Selector(r.Prototype)
	labels[v1alpha1.LabelReview] = strconv.Itoa(r.Ordinal)
	return labels
}

// own is the name of an object that belongs to one record.
func own(name string, r record.Record) string { return name + "-" + strconv.Itoa(r.Ordinal) }

// secretsOf gives a record's Secrets names of their own, so that a revision that still serves keeps its keys while
// the next one gets others.
func secretsOf(r record.Record, made []*corev1.Secret) []client.Object {
	var out []client.Object
	for _, secret := range made {
		secret = secret.DeepCopy()
		secret.Name = own(secret.Name, r)
		secret.Labels[v1alpha1.LabelReview] = strconv.Itoa(r.Ordinal)
		out = append(out, secret)
	}
	return out
}

// deployment renders the record, never the live prototype.
func deployment(r record.Record, secrets string, severed workload.Severance, replicas int32, size gate.Size) *appsv1.Deployment {
	at := surroundings(r, secrets)
	at.Severed = severed
	d := workload.Deployment(r.Subject, at, replicas)
	d.Annotations[v1alpha1.AnnotationRecord] = r.Name()
	template := &d.Spec.Template
	template.Labels[v1alpha1.LabelReview] = strconv.Itoa(r.Ordinal)
	template.Annotations[v1alpha1.AnnotationRecord] = r.Name()
	request(&template.Spec.Containers[0].Resources, r.Requirements.Production.Requests, size)
	for i := range template.Spec.Volumes {
		if source := template.Spec.Volumes[i].Secret; source != nil {
			source.SecretName = own(source.SecretName, r)
		}
	}
	for i := range template.Spec.ImagePullSecrets {
		template.Spec.ImagePullSecrets[i].Name = own(template.Spec.ImagePullSecrets[i].Name, r)
	}
	return d
}

// request what was measured, where the policy says so and it is known: never more than the limits, which stay those under which
// the record was measured.
func request(resources *corev1.ResourceRequirements, rule v1alpha1.ProductionRequests, size gate.Size) {
	if rule != v1alpha1.RequestsMeasured || size.CPU <= 0 || size.Memory <= 0 {
		return
	}
	for name, wanted := range map[corev1.ResourceName]*resource.Quantity{
		corev1.ResourceCPU: resource.NewMilliQuantity(size.CPU, resource.DecimalSI), corev1.ResourceMemory: resource.NewQuantity(size.Memory, resource.BinarySI),
	} {
		if limit := resources.Limits[name]; wanted.Cmp(limit) < 0 {
			resources.Requests[name] = *wanted
		}
	}
}

// replicas keeps what the autoscaler chose, within what was reviewed. An autoscaler does nothing at zero, so that
// is never kept.
func replicas(r record.Record, now Rollout) int32 {
	bounds := r.Requirements.Production.Replicas
	if !now.Exists || !now.Autoscaled {
		return bounds.Min
	}
	return min(max(now.Replicas, bounds.Min), bounds.Max)
}

// autoscaler scales on CPU. Where the cluster has no metrics it says so in its own status and changes nothing.
func autoscaler(r record.Record) *autoscalingv2.HorizontalPodAutoscaler {
	bounds := r.Requirements.Production.Replicas
	return &autoscalingv2.HorizontalPodAutoscaler{
		ObjectMeta: meta(r),
		Spec: autoscalingv2.HorizontalPodAutoscalerSpec{
			ScaleTargetRef: autoscalingv2.CrossVersionObjectReference{APIVersion: "apps/v1", Kind: "Deployment", Name: workload.Name},
			MinReplicas:    ptr.To(bounds.Min), MaxReplicas: bounds.Max,
			Metrics: []autoscalingv2.MetricSpec{{
				Type: autoscalingv2.ResourceMetricSourceType,
				Resource: &autoscalingv2.ResourceMetricSource{
					Name: corev1.ResourceCPU,
					Target: autoscalingv2.MetricTarget{
						Type: autoscalingv2.UtilizationMetricType, AverageUtilization: ptr.To[int32](gate.Utilization),
					},
				},
			}},
		},
	}
}

// budget lets one pod at a time be moved. With a single replica that is all of them: a budget that forbids it would
// block every drain of its node.
func budget(r record.Record, replicas v1alpha1.ReplicaRange) *policyv1.PodDisruptionBudget {
	available := intstr.FromInt32(replicas.Min - 1)
	return &policyv1.PodDisruptionBudget{
		ObjectMeta: meta(r),
		Spec: policyv1.PodDisruptionBudgetSpec{
			MinAvailable: &available,
			Selector:     &metav1.LabelSelector{MatchLabels: workload.Selector(r.Prototype)},
			// A pod that is not ready serves nobody; it must not keep a node from being drained.
			UnhealthyPodEvictionPolicy: ptr.To(policyv1.AlwaysAllow),
		},
	}
}

func meta(r record.Record) metav1.ObjectMeta {
	return metav1.ObjectMeta{
		Namespace: r.Prototype.Production(), Name: workload.Name, Labels: r.Prototype.Labels(workload.ComponentPrototype),
	}
}
