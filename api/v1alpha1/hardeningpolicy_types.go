package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// HardeningPolicySpec is what IT writes once for the organisation. Exactly one policy governs a namespace; a tie
// or no match blocks and says so; policies never merge.
// +kubebuilder:validation:XValidation:rule="['Security', 'Scalability', 'Integration'].all(t, self.gates.exists(g, g.type == t && g.enforcement == 'Required'))",message="the gates Security, Scalability and Integration must each be there and Required: nothing reaches production without them",fieldPath=".gates"
// +kubebuilder:validation:XValidation:rule="self.tiers.all(t, t.gates.all(n, self.gates.exists(g, g.name == n)))",message="a tier names a gate that is not in gates",fieldPath=".tiers"
// +kubebuilder:validation:XValidation:rule="self.tiers.all(t, self.gates.all(g, !(g.type in ['Security', 'Scalability', 'Integration']) || g.enforcement != 'Required' || g.name in t.gates))",message="every tier must contain the Required gates of type Security, Scalability and Integration",fieldPath=".tiers"
// +kubebuilder:validation:XValidation:rule="self.tiers.all(t, !has(t.approvals) || t.approvals.all(a, self.roles.exists(r, r.name == a.role)))",message="a tier asks for the approval of a role that is not in roles",fieldPath=".tiers"
type HardeningPolicySpec struct {
	// appliesTo selects the namespaces that the policy governs, by labels that IT owns.
	// +required
	AppliesTo AppliesTo `json:"appliesTo"`

	// teams maps the namespace label affineur.dev/team to a team's groups of people.
	// +required
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=256
	Teams []Team `json:"teams"`

	// dataRules say what data there is, in business words.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=128
	DataRules []DataRule `json:"dataRules,omitempty"`

	// sandbox bounds every sandbox.
	// +required
	Sandbox SandboxPolicy `json:"sandbox"`

	// catalogue is what prototypes may reach, by name.
	// +optional
	Catalogue Catalogue `json:"catalogue,omitempty"`

	// gates are the measurements that reviews may require.
	// +required
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MinItems=3
	// +kubebuilder:validation:MaxItems=16
	Gates []Gate `json:"gates"`

	// roles are the groups of people who decide.
	// +required
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=16
	Roles []Role `json:"roles"`

	// tiers are written strictest first: the first whose expression holds applies. An expression that errs selects the
	// strictest.
	// +required
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=8
	Tiers []Tier `json:"tiers"`

	// production bounds what is promoted.
	// +required
	Production ProductionPolicy `json:"production"`
}

// AppliesTo selects namespaces.
type AppliesTo struct {
	// namespaceSelector matches labels of the prototype's namespace. An empty selector matches none.
	// +required
	// +kubebuilder:validation:XValidation:rule="(has(self.matchLabels) && self.matchLabels.size() > 0) || (has(self.matchExpressions) && self.matchExpressions.size() > 0)",message="select namespaces by at least one label: an empty selector would govern the whole cluster"
	NamespaceSelector metav1.LabelSelector `json:"namespaceSelector"`
}

// Team is a business team and its people.
type Team struct {
	// name as in the namespace label affineur.dev/team.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:Pattern=`^[a-z0-9]([-a-z0-9]*[a-z0-9])?$`
	Name string `json:"name"`

	// groups of people who belong to the team; none of them decides on the team's own reviews.
	// +required
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=16
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=253
	Groups []string `json:"groups"`
}

// DataClass orders data from harmless to forbidden outside.
// +kubebuilder:validation:Enum=Public;Internal;Confidential;Restricted
type DataClass string

const (
	// DataPublic may be read by anybody.
	DataPublic DataClass = "Public"
	// DataInternal is for the organisation.
	DataInternal DataClass = "Internal"
	// DataConfidential is for those who need it.
	DataConfidential DataClass = "Confidential"
	// DataRestricted is the strictest class; undeclared data counts as it.
	DataRestricted DataClass = "Restricted"
)

