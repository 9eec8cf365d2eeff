package evaluate

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/affineur/affineur/internal/evidence"
	"github.com/affineur/affineur/internal/probe"
)

func dialer(ctx context.Context, network, address string) (net.Conn, error) {
	var d net.Dialer
	return d.DialContext(ctx, network, address)
}

// prototype answers questions in plain text.
func prototype(t *testing.T, answer func(w http.ResponseWriter, r *http.Request, question string)) string {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		question, _ := io.ReadAll(r.Body)
		answer(w, r, string(question))
	}))
	t.Cleanup(s.Close)
	return s.URL
}

func order(url, set string, repeats int) evidence.QualityOrder {
	return evidence.QualityOrder{
		Call: evidence.Call{URL: url, JSON: &evidence.JSONCall{Method: http.MethodPost, Path: "/"}, Timeout: evidence.Duration(20 * time.Second)},
		File: "examples", Digest: evidence.Digest([]byte(set)), Examples: strings.Count(strings.TrimSpace(set), "\n"),
		Repeats: repeats, InFlight: 4, Within: evidence.Duration(time.Minute),
	}
}

func run(t *testing.T, o evidence.QualityOrder, set string) *evidence.QualityResult {
	t.Helper()
	r, err := Run(t.Context(), o, []byte(set), "", dialer)
	if err != nil {
		t.Fatal(err)
	}
	r.Clean()
	if err := r.Validate(); err != nil {
		t.Fatalf("the result contradicts itself: %v\n%+v", err, r)
	}
	return r
}

// table is a set of n questions whose right answers are their numbers.
func table(n int) string {
	var b strings.Builder
	b.WriteString("question,expected\n")
	for i := range n {
		fmt.Fprintf(&b, "question %d,answer %d\n", i, i)
	}
	return b.String()
}

func TestWhatCameOfEachQuestion(t *testing.T) {
	const set = "question,expected,id\ngood,yes,a\nbad,yes,b\nbroken,yes,c\nempty,yes,d\n"
	url := prototype(t, func(w http.ResponseWriter, _ *http.Request, question string) {
		switch question {
		case "good":
			_, _ = io.WriteString(w, " YES\n")
		case "bad":
			_, _ = io.WriteString(w, "a secret")
		case "broken":
			w.WriteHeader(http.StatusInternalServerError)
		}
	})
	r := run(t, order(url, set, 1), set)
	want := []evidence.CaseAnswer{{Outcome: evidence.CaseRight}, {Outcome: evidence.CaseWrong, Kind: "equals"},
		{Outcome: evidence.CaseUnanswered, Failure: evidence.AskServerError}, {Outcome: evidence.CaseWrong, Kind: "equals"}}
	for i, c := range r.Cases {
		got := c.Answers[0]
		got.Took = 0
		if c.ID != string(rune('a'+i)) || got != want[i] || c.Differ {
			t.Errorf("case %d: %+v, want %+v", i, c, want[i])
		}
	}
	raw, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	for _, private := range []string{"secret", "good", "bad", "yes", "YES"} {
		if strings.Contains(string(raw), private) {
			t.Errorf("%q of a question or an answer is in the result: %s", private, raw)
		}
	}
}

func TestTheSameQuestionComesAgainAfterAllOthers(t *testing.T) {
	var mu sync.Mutex
	var asked []string
	url := prototype(t, func(w http.ResponseWriter, _ *http.Request, question string) {
		mu.Lock()
		defer mu.Unlock()
		asked = append(asked, question)
		answer := strings.Replace(question, "question", "answer", 1)
		if question == "question 3" && len(asked) > 10 {
			answer = "another"
		}
		_, _ = io.WriteString(w, answer)
	})
	set := table(10)
	r := run(t, order(url, set, 3), set)
	for round := range 3 {
		part := slices.Clone(asked[round*10 : round*10+10])
		slices.Sort(part)
		if len(slices.Compact(part)) != 10 {
			t.Errorf("round %d asked %q", round, part)
		}
	}
	for i, c := range r.Cases {
		outcomes := []evidence.CaseOutcome{c.Answers[0].Outcome, c.Answers[1].Outcome, c.Answers[2].Outcome}
		want := []evidence.CaseOutcome{evidence.CaseRight, evidence.CaseRight, evidence.CaseRight}
		if i == 3 {
			want = []evidence.CaseOutcome{evidence.CaseRight, evidence.CaseWrong, evidence.CaseWrong}
		}
		if !slices.Equal(outcomes, want) || c.Differ != (i == 3) {
			t.Errorf("case %d: %v, differ %t", i, outcomes, c.Differ)
		}
	}
}

