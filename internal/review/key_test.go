package review

import (
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/internal/evidence"
	"github.com/affineur/affineur/internal/run"
)

// A run's name tells for which review, of what, and for which part of which gate it is made: of two that differ in one of them, neither
// finds the Job of the other.
func TestKeysTellRunsApart(t *testing.T) {
	of := func(uid types.UID, digest string) *v1alpha1.HardeningReview {
		return &v1alpha1.HardeningReview{
			ObjectMeta: metav1.ObjectMeta{Name: identity.Review(3), UID: uid}, Spec: v1alpha1.HardeningReviewSpec{ReviewDigest: digest},
		}
	}
	seen := map[string]string{}
	for name, k := range map[string]string{
		"one":              key(of("1", "a"), "load", ""),
		"another review":   key(of("2", "a"), "load", ""),
		"another digest":   key(of("1", "b"), "load", ""),
		"another gate":     key(of("1", "a"), "quality", ""),
		"another part":     key(of("1", "a"), "load", "x2"),
		"part in the gate": key(of("1", "a"), "loadx2", ""),
	} {
		if other, twice := seen[k]; twice {
			t.Errorf("%s and %s share the key %s", name, other, k)
		}
		seen[k] = name
	}
}

// A runner whose clock is ahead would have its report be newer than everything that is asked or measured after it.
func TestReportsAreOfNoLaterTimeThanNow(t *testing.T) {
	w := newWorld(t)
	s := Snapshot{Record: &w.rec, Review: w.review()}
	m := Measuring{Gate: w.rec.Requirements.Gates[1], Number: 1, Current: &Run{}}
	for _, after := range []time.Duration{-time.Minute, 0, time.Minute} {
		left := run.Result{Opened: &evidence.Opened{Raw: []byte("{}"), Report: &evidence.Report{FinishedAt: w.now.Add(after)}}}
		got, err := s.report(m, "load", left, "", w.now)
		w.must(err)
		if want := w.now.Add(min(after, 0)); !got.MeasuredAt.Equal(want) {
			t.Errorf("measured at %s, %s from now", got.MeasuredAt, after)
		}
	}
}
