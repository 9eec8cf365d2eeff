package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime/debug"
	"time"

	"github.com/spf13/cobra"

	"github.com/affineur/affineur/internal/evidence"
	"github.com/affineur/affineur/internal/probe"
)

func runCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "run",
		Short: "Makes the one measurement that " + evidence.RunEnv + " asks for",
		Long: "Makes the one measurement that the environment variable " + evidence.RunEnv + " asks for, writes the report " +
			"to standard output and the envelope to the termination message. Ends with 0 when something was measured, " +
			"whatever it says, and with 1 when not.",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			// The collector competes with the load generator for processor time; its heap is small.
			debug.SetGCPercent(400)
			path := os.Getenv(evidence.TerminationPathEnv)
			if path == "" {
				path = evidence.TerminationPath
			}
			r := runner{guard: probe.RefuseSpecial, stdout: cmd.OutOrStdout(), terminationPath: path, files: evidence.FilesPath, results: evidence.ResultsPath}
			return r.run(cmd.Context(), []byte(os.Getenv(evidence.RunEnv)))
		},
	}
}

// runner makes one measurement.
type runner struct {
	guard           probe.Guard
	stdout          io.Writer
	terminationPath string
	// files is the directory in which the run's files are.
	files string
	// results is the directory in which a tool that ran before left its own.
	results string
	// nonce of the run that is made.
	nonce string
}

// run measures and hands over the evidence. The error is why nothing was measured; the envelope says it too.
//
// Nothing is logged on the way to a report. A container runtime splits a line as long as a report's into parts
// and writes what comes on the other stream in between, so a message on standard error could end up inside it.
func (r runner) run(ctx context.Context, raw []byte) error {
	started := time.Now()
	spec, err := evidence.DecodeRun(raw)
	if err != nil {
		err = fmt.Errorf("%s can't be used: %w", evidence.RunEnv, err)
	} else {
		err = r.measureAndSeal(ctx, spec, started)
	}
	if err == nil {
		return nil
	}
	envelope, sealErr := evidence.SealFailure(spec, err.Error(), started, time.Now())
	if sealErr == nil {
		sealErr = r.leave(envelope)
	}
	return errors.Join(err, sealErr)
}

// measureAndSeal writes the report before the envelope, so that an envelope never vouches for what was not written.
func (r runner) measureAndSeal(ctx context.Context, spec evidence.RunSpec, started time.Time) error {
	result, err := r.measure(ctx, spec)
	if err != nil {
		return err
	}
	report := evidence.Report{Nonce: spec.Nonce, Subject: spec.Subject, StartedAt: started, FinishedAt: time.Now(), Result: result}
	line, envelope, err := evidence.Seal(report)
	if err != nil {
		return fmt.Errorf("the report can't be sealed: %w", err)
	}
	if _, err := r.stdout.Write(line); err != nil {
		return fmt.Errorf("the report can't be written: %w", err)
	}
	return r.leave(envelope)
}

// leave writes the termination message. The kubelet made the file and reads it when the container has ended.
func (r runner) leave(envelope []byte) error {
	if err := os.WriteFile(r.terminationPath, envelope, 0o600); err != nil {
		return fmt.Errorf("the termination message can't be written: %w", err)
	}
	return nil
}
