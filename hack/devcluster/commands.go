package main

import (
	"context"
	"fmt"
	"os"
	"syscall"

	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/affineur/affineur/hack/devcluster/internal/build"
	"github.com/affineur/affineur/hack/devcluster/internal/claim"
	"github.com/affineur/affineur/hack/devcluster/internal/cluster"
	"github.com/affineur/affineur/hack/devcluster/internal/controlplane"
	"github.com/affineur/affineur/hack/devcluster/internal/forward"
	"github.com/affineur/affineur/hack/devcluster/internal/layout"
	"github.com/affineur/affineur/hack/devcluster/internal/netpol"
	"github.com/affineur/affineur/hack/devcluster/internal/outside"
	"github.com/affineur/affineur/hack/devcluster/internal/supervise"
)

func buildCommand(ctx context.Context, l layout.Layout, args *arguments) error {
	components := build.All()
	switch args.only {
	case "":
	case "envtest":
		components = build.EnvTest()
	case "gateway":
		components = build.Gateway()
	default:
		return fmt.Errorf("build only %q: there are envtest and gateway", args.only)
	}
	return locked(l, func(cluster.Cluster) error {
		return build.Builder{Layout: l, Out: os.Stdout}.Ensure(ctx, components)
	})
}

func upCommand(ctx context.Context, l layout.Layout, args *arguments) error {
	mode := netpol.Mode(args.netpol)
	if mode != "" && !mode.Valid() {
		return fmt.Errorf("--netpol=%s: there are on, off and ingress", mode)
	}
	if args.family != "" && args.family != "single" && args.family != "dual" {
		return fmt.Errorf("--family=%s: there are single and dual", args.family)
	}
	return locked(l, func(c cluster.Cluster) error {
		c.Family = args.family
		return c.Up(ctx, mode)
	})
}

func downCommand(_ context.Context, l layout.Layout, args *arguments) error {
	return locked(l, func(c cluster.Cluster) error {
		if args.purge {
			return c.Purge()
		}
		return c.Down()
	})
}

func statusCommand(_ context.Context, l layout.Layout, _ *arguments) error {
	return cluster.Cluster{Layout: l, Out: os.Stdout}.Status()
}

// locked runs one command at a time per repository.
func locked(l layout.Layout, body func(cluster.Cluster) error) error {
	c := cluster.Cluster{Layout: l, Out: os.Stdout}
	release, err := c.Lock()
	if err != nil {
		return err
	}
	defer release()
	return body(c)
}

// superviseCommand takes over the two sockets that its parent opened.
func superviseCommand(ctx context.Context, l layout.Layout, _ *arguments) error {
	var listeners []*os.File
	for _, name := range []string{"api-server", "registry"} {
		descriptor := 3 + len(listeners)
		syscall.CloseOnExec(descriptor) // only the forwarder is to have it
		listeners = append(listeners, os.NewFile(uintptr(descriptor), name))
	}
	return supervise.Run(ctx, l, listeners)
}

func forwardCommand(ctx context.Context, _ layout.Layout, args *arguments) error {
	return forward.Run(ctx, args.rest)
}

func outsideCommand(ctx context.Context, _ layout.Layout, _ *arguments) error {
	return outside.Run(ctx)
}

func netpolCommand(ctx context.Context, l layout.Layout, args *arguments) error {
	config, err := clientcmd.BuildConfigFromFlags("", controlplane.KubeconfigOf(l, controlplane.NetPol))
	if err != nil {
		return err
	}
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return err
	}
	return netpol.Run(ctx, client, netpol.Mode(args.mode), claim.Socket, l.Dual())
}
