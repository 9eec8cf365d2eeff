package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/internal/workload"
	"github.com/affineur/affineur/test/story/await"
)

// templates are rows 13 and 14: pods that may do more than a prototype, written by whoever may write in a sandbox at all.
func (f *field) templates() []attack {
	yes, root := true, int64(0)
	var out []attack
	for _, pod := range []struct {
		what string
		edit func(*corev1.PodSpec)
	}{
		{"a privileged pod", func(s *corev1.PodSpec) {
			s.Containers[0].SecurityContext.Privileged, s.Containers[0].SecurityContext.AllowPrivilegeEscalation = &yes, &yes
		}},
		{"a pod that runs as root", func(s *corev1.PodSpec) { s.SecurityContext.RunAsUser, s.SecurityContext.RunAsNonRoot = &root, nil }},
		{"a pod with the node's network", func(s *corev1.PodSpec) { s.HostNetwork = true }},
		{"a pod with the node's processes", func(s *corev1.PodSpec) { s.HostPID = true }},
		{"a pod with the node's shared memory", func(s *corev1.PodSpec) { s.HostIPC = true }},
		{"a pod with an added capability", func(s *corev1.PodSpec) {
			s.Containers[0].SecurityContext.Capabilities.Add = []corev1.Capability{"SYS_ADMIN"}
		}},
		{"a pod without a system call filter", func(s *corev1.PodSpec) { s.SecurityContext.SeccompProfile.Type = corev1.SeccompProfileTypeUnconfined }},
		{"a pod with a directory of the node", func(s *corev1.PodSpec) {
			s.Volumes = []corev1.Volume{{Name: "x", VolumeSource: corev1.VolumeSource{HostPath: &corev1.HostPathVolumeSource{Path: "/"}}}}
		}},
	} {
		out = append(out, attack{row: 14, who: f.thief.name, what: pod.what + ", through a Deployment in a namespace of its own making", control: f.harmless, meant: []wall{podSecurity}, try: func(ctx context.Context) (string, error) {
			return f.noPodsOf(ctx, f.deployment(thiefs, pod.edit))
		}})
	}
	token := f.deployment(f.sandbox, func(s *corev1.PodSpec) {
		s.Volumes = []corev1.Volume{{Name: "x", VolumeSource: corev1.VolumeSource{Projected: &corev1.ProjectedVolumeSource{
			Sources: []corev1.VolumeProjection{{ServiceAccountToken: &corev1.ServiceAccountTokenProjection{Path: "token"}}}}}}}
	})
	image := f.deployment(f.sandbox, func(s *corev1.PodSpec) {
		s.Volumes = []corev1.Volume{{Name: "x", VolumeSource: corev1.VolumeSource{Image: &corev1.ImageVolumeSource{Reference: f.images["holey-lure"].pinned()}}}}
	})
	tagged := f.deployment(f.production, func(s *corev1.PodSpec) { s.Containers[0].Image = f.images["churn-advisor-1.4"].Image })
	field := f.newPrototype(home, "privileged", "churn-advisor-1.4")
	return append(out,
		f.creates(14, f.thief, "a pod with a token of the API server", token).by(workloads),
		f.creates(14, f.thief, "a pod with an image as a volume", image).by(workloads),
		f.creates(13, f.thief, "a tag in production", tagged).by(workloads),
		attack{row: 14, who: f.lead.name, what: "a prototype that asks to be privileged", meant: []wall{schemaSays("spec.workload.container.securityContext")}, control: func(ctx context.Context) error {
			return f.lead.Create(ctx, field.DeepCopy(), client.DryRunAll, client.FieldValidation(metav1.FieldValidationStrict))
		}, try: func(ctx context.Context) (string, error) { return f.privileged(ctx, field) }})
}

// thiefs is a namespace that the operator's token makes: whoever stole it may, as long as Pod Security is restricted
// there.
const thiefs = v1alpha1.SandboxPrefix + "attacks-thief"

// harmless makes the namespace, and shows that a pod which asks for nothing special is let in.
func (f *field) harmless(ctx context.Context) error {
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: thiefs, Labels: map[string]string{
		v1alpha1.LabelManagedBy: v1alpha1.ManagedBy, v1alpha1.LabelPurpose: v1alpha1.PurposeSandbox, "pod-security.kubernetes.io/enforce": "restricted",
	}}}
	rights := &rbacv1.RoleBinding{ObjectMeta: in(thiefs, "affineur-managed"),
		RoleRef:  rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "affineur-managed"},
		Subjects: []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Namespace: v1alpha1.SystemNamespace, Name: "affineur"}}}
	if err := client.IgnoreAlreadyExists(f.thief.Create(ctx, namespace)); err != nil {
		return err
	}
	if err := client.IgnoreAlreadyExists(f.thief.Create(ctx, rights)); err != nil {
		return err
	}
	plain := f.deployment(thiefs, func(*corev1.PodSpec) {})
	plain.Name = "harmless"
	plain.Spec.Selector.MatchLabels = map[string]string{"app": plain.Name}
	plain.Spec.Template.Labels = plain.Spec.Selector.MatchLabels
	// The rights reach the API server's authorizer after a moment.
	err := await.Until(ctx, func() error { return client.IgnoreAlreadyExists(f.thief.Create(ctx, plain.DeepCopy())) })
	if err != nil {
		return err
	}
	return await.Until(ctx, func() error {
		var sets appsv1.ReplicaSetList
		if err := f.admin.List(ctx, &sets, client.InNamespace(thiefs)); err != nil {
			return err
		}
		for _, set := range sets.Items {
			if strings.HasPrefix(set.Name, plain.Name) && set.Status.Replicas == 1 {
				return nil
			}
		}
		return errors.New("a harmless pod is not let in")
	})
}

