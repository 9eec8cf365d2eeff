package main

import (
	"time"

	"github.com/affineur/affineur/api/v1alpha1"
)

// loaded is the policy of prototypes whose load is what is tried: it is climbed beyond their demand.
const loaded = "corpus-loads"

func climbs(spec map[string]any) { climb(spec, "2") }

// scaling is the policy of prototypes that are measured with two replicas, as many as production has at least.
const scaling = "corpus-scales"

func scales(spec map[string]any) {
	for _, gate := range spec["gates"].([]any) {
		if settings, there := gate.(map[string]any)["scalability"].(map[string]any); there {
			settings["upToReplicas"] = int64(2)
		}
	}
	spec["production"].(map[string]any)["replicas"] = map[string]any{"min": int64(2), "max": int64(4)}
}

// several are prototypes that are told apart by what two of them do.
func several() []sample {
	return []sample{
		{name: "one-works", hole: "one of two replicas answers, the other waits for what only one may have", gate: "scalability",
			reason: v1alpha1.ReasonWorseWithReplicas, says: "2 replicas", policy: scaling, alone: true,
			edit: also(plays("leads=one-works"), uses("health"), asks("10", time.Second, "0.05"))},
		{name: "one-by-one-twice", hole: "one replica serves requests one after the other and can't keep up; two can", policy: scaling, alone: true,
			edit: also(plays("alone=80ms"), asks("10", time.Second, "0.05"))},
	}
}

// loads are prototypes that don't carry what they declare.
func loads() []sample {
	slow := func(name, hole, how string) sample {
		return sample{name: name, hole: hole, gate: "scalability", reason: v1alpha1.ReasonTooSlow, policy: loaded, edit: also(plays(how), asks("10", 500*time.Millisecond, "0.05"))}
	}
	failing := func(name, hole, how, says string) sample {
		return sample{name: name, hole: hole, gate: "scalability", reason: v1alpha1.ReasonTooManyErrors, says: says, policy: loaded, edit: also(plays(how), asks("10", 500*time.Millisecond, "0.05"))}
	}
	return []sample{
		slow("slow", "every answer takes twice as long as promised", "delay=1s").fastly(),
		slow("slow-tail", "one answer of eight takes three times as long as promised", "every=8 slow=1500ms"),
		slow("stalls", "everything stands still for a second, again and again: who waits for each answer sees one slow one", "still=1s pause=2s"),
		slow("tires", "every answer takes a little longer than the one before", "worse=12ms"),
		slow("one-at-a-time", "requests are served one after the other, and not as many as come", "alone=80ms"),
		failing("errors", "one request of five fails", "fail-every=5", "server error").fastly(),
		failing("hangs", "one request of five is never answered", "hang-every=5", "without an answer"),
		failing("breaks-off", "one answer of five ends in the middle", "break-every=5", "broken off"),
		failing("redirects", "every answer leads somewhere else", "status=302", "another status"),
		failing("turns-away", "who comes while two are served is told that it is busy, with a status of 200", "delay=300ms room=2", "another shape than without load"),
		failing("worn-out", "after fifty requests, all fail", "endure=50", "server error"),
		// Before it is stopped for want of memory it gets slow; that is not its hole, so nobody is promised to wait less.
		{name: "memory", hole: "every request takes memory and never gives it back", gate: "scalability", reason: v1alpha1.ReasonTooManyErrors, policy: loaded,
			edit: also(plays("grow=1024"), asks("10", 5*time.Second, "0.05"))},
		{name: "wrong-path", hole: "what it says a request looks like is not what it serves", gate: "scalability", reason: v1alpha1.ReasonTooManyErrors, says: "another status",
			edit: func(p *v1alpha1.AIPrototype) { p.Spec.Demand.Request.Path = "/v2/ask" }},
		{name: "post-without-body", hole: "a request that needs a body is declared without one", gate: "scalability", reason: v1alpha1.ReasonTooManyErrors, says: "another status",
			edit: func(p *v1alpha1.AIPrototype) {
				p.Spec.Demand.Request = v1alpha1.SampleRequest{Method: "POST", Path: "/v1/ask"}
			}},
	}
}

// asks declares a demand.
func asks(rate string, within time.Duration, errors string) edit {
	return func(p *v1alpha1.AIPrototype) { p.Spec.Demand = demand(rate, within, errors) }
}
