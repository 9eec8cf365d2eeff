package security

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/utils/ptr"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/internal/gate"
	"github.com/affineur/affineur/internal/subject"
)

var now = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

const digest = "@sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

// good is evidence without a hole.
func good() Evidence {
	return Evidence{
		Pod: &corev1.PodTemplateSpec{Spec: corev1.PodSpec{
			AutomountServiceAccountToken: ptr.To(false),
			SecurityContext: &corev1.PodSecurityContext{RunAsNonRoot: ptr.To(true), RunAsUser: ptr.To[int64](65532),
				SeccompProfile: &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault}},
			Containers: []corev1.Container{{
				Name: "workload", Image: "registry.example.org/membership/churn-advisor" + digest,
				Env: []corev1.EnvVar{{Name: "TONE", Value: "friendly"}, {Name: "AFFINEUR_MODEL_URL", Value: "http://gateway.models.svc:8080/v1"},
					{Name: "POD_IP", ValueFrom: &corev1.EnvVarSource{FieldRef: &corev1.ObjectFieldSelector{FieldPath: "status.podIP"}}}},
				SecurityContext: &corev1.SecurityContext{AllowPrivilegeEscalation: ptr.To(false),
					Capabilities: &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}}},
			}},
		}},
		Env:             []string{"TONE"},
		Registries:      []string{"registry.example.org/membership/"},
		Isolation:       gate.Pass(v1alpha1.ReasonEnforced, "measured", now.Add(-time.Minute)),
		Now:             now,
		IsolationMaxAge: time.Hour,
	}
}

func container(change func(*corev1.Container)) func(*Evidence) {
	return func(e *Evidence) { change(&e.Pod.Spec.Containers[0]) }
}

