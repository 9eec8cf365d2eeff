package apiserver

import (
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/internal/workload"
)

// People and programs of the tests.
const (
	operator   = "system:serviceaccount:affineur-system:affineur"
	guardCheck = "system:serviceaccount:affineur-system:affineur-guard-check"
	collector  = "system:serviceaccount:kube-system:generic-garbage-collector"
	namespacer = "system:serviceaccount:kube-system:namespace-controller"

	// ann is of team membership, with edit in its namespace; bob too.
	ann = "ann@example.org"
	bob = "bob@example.org"
	// sam may decide as security.
	sam = "sam@example.org"
	// mallory may write everything that RBAC can grant, and nothing that takes a verb of ours.
	mallory = "mallory@example.org"
)

// Groups of the tests.
const (
	teamMembership = "team-membership"
	itSecurity     = "it-security"
	everything     = "everything"
	administrators = "system:masters"
)

// Namespaces of the tests.
const (
	team       = "membership"
	sandbox    = "affx-membership-advisor-0a1b2c3d"
	production = "affp-membership-advisor-0a1b2c3d"
)

// fixtures are what was there before the guards: the team's namespace, two managed ones, and what RBAC grants.
func fixtures() []client.Object {
	membership := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: team, Labels: map[string]string{
		v1alpha1.LabelTeam: "membership", "affineur.dev/ai-sandbox": "true"}}}
	writes := []string{"get", "list", "watch", "create", "update", "patch", "delete", "deletecollection"}
	return []client.Object{
		membership,
		managed(sandbox, v1alpha1.PurposeSandbox),
		managed(production, v1alpha1.PurposeProduction),
		// Not "*": a wildcard would satisfy the checks of our own verbs as well.
		&rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: "test-everything"}, Rules: []rbacv1.PolicyRule{
			{APIGroups: []string{"*"}, Resources: []string{"*"}, Verbs: writes}}},
		granted("test-everything", "", everything),
		granted("affineur-edit", team, teamMembership),
		granted("affineur-view", team, teamMembership),
		granted("affineur-reviewer", "", itSecurity),
		&rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: "affineur-approve-security"}, Rules: []rbacv1.PolicyRule{
			{APIGroups: []string{"affineur.dev"}, Resources: []string{"hardeningroles"}, ResourceNames: []string{"security"}, Verbs: []string{"approve"}}}},
		granted("affineur-approve-security", "", itSecurity),
		// As the operator does in every namespace that it makes.
		bound("affineur-managed", sandbox, v1alpha1.SystemNamespace, "affineur"),
		bound("affineur-managed", production, v1alpha1.SystemNamespace, "affineur"),
		byHandIn(sandbox), byHandIn(production),
		// Without a controller manager, the server has no roles for these two.
		bound("test-everything", "", "kube-system", "generic-garbage-collector"),
		bound("test-everything", "", "kube-system", "namespace-controller"),
	}
}

// granted binds a ClusterRole to a group, in one namespace or everywhere.
func granted(role, namespace, group string) client.Object {
	ref := rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: role}
	to := []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: rbacv1.GroupKind, Name: group}}
	if namespace == "" {
		return &rbacv1.ClusterRoleBinding{ObjectMeta: metav1.ObjectMeta{Name: role + "-" + group}, RoleRef: ref, Subjects: to}
	}
	return &rbacv1.RoleBinding{ObjectMeta: metav1.ObjectMeta{Name: role + "-" + group, Namespace: namespace}, RoleRef: ref, Subjects: to}
}

// bound binds a ClusterRole to a ServiceAccount.
func bound(role, namespace, home, account string) client.Object {
	object := granted(role, namespace, account)
	to := []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Namespace: home, Name: account}}
	switch binding := object.(type) {
	case *rbacv1.ClusterRoleBinding:
		binding.Subjects = to
	case *rbacv1.RoleBinding:
		binding.Subjects = to
	}
	return object
}

// byHandIn is what the operator keeps in every namespace of a prototype for responders.
func byHandIn(namespace string) client.Object {
	return workload.ByHandBinding(workload.Surroundings{Namespace: namespace})
}

func configMap(namespace, name string) *corev1.ConfigMap {
	return &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}, Data: map[string]string{"key": "value"}}
}

