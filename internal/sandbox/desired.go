package sandbox

import (
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
	"github.com/affineur/affineur/internal/record"
	"github.com/affineur/affineur/internal/run"
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
	objects := []client.Object{workload.ServiceAccount(at)}
	for _, binding := range workload.TeamBindings(at, s.portForward()) {
		objects = append(objects, binding)
	}
	for _, policy := range s.policies() {
		objects = append(objects, policy)
	}
	if s.Subject == nil {
		return objects
	}
	objects = append(objects, workload.Quota(at, s.Subject.Container, 1), workload.LimitRange(at))
	for _, secret := range s.References.Made.Secrets {
		objects = append(objects, secret)
	}
	return objects
}

// policies are the sandbox's network policies: the workload's, the one for pilots, and the one opening
// that probes have on top.
func (s Snapshot) policies() []*networkingv1.NetworkPolicy {
	opening := s.probe(suffixInside)
	opening.Name = probePolicy
	port := func(protocol corev1.Protocol) networkingv1.NetworkPolicyPort {
		return networkingv1.NetworkPolicyPort{Protocol: ptr.To(protocol), Port: ptr.To(intstr.FromInt32(v1alpha1.CanaryAllowedPort))}
	}
	policies := workload.NetworkPolicies(s.surroundings(), s.container().Port)
	if s.inviting() {
		policies = append(policies, workload.AllowPilots(s.surroundings(), *s.gateway(), s.container().Port))
	}
	return append(policies,
		opening.AllowRun(v1alpha1.GatesNamespace, map[string]string{v1alpha1.LabelComponent: workload.ComponentCanary},
			port(corev1.ProtocolTCP), port(corev1.ProtocolUDP)))
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
	wanted := map[key]bool{{"RoleBinding", workload.OperatorBinding(s.surroundings()).Name}: true}
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

// targets of both runs. What differs is the answer that they wait for: the control reaches everything.
func targets(canary, apiServer string, inside bool) []evidence.Target {
	at := func(port int) string { return net.JoinHostPort(canary, strconv.Itoa(port)) }
	denied := evidence.SettleReached
	if inside {
		denied = evidence.SettleBlocked
	}
	target := func(name string, network evidence.Network, address string, mode evidence.Mode, settle evidence.Settle) evidence.Target {
		return evidence.Target{
			Name: name, Network: network, Address: address, Mode: mode, Settle: settle, Timeout: evidence.Duration(time.Second),
		}
	}
	return []evidence.Target{
		target(assess.TargetDeniedTCP, evidence.NetworkTCP, at(v1alpha1.CanaryDeniedPort), evidence.ModeEcho, denied),
		target(assess.TargetDeniedUDP, evidence.NetworkUDP, at(v1alpha1.CanaryDeniedPort), evidence.ModeEcho, denied),
		target(assess.TargetAPIServer, evidence.NetworkTCP, apiServer, evidence.ModeConnect, denied),
		target(assess.TargetAllowedTCP, evidence.NetworkTCP, at(v1alpha1.CanaryAllowedPort), evidence.ModeEcho, evidence.SettleReached),
		target(assess.TargetAllowedUDP, evidence.NetworkUDP, at(v1alpha1.CanaryAllowedPort), evidence.ModeEcho, evidence.SettleReached),
	}
}

// times of a pair of runs. The control begins first and goes on until the run inside has ended, because only then it
// can bear witness that the canary was up all the while.
type times struct{ control, inside time.Duration }

// timing is short where all goes well, and patient after a measurement that said nothing: a slow node, an engine
// that takes its time.
func (s Snapshot) timing() times {
	if last := s.measured(); last != nil && last.Verdict == verdictInconclusive {
		return times{control: 75 * time.Second, inside: 45 * time.Second}
	}
	return times{control: 16 * time.Second, inside: 10 * time.Second}
}

// probe is a run without its order.
func (s Snapshot) probe(suffix string) workload.Run {
	r := workload.Run{
		Identity: s.Identity, Namespace: s.Identity.Sandbox(), Name: s.Identity.Run(assess.ReportIsolation, suffix),
		Component: workload.ComponentProbe, Gate: assess.ReportIsolation, Image: s.Settings.RunnerImage,
		ServiceAccount: workload.Name, DeadlineSeconds: 180, CPU: "100m", Memory: "64Mi",
		RuntimeClass: s.Requirements.RuntimeClass,
	}
	if suffix == suffixControl {
		r.Namespace, r.Gate, r.ServiceAccount = v1alpha1.GatesNamespace, assess.ReportIsolationControl, v1alpha1.RunnerAccount
		r.RuntimeClass = ""
	}
	return r
}

// job is a whole run. The nonce is made for it alone.
func (s Snapshot) job(suffix, nonce string) (*batchv1.Job, error) {
	timing, inside := s.timing(), suffix == suffixInside
	spec := &evidence.IsolationSpec{Targets: targets(s.References.Canary, s.Settings.APIServer, inside)}
	if inside {
		spec.Deadline = evidence.Duration(timing.inside)
	} else {
		spec.Window, spec.Deadline = evidence.Duration(timing.control), evidence.Duration(timing.control+5*time.Second)
	}
	r := s.probe(suffix)
	r.Order = evidence.RunSpec{Nonce: nonce, Subject: s.Inputs, Isolation: spec}
	job, err := r.Job()
	if err != nil {
		return nil, err
	}
	job.Annotations[v1alpha1.AnnotationRequestedAt] = s.request()
	return job, nil
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