func TestJudge(t *testing.T) {
	type want struct {
		state   gate.State
		reasons []string
		field   string
		owner   v1alpha1.Owner
	}
	hole := func(owner v1alpha1.Owner, field string, reasons ...string) want {
		return want{gate.Failed, reasons, field, owner}
	}
	const business, it, field = v1alpha1.OwnerBusiness, v1alpha1.OwnerIT, "spec.workload.container"
	for name, c := range map[string]struct {
		change func(*Evidence)
		want   want
	}{
		"no hole": {func(*Evidence) {}, want{state: gate.Passed}},

		"privileged": {container(func(c *corev1.Container) { c.SecurityContext.Privileged = ptr.To(true) }),
			hole(it, field, v1alpha1.ReasonPodSecurity)},
		"may gain rights": {container(func(c *corev1.Container) { c.SecurityContext.AllowPrivilegeEscalation = nil }),
			hole(it, field, v1alpha1.ReasonPodSecurity)},
		"keeps capabilities": {container(func(c *corev1.Container) { c.SecurityContext.Capabilities = nil }),
			hole(it, field, v1alpha1.ReasonPodSecurity)},
		"root":           {func(e *Evidence) { e.Pod.Spec.SecurityContext.RunAsNonRoot = nil }, hole(it, field, v1alpha1.ReasonPodSecurity)},
		"no seccomp":     {func(e *Evidence) { e.Pod.Spec.SecurityContext.SeccompProfile = nil }, hole(it, field, v1alpha1.ReasonPodSecurity)},
		"host namespace": {func(e *Evidence) { e.Pod.Spec.HostPID = true }, hole(it, field, v1alpha1.ReasonPodSecurity)},
		"host path": {func(e *Evidence) {
			e.Pod.Spec.Volumes = []corev1.Volume{{Name: "v", VolumeSource: corev1.VolumeSource{HostPath: &corev1.HostPathVolumeSource{Path: "/"}}}}
		}, hole(it, field, v1alpha1.ReasonPodSecurity)},
		"init container": {func(e *Evidence) {
			e.Pod.Spec.InitContainers = []corev1.Container{{Name: "init", Image: "registry.example.org/membership/init" + digest}}
		}, hole(it, field, v1alpha1.ReasonPodSecurity, v1alpha1.ReasonPodSecurity)},

		"tag": {container(func(c *corev1.Container) { c.Image = "registry.example.org/membership/churn-advisor:1.4" }),
			hole(it, field+".image", v1alpha1.ReasonImageNotPinned)},
		"other registry": {container(func(c *corev1.Container) { c.Image = "evil.example.org/membership/churn-advisor" + digest }),
			hole(business, field+".image", v1alpha1.ReasonRegistryNotAllowed)},
		"other team": {container(func(c *corev1.Container) { c.Image = "registry.example.org/membership-evil/churn-advisor" + digest }),
			hole(business, field+".image", v1alpha1.ReasonRegistryNotAllowed)},
		"no image": {container(func(c *corev1.Container) { c.Image = "" }), hole(business, field+".image", v1alpha1.ReasonImageInvalid)},
		"image volume": {func(e *Evidence) {
			e.Pod.Spec.Volumes = []corev1.Volume{{Name: "v", VolumeSource: corev1.VolumeSource{Image: &corev1.ImageVolumeSource{Reference: "docker.io/evil:latest"}}}}
		}, hole(business, field+".image", v1alpha1.ReasonRegistryNotAllowed)},
		"init container by tag": {func(e *Evidence) {
			e.Pod.Spec.InitContainers = []corev1.Container{*e.Pod.Spec.Containers[0].DeepCopy()}
			e.Pod.Spec.InitContainers[0].Image = "registry.example.org/membership/init:1"
		}, hole(it, field+".image", v1alpha1.ReasonImageNotPinned)},
		"no registry allowed": {func(e *Evidence) { e.Registries = nil }, hole(business, field+".image", v1alpha1.ReasonRegistryNotAllowed)},
		"empty prefix":        {func(e *Evidence) { e.Registries = []string{"", "/"} }, hole(business, field+".image", v1alpha1.ReasonRegistryNotAllowed)},

		"token by default": {func(e *Evidence) { e.Pod.Spec.AutomountServiceAccountToken = nil }, hole(it, field, v1alpha1.ReasonTokenMounted)},
		"token asked for":  {func(e *Evidence) { e.Pod.Spec.AutomountServiceAccountToken = ptr.To(true) }, hole(it, field, v1alpha1.ReasonTokenMounted)},
		"token projected": {func(e *Evidence) {
			e.Pod.Spec.Volumes = []corev1.Volume{{Name: "v", VolumeSource: corev1.VolumeSource{Projected: &corev1.ProjectedVolumeSource{
				Sources: []corev1.VolumeProjection{{ServiceAccountToken: &corev1.ServiceAccountTokenProjection{Path: "t"}}}}}}}
		}, hole(it, field, v1alpha1.ReasonTokenMounted)},

		"plain secret": {func(e *Evidence) {
			e.Env = append(e.Env, "CRM_PASSWORD")
			e.Pod.Spec.Containers[0].Env = append(e.Pod.Spec.Containers[0].Env, corev1.EnvVar{Name: "CRM_PASSWORD", Value: "hunter2"})
		}, hole(business, field+".env[1]", v1alpha1.ReasonPlainSecret)},
		"secret of the catalogue": {container(func(c *corev1.Container) { c.Env[1].Value = "http://user:hunter2@gateway.models.svc/v1" }),
			hole(it, "", v1alpha1.ReasonPlainSecret)},
		"secret of an init container": {func(e *Evidence) {
			e.Pod.Spec.InitContainers = []corev1.Container{*e.Pod.Spec.Containers[0].DeepCopy()}
			e.Pod.Spec.InitContainers[0].Env = []corev1.EnvVar{{Name: "CRM_PASSWORD", Value: "hunter2"}}
		}, hole(it, "", v1alpha1.ReasonPlainSecret)},
		"secret command": {container(func(c *corev1.Container) { c.Command = []string{"/serve", "--db-password=hunter22"} }),
			hole(business, field, v1alpha1.ReasonPlainSecret)},
		"secret argument": {container(func(c *corev1.Container) { c.Args = []string{"serve", "--db-password=hunter22"} }),
			hole(business, field, v1alpha1.ReasonPlainSecret)},

		"not isolated": {func(e *Evidence) { e.Isolation = gate.Fail(v1alpha1.ReasonNotEnforced, "reached", now) },
			hole(it, "", v1alpha1.ReasonNotEnforced)},
		"isolation unknown": {func(e *Evidence) { e.Isolation = gate.Unknown(v1alpha1.ReasonIsolationInconclusive, "?", now) },
			want{state: gate.Inconclusive}},
		"isolation pending":     {func(e *Evidence) { e.Isolation = gate.Wait("soon") }, want{state: gate.Pending}},
		"isolation never asked": {func(e *Evidence) { e.Isolation = gate.Verdict{} }, want{state: gate.Pending}},
		"isolation stale":       {func(e *Evidence) { e.Isolation.MeasuredAt = now.Add(-2 * time.Hour) }, want{state: gate.Inconclusive}},
		"isolation from the future": {func(e *Evidence) { e.Isolation.MeasuredAt = now.Add(time.Hour) },
			want{state: gate.Inconclusive}},
		"isolation of no time":   {func(e *Evidence) { e.Isolation.MeasuredAt = time.Time{} }, want{state: gate.Inconclusive}},
		"another gate's verdict": {func(e *Evidence) { e.Isolation.Reason = v1alpha1.ReasonSustainsDemand }, want{state: gate.Inconclusive}},
		"no age allowed":         {func(e *Evidence) { e.IsolationMaxAge = 0 }, want{state: gate.Inconclusive}},
		"unknown isolation does not hide a hole": {func(e *Evidence) {
			e.Isolation = gate.Verdict{}
			e.Pod.Spec.AutomountServiceAccountToken = nil
		}, hole(it, field, v1alpha1.ReasonTokenMounted)},

		"all at once": {func(e *Evidence) {
			e.Pod.Spec.AutomountServiceAccountToken = nil
			e.Pod.Spec.HostNetwork = true
			e.Pod.Spec.Containers[0].Image = "evil.example.org/x:latest"
			e.Pod.Spec.Containers[0].Env[0] = corev1.EnvVar{Name: "TONE", Value: "ghp_" + strings.Repeat("a1", 20)}
			e.Isolation = gate.Fail(v1alpha1.ReasonNotEnforced, "reached", now)
		}, hole("", "?", v1alpha1.ReasonPodSecurity, v1alpha1.ReasonTokenMounted, v1alpha1.ReasonRegistryNotAllowed,
			v1alpha1.ReasonPlainSecret, v1alpha1.ReasonNotEnforced)},

		"no pod":        {func(e *Evidence) { e.Pod = nil }, want{state: gate.Inconclusive}},
		"no containers": {func(e *Evidence) { e.Pod.Spec.Containers = nil }, want{state: gate.Inconclusive}},
		"nothing":       {func(e *Evidence) { *e = Evidence{} }, want{state: gate.Inconclusive}},
	} {
		t.Run(name, func(t *testing.T) {
			e := good()
			c.change(&e)
			got := Judge(e)
			var reasons []string
			for _, f := range got.Findings {
				reasons = append(reasons, f.Reason)
				if f.Message == "" || f.Owner == "" || f.Hint == "" && f.Reason != v1alpha1.ReasonNotEnforced {
					t.Errorf("a finding that helps nobody: %+v", f)
				}
			}
			if got.State != c.want.state {
				t.Fatalf("got %+v, want %s", got, c.want.state)
			}
			if c.want.state != gate.Failed {
				return
			}
			if !slices.Equal(reasons, c.want.reasons) {
				t.Errorf("findings %q, want %q", reasons, c.want.reasons)
			}
			if f := got.Findings[0]; c.want.owner != "" && (f.Field != c.want.field || f.Owner != c.want.owner) {
				t.Errorf("got %+v, want field %q, owner %s", f, c.want.field, c.want.owner)
			}
		})
	}
}

