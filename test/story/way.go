package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/internal/names"
	"github.com/affineur/affineur/internal/workload"
	"github.com/affineur/affineur/test/story/manifest"
)

// Prototypes on the way to production, and their first reviews.
const (
	churnAdvisor   = "churn-advisor"
	courseOutliner = "course-outliner"
	firstReview    = churnAdvisor + "-1"
)

// enterSandbox has the head of membership apply the sample, and waits until it runs, isolated.
func (s *stage) enterSandbox(ctx context.Context) error {
	lead := s.cast[membershipLead]
	if err := s.apply(ctx, lead, "prototype-churn-advisor.yaml"); err != nil {
		return err
	}
	s.result.Prototype = membership + "/" + churnAdvisor
	prototype := prototypeOf(membership, churnAdvisor)
	if err := s.prototype(ctx, lead, prototype, inSandbox); err != nil {
		if isolated := (stopped{}); errors.As(err, &isolated) {
			return cmp.Or(s.stayedOut(ctx, lead, prototype), err)
		}
		return err
	}
	isolation := prototype.Status.Sandbox.Isolation
	s.out.say("isolation is %s: %s", isolation.Verdict, isolation.Message)
	s.out.say("%s is %s", prototype.Status.Image.Requested, prototype.Status.Image.Resolved)
	if err := s.tellStart(ctx, prototype); err != nil {
		return err
	}
	_, err := s.kubectlAffineur(ctx, lead, "status", churnAdvisor)
	return err
}

// stayedOut wants that nothing of a prototype runs whose sandbox is not isolated, and shows what its team is told.
func (s *stage) stayedOut(ctx context.Context, who *actor, prototype *v1alpha1.AIPrototype) error {
	if _, err := s.kubectlAffineur(ctx, who, "status", prototype.Name); err != nil {
		return err
	}
	var pods corev1.PodList
	err := s.admin.List(ctx, &pods, client.InNamespace(names.Of(prototype).Sandbox()), client.MatchingLabels{v1alpha1.LabelComponent: workload.ComponentPrototype})
	if err != nil {
		return err
	}
	if len(pods.Items) > 0 {
		return fmt.Errorf("the sandbox is not isolated, and %d pods of the prototype are there", len(pods.Items))
	}
	s.out.say("no pod of the prototype was started")
	return nil
}

// inSandbox tells whether a prototype runs in its sandbox, and gives up where the cluster does not isolate it.
func inSandbox(p *v1alpha1.AIPrototype) (bool, error) {
	conditions, generation := p.Status.Conditions, p.Generation
	isolated := current(conditions, v1alpha1.ConditionNetworkIsolated, generation)
	if isolated != nil && isolated.Status == metav1.ConditionFalse && isolated.Reason == v1alpha1.ReasonNotEnforced {
		return false, stopped{reason: isolated.Reason, message: isolated.Message}
	}
	return holds(conditions, v1alpha1.ConditionReady, generation) && holds(conditions, v1alpha1.ConditionNetworkIsolated, generation) &&
		holds(conditions, v1alpha1.ConditionSandboxReady, generation) && p.Status.Sandbox != nil && p.Status.Sandbox.Isolation != nil &&
		p.Status.Image != nil, nil
}

// promote has the head of membership ask for production. course-outliner starts its way meanwhile.
func (s *stage) promote(ctx context.Context) error {
	lead := s.cast[membershipLead]
	if _, err := s.kubectlAffineur(ctx, lead, "promote", churnAdvisor, "--message", "the renewal season starts in May"); err != nil {
		return err
	}
	review := reviewOf(membership, firstReview)
	if err := s.review(ctx, lead, review, func(*v1alpha1.HardeningReview) (bool, error) { return true, nil }); err != nil {
		return err
	}
	s.result.Subject = review.Spec.SubjectDigest
	s.out.say("review %s of subject %s, tier %s, asked by %s", review.Name, review.Spec.SubjectDigest, review.Spec.Tier, review.Spec.RequestedBy)
	teacher := s.cast[educationLead]
	if err := s.apply(ctx, teacher, "prototype-course-outliner.yaml"); err != nil {
		return err
	}
	_, err := s.kubectlAffineur(ctx, teacher, "promote", courseOutliner)
	return err
}

// passGates waits until every gate of the first review was measured, and passed.
func (s *stage) passGates(ctx context.Context) error {
	review := reviewOf(membership, firstReview)
	if err := s.review(ctx, s.cast[membershipLead], review, gatesPassed); err != nil {
		return err
	}
	s.sayGates(review)
	return s.applyHoley(ctx, "leaky-advisor", "slow-advisor")
}

// gatesPassed tells whether every required gate passed, and gives up when one failed.
func gatesPassed(r *v1alpha1.HardeningReview) (bool, error) {
	for _, gate := range r.Status.Gates {
		if gate.Verdict == v1alpha1.GateFailed {
			return false, fmt.Errorf("gate %s failed: %s", gate.Name, gate.Message)
		}
	}
	return holds(r.Status.Conditions, v1alpha1.ConditionGatesPassed, r.Generation), nil
}

func (s *stage) sayGates(review *v1alpha1.HardeningReview) {
	for _, gate := range review.Status.Gates {
		s.out.say("%s: gate %s %s: %s", review.Name, gate.Name, strings.ToLower(string(gate.Verdict)), gate.Message)
	}
}

