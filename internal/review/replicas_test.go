package review

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/internal/assess"
	"github.com/affineur/affineur/internal/record"
	"github.com/affineur/affineur/internal/workload"
)

// several has the demand measured with up to four replicas.
func several(r *record.Record) {
	r.Requirements.Gates[1].Scalability.UpToReplicas = 4
	r.Requirements.Production.Replicas = v1alpha1.ReplicaRange{Min: 2, Max: 8}
}

// granting is a sandbox that does what the review says, as far as its team, its cluster and the program let it.
type granting struct{ team, nodes, answering int32 }

func (w *world) granting(g granting) func() {
	return func() {
		wanted := int32(1)
		if status := w.review().Status; status.SandboxReplicas != nil && status.Outcome == "" && status.SandboxReplicas.Count <= g.team {
			wanted = status.SandboxReplicas.Count
		}
		deployment := w.sandboxed()
		if *deployment.Spec.Replicas != wanted {
			deployment.Spec.Replicas = ptr.To(wanted)
			w.must(w.client.Update(w.ctx(), deployment))
		}
		deployment.Status = appsv1.DeploymentStatus{
			Replicas: wanted, UpdatedReplicas: wanted, AvailableReplicas: min(wanted, g.nodes, g.answering), ObservedGeneration: deployment.Generation,
		}
		w.must(w.client.Status().Update(w.ctx(), deployment))
		w.crew(deployment, wanted, g.nodes)
	}
}

func (w *world) crew(deployment *appsv1.Deployment, wanted, nodes int32) {
	for n := int32(1); n <= 8; n++ {
		pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: deployment.Namespace, Name: fmt.Sprintf("prototype-%d", n), Labels: deployment.Spec.Template.Labels}}
		there := w.client.Get(w.ctx(), client.ObjectKeyFromObject(pod), &corev1.Pod{}) == nil
		switch {
		case there && n > wanted:
			w.must(w.client.Delete(w.ctx(), pod))
		case !there && n <= wanted:
			if n > nodes {
				pod.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodScheduled, Status: corev1.ConditionFalse}}
			}
			w.must(w.client.Create(w.ctx(), pod))
		}
	}
}

// loaded are the parts of the scalability gate's attempts in their order, with what was lost.
func (w *world) loaded() []string {
	var out []string
	reports := w.reports(assess.ReportOf("scalability"))
	slices.SortStableFunc(reports, func(a, b record.Report) int { return a.MeasuredAt.Compare(b.MeasuredAt) })
	for _, r := range reports {
		out = append(out, strings.TrimSpace(fmt.Sprintf("%d%s %s", r.Attempt, r.Part, map[bool]string{true: "lost"}[strings.Contains(string(r.Body), "affineur.dev/lost")])))
	}
	return out
}

// Several replicas are measured one number after the other, each with just that many; then the sandbox goes back to one.
func TestReplicasAreMeasured(t *testing.T) {
	w := newWorld(t, several)
	w.neighbour = w.granting(granting{8, 8, 8})
	w.settle()
	w.measured(allPassed...)
	if got := strings.Join(w.loaded(), ", "); got != "1, 1x2, 1x4" {
		t.Errorf("measured %s", got)
	}
	if got := *w.sandboxed().Spec.Replicas; got != 1 || w.review().Status.SandboxReplicas != nil {
		t.Errorf("the sandbox is left with %d replicas", got)
	}
	if !strings.Contains(w.review().Status.Gates[1].Message, "kept with 2 and 4 replicas too") {
		t.Error(w.dump())
	}
	w.clear()
}

