package quality

import (
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/internal/evidence"
	"github.com/affineur/affineur/internal/examples"
	"github.com/affineur/affineur/internal/gate"
)

// Who keeps to its own timeout gets the time for that, if not at first; who never answers does not.
func TestTimeForSlowPrototypes(t *testing.T) {
	taking := func(d time.Duration) evidence.CaseAnswer {
		return evidence.CaseAnswer{Outcome: evidence.CaseRight, Took: evidence.MicrosOf(d)}
	}
	hung := evidence.CaseAnswer{Outcome: evidence.CaseUnanswered, Failure: evidence.AskTimeout, Took: evidence.MicrosOf(10 * time.Minute)}
	const first = 50*5*time.Second + time.Minute
	for name, c := range map[string]struct {
		examples int
		patience gate.Patience
		timeout  time.Duration
		limit    time.Duration
		before   []evidence.CaseAnswer
		want     time.Duration
	}{
		"at first":                {100, 1, time.Minute, 0, nil, first},
		"at first, in production": {100, 1, time.Minute, 0, []evidence.CaseAnswer{taking(20 * time.Second), lost}, 50*40*time.Second + time.Minute},
		"at first, and fast":      {100, 1, time.Minute, 0, []evidence.CaseAnswer{taking(time.Second), lost}, first},
		"again":                   {100, 2, time.Minute, 0, []evidence.CaseAnswer{taking(50 * time.Second), lost}, 50*time.Minute + time.Minute},
		"once more":               {100, 3, time.Minute, 0, []evidence.CaseAnswer{taking(50 * time.Second), lost}, 50*time.Minute + time.Minute},
		"again, at its pace":      {100, 2, time.Minute, 0, []evidence.CaseAnswer{taking(20 * time.Second), lost}, 50*40*time.Second + time.Minute},
		"again, and fast":         {100, 2, time.Minute, 0, []evidence.CaseAnswer{taking(time.Second), wrong}, 2 * first},
		"again, and a large set":  {500, 2, time.Minute, 0, []evidence.CaseAnswer{taking(50 * time.Second), lost}, longest},
		"again, and a limit":      {100, 2, time.Minute, 20 * time.Minute, []evidence.CaseAnswer{taking(50 * time.Second), lost}, 20*time.Minute - ending},
		"nothing was measured":    {100, 2, time.Minute, 0, nil, 2 * first},
		"it hangs":                {100, 2, 10 * time.Minute, 0, []evidence.CaseAnswer{hung, lost}, 2 * (first + 9*time.Minute)},
		"it still hangs":          {100, 3, 10 * time.Minute, 0, []evidence.CaseAnswer{hung, lost}, 3 * (first + 9*time.Minute)},
	} {
		t.Run(name, func(t *testing.T) {
			asked := caseOfSet(t, text(c.examples))
			asked.Patience, asked.Record.Subject.Evaluation.Call.Timeout.Duration = c.patience, c.timeout
			if c.limit > 0 {
				asked.Gate.Timeout = &metav1.Duration{Duration: c.limit}
			}
			if c.before != nil {
				set, err := examples.Read([]byte(text(c.examples)))
				if err != nil {
					t.Fatal(err)
				}
				asked.Before = took(t, asked, answered(set, of(8, c.before[0], c.before[0]), of(c.examples-8, c.before[1], c.before[1])))
			}
			runs, err := Instrument{}.Plan(asked, gate.Taken{})
			if err != nil {
				t.Fatal(err)
			}
			if got := runs[0].Order.(*evidence.QualityOrder).Within.Std(); got != c.want || runs[0].Length != c.want+ending {
				t.Errorf("it has %s, and %s in all; want %s", got, runs[0].Length, c.want)
			}
		})
	}
}

func TestWhoMakesTime(t *testing.T) {
	taking := func(d time.Duration) evidence.CaseAnswer {
		return evidence.CaseAnswer{Outcome: evidence.CaseRight, Took: evidence.MicrosOf(d)}
	}
	slow := taking(25 * time.Second)
	for name, c := range map[string]struct {
		atMost time.Duration
		answer evidence.CaseAnswer
		says   string
		owner  v1alpha1.Owner
		hint   string
	}{
		"asking once more": {longest, slow, "60 the time was up (line-42, line-43, line-44, line-45, line-46, line-47, line-48, line-49 …)" +
			"; an answer takes 25s, and all 100 of them, four at a time, 10m50s", v1alpha1.OwnerIT, "measured again, with more time"},
		"IT":           {10 * time.Minute, slow, "10m50s, and the gate has 10m0s", v1alpha1.OwnerIT, "a longer timeout or fewer repeats"},
		"the business": {longest, taking(8 * time.Minute), "3h28m0s, and 3h0m0s is the most that is ever given", v1alpha1.OwnerBusiness, "Answer faster"},
		"not known":    {0, slow, "the time was up", v1alpha1.OwnerIT, "It is measured again."},
		"nobody knows": {longest, right, "the time was up", v1alpha1.OwnerIT, "measured again"},
	} {
		t.Run(name, func(t *testing.T) {
			e := evaluation(t, 100, of(40, c.answer), of(60, lost))
			e.AtMost = c.atMost
			v := Judge(e)
			want(t, v, gate.Inconclusive, v1alpha1.ReasonExamplesNotAsked)
			f := v.Findings[0]
			if !strings.Contains(f.Message, c.says) || f.Owner != c.owner || !strings.Contains(f.Hint, c.hint) {
				t.Errorf("got %+v", f)
			}
		})
	}
}
