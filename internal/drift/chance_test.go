package drift

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/internal/evidence"
	"github.com/affineur/affineur/internal/examples"
	"github.com/affineur/affineur/internal/gate"
	"github.com/affineur/affineur/internal/gate/quality"
	"github.com/affineur/affineur/internal/gate/stats"
	"github.com/affineur/affineur/internal/names"
	"github.com/affineur/affineur/internal/record"
	"github.com/affineur/affineur/internal/subject"
)

// wavering is a prototype of which some of 100 examples are not always right: each of two answers to one of them is so often.
type wavering struct {
	examples int
	right    float64
}

// dice are throws that are the same each time, and the case that they are about.
type dice struct {
	*rand.Rand
	asked gate.Case
	set   examples.Set
}

func throw(t *testing.T) dice {
	t.Helper()
	var text strings.Builder
	text.WriteString("question,expected\n")
	for i := range 100 {
		fmt.Fprintf(&text, "question %d,yes\n", i)
	}
	set, err := examples.Read([]byte(text.String()))
	if err != nil {
		t.Fatal(err)
	}
	packed, err := record.Pack([]byte(text.String()))
	if err != nil {
		t.Fatal(err)
	}
	return dice{rand.New(rand.NewPCG(1, 2)), gate.Case{
		Record: record.Record{
			Prototype: names.Identity{Namespace: "membership", Name: "churn", UID: "u"}, Ordinal: 1, ReviewDigest: "sha256:" + strings.Repeat("a", 64), Examples: packed,
			Subject: subject.Subject{Evaluation: &subject.Evaluation{
				Examples: subject.Examples{Digest: set.Digest},
				Call: v1alpha1.EvaluationCall{Timeout: metav1.Duration{Duration: time.Second},
					JSON: &v1alpha1.JSONCall{Method: "POST", Path: "/", Input: "/text", Answer: "/label"}},
			}},
		},
		Gate:     v1alpha1.Gate{Name: "quality", Type: v1alpha1.GateQuality, Quality: &v1alpha1.QualityGate{MinimumExamples: 100, PassRateLowerBound: "0.90", Repeats: 2}},
		Patience: 1, Now: now,
	}, set}
}

// answers of a day, and how many examples were right. Of those that are, the given share stays so.
func (d dice) answers(w wavering, stays float64) (gate.Measurement, int64) {
	result := &evidence.QualityResult{Digest: d.set.Digest}
	right := int64(0)
	for i, e := range d.set.Examples {
		answers := make([]evidence.CaseAnswer, 2)
		broken, all := d.Float64() >= stays, true
		for j := range answers {
			answers[j] = evidence.CaseAnswer{Outcome: evidence.CaseRight, Took: 1}
			if broken || i < w.examples && d.Float64() >= w.right {
				answers[j], all = evidence.CaseAnswer{Outcome: evidence.CaseWrong, Kind: "equals", Took: 1}, false
			}
		}
		if all {
			right++
		}
		result.Cases = append(result.Cases, evidence.CaseResult{ID: e.ID, Answers: answers})
	}
	return gate.Measurement{Report: &evidence.Report{
		Schema: evidence.ReportSchema, Nonce: "0123456789abcdef", Subject: d.asked.Record.ReviewDigest, StartedAt: now, FinishedAt: now, Result: result,
	}}, right
}

// approved is the evaluation with which a prototype got through, on the luckiest of four days at most; false where on none.
func (d dice) approved(w wavering) (gate.Measurement, bool) {
	for look := range stats.Look(4) {
		if m, right := d.answers(w, 1); look.Shows(right, 100, 0.90) {
			return m, true
		}
	}
	return gate.Measurement{}, false
}

// drifts is the day from 1 on which a drift is told, 0 where none is. What is doubtful is asked again the same day.
func (d dice) drifts(w wavering, stays float64, days int) int {
	for {
		approved, passed := d.approved(w)
		if !passed {
			continue
		}
		s := unmeasured("churn-1", 0, now)
		for day := 1; day <= days; day++ {
			for again := true; again; again = s.doubtful() {
				answers, _ := d.answers(w, stays)
				s = s.conclude(quality.Compare(d.asked, approved, answers), s.Number+1, "r", now)
			}
			if s.Verdict == Drifted {
				return day
			}
		}
		return 0
	}
}

// Prototypes whose answers waver, and which got through on a good day, are hardly ever said to drift in a month of daily
// looks while nothing changes; and one that loses a fifth of its right answers is found within three days.
func TestUnchangedIsNotDrifted(t *testing.T) {
	const lives = 40
	for _, w := range []wavering{{20, 0.80}, {30, 0.90}, {20, 0.85}, {40, 0.97}} {
		t.Run(fmt.Sprintf("%d right %v", w.examples, w.right), func(t *testing.T) {
			t.Parallel()
			d := throw(t)
			alarms, found := 0, 0
			for range lives {
				if d.drifts(w, 1, 30) > 0 {
					alarms++
				}
				if d.drifts(w, 0.79, 3) > 0 {
					found++
				}
			}
			t.Logf("of %d, %d are said to drift in 30 days while nothing changes; %d are found within 3 days after a fifth broke", lives, alarms, found)
			if 20*alarms > lives || 20*found < 19*lives {
				t.Errorf("%d false alarms, %d found, of %d", alarms, found, lives)
			}
		})
	}
}
