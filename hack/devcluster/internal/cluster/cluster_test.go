package cluster

import (
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/affineur/affineur/hack/devcluster/internal/layout"
	"github.com/affineur/affineur/hack/devcluster/internal/netpol"
	"github.com/affineur/affineur/hack/devcluster/internal/registry"
)

func testCluster(t *testing.T) Cluster {
	t.Helper()
	c := Cluster{Layout: layout.Layout{Root: t.TempDir()}, Out: io.Discard}
	if err := os.MkdirAll(c.Layout.Base(), 0o755); err != nil {
		t.Fatal(err)
	}
	return c
}

func TestPlansGrowAndTellTheirMode(t *testing.T) {
	c := testCluster(t)
	for _, mode := range []netpol.Mode{netpol.On, netpol.Ingress, netpol.Off} {
		first, second, third := c.controlPlane().Names(), c.policyEngine(mode).Names(), c.complete(mode).Names()
		for _, name := range first {
			if !slices.Contains(second, name) {
				t.Errorf("the second stage stops %s", name)
			}
		}
		for _, name := range second {
			if !slices.Contains(third, name) {
				t.Errorf("the third stage stops %s", name)
			}
		}
		if slices.Contains(second, "kubelet") {
			t.Error("pods could start before the policy engine")
		}
		if slices.Contains(third, "netpol") != (mode != netpol.Off) {
			t.Errorf("mode %s: %v", mode, third)
		}
		if got := modeOf(c.complete(mode)); got != mode {
			t.Errorf("plan of mode %s tells mode %s", mode, got)
		}
	}
}

func TestSwitchingTheModeLeavesTheRestAlone(t *testing.T) {
	c := testCluster(t)
	running := c.complete(netpol.On)
	running[0].Args = append(running[0].Args, "--of-an-older-version")
	for _, mode := range []netpol.Mode{netpol.Off, netpol.Ingress, netpol.On} {
		switched := c.withMode(running, mode)
		if got := modeOf(switched); got != mode {
			t.Errorf("switched to %s, got %s", mode, got)
		}
		if !slices.Equal(switched[0].Args, running[0].Args) {
			t.Errorf("mode %s restarts %s", mode, switched[0].Name)
		}
	}
}

func TestEnvironmentIsForAShell(t *testing.T) {
	l := layout.Layout{Root: "/a place/it's"}
	private := registry.Credentials{User: "puller", Password: "p$w d"}
	file := filepath.Join(t.TempDir(), "env")
	if err := os.WriteFile(file, environment(l, ports{Registry: 4711}, private, netpol.On), 0o600); err != nil {
		t.Fatal(err)
	}
	script := `. "$1"; echo "$KUBECONFIG|$REGISTRY_PUSH|$REGISTRY_PRIVATE_PASSWORD|$NETPOL"`
	out, err := exec.Command("sh", "-c", script, "sh", file).Output()
	if err != nil {
		t.Fatal(err)
	}
	if want := "/a place/it's/.cluster/kubeconfig|127.0.0.1:4711|p$w d|on\n"; string(out) != want {
		t.Errorf("the shell reads %q, want %q", out, want)
	}
}

func TestRecordModeChangesOneLine(t *testing.T) {
	c := testCluster(t)
	before := environment(c.Layout, ports{}, registry.Credentials{User: "u", Password: "p"}, netpol.On)
	if err := os.WriteFile(c.Layout.Env(), before, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := c.recordMode(netpol.Off); err != nil {
		t.Fatal(err)
	}
	after, err := os.ReadFile(c.Layout.Env())
	if err != nil {
		t.Fatal(err)
	}
	if want := strings.Replace(string(before), "NETPOL=on", "NETPOL=off", 1); string(after) != want {
		t.Errorf("environment %s, want %s", after, want)
	}
}

func TestPortsStayOverRestarts(t *testing.T) {
	c := testCluster(t)
	open := func() (ports, func()) {
		p, files, err := c.openListeners()
		if err != nil {
			t.Fatal(err)
		}
		return p, func() {
			for _, file := range files {
				file.Close()
			}
		}
	}
	first, shut := open()
	elsewhere, shutElsewhere := open() // the first are taken now
	shut()
	shutElsewhere()
	if first.APIServer == elsewhere.APIServer || first.Registry == elsewhere.Registry {
		t.Errorf("taken ports were chosen again: %v, %v", first, elsewhere)
	}
	again, shut := open()
	defer shut()
	if again != elsewhere {
		t.Errorf("ports %v, last time %v", again, elsewhere)
	}
}

func TestStatusOfNothingIsDown(t *testing.T) {
	if err := testCluster(t).Status(); !errors.Is(err, ErrDown) {
		t.Errorf("status: %v", err)
	}
}
