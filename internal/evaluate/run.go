// Package evaluate asks a prototype the questions of its evaluation set and tells right answers from wrong ones.
//
// Questions and answers stay in the runner's memory, but for those that the order's judge is shown: what else leaves it are
// the examples' ids, what came of each, and times.
// Where the policy allows reports to hold more, the result shows some that were answered wrongly, as they are: whoever
// runs it makes of them what may be shown.
package evaluate

import (
	"context"
	"errors"
	"strings"
	"sync"
	"time"

	"github.com/affineur/affineur/internal/ask"
	"github.com/affineur/affineur/internal/evidence"
	"github.com/affineur/affineur/internal/examples"
)

// pauses are how long a question waits before it is asked again, where the prototype says that it is asked too often or
// where the runner was at fault. After the last one, that is its result.
var pauses = []time.Duration{time.Second, 2 * time.Second, 4 * time.Second, 8 * time.Second}

const (
	// silentAnswers that did not come, and silence that each of the places for questions in flight waited for nothing on average, after
	// which nobody is asked any more who never answered: a prototype that hangs would keep others waiting for hours. One that
	// fails at once takes nobody's time.
	silentAnswers = 8
	silence       = 5 * time.Minute
)

// evaluation is one run.
type evaluation struct {
	order   evidence.QualityOrder
	set     examples.Set
	checker *examples.Checker
	client  *ask.Client
	dial    ask.Dial

	mu sync.Mutex
	// answers and fingerprints by example and repeat.
	answers      [][]evidence.CaseAnswer
	fingerprints [][]mark
	models       models
	hush         hush
	// wrong are the first wrong answers by example, kept only where the order allows a report to hold them.
	wrong map[int]string
	// right are the first answers by example that were, kept only for a judge.
	right  map[int]string
	judged *evidence.JudgeResult
}

// mark is the fingerprint of an answer; none where there was no answer.
type mark *[32]byte

// Run asks every question of the set as often as the order says, whole set by whole set, so that the same question comes
// again after all others, and then shows right answers to the order's judge, if it has one. raw is the set, and key the one for the
// judge's gateway, "" without one. The error is why nothing could be asked; what the prototype does is no error.
func Run(ctx context.Context, order evidence.QualityOrder, raw []byte, key string, dial ask.Dial) (*evidence.QualityResult, error) {
	e, err := prepare(order, raw, dial)
	if err != nil {
		return nil, err
	}
	defer e.client.Close()
	limited, cancel := context.WithTimeout(ctx, order.Within.Std())
	defer cancel()
	for repeat := range order.Repeats {
		e.round(limited, repeat)
	}
	if order.Judge != nil {
		e.judged = e.judge(ctx, key)
	}
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	return e.result(), nil
}

func prepare(order evidence.QualityOrder, raw []byte, dial ask.Dial) (*evaluation, error) {
	if err := order.Validate(); err != nil {
		return nil, err
	}
	if evidence.Digest(raw) != order.Digest {
		return nil, errors.New("the evaluation set is not the one that was ordered")
	}
	set, err := examples.Read(raw)
	if err != nil {
		return nil, err
	}
	if len(set.Examples) != order.Examples {
		return nil, errors.New("the evaluation set holds another number of examples than was ordered")
	}
	e := &evaluation{order: order, set: set, dial: dial, wrong: map[int]string{}, right: map[int]string{}}
	if e.checker, err = set.Compile(); err != nil {
		return nil, err
	}
	if e.client, err = ask.New(order.Call, dial); err != nil {
		return nil, err
	}
	for range set.Examples {
		e.answers = append(e.answers, make([]evidence.CaseAnswer, order.Repeats))
		e.fingerprints = append(e.fingerprints, make([]mark, order.Repeats))
	}
	return e, nil
}

// round asks every question once.
func (e *evaluation) round(ctx context.Context, repeat int) {
	each(len(e.set.Examples), e.order.InFlight, func(i int) { e.question(ctx, i, repeat) })
}

// each does something with every number below n, so many at a time.
func each(n, inFlight int, do func(int)) {
	next := make(chan int)
	var asking sync.WaitGroup
	for range inFlight {
		asking.Go(func() {
			for i := range next {
				do(i)
			}
		})
	}
	for i := range n {
		next <- i
	}
	close(next)
	asking.Wait()
}

