package apiserver

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/affineur/affineur/api/v1alpha1"
)

// attack is a write that one policy, and no other, has to refuse.
type attack struct {
	name   string
	policy string
	// says is a part of the refusal that tells the right rule from the others of the policy.
	says string
	who  client.Client
	try  func(context.Context, client.Client) error
}

// mode is how an attack is tried.
type mode func(client.Client) client.Client

func dry(c client.Client) client.Client { return client.NewDryRunClient(c) }
func wet(c client.Client) client.Client { return c }

// refused is nil when the attack failed for the right reason.
func (a attack) refused(ctx context.Context, as mode) error {
	err := a.try(ctx, as(a.who))
	switch {
	case err == nil:
		return fmt.Errorf("%s: let through", a.name)
	case !refusedBy(err, a.policy) || !strings.Contains(err.Error(), a.says):
		return fmt.Errorf("%s: refused, but not by %s (%q): %w", a.name, a.policy, a.says, err)
	}
	return nil
}

// refusedBy tells whether a policy, and not RBAC or a schema, refused.
func refusedBy(err error, policy string) bool {
	var status apierrors.APIStatus
	return errors.As(err, &status) && strings.Contains(status.Status().Message, "'"+policy+"'")
}

func tryAll(t *testing.T, attacks []attack) {
	t.Helper()
	for _, attack := range attacks {
		t.Run(named(attack.name), func(t *testing.T) {
			if err := attack.refused(t.Context(), wet); err != nil {
				t.Error(err)
			}
		})
	}
}

func create(object func() client.Object) func(context.Context, client.Client) error {
	return func(ctx context.Context, c client.Client) error { return c.Create(ctx, object()) }
}

// canaries try every policy once, and need nothing but the fixtures.
func canaries() []attack {
	writer, op := as(mallory, everything), as(operator)
	return []attack{
		{"naming oneself the operator", "affineur-parameters", "installs Affineur", writer, func(ctx context.Context, c client.Client) error {
			return c.Patch(ctx, &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: v1alpha1.SystemNamespace, Name: "affineur-guards"}},
				client.RawPatch("application/merge-patch+json", []byte(`{"data":{"operator":"`+mallory+`"}}`)))
		}},
		{"deciding without authority", "affineur-decisions", "you may not decide as security", writer, create(func() client.Object { return decision("canary") })},
		{"a finalizer of the operator's", "affineur-prototypes", "only the operator adds and removes finalizers", writer, create(func() client.Object {
			p := prototype("canary")
			p.Finalizers = []string{v1alpha1.FinalizerSandbox}
			return p
		})},
		{"a policy by a label of anybody's", "affineur-policies", "could set env", writer, create(func() client.Object {
			p := policyOf("canary")
			p.Spec.AppliesTo.NamespaceSelector.MatchLabels["env"] = "test"
			return p
		})},
		{"a stop of a machine's", "affineur-stops", "by a person", as("system:serviceaccount:team:machine", everything), create(func() client.Object { return stopOf("canary") })},
		{"a token with nothing stopped", "affineur-by-hand", "", writer, func(ctx context.Context, c client.Client) error {
			_, err := tokenFor(ctx, c, 600)
			return err
		}},
		{"a review by hand", "affineur-reviews-and-status", "only the operator writes reviews", writer, create(func() client.Object { return review("canary") })},
		{"a namespace in the operator's name and label", "affineur-namespaces", "only the operator writes namespace affx-canary", writer,
			create(func() client.Object { return managed("affx-canary", v1alpha1.PurposeSandbox) })},
		{"a namespace in the operator's name", "affineur-namespace-names", "only the operator creates", writer,
			create(func() client.Object { return &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "affp-canary"}} })},
		{"a team chosen by oneself", "affineur-team-labels", "the verb assign", writer, create(func() client.Object {
			return &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "canary", Labels: map[string]string{v1alpha1.LabelTeam: "education"}}}
		})},
		{"a ConfigMap in a sandbox", "affineur-managed-content", "only the operator and the cluster itself write configmaps", writer,
			create(func() client.Object { return configMap(sandbox, "canary") })},
		{"a shell in a sandbox", "affineur-managed-access", "nobody uses pods/exec", writer, connect(mallory, "pods", "canary", "exec?command=sh&stdout=true", everything)},
		{"a node port", "affineur-managed-workloads", "type ClusterIP", op, create(func() client.Object {
			s := service(sandbox, "canary")
			s.Spec.Type = corev1.ServiceTypeNodePort
			return s
		})},
		{"a way of pilots under anybody's name", "affineur-pilot-routes", "ends in the hash", op, create(func() client.Object {
			route := pilotsRoute()
			route.Namespace = sandbox
			return route
		})},
		{"a record that can change", "affineur-records", "immutable set to true", op, create(func() client.Object { return configMap(v1alpha1.RecordsNamespace, "canary") })},
		{"a namespace of the operator's with a name of no one's", "affineur-confine-operator", "the operator may not CREATE namespaces", op,
			create(func() client.Object { return &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "canary"}} })},
	}
}

// connect asks for a connection to something in the sandbox. It is refused before anything is looked up.
func connect(user, resource, name, subresource string, groups ...string) func(context.Context, client.Client) error {
	return connectIn(sandbox, user, resource, name, subresource, groups...)
}

func connectIn(namespace, user, resource, name, subresource string, groups ...string) func(context.Context, client.Client) error {
	return func(ctx context.Context, _ client.Client) error {
		impersonated := rest.CopyConfig(config)
		impersonated.Impersonate = rest.ImpersonationConfig{UserName: user, Groups: append([]string{"system:authenticated"}, groups...)}
		c, err := kubernetes.NewForConfig(impersonated)
		if err != nil {
			return err
		}
		path, query, _ := strings.Cut(subresource, "?")
		request := c.CoreV1().RESTClient().Post().Namespace(namespace).Resource(resource).Name(name).SubResource(path)
		for _, pair := range strings.Split(query, "&") {
			if key, value, ok := strings.Cut(pair, "="); ok {
				request = request.Param(key, value)
			}
		}
		return request.Do(ctx).Error()
	}
}

// stamped is nil when all stamps are in force: what the client claims is overwritten.
func stamped(ctx context.Context) error {
	forged := prototype("canary")
	forged.Annotations = map[string]string{v1alpha1.AnnotationAuthors: bob, v1alpha1.AnnotationRequestedBy: bob}
	if err := dry(as(ann, teamMembership)).Create(ctx, forged); err != nil {
		return err
	}
	if got := forged.Annotations[v1alpha1.AnnotationAuthors]; got != ann {
		return fmt.Errorf("the authors are %q, not %s", got, ann)
	}
	made := decision("canary")
	made.Spec.By = bob
	if err := dry(as(sam, itSecurity)).Create(ctx, made); err != nil {
		return err
	}
	if made.Spec.By != sam {
		return fmt.Errorf("the decision is by %q, not %s", made.Spec.By, sam)
	}
	stop := stopOf("canary")
	stop.Spec.By = bob
	if err := dry(as(mallory, everything)).Create(ctx, stop); err != nil {
		return err
	}
	if stop.Spec.By != mallory {
		return fmt.Errorf("the stop is by %q, not %s", stop.Spec.By, mallory)
	}
	return nil
}

func TestEveryPolicyRefuses(t *testing.T) { tryAll(t, canaries()) }
