package supervise

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/affineur/affineur/hack/devcluster/internal/cgroup"
	"github.com/affineur/affineur/hack/devcluster/internal/layout"
	"github.com/affineur/affineur/hack/devcluster/internal/network"
)

// restartDelay lets a process that cannot run yet try again soon, without a busy loop.
const restartDelay = 500 * time.Millisecond

// stopTimeout is how long a process that left the plan may take to end by itself.
const stopTimeout = 5 * time.Second

// Supervisor keeps the processes of a plan running and collects everything that ends.
type Supervisor struct {
	layout    layout.Layout
	networks  map[Network]*os.File
	listeners []*os.File

	mu    sync.Mutex
	units map[string]*unit
	byPID map[int]*unit
}

type unit struct {
	spec     Spec
	pid      int // 0 while not running
	starts   int
	lastExit string
	// leaving is closed once a unit that is no longer wanted has ended.
	leaving chan struct{}
}

// Run is the body of the supervisor process. It returns only when it cannot do its work or is told to end.
func Run(ctx context.Context, l layout.Layout, listeners []*os.File) error {
	if err := cgroup.Join(l); err != nil {
		return err
	}
	s := &Supervisor{layout: l, listeners: listeners, units: map[string]*unit{}, byPID: map[int]*unit{}}
	if err := s.openNetworks(); err != nil {
		return err
	}
	if err := mount(l); err != nil {
		return err
	}
	return s.loop(ctx)
}

// openNetworks must come before the mounts, which hide the namespaces' names.
func (s *Supervisor) openNetworks() error {
	s.networks = map[Network]*os.File{}
	for kind, name := range map[Network]string{Node: s.layout.Name(), Outside: s.layout.OutsideName()} {
		file, err := os.Open(network.Path(name))
		if err != nil {
			return err
		}
		s.networks[kind] = file
	}
	return nil
}

func (s *Supervisor) loop(ctx context.Context) error {
	signals := make(chan os.Signal, 64)
	signal.Notify(signals, syscall.SIGHUP, syscall.SIGCHLD, syscall.SIGTERM, syscall.SIGINT)
	s.reload()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case received := <-signals:
			switch received {
			case syscall.SIGHUP:
				s.reload()
			case syscall.SIGCHLD:
				s.collect()
			default:
				return nil
			}
		}
	}
}

// reload starts what is new in the plan, stops what has gone from it and restarts what has changed.
func (s *Supervisor) reload() {
	plan, err := LoadPlan(s.layout)
	if err != nil {
		fmt.Fprintf(os.Stderr, "keeping the old plan: %v\n", err)
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	wanted := map[string]bool{}
	for _, spec := range plan {
		wanted[spec.Name] = true
		current, exists := s.units[spec.Name]
		switch {
		case !exists:
			s.add(spec)
		case !current.spec.equal(spec):
			gone := s.remove(current)
			go s.addAfter(spec, gone)
		}
	}
	for name, u := range s.units {
		if !wanted[name] {
			s.remove(u)
		}
	}
	s.report()
}

func (s *Supervisor) add(spec Spec) {
	u := &unit{spec: spec}
	s.units[spec.Name] = u
	s.start(u)
}

func (s *Supervisor) addAfter(spec Spec, gone <-chan struct{}) {
	<-gone
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, exists := s.units[spec.Name]; !exists {
		s.add(spec)
		s.report()
	}
}

// remove forgets the unit and ends its process, politely at first. The channel is closed when it is gone.
func (s *Supervisor) remove(u *unit) <-chan struct{} {
	delete(s.units, u.spec.Name)
	u.leaving = make(chan struct{})
	if u.pid == 0 {
		close(u.leaving)
		return u.leaving
	}
	if err := syscall.Kill(u.pid, syscall.SIGTERM); err != nil {
		fmt.Fprintf(os.Stderr, "stop %s: %v\n", u.spec.Name, err)
	}
	time.AfterFunc(stopTimeout, func() { s.killLeaving(u) })
	return u.leaving
}

func (s *Supervisor) killLeaving(u *unit) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if u.pid != 0 {
		if err := syscall.Kill(u.pid, syscall.SIGKILL); err != nil {
			fmt.Fprintf(os.Stderr, "kill %s: %v\n", u.spec.Name, err)
		}
	}
}

