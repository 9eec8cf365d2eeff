package security

import (
	"fmt"
	"strings"
	"testing"
	"time"

	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/internal/evidence"
	"github.com/affineur/affineur/internal/gate"
	"github.com/affineur/affineur/internal/names"
)

var prototype = names.Identity{Namespace: "membership", Name: "churn-advisor", UID: "u-1"}

// usual are some of the bindings that every cluster has.
func usual() []rbacv1.ClusterRoleBinding {
	return []rbacv1.ClusterRoleBinding{
		across("system:discovery", "system:discovery", group("system:authenticated")),
		across("system:public-info-viewer", "system:public-info-viewer", group("system:authenticated"), group("system:unauthenticated")),
		across("system:service-account-issuer-discovery", "system:service-account-issuer-discovery", group("system:serviceaccounts")),
		across("cluster-admin", "cluster-admin", group("system:masters")),
	}
}

func across(name, role string, to ...rbacv1.Subject) rbacv1.ClusterRoleBinding {
	return rbacv1.ClusterRoleBinding{ObjectMeta: metav1.ObjectMeta{Name: name}, RoleRef: rbacv1.RoleRef{Kind: "ClusterRole", Name: role}, Subjects: to}
}

func within(namespace, kind, role string, to ...rbacv1.Subject) rbacv1.RoleBinding {
	return rbacv1.RoleBinding{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "look"}, RoleRef: rbacv1.RoleRef{Kind: kind, Name: role}, Subjects: to}
}

// asked is the order, with roles that everybody may have.
func asked(excused ...string) evidence.RightsOrder {
	return evidence.RightsOrder{Accounts: AccountsOf(prototype), Excused: excused}
}

// kubeadm makes a RoleBinding of this name.
func kubeadm(namespace, kind, role string, to rbacv1.Subject) rbacv1.RoleBinding {
	b := within(namespace, kind, role, to)
	b.Name = "kubeadm:bootstrap-signer-clusterinfo"
	return b
}

func group(name string) rbacv1.Subject { return rbacv1.Subject{Kind: rbacv1.GroupKind, Name: name} }
func user(name string) rbacv1.Subject  { return rbacv1.Subject{Kind: rbacv1.UserKind, Name: name} }
func account(namespace, name string) rbacv1.Subject {
	return rbacv1.Subject{Kind: rbacv1.ServiceAccountKind, Namespace: namespace, Name: name}
}

