package apiserver

import (
	"bytes"
	"context"
	"fmt"
	"testing"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/internal/guard"
)

func namespace(name string, labels map[string]string) *corev1.Namespace {
	return &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: labels}}
}

// relabelled tries a change of labels in the three ways that a Namespace can be written.
func relabelled(name string, edit func(map[string]string)) map[string]func(context.Context, client.Client) error {
	edited := func(ctx context.Context, c client.Client) (*corev1.Namespace, error) {
		n := namespace(name, nil)
		err := admin.Get(ctx, client.ObjectKeyFromObject(n), n)
		if n.Labels == nil {
			n.Labels = map[string]string{}
		}
		edit(n.Labels)
		return n, err
	}
	return map[string]func(context.Context, client.Client) error{
		"": func(ctx context.Context, c client.Client) error {
			n, err := edited(ctx, c)
			if err != nil {
				return err
			}
			return c.Update(ctx, n)
		},
		" through status": func(ctx context.Context, c client.Client) error {
			n, err := edited(ctx, c)
			if err != nil {
				return err
			}
			return c.Status().Update(ctx, n)
		},
		" through finalize": func(ctx context.Context, c client.Client) error {
			n, err := edited(ctx, c)
			if err != nil {
				return err
			}
			return c.SubResource("finalize").Update(ctx, n)
		},
	}
}

// Threats 20 and 22: labels of managed namespaces, also through /status and /finalize.
func TestManagedNamespacesKeepTheirLabels(t *testing.T) {
	edits := map[string]func(map[string]string){
		"ours removed":        func(l map[string]string) { delete(l, v1alpha1.LabelManagedBy) },
		"Pod Security":        func(l map[string]string) { l["pod-security.kubernetes.io/enforce"] = "privileged" },
		"ports opened":        func(l map[string]string) { l[v1alpha1.LabelPortForward] = "true" },
		"another purpose":     func(l map[string]string) { l[v1alpha1.LabelPurpose] = v1alpha1.PurposeSandbox + "x" },
		"a label of no harm":  func(l map[string]string) { l["their"] = "own" },
		"all of them removed": func(l map[string]string) { clear(l) },
	}
	for _, name := range []string{sandbox, production} {
		for what, edit := range edits {
			for how, try := range relabelled(name, edit) {
				for who, c := range map[string]client.Client{"mallory": as(mallory, everything), "an administrator": as("root", administrators), "the namespace controller": as(namespacer, administrators)} {
					a := attack{what + how + " by " + who, "affineur-namespaces", "only the operator writes namespace " + name, c, try}
					if err := a.refused(t.Context(), wet); err != nil {
						t.Error(err)
					}
				}
			}
		}
	}
	gone := func(ctx context.Context, c client.Client) error { return c.Delete(ctx, namespace(sandbox, nil)) }
	for _, who := range []client.Client{as(mallory, everything), as("root", administrators)} {
		must(t, attack{"deleted", "affineur-namespaces", "change or delete its AIPrototype instead", who, gone}.refused(t.Context(), wet))
	}
	must(t, gone(t.Context(), dry(as(operator))))
	// What the namespace controller does at the end of a namespace.
	ending := managed(sandbox, "")
	must(t, admin.Get(t.Context(), client.ObjectKeyFromObject(ending), ending))
	must(t, dry(as(namespacer, administrators)).Status().Update(t.Context(), ending.DeepCopy()))
	finalized := ending.DeepCopy()
	finalized.Spec.Finalizers = nil
	must(t, dry(as(namespacer, administrators)).SubResource("finalize").Update(t.Context(), finalized))
}

// Threats 21 and 22: squatting, and passing a foreign namespace off as ours.
func TestNobodyTakesOurNames(t *testing.T) {
	ours := map[string]string{v1alpha1.LabelManagedBy: v1alpha1.ManagedBy}
	everybody := map[string]client.Client{"mallory": as(mallory, everything), "an administrator": as("root", administrators)}
	for who, c := range everybody {
		var attacks []attack
		for _, prefix := range []string{v1alpha1.SandboxPrefix, v1alpha1.ProductionPrefix, v1alpha1.RehearsalPrefix} {
			attacks = append(attacks,
				attack{prefix + " by " + who, "affineur-namespace-names", "only the operator creates namespaces", c, create(func() client.Object { return namespace(prefix+"squat", nil) })},
				attack{prefix + " with our label by " + who, "affineur-namespaces", "only the operator writes namespace", c, create(func() client.Object { return namespace(prefix+"squat", ours) })},
				attack{prefix + " with a generated name by " + who, "affineur-namespace-names", "only the operator creates namespaces", c, create(func() client.Object {
					return &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: prefix}}
				})})
		}
		attacks = append(attacks, attack{"our label on another name by " + who, "affineur-namespaces", "namespace harmless is none of them", c, create(func() client.Object { return namespace("harmless", ours) })})
		tryAll(t, attacks)
		for how, try := range relabelled("default", func(l map[string]string) { l[v1alpha1.LabelManagedBy] = v1alpha1.ManagedBy }) {
			must(t, attack{"our label on default" + how, "affineur-namespaces", "namespace default is none of them", c, try}.refused(t.Context(), wet))
		}
	}
	// Others' namespaces are others' business, also others' managed-by.
	must(t, as(mallory, everything).Create(t.Context(), namespace("theirs", map[string]string{v1alpha1.LabelManagedBy: "helm"})))
	must(t, as(mallory, everything).Delete(t.Context(), namespace("theirs", nil)))
	must(t, as(operator).Create(t.Context(), managed("affr-made", v1alpha1.PurposeRehearsal)))
}

