package apiserver

import (
	"context"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	authenticationv1 "k8s.io/api/authentication/v1"
	autoscalingv1 "k8s.io/api/autoscaling/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/internal/drift"
)

// intruders are those who must not write in managed namespaces, whatever RBAC grants them.
func intruders() map[string]client.Client {
	return map[string]client.Client{
		"mallory":               as(mallory, everything),
		"an-administrator":      as("root", administrators),
		"a-pipeline":            as("system:serviceaccount:argocd:argocd-application-controller", administrators),
		"the-controller-manger": as("system:kube-controller-manager", administrators),
		// A kubelet takes down pods that ended, and nothing else.
		"a-node": as("system:node:node1", administrators, "system:nodes"),
	}
}

// Threats 12, 14 and 19: one of each kind that runs, redirects, opens or grants something.
func contents(namespace string) map[string]client.Object {
	meta := metav1.ObjectMeta{Namespace: namespace, Name: "intruder"}
	labels := map[string]string{"app": "intruder"}
	template := corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: labels}, Spec: pod(namespace, "x").Spec}
	job := template.DeepCopy()
	job.Spec.RestartPolicy = corev1.RestartPolicyNever
	selector := &metav1.LabelSelector{MatchLabels: labels}
	return map[string]client.Object{
		"a Pod":                   pod(namespace, "intruder"),
		"a Deployment":            deployment(namespace, "intruder"),
		"a ReplicaSet":            &appsv1.ReplicaSet{ObjectMeta: meta, Spec: appsv1.ReplicaSetSpec{Selector: selector, Template: template}},
		"a StatefulSet":           &appsv1.StatefulSet{ObjectMeta: meta, Spec: appsv1.StatefulSetSpec{Selector: selector, Template: template}},
		"a DaemonSet":             &appsv1.DaemonSet{ObjectMeta: meta, Spec: appsv1.DaemonSetSpec{Selector: selector, Template: template}},
		"a ControllerRevision":    &appsv1.ControllerRevision{ObjectMeta: meta, Revision: 1, Data: runtime.RawExtension{Raw: []byte(`{}`)}},
		"a ReplicationController": &corev1.ReplicationController{ObjectMeta: meta, Spec: corev1.ReplicationControllerSpec{Selector: labels, Template: &template}},
		"a Job":                   &batchv1.Job{ObjectMeta: meta, Spec: batchv1.JobSpec{Template: *job}},
		"a CronJob":               &batchv1.CronJob{ObjectMeta: meta, Spec: batchv1.CronJobSpec{Schedule: "* * * * *", JobTemplate: batchv1.JobTemplateSpec{Spec: batchv1.JobSpec{Template: *job}}}},
		"a Service":               service(namespace, "intruder"),
		"an Endpoints":            &corev1.Endpoints{ObjectMeta: meta}, //nolint:staticcheck // still served, still redirects
		"an EndpointSlice":        &discoveryv1.EndpointSlice{ObjectMeta: meta, AddressType: discoveryv1.AddressTypeIPv4},
		"an Ingress": &networkingv1.Ingress{ObjectMeta: meta, Spec: networkingv1.IngressSpec{DefaultBackend: &networkingv1.IngressBackend{
			Service: &networkingv1.IngressServiceBackend{Name: "x", Port: networkingv1.ServiceBackendPort{Number: 80}}}}},
		"a NetworkPolicy": &networkingv1.NetworkPolicy{ObjectMeta: meta, Spec: networkingv1.NetworkPolicySpec{Egress: []networkingv1.NetworkPolicyEgressRule{{}}}},
		"an HTTPRoute":    &gatewayv1.HTTPRoute{ObjectMeta: meta},
		"a ReferenceGrant": &gatewayv1.ReferenceGrant{ObjectMeta: meta, Spec: gatewayv1.ReferenceGrantSpec{
			From: []gatewayv1.ReferenceGrantFrom{{Group: gatewayv1.GroupName, Kind: "HTTPRoute", Namespace: team}}, To: []gatewayv1.ReferenceGrantTo{{Kind: "Service"}}}},
		"a Role":                    &rbacv1.Role{ObjectMeta: meta},
		"a RoleBinding":             granted("view", namespace, "intruders"),
		"a Secret":                  &corev1.Secret{ObjectMeta: meta},
		"a ConfigMap":               &corev1.ConfigMap{ObjectMeta: meta, Immutable: ptr.To(true)}, // what affineur-records asks for
		"a ServiceAccount":          &corev1.ServiceAccount{ObjectMeta: meta},
		"a ResourceQuota":           &corev1.ResourceQuota{ObjectMeta: meta},
		"a LimitRange":              &corev1.LimitRange{ObjectMeta: meta},
		"a PodDisruptionBudget":     &policyv1.PodDisruptionBudget{ObjectMeta: meta},
		"a HorizontalPodAutoscaler": &autoscalingv2.HorizontalPodAutoscaler{ObjectMeta: meta, Spec: autoscalingv2.HorizontalPodAutoscalerSpec{MaxReplicas: 1, ScaleTargetRef: autoscalingv2.CrossVersionObjectReference{APIVersion: "apps/v1", Kind: "Deployment", Name: "x"}}},
		"a PersistentVolumeClaim": &corev1.PersistentVolumeClaim{ObjectMeta: meta, Spec: corev1.PersistentVolumeClaimSpec{AccessModes: []corev1.PersistentVolumeAccessMode{corev1.ReadWriteOnce},
			Resources: corev1.VolumeResourceRequirements{Requests: corev1.ResourceList{corev1.ResourceStorage: *quantity("1Gi")}}}},
	}
}

