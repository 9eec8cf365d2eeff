package run

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/internal/evidence"
	"github.com/affineur/affineur/internal/workload"
)

const nonce = "0123456789abcdef0123456789abcdef"

// ended is a Job whose runner has said that all is well, with its pod, and what stands in the pod's log.
func ended(t *testing.T) (*batchv1.Job, *corev1.Pod, []byte) {
	t.Helper()
	subject := evidence.Digest([]byte("subject"))
	job := podless(func(job *batchv1.Job) {
		job.Annotations = map[string]string{v1alpha1.AnnotationNonce: nonce, v1alpha1.AnnotationInputs: subject}
	})
	line, envelope, err := evidence.Seal(evidence.Report{
		Nonce: nonce, Subject: subject, StartedAt: made, FinishedAt: made.Add(time.Second),
		Result: &evidence.JobResult{Verdict: evidence.JobPassed, Summary: "all is well"},
	})
	if err != nil {
		t.Fatal(err)
	}
	pod := podOf(job)
	pod.Status = corev1.PodStatus{Phase: corev1.PodSucceeded, ContainerStatuses: []corev1.ContainerStatus{{
		Name: workload.RunnerContainer, State: corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{
			Message: string(envelope), FinishedAt: metav1.NewTime(made.Add(time.Second)),
		}},
	}}}
	return job, pod, line
}

// What a run left counts only as the answer to what this Job asked. A log that can't be read now is read later; one that is gone
// takes the evidence with it, and the run is lost, as it is when nobody can read the log for too long.
func TestWhatRunsLeft(t *testing.T) {
	for name, c := range map[string]struct {
		edit func(*batchv1.Job)
		kind evidence.Kind
		log  int
		late time.Duration
		want State
		why  string
	}{
		"an answer":                 {want: Measured},
		"to another question":       {edit: func(job *batchv1.Job) { job.Annotations[v1alpha1.AnnotationNonce] = strings.Repeat("f", 32) }, want: Lost, why: "OtherRun"},
		"to none":                   {edit: func(job *batchv1.Job) { delete(job.Annotations, v1alpha1.AnnotationNonce) }, want: Lost, why: "OtherRun"},
		"about another subject":     {edit: func(job *batchv1.Job) { job.Annotations[v1alpha1.AnnotationInputs] = evidence.Digest(nil) }, want: Lost, why: "OtherRun"},
		"of another kind":           {kind: evidence.KindLoad, want: Lost, why: "OtherRun"},
		"to somebody else's Job":    {edit: func(job *batchv1.Job) { job.Labels = nil }, want: Lost, why: "foreign"},
		"whose log is gone":         {log: http.StatusNotFound, want: Lost, why: "ReportMissing"},
		"whose log can't be read":   {log: http.StatusServiceUnavailable, late: logWithin - time.Second},
		"whose log may not be read": {log: http.StatusForbidden, late: time.Minute},
		"whose node is down":        {log: http.StatusBadGateway, late: logWithin, want: Lost, why: "could not be read"},
		"read late":                 {late: time.Hour, want: Measured},
	} {
		t.Run(name, func(t *testing.T) {
			job, pod, line := ended(t)
			if c.edit != nil {
				c.edit(job)
			}
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				switch {
				case r.URL.Query().Get("container") != workload.RunnerContainer:
					http.Error(w, "a container name must be specified", http.StatusBadRequest)
				case c.log != 0:
					http.Error(w, "no", c.log)
				default:
					_, _ = w.Write(line)
				}
			}))
			t.Cleanup(server.Close)
			logs, err := kubernetes.NewForConfig(&rest.Config{Host: server.URL})
			if err != nil {
				t.Fatal(err)
			}
			kind := c.kind
			if kind == "" {
				kind = evidence.KindJob
			}
			collector := Collector{
				Reader: fake.NewClientBuilder().WithObjects(job, pod).Build(), Logs: logs,
				Now: func() time.Time { return made.Add(time.Second + c.late) },
			}
			got, err := collector.Collect(t.Context(), job.Namespace, job.Name, kind)
			if (err != nil) != (c.want == "") {
				t.Fatalf("%+v, %v", got, err)
			}
			if got.State != c.want || (got.Opened != nil) != (c.want == Measured) || !strings.Contains(got.Why, c.why) {
				t.Errorf("%+v; want %s, %s", got, c.want, c.why)
			}
		})
	}
}
