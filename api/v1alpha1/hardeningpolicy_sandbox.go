package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

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
