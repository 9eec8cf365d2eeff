package names

import (
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/util/validation"
)

func TestNamesAreValidAndCarryTheUID(t *testing.T) {
	long := Identity{Namespace: strings.Repeat("n", 63), Name: strings.Repeat("a", 62) + "b", UID: "0d9c4f5e"}
	short := Identity{Namespace: "membership", Name: "churn-advisor", UID: "0d9c4f5e"}
	for _, identity := range []Identity{long, short} {
		for _, name := range []string{
			identity.Sandbox(), identity.Production(), identity.Rehearsal(),
			identity.Run("scalability", "3-2"), identity.Record(12),
			identity.Series("stop", "production-control"), Attempt(identity.Series("stop", "production-control"), "ABCDEFGHIJKLMNOPQRSTUVWXYZ"),
		} {
			if problems := validation.IsDNS1123Label(name); len(problems) > 0 {
				t.Errorf("%q: %v", name, problems)
			}
			if !strings.Contains(name, identity.Hash()) {
				t.Errorf("%q does not carry the UID's hash %s", name, identity.Hash())
			}
		}
		for key, value := range identity.Labels("prototype") {
			if problems := validation.IsValidLabelValue(value); len(problems) > 0 {
				t.Errorf("label %s=%q: %v", key, value, problems)
			}
		}
	}
}

func TestAttemptsAreToldFromThoseOfOtherRuns(t *testing.T) {
	for _, name := range []string{"churn-advisor", strings.Repeat("a", 63)} {
		identity := Identity{Namespace: "membership", Name: name, UID: "0d9c4f5e"}
		inside, control := identity.Series("stop", "sandbox"), identity.Series("stop", "sandbox-control")
		one, other := Attempt(control, "ABCDEFGHIJKLMN"), Attempt(control, "OPQRSTUVWXYZ234567")
		if one == other || !IsAttempt(one, control) || !IsAttempt(other, control) {
			t.Errorf("%s and %s of %s", one, other, control)
		}
		for _, no := range []string{control, inside, control + "-1"} {
			if IsAttempt(no, control) {
				t.Errorf("%s counts as an attempt of %s", no, control)
			}
		}
		if IsAttempt(one, inside) {
			t.Errorf("%s counts as an attempt of %s", one, inside)
		}
	}
}

func TestAnotherUIDIsAnotherNamespace(t *testing.T) {
	one := Identity{Namespace: "membership", Name: "churn-advisor", UID: "one"}
	two := Identity{Namespace: "membership", Name: "churn-advisor", UID: "two"}
	if one.Sandbox() == two.Sandbox() {
		t.Errorf("both are %q", one.Sandbox())
	}
}

func TestCuttingLeavesNoTrailingDash(t *testing.T) {
	identity := Identity{Namespace: "n", Name: strings.Repeat("a", 44) + "-" + strings.Repeat("b", 18), UID: "u"}
	if name := identity.Sandbox(); strings.Contains(name, "--") {
		t.Errorf("%q", name)
	}
}

func TestFromLabels(t *testing.T) {
	want := Identity{Namespace: "education", Name: "outliner", UID: "u-1"}
	if got, ours := FromLabels(want.Labels("probe")); !ours || got != want {
		t.Errorf("%+v, %v", got, ours)
	}
	foreign := want.Labels("probe")
	foreign["app.kubernetes.io/managed-by"] = "somebody"
	if _, ours := FromLabels(foreign); ours {
		t.Error("a foreign object counts as ours")
	}
	if _, ours := FromLabels(map[string]string{"app.kubernetes.io/managed-by": "affineur"}); ours {
		t.Error("an object without an identity counts as ours")
	}
}

func TestHostIsOnesOwnAndFitsDNS(t *testing.T) {
	long := Identity{Namespace: "membership", Name: strings.Repeat("a", 63), UID: "u-1"}
	label, domain, _ := strings.Cut(long.Host("pilots.example.org"), ".")
	if len(label) != 63 || domain != "pilots.example.org" || !strings.HasSuffix(label, "-"+long.Hash()) {
		t.Errorf("%q has %d characters", label, len(label))
	}
	again := long
	again.UID = "u-2"
	if again.Host("d") == long.Host("d") {
		t.Error("a prototype made anew has the host of the one before")
	}
}
