package apiserver

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	authenticationv1 "k8s.io/api/authentication/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	nodev1 "k8s.io/api/node/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/affineur/affineur/api/v1alpha1"
	sandboxes "github.com/affineur/affineur/internal/sandbox"
)

// Threat 26: a stolen token of the operator, with every right that RBAC can give.
func TestTheOperatorIsConfined(t *testing.T) {
	const policy = "affineur-confine-operator"
	thief := as(operator, administrators)
	anna := as(ann, teamMembership)
	must(t, anna.Create(t.Context(), prototype("stolen")))
	must(t, admin.Create(t.Context(), policyOf("stolen")))
	must(t, as(sam, itSecurity).Create(t.Context(), decision("stolen")))
	must(t, thief.Create(t.Context(), event("stolen.1")))
	merged := func(object client.Object, body string) func(context.Context, client.Client) error {
		return func(ctx context.Context, c client.Client) error {
			return c.Patch(ctx, object.DeepCopyObject().(client.Object), client.RawPatch("application/merge-patch+json", []byte(body)))
		}
	}
	gone := func(object client.Object) func(context.Context, client.Client) error {
		return func(ctx context.Context, c client.Client) error {
			return c.Delete(ctx, object.DeepCopyObject().(client.Object))
		}
	}
	plain := pod("default", "x")
	attacks := map[string]func(context.Context, client.Client) error{
		"a prototype":              create(func() client.Object { return prototype("made-by-operator") }),
		"a prototype's spec":       merged(prototype("stolen"), `{"spec":{"contact":"thief@example.org"}}`),
		"a prototype's annotation": merged(prototype("stolen"), `{"metadata":{"annotations":{"affineur.dev/requestedAt":"now"}}}`),
		"a prototype's label":      merged(prototype("stolen"), `{"metadata":{"labels":{"a":"b"}}}`),
		"a prototype's owner":      merged(prototype("stolen"), `{"metadata":{"ownerReferences":[{"apiVersion":"v1","kind":"ConfigMap","name":"x","uid":"y"}]}}`),
		"deleting a prototype":     gone(prototype("stolen")),
		"a policy":                 create(func() client.Object { return policyOf("made-by-operator") }),
		"a weaker policy":          merged(policyOf("stolen"), `{"metadata":{"labels":{"a":"b"}}}`),
		"deleting a policy":        gone(policyOf("stolen")),
		"a ConfigMap of a team":    create(func() client.Object { return configMap(team, "x") }),
		"a Secret of IT": create(func() client.Object {
			return &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: v1alpha1.SystemNamespace, Name: "x"}}
		}),
		"a pod elsewhere":          create(func() client.Object { return plain.DeepCopy() }),
		"a role":                   create(func() client.Object { return &rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: "x"}} }),
		"a role binding for all":   create(func() client.Object { return granted("cluster-admin", "", "thieves") }),
		"a role binding elsewhere": create(func() client.Object { return granted("affineur-managed", team, "thieves") }),
		"a role in a sandbox": create(func() client.Object {
			return &rbacv1.Role{ObjectMeta: metav1.ObjectMeta{Namespace: sandbox, Name: "x"}}
		}),
		"another role in a sandbox": create(func() client.Object { return granted("admin", sandbox, "thieves") }),
		"its own rights for others": create(func() client.Object { return granted("affineur-managed", production, "thieves") }),
		"its own rights for another account": create(func() client.Object {
			return bound("affineur-managed", production, v1alpha1.SystemNamespace, "affineur-guard-check")
		}),
		"its own rights for its namesake": create(func() client.Object { return bound("affineur-managed", production, team, "affineur") }),
		"its own rights for a person of its name": create(func() client.Object {
			b := bound("affineur-managed", production, v1alpha1.SystemNamespace, "affineur").(*rbacv1.RoleBinding)
			b.Subjects[0] = rbacv1.Subject{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: "affineur"}
			return b
		}),
		"rights by hand for others": create(func() client.Object { return granted(byHand, sandbox, "thieves") }),
		"rights by hand for itself": create(func() client.Object { return bound(byHand, sandbox, v1alpha1.SystemNamespace, "affineur") }),
		"rights by hand in the records": create(func() client.Object {
			return bound(byHand, v1alpha1.RecordsNamespace, v1alpha1.SystemNamespace, byHand)
		}),
		"rights by hand for nobody":           merged(byHandIn(sandbox), `{"subjects":[]}`),
		"taking the rights by hand away":      gone(byHandIn(sandbox)),
		"a way into production":               create(func() client.Object { return contents(production)["an HTTPRoute"] }),
		"a way into a sandbox from elsewhere": create(func() client.Object { return contents(sandbox)["a ReferenceGrant"] }),
		"a sandbox without our label":         merged(namespace(sandbox, nil), `{"metadata":{"labels":{"app.kubernetes.io/managed-by":null}}}`),
		"the team's rights in production":     create(func() client.Object { return granted("affineur-team", production, teamMembership) }),
		"the team's rights for all":           create(func() client.Object { return granted("affineur-team", sandbox, "system:authenticated") }),
		"a namespace elsewhere":               create(func() client.Object { return namespace("thief", nil) }),
		"a namespace without isolation": create(func() client.Object {
			return namespace("affx-thief", map[string]string{v1alpha1.LabelManagedBy: v1alpha1.ManagedBy, "pod-security.kubernetes.io/enforce": "privileged"})
		}),
		"relabelling a team's namespace": merged(namespace(team, nil), `{"metadata":{"labels":{"a":"b"}}}`),
		"deleting a team's namespace":    gone(namespace(team, nil)),
		"a lease elsewhere": create(func() client.Object {
			return &coordinationv1.Lease{ObjectMeta: metav1.ObjectMeta{Namespace: "kube-system", Name: "x"}}
		}),
		"deleting an event": gone(event("stolen.1")),
		"a node":            create(func() client.Object { return &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "x"}} }),
	}
	for what, try := range attacks {
		must(t, attack{what, policy, "the operator may not", thief, try}.refused(t.Context(), wet))
	}
	// Guarded by two policies, either of which may speak first.
	for what, try := range map[string]func(context.Context, client.Client) error{
		"a decision":                      create(func() client.Object { return decision("made-by-operator") }),
		"deleting a decision":             gone(decision("stolen")),
		"the parameters":                  merged(&corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: v1alpha1.SystemNamespace, Name: "affineur-guards"}}, `{"data":{"operator":"thief"}}`),
		"deleting the records":            gone(namespace(v1alpha1.RecordsNamespace, nil)),
		"unlabelling the gates":           merged(namespace(v1alpha1.GatesNamespace, nil), `{"metadata":{"labels":{"app.kubernetes.io/managed-by":null}}}`),
		"a namespace without our label":   create(func() client.Object { return namespace("affx-thief", nil) }),
		"our label on a team's namespace": merged(namespace(team, nil), `{"metadata":{"labels":{"app.kubernetes.io/managed-by":"affineur"}}}`),
		"the team of a namespace":         merged(namespace(team, nil), `{"metadata":{"labels":{"affineur.dev/team":"education"}}}`),
	} {
		err := try(t.Context(), thief)
		if !refusedBy(err, policy) && !refusedBy(err, "affineur-decisions") && !refusedBy(err, "affineur-namespaces") &&
			!refusedBy(err, "affineur-namespace-names") && !refusedBy(err, "affineur-team-labels") && !refusedBy(err, "affineur-parameters") {
			t.Errorf("%s: %v", what, err)
		}
	}
}

