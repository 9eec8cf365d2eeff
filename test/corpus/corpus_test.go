package main

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/internal/examples"
)

// The corpus is as large as it has to be, every case says what it is, and no two have one name.
func TestCorpusIsSound(t *testing.T) {
	g := &ground{registry: "registry.example.org"}
	known := []string{"security", "scalability", "integration", "quality", "privacy", scanned, styled, quiet, policyGate, schemaGate}
	var names []string
	bad, fast := 0, map[bool]int{}
	for _, c := range all() {
		if names = append(names, c.name); c.bad() {
			bad++
		}
		if c.fast {
			fast[c.bad()]++
		}
		if c.hole == "" || c.edit == nil || c.bad() != (c.reason != "") || c.bad() && !slices.Contains(known, c.gate) {
			t.Errorf("%s does not say what it is: %+v", c.name, c)
		}
		p := g.newPrototype(c)
		if p.Name != c.name || !strings.Contains(p.Spec.Workload.Container.Image, "/") {
			t.Errorf("%s runs %s", c.name, p.Spec.Workload.Container.Image)
		}
	}
	slices.Sort(names)
	if distinct := len(slices.Compact(slices.Clone(names))); distinct != len(names) {
		t.Errorf("%d names for %d cases", distinct, len(names))
	}
	if good := len(names) - bad; bad < 40 || good < 15 {
		t.Errorf("%d known-bad, %d known-good", bad, good)
	}
	if fast[true] < 8 || fast[false] < 4 || fast[true]+fast[false] > 24 {
		t.Errorf("the fast subset has %d known-bad and %d known-good", fast[true], fast[false])
	}
}

// Every catalogue entry that a case names is there.
func TestCasesUseWhatIsThere(t *testing.T) {
	g := &ground{registry: "registry.example.org"}
	spec := map[string]any{"gates": []any{}, "dataRules": []any{}, "tiers": []any{map[string]any{"gates": []any{}}}, "catalogue": map[string]any{"integrations": catalogue()}}
	known := map[string][]string{}
	keeps(spec)
	for _, e := range spec["catalogue"].(map[string]any)["integrations"].([]any) {
		known[private] = append(known[private], e.(map[string]any)["name"].(string))
	}
	for _, e := range entries() {
		known[""] = append(known[""], e.name)
		known[scaling] = append(known[scaling], e.name)
	}
	for _, c := range all() {
		for _, use := range g.newPrototype(c).Spec.Integrations {
			if !slices.Contains(known[c.policy], use.Name) && c.reason != v1alpha1.ReasonUnknownName {
				t.Errorf("%s uses %s, which is not in the catalogue", c.name, use.Name)
			}
		}
	}
}

func gate(name string, verdict v1alpha1.GateState, reason string, findings ...v1alpha1.Gap) v1alpha1.GateStatus {
	return v1alpha1.GateStatus{Name: name, Verdict: verdict, Reason: reason, Message: reason, Findings: findings}
}

