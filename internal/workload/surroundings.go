// Package workload renders a subject into Kubernetes objects: the same pod for the sandbox and for production,
// told apart only by what surrounds it. Everything is pure and returns whole objects.
package workload

import (
	"cmp"
	"net/netip"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/internal/names"
	"github.com/affineur/affineur/internal/policy"
)

// Names of what every managed namespace holds.
const (
	// Name of the Deployment, Service, ServiceAccount and container of a prototype.
	Name = "prototype"
	// ServicePort is where a prototype's Service listens, whatever port its program has.
	ServicePort = 80
	// PullSecret is the copy of the registry's pull secret.
	PullSecret = "affineur-pull"
	// ModelSecret holds the address of the model gateway and the key for it.
	ModelSecret = "affineur-model"
	// ModelKeyPath is the directory in which a program finds both.
	ModelKeyPath = "/var/run/affineur/model"
	// KeyDocument is the file in which a runner finds an integration's OpenAPI document.
	KeyDocument = "openapi.yaml"
	// IntegrationsPath holds a directory for every integration that needs a credential or a certificate authority.
	IntegrationsPath = "/var/run/affineur/integrations"
)

// Components, the values of the component label.
const (
	ComponentPrototype = "prototype"
	ComponentProbe     = "probe"
	ComponentCanary    = "canary"
	// ComponentCaller is a gate's run that calls the prototype in its sandbox, ComponentRehearsal one in production's
	// stead, ComponentClosed one without any network.
	ComponentCaller    = "caller"
	ComponentRehearsal = "rehearsal"
	ComponentClosed    = "closed"
	// ComponentAgain is a run that calls what serves in production, through an opening made for it alone.
	ComponentAgain = "again"
)

// Surroundings are what a workload is given in the place where it runs.
type Surroundings struct {
	Identity  names.Identity
	Namespace string
	// Purpose is v1alpha1.PurposeSandbox, PurposeProduction or PurposeRehearsal.
	Purpose      string
	Requirements policy.Requirements
	// SubjectDigest marks what the objects were rendered from.
	SubjectDigest string
	// SecretsDigest rolls the pods when a mounted value changes.
	SecretsDigest string
	// Reach is what the pods carry, for emergency stops to be matched against as long as they run; nothing where it is empty.
	Reach string
	// Severed is what an emergency stop cuts off here, whatever the requirements say.
	Severed Severance
}

// Severance is what is left out of a network while an emergency stop cuts it off.
type Severance struct {
	// All of the network.
	All bool
	// Gateways and Integrations by name.
	Gateways, Integrations []string
	// To are destinations, whatever leads there.
	To []v1alpha1.Destination
	// Mark is carried by pods that start after the cut; empty without one.
	Mark string
}

// Endpoint is where an integration is served here, nil where it can't be reached from here.
func (s Surroundings) Endpoint(integration v1alpha1.Integration) *v1alpha1.Endpoint {
	if s.Purpose == v1alpha1.PurposeSandbox {
		return integration.Sandbox
	}
	return integration.Production
}

// Destinations are where the network lets the workload go, without the cluster's resolver and what is severed. What is
// severed under one name is not reached under another.
func (s Surroundings) Destinations() []v1alpha1.Destination {
	var out []v1alpha1.Destination
	severed := slices.Clone(s.Severed.To)
	add := func(to v1alpha1.Destination, name string, names []string) {
		if slices.Contains(names, name) {
			severed = append(severed, to)
			return
		}
		out = append(out, to)
	}
	if gateway := s.Requirements.ModelGateway; gateway != nil {
		add(gateway.To, gateway.Name, s.Severed.Gateways)
	}
	for _, integration := range s.Requirements.Integrations {
		if endpoint := s.Endpoint(integration); endpoint != nil {
			add(endpoint.To, integration.Name, s.Severed.Integrations)
		}
	}
	return slices.DeleteFunc(out, func(to v1alpha1.Destination) bool {
		return slices.ContainsFunc(severed, func(cut v1alpha1.Destination) bool { return equality.Semantic.DeepEqual(to, cut) })
	})
}

// MayReach tells whether the catalogue opens the way to an address outside the cluster.
func (s Surroundings) MayReach(at netip.AddrPort) bool {
	for _, to := range s.Destinations() {
		if to.CIDR == nil || to.CIDR.Port != int32(at.Port()) {
			continue
		}
		if within, err := netip.ParsePrefix(to.CIDR.Range); err == nil && within.Contains(at.Addr()) {
			return true
		}
	}
	return false
}

// IntegrationSecret is the name of the Secret with an integration's credential and certificate authority.
func IntegrationSecret(integration string) string { return "affineur-integration-" + integration }

// TeamSecret is the name of the copy of a team's Secret.
func TeamSecret(name string) string { return "team-" + name }

// environment tells the program where it finds what its manifest names. The operator's names come last; the
// schema keeps a prototype from using them.
func (s Surroundings) environment(model string, version string) []corev1.EnvVar {
	var out []corev1.EnvVar
	if gateway := s.Requirements.ModelGateway; gateway != nil {
		out = append(out,
			corev1.EnvVar{Name: "AFFINEUR_MODEL_URL", Value: literal(gateway.Address)},
			corev1.EnvVar{Name: "AFFINEUR_MODEL_NAME", Value: literal(model)},
			corev1.EnvVar{Name: "AFFINEUR_MODEL_VERSION", Value: literal(version)},
		)
	}
	for _, integration := range s.Requirements.Integrations {
		if endpoint := s.Endpoint(integration); endpoint != nil {
			out = append(out, corev1.EnvVar{Name: IntegrationEnv(integration.Name), Value: literal(endpoint.Address)})
		}
	}
	slices.SortFunc(out, func(a, b corev1.EnvVar) int { return cmp.Compare(a.Name, b.Name) })
	return out
}

// IntegrationEnv is the variable that holds an integration's address.
func IntegrationEnv(name string) string {
	return "AFFINEUR_INTEGRATION_" + strings.ToUpper(strings.ReplaceAll(name, "-", "_")) + "_URL"
}

// literal keeps Kubernetes from expanding $(NAME) in a value: what was reviewed is what the program sees. Every $ is
// doubled, because $$ stands for one $ wherever it is, also before a parenthesis.
func literal(value string) string { return strings.ReplaceAll(value, "$", "$$") }

// IntegrationFiles is the directory in which a program, and a runner in its place, finds an integration's credential and
// certificate authority.
func IntegrationFiles(name string) string { return IntegrationsPath + "/" + name }
