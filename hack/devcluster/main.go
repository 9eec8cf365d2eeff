// Devcluster runs a real Kubernetes cluster on one machine, in network namespaces, from Go modules and
// Debian packages alone. See docs/devcluster.md.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/affineur/affineur/hack/devcluster/internal/layout"
)

const usage = `usage: devcluster COMMAND [--root=REPOSITORY]

  build [--only=envtest|gateway]    build the cluster's programs, or only those of an API server or a gateway for tests
  up [--netpol=on|off|ingress] [--family=single|dual]
                                    build, start and wait; without effect on what is up already
  down [--purge]                    stop and remove everything; with --purge the built programs too
  status                            tell what runs

The cluster starts these itself: supervise, forward, outside, netpol.`

type command func(ctx context.Context, l layout.Layout, args *arguments) error

var commands = map[string]command{
	"build":     buildCommand,
	"up":        upCommand,
	"down":      downCommand,
	"status":    statusCommand,
	"supervise": superviseCommand,
	"forward":   forwardCommand,
	"outside":   outsideCommand,
	"netpol":    netpolCommand,
}

// arguments are the flags of all commands; each command takes those that it declares.
type arguments struct {
	only   string
	netpol string
	family string
	purge  bool
	mode   string
	rest   []string
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "devcluster:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	if len(args) == 0 {
		return errors.New(usage)
	}
	chosen, known := commands[args[0]]
	if !known {
		return fmt.Errorf("unknown command %q\n%s", args[0], usage)
	}
	parsed, root, err := parse(args[0], args[1:])
	if err != nil {
		return err
	}
	l, err := layout.New(root)
	if err != nil {
		return err
	}
	return chosen(ctx, l, parsed)
}

func parse(name string, args []string) (*arguments, string, error) {
	flags := flag.NewFlagSet(name, flag.ContinueOnError)
	root := flags.String("root", "", "the repository; searched upwards from the working directory")
	parsed := &arguments{}
	switch name {
	case "build":
		flags.StringVar(&parsed.only, "only", "", "envtest: etcd, kube-apiserver and kubectl; gateway: Traefik")
	case "up":
		flags.StringVar(&parsed.netpol, "netpol", "", "what NetworkPolicies do: on, off or ingress; as it is, or on when the cluster is down")
		flags.StringVar(&parsed.family, "family", "", "single (IPv4) or dual (and IPv6); as it is, or single when the cluster is down")
	case "down":
		flags.BoolVar(&parsed.purge, "purge", false, "remove the built programs too")
	case "netpol":
		flags.StringVar(&parsed.mode, "mode", "on", "on or ingress")
	}
	if err := flags.Parse(args); err != nil {
		return nil, "", err
	}
	parsed.rest = flags.Args()
	if len(parsed.rest) > 0 && name != "forward" {
		return nil, "", fmt.Errorf("%s takes no argument %q", name, parsed.rest[0])
	}
	return parsed, *root, nil
}
