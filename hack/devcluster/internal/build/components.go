// Package build makes the cluster's programs from their Go modules, once per version.
package build

import (
	"path/filepath"

	"github.com/affineur/affineur/hack/devcluster/internal/layout"
)

const (
	kubernetesVersion = "v1.36.3"
	containerdVersion = "2.3.7"
	traefikVersion    = "v3.6.12"
)

// Component is one program to build.
type Component struct {
	// Name is the file name in the folder of binaries.
	Name string
	// Module is the folder of the Go module to build in, relative to this program's.
	Module string
	// Package is what to build.
	Package string
	Tags    string
	LDFlags string
}

// All lists every component, those first that other work waits for.
func All() []Component {
	components := EnvTest()
	for _, name := range []string{"kube-controller-manager", "kube-scheduler", "kubelet", "kube-proxy"} {
		components = append(components, kubernetes(name))
	}
	for _, name := range []string{"containerd", "containerd-shim-runc-v2", "ctr"} {
		components = append(components, containerd(name))
	}
	return append(components,
		Component{Name: "coredns", Module: "build/coredns", Package: ".", LDFlags: stripped},
		own("pause", "./cmd/pause"),
		own("registry", "./cmd/registry"),
		own("netpol-wait", "./cmd/netpol-wait"),
		own("devcluster", "."),
	)
}

// EnvTest lists what controller-runtime's envtest needs of an API server.
func EnvTest() []Component {
	return []Component{
		{Name: "etcd", Module: "build/etcd", Package: "go.etcd.io/etcd/server/v3", LDFlags: stripped},
		kubernetes("kube-apiserver"),
		kubernetes("kubectl"),
	}
}

// Gateway lists what the end-to-end tests need of a Gateway API. No cluster needs it to start.
func Gateway() []Component {
	const version = "github.com/traefik/traefik/v3/pkg/version"
	return []Component{{
		Name: "traefik", Module: "build/traefik", Package: "github.com/traefik/traefik/v3/cmd/traefik",
		LDFlags: stripped + " -X " + version + ".Version=" + traefikVersion,
	}}
}

const stripped = "-s -w"

// kubernetes stamps the version into the program: an unstamped server reports v0.0.0-master, and clients
// that look at the version misbehave.
func kubernetes(name string) Component {
	const version = "k8s.io/component-base/version"
	return Component{
		Name:    name,
		Module:  "build/kubernetes",
		Package: "k8s.io/kubernetes/cmd/" + name,
		LDFlags: stripped +
			" -X " + version + ".gitVersion=" + kubernetesVersion +
			" -X " + version + ".gitMajor=1 -X " + version + ".gitMinor=36" +
			" -X " + version + ".gitTreeState=clean" +
			" -X k8s.io/client-go/pkg/version.gitVersion=" + kubernetesVersion,
	}
}

func containerd(name string) Component {
	return Component{
		Name:    name,
		Module:  "build/containerd",
		Package: "github.com/containerd/containerd/v2/cmd/" + name,
		// The snapshotters left out need C headers or kernel modules.
		Tags:    "no_btrfs,no_devmapper,no_zfs",
		LDFlags: stripped + " -X github.com/containerd/containerd/v2/version.Version=" + containerdVersion,
	}
}

func own(name, pkg string) Component {
	return Component{Name: name, Module: ".", Package: pkg, LDFlags: stripped}
}

func (c Component) dir(l layout.Layout) string { return filepath.Join(l.Source(), c.Module) }

// arguments of `go build`, writing to output.
func (c Component) arguments(output string) []string {
	args := []string{"build", "-buildvcs=false", "-ldflags", c.LDFlags}
	if c.Tags != "" {
		args = append(args, "-tags", c.Tags)
	}
	return append(args, "-o", output, c.Package)
}