// question asks one question and notes what came of it.
func (e *evaluation) question(ctx context.Context, i, repeat int) {
	input := e.set.Examples[i].Input
	got, failure := ask.Answer{}, evidence.AskGivenUp
	if !e.hopeless() {
		got, failure = patiently(ctx, func() (ask.Answer, evidence.AskFailure) { return e.client.Ask(ctx, input) })
	}
	answer := evidence.CaseAnswer{Failure: failure, Took: evidence.MicrosOf(min(got.Took, evidence.MaxTimeout))}
	var seen mark
	switch {
	case failure.Local():
		answer.Outcome = evidence.CaseLost
	case failure != evidence.AskAnswered:
		answer.Outcome = evidence.CaseUnanswered
	default:
		reply := examples.Reply{Text: got.Text, Refused: got.Refused, Beside: got.Beside}
		made := reply.Fingerprint()
		seen = &made
		answer.Outcome = evidence.CaseRight
		if wrong := e.checker.Wrong(e.set, i, reply); wrong != "" {
			answer.Outcome, answer.Kind = evidence.CaseWrong, string(wrong)
		}
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.answers[i][repeat], e.fingerprints[i][repeat] = answer, seen
	e.hush.hear(answer)
	if _, noted := e.wrong[i]; !noted && answer.Outcome == evidence.CaseWrong && e.order.Content != "" {
		e.wrong[i] = got.Text
	}
	if repeat == 0 && answer.Outcome == evidence.CaseRight && e.order.Judge != nil {
		e.right[i] = strings.Clone(short(got.Text))
	}
	if failure == evidence.AskAnswered {
		e.models.add(got.Model, got.Fingerprint)
	}
}

// hopeless tells whether the prototype never answered, for so long that it is not asked any more.
func (e *evaluation) hopeless() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return !e.hush.answered && e.hush.failed >= silentAnswers && e.hush.waited >= silence*time.Duration(e.order.InFlight)
}

// hush is what was waited for in vain.
type hush struct {
	answered bool
	failed   int
	waited   time.Duration
}

func (h *hush) hear(a evidence.CaseAnswer) {
	switch a.Outcome {
	case evidence.CaseUnanswered:
		h.failed++
		h.waited += a.Took.Std()
	case evidence.CaseRight, evidence.CaseWrong:
		h.answered = true
	}
}

// patiently asks until there is an answer or a failure of which another try says nothing new. No answer that came is
// ever asked for again: that would be choosing.
func patiently(ctx context.Context, try func() (ask.Answer, evidence.AskFailure)) (ask.Answer, evidence.AskFailure) {
	for _, pause := range pauses {
		if ctx.Err() != nil {
			return ask.Answer{}, evidence.AskStopped
		}
		answer, failure := try()
		if failure != evidence.AskThrottled && !failure.Local() {
			return answer, failure
		}
		select {
		case <-ctx.Done():
		case <-time.After(pause):
		}
	}
	if ctx.Err() != nil {
		return ask.Answer{}, evidence.AskStopped
	}
	return try()
}

func (e *evaluation) result() *evidence.QualityResult {
	r := &evidence.QualityResult{Digest: e.order.Digest, Models: e.models.seen, MoreModels: e.models.more, MoreNames: e.models.others, Judge: e.judged}
	for i, example := range e.set.Examples {
		r.Cases = append(r.Cases, evidence.CaseResult{ID: example.ID, Answers: e.answers[i], Differ: differ(e.fingerprints[i])})
		if answer, noted := e.wrong[i]; noted && len(r.Shown) < evidence.MaxShown {
			r.Shown = append(r.Shown, evidence.ShownCase{ID: example.ID, Input: example.Input, Answer: answer})
		}
	}
	return r
}

func differ(fingerprints []mark) bool {
	var first mark
	for _, f := range fingerprints {
		switch {
		case f == nil:
		case first == nil:
			first = f
		case *f != *first:
			return true
		}
	}
	return false
}

// models counts who answered.
type models struct {
	seen []evidence.ModelSeen
	// more means that not all are among the seen, others that some of those have a name that none of the seen has.
	more, others bool
}

func (m *models) add(name, fingerprint string) {
	if name == "" && fingerprint == "" {
		return
	}
	named := false
	for i := range m.seen {
		if m.seen[i].Name == name && m.seen[i].Fingerprint == fingerprint {
			m.seen[i].Answers++
			return
		}
		named = named || m.seen[i].Name == name
	}
	if len(m.seen) == evidence.MaxModels {
		m.more, m.others = true, m.others || !named
		return
	}
	m.seen = append(m.seen, evidence.ModelSeen{Name: name, Fingerprint: fingerprint, Answers: 1})
}
