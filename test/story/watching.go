package main

import (
	"context"
	"fmt"

	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/test/story/await"
)

// prototypeOf is a prototype that is about to be read.
func prototypeOf(namespace, name string) *v1alpha1.AIPrototype {
	return &v1alpha1.AIPrototype{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}}
}

// reviewOf is a review that is about to be read.
func reviewOf(namespace, name string) *v1alpha1.HardeningReview {
	return &v1alpha1.HardeningReview{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}}
}

// prototype waits, as one person, until a prototype is as done wants it, and tells what becomes of it meanwhile.
func (s *stage) prototype(ctx context.Context, who *actor, p *v1alpha1.AIPrototype, done func(*v1alpha1.AIPrototype) (bool, error)) error {
	said := ""
	err := await.Object(ctx, who, p, func(p *v1alpha1.AIPrototype) (bool, error) {
		s.told(&said, p.Name, p.Status.Conditions, p.Generation)
		return done(p)
	})
	return lastWords(err, said)
}

// review is prototype for a review.
func (s *stage) review(ctx context.Context, who *actor, r *v1alpha1.HardeningReview, done func(*v1alpha1.HardeningReview) (bool, error)) error {
	said := ""
	err := await.Object(ctx, who, r, func(r *v1alpha1.HardeningReview) (bool, error) {
		s.told(&said, r.Name, r.Status.Conditions, r.Generation)
		return done(r)
	})
	return lastWords(err, said)
}

// told says what Ready says, when that changes.
func (s *stage) told(said *string, name string, conditions []metav1.Condition, generation int64) {
	ready := current(conditions, v1alpha1.ConditionReady, generation)
	if ready == nil {
		return
	}
	if line := fmt.Sprintf("%s: %s: %s", name, ready.Reason, ready.Message); line != *said {
		*said = line
		s.out.say("%s", line)
	}
}

func lastWords(err error, said string) error {
	if err != nil && said != "" {
		return fmt.Errorf("%w; it said last: %s", err, said)
	}
	return err
}

// current is a condition that speaks of the present generation, or nil.
func current(conditions []metav1.Condition, name string, generation int64) *metav1.Condition {
	condition := apimeta.FindStatusCondition(conditions, name)
	if condition == nil || condition.ObservedGeneration != generation {
		return nil
	}
	return condition
}

func holds(conditions []metav1.Condition, name string, generation int64) bool {
	condition := current(conditions, name, generation)
	return condition != nil && condition.Status == metav1.ConditionTrue
}