func TestRegistryPrefixes(t *testing.T) {
	for _, c := range []struct {
		image, prefix string
		allowed       bool
	}{
		{"registry.example.org/a/b", "registry.example.org/", true},
		{"registry.example.org/a/b", "registry.example.org", true},
		{"registry.example.org/a/b", "registry.example.org/a", true},
		{"registry.example.org/a/b", "registry.example.org/a/b/", true},
		{"registry.example.org/a/b", "registry.example.org/a/b/c", false},
		{"registry.example.org/ab/c", "registry.example.org/a", false},
		{"registry.example.org.evil.org/a", "registry.example.org", false},
		{"registry.example.org.evil.org/a", "registry.example.org/", false},
		{"evil.org/registry.example.org/a", "registry.example.org/", false},
		{"registry.example.org:5000/a", "registry.example.org/", false},
		{"registry.example.org:5000/a", "registry.example.org:5000/", true},
		{"198.51.100.9:5000/a", "198.51.100.9:5000/", true},
		{"churn-advisor", "registry.example.org/", false},
		{"docker.io/library/busybox", "docker.io/", true},
		{"busybox", "docker.io/", true},
		{"docker.io/team/a", "index.docker.io/team/", true},
	} {
		f := judgeImage(c.image+digest, []string{"nowhere.example.org/", c.prefix})
		if (f == nil) != c.allowed {
			t.Errorf("%s under %s: %+v, want allowed %v", c.image, c.prefix, f, c.allowed)
		}
	}
	for _, bad := range []string{"registry.example.org@evil.org/a" + digest, "registry.example.org/a@sha256:short", "UPPER/case", "a b", "http://registry.example.org/a"} {
		if judgeImage(bad, []string{"registry.example.org/", "docker.io/"}) == nil {
			t.Errorf("%q was let through", bad)
		}
	}
}