// A hole counts as found only by its gate, for its reason, in words, and while no other gate objects.
func TestJudge(t *testing.T) {
	const plain, passed, failed, unclear = v1alpha1.ReasonPlainSecret, v1alpha1.GatePassed, v1alpha1.GateFailed, v1alpha1.GateInconclusive
	hole := v1alpha1.Gap{Reason: plain, Message: "variable CRM_PASSWORD"}
	bad := sample{name: "b", gate: "security", reason: plain, says: "CRM_PASSWORD"}
	stopped := sample{name: "s", gate: policyGate, reason: v1alpha1.ReasonUnknownName, says: "crm"}
	refused := sample{name: "r", gate: schemaGate, reason: "refused", says: "below 1024"}
	good, remarked := sample{name: "g"}, sample{name: "m", says: "tone"}
	load := gate("scalability", passed, "")
	for name, c := range map[string]struct {
		sample sample
		seen   observed
		right  bool
	}{
		"found":                     {bad, observed{gates: []v1alpha1.GateStatus{load, gate("security", failed, "HolesFound", hole)}}, true},
		"passed":                    {bad, observed{passed: true, gates: []v1alpha1.GateStatus{load, gate("security", passed, "")}}, false},
		"passed all the same":       {bad, observed{passed: true, gates: []v1alpha1.GateStatus{load, gate("security", failed, "HolesFound", hole)}}, false},
		"another reason":            {bad, observed{gates: []v1alpha1.GateStatus{gate("security", failed, "HolesFound", v1alpha1.Gap{Reason: "Other"})}}, false},
		"another hole as well":      {bad, observed{gates: []v1alpha1.GateStatus{gate("security", failed, "HolesFound", hole, v1alpha1.Gap{Reason: "Other"})}}, false},
		"another gate as well":      {bad, observed{gates: []v1alpha1.GateStatus{gate("scalability", failed, "TooSlow"), gate("security", failed, "HolesFound", hole)}}, false},
		"another gate unclear":      {bad, observed{gates: []v1alpha1.GateStatus{gate("scalability", unclear, "?"), gate("security", failed, "HolesFound", hole)}}, false},
		"nobody is told which":      {bad, observed{gates: []v1alpha1.GateStatus{gate("security", failed, "HolesFound", v1alpha1.Gap{Reason: plain})}}, false},
		"pending":                   {bad, observed{gates: []v1alpha1.GateStatus{gate("security", v1alpha1.GatePending, plain, hole)}}, false},
		"no such gate":              {bad, observed{gates: []v1alpha1.GateStatus{load}}, false},
		"nothing was said":          {bad, observed{}, false},
		"stopped":                   {stopped, observed{stands: "UnknownName: crm", gaps: []v1alpha1.Gap{{Gate: policyGate, Reason: v1alpha1.ReasonUnknownName, Message: "crm"}}}, true},
		"stopped by something else": {stopped, observed{stands: "PolicyTie: ?", gaps: []v1alpha1.Gap{{Gate: policyGate, Reason: v1alpha1.ReasonUnknownName, Message: "crm"}}}, false},
		"not stopped":               {stopped, observed{gates: []v1alpha1.GateStatus{load}}, false},
		"refused":                   {refused, observed{refused: "a port below 1024"}, true},
		"refused for another":       {refused, observed{refused: "a mistyped field"}, false},
		"not refused":               {refused, observed{gates: []v1alpha1.GateStatus{load}}, false},
		"fine":                      {good, observed{passed: true, gates: []v1alpha1.GateStatus{load}}, true},
		"fine, with a remark":       {remarked, observed{passed: true, gates: []v1alpha1.GateStatus{load, gate("quality", passed, "", v1alpha1.Gap{Message: "20 tone"})}}, true},
		"fine, and no remark":       {remarked, observed{passed: true, gates: []v1alpha1.GateStatus{load, gate("quality", passed, "")}}, false},
		"a remark that blocks":      {remarked, observed{gates: []v1alpha1.GateStatus{gate("quality", failed, "", v1alpha1.Gap{Message: "20 tone"})}}, false},
		"fine, and accused":         {good, observed{gates: []v1alpha1.GateStatus{gate("security", failed, plain, hole)}}, false},
		"fine, and unclear":         {good, observed{gates: []v1alpha1.GateStatus{gate("security", unclear, plain)}}, false},
		"fine, and nobody looked":   {good, observed{passed: true}, false},
		"fine, and refused":         {good, observed{refused: "below 1024"}, false},
		"fine, and not through":     {good, observed{gates: []v1alpha1.GateStatus{load}}, false},
	} {
		if wrong := judge(c.sample, c.seen); (wrong == "") != c.right {
			t.Errorf("%s: %q", name, wrong)
		}
	}
}

// What comes to nothing is waited for until the operator gives up, unless that is what the case is about.
func TestSettled(t *testing.T) {
	c := sample{gate: "privacy", reason: "AssuranceExpired"}
	lost := gate("scalability", v1alpha1.GateInconclusive, "GeneratorLimited")
	gaveUp := lost
	gaveUp.Attempts = attemptsAtMost
	for name, test := range map[string]struct {
		gates []v1alpha1.GateStatus
		want  bool
	}{
		"none":                {nil, false},
		"pending":             {[]v1alpha1.GateStatus{gate("privacy", v1alpha1.GatePending, "")}, false},
		"measured again":      {[]v1alpha1.GateStatus{lost}, false},
		"given up":            {[]v1alpha1.GateStatus{gaveUp}, true},
		"what it is about":    {[]v1alpha1.GateStatus{gate("privacy", v1alpha1.GateInconclusive, "AssuranceExpired")}, true},
		"for another reason":  {[]v1alpha1.GateStatus{gate("privacy", v1alpha1.GateInconclusive, "MeasurementLost")}, false},
		"passed":              {[]v1alpha1.GateStatus{gate("privacy", v1alpha1.GatePassed, "")}, true},
		"failed, one pending": {[]v1alpha1.GateStatus{gate("privacy", v1alpha1.GateFailed, ""), gate("security", v1alpha1.GatePending, "")}, false},
	} {
		if got := settled(c, observed{gates: test.gates}); got != test.want {
			t.Errorf("%s: %t", name, got)
		}
	}
}

