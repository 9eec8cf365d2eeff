//go:build e2e

package e2e

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/internal/names"
	"github.com/affineur/affineur/internal/workload"
	"github.com/affineur/affineur/test/story/await"
	"github.com/affineur/affineur/test/story/forward"
)

// entrance is where people come: the gateway's port, over TLS.
type entrance struct {
	client http.Client
}

// entrance forwards a port to the gateway; what goes through it is as people send it.
func (g *ground) entrance(t *testing.T, trusted *x509.CertPool) *entrance {
	t.Helper()
	at := g.forwarded(t, "app=gateway", 8443)
	return &entrance{http.Client{Timeout: 20 * time.Second, Transport: &http.Transport{
		DisableKeepAlives: true, TLSClientConfig: &tls.Config{RootCAs: trusted, MinVersion: tls.VersionTLS12},
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			conn, err := (&net.Dialer{}).DialContext(ctx, network, at)
			if err != nil {
				// A forwarded port ends with the first connection that the pod refuses, as a gateway that is starting does.
				at = g.forwarded(t, "app=gateway", 8443)
			}
			return conn, err
		},
	}}}
}

// forwarded opens a port to the pod of the label in the gateways' namespace, until the test ends.
func (g *ground) forwarded(t *testing.T, label string, port int32) string {
	t.Helper()
	ctx := bounded(t)
	var address string
	err := await.Until(ctx, func() error {
		var pods corev1.PodList
		name, value, _ := strings.Cut(label, "=")
		if err := g.List(ctx, &pods, client.InNamespace(gateways), client.MatchingLabels{name: value}); err != nil || len(pods.Items) != 1 {
			return fmt.Errorf("%d pods with %s: %w", len(pods.Items), label, err)
		}
		local, stop, err := forward.To(ctx, g.config, client.ObjectKeyFromObject(&pods.Items[0]), port)
		if err == nil {
			address = local
			t.Cleanup(stop)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return address
}

// hears is what the person gets. An entrance that breaks on the way, as a forwarded port does, is taken again.
func (e *entrance) hears(t *testing.T, pilotURL string, who *someone) (status int, body string) {
	t.Helper()
	ctx := bounded(t)
	err := await.Until(ctx, func() (err error) {
		status, body, err = e.asks(ctx, pilotURL, who)
		return err
	})
	if err != nil {
		t.Fatalf("%s: %v", pilotURL, err)
	}
	return status, body
}

// asks sends what a member wrote, signed in as who or not at all.
func (e *entrance) asks(ctx context.Context, pilotURL string, who *someone) (int, string, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, pilotURL+"v1/classify", strings.NewReader(`{"text":"I will let my membership run out."}`))
	if err != nil {
		return 0, "", err
	}
	request.Header.Set("Content-Type", "application/json")
	if who != nil {
		request.SetBasicAuth(who.Name, who.Password)
	}
	answer, err := e.client.Do(request)
	if err != nil {
		return 0, "", err
	}
	defer func() { _ = answer.Body.Close() }()
	body, err := io.ReadAll(answer.Body)
	return answer.StatusCode, string(body), err
}

// gets waits until the person gets this status: a gateway hears of a route, and of its end, a moment later.
func (e *entrance) gets(t *testing.T, pilotURL string, who *someone, want int) string {
	t.Helper()
	ctx := bounded(t)
	var body string
	err := await.Until(ctx, func() error {
		status, said, err := e.asks(ctx, pilotURL, who)
		body = said
		if err == nil && status != want {
			err = fmt.Errorf("%d %q, want %d", status, said, want)
		}
		return err
	})
	if err != nil {
		t.Fatalf("%s: %v", pilotURL, err)
	}
	return body
}

func invites(groups ...string) func(*v1alpha1.AIPrototype) {
	return func(p *v1alpha1.AIPrototype) {
		p.Spec.Sandbox = &v1alpha1.SandboxWish{Pilots: &v1alpha1.Pilots{Groups: groups}}
	}
}

// edited changes the spec as the team would.
func (g *ground) edited(t *testing.T, p *v1alpha1.AIPrototype, spec string) {
	t.Helper()
	if err := g.Patch(t.Context(), p, client.RawPatch("application/merge-patch+json", []byte(`{"spec":`+spec+`}`))); err != nil {
		t.Fatal(err)
	}
}

func openToPilots(p *v1alpha1.AIPrototype) bool {
	open := apimeta.FindStatusCondition(p.Status.Conditions, v1alpha1.ConditionOpenToPilots)
	return open != nil && open.Status == metav1.ConditionTrue && open.Reason == v1alpha1.ReasonPilotsAdmitted && p.Status.Sandbox.PilotURL != ""
}

// closed waits until nobody can come any more: the address, the route and the opening of the network are gone, and the
// gateway answers nobody under the host name.
func (g *ground) closed(t *testing.T, e *entrance, p *v1alpha1.AIPrototype, pilotURL string, pilot *someone, opening bool) {
	t.Helper()
	g.comes(t, p, func(p *v1alpha1.AIPrototype) bool {
		return !openToPilots(p) && (p.Status.Sandbox == nil || p.Status.Sandbox.PilotURL == "")
	})
	at := metav1.ObjectMeta{Namespace: names.Of(p).Sandbox(), Name: workload.PilotsName}
	gone := []client.Object{&gatewayv1.HTTPRoute{ObjectMeta: at}}
	if opening {
		gone = append(gone, &networkingv1.NetworkPolicy{ObjectMeta: at})
	}
	for _, object := range gone {
		if err := await.Gone(bounded(t), g, object); err != nil {
			t.Error(err)
		}
	}
	e.gets(t, pilotURL, pilot, http.StatusNotFound)
}

// People try a prototype through the organisation's gateway, behind its sign-in: those whom the team named, over the
// address in the status, and nobody by another way; and nobody when the team takes them out, or suspends.
func TestPilotsComeThroughTheGateway(t *testing.T) {
	t.Parallel()
	g := newGround(t)
	pilot, guest := whoever("pilot", "volunteers"), whoever("guest", "visitors")
	trusted := g.withGateway(t, pilot, guest)
	err := g.govern(t.Context(), "e2e-pilots", func(spec map[string]any) {
		spec["sandbox"].(map[string]any)["access"] = map[string]any{"gateway": map[string]any{
			"name": "people", "namespace": gateways, "sectionName": "signed-in", "domain": "pilots.example.org",
			"from": map[string]any{"namespace": gateways, "podLabels": map[string]any{"app": "gateway"}},
		}}
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = g.Delete(context.Background(), &v1alpha1.HardeningPolicy{ObjectMeta: metav1.ObjectMeta{Name: "e2e-pilots"}})
	})
	p := g.created(t, g.newPrototype(g.team(t, "e2e-pilots"), "tried", invites("members-board", "volunteers")))
	g.comes(t, p, openToPilots)
	address := p.Status.Sandbox.PilotURL
	if want := "https://" + names.Of(p).Host("pilots.example.org") + ":8443/"; address != want {
		t.Errorf("pilots find it at %q, want %q", address, want)
	}
	e := g.entrance(t, trusted)
	g.onlyPilots(t, e, address, &pilot, &guest)
	g.noOtherWay(t, p)

	g.edited(t, p, `{"sandbox":{"pilots":{"groups":["members-board"]}}}`)
	e.gets(t, address, &pilot, http.StatusForbidden)

	g.edited(t, p, `{"sandbox":null}`)
	g.closed(t, e, p, address, &pilot, true)

	g.edited(t, p, `{"sandbox":{"pilots":{"groups":["volunteers"]}}}`)
	g.comes(t, p, openToPilots)
	e.gets(t, address, &pilot, http.StatusOK)
	g.edited(t, p, `{"suspend":true}`)
	g.closed(t, e, p, address, &pilot, false)
	g.calm(t, p)
}

// onlyPilots wants the prototype's own answer for a pilot, and the sign-in's for everybody else.
func (g *ground) onlyPilots(t *testing.T, e *entrance, address string, pilot, guest *someone) {
	t.Helper()
	var verdict struct{ Label, Revision string }
	answer := e.gets(t, address, pilot, http.StatusOK)
	if err := json.Unmarshal([]byte(answer), &verdict); err != nil || verdict.Label != "at-risk-of-lapsing" || verdict.Revision != "1.4" {
		t.Errorf("a pilot got %q: %v", answer, err)
	}
	impostor := someone{Name: pilot.Name, Password: guest.Password}
	for name, test := range map[string]struct {
		who  *someone
		want int
	}{
		"not signed in": {nil, http.StatusUnauthorized}, "a wrong password": {&impostor, http.StatusUnauthorized}, "of another group": {guest, http.StatusForbidden},
	} {
		if status, body := e.hears(t, address, test.who); status != test.want || strings.Contains(body, verdict.Label) {
			t.Errorf("%s: %d %q, want %d", name, status, body, test.want)
		}
	}
	if status, body, err := e.asks(t.Context(), strings.Replace(address, "https:", "http:", 1), pilot); err == nil && status == http.StatusOK {
		t.Errorf("without TLS: %d %q", status, body)
	}
}

// noOtherWay wants a pod beside the gateway to reach the gateway, and not the prototype.
func (g *ground) noOtherWay(t *testing.T, p *v1alpha1.AIPrototype) {
	t.Helper()
	var pods corev1.PodList
	if err := g.List(t.Context(), &pods, client.InNamespace(p.Status.Sandbox.Namespace), client.MatchingLabels{v1alpha1.LabelComponent: workload.ComponentPrototype}); err != nil || len(pods.Items) == 0 {
		t.Fatalf("%d pods: %v", len(pods.Items), err)
	}
	gateway := &corev1.Service{ObjectMeta: metav1.ObjectMeta{Namespace: gateways, Name: "gateway"}}
	if err := g.Get(t.Context(), client.ObjectKeyFromObject(gateway), gateway); err != nil {
		t.Fatal(err)
	}
	elsewhere := g.forwarded(t, "app=elsewhere", 8080)
	for address, want := range map[string]bool{
		net.JoinHostPort(gateway.Spec.ClusterIP, "8443"):     true,
		net.JoinHostPort(pods.Items[0].Status.PodIP, "8080"): false,
	} {
		got, err := reaches(t.Context(), elsewhere, address)
		if err != nil || got != want {
			t.Errorf("a pod beside the gateway reaches %s: %t, want %t; %v", address, got, want, err)
		}
	}
}

// reaches asks the pod behind the address here whether it can connect to another.
func reaches(ctx context.Context, pod, address string) (bool, error) {
	question := url.Values{"network": {"tcp"}, "address": {address}, "timeout": {"3s"}}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+pod+"/reach?"+question.Encode(), nil)
	if err != nil {
		return false, err
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return false, err
	}
	defer func() { _ = answer.Body.Close() }()
	var said struct{ Reachable *bool }
	if err := json.NewDecoder(answer.Body).Decode(&said); err != nil || said.Reachable == nil {
		return false, fmt.Errorf("%s: no answer to the question: %w", answer.Status, err)
	}
	return *said.Reachable, nil
}