// What keeps the sandbox from having its replicas says nothing against the prototype where it is room, and nothing at all otherwise.
func TestReplicasThatDoNotCome(t *testing.T) {
	for name, c := range map[string]struct {
		grants  granting
		parts   string
		verdict string
		says    string
	}{
		"no room in the team":  {granting{1, 8, 8}, "1, 1x2 lost", "Passed SustainsDemand", "2 replicas could not be measured: its team has no room"},
		"no node for the last": {granting{8, 3, 8}, "1, 1x2, 1x4 lost", "Passed SustainsDemand", "4 replicas could not be measured: no node has room for 1 of them"},
		"one does not answer":  {granting{8, 8, 1}, "1, 1x2 lost, 2, 2x2 lost, 3, 3x2 lost, 4, 4x2 lost, 5, 5x2 lost", "Inconclusive MeasurementLost", "with 2 replicas: the load measurement was lost: 2 replicas were started"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, several)
			w.neighbour = w.granting(c.grants)
			for range 12 {
				w.settle()
				w.now = w.now.Add(spreadWithin)
			}
			w.measured("security Passed NoHolesFound", "scalability "+c.verdict, "integration Passed IntegrationsWork")
			if got := strings.Join(w.loaded(), ", "); got != c.parts {
				t.Errorf("measured %s, want %s", got, c.parts)
			}
			if got := w.review().Status; !strings.Contains(got.Gates[1].Message, c.says) || got.SandboxReplicas != nil {
				t.Error(w.dump())
			}
		})
	}
}

// The sandbox had fewer replicas when the run ended than it was for: that says nothing.
func TestReplicasThatGoMeanwhile(t *testing.T) {
	w := newWorld(t, several)
	grants := granting{8, 8, 8}
	w.neighbour = func() {
		w.granting(grants)()
		if jobs := w.jobs(); len(jobs) == 1 && w.review().Status.SandboxReplicas != nil {
			grants.team = 1
		}
	}
	for range 3 {
		w.settle()
		w.now = w.now.Add(spreadWithin)
	}
	if got := w.loaded(); len(got) < 2 || got[1] != "1x2 lost" {
		t.Errorf("measured %v", got)
	}
	if got := w.review().Status.Gates[1].Message; !strings.Contains(got, "2 replicas could not be measured: its team has no room") {
		t.Errorf("says %q", got)
	}
}

// Killed after any of its writes, the operator measures the same, and leaves no replica behind.
func TestKilledWhileReplicasAreMeasured(t *testing.T) {
	for n := 0; ; n += 7 {
		w := newWorld(t, several)
		w.neighbour = w.granting(granting{8, 8, 8})
		w.killAfter = n
		killed := false
		for range 50 {
			if err := w.pass(); err != nil {
				killed = true
				break
			}
		}
		w.killAfter = -1
		w.restart()
		w.settle()
		w.measured(allPassed...)
		if got := strings.Join(w.loaded(), ", "); got != "1, 1x2, 1x4" || *w.sandboxed().Spec.Replicas != 1 {
			t.Errorf("killed after %d writes: measured %s, %d replicas", n, got, *w.sandboxed().Spec.Replicas)
		}
		if !killed {
			return
		}
	}
}

// Nothing else is measured in the sandbox while it has several replicas, and the other way round.
func TestReplicasAreMeasuredAlone(t *testing.T) {
	second := func(r *record.Record) {
		several(r)
		gate := *r.Requirements.Gates[1].DeepCopy()
		gate.Name, gate.Scalability.UpToReplicas = "twice", 1
		r.Requirements.Gates = append(r.Requirements.Gates, gate)
	}
	w := newWorld(t, second)
	grant := w.granting(granting{8, 8, 8})
	w.neighbour = func() {
		grant()
		var jobs batchv1.JobList
		w.must(w.client.List(w.ctx(), &jobs, client.InNamespace(v1alpha1.GatesNamespace)))
		calling := 0
		for _, job := range jobs.Items {
			if job.Spec.Template.Labels[v1alpha1.LabelComponent] == workload.ComponentCaller {
				calling++
			}
		}
		if replicas := *w.sandboxed().Spec.Replicas; replicas > 1 && calling > 1 {
			w.wrong = append(w.wrong, fmt.Sprintf("%d runs call %d replicas", calling, replicas))
		}
	}
	w.settle()
	w.measured(append(slices.Clone(allPassed), "twice Passed SustainsDemand")...)
	w.clear()
}
