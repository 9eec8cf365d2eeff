package load

import (
	"bytes"
	"os"
	"strconv"
	"syscall"
	"time"
)

// The files in which the kernel accounts for the generator's own control group, in version 2 and in version 1.
const (
	statV2  = "/sys/fs/cgroup/cpu.stat"
	maxV2   = "/sys/fs/cgroup/cpu.max"
	statV1  = "/sys/fs/cgroup/cpu/cpu.stat"
	quotaV1 = "/sys/fs/cgroup/cpu/cpu.cfs_quota_us"
	spanV1  = "/sys/fs/cgroup/cpu/cpu.cfs_period_us"
)

// usage is what this process has used since it began. What can't be read counts as nothing: the lag, which is measured
// and not read, stays as a witness.
func usage() spent {
	var own syscall.Rusage
	var out spent
	if syscall.Getrusage(syscall.RUSAGE_SELF, &own) == nil {
		out.processor = time.Duration(own.Utime.Nano() + own.Stime.Nano())
	}
	if stat, err := os.ReadFile(statV2); err == nil {
		limit, _ := os.ReadFile(maxV2)
		out.throttled, out.limit = throttledV2(stat), limitV2(limit)
		return out
	}
	stat, _ := os.ReadFile(statV1)
	quota, _ := os.ReadFile(quotaV1)
	period, _ := os.ReadFile(spanV1)
	out.throttled, out.limit = throttledV1(stat), ratio(quota, period)
	return out
}

func throttledV2(stat []byte) time.Duration {
	return time.Duration(counter(stat, "throttled_usec")) * time.Microsecond
}

func throttledV1(stat []byte) time.Duration { return time.Duration(counter(stat, "throttled_time")) }

// limitV2 reads "QUOTA PERIOD", or "max PERIOD" where there is no limit.
func limitV2(max []byte) float64 {
	fields := bytes.Fields(max)
	if len(fields) != 2 {
		return 0
	}
	return ratio(fields[0], fields[1])
}

func ratio(quota, period []byte) float64 {
	q, errQ := strconv.ParseInt(string(bytes.TrimSpace(quota)), 10, 64)
	p, errP := strconv.ParseInt(string(bytes.TrimSpace(period)), 10, 64)
	if errQ != nil || errP != nil || q <= 0 || p <= 0 {
		return 0
	}
	return float64(q) / float64(p)
}

// counter reads one line "NAME NUMBER" of a stat file; 0 where there is none.
func counter(stat []byte, name string) int64 {
	for line := range bytes.Lines(stat) {
		fields := bytes.Fields(line)
		if len(fields) == 2 && string(fields[0]) == name {
			n, _ := strconv.ParseInt(string(fields[1]), 10, 64)
			return max(n, 0)
		}
	}
	return 0
}
