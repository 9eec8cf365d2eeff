package evidence

import (
	"errors"
	"fmt"
	"time"
)

// KindUsage is what the prototype's pods used while they were measured. The operator reads it itself.
const KindUsage Kind = "usage"

// MaxUsage bounds the readings of one run, and maxUsagePods the pods that they are of.
const (
	MaxUsage     = 256
	maxUsagePods = 64
)

// UsageSample is one reading of one pod.
type UsageSample struct {
	// At is when the window ended over which it was measured, and Window its length, above zero and at most 10 minutes.
	At     time.Time `json:"at"`
	Window Duration  `json:"window"`
	// Pod tells the pods apart, from 0.
	Pod int `json:"pod"`
	// CPU is the mean over the window in thousandths of a CPU, and Memory the working set in bytes.
	CPU    int64 `json:"cpu"`
	Memory int64 `json:"memory"`
}

// UsageReport is what was read.
type UsageReport struct {
	// Samples, 1 to 256.
	Samples []UsageSample `json:"samples"`
}

// Kind is KindUsage.
func (*UsageReport) Kind() Kind { return KindUsage }

// Clean implements Result: there are only numbers.
func (*UsageReport) Clean() {}

// Validate implements Body.
func (r *UsageReport) Validate() error {
	if len(r.Samples) == 0 || len(r.Samples) > MaxUsage {
		return fmt.Errorf("not 1 to %d samples", MaxUsage)
	}
	for i, s := range r.Samples {
		switch {
		case s.At.IsZero() || s.Window <= 0 || s.Window.Std() > 10*time.Minute:
			return fmt.Errorf("samples[%d]: no window", i)
		case s.Pod < 0 || s.Pod >= maxUsagePods:
			return fmt.Errorf("samples[%d]: too many pods", i)
		case s.CPU < 0 || s.CPU > 1_000_000 || s.Memory < 0 || s.Memory > 1<<44:
			return errors.New("a use is negative or absurd")
		}
	}
	return nil
}
