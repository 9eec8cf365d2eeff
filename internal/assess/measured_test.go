package assess

import (
	"testing"
	"time"

	"github.com/affineur/affineur/internal/evidence"
	"github.com/affineur/affineur/internal/record"
)

// The control of a run is the one that was at work when the run ended, however long it went on after that.
func TestNearestControl(t *testing.T) {
	rec := hardened(t)
	end := time.Date(2026, 11, 21, 22, 27, 48, 0, time.UTC)
	control := func(name string, after time.Duration) record.Report {
		at := end.Add(after)
		return kept(t, rec, ReportIsolationControl, name, inputs, evidence.Report{FinishedAt: at, Result: &evidence.IsolationReport{
			Targets: results(controlSpec(t, rec, 1).Targets, at, true),
		}})
	}
	for name, test := range map[string]struct {
		controls []record.Report
		want     time.Duration
	}{
		"the control of an earlier attempt ended shortly before": {[]record.Report{control("control-2", -6*time.Second), control("control-3", 85*time.Second)}, 85 * time.Second},
		"that of a later attempt":                                {[]record.Report{control("control-1", 20*time.Second), control("control-2", 110*time.Second)}, 20 * time.Second},
		"none was at work any more":                              {[]record.Report{control("control-1", -30*time.Second), control("control-2", -3*time.Second)}, -3 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			got := nearest(rec, test.controls, ReportIsolationControl, measured{at: end, inputs: inputs})
			if got.Report == nil || !got.at.Equal(end.Add(test.want)) {
				t.Errorf("the control that ended at %s (%s), want %s", got.at, got.Lost, end.Add(test.want))
			}
		})
	}
}

// A control without its run is no measurement: a part that is there has ended.
func TestAControlAloneIsNoMeasurement(t *testing.T) {
	rec := hardened(t)
	reports := integrationOf(t, rec, opened.Add(time.Hour))
	whole := AttemptOf(rec, "integration", reports, 1)
	if taken := whole.Taken(); len(taken.Runs) != 1 || taken.Runs[""].Report == nil || taken.Runs[""].Control.Report == nil {
		t.Errorf("a run and its control: %+v", taken)
	}
	alone := AttemptOf(rec, "integration", reports[1:], 1)
	if taken := alone.Taken(); len(taken.Runs) > 0 || alone.Has("") || !alone.At().IsZero() {
		t.Errorf("a control alone: %+v", taken)
	}
}
