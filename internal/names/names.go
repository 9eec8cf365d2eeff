// Package names derives the names of everything that the operator makes from a prototype's identity.
package names

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"

	"github.com/affineur/affineur/api/v1alpha1"
)

// maxLabel is the longest DNS label, and so the longest namespace name and label value.
const maxLabel = 63

// Identity tells one prototype from every other, also from one of the same name made later.
type Identity struct {
	Namespace string `json:"namespace"`
	Name      string `json:"name"`
	UID       string `json:"uid"`
}

// Of is the identity of a prototype.
func Of(prototype *v1alpha1.AIPrototype) Identity {
	return Identity{Namespace: prototype.Namespace, Name: prototype.Name, UID: string(prototype.UID)}
}

// Sandbox is the name of the prototype's sandbox namespace.
func (i Identity) Sandbox() string { return i.namespace(v1alpha1.SandboxPrefix) }

// Production is the name of the prototype's production namespace.
func (i Identity) Production() string { return i.namespace(v1alpha1.ProductionPrefix) }

// Rehearsal is the name of the namespace in which a review's integrations are tried.
func (i Identity) Rehearsal() string { return i.namespace(v1alpha1.RehearsalPrefix) }

// Host is the name under which pilots find the prototype below a domain. It carries the UID's hash, so that nobody can
// have taken it before, and its first label is never too long for DNS.
func (i Identity) Host(domain string) string {
	return cut(i.Name, maxLabel-1-len(i.Hash())) + "-" + i.Hash() + "." + domain
}

// Hash is the first 8 hexadecimal digits of the SHA-256 of the UID.
func (i Identity) Hash() string {
	sum := sha256.Sum256([]byte(i.UID))
	return hex.EncodeToString(sum[:4])
}

// namespace carries the UID's hash, so that nobody can make it first for a prototype that does not exist yet, and
// a prototype made anew under an old name gets a namespace of its own.
func (i Identity) namespace(prefix string) string {
	room := maxLabel - len(prefix) - 1 - len(i.Hash())
	return prefix + cut(i.Namespace+"-"+i.Name, room) + "-" + i.Hash()
}

// Review is the name of the ordinal-th review of the prototype.
func (i Identity) Review(ordinal int) string { return fmt.Sprintf("%s-%d", i.Name, ordinal) }

// Record is the name of the ordinal-th record in the records namespace.
func (i Identity) Record(ordinal int) string {
	return fmt.Sprintf("%s-%s-%d", cut(i.Name, 40), i.Hash(), ordinal)
}

// Run is the name of a measuring Job: short enough for its pods to carry it as a label.
func (i Identity) Run(gate, suffix string) string {
	tail := "-" + i.Hash() + "-" + suffix
	return cut(cut(gate, 16)+"-"+i.Name, maxLabel-len(tail)) + tail
}

// attemptLength is how many characters tell one attempt at a run from all others.
const attemptLength = 12

// Series is what begins the names of all attempts at a run that is made anew as often as needed.
func (i Identity) Series(gate, suffix string) string {
	rest := "-" + strings.Repeat("0", attemptLength)
	return strings.TrimSuffix(i.Run(gate, suffix+rest), rest)
}

// Attempt is the name of one attempt at such a run, by its nonce. No other has it: the Job controller keeps its books by
// name, and a Job under a name that was given up a moment ago may never get a pod.
func Attempt(series, nonce string) string {
	return series + "-" + strings.ToLower(nonce[:attemptLength])
}

// IsAttempt tells whether a name is that of an attempt of the series.
func IsAttempt(name, series string) bool {
	rest, of := strings.CutPrefix(name, series+"-")
	return of && len(rest) == attemptLength
}

// Label cuts a name to what a label value holds.
func Label(name string) string { return cut(name, maxLabel) }

// Labels are the ownership labels of everything that the operator makes for the prototype.
func (i Identity) Labels(component string) map[string]string {
	return map[string]string{
		v1alpha1.LabelManagedBy:          v1alpha1.ManagedBy,
		v1alpha1.LabelName:               "aiprototype",
		v1alpha1.LabelInstance:           Label(i.Name),
		v1alpha1.LabelComponent:          component,
		v1alpha1.LabelPrototype:          Label(i.Name),
		v1alpha1.LabelPrototypeNamespace: i.Namespace,
		v1alpha1.LabelPrototypeUID:       i.UID,
	}
}

// FromLabels is the identity that an object's ownership labels name; false where it is not the operator's. The name
// is whole, because a prototype's name has at most 63 characters.
func FromLabels(labels map[string]string) (Identity, bool) {
	i := Identity{
		Namespace: labels[v1alpha1.LabelPrototypeNamespace], Name: labels[v1alpha1.LabelPrototype], UID: labels[v1alpha1.LabelPrototypeUID],
	}
	ours := labels[v1alpha1.LabelManagedBy] == v1alpha1.ManagedBy
	return i, ours && i.Namespace != "" && i.Name != "" && i.UID != ""
}

func cut(s string, room int) string {
	if len(s) > room {
		s = s[:room]
	}
	return strings.TrimRight(s, "-.")
}
