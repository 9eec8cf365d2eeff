package world

import (
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
	typedcorev1 "k8s.io/client-go/kubernetes/typed/core/v1"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/rest/fake"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/internal/evidence"
	"github.com/affineur/affineur/internal/workload"
)

// runJob makes the Job's one pod, and says when it has ended, or was stopped at the Job's deadline.
func (w *World) runJob(job *batchv1.Job) []chore {
	if len(job.Status.Conditions) > 0 {
		return nil
	}
	end := func(kind batchv1.JobConditionType, reason string) {
		next := job.DeepCopy()
		next.Status.Conditions = []batchv1.JobCondition{{Type: kind, Status: corev1.ConditionTrue, Reason: reason}}
		w.Must(w.as(jobs).Status().Update(w.context(), next))
	}
	pods := w.podsOf(job)
	if len(pods) == 0 {
		if w.closing(job.Namespace) || w.forgotten(job) {
			return nil
		}
		return []chore{{do: func() {
			pod := &corev1.Pod{ObjectMeta: *job.Spec.Template.ObjectMeta.DeepCopy(), Spec: *job.Spec.Template.Spec.DeepCopy()}
			pod.Namespace, pod.GenerateName, pod.Spec.NodeName = job.Namespace, job.Name+"-", nodeName
			pod.Labels[batchv1.JobNameLabel] = job.Name
			pod.OwnerReferences = []metav1.OwnerReference{*metav1.NewControllerRef(job, jobKind)}
			w.Must(w.as(jobs).Create(w.context(), pod))
		}}}
	}
	for _, status := range pods[0].Status.ContainerStatuses {
		if status.State.Terminated == nil {
			continue
		}
		kind := batchv1.JobComplete
		if status.State.Terminated.ExitCode != 0 {
			kind = batchv1.JobFailed
		}
		return []chore{{do: func() { end(kind, string(kind)) }}}
	}
	deadline := job.CreationTimestamp.Add(time.Duration(ptr.Deref(job.Spec.ActiveDeadlineSeconds, 0)) * time.Second)
	return []chore{{at: deadline, do: func() {
		w.Must(w.as(jobs).Delete(w.context(), pods[0].DeepCopy()))
		end(batchv1.JobFailed, batchv1.JobReasonDeadlineExceeded)
	}}}
}

// forgotten tells whether the Job controller has forgotten a Job. It keeps its books by name: one that takes the name of
// another may wait for ever for what the other's pods do.
func (w *World) forgotten(job *batchv1.Job) bool {
	name := client.ObjectKeyFromObject(job)
	if _, known := w.books[name]; !known {
		w.books[name] = job.UID
	}
	if w.Forgets != "" && strings.HasPrefix(job.Name, w.Forgets) {
		w.Forgets, w.books[name] = "", ""
	}
	return w.books[name] != job.UID
}

// runRunner runs the project's runner in a pod: it starts, measures, and ends.
func (w *World) runRunner(pod *corev1.Pod) []chore {
	order := w.orderOf(pod)
	starts := w.after(pod, time.Second, 3*time.Second)
	switch pod.Status.Phase {
	case "":
		if !w.mounted(pod) {
			return nil
		}
		return []chore{{at: starts, do: func() {
			status := started(w.stamp())
			status.ContainerStatuses[0].Name = pod.Spec.Containers[0].Name
			w.truth.networks.runStarts(w, pod)
			w.tell(pod, status)
		}}}
	case corev1.PodRunning:
		return []chore{{at: w.ending(pod, order), do: func() { w.ends(pod, order) }}}
	}
	return nil
}

// orderOf is what a runner is asked, read once.
func (w *World) orderOf(pod *corev1.Pod) evidence.RunSpec {
	order, known := w.orders[pod.UID]
	if !known {
		order = readOrder(pod)
		w.orders[pod.UID] = order
	}
	return order
}

func readOrder(pod *corev1.Pod) evidence.RunSpec {
	for _, env := range pod.Spec.Containers[0].Env {
		if env.Name == evidence.RunEnv {
			order, err := evidence.DecodeRun([]byte(env.Value))
			if err != nil {
				panic(err)
			}
			return order
		}
	}
	panic("a run without an order")
}

// ending is when a run is over.
func (w *World) ending(pod *corev1.Pod, order evidence.RunSpec) time.Time {
	if order.Kind() == evidence.KindIsolation && evidence.As[evidence.IsolationSpec](order.Order).Meeting != nil {
		_, to, _ := w.span(pod, order)
		return to
	}
	ends := pod.Status.StartTime.Add(length(order))
	if told := w.told(pod, order); !told.IsZero() && told.Before(ends) {
		return told
	}
	return ends
}