// Whatever gives the prototype's account a right is a hole, and names the binding; what only looks like it is none.
func TestRights(t *testing.T) {
	sandbox, production := prototype.Sandbox(), prototype.Production()
	for name, c := range map[string]struct {
		cluster    []rbacv1.ClusterRoleBinding
		namespaced []rbacv1.RoleBinding
		// want is part of the finding; "" for none.
		want string
	}{
		"nothing": {},
		"in the whole cluster": {[]rbacv1.ClusterRoleBinding{across("debug", "view", account(sandbox, "prototype"))}, nil,
			"ClusterRoleBinding debug gives ClusterRole view to ServiceAccount " + sandbox + "/prototype"},
		"beside others": {[]rbacv1.ClusterRoleBinding{across("debug", "view", user("kim@example.org"), account(production, "prototype"))}, nil,
			"to ServiceAccount " + production + "/prototype"},
		"while integrations are tried": {[]rbacv1.ClusterRoleBinding{across("debug", "view", account(prototype.Rehearsal(), "prototype"))}, nil, "ClusterRoleBinding debug"},
		"in its own namespace": {nil, []rbacv1.RoleBinding{within(production, "Role", "reader", account("", "prototype"))},
			"RoleBinding " + production + "/look gives Role reader to ServiceAccount " + production + "/prototype"},
		"in another's namespace": {nil, []rbacv1.RoleBinding{within("finance", "ClusterRole", "edit", account(production, "prototype"))},
			"RoleBinding finance/look gives ClusterRole edit"},
		"as a user": {[]rbacv1.ClusterRoleBinding{across("debug", "view", user("system:serviceaccount:"+sandbox+":prototype"))}, nil, "to User system:serviceaccount:"},
		"as all accounts of its namespace": {[]rbacv1.ClusterRoleBinding{across("debug", "view", group("system:serviceaccounts:"+sandbox))}, nil,
			"to Group system:serviceaccounts:" + sandbox},
		"as all accounts":                       {nil, []rbacv1.RoleBinding{within("finance", "Role", "reader", group("system:serviceaccounts"))}, "to Group system:serviceaccounts"},
		"as everybody":                          {[]rbacv1.ClusterRoleBinding{across("open", "view", group("system:authenticated"))}, nil, "ClusterRoleBinding open gives ClusterRole view to Group system:authenticated"},
		"as everybody, under a usual name":      {[]rbacv1.ClusterRoleBinding{across("system:discovery", "view", group("system:authenticated"))}, nil, "gives ClusterRole view"},
		"a Role that is named like a usual one": {nil, []rbacv1.RoleBinding{within("finance", "Role", "system:discovery", group("system:authenticated"))}, "gives Role system:discovery"},

		"as whoever has no token": {[]rbacv1.ClusterRoleBinding{across("open", "cluster-admin", user("system:anonymous"))}, nil,
			"gives ClusterRole cluster-admin to User system:anonymous, and with it to the prototype: it can be used without a token"},
		"as all who have no token":                 {[]rbacv1.ClusterRoleBinding{across("open", "cluster-admin", group("system:unauthenticated"))}, nil, "to Group system:unauthenticated, and with it to the prototype: it can be used without a token"},
		"as whoever has no token, in a namespace":  {nil, []rbacv1.RoleBinding{within("finance", "Role", "reader", user("system:anonymous"))}, "RoleBinding finance/look gives Role reader"},
		"kubeadm's binding with another Role":      {nil, []rbacv1.RoleBinding{kubeadm("kube-public", "Role", "reader", user("system:anonymous"))}, "gives Role reader"},
		"kubeadm's binding with a ClusterRole":     {nil, []rbacv1.RoleBinding{kubeadm("kube-public", "ClusterRole", clusterInfo.Role, user("system:anonymous"))}, "gives ClusterRole kubeadm"},
		"kubeadm's binding to the prototype":       {nil, []rbacv1.RoleBinding{kubeadm("kube-public", "Role", clusterInfo.Role, account(sandbox, "prototype"))}, "gives Role kubeadm"},
		"kubeadm's binding in another's namespace": {nil, []rbacv1.RoleBinding{kubeadm("finance", "Role", clusterInfo.Role, user("system:anonymous"))}, "gives Role kubeadm"},
		"its Role by another binding":              {nil, []rbacv1.RoleBinding{within("kube-public", "Role", clusterInfo.Role, user("system:anonymous"))}, "RoleBinding kube-public/look"},

		"kubeadm's binding":                               {nil, []rbacv1.RoleBinding{kubeadm("kube-public", "Role", "kubeadm:bootstrap-signer-clusterinfo", user("system:anonymous"))}, ""},
		"a group of the name of who has no token":         {[]rbacv1.ClusterRoleBinding{across("open", "view", group("system:anonymous"))}, nil, ""},
		"a user of the name of all who have no token":     {[]rbacv1.ClusterRoleBinding{across("open", "view", user("system:unauthenticated"))}, nil, ""},
		"an account of the name elsewhere":                {[]rbacv1.ClusterRoleBinding{across("debug", "view", account("finance", "prototype"))}, nil, ""},
		"an account of the name in the binding's":         {nil, []rbacv1.RoleBinding{within("finance", "Role", "reader", account("", "prototype"))}, ""},
		"another account of its namespace":                {[]rbacv1.ClusterRoleBinding{across("debug", "view", account(sandbox, "default"))}, nil, ""},
		"accounts of a namespace with a longer name":      {[]rbacv1.ClusterRoleBinding{across("debug", "view", group("system:serviceaccounts:"+sandbox+"-2"))}, nil, ""},
		"a user of the account's name":                    {[]rbacv1.ClusterRoleBinding{across("debug", "view", user("prototype"))}, nil, ""},
		"a group of the account's name":                   {nil, []rbacv1.RoleBinding{within(sandbox, "Role", "reader", group("prototype"))}, ""},
		"the operator and the team in the same namespace": {nil, []rbacv1.RoleBinding{within(sandbox, "ClusterRole", "affineur-managed", account("affineur-system", "affineur"), group("membership"))}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			e := good()
			found := Bound(asked(), append(usual(), c.cluster...), c.namespaced)
			if err := found.Validate(); err != nil {
				t.Fatal(err)
			}
			e.Rights = &Rights{Run: measured(found), Frame: gate.Frame{Subject: reviewed, Now: now, MaxAge: time.Hour}}
			got := Judge(e)
			switch {
			case c.want == "" && (got.State != gate.Passed || !strings.Contains(got.Message, "no rights at the API server")):
				t.Errorf("%+v", got)
			case c.want != "" && (got.State != gate.Failed || len(got.Findings) != 1 || got.Findings[0].Reason != v1alpha1.ReasonRightsGranted ||
				got.Findings[0].Owner != v1alpha1.OwnerIT || got.Findings[0].Field != "spec.workload.container" || !strings.Contains(got.Findings[0].Message, c.want)):
				t.Errorf("%+v; want %q", got, c.want)
			}
		})
	}
}

