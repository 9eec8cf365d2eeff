package subject

import (
	"slices"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/affineur/affineur/api/v1alpha1"
)

// golden is the digest of the subject of full(). Whoever has to change it changes what every approval out there is
// bound to: then Schema changes too.
const golden = "sha256:f23d4362a0ae6f19a27e37f26fbea762888b32ade2610af371042694a6d3fb0e"

// full is a prototype that uses everything.
func full(edits ...func(*v1alpha1.AIPrototypeSpec)) v1alpha1.AIPrototypeSpec {
	spec := v1alpha1.AIPrototypeSpec{
		Target:  v1alpha1.TargetProduction,
		Contact: "education-lead@example.org",
		Facts:   &v1alpha1.Facts{Exposure: v1alpha1.ExposureInternal, Autonomy: v1alpha1.AutonomyAnswers, Users: 120},
		Data:    &v1alpha1.DataUse{Uses: []string{"course-titles", "attendee-feedback"}},
		Model:   &v1alpha1.ModelUse{Gateway: "default", Name: "example-large", Version: "4.7", Budget: &v1alpha1.ModelBudget{TokensPerDay: 2_000_000}},
		Integrations: []v1alpha1.IntegrationUse{
			{Name: "lms", Access: v1alpha1.AccessReadWrite}, {Name: "crm", Access: v1alpha1.AccessRead},
		},
		Workload: &v1alpha1.Workload{Container: &v1alpha1.Container{
			Image: "registry.example.org/education/outliner:0.9", Port: 8080, Health: &v1alpha1.Health{Path: "/healthz"},
			Env: []v1alpha1.EnvVar{{Name: "TONE", Value: "friendly & <short>"}, {Name: "LANGUAGE", Value: "de"}},
			Secrets: []v1alpha1.SecretMount{
				{Name: "outliner-token", MountPath: "/etc/secrets/outliner"}, {Name: "another", MountPath: "/etc/secrets/another"},
			},
			Resources: v1alpha1.Resources{CPU: "500m", Memory: "512Mi"}, Scratch: &v1alpha1.Scratch{Size: "1Gi"},
		}},
		Demand: &v1alpha1.Demand{
			People: ptr.To[int32](120), BusiestHour: ptr.To[int32](60), AnswerWithin: &metav1.Duration{Duration: 2 * time.Second},
			RequestsPerSecond: ptr.To("20"), LatencyP95: &metav1.Duration{Duration: 800 * time.Millisecond}, ErrorRatio: "0.01",
			Request: v1alpha1.SampleRequest{Method: "POST", Path: "/v1/outline"},
		},
	}
	for _, edit := range edits {
		edit(&spec)
	}
	return spec
}

func inputs(edits ...func(*Inputs)) Inputs {
	in := Inputs{
		Image:               "registry.example.org/education/outliner@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
		SecretKeys:          map[string][]string{"outliner-token": {"token", "endpoint"}, "another": {"key"}},
		Body:                `{"title":"Cheese for beginners"}`,
		ProductionNamespace: "affp-education-course-outliner-1a2b3c4d",
	}
	for _, edit := range edits {
		edit(&in)
	}
	return in
}

func digestOf(t *testing.T, spec v1alpha1.AIPrototypeSpec, in Inputs) string {
	t.Helper()
	digest, err := Digest(New(spec, in))
	if err != nil {
		t.Fatal(err)
	}
	return digest
}

func TestDigestStaysTheSame(t *testing.T) {
	if got := digestOf(t, full(), inputs()); got != golden {
		canonical, _ := Canonical(New(full(), inputs()))
		t.Errorf("the digest of the same subject is %s, was %s\n%s", got, golden, canonical)
	}
}

func containerOf(spec *v1alpha1.AIPrototypeSpec) *v1alpha1.Container { return spec.Workload.Container }