func TestNobodyWritesInManagedNamespaces(t *testing.T) {
	for _, namespace := range []string{sandbox, production, v1alpha1.RecordsNamespace, v1alpha1.GatesNamespace} {
		for who, c := range intruders() {
			for what, object := range contents(namespace) {
				if namespace == v1alpha1.RecordsNamespace || namespace == v1alpha1.GatesNamespace {
					if who != "mallory" && installable(object) {
						continue // an installer's
					}
				}
				a := attack{what + " of " + who + " in " + namespace, "affineur-managed-content", "only the operator and the cluster itself write", c,
					func(ctx context.Context, c client.Client) error {
						return c.Create(ctx, object.DeepCopyObject().(client.Object))
					}}
				if err := a.refused(t.Context(), dry); err != nil {
					t.Error(err)
				}
			}
		}
	}
}

func installable(object client.Object) bool {
	switch object.(type) {
	case *rbacv1.Role, *rbacv1.RoleBinding, *networkingv1.NetworkPolicy, *corev1.ServiceAccount, *corev1.ResourceQuota, *corev1.LimitRange:
		return true
	}
	return false
}

// The same content is the operator's to write, except what nobody writes and what the cluster's own controllers do.
func TestTheOperatorWritesInManagedNamespaces(t *testing.T) {
	op := as(operator)
	for _, object := range []client.Object{
		deployment(sandbox, "advisor"), service(sandbox, "advisor"), configMap(sandbox, "advisor"),
		&corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: sandbox, Name: "advisor"}},
		&corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: sandbox, Name: "advisor"}},
		&corev1.ResourceQuota{ObjectMeta: metav1.ObjectMeta{Namespace: sandbox, Name: "advisor"}},
		&corev1.LimitRange{ObjectMeta: metav1.ObjectMeta{Namespace: sandbox, Name: "advisor"}},
		&networkingv1.NetworkPolicy{ObjectMeta: metav1.ObjectMeta{Namespace: sandbox, Name: "advisor"}},
		&policyv1.PodDisruptionBudget{ObjectMeta: metav1.ObjectMeta{Namespace: sandbox, Name: "advisor"}},
		contents(sandbox)["a Job"], contents(sandbox)["a HorizontalPodAutoscaler"],
		granted("affineur-team", sandbox, teamMembership), granted("affineur-team-portforward", sandbox, teamMembership),
		deployment(production, "advisor"), configMap(v1alpha1.GatesNamespace, "canary"),
	} {
		must(t, op.Create(t.Context(), object))
		must(t, op.Delete(t.Context(), object))
	}
}

