package cluster

import (
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/affineur/affineur/hack/devcluster/internal/controlplane"
	"github.com/affineur/affineur/hack/devcluster/internal/layout"
	"github.com/affineur/affineur/hack/devcluster/internal/netpol"
	"github.com/affineur/affineur/hack/devcluster/internal/registry"
)

// publish hands out what others need to use the cluster. The environment file comes last: it marks that
// the start came to its end.
func (c Cluster) publish(p ports, private registry.Credentials, mode netpol.Mode) error {
	kubeconfig, err := os.ReadFile(controlplane.AdminKubeconfig(c.Layout))
	if err != nil {
		return err
	}
	if err := replace(c.Layout.Kubeconfig(), kubeconfig, 0o600); err != nil {
		return err
	}
	return replace(c.Layout.Env(), environment(c.Layout, p, private, mode), 0o600)
}

const modeVariable = "NETPOL="

func environment(l layout.Layout, p ports, private registry.Credentials, mode netpol.Mode) []byte {
	var out strings.Builder
	for _, variable := range [][2]string{
		{"KUBECONFIG", l.Kubeconfig()},
		{"REGISTRY", layout.RegistryHost},
		{"REGISTRY_PUSH", fmt.Sprintf("127.0.0.1:%d", p.Registry)},
		{"REGISTRY_CA", l.PKI("ca.crt")},
		{"REGISTRY_PRIVATE_USER", private.User},
		{"REGISTRY_PRIVATE_PASSWORD", private.Password},
		{"NETNS", l.Name()},
	} {
		fmt.Fprintf(&out, "%s=%s\n", variable[0], quote(variable[1]))
	}
	fmt.Fprintf(&out, "%s%s\n", modeVariable, mode)
	return []byte(out.String())
}

// quote makes a value safe for a shell, and leaves it plain where it is.
func quote(value string) string {
	plain := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("/._-:@%+=,", r)
	}
	if value != "" && strings.IndexFunc(value, func(r rune) bool { return !plain(r) }) < 0 {
		return value
	}
	return "'" + strings.ReplaceAll(value, "'", `'\''`) + "'"
}

// recordMode changes the one line that can change while the cluster runs.
func (c Cluster) recordMode(mode netpol.Mode) error {
	content, err := os.ReadFile(c.Layout.Env())
	if err != nil {
		return err
	}
	lines := slices.DeleteFunc(strings.SplitAfter(string(content), "\n"), func(line string) bool {
		return strings.HasPrefix(line, modeVariable)
	})
	return replace(c.Layout.Env(), []byte(strings.Join(lines, "")+modeVariable+string(mode)+"\n"), 0o600)
}

// replace writes in one step, so that nobody reads half a file.
func replace(path string, content []byte, mode os.FileMode) error {
	if err := os.WriteFile(path+".new", content, mode); err != nil {
		return err
	}
	return os.Rename(path+".new", path)
}
