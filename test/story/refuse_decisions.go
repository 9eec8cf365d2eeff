package main

import (
	"context"
	"errors"
	"fmt"

	authorizationv1 "k8s.io/api/authorization/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/affineur/affineur/api/v1alpha1"
)

// refuseDecisions tries to get the first review approved by people who may not, or whose approval does not count.
func (s *stage) refuseDecisions(ctx context.Context) error {
	for _, attempt := range []func(context.Context) error{
		s.ownApprovalWithoutRole, s.inAnothersIdentity, s.ownApprovalWithHalfARole, s.withAFullRole, s.byAColleague,
	} {
		if err := attempt(ctx); err != nil {
			return err
		}
	}
	review := reviewOf(membership, firstReview)
	if err := s.admin.Get(ctx, client.ObjectKeyFromObject(review), review); err != nil {
		return err
	}
	if holds(review.Status.Conditions, v1alpha1.ConditionApproved, review.Generation) {
		return errors.New("the review is approved, though nobody approved whose approval counts")
	}
	if err := s.notInProduction(ctx, review); err != nil {
		return err
	}
	s.out.say("%s still waits: %s", review.Name, review.Status.Summary.WaitingOn)
	return nil
}

// decision approves a review as security.
func decision(review *v1alpha1.HardeningReview, role string) *v1alpha1.HardeningDecision {
	return &v1alpha1.HardeningDecision{
		ObjectMeta: metav1.ObjectMeta{Namespace: review.Namespace, GenerateName: review.Name + "-" + role + "-"},
		Spec: v1alpha1.HardeningDecisionSpec{
			Review:       v1alpha1.ObjectIdentity{Name: review.Name, UID: string(review.UID)},
			ReviewDigest: review.Spec.ReviewDigest, Role: role, Verdict: v1alpha1.VerdictApprove,
		},
	}
}

func (s *stage) firstReview(ctx context.Context, who *actor) (*v1alpha1.HardeningReview, error) {
	review := reviewOf(membership, firstReview)
	return review, who.Get(ctx, client.ObjectKeyFromObject(review), review)
}

func (s *stage) ownApprovalWithoutRole(ctx context.Context) error {
	lead := s.cast[membershipLead]
	review, err := s.firstReview(ctx, lead)
	if err != nil {
		return err
	}
	return s.refused(lead.String(), "approving their own prototype's review", lead.Create(ctx, decision(review, "security")), byRBAC)
}

// inAnothersIdentity asks to be somebody else.
func (s *stage) inAnothersIdentity(ctx context.Context) error {
	lead, victim := s.cast[membershipLead], s.cast[securityReviewer]
	what := "kubectl --as " + victim.String()
	if !s.certified {
		// Whoever is impersonated can't be seen to impersonate: the API server takes the one who really asks.
		question := &authorizationv1.SelfSubjectAccessReview{Spec: authorizationv1.SelfSubjectAccessReviewSpec{
			ResourceAttributes: &authorizationv1.ResourceAttributes{Verb: "impersonate", Resource: "users", Name: victim.String()},
		}}
		if err := lead.Create(ctx, question); err != nil {
			return err
		}
		if question.Status.Allowed {
			return fmt.Errorf("%s may impersonate %s", lead, victim)
		}
		s.count(lead.String(), what, "the API server says that they may not impersonate users")
		return nil
	}
	forged := rest.CopyConfig(lead.config)
	forged.Impersonate = rest.ImpersonationConfig{UserName: victim.String(), Groups: victim.Groups}
	// With what the lead knows of the API: whoever is refused everything is refused discovery as well.
	as, err := client.New(forged, client.Options{Scheme: s.scheme, Mapper: lead.RESTMapper()})
	if err != nil {
		return err
	}
	review := reviewOf(membership, firstReview)
	err = as.Get(ctx, client.ObjectKeyFromObject(review), review)
	return s.refused(lead.String(), what, err, byRBAC)
}

