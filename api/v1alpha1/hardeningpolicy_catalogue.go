package v1alpha1

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

	// assurance of what happens there with inputs. Without one, only data that asks for none passes the privacy gate.
	// +optional
	Assurance *Assurance `json:"assurance,omitempty"`

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
// +kubebuilder:validation:XValidation:rule="!has(self.check.http) || !has(self.production) || !has(self.production.credentials) || has(self.production.to.pods)",message="a credential goes over TLS (check.https), or in the clear to pods of this cluster only",fieldPath=".check"
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

	// assurance of what happens there with inputs. The organisation's own systems need one only for data whose rule says
	// residency or maxRetention.
	// +optional
	Assurance *Assurance `json:"assurance,omitempty"`

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

// HTTPCheck is a request and the answer that shows that the system works.
// +kubebuilder:validation:XValidation:rule="!has(self.body) || self.method == 'POST'",message="a body goes with method POST",fieldPath=".body"
// +kubebuilder:validation:XValidation:rule="!has(self.answer) || !has(self.answer.schema) || self.method != 'HEAD'",message="an answer to HEAD has no body for a schema",fieldPath=".answer"
type HTTPCheck struct {
	// method GET or HEAD, which change nothing. POST only where IT knows that it does no harm: it is sent once.
	// +optional
	// +kubebuilder:default=GET
	Method CheckMethod `json:"method,omitempty"`

	// path to ask.
	// +optional
	// +kubebuilder:default="/"
	// +kubebuilder:validation:MaxLength=256
	// +kubebuilder:validation:Pattern=`^/[A-Za-z0-9._~/%?=&-]*$`
	Path string `json:"path,omitempty"`

	// body to send with POST, as JSON.
	// +optional
	// +kubebuilder:validation:MaxLength=4096
	Body string `json:"body,omitempty"`

	// expectStatus that shows that it works.
	// +optional
	// +kubebuilder:default=200
	// +kubebuilder:validation:Minimum=200
	// +kubebuilder:validation:Maximum=599
	ExpectStatus int32 `json:"expectStatus,omitempty"`

	// answer says what else the answer must be.
	// +optional
	Answer *HTTPAnswer `json:"answer,omitempty"`
}

// CheckMethod is how a check asks over HTTP.
// +kubebuilder:validation:Enum=GET;HEAD;POST
type CheckMethod string

// HTTPAnswer says what an answer must be besides its status. All that is said must hold. Reports say what is violated in
// the schema's words and never quote an answer.
// +kubebuilder:validation:MinProperties=1
type HTTPAnswer struct {
	// contentType without parameters, such as application/json.
	// +optional
	// +kubebuilder:validation:MaxLength=128
	// +kubebuilder:validation:Pattern=`^[A-Za-z0-9!#$&^_.+-]+/[A-Za-z0-9!#$&^_.+-]+$`
	ContentType string `json:"contentType,omitempty"`

	// schema is a JSON Schema (2020-12 where it does not say) of the body, written as JSON or YAML. References lead to
	// places in it, never to another document.
	// +optional
	// +kubebuilder:validation:MinLength=2
	// +kubebuilder:validation:MaxLength=4096
	Schema string `json:"schema,omitempty"`

	// openAPI names an operation that the question and the answer must be.
	// +optional
	OpenAPI *OpenAPIOperation `json:"openAPI,omitempty"`
}

// OpenAPIOperation is an operation of an OpenAPI 3 document.
type OpenAPIOperation struct {
	// configMap in the operator's namespace whose key openapi.yaml holds the document, JSON or YAML.
	// +required
	ConfigMap LocalName `json:"configMap"`

	// operation is the operationId in it. Method and path of the check must be the operation's.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=128
	Operation string `json:"operation"`
}