// DataRule names a kind of data and what it is.
type DataRule struct {
	// name in business words, such as renewal-dates.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	Name string `json:"name"`

	// class of the data.
	// +required
	Class DataClass `json:"class"`

	// categories such as PersonalData.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=8
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=63
	Categories []string `json:"categories,omitempty"`
}

// SandboxPolicy bounds every sandbox.
type SandboxPolicy struct {
	// registries that images may come from. None: no image may run.
	// +required
	// +listType=map
	// +listMapKey=prefix
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=32
	Registries []Registry `json:"registries"`

	// lifetime of a sandbox.
	// +optional
	// +kubebuilder:default={default: "336h", max: "2160h", warnBefore: "72h"}
	Lifetime LifetimePolicy `json:"lifetime,omitempty"`

	// limits of a sandbox and of a team.
	// +optional
	// +kubebuilder:default={perPrototype: {cpu: "2", memory: "4Gi"}}
	Limits SandboxLimits `json:"limits,omitempty"`

	// dns says who resolves names: Cluster lets a sandbox ask the cluster's resolver; None closes DNS too.
	// +optional
	// +kubebuilder:validation:Enum=Cluster;None
	// +kubebuilder:default=Cluster
	DNS string `json:"dns,omitempty"`

	// access of the team's people to their sandbox.
	// +optional
	Access SandboxAccess `json:"access,omitempty"`

	// runtimeClasses say under which container runtime data of a class is handled; the cluster's default where a class
	// is not named.
	// +optional
	// +listType=map
	// +listMapKey=class
	// +kubebuilder:validation:MaxItems=4
	RuntimeClasses []ClassRuntime `json:"runtimeClasses,omitempty"`
}

// RegistryScheme is how a registry is spoken to.
// +kubebuilder:validation:Enum=HTTPS;HTTP
type RegistryScheme string

const (
	// RegistryHTTPS verifies the registry's certificate.
	RegistryHTTPS RegistryScheme = "HTTPS"
	// RegistryHTTP is plain text, only where the policy says so.
	RegistryHTTP RegistryScheme = "HTTP"
)

// Registry is a place that images may come from.
type Registry struct {
	// prefix of the image reference up to a path boundary, such as registry.example.org/ or registry.example.org/team/.
	// +required
	// +kubebuilder:validation:MinLength=2
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:Pattern=`^[a-z0-9][a-z0-9.:_/-]*/$`
	Prefix string `json:"prefix"`

	// scheme is HTTPS, or HTTP for a registry without TLS.
	// +optional
	// +kubebuilder:default=HTTPS
	Scheme RegistryScheme `json:"scheme,omitempty"`

	// pullSecret in the operator's namespace, of type kubernetes.io/dockerconfigjson.
	// +optional
	PullSecret *LocalName `json:"pullSecret,omitempty"`

	// ca is a ConfigMap in the operator's namespace whose key ca.crt holds the registry's certificate authority.
	// +optional
	CA *LocalName `json:"ca,omitempty"`
}

// LocalName names an object in the operator's namespace.
type LocalName struct {
	// name of the object.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:Pattern=`^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$`
	Name string `json:"name"`
}

// LifetimePolicy bounds how long a sandbox lives.
type LifetimePolicy struct {
	// default where the prototype says nothing.
	// +optional
	// +kubebuilder:default="336h"
	Default metav1.Duration `json:"default,omitempty"`

	// max that a prototype may ask for.
	// +optional
	// +kubebuilder:default="2160h"
	Max metav1.Duration `json:"max,omitempty"`

	// warnBefore is how long before its end a sandbox warns.
	// +optional
	// +kubebuilder:default="72h"
	WarnBefore metav1.Duration `json:"warnBefore,omitempty"`
}

