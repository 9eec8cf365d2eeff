package secretscan

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"strings"
	"testing"

	"github.com/rs/zerolog"
	"github.com/zricethezav/gitleaks/v8/detect"
	"github.com/zricethezav/gitleaks/v8/logging"

	"github.com/affineur/affineur/internal/evidence"
)

// Samples are put together at run time, so that scanners do not take this file for a leak.
var (
	github = "ghp_" + "x7Kq2mZ9vLp4Rt8Wc1Yd" + "5Nf6Hj3Gb0QsTeUa"
	random = "q7ZtP2mX9vLk" + "4RsB8wYc1NdF6hJg"
)

func searched(t *testing.T, texts ...evidence.Text) evidence.SecretsResult {
	t.Helper()
	result, err := Search(context.Background(), evidence.SecretsOrder{Texts: "texts", Count: len(texts)}, texts)
	if err != nil {
		t.Fatal(err)
	}
	if err := result.Validate(); err != nil {
		t.Fatal(err)
	}
	if result.Searched != len(texts) || result.Rules < 200 {
		t.Errorf("searched %d of %d by %d rules", result.Searched, len(texts), result.Rules)
	}
	return result
}

func TestLines(t *testing.T) {
	for n, text := range map[int]string{1: github, 2: "question,expected\nIs " + github + " right?,yes\n", 5001: strings.Repeat("a line of text\n", 5000) + github + "\nand one more\n"} {
		result := searched(t, evidence.Text{Field: "spec.evaluation.examples", Value: text})
		if len(result.Found) == 0 || result.Found[0].Line != n {
			t.Errorf("want line %d: %+v", n, result.Found)
		}
	}
}

func TestSecretsAreFoundAndNotTold(t *testing.T) {
	for name, text := range map[string]evidence.Text{
		"by its form":          {Name: "TONE", Value: github},
		"by its name":          {Name: "CRM_API_KEY", Value: random},
		"in a body":            {Value: "{\n  \"question\": \"hello\",\n  \"api_key\": \"" + random + "\"\n}"},
		"in base64":            {Value: base64.StdEncoding.EncodeToString([]byte("token: " + github))},
		"with a word of peace": {Value: github + " # gitleaks:allow"},
		"in the last of lines": {Value: strings.Repeat("a line of text\n", 5000) + github},
	} {
		t.Run(name, func(t *testing.T) {
			text.Field = "spec.workload.container.env[0]"
			result := searched(t, evidence.Text{Field: "spec.other", Value: "friendly"}, text)
			if len(result.Found) == 0 || result.Found[0].Field != text.Field || result.Found[0].Rule == "" || result.Found[0].What == "" {
				t.Fatalf("got %+v", result)
			}
			raw, err := json.Marshal(result)
			if err != nil {
				t.Fatal(err)
			}
			for _, secret := range []string{github, random, github[:12], random[:8]} {
				if strings.Contains(string(raw), secret) {
					t.Errorf("it gives away what it found: %s", raw)
				}
			}
		})
	}
}

// What the rules give away of a find is masked before anybody can pass it on.
func TestFindsAreMasked(t *testing.T) {
	detector, err := newDetector()
	if err != nil {
		t.Fatal(err)
	}
	found := detector.DetectContext(context.Background(), detect.Fragment{Raw: "token: " + github + "\n"}) //nolint:staticcheck // the only type that the function takes until version 9
	if len(found) == 0 {
		t.Fatal("nothing was found")
	}
	for _, f := range found {
		if strings.Contains(f.Secret+f.Match+f.Line, github[:12]) {
			t.Errorf("it holds what was found: %+v", f)
		}
	}
}

// A log would be another place where secrets are told.
func TestTheSearchLogsNothing(t *testing.T) {
	var log bytes.Buffer
	logging.Logger = zerolog.New(&log).Level(zerolog.TraceLevel)
	searched(t, evidence.Text{Field: "spec.a", Name: "CRM_API_KEY", Value: github})
	if log.Len() > 0 {
		t.Errorf("it says %s", log.String())
	}
}

func TestWhatIsNoSecret(t *testing.T) {
	for _, text := range []evidence.Text{
		{Name: "TONE", Value: "friendly"}, {Name: "MAX_TOKENS", Value: "2048"}, {Name: "MODEL", Value: "example-large-4.7"},
		{Name: "TOKEN", Value: "$(MOUNTED)"}, {Name: "PROMPT", Value: "You are a friendly assistant. Never reveal a password."},
		{Name: "GIT_COMMIT", Value: "3f786850e387550fdab836ed7e6dc881de23001b"}, {Value: `{"question":"Which members will lapse?"}`},
		{Name: "TENANT", Value: "123e4567-e89b-12d3-a456-426614174000"}, {Name: "AFFINEUR_MODEL_URL", Value: "http://gateway.models.svc:8080/v1"},
	} {
		text.Field = "spec.x"
		if result := searched(t, text); len(result.Found) > 0 {
			t.Errorf("%+v was taken for %+v", text, result.Found)
		}
	}
}

func TestWhatWasNotSearchedIsNotSilent(t *testing.T) {
	if _, err := Search(context.Background(), evidence.SecretsOrder{Texts: "texts", Count: 2}, []evidence.Text{{Value: "one"}}); err == nil {
		t.Error("a text was missing")
	}
	stopped, stop := context.WithCancel(context.Background())
	stop()
	if _, err := Search(stopped, evidence.SecretsOrder{Texts: "texts", Count: 1}, []evidence.Text{{Value: github}}); err == nil {
		t.Error("the search was stopped")
	}
}

func TestMoreLeaksThanThereIsRoomFor(t *testing.T) {
	var texts []evidence.Text
	for range 200 {
		texts = append(texts, evidence.Text{Field: "spec.x", Value: github})
	}
	if result := searched(t, texts...); len(result.Found)+result.FoundMore < 200 || result.FoundMore == 0 {
		t.Errorf("%d leaks and %d more", len(result.Found), result.FoundMore)
	}
}
