package review

import (
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/internal/credentials"
	"github.com/affineur/affineur/internal/workload"
)

// played are the surroundings of the prototype while a run plays its systems. They lead to no real system, and name no
// real credential.
func (s Snapshot) played() workload.Surroundings {
	return workload.Surroundings{
		Identity: s.Record.Prototype, Namespace: s.Record.Prototype.Rehearsal(), Purpose: v1alpha1.PurposeRehearsal,
		Requirements: s.Record.Requirements, SubjectDigest: s.Record.SubjectDigest,
	}.Played()
}

// ownSecrets are the surroundings by which only the registry's pull secret and the team's own Secrets are made.
func (s Snapshot) ownSecrets() workload.Surroundings {
	at := s.played()
	at.Requirements.ModelGateway, at.Requirements.Integrations = nil, nil
	return at
}

// stage is what a namespace holds in which systems are played, besides the operator's rights in it and the Secrets that
// are made once; the program comes last.
func (s Snapshot) stage(secrets []*corev1.Secret, player *corev1.Secret) []client.Object {
	at, container := s.played(), s.Record.Subject.Container
	systems := workload.Systems(s.Record.Prototype, s.Record.Requirements)
	objects := []client.Object{
		workload.Quota(at, container, 1), workload.LimitRange(at), workload.ServiceAccount(at), workload.ByHandBinding(at),
	}
	for _, policy := range workload.PlayedPolicies(at, systems, container.Port) {
		objects = append(objects, policy)
	}
	for _, secret := range append(credentials.StandIns(at, player), secrets...) {
		objects = append(objects, secret)
	}
	return append(objects, workload.Service(s.Record.Subject, at), workload.PlayedService(at, systems))
}
