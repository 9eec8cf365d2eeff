package review

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/affineur/affineur/internal/evidence"
	"github.com/affineur/affineur/internal/record"
	"github.com/affineur/affineur/internal/run"
	"github.com/affineur/affineur/internal/workload"
)

const (
	// readEvery is how often the use of pods is read while a run is at work; the metrics API has something new every 15 seconds
	// by default.
	readEvery = 10 * time.Second
	// readWithin bounds one reading: nothing waits for it.
	readWithin = 2 * time.Second
)

// Meter reads what pods use; it is a run.Meter.
type Meter interface {
	Look(ctx context.Context, namespace string, selector map[string]string) ([]evidence.UsageSample, error)
}

// readings are what pods used while runs were at work, by the runs' names. They are kept in memory alone until the run ends: an operator
// that is killed meanwhile has fewer of them, and the verdict does not rest on them.
type readings struct {
	mutex sync.Mutex
	of    map[string]*reading
}

type reading struct {
	samples []evidence.UsageSample
	last    time.Time
}

// read looks if it is time, and gives all that was read for a run.
func (r *readings) read(ctx context.Context, meter Meter, s Snapshot, name string, atWork bool, now time.Time) []evidence.UsageSample {
	if meter == nil {
		return nil
	}
	one, due := r.due(name, now)
	if atWork && due {
		looking, stop := context.WithTimeout(ctx, readWithin)
		samples, err := meter.Look(looking, s.Record.Prototype.Sandbox(), workload.Selector(s.Record.Prototype))
		stop()
		if err != nil && !errors.Is(err, run.ErrNoMetrics) {
			log.FromContext(ctx).V(1).Info("the use of pods can't be read", "error", err.Error())
		}
		r.add(one, samples)
	}
	r.mutex.Lock()
	defer r.mutex.Unlock()
	return slices.Clone(one.samples)
}

func (r *readings) due(name string, now time.Time) (*reading, bool) {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	if r.of == nil {
		r.of = map[string]*reading{}
	}
	// A run takes an hour at most but for the last of its kind.
	for other, one := range r.of {
		if now.Sub(one.last) > 2*time.Hour {
			delete(r.of, other)
		}
	}
	one := r.of[name]
	if one == nil {
		one = &reading{}
		r.of[name] = one
	}
	due := now.Sub(one.last) >= readEvery-time.Second
	if due {
		one.last = now
	}
	return one, due
}

// add what is new: the API tells the same until it has measured again.
func (r *readings) add(one *reading, samples []evidence.UsageSample) {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	for _, s := range samples {
		valid := (&evidence.UsageReport{Samples: []evidence.UsageSample{s}}).Validate() == nil
		known := slices.ContainsFunc(one.samples, func(k evidence.UsageSample) bool { return k.Pod == s.Pod && k.At.Equal(s.At) })
		if valid && !known && len(one.samples) < evidence.MaxUsage {
			one.samples = append(one.samples, s)
		}
	}
}

// usage is the report of what the prototype's pods used during a run that measured; nil where nothing was read.
func (s Snapshot) usage(m Measuring, own record.Report, now time.Time) (*record.Report, error) {
	r := m.Current
	if r.Use == "" || len(r.Used) == 0 || r.Opened == nil {
		return nil, nil
	}
	started, finished := r.Opened.Report.StartedAt, r.Opened.Report.FinishedAt
	result := taken(s.Record.ReviewDigest, &evidence.UsageReport{Samples: r.Used}, nil, started, finished)
	result.Why = "what was read contradicts itself"
	out, err := s.report(m, r.Name+"-use", result, "", now)
	// The gate's own report is the newer one, by which the gate is known.
	out.Part, out.MeasuredAt = r.Use, own.MeasuredAt.Add(-time.Second)
	return &out, err
}
