package record

import (
	"encoding/json"
	"fmt"
	"strconv"

	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/internal/subject"
)

// Outcome is how a review ended, with what it rested on. It is sealed once and outlives the review.
type Outcome struct {
	Record       string                    `json:"record"`
	ReviewDigest string                    `json:"reviewDigest"`
	Outcome      v1alpha1.ReviewOutcome    `json:"outcome"`
	At           metav1.Time               `json:"at"`
	Gates        []v1alpha1.GateStatus     `json:"gates,omitempty"`
	Decisions    []v1alpha1.DecisionStatus `json:"decisions,omitempty"`
}

// OutcomeName is the name of the outcome of a record.
func OutcomeName(record string) string { return record + "-outcome" }

// Outcome seals how the review of this record ended.
func (r Record) Outcome(o Outcome) (*appsv1.ControllerRevision, error) {
	o.Record, o.ReviewDigest = r.Name(), r.ReviewDigest
	raw, err := subject.Canonical(o)
	if err != nil {
		return nil, err
	}
	labels := r.Prototype.Labels("outcome")
	labels[v1alpha1.LabelReview] = strconv.Itoa(r.Ordinal)
	return &appsv1.ControllerRevision{
		ObjectMeta: metav1.ObjectMeta{Namespace: v1alpha1.RecordsNamespace, Name: OutcomeName(r.Name()), Labels: labels},
		Data:       runtime.RawExtension{Raw: raw},
		Revision:   int64(r.Ordinal),
	}, nil
}

// ReadOutcome opens a sealed outcome. Errors wrap ErrMismatch.
func ReadOutcome(object *appsv1.ControllerRevision) (Outcome, error) {
	var o Outcome
	if err := json.Unmarshal(object.Data.Raw, &o); err != nil {
		return o, fmt.Errorf("%w: %s: %w", ErrMismatch, object.Name, err)
	}
	if OutcomeName(o.Record) != object.Name {
		return o, fmt.Errorf("%w: %s", ErrMismatch, object.Name)
	}
	return o, nil
}
