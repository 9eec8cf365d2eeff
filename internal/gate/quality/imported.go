package quality

import (
	"fmt"
	"time"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/internal/evidence"
	"github.com/affineur/affineur/internal/examples"
	"github.com/affineur/affineur/internal/gate"
	"github.com/affineur/affineur/internal/workload"
)

// usualImport is how long an image may take where the policy does not say, as the schema has it.
const usualImport = 15 * time.Minute

// importOf is what the gate takes over from an image of IT's; nil where it asks the prototype's own examples.
func importOf(g v1alpha1.Gate) *v1alpha1.QualityImport {
	if g.Quality == nil {
		return nil
	}
	return g.Quality.Import
}

func orderOf(i v1alpha1.QualityImport) *evidence.ImportOrder {
	return &evidence.ImportOrder{Format: evidence.ImportFormat(i.Format), Scorer: i.Scorer}
}

// toolEnv has the tools write what is read, wherever they are told otherwise by nobody: a failed test is no failure of the
// tool, and an answer from a store is none.
var toolEnv = map[v1alpha1.ImportFormat]map[string]string{
	v1alpha1.ImportPromptfoo: {
		"PROMPTFOO_FAILED_TEST_EXIT_CODE": "0", "PROMPTFOO_CACHE_ENABLED": "false", "PROMPTFOO_DISABLE_TELEMETRY": "1", "PROMPTFOO_DISABLE_UPDATE": "1",
	},
	v1alpha1.ImportInspectAI: {"INSPECT_LOG_DIR": evidence.ResultsPath, "INSPECT_LOG_FORMAT": "json"},
}

// planImport is one run: the image asks, and the runner takes over what it wrote.
func planImport(c gate.Case, i v1alpha1.QualityImport) ([]gate.Run, error) {
	order := orderOf(i)
	if err := order.Validate(); err != nil {
		return nil, err
	}
	env := map[string]string{evidence.URLEnv: workload.URL(c.Record.Prototype.Sandbox())}
	for name, value := range toolEnv[i.Format] {
		env[name] = value
	}
	length := i.Length.Duration
	if length <= 0 {
		length = usualImport
	}
	return []gate.Run{{
		Site: gate.SiteSandbox, Order: order, Length: length*time.Duration(max(c.Patience, 1)) + ending, CPU: "250m", Memory: "256Mi",
		Tool: &gate.Tool{Image: i.Image, Args: i.Args, Env: env, CPU: "500m", Memory: "512Mi"},
	}}, nil
}

// judgeImport judges what was taken over as if the examples had been asked by the runner.
func judgeImport(c gate.Case, taken gate.Taken, i v1alpha1.QualityImport) gate.Verdict {
	settings, err := settingsOf(c.Gate)
	if err == nil {
		err = settings.validate()
	}
	if err != nil {
		return invalid(err)
	}
	result, refused := gate.Open[evidence.ImportResult](c.Frame(), taken.Runs[""].Measurement, "the evaluation by IT's image")
	if refused != nil {
		return *refused
	}
	if string(result.Format) != string(i.Format) {
		return gate.Unknown(v1alpha1.ReasonEvidenceUnverifiable, "The evaluation by IT's image can't be used: it is of another format.", time.Time{})
	}
	v := Judge(broughtBy(c, settings, *result, taken.Runs[""].Report.FinishedAt))
	for n := range v.Findings {
		v.Findings[n] = ofImage(v.Findings[n])
	}
	return v
}

// broughtBy a tool is an evaluation without a set of ours. Which model answered is not asked: a tool may write down what it
// was told to ask for.
func broughtBy(c gate.Case, settings Settings, result evidence.ImportResult, at time.Time) Evidence {
	e := evidenceOf(c, examples.Set{}, settings, result.Evaluation, at)
	e.Model, e.AtMost = nil, 0
	return e
}

// ofImage says what a finding means where the examples are IT's.
func ofImage(f gate.Finding) gate.Finding {
	switch f.Field {
	case fieldCall:
		f.Field, f.Hint = "", "Look at the prototype's log for the time of the evaluation. IT looks whether its image asks the prototype as it wants to be asked."
	case fieldExamples:
		f.Field = ""
	}
	switch f.Reason {
	case v1alpha1.ReasonTooFewExamples, v1alpha1.ReasonTooCloseToTell, v1alpha1.ReasonNothingToCompare:
		f.Owner, f.Hint = v1alpha1.OwnerIT, "IT adds examples to the evaluation in its image, and keeps those that are there with their ids."
	case v1alpha1.ReasonExamplesNotAsked:
		f.Owner = v1alpha1.OwnerIT
		f.Hint = "The tool reports errors, or examples without a score that counts: one that no model gave. IT runs its image and looks at its results. It is measured again."
	case v1alpha1.ReasonTooManyWrong, v1alpha1.ReasonSliceTooWeak:
		f.Hint = "IT tells what these examples ask, by their ids. Mend the prototype; IT mends an example that expects the wrong thing."
	}
	return f
}

func summarizeImport(c gate.Case, report evidence.Report, i v1alpha1.QualityImport) gate.Summary {
	result := evidence.As[evidence.ImportResult](report.Result)
	settings, err := settingsOf(c.Gate)
	if result == nil || err != nil {
		return gate.Summary{}
	}
	text := fmt.Sprintf("Asked by `%s`, %s %s.\n\n", plain(i.Image), i.Format, plain(result.Tool))
	return gate.Summary{Markdown: text + Markdown(broughtBy(c, settings, *result, report.FinishedAt))}
}