// What belongs to no namespace is nobody's business here, also of a kind whose group is guarded: whoever runs a gateway
// makes its class, and its controller writes there too.
func TestTheClusterHasItsGatewayClasses(t *testing.T) {
	class := &gatewayv1.GatewayClass{ObjectMeta: metav1.ObjectMeta{Name: "people"}, Spec: gatewayv1.GatewayClassSpec{ControllerName: "gateway.example.org/controller"}}
	platform := as("platform-lead", administrators)
	must(t, platform.Create(t.Context(), class))
	class.Finalizers = []string{"gateway.example.org/in-use"}
	must(t, platform.Update(t.Context(), class))
	class.Finalizers = nil
	must(t, platform.Update(t.Context(), class))
	must(t, platform.Delete(t.Context(), class))
}

// The record is the operator's to write once: it may neither rewrite nor remove it.
func TestTheOperatorWritesTheRecordOnce(t *testing.T) {
	op := as(operator)
	for _, object := range []client.Object{snapshot("record-by-operator"), report("report-by-operator")} {
		must(t, op.Create(t.Context(), object))
		if err := op.Update(t.Context(), object); !apierrors.IsForbidden(err) {
			t.Errorf("updating %T: %v", object, err)
		}
		if err := op.Delete(t.Context(), object); !apierrors.IsForbidden(err) {
			t.Errorf("deleting %T: %v", object, err)
		}
	}
}

// Threat 12: updating and deleting are writes too.
func TestNobodyChangesManagedContent(t *testing.T) {
	op := as(operator)
	for _, object := range []client.Object{deployment(sandbox, "kept"), configMap(sandbox, "kept"), pod(sandbox, "kept"), deployment(production, "kept")} {
		creator := op
		if _, isPod := object.(*corev1.Pod); isPod {
			creator = as("system:serviceaccount:kube-system:replicaset-controller", administrators)
		}
		must(t, creator.Create(t.Context(), object))
	}
	const policy, says = "affineur-managed-content", "only the operator and the cluster itself write"
	label := client.RawPatch("application/merge-patch+json", []byte(`{"metadata":{"labels":{"a":"b"}}}`))
	for who, c := range intruders() {
		var attacks []attack
		for what, object := range map[string]client.Object{"deployment": deployment(sandbox, "kept"), "configmap": configMap(sandbox, "kept"), "pod": pod(sandbox, "kept"), "production": deployment(production, "kept")} {
			attacks = append(attacks, attack{"changing a " + what + " " + who, policy, says, c, func(ctx context.Context, c client.Client) error {
				return c.Patch(ctx, object.DeepCopyObject().(client.Object), label)
			}})
			if who == "a-node" && what == "pod" {
				continue
			}
			attacks = append(attacks, attack{"deleting a " + what + " " + who, policy, says, c, func(ctx context.Context, c client.Client) error {
				return c.Delete(ctx, object.DeepCopyObject().(client.Object))
			}})
		}
		scale := &autoscalingv1.Scale{Spec: autoscalingv1.ScaleSpec{Replicas: 9}}
		attacks = append(attacks,
			attack{"scaling " + who, policy, says, c, func(ctx context.Context, c client.Client) error {
				return c.SubResource("scale").Update(ctx, deployment(production, "kept"), client.WithSubResourceBody(scale))
			}},
			attack{"deleting all " + who, policy, says, c, func(ctx context.Context, c client.Client) error {
				return c.DeleteAllOf(ctx, &appsv1.Deployment{}, client.InNamespace(production))
			}},
			attack{"resizing " + who, policy, says, c, func(ctx context.Context, c client.Client) error {
				return c.SubResource("resize").Patch(ctx, pod(sandbox, "kept"), client.RawPatch("application/merge-patch+json",
					[]byte(`{"metadata":{"labels":{"a":"b"}}}`)))
			}},
		)
		for _, a := range attacks {
			if err := a.refused(t.Context(), dry); err != nil {
				t.Error(err)
			}
		}
	}
	// Those whose work it is.
	hpa := as("system:serviceaccount:kube-system:horizontal-pod-autoscaler")
	must(t, dry(hpa).SubResource("scale").Update(t.Context(), deployment(production, "kept"),
		client.WithSubResourceBody(&autoscalingv1.Scale{Spec: autoscalingv1.ScaleSpec{Replicas: 9}})))
	must(t, dry(as("system:node:node1", administrators, "system:nodes")).Delete(t.Context(), pod(sandbox, "kept")))
	for _, who := range halfNodes() {
		must(t, attack{"half a node", policy, says, who, func(ctx context.Context, c client.Client) error { return c.Delete(ctx, pod(sandbox, "kept")) }}.refused(t.Context(), wet))
	}
	must(t, dry(as("system:kube-scheduler", administrators)).Delete(t.Context(), pod(sandbox, "kept")))
	for _, cleaner := range []string{collector, namespacer} {
		must(t, dry(as(cleaner)).Delete(t.Context(), deployment(production, "kept")))
	}
	// Left alone on purpose: a drain evicts, kubelets report.
	must(t, dry(as(mallory, everything)).SubResource("eviction").Create(t.Context(), pod(sandbox, "kept"), &policyv1.Eviction{}))
	must(t, as("system:node:node1", administrators, "system:nodes").Status().Patch(t.Context(), pod(sandbox, "kept"),
		client.RawPatch("application/merge-patch+json", []byte(`{"status":{"phase":"Running"}}`))))
}

