package main

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/affineur/affineur/api/v1alpha1"
)

// tellOne prints what became of one case.
func tellOne(out io.Writer, t tried) {
	if t.wrong != "" {
		_, _ = fmt.Fprintf(out, "WRONG  %-28s %3.0f s  %s\n       %s\n", t.name, t.took.Seconds(), t.sample, t.wrong)
		return
	}
	if t.bad() {
		_, _ = fmt.Fprintf(out, "found  %-28s %3.0f s  by %s, %s: %s\n", t.name, t.took.Seconds(), t.gate, t.reason, t.hole)
		return
	}
	_, _ = fmt.Fprintf(out, "passed %-28s %3.0f s  %s\n", t.name, t.took.Seconds(), t.hole)
}

// row of the confusion matrix: what one gate said about cases with a hole that it should find, and about all others that
// came before it.
type row struct{ found, missed, cleared, accused int }

// matrix counts, for every gate, what it said.
func matrix(all []tried) map[string]row {
	rows := map[string]row{}
	count := func(gate string, hole, objects bool) {
		r := rows[gate]
		switch {
		case hole && objects:
			r.found++
		case hole:
			r.missed++
		case objects:
			r.accused++
		default:
			r.cleared++
		}
		rows[gate] = r
	}
	for _, t := range all {
		for gate, objects := range t.seen.verdicts() {
			count(gate, t.gate == gate, objects)
		}
		if _, spoke := t.seen.verdicts()[t.gate]; t.bad() && !spoke {
			count(t.gate, true, false)
		}
	}
	return rows
}

// verdicts are which gates were asked, and which of them object.
func (o observed) verdicts() map[string]bool {
	said := map[string]bool{schemaGate: o.refused != ""}
	if o.refused != "" {
		return said
	}
	stopped := slices.ContainsFunc(o.gaps, func(gap v1alpha1.Gap) bool { return gap.Gate == policyGate })
	said[policyGate] = len(o.gates) == 0 && stopped
	for _, gate := range o.gates {
		said[gate.Name] = gate.Verdict != v1alpha1.GatePassed
	}
	return said
}

// tell prints the confusion matrix, the wrong cases, and the last line. It says whether there was anything to tell, and
// nothing wrong.
func tell(out io.Writer, all []tried) bool {
	rows := matrix(all)
	table := tabwriter.NewWriter(out, 0, 0, 3, ' ', tabwriter.AlignRight)
	_, _ = fmt.Fprintln(table, "gate\thole, found\thole, missed\tno hole, passed\tno hole, failed\t")
	for _, gate := range slices.Sorted(maps.Keys(rows)) {
		r := rows[gate]
		_, _ = fmt.Fprintf(table, "%s\t%d\t%d\t%d\t%d\t\n", gate, r.found, r.missed, r.cleared, r.accused)
	}
	_ = table.Flush()
	var bad, missed, fine, accused int
	for _, t := range all {
		wrong := 0
		if t.wrong != "" {
			wrong = 1
			_, _ = fmt.Fprintf(out, "\nwrong: %s\n  %s\n", t.sample, strings.ReplaceAll(t.wrong, "; ", ";\n  "))
		}
		if t.bad() {
			bad, missed = bad+1, missed+wrong
		} else {
			fine, accused = fine+1, accused+wrong
		}
	}
	_, _ = fmt.Fprintf(out, "\nknown-bad: %d, false passes: %d; known-good: %d, false failures: %d\n", bad, missed, fine, accused)
	return len(all) > 0 && missed == 0 && accused == 0
}
