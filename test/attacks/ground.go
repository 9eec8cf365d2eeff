package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/internal/names"
	"github.com/affineur/affineur/internal/workload"
	"github.com/affineur/affineur/test/story/await"
	"github.com/affineur/affineur/test/story/quick"
)

// ground is what the attacks are made on.
type ground struct {
	// serving is what the demo brought into production, production its namespace, and record what it was rendered from.
	serving    *v1alpha1.AIPrototype
	production string
	record     *appsv1.ControllerRevision
	// intruder runs a program that tries to get out, in sandbox. blind is the same without DNS.
	intruder, blind *v1alpha1.AIPrototype
	sandbox         string
	// lurer is a prototype that redirects whatever asks it.
	lurer *v1alpha1.AIPrototype
	// stubborn does not stop when told to, and goes on trying.
	stubborn *v1alpha1.AIPrototype
	// clinger holds a stream to its gateway, for ever.
	clinger *v1alpha1.AIPrototype
	// tries are what the intruder tries.
	tries tries
}

// tries of the intruder, as test/prototypes/holey understands them.
type tries struct {
	metadata, kubelet, apiServer, apiServerOnNode, neighbour, resolver, internet, lookup string
}

// inside are what a container tries on its own node: what it may read, become and make.
var inside = []string{
	"read:/var/run/secrets/kubernetes.io/serviceaccount/token", "become:root", "raw:icmp", "node:/tmp", "write:/",
}

func (t tries) all() []string {
	return append([]string{t.metadata, t.kubelet, t.apiServer, t.apiServerOnNode, t.neighbour, t.resolver, t.internet, t.lookup}, inside...)
}

// prepare brings everything up side by side, and waits for what every attack needs.
func (f *field) prepare(ctx context.Context) error {
	ctx, cancel := context.WithTimeoutCause(ctx, patience, fmt.Errorf("the ground was not ready within %s", patience))
	defer cancel()
	for _, step := range []func(context.Context) error{f.findProduction, f.govern, f.lures, f.find, f.outside, f.prototypes} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	if err := f.comes(ctx, f.intruder, running); err != nil {
		return err
	}
	f.sandbox = f.intruder.Status.Sandbox.Namespace
	return nil
}

// findProduction looks up what the demo left.
func (f *field) findProduction(ctx context.Context) error {
	f.serving = &v1alpha1.AIPrototype{ObjectMeta: metav1.ObjectMeta{Namespace: "membership", Name: "churn-advisor"}}
	if err := f.admin.Get(ctx, client.ObjectKeyFromObject(f.serving), f.serving); err != nil {
		return err
	}
	if f.serving.Status.Production == nil {
		return errors.New("churn-advisor does not serve in production: make demo comes first")
	}
	f.production = f.serving.Status.Production.Namespace
	review := &v1alpha1.HardeningReview{ObjectMeta: metav1.ObjectMeta{Namespace: f.serving.Namespace, Name: f.serving.Status.Production.Review}}
	if err := f.admin.Get(ctx, client.ObjectKeyFromObject(review), review); err != nil {
		return err
	}
	f.record = &appsv1.ControllerRevision{ObjectMeta: metav1.ObjectMeta{Namespace: v1alpha1.RecordsNamespace, Name: review.Spec.Record}}
	return f.admin.Get(ctx, client.ObjectKeyFromObject(f.record), f.record)
}

