package v1alpha1

// Reasons of integration gates, beside those in conditions.go.
const (
	// ReasonIntegrationsWork means that every declared integration answered as the catalogue says.
	ReasonIntegrationsWork = "IntegrationsWork"
	// ReasonNoIntegrations means that the prototype declares no integration.
	ReasonNoIntegrations = "NoIntegrationsDeclared"
	// ReasonIntegrationBroken means that a declared integration did not answer as the catalogue says.
	ReasonIntegrationBroken = "IntegrationBroken"

	// ReasonCertificateEnds means that the certificate of an integration is valid, but not for as long as the policy wants.
	ReasonCertificateEnds = "CertificateEnds"
	// ReasonCredentialNotShown means that the check of an integration shows nothing about its credential. It stands in nobody's way.
	ReasonCredentialNotShown = "CredentialNotShown"
	// ReasonFailsAsDeclared means that, while a system was down, the prototype did what it declares under whenDown.
	ReasonFailsAsDeclared = "FailsAsDeclared"
	// ReasonHangsWhenDown means that people wait longer than declared, or for ever, while a system is down.
	ReasonHangsWhenDown = "HangsWhenDown"
	// ReasonBreaksWhenDown means that, while a system is down, people get no answer, or an error where it declares less of an
	// answer, or an answer where it declares that there is none.
	ReasonBreaksWhenDown = "BreaksWhenDown"
	// ReasonDiesWhenDown means that the program ended, or stopped answering its health, while a system was down.
	ReasonDiesWhenDown = "DiesWhenDown"
	// ReasonWhenDownNotShown means that it was not shown what a prototype does while a system is down.
	ReasonWhenDownNotShown = "WhenDownNotShown"
	// ReasonNotExercised means that the sample request did not lead to a system, or no more often than the prototype asks it by
	// itself, so that nothing was shown about it.
	ReasonNotExercised = "NotExercised"
	// ReasonWhenDownUndeclared means that a prototype does not say what people see while a system is down.
	ReasonWhenDownUndeclared = "WhenDownUndeclared"
	// ReasonKeepsConnections means that connections to a system that is down stay open after people have their answer.
	ReasonKeepsConnections = "KeepsConnections"
)
