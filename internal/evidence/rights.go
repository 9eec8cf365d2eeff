package evidence

import (
	"errors"
	"fmt"
	"unicode/utf8"
)

// KindRights looks which bindings of the cluster give rights to service accounts. The operator does so itself.
const KindRights Kind = "rights"

const (
	// MaxBindings is how many bindings a report names.
	MaxBindings = 64

	maxAccounts = 8
	maxExcused  = 32
	// A binding's name and a role's have at most 253 characters, a subject is longer by its namespace and its kind.
	maxBindingText = 400
	maxLooked      = 10_000_000
)

// Account is a service account.
type Account struct {
	Namespace string `json:"namespace"`
	Name      string `json:"name"`
}

// RightsOrder asks who gives rights to accounts.
type RightsOrder struct {
	Accounts []Account `json:"accounts"`
	// Excused are roles that everybody may have: a ClusterRole by its name, a Role as namespace/name.
	Excused []string `json:"excused,omitempty"`
}

// Kind of the order.
func (RightsOrder) Kind() Kind { return KindRights }

// Validate says what is wrong with the order, or nil.
func (o RightsOrder) Validate() error {
	if len(o.Accounts) < 1 || len(o.Accounts) > maxAccounts {
		return fmt.Errorf("%d accounts, 1 to %d are allowed", len(o.Accounts), maxAccounts)
	}
	for _, a := range o.Accounts {
		if !objectNameForm.MatchString(a.Namespace) || !objectNameForm.MatchString(a.Name) || len(a.Namespace)+len(a.Name) > maxBindingText {
			return errors.New("an account has no usable name")
		}
	}
	if len(o.Excused) > maxExcused {
		return fmt.Errorf("%d roles are excused, up to %d are allowed", len(o.Excused), maxExcused)
	}
	for _, role := range o.Excused {
		if role == "" || utf8.RuneCountInString(role) > maxBindingText {
			return errors.New("an excused role has no usable name")
		}
	}
	return nil
}

// RightsResult is what was found in the whole cluster.
type RightsResult struct {
	// Cluster and Namespaced are how many ClusterRoleBindings and RoleBindings there were.
	Cluster    int `json:"cluster"`
	Namespaced int `json:"namespaced"`
	// Bindings that name an account, as itself, by one of its groups or as whoever is not known, the excused ones last. More
	// are those without an excuse that are not among them; Excused is how many have one.
	Bindings []Binding `json:"bindings,omitempty"`
	More     int       `json:"more,omitempty"`
	Excused  int       `json:"excused,omitempty"`
}

// Binding gives one role to one subject.
type Binding struct {
	// Namespace is empty for a ClusterRoleBinding.
	Namespace string `json:"namespace,omitempty"`
	Name      string `json:"name"`
	// Role is given by it; ClusterRole means that it is one of the cluster's.
	Role        string `json:"role"`
	ClusterRole bool   `json:"clusterRole,omitempty"`
	// To is the subject, as the binding names it.
	To string `json:"to"`
}

// Kind of the result.
func (RightsResult) Kind() Kind { return KindRights }

// Validate says what is wrong with the result by itself, or nil.
func (r RightsResult) Validate() error {
	for _, n := range []int{r.Cluster, r.Namespaced, r.More, r.Excused} {
		if n < 0 || n > maxLooked {
			return errors.New("a count is out of bounds")
		}
	}
	if len(r.Bindings) > MaxBindings || r.More > 0 && len(r.Bindings) < MaxBindings {
		return errors.New("too many bindings are named, or too few")
	}
	for _, b := range r.Bindings {
		if b.Name == "" || b.Role == "" || b.To == "" {
			return errors.New("a binding without a name, a role or a subject")
		}
		for _, text := range []string{b.Namespace, b.Name, b.Role, b.To} {
			if len(text) > maxBindingText {
				return errors.New("a binding's text is too long")
			}
		}
	}
	return nil
}

// Clean implements Result.
func (r *RightsResult) Clean() {
	for i := range r.Bindings {
		b := &r.Bindings[i]
		for _, text := range []*string{&b.Namespace, &b.Name, &b.Role, &b.To} {
			*text = Clean(*text, maxBindingText)
		}
	}
}