// govern writes two policies: one as an organisation would, with integrations whose owners mean no good, and one without
// DNS that leaves room for one prototype.
func (f *field) govern(ctx context.Context) error {
	secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: v1alpha1.SystemNamespace, Name: "attacks-token"}, StringData: map[string]string{"token": "not-to-be-seen"}}
	if err := f.admin.Create(ctx, secret); err != nil {
		return err
	}
	endpoint := func(host string) map[string]any {
		return map[string]any{
			"address":     "http://" + host + "." + unguarded + ".svc:8080",
			"to":          map[string]any{"pods": map[string]any{"namespace": unguarded, "podLabels": map[string]any{"app": "lure"}, "port": int64(8080)}},
			"credentials": map[string]any{"secret": map[string]any{"name": secret.Name}},
		}
	}
	integration := func(name string) map[string]any {
		return map[string]any{
			"name": name, "production": endpoint(name), "mayCarry": map[string]any{"classes": []any{"Public", "Internal"}},
			"check": map[string]any{"http": map[string]any{"path": "/integration", "expectStatus": int64(200)}},
		}
	}
	err := quick.Govern(ctx, f.admin, f.root, home, func(spec map[string]any) {
		f.belongsTo(spec, home, teamGroup)
		catalogue := spec["catalogue"].(map[string]any)
		catalogue["modelGateways"] = append(catalogue["modelGateways"].([]any), map[string]any{
			"name": listener, "address": "http://" + listener + "." + unguarded + ".svc:8080", "mayCarry": map[string]any{"classes": []any{"Public", "Internal"}},
			"to": map[string]any{"pods": map[string]any{"namespace": unguarded, "podLabels": map[string]any{"app": listener}, "port": int64(8080)}},
		})
		catalogue["integrations"] = append(catalogue["integrations"].([]any), integration("lure"), integration("rebound"))
		sandbox := spec["sandbox"].(map[string]any)
		sandbox["runtimeClasses"] = []any{map[string]any{"class": "Confidential", "runtimeClass": "sealed"}}
	})
	if err != nil {
		return err
	}
	return quick.Govern(ctx, f.admin, f.root, dark, func(spec map[string]any) {
		f.belongsTo(spec, dark, darkGroup)
		spec["catalogue"].(map[string]any)["integrations"] = widened(beyondTheCluster)
		sandbox := spec["sandbox"].(map[string]any)
		sandbox["dns"] = "None"
		sandbox["limits"].(map[string]any)["prototypesPerTeam"] = int64(1)
	})
}

func (f *field) belongsTo(spec map[string]any, team, group string) {
	spec["teams"] = []any{map[string]any{"name": team, "groups": []any{group}}}
}

// lures stands up what wants to lead probes astray: a server that redirects, and a name that resolves to an address at
// which a cloud serves its secrets. Here a server tells who came to that address, and somebody who may takes a stroll there.
func (f *field) lures(ctx context.Context) error {
	labels := map[string]string{"app": "lure", "part": "lure"}
	meta := func(name string) metav1.ObjectMeta { return metav1.ObjectMeta{Namespace: unguarded, Name: name} }
	ports := []corev1.ServicePort{{Port: 8080}}
	program := func(name, hole string, labels map[string]string, env ...corev1.EnvVar) *appsv1.Deployment {
		return &appsv1.Deployment{ObjectMeta: meta(name), Spec: appsv1.DeploymentSpec{
			Selector: &metav1.LabelSelector{MatchLabels: labels},
			Template: corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: labels}, Spec: corev1.PodSpec{
				TerminationGracePeriodSeconds: ptr.To[int64](1), Containers: []corev1.Container{{Name: name, Image: f.images[hole].pinned(), Env: env}},
			}},
		}}
	}
	for _, object := range []client.Object{
		program(listener, "holey-hear", map[string]string{"app": listener}), program(neighbour, "holey-hold", map[string]string{"app": neighbour}, f.holding()),
		&corev1.Service{ObjectMeta: meta(listener), Spec: corev1.ServiceSpec{Selector: map[string]string{"app": listener}, Ports: ports}},
		program("lure", "holey-lure", labels), program("target", "holey-lure", targeted),
		program("stroller", "holey-hold", map[string]string{"app": "stroller"}, corev1.EnvVar{Name: "HOLD", Value: "http://rebound." + unguarded + ".svc:8080"}),
		&corev1.Service{ObjectMeta: meta("lure"), Spec: corev1.ServiceSpec{Selector: labels, Ports: ports}},
		&corev1.Service{ObjectMeta: meta("target"), Spec: corev1.ServiceSpec{Selector: targeted, Ports: ports, ExternalIPs: []string{metadataOfACloud}}},
		&corev1.Service{ObjectMeta: meta("rebound"), Spec: corev1.ServiceSpec{ClusterIP: corev1.ClusterIPNone, Ports: ports}},
		&discoveryv1.EndpointSlice{
			ObjectMeta:  metav1.ObjectMeta{Namespace: unguarded, Name: "rebound", Labels: map[string]string{discoveryv1.LabelServiceName: "rebound"}},
			AddressType: discoveryv1.AddressTypeIPv4, Endpoints: []discoveryv1.Endpoint{{Addresses: []string{metadataOfACloud}}},
			Ports: []discoveryv1.EndpointPort{{Port: ptr.To[int32](8080)}},
		},
	} {
		if err := f.admin.Create(ctx, object); err != nil {
			return err
		}
	}
	lure := &appsv1.Deployment{ObjectMeta: meta("lure")}
	return await.Object(ctx, f.admin, lure, func(d *appsv1.Deployment) (bool, error) { return d.Status.AvailableReplicas == 1, nil })
}

