package apiserver

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/affineur/affineur/api/v1alpha1"
)

// policyOf is the smallest policy. It governs no namespace of the tests.
func policyOf(name string) *v1alpha1.HardeningPolicy {
	gate := func(name string, kind v1alpha1.GateType) v1alpha1.Gate {
		return v1alpha1.Gate{Name: name, Type: kind, Enforcement: v1alpha1.EnforcementRequired}
	}
	return &v1alpha1.HardeningPolicy{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec: v1alpha1.HardeningPolicySpec{
			AppliesTo: v1alpha1.AppliesTo{NamespaceSelector: metav1.LabelSelector{MatchLabels: map[string]string{"affineur.dev/ai-sandbox": "never"}}},
			Teams:     []v1alpha1.Team{{Name: "membership", Groups: []string{teamMembership}}},
			Sandbox:   v1alpha1.SandboxPolicy{Registries: []v1alpha1.Registry{{Prefix: "registry.example.org/"}}},
			Gates: []v1alpha1.Gate{gate("security", v1alpha1.GateSecurity), gate("scalability", v1alpha1.GateScalability),
				gate("integration", v1alpha1.GateIntegration)},
			Roles: []v1alpha1.Role{{Name: "security", Groups: []string{itSecurity}}},
			Tiers: []v1alpha1.Tier{{Name: "Standard", When: "true", Gates: []string{"security", "scalability", "integration"},
				Approvals: []v1alpha1.Approval{{Role: "security"}}}},
		},
	}
}
