package review

import (
	"cmp"
	"fmt"
	"slices"
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
	"github.com/affineur/affineur/internal/credentials"
	"github.com/affineur/affineur/internal/evidence"
	"github.com/affineur/affineur/internal/gate"
	"github.com/affineur/affineur/internal/record"
	"github.com/affineur/affineur/internal/run"
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

// rehearsalNamespace carries the review's ordinal, so that another review of the prototype leaves it alone, and for which
// site it was made.
func (s Snapshot) rehearsalNamespace(site gate.Site) *corev1.Namespace {
	namespace := workload.Namespace(s.rehearsal(), false)
	namespace.Labels[v1alpha1.LabelReview] = strconv.Itoa(s.Record.Ordinal)
	if site == gate.SitePlayed {
		namespace.Labels[v1alpha1.LabelSite] = sitePlayed
	}
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

// place is the namespace of a run.
func (s Snapshot) place(r Run) string {
	if rehearsed(r.Site) {
		return s.Record.Prototype.Rehearsal()
	}
	return v1alpha1.GatesNamespace
}

// ordinal of the review, in a label of all that is made for it, pods too: by it everything of one review is found again, and what
// happens to it leads back to the review.
func (s Snapshot) ordinal() string { return strconv.Itoa(s.Record.Ordinal) }

// runOf is a gate's run without its order.
func (s Snapshot) runOf(m Measuring) workload.Run {
	r := m.Current
	out := workload.Run{
		Identity: s.Record.Prototype, Review: s.ordinal(), Namespace: s.place(*r), Name: r.Name, Gate: assess.ReportOf(m.Gate.Name),
		Image: cmp.Or(r.Image, s.Settings.RunnerImage), ServiceAccount: v1alpha1.RunnerAccount, CPU: r.CPU, Memory: r.Memory, Files: r.Files,
	}
	if t := r.Tool; t != nil {
		out.Tool = &workload.Tool{Image: t.Image, Args: t.Args, Env: t.Env, CPU: t.CPU, Memory: t.Memory}
	}
	switch r.Site {
	case gate.SiteSandbox:
		out.Component, out.Resolves = workload.ComponentCaller, true
	case gate.SiteRehearsal:
		out.Component, out.ServiceAccount, out.RuntimeClass = workload.ComponentRehearsal, workload.Name, s.Record.Requirements.RuntimeClass
		out.Secrets = s.mounts()
	case gate.SitePlayed:
		out.Component, out.ServiceAccount, out.RuntimeClass = workload.ComponentRehearsal, workload.Name, s.Record.Requirements.RuntimeClass
		out.Secrets = map[string]string{workload.PlayedPath: workload.PlayedSecret}
	case gate.SiteClosed:
		out.Component = workload.ComponentClosed
	}
	return out
}

// mounts are the integrations' Secrets, by the directory in which the checks look for them.
func (s Snapshot) mounts() map[string]string {
	out := map[string]string{}
	for _, integration := range s.Record.Requirements.Integrations {
		endpoint := integration.Production
		if endpoint != nil && (endpoint.Credentials != nil || endpoint.CA != nil || credentials.Document(integration) != nil) {
			out[workload.IntegrationFiles(integration.Name)] = workload.IntegrationSecret(integration.Name)
		}
	}
	return out
}

// job is the whole run. The nonce is made for it alone; the review digest binds what it answers.
func (s Snapshot) job(m Measuring, nonce string) (*batchv1.Job, error) {
	r := s.runOf(m)
	r.Order = evidence.RunSpec{Nonce: nonce, Subject: s.Record.ReviewDigest, Order: m.Current.Order}
	r.DeadlineSeconds = deadline(m.Gate, m.Current.Length)
	job, err := r.Job()
	if err == nil && m.Current.Control == nil {
		waitForRoom(job, m.Gate)
	}
	return job, err
}

// controlJob is the control of a run. It runs where the isolation controls run, under their opening.
func (s Snapshot) controlJob(m Measuring, nonce string) (*batchv1.Job, error) {
	control := m.Current.Run.Control
	job, err := workload.Run{
		Identity: s.Record.Prototype, Review: s.ordinal(), Name: m.Current.Control.Name, Namespace: v1alpha1.GatesNamespace,
		Component: workload.ComponentProbe, Gate: assess.ControlOf(m.Gate.Name), Image: s.Settings.RunnerImage,
		ServiceAccount: v1alpha1.RunnerAccount, CPU: "100m", Memory: "64Mi", DeadlineSeconds: deadline(m.Gate, control.Length),
		Order: evidence.RunSpec{Nonce: nonce, Subject: s.Record.ReviewDigest, Order: control.Order},
	}.Job()
	if err == nil {
		waitForRoom(job, m.Gate)
	}
	return job, err
}

// waitForRoom has a run's time begin when a node has taken its pod, unless the policy gives the whole a limit. A run that joins
// its control has no time to wait.
func waitForRoom(job *batchv1.Job, g v1alpha1.Gate) {
	if g.Timeout == nil {
		workload.WaitForRoom(job)
	}
}

// deadline of a run in seconds: what it needs and the time to start, or less where the policy gives it less.
func deadline(g v1alpha1.Gate, length time.Duration) int64 {
	length += startUp
	if g.Timeout != nil {
		length = min(length, g.Timeout.Duration)
	}
	return int64(length.Seconds())
}

// judgeOf a run that calls the prototype is the gateway that it asks besides; nil for none.
func (s Snapshot) judgeOf(m Measuring) *v1alpha1.ModelGateway {
	if m.Current.Site != gate.SiteSandbox {
		return nil
	}
	return s.Record.Requirements.Judge(m.Current.Gateway)
}

// opening lets a run's pods reach the sandbox's pods on the prototype's port, the gateway of a judge if the run asks one, and
// nothing else; nil for a run that is not made to call the prototype.
func (s Snapshot) opening(m Measuring) *networkingv1.NetworkPolicy {
	if m.Current.Site != gate.SiteSandbox {
		return nil
	}
	identity := s.Record.Prototype
	policy := s.runOf(m).AllowRun(identity.Sandbox(), workload.Selector(identity), networkingv1.NetworkPolicyPort{
		Protocol: ptr.To(corev1.ProtocolTCP), Port: ptr.To(intstr.FromInt32(s.Record.Subject.Container.Port)),
	})
	if judge := s.judgeOf(m); judge != nil {
		workload.OpenTo(policy, judge.To)
	}
	return policy
}

// kept are the reports of a run that has ended, whatever they say: the control's first, because the run's own is what
// tells that it was made.
func (s Snapshot) kept(m Measuring, now time.Time) ([]record.Report, error) {
	var out []record.Report
	r := m.Current
	if r.Control != nil {
		control, err := s.report(m, r.Control.Name, r.Control.Result, "", now)
		if err != nil {
			return nil, err
		}
		control.Gate = assess.ControlOf(m.Gate.Name)
		out = append(out, control)
	}
	own, err := s.report(m, r.Name, r.left(), s.doubt(*r), now)
	if err != nil {
		return nil, err
	}
	used, err := s.usage(m, own, now)
	if err != nil {
		return nil, err
	}
	if used != nil {
		out = append(out, *used)
	}
	own.Beside = s.beside(m, append(slices.Clone(out), own), now)
	return append(out, own), nil
}

// report of one run. What left nothing, or measured something else, is kept as lost.
func (s Snapshot) report(m Measuring, name string, result run.Result, doubt string, now time.Time) (record.Report, error) {
	out := record.Report{
		Prototype: s.Record.Prototype, Gate: assess.ReportOf(m.Gate.Name), Ordinal: s.Record.Ordinal, Name: name,
		Part: m.Current.Part, Attempt: m.Number, Inputs: s.Record.ReviewDigest, Nonce: result.Nonce, MeasuredAt: now,
	}
	if result.Opened == nil || doubt != "" {
		leave := assess.Lost
		if m.Current.NoRoom {
			leave = assess.NoRoom
		}
		body, err := leave(cmp.Or(doubt, result.Why, "the run is gone"))
		out.Body = body
		return out, err
	}
	out.Body = result.Opened.Raw
	if finished := result.Opened.Report.FinishedAt; finished.Before(now) {
		out.MeasuredAt = finished
	}
	return out, nil
}

// beside is what people read beside the last report of an attempt.
func (s Snapshot) beside(m Measuring, kept []record.Report, now time.Time) map[string]string {
	if !m.Last && !m.Current.NoRoom {
		return nil
	}
	return s.Settings.Bench.Explain(*s.Record, m.Gate, slices.Concat(s.Reports, kept), now)
}

// doubt says why a run that calls the prototype did not measure the reviewed subject from beginning to end, or "". That
// it stopped answering is no doubt: it is what was measured.
func (s Snapshot) doubt(r Run) string {
	switch {
	case r.Site != gate.SiteSandbox || r.Opened == nil:
		return ""
	case !s.Sandbox.Reviewed:
		return "when it ended, the sandbox did not run this revision"
	case s.Sandbox.NewestPod.After(r.StartedAt):
		return "the sandbox's pod was replaced while it measured"
	case !s.spread(max(r.Replicas, 1)):
		return fmt.Sprintf("when it ended, the sandbox did not have the %d replicas that were to be measured", max(r.Replicas, 1))
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