func event(name string) *eventsv1.Event {
	return &eventsv1.Event{ObjectMeta: metav1.ObjectMeta{Namespace: team, Name: name}, EventTime: metav1.NowMicro(), Type: "Normal", Reason: "Test", Action: "Test",
		ReportingController: "affineur", ReportingInstance: "affineur-0", Regarding: corev1.ObjectReference{Kind: "AIPrototype", Namespace: team, Name: "x"}}
}

// What the operator has to be able to do, with exactly the rights of config/rbac.
func TestTheOperatorDoesItsWork(t *testing.T) {
	op := as(operator, "system:serviceaccounts", "system:serviceaccounts:"+v1alpha1.SystemNamespace)
	must(t, as(ann, teamMembership).Create(t.Context(), prototype("served")))
	p := prototype("served")
	must(t, op.Get(t.Context(), client.ObjectKeyFromObject(p), p))
	p.Finalizers = []string{v1alpha1.FinalizerSandbox}
	must(t, op.Update(t.Context(), p))
	p.Finalizers = nil
	must(t, op.Update(t.Context(), p))
	owned := review("served-1")
	owned.OwnerReferences = []metav1.OwnerReference{*metav1.NewControllerRef(p, v1alpha1.GroupVersion.WithKind("AIPrototype"))}
	must(t, op.Create(t.Context(), owned))

	made := managed("affx-served", v1alpha1.PurposeSandbox)
	must(t, op.Create(t.Context(), made))
	// It grants itself its rights, and then has them.
	mine := bound("affineur-managed", made.Name, v1alpha1.SystemNamespace, "affineur")
	must(t, op.Create(t.Context(), mine))
	must(t, op.Create(t.Context(), granted("affineur-team", made.Name, teamMembership)))
	soon(t, func() error {
		return op.Create(t.Context(), &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: made.Name, Name: "key"}})
	})
	must(t, op.Create(t.Context(), service(made.Name, "served")))
	made.Labels[v1alpha1.LabelPortForward] = "true"
	must(t, op.Update(t.Context(), made))
	must(t, op.Delete(t.Context(), made))

	now, err := sandboxes.ServerClock{Client: op}.Now(t.Context())
	must(t, err)
	var waits v1alpha1.AIPrototype
	must(t, op.Get(t.Context(), client.ObjectKeyFromObject(p), &waits))
	// Both times are the API server's, so that no clock of this machine is asked.
	if now.Before(waits.CreationTimestamp.Time) {
		t.Errorf("the API server says it is %v, after it made something at %v", now, waits.CreationTimestamp)
	}
	var leases coordinationv1.LeaseList
	must(t, op.List(t.Context(), &leases, client.InNamespace(v1alpha1.SystemNamespace)))
	if len(leases.Items) > 0 {
		t.Errorf("asking for the time leaves something behind: %s", leases.Items[0].Name)
	}
	must(t, op.Create(t.Context(), event("served.1")))
	must(t, op.Create(t.Context(), &coordinationv1.Lease{ObjectMeta: metav1.ObjectMeta{Namespace: v1alpha1.SystemNamespace, Name: "affineur"}}))
	must(t, op.Create(t.Context(), &authenticationv1.TokenReview{Spec: authenticationv1.TokenReviewSpec{Token: "x"}}))
	must(t, op.Create(t.Context(), &authorizationv1.SubjectAccessReview{Spec: authorizationv1.SubjectAccessReviewSpec{User: "x",
		NonResourceAttributes: &authorizationv1.NonResourceAttributes{Path: "/metrics", Verb: "get"}}}))
	for _, list := range []client.ObjectList{&v1alpha1.AIPrototypeList{}, &v1alpha1.HardeningReviewList{}, &v1alpha1.HardeningDecisionList{}, &v1alpha1.HardeningPolicyList{},
		&corev1.NamespaceList{}, &corev1.PodList{}, &rbacv1.RoleBindingList{}, &admissionv1.ValidatingAdmissionPolicyList{},
		&nodev1.RuntimeClassList{}} {
		must(t, op.List(t.Context(), list))
	}
	must(t, op.Get(t.Context(), client.ObjectKeyFromObject(configMapIn(team, t)), &corev1.ConfigMap{}))
	must(t, op.List(t.Context(), &corev1.SecretList{}, client.InNamespace(v1alpha1.SystemNamespace)))
}