// SandboxLimits bound resources.
type SandboxLimits struct {
	// perPrototype is the quota of one sandbox.
	// +optional
	// +kubebuilder:default={cpu: "2", memory: "4Gi"}
	PerPrototype Resources `json:"perPrototype,omitempty"`

	// perClass replaces perPrototype for prototypes whose strictest declared data is of a class.
	// +optional
	// +listType=map
	// +listMapKey=class
	// +kubebuilder:validation:MaxItems=4
	PerClass []ClassLimits `json:"perClass,omitempty"`

	// prototypesPerTeam is how many sandboxes a team may have at once; the next one waits in a queue.
	// +optional
	// +kubebuilder:default=10
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=1000
	PrototypesPerTeam int32 `json:"prototypesPerTeam,omitempty"`

	// perTeam is what all sandboxes of a team may ask for together; no bound where it is absent. The next one that
	// does not fit waits in a queue.
	// +optional
	PerTeam *TeamResources `json:"perTeam,omitempty"`
}

// ClassLimits are the limits of sandboxes with data of a class.
type ClassLimits struct {
	// class of the strictest data that the prototype declares.
	// +required
	Class DataClass `json:"class"`

	// perPrototype is the quota of one sandbox.
	// +required
	PerPrototype Resources `json:"perPrototype"`
}

// TeamResources bound what a team's sandboxes ask for together.
type TeamResources struct {
	// cpu as a quantity, such as 8.
	// +required
	// +kubebuilder:validation:MaxLength=16
	// +kubebuilder:validation:XValidation:rule="isQuantity(self) && quantity(self).isGreaterThan(quantity('0'))",message="cpu must be a quantity above zero, such as 8"
	CPU string `json:"cpu"`

	// memory as a quantity, such as 16Gi.
	// +required
	// +kubebuilder:validation:MaxLength=16
	// +kubebuilder:validation:XValidation:rule="isQuantity(self) && quantity(self).isGreaterThan(quantity('0'))",message="memory must be a quantity above zero, such as 16Gi"
	Memory string `json:"memory"`
}

// ClassRuntime names the container runtime for data of a class.
type ClassRuntime struct {
	// class of the strictest data that the prototype declares.
	// +required
	Class DataClass `json:"class"`

	// runtimeClass that its pods must run under, in sandbox and production. Where the cluster does not have it, the
	// prototype does not start.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:Pattern=`^[a-z0-9]([-a-z0-9]*[a-z0-9])?$`
	RuntimeClass string `json:"runtimeClass"`
}

// SandboxAccess is what the team's people may do in their sandbox besides reading logs and events.
type SandboxAccess struct {
	// portForward lets them open a port to the prototype.
	// +optional
	PortForward bool `json:"portForward,omitempty"`

	// gateway through which pilots reach a sandbox, behind the organisation's own sign-in. Absent: no pilots.
	// +optional
	Gateway *PilotGateway `json:"gateway,omitempty"`
}

// PilotGateway is a Gateway (gateway.networking.k8s.io) that IT runs.
type PilotGateway struct {
	// name of the Gateway.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:Pattern=`^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$`
	Name string `json:"name"`

	// namespace of the Gateway.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:Pattern=`^[a-z0-9]([-a-z0-9]*[a-z0-9])?$`
	Namespace string `json:"namespace"`

	// sectionName is the listener that has the sign-in in front of it, which has to speak HTTPS; where it is absent, the
	// only one of the Gateway that does.
	// +optional
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:Pattern=`^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$`
	SectionName string `json:"sectionName,omitempty"`

	// domain under which every sandbox gets a host name of its own, such as pilots.example.org.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=189
	// +kubebuilder:validation:Pattern=`^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?(\.[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?)*$`
	Domain string `json:"domain"`

	// from are the gateway's pods, which the sandbox's network lets in.
	// +required
	From PodSource `json:"from"`
}

// Catalogue is what prototypes may reach, by name.
type Catalogue struct {
	// modelGateways serve models.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=16
	ModelGateways []ModelGateway `json:"modelGateways,omitempty"`

	// integrations are systems of the organisation.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=64
	Integrations []Integration `json:"integrations,omitempty"`
}

