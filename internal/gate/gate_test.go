package gate_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/internal/evidence"
	"github.com/affineur/affineur/internal/gate"
)

var (
	subject = evidence.Digest([]byte("subject"))
	now     = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
)

func report() *evidence.Report {
	return &evidence.Report{Schema: evidence.ReportSchema, Nonce: "0123456789abcdef", Subject: subject,
		StartedAt: now.Add(-2 * time.Minute), FinishedAt: now.Add(-time.Minute),
		Result: &evidence.IntegrationReport{Checks: []evidence.CheckResult{{Name: "lms", OK: true, Attempts: 1}}}}
}

func TestOpen(t *testing.T) {
	frame := gate.Frame{Subject: subject, Now: now, MaxAge: time.Hour}
	changed := func(change func(*evidence.Report)) gate.Measurement {
		r := report()
		change(r)
		return gate.Measurement{Report: r}
	}
	for name, c := range map[string]struct {
		frame  gate.Frame
		m      gate.Measurement
		state  gate.State
		reason string
	}{
		"good":           {frame, gate.Measurement{Report: report()}, "", ""},
		"not yet":        {frame, gate.Measurement{}, gate.Pending, v1alpha1.ReasonNotMeasured},
		"lost":           {frame, gate.Measurement{Lost: "EnvelopeMissing"}, gate.Inconclusive, v1alpha1.ReasonMeasurementLost},
		"lost and there": {frame, gate.Measurement{Report: report(), Lost: "?"}, gate.Inconclusive, v1alpha1.ReasonMeasurementLost},
		"empty":          {frame, gate.Measurement{Report: &evidence.Report{}}, gate.Inconclusive, v1alpha1.ReasonEvidenceUnverifiable},
		"contradiction":  {frame, changed(func(r *evidence.Report) { r.Result.(*evidence.IntegrationReport).Checks[0].Class = "DNS" }), gate.Inconclusive, v1alpha1.ReasonEvidenceUnverifiable},
		"other subject":  {frame, changed(func(r *evidence.Report) { r.Subject = evidence.Digest(nil) }), gate.Inconclusive, v1alpha1.ReasonEvidenceUnverifiable},
		"no subject":     {gate.Frame{Now: now, MaxAge: time.Hour}, gate.Measurement{Report: report()}, gate.Inconclusive, v1alpha1.ReasonEvidenceUnverifiable},
		"other kind":     {frame, changed(func(r *evidence.Report) { r.Result = loadReport() }), gate.Inconclusive, v1alpha1.ReasonEvidenceUnverifiable},
		"old": {frame, changed(func(r *evidence.Report) {
			r.StartedAt = now.Add(-3 * time.Hour)
			r.FinishedAt = now.Add(-2 * time.Hour)
		}), gate.Inconclusive, v1alpha1.ReasonEvidenceStale},
		"no age allowed":  {gate.Frame{Subject: subject, Now: now}, changed(func(r *evidence.Report) { r.FinishedAt = now }), gate.Inconclusive, v1alpha1.ReasonEvidenceStale},
		"negative age":    {gate.Frame{Subject: subject, Now: now, MaxAge: -time.Hour}, gate.Measurement{Report: report()}, gate.Inconclusive, v1alpha1.ReasonEvidenceStale},
		"from the future": {frame, changed(func(r *evidence.Report) { r.FinishedAt = now.Add(time.Minute) }), gate.Inconclusive, v1alpha1.ReasonEvidenceStale},
		"a little ahead":  {frame, changed(func(r *evidence.Report) { r.FinishedAt = now.Add(time.Second) }), "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			found, v := gate.Open[evidence.IntegrationReport](c.frame, c.m, "the integration measurement")
			if (found == nil) != (v != nil) {
				t.Errorf("found %v, refused %v", found, v)
			}
			switch {
			case v == nil && c.state != "":
				t.Errorf("not refused, want %s", c.state)
			case v != nil && (v.State != c.state || v.Reason != c.reason || v.Message == ""):
				t.Errorf("got %+v, want %s %s", v, c.state, c.reason)
			case name == "other kind" && !strings.Contains(v.Message, "something else"):
				t.Errorf("who looks into it is told %q", v.Message)
			case v != nil && v.State == gate.Inconclusive && len(v.Findings) == 0:
				t.Error("nobody is told what to do")
			}
		})
	}
}

func loadReport() *evidence.LoadReport {
	return &evidence.LoadReport{Within: 1, Steps: []evidence.StepResult{
		{RatePerSecond: "1", Duration: evidence.Duration(time.Second), Planned: 1, Failures: evidence.LoadFailures{Timeout: 1}}}}
}

func TestVerdictsFitIntoAStatus(t *testing.T) {
	long := strings.Repeat("é\x1b", 3000)
	var many []gate.Finding
	for range 100 {
		many = append(many, gate.Finding{Reason: v1alpha1.ReasonPlainSecret, Field: long, Message: long, Hint: long, Owner: v1alpha1.OwnerBusiness})
	}
	v := gate.Fail(v1alpha1.ReasonHolesFound, long, now, many...)
	if len(v.Message) > 1024 || len(v.Findings) != 32 {
		t.Errorf("message of %d bytes, %d findings", len(v.Message), len(v.Findings))
	}
	for _, f := range v.Findings {
		g := f.Gap("security")
		if len(g.Message) > 512 || len(g.Hint) > 512 || len(g.Field) > 256 || strings.Contains(g.Message, "\x1b") || g.Gate != "security" {
			t.Errorf("does not fit: %+v", g)
		}
	}
	if last := v.Findings[31].Message; !strings.Contains(last, "69 more") {
		t.Errorf("the last finding is %q", last)
	}
	if v := gate.Fail(v1alpha1.ReasonHolesFound, "", now, many[:32]...); len(v.Findings) != 32 || strings.Contains(v.Findings[31].Message, "more of") {
		t.Errorf("32 findings fit: %q", v.Findings[31].Message)
	}
}

// What stands in nobody's way never takes a hole's place.
func TestAdviceLeavesNoHoleOut(t *testing.T) {
	var holes, notes []gate.Finding
	for i := range 32 {
		holes = append(holes, gate.Finding{Reason: v1alpha1.ReasonHolesFound, Message: fmt.Sprint("hole ", i)})
		notes = append(notes, gate.Finding{Reason: v1alpha1.ReasonJudgeObjects, Message: fmt.Sprint("note ", i)})
	}
	for _, n := range []int{0, 1, 30, 31, 32} {
		v := gate.Advise(gate.Fail(v1alpha1.ReasonHolesFound, "", now, holes[:n]...), notes...)
		for i, f := range v.Findings {
			if want := append(slices.Clone(holes[:n]), notes...)[i]; f.Message != want.Message {
				t.Errorf("with %d holes, finding %d is %q", n, i, f.Message)
			}
		}
		if len(v.Findings) != 32 {
			t.Errorf("%d findings", len(v.Findings))
		}
	}
}

// What does for two gates is enough for each, whichever of them looked at what was used.
func TestSizeForBoth(t *testing.T) {
	one, other := gate.Size{Min: 1, Max: 4, Most: 6, CPU: 50}, gate.Size{Min: 2, Max: 3, CPU: 20, Memory: 32 << 20}
	want := gate.Size{Min: 2, Max: 4, Most: 6, CPU: 50, Memory: 32 << 20}
	for _, got := range []gate.Size{one.And(other), other.And(one)} {
		if got != want {
			t.Errorf("got %+v, want %+v", got, want)
		}
	}
}
