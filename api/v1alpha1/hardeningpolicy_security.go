package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// SecurityGate says what must be known besides what the pod itself shows. Without a setting about it, nothing is asked of
// the image's supply chain.
// +kubebuilder:validation:XValidation:rule="!has(self.provenance) || has(self.signatures)",message="provenance needs signatures: it counts only from a signer"
// +kubebuilder:validation:XValidation:rule="!has(self.vulnerabilities) || self.vulnerabilities.source != 'Attestations' || has(self.signatures)",message="vulnerabilities from attestations need signatures: they count only from a signer"
type SecurityGate struct {
	// secrets says who searches for secrets in what a team wrote: Gitleaks, a runner with the rules of gitleaks, after the
	// operator itself; or BuiltIn, the operator alone, as where there are no security settings at all.
	// +optional
	// +kubebuilder:default=Gitleaks
	Secrets SecretSearch `json:"secrets,omitempty"`

	// signatures names those whose word counts, and for what.
	// +optional
	Signatures *Signatures `json:"signatures,omitempty"`

	// provenance says by whom and from what an image may be built.
	// +optional
	Provenance *ProvenanceRule `json:"provenance,omitempty"`

	// sbom tells whether there must be a bill of materials, in SPDX or CycloneDX. It has to be signed where signatures names
	// somebody who vouches for one.
	// +optional
	// +kubebuilder:default=Optional
	SBOM Presence `json:"sbom,omitempty"`

	// vulnerabilities says what scanners may find.
	// +optional
	Vulnerabilities *VulnerabilityRule `json:"vulnerabilities,omitempty"`

	// vex names ConfigMaps in the operator's namespace whose keys hold VEX documents (OpenVEX or CycloneDX): what they
	// excuse does not count. Documents beside the image count only from a signer who vouches for VEX.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=4
	VEX []LocalName `json:"vex,omitempty"`

	// rolesOfEverybody are roles that this cluster gives to groups to which prototypes belong like everybody else
	// (system:authenticated, system:serviceaccounts), or to whoever has no token (system:anonymous, system:unauthenticated),
	// beside those of Kubernetes itself, and that IT knows to do no harm: a ClusterRole by its name,
	// a Role as namespace/name. A binding to the prototype's own account, or to all of its namespace, is never excused.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=32
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=317
	RolesOfEverybody []string `json:"rolesOfEverybody,omitempty"`
}

// SecretSearch is who searches for secrets.
// +kubebuilder:validation:Enum=Gitleaks;BuiltIn
type SecretSearch string

const (
	// SearchGitleaks searches with the rules of gitleaks too.
	SearchGitleaks SecretSearch = "Gitleaks"
	// SearchBuiltIn searches with what the operator knows by itself.
	SearchBuiltIn SecretSearch = "BuiltIn"
)

// Presence says whether something must be there.
// +kubebuilder:validation:Enum=Required;Optional
type Presence string

const (
	// PresenceRequired means that it must be there.
	PresenceRequired Presence = "Required"
	// PresenceOptional means that it may be missing.
	PresenceOptional Presence = "Optional"
)

// Signatures names signers. An image has to be signed by one of those who vouch for images, if there are any.
// +kubebuilder:validation:XValidation:rule="(has(self.keys) && size(self.keys) > 0) || (has(self.identities) && size(self.identities) > 0)",message="signatures name a key or an identity"
// +kubebuilder:validation:XValidation:rule="!has(self.identities) || size(self.identities) == 0 || has(self.trustedRoot)",message="identities need a trustedRoot: it says which authority vouches for them"
// +kubebuilder:validation:XValidation:rule="!has(self.keys) || !has(self.identities) || self.keys.all(k, self.identities.all(i, i.name != k.name))",message="a key and an identity have the same name"
type Signatures struct {
	// keys sign by themselves.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=8
	Keys []SignerKey `json:"keys,omitempty"`

	// identities sign with a certificate that an authority gave them for a moment.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=8
	Identities []SignerIdentity `json:"identities,omitempty"`

	// trustedRoot is a ConfigMap in the operator's namespace whose key trusted_root.json names the certificate authorities,
	// transparency logs and timestamp authorities, in Sigstore's form. Nothing is asked of the internet.
	// +optional
	TrustedRoot *LocalName `json:"trustedRoot,omitempty"`
}