// docs/security.md, "Your cluster's own writers".
func TestPlatformWriters(t *testing.T) {
	const mesh = "system:serviceaccount:mesh:mesh"
	put := func(ctx context.Context) error {
		return dry(as(mesh, administrators)).Create(ctx, configMap(sandbox, "mesh"))
	}
	if err := put(t.Context()); !refusedBy(err, "affineur-managed-content") {
		t.Errorf("before it is named: %v", err)
	}
	changeParameters(t, func(data map[string]string) { data["platformWriters"] = "system:serviceaccount:cni:cni\n" + mesh })
	must(t, until(t.Context(), put))
	annotated := managed(sandbox, "")
	must(t, admin.Get(t.Context(), client.ObjectKeyFromObject(annotated), annotated))
	annotated.Annotations = map[string]string{"mesh": "seen"}
	must(t, dry(as(mesh, administrators)).Update(t.Context(), annotated.DeepCopy()))
	annotated.Labels["mesh"] = "on"
	if err := dry(as(mesh, administrators)).Update(t.Context(), annotated); !refusedBy(err, "affineur-namespaces") {
		t.Errorf("a label of the platform's: %v", err)
	}
	if err := dry(as(mallory, everything)).Create(t.Context(), configMap(sandbox, "x")); !refusedBy(err, "affineur-managed-content") {
		t.Errorf("somebody else: %v", err)
	}
	// To name writers is the installer's right, and no change of the guards.
	if state := measure(t); !state.InPlace {
		t.Errorf("%s: %s", state.Reason, state.Message)
	}
}

// halfNodes have a kubelet's name without its group, or its group without its name.
func halfNodes() []client.Client {
	return []client.Client{as("system:node:node1", everything), as(mallory, everything, "system:nodes")}
}

// Threat 14 and 19: nobody gets in, and nobody gets a token.
func TestNobodyGetsIn(t *testing.T) {
	const policy = "affineur-managed-access"
	token := func(namespace string) func(context.Context, client.Client) error {
		return func(ctx context.Context, c client.Client) error {
			account := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "tokened"}}
			return c.SubResource("token").Create(ctx, account, &authenticationv1.TokenRequest{})
		}
	}
	must(t, as(operator).Create(t.Context(), &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: sandbox, Name: "tokened"}}))
	for _, who := range []string{mallory, "root", "system:serviceaccount:kube-system:replicaset-controller"} {
		group := administrators
		tryAll(t, []attack{
			{"a shell " + who, policy, "nobody uses pods/exec", as(who, group), connect(who, "pods", "x", "exec?command=sh&stdout=true", group)},
			{"attaching " + who, policy, "nobody uses pods/attach", as(who, group), connect(who, "pods", "x", "attach?stdout=true", group)},
			{"a port " + who, policy, "IT allows it for sandboxes in the HardeningPolicy", as(who, group), connect(who, "pods", "x", "portforward?ports=80", group)},
			{"a pod's proxy " + who, policy, "nobody uses pods/proxy", as(who, group), connect(who, "pods", "x", "proxy", group)},
			{"a service's proxy " + who, policy, "nobody uses services/proxy", as(who, group), connect(who, "services", "x", "proxy", group)},
			{"a token " + who, policy, "nobody uses serviceaccounts/token", as(who, group), token(sandbox)},
		})
	}
	// The operator is refused by its confinement as well, whichever policy speaks first.
	if err := connect(operator, "pods", "x", "exec?command=sh&stdout=true", administrators)(t.Context(), nil); !refusedBy(err, policy) && !refusedBy(err, "affineur-confine-operator") {
		t.Errorf("a shell of the operator: %v", err)
	}
	if err := token(sandbox)(t.Context(), as(operator, administrators)); !refusedBy(err, policy) {
		t.Errorf("a token of the operator: %v", err)
	}
	must(t, token(sandbox)(t.Context(), as("system:node:node1", administrators, "system:nodes")))
	for _, who := range halfNodes() {
		must(t, attack{"a token of half a node", policy, "nobody uses serviceaccounts/token", who, token(sandbox)}.refused(t.Context(), wet))
	}
}