// told is when a run that bears witness has heard that nobody needs it any more; the zero time before.
func (w *World) told(pod *corev1.Pod, order evidence.RunSpec) time.Time {
	spec := evidence.As[evidence.IsolationSpec](order.Order)
	if spec == nil || !spec.Told {
		return time.Time{}
	}
	at, err := time.Parse(time.RFC3339, pod.Annotations[v1alpha1.AnnotationWitnessed])
	if err != nil {
		return time.Time{}
	}
	return at.Add(time.Second)
}

// length of a run from its pod's start.
func length(order evidence.RunSpec) time.Duration {
	switch order.Kind() {
	case evidence.KindLoad:
		total := 2 * time.Second
		for _, step := range evidence.As[evidence.LoadSpec](order.Order).Steps {
			total += step.Duration.Std()
		}
		return total
	case evidence.KindIsolation:
		return max(evidence.As[evidence.IsolationSpec](order.Order).Window.Std(), 4*time.Second)
	}
	return 4 * time.Second
}

// lose a run now and then, but no kind twice for the same subject: a gate gives up after a few attempts, and then waits
// for people.
func (w *World) lose(order evidence.RunSpec) bool {
	what := string(order.Kind()) + " " + order.Subject
	if w.lost[what] || !w.chance(25) {
		return false
	}
	w.lost[what] = true
	return true
}

// ends a run: with a report in its log and an envelope in its termination message, or, now and then, with neither.
func (w *World) ends(pod *corev1.Pod, order evidence.RunSpec) {
	next := pod.DeepCopy()
	ended := &corev1.ContainerStateTerminated{FinishedAt: w.stamp(), Reason: "Completed"}
	next.Status.Phase = corev1.PodSucceeded
	if w.lose(order) {
		ended.ExitCode, ended.Reason, next.Status.Phase = 137, "OOMKilled", corev1.PodFailed
		w.truth.runLost(w, pod, order)
	} else {
		line, envelope, err := evidence.Seal(w.measure(pod, order))
		w.Must(err)
		ended.Message = string(envelope)
		w.logs[client.ObjectKeyFromObject(pod)] = line
	}
	next.Status.ContainerStatuses[0].State = corev1.ContainerState{Terminated: ended}
	w.tell(pod, next.Status)
}

// measure what is the case.
func (w *World) measure(pod *corev1.Pod, order evidence.RunSpec) evidence.Report {
	from, to := pod.Status.StartTime.UTC(), w.clock.UTC()
	report := evidence.Report{Nonce: order.Nonce, Subject: order.Subject, StartedAt: from, FinishedAt: to}
	switch order.Kind() {
	case evidence.KindIsolation:
		if evidence.As[evidence.IsolationSpec](order.Order).Meeting != nil {
			report.Result = &evidence.IsolationReport{Targets: w.pair(pod, order)}
		} else {
			report.Result = &evidence.IsolationReport{Targets: w.tries(pod, evidence.As[evidence.IsolationSpec](order.Order).Targets, from, to)}
		}
		w.truth.networks.runEnds(w, pod, order)
	case evidence.KindIntegration:
		found := &evidence.IntegrationReport{Unreachable: w.tries(pod, evidence.As[evidence.IntegrationSpec](order.Order).Unreachable, from, to)}
		for _, check := range evidence.As[evidence.IntegrationSpec](order.Order).Checks {
			ends := to.AddDate(1, 0, 0)
			result := evidence.CheckResult{Name: check.Name, OK: true, Status: 200, Attempts: 1, CertificateExpires: &ends}
			if w.Broken[check.Name] {
				result.OK, result.Class, result.Status = false, evidence.ClassStatus, 503
			}
			found.Checks = append(found.Checks, result)
		}
		report.Result = found
		w.truth.trials.add(w, pod, order, len(w.Broken) == 0)
	case evidence.KindLoad:
		report.Result = w.load(pod, *evidence.As[evidence.LoadSpec](order.Order))
		w.truth.trials.add(w, pod, order, !w.slow(pod))
	}
	return report
}

func (w *World) tries(pod *corev1.Pod, targets []evidence.Target, from, to time.Time) []evidence.TargetResult {
	var out []evidence.TargetResult
	for _, target := range targets {
		out = append(out, tried(target, w.reaches(pod, target.Address), from, to))
	}
	return out
}

