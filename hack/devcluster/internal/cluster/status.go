package cluster

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"text/tabwriter"

	"github.com/affineur/affineur/hack/devcluster/internal/supervise"
)

// ErrDown says that no cluster runs.
var ErrDown = errors.New("the cluster is down")

// Status tells what runs, and fails when the cluster is not wholly up.
func (c Cluster) Status() error {
	supervisor, err := c.supervisor()
	if err != nil {
		return err
	}
	if !supervisor.Alive() {
		return ErrDown
	}
	statuses, err := supervise.Statuses(c.Layout)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	table := tabwriter.NewWriter(c.Out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "PROCESS\tRUNNING\tSTARTS\tLAST EXIT\tLOG")
	whole := c.finished()
	for _, s := range statuses {
		whole = whole && s.Running
		fmt.Fprintf(table, "%s\t%v\t%d\t%s\t%s\n", s.Name, s.Running, s.Starts, s.LastExit, c.Layout.Logs(s.Name+".log"))
	}
	if err := table.Flush(); err != nil {
		return err
	}
	environment, err := os.ReadFile(c.Layout.Env())
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	fmt.Fprintf(c.Out, "\nsupervisor: process %d\n%s", supervisor.PID, environment)
	if !whole {
		return errors.New("the cluster is not wholly up")
	}
	return nil
}
