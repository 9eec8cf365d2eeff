// Package record keeps what a review is about out of everybody's reach: snapshots, frozen requirements, reports
// and outcomes live in the records namespace, immutable, found by name and verified by digest whenever they are
// read. The package is pure: it turns values into objects and back.
package record

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/internal/evidence"
	"github.com/affineur/affineur/internal/names"
	"github.com/affineur/affineur/internal/policy"
	"github.com/affineur/affineur/internal/subject"
)

// Schema names the form of a record.
const Schema = "affineur.dev/record/v1"

// ErrMismatch means that a record does not say what its digests say, or is not the one asked for. Nothing may
// be measured, approved or promoted from it.
var ErrMismatch = errors.New("record does not match its digests")

// Record is what a review is about. It is written once, when the review is opened.
type Record struct {
	Schema        string              `json:"schema"`
	Prototype     names.Identity      `json:"prototype"`
	Ordinal       int                 `json:"ordinal"`
	Title         string              `json:"title"`
	Subject       subject.Subject     `json:"subject"`
	SubjectDigest string              `json:"subjectDigest"`
	Requirements  policy.Requirements `json:"requirements"`
	ReviewDigest  string              `json:"reviewDigest"`
	// PolicyName is for people: what binds is Requirements.
	PolicyName  string   `json:"policyName"`
	RequestedBy string   `json:"requestedBy"`
	Authors     []string `json:"authors"`
	// AuthorsDoubt says why the authors can't be trusted to be all people who wrote it; empty where they can. It asks
	// for one more person, so the review digest covers it like the requirements.
	AuthorsDoubt string `json:"authorsDoubt,omitempty"`
	// Examples is the subject's evaluation set, packed; its digest is in the subject.
	Examples []byte `json:"examples,omitempty"`
	// Baselines are how the revision in production answered, for each gate by its name that compares with it; none where
	// nothing was promoted.
	Baselines map[string]Baseline `json:"baselines,omitempty"`
	// OpenedAt is when the API server took the record: no part of what was written. Zero before it has.
	OpenedAt time.Time `json:"-"`
}

// Baseline is what a new revision is compared with by one gate.
type Baseline struct {
	// Review that it came from, for people.
	Review string `json:"review"`
	// Unasked says why this gate has nothing to compare with: that revision was not asked what the gate asks. "" where it was.
	Unasked string `json:"unasked,omitempty"`
	// Older means that later revisions were promoted, and were not asked what the gate asks.
	Older bool `json:"older,omitempty"`
	// Lost says why it is not known how it answered.
	Lost string `json:"lost,omitempty"`
	// Answers by what was asked, in the words of package quality.
	Answers map[string]string `json:"answers,omitempty"`
}

// reviewed is what the review digest covers.
type reviewed struct {
	Subject string `json:"subject"`
	// Requirements are policy.Requirements, or their JSON as it was stored.
	Requirements any    `json:"requirements"`
	AuthorsDoubt string `json:"authorsDoubt,omitempty"`
}

// stored are the parts of a record that its digests cover, as they were written: a version with other fields must
// not find another digest in them.
type stored struct {
	Subject      json.RawMessage `json:"subject"`
	Requirements json.RawMessage `json:"requirements"`
	AuthorsDoubt string          `json:"authorsDoubt"`
	// Baseline is what earlier versions wrote in place of baselines, when all of a policy's quality gates shared one.
	Baseline *Baseline `json:"baseline"`
}

// baselines of a record that an earlier version wrote. Of several gates it does not say whose it is: then each has lost it, for
// nothing may pass as if nothing had been promoted.
func (s stored) baselines(gates []v1alpha1.Gate) map[string]Baseline {
	if s.Baseline == nil {
		return nil
	}
	old, found := *s.Baseline, map[string]Baseline{}
	for _, g := range gates {
		if g.Type == v1alpha1.GateQuality {
			found[g.Name] = old
		}
	}
	if len(found) > 1 {
		for name := range found {
			found[name] = Baseline{Review: old.Review, Lost: "an earlier version of the operator froze one for several gates, and a new review has each its own"}
		}
	}
	return found
}

func (s stored) digests() (subjectDigest, reviewDigest string, err error) {
	if subjectDigest, err = subject.Digest(s.Subject); err != nil {
		return "", "", err
	}
	reviewDigest, err = subject.Digest(reviewed{Subject: subjectDigest, Requirements: s.Requirements, AuthorsDoubt: s.AuthorsDoubt})
	return subjectDigest, reviewDigest, err
}

// ReviewDigest binds a subject to the requirements that it is measured against, and to the doubt about its authors.
func ReviewDigest(subjectDigest string, requirements policy.Requirements, authorsDoubt string) (string, error) {
	return subject.Digest(reviewed{Subject: subjectDigest, Requirements: requirements, AuthorsDoubt: authorsDoubt})
}