// The last line counts what was judged wrongly, and one such case is enough to fail.
func TestTell(t *testing.T) {
	found := tried{sample: sample{name: "b", gate: "security", reason: "x"}, seen: observed{gates: []v1alpha1.GateStatus{gate("security", v1alpha1.GateFailed, "x"), gate("load", v1alpha1.GatePassed, "")}}}
	missed := tried{sample: sample{name: "c", gate: "security", reason: "x"}, seen: observed{gates: []v1alpha1.GateStatus{gate("security", v1alpha1.GatePassed, ""), gate("load", v1alpha1.GateFailed, "")}}, wrong: "it was missed"}
	silent := tried{sample: sample{name: "d", gate: "security", reason: "x"}, wrong: "nothing"}
	fine := tried{sample: sample{name: "e"}, seen: observed{passed: true, gates: []v1alpha1.GateStatus{gate("security", v1alpha1.GatePassed, "")}}}
	accused := tried{sample: sample{name: "f"}, seen: observed{gates: []v1alpha1.GateStatus{gate("security", v1alpha1.GateInconclusive, "")}}, wrong: "it is fine"}
	for name, c := range map[string]struct {
		all  []tried
		last string
		well bool
	}{
		"none":         {nil, "known-bad: 0, false passes: 0; known-good: 0, false failures: 0", false},
		"all right":    {[]tried{found, fine}, "known-bad: 1, false passes: 0; known-good: 1, false failures: 0", true},
		"one missed":   {[]tried{found, missed, silent, fine}, "known-bad: 3, false passes: 2; known-good: 1, false failures: 0", false},
		"one accused":  {[]tried{found, accused}, "known-bad: 1, false passes: 0; known-good: 1, false failures: 1", false},
		"all together": {[]tried{found, missed, silent, fine, accused}, "known-bad: 3, false passes: 2; known-good: 2, false failures: 1", false},
	} {
		var out bytes.Buffer
		well := tell(&out, c.all)
		lines := strings.Split(strings.TrimSpace(out.String()), "\n")
		if last := lines[len(lines)-1]; last != c.last || well != c.well {
			t.Errorf("%s: %q, %t", name, last, well)
		}
		if strings.Count(out.String(), "\nwrong: ") != countWrong(c.all) {
			t.Errorf("%s: not every wrong case is told:\n%s", name, out.String())
		}
	}
	rows := matrix([]tried{found, missed, silent, fine, accused})
	if got, want := rows["security"], (row{found: 1, missed: 2, cleared: 1, accused: 1}); got != want {
		t.Errorf("security: %+v, want %+v", got, want)
	}
	if got, want := rows["load"], (row{cleared: 1, accused: 1}); got != want {
		t.Errorf("load: %+v, want %+v", got, want)
	}
}

func countWrong(all []tried) int {
	n := 0
	for _, t := range all {
		if t.wrong != "" {
			n++
		}
	}
	return n
}

// The evaluation sets can be read, but for the one that has the hole; and every case names one that is there.
func TestSetsAreSound(t *testing.T) {
	for name, text := range sets() {
		set, err := examples.Read([]byte(text))
		if err == nil {
			_, err = set.Compile()
		}
		if (err != nil) != (name == "padded" || name == "broken") {
			t.Errorf("%s: %v", name, err)
		}
	}
	g := &ground{registry: "registry.example.org"}
	for _, c := range append(answers(), opinions()...) {
		if e := g.newPrototype(c).Spec.Evaluation; e != nil && sets()[e.Examples.ConfigMap.Name] == "" {
			t.Errorf("%s names %s", c.name, e.Examples.ConfigMap.Name)
		}
	}
}