// reaches tells whether the network lets a pod's packets through to an address: what no policy of the pod's namespace
// restrains goes everywhere.
func (w *World) reaches(pod *corev1.Pod, address string) bool {
	policies := w.restraining(pod, networkingv1.PolicyTypeEgress)
	for _, policy := range policies {
		if slices.ContainsFunc(policy.Spec.Egress, func(rule networkingv1.NetworkPolicyEgressRule) bool { return opens(rule, address) }) {
			return true
		}
	}
	return len(policies) == 0 || !w.Network
}

// opens tells whether a rule lets through to the canary's port of an address, or to one of IT's systems.
func opens(rule networkingv1.NetworkPolicyEgressRule, address string) bool {
	host, port, err := net.SplitHostPort(address)
	for app, address := range systems {
		if err == nil && host == address {
			return len(rule.To) == 0 || slices.ContainsFunc(rule.To, func(peer networkingv1.NetworkPolicyPeer) bool {
				return peer.PodSelector != nil && peer.PodSelector.MatchLabels["app"] == app
			})
		}
	}
	if err != nil || host != canary {
		return len(rule.To) == 0
	}
	to := len(rule.To) == 0
	for _, peer := range rule.To {
		to = to || peer.PodSelector != nil && peer.PodSelector.MatchLabels[v1alpha1.LabelComponent] == workload.ComponentCanary
	}
	open := len(rule.Ports) == 0
	for _, p := range rule.Ports {
		open = open || p.Port != nil && strconv.Itoa(p.Port.IntValue()) == port
	}
	return to && open
}

// load is what the program in the sandbox makes of it.
func (w *World) load(pod *corev1.Pod, spec evidence.LoadSpec) *evidence.LoadReport {
	slow := w.slow(pod)
	report := &evidence.LoadReport{Within: spec.Within, Alone: 10}
	for _, step := range spec.Steps {
		n, took := step.Arrivals(), evidence.MicrosOf(40*time.Millisecond)
		result := evidence.StepResult{RatePerSecond: step.RatePerSecond, Duration: step.Duration, Planned: n, Succeeded: n, WithinTarget: n}
		if slow {
			took, result.WithinTarget = evidence.MicrosOf(2*spec.Within.Std()), 0
		}
		result.Latency = evidence.Latency{Min: took, Mean: took, P50: took, P90: took, P95: took, P99: took, P999: took, Max: took}
		report.Steps = append(report.Steps, result)
	}
	return report
}

// slow tells whether the program whose sandbox a run measures is slow, or not there at all.
func (w *World) slow(pod *corev1.Pod) bool {
	d, ok := w.server.Find(deploymentKind, types.NamespacedName{Namespace: identityOf(pod).Sandbox(), Name: workload.Name}).(*appsv1.Deployment)
	return !ok || w.program(d.Spec.Template.Spec.Containers[0].Image).Slow
}

// logs of runners' pods, as far as a Collector asks for them.
type logs struct{ world *World }

type logsClient struct {
	kubernetes.Interface
	logs
}

type logsCore struct {
	typedcorev1.CoreV1Interface
	logs
}

type logsPods struct {
	typedcorev1.PodInterface
	logs
	namespace string
}

func (l logsClient) CoreV1() typedcorev1.CoreV1Interface { return logsCore{logs: l.logs} }

func (l logsCore) Pods(namespace string) typedcorev1.PodInterface {
	return logsPods{logs: l.logs, namespace: namespace}
}

// noEvents: nobody tells of a Job in this world.
type noEvents struct{ typedcorev1.EventInterface }

func (logsCore) Events(string) typedcorev1.EventInterface { return noEvents{} }

func (noEvents) List(context.Context, metav1.ListOptions) (*corev1.EventList, error) {
	return &corev1.EventList{}, nil
}

func (l logsPods) GetLogs(name string, _ *corev1.PodLogOptions) *rest.Request {
	log, ok := l.world.logs[types.NamespacedName{Namespace: l.namespace, Name: name}]
	if pod, there := l.world.server.Find(podKind, types.NamespacedName{Namespace: l.namespace, Name: name}).(*corev1.Pod); there && !runs(pod) {
		log, ok = []byte("what the program wrote\n"), true
	}
	answer := http.Response{StatusCode: http.StatusOK, Body: io.NopCloser(bytes.NewReader(log))}
	if !ok || l.world.server.Find(podKind, types.NamespacedName{Namespace: l.namespace, Name: name}) == nil {
		answer.StatusCode = http.StatusNotFound
	}
	c := &fake.RESTClient{
		NegotiatedSerializer: negotiated,
		Client:               fake.CreateHTTPClient(func(*http.Request) (*http.Response, error) { return &answer, nil }),
	}
	return c.Get()
}
