package cli

import (
	"context"
	"runtime"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/affineur/affineur/api/v1alpha1"
)

func TestStopAndLift(t *testing.T) {
	w := newWorld(t, "")
	if code := w.play(t.Context(), "stop", "leak", "--gateway", "default", "--reason", "It leaks.", "--wait=0"); code != 0 {
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

// Whoever mistypes a name is told, and so is who stops something while nobody looks; the stop holds.
func TestStopOfWhatNobodyKnows(t *testing.T) {
	for name, c := range map[string]struct {
		reason, warning string
		silent          bool
	}{
		"known":         {reason: v1alpha1.ReasonStopping},
		"unknown":       {reason: v1alpha1.ReasonScopeUnknown, warning: "Warning: nobody knows gateway defold; known: default"},
		"nobody looked": {warning: "Warning: the operator has not looked at it yet", silent: true},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, "")
			w.create = func(ctx context.Context, cluster client.WithWatch, object client.Object) error {
				if stop := object.(*v1alpha1.EmergencyStop); !c.silent {
					stop.Status.Conditions = []metav1.Condition{{Type: v1alpha1.ConditionEffective, Reason: c.reason, Message: "nobody knows gateway defold; known: default"}}
				}
				return cluster.Create(ctx, object)
			}
			ended := make(chan int, 1)
			go func() { ended <- w.play(t.Context(), "stop", "leak", "--gateway", "defold", "--reason", "It leaks.") }()
			if c.silent {
				for !w.clock.HasWaiters() {
					runtime.Gosched()
				}
				w.clock.Step(5 * time.Second)
			}
			if code := <-ended; code != 0 || !strings.Contains(w.out.String(), "leak holds") {
				t.Errorf("%d: %s", code, w.out)
			}
			if said := w.errOut.String(); c.warning == "" && said != "" || !strings.HasPrefix(said, c.warning) {
				t.Errorf("said %q", said)
			}
		})
	}
}