// What everybody has anyway is excused by IT, by name; what the prototype alone has is not.
func TestRightsOfEverybody(t *testing.T) {
	for name, c := range map[string]struct {
		found *evidence.RightsResult
		want  gate.State
	}{
		"a ClusterRole of everybody":         {Bound(asked(), append(usual(), across("s", "self-provisioner", group("system:authenticated"))), nil), gate.Passed},
		"a Role of everybody":                {Bound(asked(), usual(), []rbacv1.RoleBinding{within("shared", "Role", "viewer", group("system:serviceaccounts"))}), gate.Passed},
		"of whoever has no token":            {Bound(asked(), append(usual(), across("s", "self-provisioner", user("system:anonymous"))), nil), gate.Passed},
		"of all who have no token":           {Bound(asked(), usual(), []rbacv1.RoleBinding{within("shared", "Role", "viewer", group("system:unauthenticated"))}), gate.Passed},
		"the Role's name elsewhere":          {Bound(asked(), usual(), []rbacv1.RoleBinding{within("finance", "Role", "viewer", group("system:serviceaccounts"))}), gate.Failed},
		"a ClusterRole of the Role's name":   {Bound(asked(), append(usual(), across("s", "viewer", group("system:authenticated"))), nil), gate.Failed},
		"another ClusterRole":                {Bound(asked(), append(usual(), across("s", "view", group("system:authenticated"))), nil), gate.Failed},
		"for all accounts of its namespace":  {Bound(asked(), append(usual(), across("s", "self-provisioner", group("system:serviceaccounts:"+prototype.Production()))), nil), gate.Failed},
		"the ClusterRole for this one alone": {Bound(asked(), append(usual(), across("s", "self-provisioner", account(prototype.Production(), "prototype"))), nil), gate.Failed},
	} {
		e := good()
		e.Rights = &Rights{
			Run: measured(c.found), Frame: gate.Frame{Subject: reviewed, Now: now, MaxAge: time.Hour}, Excused: []string{"self-provisioner", "shared/viewer"},
		}
		if got := Judge(e); got.State != c.want {
			t.Errorf("%s: %+v", name, got)
		}
	}
	c := caseOf(&v1alpha1.SecurityGate{Secrets: v1alpha1.SearchBuiltIn, RolesOfEverybody: []string{"self-provisioner"}})
	c.Record.Prototype, c.Record.Subject.Container.CPU, c.Record.Subject.Container.Memory = prototype, "100m", "64Mi"
	c.Record.Requirements.Registry.Prefix = "registry.example.org/membership/"
	found := Bound(asked(), append(usual(), across("s", "self-provisioner", group("system:authenticated"))), nil)
	taken := gate.Taken{
		Isolation: gate.Isolation{Verdict: gate.Pass(v1alpha1.ReasonEnforced, "closed", now)},
		Runs:      map[string]gate.Witnessed{partRights: {Measurement: measured(found)}},
	}
	if got := (Instrument{Rights: true}).Judge(c, taken); got.State != gate.Passed {
		t.Errorf("the policy excuses it: %+v", got)
	}
}

