package run

import (
	"testing"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	"github.com/affineur/affineur/internal/assess"
	"github.com/affineur/affineur/internal/evidence"
	"github.com/affineur/affineur/internal/names"
	"github.com/affineur/affineur/internal/record"
)

// A report that was tampered with is not left out: the one before it would speak in its place. Those of others are.
func TestReportsThatCantBeVerified(t *testing.T) {
	identity := names.Identity{Namespace: "membership", Name: "churn-advisor", UID: "11111111-0000-4000-8000-000000000000"}
	other := identity
	other.UID = "22222222-0000-4000-8000-000000000000"
	objects := fake.NewClientBuilder()
	for _, r := range []record.Report{
		{Prototype: identity, Gate: "gate-load", Ordinal: 3, Attempt: 1, Name: "good", MeasuredAt: made, Body: []byte("{}")},
		{Prototype: identity, Gate: "gate-load", Ordinal: 3, Attempt: 2, Name: "tampered", MeasuredAt: made.Add(time.Hour), Body: []byte(`{"a":1}`)},
		{Prototype: other, Gate: "gate-load", Ordinal: 3, Attempt: 3, Name: "other", MeasuredAt: made, Body: []byte("{}")},
	} {
		object, err := r.Object()
		if err != nil {
			t.Fatal(err)
		}
		if r.Name == "tampered" {
			object.Data["digest"] = evidence.Digest(nil)
		}
		objects.WithObjects(object)
	}
	reports, err := Reports(t.Context(), objects.Build(), identity)
	if err != nil || len(reports) != 2 {
		t.Fatalf("%+v, %v", reports, err)
	}
	for _, r := range reports {
		tampered := r.Name == "tampered"
		if r.Gate != "gate-load" || r.Ordinal != 3 || tampered != (r.Attempt == 2) || tampered && assess.Open(r).Lost == "" {
			t.Errorf("%+v: %+v", r, assess.Open(r))
		}
	}
}