// start runs the unit's process. The lock is held, so that the process is known before it can be collected.
func (s *Supervisor) start(u *unit) {
	u.starts++
	pid, err := s.spawn(u.spec)
	if err != nil {
		u.lastExit = err.Error()
		s.retry(u)
		return
	}
	u.pid = pid
	s.byPID[pid] = u
}

func (s *Supervisor) retry(u *unit) {
	time.AfterFunc(restartDelay, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.units[u.spec.Name] == u && u.pid == 0 {
			s.start(u)
			s.report()
		}
	})
}

// collect takes leave of every process that ended: its own and those that lost their parent.
func (s *Supervisor) collect() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for {
		var status syscall.WaitStatus
		pid, err := syscall.Wait4(-1, &status, syscall.WNOHANG, nil)
		if errors.Is(err, syscall.EINTR) {
			continue
		}
		if err != nil || pid <= 0 {
			break
		}
		if u, ours := s.byPID[pid]; ours {
			s.ended(u, status)
		}
	}
	s.report()
}

func (s *Supervisor) ended(u *unit, status syscall.WaitStatus) {
	delete(s.byPID, u.pid)
	u.pid = 0
	u.lastExit = describe(status)
	if u.leaving != nil {
		close(u.leaving)
		return
	}
	fmt.Fprintf(os.Stderr, "%s ended: %s; starting it again\n", u.spec.Name, u.lastExit)
	s.retry(u)
}

func describe(status syscall.WaitStatus) string {
	if status.Signaled() {
		return "signal " + status.Signal().String()
	}
	return fmt.Sprintf("exit code %d", status.ExitStatus())
}

func (s *Supervisor) report() {
	statuses := make([]Status, 0, len(s.units))
	plan, err := LoadPlan(s.layout)
	if err == nil {
		for _, name := range plan.Names() {
			if u, exists := s.units[name]; exists {
				statuses = append(statuses, Status{Name: name, Running: u.pid != 0, Starts: u.starts, LastExit: u.lastExit})
			}
		}
		err = saveJSON(statusFile(s.layout), statuses)
	}
	if err != nil {
		fmt.Fprintf(os.Stderr, "report: %v\n", err)
	}
}

// spawn starts a process in its network namespace. A namespace belongs to a thread, and a child takes over
// that of the thread that makes it: so one thread changes over, starts the child and ends.
func (s *Supervisor) spawn(spec Spec) (int, error) {
	log, err := os.OpenFile(s.layout.Logs(spec.Name+".log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return 0, err
	}
	defer log.Close()
	files := []*os.File{nil, log, log}
	if spec.Listeners {
		files = append(files, s.listeners...)
	}
	attributes := &os.ProcAttr{Dir: "/", Env: s.environment(), Files: files, Sys: &syscall.SysProcAttr{Setsid: true}}
	type result struct {
		pid int
		err error
	}
	results := make(chan result)
	go func() {
		runtime.LockOSThread() // never unlocked: the thread ends with this goroutine
		if err := unix.Setns(int(s.networks[spec.Network].Fd()), unix.CLONE_NEWNET); err != nil {
			results <- result{err: fmt.Errorf("enter network namespace: %w", err)}
			return
		}
		process, err := os.StartProcess(spec.Path, append([]string{spec.Path}, spec.Args...), attributes)
		if err != nil {
			results <- result{err: err}
			return
		}
		pid := process.Pid
		results <- result{pid: pid, err: process.Release()}
	}()
	r := <-results
	return r.pid, r.err
}

func (s *Supervisor) environment() []string {
	bin := filepath.Dir(s.layout.Bin("x"))
	return []string{"PATH=" + bin + ":/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/", "LANG=C.UTF-8"}
}
