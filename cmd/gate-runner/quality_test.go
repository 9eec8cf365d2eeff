package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/internal/evidence"
	"github.com/affineur/affineur/internal/gate"
	"github.com/affineur/affineur/internal/gate/quality"
	"github.com/affineur/affineur/internal/names"
	"github.com/affineur/affineur/internal/record"
	frozen "github.com/affineur/affineur/internal/subject"
)

// advice is a prototype that tells members who leave from those who stay, by a word.
func advice(w http.ResponseWriter, r *http.Request) {
	var asked struct {
		Text string `json:"text"`
	}
	if r.URL.Path != "/v1/classify" || json.NewDecoder(r.Body).Decode(&asked) != nil {
		w.WriteHeader(http.StatusNotFound)
		return
	}
	label := "staying"
	if strings.Contains(asked.Text, "cancel") {
		label = "leaving"
	}
	_ = json.NewEncoder(w).Encode(map[string]any{"label": label, "confidence": 0.9})
}

// messages of n members, of which some are told apart by a word that the prototype does not know.
func messages(n, unknown int) string {
	var b strings.Builder
	b.WriteString("question,expected,check\n")
	for i := range n {
		word := "cancel"
		if i < unknown {
			word = "quit"
		}
		fmt.Fprintf(&b, "\"Member %d, I want to %s.\",leaving,label\n", i, word)
	}
	return b.String()
}

// TestFromPlanToVerdict follows an evaluation on its whole way: planned, asked over HTTP, sealed, opened and judged.
func TestFromPlanToVerdict(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(advice))
	defer server.Close()
	for name, c := range map[string]struct {
		set    string
		path   string
		state  gate.State
		reason string
		says   string
	}{
		"good":      {messages(100, 3), "/v1/classify", gate.Passed, v1alpha1.ReasonAnswersRight, "97 of 100 examples are right"},
		"wrong":     {messages(100, 40), "/v1/classify", gate.Failed, v1alpha1.ReasonTooManyWrong, "60 of 100 examples are right"},
		"few":       {messages(24, 0), "/v1/classify", gate.Inconclusive, v1alpha1.ReasonTooFewExamples, "24 examples; 76 more needed; then at least 95 of 100 must be right"},
		"elsewhere": {messages(100, 0), "/classify", gate.Failed, v1alpha1.ReasonTooManyWrong, "0 of 100"},
	} {
		t.Run(name, func(t *testing.T) {
			asked := evaluationOf(t, c.set, c.path)
			verdict := quality.Instrument{}.Judge(asked, taken(t, asked, server.URL, ""))
			if verdict.State != c.state || verdict.Reason != c.reason || !strings.Contains(verdict.Message, c.says) {
				t.Errorf("got %s %s: %s", verdict.State, verdict.Reason, verdict.Message)
			}
		})
	}
}

// TestFromPlanToWhatAJudgeSays follows a judge's word on the same way: its key is a file beside the others that no order binds, and
// neither it nor a word of the judge's own leaves the runner.
func TestFromPlanToWhatAJudgeSays(t *testing.T) {
	const key = "a-key-for-this-run"
	prototype := httptest.NewServer(http.HandlerFunc(advice))
	defer prototype.Close()
	judge := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var asked struct{ Messages []struct{ Content string } }
		if r.URL.Path != "/v1/chat/completions" || r.Header.Get("Authorization") != "Bearer "+key || json.NewDecoder(r.Body).Decode(&asked) != nil {
			w.WriteHeader(http.StatusForbidden)
			return
		}
		mark, _, _ := strings.Cut(asked.Messages[1].Content, "\n")
		text := fmt.Sprintf(`{"case": %q, "good": true}`, mark)
		if strings.Contains(asked.Messages[1].Content, "Member 7,") {
			text = fmt.Sprintf(`{"case": %q, "good": false, "why": "incomplete"}`, mark)
		}
		_ = json.NewEncoder(w).Encode(map[string]any{"model": "judge-large", "choices": []any{map[string]any{"message": map[string]any{"content": text}}}})
	}))
	defer judge.Close()
	for name, c := range map[string]struct {
		key    string
		reason string
		says   string
	}{
		"with its key":  {key, v1alpha1.ReasonJudgeObjects, "objects to 1 of 97 answers that the examples call right: 1 incomplete"},
		"another key":   {"another", v1alpha1.ReasonJudgeSilent, "97 that its gateway answered with an error (status 403)"},
		"without a key": {"", v1alpha1.ReasonJudgeSilent, "97 for want of the gateway's key"},
	} {
		t.Run(name, func(t *testing.T) {
			asked := evaluationOf(t, messages(100, 3), "/v1/classify")
			asked.Gate.Quality = &v1alpha1.QualityGate{MinimumExamples: 100, PassRateLowerBound: "0.90", Repeats: 1,
				Judge: &v1alpha1.QualityJudge{Gateway: "judges", Model: "judge-large", Rubric: "Polite.", Examples: 100}}
			asked.Record.Requirements.DataRules = []v1alpha1.DataRule{{Name: "titles", Class: v1alpha1.DataPublic}}
			asked.Record.Requirements.Judges = []v1alpha1.ModelGateway{{Name: "judges", Address: judge.URL + "/v1", MayCarry: v1alpha1.MayCarry{Classes: []v1alpha1.DataClass{v1alpha1.DataPublic}},
				To: v1alpha1.Destination{Pods: &v1alpha1.PodDestination{}}, Credentials: &v1alpha1.CredentialSource{Secret: v1alpha1.LocalName{Name: "judge-keys"}}}}
			verdict := quality.Instrument{}.Judge(asked, taken(t, asked, prototype.URL, c.key))
			if verdict.State != gate.Passed || len(verdict.Findings) != 1 || verdict.Findings[0].Reason != c.reason || !strings.Contains(verdict.Findings[0].Message, c.says) {
				t.Errorf("%s: %+v", verdict.State, verdict.Findings)
			}
		})
	}
}