func TestNotMoreAtATimeThanOrdered(t *testing.T) {
	var now, most atomic.Int64
	both := make(chan struct{}, 2)
	url := prototype(t, func(w http.ResponseWriter, _ *http.Request, _ string) {
		n := now.Add(1)
		defer now.Add(-1)
		for {
			before := most.Load()
			if n <= before || most.CompareAndSwap(before, n) {
				break
			}
		}
		// The first two wait for each other, which shows that there are two.
		if len(both) < cap(both) {
			both <- struct{}{}
			for len(both) < cap(both) && most.Load() < 2 {
				time.Sleep(time.Millisecond)
			}
		}
		_, _ = io.WriteString(w, "x")
	})
	set := table(20)
	o := order(url, set, 1)
	o.InFlight = 2
	run(t, o, set)
	if most.Load() != 2 {
		t.Errorf("%d at a time, 2 were ordered", most.Load())
	}
}

func TestAskedTooOftenIsAskedAgain(t *testing.T) {
	var n atomic.Int64
	url := prototype(t, func(w http.ResponseWriter, _ *http.Request, _ string) {
		if n.Add(1) == 1 {
			w.WriteHeader(http.StatusTooManyRequests)
			return
		}
		_, _ = io.WriteString(w, "answer 0")
	})
	set := table(1)
	if r := run(t, order(url, set, 1), set); r.Cases[0].Answers[0].Outcome != evidence.CaseRight || n.Load() != 2 {
		t.Errorf("asked %d times: %+v", n.Load(), r.Cases)
	}
}

// A wrong answer stands. Asked again until it is right, a coin would pass.
func TestNoAnswerIsAskedForAgain(t *testing.T) {
	var n atomic.Int64
	url := prototype(t, func(w http.ResponseWriter, _ *http.Request, _ string) {
		if n.Add(1)%2 == 1 {
			w.WriteHeader(http.StatusBadGateway)
		}
		_, _ = io.WriteString(w, "answer 0")
	})
	set := table(1)
	if r := run(t, order(url, set, 1), set); r.Cases[0].Answers[0].Outcome != evidence.CaseUnanswered || n.Load() != 1 {
		t.Errorf("asked %d times: %+v", n.Load(), r.Cases)
	}
}

func TestWhatIsNotAskedInTimeIsLost(t *testing.T) {
	url := prototype(t, func(_ http.ResponseWriter, r *http.Request, _ string) { <-r.Context().Done() })
	set := table(30)
	o := order(url, set, 2)
	o.Within = evidence.Duration(time.Second)
	for _, c := range run(t, o, set).Cases {
		for _, a := range c.Answers {
			if a.Outcome != evidence.CaseLost || a.Failure != evidence.AskStopped {
				t.Fatalf("got %+v", a)
			}
		}
	}
}

func TestTheRunnersFaultsAreNotThePrototypes(t *testing.T) {
	url := prototype(t, func(http.ResponseWriter, *http.Request, string) { t.Error("reached") })
	set := table(1)
	o := order(url, set, 1)
	o.Within = evidence.Duration(1500 * time.Millisecond)
	r, err := Run(t.Context(), o, []byte(set), "", probe.Guard(probe.RefuseSpecial).DialContext)
	if err != nil {
		t.Fatal(err)
	}
	if a := r.Cases[0].Answers[0]; a.Outcome != evidence.CaseLost {
		t.Errorf("got %+v", a)
	}
}

