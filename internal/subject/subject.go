// Package subject renders what a review speaks of in one canonical form, and digests it.
//
// Two digests bind everything that is decided. The subject digest is the SHA-256 of the canonical subject: the
// workload by image digest, its configuration with contents, the model, the integrations, the demand and the
// destination. The review digest covers the subject and the frozen requirements. Canonical means: JSON with sorted
// keys and without escapes that JSON does not ask for, every list that has no meaning in its order sorted, quantities
// and durations in one spelling. The same input gives the same digest on any machine and with any version of Go, and
// what was stored keeps its digest when later versions add fields.
package subject

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/affineur/affineur/api/v1alpha1"
)

// Schema names the form. It changes whenever the same subject would run differently, for instance because the
// pods are rendered in another way: then everything is a new subject and reviewed anew.
const Schema = "affineur.dev/subject/v1"

// Subject is everything that runs and was measured. It is immutable once a review speaks of it.
type Subject struct {
	Schema       string        `json:"schema"`
	Destination  Destination   `json:"destination"`
	Container    Container     `json:"container"`
	Model        *Model        `json:"model,omitempty"`
	Integrations []Integration `json:"integrations,omitempty"`
	DataUses     []string      `json:"dataUses,omitempty"`
	Facts        Facts         `json:"facts"`
	Demand       *Demand       `json:"demand,omitempty"`
	Evaluation   *Evaluation   `json:"evaluation,omitempty"`
}

// Destination is where it would be promoted to.
type Destination struct {
	Namespace string `json:"namespace"`
}

// Container is the workload with its image by digest.
type Container struct {
	// Image is repository@sha256:digest.
	Image   string   `json:"image"`
	Port    int32    `json:"port"`
	Health  string   `json:"health,omitempty"`
	Env     []Env    `json:"env,omitempty"`
	Secrets []Secret `json:"secrets,omitempty"`
	CPU     string   `json:"cpu"`
	Memory  string   `json:"memory"`
	Scratch string   `json:"scratch,omitempty"`
}

// Env is one plain setting.
type Env struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// Secret is a mounted Secret, by name and keys: another value is no new subject, another key is.
type Secret struct {
	Name      string   `json:"name"`
	MountPath string   `json:"mountPath"`
	Keys      []string `json:"keys"`
}

// Model is the model that the prototype calls.
type Model struct {
	Gateway      string `json:"gateway"`
	Name         string `json:"name"`
	Version      string `json:"version"`
	TokensPerDay int64  `json:"tokensPerDay,omitempty"`
	// WhenDown is what people see while it does not answer.
	WhenDown *WhenDown `json:"whenDown,omitempty"`
}

// Integration is a system that the prototype uses.
type Integration struct {
	Name   string          `json:"name"`
	Access v1alpha1.Access `json:"access"`
	// WhenDown is what people see while it is down.
	WhenDown *WhenDown `json:"whenDown,omitempty"`
}

// WhenDown is a promise for the time when a system is slow or down.
type WhenDown struct {
	Then v1alpha1.Promise `json:"then"`
	// Within as Go spells a duration.
	Within string `json:"within"`
}

// Facts decide the tier; what the team left out is the worst already.
type Facts struct {
	Exposure v1alpha1.Exposure `json:"exposure"`
	Autonomy v1alpha1.Autonomy `json:"autonomy"`
	Users    int32             `json:"users"`
}

// Demand is the load that production must carry.
type Demand struct {
	People            int32  `json:"people,omitempty"`
	BusiestHour       int32  `json:"busiestHour,omitempty"`
	AnswerWithin      string `json:"answerWithin,omitempty"`
	RequestsPerSecond string `json:"requestsPerSecond,omitempty"`
	LatencyP95        string `json:"latencyP95,omitempty"`
	FirstByteWithin   string `json:"firstByteWithin,omitempty"`
	ErrorRatio        string `json:"errorRatio"`
	Method            string `json:"method"`
	Path              string `json:"path"`
	Body              string `json:"body,omitempty"`
	// Guarded means that the body comes from a Secret.
	Guarded bool `json:"guarded,omitempty"`
}

// Evaluation is how answers are told to be right.
type Evaluation struct {
	Examples
	Call v1alpha1.EvaluationCall `json:"call"`
}

// Examples are an evaluation set by its digest. What it holds is kept with the record.
type Examples struct {
	// Digest of the set's bytes; empty where it can't be used.
	Digest string `json:"examples,omitempty"`
	// Problem says to people why it can't be used.
	Problem string `json:"problem,omitempty"`
	// Artifact that it comes from, with the digest that was found under it; empty where it comes from the cluster.
	Artifact string `json:"artifact,omitempty"`
	// Guarded means that it comes from a Secret, or from a registry that refuses it to strangers.
	Guarded bool `json:"guarded,omitempty"`
}

// Inputs are what the cluster and the registry add to a prototype's spec.
type Inputs struct {
	// Image is repository@sha256:digest.
	Image string
	// SecretKeys lists the keys of every mounted Secret, by its name.
	SecretKeys map[string][]string
	// Body is the content of the sample request's body.
	Body string
	// Examples of the evaluation.
	Examples Examples
	// ProductionNamespace is where it would be promoted to.
	ProductionNamespace string
}