// taken is what the runner measures by the gate's plan, with a server in place of the sandbox's Service.
func taken(t *testing.T, asked gate.Case, url, key string) gate.Taken {
	t.Helper()
	runs, err := quality.Instrument{}.Plan(asked, gate.Taken{})
	if err != nil {
		t.Fatal(err)
	}
	order, err := evidence.Read[evidence.QualityOrder](runs[0].Order)
	if err != nil {
		t.Fatal(err)
	}
	order.Call.URL = url
	report := examined(t, evidence.RunSpec{Nonce: nonce, Subject: asked.Record.ReviewDigest, Order: order}, runs[0].Files, key)
	return gate.Taken{Runs: map[string]gate.Witnessed{"": {Measurement: gate.Measurement{Report: report}}}}
}

func evaluationOf(t *testing.T, set, path string) gate.Case {
	t.Helper()
	packed, err := record.Pack([]byte(set))
	if err != nil {
		t.Fatal(err)
	}
	return gate.Case{
		Record: record.Record{
			Prototype: names.Identity{Namespace: "membership", Name: "advisor", UID: "u"}, Ordinal: 1, ReviewDigest: subject, Examples: packed,
			Subject: frozen.Subject{Evaluation: &frozen.Evaluation{
				Examples: frozen.Examples{Digest: evidence.Digest([]byte(set))},
				Call: v1alpha1.EvaluationCall{Timeout: metav1.Duration{Duration: 20 * time.Second},
					JSON: &v1alpha1.JSONCall{Method: http.MethodPost, Path: path, Input: "/text", Answer: "/label"}},
			}},
		},
		Gate:     v1alpha1.Gate{Name: "quality", Type: v1alpha1.GateQuality},
		Patience: 1, Now: time.Now(),
	}
}

// examined has the runner do what was ordered, and opens what it left.
func examined(t *testing.T, spec evidence.RunSpec, files map[string][]byte, judgeKey string) *evidence.Report {
	t.Helper()
	var log bytes.Buffer
	dir := t.TempDir()
	r := runner{guard: anywhere, stdout: &log, terminationPath: filepath.Join(dir, "termination-log"), files: dir}
	for name, content := range files {
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o600); err != nil {
			t.Fatal(err)
		}
		spec.Files = append(spec.Files, evidence.File{Name: name, Digest: evidence.Digest(content)})
	}
	if judgeKey != "" {
		if err := os.WriteFile(filepath.Join(dir, evidence.JudgeKeyFile), []byte(judgeKey), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	raw, err := evidence.EncodeRun(spec)
	if err != nil {
		t.Fatal(err)
	}
	if err := r.run(t.Context(), raw); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(log.String(), "Member") || judgeKey != "" && strings.Contains(log.String(), judgeKey) {
		t.Error("a question or a key is in the report")
	}
	opened, err := evidence.Open(contentOf(t, r.terminationPath), log.Bytes(), evidence.Expect{Nonce: nonce, Subject: spec.Subject, Kind: evidence.KindQuality})
	if err != nil {
		t.Fatal(err)
	}
	return opened.Report
}