// approve has the two reviewers approve under their own names. Between them somebody moves the image's tag.
func (s *stage) approve(ctx context.Context) error {
	security, operations := s.cast[securityReviewer], s.cast[operationsReviewer]
	if _, err := s.kubectlAffineur(ctx, security, "approve", firstReview, "--role", "security", "--reason", "isolation and image are in order", "--yes"); err != nil {
		return err
	}
	if err := s.moveTag(ctx, "churn-advisor-1.4", "churn-advisor-1.5"); err != nil {
		return err
	}
	if _, err := s.kubectlAffineur(ctx, operations, "approve", firstReview, "--role", "operations", "--reason", "carries the declared load", "--yes"); err != nil {
		return err
	}
	review := reviewOf(membership, firstReview)
	return s.review(ctx, security, review, func(r *v1alpha1.HardeningReview) (bool, error) {
		return holds(r.Status.Conditions, v1alpha1.ConditionApproved, r.Generation), nil
	})
}

// approveQuietly has both reviewers approve a review, whatever its gates say, and shows only that they did.
func (s *stage) approveQuietly(ctx context.Context, review *v1alpha1.HardeningReview) error {
	for _, reviewer := range []struct {
		who  *actor
		role string
	}{{s.cast[securityReviewer], "security"}, {s.cast[operationsReviewer], "operations"}} {
		if _, err := s.runPlugin(ctx, reviewer.who, "approve", review.Name, "-n", review.Namespace, "--role", reviewer.role, "--yes"); err != nil {
			return err
		}
		s.out.say("%s approved %s as %s", reviewer.who, review.Name, reviewer.role)
	}
	return nil
}

// awaitProduction waits until the reviewed subject serves and has soaked.
func (s *stage) awaitProduction(ctx context.Context) error {
	lead := s.cast[membershipLead]
	if err := s.review(ctx, lead, reviewOf(membership, firstReview), serving); err != nil {
		return err
	}
	prototype := prototypeOf(membership, churnAdvisor)
	if err := s.prototype(ctx, lead, prototype, inProduction(s.result.Subject)); err != nil {
		return err
	}
	s.out.say("%s serves in %s at %s", prototype.Status.Production.SubjectDigest, prototype.Status.Production.Namespace, prototype.Status.Production.URL)
	if _, err := s.kubectlAffineur(ctx, lead, "status", churnAdvisor); err != nil {
		return err
	}
	return s.applyHoley(ctx, "lonely-advisor", curiousAdvisor)
}

// serving tells whether a review's subject serves, and gives up when it was taken back.
func serving(r *v1alpha1.HardeningReview) (bool, error) {
	promotion := r.Status.Promotion
	if promotion == nil {
		return false, nil
	}
	if promotion.Step == v1alpha1.StepRolledBack {
		return false, fmt.Errorf("%s was rolled back: %s: %s", r.Name, promotion.Reason, promotion.Message)
	}
	return promotion.Step == v1alpha1.StepServing && holds(r.Status.Conditions, v1alpha1.ConditionPromoted, r.Generation) &&
		r.Status.Outcome == v1alpha1.OutcomePromoted, nil
}

// inProduction tells whether exactly this subject serves.
func inProduction(subject string) func(*v1alpha1.AIPrototype) (bool, error) {
	return func(p *v1alpha1.AIPrototype) (bool, error) {
		return p.Status.Production != nil && p.Status.Production.SubjectDigest == subject &&
			holds(p.Status.Conditions, v1alpha1.ConditionInProduction, p.Generation), nil
	}
}

// secondWay takes course-outliner through its review, and asks it in production.
func (s *stage) secondWay(ctx context.Context) error {
	lead := s.cast[educationLead]
	if err := s.prototype(ctx, lead, prototypeOf(education, courseOutliner), inSandbox); err != nil {
		return err
	}
	review := reviewOf(education, courseOutliner+"-1")
	if err := s.review(ctx, lead, review, gatesPassed); err != nil {
		return err
	}
	s.sayGates(review)
	if err := s.approveQuietly(ctx, review); err != nil {
		return err
	}
	if err := s.review(ctx, lead, review, serving); err != nil {
		return err
	}
	return s.callOutliner(ctx, review.Status.Promotion.URL)
}

// look ends the story with what everybody sees.
func (s *stage) look(ctx context.Context) error {
	for _, lead := range []*actor{s.cast[membershipLead], s.cast[educationLead]} {
		if _, err := s.kubectlAffineur(ctx, lead, "status"); err != nil {
			return err
		}
	}
	return nil
}

// applyHoley applies prototypes with a hole. They go their way while the story goes on, a few at a time: every load
// measurement takes half a processor.
func (s *stage) applyHoley(ctx context.Context, names ...string) error {
	objects, err := manifest.Decode(manifest.For(holeyManifest, s.registry))
	if err != nil {
		return err
	}
	lead := s.cast[membershipLead]
	for _, object := range objects {
		if !slices.Contains(names, object.GetName()) {
			continue
		}
		if err := manifest.Apply(ctx, lead, owner, object); err != nil {
			return err
		}
		s.out.say("%s applied %s, which has a hole, for later", lead, object.GetName())
	}
	return nil
}