// Least privilege, asked of the authorizer.
func TestRightsOfTheOperatorAreNarrow(t *testing.T) {
	type ask struct {
		verb, group, resource, sub, name, namespace string
	}
	for who, asks := range map[string]struct {
		groups  []string
		denied  []ask
		allowed []ask
	}{
		operator: {denied: []ask{
			{"get", "", "secrets", "", "x", team}, {"list", "", "secrets", "", "", ""}, {"watch", "", "secrets", "", "", ""}, {"get", "", "secrets", "", "x", ""}, {"list", "", "secrets", "", "", team}, {"list", "", "configmaps", "", "", ""}, {"list", "", "configmaps", "", "", team},
			{"create", "", "secrets", "", "", v1alpha1.SystemNamespace}, {"update", "", "configmaps", "", "affineur-guards", v1alpha1.SystemNamespace},
			{"create", nodev1.GroupName, "runtimeclasses", "", "", ""}, {"delete", nodev1.GroupName, "runtimeclasses", "", "x", ""},
			{"escalate", rbacv1.GroupName, "clusterroles", "", "affineur-managed", ""}, {"bind", rbacv1.GroupName, "clusterroles", "", "cluster-admin", ""},
			{"create", rbacv1.GroupName, "clusterrolebindings", "", "", ""}, {"create", rbacv1.GroupName, "roles", "", "", sandbox},
			{"impersonate", "", "users", "", ann, ""}, {"impersonate", "", "groups", "", itSecurity, ""}, {"impersonate", "", "serviceaccounts", "", "default", "kube-system"},
			{"impersonate", "", "serviceaccounts", "", "default", v1alpha1.SystemNamespace},
			{"create", "affineur.dev", "hardeningdecisions", "", "", team}, {"update", "affineur.dev", "hardeningpolicies", "", "x", ""}, {"create", "affineur.dev", "aiprototypes", "", "", team},
			{"approve", "affineur.dev", v1alpha1.RoleResource, "", "security", team}, {"manage", "affineur.dev", "installations", "", "", ""}, {"assign", "affineur.dev", "teams", "", "", ""},
			{"create", "", "pods", "exec", "x", sandbox}, {"create", "", "serviceaccounts", "token", "x", sandbox}, {"create", "", "pods", "", "", sandbox},
			{"update", "admissionregistration.k8s.io", "validatingadmissionpolicies", "", "affineur-decisions", ""},
			{"delete", "admissionregistration.k8s.io", "validatingadmissionpolicybindings", "", "affineur-decisions", ""},
		}, allowed: []ask{
			{"get", "", "secrets", "", "x", sandbox}, {"get", "", "secrets", "", "x", v1alpha1.SystemNamespace}, {"get", "", "pods", "log", "x", v1alpha1.GatesNamespace},
			{"bind", rbacv1.GroupName, "clusterroles", "", "affineur-team", ""}, {"bind", rbacv1.GroupName, "clusterroles", "", byHand, ""}, {"impersonate", "", "serviceaccounts", "", "affineur-guard-check", v1alpha1.SystemNamespace},
		}},
		"system:serviceaccount:affineur-system:affineur-by-hand": {denied: []ask{
			{"list", "", "pods", "", "", ""}, {"list", "", "pods", "", "", team}, {"get", "", "pods", "", "x", v1alpha1.SystemNamespace}, {"delete", "", "pods", "", "x", team},
			{"get", "", "pods", "log", "x", team}, {"list", "", "events", "", "", ""}, {"list", "apps", "deployments", "", "", ""}, {"update", "apps", "deployments", "scale", "x", team},
			{"list", "networking.k8s.io", "networkpolicies", "", "", ""}, {"create", "networking.k8s.io", "networkpolicies", "", "", sandbox},
			{"get", "", "secrets", "", "x", sandbox}, {"get", "", "configmaps", "", "x", sandbox}, {"create", "", "pods", "exec", "x", sandbox}, {"create", "", "pods", "portforward", "x", sandbox},
			{"update", "apps", "deployments", "", "x", sandbox}, {"list", "affineur.dev", "emergencystops", "", "", ""}, {"get", "", "pods", "log", "x", v1alpha1.GatesNamespace},
		}, allowed: []ask{
			{"list", "", "namespaces", "", "", ""}, {"list", "", "pods", "", "", sandbox}, {"get", "", "pods", "log", "x", sandbox}, {"list", "", "events", "", "", sandbox},
			{"delete", "", "pods", "", "x", sandbox}, {"delete", "networking.k8s.io", "networkpolicies", "", "x", sandbox}, {"update", "apps", "deployments", "scale", "x", sandbox},
		}},
		ann: {groups: []string{teamMembership}, denied: []ask{
			{"create", "affineur.dev", "hardeningdecisions", "", "", team}, {"create", "affineur.dev", "hardeningreviews", "", "", team}, {"update", "affineur.dev", "aiprototypes", "status", "x", team},
			{"delete", "affineur.dev", "hardeningdecisions", "", "x", team}, {"create", "affineur.dev", "aiprototypes", "", "", "default"},
		}, allowed: []ask{
			{"create", "affineur.dev", "aiprototypes", "", "", team}, {"get", "affineur.dev", "hardeningreviews", "", "x", team}, {"get", "affineur.dev", "hardeningdecisions", "", "x", team},
		}},
		sam: {groups: []string{itSecurity}, denied: []ask{
			{"delete", "affineur.dev", "hardeningdecisions", "", "x", team}, {"update", "affineur.dev", "hardeningdecisions", "", "x", team}, {"create", "affineur.dev", "aiprototypes", "", "", team},
			{"approve", "affineur.dev", v1alpha1.RoleResource, "", "operations", team},
		}, allowed: []ask{
			{"create", "affineur.dev", "hardeningdecisions", "", "", team}, {"approve", "affineur.dev", v1alpha1.RoleResource, "", "security", team},
		}},
	} {
		check := func(a ask) bool {
			review := &authorizationv1.SubjectAccessReview{Spec: authorizationv1.SubjectAccessReviewSpec{User: who, Groups: append([]string{"system:authenticated"}, asks.groups...),
				ResourceAttributes: &authorizationv1.ResourceAttributes{Verb: a.verb, Group: a.group, Resource: a.resource, Subresource: a.sub, Name: a.name, Namespace: a.namespace}}}
			must(t, admin.Create(t.Context(), review))
			return review.Status.Allowed
		}
		for _, a := range asks.denied {
			if check(a) {
				t.Errorf("%s may %+v", who, a)
			}
		}
		for _, a := range asks.allowed {
			if !check(a) {
				t.Errorf("%s may not %+v", who, a)
			}
		}
	}
}

