package main

import (
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/affineur/affineur/api/v1alpha1"
)

// private is the policy that asks whether what people tell is kept.
const private = "corpus-private"

// keeps adds a gate of privacy, a rule about data, and places with and without an assurance of what happens there.
func keeps(spec map[string]any) {
	adds(spec, map[string]any{"name": "privacy", "type": string(v1alpha1.GatePrivacy), "privacy": map[string]any{"records": int64(6), "answerWithin": "10s"}})
	spec["dataRules"] = append(spec["dataRules"].([]any), map[string]any{
		"name": "members", "class": "Internal", "residency": []any{"eu"}, "maxRetention": "720h", "mayTrain": "Never",
	})
	catalogue := spec["catalogue"].(map[string]any)
	place := func(name string, assurance map[string]any) {
		e := inTheClear(name, "/health", 200).rendered()
		if assurance != nil {
			for key, value := range map[string]any{"trainsOnInputs": "Never", "retention": "24h", "residency": "eu", "document": "file 7", "checkedBy": "security", "validUntil": "2099-12-31"} {
				if _, there := assurance[key]; !there {
					assurance[key] = value
				}
			}
			e["assurance"] = assurance
		}
		catalogue["integrations"] = append(catalogue["integrations"].([]any), e)
	}
	place("unassured", nil)
	place("assured", map[string]any{})
	place("lapsed", map[string]any{"validUntil": "2025-12-31"})
	place("trains", map[string]any{"trainsOnInputs": "Yes"})
	place("abroad", map[string]any{"residency": "elsewhere"})
	place("hoards", map[string]any{"retention": "8760h"})
}

// message is what one request to a conversation looks like.
func message() client.Object {
	return &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: private, Name: "message"}, Data: map[string]string{"message.json": `{"message": "When does my membership end?"}`}}
}

// talks declares a conversation.
func talks(p *v1alpha1.AIPrototype) {
	p.Spec.Demand.Request = v1alpha1.SampleRequest{Method: "POST", Path: "/v1/chat", Body: &v1alpha1.RequestBody{ConfigMap: &v1alpha1.ConfigMapKey{Name: "message", Key: "message.json"}}}
}

// confidences are prototypes that don't keep what they are told.
func confidences() []sample {
	leaks := func(name, hole, reason, how string) sample {
		return sample{name: "talks-" + name, hole: hole, gate: "privacy", reason: reason, policy: private, edit: also(talks, plays(how))}
	}
	sends := func(place, hole, reason string) sample {
		return sample{name: "sends-" + place, hole: hole, gate: "privacy", reason: reason, says: place, policy: private,
			edit: also(talks, uses(place), func(p *v1alpha1.AIPrototype) { p.Spec.Data.Uses = []string{"members"} })}
	}
	fine := func(name, looks string, edits ...edit) sample {
		return sample{name: name, hole: looks, policy: private, edit: also(append([]edit{talks}, edits...)...)}
	}
	return []sample{
		leaks("last", "whoever asks is told what was said before, by anybody", v1alpha1.ReasonRecordLeaked, "tells=last").fastly(),
		leaks("all", "answers come from all that anybody ever said", v1alpha1.ReasonRecordLeaked, "tells=all"),
		leaks("encoded", "the same, encoded, as debug data at the end of an answer is", v1alpha1.ReasonRecordLeaked, "tells=encoded"),
		leaks("nameless", "who is not signed in sees what everybody said", v1alpha1.ReasonRecordLeaked, "tells=nameless"),
		leaks("spelled", "the same, spelled out with dots in between", v1alpha1.ReasonRecordLeaked, "tells=spelled"),
		leaks("heads", "what the one before said stands in a header of the answer", v1alpha1.ReasonRecordLeaked, "heads"),
		leaks("archives", "what was typed stands in the log, in hexadecimal", v1alpha1.ReasonInputLogged, "archives"),
		leaks("hints", "an error text repeats the end of what was typed", v1alpha1.ReasonInputInErrorText, "hints"),
		leaks("logs", "what was typed stands in the log", v1alpha1.ReasonInputLogged, "logs"),
		leaks("quotes", "an error text repeats what was typed", v1alpha1.ReasonInputInErrorText, "quotes"),
		leaks("iban", "answers hold an account that nobody had named", v1alpha1.ReasonPersonalDataInAnswers, "adds=iban"),
		leaks("card", "answers hold the number of a card", v1alpha1.ReasonPersonalDataInAnswers, "adds=card"),
		{name: "talks-unaskable", hole: "nobody said how it is asked anything", gate: "privacy", reason: v1alpha1.ReasonCallUnknown, policy: private, edit: func(*v1alpha1.AIPrototype) {}},
		sends("unassured", "data goes to a place of which nobody knows what it does with it", v1alpha1.ReasonAssuranceMissing),
		sends("lapsed", "what IT was assured of counted until last year", v1alpha1.ReasonAssuranceExpired),
		sends("trains", "data goes where models are trained on it", v1alpha1.ReasonTrainingNotAllowed),
		sends("abroad", "data goes to a region that its rule does not name", v1alpha1.ReasonResidencyNotAllowed),
		sends("hoards", "data is kept for longer than its rule lets it", v1alpha1.ReasonRetentionTooLong),
		fine("talks-echo", "everybody is told again what they said themselves").fastly(),
		fine("talks-own", "everybody is reminded of what they said themselves before", plays("tells=own")),
		fine("talks-wrong-iban", "answers hold what looks like an account, with a wrong checksum", plays("adds=wrong-iban")),
		fine("talks-help-desk", "answers name a mailbox that is nobody's", plays("adds=help-desk")),
		fine("talks-order", "answers hold numbers of an order and a version", plays("adds=order")),
		fine("sends-assured", "data goes to a place that IT was assured of", uses("assured"), func(p *v1alpha1.AIPrototype) { p.Spec.Data.Uses = []string{"members"} }),
	}
}
