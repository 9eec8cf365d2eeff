package review

import (
	"context"
	"slices"
	"testing"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/internal/assess"
	"github.com/affineur/affineur/internal/evidence"
	"github.com/affineur/affineur/internal/gate"
)

// watched is a gauge that looks by itself, and is told how long it may.
type watched struct {
	gauge
	look func(ctx context.Context) (evidence.Result, error)
}

func (w watched) Sample(ctx context.Context, _ gate.Case, _ gate.Run) (evidence.Result, error) {
	return w.look(ctx)
}

func watching(t *testing.T, look func(ctx context.Context) (evidence.Result, error)) *world {
	t.Helper()
	instrument := watched{gauge{parts: []gate.Run{part("", gate.SiteOperator)}}, look}
	w := gauged(t, instrument.gauge)
	w.controller.Settings.Bench = append(slices.Clone(bench), instrument)
	return w
}

// A source that never answers must not keep the review waiting.
func TestALookHasAnEnd(t *testing.T) {
	looks := 0
	w := watching(t, func(ctx context.Context) (evidence.Result, error) {
		looks++
		if until, bounded := ctx.Deadline(); !bounded || time.Until(until) > sampleWithin {
			t.Errorf("it may look until %s", until)
		}
		return nil, context.DeadlineExceeded
	})
	w.must(w.pass())
	w.must(w.pass())
	if got := w.gauge(); looks != 1 || got.Verdict != v1alpha1.GateInconclusive || got.Reason != v1alpha1.ReasonMeasurementLost {
		t.Errorf("%d looks, %+v", looks, got)
	}
}

// A look that ended with the operator was no attempt: nothing is kept of it, and it is made again.
func TestALookThatEndsWithTheOperator(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	found := &evidence.IsolationReport{Targets: reached(anOrder().Targets, opened, opened.Add(time.Second))}
	w := watching(t, func(at context.Context) (evidence.Result, error) {
		if ctx.Err() == nil {
			stop()
			return nil, at.Err()
		}
		return found, nil
	})
	_, err := w.controller.Reconcile(ctx, reconcile.Request{NamespacedName: client.ObjectKeyFromObject(w.review())})
	if n := len(w.reports(assess.ReportOf("gauge"))); err == nil || n > 0 {
		t.Errorf("%d attempts are kept, %v", n, err)
	}
	w.settle()
	if got := w.gauge(); got.Verdict != v1alpha1.GatePassed || got.Attempts != 1 {
		t.Errorf("%+v", got)
	}
}
