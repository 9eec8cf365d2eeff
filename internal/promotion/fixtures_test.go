package promotion

import (
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/internal/names"
	"github.com/affineur/affineur/internal/policy"
	"github.com/affineur/affineur/internal/record"
	"github.com/affineur/affineur/internal/subject"
)

const (
	digestA = "registry.example.org/membership/churn@sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	digestB = "registry.example.org/membership/churn@sha256:bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
)

var (
	start    = time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)
	identity = names.Identity{Namespace: "membership", Name: "churn", UID: "0b7f7b9a-1"}
)

// recordOf makes a sealed record; edits come before the seal.
func recordOf(t *testing.T, ordinal int, image string, edits ...func(*record.Record)) record.Record {
	t.Helper()
	r := record.Record{
		Prototype: identity, Ordinal: ordinal, Title: "Membership: see who leaves", PolicyName: "organisation",
		RequestedBy: "owner@example.org", Authors: []string{"owner@example.org"},
		Subject: subject.Subject{
			Schema:      subject.Schema,
			Destination: subject.Destination{Namespace: identity.Production()},
			Container:   subject.Container{Image: image, Port: 8080, Health: "/healthz", CPU: "250m", Memory: "256Mi"},
		},
		Requirements: policy.Requirements{
			Schema: policy.RequirementsSchema, Tier: "Standard", SoakSeconds: 10, DueSeconds: 3600, DNS: "Cluster",
			Team:      v1alpha1.Team{Name: "membership", Groups: []string{"team-membership"}},
			Limits:    v1alpha1.Resources{CPU: "2", Memory: "4Gi"},
			Approvals: []policy.Approval{{Role: "security", Groups: []string{"it-security"}, Quorum: 1}},
			Production: v1alpha1.ProductionPolicy{
				Replicas: v1alpha1.ReplicaRange{Min: 2, Max: 4},
				Ingress: v1alpha1.IngressPolicy{From: []v1alpha1.IngressSource{{
					Pods: &v1alpha1.PodSource{Namespace: "ingress", PodLabels: map[string]string{"app": "gateway"}},
				}}},
			},
		},
	}
	for _, edit := range edits {
		edit(&r)
	}
	sealed, err := r.Seal()
	if err != nil {
		t.Fatal(err)
	}
	return sealed
}

func prototypeOf(target v1alpha1.Target) *v1alpha1.AIPrototype {
	return &v1alpha1.AIPrototype{
		ObjectMeta: metav1.ObjectMeta{Namespace: identity.Namespace, Name: identity.Name, UID: types.UID(identity.UID)},
		Spec:       v1alpha1.AIPrototypeSpec{Target: target},
	}
}

// reviewOf is the view of a record; passed and approved as far as its status says.
func reviewOf(r record.Record) *v1alpha1.HardeningReview {
	review := r.Review(prototypeOf(v1alpha1.TargetProduction))
	review.UID = types.UID("review-" + review.Name)
	review.Generation = 1
	review.CreationTimestamp = metav1.NewTime(start)
	for _, kind := range []string{v1alpha1.ConditionGatesPassed, v1alpha1.ConditionApproved} {
		review.Status.Conditions = append(review.Status.Conditions, metav1.Condition{
			Type: kind, Status: metav1.ConditionTrue, Reason: "Test", LastTransitionTime: metav1.NewTime(start), ObservedGeneration: 1,
		})
	}
	return review
}

// approval of a review's record in the role security.
func approval(r record.Record, by string) *v1alpha1.HardeningDecision {
	return &v1alpha1.HardeningDecision{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: identity.Namespace, Name: r.Prototype.Review(r.Ordinal) + "-security-" + by[:4],
			CreationTimestamp: metav1.NewTime(start.Add(time.Minute)),
		},
		Spec: v1alpha1.HardeningDecisionSpec{
			Review:       v1alpha1.ObjectIdentity{Name: r.Prototype.Review(r.Ordinal), UID: "review-" + r.Prototype.Review(r.Ordinal)},
			ReviewDigest: r.ReviewDigest, Role: "security", Verdict: v1alpha1.VerdictApprove,
			By: by, Groups: []string{"it-security"},
		},
	}
}
