package security

import (
	"slices"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/internal/evidence"
	"github.com/affineur/affineur/internal/gate"
)

var (
	reviewed    = evidence.Digest([]byte("review"))
	imageDigest = strings.TrimPrefix(digest, "@")
)

func measured(result evidence.Result) gate.Measurement {
	return gate.Measurement{Report: &evidence.Report{Schema: evidence.ReportSchema, Nonce: "0123456789abcdef", Subject: reviewed,
		StartedAt: now.Add(-2 * time.Minute), FinishedAt: now.Add(-time.Minute), Result: result}}
}

// asking is a policy that asks for everything.
func asking() v1alpha1.SecurityGate {
	return v1alpha1.SecurityGate{
		Signatures: &v1alpha1.Signatures{Keys: []v1alpha1.SignerKey{
			{Name: "release", PublicKey: "PEM", VouchesFor: []v1alpha1.Claim{"Image", "Provenance", "SBOM"}},
			{Name: "scanner", PublicKey: "PEM", VouchesFor: []v1alpha1.Claim{"Vulnerabilities"}},
		}},
		Provenance:      &v1alpha1.ProvenanceRule{Builders: []string{"https://ci.example.org/builder"}, Sources: []string{"https://git.example.org/membership"}},
		SBOM:            v1alpha1.PresenceRequired,
		Vulnerabilities: &v1alpha1.VulnerabilityRule{Source: v1alpha1.SourceAttestations, MaxHigh: 1, MaxAge: metav1.Duration{Duration: 72 * time.Hour}},
	}
}

// answered is everything that it asks for.
func answered() *evidence.SupplyResult {
	at := now.Add(-time.Hour)
	return &evidence.SupplyResult{
		Image: imageDigest, Found: 4, SignedBy: []string{"release"},
		Provenance: []evidence.Provenance{{Signer: "release", Builder: "https://ci.example.org/builder@refs/tags/v1", Sources: []string{"git+https://git.example.org/membership/churn@refs/heads/main"}}},
		SBOMs:      []evidence.SBOM{{Signer: "release", Format: "SPDX-2.3", Packages: 12}},
		Scans: []evidence.Scan{{Signer: "scanner", Scanner: "trivy", ScannedAt: at, DatabaseAt: &at, High: 1,
			Worst: []evidence.Vulnerability{{ID: "CVE-2026-0002", Package: "zlib", Severity: evidence.SeverityHigh}}}},
	}
}

func supplied() (Evidence, *evidence.SupplyResult) {
	e, result := good(), answered()
	e.Supply = &Supply{Asked: asking(), Image: imageDigest, Frame: gate.Frame{Subject: reviewed, Now: now, MaxAge: time.Hour},
		Gathered: measured(&evidence.MaterialResult{Image: imageDigest, Packed: []byte{1}}), Verified: measured(result)}
	return e, result
}

