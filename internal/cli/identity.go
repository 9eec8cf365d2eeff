package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	authenticationv1 "k8s.io/api/authentication/v1"
	authorizationv1 "k8s.io/api/authorization/v1"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/internal/cli/describe"
)

// whoAmI is the name under which the API server knows the caller, empty where it would not say: it is shown, and
// nothing depends on it.
func (s Session) whoAmI(ctx context.Context) string {
	answer := &authenticationv1.SelfSubjectReview{}
	if err := s.Client.Create(ctx, answer); err != nil {
		return ""
	}
	return answer.Status.UserInfo.Username
}

// mayApprove asks the API server what admission will ask: approve on the role.
func (s Session) mayApprove(ctx context.Context, role string) (bool, error) {
	question := &authorizationv1.SelfSubjectAccessReview{Spec: authorizationv1.SelfSubjectAccessReviewSpec{
		ResourceAttributes: &authorizationv1.ResourceAttributes{
			Namespace: s.Namespace,
			Verb:      "approve",
			Group:     v1alpha1.GroupVersion.Group,
			Resource:  v1alpha1.RoleResource,
			Name:      role,
		},
	}}
	if err := s.Client.Create(ctx, question); err != nil {
		return false, err
	}
	return question.Status.Allowed, nil
}

// chooseRole finds the one role of those asked for that the caller holds.
func (s Session) chooseRole(ctx context.Context, asked []string) (string, error) {
	if len(asked) == 0 {
		return "", errors.New("no role is waited for that you could mean: name yours with --role")
	}
	var held []string
	for _, role := range asked {
		allowed, err := s.mayApprove(ctx, role)
		if err != nil {
			return "", err
		}
		if allowed {
			held = append(held, role)
		}
	}
	switch len(held) {
	case 1:
		return held[0], nil
	case 0:
		return "", fmt.Errorf("you may decide in none of the roles that are asked for (%s): ask the platform team for the role, or act as somebody who has it",
			strings.Join(asked, ", "))
	default:
		return "", fmt.Errorf("you may decide in several roles: choose one with --role (%s); one person counts once in a review",
			strings.Join(held, ", "))
	}
}

// candidates are the roles that could be meant: those waited for, or, to take something back, those in which the
// person decided.
func (o *decideOptions) candidates(review *v1alpha1.HardeningReview, person string) []string {
	if o.verdict != v1alpha1.VerdictRevoke {
		return describe.Roles(review)
	}
	var roles []string
	for _, decision := range review.Status.Decisions {
		mine := decision.By == person && decision.Verdict != v1alpha1.VerdictRevoke && decision.Why != v1alpha1.WhyRevoked
		if mine && !slices.Contains(roles, decision.Role) {
			roles = append(roles, decision.Role)
		}
	}
	return roles
}

// newest points from an ended review to the one that took its place, where the caller may see it.
func (s Session) newest(ctx context.Context, review *v1alpha1.HardeningReview) string {
	prototype := s.reviewed(ctx, review)
	if prototype == nil || prototype.Status.Review == nil || prototype.Status.Review.Name == review.Name {
		return ""
	}
	return "; the newest review is " + prototype.Status.Review.Name
}
