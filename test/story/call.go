package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/affineur/affineur/test/story/await"
)

// request is one call that a client of production makes, as test/prototypes/caller reads it.
type request struct {
	Method string `json:"method"`
	URL    string `json:"url"`
	Body   string `json:"body,omitempty"`
}

// answer is what the caller got.
type answer struct {
	URL       string `json:"url"`
	Connected bool   `json:"connected"`
	Status    int    `json:"status"`
	Body      string `json:"body"`
	Error     string `json:"error"`
	Millis    int64  `json:"millis"`
}

// messages and what churn-advisor answers to them.
var messages = []struct{ text, label string }{
	{"I will let my membership run out.", "at-risk-of-lapsing"},
	{"The seminar was excellent and the speakers were wonderful. Thank you!", "satisfied"},
	{"When is the next course?", "question"},
}

// call sends real requests to churn-advisor in production, from a pod that the policy lets through.
func (s *stage) call(ctx context.Context) error {
	prototype := prototypeOf(membership, churnAdvisor)
	if err := s.prototype(ctx, s.cast[membershipLead], prototype, inProduction(s.result.Subject)); err != nil {
		return err
	}
	return s.classify(ctx, prototype.Status.Production.URL, "1.4")
}

// classify asks for every message, and wants the right label from the given revision of the program.
func (s *stage) classify(ctx context.Context, url, revision string) error {
	var requests []request
	for _, message := range messages {
		body, err := json.Marshal(map[string]string{"text": message.text})
		if err != nil {
			return err
		}
		requests = append(requests, request{Method: "POST", URL: url + "/v1/classify", Body: string(body)})
	}
	answers, err := s.send(ctx, requests)
	if err != nil {
		return err
	}
	var wrong []error
	for i, message := range messages {
		var verdict struct {
			Label, Revision string
			Confidence      float64
		}
		got := answers[i]
		if got.Status != 200 || json.Unmarshal([]byte(got.Body), &verdict) != nil {
			wrong = append(wrong, fmt.Errorf("%s answered %d %s %s", got.URL, got.Status, got.Body, got.Error))
			continue
		}
		s.out.say("production: %q -> %s (%.2f), revision %s, in %d ms", message.text, verdict.Label, verdict.Confidence, verdict.Revision, got.Millis)
		if verdict.Label != message.label || verdict.Revision != revision {
			wrong = append(wrong, fmt.Errorf("%q was answered with %s by revision %s, want %s by %s", message.text, verdict.Label, verdict.Revision, message.label, revision))
		}
	}
	return errors.Join(wrong...)
}

// callOutliner asks for an outline, which needs the model gateway and the learning-management system.
func (s *stage) callOutliner(ctx context.Context, url string) error {
	answers, err := s.send(ctx, []request{{Method: "POST", URL: url + "/v1/outline", Body: `{"topic":"first aid"}`}})
	if err != nil {
		return err
	}
	var outline struct {
		Title   string
		Modules []struct{ Title string }
		Similar []json.RawMessage
		Model   string
	}
	got := answers[0]
	if got.Status != 200 || json.Unmarshal([]byte(got.Body), &outline) != nil {
		return fmt.Errorf("%s answered %d %s %s", got.URL, got.Status, got.Body, got.Error)
	}
	s.out.say("production: %q -> %q, %d modules by %s, %d similar courses in the learning-management system", "first aid",
		outline.Title, len(outline.Modules), outline.Model, len(outline.Similar))
	if outline.Title == "" || len(outline.Modules) == 0 || outline.Model == "" || len(outline.Similar) == 0 {
		return fmt.Errorf("the outline is not complete: %s", got.Body)
	}
	return nil
}

// send runs a Job in the clients' namespace that sends the requests, and returns an answer for each.
func (s *stage) send(ctx context.Context, requests []request) ([]answer, error) {
	order, err := json.Marshal(requests)
	if err != nil {
		return nil, err
	}
	job := s.caller(string(order))
	if err := s.admin.Create(ctx, job); err != nil {
		return nil, err
	}
	defer func() {
		_ = s.admin.Delete(context.WithoutCancel(ctx), job, client.PropagationPolicy(metav1.DeletePropagationBackground))
	}()
	err = await.Object(ctx, s.admin, job, func(j *batchv1.Job) (bool, error) {
		if j.Status.Failed > 0 {
			return false, fmt.Errorf("job %s failed", j.Name)
		}
		return j.Status.Succeeded > 0, nil
	})
	if err != nil {
		return nil, err
	}
	return s.answers(ctx, job, len(requests))
}

func (s *stage) answers(ctx context.Context, job *batchv1.Job, want int) ([]answer, error) {
	var pods corev1.PodList
	if err := s.admin.List(ctx, &pods, client.InNamespace(clients), client.MatchingLabels{batchv1.JobNameLabel: job.Name}); err != nil {
		return nil, err
	}
	if len(pods.Items) != 1 {
		return nil, fmt.Errorf("job %s has %d pods", job.Name, len(pods.Items))
	}
	clientset, err := kubernetes.NewForConfig(s.admin.config)
	if err != nil {
		return nil, err
	}
	log, err := clientset.CoreV1().Pods(clients).GetLogs(pods.Items[0].Name, &corev1.PodLogOptions{}).DoRaw(ctx)
	if err != nil {
		return nil, err
	}
	var answers []answer
	decoder := json.NewDecoder(bytes.NewReader(log))
	for {
		var one answer
		err := decoder.Decode(&one)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("the caller wrote %q: %w", strings.TrimSpace(string(log)), err)
		}
		answers = append(answers, one)
	}
	if len(answers) != want {
		return nil, fmt.Errorf("%d requests got %d answers", want, len(answers))
	}
	return answers, nil
}

// caller is a Job whose pod carries the label that the policy lets through to production.
func (s *stage) caller(order string) *batchv1.Job {
	return &batchv1.Job{
		ObjectMeta: metav1.ObjectMeta{Namespace: clients, GenerateName: "caller-"},
		Spec: batchv1.JobSpec{
			BackoffLimit: ptr.To[int32](0), ActiveDeadlineSeconds: ptr.To[int64](120), TTLSecondsAfterFinished: ptr.To[int32](300),
			Template: corev1.PodTemplateSpec{
				ObjectMeta: metav1.ObjectMeta{Labels: map[string]string{"app": "caller"}},
				Spec: corev1.PodSpec{
					RestartPolicy: corev1.RestartPolicyNever, AutomountServiceAccountToken: ptr.To(false),
					SecurityContext: &corev1.PodSecurityContext{RunAsNonRoot: ptr.To(true), SeccompProfile: &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault}},
					Containers: []corev1.Container{{
						Name: "caller", Image: s.images["caller"].pinned(), Env: []corev1.EnvVar{{Name: "CALLS", Value: strings.ReplaceAll(order, "$(", "$$(")}},
						SecurityContext: &corev1.SecurityContext{AllowPrivilegeEscalation: ptr.To(false), ReadOnlyRootFilesystem: ptr.To(true),
							Capabilities: &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}}},
					}},
				},
			},
		},
	}
}
