package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/internal/workload"
)

// attacks are all of them, those first that wait for nothing. What takes the network away from everybody comes last.
func (f *field) attacks() []attack {
	var all []attack
	for _, row := range []func() []attack{
		f.swaps, f.references, f.additions, f.labels, f.squatting, f.finalizers, f.tooMuch, f.stolenToken, f.entrances, f.templates,
		f.packets, f.floods, f.runtimes, f.crowds, f.ranges, f.heldBack, f.foreignLabels, f.teardown, f.lured, f.tagMoved, f.bodySwapped, f.conflicts, f.clings, f.stops, f.unenforced,
	} {
		all = append(all, row()...)
	}
	return all
}

// beyond is what stops somebody whom RBAC does not stop: the pipeline's account may everything.
func (f *field) beyond(who *person, walls ...wall) []wall {
	if who != f.pipeline {
		return []wall{rbac}
	}
	return walls
}

func in(namespace, name string) metav1.ObjectMeta {
	return metav1.ObjectMeta{Namespace: namespace, Name: name}
}

// swaps are row 12: another thing in production than what was reviewed, and another record.
func (f *field) swaps() []attack {
	deployment := &appsv1.Deployment{ObjectMeta: in(f.production, workload.Name)}
	other := f.images["churn-advisor-1.5"].pinned()
	record := f.record.DeepCopy()
	return []attack{
		f.changes(12, f.pipeline, "another image in production's Deployment", deployment,
			`{"spec":{"template":{"spec":{"containers":[{"name":"prototype","image":"`+other+`"}]}}}}`).by(content),
		f.creates(12, f.pipeline, "a ConfigMap in production", &corev1.ConfigMap{ObjectMeta: in(f.production, "swapped")}).by(content),
		f.creates(12, f.pipeline, "a Secret in production", &corev1.Secret{ObjectMeta: in(f.production, "swapped")}).by(content),
		f.changes(12, f.pipeline, "rewriting the record of the review", record, `{"data":{"forged":"yes"}}`).by(schemaSays("data: Invalid value")),
		f.changes(12, f.pipeline, "adopting the record, to have it collected", record,
			`{"metadata":{"ownerReferences":[{"apiVersion":"v1","kind":"Namespace","name":"`+unguarded+`","uid":"00000000-0000-0000-0000-000000000000"}]}}`).by(records, content),
		f.deletes(12, f.pipeline, "deleting the record", record).by(content),
		f.changes(12, f.thief, "rewriting the record", record, `{"metadata":{"labels":{"forged":"yes"}}}`).by(rbac),
		f.deletes(12, f.thief, "deleting the record", record).by(rbac),
		f.changes(12, f.lead, "no replicas in production's Deployment", deployment, `{"spec":{"replicas":0}}`).by(rbac),
	}
}

// references are row 15: somebody else's Secret or ConfigMap.
func (f *field) references() []attack {
	victim := &corev1.Secret{ObjectMeta: in(unguarded, "victim"), StringData: map[string]string{"key": "not-to-be-seen"}}
	own := &corev1.Secret{ObjectMeta: in(home, "not-granted"), StringData: map[string]string{"key": "value"}}
	there := func(secret *corev1.Secret) func(context.Context) error {
		return func(ctx context.Context) error {
			err := client.IgnoreAlreadyExists(f.admin.Create(ctx, secret.DeepCopy()))
			return errors.Join(err, f.admin.Get(ctx, client.ObjectKeyFromObject(secret), &corev1.Secret{}))
		}
	}
	reads := func(who *person, secret *corev1.Secret) func(context.Context) error {
		return func(ctx context.Context) error {
			return who.Get(ctx, client.ObjectKeyFromObject(secret), &corev1.Secret{})
		}
	}
	elsewhere := f.newPrototype(home, "elsewhere", "churn-advisor-1.4")
	elsewhere.Spec.Workload.Container.Secrets = []v1alpha1.SecretMount{{Name: unguarded + "/victim", MountPath: "/etc/victim"}}
	body := f.newPrototype(home, "elsewhere", "churn-advisor-1.4")
	body.Spec.Demand = f.lurer.Spec.Demand.DeepCopy()
	body.Spec.Demand.Request = v1alpha1.SampleRequest{Method: "POST", Path: "/", Body: &v1alpha1.RequestBody{ConfigMap: &v1alpha1.ConfigMapKey{Name: "../" + v1alpha1.RecordsNamespace + "/guards", Key: "state"}}}
	return []attack{
		f.applies(15, "a prototype that names a Secret of another namespace", elsewhere).by(schemaSays("spec.workload.container.secrets[0].name")),
		f.applies(15, "a prototype that names a ConfigMap of another namespace", body).by(schemaSays("spec.demand.request.body.configMap.name")),
		f.asks(15, f.lead, "reading a Secret of another namespace", reads(f.lead, victim), there(victim)).by(rbac),
		f.asks(15, f.lead, "reading the Secrets of their sandbox", func(ctx context.Context) error {
			return f.lead.List(ctx, &corev1.SecretList{}, client.InNamespace(f.sandbox))
		}, nil).by(rbac),
		f.asks(15, f.thief, "reading a Secret of a team", reads(f.thief, own), there(own)).by(rbac),
		f.asks(15, f.thief, "reading every Secret of the cluster", func(ctx context.Context) error {
			return f.thief.List(ctx, &corev1.SecretList{})
		}, func(ctx context.Context) error { return f.admin.List(ctx, &corev1.SecretList{}) }).by(rbac),
		{row: 15, who: f.lead.name, what: "a prototype that mounts a Secret which nobody granted", control: there(own), try: f.ungranted,
			meant: []wall{told(v1alpha1.ReasonSecretNotGranted)}},
	}
}

