package policy

import (
	"fmt"
	"slices"
	"strings"

	"github.com/affineur/affineur/api/v1alpha1"
)

// JudgeOf a gate is the model that judges its answers too; nil without one.
func JudgeOf(g v1alpha1.Gate) *v1alpha1.QualityJudge {
	if g.Quality == nil {
		return nil
	}
	return g.Quality.Judge
}

// judgesOf are the entries of the catalogue that the gates ask for a judge's word. One that is not there is left out: such a
// policy is not used, and the gate says so.
func judgesOf(catalogue v1alpha1.Catalogue, gates []v1alpha1.Gate) []v1alpha1.ModelGateway {
	var out []v1alpha1.ModelGateway
	for _, gateway := range catalogue.ModelGateways {
		if slices.ContainsFunc(gates, func(g v1alpha1.Gate) bool { j := JudgeOf(g); return j != nil && j.Gateway == gateway.Name }) {
			out = append(out, gateway)
		}
	}
	slices.SortFunc(out, func(a, b v1alpha1.ModelGateway) int { return strings.Compare(a.Name, b.Name) })
	return out
}

// checkJudges: a judge that is nowhere would be silent for ever.
func checkJudges(spec v1alpha1.HardeningPolicySpec) *Problem {
	for i, g := range spec.Gates {
		j := JudgeOf(g)
		if j == nil {
			continue
		}
		if !slices.ContainsFunc(spec.Catalogue.ModelGateways, func(m v1alpha1.ModelGateway) bool { return m.Name == j.Gateway }) {
			return broken(v1alpha1.ReasonPolicyInvalid, fmt.Sprintf("spec.gates[%d].quality.judge.gateway", i),
				fmt.Sprintf("%q is not among the catalogue's model gateways", j.Gateway))
		}
	}
	return nil
}