// Threat 9: a team that may update its namespace does not choose its policy.
func TestTeamLabelsAreAssigned(t *testing.T) {
	const policy, says = "affineur-team-labels", "takes the verb assign on teams.affineur.dev"
	must(t, admin.Create(t.Context(), namespace("education-office", map[string]string{v1alpha1.LabelTeam: "education", "affineur.dev/ai-sandbox": "true"})))
	edits := map[string]func(map[string]string){
		"another team":    func(l map[string]string) { l[v1alpha1.LabelTeam] = "membership" },
		"no team":         func(l map[string]string) { delete(l, v1alpha1.LabelTeam) },
		"another policy":  func(l map[string]string) { l["affineur.dev/ai-sandbox"] = "lenient" },
		"an empty value":  func(l map[string]string) { l["affineur.dev/new"] = "" },
		"every label off": func(l map[string]string) { clear(l) },
	}
	for what, edit := range edits {
		for how, try := range relabelled("education-office", edit) {
			must(t, attack{what + how, policy, says, as(mallory, everything), try}.refused(t.Context(), wet))
		}
	}
	// Everything else of the namespace is the team's.
	for _, try := range relabelled("education-office", func(l map[string]string) { l["cost-centre"] = "4711" }) {
		must(t, try(t.Context(), as(mallory, everything)))
	}
	must(t, admin.Create(t.Context(), granted("affineur-team-assigner", "", "platform")))
	for _, who := range []client.Client{as("pat@example.org", "platform", everything), as("root", administrators)} {
		soon(t, func() error { return relabelled("education-office", edits["another team"])[""](t.Context(), dry(who)) })
		must(t, dry(who).Create(t.Context(), namespace("marketing", map[string]string{v1alpha1.LabelTeam: "marketing"})))
	}
}

// Threat 9, the other half: a policy selects only by what a team can't change.
func TestPoliciesSelectByGuardedLabels(t *testing.T) {
	selecting := func(s metav1.LabelSelector) func(context.Context, client.Client) error {
		return create(func() client.Object {
			p := policyOf("selecting")
			p.Spec.AppliesTo.NamespaceSelector = s
			return p
		})
	}
	by := func(key string) []metav1.LabelSelectorRequirement {
		return []metav1.LabelSelectorRequirement{{Key: key, Operator: metav1.LabelSelectorOpExists}}
	}
	const policy = "affineur-policies"
	tryAll(t, []attack{
		{"by a label", policy, "could set env", admin, selecting(metav1.LabelSelector{MatchLabels: map[string]string{"env": "x"}})},
		{"by one of two", policy, "could set env", admin, selecting(metav1.LabelSelector{MatchLabels: map[string]string{v1alpha1.LabelTeam: "a", "env": "x"}})},
		{"by an expression", policy, "could set env", admin, selecting(metav1.LabelSelector{MatchExpressions: by("env")})},
	})
	must(t, selecting(metav1.LabelSelector{MatchExpressions: by(v1alpha1.LabelTeam)})(t.Context(), dry(admin)))
	must(t, selecting(metav1.LabelSelector{MatchLabels: map[string]string{"kubernetes.io/metadata.name": team}})(t.Context(), dry(admin)))
	p := policyOf("selecting")
	must(t, admin.Create(t.Context(), p))
	p.Spec.AppliesTo.NamespaceSelector.MatchExpressions = by("env")
	if err := admin.Update(t.Context(), p); !refusedBy(err, policy) {
		t.Errorf("changed afterwards: %v", err)
	}
}

