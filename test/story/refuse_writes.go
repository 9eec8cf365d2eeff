package main

import (
	"context"

	networkingv1 "k8s.io/api/networking/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/internal/workload"
)

// refuseWrites tries to change production past the review, as a business user and as the cluster's administrator.
func (s *stage) refuseWrites(ctx context.Context) error {
	namespace, err := s.production(ctx)
	if err != nil {
		return err
	}
	lead, admin := s.cast[membershipLead], s.admin
	image := mergePatch(`{"spec":{"template":{"spec":{"containers":[{"name":"prototype","image":"` + s.images["churn-advisor-1.5"].pinned() + `"}]}}}}`)
	deployment := &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: workload.Name}}
	group := s.cast[membershipLead].Groups[0]
	binding := &rbacv1.RoleBinding{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "let-us-in"},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "edit"},
		Subjects:   []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: rbacv1.GroupKind, Name: group}},
	}
	open := &networkingv1.NetworkPolicy{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "open"},
		Spec:       networkingv1.NetworkPolicySpec{Egress: []networkingv1.NetworkPolicyEgressRule{{}}, PolicyTypes: []networkingv1.PolicyType{networkingv1.PolicyTypeEgress}},
	}
	approved := mergePatch(`{"status":{"outcome":"Promoted"}}`)
	content := byPolicy("affineur-managed-content", "only the operator and the cluster itself write")
	for _, attempt := range []struct {
		who  *actor
		what string
		try  func(*actor) error
		by   refuser
	}{
		{lead, "changing the image of the Deployment in production", func(a *actor) error { return a.Patch(ctx, deployment, image) }, byRBAC},
		{admin, "the same", func(a *actor) error { return a.Patch(ctx, deployment, image) }, content},
		{admin, "giving the team the role edit in production", func(a *actor) error { return a.Create(ctx, binding) }, content},
		{admin, "opening production's network with a policy of their own", func(a *actor) error { return a.Create(ctx, open) }, content},
		{admin, "a shell in a pod of production", func(a *actor) error { return s.shell(ctx, a, namespace) }, byPolicy("affineur-managed-access", "nobody uses pods/exec")},
		{admin, "writing into a review that it was promoted", func(a *actor) error {
			return a.Status().Patch(ctx, reviewOf(membership, churnAdvisor+"-2"), approved)
		}, byPolicy("affineur-reviews-and-status", "only the operator writes reviews and status")},
		{lead, "deleting a prototype that serves in production", func(a *actor) error {
			return a.Delete(ctx, prototypeOf(membership, churnAdvisor), client.DryRunAll)
		}, byPolicy("affineur-prototypes", "serves in production")},
		{admin, "deleting the record of the review", func(a *actor) error { return s.deleteRecord(ctx, a) }, content},
	} {
		if err := s.refused(attempt.who.String(), attempt.what, attempt.try(attempt.who), attempt.by); err != nil {
			return err
		}
	}
	return nil
}

// shell asks to run a program in a pod of production; it is refused before anything runs.
func (s *stage) shell(ctx context.Context, who *actor, namespace string) error {
	var pods corev1.PodList
	if err := s.admin.List(ctx, &pods, client.InNamespace(namespace)); err != nil || len(pods.Items) == 0 {
		return err
	}
	clientset, err := kubernetes.NewForConfig(who.config)
	if err != nil {
		return err
	}
	return clientset.CoreV1().RESTClient().Post().Namespace(namespace).Resource("pods").Name(pods.Items[0].Name).SubResource("exec").
		Param("command", "sh").Param("stdout", "true").Do(ctx).Error()
}

func (s *stage) deleteRecord(ctx context.Context, who *actor) error {
	review, err := s.firstReview(ctx, who)
	if err != nil {
		return err
	}
	snapshot := &appsv1.ControllerRevision{ObjectMeta: metav1.ObjectMeta{Namespace: v1alpha1.RecordsNamespace, Name: review.Spec.Record}}
	return who.Delete(ctx, snapshot)
}
