package cluster

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"time"

	"github.com/affineur/affineur/hack/devcluster/internal/addons"
	"github.com/affineur/affineur/hack/devcluster/internal/build"
	"github.com/affineur/affineur/hack/devcluster/internal/cgroup"
	"github.com/affineur/affineur/hack/devcluster/internal/controlplane"
	"github.com/affineur/affineur/hack/devcluster/internal/images"
	"github.com/affineur/affineur/hack/devcluster/internal/netpol"
	"github.com/affineur/affineur/hack/devcluster/internal/network"
	"github.com/affineur/affineur/hack/devcluster/internal/node"
	"github.com/affineur/affineur/hack/devcluster/internal/packages"
	"github.com/affineur/affineur/hack/devcluster/internal/registry"
	"github.com/affineur/affineur/hack/devcluster/internal/supervise"
)

// registryUser may use the private part of the registry.
const registryUser = "puller"

// Up builds what is missing and sees to it that the cluster runs in the given mode. Without one a running
// cluster keeps its own, and a new one enforces.
func (c Cluster) Up(ctx context.Context, mode netpol.Mode) error {
	// What can fail at once comes before a build that takes minutes.
	err := packages.Ensure(ctx, c.Out)
	if os.Geteuid() != 0 {
		return errors.Join(errors.New("the cluster needs root: it makes namespaces, control groups and containers"), err)
	}
	if err != nil {
		return err
	}
	if err := (build.Builder{Layout: c.Layout, Out: c.Out}).Ensure(ctx, build.All()); err != nil {
		return err
	}
	supervisor, err := c.supervisor()
	if err != nil {
		return err
	}
	if supervisor.Alive() && c.finished() {
		if c.Family != "" && c.Layout.Dual() != (c.Family == "dual") {
			return errors.New("the cluster that is up has other families of addresses: take it down first")
		}
		return c.refresh(ctx, mode)
	}
	// Whatever a killed or interrupted run left behind goes first.
	if err := c.clean(); err != nil {
		return err
	}
	if err := c.start(ctx, cmp.Or(mode, netpol.On)); err != nil {
		return errors.Join(err, c.abandon())
	}
	return nil
}

// finished tells whether the last start came to its end.
func (c Cluster) finished() bool {
	_, err := os.Stat(c.Layout.Env())
	return err == nil
}

// abandon stops a start that failed, and keeps the logs.
func (c Cluster) abandon() error {
	fmt.Fprintf(c.Out, "stopping what was started; the logs stay in %s\n", c.Layout.Logs())
	return c.stop()
}

func (c Cluster) start(ctx context.Context, mode netpol.Mode) error {
	begin := time.Now()
	p, private, err := c.prepare()
	if err != nil {
		return err
	}
	if err := c.startControlPlane(ctx); err != nil {
		return err
	}
	if err := c.startNode(ctx, mode); err != nil {
		return err
	}
	if err := addons.Apply(ctx, c.Layout, private); err != nil {
		return err
	}
	if err := c.awaitAll(ctx); err != nil {
		return err
	}
	if err := c.publish(p, private, mode); err != nil {
		return err
	}
	fmt.Fprintf(c.Out, "cluster %s is up after %s, NetworkPolicies %s\n", c.Layout.Name(), time.Since(begin).Round(100*time.Millisecond), mode)
	return nil
}

