package load

import (
	"syscall"
	"time"
)

// coarse is the error of the runtime's own timers: it waits in whole milliseconds of epoll, rounded up.
const coarse = 1500 * time.Microsecond

// sleep is time.Sleep, but exact to a tenth of a millisecond where time.Sleep is late by half of one on average. That
// lateness would go into every measured latency. The last stretch is slept in the kernel, at the cost of a thread that
// is blocked for it; an interrupted or failed sleep only ends early, which the caller looks out for.
func sleep(d time.Duration) {
	if d > coarse {
		before := time.Now()
		time.Sleep(d - coarse)
		if d -= time.Since(before); d <= 0 {
			return
		}
	}
	ts := syscall.NsecToTimespec(d.Nanoseconds())
	_ = syscall.Nanosleep(&ts, nil)
}