// Samples are put together at run time, so that scanners do not take this file for a leak.
func TestSecretsAreFound(t *testing.T) {
	random := "q7Zt" + "P2mX9vLk" + "4RsB8wYc" + "1NdF6hJg" + "3QaT5eUo"
	pem := "-----BEGIN " + "RSA PRIVATE KEY-----\nMIIE"
	for _, v := range [][2]string{
		{"DB_PASSWORD", "hunter2"}, {"db_password", "hunter2"}, {"CRM_TOKEN", "abc"}, {"API_KEY", "123456"}, {"OPENAI_API_KEY", "x"},
		{"CLIENT_SECRET", "abc"}, {"AWS_SECRET_ACCESS_KEY", "abc"}, {"SMTP_PASSWD", "abc"}, {"DB_PASSWORD_1", "abc"}, {"APIKEY", "abc"},
		{"KEY", "AKIA" + "IOSFODNN7EXAMPLE"}, {"X", "ghp_" + strings.Repeat("a1B2", 9)}, {"X", "github_pat_" + strings.Repeat("A", 22)},
		{"X", "glpat-" + strings.Repeat("a", 20)}, {"X", "xoxb-" + strings.Repeat("1", 12)}, {"X", "AIza" + strings.Repeat("b", 35)},
		{"X", "hf_" + strings.Repeat("aB", 17)}, {"X", "sk-proj-" + random}, {"X", "sk_live_" + strings.Repeat("a", 20)},
		{"X", "eyJhbGciOiJI" + ".eyJzdWIiOiIx" + ".c2lnbmF0dXJl"}, {"X", pem}, {"CONFIG", "first line\n" + pem},
		{"DATABASE_URL", "postgres://app:hunter2@db.crm.svc:5432/app"}, {"HINT", "use http://a:b@c/ please"},
		{"REDIS_URL", "redis://:hunter2@redis:6379"}, {"BROKEN_URL", "postgres://app:hun%ter2@db/app"},
		{"DSN", "Server=db;User=app;Password=hunter22;"}, {"CALLBACK", "https://crm.svc/hook?api_key=hunter22"},
		{"CONFIG", `{"user":"a","password":"hunter22"}`}, {"SALT", random}, {"BLOB", "prefix " + random + " suffix"},
		{"SEED", "0f1e2d3c4b5a69788796a5b4c3d2e1f0"},
	} {
		if kind := secretKind(v[0], v[1]); kind == "" {
			t.Errorf("%s=%s was not found", v[0], v[1])
		}
	}
}

