package promotion

import (
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/affineur/affineur/api/v1alpha1"
)

func liveDeployment(edit func(d *appsv1.Deployment)) *appsv1.Deployment {
	d := &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{Generation: 4, Annotations: map[string]string{v1alpha1.AnnotationRecord: "churn-1"}},
		Spec:       appsv1.DeploymentSpec{Replicas: ptr.To[int32](2)},
		Status:     appsv1.DeploymentStatus{ObservedGeneration: 4, Replicas: 2, UpdatedReplicas: 2, AvailableReplicas: 2},
	}
	if edit != nil {
		edit(d)
	}
	return d
}

func TestComplete(t *testing.T) {
	for name, test := range map[string]struct {
		edit func(d *appsv1.Deployment)
		want bool
	}{
		"all available":            {nil, true},
		"counts of the one before": {func(d *appsv1.Deployment) { d.Generation = 5 }, false},
		"one not available":        {func(d *appsv1.Deployment) { d.Status.AvailableReplicas = 1 }, false},
		"an old one is left":       {func(d *appsv1.Deployment) { d.Status.Replicas = 3 }, false},
		"one not updated":          {func(d *appsv1.Deployment) { d.Status.UpdatedReplicas = 1 }, false},
		"scaled to zero": {func(d *appsv1.Deployment) {
			d.Spec.Replicas = ptr.To[int32](0)
			d.Status = appsv1.DeploymentStatus{ObservedGeneration: 4}
		}, false},
		"more than wanted for now": {func(d *appsv1.Deployment) {
			d.Status.Replicas, d.Status.UpdatedReplicas, d.Status.AvailableReplicas = 3, 3, 3
		}, true},
	} {
		if got := rolloutOf(liveDeployment(test.edit), true, nil).complete(); got != test.want {
			t.Errorf("%s: %v", name, got)
		}
	}
	if (Rollout{}).complete() {
		t.Error("nothing is complete")
	}
}

// pod of review 1 that was ready before the soak began.
func readyPod(edit func(p *corev1.Pod)) corev1.Pod {
	p := corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: "prototype-x", Labels: map[string]string{v1alpha1.LabelReview: "1"}, CreationTimestamp: metav1.NewTime(start)},
		Status:     corev1.PodStatus{Phase: corev1.PodRunning, Conditions: []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue}}},
	}
	if edit != nil {
		edit(&p)
	}
	return p
}

func waitingFor(reason, message string) func(p *corev1.Pod) {
	return func(p *corev1.Pod) {
		p.Status.Conditions[0].Status = corev1.ConditionFalse
		p.Status.ContainerStatuses = []corev1.ContainerStatus{{State: corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: reason, Message: message}}}}
	}
}

func endedAt(at time.Time) func(p *corev1.Pod) {
	return func(p *corev1.Pod) {
		p.Status.ContainerStatuses = []corev1.ContainerStatus{{LastTerminationState: corev1.ContainerState{
			Terminated: &corev1.ContainerStateTerminated{ExitCode: 137, Reason: "OOMKilled", FinishedAt: metav1.NewTime(at)},
		}}}
	}
}

func TestMisbehaviour(t *testing.T) {
	since := start.Add(time.Minute)
	for name, test := range map[string]struct {
		edit func(p *corev1.Pod)
		want string
	}{
		"well":                  {nil, ""},
		"ended before the soak": {endedAt(since.Add(-time.Second)), ""},
		"ended in the soak":     {endedAt(since.Add(time.Second)), "exit code 137 (OOMKilled)"},
		"stopped answering":     {func(p *corev1.Pod) { p.Status.Conditions[0].Status = corev1.ConditionFalse }, "stopped answering"},
		"another one just starts": {func(p *corev1.Pod) {
			p.CreationTimestamp = metav1.NewTime(since.Add(time.Second))
			p.Status.Conditions = nil
		}, ""},
		"moved by a drain": {func(p *corev1.Pod) {
			p.DeletionTimestamp = &metav1.Time{Time: since}
			p.Status.Conditions[0].Status = corev1.ConditionFalse
		}, ""},
		"of another review": {func(p *corev1.Pod) { p.Labels[v1alpha1.LabelReview] = "2"; endedAt(since.Add(time.Second))(p) }, ""},
		"taken by the node": {func(p *corev1.Pod) { p.Status.Phase, p.Status.Reason = corev1.PodFailed, "Evicted" }, "failed: Evicted"},
		"crash loop":        {waitingFor(crashLoop, ""), "ended"},
		"image gone for a new one": {func(p *corev1.Pod) {
			p.CreationTimestamp = metav1.NewTime(since.Add(time.Second))
			waitingFor("ImagePullBackOff", "back-off")(p)
		}, "can't get its image"},
	} {
		b := rolloutOf(liveDeployment(nil), true, []corev1.Pod{readyPod(test.edit)}).misbehaviour("1", since)
		got := ""
		if b != nil {
			got = b.Message
		}
		if (test.want == "") != (b == nil) || !strings.Contains(got, test.want) {
			t.Errorf("%s: %q, want %q", name, got, test.want)
		}
	}
}