// ungranted wants the prototype to say that the Secret is not granted, and no sandbox to be there.
func (f *field) ungranted(ctx context.Context) (string, error) {
	p := f.newPrototype(home, "ungranted", "churn-advisor-1.4")
	p.Spec.Workload.Container.Secrets = []v1alpha1.SecretMount{{Name: "not-granted", MountPath: "/etc/secret"}}
	return f.heldFor(ctx, p, v1alpha1.ReasonSecretNotGranted)
}

// heldFor applies a prototype that must not start for a reason, and wants neither a workload nor a pod of it: as soon as it
// says so, and when the operator has looked at it once more.
func (f *field) heldFor(ctx context.Context, p *v1alpha1.AIPrototype, reason string) (string, error) {
	if err := f.lead.Create(ctx, p); err != nil {
		return "", err
	}
	err := f.comes(ctx, p, func(p *v1alpha1.AIPrototype) bool { return conditionOf(p, reason) != nil })
	if err != nil {
		return "", err
	}
	if err := f.nothingOf(ctx, p); err != nil {
		return "", err
	}
	if err := f.lead.Patch(ctx, p, merge(`{"spec":{"need":{"problem":"Somebody wants out, and asks again."}}}`)); err != nil {
		return "", err
	}
	err = f.comes(ctx, p, func(p *v1alpha1.AIPrototype) bool { return conditionOf(p, reason) != nil })
	if err != nil {
		return "", err
	}
	condition := conditionOf(p, reason)
	if err := f.nothingOf(ctx, p); err != nil {
		return "", err
	}
	return fmt.Sprintf("condition %s=%s %s (%s)", condition.Type, condition.Status, condition.Reason, short(condition.Message)), nil
}

// nothingOf wants no Deployment and no pod of the prototype's workload anywhere.
func (f *field) nothingOf(ctx context.Context, p *v1alpha1.AIPrototype) error {
	var deployments appsv1.DeploymentList
	var pods corev1.PodList
	of := client.MatchingLabels{v1alpha1.LabelPrototypeUID: string(p.UID), v1alpha1.LabelComponent: workload.ComponentPrototype}
	if err := errors.Join(f.admin.List(ctx, &deployments, of), f.admin.List(ctx, &pods, of)); err != nil {
		return err
	}
	if len(deployments.Items)+len(pods.Items) > 0 {
		return fmt.Errorf("%d Deployments and %d pods of %s are there", len(deployments.Items), len(pods.Items), p.Name)
	}
	return nil
}

// applies is the attack of a prototype that must not be accepted. Its control is that one without the fault is.
func (f *field) applies(row int, what string, p *v1alpha1.AIPrototype) attack {
	return attack{
		row: row, who: f.lead.name, what: what,
		control: func(ctx context.Context) error {
			return f.lead.Create(ctx, f.newPrototype(home, p.Name, "churn-advisor-1.4"), client.DryRunAll)
		},
		try: func(ctx context.Context) (string, error) {
			return f.refused(ctx, func(ctx context.Context) error { return f.lead.Create(ctx, p.DeepCopy()) }, p)
		},
	}
}

