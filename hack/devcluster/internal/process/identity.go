// Package process knows processes beyond their reusable number.
package process

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Identity names one process for good: a number alone is reused after its process has ended.
type Identity struct {
	PID int `json:"pid"`
	// StartTicks is when the kernel started it, in clock ticks since boot.
	StartTicks uint64 `json:"startTicks"`
	// BootID tells one boot of the machine from the next.
	BootID string `json:"bootID"`
}

// Identify reads the identity of a running process.
func Identify(pid int) (Identity, error) {
	boot, err := bootID()
	if err != nil {
		return Identity{}, err
	}
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return Identity{}, err
	}
	_, ticks, err := parseStat(string(stat))
	if err != nil {
		return Identity{}, err
	}
	return Identity{PID: pid, StartTicks: ticks, BootID: boot}, nil
}

// Alive tells whether exactly this process still runs. One that has ended but was not collected yet does not.
func (i Identity) Alive() bool {
	boot, err := bootID()
	if err != nil || i.PID <= 0 || boot != i.BootID {
		return false
	}
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", i.PID))
	if err != nil {
		return false
	}
	state, ticks, err := parseStat(string(stat))
	return err == nil && ticks == i.StartTicks && state != "Z" && state != "X"
}

// Signal sends to this process, and to no other that got its number since.
func (i Identity) Signal(signal syscall.Signal) error {
	if !i.Alive() {
		return os.ErrProcessDone
	}
	return syscall.Kill(i.PID, signal)
}

// Kill ends the process at once and waits until it is gone.
func (i Identity) Kill(timeout time.Duration) error {
	if err := i.Signal(syscall.SIGKILL); err != nil && !errors.Is(err, os.ErrProcessDone) && !errors.Is(err, syscall.ESRCH) {
		return err
	}
	for deadline := time.Now().Add(timeout); i.Alive(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			return fmt.Errorf("process %d is still there %s after SIGKILL", i.PID, timeout)
		}
	}
	return nil
}

// Save records the identity.
func (i Identity) Save(path string) error {
	content, err := json.Marshal(i)
	if err != nil {
		return err
	}
	return os.WriteFile(path, content, 0o644)
}

// Load reads a recorded identity; without a record it returns the zero identity, which is never alive.
func Load(path string) (Identity, error) {
	content, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return Identity{}, nil
	}
	if err != nil {
		return Identity{}, err
	}
	var i Identity
	if err := json.Unmarshal(content, &i); err != nil {
		return Identity{}, nil // a record cut short by a kill names no process
	}
	return i, nil
}

// parseStat takes the state and the start time from /proc/PID/stat. The command's name, the second field,
// may itself contain spaces and parentheses: fields count from behind the last one.
func parseStat(stat string) (state string, startTicks uint64, err error) {
	_, rest, found := cutLast(stat, ")")
	fields := strings.Fields(rest)
	const startTime = 22 - 3 // counted from the state, the third field
	if !found || len(fields) <= startTime {
		return "", 0, fmt.Errorf("malformed process status %q", stat)
	}
	startTicks, err = strconv.ParseUint(fields[startTime], 10, 64)
	return fields[0], startTicks, err
}

func cutLast(s, sep string) (before, after string, found bool) {
	i := strings.LastIndex(s, sep)
	if i < 0 {
		return s, "", false
	}
	return s[:i], s[i+len(sep):], true
}

func bootID() (string, error) {
	id, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	return strings.TrimSpace(string(id)), err
}
