package review

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/affineur/affineur/internal/assess"
	"github.com/affineur/affineur/internal/evidence"
	"github.com/affineur/affineur/internal/record"
	"github.com/affineur/affineur/internal/run"
)

// metered is a metrics API that has something new every 15 seconds.
type metered struct {
	w      *world
	err    error
	looked int
}

func (m *metered) Look(_ context.Context, namespace string, selector map[string]string) ([]evidence.UsageSample, error) {
	m.looked++
	if namespace != identity.Sandbox() || len(selector) == 0 {
		m.w.wrong = append(m.w.wrong, "the use of pods in "+namespace+" is read")
	}
	if m.err != nil {
		return nil, m.err
	}
	sample := evidence.UsageSample{At: m.w.now.Truncate(15 * time.Second), Window: evidence.Duration(15 * time.Second), CPU: 40, Memory: 20 << 20}
	return []evidence.UsageSample{sample, {Pod: -1}}, nil
}

func (w *world) used() []record.Report {
	var out []record.Report
	for _, r := range w.reports(assess.ReportOf("scalability")) {
		if strings.HasPrefix(r.Part, "use") {
			out = append(out, r)
		}
	}
	return out
}

// What the pods used while they were measured is kept beside what was measured, and nothing waits for it or rests on it.
func TestUsageIsKept(t *testing.T) {
	w := newWorld(t)
	meter := &metered{w: w}
	w.controller.Meter = meter
	w.settle()
	w.measured(allPassed...)
	kept := w.used()
	if len(kept) != 1 {
		t.Fatalf("%d reports of use; looked %d times", len(kept), meter.looked)
	}
	opened, err := evidence.OpenRecord(kept[0].Body, kept[0].Digest(), evidence.Expect{Nonce: kept[0].Nonce, Subject: w.rec.ReviewDigest})
	if err != nil {
		t.Fatal(err)
	}
	found, err := evidence.Read[evidence.UsageReport](opened.Report.Result)
	if err != nil || len(found.Samples) == 0 || found.Samples[0].CPU != 40 {
		t.Errorf("kept %+v, %v", found, err)
	}
	status := w.review().Status.Gates[1]
	if status.ReportDigest == kept[0].Digest() || status.Attempts != 1 {
		t.Errorf("the gate is known by what was used: %+v", status)
	}
	before := meter.looked
	w.settle()
	if meter.looked != before {
		t.Error("it is read while nothing is measured")
	}
	w.clear()
}

// Where nothing can be read, nothing is kept, and the verdict is the same.
func TestUsageThatIsNotThere(t *testing.T) {
	for _, err := range []error{run.ErrNoMetrics, errors.New("the node does not answer")} {
		w := newWorld(t)
		w.controller.Meter = &metered{w: w, err: err}
		w.settle()
		w.measured(allPassed...)
		if kept := w.used(); len(kept) > 0 {
			t.Errorf("%v: kept %d reports", err, len(kept))
		}
	}
}