// However many bindings are excused, they take no place from those that are not, wherever those stand in the lists.
func TestRightsAmongManyThatAreExcused(t *testing.T) {
	var many, more []rbacv1.RoleBinding
	for i := range 2 * evidence.MaxBindings {
		many = append(many, within(fmt.Sprintf("team-%d", i), "ClusterRole", "self-provisioner", group("system:authenticated")))
		more = append(more, within(fmt.Sprintf("team-%d", i), "ClusterRole", "view", group("system:authenticated")))
	}
	own := within("finance", "ClusterRole", "edit", account(prototype.Production(), "prototype"))
	its := within("finance", "ClusterRole", "self-provisioner", group("system:serviceaccounts:"+prototype.Production()))
	all := within("finance", "ClusterRole", "view", group("system:serviceaccounts"))
	for name, c := range map[string]struct {
		namespaced []rbacv1.RoleBinding
		// holes are findings, of which a verdict has at most 32.
		holes int
		first string
		more  int
	}{
		"nothing else":                        {many, 0, "", 0},
		"one to everybody after them":         {append(many[:len(many):len(many)], all), 1, "gives ClusterRole view to Group system:serviceaccounts", 0},
		"one to the prototype after them":     {append(many[:len(many):len(many)], all, own), 2, "gives ClusterRole edit to ServiceAccount", 0},
		"one to the prototype after as many":  {append(more[:len(more):len(more)], own), 32, "gives ClusterRole edit to ServiceAccount", evidence.MaxBindings + 1},
		"one to its namespace after as many":  {append(more[:len(more):len(more)], its), 32, "gives ClusterRole self-provisioner to Group system:serviceaccounts:", evidence.MaxBindings + 1},
		"more than can be named, not excused": {more, 32, "gives ClusterRole view", evidence.MaxBindings},
	} {
		t.Run(name, func(t *testing.T) {
			reviewing := caseOf(&v1alpha1.SecurityGate{Secrets: v1alpha1.SearchBuiltIn, RolesOfEverybody: []string{"self-provisioner"}})
			reviewing.Record.Prototype, reviewing.Record.Subject.Container.CPU, reviewing.Record.Subject.Container.Memory = prototype, "100m", "64Mi"
			reviewing.Record.Requirements.Registry.Prefix = "registry.example.org/membership/"
			runs, err := Instrument{Rights: true}.Plan(reviewing, gate.Taken{})
			if err != nil || len(runs) != 1 {
				t.Fatalf("%+v, %v", runs, err)
			}
			found := Bound(*evidence.As[evidence.RightsOrder](runs[0].Order), usual(), c.namespaced)
			if err := found.Validate(); err != nil || found.More != c.more {
				t.Fatalf("%d more, %v", found.More, err)
			}
			got := Instrument{Rights: true}.Judge(reviewing, gate.Taken{
				Isolation: gate.Isolation{Verdict: gate.Pass(v1alpha1.ReasonEnforced, "closed", now)},
				Runs:      map[string]gate.Witnessed{partRights: {Measurement: measured(found)}},
			})
			switch {
			case len(got.Findings) != c.holes:
				t.Errorf("%d findings; want %d: %+v", len(got.Findings), c.holes, got)
			case c.holes == 0 && (got.State != gate.Passed || found.Excused < len(many)):
				t.Errorf("%d excused, %+v", found.Excused, got)
			case c.holes > 0 && (got.State != gate.Failed || !strings.Contains(got.Findings[0].Message, c.first)):
				t.Errorf("%+v; want %q first", got, c.first)
			}
		})
	}
}

// What was not seen, or not all of it, passes nothing.
func TestRightsThatAreNotKnown(t *testing.T) {
	// All that are named have an excuse, and one that has none is not named.
	many := &evidence.RightsResult{Cluster: 100, More: 1}
	for i := range evidence.MaxBindings {
		many.Bindings = append(many.Bindings, evidence.Binding{Name: fmt.Sprintf("d-%d", i), Role: "system:discovery", ClusterRole: true, To: "Group system:authenticated"})
	}
	for name, c := range map[string]struct {
		run  gate.Measurement
		want gate.State
	}{
		"not looked yet":          {gate.Measurement{}, gate.Pending},
		"not allowed to look":     {gate.Measurement{Lost: "forbidden"}, gate.Inconclusive},
		"nothing seen at all":     {measured(Bound(asked(), nil, nil)), gate.Inconclusive},
		"too many to look at all": {measured(many), gate.Inconclusive},
		"something else":          {measured(&evidence.MaterialResult{Image: imageDigest, Packed: []byte{1}}), gate.Inconclusive},
	} {
		e := good()
		e.Rights = &Rights{Run: c.run, Frame: gate.Frame{Subject: reviewed, Now: now, MaxAge: time.Hour}}
		if got := Judge(e); got.State != c.want {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

// Where somebody looks, it is planned for every prototype, whatever else the policy asks, and nothing passes without.
func TestRightsArePlanned(t *testing.T) {
	c := caseOf(nil)
	c.Record.Prototype, c.Record.Subject.Container.CPU, c.Record.Subject.Container.Memory = prototype, "100m", "64Mi"
	c.Record.Requirements.Registry.Prefix = "registry.example.org/membership/"
	runs, err := Instrument{Rights: true}.Plan(c, gate.Taken{})
	if err != nil || len(runs) != 1 || runs[0].Site != gate.SiteOperator || runs[0].Order.Validate() != nil {
		t.Fatalf("%+v, %v", runs, err)
	}
	taken := gate.Taken{Isolation: gate.Isolation{Verdict: gate.Pass(v1alpha1.ReasonEnforced, "closed", now)}}
	if got := (Instrument{Rights: true}).Judge(c, taken); got.State != gate.Pending {
		t.Errorf("nobody looked yet: %+v", got)
	}
	taken.Runs = map[string]gate.Witnessed{partRights: {Measurement: measured(Bound(asked(), usual(), nil))}}
	if got := (Instrument{Rights: true}).Judge(c, taken); got.State != gate.Passed {
		t.Errorf("nothing was found: %+v", got)
	}
}