func TestJudgeSupply(t *testing.T) {
	const it, business = v1alpha1.OwnerIT, v1alpha1.OwnerBusiness
	flaw := func(severity evidence.Severity) evidence.Vulnerability {
		return evidence.Vulnerability{ID: "CVE-2026-0001", Package: "openssl", Version: "3.0.1", FixedIn: "3.0.2", Severity: severity}
	}
	for name, c := range map[string]struct {
		change func(*Evidence, *evidence.SupplyResult)
		state  gate.State
		reason string
		owner  v1alpha1.Owner
		says   string
	}{
		"all there": {func(*Evidence, *evidence.SupplyResult) {}, gate.Passed, v1alpha1.ReasonNoHoles, "", "signed by release"},

		"not signed": {func(_ *Evidence, r *evidence.SupplyResult) { r.SignedBy = nil }, gate.Failed, v1alpha1.ReasonImageNotSigned, business, "keeps no such thing"},
		"signed by a stranger": {func(_ *Evidence, r *evidence.SupplyResult) {
			r.SignedBy, r.Refused = nil, []evidence.Refused{{Place: "x", Claim: evidence.ClaimImage, Why: evidence.RefusedSigner}, {Place: "y", Claim: evidence.ClaimImage, Why: evidence.RefusedImage}}
		}, gate.Failed, v1alpha1.ReasonImageNotSigned, business, "1 by somebody whom the policy does not name, 1 about another image"},
		"signed by one who may not":  {func(_ *Evidence, r *evidence.SupplyResult) { r.SignedBy = []string{"scanner"} }, gate.Failed, v1alpha1.ReasonImageNotSigned, business, ""},
		"signed by one nobody named": {func(_ *Evidence, r *evidence.SupplyResult) { r.SignedBy = []string{"mallory"} }, gate.Failed, v1alpha1.ReasonImageNotSigned, business, ""},
		"nobody has to release": {func(e *Evidence, r *evidence.SupplyResult) {
			e.Supply.Asked.Signatures.Keys[0].VouchesFor = []v1alpha1.Claim{"Provenance", "SBOM"}
			r.SignedBy = nil
		}, gate.Passed, v1alpha1.ReasonNoHoles, "", ""},
		"no provenance":         {func(_ *Evidence, r *evidence.SupplyResult) { r.Provenance = nil }, gate.Failed, v1alpha1.ReasonProvenanceMissing, business, ""},
		"provenance of another": {func(_ *Evidence, r *evidence.SupplyResult) { r.Provenance[0].Signer = "scanner" }, gate.Failed, v1alpha1.ReasonProvenanceMissing, business, ""},
		"another builder":       {func(_ *Evidence, r *evidence.SupplyResult) { r.Provenance[0].Builder = "https://laptop.example.org" }, gate.Failed, v1alpha1.ReasonProvenanceNotAllowed, business, "laptop"},
		"a builder with a longer name": {func(_ *Evidence, r *evidence.SupplyResult) {
			r.Provenance[0].Builder = "https://ci.example.org/builder2"
		}, gate.Failed, v1alpha1.ReasonProvenanceNotAllowed, business, ""},
		"another source": {func(_ *Evidence, r *evidence.SupplyResult) {
			r.Provenance[0].Sources = append(r.Provenance[0].Sources, "git+https://evil.example.org/x")
		}, gate.Failed, v1alpha1.ReasonProvenanceNotAllowed, business, "evil"},
		"a team with a longer name": {func(_ *Evidence, r *evidence.SupplyResult) {
			r.Provenance[0].Sources = []string{"git+https://git.example.org/membership-evil/x"}
		}, gate.Failed, v1alpha1.ReasonProvenanceNotAllowed, business, ""},
		"a source with a way out": {func(_ *Evidence, r *evidence.SupplyResult) {
			r.Provenance[0].Sources = []string{"https://git.example.org/membership/../evil"}
		}, gate.Failed, v1alpha1.ReasonProvenanceNotAllowed, business, ""},
		"no source": {func(_ *Evidence, r *evidence.SupplyResult) { r.Provenance[0].Sources = nil }, gate.Failed, v1alpha1.ReasonProvenanceNotAllowed, business, "nobody knows"},
		"one good provenance of two": {func(_ *Evidence, r *evidence.SupplyResult) {
			r.Provenance = append([]evidence.Provenance{{Signer: "release", Builder: "https://laptop.example.org"}}, r.Provenance...)
		}, gate.Passed, v1alpha1.ReasonNoHoles, "", ""},
		"no bill of materials":   {func(_ *Evidence, r *evidence.SupplyResult) { r.SBOMs = nil }, gate.Failed, v1alpha1.ReasonSBOMMissing, business, ""},
		"one that nobody signed": {func(_ *Evidence, r *evidence.SupplyResult) { r.SBOMs[0].Signer = "" }, gate.Failed, v1alpha1.ReasonSBOMMissing, business, ""},
		"one that nobody has to sign": {func(e *Evidence, r *evidence.SupplyResult) {
			r.SBOMs[0].Signer = ""
			e.Supply.Asked.Signatures.Keys[0].VouchesFor = []v1alpha1.Claim{"Image", "Provenance"}
		}, gate.Passed, v1alpha1.ReasonNoHoles, "", ""},

		"a critical one": {func(_ *Evidence, r *evidence.SupplyResult) {
			r.Scans[0].Critical, r.Scans[0].Worst = 1, append([]evidence.Vulnerability{flaw(evidence.SeverityCritical)}, r.Scans[0].Worst...)
		}, gate.Failed, v1alpha1.ReasonVulnerable, business, "1 critical"},
		"one that nobody rated": {func(_ *Evidence, r *evidence.SupplyResult) {
			r.Scans[0].Unrated, r.Scans[0].Worst = 1, append(r.Scans[0].Worst, flaw(evidence.SeverityUnrated))
		}, gate.Failed, v1alpha1.ReasonVulnerable, business, "2 high"},
		"many low ones": {func(_ *Evidence, r *evidence.SupplyResult) {
			r.Scans[0].Low, r.Scans[0].Worst = 1, append(r.Scans[0].Worst, flaw(evidence.SeverityLow))
		}, gate.Passed, v1alpha1.ReasonNoHoles, "", ""},
		"another scanner finds one": {func(_ *Evidence, r *evidence.SupplyResult) {
			r.Scans = append(r.Scans, evidence.Scan{Signer: "scanner", Scanner: "grype", ScannedAt: now.Add(-2 * time.Hour), Critical: 1, Worst: []evidence.Vulnerability{flaw(evidence.SeverityCritical)}})
		}, gate.Failed, v1alpha1.ReasonVulnerable, business, "grype"},
		"another that is old found one": {func(_ *Evidence, r *evidence.SupplyResult) {
			r.Scans = append(r.Scans, evidence.Scan{Signer: "scanner", Scanner: "grype", ScannedAt: now.Add(-73 * time.Hour), Critical: 1, Worst: []evidence.Vulnerability{flaw(evidence.SeverityCritical)}})
		}, gate.Inconclusive, v1alpha1.ReasonScanStale, business, "grype"},
		"another that is old found nothing": {func(_ *Evidence, r *evidence.SupplyResult) {
			r.Scans = append(r.Scans, evidence.Scan{Signer: "scanner", Scanner: "grype", ScannedAt: now.Add(-200 * time.Hour)})
		}, gate.Passed, v1alpha1.ReasonNoHoles, "", ""},
		"a distribution at its end": {func(_ *Evidence, r *evidence.SupplyResult) { r.Scans[0].Gap = evidence.GapEndOfLife }, gate.Inconclusive, v1alpha1.ReasonScanIncomplete, business, "end of its life"},
		"a scanner that failed":     {func(_ *Evidence, r *evidence.SupplyResult) { r.Scans[0].Gap = evidence.GapFailed }, gate.Inconclusive, v1alpha1.ReasonScanIncomplete, business, "failed"},
		"a part of the packages":    {func(_ *Evidence, r *evidence.SupplyResult) { r.Scans[0].Gap = evidence.GapSystem }, gate.Inconclusive, v1alpha1.ReasonScanIncomplete, business, "left out"},
		"a distribution at its end, and holes": {func(_ *Evidence, r *evidence.SupplyResult) {
			r.Scans[0].Gap, r.Scans[0].Critical, r.Scans[0].Worst = evidence.GapEndOfLife, 1, append([]evidence.Vulnerability{flaw(evidence.SeverityCritical)}, r.Scans[0].Worst...)
		}, gate.Failed, v1alpha1.ReasonVulnerable, business, "1 critical"},
		"no scan":                {func(_ *Evidence, r *evidence.SupplyResult) { r.Scans = nil }, gate.Inconclusive, v1alpha1.ReasonScanMissing, business, ""},
		"another's scan":         {func(_ *Evidence, r *evidence.SupplyResult) { r.Scans[0].Signer = "" }, gate.Inconclusive, v1alpha1.ReasonScanMissing, business, ""},
		"a scan by the releaser": {func(_ *Evidence, r *evidence.SupplyResult) { r.Scans[0].Signer = "release" }, gate.Inconclusive, v1alpha1.ReasonScanMissing, business, ""},
		"no report": {func(e *Evidence, _ *evidence.SupplyResult) {
			e.Supply.Asked.Vulnerabilities.Source = v1alpha1.SourceTrivyOperator
		}, gate.Inconclusive, v1alpha1.ReasonScanMissing, it, ""},
		"an old scan":    {func(_ *Evidence, r *evidence.SupplyResult) { r.Scans[0].ScannedAt = now.Add(-73 * time.Hour) }, gate.Inconclusive, v1alpha1.ReasonScanStale, business, ""},
		"a scan to come": {func(_ *Evidence, r *evidence.SupplyResult) { r.Scans[0].ScannedAt = now.Add(time.Hour) }, gate.Inconclusive, v1alpha1.ReasonScanStale, business, ""},
		"an old database": {func(_ *Evidence, r *evidence.SupplyResult) {
			at := now.Add(-73 * time.Hour)
			r.Scans[0].DatabaseAt = &at
		}, gate.Inconclusive, v1alpha1.ReasonScanStale, business, ""},
		"no age is allowed": {func(e *Evidence, _ *evidence.SupplyResult) { e.Supply.Asked.Vulnerabilities.MaxAge = metav1.Duration{} }, gate.Inconclusive, v1alpha1.ReasonScanStale, business, ""},

		"not gathered yet": {func(e *Evidence, _ *evidence.SupplyResult) { e.Supply.Gathered = gate.Measurement{} }, gate.Pending, v1alpha1.ReasonNotMeasured, "", ""},
		"could not be gathered": {func(e *Evidence, _ *evidence.SupplyResult) {
			e.Supply.Gathered = gate.Measurement{Lost: "Registry x does not answer"}
		}, gate.Inconclusive, v1alpha1.ReasonMeasurementLost, it, "Registry x"},
		"not verified yet":       {func(e *Evidence, _ *evidence.SupplyResult) { e.Supply.Verified = gate.Measurement{} }, gate.Pending, v1alpha1.ReasonNotMeasured, "", ""},
		"verification lost":      {func(e *Evidence, _ *evidence.SupplyResult) { e.Supply.Verified = gate.Measurement{Lost: "OOMKilled"} }, gate.Inconclusive, v1alpha1.ReasonMeasurementLost, it, ""},
		"another image verified": {func(_ *Evidence, r *evidence.SupplyResult) { r.Image = evidence.Digest([]byte("another")) }, gate.Inconclusive, v1alpha1.ReasonEvidenceUnverifiable, "", ""},
		"another image asked":    {func(e *Evidence, _ *evidence.SupplyResult) { e.Supply.Image = "" }, gate.Inconclusive, v1alpha1.ReasonEvidenceUnverifiable, "", ""},
		"verified for another": {func(e *Evidence, _ *evidence.SupplyResult) {
			e.Supply.Verified.Report.Subject = evidence.Digest([]byte("another"))
		}, gate.Inconclusive, v1alpha1.ReasonEvidenceUnverifiable, it, ""},
		"a result of another run": {func(e *Evidence, _ *evidence.SupplyResult) {
			e.Supply.Verified = measured(&evidence.SecretsResult{Searched: 1, Rules: 1})
		}, gate.Inconclusive, v1alpha1.ReasonEvidenceUnverifiable, it, ""},
		"contradicts itself": {func(_ *Evidence, r *evidence.SupplyResult) { r.Scans[0].Critical = 5 }, gate.Inconclusive, v1alpha1.ReasonEvidenceUnverifiable, it, ""},
	} {
		t.Run(name, func(t *testing.T) {
			e, result := supplied()
			c.change(&e, result)
			got := Judge(e)
			reason := got.Reason
			if c.state == gate.Failed && len(got.Findings) > 0 {
				reason = got.Findings[0].Reason
			}
			if got.State != c.state || reason != c.reason {
				t.Fatalf("got %+v, want %s %s", got, c.state, c.reason)
			}
			if c.owner != "" && (len(got.Findings) == 0 || got.Findings[0].Owner != c.owner || got.Findings[0].Hint == "" ||
				c.owner == business && got.Findings[0].Field != "spec.workload.container.image") {
				t.Errorf("nobody knows what to do: %+v", got.Findings)
			}
			text := got.Message
			for _, f := range got.Findings {
				text += " " + f.Message
			}
			if !strings.Contains(text, c.says) {
				t.Errorf("it says %q, want %q", text, c.says)
			}
		})
	}
}

