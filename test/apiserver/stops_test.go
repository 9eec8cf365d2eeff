package apiserver

import (
	"context"
	"slices"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	authenticationv1 "k8s.io/api/authentication/v1"
	autoscalingv1 "k8s.io/api/autoscaling/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/affineur/affineur/api/v1alpha1"
)

const (
	itResponders = "it-responders"
	byHand       = "affineur-by-hand"
	rita         = "rita@example.org"
	rolf         = "rolf@example.org"
)

// responders may make and lift stops, and ask for the token; as config/samples/people.yaml binds them.
func responders(t *testing.T) (first, second client.Client) {
	t.Helper()
	here := granted("affineur-responder", v1alpha1.SystemNamespace, itResponders).(*rbacv1.RoleBinding)
	here.RoleRef.Kind = "Role"
	for _, object := range []client.Object{granted("affineur-responder", "", itResponders), here} {
		must(t, client.IgnoreAlreadyExists(admin.Create(t.Context(), object)))
	}
	return as(rita, itResponders), as(rolf, itResponders)
}

func stopOf(name string) *v1alpha1.EmergencyStop {
	return &v1alpha1.EmergencyStop{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: v1alpha1.EmergencyStopSpec{
		Scope: v1alpha1.StopScope{Gateway: "default"}, Action: v1alpha1.StopSever, Reason: "It leaks.",
	}}
}

func lifting(name, by string) func(context.Context, client.Client) error {
	return func(ctx context.Context, c client.Client) error {
		return c.Patch(ctx, stopOf(name), client.RawPatch("application/merge-patch+json",
			[]byte(`{"spec":{"lifted":{"reason":"It is mended.","by":"`+by+`"}}}`)))
	}
}

// Threat 36: a stop is made in one's own name, by a person, and a second person takes it back.
func TestEmergencyStops(t *testing.T) {
	first, second := responders(t)
	stop := stopOf("leak")
	stop.Spec.By = "somebody@example.org"
	stop.Labels = map[string]string{v1alpha1.LabelInForce: "false"}
	must(t, first.Create(t.Context(), stop))
	if stop.Spec.By != rita || stop.Labels[v1alpha1.LabelInForce] != "true" {
		t.Errorf("made by %q, in force %q", stop.Spec.By, stop.Labels[v1alpha1.LabelInForce])
	}
	early := stopOf("early")
	early.Spec.Lifted = &v1alpha1.Lift{Reason: "Not yet."}
	const policy = "affineur-stops"
	deletes := func(ctx context.Context, c client.Client) error { return c.Delete(ctx, stopOf("leak")) }
	creates := func(name string) func(context.Context, client.Client) error {
		return func(ctx context.Context, c client.Client) error { return c.Create(ctx, stopOf(name)) }
	}
	for _, a := range []attack{
		{"lifting one's own stop", policy, "second person", first, lifting("leak", "")},
		{"lifting one's own stop in another's name", policy, "second person", first, lifting("leak", rolf)},
		{"deleting what holds", policy, "lifted before it is deleted", second, deletes},
		{"deleting what holds, as administrator", policy, "lifted before it is deleted", as("root", administrators), deletes},
		{"a stop of a pipeline's", policy, "by a person", as("system:serviceaccount:argocd:argocd", administrators), creates("pipeline")},
		{"a lift of a pipeline's", policy, "by a person", as("system:serviceaccount:argocd:argocd", administrators), lifting("leak", "")},
		{"a stop that is lifted when it is made", policy, "before it holds", first, func(ctx context.Context, c client.Client) error {
			return c.Create(ctx, early.DeepCopy())
		}},
		{"a stop that is held", policy, "held by nothing", first, func(ctx context.Context, c client.Client) error {
			held := stopOf("held")
			held.Finalizers = []string{"example.org/held"}
			return c.Create(ctx, held)
		}},
		{"a status by hand", "affineur-reviews-and-status", "", as(mallory, everything), func(ctx context.Context, c client.Client) error {
			forged := stop.DeepCopy()
			forged.Status.Summary = "severed 37/37"
			return c.Status().Update(ctx, forged)
		}},
	} {
		if err := a.refused(t.Context(), dry); err != nil {
			t.Error(err)
		}
	}
	thief := as(operator, administrators)
	for what, try := range map[string]func(context.Context, client.Client) error{
		"a stop": creates("machine"), "a lift": lifting("leak", ""), "a deletion": deletes,
	} {
		refusedByEither(t, what+" of the operator's", try(t.Context(), dry(thief)), policy, "affineur-confine-operator")
	}
	must(t, lifting("leak", rita)(t.Context(), second))
	must(t, admin.Get(t.Context(), client.ObjectKeyFromObject(stop), stop))
	if stop.Spec.Lifted.By != rolf || stop.Labels[v1alpha1.LabelInForce] != "false" {
		t.Errorf("lifted by %q, in force %q", stop.Spec.Lifted.By, stop.Labels[v1alpha1.LabelInForce])
	}
	must(t, first.Delete(t.Context(), stop))
	if err := as(ann, teamMembership).Create(t.Context(), stopOf("team")); err == nil {
		t.Error("somebody who is no responder made a stop")
	}
}

// refusedByEither of several policies that guard the same, any of which may speak first.
func refusedByEither(t *testing.T, what string, err error, policies ...string) {
	t.Helper()
	if !slices.ContainsFunc(policies, func(policy string) bool { return refusedBy(err, policy) }) {
		t.Errorf("%s: %v", what, err)
	}
}

