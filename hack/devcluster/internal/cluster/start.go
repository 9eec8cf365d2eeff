package cluster

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"syscall"

	"github.com/affineur/affineur/hack/devcluster/internal/process"
	"github.com/affineur/affineur/hack/devcluster/internal/supervise"
)

// ports are where the host's loopback leads into the cluster.
type ports struct {
	APIServer int `json:"apiServer"`
	Registry  int `json:"registry"`
}

func (c Cluster) loadPorts() (ports, error) {
	var p ports
	content, err := os.ReadFile(c.Layout.Ports())
	if errors.Is(err, fs.ErrNotExist) {
		return p, nil
	}
	if err != nil {
		return p, err
	}
	if err := json.Unmarshal(content, &p); err != nil {
		return ports{}, nil // cut short by a kill: choose anew
	}
	return p, nil
}

func (c Cluster) savePorts(p ports) error {
	content, err := json.Marshal(p)
	if err != nil {
		return err
	}
	return os.WriteFile(c.Layout.Ports(), content, 0o644)
}

// openListeners opens the host's sockets: at the ports of the last time where these are still free.
func (c Cluster) openListeners() (ports, []*os.File, error) {
	wanted, err := c.loadPorts()
	if err != nil {
		return ports{}, nil, err
	}
	var got ports
	var files []*os.File
	for _, p := range []struct{ wanted, got *int }{{&wanted.APIServer, &got.APIServer}, {&wanted.Registry, &got.Registry}} {
		file, port, err := listenAt(*p.wanted)
		if err != nil {
			return ports{}, nil, err
		}
		*p.got = port
		files = append(files, file)
	}
	return got, files, c.savePorts(got)
}

func listenAt(port int) (*os.File, int, error) {
	listener, err := net.Listen("tcp4", fmt.Sprintf("127.0.0.1:%d", port))
	if err != nil {
		listener, err = net.Listen("tcp4", "127.0.0.1:0")
	}
	if err != nil {
		return nil, 0, err
	}
	defer listener.Close() // the file below is a descriptor of its own for the same socket
	file, err := listener.(*net.TCPListener).File()
	return file, listener.Addr().(*net.TCPAddr).Port, err
}

// startSupervisor starts the one process that everything else descends from, and records it.
func (c Cluster) startSupervisor(listeners []*os.File) error {
	log, err := os.OpenFile(c.Layout.Logs("supervisor.log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	defer log.Close()
	cmd := exec.Command(c.Layout.Bin("devcluster"), "supervise", "--root="+c.Layout.Root)
	cmd.Dir = "/"
	cmd.Stdout, cmd.Stderr = log, log
	cmd.ExtraFiles = listeners
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Cloneflags: syscall.CLONE_NEWPID | syscall.CLONE_NEWNS}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start supervisor: %w", err)
	}
	identity, err := process.Identify(cmd.Process.Pid)
	if err == nil {
		err = identity.Save(supervise.RecordFile(c.Layout))
	}
	if err != nil {
		return errors.Join(err, cmd.Process.Kill())
	}
	go func() { _ = cmd.Wait() }() // collects it, should it end before this command does
	return nil
}
