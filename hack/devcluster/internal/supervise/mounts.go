package supervise

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/affineur/affineur/hack/devcluster/internal/layout"
)

// hidden are the folders that the node sees a private version of. containerd, its shims, the kubelet and
// the CNI library have paths under them that no setting moves; two clusters would meet there, and a killed
// one would leave its files.
var hidden = []string{"/run", "/var/lib", "/var/log"}

// kernelSettings are what the kubelet wants of the whole machine. It is shown them in a file of its own,
// reads that all is well, and the machine's settings stay as they are.
var kernelSettings = map[string]string{
	"vm/overcommit_memory":      "1",
	"vm/panic_on_oom":           "0",
	"kernel/panic":              "10",
	"kernel/panic_on_oops":      "1",
	"kernel/keys/root_maxkeys":  "1000000",
	"kernel/keys/root_maxbytes": "25000000",
}

// private is where the node's version of a hidden folder really is.
func private(l layout.Layout, folder string) string {
	return l.Run("host", strings.ReplaceAll(strings.Trim(folder, "/"), "/", "-"))
}

// HostPath translates a path as the node sees it to where it is on the machine.
func HostPath(l layout.Layout, path string) string {
	for _, folder := range hidden {
		if relative, below := under(path, folder); below {
			return filepath.Join(private(l, folder), relative)
		}
	}
	return path
}

// Dial connects to a socket of the node from the machine. Through the folder's descriptor, because the path
// to the folder may be longer than a socket's address can be.
func Dial(ctx context.Context, l layout.Layout, socket string) (net.Conn, error) {
	path := HostPath(l, socket)
	folder, err := os.Open(filepath.Dir(path))
	if err != nil {
		return nil, err
	}
	defer folder.Close()
	short := fmt.Sprintf("/proc/self/fd/%d/%s", folder.Fd(), filepath.Base(path))
	return (&net.Dialer{}).DialContext(ctx, "unix", short)
}

// mount sets up what the node sees. It must run in a fresh mount namespace.
func mount(l layout.Layout) error {
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("make mounts private: %w", err)
	}
	for _, folder := range hidden {
		if err := hide(l, folder); err != nil {
			return err
		}
	}
	if err := unix.Mount("proc", "/proc", "proc", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, ""); err != nil {
		return fmt.Errorf("mount /proc of the PID namespace: %w", err)
	}
	return showKernelSettings(l)
}

// hide puts the private version over folder. A repository beneath it stays visible where it was.
func hide(l layout.Layout, folder string) error {
	source := private(l, folder)
	if err := os.MkdirAll(source, 0o755); err != nil {
		return err
	}
	if relative, below := under(l.Base(), folder); below {
		kept := filepath.Join(source, relative)
		if err := os.MkdirAll(kept, 0o755); err != nil {
			return err
		}
		if err := unix.Mount(l.Base(), kept, "", unix.MS_BIND, ""); err != nil {
			return fmt.Errorf("keep %s visible: %w", l.Base(), err)
		}
	}
	if err := unix.Mount(source, folder, "", unix.MS_BIND|unix.MS_REC, ""); err != nil {
		return fmt.Errorf("hide %s: %w", folder, err)
	}
	return nil
}

func under(path, folder string) (relative string, below bool) {
	if path == folder {
		return "", true
	}
	return strings.CutPrefix(path, folder+"/")
}

func showKernelSettings(l layout.Layout) error {
	for name, value := range kernelSettings {
		target := filepath.Join("/proc/sys", name)
		if _, err := os.Stat(target); err != nil {
			continue // a kernel without it
		}
		source := l.Run("sysctl", strings.ReplaceAll(name, "/", "."))
		if err := os.MkdirAll(filepath.Dir(source), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(source, []byte(value+"\n"), 0o644); err != nil {
			return err
		}
		if err := unix.Mount(source, target, "", unix.MS_BIND, ""); err != nil {
			return fmt.Errorf("show %s: %w", name, err)
		}
	}
	return nil
}
