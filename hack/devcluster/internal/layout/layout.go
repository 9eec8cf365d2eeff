// Package layout says where everything of one development cluster lives and what it is called.
// Names derive from the repository's path, so that several clones on one machine never collide.
package layout

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
)

// The addresses of every cluster. They are from the documentation and benchmarking ranges, which route
// nowhere, and exist only inside the cluster's own network namespaces: clones share them without conflict.
const (
	NodeName     = "node1"
	NodeIP       = "192.0.2.10"
	NodePrefix   = "192.0.2.10/24"
	PodCIDR      = "198.51.100.0/24"
	ServiceCIDR  = "203.0.113.0/24"
	APIServiceIP = "203.0.113.1"
	DNSIP        = "203.0.113.10"
	RegistryIP   = "203.0.113.20"

	// The addresses of the second family, where the cluster has one.
	NodeIPv6      = "2001:db8:1::10"
	NodePrefixv6  = "2001:db8:1::10/64"
	PodCIDRv6     = "2001:db8:2::/64"
	ServiceCIDRv6 = "2001:db8:3::/112"

	// OutsideIP is a host beyond the cluster: "the internet" of the egress tests.
	OutsideIP = "198.18.0.10"
	// OutsideGateway is the node's end of the link to OutsideIP.
	OutsideGateway = "198.18.0.1"
	// MetadataIP is the address at which clouds serve credentials to whoever can reach it.
	MetadataIP = "169.254.169.254"

	RegistryPort = 5000
	// RegistryHost is how image references name the in-cluster registry.
	RegistryHost = "registry.registry.svc:5000"

	APIServerPort = 6443
)

// Layout derives every path and name of a cluster from the repository's root.
type Layout struct {
	// Root is the absolute path of the repository.
	Root string
}

// New returns the layout for root, which must be the repository's root or empty, in which case it is
// searched upwards from the working directory.
func New(root string) (Layout, error) {
	if root == "" {
		found, err := findRoot()
		if err != nil {
			return Layout{}, err
		}
		root = found
	}
	abs, err := filepath.Abs(root)
	if err != nil {
		return Layout{}, err
	}
	resolved, err := filepath.EvalSymlinks(abs)
	if err != nil {
		return Layout{}, err
	}
	return Layout{Root: resolved}, nil
}

func findRoot() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for ; ; dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "hack", "devcluster", "go.mod")); err == nil {
			return dir, nil
		}
		if dir == filepath.Dir(dir) {
			return "", fmt.Errorf("no hack/devcluster above the working directory: run inside the repository or give --root")
		}
	}
}

// Name is the cluster's name on this machine: its network namespace and cgroup carry it.
func (l Layout) Name() string {
	sum := sha256.Sum256([]byte(l.Root))
	return "affineur-" + hex.EncodeToString(sum[:4])
}

// OutsideName is the network namespace of the outside world's host.
func (l Layout) OutsideName() string { return l.Name() + "-out" }

// Source is the folder of this module.
func (l Layout) Source() string { return filepath.Join(l.Root, "hack", "devcluster") }

// Base is the folder of everything that the cluster makes.
func (l Layout) Base() string { return filepath.Join(l.Root, ".cluster") }

// Bin holds the built programs.
func (l Layout) Bin(name string) string { return filepath.Join(l.Base(), "bin", name) }

// Run holds the state of the running cluster; it is gone after down.
func (l Layout) Run(elem ...string) string {
	return filepath.Join(append([]string{l.Base(), "run"}, elem...)...)
}

// PKI holds keys and certificates.
func (l Layout) PKI(elem ...string) string {
	return l.Run(append([]string{"pki"}, elem...)...)
}

// Logs holds one log per process.
func (l Layout) Logs(elem ...string) string {
	return filepath.Join(append([]string{l.Base(), "log"}, elem...)...)
}

// Kubeconfig is the cluster admin's, for use from the host.
func (l Layout) Kubeconfig() string { return filepath.Join(l.Base(), "kubeconfig") }

// Env is the shell-sourceable description of the running cluster.
func (l Layout) Env() string { return filepath.Join(l.Base(), "env") }

// Ports records the host ports, so that they stay the same over restarts.
func (l Layout) Ports() string { return filepath.Join(l.Base(), "ports.json") }

// dual marks a cluster that has two families of addresses. It is gone after down.
func (l Layout) dual() string { return l.Run("dual-stack") }

// Dual tells whether the cluster has IPv6 beside IPv4.
func (l Layout) Dual() bool {
	_, err := os.Stat(l.dual())
	return err == nil
}

// SetDual says so, before anything of the cluster is configured.
func (l Layout) SetDual() error { return os.WriteFile(l.dual(), nil, 0o644) }

// Families joins what is of IPv4 with what is of IPv6, where the cluster has both.
func (l Layout) Families(first, second string) string {
	if l.Dual() {
		return first + "," + second
	}
	return first
}

// CgroupRoot is the cgroup, relative to each hierarchy, beneath which everything of the cluster runs.
func (l Layout) CgroupRoot() string { return "/" + l.Name() }
