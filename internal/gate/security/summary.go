package security

import (
	"fmt"
	"strings"
	"time"

	"github.com/affineur/affineur/internal/evidence"
	"github.com/affineur/affineur/internal/gate"
)

// Summarize implements gate.Instrument.
func (Instrument) Summarize(c gate.Case, taken gate.Taken) gate.Summary {
	var text strings.Builder
	if report := taken.Runs[partRights].Report; report != nil {
		if found := evidence.As[evidence.RightsResult](report.Result); found != nil {
			fmt.Fprintf(&text, "%d ClusterRoleBindings and %d RoleBindings were looked at for rights of the prototype.\n\n", found.Cluster, found.Namespaced)
		}
	}
	if report := taken.Runs[partSecrets].Report; report != nil {
		if found := evidence.As[evidence.SecretsResult](report.Result); found != nil {
			fmt.Fprintf(&text, "%d texts were searched for secrets by %d rules of gitleaks.\n\n", found.Searched, found.Rules)
		}
	}
	report := taken.Runs[partSupply].Report
	if report == nil {
		return gate.Summary{Markdown: text.String()}
	}
	if result := evidence.As[evidence.SupplyResult](report.Result); result != nil {
		tellSupply(&text, *result)
	}
	return gate.Summary{Markdown: text.String()}
}

func tellSupply(text *strings.Builder, r evidence.SupplyResult) {
	fmt.Fprintf(text, "Beside image %s: %d attachments.\n\n| What | By | Says |\n|---|---|---|\n", r.Image, r.Found)
	row := func(what, by, says string) {
		fmt.Fprintf(text, "| %s | %s | %s |\n", gate.Cell(what), gate.Cell(by), gate.Cell(says))
	}
	for _, name := range r.SignedBy {
		row("signature", name, "released")
	}
	for _, p := range r.Provenance {
		row("provenance", p.Signer, "built by "+p.Builder+" from "+strings.Join(p.Sources, ", "))
	}
	for _, s := range r.SBOMs {
		row("bill of materials", s.Signer, fmt.Sprintf("%s, %d packages", s.Format, s.Packages))
	}
	for _, s := range r.Scans {
		says := fmt.Sprintf("%s of %s: %d critical, %d high, %d medium, %d low, %d unrated", s.Scanner, s.ScannedAt.UTC().Format(time.RFC3339), s.Critical, s.High, s.Medium, s.Low, s.Unrated)
		if blind, ok := blindness[s.Gap]; ok {
			says += "; " + blind.why
		}
		row("scan", s.Signer, says)
	}
	for _, refused := range r.Refused {
		row("does not count", refused.Place, string(refused.Claim)+" "+words[refused.Why])
	}
	for _, s := range r.Scans {
		tellScan(text, s)
	}
}

func tellScan(text *strings.Builder, s evidence.Scan) {
	if len(s.Worst) > 0 {
		fmt.Fprintf(text, "\n| Found by %s | Severity | Package | Mended in |\n|---|---|---|---|\n", gate.Cell(s.Scanner))
	}
	for _, v := range s.Worst {
		fmt.Fprintf(text, "| %s | %s | %s %s | %s |\n", gate.Cell(v.ID), v.Severity, gate.Cell(v.Package), gate.Cell(v.Version), gate.Cell(v.FixedIn))
	}
	if len(s.Excused) > 0 {
		text.WriteString("\n| Excused | Severity | Package | Status | Because | By |\n|---|---|---|---|---|---|\n")
	}
	for _, e := range s.Excused {
		fmt.Fprintf(text, "| %s | %s | %s | %s | %s | %s |\n", gate.Cell(e.ID), e.Severity, gate.Cell(e.Package), e.Status, gate.Cell(e.Because), gate.Cell(e.By))
	}
}
