package cluster

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"slices"
	"strings"

	"github.com/affineur/affineur/hack/devcluster/internal/claim"
	"github.com/affineur/affineur/hack/devcluster/internal/netpol"
	"github.com/affineur/affineur/hack/devcluster/internal/network"
	"github.com/affineur/affineur/hack/devcluster/internal/supervise"
)

// switchTo replaces or removes the engine. Without one, its rules and its socket go as well.
func (c Cluster) switchTo(ctx context.Context, plan supervise.Plan, mode netpol.Mode) error {
	if err := c.enact(c.withMode(plan, mode)); err != nil {
		return err
	}
	if mode != netpol.Off {
		if err := c.await(ctx, "NetworkPolicy engine", c.engineReady(mode)); err != nil {
			return err
		}
		return c.recordMode(mode)
	}
	if err := c.await(ctx, "NetworkPolicy engine stopped", c.engineGone); err != nil {
		return err
	}
	if err := os.Remove(supervise.HostPath(c.Layout, claim.Socket)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := c.flushRules(ctx); err != nil {
		return err
	}
	return c.recordMode(mode)
}

// withMode exchanges the engine in a running plan. Everything else stays as it was started, even if this
// program would start it differently by now.
func (c Cluster) withMode(plan supervise.Plan, mode netpol.Mode) supervise.Plan {
	changed := slices.DeleteFunc(slices.Clone(plan), func(spec supervise.Spec) bool { return spec.Name == engineName })
	if mode == netpol.Off {
		return changed
	}
	return append(changed, c.engine(mode))
}

// flushRules sets free what was isolated. Adding the table first makes removing it work always.
func (c Cluster) flushRules(ctx context.Context) error {
	out, err := exec.CommandContext(ctx, "nsenter", "--net="+network.Path(c.Layout.Name()),
		"nft", flush(c.Layout.Dual())).CombinedOutput()
	if err != nil {
		return fmt.Errorf("flush policies: %w: %s", err, out)
	}
	return nil
}

func flush(dual bool) string {
	families := []string{"ip"}
	if dual {
		families = append(families, "ip6")
	}
	var out strings.Builder
	for _, family := range families {
		fmt.Fprintf(&out, "add table %s %s; delete table %s %s;", family, netpol.Table, family, netpol.Table)
	}
	return out.String()
}

func (c Cluster) engineGone(ctx context.Context) error {
	if _, err := c.engineMode(ctx); err == nil {
		return errors.New("it still answers")
	}
	return nil
}
