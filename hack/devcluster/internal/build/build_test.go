package build

import (
	"io"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/affineur/affineur/hack/devcluster/internal/layout"
)

func write(t *testing.T, path, content string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
}

func TestStampFollowsWhatDecidesTheBuild(t *testing.T) {
	l := layout.Layout{Root: t.TempDir()}
	c := Component{Name: "tool", Module: ".", Package: "."}
	in := func(name string) string { return filepath.Join(l.Source(), name) }
	write(t, in("go.mod"), "module m\n")
	write(t, in("main.go"), "package main\n")
	write(t, in("build/other/go.mod"), "module other\n")

	steps := []struct {
		name    string
		change  func()
		changes bool
	}{
		{"nothing", func() {}, false},
		{"a source", func() { write(t, in("main.go"), "package main // x\n") }, true},
		{"a version", func() { write(t, in("go.mod"), "module m\n\nrequire x v1\n") }, true},
		{"a manifest that is embedded", func() { write(t, in("a/b.yaml"), "x: 1\n") }, true},
		{"a test", func() { write(t, in("main_test.go"), "package main\n") }, false},
		{"a page", func() { write(t, in("README.md"), "hello\n") }, false},
		{"another module beneath", func() { write(t, in("build/other/main.go"), "package main\n") }, false},
		{"a flag", func() { c.LDFlags = "-s" }, true},
	}
	before, err := c.stamp(l)
	if err != nil {
		t.Fatal(err)
	}
	for _, step := range steps {
		step.change()
		after, err := c.stamp(l)
		if err != nil {
			t.Fatal(err)
		}
		if (after != before) != step.changes {
			t.Errorf("changing %s: stamp changed = %v, want %v", step.name, after != before, step.changes)
		}
		before = after
	}
}

func TestStaleNamesMissingAndOutdated(t *testing.T) {
	l := layout.Layout{Root: t.TempDir()}
	write(t, filepath.Join(l.Source(), "go.mod"), "module m\n")
	b := Builder{Layout: l, Out: io.Discard}
	current, outdated, missing := own("current", "."), own("outdated", "."), own("missing", ".")
	for _, c := range []Component{current, outdated} {
		stamp, err := c.stamp(l)
		if err != nil {
			t.Fatal(err)
		}
		write(t, l.Bin(c.Name), "binary")
		write(t, b.stampFile(c), stamp)
	}
	outdated.Tags = "another"
	stale, err := b.stale([]Component{current, outdated, missing})
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, c := range stale {
		names = append(names, c.Name)
	}
	if want := []string{"outdated", "missing"}; !slices.Equal(names, want) {
		t.Errorf("stale = %v, want %v", names, want)
	}
}
