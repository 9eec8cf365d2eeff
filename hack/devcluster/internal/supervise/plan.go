// Package supervise runs the cluster's processes as the first process of a PID namespace and in a mount
// namespace of its own. That makes the cluster one thing to the machine: when this process ends, however
// it ends, the kernel ends every other one with it (pods included) and drops every mount.
package supervise

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/affineur/affineur/hack/devcluster/internal/layout"
)

// Network says in which network namespace a process runs.
type Network string

// The network namespaces of a cluster.
const (
	Node    Network = "node"
	Outside Network = "outside"
)

// Spec is one process to keep running.
type Spec struct {
	Name    string   `json:"name"`
	Path    string   `json:"path"`
	Args    []string `json:"args"`
	Network Network  `json:"network"`
	// Listeners asks for the listening sockets that the supervisor was given, as descriptors 3, 4, ….
	Listeners bool `json:"listeners,omitempty"`
}

func (s Spec) equal(other Spec) bool {
	return s.Name == other.Name && s.Path == other.Path && s.Network == other.Network &&
		s.Listeners == other.Listeners && slices.Equal(s.Args, other.Args)
}

// Plan is what is to run.
type Plan []Spec

// Names of the planned processes.
func (p Plan) Names() []string {
	names := make([]string, 0, len(p))
	for _, spec := range p {
		names = append(names, spec.Name)
	}
	return names
}

func planFile(l layout.Layout) string { return l.Run("plan.json") }

// RecordFile holds the supervisor's identity.
func RecordFile(l layout.Layout) string { return l.Run("supervisor.json") }

// Save replaces the plan. A running supervisor reads it on SIGHUP.
func (p Plan) Save(l layout.Layout) error { return saveJSON(planFile(l), p) }

// LoadPlan reads the plan.
func LoadPlan(l layout.Layout) (Plan, error) {
	var plan Plan
	return plan, loadJSON(planFile(l), &plan)
}

// Status is what the supervisor tells about one process.
type Status struct {
	Name    string `json:"name"`
	Running bool   `json:"running"`
	// Starts counts how often it was started: more than one means that it ended by itself.
	Starts int `json:"starts"`
	// LastExit says how it ended last.
	LastExit string `json:"lastExit,omitempty"`
}

func statusFile(l layout.Layout) string { return l.Run("status.json") }

// Statuses reads what the supervisor last told.
func Statuses(l layout.Layout) ([]Status, error) {
	var statuses []Status
	return statuses, loadJSON(statusFile(l), &statuses)
}

func loadJSON(path string, into any) error {
	content, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(content, into); err != nil {
		return fmt.Errorf("%s: %w", filepath.Base(path), err)
	}
	return nil
}

// saveJSON replaces the file in one step, so that a reader never sees half of it.
func saveJSON(path string, value any) error {
	content, err := json.MarshalIndent(value, "", "  ")
	if err != nil {
		return err
	}
	if err := os.WriteFile(path+".new", content, 0o644); err != nil {
		return err
	}
	return os.Rename(path+".new", path)
}