// The records and gate namespaces are the installer's to bring and to keep, and nobody's to delete.
func TestInstalledNamespaces(t *testing.T) {
	const policy = "affineur-namespaces"
	must(t, admin.Create(t.Context(), granted("affineur-installer", "", "installers")))
	installer := as("ivo@example.org", "installers", everything)
	own := func(l map[string]string) { l["their"] = "own" }
	for _, name := range []string{v1alpha1.RecordsNamespace, v1alpha1.GatesNamespace} {
		for how, try := range relabelled(name, own) {
			must(t, attack{"relabelled" + how, policy, "may manage installations.affineur.dev", as(mallory, everything), try}.refused(t.Context(), wet))
		}
		for how, try := range relabelled(name, func(l map[string]string) { delete(l, v1alpha1.LabelManagedBy) }) {
			must(t, attack{"unlabelled" + how, policy, "keeps its labels", as("root", administrators), try}.refused(t.Context(), wet))
		}
		gone := func(ctx context.Context, c client.Client) error { return c.Delete(ctx, namespace(name, nil)) }
		must(t, attack{"deleted", policy, "is kept while the guards stand", as("root", administrators), gone}.refused(t.Context(), wet))
		soon(t, func() error { return relabelled(name, own)[""](t.Context(), dry(installer)) })
		must(t, relabelled(name, own)[""](t.Context(), dry(as("root", administrators))))
		role := &rbacv1.Role{ObjectMeta: metav1.ObjectMeta{Namespace: name, Name: "upgrade"}}
		must(t, dry(installer).Create(t.Context(), role))
		must(t, attack{"content by the installer", "affineur-managed-content", "only the operator and the cluster itself write secrets", installer,
			create(func() client.Object {
				return &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: name, Name: "intruder"}}
			})}.refused(t.Context(), wet))
	}
	parameters := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: v1alpha1.SystemNamespace, Name: "affineur-guards"}}
	add := client.RawPatch("application/merge-patch+json", []byte(`{"data":{"platformWriters":"system:serviceaccount:mesh:mesh"}}`))
	must(t, dry(installer).Patch(t.Context(), parameters.DeepCopy(), add))
	must(t, dry(as(mallory, everything)).Patch(t.Context(), configMapIn(v1alpha1.SystemNamespace, t), client.RawPatch("application/merge-patch+json", []byte(`{"data":{"a":"b"}}`))))
}

// configMapIn makes a ConfigMap that is nobody's business.
func configMapIn(namespace string, t *testing.T) *corev1.ConfigMap {
	t.Helper()
	c := configMap(namespace, named(t.Name()))
	must(t, admin.Create(t.Context(), c))
	return c
}

// A production whose prototype is gone is retired by whoever may manage installations: they ask, the operator does it. Its
// namespace is deleted by nobody else, and changed in nothing but that.
func TestOrphansAreRetired(t *testing.T) {
	const policy = "affineur-namespaces"
	must(t, admin.Create(t.Context(), granted("affineur-installer", "", "retirers")))
	retirer, root := as("rita@example.org", "retirers", everything), as("root", administrators)
	made := func(name, purpose, mark string) string {
		n := managed(name, purpose)
		n.Labels[v1alpha1.LabelOrphaned] = mark
		must(t, as(operator).Create(t.Context(), n))
		return name
	}
	orphan := made("affp-membership-orphan-0a1b2c3d", v1alpha1.PurposeProduction, "true")
	const how = "kubectl annotate namespace affp-membership-orphan-0a1b2c3d affineur.dev/retire=true"
	must(t, attack{"an orphan by anybody", policy, how, as(mallory, everything), retires(orphan)}.refused(t.Context(), wet))
	for who, c := range map[string]client.Client{"mallory": as(mallory, everything), "retirer": retirer, "root": root} {
		must(t, attack{"an orphan deleted by " + who, policy, how, c, gone(orphan)}.refused(t.Context(), wet))
	}
	soon(t, func() error { return retires(orphan)(t.Context(), dry(retirer)) })
	for what, edit := range map[string]func(*corev1.Namespace){
		"memory":     func(n *corev1.Namespace) { n.Annotations[v1alpha1.AnnotationRecord] = "another" },
		"annotation": func(n *corev1.Namespace) { n.Annotations["their"] = "own" },
		"value":      func(n *corev1.Namespace) { n.Annotations[v1alpha1.AnnotationRetire] = "false" },
		"finalizer":  func(n *corev1.Namespace) { n.Finalizers = append(n.Finalizers, "their/own") },
		"owner": func(n *corev1.Namespace) {
			n.OwnerReferences = []metav1.OwnerReference{{APIVersion: "v1", Kind: "Node", Name: "a", UID: "b"}}
		},
	} {
		must(t, attack{"an orphan's " + what + " changed beside", policy, how, retirer, retires(orphan, edit)}.refused(t.Context(), wet))
	}
	for through, try := range relabelled(orphan, func(l map[string]string) { l["their"] = "own" }) {
		must(t, attack{"an orphan relabelled" + through, policy, how, retirer, try}.refused(t.Context(), wet))
	}
	for what, name := range map[string]string{
		"a production with its prototype": production,
		"one that is no orphan any more":  made("affp-membership-found-0a1b2c3d", v1alpha1.PurposeProduction, "false"),
		"a sandbox":                       made("affx-membership-orphan-0a1b2c3d", v1alpha1.PurposeSandbox, "true"),
		"a rehearsal":                     made("affr-membership-orphan-0a1b2c3d", v1alpha1.PurposeRehearsal, "true"),
	} {
		for who, c := range map[string]client.Client{"retirer": retirer, "root": root} {
			must(t, attack{what + " by " + who, policy, "change or delete its AIPrototype instead", c, gone(name)}.refused(t.Context(), wet))
			must(t, attack{what + " retired by " + who, policy, "change or delete its AIPrototype instead", c, retires(name)}.refused(t.Context(), wet))
		}
		cluster := as("system:serviceaccount:kube-system:deployment-controller", everything)
		must(t, attack{what + " retired by the cluster", policy, "change or delete its AIPrototype instead", cluster, retires(name)}.refused(t.Context(), wet))
	}
	for through, try := range relabelled(production, func(l map[string]string) { l[v1alpha1.LabelOrphaned] = "true" }) {
		must(t, attack{"marked as an orphan" + through, policy, "only the operator writes namespace", root, try}.refused(t.Context(), wet))
	}
	must(t, retires(orphan)(t.Context(), dry(root)))
	must(t, retires(orphan)(t.Context(), retirer))
	must(t, gone(orphan)(t.Context(), as(operator)))
}