// additions are row 19: what opens a sandbox by being added.
func (f *field) additions() []attack {
	open := &networkingv1.NetworkPolicy{ObjectMeta: in(f.sandbox, "open"), Spec: networkingv1.NetworkPolicySpec{
		Egress: []networkingv1.NetworkPolicyEgressRule{{}}, PolicyTypes: []networkingv1.PolicyType{networkingv1.PolicyTypeEgress}}}
	binding := &rbacv1.RoleBinding{ObjectMeta: in(f.sandbox, "open"),
		RoleRef:  rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "edit"},
		Subjects: []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: rbacv1.GroupKind, Name: teamGroup}}}
	service := &corev1.Service{ObjectMeta: in(f.sandbox, "open"), Spec: corev1.ServiceSpec{
		Type: corev1.ServiceTypeLoadBalancer, Selector: map[string]string{"app": "x"}, Ports: []corev1.ServicePort{{Port: 80}}}}
	outside := service.DeepCopy()
	outside.Spec.Type, outside.Spec.ExternalIPs = corev1.ServiceTypeClusterIP, []string{"198.18.0.99"}
	var out []attack
	for _, who := range []*person{f.lead, f.pipeline} {
		out = append(out,
			f.creates(19, who, "a permissive NetworkPolicy in a sandbox", open).by(f.beyond(who, content)...),
			f.creates(19, who, "a RoleBinding in a sandbox", binding).by(f.beyond(who, content)...),
			f.creates(19, who, "a Service of type LoadBalancer in a sandbox", service).by(f.beyond(who, content, workloads)...))
	}
	deny := &networkingv1.NetworkPolicy{ObjectMeta: in(f.sandbox, "deny-all")}
	return append(out,
		f.creates(19, f.thief, "a Service of type LoadBalancer in a sandbox", service).by(workloads),
		f.creates(19, f.thief, "a Service with an external address in a sandbox", outside).by(workloads),
		f.creates(19, f.thief, "the role edit for the team in a sandbox", binding).by(rbac),
		f.deletes(19, f.pipeline, "deleting what denies everything", deny).by(content),
		f.changes(19, f.pipeline, "making what denies everything allow it", deny, `{"spec":{"egress":[{}],"ingress":[{}]}}`).by(content))
}

// entrances are rows 14 and 19: into a running pod, or to a token.
func (f *field) entrances() []attack {
	token := func(who *person) func(context.Context) error {
		return func(ctx context.Context) error {
			return who.SubResource("token").Create(ctx, &corev1.ServiceAccount{ObjectMeta: in(f.sandbox, workload.Name)}, &authenticationv1.TokenRequest{})
		}
	}
	working := func(ctx context.Context) error {
		_, err := f.pod(ctx, f.admin, f.sandbox)
		return err
	}
	var out []attack
	for _, who := range []*person{f.lead, f.pipeline, f.thief} {
		out = append(out,
			f.asks(14, who, "a shell in a pod of a sandbox", func(ctx context.Context) error { return f.shell(ctx, who) }, working).by(f.beyond(who, access)...),
			f.asks(14, who, "a token of a sandbox's ServiceAccount", token(who), nil).by(f.beyond(who, access)...),
			attack{row: 14, who: who.name, what: "an ephemeral container in a pod of a sandbox", control: working, meant: f.beyond(who, workloads, content), try: func(ctx context.Context) (string, error) {
				return f.debugged(ctx, who)
			}})
	}
	return out
}

// pod is one that runs the prototype of a namespace, as somebody sees it.
func (f *field) pod(ctx context.Context, who *person, namespace string) (*corev1.Pod, error) {
	var pods corev1.PodList
	if err := who.List(ctx, &pods, client.InNamespace(namespace), client.MatchingLabels{v1alpha1.LabelComponent: workload.ComponentPrototype}); err != nil {
		return nil, err
	}
	for i := range pods.Items {
		if pods.Items[i].Status.Phase == corev1.PodRunning && pods.Items[i].DeletionTimestamp.IsZero() {
			return &pods.Items[i], nil
		}
	}
	return nil, fmt.Errorf("no pod of %d runs in %s", len(pods.Items), namespace)
}

func (f *field) shell(ctx context.Context, who *person) error {
	pod, err := f.pod(ctx, f.admin, f.sandbox)
	if err != nil {
		return err
	}
	clients, err := kubernetes.NewForConfig(who.config)
	if err != nil {
		return err
	}
	return shellIn(ctx, clients, pod)
}

