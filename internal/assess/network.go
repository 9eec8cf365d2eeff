package assess

import (
	networkingv1 "k8s.io/api/networking/v1"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/internal/names"
	"github.com/affineur/affineur/internal/policy"
	"github.com/affineur/affineur/internal/record"
	"github.com/affineur/affineur/internal/subject"
	"github.com/affineur/affineur/internal/workload"
)

// SandboxNetwork is the digest of the network policies that the requirements give a sandbox. It binds a measurement of
// isolation to them: one that was made under others says nothing.
func SandboxNetwork(identity names.Identity, requirements policy.Requirements, port int32) (string, error) {
	at := workload.Surroundings{Identity: identity, Namespace: identity.Sandbox(), Purpose: v1alpha1.PurposeSandbox, Requirements: requirements}
	var specs []networkingv1.NetworkPolicySpec
	for _, rendered := range workload.NetworkPolicies(at, port) {
		specs = append(specs, rendered.Spec)
	}
	return subject.Digest(specs)
}

// underPolicies are the reports that were made under the network policies which the record renders.
func underPolicies(rec record.Record, reports []record.Report) []record.Report {
	network, err := SandboxNetwork(rec.Prototype, rec.Requirements, rec.Subject.Container.Port)
	if err != nil {
		return nil
	}
	var out []record.Report
	for _, r := range reports {
		if r.Network == network {
			out = append(out, r)
		}
	}
	return out
}