// Destination is a union: pods of this cluster, or a narrow range of addresses.
// +kubebuilder:validation:MinProperties=1
// +kubebuilder:validation:MaxProperties=1
type Destination struct {
	// pods selected by namespace and labels.
	// +optional
	Pods *PodDestination `json:"pods,omitempty"`

	// cidr is a narrow range outside the cluster.
	// +optional
	CIDR *CIDRDestination `json:"cidr,omitempty"`
}

// PodDestination selects pods.
type PodDestination struct {
	// namespace of the pods.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:XValidation:rule="!(self in ['kube-system', 'affineur-system', 'affineur-records', 'affineur-gates']) && !self.startsWith('affx-') && !self.startsWith('affp-') && !self.startsWith('affr-')",message="a catalogue entry can't lead into the cluster's or the operator's own namespaces"
	Namespace string `json:"namespace"`

	// podLabels that the pods carry.
	// +required
	// +kubebuilder:validation:MinProperties=1
	// +kubebuilder:validation:MaxProperties=8
	PodLabels map[string]string `json:"podLabels"`

	// port on the pods.
	// +required
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=65535
	Port int32 `json:"port"`
}

// CIDRDestination is a range of addresses.
type CIDRDestination struct {
	// range in CIDR notation, at least /24 (IPv4) or /64 (IPv6) narrow. What touches a special-use range is refused:
	// loopback, link-local, carrier-grade NAT, multicast, unique-local, the metadata services of clouds, and IPv6 that
	// stands for IPv4.
	// +required
	// +kubebuilder:validation:MaxLength=43
	// +kubebuilder:validation:XValidation:rule="isCIDR(self) && (cidr(self).ip().family() == 4 ? cidr(self).prefixLength() >= 24 : cidr(self).prefixLength() >= 64)",message="range must be a CIDR of at least /24 (IPv4) or /64 (IPv6)"
	// +kubebuilder:validation:XValidation:rule="!isCIDR(self) || !['0.0.0.0/8', '127.0.0.0/8', '169.254.0.0/16', '100.64.0.0/10', '192.0.0.0/24', '168.63.129.16/32', '224.0.0.0/3', '::/96', '64:ff9b::/32', '100::/64', '2001::/32', '2002::/16', 'fc00::/7', 'fe80::/9', 'ff00::/8'].exists(r, cidr(r).containsCIDR(cidr(self)) || cidr(self).containsCIDR(cidr(r)))",message="special-use ranges (loopback, link-local, carrier-grade NAT, multicast, unique-local, metadata services, IPv6 that stands for IPv4) can't be allowed"
	// +kubebuilder:validation:XValidation:rule="!isCIDR(self) || cidr(self) == cidr(self).masked()",message="range must begin at its first address, such as 203.0.113.0/24"
	Range string `json:"range"`

	// port at those addresses.
	// +required
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=65535
	Port int32 `json:"port"`
}

// MayCarry says which data may go there. Nothing said: nothing may.
type MayCarry struct {
	// classes of data.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=4
	Classes []DataClass `json:"classes,omitempty"`

	// categories of data.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=8
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=63
	Categories []string `json:"categories,omitempty"`
}

// CredentialSource names a Secret in the operator's namespace from which a credential is issued.
type CredentialSource struct {
	// secret in the operator's namespace. A model gateway's holds signing-key, from which every prototype gets
	// a key of its own; an integration's holds token.
	// +required
	Secret LocalName `json:"secret"`
}

// ModelGateway serves models to prototypes.
type ModelGateway struct {
	// name that prototypes use.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:Pattern=`^[a-z0-9]([-a-z0-9]*[a-z0-9])?$`
	Name string `json:"name"`

	// address that prototypes are given, an OpenAI-compatible base URL.
	// +required
	// +kubebuilder:validation:MaxLength=512
	// +kubebuilder:validation:XValidation:rule="isURL(self) && url(self).getScheme() in ['http', 'https'] && url(self).getHostname() != ''",message="address must be an http or https URL"
	Address string `json:"address"`

	// to is where the network lets them go for it.
	// +required
	To Destination `json:"to"`

	// mayCarry says which data may go there.
	// +optional
	MayCarry MayCarry `json:"mayCarry,omitempty"`

	// credentials from which each prototype gets a key of its own.
	// +optional
	Credentials *CredentialSource `json:"credentials,omitempty"`
}

