package sandbox

import (
	"crypto/sha256"
	"encoding/hex"
	"net"
	"strconv"
	"strings"
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
	"github.com/affineur/affineur/internal/names"
	"github.com/affineur/affineur/internal/record"
	"github.com/affineur/affineur/internal/run"
	"github.com/affineur/affineur/internal/subject"
	"github.com/affineur/affineur/internal/workload"
)

// Names of the runs' Jobs end in these. One prototype has at most one pair of runs at a time.
const (
	suffixInside  = "inside"
	suffixControl = "control"
)

// probePolicy is the name of the network policy that lets probes, and only them, reach the canary.
const probePolicy = "allow-probe"

// furniture is everything in the sandbox but the namespace, the operator's rights in it and the workload. Without a
// subject it is what grants and opens something: the rest stays as the subject before left it.
func (s Snapshot) furniture() []client.Object {
	at := s.surroundings()
	objects := []client.Object{workload.ServiceAccount(at), workload.ByHandBinding(at)}
	for _, binding := range workload.TeamBindings(at, s.portForward()) {
		objects = append(objects, binding)
	}
	for _, policy := range s.policies() {
		objects = append(objects, policy)
	}
	if container := s.measure(); container != nil {
		objects = append(objects, workload.Quota(at, *container, int64(s.replicas())), workload.LimitRange(at))
	}
	if s.Subject == nil {
		return objects
	}
	for _, secret := range s.References.Made.Secrets {
		objects = append(objects, secret)
	}
	return objects
}

// measure is the container for which the sandbox has room: the subject's, and while that is suspended, the one it will be;
// nil where a problem leaves it unknown.
func (s Snapshot) measure() *subject.Container {
	switch {
	case s.Subject != nil:
		return &s.Subject.Container
	case s.Prototype.Spec.Suspend && len(s.Problems) == 0 && s.container() != nil:
		return ptr.To(subject.New(s.Prototype.Spec, subject.Inputs{}).Container)
	}
	return nil
}

// policies are the sandbox's network policies: the workload's, the one for pilots, and the openings that probes have on
// top: out to the canary's one port, and in from their control to one port of theirs.
func (s Snapshot) policies() []*networkingv1.NetworkPolicy {
	opening := s.probe(suffixInside)
	opening.Name = probePolicy
	ports := func(number int32) []networkingv1.NetworkPolicyPort {
		var out []networkingv1.NetworkPolicyPort
		for _, protocol := range []corev1.Protocol{corev1.ProtocolTCP, corev1.ProtocolUDP} {
			out = append(out, networkingv1.NetworkPolicyPort{Protocol: ptr.To(protocol), Port: ptr.To(intstr.FromInt32(number))})
		}
		return out
	}
	policies := workload.NetworkPolicies(s.surroundings(), s.container().Port)
	if s.inviting() {
		policies = append(policies, workload.AllowPilots(s.surroundings(), *s.gateway(), s.container().Port))
	}
	allow := opening.AllowRun(v1alpha1.GatesNamespace, map[string]string{v1alpha1.LabelComponent: workload.ComponentCanary},
		ports(v1alpha1.CanaryAllowedPort)...)
	s.probe(suffixControl).AdmitTo(allow, ports(v1alpha1.ProbeOpenPort)...)
	return append(policies, allow)
}

// surplus is what is in the sandbox and no longer wanted: a permission or an opening that the policy took back.
func (s Snapshot) surplus() []client.Object {
	type key struct{ kind, name string }
	kind := func(object client.Object) string {
		if _, policy := object.(*networkingv1.NetworkPolicy); policy {
			return "NetworkPolicy"
		}
		return "RoleBinding"
	}
	wanted := map[key]bool{
		{"RoleBinding", workload.OperatorBinding(s.surroundings()).Name}: true, {"RoleBinding", workload.ByHandBinding(s.surroundings()).Name}: true,
	}
	for _, policy := range s.policies() {
		wanted[key{"NetworkPolicy", policy.Name}] = true
	}
	for _, binding := range workload.TeamBindings(s.surroundings(), s.portForward()) {
		wanted[key{"RoleBinding", binding.Name}] = true
	}
	var out []client.Object
	for _, object := range s.Present {
		if !wanted[key{kind(object), object.GetName()}] {
			out = append(out, object)
		}
	}
	return out
}

// times of a pair of runs: how long one waits for the other, and how long both then wait for their targets to settle.
// The control waits a little longer, because only then can it bear witness to the end.
type times struct{ patience, inside, control time.Duration }