// The policy's sandbox.access.portForward, as the operator writes it on the namespace.
func TestPortForwardWhereThePolicyAllowsIt(t *testing.T) {
	op := as(operator)
	for _, namespace := range []*corev1.Namespace{managed("affx-forward", v1alpha1.PurposeSandbox), managed("affp-forward", v1alpha1.PurposeProduction)} {
		namespace.Labels[v1alpha1.LabelPortForward] = "true"
		must(t, op.Create(t.Context(), namespace))
	}
	forward := func(namespace string) error {
		return connectIn(namespace, ann, "pods", "x", "portforward?ports=80", administrators)(t.Context(), nil)
	}
	if err := forward("affx-forward"); err == nil || refusedBy(err, "affineur-managed-access") {
		t.Errorf("a port of a sandbox whose policy allows it: %v", err) // there is no such pod
	}
	if err := forward("affp-forward"); !refusedBy(err, "affineur-managed-access") {
		t.Errorf("a port of production: %v", err)
	}
	if err := connectIn("affx-forward", ann, "pods", "x", "exec?command=sh&stdout=true", administrators)(t.Context(), nil); !refusedBy(err, "affineur-managed-access") {
		t.Errorf("a shell where ports may be forwarded: %v", err)
	}
}

// Threats 13, 14, 16 and 19, also for the operator and the cluster's controllers.
func TestManagedWorkloadsAreHarmless(t *testing.T) {
	const policy = "affineur-managed-workloads"
	op := as(operator)
	controller := as("system:serviceaccount:kube-system:replicaset-controller", administrators)
	podWith := func(namespace string, edit func(*corev1.PodSpec)) func(context.Context, client.Client) error {
		return create(func() client.Object {
			p := pod(namespace, "holey")
			edit(&p.Spec)
			return p
		})
	}
	deploymentWith := func(namespace string, edit func(*corev1.PodSpec)) func(context.Context, client.Client) error {
		return create(func() client.Object {
			d := deployment(namespace, "holey")
			edit(&d.Spec.Template.Spec)
			return d
		})
	}
	tag := func(s *corev1.PodSpec) { s.Containers[0].Image = "registry.example.org/membership/advisor:1" }
	image := func(s *corev1.PodSpec) {
		s.Volumes = []corev1.Volume{{Name: "x", VolumeSource: corev1.VolumeSource{Image: &corev1.ImageVolumeSource{Reference: "registry.example.org/x@" + digest}}}}
	}
	token := func(s *corev1.PodSpec) {
		s.ServiceAccountName = "advisor"
		s.Volumes = []corev1.Volume{{Name: "x", VolumeSource: corev1.VolumeSource{Projected: &corev1.ProjectedVolumeSource{Sources: []corev1.VolumeProjection{
			{ServiceAccountToken: &corev1.ServiceAccountTokenProjection{Path: "token"}}}}}}}
	}
	tryAll(t, []attack{
		{"a tag in production", policy, "this names a tag: registry.example.org/membership/advisor:1", controller, podWith(production, tag)},
		{"a tag in a production Deployment", policy, "this names a tag", op, deploymentWith(production, tag)},
		{"a tag in an init container", policy, "this names a tag: busybox", controller, podWith(production, func(s *corev1.PodSpec) {
			init := s.Containers[0]
			init.Name, init.Image = "init", "busybox"
			s.InitContainers = []corev1.Container{init}
		})},
		{"a digest that is none", policy, "this names a tag", controller, podWith(production, func(s *corev1.PodSpec) { s.Containers[0].Image = "x@sha256:0123" })},
		{"an image volume", policy, "an image can't be mounted", controller, podWith(sandbox, image)},
		{"an image volume in a Deployment", policy, "an image can't be mounted", op, deploymentWith(sandbox, image)},
		{"a token by default", policy, "hold no identity", controller, podWith(sandbox, func(s *corev1.PodSpec) { s.AutomountServiceAccountToken = nil })},
		{"a token mounted", policy, "hold no identity", controller, podWith(sandbox, func(s *corev1.PodSpec) { s.AutomountServiceAccountToken = ptr.To(true) })},
		{"a projected token", policy, "hold no identity", controller, podWith(production, token)},
		{"a projected token in a Deployment", policy, "hold no identity", op, deploymentWith(sandbox, token)},
		{"a load balancer", policy, "type ClusterIP", op, create(func() client.Object {
			s := service(production, "holey")
			s.Spec.Type = corev1.ServiceTypeLoadBalancer
			return s
		})},
		{"an external name", policy, "type ClusterIP", op, create(func() client.Object {
			s := service(production, "holey")
			s.Spec = corev1.ServiceSpec{Type: corev1.ServiceTypeExternalName, ExternalName: "metadata.example.org"}
			return s
		})},
		{"an external address", policy, "no externalIPs", op, create(func() client.Object {
			s := service(production, "holey")
			s.Spec.ExternalIPs = []string{"203.0.113.7"}
			return s
		})},
	})
	// A tag is fine in a sandbox, where the operator resolves it.
	must(t, dry(controller).Create(t.Context(), func() client.Object { p := pod(sandbox, "tagged"); tag(&p.Spec); return p }()))

	// So are the volumes that a prototype needs.
	must(t, podWith(production, func(s *corev1.PodSpec) {
		s.Volumes = []corev1.Volume{
			{Name: "scratch", VolumeSource: corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{}}},
			{Name: "secret", VolumeSource: corev1.VolumeSource{Secret: &corev1.SecretVolumeSource{SecretName: "x"}}},
			{Name: "both", VolumeSource: corev1.VolumeSource{Projected: &corev1.ProjectedVolumeSource{Sources: []corev1.VolumeProjection{
				{ConfigMap: &corev1.ConfigMapProjection{LocalObjectReference: corev1.LocalObjectReference{Name: "x"}}}}}}},
		}
	})(t.Context(), dry(controller)))

	must(t, controller.Create(t.Context(), pod(sandbox, "debugged")))
	debug := func(ctx context.Context, c client.Client) error {
		return c.SubResource("ephemeralcontainers").Patch(ctx, pod(sandbox, "debugged"), client.RawPatch("application/strategic-merge-patch+json",
			[]byte(`{"spec":{"ephemeralContainers":[{"name":"debug","image":"busybox","securityContext":{"allowPrivilegeEscalation":false,"capabilities":{"drop":["ALL"]}}}]}}`)))
	}
	must(t, attack{"an ephemeral container of a controller's", policy, "nobody adds a container", controller, debug}.refused(t.Context(), wet))
	if err := debug(t.Context(), as("root", administrators)); !refusedBy(err, policy) && !refusedBy(err, "affineur-managed-content") {
		t.Errorf("an administrator's ephemeral container: %v", err)
	}
}