// tokenFor cutting off by hand.
func tokenFor(ctx context.Context, c client.Client, seconds int64) (string, error) {
	request := &authenticationv1.TokenRequest{Spec: authenticationv1.TokenRequestSpec{ExpirationSeconds: ptr.To(seconds)}}
	account := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: v1alpha1.SystemNamespace, Name: byHand}}
	err := c.SubResource("token").Create(ctx, account, request)
	return request.Status.Token, err
}

// openings are what a sandbox has that can be taken away by hand: an allow rule, a Deployment, a pod; and the denial.
func openings(t *testing.T, namespace string) (allow, deny *networkingv1.NetworkPolicy, runs *appsv1.Deployment, alive *corev1.Pod) {
	t.Helper()
	policyNamed := func(name string) *networkingv1.NetworkPolicy {
		return &networkingv1.NetworkPolicy{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}, Spec: networkingv1.NetworkPolicySpec{
			PolicyTypes: []networkingv1.PolicyType{networkingv1.PolicyTypeIngress, networkingv1.PolicyTypeEgress},
		}}
	}
	allow, deny = policyNamed("allow-by-hand"), policyNamed("deny-by-hand")
	allow.Spec.Egress = []networkingv1.NetworkPolicyEgressRule{{}}
	runs, alive = deployment(namespace, "by-hand"), pod(namespace, "by-hand")
	must(t, client.IgnoreAlreadyExists(as(operator).Create(t.Context(), &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "default"}})))
	for _, object := range []client.Object{allow, deny, runs} {
		must(t, as(operator).Create(t.Context(), object))
	}
	must(t, as("system:serviceaccount:kube-system:replicaset-controller", administrators).Create(t.Context(), alive))
	return allow, deny, runs, alive
}

// Threat 36, with the operator dead: while a stop holds, and only then, responders take away by hand, and add nothing.
func TestCuttingOffByHand(t *testing.T) {
	first, second := responders(t)
	ctx := t.Context()
	asking := func(seconds int64) func(context.Context, client.Client) error {
		return func(ctx context.Context, c client.Client) error {
			_, err := tokenFor(ctx, c, seconds)
			return err
		}
	}
	refused := func(a attack) {
		t.Helper()
		if err := a.refused(ctx, dry); err != nil {
			t.Error(err)
		}
	}
	refused(attack{"a token while nothing is stopped", "affineur-by-hand", "", first, asking(600)})
	stop := stopOf("by-hand")
	must(t, first.Create(ctx, stop))
	var token string
	must(t, until(ctx, func(ctx context.Context) (err error) {
		token, err = tokenFor(ctx, first, 600)
		return err
	}))
	refused(attack{"a token for a day", "affineur-by-hand", "an hour at most", first, asking(24 * 3600)})
	refused(attack{"a token for a pipeline", "affineur-by-hand", "given to people", as("system:serviceaccount:argocd:argocd", administrators), asking(600)})
	if _, err := tokenFor(ctx, as(ann, teamMembership), 600); err == nil {
		t.Error("somebody who is no responder got a token")
	}

	bearer := rest.AnonymousClientConfig(config)
	bearer.BearerToken = token
	hand, err := client.New(bearer, client.Options{Scheme: scheme})
	must(t, err)
	allow, deny, runs, alive := openings(t, sandbox)
	scale := func(to int32) func(context.Context, client.Client) error {
		return func(ctx context.Context, c client.Client) error {
			return c.SubResource("scale").Update(ctx, runs.DeepCopy(), client.WithSubResourceBody(&autoscalingv1.Scale{
				ObjectMeta: metav1.ObjectMeta{Namespace: runs.Namespace, Name: runs.Name}, Spec: autoscalingv1.ScaleSpec{Replicas: to},
			}))
		}
	}
	gone := func(object client.Object) func(context.Context, client.Client) error {
		return func(ctx context.Context, c client.Client) error {
			return c.Delete(ctx, object.DeepCopyObject().(client.Object))
		}
	}
	elsewhere := pod(team, "bystander")
	must(t, client.IgnoreAlreadyExists(admin.Create(ctx, &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: team, Name: "default"}})))
	must(t, admin.Create(ctx, elsewhere))
	root := as("system:serviceaccount:affineur-system:affineur-by-hand", administrators)
	const content, confined = "affineur-managed-content", "affineur-confine-operator"
	for _, a := range []attack{
		{"deleting the denial by hand", content, "", hand, gone(deny)},
		{"scaling up by hand", content, "", hand, scale(3)},
		{"the name without its token", content, "", root, gone(allow)},
		{"a pod elsewhere", confined, "by hand", root, gone(elsewhere)},
	} {
		refused(a)
	}
	for what, try := range map[string]func(context.Context, client.Client) error{
		"a network policy": func(ctx context.Context, c client.Client) error {
			return c.Create(ctx, &networkingv1.NetworkPolicy{ObjectMeta: metav1.ObjectMeta{Namespace: sandbox, Name: "wider"}})
		},
		"a Secret": func(ctx context.Context, c client.Client) error {
			return c.Create(ctx, &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: sandbox, Name: "wider"}})
		},
		"lifting": lifting("by-hand", ""),
	} {
		refusedByEither(t, what+" by hand, with all rights", try(ctx, dry(root)), content, confined, "affineur-stops")
	}
	for what, deed := range map[string]func(context.Context, client.Client) error{
		"deleting what opens": gone(allow), "scaling to zero": scale(0), "deleting a pod": gone(alive),
	} {
		if err := deed(ctx, hand); err != nil {
			t.Errorf("%s by hand: %v", what, err)
		}
	}
	must(t, lifting("by-hand", "")(ctx, second))
	must(t, until(ctx, func(ctx context.Context) error {
		return (attack{"a token after the lift", "affineur-by-hand", "", first, asking(600)}).refused(ctx, dry)
	}))
}
