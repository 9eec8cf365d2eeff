package review

import (
	"cmp"
	"strconv"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/internal/assess"
	"github.com/affineur/affineur/internal/evidence"
	"github.com/affineur/affineur/internal/record"
	"github.com/affineur/affineur/internal/stop"
	"github.com/affineur/affineur/internal/subject"
	"github.com/affineur/affineur/internal/workload"
)

// startUp is how long a run's pod may take to be scheduled and started, its image pulled included.
const startUp = 3 * time.Minute

// rehearsal are the surroundings of the run that tries the integrations: production's, in a namespace of their own.
// Only the integrations' credentials are in it; the runner gets them and the prototype does not.
func (s Snapshot) rehearsal() workload.Surroundings {
	requirements := s.Record.Requirements
	requirements.Registry.PullSecret = nil
	return workload.Surroundings{
		Identity: s.Record.Prototype, Namespace: s.Record.Prototype.Rehearsal(), Purpose: v1alpha1.PurposeRehearsal,
		Requirements: requirements, SubjectDigest: s.Record.SubjectDigest,
	}
}

// rehearsalNamespace carries the review's ordinal, so that another review of the prototype leaves it alone.
func (s Snapshot) rehearsalNamespace() *corev1.Namespace {
	namespace := workload.Namespace(s.rehearsal(), false)
	namespace.Labels[v1alpha1.LabelReview] = strconv.Itoa(s.Record.Ordinal)
	namespace.Annotations = map[string]string{v1alpha1.AnnotationReach: stop.ReachOf(s.rehearsal(), s.Record.Subject.Container.Image).String()}
	return namespace
}

// furniture is what the rehearsal namespace holds besides the operator's rights in it and the Secrets.
func (s Snapshot) furniture() []client.Object {
	at := s.rehearsal()
	objects := []client.Object{
		workload.Quota(at, s.Record.Subject.Container, 0), workload.LimitRange(at), workload.ServiceAccount(at),
		workload.ByHandBinding(at),
	}
	for _, policy := range workload.NetworkPolicies(at, s.Record.Subject.Container.Port) {
		objects = append(objects, policy)
	}
	return objects
}

// bare is the subject without what only the prototype itself would be given.
func bare(s subject.Subject) subject.Subject {
	s.Container.Secrets, s.Model = nil, nil
	return s
}

// run is a run without its order.
func (s Snapshot) run(kind evidence.Kind) workload.Run {
	r := workload.Run{
		Identity: s.Record.Prototype, Name: s.Runs[kind].Name, Image: s.Settings.RunnerImage,
	}
	switch kind {
	case evidence.KindLoad:
		r.Namespace, r.Component, r.Gate = v1alpha1.GatesNamespace, workload.ComponentLoad, assess.ReportLoad
		r.ServiceAccount = v1alpha1.RunnerAccount
		r.CPU, r.Memory = "500m", "256Mi"
	case evidence.KindIntegration:
		r.Namespace, r.Component, r.Gate = s.Record.Prototype.Rehearsal(), workload.ComponentIntegration, assess.ReportIntegration
		r.ServiceAccount, r.RuntimeClass = workload.Name, s.Record.Requirements.RuntimeClass
		r.CPU, r.Memory = "100m", "64Mi"
		r.Secrets = s.mounts()
	}
	return r
}

// mounts are the integrations' Secrets, by the directory in which the checks look for them.
func (s Snapshot) mounts() map[string]string {
	out := map[string]string{}
	for _, integration := range s.Record.Requirements.Integrations {
		if endpoint := integration.Production; endpoint != nil && (endpoint.Credentials != nil || endpoint.CA != nil) {
			out[assess.IntegrationFiles(integration.Name)] = workload.IntegrationSecret(integration.Name)
		}
	}
	return out
}

// job is the whole run. The nonce is made for it alone; the review digest binds what it answers.
func (s Snapshot) job(kind evidence.Kind, nonce string) (*batchv1.Job, error) {
	r := s.run(kind)
	order, length, err := s.order(kind)
	if err != nil {
		return nil, err
	}
	order.Nonce, order.Subject = nonce, s.Record.ReviewDigest
	r.Order, r.DeadlineSeconds = order, int64((length + startUp).Seconds())
	job, err := r.Job()
	if err != nil {
		return nil, err
	}
	s.mark(job)
	return job, nil
}

// order is what the runner is asked, and how long it may take. An error says that it can't be asked at all.
func (s Snapshot) order(kind evidence.Kind) (evidence.RunSpec, time.Duration, error) {
	patience := assess.PatienceOf(s.Runs[kind].Attempt)
	if kind == evidence.KindIntegration {
		integration := assess.IntegrationSpec(*s.Record, s.Canary, s.Settings.APIServer, patience)
		return evidence.RunSpec{Integration: &integration}, integration.Deadline.Std() + 30*time.Second, nil
	}
	load, err := assess.LoadSpec(*s.Record, patience)
	if err != nil {
		return evidence.RunSpec{}, 0, err
	}
	length := load.Timeout.Std()
	if load.WarmUp != nil {
		length += load.WarmUp.Duration.Std()
	}
	for _, step := range load.Steps {
		length += step.Duration.Std()
	}
	return evidence.RunSpec{Load: &load}, length, nil
}