// Endpoint is one place where an integration is served.
type Endpoint struct {
	// address that prototypes are given.
	// +required
	// +kubebuilder:validation:MaxLength=512
	// +kubebuilder:validation:XValidation:rule="isURL(self) && url(self).getScheme() in ['http', 'https', 'tcp', 'tls'] && url(self).getHostname() != '' && url(self).getPort() != ''",message="address must be an http, https, tcp or tls URL with a host and a port"
	Address string `json:"address"`

	// to is where the network lets them go for it.
	// +required
	To Destination `json:"to"`

	// ca is a ConfigMap in the operator's namespace whose key ca.crt verifies the server.
	// +optional
	CA *LocalName `json:"ca,omitempty"`

	// credentials given to the gate's runner and, after approval, to production.
	// +optional
	Credentials *CredentialSource `json:"credentials,omitempty"`
}

// Integration is a system of the organisation.
type Integration struct {
	// name that prototypes use.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:Pattern=`^[a-z0-9]([-a-z0-9]*[a-z0-9])?$`
	Name string `json:"name"`

	// sandbox is a test instance. Absent: not reachable from a sandbox.
	// +optional
	Sandbox *Endpoint `json:"sandbox,omitempty"`

	// production is the real system. Absent: a prototype that needs it can't be promoted.
	// +optional
	Production *Endpoint `json:"production,omitempty"`

	// owner is the role that consents to ReadWrite.
	// +optional
	// +kubebuilder:validation:MaxLength=63
	Owner string `json:"owner,omitempty"`

	// mayCarry says which data may go there.
	// +optional
	MayCarry MayCarry `json:"mayCarry,omitempty"`

	// check is how the integration gate asks whether it works.
	// +required
	Check IntegrationCheck `json:"check"`
}

// IntegrationCheck is a union: exactly one way to ask.
// +kubebuilder:validation:MinProperties=1
// +kubebuilder:validation:MaxProperties=1
type IntegrationCheck struct {
	// tcp opens a connection.
	// +optional
	TCP *TCPCheck `json:"tcp,omitempty"`

	// tls completes a handshake and verifies the certificate's chain, name and expiry.
	// +optional
	TLS *TLSCheck `json:"tls,omitempty"`

	// http asks over plain HTTP.
	// +optional
	HTTP *HTTPCheck `json:"http,omitempty"`

	// https asks over TLS.
	// +optional
	HTTPS *HTTPCheck `json:"https,omitempty"`
}

// TCPCheck has no settings.
type TCPCheck struct{}

// TLSCheck has no settings.
type TLSCheck struct{}

// HTTPCheck is a GET and the status it must answer.
type HTTPCheck struct {
	// path to ask.
	// +optional
	// +kubebuilder:default="/"
	// +kubebuilder:validation:MaxLength=256
	// +kubebuilder:validation:Pattern=`^/[A-Za-z0-9._~/%?=&-]*$`
	Path string `json:"path,omitempty"`

	// expectStatus that shows that it works.
	// +optional
	// +kubebuilder:default=200
	// +kubebuilder:validation:Minimum=200
	// +kubebuilder:validation:Maximum=599
	ExpectStatus int32 `json:"expectStatus,omitempty"`
}

// GateType is the kind of measurement.
// +kubebuilder:validation:Enum=Security;Scalability;Integration
type GateType string

const (
	// GateSecurity judges the rendered pod, its image and its isolation.
	GateSecurity GateType = "Security"
	// GateScalability measures the declared demand.
	GateScalability GateType = "Scalability"
	// GateIntegration reaches every declared integration under the production network policy.
	GateIntegration GateType = "Integration"
)

// Enforcement says whether a gate blocks.
// +kubebuilder:validation:Enum=Required;Advisory
type Enforcement string

