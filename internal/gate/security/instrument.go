package security

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/internal/evidence"
	"github.com/affineur/affineur/internal/gate"
	"github.com/affineur/affineur/internal/workload"
)

// Instrument judges the pod as production would run it, from the record, the isolation of the sandbox, what a runner
// found in the texts of the subject, and what is known of its image. Whoever has a client gathers that; see package
// material.
type Instrument struct {
	// Rights tells that somebody looks at the cluster's bindings, which then have to be seen.
	Rights bool
}

// Parts of a measurement, in their order.
const (
	partRights   = "rights"
	partSecrets  = "secrets"
	partMaterial = "material"
	partSupply   = "supply"
)

// Files of the runs.
const (
	fileTexts    = "texts.json"
	fileSet      = "examples"
	fileMaterial = "material.gz"
)

// Type implements gate.Instrument.
func (Instrument) Type() v1alpha1.GateType { return v1alpha1.GateSecurity }

// Plan implements gate.Instrument: isolation is measured by the sandbox itself. Where nothing is asked about the image and
// no text is there to be searched, nothing has to be measured.
func (i Instrument) Plan(c gate.Case, taken gate.Taken) ([]gate.Run, error) {
	var runs []gate.Run
	if i.Rights {
		runs = append(runs, gate.Run{Part: partRights, Site: gate.SiteOperator, Order: &evidence.RightsOrder{
			Accounts: AccountsOf(c.Record.Prototype), Excused: excusedBy(c.Gate.Security),
		}})
	}
	set, err := setOf(c.Record, c.Gate.Security)
	if err != nil {
		return nil, err
	}
	search, err := searching(textsOf(c.Record.Subject, c.Gate.Security), set)
	if err != nil {
		return nil, err
	}
	if search != nil {
		runs = append(runs, *search)
	}
	if !AsksSupply(c.Gate.Security) {
		return runs, nil
	}
	image, err := digestOf(c.Record.Subject.Container.Image)
	if err != nil {
		return nil, err
	}
	order := &evidence.SupplyOrder{Image: image, Material: fileMaterial, Signers: signersOf(*c.Gate.Security)}
	verify := gate.Run{Part: partSupply, Site: gate.SiteClosed, Length: time.Minute, CPU: "250m", Memory: "384Mi", Order: order}
	if report := taken.Runs[partMaterial].Report; report != nil {
		if gathered := evidence.As[evidence.MaterialResult](report.Result); gathered != nil {
			order.At = report.FinishedAt
			verify.Files = map[string][]byte{fileMaterial: gathered.Packed}
		}
	}
	return append(runs, gate.Run{Part: partMaterial, Site: gate.SiteOperator, Order: &evidence.MaterialOrder{Image: image}}, verify), nil
}

// digestOf an image that is named by digest.
func digestOf(image string) (string, error) {
	_, digest, ok := strings.Cut(image, "@")
	if !ok || (evidence.MaterialOrder{Image: digest}).Validate() != nil {
		return "", errors.New("the image is not named by its digest")
	}
	return digest, nil
}

// Judge implements gate.Instrument.
func (i Instrument) Judge(c gate.Case, taken gate.Taken) gate.Verdict {
	rec := c.Record
	pod := workload.PodTemplate(rec.Subject, workload.Surroundings{
		Identity: rec.Prototype, Namespace: rec.Prototype.Production(), Purpose: v1alpha1.PurposeProduction,
		Requirements: rec.Requirements, SubjectDigest: rec.SubjectDigest,
	})
	var env []string
	for _, e := range rec.Subject.Container.Env {
		env = append(env, e.Name)
	}
	var rights *Rights
	if i.Rights {
		rights = &Rights{Run: taken.Runs[partRights].Measurement, Frame: c.Frame(), Excused: excusedBy(c.Gate.Security)}
	}
	verdict := Judge(Evidence{
		Pod: &pod, Env: env, Said: saidOf(rec.Subject), Registries: []string{rec.Requirements.Registry.Prefix},
		Isolation: taken.Isolation.Verdict, Now: c.Now, IsolationMaxAge: gate.IsolationMaxAge,
		Rights: rights, Search: searchOf(c, taken), Supply: supplyOf(c, taken),
	})
	for i := range verdict.Findings {
		verdict.Findings[i].Field = byName(verdict.Findings[i].Field, env)
	}
	return verdict
}

func excusedBy(settings *v1alpha1.SecurityGate) []string {
	if settings == nil {
		return nil
	}
	return settings.RolesOfEverybody
}

func searchOf(c gate.Case, taken gate.Taken) *Search {
	// A set that can't be read can't be searched: then nothing is planned either, and nothing passes.
	set, err := setOf(c.Record, c.Gate.Security)
	texts := append(textsOf(c.Record.Subject, c.Gate.Security), set...)
	if err != nil {
		texts = append(texts, evidence.Text{Field: setField})
	}
	if len(texts) == 0 {
		return nil
	}
	return &Search{Texts: texts, Run: taken.Runs[partSecrets].Measurement, Frame: c.Frame()}
}

// supplyOf never takes an image without a digest for one of which nothing is asked: then there is no digest to be about.
func supplyOf(c gate.Case, taken gate.Taken) *Supply {
	if !AsksSupply(c.Gate.Security) {
		return nil
	}
	image, _ := digestOf(c.Record.Subject.Container.Image)
	return &Supply{Asked: *c.Gate.Security, Image: image, Frame: c.Frame(),
		Gathered: taken.Runs[partMaterial].Measurement, Verified: taken.Runs[partSupply].Measurement}
}

var envField = regexp.MustCompile(`\.env\[([0-9]+)\]$`)

// byName names a variable in a field by its name: the subject's are sorted, so a position in them is none in the
// manifest.
func byName(field string, env []string) string {
	match := envField.FindStringSubmatch(field)
	if match == nil {
		return field
	}
	var at int
	if _, err := fmt.Sscan(match[1], &at); err != nil || at >= len(env) {
		return field
	}
	return strings.TrimSuffix(field, match[0]) + ".env[name=" + env[at] + "]"
}