func TestFailure(t *testing.T) {
	stuck := func(d *appsv1.Deployment) {
		d.Status.Conditions = []appsv1.DeploymentCondition{{Type: appsv1.DeploymentProgressing, Status: corev1.ConditionFalse, Reason: "ProgressDeadlineExceeded"}}
	}
	refused := func(d *appsv1.Deployment) {
		stuck(d)
		d.Status.Conditions = append(d.Status.Conditions, appsv1.DeploymentCondition{
			Type: appsv1.DeploymentReplicaFailure, Status: corev1.ConditionTrue, Message: "exceeded quota:\n\x1b[31mroom",
		})
	}
	unready := func(p *corev1.Pod) { p.Status.Conditions[0].Status = corev1.ConditionFalse }
	for name, test := range map[string]struct {
		deployment func(d *appsv1.Deployment)
		pod        func(p *corev1.Pod)
		reason     string
		message    string
	}{
		"starting":                   {nil, unready, "", ""},
		"restarted once":             {nil, endedAt(start), "", ""},
		"first failed pull":          {nil, waitingFor("ErrImagePull", ""), "", ""},
		"crash loop":                 {nil, waitingFor(crashLoop, ""), v1alpha1.ReasonCrashLooping, "keeps ending"},
		"image":                      {nil, waitingFor("ImagePullBackOff", "not found"), v1alpha1.ReasonImagePullFailing, "not found"},
		"deadline":                   {stuck, unready, v1alpha1.ReasonRolloutFailed, "does not answer"},
		"deadline of the one before": {func(d *appsv1.Deployment) { stuck(d); d.Generation = 5 }, unready, "", ""},
		"refused":                    {refused, unready, v1alpha1.ReasonRolloutFailed, "refuses to create them: exceeded quota: "},
		"deadline with a cause":      {stuck, waitingFor("CreateContainerConfigError", "secret not found"), v1alpha1.ReasonRolloutFailed, "secret not found"},
	} {
		b := rolloutOf(liveDeployment(test.deployment), true, []corev1.Pod{readyPod(test.pod)}).failure("1")
		switch {
		case test.reason == "" && b != nil:
			t.Errorf("%s: %+v", name, b)
		case test.reason != "" && (b == nil || b.Reason != test.reason || !strings.Contains(b.Message, test.message)):
			t.Errorf("%s: %+v", name, b)
		case b != nil && strings.ContainsAny(b.Message, "\x1b\n"):
			t.Errorf("%s: control characters in %q", name, b.Message)
		}
	}
}

// TestOnePassOneTime: what is read for a soak that goes on must not be decided on as if it were over.
func TestOnePassOneTime(t *testing.T) {
	w := until(func(t *testing.T) *world { w, _ := first(t); return w }, identity.Record(1), "Soaking Soaking", func(*world, string) {})(t)
	at := recall(w.namespace()).SoakingSince.Add(10*time.Second - time.Millisecond)
	w.controller.now = func() time.Time { at = at.Add(time.Second); return at.Add(-time.Second) }
	_, err := w.pass()
	w.must(err)
	if recall(w.namespace()).serving() {
		t.Error("serves after a look that was made before the soak ended")
	}
}