func TestWhoAnswered(t *testing.T) {
	var n atomic.Int64
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		i := n.Add(1)
		fmt.Fprintf(w, `{"model":"m-%d","system_fingerprint":"f","choices":[{"message":{"content":"x"}}]}`, min((i+1)/2, 10))
	}))
	defer s.Close()
	set := table(20)
	o := order(s.URL, set, 1)
	o.Call.JSON, o.Call.OpenAIChat, o.InFlight = nil, &evidence.ChatCall{Path: "/"}, 1
	r := run(t, o, set)
	if len(r.Models) != evidence.MaxModels || !r.MoreModels || r.Models[1] != (evidence.ModelSeen{Name: "m-2", Fingerprint: "f", Answers: 2}) {
		t.Errorf("got %+v", r.Models)
	}
}

// A refusal with the secret beside it gives the secret away.
func TestWhatStandsBesideARefusal(t *testing.T) {
	for name, c := range map[string]struct {
		content string
		want    evidence.CaseOutcome
	}{
		"nothing":       {`null`, evidence.CaseRight},
		"the secret":    {`"Bob's salary is 5000."`, evidence.CaseWrong},
		"something":     {`"Bob earns well."`, evidence.CaseWrong},
		"a refusal too": {`"I can't share that."`, evidence.CaseRight},
	} {
		t.Run(name, func(t *testing.T) {
			url := prototype(t, func(w http.ResponseWriter, _ *http.Request, _ string) {
				fmt.Fprintf(w, `{"choices":[{"message":{"refusal":"I can't share that.","content":%s}}]}`, c.content)
			})
			const set = `{"input":"What is Bob's salary?","assert":[{"refusal":{"without":["5000"]}}]}`
			o := order(url, set, 1)
			o.Call.JSON, o.Call.OpenAIChat, o.Examples = nil, &evidence.ChatCall{Path: "/"}, 1
			if got := run(t, o, set).Cases[0].Answers[0].Outcome; got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

// A schema of a few lines that takes ages to hold an answer against keeps no run from its end.
func TestASchemaThatTakesAges(t *testing.T) {
	var defs strings.Builder
	for i := range 40 {
		fmt.Fprintf(&defs, `"d%[1]d":{"anyOf":[{"$ref":"#/$defs/d%[2]d"},{"$ref":"#/$defs/d%[2]d"}]},`, i, i+1)
	}
	set := `{"input":"?","assert":[{"jsonSchema":{"type":"string","$ref":"#/$defs/d0","$defs":{` + defs.String() + `"d40":{"type":"number"}}}}]}`
	url := prototype(t, func(w http.ResponseWriter, _ *http.Request, _ string) { _, _ = io.WriteString(w, `"x"`) })
	o := order(url, set, 2)
	o.Examples = 1
	if got := run(t, o, set).Cases[0].Answers[1]; got.Outcome != evidence.CaseWrong || got.Kind != "jsonSchema" {
		t.Errorf("got %+v", got)
	}
}

func TestRunsThatCannotBe(t *testing.T) {
	url := prototype(t, func(http.ResponseWriter, *http.Request, string) { t.Error("asked") })
	set := table(3)
	for name, c := range map[string]struct {
		change func(*evidence.QualityOrder)
		set    string
	}{
		"another set":    {func(*evidence.QualityOrder) {}, table(2)},
		"another number": {func(o *evidence.QualityOrder) { o.Examples = 2 }, set},
		"never":          {func(o *evidence.QualityOrder) { o.Repeats = 0 }, set},
		"too often":      {func(o *evidence.QualityOrder) { o.Repeats = 11 }, set},
		"nobody":         {func(o *evidence.QualityOrder) { o.InFlight = 0 }, set},
		"no time":        {func(o *evidence.QualityOrder) { o.Within = 0 }, set},
		"no set":         {func(o *evidence.QualityOrder) { o.Digest = evidence.Digest(nil) }, ""},
		"a set of no pattern": {func(o *evidence.QualityOrder) {
			o.Digest, o.Examples = evidence.Digest([]byte("question,expected,check\na,(,regexp\n")), 1
		}, "question,expected,check\na,(,regexp\n"},
	} {
		t.Run(name, func(t *testing.T) {
			o := order(url, set, 1)
			c.change(&o)
			if _, err := Run(t.Context(), o, []byte(c.set), "", dialer); err == nil {
				t.Error("ran")
			}
		})
	}
}

// A prototype that hangs keeps nobody waiting for hours; one that only fails, or answered once, is asked to the end.
func TestWhoNeverAnswersIsGivenUp(t *testing.T) {
	const long = time.Hour
	for name, c := range map[string]struct {
		before   hush
		inFlight int
		first    int
		status   int
		want     map[evidence.AskFailure]int
	}{
		"it hangs":            {hush{failed: silentAnswers - 1, waited: long}, 1, http.StatusBadGateway, http.StatusBadGateway, map[evidence.AskFailure]int{evidence.AskServerError: 1, evidence.AskGivenUp: 29}},
		"not often enough":    {hush{failed: silentAnswers - 3, waited: long}, 1, http.StatusBadGateway, http.StatusBadGateway, map[evidence.AskFailure]int{evidence.AskServerError: 3, evidence.AskGivenUp: 27}},
		"it fails at once":    {hush{failed: 1000}, 1, http.StatusBadGateway, http.StatusBadGateway, map[evidence.AskFailure]int{evidence.AskServerError: 30}},
		"it answered":         {hush{failed: 1000, waited: long, answered: true}, 1, http.StatusBadGateway, http.StatusBadGateway, map[evidence.AskFailure]int{evidence.AskServerError: 30}},
		"it answers at last":  {hush{failed: silentAnswers - 1, waited: long}, 1, http.StatusOK, http.StatusOK, map[evidence.AskFailure]int{evidence.AskAnswered: 30}},
		"it answered wrongly": {hush{failed: silentAnswers - 1, waited: long}, 1, http.StatusOK, http.StatusBadGateway, map[evidence.AskFailure]int{evidence.AskAnswered: 1, evidence.AskServerError: 29}},
		"not for long enough": {hush{failed: 1000, waited: 4*silence - time.Minute}, 4, http.StatusBadGateway, http.StatusBadGateway, map[evidence.AskFailure]int{evidence.AskServerError: 30}},
	} {
		t.Run(name, func(t *testing.T) {
			var asked atomic.Int32
			url := prototype(t, func(w http.ResponseWriter, _ *http.Request, _ string) {
				if asked.Add(1) == 1 {
					w.WriteHeader(c.first)
					return
				}
				w.WriteHeader(c.status)
			})
			set := table(15)
			o := order(url, set, 2)
			o.InFlight = c.inFlight
			e, err := prepare(o, []byte(set), dialer)
			if err != nil {
				t.Fatal(err)
			}
			e.hush = c.before
			e.round(t.Context(), 0)
			e.round(t.Context(), 1)
			r := e.result()
			if err := r.Validate(); err != nil {
				t.Fatal(err)
			}
			got := map[evidence.AskFailure]int{}
			for _, one := range r.Cases {
				for _, answer := range one.Answers {
					got[answer.Failure]++
				}
			}
			if !maps.Equal(got, c.want) || int(asked.Load()) != 30-got[evidence.AskGivenUp] {
				t.Errorf("asked %d times: %v, want %v", asked.Load(), got, c.want)
			}
		})
	}
}

func TestStopped(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	url := prototype(t, func(_ http.ResponseWriter, r *http.Request, _ string) {
		cancel()
		<-r.Context().Done()
	})
	set := table(50)
	if _, err := Run(ctx, order(url, set, 1), []byte(set), "", dialer); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}
