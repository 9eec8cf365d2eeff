package assess

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/internal/gate"
	"github.com/affineur/affineur/internal/record"
)

// maxSummary bounds the Markdown of a summary, in bytes.
const maxSummary = 96 << 10

// Explain writes what people read beside a gate's report: the verdict with every finding, what the instrument tells about
// the measurement, and what it is bound to. Names of files lead to texts.
func (b Bench) Explain(rec record.Record, g v1alpha1.Gate, reports []record.Report, now time.Time) map[string]string {
	instrument := b.Of(g.Type)
	if instrument == nil {
		return nil
	}
	newest := Newest(rec, g.Name, reports)
	taken := newest.Taken()
	taken.Isolation = isolationOf(rec, reports, now)
	c := gate.Case{Record: rec, Gate: g, Patience: gate.PatienceOf(newest.Number), Now: now}
	verdict, told := instrument.Judge(c, taken), instrument.Summarize(c, taken)
	out := maps.Clone(told.Files)
	if out == nil {
		out = map[string]string{}
	}
	text := strings.Join([]string{heading(rec, g, newest, verdict, now), findings(verdict), told.Markdown, bound(rec, newest)}, "\n")
	if len(text) > maxSummary {
		text = strings.ToValidUTF8(text[:maxSummary], "") + "\n\n(cut off here)\n"
	}
	out[record.Summary] = text
	return out
}

func heading(rec record.Record, g v1alpha1.Gate, newest Attempt, verdict gate.Verdict, now time.Time) string {
	return fmt.Sprintf("# %s: %s\n\n%s\n\nGate %s of type %s (%s), review %s of prototype %s in namespace %s, attempt %d, judged %s.\n",
		g.Name, verdict.State, gate.Cell(verdict.Message), g.Name, g.Type, g.Enforcement, rec.Prototype.Review(rec.Ordinal), rec.Prototype.Name,
		rec.Prototype.Namespace, newest.Number, now.UTC().Format(time.RFC3339))
}

func findings(verdict gate.Verdict) string {
	if len(verdict.Findings) == 0 {
		return ""
	}
	text := "## Findings\n\n| What | Where | Who | How to mend it |\n|---|---|---|---|\n"
	for _, f := range verdict.Findings {
		text += fmt.Sprintf("| %s: %s | %s | %s | %s |\n", gate.Cell(f.Reason), gate.Cell(f.Message), gate.Cell(f.Field), f.Owner, gate.Cell(f.Hint))
	}
	return text
}

// bound says which evidence of what the verdict rests on.
func bound(rec record.Record, newest Attempt) string {
	text := fmt.Sprintf("## Evidence\n\nSubject %s, under review digest %s.\n\n", rec.SubjectDigest, rec.ReviewDigest)
	for _, name := range slices.Sorted(maps.Keys(newest.parts)) {
		part := newest.parts[name]
		label := "Report"
		if name != "" {
			label = "Report " + name
		}
		text += fmt.Sprintf("- %s: %s of %s\n", label, part.run.digest, part.run.at.UTC().Format(time.RFC3339))
		if part.control.digest != "" {
			text += fmt.Sprintf("- its control: %s\n", part.control.digest)
		}
	}
	return text
}
