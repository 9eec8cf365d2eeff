package cli

import (
	"context"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/internal/assess"
	"github.com/affineur/affineur/internal/names"
	"github.com/affineur/affineur/internal/record"
)

// keep puts a report into the records, of the review unless edits say otherwise.
func (w *world) keep(name string, edits ...func(*record.Report)) {
	w.t.Helper()
	report := record.Report{
		Prototype: names.Identity{Namespace: "education", Name: prototypeName, UID: w.review().Spec.Prototype.UID},
		Gate:      assess.ReportOf("scalability"), Ordinal: 3, Attempt: 1, Name: name, MeasuredAt: w.clock.Now().Add(-time.Hour),
		Body: []byte(`{"measured":"` + name + `"}`), Beside: map[string]string{record.Summary: "# " + name + "\n", "plot.svg": "<svg/>"},
	}
	for _, edit := range edits {
		edit(&report)
	}
	object, err := report.Object()
	if err == nil {
		err = w.client.Create(w.t.Context(), object)
	}
	if err != nil {
		w.t.Fatal(err)
	}
}

func TestReport(t *testing.T) {
	gate := func(name string) func(*record.Report) {
		return func(r *record.Report) { r.Gate = assess.ReportOf(name) }
	}
	for name, test := range map[string]struct {
		args string
		code int
		want string
		not  string
	}{
		"all gates":                 {"", 0, "# quality", "first"},
		"the newest attempt":        {"scalability", 0, "# second", "first"},
		"one gate":                  {"quality", 0, "# quality", "second"},
		"a file":                    {"scalability --file plot.svg", 0, "<svg/>", "#"},
		"the evidence":              {"scalability --file report.json", 0, `{"measured":"second"}`, "#"},
		"what a terminal obeys":     {"hostile", 0, "# red\n\tback", "\x1b"},
		"what has no summary yet":   {"unfinished", 0, "its measurement goes on", "#"},
		"a file that is not there":  {"scalability --file other.svg", 1, "there are: plot.svg, summary.md, report.json", "#"},
		"a gate that is not there":  {"privacy", 1, "no report of privacy is kept yet", "#"},
		"isolation is not a gate's": {"isolation", 1, "no report of isolation is kept yet", "#"},
		"another review's":          {"old", 1, "no report of old is kept yet", "#"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, "awaiting-decisions")
			w.keep("first")
			w.keep("second", func(r *record.Report) { r.Attempt = 2 })
			w.keep("quality", gate("quality"))
			w.keep("hostile", gate("hostile"), func(r *record.Report) { r.Beside[record.Summary] = "# \x1bred\n\tback" })
			w.keep("unfinished", gate("unfinished"), func(r *record.Report) { r.Beside = nil })
			w.keep("isolation", func(r *record.Report) { r.Gate = assess.ReportIsolation })
			w.keep("old", gate("old"), func(r *record.Report) { r.Ordinal = 2 })
			w.expect(w.play(context.Background(), append([]string{"report", reviewName}, strings.Fields(test.args)...)...), test.code, test.want)
			if strings.Contains(w.out.String(), test.not) {
				t.Errorf("%q is said:\n%s", test.not, w.out)
			}
		})
	}
}

// Nobody decides on a report that was altered.
func TestReportThatWasAltered(t *testing.T) {
	w := newWorld(t, "awaiting-decisions")
	w.keep("first")
	w.keep("second", func(r *record.Report) { r.Attempt = 2 })
	w.alter("second")
	w.expect(w.play(context.Background(), "report", reviewName), 1, "error: ")
	if strings.Contains(w.out.String(), "# ") {
		t.Errorf("it is shown all the same:\n%s", w.out)
	}
}

func (w *world) alter(name string) {
	w.t.Helper()
	var object corev1.ConfigMap
	err := w.client.Get(w.t.Context(), client.ObjectKey{Namespace: v1alpha1.RecordsNamespace, Name: name}, &object)
	object.Data["digest"] = "sha256:" + strings.Repeat("0", 64)
	if err == nil {
		err = w.client.Update(w.t.Context(), &object)
	}
	if err != nil {
		w.t.Fatal(err)
	}
}
