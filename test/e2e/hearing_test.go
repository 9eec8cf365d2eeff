//go:build e2e

package e2e

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/internal/workload"
	"github.com/affineur/affineur/test/story/await"
)

// Names in the catalogue, and of the Services behind them.
const (
	theGateway     = "gateway"
	theIntegration = "integration"
	// control holds streams to both from where no stop reaches. Its beats are the clock: as long as it is heard, whoever is
	// not heard could have been.
	control = "control"
	// long is how many beats of the control something has to be silent for: five seconds' worth.
	long = 50
)

// heard is what came from one holder of streams, as the hearing side counts.
type heard struct{ Streams, Beats int }

// hearing is a gateway and an integration that count the streams which prototypes hold to them.
type hearing struct {
	*ground
	clients   *kubernetes.Clientset
	namespace string
}

func newHearing(t *testing.T, g *ground) *hearing {
	t.Helper()
	clients, err := kubernetes.NewForConfig(g.config)
	if err != nil {
		t.Fatal(err)
	}
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "e2e-hearing-"}}
	if err := g.Create(t.Context(), namespace); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = g.Delete(context.Background(), namespace) })
	h := &hearing{ground: g, clients: clients, namespace: namespace.Name}
	program := func(name, hole string, env ...corev1.EnvVar) corev1.PodTemplateSpec {
		return corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: map[string]string{"app": name}}, Spec: corev1.PodSpec{
			TerminationGracePeriodSeconds: ptr.To[int64](1), Hostname: name,
			Containers: []corev1.Container{{Name: name, Image: g.image("holey/" + hole + ":1"), Env: env}},
		}}
	}
	objects := []client.Object{&corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: namespace.Name, Name: control}, Spec: program(control, "hold", h.everything()).Spec}}
	for _, name := range []string{theGateway, theIntegration} {
		meta, labels := metav1.ObjectMeta{Namespace: namespace.Name, Name: name}, map[string]string{"app": name}
		objects = append(objects,
			&corev1.Service{ObjectMeta: meta, Spec: corev1.ServiceSpec{Selector: labels, Ports: []corev1.ServicePort{{Port: 8080}}}},
			&appsv1.Deployment{ObjectMeta: meta, Spec: appsv1.DeploymentSpec{Selector: &metav1.LabelSelector{MatchLabels: labels}, Template: program(name, "hear")}})
	}
	for _, object := range objects {
		if err := g.Create(t.Context(), object); err != nil {
			t.Fatal(err)
		}
	}
	h.hears(t, control, theGateway, theIntegration)
	return h
}

// everything is the setting of a program that holds streams to both.
func (h *hearing) everything() corev1.EnvVar {
	return corev1.EnvVar{Name: "HOLD", Value: h.address(theGateway) + " " + h.address(theIntegration)}
}

func (h *hearing) address(name string) string {
	return "http://" + name + "." + h.namespace + ".svc:8080"
}

// catalogue is edited so that both are in it, under their names, and nothing else.
func (h *hearing) catalogue(spec map[string]any) {
	to := func(name string) map[string]any {
		return map[string]any{"address": h.address(name), "to": map[string]any{"pods": map[string]any{
			"namespace": h.namespace, "podLabels": map[string]any{"app": name}, "port": int64(8080)}}}
	}
	carry := map[string]any{"classes": []any{"Public", "Internal"}}
	gateway := to(theGateway)
	gateway["name"], gateway["mayCarry"] = theGateway, carry
	spec["catalogue"] = map[string]any{
		"modelGateways": []any{gateway},
		"integrations": []any{map[string]any{
			"name": theIntegration, "sandbox": to(theIntegration), "production": to(theIntegration), "mayCarry": carry,
			"check": map[string]any{"http": map[string]any{"path": "/healthz", "expectStatus": int64(200)}},
		}},
	}
}

