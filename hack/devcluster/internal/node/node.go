// Package node says how the cluster's one node runs: containerd with runc, the kubelet, kube-proxy and the
// pod network. Paths are as the node sees them; see package supervise.
package node

import (
	"bytes"
	"embed"
	"os"
	"path/filepath"
	"text/template"

	"github.com/affineur/affineur/hack/devcluster/internal/cgroup"
	"github.com/affineur/affineur/hack/devcluster/internal/controlplane"
	"github.com/affineur/affineur/hack/devcluster/internal/images"
	"github.com/affineur/affineur/hack/devcluster/internal/layout"
	"github.com/affineur/affineur/hack/devcluster/internal/supervise"
)

// ContainerdSocket is where containerd listens, as the node sees it.
const ContainerdSocket = "/run/containerd/containerd.sock"

//go:embed templates
var templates embed.FS

type settings struct {
	Bin, CNIConfig, Certs, CA    string
	ServerCert, ServerKey        string
	PauseImage, ContainerdSocket string
	PodCIDR, PodCIDRv6           string
	DNS, CgroupRoot              string
	RegistryAddress              string
	UnifiedCgroup                bool
}

// WriteConfiguration writes what containerd, the kubelet and the pod network read.
func WriteConfiguration(l layout.Layout) error {
	s := settings{
		Bin:              filepath.Dir(l.Bin("x")),
		CNIConfig:        l.Run("cni"),
		Certs:            l.Run("certs.d"),
		CA:               l.PKI("ca.crt"),
		ServerCert:       l.PKI(controlplane.Kubelet + ".crt"),
		ServerKey:        l.PKI(controlplane.Kubelet + ".key"),
		PauseImage:       images.Name("pause"),
		ContainerdSocket: ContainerdSocket,
		PodCIDR:          layout.PodCIDR,
		DNS:              layout.DNSIP,
		CgroupRoot:       l.CgroupRoot(),
		RegistryAddress:  layout.RegistryIP,
		UnifiedCgroup:    cgroup.Unified(),
	}
	if l.Dual() {
		s.PodCIDRv6 = layout.PodCIDRv6
	}
	for name, path := range map[string]string{
		"containerd.toml.tmpl": l.Run("containerd.toml"),
		"kubelet.yaml.tmpl":    l.Run("kubelet.yaml"),
		"pods.conflist.tmpl":   l.Run("cni", "10-pods.conflist"),
		"hosts.toml.tmpl":      l.Run("certs.d", layout.RegistryHost, "hosts.toml"),
	} {
		if err := render(name, path, s); err != nil {
			return err
		}
	}
	return nil
}

func render(name, path string, s settings) error {
	parsed, err := template.ParseFS(templates, "templates/"+name)
	if err != nil {
		return err
	}
	var out bytes.Buffer
	if err := parsed.Execute(&out, s); err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	return os.WriteFile(path, out.Bytes(), 0o644)
}

// Containerd runs the containers.
func Containerd(l layout.Layout) supervise.Spec {
	return supervise.Spec{
		Name: "containerd", Path: l.Bin("containerd"), Network: supervise.Node,
		Args: []string{"--config", l.Run("containerd.toml")},
	}
}

// Kubelet runs the pods. It starts only when containerd answers, as it does not wait for it.
func Kubelet(l layout.Layout) supervise.Spec {
	return supervise.Spec{
		Name: "kubelet", Path: l.Bin("kubelet"), Network: supervise.Node,
		Args: []string{
			"--config=" + l.Run("kubelet.yaml"),
			"--kubeconfig=" + controlplane.KubeconfigOf(l, controlplane.Kubelet),
			"--hostname-override=" + layout.NodeName,
			"--node-ip=" + l.Families(layout.NodeIP, layout.NodeIPv6),
		},
	}
}

// Proxy makes services reachable. It leaves the connection tracking table's size, which is the whole
// machine's, as it is.
func Proxy(l layout.Layout) supervise.Spec {
	return supervise.Spec{
		Name: "kube-proxy", Path: l.Bin("kube-proxy"), Network: supervise.Node,
		Args: []string{
			"--kubeconfig=" + controlplane.KubeconfigOf(l, controlplane.Proxy),
			"--proxy-mode=nftables",
			"--hostname-override=" + layout.NodeName,
			"--cluster-cidr=" + l.Families(layout.PodCIDR, layout.PodCIDRv6),
			"--conntrack-max-per-core=0",
			"--nodeport-addresses=primary",
		},
	}
}
