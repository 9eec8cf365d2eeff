//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/internal/workload"
	"github.com/affineur/affineur/test/story/await"
	"github.com/affineur/affineur/test/story/installation"
	"github.com/affineur/affineur/test/story/people"
)

// documented are the commands of a section of docs/emergency.md, with the namespace that a responder puts in.
func documented(t *testing.T, section, namespace string) string {
	t.Helper()
	page, err := os.ReadFile(filepath.Join(root, "docs", "emergency.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(page), "\n## "+section+"\n")
	rest, _, _ = strings.Cut(rest, "\n## ")
	var commands []string
	chosen := false
	for line := range strings.Lines(rest) {
		command, indented := strings.CutPrefix(line, "    ")
		if strings.HasPrefix(command, "namespace=") {
			command, chosen = "namespace="+namespace+"\n", true
		}
		if indented {
			commands = append(commands, command)
		}
	}
	if !chosen {
		t.Fatalf("%q of docs/emergency.md names no namespace: %q", section, commands)
	}
	return strings.Join(commands, "")
}

// byHand runs what the page says, as a responder at their own machine.
func (e *emergency) byHand(t *testing.T, namespace string) {
	t.Helper()
	kubeconfig := filepath.Join(t.TempDir(), "kubeconfig")
	if err := people.WriteKubeconfig(kubeconfig, e.first.config, ""); err != nil {
		t.Fatal(err)
	}
	programs, err := filepath.Abs(filepath.Join(root, ".cluster", "bin"))
	if err != nil {
		t.Fatal(err)
	}
	shell := exec.CommandContext(bounded(t), "bash", "-euo", "pipefail", "-c", documented(t, "With the operator dead", namespace))
	shell.Env = append(os.Environ(), "KUBECONFIG="+kubeconfig, "PATH="+os.Getenv("PATH")+":"+programs)
	said, err := shell.CombinedOutput()
	if err != nil {
		t.Fatalf("in %s: %v\n%s", namespace, err, said)
	}
	t.Logf("in %s:\n%s", namespace, said)
}

// operators sets how many replicas of the operator run, and waits until it is so.
func (g *ground) operators(ctx context.Context, replicas int) error {
	operator := &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Namespace: v1alpha1.SystemNamespace, Name: installation.Operator}}
	if err := g.Patch(ctx, operator, client.RawPatch("application/merge-patch+json", fmt.Appendf(nil, `{"spec":{"replicas":%d}}`, replicas))); err != nil {
		return err
	}
	if _, err := installation.RolledOut(ctx, g, operator.Namespace, operator.Name); err != nil {
		return err
	}
	return await.Until(ctx, func() error {
		var pods corev1.PodList
		if err := g.List(ctx, &pods, client.InNamespace(operator.Namespace), client.MatchingLabels(operator.Spec.Selector.MatchLabels)); err != nil {
			return err
		}
		if len(pods.Items) != replicas {
			return fmt.Errorf("%d pods of the operator, want %d", len(pods.Items), replicas)
		}
		return nil
	})
}

// With the operator dead, a responder cuts off by the commands on the page: streams end, in the sandbox and in production.
// The operator, back, does what the stop means: what was cut stays so all the while, and the rest comes back.
func TestCutOffByHand(t *testing.T) {
	e := newEmergency(t, "e2e-by-hand")
	e.flows(t, e.namespaces, theGateway, theIntegration)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), slow)
		defer cancel()
		if err := e.operators(ctx, 2); err != nil {
			t.Errorf("the operator is not back: %v", err)
		}
	})
	if err := e.operators(bounded(t), 0); err != nil {
		t.Fatal(err)
	}
	s := e.made(t, "by-hand", v1alpha1.StopScope{Gateway: theGateway}, v1alpha1.StopSever)
	for _, namespace := range e.namespaces {
		e.byHand(t, namespace)
		e.shut(t, namespace)
	}
	cut := e.silence(t, theGateway)
	e.silence(t, theIntegration)

	if err := e.operators(bounded(t), 2); err != nil {
		t.Fatal(err)
	}
	// What the stop does not mean comes back, and the cut is measured on it; through the gateway came nothing, not even for
	// a moment.
	e.flows(t, e.namespaces, theIntegration)
	e.measured(t)
	e.takesEffect(t, s)
	if loud := louder(cut, e.silence(t, theGateway)); loud != nil {
		t.Errorf("the operator, back, undid what was cut by hand: %v", loud)
	}
	e.heldFast(t, s)
	e.lifted(t, s)
}

// shut wants no pod of the prototype, no rule that opens anything, and the rule that denies.
func (e *emergency) shut(t *testing.T, namespace string) {
	t.Helper()
	err := await.Until(bounded(t), func() error {
		names, err := e.pods(t.Context(), namespace)
		if err == nil && len(names) > 0 {
			err = fmt.Errorf("%v run in %s", names, namespace)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
	var policies networkingv1.NetworkPolicyList
	if err := e.List(t.Context(), &policies, client.InNamespace(namespace)); err != nil {
		t.Fatal(err)
	}
	denied := false
	for i := range policies.Items {
		denied = denied || policies.Items[i].Name == "deny-all"
		if workload.Opens(&policies.Items[i]) {
			t.Errorf("%s of %s still opens something", policies.Items[i].Name, namespace)
		}
	}
	if !denied {
		t.Errorf("nothing denies in %s", namespace)
	}
}
