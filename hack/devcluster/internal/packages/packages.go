// Package packages sees to the programs that the cluster takes from the operating system.
package packages

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
)

// requirement is a program, any one of whose paths will do, and the Debian package that brings it.
type requirement struct {
	anyOf   []string
	debian  string
	purpose string
}

var requirements = []requirement{
	{[]string{"runc"}, "runc", "runs containers"},
	{[]string{"/usr/lib/cni/ptp", "/opt/cni/bin/ptp"}, "containernetworking-plugins", "joins pods to the network"},
	{[]string{"nft"}, "nftables", "services and NetworkPolicies"},
	{[]string{"conntrack"}, "conntrack", "forgets connections to services that changed"},
	{[]string{"ip"}, "iproute2", "makes network namespaces"},
	{[]string{"nsenter"}, "util-linux", "enters namespaces"},
}

// Ensure installs what is missing. Where it cannot, its error says exactly what to install.
func Ensure(ctx context.Context, out io.Writer) error {
	missing := absent(requirements)
	if len(missing) == 0 {
		return nil
	}
	var names []string
	for _, r := range missing {
		names = append(names, r.debian)
	}
	wanted := strings.Join(names, " ")
	if _, err := exec.LookPath("apt-get"); err != nil || os.Geteuid() != 0 {
		return fmt.Errorf("missing from this machine: %s\nInstall them as root (Debian: apt-get install --no-install-recommends %s)", describe(missing), wanted)
	}
	fmt.Fprintf(out, "installing Debian packages: %s\n", wanted)
	if err := apt(ctx, names); err != nil {
		return fmt.Errorf("install %s: %w", wanted, err)
	}
	if still := absent(requirements); len(still) > 0 {
		return fmt.Errorf("installed, but still missing: %s", describe(still))
	}
	return nil
}

func absent(all []requirement) []requirement {
	return slices.DeleteFunc(slices.Clone(all), func(r requirement) bool {
		return slices.ContainsFunc(r.anyOf, present)
	})
}

func present(program string) bool {
	_, err := exec.LookPath(program)
	return err == nil
}

func describe(missing []requirement) string {
	var parts []string
	for _, r := range missing {
		parts = append(parts, fmt.Sprintf("%s (%s)", r.debian, r.purpose))
	}
	return strings.Join(parts, ", ")
}

// apt tries with the package lists at hand, and fetches new ones when these do not do.
func apt(ctx context.Context, names []string) error {
	install := append([]string{"install", "-y", "--no-install-recommends"}, names...)
	if err := aptGet(ctx, install...); err == nil {
		return nil
	}
	if err := aptGet(ctx, "update"); err != nil {
		return err
	}
	return aptGet(ctx, install...)
}

func aptGet(ctx context.Context, args ...string) error {
	cmd := exec.CommandContext(ctx, "apt-get", append([]string{"-q"}, args...)...)
	cmd.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive")
	out, err := cmd.CombinedOutput()
	if err != nil {
		return fmt.Errorf("apt-get %s: %w\n%s", args[0], err, out)
	}
	return nil
}
