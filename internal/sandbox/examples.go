package sandbox

import (
	"context"
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/internal/evidence"
	"github.com/affineur/affineur/internal/examples"
	"github.com/affineur/affineur/internal/record"
	"github.com/affineur/affineur/internal/subject"
)

// maxPacked bounds a packed set: it is kept in the record, beside everything else, in one object.
const maxPacked = 256 << 10

// evaluationSet is what the evaluation names, as it was read.
type evaluationSet struct {
	subject.Examples
	packed []byte
}

// examples reads the evaluation set from the ConfigMap or the Secret that the evaluation names. What is wrong with it stands in nobody's
// way in a sandbox: the quality gate says it, from the first day.
func (o *observer) examples(ctx context.Context, prototype *v1alpha1.AIPrototype) (evaluationSet, error) {
	evaluation := prototype.Spec.Evaluation
	switch {
	case evaluation == nil:
		return evaluationSet{}, nil
	case evaluation.Examples.Secret != nil:
		return o.guardedExamples(ctx, prototype.Namespace, *evaluation.Examples.Secret)
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
