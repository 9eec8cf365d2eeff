package build

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/affineur/affineur/hack/devcluster/internal/layout"
)

// heartbeat is how often a build that goes on says so: a cold one takes minutes per component.
const heartbeat = 20 * time.Second

// Builder builds components into the layout's folder of binaries.
type Builder struct {
	Layout layout.Layout
	// Out receives the progress.
	Out io.Writer
}

// Ensure builds those components that are missing or were built from something else.
func (b Builder) Ensure(ctx context.Context, components []Component) error {
	stale, err := b.stale(components)
	if err != nil {
		return err
	}
	begin := time.Now()
	for i, c := range stale {
		step := fmt.Sprintf("[%2d/%d] %s", i+1, len(stale), c.Name)
		if err := b.build(ctx, c, step); err != nil {
			return err
		}
	}
	if len(stale) > 0 {
		fmt.Fprintf(b.Out, "built %d of %d programs in %s\n", len(stale), len(components), since(begin))
	}
	return nil
}

func (b Builder) stale(components []Component) ([]Component, error) {
	var stale []Component
	for _, c := range components {
		want, err := c.stamp(b.Layout)
		if err != nil {
			return nil, err
		}
		have, err := os.ReadFile(b.stampFile(c))
		if err != nil && !os.IsNotExist(err) {
			return nil, err
		}
		if _, err := os.Stat(b.Layout.Bin(c.Name)); err != nil || string(have) != want {
			stale = append(stale, c)
		}
	}
	return stale, nil
}

func (b Builder) stampFile(c Component) string {
	return filepath.Join(b.Layout.Base(), "stamps", c.Name)
}

func (b Builder) build(ctx context.Context, c Component, step string) error {
	stamp, err := c.stamp(b.Layout)
	if err != nil {
		return err
	}
	for _, dir := range []string{filepath.Dir(b.Layout.Bin(c.Name)), filepath.Dir(b.stampFile(c))} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return err
		}
	}
	// Built beside and then renamed: the program may be running.
	output := b.Layout.Bin(c.Name) + ".new"
	if err := b.goBuild(ctx, c, output, step); err != nil {
		return err
	}
	if err := os.Rename(output, b.Layout.Bin(c.Name)); err != nil {
		return err
	}
	return os.WriteFile(b.stampFile(c), []byte(stamp), 0o644)
}

func (b Builder) goBuild(ctx context.Context, c Component, output, step string) error {
	begin := time.Now()
	fmt.Fprintf(b.Out, "%s: building\n", step)
	cmd := exec.CommandContext(ctx, "go", c.arguments(output)...)
	cmd.Dir = c.dir(b.Layout)
	// Without C no compiler is needed and the programs run in an empty image.
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=-mod=readonly", "GOWORK=off")
	var messages bytes.Buffer
	cmd.Stdout, cmd.Stderr = &messages, &messages
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start go: %w", err)
	}
	done := make(chan error, 1)
	go func() { done <- cmd.Wait() }()
	tick := time.NewTicker(heartbeat)
	defer tick.Stop()
	for {
		select {
		case err := <-done:
			if err != nil {
				return fmt.Errorf("build %s: %w\n%s", c.Name, err, messages.String())
			}
			fmt.Fprintf(b.Out, "%s: done in %s\n", step, since(begin))
			return nil
		case <-tick.C:
			fmt.Fprintf(b.Out, "%s: still building, %s\n", step, since(begin))
		}
	}
}

func since(begin time.Time) time.Duration { return time.Since(begin).Round(100 * time.Millisecond) }
