package sandbox

import (
	"context"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/internal/policy"
)

// watchRotation hears when IT changes a Secret of the catalogue: of its metadata alone, so that no value is kept. What
// was there when the operator started is read anyway, after that.
func (r *Reconciler) watchRotation(b *builder.Builder) *builder.Builder {
	ofIT := func(object client.Object) bool { return object.GetNamespace() == v1alpha1.SystemNamespace }
	return b.WatchesMetadata(&corev1.Secret{}, handler.EnqueueRequestsFromMapFunc(r.rotated), builder.WithPredicates(predicate.Funcs{
		CreateFunc: func(e event.CreateEvent) bool { return !e.IsInInitialList && ofIT(e.Object) },
		UpdateFunc: func(e event.UpdateEvent) bool {
			return ofIT(e.ObjectNew) && e.ObjectOld.GetResourceVersion() != e.ObjectNew.GetResourceVersion()
		},
		DeleteFunc: func(e event.DeleteEvent) bool { return ofIT(e.Object) },
	}))
}

// rotated has every prototype look again whose policy names the Secret.
func (r *Reconciler) rotated(ctx context.Context, secret client.Object) []reconcile.Request {
	var policies v1alpha1.HardeningPolicyList
	if err := r.Client.List(ctx, &policies); err != nil {
		return nil
	}
	r.memory.rotate(secret.GetName())
	var out []reconcile.Request
	for i := range policies.Items {
		if slices.Contains(secretsOfPolicy(policies.Items[i].Spec), secret.GetName()) {
			out = append(out, r.governed(ctx, &policies.Items[i])...)
		}
	}
	return out
}

// rotate notes that a Secret of the catalogue changed.
func (m *memory) rotate(secret string) {
	m.mutex.Lock()
	defer m.mutex.Unlock()
	if m.rotations == nil {
		m.rotations = map[string]int{}
	}
	m.rotations[secret]++
}

// rotationsOf the Secrets that the requirements name: what was read before one of them changed is old.
func (m *memory) rotationsOf(r policy.Requirements) []int {
	m.mutex.Lock()
	defer m.mutex.Unlock()
	var out []int
	for _, name := range secretsOf([]v1alpha1.Registry{r.Registry}, r.ModelGateway, r.Integrations) {
		out = append(out, m.rotations[name])
	}
	return out
}

func secretsOfPolicy(spec v1alpha1.HardeningPolicySpec) []string {
	out := secretsOf(spec.Sandbox.Registries, nil, spec.Catalogue.Integrations)
	for i := range spec.Catalogue.ModelGateways {
		out = append(out, secretsOf(nil, &spec.Catalogue.ModelGateways[i], nil)...)
	}
	return out
}

// secretsOf registries and entries of the catalogue.
func secretsOf(registries []v1alpha1.Registry, gateway *v1alpha1.ModelGateway, integrations []v1alpha1.Integration) []string {
	var out []string
	add := func(source *v1alpha1.CredentialSource) {
		if source != nil {
			out = append(out, source.Secret.Name)
		}
	}
	for _, registry := range registries {
		if registry.PullSecret != nil {
			out = append(out, registry.PullSecret.Name)
		}
	}
	if gateway != nil {
		add(gateway.Credentials)
	}
	for _, integration := range integrations {
		for _, endpoint := range []*v1alpha1.Endpoint{integration.Sandbox, integration.Production} {
			if endpoint != nil {
				add(endpoint.Credentials)
			}
		}
	}
	return out
}