// Claim is what a signer may vouch for.
// +kubebuilder:validation:Enum=Image;Provenance;SBOM;Vulnerabilities;VEX
type Claim string

// SignerKey is a public key and what its holder vouches for.
type SignerKey struct {
	// name of the signer, for messages.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=40
	// +kubebuilder:validation:Pattern=`^[a-z0-9]([-a-z0-9]*[a-z0-9])?$`
	Name string `json:"name"`

	// publicKey in PEM.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=4096
	// +kubebuilder:validation:XValidation:rule="self.startsWith('-----BEGIN PUBLIC KEY-----')",message="publicKey is a public key in PEM, which starts with -----BEGIN PUBLIC KEY-----"
	PublicKey string `json:"publicKey"`

	// vouchesFor says which words of this signer count: Image (released), Provenance, SBOM, Vulnerabilities (scanned), VEX
	// (does no harm). Whoever may excuse vulnerabilities should not be who has them: VEX has to be named.
	// +optional
	// +listType=set
	// +kubebuilder:default={Image,Provenance,SBOM}
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=5
	VouchesFor []Claim `json:"vouchesFor,omitempty"`
}

// SignerIdentity is a person or a machine as an issuer knows it.
// +kubebuilder:validation:XValidation:rule="has(self.subject) != has(self.subjectRegExp)",message="exactly one of subject and subjectRegExp"
type SignerIdentity struct {
	// name of the signer, for messages.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=40
	// +kubebuilder:validation:Pattern=`^[a-z0-9]([-a-z0-9]*[a-z0-9])?$`
	Name string `json:"name"`

	// issuer that the certificate names, such as https://token.actions.githubusercontent.com.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=512
	Issuer string `json:"issuer"`

	// subject that the certificate names, exactly: an e-mail address or the address of a workflow.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=512
	Subject string `json:"subject,omitempty"`

	// subjectRegExp matches all of the subject (RE2).
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=512
	SubjectRegExp string `json:"subjectRegExp,omitempty"`

	// vouchesFor says which words of this signer count; see keys.
	// +optional
	// +listType=set
	// +kubebuilder:default={Image,Provenance,SBOM}
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=5
	VouchesFor []Claim `json:"vouchesFor,omitempty"`
}

// ProvenanceRule demands SLSA provenance from a signer who vouches for it.
type ProvenanceRule struct {
	// builders that may build, by the builder's id; what follows an @ in it may be left out.
	// +required
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=16
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=512
	Builders []string `json:"builders"`

	// sources that may be built, as the beginning of a repository's address up to a slash: https://git.example.org/membership.
	// Empty: any.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=16
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=512
	Sources []string `json:"sources,omitempty"`
}

// VulnerabilitySource is who scanned.
// +kubebuilder:validation:Enum=TrivyOperator;Attestations
type VulnerabilitySource string

const (
	// SourceTrivyOperator reads the VulnerabilityReports that trivy-operator writes about the sandbox and production.
	SourceTrivyOperator VulnerabilitySource = "TrivyOperator"
	// SourceAttestations reads scans that a signer attested beside the image.
	SourceAttestations VulnerabilitySource = "Attestations"
)

// VulnerabilityRule bounds what a scan of exactly this image may find.
type VulnerabilityRule struct {
	// source of the scans.
	// +required
	Source VulnerabilitySource `json:"source"`

	// maxCritical is how many critical vulnerabilities are allowed.
	// +optional
	// +kubebuilder:default=0
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=100000
	MaxCritical int32 `json:"maxCritical,omitempty"`

	// maxHigh is how many high ones are allowed. One that nobody rated counts as high.
	// +optional
	// +kubebuilder:default=0
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=100000
	MaxHigh int32 `json:"maxHigh,omitempty"`

	// maxAge is how old a scan may be, and what its scanner knew where it says so.
	// +optional
	// +kubebuilder:default="168h"
	// +kubebuilder:validation:XValidation:rule="duration(self) >= duration('1h') && duration(self) <= duration('8760h')",message="a scan counts for an hour at least and for a year (8760h) at most"
	MaxAge metav1.Duration `json:"maxAge,omitempty"`
}