// What only reads differently is the same subject: nobody reviews it again.
func TestSameSubject(t *testing.T) {
	for name, edit := range map[string]func(*v1alpha1.AIPrototypeSpec, *Inputs){
		"order of env":          func(s *v1alpha1.AIPrototypeSpec, _ *Inputs) { slices.Reverse(s.Workload.Container.Env) },
		"order of secrets":      func(s *v1alpha1.AIPrototypeSpec, _ *Inputs) { slices.Reverse(s.Workload.Container.Secrets) },
		"order of integrations": func(s *v1alpha1.AIPrototypeSpec, _ *Inputs) { slices.Reverse(s.Integrations) },
		"order of data uses":    func(s *v1alpha1.AIPrototypeSpec, _ *Inputs) { slices.Reverse(s.Data.Uses) },
		"order of secret keys":  func(_ *v1alpha1.AIPrototypeSpec, in *Inputs) { slices.Reverse(in.SecretKeys["outliner-token"]) },
		"spelling of cpu":       func(s *v1alpha1.AIPrototypeSpec, _ *Inputs) { s.Workload.Container.Resources.CPU = "0.5" },
		"spelling of memory":    func(s *v1alpha1.AIPrototypeSpec, _ *Inputs) { s.Workload.Container.Resources.Memory = "524288Ki" },
		"spelling of scratch":   func(s *v1alpha1.AIPrototypeSpec, _ *Inputs) { s.Workload.Container.Scratch.Size = "1024Mi" },
		"the tag that was resolved": func(s *v1alpha1.AIPrototypeSpec, _ *Inputs) {
			s.Workload.Container.Image = "registry.example.org/education/outliner:latest"
		},
		"contact": func(s *v1alpha1.AIPrototypeSpec, _ *Inputs) { s.Contact = "somebody-else@example.org" },
		"lifetime": func(s *v1alpha1.AIPrototypeSpec, _ *Inputs) {
			s.Sandbox = &v1alpha1.SandboxWish{Lifetime: &metav1.Duration{Duration: time.Hour}}
		},
		"autonomy that follows from writing": func(s *v1alpha1.AIPrototypeSpec, _ *Inputs) {
			s.Facts.Autonomy = v1alpha1.AutonomyActs
		},
	} {
		t.Run(name, func(t *testing.T) {
			spec, in := full(), inputs()
			edit(&spec, &in)
			if got := digestOf(t, spec, in); got != golden {
				t.Errorf("another subject: %s", got)
			}
		})
	}
}

// What runs differently, or is measured differently, is another subject, and all of them differ from each other.
func TestAnotherSubject(t *testing.T) {
	seen := map[string]string{golden: "the original"}
	for name, edit := range map[string]func(*v1alpha1.AIPrototypeSpec, *Inputs){
		"image digest":    func(_ *v1alpha1.AIPrototypeSpec, in *Inputs) { in.Image += "0" },
		"destination":     func(_ *v1alpha1.AIPrototypeSpec, in *Inputs) { in.ProductionNamespace += "0" },
		"body":            func(_ *v1alpha1.AIPrototypeSpec, in *Inputs) { in.Body = "{}" },
		"a secret's keys": func(_ *v1alpha1.AIPrototypeSpec, in *Inputs) { in.SecretKeys["another"] = []string{"key", "more"} },
		"port":            func(s *v1alpha1.AIPrototypeSpec, _ *Inputs) { containerOf(s).Port = 8081 },
		"health":          func(s *v1alpha1.AIPrototypeSpec, _ *Inputs) { containerOf(s).Health = nil },
		"env value":       func(s *v1alpha1.AIPrototypeSpec, _ *Inputs) { containerOf(s).Env[0].Value = "rude" },
		"env name":        func(s *v1alpha1.AIPrototypeSpec, _ *Inputs) { containerOf(s).Env[0].Name = "MOOD" },
		"env swapped": func(s *v1alpha1.AIPrototypeSpec, _ *Inputs) {
			env := containerOf(s).Env
			env[0].Value, env[1].Value = env[1].Value, env[0].Value
		},
		"mount path":    func(s *v1alpha1.AIPrototypeSpec, _ *Inputs) { containerOf(s).Secrets[0].MountPath = "/etc/other" },
		"cpu":           func(s *v1alpha1.AIPrototypeSpec, _ *Inputs) { containerOf(s).Resources.CPU = "501m" },
		"memory":        func(s *v1alpha1.AIPrototypeSpec, _ *Inputs) { containerOf(s).Resources.Memory = "512M" },
		"scratch":       func(s *v1alpha1.AIPrototypeSpec, _ *Inputs) { containerOf(s).Scratch = nil },
		"model name":    func(s *v1alpha1.AIPrototypeSpec, _ *Inputs) { s.Model.Name = "example-small" },
		"model version": func(s *v1alpha1.AIPrototypeSpec, _ *Inputs) { s.Model.Version = "4.8" },
		"model gateway": func(s *v1alpha1.AIPrototypeSpec, _ *Inputs) { s.Model.Gateway = "other" },
		"model budget":  func(s *v1alpha1.AIPrototypeSpec, _ *Inputs) { s.Model.Budget = nil },
		"no model":      func(s *v1alpha1.AIPrototypeSpec, _ *Inputs) { s.Model = nil },
		"integration":   func(s *v1alpha1.AIPrototypeSpec, _ *Inputs) { s.Integrations = s.Integrations[:1] },
		"access":        func(s *v1alpha1.AIPrototypeSpec, _ *Inputs) { s.Integrations[1].Access = v1alpha1.AccessReadWrite },
		"without a system": func(s *v1alpha1.AIPrototypeSpec, _ *Inputs) {
			s.Integrations[0].WhenDown = &v1alpha1.WhenDown{Then: v1alpha1.PromiseFails}
		},
		"in less time": func(s *v1alpha1.AIPrototypeSpec, _ *Inputs) {
			s.Integrations[0].WhenDown = &v1alpha1.WhenDown{Then: v1alpha1.PromiseFails, Within: &metav1.Duration{Duration: time.Second}}
		},
		"another promise": func(s *v1alpha1.AIPrototypeSpec, _ *Inputs) {
			s.Integrations[0].WhenDown = &v1alpha1.WhenDown{Then: v1alpha1.PromiseDegrades}
		},
		"without a model": func(s *v1alpha1.AIPrototypeSpec, _ *Inputs) {
			s.Model.WhenDown = &v1alpha1.WhenDown{Then: v1alpha1.PromiseFails}
		},
		"data":                func(s *v1alpha1.AIPrototypeSpec, _ *Inputs) { s.Data.Uses = s.Data.Uses[:1] },
		"no facts":            func(s *v1alpha1.AIPrototypeSpec, _ *Inputs) { s.Facts = nil },
		"users":               func(s *v1alpha1.AIPrototypeSpec, _ *Inputs) { s.Facts.Users = 121 },
		"demand":              func(s *v1alpha1.AIPrototypeSpec, _ *Inputs) { s.Demand.RequestsPerSecond = ptr.To("21") },
		"latency":             func(s *v1alpha1.AIPrototypeSpec, _ *Inputs) { s.Demand.LatencyP95.Duration++ },
		"first byte":          func(s *v1alpha1.AIPrototypeSpec, _ *Inputs) { s.Demand.FirstByteWithin = &metav1.Duration{Duration: 1} },
		"error ratio":         func(s *v1alpha1.AIPrototypeSpec, _ *Inputs) { s.Demand.ErrorRatio = "0.02" },
		"path of the request": func(s *v1alpha1.AIPrototypeSpec, _ *Inputs) { s.Demand.Request.Path = "/" },
	} {
		spec, in := full(), inputs()
		edit(&spec, &in)
		digest := digestOf(t, spec, in)
		if other, ok := seen[digest]; ok {
			t.Errorf("%s: the same digest as %s", name, other)
		}
		seen[digest] = name
	}
}