func gone(name string) func(context.Context, client.Client) error {
	return func(ctx context.Context, c client.Client) error { return c.Delete(ctx, namespace(name, nil)) }
}

// retires asks for the end of a production, and edits something beside.
func retires(name string, edits ...func(*corev1.Namespace)) func(context.Context, client.Client) error {
	return func(ctx context.Context, c client.Client) error {
		n := namespace(name, nil)
		if err := admin.Get(ctx, client.ObjectKeyFromObject(n), n); err != nil {
			return err
		}
		if n.Annotations == nil {
			n.Annotations = map[string]string{}
		}
		n.Annotations[v1alpha1.AnnotationRetire] = "true"
		for _, edit := range edits {
			edit(n)
		}
		return c.Update(ctx, n)
	}
}

// An upgrade applies everything again, guards in place, as a cluster's administrator or through a pipeline that is one.
func TestInstallingAgain(t *testing.T) {
	objects, err := build(t.Context(), "default")
	must(t, err)
	for _, who := range []client.Client{as("root", administrators), as("system:serviceaccount:argocd:argocd-application-controller", administrators)} {
		for _, object := range objects {
			again := object.DeepCopy()
			if again.GetKind() == "CustomResourceDefinition" {
				continue
			}
			annotate(again, who)
			if err := who.Patch(t.Context(), again, client.Apply, client.FieldOwner("installer"), client.ForceOwnership); err != nil { //nolint:staticcheck // what kubectl apply --server-side does
				t.Errorf("%s %s/%s: %v", object.GetKind(), object.GetNamespace(), object.GetName(), err)
			}
		}
	}
}

// annotate makes the apply a real change.
func annotate(object client.Object, by client.Client) {
	object.SetAnnotations(map[string]string{"test/applied": fmt.Sprintf("%p", by)})
}

// What is installed into the gate namespace is named; nothing else of its kind may be.
func TestOnlyTheCanaryIsInstalled(t *testing.T) {
	const policy = "affineur-managed-content"
	root := as("root", administrators)
	tryAll(t, []attack{
		{"another deployment", policy, "only the operator", root, create(func() client.Object { return deployment(v1alpha1.GatesNamespace, "intruder") })},
		{"another service", policy, "only the operator", root, create(func() client.Object { return service(v1alpha1.GatesNamespace, "intruder") })},
		{"the canary elsewhere", policy, "only the operator", root, create(func() client.Object { return deployment(v1alpha1.RecordsNamespace, "affineur-canary") })},
		{"the canary in a sandbox", policy, "only the operator", root, create(func() client.Object { return deployment(sandbox, "affineur-canary") })},
	})
	must(t, attack{"the canary by nobody", policy, "only the operator", as(mallory, everything), create(func() client.Object { return deployment(v1alpha1.GatesNamespace, "affineur-canary") })}.refused(t.Context(), wet))
}

// The operator expects exactly what is shipped.
func TestTheOperatorShipsTheGuards(t *testing.T) {
	rendered, err := render(t.Context(), "admission")
	must(t, err)
	if !bytes.Equal(rendered, guard.Shipped()) {
		t.Error("internal/guard/shipped is not config/admission: run make guards")
	}
}
