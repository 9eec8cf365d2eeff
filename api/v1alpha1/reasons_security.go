package v1alpha1

// Reasons of gates of type Security: the pod, its rights, its image, and what is known beside that.
const (
	// ReasonNoHoles means that the security gate found no hole.
	ReasonNoHoles = "NoHolesFound"
	// ReasonHolesFound means that the security gate found holes; each is a finding.
	ReasonHolesFound = "HolesFound"
	// ReasonPodSecurity means that the rendered pod violates the restricted Pod Security Standard.
	ReasonPodSecurity = "PodSecurityViolated"
	// ReasonImageNotPinned means that an image is named by tag and not by digest.
	ReasonImageNotPinned = "ImageNotPinned"
	// ReasonPlainSecret means that an environment variable or an argument holds what looks like a secret.
	ReasonPlainSecret = "PlainSecretInEnvironment"
	// ReasonTokenMounted means that the pod gets a token for the API server.
	ReasonTokenMounted = "ServiceAccountTokenMounted"
	// ReasonRightsGranted means that a binding gives rights at the API server to the account under which the pod runs.
	ReasonRightsGranted = "RightsGranted"

	// ReasonMaterialTooLarge means that the registry keeps more beside the image than can be looked at.
	ReasonMaterialTooLarge = "MaterialTooLarge"
	// ReasonSecretInConfiguration means that a text that the subject carries holds what looks like a secret.
	ReasonSecretInConfiguration = "SecretInConfiguration"
	// ReasonImageNotSigned means that nobody signed the image whom the policy names for it.
	ReasonImageNotSigned = "ImageNotSigned"
	// ReasonProvenanceMissing means that nobody whom the policy names says how the image was built.
	ReasonProvenanceMissing = "ProvenanceMissing"
	// ReasonProvenanceNotAllowed means that the image was built by, or from, something that the policy does not name.
	ReasonProvenanceNotAllowed = "ProvenanceNotAllowed"
	// ReasonSBOMMissing means that there is no bill of materials.
	ReasonSBOMMissing = "SBOMMissing"
	// ReasonVulnerable means that a scanner found more than the policy allows.
	ReasonVulnerable = "VulnerabilitiesFound"
	// ReasonScanMissing means that there is no scan of exactly this image.
	ReasonScanMissing = "ScanMissing"
	// ReasonScanStale means that the newest scan, or what its scanner knows, is older than the policy allows.
	ReasonScanStale = "ScanStale"
	// ReasonScanIncomplete means that a scan found nothing bad, and can't have seen everything.
	ReasonScanIncomplete = "ScanIncomplete"
)
