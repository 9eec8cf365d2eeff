package security

import (
	"fmt"
	"slices"
	"strings"
	"time"

	rbacv1 "k8s.io/api/rbac/v1"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/internal/evidence"
	"github.com/affineur/affineur/internal/gate"
	"github.com/affineur/affineur/internal/names"
	"github.com/affineur/affineur/internal/workload"
)

// Rights are what the cluster's bindings give to the accounts under which the prototype runs.
type Rights struct {
	Run   gate.Measurement
	Frame gate.Frame
	// Excused are roles that everybody may have: a ClusterRole by its name, a Role as namespace/name.
	Excused []string
}

// AccountsOf a prototype are those under which it runs: in its sandbox, in production, and while integrations are tried.
func AccountsOf(identity names.Identity) []evidence.Account {
	var out []evidence.Account
	for _, namespace := range []string{identity.Sandbox(), identity.Production(), identity.Rehearsal()} {
		out = append(out, evidence.Account{Namespace: namespace, Name: workload.Name})
	}
	return out
}

// Bound are the bindings that give a role to one of the accounts, whatever the role: as a service account, as the user as
// which it is known, as one of its groups, or as whoever is not known at all. Those to an account itself come first and
// excused ones last, so that what can be named is what counts.
func Bound(order evidence.RightsOrder, cluster []rbacv1.ClusterRoleBinding, namespaced []rbacv1.RoleBinding) *evidence.RightsResult {
	var own, others, excused []evidence.Binding
	add := func(namespace, name string, role rbacv1.RoleRef, subjects []rbacv1.Subject) {
		for _, subject := range subjects {
			if !slices.ContainsFunc(order.Accounts, func(a evidence.Account) bool { return is(subject, namespace, a) }) {
				continue
			}
			b := evidence.Binding{Namespace: namespace, Name: name, Role: role.Name, ClusterRole: role.Kind == "ClusterRole", To: named(subject, namespace)}
			switch {
			case excuses(order.Excused, b):
				excused = append(excused, b)
			case everybody(b):
				others = append(others, b)
			default:
				own = append(own, b)
			}
		}
	}
	for _, b := range cluster {
		add("", b.Name, b.RoleRef, b.Subjects)
	}
	for _, b := range namespaced {
		add(b.Namespace, b.Name, b.RoleRef, b.Subjects)
	}
	count := len(own) + len(others)
	all := slices.Concat(own, others, excused)
	return &evidence.RightsResult{
		Cluster: len(cluster), Namespaced: len(namespaced), Excused: len(excused),
		Bindings: all[:min(len(all), evidence.MaxBindings)], More: max(0, count-evidence.MaxBindings),
	}
}

// anonymous is who comes without a token, as a prototype does: its pods carry none.
const anonymous = "system:anonymous"

// groups are those of every service account, and of who comes without a token.
// https://kubernetes.io/docs/reference/access-authn-authz/authentication/#anonymous-requests
var groups = []string{"system:serviceaccounts", "system:authenticated", "system:unauthenticated"}

// is tells whether a subject of a binding in a namespace stands for an account.
func is(subject rbacv1.Subject, namespace string, a evidence.Account) bool {
	switch subject.Kind {
	case rbacv1.ServiceAccountKind:
		return subject.Name == a.Name && home(subject, namespace) == a.Namespace
	case rbacv1.UserKind:
		return subject.Name == "system:serviceaccount:"+a.Namespace+":"+a.Name || subject.Name == anonymous
	case rbacv1.GroupKind:
		return subject.Name == "system:serviceaccounts:"+a.Namespace || slices.Contains(groups, subject.Name)
	}
	return false
}

// home of a service account: that of the binding, where it is not said.
func home(subject rbacv1.Subject, namespace string) string {
	if subject.Namespace != "" {
		return subject.Namespace
	}
	return namespace
}

func named(subject rbacv1.Subject, namespace string) string {
	if subject.Kind == rbacv1.ServiceAccountKind {
		return subject.Kind + " " + home(subject, namespace) + "/" + subject.Name
	}
	return subject.Kind + " " + subject.Name
}