// holding is the setting of a program that holds a stream to the listening gateway.
func (f *field) holding() corev1.EnvVar {
	return corev1.EnvVar{Name: "HOLD", Value: "http://" + listener + "." + unguarded + ".svc:8080"}
}

// metadataOfACloud is in shared address space, where the API server lets anybody point a Service.
const metadataOfACloud = "100.100.100.200"

// find looks up the addresses that the intruder tries.
func (f *field) find(ctx context.Context) error {
	var nodes corev1.NodeList
	if err := f.admin.List(ctx, &nodes); err != nil {
		return err
	}
	node := ""
	for _, address := range nodes.Items[0].Status.Addresses {
		if address.Type == corev1.NodeInternalIP {
			node = address.Address
		}
	}
	kubernetes, lure := &corev1.Service{}, &corev1.Service{}
	var slices discoveryv1.EndpointSliceList
	err := errors.Join(
		f.admin.Get(ctx, client.ObjectKey{Namespace: corev1.NamespaceDefault, Name: "kubernetes"}, kubernetes),
		f.admin.Get(ctx, client.ObjectKey{Namespace: unguarded, Name: "lure"}, lure),
		f.admin.List(ctx, &slices, client.InNamespace(corev1.NamespaceDefault), client.MatchingLabels{discoveryv1.LabelServiceName: "kubernetes"}),
	)
	if err != nil {
		return err
	}
	endpoint := slices.Items[0]
	// The last three are the development cluster's: a cloud's metadata service and a host beyond the cluster.
	f.tries = tries{
		kubelet:         "tcp:" + net.JoinHostPort(node, "10250"),
		apiServer:       "tcp:" + net.JoinHostPort(kubernetes.Spec.ClusterIP, "443"),
		apiServerOnNode: "tcp:" + net.JoinHostPort(endpoint.Endpoints[0].Addresses[0], fmt.Sprint(*endpoint.Ports[0].Port)),
		neighbour:       "tcp:" + net.JoinHostPort(lure.Spec.ClusterIP, "8080"),
		lookup:          "lookup:kubernetes.default.svc.cluster.local",
		metadata:        "tcp:169.254.169.254:80",
		resolver:        "udp:198.18.0.10:53",
		internet:        "tcp:198.18.0.10:443",
	}
	return nil
}

// outside runs the intruder's program as an ordinary pod, which shows what works where nobody forbids it.
func (f *field) outside(ctx context.Context) error { return f.admin.Create(ctx, f.ordinary("outside")) }

// ordinary is a pod that tries what the intruder tries, where nobody forbids it.
func (f *field) ordinary(name string) *corev1.Pod {
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: unguarded, Name: name},
		Spec: corev1.PodSpec{
			TerminationGracePeriodSeconds: ptr.To[int64](1),
			Containers: []corev1.Container{{
				Name: workload.Name, Image: f.images["holey-intrude"].pinned(), SecurityContext: &corev1.SecurityContext{RunAsUser: ptr.To[int64](0)},
				Env:          []corev1.EnvVar{{Name: "TRIES", Value: strings.Join(f.tries.all(), " ")}},
				VolumeMounts: []corev1.VolumeMount{{Name: "tmp", MountPath: "/tmp"}},
			}},
			Volumes: []corev1.Volume{{Name: "tmp", VolumeSource: corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{}}}},
		},
	}
}

