package main

import (
	"context"
	_ "embed"
	"errors"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/internal/names"
)

// holeyManifest are prototypes with one hole each.
//
//go:embed holey.yaml
var holeyManifest []byte

// holes are the prototypes that must not get into production, and the gate that sees why.
var holes = []struct{ prototype, gate string }{
	{"leaky-advisor", "security"},
	{"slow-advisor", "scalability"},
	{"lonely-advisor", "integration"},
}

// refuseHoles shows which gate each of them fails and why, and that no approval moves it.
func (s *stage) refuseHoles(ctx context.Context) error {
	for _, hole := range holes {
		if err := s.failsGate(ctx, hole.prototype, hole.gate); err != nil {
			return err
		}
	}
	return nil
}

func (s *stage) failsGate(ctx context.Context, name, gate string) error {
	review := reviewOf(membership, name+"-1")
	var failed v1alpha1.GateStatus
	err := s.review(ctx, s.cast[membershipLead], review, func(r *v1alpha1.HardeningReview) (bool, error) {
		pending := len(r.Status.Gates) == 0
		for _, status := range r.Status.Gates {
			pending = pending || status.Verdict == v1alpha1.GatePending
			if status.Name == gate {
				failed = status
			}
		}
		// What a busy machine could not measure is measured again.
		return !pending && failed.Verdict != v1alpha1.GateInconclusive, nil
	})
	if err != nil {
		return err
	}
	s.sayGates(review)
	if failed.Verdict != v1alpha1.GateFailed || failed.Message == "" {
		return fmt.Errorf("%s: gate %s is %s (%s), want that it failed, and why", review.Name, gate, failed.Verdict, failed.Message)
	}
	if err := s.approveQuietly(ctx, review); err != nil {
		return err
	}
	err = s.review(ctx, s.cast[securityReviewer], review, func(r *v1alpha1.HardeningReview) (bool, error) {
		return holds(r.Status.Conditions, v1alpha1.ConditionApproved, r.Generation), nil
	})
	if err != nil {
		return err
	}
	if holds(review.Status.Conditions, v1alpha1.ConditionGatesPassed, review.Generation) {
		return fmt.Errorf("%s: the gates passed, though %s failed", review.Name, gate)
	}
	if err := s.notInProduction(ctx, review); err != nil {
		return err
	}
	answer := failed.Message
	for _, finding := range failed.Findings {
		answer += " - " + finding.Message
	}
	s.count(name+", approved by security and operations", "getting into production past gate "+gate, answer)
	return nil
}

// underWay tells whether a promotion changed anything.
func underWay(promotion *v1alpha1.PromotionStatus) bool {
	return promotion != nil && (promotion.Step != v1alpha1.StepPreparing || promotion.IntentAt != nil)
}

// notInProduction wants neither a promotion nor a namespace for one.
func (s *stage) notInProduction(ctx context.Context, review *v1alpha1.HardeningReview) error {
	if underWay(review.Status.Promotion) || review.Status.Outcome != "" {
		return fmt.Errorf("%s moved: outcome %q, promotion %+v", review.Name, review.Status.Outcome, review.Status.Promotion)
	}
	identity := names.Identity{Namespace: review.Namespace, Name: review.Spec.Prototype.Name, UID: review.Spec.Prototype.UID}
	err := s.admin.Get(ctx, client.ObjectKey{Name: identity.Production()}, &corev1.Namespace{})
	if apierrors.IsNotFound(err) {
		return nil
	}
	return errors.Join(fmt.Errorf("namespace %s is there", identity.Production()), err)
}
