package load

import (
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// alarm wakes one goroutine at a given time, exact to some ten microseconds. The runtime's own timers wait in whole
// milliseconds of epoll, rounded up, and that lateness would go into every measured latency. A blocking sleep in the
// kernel is exact, but keeps the processor from every other goroutine for as long as the runtime takes to notice: on one
// core, answers then wait for the sleeper. A timer that is a file descriptor wakes epoll itself.
type alarm struct {
	file *os.File
	fd   int
}

func newAlarm() *alarm {
	fd, err := unix.TimerfdCreate(unix.CLOCK_MONOTONIC, unix.TFD_NONBLOCK|unix.TFD_CLOEXEC)
	if err != nil {
		return &alarm{}
	}
	return &alarm{file: os.NewFile(uintptr(fd), "timerfd"), fd: fd}
}

// sleep may end early, which the caller looks out for; where the kernel has no such timers it is time.Sleep.
func (a *alarm) sleep(d time.Duration) {
	if a.file == nil {
		time.Sleep(d)
		return
	}
	at := unix.ItimerSpec{Value: unix.NsecToTimespec(max(d.Nanoseconds(), 1))}
	if err := unix.TimerfdSettime(a.fd, 0, &at, nil); err != nil {
		time.Sleep(d)
		return
	}
	var expirations [8]byte
	_, _ = a.file.Read(expirations[:])
}

func (a *alarm) close() {
	if a.file != nil {
		_ = a.file.Close()
	}
}