// holds makes a prototype hold streams to both, for ever.
func (h *hearing) holds(p *v1alpha1.AIPrototype) {
	setting := h.everything()
	p.Spec.Workload.Container.Image = h.image("holey/hold:1")
	p.Spec.Workload.Container.Env = []v1alpha1.EnvVar{{Name: setting.Name, Value: setting.Value}}
	p.Spec.Model = &v1alpha1.ModelUse{Gateway: theGateway, Name: "any", Version: "1"}
	p.Spec.Integrations = []v1alpha1.IntegrationUse{{Name: theIntegration}}
}

// ask what a listener heard so far, by who held the stream.
func (h *hearing) ask(ctx context.Context, listener string) (map[string]heard, error) {
	raw, err := h.clients.CoreV1().Services(h.namespace).ProxyGet("http", listener, "8080", "/heard", nil).DoRaw(ctx)
	if err != nil {
		return nil, err
	}
	var from map[string]heard
	return from, json.Unmarshal(raw, &from)
}

// hears waits until every listener hears who it is.
func (h *hearing) hears(t *testing.T, who string, listeners ...string) {
	t.Helper()
	ctx := bounded(t)
	for _, listener := range listeners {
		first := -1
		err := await.Until(ctx, func() error {
			from, err := h.ask(ctx, listener)
			if err != nil {
				return err
			}
			if first < 0 {
				first = from[who].Beats
			}
			if from[who].Beats < first+3 {
				return fmt.Errorf("%s hears nothing of %s", listener, who)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

// silence wants a listener to hear nobody but the control: no beat on any stream there was, and no new stream, while the
// control is heard all the time. It returns what had been heard by then.
func (h *hearing) silence(t *testing.T, listener string) map[string]heard {
	t.Helper()
	ctx := bounded(t)
	before, err := h.ask(ctx, listener)
	if err != nil {
		t.Fatal(err)
	}
	var after map[string]heard
	err = await.Until(ctx, func() error {
		if after, err = h.ask(ctx, listener); err != nil {
			return err
		}
		if beats := after[control].Beats - before[control].Beats; beats < long {
			return fmt.Errorf("%d beats of the control", beats)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if loud := louder(before, after); loud != nil {
		t.Errorf("%s is cut off, and yet: %v", listener, loud)
	}
	return after
}

// louder is who was heard in between, but for the control.
func louder(before, after map[string]heard) error {
	var loud []error
	for who, now := range after {
		if who != control && now != before[who] {
			loud = append(loud, fmt.Errorf("%s came to %+v from %+v", who, now, before[who]))
		}
	}
	return errors.Join(loud...)
}

// pods of the prototype's workload that run in a namespace, by name.
func (h *hearing) pods(ctx context.Context, namespace string) ([]string, error) {
	var pods corev1.PodList
	of := client.MatchingLabels{v1alpha1.LabelComponent: workload.ComponentPrototype}
	if err := h.List(ctx, &pods, client.InNamespace(namespace), of); err != nil {
		return nil, err
	}
	var names []string
	for _, pod := range pods.Items {
		if pod.DeletionTimestamp.IsZero() && pod.Status.Phase == corev1.PodRunning && pod.Labels[v1alpha1.LabelGate] == "" {
			names = append(names, pod.Name)
		}
	}
	return names, nil
}

// flows waits until pods run in every namespace, and all of them are heard.
func (h *hearing) flows(t *testing.T, namespaces []string, listeners ...string) []string {
	t.Helper()
	var all []string
	for _, namespace := range namespaces {
		var names []string
		err := await.Until(bounded(t), func() (err error) {
			if names, err = h.pods(t.Context(), namespace); err == nil && len(names) == 0 {
				err = fmt.Errorf("nothing runs in %s", namespace)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range names {
			h.hears(t, name, listeners...)
		}
		all = append(all, names...)
	}
	t.Logf("%s are heard by %s", strings.Join(all, ", "), strings.Join(listeners, ", "))
	return all
}
