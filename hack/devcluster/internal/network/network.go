// Package network makes and removes the network namespaces in which a cluster lives: the node's, and that
// of a host beyond it. Nothing touches the machine's own network or firewall.
package network

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/affineur/affineur/hack/devcluster/internal/layout"
)

// Path of a named network namespace, as iproute2 keeps it.
func Path(name string) string { return filepath.Join("/run/netns", name) }

// Up makes both namespaces and the link between them.
func Up(l layout.Layout) error {
	node, outside := l.Name(), l.OutsideName()
	steps := [][]string{
		{"netns", "add", node},
		{"-n", node, "link", "set", "lo", "up"},
		// A bridge without ports is the node's interface: not every kernel has a dummy device.
		{"-n", node, "link", "add", "node0", "type", "bridge"},
		{"-n", node, "address", "add", layout.NodePrefix, "dev", "node0"},
		{"-n", node, "link", "set", "node0", "up"},
		{"-n", node, "route", "add", "default", "dev", "node0"},

		{"netns", "add", outside},
		{"-n", outside, "link", "set", "lo", "up"},
		{"-n", node, "link", "add", "outside0", "type", "veth", "peer", "name", "node0", "netns", outside},
		{"-n", node, "address", "add", layout.OutsideGateway + "/24", "dev", "outside0"},
		{"-n", node, "link", "set", "outside0", "up"},
		{"-n", outside, "address", "add", layout.OutsideIP + "/24", "dev", "node0"},
		{"-n", outside, "address", "add", layout.MetadataIP + "/32", "dev", "lo"},
		{"-n", outside, "link", "set", "node0", "up"},
		// Answers to pods go back through the node: nothing is translated on the way out.
		{"-n", outside, "route", "add", "default", "via", layout.OutsideGateway},
		{"-n", node, "route", "add", layout.MetadataIP + "/32", "via", layout.OutsideIP},
	}
	if l.Dual() {
		steps = append(steps,
			[]string{"-n", node, "-6", "address", "add", layout.NodePrefixv6, "dev", "node0", "nodad"},
			[]string{"-n", node, "-6", "route", "add", "default", "dev", "node0"})
	}
	for _, step := range steps {
		if err := ip(step...); err != nil {
			return err
		}
	}
	return forwardPackets(node, l.Dual())
}

// forwardPackets lets the node route between its pods and beyond.
func forwardPackets(namespace string, dual bool) error {
	command := "echo 1 >/proc/sys/net/ipv4/ip_forward"
	if dual {
		command += " && echo 1 >/proc/sys/net/ipv6/conf/all/forwarding"
	}
	out, err := exec.Command("nsenter", "--net="+Path(namespace), "sh", "-c", command).CombinedOutput()
	if err != nil {
		return fmt.Errorf("enable forwarding: %w: %s", err, bytes.TrimSpace(out))
	}
	return nil
}

// Down removes both namespaces with everything in them. What is not there is fine.
func Down(l layout.Layout) error {
	var failures []error
	for _, name := range []string{l.Name(), l.OutsideName()} {
		if _, err := os.Lstat(Path(name)); err != nil {
			continue
		}
		if err := ip("netns", "delete", name); err != nil {
			failures = append(failures, err)
		}
	}
	return errors.Join(append(failures, removeEmptyFolder())...)
}

// removeEmptyFolder takes back iproute2's folder of namespaces, which it mounts onto itself, when nobody
// uses it any more.
func removeEmptyFolder() error {
	entries, err := os.ReadDir(Path(""))
	if err != nil || len(entries) > 0 {
		return nil // not there, or in use
	}
	if err := unix.Unmount(Path(""), 0); err != nil && !errors.Is(err, unix.EINVAL) {
		return fmt.Errorf("unmount %s: %w", Path(""), err)
	}
	return os.Remove(Path(""))
}

// Present tells whether the node's namespace exists.
func Present(l layout.Layout) bool {
	_, err := os.Stat(Path(l.Name()))
	return err == nil
}

func ip(args ...string) error {
	out, err := exec.Command("ip", args...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("ip %s: %w: %s", strings.Join(args, " "), err, bytes.TrimSpace(out))
	}
	return nil
}