// everybodys are the roles that Kubernetes itself gives to everybody who is known to it: to ask who one is and what one
// may, and what the API server offers.
// https://kubernetes.io/docs/reference/access-authn-authz/rbac/#discovery-roles
var everybodys = []string{"system:basic-user", "system:discovery", "system:public-info-viewer", "system:service-account-issuer-discovery"}

// judgeRights says which bindings are holes: a prototype needs no right at the API server.
func judgeRights(r Rights) opinion {
	found, refused := gate.Open[evidence.RightsResult](r.Frame, r.Run, "what the cluster's bindings give to the prototype")
	if refused != nil {
		return opinion{unsettled: []gate.Verdict{*refused}}
	}
	var o opinion
	for _, b := range found.Bindings {
		if !excuses(r.Excused, b) {
			o.holes = append(o.holes, granted(b))
		}
	}
	switch {
	case len(o.holes) > 0:
	case found.Cluster == 0:
		// Kubernetes makes some itself.
		o.unsettled = append(o.unsettled, gate.Unknown(v1alpha1.ReasonEvidenceUnverifiable, "no ClusterRoleBinding was seen, and every cluster has some", time.Time{}))
	case found.More > 0:
		o.unsettled = append(o.unsettled, gate.Unknown(v1alpha1.ReasonEvidenceUnverifiable, "more bindings give everybody something than can be looked at", time.Time{}))
	default:
		o.praise = []string{"no rights at the API server"}
	}
	return o
}

// clusterInfo is the Role, and the RoleBinding to anonymous, by which kubeadm shows the cluster's address and its
// authority to a node that wants to join.
// https://kubernetes.io/docs/reference/setup-tools/kubeadm/implementation-details/#create-the-public-cluster-info-configmap
var clusterInfo = evidence.Binding{
	Namespace: "kube-public", Name: "kubeadm:bootstrap-signer-clusterinfo", Role: "kubeadm:bootstrap-signer-clusterinfo", To: rbacv1.UserKind + " " + anonymous,
}

// excuses a binding that gives what everybody has. What the policy excuses, it does for everybody alone.
func excuses(excused []string, b evidence.Binding) bool {
	if b == clusterInfo || b.ClusterRole && slices.Contains(everybodys, b.Role) {
		return true
	}
	role := b.Role
	if !b.ClusterRole {
		role = b.Namespace + "/" + role
	}
	return everybody(b) && slices.Contains(excused, role)
}

// everybody tells whether a binding is to everybody else as well as to the account: to one of the groups of all, or to
// whoever comes without a token. The group of its namespace is no such one: nobody else runs there.
func everybody(b evidence.Binding) bool {
	group, ok := strings.CutPrefix(b.To, rbacv1.GroupKind+" ")
	return ok && slices.Contains(groups, group) || tokenless(b)
}

// tokenless tells whether a binding is to who comes without a token.
func tokenless(b evidence.Binding) bool {
	return b.To == rbacv1.UserKind+" "+anonymous || b.To == rbacv1.GroupKind+" system:unauthenticated"
}

func granted(b evidence.Binding) gate.Finding {
	binding, role := "ClusterRoleBinding "+b.Name, "Role "+b.Role
	if b.Namespace != "" {
		binding = "RoleBinding " + b.Namespace + "/" + b.Name
	}
	if b.ClusterRole {
		role = "ClusterRole " + b.Role
	}
	use := "whoever takes that over and comes by a token could use it"
	if tokenless(b) {
		use = "it can be used without a token"
	}
	hint := "A prototype needs no right at the API server. Whoever administers the cluster takes the subject out of " + binding + ", and names there who needs the role."
	if everybody(b) {
		hint += " Where everybody has it and it does no harm, IT says so in the policy, under the gate's security.rolesOfEverybody."
	}
	return gate.Finding{
		Reason: v1alpha1.ReasonRightsGranted, Field: workloadField, Owner: v1alpha1.OwnerIT,
		Message: fmt.Sprintf("%s gives %s to %s, and with it to the prototype: %s", binding, role, b.To, use),
		Hint:    hint,
	}
}
