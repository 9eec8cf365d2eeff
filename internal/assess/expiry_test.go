package assess

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/affineur/affineur/api/v1alpha1"
)

// seen are guards that were looked at, at a time of the API server.
type seen struct {
	guards
	at time.Time
}

func (s seen) SeenAt() time.Time { return s.at }

// An approval must hold for as long as is needed: what would be taken back before its end lets nothing in.
func TestApprovalsMustLast(t *testing.T) {
	rec := asked(t, "security")
	rec.Requirements.ApprovalsValidForSeconds = 7200
	made := []v1alpha1.HardeningDecision{decide(rec, 0, approve, "security", reviewer).HardeningDecision}
	const soak = 30 * time.Minute
	for name, test := range map[string]struct {
		after, needed time.Duration
		approved      bool
		until         time.Duration
	}{
		"long before":                    {after: time.Hour, needed: soak, approved: true, until: 90 * time.Minute},
		"just long enough":               {after: 90*time.Minute - time.Second, needed: soak, approved: true, until: 90 * time.Minute},
		"not long enough":                {after: 90 * time.Minute, needed: soak},
		"long enough where it soaks now": {after: 90 * time.Minute, approved: true, until: 2 * time.Hour},
		"over":                           {after: 2 * time.Hour, needed: soak},
	} {
		got := Decisions(rec, reviewUID, opened, made, guards(nil), opened.Add(test.after), test.needed)
		if got.Approved() != test.approved {
			t.Errorf("%s: approved %v: %v", name, got.Approved(), said(got))
		}
		if test.until != 0 && !got.Until.Equal(opened.Add(test.until)) {
			t.Errorf("%s: until %s", name, got.Until)
		}
		if why := got.Decisions[0]; !test.approved && (why.Why != v1alpha1.WhyExpired || !strings.Contains(why.Message, opened.Add(2*time.Hour).UTC().Format(time.RFC3339))) {
			t.Errorf("%s: says %s: %s", name, why.Why, why.Message)
		}
	}
}

// A clock that lags keeps no approval that the API server knows to be over.
func TestApprovalsExpireByTheLatestTime(t *testing.T) {
	rec := asked(t, "security=2")
	rec.Requirements.ApprovalsValidForSeconds = 7200
	first := decide(rec, 0, approve, "security", reviewer).named("1").HardeningDecision
	late := decide(rec, 121, approve, "security", deputy).named("2").HardeningDecision
	elsewhere := late
	elsewhere.Spec.Review.Name = "another-1"
	for name, test := range map[string]struct {
		made   []v1alpha1.HardeningDecision
		guards Guards
		want   []string
	}{
		"nobody knows better":             {[]v1alpha1.HardeningDecision{first}, guards(nil), []string{"1: counts"}},
		"a later decision":                {[]v1alpha1.HardeningDecision{first, late}, guards(nil), []string{"1: " + v1alpha1.WhyExpired, "2: counts"}},
		"a later decision elsewhere":      {[]v1alpha1.HardeningDecision{first, elsewhere}, guards(nil), []string{"1: " + v1alpha1.WhyExpired}},
		"the guards were measured later":  {[]v1alpha1.HardeningDecision{first}, seen{at: opened.Add(2 * time.Hour)}, []string{"1: " + v1alpha1.WhyExpired}},
		"the guards were measured before": {[]v1alpha1.HardeningDecision{first}, seen{at: opened}, []string{"1: counts"}},
	} {
		got := Decisions(rec, reviewUID, opened, test.made, test.guards, opened.Add(time.Minute), 0)
		if diff := cmp.Diff(test.want, said(got)); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}
