package cluster

import (
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/affineur/affineur/hack/devcluster/internal/cgroup"
	"github.com/affineur/affineur/hack/devcluster/internal/network"
)

// endTimeout is how long ending everything may take on a busy machine.
const endTimeout = 30 * time.Second

// Down ends the cluster and removes what it left anywhere, except for the built programs. It finds its way
// from any state: running, half started, killed, or from before a reboot.
func (c Cluster) Down() error {
	if err := c.clean(); err != nil {
		return err
	}
	fmt.Fprintf(c.Out, "cluster %s is down\n", c.Layout.Name())
	return nil
}

func (c Cluster) clean() error {
	if err := c.stop(); err != nil {
		return err
	}
	for _, path := range []string{c.Layout.Logs(), c.Layout.Kubeconfig()} {
		if err := os.RemoveAll(path); err != nil {
			return err
		}
	}
	return nil
}

// Purge is Down, and removes the built programs too.
func (c Cluster) Purge() error {
	if err := c.Down(); err != nil {
		return err
	}
	return os.RemoveAll(c.Layout.Base())
}

// stop ends every process and removes the state. With the supervisor, the first process of the cluster's
// PID namespace, the kernel ends all others at once: the API server cannot linger for want of its etcd,
// and no container survives its shim. The mounts go with the last of them.
func (c Cluster) stop() error {
	// From here on the cluster does not count as up, whatever interrupts this.
	if err := os.RemoveAll(c.Layout.Env()); err != nil {
		return err
	}
	supervisor, err := c.supervisor()
	if err != nil {
		return err
	}
	if err := supervisor.Kill(endTimeout); err != nil {
		return fmt.Errorf("end the cluster's processes: %w", err)
	}
	return errors.Join(
		cgroup.Remove(c.Layout, endTimeout),
		network.Down(c.Layout),
		os.RemoveAll(c.Layout.Run()),
	)
}