// prototypes are applied by the business user.
func (f *field) prototypes(ctx context.Context) error {
	everything := corev1.EnvVar{Name: "TRIES", Value: strings.Join(f.tries.all(), " ")}
	f.intruder = f.newPrototype(home, "intruder", "holey-intrude", everything)
	f.blind = f.newPrototype(dark, "blind", "holey-intrude", everything)
	f.blind.Spec.Integrations = []v1alpha1.IntegrationUse{{Name: "wide"}}
	f.stubborn = f.newPrototype(home, "stubborn", "holey-intrude",
		corev1.EnvVar{Name: "TRIES", Value: f.tries.internet}, corev1.EnvVar{Name: "LINGER", Value: "yes"})
	f.lurer = f.newPrototype(home, "lurer", "holey-lure")
	f.lurer.Spec.Target = v1alpha1.TargetProduction
	f.lurer.Spec.Integrations = []v1alpha1.IntegrationUse{{Name: "lure"}, {Name: "rebound"}}
	f.lurer.Spec.Demand = &v1alpha1.Demand{RequestsPerSecond: ptr.To("1"), LatencyP95: &metav1.Duration{Duration: 2 * time.Second},
		Request: v1alpha1.SampleRequest{Method: "GET", Path: "/load"}}
	f.clinger = f.newPrototype(home, "clinger", "holey-hold", f.holding())
	f.clinger.Spec.Model = &v1alpha1.ModelUse{Gateway: listener, Name: "any", Version: "1"}
	for _, p := range []*v1alpha1.AIPrototype{f.intruder, f.blind, f.stubborn, f.lurer, f.clinger} {
		if err := f.lead.Create(ctx, p); err != nil {
			return err
		}
	}
	return nil
}

func (f *field) newPrototype(namespace, name, image string, env ...corev1.EnvVar) *v1alpha1.AIPrototype {
	p := &v1alpha1.AIPrototype{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name},
		Spec: v1alpha1.AIPrototypeSpec{
			Need: v1alpha1.Need{Problem: "Somebody wants out.", Outcomes: []v1alpha1.Outcome{
				{Name: "surprises", Unit: "findings", Direction: v1alpha1.DirectionDecrease, Baseline: "1", Target: "0"}}},
			Facts: &v1alpha1.Facts{Exposure: v1alpha1.ExposureInternal, Autonomy: v1alpha1.AutonomyAnswers, Users: 1},
			Data:  &v1alpha1.DataUse{Uses: []string{"renewal-dates"}},
			Workload: &v1alpha1.Workload{Container: &v1alpha1.Container{
				Image: f.images[image].Image, Port: 8080, Health: &v1alpha1.Health{Path: "/healthz"},
				Resources: v1alpha1.Resources{CPU: "50m", Memory: "48Mi"},
			}},
		},
	}
	for _, e := range env {
		p.Spec.Workload.Container.Env = append(p.Spec.Workload.Container.Env, v1alpha1.EnvVar{Name: e.Name, Value: e.Value})
	}
	return p
}

// comes waits until the prototype is as done wants it.
func (f *field) comes(ctx context.Context, p *v1alpha1.AIPrototype, done func(*v1alpha1.AIPrototype) bool) error {
	err := await.Object(ctx, f.admin, p, func(p *v1alpha1.AIPrototype) (bool, error) {
		return p.Status.ObservedGeneration == p.Generation && done(p), nil
	})
	if err != nil {
		var said []string
		for _, c := range p.Status.Conditions {
			said = append(said, fmt.Sprintf("%s=%s %s: %s", c.Type, c.Status, c.Reason, c.Message))
		}
		return fmt.Errorf("%s: %w; it says: %s", p.Name, err, strings.Join(said, "; "))
	}
	return nil
}

func running(p *v1alpha1.AIPrototype) bool {
	return p.Status.Sandbox != nil && apimeta.IsStatusConditionTrue(p.Status.Conditions, v1alpha1.ConditionSandboxReady)
}

// stalledFor tells whether a condition is false for a reason, and says what it says.
func conditionOf(p *v1alpha1.AIPrototype, reason string) *metav1.Condition {
	at := slices.IndexFunc(p.Status.Conditions, func(c metav1.Condition) bool { return c.Reason == reason })
	if at < 0 {
		return nil
	}
	return &p.Status.Conditions[at]
}

// leftNothing wants the prototype gone, its namespaces, and what was made for it elsewhere.
func (f *field) leftNothing(ctx context.Context, p *v1alpha1.AIPrototype) error {
	if err := await.Gone(ctx, f.admin, p.DeepCopy()); err != nil {
		return err
	}
	return await.NothingLeft(ctx, f.admin, names.Of(p))
}