func (f *field) debugged(ctx context.Context, who *person) (string, error) {
	pod, err := f.pod(ctx, f.admin, f.sandbox)
	if err != nil {
		return "", err
	}
	patch := client.RawPatch("application/strategic-merge-patch+json", []byte(`{"spec":{"ephemeralContainers":[{"name":"debug","image":"`+f.images["holey-lure"].pinned()+
		`","securityContext":{"runAsNonRoot":true,"allowPrivilegeEscalation":false,"capabilities":{"drop":["ALL"]}}}]}}`))
	return f.refused(ctx, func(ctx context.Context) error {
		return who.SubResource("ephemeralcontainers").Patch(ctx, pod.DeepCopy(), patch)
	}, pod)
}

// labels are row 20, and the other half of row 22: what is ours made foreign.
func (f *field) labels() []attack {
	var out []attack
	for _, name := range []string{f.sandbox, f.production} {
		for what, patch := range map[string]string{
			"Pod Security":     `{"metadata":{"labels":{"pod-security.kubernetes.io/enforce":"privileged"}}}`,
			"what it is for":   `{"metadata":{"labels":{"affineur.dev/purpose":"other"}}}`,
			"whose it is (22)": `{"metadata":{"labels":{"app.kubernetes.io/managed-by":null}}}`,
		} {
			row := 20
			if strings.HasSuffix(what, "(22)") {
				row, what = 22, strings.TrimSuffix(what, " (22)")
			}
			for _, sub := range []string{"", "status", "finalize"} {
				out = append(out, f.relabels(row, f.pipeline, what, name, sub, patch).by(namespaces))
			}
		}
	}
	return append(out,
		f.relabels(20, f.lead, "Pod Security", f.sandbox, "", `{"metadata":{"labels":{"pod-security.kubernetes.io/enforce":"privileged"}}}`).by(rbac),
		f.relabels(22, f.pipeline, "a foreign namespace as ours", unguarded, "", `{"metadata":{"labels":{"app.kubernetes.io/managed-by":"affineur"}}}`).by(namespaces),
		f.relabels(22, f.thief, "a foreign namespace as ours", unguarded, "", `{"metadata":{"labels":{"app.kubernetes.io/managed-by":"affineur"}}}`).by(confinement, namespaces))
}

// relabels is the attack of changing labels of a namespace. Its control sets one of nobody's on a namespace of nobody's in
// the same way.
func (f *field) relabels(row int, who *person, what, name, sub, patch string) attack {
	write := func(ctx context.Context, namespace, patch string, dry bool) error {
		object := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}}
		if sub == "" {
			var options []client.UpdateOption
			if dry {
				options = append(options, client.DryRunAll)
			}
			return f.update(ctx, who, object, patch, options...)
		}
		if sub == "finalize" {
			return f.finalize(ctx, who, namespace, patch, dry)
		}
		var options []client.SubResourcePatchOption
		if dry {
			options = append(options, &client.SubResourcePatchOptions{PatchOptions: client.PatchOptions{DryRun: []string{metav1.DryRunAll}}})
		}
		return who.SubResource(sub).Patch(ctx, object, merge(patch), options...)
	}
	how := ""
	if sub != "" {
		how = " through /" + sub
	}
	a := attack{row: row, who: who.name, what: "relabelling " + what + how + ", namespace " + name}
	if who == f.pipeline {
		a.control = func(ctx context.Context) error {
			return write(ctx, unguarded, `{"metadata":{"labels":{"nobodys":"business"}}}`, true)
		}
	}
	a.try = func(ctx context.Context) (string, error) {
		return f.refused(ctx, func(ctx context.Context) error { return write(ctx, name, patch, false) }, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}})
	}
	return a
}

// finalize is a subresource that is only updated as a whole.
func (f *field) finalize(ctx context.Context, who *person, name, patch string, dry bool) error {
	live := &corev1.Namespace{}
	if err := f.admin.Get(ctx, client.ObjectKey{Name: name}, live); err != nil {
		return err
	}
	if err := patchLabels(live, patch); err != nil {
		return err
	}
	var options []client.SubResourceUpdateOption
	if dry {
		options = append(options, &client.SubResourceUpdateOptions{UpdateOptions: client.UpdateOptions{DryRun: []string{metav1.DryRunAll}}})
	}
	return who.SubResource("finalize").Update(ctx, live, options...)
}
