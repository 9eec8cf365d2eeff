package guard

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/affineur/affineur/api/v1alpha1"
)

// checker is the identity of the forgeries. It may do nothing but dry runs.
const checker = "system:serviceaccount:" + v1alpha1.SystemNamespace + ":affineur-guard-check"

// nobody is the name that forgeries claim.
const nobody = "nobody@example.invalid"

// forgery is a write that one policy has to refuse.
type forgery struct {
	what   string
	policy string
	// says is a part of the refusal that tells the rule meant from others of the same policy.
	says string
	try  func(context.Context) error
}

// verdict on one forgery.
type verdict struct {
	// reason: Measured (refused as it should be), Changed (not so), Unknown (it never met the policy).
	reason  string
	message string
}

// judge tells what the answer to a forgery proves. A refusal by RBAC, a schema or somebody else's webhook comes
// before our policy or hides it, and proves nothing.
func (f forgery) judge(err error) verdict {
	if err == nil {
		return verdict{v1alpha1.ReasonGuardsChanged, f.what + " was let through"}
	}
	var status apierrors.APIStatus
	switch text := err.Error(); {
	case !errors.As(err, &status):
		return verdict{v1alpha1.ReasonGuardsUnknown, fmt.Sprintf("%s could not be tried: %v", f.what, err)}
	case strings.Contains(text, "'"+f.policy+"'") && strings.Contains(text, f.says):
		return verdict{reason: v1alpha1.ReasonGuardsMeasured}
	case strings.Contains(text, "AdmissionPolicy 'affineur-"):
		return verdict{v1alpha1.ReasonGuardsChanged, fmt.Sprintf("%s was refused for another reason than %s gives: %v", f.what, f.policy, err)}
	default:
		return verdict{v1alpha1.ReasonGuardsUnknown, fmt.Sprintf("%s never reached policy %s: %v", f.what, f.policy, err)}
	}
}

// forgeries that must be refused: those of the checker, as which the first client acts, and one of the operator's own.
// A HardeningPolicy is needed to forge a status; without one that forgery is left out.
func forgeries(checks, operator client.Client, existing *v1alpha1.HardeningPolicy) []forgery {
	create := func(c client.Client, object client.Object) func(context.Context) error {
		return func(ctx context.Context) error { return c.Create(ctx, object) }
	}
	home, gates := v1alpha1.SystemNamespace, v1alpha1.GatesNamespace
	list := []forgery{
		// Had the stamp not overwritten spec.by, the refusal would be that the name is another's.
		{"a decision in another's name", "affineur-decisions", "made by a person", create(checks, forgedDecision(home))},
		{"a review", "affineur-reviews-and-status", "", create(checks, forgedReview(home))},
		{"a ConfigMap in a managed namespace", "affineur-managed-content", "", create(checks, &corev1.ConfigMap{ObjectMeta: forged(gates)})},
		{"a NetworkPolicy in a managed namespace", "affineur-managed-content", "", create(checks, &networkingv1.NetworkPolicy{ObjectMeta: forged(gates)})},
		{"a namespace of a sandbox's name", "affineur-namespace-names", "", create(checks, &corev1.Namespace{ObjectMeta: squatted(false)})},
		{"a namespace with the operator's label", "affineur-namespaces", "", create(checks, &corev1.Namespace{ObjectMeta: squatted(true)})},
		{"a namespace that the operator must not make", "affineur-confine-operator", "", create(operator, &corev1.Namespace{ObjectMeta: forged("")})},
	}
	if existing != nil {
		list = append(list, forgery{"a status", "affineur-reviews-and-status", "", func(ctx context.Context) error {
			return checks.Status().Update(ctx, existing.DeepCopy())
		}})
	}
	return list
}

func forged(namespace string) metav1.ObjectMeta {
	return metav1.ObjectMeta{Namespace: namespace, Name: "affineur-guard-check"}
}

func squatted(labelled bool) metav1.ObjectMeta {
	meta := metav1.ObjectMeta{Name: v1alpha1.SandboxPrefix + "guard-check"}
	if labelled {
		meta.Labels = map[string]string{v1alpha1.LabelManagedBy: v1alpha1.ManagedBy}
	}
	return meta
}

const forgedDigest = "sha256:0000000000000000000000000000000000000000000000000000000000000000"

func forgedDecision(namespace string) *v1alpha1.HardeningDecision {
	return &v1alpha1.HardeningDecision{
		ObjectMeta: forged(namespace),
		Spec: v1alpha1.HardeningDecisionSpec{
			Review: v1alpha1.ObjectIdentity{Name: "affineur-guard-check", UID: "none"}, ReviewDigest: forgedDigest,
			Role: "guard-check", Verdict: v1alpha1.VerdictApprove, By: nobody,
		},
	}
}

func forgedReview(namespace string) *v1alpha1.HardeningReview {
	return &v1alpha1.HardeningReview{
		ObjectMeta: forged(namespace),
		Spec: v1alpha1.HardeningReviewSpec{
			Prototype:     v1alpha1.ObjectIdentity{Name: "affineur-guard-check", UID: "none"},
			SubjectDigest: forgedDigest, ReviewDigest: forgedDigest, Tier: "none", RequestedBy: nobody, Authors: []string{nobody}, Record: "none",
		},
	}
}

// stamped tries to pass another's work off as one's own and the reverse: the prototype is let through, and its author
// must be who made it, not who the client says. It also tells the API server's time.
func stamped(ctx context.Context, checks client.Client) (time.Time, verdict) {
	prototype := &v1alpha1.AIPrototype{
		ObjectMeta: forged(v1alpha1.SystemNamespace),
		Spec: v1alpha1.AIPrototypeSpec{Need: v1alpha1.Need{Problem: "Are authors stamped?", Outcomes: []v1alpha1.Outcome{
			{Name: "stamped", Unit: "percent", Direction: v1alpha1.DirectionIncrease, Baseline: "0", Target: "100"}}}},
	}
	prototype.Annotations = map[string]string{v1alpha1.AnnotationAuthors: nobody}
	err := checks.Create(ctx, prototype)
	switch {
	case err != nil && strings.Contains(err.Error(), "'affineur-prototypes'"):
		return time.Time{}, verdict{v1alpha1.ReasonGuardsChanged, "authors are not stamped any more: " + err.Error()}
	case err != nil:
		return time.Time{}, verdict{v1alpha1.ReasonGuardsUnknown, "whether authors are stamped could not be tried: " + err.Error()}
	case prototype.Annotations[v1alpha1.AnnotationAuthors] != checker:
		return time.Time{}, verdict{v1alpha1.ReasonGuardsChanged, "a prototype in another's name was let through"}
	}
	return prototype.CreationTimestamp.Time, verdict{reason: v1alpha1.ReasonGuardsMeasured}
}
