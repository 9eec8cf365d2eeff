// Package cluster brings a whole development cluster up and down.
package cluster

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/affineur/affineur/hack/devcluster/internal/controlplane"
	"github.com/affineur/affineur/hack/devcluster/internal/layout"
	"github.com/affineur/affineur/hack/devcluster/internal/netpol"
	"github.com/affineur/affineur/hack/devcluster/internal/node"
	"github.com/affineur/affineur/hack/devcluster/internal/process"
	"github.com/affineur/affineur/hack/devcluster/internal/supervise"
)

// Cluster is the one development cluster of a repository.
type Cluster struct {
	Layout layout.Layout
	// Family is "dual" for a cluster with IPv6 beside IPv4, "single" for one without, and empty for whatever runs.
	Family string
	// Out receives the progress.
	Out io.Writer
}

// Lock keeps a second invocation on the same repository out until release is called.
func (c Cluster) Lock() (release func(), err error) {
	if err := os.MkdirAll(c.Layout.Base(), 0o755); err != nil {
		return nil, err
	}
	file, err := os.Open(c.Layout.Base())
	if err != nil {
		return nil, err
	}
	fd := int(file.Fd())
	if err := unix.Flock(fd, unix.LOCK_EX|unix.LOCK_NB); errors.Is(err, unix.EWOULDBLOCK) {
		fmt.Fprintln(c.Out, "waiting for another devcluster command on this repository")
		err = unix.Flock(fd, unix.LOCK_EX)
		if err != nil {
			return nil, errors.Join(err, file.Close())
		}
	} else if err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return func() { file.Close() }, nil
}

func (c Cluster) supervisor() (process.Identity, error) {
	return process.Load(supervise.RecordFile(c.Layout))
}

// plans are the stages of a start: each needs the one before to answer.
func (c Cluster) controlPlane() supervise.Plan {
	l := c.Layout
	return supervise.Plan{
		controlplane.Etcd(l),
		controlplane.APIServer(l),
		node.Containerd(l),
		c.forwarder(),
		c.own("outside", supervise.Outside),
	}
}

// policyEngine is in force before the first pod starts.
func (c Cluster) policyEngine(mode netpol.Mode) supervise.Plan {
	l := c.Layout
	plan := append(c.controlPlane(), controlplane.ControllerManager(l), controlplane.Scheduler(l))
	if mode == netpol.Off {
		return plan
	}
	return append(plan, c.engine(mode))
}

func (c Cluster) complete(mode netpol.Mode) supervise.Plan {
	return append(c.policyEngine(mode), node.Kubelet(c.Layout), node.Proxy(c.Layout))
}

const (
	engineName = "netpol"
	modeFlag   = "--mode="
)

func (c Cluster) engine(mode netpol.Mode) supervise.Spec {
	return c.own(engineName, supervise.Node, modeFlag+string(mode))
}

// modeOf reads from a plan which policy engine it has.
func modeOf(plan supervise.Plan) netpol.Mode {
	for _, spec := range plan {
		for _, arg := range spec.Args {
			if mode, found := strings.CutPrefix(arg, modeFlag); found && spec.Name == engineName {
				return netpol.Mode(mode)
			}
		}
	}
	return netpol.Off
}

func (c Cluster) forwarder() supervise.Spec {
	spec := c.own("forward", supervise.Node,
		fmt.Sprintf("%s:%d", layout.NodeIP, layout.APIServerPort),
		fmt.Sprintf("%s:%d", layout.RegistryIP, layout.RegistryPort))
	spec.Listeners = true
	return spec
}

// own is a process of this very program.
func (c Cluster) own(name string, network supervise.Network, args ...string) supervise.Spec {
	return supervise.Spec{
		Name: name, Path: c.Layout.Bin("devcluster"), Network: network,
		Args: slices.Concat([]string{name, "--root=" + c.Layout.Root}, args),
	}
}

// enact saves the plan and has the supervisor read it.
func (c Cluster) enact(plan supervise.Plan) error {
	if err := plan.Save(c.Layout); err != nil {
		return err
	}
	supervisor, err := c.supervisor()
	if err != nil {
		return err
	}
	if err := supervisor.Signal(syscall.SIGHUP); err != nil {
		return fmt.Errorf("supervisor: %w (see %s)", err, filepath.Join(c.Layout.Logs(), "supervisor.log"))
	}
	return nil
}
