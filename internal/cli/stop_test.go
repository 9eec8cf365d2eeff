package cli

import (
	"strings"
	"testing"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/affineur/affineur/api/v1alpha1"
)

func TestStopAndLift(t *testing.T) {
	w := newWorld(t, "")
	if code := w.play(t.Context(), "stop", "leak", "--gateway", "default", "--reason", "It leaks."); code != 0 {
		t.Fatalf("stop: %s", w.errOut)
	}
	var made v1alpha1.EmergencyStop
	stopped := func() v1alpha1.EmergencyStopSpec {
		t.Helper()
		if err := w.client.Get(t.Context(), client.ObjectKey{Name: "leak"}, &made); err != nil {
			t.Fatal(err)
		}
		return made.Spec
	}
	if got := stopped(); got.Scope.Gateway != "default" || got.Action != v1alpha1.StopSever || got.Reason != "It leaks." || got.By != "" {
		t.Errorf("made %+v", got)
	}
	if code := w.play(t.Context(), "lift", "leak", "--reason", "It is mended."); code != 0 {
		t.Fatalf("lift: %s", w.errOut)
	}
	if got := stopped().Lifted; got == nil || got.Reason != "It is mended." || got.By != "" {
		t.Errorf("lifted %+v", got)
	}
	for says, args := range map[string][]string{
		"lifted already":        {"lift", "leak", "--reason", "Again."},
		"not found":             {"lift", "other", "--reason", "It is mended."},
		"at least one of":       {"stop", "other", "--reason", "It leaks."},
		"required flag":         {"stop", "other", "--all"},
		"none of the others":    {"stop", "other", "--all", "--team", "membership", "--reason", "It leaks."},
		"name one emergency st": {"stop", "--all", "--reason", "It leaks."},
	} {
		if code := w.play(t.Context(), args...); code == 0 || !strings.Contains(w.errOut.String(), says) {
			t.Errorf("%v: %d %s", args, code, w.errOut)
		}
	}
}
