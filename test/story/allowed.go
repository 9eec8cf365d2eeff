package main

import (
	"context"
	"time"

	authorizationv1 "k8s.io/api/authorization/v1"
)

// untilAllowed waits until the API server's authorizer has seen a new grant. There is nothing to watch for that.
func (s *stage) untilAllowed(ctx context.Context, who *actor, what authorizationv1.ResourceAttributes) error {
	for {
		question := &authorizationv1.SelfSubjectAccessReview{Spec: authorizationv1.SelfSubjectAccessReviewSpec{ResourceAttributes: &what}}
		if err := who.Create(ctx, question); err != nil {
			return err
		}
		if question.Status.Allowed {
			return nil
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(50 * time.Millisecond):
		}
	}
}