// A team grants one Secret by name, and takes the grant back by deleting it.
func TestAGrantIsForOneSecret(t *testing.T) {
	must(t, client.IgnoreAlreadyExists(admin.Create(t.Context(), namespace("education", nil))))
	text, err := os.ReadFile(filepath.Join(root, "config", "rbac", "examples", "grant-secret.yaml"))
	must(t, err)
	objects, err := decode(text)
	must(t, err)
	for _, object := range objects {
		must(t, admin.Create(t.Context(), object))
	}
	may := func(verb, name string) bool {
		review := &authorizationv1.SubjectAccessReview{Spec: authorizationv1.SubjectAccessReviewSpec{User: operator, Groups: []string{"system:authenticated"},
			ResourceAttributes: &authorizationv1.ResourceAttributes{Verb: verb, Resource: "secrets", Name: name, Namespace: "education"}}}
		must(t, admin.Create(t.Context(), review))
		return review.Status.Allowed
	}
	expect := func(granted bool) func() error {
		return func() error {
			if may("get", "outliner-token") != granted {
				return fmt.Errorf("reading the Secret that was named: %v, want %v", !granted, granted)
			}
			return nil
		}
	}
	soon(t, expect(true))
	for verb, name := range map[string]string{"get": "another", "list": "", "watch": "", "update": "outliner-token", "delete": "outliner-token"} {
		if may(verb, name) {
			t.Errorf("the operator may %s %q", verb, name)
		}
	}
	for _, object := range objects {
		must(t, admin.Delete(t.Context(), object))
	}
	soon(t, expect(false))
}