const (
	// EnforcementRequired blocks until the gate passed.
	EnforcementRequired Enforcement = "Required"
	// EnforcementAdvisory only informs.
	EnforcementAdvisory Enforcement = "Advisory"
)

// Gate is a discriminated union by type.
// +kubebuilder:validation:XValidation:rule="self.type == 'Security' ? !has(self.scalability) && !has(self.integration) : true",message="a Security gate takes only security"
// +kubebuilder:validation:XValidation:rule="self.type == 'Scalability' ? !has(self.security) && !has(self.integration) : true",message="a Scalability gate takes only scalability"
// +kubebuilder:validation:XValidation:rule="self.type == 'Integration' ? !has(self.security) && !has(self.scalability) : true",message="an Integration gate takes only integration"
type Gate struct {
	// name of the gate.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=40
	// +kubebuilder:validation:Pattern=`^[a-z0-9]([-a-z0-9]*[a-z0-9])?$`
	Name string `json:"name"`

	// type selects which member is read.
	// +required
	Type GateType `json:"type"`

	// enforcement decides: Required blocks, Advisory informs.
	// +optional
	// +kubebuilder:default=Required
	Enforcement Enforcement `json:"enforcement,omitempty"`

	// security settings.
	// +optional
	Security *SecurityGate `json:"security,omitempty"`

	// scalability settings.
	// +optional
	Scalability *ScalabilityGate `json:"scalability,omitempty"`

	// integration settings.
	// +optional
	Integration *IntegrationGate `json:"integration,omitempty"`
}

// SecurityGate has no settings yet.
type SecurityGate struct{}

// ScalabilityGate says how the load is measured.
type ScalabilityGate struct {
	// headroom is the factor on the declared demand, as a decimal.
	// +optional
	// +kubebuilder:default="1.5"
	// +kubebuilder:validation:MaxLength=8
	// +kubebuilder:validation:Pattern=`^[0-9]{1,2}(\.[0-9]{1,2})?$`
	// +kubebuilder:validation:XValidation:rule="double(self) >= 1.0",message="headroom below 1 would measure less than the demand"
	Headroom string `json:"headroom,omitempty"`

	// duration of the measurement after warm-up.
	// +optional
	// +kubebuilder:default="60s"
	Duration metav1.Duration `json:"duration,omitempty"`
}

// IntegrationGate has no settings yet.
type IntegrationGate struct{}

// Role is a group of people who decide.
type Role struct {
	// name of the role, as in hardeningroles/NAME.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:Pattern=`^[a-z0-9]([-a-z0-9]*[a-z0-9])?$`
	Name string `json:"name"`

	// groups whose members may decide in this role.
	// +required
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=16
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=253
	// +kubebuilder:validation:items:XValidation:rule="!self.startsWith('system:')",message="groups that start with system: name no people"
	Groups []string `json:"groups"`
}

// Tier says what a review of a certain risk needs.
type Tier struct {
	// name of the tier.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:Pattern=`^[A-Za-z0-9]([-A-Za-z0-9]*[A-Za-z0-9])?$`
	Name string `json:"name"`

	// when is a CEL expression over facts: exposure, autonomy, users, class, categories.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=1024
	When string `json:"when"`

	// gates that must be measured, by name.
	// +required
	// +listType=set
	// +kubebuilder:validation:MinItems=3
	// +kubebuilder:validation:MaxItems=16
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=40
	Gates []string `json:"gates"`

	// approvals that are needed, none for the lowest risks.
	// +optional
	// +listType=map
	// +listMapKey=role
	// +kubebuilder:validation:MaxItems=16
	Approvals []Approval `json:"approvals,omitempty"`

	// soak is how long a new revision must serve without a fault before it counts as promoted.
	// +optional
	// +kubebuilder:default="1h"
	Soak metav1.Duration `json:"soak,omitempty"`

	// due is how long the roles have to decide.
	// +optional
	// +kubebuilder:default="24h"
	Due metav1.Duration `json:"due,omitempty"`

	// approvalsValidFor is for how long an approval counts in a review that is open: from one hour to a year, and longer
	// than soak; 2160h (90 days) where nothing is said. What serves already is not undone when it ends.
	// +optional
	// +kubebuilder:validation:XValidation:rule="duration(self) >= duration('1h') && duration(self) <= duration('8760h')",message="approvals count for an hour at least and for a year (8760h) at most"
	ApprovalsValidFor *metav1.Duration `json:"approvalsValidFor,omitempty"`
}