// New renders a prototype that has a container. Lists are sorted, so that their order in a manifest does not make
// another subject.
func New(spec v1alpha1.AIPrototypeSpec, in Inputs) Subject {
	s := Subject{
		Schema:       Schema,
		Destination:  Destination{Namespace: in.ProductionNamespace},
		Container:    container(*spec.Workload.Container, in),
		Integrations: integrations(spec.Integrations),
		Facts:        FactsOf(spec),
		Demand:       demand(spec.Demand, in.Body),
	}
	if spec.Evaluation != nil {
		s.Evaluation = &Evaluation{Examples: in.Examples, Call: spec.Evaluation.Call}
		s.Evaluation.Guarded = in.Examples.Guarded || spec.Evaluation.Examples.Secret != nil
	}
	if spec.Model != nil {
		s.Model = &Model{Gateway: spec.Model.Gateway, Name: spec.Model.Name, Version: spec.Model.Version, WhenDown: whenDown(spec.Model.WhenDown)}
		if spec.Model.Budget != nil {
			s.Model.TokensPerDay = spec.Model.Budget.TokensPerDay
		}
	}
	if spec.Data != nil {
		s.DataUses = slices.Sorted(slices.Values(spec.Data.Uses))
	}
	return s
}

// FactsOf fills what the team left out with the worst, and derives what can be derived: whoever writes to an
// integration acts.
func FactsOf(spec v1alpha1.AIPrototypeSpec) Facts {
	facts := Facts{Exposure: v1alpha1.ExposurePublic, Autonomy: v1alpha1.AutonomyActs}
	if spec.Facts != nil {
		facts.Users = spec.Facts.Users
		if spec.Facts.Exposure != "" {
			facts.Exposure = spec.Facts.Exposure
		}
		if spec.Facts.Autonomy != "" {
			facts.Autonomy = spec.Facts.Autonomy
		}
	}
	writes := func(use v1alpha1.IntegrationUse) bool { return use.Access == v1alpha1.AccessReadWrite }
	if slices.ContainsFunc(spec.Integrations, writes) {
		facts.Autonomy = v1alpha1.AutonomyActs
	}
	return facts
}

func container(c v1alpha1.Container, in Inputs) Container {
	out := Container{
		Image: in.Image, Port: c.Port, CPU: quantity(c.Resources.CPU), Memory: quantity(c.Resources.Memory),
	}
	if c.Health != nil {
		out.Health = c.Health.Path
	}
	if c.Scratch != nil {
		out.Scratch = quantity(c.Scratch.Size)
	}
	for _, e := range c.Env {
		out.Env = append(out.Env, Env{Name: e.Name, Value: e.Value})
	}
	slices.SortFunc(out.Env, func(a, b Env) int { return strings.Compare(a.Name, b.Name) })
	for _, s := range c.Secrets {
		keys := slices.Sorted(slices.Values(in.SecretKeys[s.Name]))
		out.Secrets = append(out.Secrets, Secret{Name: s.Name, MountPath: s.MountPath, Keys: keys})
	}
	slices.SortFunc(out.Secrets, func(a, b Secret) int { return strings.Compare(a.Name, b.Name) })
	return out
}

func integrations(uses []v1alpha1.IntegrationUse) []Integration {
	var out []Integration
	for _, use := range uses {
		out = append(out, Integration{Name: use.Name, Access: use.Access, WhenDown: whenDown(use.WhenDown)})
	}
	slices.SortFunc(out, func(a, b Integration) int { return strings.Compare(a.Name, b.Name) })
	return out
}

// usualWithin is how long people wait where nothing is said, as the schema's default has it.
const usualWithin = 5 * time.Second

func whenDown(w *v1alpha1.WhenDown) *WhenDown {
	if w == nil {
		return nil
	}
	within := usualWithin
	if w.Within != nil {
		within = w.Within.Duration
	}
	return &WhenDown{Then: w.Then, Within: within.String()}
}

func demand(d *v1alpha1.Demand, body string) *Demand {
	if d == nil {
		return nil
	}
	out := &Demand{ErrorRatio: d.ErrorRatio, Method: d.Request.Method, Path: d.Request.Path, Body: body,
		Guarded: d.Request.Body != nil && d.Request.Body.Secret != nil}
	if d.People != nil {
		out.People = *d.People
	}
	if d.BusiestHour != nil {
		out.BusiestHour = *d.BusiestHour
	}
	if d.AnswerWithin != nil {
		out.AnswerWithin = d.AnswerWithin.Duration.String()
	}
	if d.RequestsPerSecond != nil {
		out.RequestsPerSecond = *d.RequestsPerSecond
	}
	if d.FirstByteWithin != nil {
		out.FirstByteWithin = d.FirstByteWithin.Duration.String()
	}
	if d.LatencyP95 != nil {
		out.LatencyP95 = d.LatencyP95.Duration.String()
	}
	return out
}

// quantity spells a quantity in its canonical form. The schema admits nothing that does not parse.
func quantity(s string) string {
	q, err := resource.ParseQuantity(s)
	if err != nil {
		return s
	}
	return q.String()
}

// Digest is "sha256:" and the hexadecimal SHA-256 of the canonical JSON of a value of fixed structures.
func Digest(value any) (string, error) {
	canonical, err := Canonical(value)
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(canonical)
	return "sha256:" + hex.EncodeToString(sum[:]), nil
}

// Canonical is the JSON of a value with sorted keys, without HTML escapes and without a trailing line feed. Of JSON
// that was stored (a json.RawMessage) it is the same, whatever fields the present structures have.
func Canonical(value any) ([]byte, error) {
	raw, err := json.Marshal(value)
	if err != nil {
		return nil, fmt.Errorf("canonical form: %w", err)
	}
	decoder := json.NewDecoder(bytes.NewReader(raw))
	// Numbers stay as they are spelled; a float64 would lose digits.
	decoder.UseNumber()
	var generic any
	if err := decoder.Decode(&generic); err != nil {
		return nil, fmt.Errorf("canonical form: %w", err)
	}
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(generic); err != nil {
		return nil, fmt.Errorf("canonical form: %w", err)
	}
	return bytes.TrimSuffix(out.Bytes(), []byte("\n")), nil
}
