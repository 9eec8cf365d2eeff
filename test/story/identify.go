package main

import (
	"context"
	"errors"
	"path/filepath"
	"strings"

	"k8s.io/client-go/rest"

	"github.com/affineur/affineur/test/story/people"
)

// Roles in the story.
const (
	membershipLead      = "membership-lead"
	membershipColleague = "membership-colleague"
	educationLead       = "education-lead"
	securityReviewer    = "security-reviewer"
	operationsReviewer  = "operations-reviewer"
)

// persons are who plays, besides the platform admin.
var persons = []struct {
	role      string
	groups    []string
	namespace string
}{
	{membershipLead, []string{"team-membership"}, membership},
	// Works for security now, and is still in the team's group.
	{membershipColleague, []string{"team-membership", "it-security"}, membership},
	{educationLead, []string{"team-education"}, education},
	{securityReviewer, []string{"it-security"}, membership},
	{operationsReviewer, []string{"it-ops"}, membership},
}

// identify gives everybody a client certificate of their own, signed by the cluster. Where the cluster signs none,
// the platform admin acts for them, which is said aloud.
func (s *stage) identify(ctx context.Context) error {
	s.certified = true
	for _, p := range persons {
		person := people.Person{Name: p.role + "@example.org", Groups: p.groups}
		personal, err := s.identity(ctx, person)
		if err != nil {
			return err
		}
		personal.WarningHandler = rest.NoWarnings{}
		who, err := s.actor(person, personal)
		if err != nil {
			return err
		}
		who.namespace, who.kubeconfig = p.namespace, filepath.Join(s.people, p.role+".kubeconfig")
		if err := people.WriteKubeconfig(who.kubeconfig, personal, p.namespace); err != nil {
			return err
		}
		s.cast[p.role] = who
		s.out.say("%s of %s", who, strings.Join(p.groups, ", "))
	}
	if s.certified {
		s.out.say("each with a client certificate that the cluster signed, valid for a day: %s", s.people)
	}
	return nil
}

func (s *stage) identity(ctx context.Context, person people.Person) (*rest.Config, error) {
	if s.certified {
		personal, err := people.Certified(ctx, s.admin, s.admin.config, person)
		if !errors.Is(err, people.ErrNoSigner) {
			return personal, err
		}
		s.certified = false
		s.out.say("NOTE: %v. From here on the platform admin impersonates everybody else (%v).", people.ErrNoSigner, err)
	}
	return people.Impersonated(s.admin.config, person), nil
}
