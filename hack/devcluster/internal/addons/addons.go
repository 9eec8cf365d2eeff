// Package addons holds what runs in every cluster: the first roles, the cluster DNS and the image registry.
package addons

import (
	"bytes"
	"context"
	"embed"
	"encoding/base64"
	"fmt"
	"os"
	"os/exec"
	"text/template"

	"github.com/affineur/affineur/hack/devcluster/internal/controlplane"
	"github.com/affineur/affineur/hack/devcluster/internal/images"
	"github.com/affineur/affineur/hack/devcluster/internal/layout"
	"github.com/affineur/affineur/hack/devcluster/internal/registry"
)

//go:embed manifests
var manifests embed.FS

// RegistryFolder is where the registry's contents are, as the node sees it.
const RegistryFolder = "/var/lib/registry"

// ApplyRoles binds the first roles, with the one identity that needs none.
func ApplyRoles(ctx context.Context, l layout.Layout) error {
	roles, err := manifests.ReadFile("manifests/roles.yaml")
	if err != nil {
		return err
	}
	return apply(ctx, l, controlplane.BreakGlassKubeconfig(l), roles)
}

// Apply installs the cluster DNS and the registry, as the cluster admin.
func Apply(ctx context.Context, l layout.Layout, private registry.Credentials) error {
	rendered, err := render(l, private)
	if err != nil {
		return err
	}
	return apply(ctx, l, controlplane.AdminKubeconfig(l), rendered)
}

func render(l layout.Layout, private registry.Credentials) ([]byte, error) {
	certificate, err := os.ReadFile(l.PKI(controlplane.Registry + ".crt"))
	if err != nil {
		return nil, err
	}
	key, err := os.ReadFile(l.PKI(controlplane.Registry + ".key"))
	if err != nil {
		return nil, err
	}
	values := map[string]any{
		"CoreDNSImage":        images.Name("coredns"),
		"DNSIP":               layout.DNSIP,
		"RegistryImage":       images.Name("registry"),
		"RegistryIP":          layout.RegistryIP,
		"RegistryPort":        layout.RegistryPort,
		"RegistryCertificate": base64.StdEncoding.EncodeToString(certificate),
		"RegistryKey":         base64.StdEncoding.EncodeToString(key),
		"RegistryUser":        private.User,
		"RegistryPassword":    private.Password,
	}
	parsed, err := template.New("").Option("missingkey=error").ParseFS(manifests, "manifests/coredns.yaml", "manifests/registry.yaml")
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	for _, name := range []string{"coredns.yaml", "registry.yaml"} {
		if err := parsed.ExecuteTemplate(&out, name, values); err != nil {
			return nil, err
		}
		out.WriteString("---\n")
	}
	return out.Bytes(), nil
}

func apply(ctx context.Context, l layout.Layout, kubeconfig string, manifest []byte) error {
	cmd := exec.CommandContext(ctx, l.Bin("kubectl"), "--kubeconfig="+kubeconfig,
		"apply", "--server-side", "--force-conflicts", "--field-manager=affineur-devcluster", "-f", "-")
	cmd.Stdin = bytes.NewReader(manifest)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("kubectl apply: %w\n%s", err, out)
	}
	return nil
}
