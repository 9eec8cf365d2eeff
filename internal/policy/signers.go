package policy

import (
	"fmt"
	"regexp"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/internal/evidence"
)

// checkSigners reads every key and every expression, so that one with which nothing can be verified is known before
// anything was signed with it.
func checkSigners(gates []v1alpha1.Gate) *Problem {
	for i, g := range gates {
		if g.Security == nil || g.Security.Signatures == nil {
			continue
		}
		at := fmt.Sprintf("spec.gates[%d].security.signatures.", i)
		for j, k := range g.Security.Signatures.Keys {
			if _, err := evidence.SignerKey(k.PublicKey); err != nil {
				return broken(v1alpha1.ReasonPolicyInvalid, fmt.Sprintf("%skeys[%d].publicKey", at, j), fmt.Sprintf("the key of %s can't be used: %v", k.Name, err))
			}
		}
		for j, who := range g.Security.Signatures.Identities {
			if _, err := regexp.Compile(who.SubjectRegExp); err != nil {
				return broken(v1alpha1.ReasonPolicyInvalid, fmt.Sprintf("%sidentities[%d].subjectRegExp", at, j), err.Error())
			}
		}
	}
	return nil
}
