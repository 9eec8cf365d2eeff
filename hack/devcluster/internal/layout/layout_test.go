package layout

import (
	"os"
	"path/filepath"
	"testing"
)

func TestNameDependsOnRootOnly(t *testing.T) {
	a, b := t.TempDir(), t.TempDir()
	first, err := New(a)
	if err != nil {
		t.Fatal(err)
	}
	again, err := New(a + "/.")
	if err != nil {
		t.Fatal(err)
	}
	other, err := New(b)
	if err != nil {
		t.Fatal(err)
	}
	if first.Name() != again.Name() {
		t.Errorf("one root, two names: %s and %s", first.Name(), again.Name())
	}
	if first.Name() == other.Name() {
		t.Errorf("two roots share the name %s", first.Name())
	}
	// The kernel limits an interface's name to 15 bytes; ours are not derived from this name, but the
	// network namespace's and the cgroup's are, and people type them.
	if len(first.OutsideName()) > 24 {
		t.Errorf("name %q is too long to type", first.OutsideName())
	}
}

func TestRootIsFoundUpwards(t *testing.T) {
	root := t.TempDir()
	deep := filepath.Join(root, "hack", "devcluster", "internal")
	if err := os.MkdirAll(deep, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(root, "hack", "devcluster", "go.mod"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	t.Chdir(deep)
	found, err := New("")
	if err != nil {
		t.Fatal(err)
	}
	want, err := filepath.EvalSymlinks(root)
	if err != nil {
		t.Fatal(err)
	}
	if found.Root != want {
		t.Errorf("root = %s, want %s", found.Root, want)
	}
}