// report is a record as the operator keeps it.
func report(name string) *corev1.ConfigMap {
	c := configMap(v1alpha1.RecordsNamespace, name)
	c.Immutable = ptr.To(true)
	return c
}

func snapshot(name string) *appsv1.ControllerRevision {
	return &appsv1.ControllerRevision{
		ObjectMeta: metav1.ObjectMeta{Namespace: v1alpha1.RecordsNamespace, Name: name},
		Data:       runtime.RawExtension{Raw: []byte(`{"schema":"test"}`)}, Revision: 1,
	}
}

func service(namespace, name string) *corev1.Service {
	return &corev1.Service{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name},
		Spec: corev1.ServiceSpec{Selector: map[string]string{"app": "x"}, Ports: []corev1.ServicePort{{Port: 80}}}}
}

const digest = "sha256:" + "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

// pod passes the restricted Pod Security level and everything that the guards ask of a pod.
func pod(namespace, name string) *corev1.Pod {
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name},
		Spec: corev1.PodSpec{
			AutomountServiceAccountToken: ptr.To(false),
			SecurityContext: &corev1.PodSecurityContext{RunAsNonRoot: ptr.To(true),
				SeccompProfile: &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault}},
			Containers: []corev1.Container{{
				Name: "prototype", Image: "registry.example.org/membership/advisor@" + digest,
				SecurityContext: &corev1.SecurityContext{AllowPrivilegeEscalation: ptr.To(false),
					Capabilities: &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}}},
			}},
		},
	}
}

func deployment(namespace, name string) *appsv1.Deployment {
	labels := map[string]string{"app": name}
	return &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name},
		Spec: appsv1.DeploymentSpec{
			Replicas: ptr.To[int32](1),
			Selector: &metav1.LabelSelector{MatchLabels: labels},
			Template: corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: labels}, Spec: pod(namespace, name).Spec},
		},
	}
}

// prototype is the smallest useful one.
func prototype(name string) *v1alpha1.AIPrototype {
	return &v1alpha1.AIPrototype{
		ObjectMeta: metav1.ObjectMeta{Namespace: team, Name: name},
		Spec: v1alpha1.AIPrototypeSpec{
			Need: v1alpha1.Need{Problem: "Members lapse.", Outcomes: []v1alpha1.Outcome{
				{Name: "renewal-rate", Unit: "percent", Direction: v1alpha1.DirectionIncrease, Baseline: "71", Target: "75"}}},
			Workload: &v1alpha1.Workload{Container: &v1alpha1.Container{Image: "registry.example.org/membership/advisor:1", Port: 8080}},
			Demand:   &v1alpha1.Demand{People: ptr.To[int32](10), BusiestHour: ptr.To[int32](10), AnswerWithin: &metav1.Duration{Duration: 2e9}},
		},
	}
}

func review(name string) *v1alpha1.HardeningReview {
	return &v1alpha1.HardeningReview{
		ObjectMeta: metav1.ObjectMeta{Namespace: team, Name: name},
		Spec: v1alpha1.HardeningReviewSpec{
			Prototype:     v1alpha1.ObjectIdentity{Name: "advisor", UID: "0b5e2d2c-0000-4000-8000-000000000000"},
			SubjectDigest: digest, ReviewDigest: digest, Tier: "Standard", RequestedBy: ann, Authors: []string{ann}, Record: "advisor-0a1b2c3d-1",
		},
	}
}

func decision(name string) *v1alpha1.HardeningDecision {
	return &v1alpha1.HardeningDecision{
		ObjectMeta: metav1.ObjectMeta{Namespace: team, Name: name},
		Spec: v1alpha1.HardeningDecisionSpec{
			Review:       v1alpha1.ObjectIdentity{Name: "advisor-1", UID: "5f0c7f1e-0000-4000-8000-000000000000"},
			ReviewDigest: digest, Role: "security", Verdict: v1alpha1.VerdictApprove,
		},
	}
}

// named makes a valid object name of a test's.
func named(test string) string {
	return strings.Trim(strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= '0' && r <= '9':
			return r
		case r >= 'A' && r <= 'Z':
			return r + 'a' - 'A'
		}
		return '-'
	}, test), "-")
}

func quantity(q string) *resource.Quantity { return ptr.To(resource.MustParse(q)) }
