package security

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/internal/evidence"
	"github.com/affineur/affineur/internal/gate"
	"github.com/affineur/affineur/internal/record"
	"github.com/affineur/affineur/internal/subject"
)

const (
	// bodyField is where a team names the sample of a request, and setField its evaluation set.
	bodyField = "spec.demand.request.body"
	setField  = "spec.evaluation.examples"
	// The paths at which a prototype is asked.
	pathField   = "spec.demand.request.path"
	healthField = workloadField + ".health.path"
	jsonField   = "spec.evaluation.call.json.path"
	chatField   = "spec.evaluation.call.openAIChat.path"
)

// Search is a search for secrets in what the team wrote.
type Search struct {
	// Texts that had to be searched.
	Texts []evidence.Text
	Run   gate.Measurement
	Frame gate.Frame
}

// textsOf are the texts of a subject that people wrote and many can read, if the policy has them searched by a runner.
func textsOf(s subject.Subject, asked *v1alpha1.SecurityGate) []evidence.Text {
	if asked == nil || asked.Secrets == v1alpha1.SearchBuiltIn {
		return nil
	}
	var out []evidence.Text
	for i, e := range s.Container.Env {
		if e.Value != "" {
			out = append(out, evidence.Text{Field: fmt.Sprintf("%s.env[%d]", workloadField, i), Name: e.Name, Value: e.Value})
		}
	}
	for _, text := range saidOf(s) {
		if text.Field == bodyField || strings.Contains(text.Value, "?") {
			out = append(out, text)
		}
	}
	return out
}

// saidOf is what a subject shows beside its variables to everybody who may see it: the sample request, which is sent by
// measurements and kept with the review, and the paths at which it is asked. A body from a Secret is left out: who may read
// that is for the team to say.
func saidOf(s subject.Subject) []evidence.Text {
	var out []evidence.Text
	add := func(field, value string) {
		if value != "" {
			out = append(out, evidence.Text{Field: field, Value: value})
		}
	}
	add(healthField, s.Container.Health)
	if s.Demand != nil {
		add(pathField, s.Demand.Path)
		if !s.Demand.Guarded {
			add(bodyField, s.Demand.Body)
		}
	}
	if s.Evaluation != nil {
		if call := s.Evaluation.Call.JSON; call != nil {
			add(jsonField, call.Path)
		}
		if call := s.Evaluation.Call.OpenAIChat; call != nil {
			add(chatField, call.Path)
		}
	}
	return out
}

// shown are secrets in what is said beside the variables, by their form.
func shown(texts []evidence.Text) []gate.Finding {
	var out []gate.Finding
	for _, text := range texts {
		if kind := shapeOf(text.Value); kind != "" {
			out = append(out, gate.Finding{
				Reason: v1alpha1.ReasonSecretInConfiguration, Field: text.Field, Owner: v1alpha1.OwnerBusiness,
				Message: "what it is asked with holds what looks like " + kind + "; everybody who may see it there can read it",
				Hint:    sampleHint,
			})
		}
	}
	return out
}

const sampleHint = "Take it out: what is asked of a prototype is sent by measurements and kept with the review. Then change the secret: it has been seen."

// setOf is the evaluation set, which is sent to the prototype and kept with the review: a text like the others, but longer.
func setOf(rec record.Record, asked *v1alpha1.SecurityGate) ([]evidence.Text, error) {
	if asked == nil || asked.Secrets == v1alpha1.SearchBuiltIn {
		return nil, nil
	}
	raw, err := rec.EvaluationSet()
	if err != nil || len(raw) == 0 {
		return nil, err
	}
	return []evidence.Text{{Field: setField, Value: string(raw)}}, nil
}

