package supervise

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/affineur/affineur/hack/devcluster/internal/layout"
)

func TestHostPath(t *testing.T) {
	l := layout.Layout{Root: "/repo"}
	for path, want := range map[string]string{
		"/run/containerd/containerd.sock": "/repo/.cluster/run/host/run/containerd/containerd.sock",
		"/var/lib/registry":               "/repo/.cluster/run/host/var-lib/registry",
		"/var/log":                        "/repo/.cluster/run/host/var-log",
		"/var/library":                    "/var/library",
		"/etc/hosts":                      "/etc/hosts",
	} {
		if got := HostPath(l, path); got != want {
			t.Errorf("%s is at %s, want %s", path, got, want)
		}
	}
}

func TestSocketsAreReachedHoweverLongTheirPath(t *testing.T) {
	l := layout.Layout{Root: filepath.Join(t.TempDir(), strings.Repeat("long/", 30))}
	path := HostPath(l, "/run/x.sock")
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Chdir(filepath.Dir(path))
	listener, err := net.Listen("unix", "x.sock")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	conn, err := Dial(t.Context(), l, "/run/x.sock")
	if err != nil {
		t.Fatal(err)
	}
	conn.Close()
}

func TestPlans(t *testing.T) {
	l := layout.Layout{Root: t.TempDir()}
	if err := os.MkdirAll(l.Run(), 0o755); err != nil {
		t.Fatal(err)
	}
	plan := Plan{
		{Name: "a", Path: "/a", Args: []string{"x"}, Network: Node},
		{Name: "b", Path: "/b", Network: Outside, Listeners: true},
	}
	if err := plan.Save(l); err != nil {
		t.Fatal(err)
	}
	loaded, err := LoadPlan(l)
	if err != nil {
		t.Fatal(err)
	}
	for i := range plan {
		if !loaded[i].equal(plan[i]) {
			t.Errorf("saved %+v, loaded %+v", plan[i], loaded[i])
		}
	}
	changed := plan[0]
	changed.Args = []string{"y"}
	if changed.equal(plan[0]) {
		t.Error("other arguments count as the same process")
	}
}
