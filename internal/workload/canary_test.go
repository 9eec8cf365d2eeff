package workload

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"sigs.k8s.io/yaml"

	"github.com/affineur/affineur/api/v1alpha1"
)

// The canary's own policy lets in whatever may be measured, or it, and not the sandbox's, would be what keeps a probe out;
// and nobody else, or anybody could keep everything from being measured.
func TestCanaryMeetsOnlyWhatIsMeasured(t *testing.T) {
	raw, err := os.ReadFile(filepath.Join("..", "..", "config", "gates", "network.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var canary networkingv1.NetworkPolicy
	for document := range strings.SplitSeq(string(raw), "\n---\n") {
		var p networkingv1.NetworkPolicy
		if err := yaml.UnmarshalStrict([]byte(document), &p); err != nil {
			t.Fatal(err)
		}
		if p.Name == "canary" {
			canary = p
		}
	}
	ordinary := labels.Set{"kubernetes.io/metadata.name": "membership", v1alpha1.LabelTeam: "membership", v1alpha1.LabelPurpose: v1alpha1.PurposeSandbox}
	for name, c := range map[string]struct {
		namespace labels.Set
		in        bool
	}{
		"a sandbox":             {Namespace(at(v1alpha1.PurposeSandbox), false).Labels, true},
		"a rehearsal":           {Namespace(at(v1alpha1.PurposeRehearsal), false).Labels, true},
		"production":            {Namespace(at(v1alpha1.PurposeProduction), false).Labels, true},
		"a team's namespace":    {ordinary, false},
		"one without any label": {nil, false},
	} {
		for _, port := range []int{v1alpha1.CanaryDeniedPort, v1alpha1.CanaryAllowedPort} {
			if got := letsIn(t, canary.Spec, c.namespace, port); got != c.in {
				t.Errorf("%s, port %d: let in %v", name, port, got)
			}
		}
		if letsIn(t, canary.Spec, c.namespace, 8080) {
			t.Errorf("%s is let in to ask for health", name)
		}
	}
}

// letsIn tells whether any pod of a namespace is let in to a port, over both TCP and UDP.
func letsIn(t *testing.T, policy networkingv1.NetworkPolicySpec, namespace labels.Set, port int) bool {
	t.Helper()
	for _, rule := range policy.Ingress {
		from := len(rule.From) == 0
		for _, peer := range rule.From {
			selector, err := metav1.LabelSelectorAsSelector(peer.NamespaceSelector)
			if err != nil || peer.IPBlock != nil {
				t.Fatalf("%+v: %v", peer, err)
			}
			from = from || selector.Matches(namespace) && peer.PodSelector == nil
		}
		protocols := 0
		for _, p := range rule.Ports {
			if p.Port.IntValue() == port {
				protocols++
			}
		}
		if from && (len(rule.Ports) == 0 || protocols == 2) {
			return true
		}
	}
	return false
}