// prepare makes everything that the processes find when they start, and starts their supervisor.
func (c Cluster) prepare() (ports, registry.Credentials, error) {
	private := registry.Credentials{User: registryUser, Password: rand.Text()}
	for _, dir := range []string{c.Layout.Run(), c.Layout.Logs()} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return ports{}, private, err
		}
	}
	if c.Family == "dual" {
		if err := c.Layout.SetDual(); err != nil {
			return ports{}, private, err
		}
	}
	p, listeners, err := c.openListeners()
	if err != nil {
		return p, private, err
	}
	defer func() {
		for _, listener := range listeners {
			listener.Close()
		}
	}()
	if err := controlplane.WriteIdentities(c.Layout, p.APIServer); err != nil {
		return p, private, err
	}
	if err := node.WriteConfiguration(c.Layout); err != nil {
		return p, private, err
	}
	if err := c.makeRegistryFolder(); err != nil {
		return p, private, err
	}
	if err := network.Up(c.Layout); err != nil {
		return p, private, err
	}
	if err := cgroup.Create(c.Layout); err != nil {
		return p, private, err
	}
	if err := c.controlPlane().Save(c.Layout); err != nil {
		return p, private, err
	}
	return p, private, c.startSupervisor(listeners)
}

func (c Cluster) makeRegistryFolder() error {
	dir := supervise.HostPath(c.Layout, addons.RegistryFolder)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	return os.Chown(dir, images.UserID, images.UserID)
}

func (c Cluster) startControlPlane(ctx context.Context) error {
	archive := c.Layout.Run("images.tar")
	if err := images.Archive(c.Layout, archive); err != nil {
		return err
	}
	if err := c.await(ctx, "containerd", c.containerdReady); err != nil {
		return err
	}
	imported := make(chan error, 1)
	go func() { imported <- c.importImages(ctx, archive) }()
	breakGlass, err := client(controlplane.BreakGlassKubeconfig(c.Layout))
	if err != nil {
		return err
	}
	if err := c.await(ctx, "API server", apiReady(breakGlass)); err != nil {
		return err
	}
	if err := addons.ApplyRoles(ctx, c.Layout); err != nil {
		return err
	}
	return <-imported
}

func (c Cluster) importImages(ctx context.Context, archive string) error {
	supervisor, err := c.supervisor()
	if err != nil {
		return err
	}
	out, err := exec.CommandContext(ctx, "nsenter", fmt.Sprintf("--target=%d", supervisor.PID), "--mount", "--net",
		c.Layout.Bin("ctr"), "--namespace=k8s.io", "images", "import", archive).CombinedOutput()
	if err != nil {
		return fmt.Errorf("import images: %w\n%s", err, out)
	}
	return os.Remove(archive)
}

func (c Cluster) startNode(ctx context.Context, mode netpol.Mode) error {
	if err := c.enact(c.policyEngine(mode)); err != nil {
		return err
	}
	if mode != netpol.Off {
		if err := c.await(ctx, "NetworkPolicy engine", c.engineReady(mode)); err != nil {
			return err
		}
	}
	return c.enact(c.complete(mode))
}

func (c Cluster) awaitAll(ctx context.Context) error {
	admin, err := client(controlplane.AdminKubeconfig(c.Layout))
	if err != nil {
		return err
	}
	for _, step := range []struct {
		what  string
		ready func(context.Context) error
	}{
		{"API server", apiReady(admin)},
		{"node", nodeReady(admin)},
		{"cluster DNS", deploymentReady(admin, "kube-system", "coredns")},
		{"registry", deploymentReady(admin, "registry", "registry")},
	} {
		if err := c.await(ctx, step.what, step.ready); err != nil {
			return err
		}
	}
	return nil
}

// refresh makes a running cluster enforce as asked, and waits until all of it is well.
func (c Cluster) refresh(ctx context.Context, mode netpol.Mode) error {
	plan, err := supervise.LoadPlan(c.Layout)
	if err != nil {
		return err
	}
	running := modeOf(plan)
	mode = cmp.Or(mode, running)
	if running != mode {
		fmt.Fprintf(c.Out, "NetworkPolicies: from %s to %s\n", running, mode)
		if err := c.switchTo(ctx, plan, mode); err != nil {
			return err
		}
	}
	if err := c.awaitAll(ctx); err != nil {
		return err
	}
	fmt.Fprintf(c.Out, "cluster %s is up, NetworkPolicies %s\n", c.Layout.Name(), mode)
	return nil
}
