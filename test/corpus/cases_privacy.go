package main

import (
	"context"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/affineur/affineur/api/v1alpha1"
)

const (
	// guarded is the namespace whose policy has a privacy gate, and the policy's name.
	guarded = "corpus-privacy"
	// question is the ConfigMap with the request that its prototypes show.
	question = "question"
)

// confided are prototypes that tell what they were told, and one that does not.
func confided() []sample {
	told := func(hole, what, reason, says string) sample {
		return sample{name: "privacy-" + hole, hole: what, gate: "privacy", reason: reason, says: says, policy: guarded, edit: assistant(hole)}
	}
	return []sample{
		told("remember", "one memory for all people", v1alpha1.ReasonRecordLeaked, "another"),
		told("tattle", "a log of what people type", v1alpha1.ReasonInputLogged, "log"),
		told("parrot", "error texts that repeat what was typed", v1alpha1.ReasonInputInErrorText, "error"),
		told("disclose", "somebody's account number in its answers", v1alpha1.ReasonPersonalDataInAnswers, "account number"),
		{name: "privacy-discreet", hole: "a memory for each person apart, echoes, invented examples, and a log of how much was typed", policy: guarded, edit: assistant("discreet")},
	}
}

// assistant runs one of the image holey's, which is asked with a text.
func assistant(hole string) edit {
	return also(runs("REGISTRY/holey/"+hole+":1"), func(p *v1alpha1.AIPrototype) {
		p.Spec.Demand.Request = v1alpha1.SampleRequest{Method: "POST", Path: "/ask",
			Body: &v1alpha1.RequestBody{ConfigMap: &v1alpha1.ConfigMapKey{Name: question, Key: "body.json"}}}
	})
}

// private asks the sample policy's privacy gate of all, and lets in the images that its cases run.
func (g *ground) private(spec map[string]any) {
	spec["sandbox"].(map[string]any)["registries"].([]any)[0].(map[string]any)["prefix"] = g.registry + "/holey/"
	for _, tier := range spec["tiers"].([]any) {
		tier := tier.(map[string]any)
		tier["gates"] = append(tier["gates"].([]any), "privacy")
	}
}

// show the request that prototypes are asked with.
func (g *ground) show(ctx context.Context) error {
	return g.admin.Create(ctx, &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{Namespace: guarded, Name: question},
		Data:       map[string]string{"body.json": `{"text":"When does the next course begin?"}`},
	})
}
