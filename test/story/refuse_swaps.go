package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/internal/workload"
	"github.com/affineur/affineur/test/story/await"
)

// refuseSwaps tries to get another image into production than the reviewed one.
func (s *stage) refuseSwaps(ctx context.Context) error {
	if err := s.tagMoved(ctx); err != nil {
		return err
	}
	if err := s.moveTag(ctx, "churn-advisor-1.4", "churn-advisor-1.4"); err != nil {
		return err
	}
	return s.imageChangedAfterApproval(ctx)
}

// tagMoved: the tag was moved before the promotion. What was promoted is what was reviewed, also for a pod that
// starts only now.
func (s *stage) tagMoved(ctx context.Context) error {
	reviewed := s.images["churn-advisor-1.4"].pinned()
	namespace, err := s.production(ctx)
	if err != nil {
		return err
	}
	deployment := &appsv1.Deployment{}
	if err := s.admin.Get(ctx, client.ObjectKey{Namespace: namespace, Name: workload.Name}, deployment); err != nil {
		return err
	}
	if image := deployment.Spec.Template.Spec.Containers[0].Image; image != reviewed {
		return fmt.Errorf("production runs %s, reviewed was %s", image, reviewed)
	}
	if err := s.replaceOnePod(ctx, deployment); err != nil {
		return err
	}
	prototype := prototypeOf(membership, churnAdvisor)
	if err := s.admin.Get(ctx, client.ObjectKeyFromObject(prototype), prototype); err != nil {
		return err
	}
	if err := s.classify(ctx, prototype.Status.Production.URL, "1.4"); err != nil {
		return err
	}
	s.count("whoever may push to the registry", "moving the tag 1.4 to another image after the first approval",
		"production was rendered from the record and runs "+reviewed+", a pod that started after the move as well")
	return nil
}

func (s *stage) production(ctx context.Context) (string, error) {
	prototype := prototypeOf(membership, churnAdvisor)
	if err := s.admin.Get(ctx, client.ObjectKeyFromObject(prototype), prototype); err != nil {
		return "", err
	}
	if prototype.Status.Production == nil {
		return "", errors.New("churn-advisor is not in production")
	}
	return prototype.Status.Production.Namespace, nil
}

// replaceOnePod evicts a pod of production, as a node's drain would, and waits for the one in its place.
func (s *stage) replaceOnePod(ctx context.Context, deployment *appsv1.Deployment) error {
	var pods corev1.PodList
	err := s.admin.List(ctx, &pods, client.InNamespace(deployment.Namespace), client.MatchingLabels(deployment.Spec.Selector.MatchLabels))
	if err != nil || len(pods.Items) == 0 {
		return fmt.Errorf("%s has %d pods: %w", deployment.Namespace, len(pods.Items), err)
	}
	victim := &pods.Items[0]
	if err := s.admin.SubResource("eviction").Create(ctx, victim, &policyv1.Eviction{}); err != nil {
		return fmt.Errorf("evict %s: %w", victim.Name, err)
	}
	s.out.say("evicted pod %s from production, as draining its node would", victim.Name)
	if err := await.Gone(ctx, s.admin, victim); err != nil {
		return err
	}
	return s.rolledOut(ctx, deployment.Namespace, deployment.Name)
}

// imageChangedAfterApproval: security approves revision 1.5, then the team names another image. The approval is of
// no use for it, the review is over, and production serves what was reviewed.
func (s *stage) imageChangedAfterApproval(ctx context.Context) error {
	lead, security := s.cast[membershipLead], s.cast[securityReviewer]
	if err := s.useImage(ctx, lead, s.images["churn-advisor-1.5"].Image); err != nil {
		return err
	}
	second := reviewOf(membership, churnAdvisor+"-2")
	if err := s.review(ctx, security, second, func(*v1alpha1.HardeningReview) (bool, error) { return true, nil }); err != nil {
		return err
	}
	s.out.say("%s opened for %s; production still serves %s", second.Name, second.Spec.SubjectDigest, s.result.Subject)
	if err := s.approveQuietly(ctx, second); err != nil {
		return err
	}
	if err := s.useImage(ctx, lead, s.images["holey-flaky"].Image); err != nil {
		return err
	}
	err := s.review(ctx, security, second, func(r *v1alpha1.HardeningReview) (bool, error) {
		if underWay(r.Status.Promotion) {
			return false, fmt.Errorf("%s is being promoted: %s", r.Name, r.Status.Promotion.Step)
		}
		return r.Status.Outcome == v1alpha1.OutcomeSuperseded, nil
	})
	if err != nil {
		return err
	}
	prototype := prototypeOf(membership, churnAdvisor)
	if err := s.prototype(ctx, lead, prototype, stillServes(s.result.Subject)); err != nil {
		return err
	}
	if err := s.classify(ctx, prototype.Status.Production.URL, "1.4"); err != nil {
		return err
	}
	s.count(lead.String(), "changing the image to "+s.images["holey-flaky"].Image+" after both approved 1.5",
		fmt.Sprintf("%s is %s; production serves %s as before", second.Name, second.Status.Outcome, prototype.Status.Production.SubjectDigest))
	return s.backToReviewed(ctx)
}

// stillServes tells whether a subject serves though the spec names another.
func stillServes(subject string) func(*v1alpha1.AIPrototype) (bool, error) {
	return func(p *v1alpha1.AIPrototype) (bool, error) {
		if p.Status.Production == nil || p.Status.Production.SubjectDigest != subject {
			return false, fmt.Errorf("%s does not serve any more", subject)
		}
		return p.Status.ObservedGeneration == p.Generation && p.Status.SubjectDigest != subject, nil
	}
}

// backToReviewed names the image that serves again.
func (s *stage) backToReviewed(ctx context.Context) error {
	lead := s.cast[membershipLead]
	if err := s.useImage(ctx, lead, s.images["churn-advisor-1.4"].Image); err != nil {
		return err
	}
	return s.prototype(ctx, lead, prototypeOf(membership, churnAdvisor), inProduction(s.result.Subject))
}

// useImage changes the image in the manifest, as a person would.
func (s *stage) useImage(ctx context.Context, who *actor, image string) error {
	prototype := &v1alpha1.AIPrototype{ObjectMeta: metav1.ObjectMeta{Namespace: membership, Name: churnAdvisor}}
	patch := mergePatch(fmt.Sprintf(`{"spec":{"workload":{"container":{"image":%q}}}}`, image))
	if err := who.Patch(ctx, prototype, patch); err != nil {
		return err
	}
	s.out.say("%s changed the image to %s", who, image[strings.LastIndex(image, "/")+1:])
	return nil
}