// Seal computes both digests.
func (r Record) Seal() (Record, error) {
	r.Schema = Schema
	var err error
	if r.SubjectDigest, err = subject.Digest(r.Subject); err != nil {
		return r, err
	}
	r.ReviewDigest, err = ReviewDigest(r.SubjectDigest, r.Requirements, r.AuthorsDoubt)
	return r, err
}

// Name of the record's object.
func (r Record) Name() string { return r.Prototype.Record(r.Ordinal) }

// Object is the record as the API server keeps it. A ControllerRevision's data can't be changed once written.
func (r Record) Object() (*appsv1.ControllerRevision, error) {
	raw, err := subject.Canonical(r)
	if err != nil {
		return nil, err
	}
	labels := r.Prototype.Labels("record")
	labels[v1alpha1.LabelReview] = strconv.Itoa(r.Ordinal)
	return &appsv1.ControllerRevision{
		ObjectMeta: metav1.ObjectMeta{Namespace: v1alpha1.RecordsNamespace, Name: r.Name(), Labels: labels},
		Data:       runtime.RawExtension{Raw: raw},
		Revision:   int64(r.Ordinal),
	}, nil
}

// Read opens a record and verifies both digests. Every error but those of the API server wraps ErrMismatch.
func Read(object *appsv1.ControllerRevision) (Record, error) {
	var r Record
	if err := json.Unmarshal(object.Data.Raw, &r); err != nil {
		return r, fmt.Errorf("%w: %s: %w", ErrMismatch, object.Name, err)
	}
	var raw stored
	if err := json.Unmarshal(object.Data.Raw, &raw); err != nil {
		return r, fmt.Errorf("%w: %s: %w", ErrMismatch, object.Name, err)
	}
	subjectDigest, reviewDigest, err := raw.digests()
	if err != nil {
		return r, fmt.Errorf("%w: %s: %w", ErrMismatch, object.Name, err)
	}
	if r.Schema != Schema || subjectDigest != r.SubjectDigest || reviewDigest != r.ReviewDigest || r.Name() != object.Name {
		return r, fmt.Errorf("%w: %s", ErrMismatch, object.Name)
	}
	if _, err := r.EvaluationSet(); err != nil {
		return r, err
	}
	if len(r.Baselines) == 0 {
		r.Baselines = raw.baselines(r.Requirements.Gates)
	}
	r.OpenedAt = object.CreationTimestamp.UTC()
	return r, nil
}

// EvaluationSet is the subject's evaluation set, verified against the subject; nil where it has none. Errors wrap
// ErrMismatch.
func (r Record) EvaluationSet() ([]byte, error) {
	if r.Subject.Evaluation == nil || r.Subject.Evaluation.Digest == "" {
		return nil, nil
	}
	set, err := unpack(r.Examples)
	if err != nil || evidence.Digest(set) != r.Subject.Evaluation.Digest {
		return nil, fmt.Errorf("%w: the evaluation set of %s", ErrMismatch, r.Name())
	}
	return set, nil
}

// Matches is nil when the review speaks of exactly this record. A review is a view that a compromised cluster
// could have written; the record is what counts.
func (r Record) Matches(review *v1alpha1.HardeningReview) error {
	spec := review.Spec
	same := spec.ReviewDigest == r.ReviewDigest && spec.SubjectDigest == r.SubjectDigest &&
		spec.Prototype.UID == r.Prototype.UID && spec.Prototype.Name == r.Prototype.Name &&
		review.Namespace == r.Prototype.Namespace && review.Name == r.Prototype.Review(r.Ordinal) &&
		spec.Tier == r.Requirements.Tier && spec.RequestedBy == r.RequestedBy && slices.Equal(spec.Authors, r.Authors) && spec.AuthorsDoubt == r.AuthorsDoubt
	if !same {
		return fmt.Errorf("%w: review %s/%s speaks of something else than record %s", ErrMismatch, review.Namespace, review.Name, r.Name())
	}
	return nil
}

// Review is the view of the record in the team's namespace.
func (r Record) Review(owner *v1alpha1.AIPrototype) *v1alpha1.HardeningReview {
	return &v1alpha1.HardeningReview{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: r.Prototype.Namespace, Name: r.Prototype.Review(r.Ordinal), Labels: r.Prototype.Labels("review"),
			OwnerReferences: []metav1.OwnerReference{*metav1.NewControllerRef(owner, v1alpha1.GroupVersion.WithKind("AIPrototype"))},
		},
		Spec: v1alpha1.HardeningReviewSpec{
			Prototype:     v1alpha1.ObjectIdentity{Name: r.Prototype.Name, UID: r.Prototype.UID},
			Title:         r.Title,
			SubjectDigest: r.SubjectDigest, ReviewDigest: r.ReviewDigest,
			Tier: r.Requirements.Tier, RequestedBy: r.RequestedBy, Authors: r.Authors, AuthorsDoubt: r.AuthorsDoubt, Record: r.Name(),
		},
	}
}