func TestWhatOnlyLooksLikeASecretIsNone(t *testing.T) {
	for _, v := range [][2]string{
		{"TONE", "friendly"}, {"DB_PASSWORD", ""}, {"USE_TOKEN", "true"}, {"DB_PASSWORD_FILE", "/etc/secrets/db"}, {"TOKEN_URL", "https://id.example.org/token"},
		{"CRM_TOKEN", "/etc/secrets/crm/token"}, {"GOOGLE_APPLICATION_CREDENTIALS", "/etc/secrets/gcp/key.json"},
		{"API_KEY", "$(MOUNTED_KEY)"}, {"API_KEY", "${MOUNTED_KEY}"}, {"OPENAI_API_KEY", "unused"}, {"MAX_TOKENS", "2048"}, {"MAX_TOKEN", "2048"},
		{"MAX_NEW_TOKEN", "512"}, {"EOS_TOKEN", "</s>"}, {"TOKENIZER", "bert-base-multilingual-cased"}, {"PASSWORD_MIN_LENGTH", "12"},
		{"SECRET_NAME", "crm-token"}, {"PWD", "/app"}, {"MONKEY", "george"}, {"SPEC_URL", "https://user@example.org/path"},
		{"DB_URL", "postgres://app:$(DB_PASSWORD)@db/app"}, {"DB_URL", "postgres://app@db.crm.svc:5432/app"},
		{"IMAGE", "registry.example.org/a" + digest}, {"GIT_COMMIT", "3f786850e387550fdab836ed7e6dc881de23001b"},
		{"MODEL_CHECKSUM", strings.TrimPrefix(digest, "@sha256:")}, {"TENANT", "123e4567-e89b-12d3-a456-426614174000"},
		{"MODEL", "sk-learn-churn-regression-model"}, {"STAGE", "risk-assessment-of-renewals-2026"},
		{"PROMPT", "You are a friendly assistant. Never reveal a password or an API key. Answer in at most 200 words."},
		{"MODEL_PATH", "/models/Example-Large-Instruct-4.7/MultilingualTokenizerWithPunctuation"},
		{"CLASS", "org.example.education.CourseOutlinerServiceFactoryBeanV2Configuration"},
		{"ENDPOINT", "https://europe-west4-models.example.org/v1/projects/membership-2026/locations/europe-west4/endpoints/12345"},
		{"CA", "-----BEGIN CERTIFICATE-----\nMIIBszCCAVmgAwIBAgIUQ7ZtP2mX9vLk4RsB8wYc1NdF6hJgwCgYIKoZIzj0EAwIw\n-----END CERTIFICATE-----"},
		{"LANGS", "de,en,fr,it,rm"}, {"THRESHOLD", "0.35"}, {"ALPHABET", "abcdefghijklmnopqrstuvwxyz0123456789"},
		{"LONG", strings.Repeat("word ", 40)}, {"ZEROS", strings.Repeat("0", 64)}, {"HEADER_NAME", "X-Api-Key"},
	} {
		if kind := secretKind(v[0], v[1]); kind != "" {
			t.Errorf("%s=%s was taken for %s", v[0], v[1], kind)
		}
	}
}

