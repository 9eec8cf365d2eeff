package v1alpha1

// Reasons of integration gates, beside those in conditions.go.
const (
	// ReasonCertificateEnds means that the certificate of an integration is valid, but not for as long as the policy wants.
	ReasonCertificateEnds = "CertificateEnds"
)
