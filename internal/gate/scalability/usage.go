package scalability

import (
	"fmt"
	"math"

	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/internal/evidence"
	"github.com/affineur/affineur/internal/gate"
)

const (
	// near is the share of a limit at which it is told that it is near.
	near = 0.9
	// spareCPU and spareMemory are what a recommended request has above the largest reading: a reading is a mean over its
	// window, and what lies above the memory's limit is killed.
	spareCPU, spareMemory = 1.25, 1.25
	// stepCPU and stepMemory are what recommended requests are rounded up to: thousandths of a CPU, and bytes.
	stepCPU, stepMemory = 10, 8 << 20
)

// use is the largest that one of so many replicas used, in thousandths of a CPU and bytes, and what limits it.
type use struct {
	replicas              int
	cpu, memory           int64
	limitCPU, limitMemory int64
	// readings there were, and whether they are of the demand with headroom alone, without the climb.
	readings int
	demand   bool
}

// usedWith is what the pods used with a number of replicas; nil where nothing was read. Readings of the climb, whose end is an overload,
// count only where there are no others.
func usedWith(c gate.Case, taken gate.Taken, n int32) *use {
	run, kept := taken.Runs[partOf(n)], taken.Runs[usePart(n)]
	if run.Report == nil || kept.Report == nil || kept.Report.Subject != c.Record.ReviewDigest {
		return nil
	}
	load, report := evidence.As[evidence.LoadReport](run.Report.Result), evidence.As[evidence.UsageReport](kept.Report.Result)
	container := c.Record.Subject.Container
	cpu, err := resource.ParseQuantity(container.CPU)
	memory, wrong := resource.ParseQuantity(container.Memory)
	if load == nil || report == nil || len(load.Steps) == 0 || err != nil || wrong != nil {
		return nil
	}
	began := run.Report.StartedAt
	judged := load.Steps[0].Duration.Std()
	ends := began.Add(warmUpOf(judged) + judged)
	all := use{replicas: int(n), limitCPU: cpu.MilliValue(), limitMemory: memory.Value()}
	demanded := all
	demanded.demand = true
	for _, s := range report.Samples {
		switch from := s.At.Add(-s.Window.Std()); {
		case s.At.After(run.Report.FinishedAt.Add(gate.ClockSkew)) || from.Before(began.Add(-gate.ClockSkew)):
		case s.At.After(ends.Add(gate.ClockSkew)):
			all.add(s)
		default:
			all.add(s)
			demanded.add(s)
		}
	}
	switch {
	case demanded.readings > 0:
		return &demanded
	case all.readings > 0:
		return &all
	}
	return nil
}

func (u *use) add(s evidence.UsageSample) {
	u.cpu, u.memory, u.readings = max(u.cpu, s.CPU), max(u.memory, s.Memory), u.readings+1
}

// remarks tell that a limit is near. They are no holes: what was promised was kept.
func (u *use) remarks() []gate.Finding {
	var out []gate.Finding
	add := func(what, used, limit, hint string, share float64) {
		if u.demand && share >= near {
			out = append(out, gate.Finding{Reason: v1alpha1.ReasonNearLimit, Field: "spec.workload.container.resources." + what, Owner: v1alpha1.OwnerBusiness,
				Message: fmt.Sprintf("with %s, one used %s of %s of %s under the demand with headroom", replicas(u.replicas), used, limit, what), Hint: hint})
		}
	}
	add("cpu", millis(u.cpu), millis(u.limitCPU), "Ask for more CPU: at its limit a program is paused, and answers late.", share(u.cpu, u.limitCPU))
	add("memory", mebi(u.memory), mebi(u.limitMemory), "Ask for more memory: beyond its limit a program is stopped.", share(u.memory, u.limitMemory))
	return out
}

// markdown says what was used and which requests would do.
func (u *use) markdown() string {
	if u == nil {
		return "What its pods used of CPU and memory was not measured: the cluster's metrics API told nothing in that time.\n"
	}
	when := "under the demand with headroom"
	if !u.demand {
		when = "in the whole run, its climb included"
	}
	cpu, memory := u.requests()
	return fmt.Sprintf("A replica used up to %s of %s of CPU and %s of %s of memory %s, by %d readings of the metrics API, each a mean over its window. "+
		"Requests of %s and %s would do. Whether its CPU limit held it back, the metrics API does not tell.\n",
		millis(u.cpu), millis(u.limitCPU), mebi(u.memory), mebi(u.limitMemory), when, u.readings, millis(cpu), mebi(memory))
}

// requests that would do, never more than the limits under which it was measured.
func (u *use) requests() (cpu, memory int64) {
	return min(above64(u.cpu, spareCPU, stepCPU), u.limitCPU), min(above64(u.memory, spareMemory, stepMemory), u.limitMemory)
}

func above64(v int64, factor float64, step int64) int64 {
	return max(int64(math.Ceil(float64(v)*factor/float64(step))), 1) * step
}

func share(used, limit int64) float64 {
	if limit <= 0 {
		return 0
	}
	return float64(used) / float64(limit)
}

func millis(n int64) string { return resource.NewMilliQuantity(n, resource.DecimalSI).String() }

func mebi(n int64) string { return short(float64(n)/(1<<20)) + "Mi" }