// controlJob is the control of the integration run. It runs where the isolation controls run, under their opening.
func (s Snapshot) controlJob(nonce string) (*batchv1.Job, error) {
	spec := assess.ControlSpec(s.Canary, s.Settings.APIServer, assess.PatienceOf(s.Control.Attempt))
	r := workload.Run{
		Identity: s.Record.Prototype, Name: s.Control.Name, Namespace: v1alpha1.GatesNamespace,
		Component: workload.ComponentProbe, Gate: assess.ReportIntegrationControl, Image: s.Settings.RunnerImage,
		ServiceAccount: v1alpha1.RunnerAccount, CPU: "100m", Memory: "64Mi",
		DeadlineSeconds: int64((spec.Deadline.Std() + startUp).Seconds()),
		Order:           evidence.RunSpec{Nonce: nonce, Subject: s.Record.ReviewDigest, Isolation: &spec},
	}
	job, err := r.Job()
	if err != nil {
		return nil, err
	}
	s.mark(job)
	return job, nil
}

// loadOpening lets the load run's pods reach the sandbox's pods on the prototype's port, and nothing else.
func (s Snapshot) loadOpening() *networkingv1.NetworkPolicy {
	identity := s.Record.Prototype
	run := s.run(evidence.KindLoad)
	run.Resolves = true
	policy := run.AllowRun(identity.Sandbox(), workload.Selector(identity), networkingv1.NetworkPolicyPort{
		Protocol: ptr.To(corev1.ProtocolTCP), Port: ptr.To(intstr.FromInt32(s.Record.Subject.Container.Port)),
	})
	policy.Labels = marked(policy.Labels, s.Record.Ordinal)
	return policy
}

// mark adds the review's ordinal to a Job and its pods: by it everything of one review is found again, and what
// happens to it leads back to the review.
func (s Snapshot) mark(job *batchv1.Job) {
	job.Labels = marked(job.Labels, s.Record.Ordinal)
	job.Spec.Template.Labels = marked(job.Spec.Template.Labels, s.Record.Ordinal)
}

func marked(labels map[string]string, ordinal int) map[string]string {
	out := map[string]string{v1alpha1.LabelReview: strconv.Itoa(ordinal)}
	for key, value := range labels {
		out[key] = value
	}
	return out
}

// kept are the reports of a run that has ended, whatever they say: the control's first, because the run's own is what
// tells that the attempt was made.
func (s Snapshot) kept(kind evidence.Kind, now time.Time) ([]record.Report, error) {
	var out []record.Report
	if kind == evidence.KindIntegration {
		control, err := s.report(s.Control, assess.ReportIntegrationControl, "", now)
		if err != nil {
			return nil, err
		}
		out = append(out, control)
	}
	own, err := s.report(s.Runs[kind], s.run(kind).Gate, s.doubt(kind, s.Runs[kind]), now)
	return append(out, own), err
}

// report of one run. What left nothing, or measured something else, is kept as lost.
func (s Snapshot) report(attempt Run, gate, doubt string, now time.Time) (record.Report, error) {
	out := record.Report{
		Prototype: s.Record.Prototype, Gate: gate, Ordinal: s.Record.Ordinal, Name: attempt.Name,
		Inputs: s.Record.ReviewDigest, Nonce: attempt.Nonce, MeasuredAt: now,
	}
	if attempt.Opened == nil || doubt != "" {
		body, err := assess.Lost(cmp.Or(doubt, attempt.Why, "the run is gone"))
		out.Body = body
		return out, err
	}
	out.Body = attempt.Opened.Raw
	if finished := attempt.Opened.Report.FinishedAt; finished.Before(now) {
		out.MeasuredAt = finished
	}
	return out, nil
}

// doubt says why a load run did not measure the reviewed subject from beginning to end, or "". That it stopped
// answering is no doubt: it is what was measured.
func (s Snapshot) doubt(kind evidence.Kind, attempt Run) string {
	switch {
	case kind != evidence.KindLoad || attempt.Opened == nil:
		return ""
	case !s.Sandbox.Reviewed:
		return "when it ended, the sandbox did not run this revision"
	case s.Sandbox.NewestPod.After(attempt.StartedAt):
		return "the sandbox's pod was replaced while it measured"
	}
	return ""
}

// describe is an object in a word, for plans.
func describe(object client.Object) string {
	kind := "Job"
	if opening(object) {
		kind = "NetworkPolicy"
	}
	return kind + " " + object.GetNamespace() + "/" + object.GetName()
}