// Threat 12: the record stays what it was, also under the operator's own hands.
func TestRecordsNeverChange(t *testing.T) {
	const policy = "affineur-records"
	op := as(operator)
	must(t, op.Create(t.Context(), snapshot("record-kept")))
	must(t, op.Create(t.Context(), report("report-kept")))
	gates := report("report-of-a-gate")
	gates.Labels = map[string]string{v1alpha1.LabelComponent: "report", v1alpha1.LabelGate: "gate-scalability"}
	must(t, op.Create(t.Context(), gates.DeepCopy()))
	relabel := client.RawPatch("application/merge-patch+json", []byte(`{"metadata":{"labels":{"a":"b"}}}`))
	full := as(operator, administrators)
	owned := []metav1.OwnerReference{{APIVersion: "v1", Kind: "ConfigMap", Name: "x", UID: "y"}}
	tryAll(t, []attack{
		{"relabelling a snapshot", policy, "a record never changes", full, func(ctx context.Context, c client.Client) error {
			return c.Patch(ctx, snapshot("record-kept"), relabel)
		}},
		{"relabelling a report", policy, "a record never changes", full, func(ctx context.Context, c client.Client) error { return c.Patch(ctx, report("report-kept"), relabel) }},
		{"renumbering a snapshot", policy, "a record never changes", full, func(ctx context.Context, c client.Client) error {
			return c.Patch(ctx, snapshot("record-kept"), client.RawPatch("application/merge-patch+json", []byte(`{"revision":2}`)))
		}},
		{"a report with an owner", policy, "belongs to nobody", full, create(func() client.Object {
			r := report("owned")
			r.OwnerReferences = owned
			return r
		})},
		{"a snapshot with an owner", policy, "belongs to nobody", full, create(func() client.Object {
			s := snapshot("owned")
			s.OwnerReferences = owned
			return s
		})},
		{"a snapshot that is held", policy, "belongs to nobody", full, create(func() client.Object {
			s := snapshot("held")
			s.Finalizers = []string{"example.org/hold"}
			return s
		})},
		{"removing a snapshot", policy, "and nothing else", full, func(ctx context.Context, c client.Client) error { return c.Delete(ctx, snapshot("record-kept")) }},
		{"removing another report", policy, "and nothing else", full, func(ctx context.Context, c client.Client) error { return c.Delete(ctx, report("report-kept")) }},
		{"removing what a gate found", policy, "and nothing else", full, func(ctx context.Context, c client.Client) error { return c.Delete(ctx, gates) }},
		{"a report that can change", policy, "immutable set to true", full, create(func() client.Object { return configMap(v1alpha1.RecordsNamespace, "loose") })},
	})
	// The server itself refuses to change the data.
	for _, change := range []func() error{
		func() error {
			return full.Patch(t.Context(), snapshot("record-kept"), client.RawPatch("application/merge-patch+json", []byte(`{"data":{"schema":"forged"}}`)))
		},
		func() error {
			return full.Patch(t.Context(), report("report-kept"), client.RawPatch("application/merge-patch+json", []byte(`{"data":{"key":"forged"}}`)))
		},
	} {
		if change() == nil {
			t.Error("a record's data was changed")
		}
	}
	// Writing it again as it is, as after a restart, is no change.
	again := &appsv1.ControllerRevision{}
	must(t, op.Get(t.Context(), client.ObjectKeyFromObject(snapshot("record-kept")), again))
	must(t, full.Update(t.Context(), again))
	// Retention: what comes again and again is removed again, with no more rights than the operator has.
	for _, labels := range []map[string]string{
		{v1alpha1.LabelComponent: "report", v1alpha1.LabelGate: "isolation"},
		{v1alpha1.LabelComponent: "report", v1alpha1.LabelGate: "isolation-control"},
		{v1alpha1.LabelComponent: "report", v1alpha1.LabelGate: drift.Kind},
		{v1alpha1.LabelComponent: "log"},
	} {
		often := report("report-often")
		often.Labels = labels
		must(t, op.Create(t.Context(), often))
		must(t, op.Delete(t.Context(), often))
	}
	// Whoever clears the namespace away may, by the guard of its content.
	cleaner := as("system:serviceaccount:kube-system:namespace-controller", administrators)
	must(t, cleaner.Delete(t.Context(), snapshot("record-kept")))
	must(t, cleaner.Delete(t.Context(), report("report-kept")))
	must(t, cleaner.Delete(t.Context(), gates))
	// The cluster's own ConfigMap of every namespace.
	must(t, as("system:serviceaccount:kube-system:root-ca-cert-publisher", administrators).Create(t.Context(), configMap(v1alpha1.RecordsNamespace, "kube-root-ca.crt")))
}