// Approval is a role and how many of its people.
type Approval struct {
	// role that must approve.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	Role string `json:"role"`

	// quorum of distinct people.
	// +optional
	// +kubebuilder:default=1
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=8
	Quorum int32 `json:"quorum,omitempty"`
}

// ProductionPolicy bounds what is promoted.
type ProductionPolicy struct {
	// replicas in production.
	// +optional
	// +kubebuilder:default={min: 2, max: 10}
	Replicas ReplicaRange `json:"replicas,omitempty"`

	// ingress says who may call a promoted prototype. Absent: nobody.
	// +optional
	Ingress IngressPolicy `json:"ingress,omitempty"`
}

// ReplicaRange bounds the horizontal autoscaler.
// +kubebuilder:validation:XValidation:rule="self.max >= self.min",message="max must not be below min",fieldPath=".max"
type ReplicaRange struct {
	// min number of replicas.
	// +optional
	// +kubebuilder:default=2
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=100
	Min int32 `json:"min,omitempty"`

	// max number of replicas.
	// +optional
	// +kubebuilder:default=10
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=1000
	Max int32 `json:"max,omitempty"`
}

// IngressPolicy says who may call.
type IngressPolicy struct {
	// from lists the callers.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=16
	From []IngressSource `json:"from,omitempty"`
}

// IngressSource is a union of callers.
// +kubebuilder:validation:MinProperties=1
// +kubebuilder:validation:MaxProperties=1
type IngressSource struct {
	// pods selected by namespace and labels.
	// +optional
	Pods *PodSource `json:"pods,omitempty"`
}

// PodSource selects calling pods.
type PodSource struct {
	// namespace of the pods.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	Namespace string `json:"namespace"`

	// podLabels that the pods carry.
	// +required
	// +kubebuilder:validation:MinProperties=1
	// +kubebuilder:validation:MaxProperties=8
	PodLabels map[string]string `json:"podLabels"`
}

// HardeningPolicyStatus says whether the policy can be used.
type HardeningPolicyStatus struct {
	// observedGeneration is the generation that this status speaks of; -1 before the first look.
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`

	// conditions are Ready, Reconciling, Stalled, GuardsInPlace.
	// +optional
	// +listType=map
	// +listMapKey=type
	// +kubebuilder:validation:MaxItems=16
	Conditions []metav1.Condition `json:"conditions,omitempty"`
}

// HardeningPolicy is what IT requires of every prototype in the namespaces it governs.
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:scope=Cluster,shortName=hpol,categories=affineur
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name="Status",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].reason`
// +kubebuilder:printcolumn:name="Guards",type=string,JSONPath=`.status.conditions[?(@.type=="GuardsInPlace")].status`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:printcolumn:name="Message",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].message`,priority=1
// +kubebuilder:validation:XValidation:rule="self.metadata.name.size() <= 63",message="name must be at most 63 characters"
type HardeningPolicy struct {
	metav1.TypeMeta `json:",inline"`
	// metadata is the object's name and bookkeeping.
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// spec is what IT requires.
	// +required
	Spec HardeningPolicySpec `json:"spec"`

	// status says whether the policy can be used.
	// +optional
	// +kubebuilder:default:={"observedGeneration":-1}
	Status HardeningPolicyStatus `json:"status,omitempty"`
}

// HardeningPolicyList is a list of policies.
// +kubebuilder:object:root=true
type HardeningPolicyList struct {
	metav1.TypeMeta `json:",inline"`
	// +optional
	metav1.ListMeta `json:"metadata,omitempty"`
	Items           []HardeningPolicy `json:"items"`
}
