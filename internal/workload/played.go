package workload

import (
	"net"
	"net/url"
	"slices"
	"strconv"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/internal/names"
	"github.com/affineur/affineur/internal/policy"
	"github.com/affineur/affineur/internal/subject"
)

const (
	// PlayedName is the Service behind which a run plays systems.
	PlayedName = "played"
	// PlayedSecret holds what the run shows of itself there.
	PlayedSecret = "affineur-played"
	// PlayedPath is the directory in which the run finds it.
	PlayedPath = "/var/run/affineur/played"
	// firstPlayedPort is that of the first played system; the others follow.
	firstPlayedPort = 20000
)

// System is one that a run plays in place of a real one.
type System struct {
	// Name of the integration, or "model gateway NAME".
	Name    string
	Gateway bool
	Port    int32
	// Scheme of its address, and the address at which it is played.
	Scheme, Address string
	// Verified means that the prototype is given the authority that verifies it.
	Verified bool
}

// PlayedHost is the name under which a run plays systems.
func PlayedHost(identity names.Identity) string {
	return PlayedName + "." + identity.Rehearsal() + ".svc"
}

// Systems of a prototype, as a run plays them: all that it would be given in production.
func Systems(identity names.Identity, requirements policy.Requirements) []System {
	var out []System
	add := func(name, address string, gateway, verified bool) {
		u, err := url.Parse(address)
		if err != nil {
			return
		}
		port := int32(firstPlayedPort + len(out))
		u.Host = net.JoinHostPort(PlayedHost(identity), strconv.Itoa(int(port)))
		out = append(out, System{Name: name, Gateway: gateway, Port: port, Scheme: u.Scheme, Address: u.String(), Verified: verified})
	}
	if gateway := requirements.ModelGateway; gateway != nil {
		add("model gateway "+gateway.Name, gateway.Address, true, false)
	}
	for _, integration := range requirements.Integrations {
		if at := integration.Production; at != nil {
			add(integration.Name, at.Address, false, at.CA != nil)
		}
	}
	return out
}

// Played are the surroundings of a prototype whose systems are all played: other addresses, and of credentials only the
// places where it looks for them. Nothing in them leads to a real system.
func (s Surroundings) Played() Surroundings {
	systems := Systems(s.Identity, s.Requirements)
	address := func(name string) string {
		return systems[slices.IndexFunc(systems, func(system System) bool { return system.Name == name })].Address
	}
	stood := &v1alpha1.CredentialSource{}
	out := s
	out.Requirements.Integrations = nil
	if gateway := s.Requirements.ModelGateway; gateway != nil {
		out.Requirements.ModelGateway = &v1alpha1.ModelGateway{Name: gateway.Name, Address: address("model gateway " + gateway.Name)}
	}
	for _, integration := range s.Requirements.Integrations {
		at := integration.Production
		if at == nil {
			continue
		}
		endpoint := &v1alpha1.Endpoint{Address: address(integration.Name)}
		if at.CA != nil {
			endpoint.CA = &v1alpha1.LocalName{}
		}
		if at.Credentials != nil {
			endpoint.Credentials = stood
		}
		out.Requirements.Integrations = append(out.Requirements.Integrations, v1alpha1.Integration{Name: integration.Name, Production: endpoint})
	}
	return out
}

// PlayedJob runs one replica of the prototype as long as its systems are played. It is not started again: a program that
// ends without a system is to be seen.
func PlayedJob(s subject.Subject, at Surroundings, seconds int64) *batchv1.Job {
	template := PodTemplate(s, at)
	template.Spec.RestartPolicy = corev1.RestartPolicyNever
	return &batchv1.Job{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: at.Namespace, Name: Name, Labels: at.Identity.Labels(ComponentPrototype),
			Annotations: map[string]string{v1alpha1.AnnotationSubject: at.SubjectDigest},
		},
		Spec: batchv1.JobSpec{BackoffLimit: ptr.To[int32](0), ActiveDeadlineSeconds: ptr.To(seconds), Template: template},
	}
}

// PlayedService leads to the run that plays the systems.
func PlayedService(at Surroundings, systems []System) *corev1.Service {
	service := &corev1.Service{
		ObjectMeta: at.meta(PlayedName, ComponentRehearsal),
		Spec:       corev1.ServiceSpec{Type: corev1.ServiceTypeClusterIP, Selector: player(at.Identity)},
	}
	for _, system := range systems {
		service.Spec.Ports = append(service.Spec.Ports, corev1.ServicePort{
			Name: "p" + strconv.Itoa(int(system.Port)), Port: system.Port, Protocol: corev1.ProtocolTCP,
		})
	}
	return service
}

// player selects the run.
func player(identity names.Identity) map[string]string {
	return map[string]string{v1alpha1.LabelPrototypeUID: identity.UID, v1alpha1.LabelComponent: ComponentRehearsal}
}

// PlayedPolicies close the namespace and open three ways: from the prototype to the systems that are played, from the run
// that plays them to the prototype, and from both to the resolver.
func PlayedPolicies(at Surroundings, systems []System, port int32) []*networkingv1.NetworkPolicy {
	here := func(labels map[string]string) []networkingv1.NetworkPolicyPeer {
		return []networkingv1.NetworkPolicyPeer{{PodSelector: &metav1.LabelSelector{MatchLabels: labels}}}
	}
	prototype, run := Selector(at.Identity), player(at.Identity)
	asked := []networkingv1.NetworkPolicyPort{policyPort(corev1.ProtocolTCP, port)}
	var played []networkingv1.NetworkPolicyPort
	for _, system := range systems {
		played = append(played, policyPort(corev1.ProtocolTCP, system.Port))
	}
	both := []networkingv1.PolicyType{networkingv1.PolicyTypeIngress, networkingv1.PolicyTypeEgress}
	return []*networkingv1.NetworkPolicy{denyAll(at),
		{ObjectMeta: at.meta("allow-prototype", at.Purpose), Spec: networkingv1.NetworkPolicySpec{
			PodSelector: metav1.LabelSelector{MatchLabels: prototype}, PolicyTypes: both,
			Ingress: []networkingv1.NetworkPolicyIngressRule{{From: here(run), Ports: asked}},
			Egress:  []networkingv1.NetworkPolicyEgressRule{resolver(), {To: here(run), Ports: played}},
		}},
		{ObjectMeta: at.meta("allow-player", at.Purpose), Spec: networkingv1.NetworkPolicySpec{
			PodSelector: metav1.LabelSelector{MatchLabels: run}, PolicyTypes: both,
			Ingress: []networkingv1.NetworkPolicyIngressRule{{From: here(prototype), Ports: played}},
			Egress:  []networkingv1.NetworkPolicyEgressRule{resolver(), {To: here(prototype), Ports: asked}},
		}},
	}
}