// searching is the run that searches all texts; nil where there are none.
func searching(texts, set []evidence.Text) (*gate.Run, error) {
	order, files := &evidence.SecretsOrder{Count: len(texts) + len(set)}, map[string][]byte{}
	if order.Count == 0 {
		return nil, nil
	}
	if len(texts) > 0 {
		file, err := evidence.EncodeTexts(texts)
		if err != nil {
			return nil, err
		}
		order.Texts, files[fileTexts] = fileTexts, file
	}
	for _, text := range set {
		order.Set, order.SetField, files[fileSet] = fileSet, text.Field, []byte(text.Value)
	}
	return &gate.Run{Part: partSecrets, Site: gate.SiteClosed, Length: time.Minute, CPU: "250m", Memory: "192Mi", Order: order, Files: files}, nil
}

// judgeSearch says where secrets were found, except where another finding says so already.
func judgeSearch(s Search, found []gate.Finding) opinion {
	result, refused := gate.Open[evidence.SecretsResult](s.Frame, s.Run, "the search for secrets")
	if refused != nil {
		return opinion{unsettled: []gate.Verdict{*refused}}
	}
	if result.Searched != len(s.Texts) {
		return opinion{unsettled: []gate.Verdict{gate.Unknown(v1alpha1.ReasonEvidenceUnverifiable, "the search for secrets left something out", time.Time{})}}
	}
	var o opinion
	for _, hit := range result.Found {
		if shownToAll(s.Texts, hit) || slices.ContainsFunc(found, func(f gate.Finding) bool { return f.Field == hit.Field && saysSecret(f) }) ||
			slices.ContainsFunc(o.holes, func(f gate.Finding) bool { return f.Field == hit.Field }) {
			continue
		}
		o.holes = append(o.holes, hitFinding(s.Texts, hit))
	}
	// Where the list is full, something was found whatever its places.
	if result.FoundMore > 0 && len(o.holes) == 0 && len(found) == 0 {
		o.holes = append(o.holes, hitFinding(s.Texts, evidence.FoundSecret{}))
	}
	return o
}

// guessing is the rule that takes a random value beside a word such as "auth" for a secret, whatever its form.
const guessing = "generic-api-key"

// shownToAll tells whether that rule met a variable whose name says that its one value is shown to everybody.
func shownToAll(texts []evidence.Text, hit evidence.FoundSecret) bool {
	at := slices.IndexFunc(texts, func(t evidence.Text) bool { return t.Field == hit.Field })
	return at >= 0 && hit.Rule == guessing && openly(texts[at].Name, texts[at].Value) && !strings.ContainsAny(texts[at].Value, " \t\r\n:;&={\"'")
}

// saysSecret tells whether a finding is about a secret that can be read.
func saysSecret(f gate.Finding) bool {
	return f.Reason == v1alpha1.ReasonPlainSecret || f.Reason == v1alpha1.ReasonSecretInConfiguration
}

func hitFinding(texts []evidence.Text, hit evidence.FoundSecret) gate.Finding {
	f := gate.Finding{
		Reason: v1alpha1.ReasonSecretInConfiguration, Field: hit.Field, Owner: v1alpha1.OwnerBusiness,
		Message: fmt.Sprintf("what looks like a secret (rule %s of gitleaks); everybody who may see the manifest or the pod can read it", hit.Rule),
		Hint:    "Move it to a Secret and name it under secrets; the program reads it as a file. Then change the secret: it has been seen.",
	}
	if hit.Field == bodyField || strings.HasSuffix(hit.Field, ".path") {
		f.Hint = sampleHint
	}
	if hit.Field == setField {
		if hit.Line > 0 {
			f.Message = fmt.Sprintf("line %d: what looks like a secret (rule %s of gitleaks); it is asked of the prototype and kept with the review", hit.Line, hit.Rule)
		}
		f.Hint = "Take it out of the examples. Then change the secret: it has been seen."
	}
	if !slices.ContainsFunc(texts, func(t evidence.Text) bool { return t.Field == hit.Field }) {
		f.Field = ""
	}
	return f
}
