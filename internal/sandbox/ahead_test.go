package sandbox

import (
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/internal/run"
)

// found plays what came of the pair that is at work.
func (w *world) found(inside, control run.Result) {
	w.t.Helper()
	w.runs.set(map[string]run.Result{w.identity.Run("isolation", suffixInside): inside, w.identity.Run("isolation", suffixControl): control})
	w.settle()
	w.runs.set(map[string]run.Result{})
	w.settle()
}

// oursJumped is a prototype that was measured while the operator's clock alone was a month ahead, and is now right again.
func oursJumped(t *testing.T) *world {
	w := runs(t, aPrototype())
	const jump = 30 * 24 * time.Hour
	real := w.clock.Now()
	w.clock.SetTime(real.Add(jump))
	w.skew = -jump
	w.settle()
	w.advance(20 * time.Second)
	inside, control := reports(real.Add(20*time.Second), true)
	w.found(inside, control)
	if verdict := w.isolation(); verdict.Verdict != verdictInconclusive || verdict.MeasuredAt.Before(&metav1.Time{Time: real.Add(jump)}) {
		t.Fatalf("%s at %s", verdict.Verdict, verdict.MeasuredAt)
	}
	w.clock.SetTime(real.Add(time.Minute))
	w.skew = 0
	return w
}

func TestMeasuredAfterAClockWasAhead(t *testing.T) {
	w := oursJumped(t)
	w.measures(true)
	w.expect(v1alpha1.ConditionNetworkIsolated, metav1.ConditionTrue, v1alpha1.ReasonEnforced)
	if at := w.isolation().MeasuredAt; at.After(w.clock.Now()) {
		t.Errorf("measured at %s", at)
	}
}

// TestUnknownSinceATimeThatHasNotCome ends like any other time in which nothing is known.
func TestUnknownSinceATimeThatHasNotCome(t *testing.T) {
	w := oursJumped(t)
	w.settle()
	if since := w.condition(v1alpha1.ConditionNetworkIsolated).LastTransitionTime; since.After(w.clock.Now()) {
		t.Errorf("unknown since %s, and it is %s", since, w.clock.Now())
	}
	w.advance(time.Hour - time.Minute)
	w.settle()
	if *w.deployment().Spec.Replicas != 1 {
		t.Fatal("stopped before one schedule is over")
	}
	w.advance(2 * time.Minute)
	w.settle()
	if *w.deployment().Spec.Replicas != 0 {
		t.Error("it runs on, and nothing is known of its isolation")
	}
}

// TestVerdictOfATimeThatHasNotCome: all clocks were ahead while isolation was shown.
func TestVerdictOfATimeThatHasNotCome(t *testing.T) {
	w := runs(t, aPrototype())
	right := w.clock.Now()
	w.advance(100 * time.Hour)
	w.settle()
	w.measures(true)
	w.clock.SetTime(right)
	w.settle()
	w.expect(v1alpha1.ConditionNetworkIsolated, metav1.ConditionUnknown, v1alpha1.ReasonMeasuringIsolation)
	w.measures(true)
	w.expect(v1alpha1.ConditionNetworkIsolated, metav1.ConditionTrue, v1alpha1.ReasonEnforced)
}

// TestNodeOfATimeThatHasNotCome is not carried over into a verdict of now.
func TestNodeOfATimeThatHasNotCome(t *testing.T) {
	for name, test := range map[string]struct {
		at   time.Duration
		want int
	}{"before": {-time.Minute, 2}, "clocks may differ": {time.Minute, 2}, "ahead": {time.Hour, 1}} {
		t.Run(name, func(t *testing.T) {
			s := Snapshot{Prototype: aPrototype().obj(), Deployment: &appsv1.Deployment{}, Boots: map[string]string{"a": "boot-a", "b": "boot-b"}}
			s.Settings.MeasureEvery, s.Inside.Node = time.Hour, "a"
			s.Pods = []corev1.Pod{{Spec: corev1.PodSpec{NodeName: "a"}}, {Spec: corev1.PodSpec{NodeName: "b"}}}
			s.Prototype.Status.Sandbox = &v1alpha1.SandboxStatus{Isolation: &v1alpha1.IsolationStatus{
				Verdict: verdictEnforced, MeasuredAt: metav1.NewTime(birth.Add(test.at)),
				Nodes: []v1alpha1.MeasuredNode{{Name: "b", BootID: "boot-b", MeasuredAt: metav1.NewTime(birth.Add(test.at))}},
			}}
			nodes := s.measuredNodes(&v1alpha1.IsolationStatus{Verdict: verdictEnforced, MeasuredAt: metav1.NewTime(birth)})
			if len(nodes) != test.want {
				t.Errorf("speaks for %+v", nodes)
			}
		})
	}
}
