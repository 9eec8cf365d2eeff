package main

import "github.com/affineur/affineur/api/v1alpha1"

// succeeding is the policy, and the namespace, of prototypes of which a revision is in production already.
const succeeding = "corpus-successors"

// succeeds makes a policy ask for few right answers, and nobody whether what passes may go into production: what the gates
// then say of the next revision rests on the revision before.
func succeeds(spec map[string]any) {
	quality := enoughRight()
	quality["passRateLowerBound"] = "0.50"
	delete(quality, "slices")
	adds(spec, map[string]any{"name": "quality", "type": "Quality", "quality": quality})
	delete(spec["tiers"].([]any)[0].(map[string]any), "approvals")
}

// successors are good enough by themselves, and replace what was better; or look so.
func successors() []sample {
	of := func(name, hole, reason, says, before, after, set string) sample {
		return sample{name: name, hole: hole, gate: "quality", reason: reason, says: says, policy: succeeding,
			before: also(examined("sums", "/v1/ask", "/answer"), plays(before)), edit: also(examined(set, "/v1/ask", "/answer"), plays(after))}
	}
	return []sample{
		of("worse-than-before", "90 of 100 answers are right, and all were before", v1alpha1.ReasonRegressed,
			"10 became wrong and 0 became right", "", "wrong=1-10", "sums"),
		of("busy-where-worse", "where answers would have become wrong, it has too much to do", v1alpha1.ReasonExamplesNotAsked,
			"if all of these became wrong, the answers are worse", "", "busy=1-10", "sums"),
		of("other-examples", "a third of what was asked before is asked no more", v1alpha1.ReasonNothingToCompare,
			"30 are in the set no more", "", "", "later-sums"),
		of("worse-and-better", "eight answers became wrong, and eight others right", "",
			"", "wrong=1-8", "wrong=9-16", "sums").without(),
	}
}
