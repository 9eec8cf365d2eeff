package main

import (
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/affineur/affineur/api/v1alpha1"
)

const (
	// judged is the policy, and the namespace, of prototypes that have or meet a model.
	judged = "corpus-judged"
	// gateway is the catalogue's: what answers there is the systems' judge, who likes numbers and nothing else.
	gateway = "models"
)

// isJudged makes a policy ask for right answers, and a model what it thinks of some of them.
func isJudged(spec map[string]any) {
	quality := enoughRight()
	quality["judge"] = map[string]any{"gateway": gateway, "model": "example-judge", "rubric": "A good answer is a number.", "examples": int64(20)}
	adds(spec, map[string]any{"name": "quality", "type": "Quality", "quality": quality})
	spec["catalogue"].(map[string]any)["modelGateways"] = []any{map[string]any{
		"name": gateway, "address": "http://" + systemsHost + ":8080/v1", "mayCarry": map[string]any{"classes": []any{"Public", "Internal"}},
		"to": map[string]any{"pods": map[string]any{"namespace": organisation, "podLabels": map[string]any{"app": "systems"}, "port": int64(8080)}},
		"assurance": map[string]any{"trainsOnInputs": "Never", "retention": "0s", "residency": "eu", "document": "file 8", "checkedBy": "security",
			"validUntil": "2099-12-31"},
		"credentials": map[string]any{"secret": map[string]any{"name": signingKey}},
	}}
}

// opinions that models have, and whose they are.
func opinions() []sample {
	of := func(name, hole, reason, says string, edits ...edit) sample {
		return sample{name: name, hole: hole, gate: "quality", reason: reason, says: says, policy: judged, edit: also(edits...)}
	}
	return []sample{
		of("judged-kindly", "two of five answers are wrong, and the judge likes all that it is shown", v1alpha1.ReasonTooManyWrong, "60 of 100 examples are right",
			examined("sums", "/v1/ask", "/answer"), plays("wrong=1-40")),
		of("other-model", "it declares one model, and another one answers", v1alpha1.ReasonOtherModel, "answers come from example-mini, and example-large 4.7 is declared",
			completes, plays("model=example-mini")),
		of("judged-harshly", "answers that are right, and that the judge does not like", "", "objects to 20 of 20 answers that the examples call right: 20 tone",
			examined("plain", "/v1/ask", "/answer")).without(),
		of("model-in-full", "answers name the declared model with its provider and its version", "", "answered by provider/example-large-4.7",
			completes, plays("model=provider/example-large-4.7")).without(),
	}
}

// completes declares a model, and answers sums as chat completions.
func completes(p *v1alpha1.AIPrototype) {
	p.Spec.Model = &v1alpha1.ModelUse{Gateway: gateway, Name: "example-large", Version: "4.7"}
	p.Spec.Evaluation = &v1alpha1.Evaluation{
		Examples: v1alpha1.ExamplesSource{ConfigMap: &v1alpha1.ConfigMapKey{Name: "sums", Key: setKey}},
		Call:     v1alpha1.EvaluationCall{Timeout: metav1.Duration{Duration: 10 * time.Second}, OpenAIChat: &v1alpha1.ChatCall{}},
	}
}
