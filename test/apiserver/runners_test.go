package apiserver

import (
	"context"
	"testing"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/affineur/affineur/api/v1alpha1"
	runs "github.com/affineur/affineur/internal/run"
)

// Of a pod, with every right that RBAC can give, the operator changes one annotation: network policies select by labels, and
// an image is another program. With its own rights it tells a runner, as often as it likes, and reaches no pod elsewhere.
func TestTheOperatorTellsRunnersAndNothingElse(t *testing.T) {
	const policy = "affineur-confine-operator"
	starter := as("system:serviceaccount:kube-system:job-controller", administrators)
	runner := pod(v1alpha1.GatesNamespace, "witness")
	runner.Labels, runner.Annotations = map[string]string{"app": "witness"}, map[string]string{"note": "kept"}
	runner.Spec.Containers[0].Resources.Requests = corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("1")}
	for _, p := range []*corev1.Pod{runner, pod(v1alpha1.GatesNamespace, "plain"), pod(sandbox, "told")} {
		must(t, starter.Create(t.Context(), p))
	}
	thief := as(operator, administrators)
	for what, body := range map[string]string{
		"a label":                `{"metadata":{"labels":{"a":"b"}}}`,
		"another label":          `{"metadata":{"labels":{"app":"canary"}}}`,
		"no label":               `{"metadata":{"labels":null}}`,
		"an image":               `{"spec":{"containers":[{"name":"prototype","image":"registry.example.org/thief/x@` + digest + `"}]}}`,
		"a deadline":             `{"spec":{"activeDeadlineSeconds":1}}`,
		"an annotation":          `{"metadata":{"annotations":{"a":"b"}}}`,
		"another annotation":     `{"metadata":{"annotations":{"note":"b"}}}`,
		"no annotation":          `{"metadata":{"annotations":{"note":null}}}`,
		"one beside the right":   `{"metadata":{"annotations":{"affineur.dev/witnessed":"now","a":"b"}}}`,
		"a label with the right": `{"metadata":{"annotations":{"affineur.dev/witnessed":"now"},"labels":{"a":"b"}}}`,
		"an owner":               `{"metadata":{"ownerReferences":[{"apiVersion":"v1","kind":"ConfigMap","name":"x","uid":"y"}]}}`,
		"a finalizer":            `{"metadata":{"finalizers":["example.org/stays"]}}`,
	} {
		must(t, attack{what, policy, "the operator may not UPDATE pods", thief, func(ctx context.Context, c client.Client) error {
			return c.Patch(ctx, pod(v1alpha1.GatesNamespace, "witness"), client.RawPatch("application/strategic-merge-patch+json", []byte(body)))
		}}.refused(t.Context(), wet))
	}
	must(t, attack{"more room", policy, "the operator may not UPDATE pods/resize", thief, func(ctx context.Context, c client.Client) error {
		return c.SubResource("resize").Patch(ctx, pod(v1alpha1.GatesNamespace, "witness"),
			client.RawPatch("application/strategic-merge-patch+json", []byte(`{"spec":{"containers":[{"name":"prototype","resources":{"requests":{"cpu":"2"}}}]}}`)))
	}}.refused(t.Context(), wet))
	must(t, attack{"what it measured", policy, "the operator may not UPDATE pods/status", thief, func(ctx context.Context, c client.Client) error {
		return c.Status().Patch(ctx, pod(v1alpha1.GatesNamespace, "witness"), client.RawPatch("application/merge-patch+json", []byte(`{"status":{"message":"passed"}}`)))
	}}.refused(t.Context(), wet))
	op, err := client.New(operatorConfig, client.Options{Scheme: scheme})
	must(t, err)
	tell := func(namespace, name string) error {
		return runs.Dismiss(t.Context(), op, namespace, runs.Result{Pod: name}, runner.CreationTimestamp.Time)
	}
	for _, name := range []string{"witness", "witness", "plain"} {
		must(t, tell(v1alpha1.GatesNamespace, name))
		told := pod(v1alpha1.GatesNamespace, name)
		must(t, op.Get(t.Context(), client.ObjectKeyFromObject(told), told))
		if told.Annotations[v1alpha1.AnnotationWitnessed] == "" || name == "witness" && (told.Annotations["note"] != "kept" || told.Labels["app"] != "witness") {
			t.Errorf("%s: %v, %v", name, told.Annotations, told.Labels)
		}
	}
	must(t, thief.Patch(t.Context(), runner, client.RawPatch("application/merge-patch+json", []byte(`{"metadata":{"annotations":{"affineur.dev/witnessed":null}}}`))))
	elsewhere := client.RawPatch("application/merge-patch+json", []byte(`{"metadata":{"annotations":{"affineur.dev/witnessed":"now"}}}`))
	if err := op.Patch(t.Context(), pod(sandbox, "told"), elsewhere); !apierrors.IsForbidden(err) || refusedBy(err, policy) {
		t.Errorf("a pod elsewhere: %v; want a refusal by RBAC", err)
	}
	must(t, op.Delete(t.Context(), runner, client.GracePeriodSeconds(0)))
}