func TestAHoleShowsBeforeTheRestIsKnown(t *testing.T) {
	e, _ := supplied()
	e.Supply.Verified = gate.Measurement{}
	e.Pod.Spec.AutomountServiceAccountToken = nil
	if got := Judge(e); got.State != gate.Failed || got.Findings[0].Reason != v1alpha1.ReasonTokenMounted {
		t.Errorf("got %+v", got)
	}
	e, _ = supplied()
	e.Supply.Verified, e.Isolation = gate.Measurement{Lost: "gone"}, gate.Verdict{}
	if got := Judge(e); got.State != gate.Inconclusive || got.Reason != v1alpha1.ReasonMeasurementLost {
		t.Errorf("what stands in the way is hidden by what is waited for: %+v", got)
	}
}

func TestJudgeSearch(t *testing.T) {
	const field, shown, settings = "spec.workload.container.env[0]", "spec.workload.container.env[1]", "spec.workload.container.env[2]"
	texts := []evidence.Text{{Field: field, Name: "TONE", Value: "friendly"}, {Field: bodyField, Value: "{}"},
		{Field: shown, Name: "OAUTH_CLIENT_ID", Value: "0oa2f7x9zPq1LmN3k5d7"}, {Field: settings, Name: "OAUTH_CLIENT_ID", Value: "0oa2f7x9; state=kQ7vBn2XpLm9"}}
	searched := func(hits ...evidence.FoundSecret) *evidence.SecretsResult {
		return &evidence.SecretsResult{Searched: 4, Rules: 222, Found: hits}
	}
	hit := func(at string) evidence.FoundSecret { return evidence.FoundSecret{Field: at, Rule: "github-pat"} }
	guess := func(at string) evidence.FoundSecret { return evidence.FoundSecret{Field: at, Rule: guessing} }
	for name, c := range map[string]struct {
		run    gate.Measurement
		plain  bool
		state  gate.State
		fields []string
	}{
		"nothing found":         {measured(searched()), false, gate.Passed, nil},
		"in a variable":         {measured(searched(hit(field))), false, gate.Failed, []string{field}},
		"guessed":               {measured(searched(guess(field), guess(bodyField))), false, gate.Failed, []string{field, bodyField}},
		"shown to everybody":    {measured(searched(guess(shown))), false, gate.Passed, nil},
		"known by its form":     {measured(searched(guess(shown), hit(shown))), false, gate.Failed, []string{shown}},
		"among other settings":  {measured(searched(guess(settings))), false, gate.Failed, []string{settings}},
		"in the body":           {measured(searched(hit(bodyField))), false, gate.Failed, []string{bodyField}},
		"twice in one place":    {measured(searched(hit(field), hit(field))), false, gate.Failed, []string{field}},
		"seen already":          {measured(searched(hit(field), hit(bodyField))), true, gate.Failed, []string{field, bodyField}},
		"at no known place":     {measured(searched(hit("spec.elsewhere"))), false, gate.Failed, []string{""}},
		"more than can be told": {measured(&evidence.SecretsResult{Searched: 4, Rules: 222, FoundMore: 1}), false, gate.Failed, []string{""}},
		"one left out":          {measured(&evidence.SecretsResult{Searched: 1, Rules: 222}), false, gate.Inconclusive, nil},
		"without rules":         {measured(&evidence.SecretsResult{Searched: 4}), false, gate.Inconclusive, nil},
		"not ended":             {gate.Measurement{}, false, gate.Pending, nil},
		"lost":                  {gate.Measurement{Lost: "gone"}, false, gate.Inconclusive, nil},
		"of another kind":       {measured(answered()), false, gate.Inconclusive, nil},
	} {
		t.Run(name, func(t *testing.T) {
			e := good()
			e.Search = &Search{Texts: texts, Run: c.run, Frame: gate.Frame{Subject: reviewed, Now: now, MaxAge: time.Hour}}
			if c.plain {
				token := "ghp_" + strings.Repeat("a1B2", 9)
				e.Pod.Spec.Containers[0].Env[0].Value, e.Said = token, []evidence.Text{{Field: bodyField, Value: token}}
			}
			got := Judge(e)
			var fields []string
			for _, f := range got.Findings {
				fields = append(fields, f.Field)
			}
			if got.State != c.state || c.state == gate.Failed && !slices.Equal(fields, c.fields) {
				t.Errorf("got %+v, want %s at %q", got, c.state, c.fields)
			}
		})
	}
}