// deployment is harmless until it is edited.
func (f *field) deployment(namespace string, edit func(*corev1.PodSpec)) *appsv1.Deployment {
	labels := map[string]string{"app": "forged"}
	spec := corev1.PodSpec{
		TerminationGracePeriodSeconds: ptr.To[int64](1),
		AutomountServiceAccountToken:  ptr.To(false), SecurityContext: workload.PodSecurity(),
		Containers: []corev1.Container{{Name: "x", Image: f.images["holey-lure"].pinned(), SecurityContext: workload.ContainerSecurity()}},
	}
	edit(&spec)
	return &appsv1.Deployment{ObjectMeta: in(namespace, "forged"), Spec: appsv1.DeploymentSpec{
		Selector: &metav1.LabelSelector{MatchLabels: labels}, Template: corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: labels}, Spec: spec}}}
}

// noPodsOf makes a Deployment as the operator could, and wants its pods to be refused.
func (f *field) noPodsOf(ctx context.Context, d *appsv1.Deployment) (string, error) {
	if err := f.thief.Create(ctx, d); err != nil {
		return "", err
	}
	defer func() {
		_ = f.thief.Delete(context.WithoutCancel(ctx), d, client.PropagationPolicy(metav1.DeletePropagationBackground))
		_ = await.Until(ctx, func() error { return f.replicaSetsGone(ctx, d.Namespace) })
	}()
	by := ""
	err := await.Until(ctx, func() error {
		var sets appsv1.ReplicaSetList
		if err := f.admin.List(ctx, &sets, client.InNamespace(d.Namespace), client.MatchingLabels(d.Spec.Selector.MatchLabels)); err != nil {
			return err
		}
		for _, set := range sets.Items {
			for _, condition := range set.Status.Conditions {
				if condition.Type != appsv1.ReplicaSetReplicaFailure || condition.Status != corev1.ConditionTrue {
					continue
				}
				if stop, refused := stopper(errors.New(condition.Message)); refused {
					by = stop
					return nil
				}
				return fmt.Errorf("its pods fail, but nobody refused them: %s", condition.Message)
			}
		}
		return errNothingStopped
	})
	if err != nil {
		return "", err
	}
	var pods corev1.PodList
	if err := f.admin.List(ctx, &pods, client.InNamespace(d.Namespace), client.MatchingLabels(d.Spec.Selector.MatchLabels)); err != nil {
		return "", err
	}
	if len(pods.Items) > 0 {
		return "", fmt.Errorf("%s, and yet %d pods are there", by, len(pods.Items))
	}
	return by, nil
}

func (f *field) replicaSetsGone(ctx context.Context, namespace string) error {
	var sets appsv1.ReplicaSetList
	if err := f.admin.List(ctx, &sets, client.InNamespace(namespace), client.MatchingLabels{"app": "forged"}); err != nil {
		return err
	}
	if len(sets.Items) > 0 {
		return fmt.Errorf("%d ReplicaSets are left", len(sets.Items))
	}
	return nil
}

// privileged asks for what the API of a prototype has no word for: strictly, which is refused, and leniently, where the
// words are dropped.
func (f *field) privileged(ctx context.Context, p *v1alpha1.AIPrototype) (string, error) {
	raw, err := runtime.DefaultUnstructuredConverter.ToUnstructured(p)
	if err != nil {
		return "", err
	}
	container := raw["spec"].(map[string]any)["workload"].(map[string]any)["container"].(map[string]any)
	container["securityContext"] = map[string]any{"privileged": true}
	container["volumes"] = []any{map[string]any{"name": "x", "hostPath": map[string]any{"path": "/"}}}
	asked := unstructuredOf(raw)
	by, err := f.refused(ctx, func(ctx context.Context) error {
		return f.lead.Create(ctx, asked.DeepCopy(), client.FieldValidation(metav1.FieldValidationStrict))
	}, p)
	if err != nil {
		return "", err
	}
	kept := asked.DeepCopy()
	if err := f.lead.Create(ctx, kept, client.DryRunAll, client.FieldValidation(metav1.FieldValidationIgnore)); err != nil {
		return "", err
	}
	text, err := kept.MarshalJSON()
	if err != nil {
		return "", err
	}
	if strings.Contains(string(text), "hostPath") || strings.Contains(string(text), "securityContext") {
		return "", fmt.Errorf("leniently, it was kept: %s", short(string(text)))
	}
	return by, nil
}

func unstructuredOf(raw map[string]any) *unstructured.Unstructured {
	out := &unstructured.Unstructured{Object: raw}
	out.SetGroupVersionKind(v1alpha1.GroupVersion.WithKind("AIPrototype"))
	return out
}
