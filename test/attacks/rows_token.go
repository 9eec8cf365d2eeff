package main

import (
	"context"
	"fmt"
	"strings"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/affineur/affineur/api/v1alpha1"
)

// stolenToken is row 26: everything that the operator's own token may not do.
func (f *field) stolenToken() []attack {
	policy := &v1alpha1.HardeningPolicy{ObjectMeta: metav1.ObjectMeta{Name: "organisation"}}
	guards := &corev1.ConfigMap{ObjectMeta: in(v1alpha1.SystemNamespace, "affineur-guards")}
	decision := &v1alpha1.HardeningDecision{ObjectMeta: in(home, "forged"), Spec: v1alpha1.HardeningDecisionSpec{
		Review:       v1alpha1.ObjectIdentity{Name: "lurer-1", UID: "00000000-0000-0000-0000-000000000000"},
		ReviewDigest: "sha256:" + strings.Repeat("0", 64), Role: "security", Verdict: v1alpha1.VerdictApprove}}
	guardPolicy := &admissionv1.ValidatingAdmissionPolicyBinding{ObjectMeta: metav1.ObjectMeta{Name: "affineur-managed-content"}}
	admins := &rbacv1.ClusterRoleBinding{ObjectMeta: metav1.ObjectMeta{Name: "forged"},
		RoleRef:  rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "cluster-admin"},
		Subjects: []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Namespace: v1alpha1.SystemNamespace, Name: "affineur"}}}
	escalated := &rbacv1.RoleBinding{ObjectMeta: in(f.sandbox, "forged"), RoleRef: admins.RoleRef, Subjects: admins.Subjects}
	role := &rbacv1.Role{ObjectMeta: in(f.sandbox, "forged"), Rules: []rbacv1.PolicyRule{{APIGroups: []string{"*"}, Resources: []string{"*"}, Verbs: []string{"*"}}}}
	pod := &corev1.Pod{ObjectMeta: in("kube-system", "forged"), Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "x", Image: "x"}}}}
	out := []attack{
		f.creates(26, f.thief, "a decision", decision).by(rbac),
		f.changes(26, f.thief, "the organisation's policy", policy, `{"spec":{"roles":[]}}`).by(rbac),
		f.changes(26, f.thief, "what a team asks for", f.intruder.DeepCopy(), `{"spec":{"suspend":true}}`).by(confinement),
		{row: 26, who: f.thief.name, what: "who the authors of a prototype are", try: f.forgesAuthors,
			meant: []wall{{by: "the stamp on prototypes ("}, confinement}},
		f.changes(26, f.thief, "whom the guards trust", guards, `{"data":{"operator":"forged"}}`).by(rbac),
		f.deletes(26, f.thief, "a guard", guardPolicy).by(rbac),
		f.changes(26, f.thief, "a guard that only warns", guardPolicy, `{"spec":{"validationActions":["Audit"]}}`).by(rbac),
		f.creates(26, f.thief, "cluster-admin for itself", admins).by(rbac),
		f.creates(26, f.thief, "cluster-admin for itself in a sandbox", escalated).by(rbac),
		f.creates(26, f.thief, "a Role of its own in a sandbox", role).by(rbac),
		f.creates(26, f.thief, "a pod in kube-system", pod).by(rbac),
		f.creates(26, f.thief, "a pod beside its own", &corev1.Pod{ObjectMeta: in(v1alpha1.SystemNamespace, "forged"), Spec: pod.Spec}).by(rbac),
		f.creates(26, f.thief, "a Secret in a team's namespace", &corev1.Secret{ObjectMeta: in(home, "forged")}).by(rbac),
		f.changes(26, f.thief, "a team's namespace", &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: home}}, `{"metadata":{"labels":{"thiefs":"own"}}}`).by(confinement),
		f.deletes(26, f.thief, "a team's namespace", &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: home}}).by(confinement),
		f.creates(26, f.thief, "a namespace without Pod Security", &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: v1alpha1.SandboxPrefix + "forged",
			Labels: map[string]string{v1alpha1.LabelManagedBy: v1alpha1.ManagedBy}}}).by(confinement),
		f.asks(26, f.thief, "to be somebody else", func(ctx context.Context) error { return f.impersonates(ctx, f.thief) }, func(ctx context.Context) error {
			return f.impersonates(ctx, f.admin)
		}).by(rbac),
	}
	// The token works: everything above would show nothing with one that does not.
	out[0].control = func(ctx context.Context) error {
		return f.thief.Create(ctx, &corev1.ConfigMap{ObjectMeta: in(f.sandbox, "allowed")}, client.DryRunAll)
	}
	return out
}

// forgesAuthors asks for other authors. The API server may take the request, and keeps what it knows itself.
func (f *field) forgesAuthors(ctx context.Context) (string, error) {
	p := f.intruder.DeepCopy()
	before := p.Annotations[v1alpha1.AnnotationAuthors]
	if before != f.lead.name {
		return "", fmt.Errorf("the authors are %q, so it shows nothing", before)
	}
	answer := f.thief.Patch(ctx, p, merge(`{"metadata":{"annotations":{"affineur.dev/authors":"nobody"}}}`))
	if err := f.admin.Get(ctx, client.ObjectKeyFromObject(p), p); err != nil {
		return "", err
	}
	if after := p.Annotations[v1alpha1.AnnotationAuthors]; after != before {
		return "", fmt.Errorf("the authors are %q", after)
	}
	if by, refused := stopper(answer); refused || answer != nil {
		return by, nil
	}
	return "the stamp on prototypes (the request was taken, and the authors are still " + before + ")", nil
}

func (f *field) impersonates(ctx context.Context, who *person) error {
	config := rest.CopyConfig(who.config)
	config.Impersonate = rest.ImpersonationConfig{UserName: "security-reviewer@example.org", Groups: []string{"it-security", "system:authenticated"}}
	as, err := client.New(config, client.Options{Scheme: f.scheme, Mapper: f.admin.RESTMapper()})
	if err != nil {
		return err
	}
	return as.List(ctx, &v1alpha1.HardeningReviewList{})
}