// ownApprovalWithHalfARole: somebody let the team create decisions, which alone lets nobody decide in a role.
func (s *stage) ownApprovalWithHalfARole(ctx context.Context) error {
	lead := s.cast[membershipLead]
	if err := s.grant(ctx, "affineur-reviewer", "create", "hardeningdecisions", ""); err != nil {
		return err
	}
	review, err := s.firstReview(ctx, lead)
	if err != nil {
		return err
	}
	return s.refused(lead.String(), "the same, after somebody gave the team the right to create decisions",
		lead.Create(ctx, decision(review, "security")), byPolicy("affineur-decisions", "you may not decide as security"))
}

// withAFullRole: somebody let the team decide as security. Admission lets the decision in, under the name of who made
// it, and it does not count.
func (s *stage) withAFullRole(ctx context.Context) error {
	lead, victim := s.cast[membershipLead], s.cast[securityReviewer]
	defer s.takeBack(context.WithoutCancel(ctx), "affineur-reviewer", "affineur-approve-security")
	if err := s.grant(ctx, "affineur-approve-security", "approve", v1alpha1.RoleResource, "security"); err != nil {
		return err
	}
	review, err := s.firstReview(ctx, lead)
	if err != nil {
		return err
	}
	own := decision(review, "security")
	if err := s.doesNotCount(ctx, lead, own, "the same, after somebody gave the team the role security", v1alpha1.WhyAuthor); err != nil {
		return err
	}
	forged := decision(review, "security")
	forged.Spec.By, forged.Spec.Groups = victim.String(), victim.Groups
	if err := s.doesNotCount(ctx, lead, forged, "a decision with by: "+victim.String(), v1alpha1.WhyAuthor); err != nil {
		return err
	}
	if forged.Spec.By == victim.String() {
		return fmt.Errorf("the forged name was kept: %s", forged.Spec.By)
	}
	return nil
}

// byAColleague: a reviewer in every respect, who belongs to the owning team as well.
func (s *stage) byAColleague(ctx context.Context) error {
	colleague := s.cast[membershipColleague]
	review, err := s.firstReview(ctx, colleague)
	if err != nil {
		return err
	}
	return s.doesNotCount(ctx, colleague, decision(review, "security"), "approving their own team's prototype, as security", v1alpha1.WhyOwningTeam)
}

// doesNotCount creates a decision that admission lets in, and wants the review to say why it does not count.
func (s *stage) doesNotCount(ctx context.Context, who *actor, made *v1alpha1.HardeningDecision, what, why string) error {
	if err := who.Create(ctx, made); err != nil {
		return fmt.Errorf("%s: %s: %w", who, what, err)
	}
	review := reviewOf(made.Namespace, made.Spec.Review.Name)
	var mirrored v1alpha1.DecisionStatus
	err := s.review(ctx, s.cast[securityReviewer], review, func(r *v1alpha1.HardeningReview) (bool, error) {
		for _, decision := range r.Status.Decisions {
			if decision.Name == made.Name {
				mirrored = decision
				return true, nil
			}
		}
		return false, nil
	})
	if err != nil {
		return err
	}
	if mirrored.Counts != v1alpha1.CountedNo || mirrored.Why != why || mirrored.By != who.String() {
		return fmt.Errorf("%s: %s: the review says %+v, want that it does not count: %s", who, what, mirrored, why)
	}
	s.count(who.String(), what, fmt.Sprintf("kept under the name of %s, and does not count: %s: %s", mirrored.By, mirrored.Why, mirrored.Message))
	return nil
}

// grant gives the team a role by mistake, and waits until the API server knows.
func (s *stage) grant(ctx context.Context, role, verb, resource, name string) error {
	binding := &rbacv1.RoleBinding{
		ObjectMeta: metav1.ObjectMeta{Namespace: membership, Name: role},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: role},
		Subjects:   []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: rbacv1.GroupKind, Name: "team-membership"}},
	}
	if err := s.admin.Create(ctx, binding); err != nil {
		return err
	}
	return s.untilAllowed(ctx, s.cast[membershipLead], authorizationv1.ResourceAttributes{
		Namespace: membership, Verb: verb, Group: v1alpha1.GroupVersion.Group, Resource: resource, Name: name,
	})
}

func (s *stage) takeBack(ctx context.Context, roles ...string) {
	for _, role := range roles {
		_ = s.admin.Delete(ctx, &rbacv1.RoleBinding{ObjectMeta: metav1.ObjectMeta{Namespace: membership, Name: role}})
	}
}