// Threats 5 and 26, over everything that is shipped.
func TestShippedRolesGrantNoWayOut(t *testing.T) {
	objects, err := build(t.Context(), "rbac")
	must(t, err)
	for _, object := range objects {
		rules, _ := object.Object["rules"].([]any)
		for _, raw := range rules {
			rule := raw.(map[string]any)
			for _, verb := range rule["verbs"].([]any) {
				named := rule["resourceNames"] != nil
				switch {
				case verb == "*", verb == "escalate":
					t.Errorf("%s grants %v", object.GetName(), verb)
				case (verb == "impersonate" || verb == "bind") && !named:
					t.Errorf("%s grants %v without naming what", object.GetName(), verb)
				}
			}
		}
	}
}

// What docs/security.md points to can be applied as it is.
func TestExamplesApply(t *testing.T) {
	must(t, client.IgnoreAlreadyExists(admin.Create(t.Context(), namespace("education", nil))))
	files, err := filepath.Glob(filepath.Join(root, "config", "rbac", "examples", "*.yaml"))
	must(t, err)
	if len(files) == 0 {
		t.Fatal("no examples")
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		must(t, err)
		objects, err := decode(text)
		must(t, err)
		for _, object := range objects {
			if err := dry(admin).Patch(t.Context(), object, client.Apply, client.FieldOwner("test"), client.ForceOwnership); err != nil { //nolint:staticcheck // what kubectl apply --server-side does
				t.Errorf("%s: %v", file, err)
			}
		}
	}
}