// timing is short where all goes well, and patient after a measurement that said nothing: a slow node, an engine
// that takes its time. A pair that finds everything as it should be ends long before.
func (s Snapshot) timing() times {
	if last := s.measured(); last != nil && last.Verdict == verdictInconclusive {
		return times{patience: 75 * time.Second, inside: 45 * time.Second, control: 48 * time.Second}
	}
	return times{patience: 45 * time.Second, inside: 10 * time.Second, control: 12 * time.Second}
}

// series is what begins the names of all attempts at a run, and where they are made.
func (s Snapshot) series(suffix string) client.ObjectKey {
	namespace := s.Identity.Sandbox()
	if suffix == suffixControl {
		namespace = v1alpha1.GatesNamespace
	}
	return client.ObjectKey{Namespace: namespace, Name: s.Identity.Series(assess.ReportIsolation, suffix)}
}

// probe is a run without its name and its order.
func (s Snapshot) probe(suffix string) workload.Run {
	r := workload.Run{
		Identity: s.Identity, Namespace: s.series(suffix).Namespace,
		Component: workload.ComponentProbe, Gate: assess.ReportIsolation, Image: s.Settings.RunnerImage,
		ServiceAccount: workload.Name, DeadlineSeconds: 180, CPU: "100m", Memory: "64Mi",
		RuntimeClass: s.Requirements.RuntimeClass,
	}
	if suffix == suffixInside {
		// Where the workload runs already, that is where it has to be shown.
		r.Node = s.node()
	}
	if suffix == suffixControl {
		r.Gate, r.ServiceAccount = assess.ReportIsolationControl, v1alpha1.RunnerAccount
		r.RuntimeClass = ""
	}
	return r
}

// job is a whole run. The nonce is made for it alone; the pair meets under a token that comes from the control's.
func (s Snapshot) job(suffix, nonce string) (*batchv1.Job, error) {
	timing, inside := s.timing(), suffix == suffixInside
	meeting := &evidence.Meeting{
		Address: net.JoinHostPort(s.References.Canary, strconv.Itoa(v1alpha1.CanaryAllowedPort)),
		Seat:    evidence.SeatOutside, Token: pairToken(nonce), Patience: evidence.Duration(timing.patience),
	}
	spec := &evidence.IsolationSpec{Targets: targets(s.places(), inside), Deadline: evidence.Duration(timing.control), Meeting: meeting}
	if inside {
		meeting.Seat, meeting.Token = evidence.SeatInside, pairToken(s.Control.Nonce)
		spec.Deadline, spec.Serve = evidence.Duration(timing.inside), []int{v1alpha1.ProbeClosedPort, v1alpha1.ProbeOpenPort}
	}
	r := s.probe(suffix)
	r.Name = names.Attempt(s.series(suffix).Name, nonce)
	r.Order = evidence.RunSpec{Nonce: nonce, Subject: s.Inputs, Order: spec}
	job, err := r.Job()
	if err != nil {
		return nil, err
	}
	job.Annotations[v1alpha1.AnnotationRequestedAt] = s.request()
	return job, nil
}

// pairToken lets two runs find each other without telling the nonce by which their reports are known.
func pairToken(nonce string) string {
	sum := sha256.Sum256([]byte("affineur pair " + nonce))
	return hex.EncodeToString(sum[:16])
}

// reportName is the same for both runs of a pair but for the gate: it ends in the beginning of the nonce of the run
// inside.
func (s Snapshot) reportName(gate string) string {
	kind := "isolation"
	if gate == assess.ReportIsolationControl {
		kind = "control"
	}
	return s.Identity.Run(kind, strings.ToLower(s.Inside.Nonce[:min(len(s.Inside.Nonce), 12)]))
}

// reports of the runs that measured.
func (s Snapshot) reports() []record.Report {
	var out []record.Report
	// What is measured under policies that can't be named speaks for no review.
	network, _ := assess.SandboxNetwork(s.Identity, s.Requirements, s.container().Port)
	if s.effects().Severs() {
		network = ""
	}
	add := func(p Probe, gate string) {
		if p.State != run.Measured || s.Inside.Nonce == "" {
			return
		}
		out = append(out, record.Report{
			Prototype: s.Identity, Gate: gate, Name: s.reportName(gate), Inputs: p.Inputs, Network: network, Nonce: p.Nonce,
			MeasuredAt: p.Opened.Report.FinishedAt, Body: p.Opened.Raw,
		})
	}
	add(s.Inside, assess.ReportIsolation)
	add(s.Control, assess.ReportIsolationControl)
	return out
}
