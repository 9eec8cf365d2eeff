package workload

import (
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/internal/names"
	"github.com/affineur/affineur/internal/subject"
)

// Names of the installed ClusterRoles that are bound inside managed namespaces, and of the operator's account.
const (
	RoleManaged         = "affineur-managed"
	RoleTeam            = "affineur-team"
	RoleTeamPortForward = "affineur-team-portforward"
	RoleByHand          = "affineur-by-hand"
	OperatorAccount     = "affineur"
	ByHandAccount       = "affineur-by-hand"
)

// OperatorBinding gives the operator its rights inside one managed namespace. It has them nowhere else.
func OperatorBinding(s Surroundings) *rbacv1.RoleBinding {
	return binding(s, "affineur-operator", RoleManaged, []rbacv1.Subject{{
		Kind: rbacv1.ServiceAccountKind, Namespace: v1alpha1.SystemNamespace, Name: OperatorAccount,
	}})
}

// RightsIn is the OperatorBinding of a namespace that is there, by its labels; nil where it is no prototype's.
func RightsIn(namespace *corev1.Namespace) *rbacv1.RoleBinding {
	identity, ours := names.FromLabels(namespace.Labels)
	if !ours {
		return nil
	}
	return OperatorBinding(Surroundings{Identity: identity, Namespace: namespace.Name, Purpose: namespace.Labels[v1alpha1.LabelPurpose]})
}

// ByHandBinding lets responders cut the namespace off by hand, and look, also while no operator runs: it stands in every
// namespace of a prototype beforehand, and serves nobody who has no token.
func ByHandBinding(s Surroundings) *rbacv1.RoleBinding {
	return binding(s, RoleByHand, RoleByHand, []rbacv1.Subject{{
		Kind: rbacv1.ServiceAccountKind, Namespace: v1alpha1.SystemNamespace, Name: ByHandAccount,
	}})
}

// TeamBindings let the team's people look, and open a port where the policy says so.
func TeamBindings(s Surroundings, portForward bool) []*rbacv1.RoleBinding {
	var people []rbacv1.Subject
	for _, group := range s.Requirements.Team.Groups {
		people = append(people, rbacv1.Subject{Kind: rbacv1.GroupKind, APIGroup: rbacv1.GroupName, Name: group})
	}
	bindings := []*rbacv1.RoleBinding{binding(s, "affineur-team", RoleTeam, people)}
	if portForward {
		bindings = append(bindings, binding(s, "affineur-team-portforward", RoleTeamPortForward, people))
	}
	return bindings
}

func binding(s Surroundings, name, role string, subjects []rbacv1.Subject) *rbacv1.RoleBinding {
	return &rbacv1.RoleBinding{
		ObjectMeta: s.meta(name, s.Purpose),
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: role},
		Subjects:   subjects,
	}
}

// Quota admits the given number of replicas and one runner, nothing that leads out of the cluster, and of everything
// else as much as a prototype needs: neither pods nor objects can be piled up.
func Quota(s Surroundings, container subject.Container, replicas int64) *corev1.ResourceQuota {
	hard := corev1.ResourceList{
		corev1.ResourcePods:                   *resource.NewQuantity(replicas+2, resource.DecimalSI),
		corev1.ResourceServices:               resource.MustParse("2"),
		corev1.ResourceServicesNodePorts:      resource.MustParse("0"),
		corev1.ResourceServicesLoadBalancers:  resource.MustParse("0"),
		corev1.ResourcePersistentVolumeClaims: resource.MustParse("0"),
		corev1.ResourceSecrets:                resource.MustParse("40"),
		corev1.ResourceConfigMaps:             resource.MustParse("20"),
		"count/deployments.apps":              resource.MustParse("1"),
		"count/jobs.batch":                    resource.MustParse("4"),
		// A Deployment keeps the last three revisions beside the one that comes and the one that goes.
		"count/replicasets.apps":              resource.MustParse("12"),
		"count/statefulsets.apps":             resource.MustParse("0"),
		"count/daemonsets.apps":               resource.MustParse("0"),
		"count/cronjobs.batch":                resource.MustParse("0"),
		corev1.ResourceReplicationControllers: resource.MustParse("0"),
	}
	runner := RunnerQuota()
	room := func(quantity string, name, request, limit corev1.ResourceName) {
		total := resource.MustParse(quantity)
		total.Mul(replicas)
		total.Add(runner[name])
		if s.Requirements.RuntimeClass != "" {
			extra := overhead[name]
			extra.Mul(replicas + 1)
			total.Add(extra)
		}
		hard[request], hard[limit] = total, total
	}
	room(container.CPU, corev1.ResourceCPU, corev1.ResourceRequestsCPU, corev1.ResourceLimitsCPU)
	room(container.Memory, corev1.ResourceMemory, corev1.ResourceRequestsMemory, corev1.ResourceLimitsMemory)
	return &corev1.ResourceQuota{ObjectMeta: s.meta("room", s.Purpose), Spec: corev1.ResourceQuotaSpec{Hard: hard}}
}

// overhead is what a RuntimeClass may add to every pod, a virtual machine's for instance: quotas count it.
var overhead = corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("500m"), corev1.ResourceMemory: resource.MustParse("512Mi")}

// LimitRange bounds what a single container may ask, so that the quota can't be spent on one.
func LimitRange(s Surroundings) *corev1.LimitRange {
	limits := corev1.ResourceList{
		corev1.ResourceCPU:    resource.MustParse(s.Requirements.Limits.CPU),
		corev1.ResourceMemory: resource.MustParse(s.Requirements.Limits.Memory),
	}
	return &corev1.LimitRange{
		ObjectMeta: s.meta("room", s.Purpose),
		Spec: corev1.LimitRangeSpec{Limits: []corev1.LimitRangeItem{{
			Type: corev1.LimitTypeContainer, Max: limits,
			Default:        RunnerQuota(),
			DefaultRequest: RunnerQuota(),
		}}},
	}
}