// What everybody who sees the namespace may read is told apart from what not everybody may.
func TestGuarded(t *testing.T) {
	configMap, secret := &v1alpha1.ConfigMapKey{Name: "n", Key: "k"}, &v1alpha1.SecretKey{Name: "n", Key: "k"}
	for name, c := range map[string]struct {
		body             *v1alpha1.RequestBody
		examples         v1alpha1.ExamplesSource
		refusesStrangers bool
		wantBody, want   bool
	}{
		"ConfigMaps":                           {&v1alpha1.RequestBody{ConfigMap: configMap}, v1alpha1.ExamplesSource{ConfigMap: configMap}, false, false, false},
		"Secrets":                              {&v1alpha1.RequestBody{Secret: secret}, v1alpha1.ExamplesSource{Secret: secret}, false, true, true},
		"a registry":                           {nil, v1alpha1.ExamplesSource{Artifact: "registry.example.org/golden:1"}, false, false, false},
		"a registry that refuses to strangers": {nil, v1alpha1.ExamplesSource{Artifact: "registry.example.org/golden:1"}, true, false, true},
	} {
		got := New(full(func(s *v1alpha1.AIPrototypeSpec) {
			s.Demand.Request.Body, s.Evaluation = c.body, &v1alpha1.Evaluation{Examples: c.examples}
		}), inputs(func(in *Inputs) { in.Examples.Guarded = c.refusesStrangers }))
		if got.Demand.Guarded != c.wantBody || got.Evaluation.Guarded != c.want {
			t.Errorf("%s: body %v, examples %v", name, got.Demand.Guarded, got.Evaluation.Guarded)
		}
	}
}

// What a team leaves out counts as the worst.
func TestFactsLeftOut(t *testing.T) {
	worst := Facts{Exposure: v1alpha1.ExposurePublic, Autonomy: v1alpha1.AutonomyActs}
	if got := FactsOf(v1alpha1.AIPrototypeSpec{}); got != worst {
		t.Errorf("%+v", got)
	}
	reads := full(func(s *v1alpha1.AIPrototypeSpec) { s.Integrations = s.Integrations[1:] })
	if got := FactsOf(reads).Autonomy; got != v1alpha1.AutonomyAnswers {
		t.Errorf("whoever only reads %s", got)
	}
}

func TestCanonicalEscapesNothingForHTML(t *testing.T) {
	got, err := Canonical(map[string]string{"a": "<&>"})
	if err != nil || string(got) != `{"a":"<&>"}` {
		t.Errorf("%s, %v", got, err)
	}
}
