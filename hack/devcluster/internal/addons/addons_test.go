package addons

import (
	"bytes"
	"os"
	"testing"

	"sigs.k8s.io/yaml"

	"github.com/affineur/affineur/hack/devcluster/internal/controlplane"
	"github.com/affineur/affineur/hack/devcluster/internal/layout"
	"github.com/affineur/affineur/hack/devcluster/internal/registry"
)

func TestManifestsRender(t *testing.T) {
	l := layout.Layout{Root: t.TempDir()}
	if err := os.MkdirAll(l.PKI(), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, end := range []string{".crt", ".key"} {
		if err := os.WriteFile(l.PKI(controlplane.Registry+end), []byte("pem"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	rendered, err := render(l, registry.Credentials{User: "puller", Password: "secret"})
	if err != nil {
		t.Fatal(err)
	}
	addresses := map[string]string{}
	for document := range bytes.SplitSeq(rendered, []byte("---\n")) {
		var object struct {
			Kind     string                     `json:"kind"`
			Metadata struct{ Name string }      `json:"metadata"`
			Spec     struct{ ClusterIP string } `json:"spec"`
		}
		if err := yaml.Unmarshal(document, &object); err != nil {
			t.Fatalf("%v in\n%s", err, document)
		}
		if object.Kind == "Service" {
			addresses[object.Metadata.Name] = object.Spec.ClusterIP
		}
	}
	if addresses["kube-dns"] != layout.DNSIP || addresses["registry"] != layout.RegistryIP {
		t.Errorf("service addresses %v", addresses)
	}
}