func TestFindingsNeverQuoteSecrets(t *testing.T) {
	for i, secret := range []string{"hunter2hunter2", "AKIA" + "IOSFODNN7EXAMPLE", "postgres://app:hunter2@db/app"} {
		e := good()
		c := &e.Pod.Spec.Containers[0]
		c.Env = append(c.Env, corev1.EnvVar{Name: "DB_PASSWORD", Value: secret})
		c.Args = []string{"--password=" + secret}
		got := Judge(e)
		if got.State != gate.Failed || len(got.Findings) != 2 {
			t.Errorf("%d: got %+v", i, got)
		}
		if text := fmt.Sprintf("%+v", got); strings.Contains(text, secret) || strings.Contains(text, "hunter2") {
			t.Errorf("a secret leaked: %s", text)
		}
	}
}

// What a prototype is asked with is held against the same forms as variables, its paths too, whatever else searches it.
func TestSecretsInWhatIsAsked(t *testing.T) {
	const keyed = "/q?api_key=hunter2hunter"
	asked := func(d subject.Demand) subject.Subject { return subject.Subject{Demand: &d} }
	for name, c := range map[string]struct {
		subject subject.Subject
		fields  []string
		// searched are the fields that gitleaks is given.
		searched []string
	}{
		"nothing":                      {subject.Subject{}, nil, nil},
		"a question":                   {asked(subject.Demand{Path: "/v1/ask", Body: `{"text":"When is it?","session":"123e4567-e89b-12d3-a456-426614174000"}`}), nil, []string{bodyField}},
		"a word about it":              {asked(subject.Demand{Path: "/password/reset", Body: `{"text":"I forgot my password."}`}), nil, []string{bodyField}},
		"a password":                   {asked(subject.Demand{Path: "/", Body: `{"password":"hunter2hunter"}`}), []string{bodyField}, []string{bodyField}},
		"an address":                   {asked(subject.Demand{Path: "/", Body: `{"dsn":"postgres://app:hunter2hunter@db/x"}`}), []string{bodyField}, []string{bodyField}},
		"a key in the path":            {asked(subject.Demand{Path: keyed, Body: "x"}), []string{pathField}, []string{pathField, bodyField}},
		"in a Secret":                  {asked(subject.Demand{Path: keyed, Body: `{"password":"hunter2hunter"}`, Guarded: true}), []string{pathField}, []string{pathField}},
		"a key where it is said to be": {subject.Subject{Container: subject.Container{Health: keyed}}, []string{healthField}, []string{healthField}},
		"a key for an evaluation": {subject.Subject{Evaluation: &subject.Evaluation{Call: v1alpha1.EvaluationCall{JSON: &v1alpha1.JSONCall{Path: keyed}}}},
			[]string{jsonField}, []string{jsonField}},
		"a key for a chat": {subject.Subject{Evaluation: &subject.Evaluation{Call: v1alpha1.EvaluationCall{OpenAIChat: &v1alpha1.ChatCall{Path: keyed}}}},
			[]string{chatField}, []string{chatField}},
	} {
		var fields, searched []string
		for _, f := range shown(saidOf(c.subject)) {
			fields = append(fields, f.Field)
			if f.Reason != v1alpha1.ReasonSecretInConfiguration || f.Owner != v1alpha1.OwnerBusiness || f.Hint == "" {
				t.Errorf("%s: %+v", name, f)
			}
			if strings.Contains(f.Message+f.Hint, "hunter2") {
				t.Errorf("%s is quoted: %+v", name, f)
			}
		}
		for _, text := range textsOf(c.subject, &v1alpha1.SecurityGate{Secrets: v1alpha1.SearchGitleaks}) {
			searched = append(searched, text.Field)
		}
		if !slices.Equal(fields, c.fields) || !slices.Equal(searched, c.searched) {
			t.Errorf("%s: %v of %v, want %v of %v", name, fields, searched, c.fields, c.searched)
		}
	}
}
