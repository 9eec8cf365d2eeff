// Package cgroup gives a cluster its own branch of the control group tree: the processes in one leaf, the
// pods in another. It works with version 1 (also the hybrid layout, where version 2 has no controllers)
// and with version 2.
package cgroup

import (
	"bufio"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/affineur/affineur/hack/devcluster/internal/layout"
)

const mountPoint = "/sys/fs/cgroup"

// system is the leaf of the cluster's own processes. Under version 2 an inner group may hold none.
const system = "system"

// Unified tells whether the machine has cgroup version 2 only.
func Unified() bool {
	var stat unix.Statfs_t
	return unix.Statfs(mountPoint, &stat) == nil && stat.Type == unix.CGROUP2_SUPER_MAGIC
}

// hierarchies are the mounted trees: one under version 2, one per controller under version 1.
func hierarchies() ([]string, error) {
	if Unified() {
		return []string{mountPoint}, nil
	}
	entries, err := os.ReadDir(mountPoint)
	if err != nil {
		return nil, err
	}
	var trees []string
	for _, entry := range entries {
		tree := filepath.Join(mountPoint, entry.Name())
		if _, err := os.Stat(filepath.Join(tree, "cgroup.procs")); err == nil && entry.IsDir() {
			trees = append(trees, tree)
		}
	}
	if len(trees) == 0 {
		return nil, fmt.Errorf("no control groups under %s", mountPoint)
	}
	return trees, nil
}

// Create makes the cluster's branch in every tree.
func Create(l layout.Layout) error {
	trees, err := hierarchies()
	if err != nil {
		return err
	}
	for _, tree := range trees {
		root := filepath.Join(tree, l.CgroupRoot())
		leaf := filepath.Join(root, system)
		if err := os.MkdirAll(leaf, 0o755); err != nil {
			return err
		}
		for _, dir := range []string{root, leaf} {
			if err := inheritCPUSet(dir); err != nil {
				return err
			}
		}
	}
	if Unified() {
		return delegateControllers(l)
	}
	return nil
}

// inheritCPUSet fills in what version 1 leaves empty in a new group, which then can hold no process.
func inheritCPUSet(dir string) error {
	for _, name := range []string{"cpuset.cpus", "cpuset.mems"} {
		own := filepath.Join(dir, name)
		value, err := os.ReadFile(own)
		if err != nil || strings.TrimSpace(string(value)) != "" || Unified() {
			continue // another controller's tree, or filled already
		}
		parents, err := os.ReadFile(filepath.Join(filepath.Dir(dir), name))
		if err != nil {
			return err
		}
		if err := os.WriteFile(own, parents, 0o644); err != nil {
			return fmt.Errorf("inherit %s: %w", name, err)
		}
	}
	return nil
}

// delegateControllers lets the kubelet limit pods beneath the cluster's group.
func delegateControllers(l layout.Layout) error {
	for _, dir := range []string{mountPoint, filepath.Join(mountPoint, l.CgroupRoot())} {
		available, err := os.ReadFile(filepath.Join(dir, "cgroup.controllers"))
		if err != nil {
			return err
		}
		for _, controller := range strings.Fields(string(available)) {
			if !slices.Contains([]string{"cpu", "cpuset", "memory", "pids", "io", "hugetlb"}, controller) {
				continue
			}
			if err := os.WriteFile(filepath.Join(dir, "cgroup.subtree_control"), []byte("+"+controller), 0o644); err != nil {
				return fmt.Errorf("delegate %s in %s: %w", controller, dir, err)
			}
		}
	}
	return nil
}

// Join moves the calling process into the cluster's branch, in every tree.
func Join(l layout.Layout) error {
	trees, err := hierarchies()
	if err != nil {
		return err
	}
	for _, tree := range trees {
		procs := filepath.Join(tree, l.CgroupRoot(), system, "cgroup.procs")
		if err := os.WriteFile(procs, []byte(strconv.Itoa(os.Getpid())), 0o644); err != nil {
			return fmt.Errorf("join control group: %w", err)
		}
	}
	return nil
}

// Remove ends every process that is still in the cluster's branch and removes the branch. What is not there
// is fine. Being in the branch is an identity of its own: it finds what no record tells of.
func Remove(l layout.Layout, timeout time.Duration) error {
	trees, err := hierarchies()
	if err != nil {
		return err
	}
	deadline := time.Now().Add(timeout)
	for _, tree := range trees {
		for {
			err := removeBranch(filepath.Join(tree, l.CgroupRoot()))
			if err == nil {
				break
			}
			if time.Now().After(deadline) {
				return err
			}
			time.Sleep(20 * time.Millisecond) // the kernel empties a group a moment after its processes ended
		}
	}
	return nil
}

func removeBranch(root string) error {
	var groups []string
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err == nil && entry.IsDir() {
			groups = append(groups, path)
		}
		return err
	})
	if err != nil {
		return err
	}
	for _, group := range slices.Backward(groups) { // the innermost first
		if err := killMembers(group); err != nil {
			return err
		}
		if err := os.Remove(group); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

func killMembers(group string) error {
	file, err := os.Open(filepath.Join(group, "cgroup.procs"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer file.Close()
	lines := bufio.NewScanner(file)
	for lines.Scan() {
		pid, err := strconv.Atoi(lines.Text())
		if err != nil || pid <= 0 {
			continue
		}
		if err := syscall.Kill(pid, syscall.SIGKILL); err != nil && !errors.Is(err, syscall.ESRCH) {
			return fmt.Errorf("kill process %d: %w", pid, err)
		}
	}
	return lines.Err()
}
