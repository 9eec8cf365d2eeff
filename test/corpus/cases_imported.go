package main

import (
	"fmt"

	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/affineur/affineur/api/v1alpha1"
)

// Policies, and namespaces, of prototypes that an image of IT's evaluates.
const (
	byPromptfoo = "corpus-promptfoo"
	byInspect   = "corpus-inspect"
	// pushedSets is where the sets are that are kept in the registry.
	pushedSets = "corpus/golden"
)

// imports makes a policy take over what the image says in the given format.
func (g *ground) imports(format v1alpha1.ImportFormat, argument string) func(map[string]any) {
	return func(spec map[string]any) {
		adds(spec, map[string]any{"name": "quality", "type": "Quality", "quality": map[string]any{
			"minimumExamples": int64(100), "passRateLowerBound": fmt.Sprint(rightShare),
			"slices": []any{map[string]any{"name": "early", "passRateLowerBound": "0.80", "minimumExamples": int64(20)}},
			"import": map[string]any{"format": string(format), "image": g.golden, "args": []any{argument}, "length": "2m"},
		}})
	}
}

// takenOver are prototypes that an image of IT's asks a hundred sums.
func takenOver() []sample {
	of := func(name, hole, reason, says, policy string, edit edit) sample {
		return sample{name: name, hole: hole, gate: "quality", reason: reason, says: says, policy: policy, edit: edit}
	}
	none := func(*v1alpha1.AIPrototype) {}
	return []sample{
		of("wrong-for-promptfoo", "two of five answers are wrong, promptfoo says", v1alpha1.ReasonTooManyWrong, "60 of 100 examples are right", byPromptfoo, plays("wrong=21-60")),
		of("weak-for-promptfoo", "good on the whole, and wrong in a slice of promptfoo's tests", v1alpha1.ReasonSliceTooWeak, "slice early: 15 of 20", byPromptfoo, plays("wrong=1-5")),
		of("mute-for-promptfoo", "promptfoo gets errors, and nobody knows whose", v1alpha1.ReasonExamplesNotAsked, "40 could not be asked", byPromptfoo, plays("mute=21-60")),
		of("right-for-promptfoo", "exactly as many right answers as it takes, promptfoo says", "", "", byPromptfoo, plays(fmt.Sprintf("wrong=21-%d", 20+hundred-fewest()))).without(),
		of("wrong-for-inspect", "two of five answers are wrong, inspect_ai says", v1alpha1.ReasonTooManyWrong, "60 of 100 examples are right", byInspect, plays("wrong=21-60")),
		of("right-for-inspect", "no examples of its own, and inspect_ai says that all is right", "", "", byInspect, none).without(),
	}
}

// keptInRegistry are prototypes whose examples are artifacts.
func keptInRegistry() []sample {
	examples := func(tag string) edit {
		return func(p *v1alpha1.AIPrototype) {
			examined("plain", "/v1/ask", "/answer")(p)
			p.Spec.Evaluation.Examples = v1alpha1.ExamplesSource{Artifact: "REGISTRY/" + pushedSets + ":" + tag}
		}
	}
	return []sample{
		{name: "wrong-by-artifact", hole: "two of five answers are wrong, by examples of a registry", gate: "quality", reason: v1alpha1.ReasonTooManyWrong, says: "60 of 100",
			policy: answering, edit: also(examples("sums"), plays("wrong=21-60"))},
		{name: "two-files-in-artifact", hole: "an artifact of two files, and who knows which of them counts", gate: "quality", reason: v1alpha1.ReasonExamplesInvalid, says: "holds 2 files",
			policy: answering, edit: examples("two")},
		{name: "right-by-artifact", hole: "examples that are in a registry alone", policy: answering, edit: examples("sums")},
	}
}

// keep the sets in the cluster's registry, as oras push does.
func (p pusher) keep(tag string, sets ...string) error {
	made := mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), "application/vnd.oci.empty.v1+json")
	var files []mutate.Addendum
	for _, set := range sets {
		files = append(files, mutate.Addendum{Layer: static.NewLayer([]byte(set), "text/csv"), MediaType: "text/csv"})
	}
	artifact, err := mutate.Append(made, files...)
	if err != nil {
		return err
	}
	return remote.Write(p.host.Repo(pushedSets).Tag(tag), artifact, p.options...)
}
