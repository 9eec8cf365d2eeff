package describe

import (
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/duration"

	"github.com/affineur/affineur/api/v1alpha1"
)

// Prototypes says one line about each prototype.
func Prototypes(prototypes []v1alpha1.AIPrototype, withNamespace bool, now time.Time) string {
	var out strings.Builder
	table := tabwriter.NewWriter(&out, 0, 0, 3, ' ', 0)
	header := []string{"NAME", "TARGET", "WHERE", "MISSING", "GATES", "WAITING ON", "SINCE", "ENDS"}
	row(table, withNamespace, "NAMESPACE", header)
	for i := range prototypes {
		row(table, withNamespace, prototypes[i].Namespace, cells(&prototypes[i], now))
	}
	// A strings.Builder takes everything.
	_ = table.Flush()
	return out.String()
}

func row(table *tabwriter.Writer, withNamespace bool, namespace string, cells []string) {
	if withNamespace {
		cells = append([]string{namespace}, cells...)
	}
	for i, cell := range cells {
		if cells[i] = Clean(cell); cells[i] == "" {
			cells[i] = "-"
		}
	}
	_, _ = fmt.Fprintln(table, strings.Join(cells, "\t"))
}

func cells(prototype *v1alpha1.AIPrototype, now time.Time) []string {
	var gates, waiting, since, ends, missing string
	if summary := prototype.Status.Summary; summary != nil {
		gates, waiting, since = summary.Gates, summary.WaitingOn, age(now, summary.Since)
	}
	if sandbox := prototype.Status.Sandbox; sandbox != nil && sandbox.HeldSince != nil {
		ends = "stands still"
	} else if sandbox != nil && sandbox.ExpiresAt != nil {
		ends = "ended"
		if sandbox.ExpiresAt.After(now) {
			ends = "in " + duration.HumanDuration(sandbox.ExpiresAt.Sub(now))
		}
	}
	if n := len(prototype.Status.Gaps); n > 0 {
		missing = count(n, "gap")
	}
	return []string{prototype.Name, string(prototype.Spec.Target), where(prototype), missing, gates, waiting, since, ends}
}

func age(now time.Time, t *metav1.Time) string {
	if t == nil {
		return ""
	}
	return duration.HumanDuration(max(0, now.Sub(t.Time)))
}
