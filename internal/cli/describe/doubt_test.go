package describe

import (
	"strings"
	"testing"

	"github.com/affineur/affineur/api/v1alpha1"
)

func TestReviewSaysWhoseAuthorsAreInDoubt(t *testing.T) {
	review := &v1alpha1.HardeningReview{Spec: v1alpha1.HardeningReviewSpec{RequestedBy: "membership-lead@example.org", Authors: []string{"membership-lead@example.org"}}}
	const line = "it can't be told who wrote it: a pipeline did; where approvals are asked, it takes one more person"
	if page := Review(review, nil, now, false); strings.Contains(page, "can't be told") {
		t.Errorf("a doubt that nobody has: %s", page)
	}
	review.Spec.AuthorsDoubt = "a pipeline did"
	if page := strings.Join(strings.Fields(Review(review, nil, now, false)), " "); !strings.Contains(page, line) {
		t.Errorf("the doubt is missing: %s", page)
	}
}
