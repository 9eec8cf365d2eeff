package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"
)

// binaries are the paths of built programs, by architecture and name of the image.
type binaries map[string]map[string]string

// builder compiles programs.
type builder struct {
	dir     string
	version string
	log     io.Writer
}

// invocation is one call of the compiler: programs that are linked with the same values.
type invocation struct {
	revision string
	images   []spec
}

// invocations needs as few calls as there are revisions: what has none is built along with the first,
// and does not read it.
func invocations(chosen []spec) []invocation {
	var calls []invocation
	for _, s := range chosen {
		known := func(c invocation) bool { return c.revision == s.revision }
		if s.revision != "" && !slices.ContainsFunc(calls, known) {
			calls = append(calls, invocation{revision: s.revision})
		}
	}
	if len(calls) == 0 {
		calls = []invocation{{}}
	}
	for _, s := range chosen {
		i := max(0, slices.IndexFunc(calls, func(c invocation) bool { return c.revision == s.revision }))
		calls[i].images = append(calls[i].images, s)
	}
	return calls
}

// packages are those of the images, each once: several images may hold the same program.
func (c invocation) packages() []string {
	var all []string
	for _, s := range c.images {
		if !slices.Contains(all, s.pkg) {
			all = append(all, s.pkg)
		}
	}
	return all
}

// build compiles the programs of the images for one architecture and returns their paths by image.
func (b builder) build(ctx context.Context, chosen []spec, arch string) (map[string]string, error) {
	paths := map[string]string{}
	var sources []spec
	for _, s := range chosen {
		if s.built == "" {
			sources = append(sources, s)
		} else if err := b.take(s, arch, paths); err != nil {
			return nil, err
		}
	}
	if len(sources) == 0 {
		return paths, nil
	}
	for i, call := range invocations(sources) {
		start := time.Now()
		folder := filepath.Join(b.dir, arch, strconv.Itoa(i))
		if err := b.compile(ctx, call, arch, folder); err != nil {
			return nil, err
		}
		for _, s := range call.images {
			paths[s.name] = filepath.Join(folder, s.program())
		}
		fmt.Fprintf(b.log, "built for linux/%s in %s: %s\n", arch, time.Since(start).Round(100*time.Millisecond), strings.Join(call.packages(), " "))
	}
	return paths, nil
}

// take links to a program that is built, for this machine's architecture and no other.
func (b builder) take(s spec, arch string, paths map[string]string) error {
	if arch != runtime.GOARCH {
		return fmt.Errorf("%s: %s is built for %s", s.name, s.built, runtime.GOARCH)
	}
	program, err := filepath.Abs(s.built)
	if err != nil {
		return err
	}
	folder := filepath.Join(b.dir, arch, "built")
	paths[s.name] = filepath.Join(folder, s.program())
	return errors.Join(os.MkdirAll(folder, 0o755), os.Symlink(program, paths[s.name]))
}

func (b builder) compile(ctx context.Context, call invocation, arch, folder string) error {
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return err
	}
	// -buildid= and -buildvcs=false, since both would make the same sources give other bytes.
	link := "-s -w -buildid= -X main.version=" + b.version
	if call.revision != "" {
		link += " -X main.revision=" + call.revision
	}
	args := []string{"build", "-trimpath", "-buildvcs=false", "-ldflags", link, "-o", folder + string(filepath.Separator)}
	for _, pkg := range call.packages() {
		args = append(args, module+pkg)
	}
	command := exec.CommandContext(ctx, "go", args...)
	command.Env = append(os.Environ(), buildEnvironment(arch)...)
	command.Stdout, command.Stderr = b.log, b.log
	if err := command.Run(); err != nil {
		return fmt.Errorf("go build %s: %w", strings.Join(call.packages(), " "), err)
	}
	return nil
}

// buildEnvironment pins all that the caller's own settings could change in the result.
func buildEnvironment(arch string) []string {
	return []string{
		"CGO_ENABLED=0", "GOOS=linux", "GOARCH=" + arch, "GOFLAGS=", "GOEXPERIMENT=", "GOFIPS140=off",
		"GOAMD64=v1", "GOARM64=v8.0",
	}
}
