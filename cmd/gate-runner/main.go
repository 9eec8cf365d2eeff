// Command gate-runner measures for the operator's gates, in pods of Jobs that the operator made. It has no access to
// the API server: it is told by its environment what to measure, and tells by its termination message and its log what
// it found. The contract is package internal/evidence.
package main

import (
	"context"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := rootCommand().ExecuteContext(ctx)
	stop()
	if err != nil {
		slog.New(slog.NewTextHandler(os.Stderr, nil)).Error("gate-runner ends", "error", err.Error())
		os.Exit(1)
	}
}

func rootCommand() *cobra.Command {
	root := &cobra.Command{
		Use:           "gate-runner",
		Short:         "Measures what the gates judge",
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	root.AddCommand(runCommand(), canaryCommand())
	return root
}
