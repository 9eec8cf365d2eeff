// Command kubectl-affineur is the plugin behind kubectl affineur.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"github.com/affineur/affineur/internal/cli"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := cli.Main(ctx, os.Args[1:])
	stop()
	os.Exit(code)
}