// The checker does nothing but dry runs, even with every right.
func TestTheCheckerOnlyTries(t *testing.T) {
	c := as(guardCheck, administrators)
	try := create(func() client.Object { return configMap("default", "checker") })
	must(t, attack{"for real", "affineur-confine-operator", "only tries whether forgeries are refused", c, try}.refused(t.Context(), wet))
	must(t, try(t.Context(), dry(c)))
}

// The parameters gone, managed namespaces and our own kinds are closed, and nothing else of the cluster is; the
// parameters can be brought back; and without bindings everything can be taken down.
func TestMissingParametersCloseOnlyWhatIsOurs(t *testing.T) {
	parameters := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: v1alpha1.SystemNamespace, Name: "affineur-guards"}}
	restore := restored(t, parameters)
	must(t, admin.Delete(t.Context(), parameters))
	closed := func(ctx context.Context) error {
		for _, a := range []attack{
			{"the operator in a sandbox", "affineur-managed-content", "no params found", as(operator), create(func() client.Object { return configMap(sandbox, "closed") })},
			{"a prototype", "affineur-prototypes", "no params found", as(ann, teamMembership), create(func() client.Object { return prototype("closed") })},
			{"a decision", "affineur-decisions", "no params found", as(sam, itSecurity), create(func() client.Object { return decision("closed") })},
			{"a managed namespace", "affineur-namespaces", "no params found", as(operator), create(func() client.Object { return managed("affx-closed", "sandbox") })},
		} {
			if err := a.refused(ctx, dry); err != nil {
				return err
			}
		}
		return nil
	}
	must(t, until(t.Context(), closed))
	elsewhere := as(mallory, everything)
	for _, object := range []client.Object{configMap("default", "open"), pod("default", "open"), deployment("default", "open"), namespace("open", nil), configMap(v1alpha1.SystemNamespace, "open"),
		&corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "open"}}} {
		if p, isPod := object.(*corev1.Pod); isPod {
			p.Spec.AutomountServiceAccountToken = ptr.To(true)
		}
		must(t, dry(elsewhere).Create(t.Context(), object))
	}
	restore()
	must(t, until(t.Context(), func(ctx context.Context) error { return dry(as(operator)).Create(ctx, configMap(sandbox, "closed")) }))
}

// docs/security.md, "When all goes wrong": one command opens everything, and nothing guards the guards.
func TestEmergencyExit(t *testing.T) {
	selector := client.MatchingLabels{"app.kubernetes.io/part-of": "affineur"}
	var restores []func()
	var validating admissionv1.ValidatingAdmissionPolicyBindingList
	var mutating admissionv1.MutatingAdmissionPolicyBindingList
	must(t, admin.List(t.Context(), &validating, selector))
	must(t, admin.List(t.Context(), &mutating, selector))
	if len(validating.Items) < 10 || len(mutating.Items) < 2 {
		t.Fatalf("the label selects %d and %d bindings", len(validating.Items), len(mutating.Items))
	}
	for i := range validating.Items {
		restores = append(restores, restored(t, &validating.Items[i]))
	}
	for i := range mutating.Items {
		restores = append(restores, restored(t, &mutating.Items[i]))
	}
	root := as("root", administrators)
	must(t, root.DeleteAllOf(t.Context(), &admissionv1.ValidatingAdmissionPolicyBinding{}, selector))
	must(t, root.DeleteAllOf(t.Context(), &admissionv1.MutatingAdmissionPolicyBinding{}, selector))
	must(t, until(t.Context(), func(ctx context.Context) error {
		return dry(root).Delete(ctx, namespace(v1alpha1.RecordsNamespace, nil))
	}))
	must(t, until(t.Context(), func(ctx context.Context) error { return dry(root).Create(ctx, configMap(sandbox, "rescue")) }))
	for _, restore := range restores {
		restore()
	}
	must(t, until(t.Context(), unguarded))
}
