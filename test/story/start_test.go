package main

import (
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/affineur/affineur/api/v1alpha1"
)

func TestStartOf(t *testing.T) {
	at := func(seconds int64) metav1.Time { return metav1.Unix(1000+seconds, 0) }
	p := prototypeOf(membership, churnAdvisor)
	p.CreationTimestamp = at(0)
	p.Status.Conditions = []metav1.Condition{{Type: v1alpha1.ConditionSandboxReady, Status: metav1.ConditionTrue, LastTransitionTime: at(9)}}
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{CreationTimestamp: at(5)}}
	if took, err := startOf(p, pod); err == nil {
		t.Errorf("of a pod that is not ready: %s", took)
	}
	pod.Status.Conditions = []corev1.PodCondition{
		{Type: corev1.PodScheduled, Status: corev1.ConditionTrue, LastTransitionTime: at(5)},
		{Type: corev1.PodReady, Status: corev1.ConditionTrue, LastTransitionTime: at(8)},
	}
	took, err := startOf(p, pod)
	if want := (start{Prepared: 5 * time.Second, Pod: 3 * time.Second, Told: time.Second}); err != nil || took != want {
		t.Errorf("%s, %v", took, err)
	}
	if said := took.String(); !strings.HasPrefix(said, "9 s") || !strings.Contains(said, "3 s the image's") {
		t.Errorf("says %q", said)
	}
	p.Status.Conditions[0].Status = metav1.ConditionFalse
	if took, err := startOf(p, pod); err == nil {
		t.Errorf("of a sandbox that is not ready: %s", took)
	}
}

func TestSpread(t *testing.T) {
	var all []start
	for _, seconds := range []time.Duration{4, 9, 3, 5, 2} {
		all = append(all, start{Prepared: seconds * time.Second})
	}
	if least, median, most := spread(all, parts[0].of); least != 2*time.Second || median != 4*time.Second || most != 9*time.Second {
		t.Errorf("%s, %s, %s", least, median, most)
	}
}
