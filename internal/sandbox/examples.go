package sandbox

import (
	"context"
	"errors"
	"fmt"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/internal/evidence"
	"github.com/affineur/affineur/internal/examples"
	"github.com/affineur/affineur/internal/policy"
	"github.com/affineur/affineur/internal/record"
	"github.com/affineur/affineur/internal/registry"
	"github.com/affineur/affineur/internal/subject"
)

// maxPacked bounds a packed set: it is kept in the record, beside everything else, in one object.
const maxPacked = 256 << 10

// evaluationSet is what the evaluation names, as it was read.
type evaluationSet struct {
	subject.Examples
	packed []byte
}

// examples reads the evaluation set from where the evaluation says it is. What is wrong with it stands in nobody's way in a
// sandbox: the quality gate says it, from the first day.
func (o *observer) examples(ctx context.Context, s *Snapshot, seen *remembered) (evaluationSet, error) {
	prototype, evaluation := s.Prototype, s.Prototype.Spec.Evaluation
	switch {
	case evaluation == nil:
		return evaluationSet{}, nil
	case evaluation.Examples.Secret != nil:
		return o.guardedExamples(ctx, prototype.Namespace, *evaluation.Examples.Secret)
	case evaluation.Examples.Artifact != "":
		return o.pushedExamples(ctx, s, seen)
	case evaluation.Examples.ConfigMap == nil:
		return evaluationSet{}, nil
	}
	from := evaluation.Examples.ConfigMap
	var object corev1.ConfigMap
	err := o.live.Get(ctx, client.ObjectKey{Namespace: prototype.Namespace, Name: from.Name}, &object)
	if err != nil && !apierrors.IsNotFound(err) {
		return evaluationSet{}, err
	}
	text, there := object.Data[from.Key]
	if !there {
		return unusable("it is not there"), nil
	}
	return examined([]byte(text)), nil
}

// guardedExamples reads the set from a Secret that the team granted.
func (o *observer) guardedExamples(ctx context.Context, namespace string, from v1alpha1.SecretKey) (evaluationSet, error) {
	data, problem, err := o.maker.Granted(ctx, namespace, from.Name)
	switch {
	case err != nil:
		return evaluationSet{}, err
	case problem != nil:
		return unusable(problem.Message + " " + problem.Hint), nil
	}
	raw, there := data[from.Key]
	if !there {
		return unusable("its key is not there"), nil
	}
	return examined(raw), nil
}

// pushedExamples are those of an artifact: fetched once for every change of the spec and every request for a new look, like
// the image. Until the registry answers, what the reference stood for before goes on: an hour without a registry makes no
// other subject.
func (o *observer) pushedExamples(ctx context.Context, s *Snapshot, seen *remembered) (evaluationSet, error) {
	reference := s.Prototype.Spec.Evaluation.Examples.Artifact
	if s.Policy == nil {
		return o.pushedBefore(ctx, s, seen, unusable("no policy says which registry may be asked"))
	}
	via, allowed := policy.RegistryOf(s.Policy, reference)
	if !allowed {
		return unusable("the policy names no registry that holds " + reference), nil
	}
	key, err := subject.Digest(struct {
		Reference, Request string
		Via                v1alpha1.Registry
	}{reference, s.request(), via})
	if err != nil {
		return evaluationSet{}, err
	}
	if seen.setKey == key {
		return seen.set, nil
	}
	found, err := o.resolver.Artifact(ctx, reference, via, examples.MaxBytes)
	var refused *registry.Error
	switch {
	case errors.As(err, &refused) && refused.Passing:
		return o.pushedBefore(ctx, s, seen, unusable(refused.Message))
	case errors.As(err, &refused):
		return unusable(refused.Message), nil
	case err != nil:
		return evaluationSet{}, err
	}
	set := examined(found.Content)
	if set.Problem != "" {
		return set, nil
	}
	set.Artifact, set.Guarded = found.Pinned, found.Guarded
	seen.setKey, seen.setReference, seen.set = key, reference, set
	return set, nil
}

// pushedBefore is what the same reference stood for when it was last asked for, or when the newest review was opened; else
// what is given.
func (o *observer) pushedBefore(ctx context.Context, s *Snapshot, seen *remembered, otherwise evaluationSet) (evaluationSet, error) {
	reference := s.Prototype.Spec.Evaluation.Examples.Artifact
	if seen.setReference == reference {
		return seen.set, nil
	}
	var list appsv1.ControllerRevisionList
	if err := o.live.List(ctx, &list, client.InNamespace(v1alpha1.RecordsNamespace),
		client.MatchingLabels{v1alpha1.LabelManagedBy: v1alpha1.ManagedBy, v1alpha1.LabelPrototypeUID: s.Identity.UID}); err != nil {
		return evaluationSet{}, err
	}
	newest := readRecords(list.Items, nil).Newest
	if newest == nil || newest.Subject.Evaluation == nil {
		return otherwise, nil
	}
	kept := newest.Subject.Evaluation.Examples
	if before, _, _ := strings.Cut(kept.Artifact, "@"); kept.Artifact != reference && before != reference {
		return otherwise, nil
	}
	return evaluationSet{Examples: kept, packed: newest.Examples}, nil
}

// examined is a set that was read through, or what is wrong with it.
func examined(raw []byte) evaluationSet {
	set, err := examples.Read(raw)
	if err == nil {
		_, err = set.Compile()
	}
	if err != nil {
		return unusable(err.Error())
	}
	packed, err := record.Pack(raw)
	switch {
	case err != nil:
		return unusable(err.Error())
	case len(packed) > maxPacked:
		return unusable(fmt.Sprintf("it has %d bytes when packed, and %d are allowed", len(packed), maxPacked))
	}
	return evaluationSet{Examples: subject.Examples{Digest: set.Digest}, packed: packed}
}

func unusable(why string) evaluationSet {
	return evaluationSet{Examples: subject.Examples{Problem: evidence.Clean(strings.TrimSuffix(why, "."), 256)}}
}
