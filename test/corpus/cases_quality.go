package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/internal/gate/stats"
)

const (
	// answering is the policy, and the namespace, of prototypes whose answers must be right.
	answering = "corpus-answers"
	// rightShare of the answers must be shown to be right, of a hundred.
	rightShare, hundred = 0.9, 100
	// setKey is where the evaluation sets are in their ConfigMaps.
	setKey = "examples"
)

// rightAnswers makes a policy ask for them.
func rightAnswers(spec map[string]any) {
	adds(spec, map[string]any{"name": "quality", "type": "Quality", "quality": enoughRight()})
}

func enoughRight() map[string]any {
	return map[string]any{
		"minimumExamples": int64(100), "passRateLowerBound": fmt.Sprint(rightShare), "repeats": int64(2),
		"slices": []any{map[string]any{"name": "*", "passRateLowerBound": "0.60", "minimumExamples": int64(10)}},
	}
}

// fewest is how many of a hundred must be right so that the share is shown, and not one more.
func fewest() int {
	for right := range int64(hundred) {
		if low, _ := stats.Wilson(right, hundred); low >= rightShare {
			return int(right)
		}
	}
	return hundred
}

// answers that are wrong, too few, or can't be told to be right; and some that are fine.
func answers() []sample {
	of := func(name, hole, reason, says string, edit edit) sample {
		return sample{name: name, hole: hole, gate: "quality", reason: reason, says: says, policy: answering, edit: edit}
	}
	fine := func(name, looks string, edit edit) sample { return of(name, looks, "", "", edit).without() }
	return []sample{
		of("wrong-answers", "two of five answers are wrong", v1alpha1.ReasonTooManyWrong, "60 of 100 examples are right", examined("wrong", "/v1/ask", "/answer")).fastly(),
		of("few-answers", "24 examples, all of them right", v1alpha1.ReasonTooFewExamples,
			"24 examples; 76 more needed; then at least 95 of 100 must be right", examined("few", "/v1/ask", "/answer")),
		of("fewer-answers-than-asked-for", "60 examples, all of them right: enough to show the share, and fewer than IT wants to see", v1alpha1.ReasonTooFewExamples,
			"60 examples; 40 more needed", examined("sixty", "/v1/ask", "/answer")),
		of("weak-slice", "good on the whole, and wrong where it is about fees", v1alpha1.ReasonSliceTooWeak, "slice fees: 8 of 20", examined("narrow", "/v1/ask", "/answer")),
		of("wavering-answers", "each question is answered rightly, most of the time", v1alpha1.ReasonAnswersVary, "right one time and wrong another",
			also(examined("plain", "/v1/ask", "/answer"), plays("lie-every=7"))),
		of("asked-elsewhere", "questions go to a path that it does not have", v1alpha1.ReasonNotAnswered, "another status than 2xx", examined("plain", "/v1/questions", "/answer")),
		of("answered-elsewhere", "answers are where nobody says they are", v1alpha1.ReasonNotAnswered, "no text where the answer is declared", examined("plain", "/v1/ask", "/label")),
		of("no-examples", "nobody says what is right", v1alpha1.ReasonExamplesMissing, "no examples", func(*v1alpha1.AIPrototype) {}),
		of("padded-examples", "one easy question a hundred times", v1alpha1.ReasonExamplesInvalid, "line 3: the same question as in line 2", examined("padded", "/v1/ask", "/answer")),
		of("almost-enough-answers", "one right answer less than it takes to be sure", v1alpha1.ReasonTooCloseToTell, "",
			also(examined("sums", "/v1/ask", "/answer"), plays(fmt.Sprintf("wrong=1-%d", hundred-fewest()+1)))),
		of("lost-answers", "questions of one kind get an error", v1alpha1.ReasonNotAnswered, "", also(examined("sums", "/v1/ask", "/answer"), plays("mute=1-40"))),
		of("broken-examples", "a line of the set has a column too few", v1alpha1.ReasonExamplesInvalid, "line 8", examined("broken", "/v1/ask", "/answer")),
		{name: "secret-in-examples", hole: "one of the examples holds a token", gate: "security", reason: v1alpha1.ReasonSecretInConfiguration, says: "line 102", policy: answering,
			edit: examined("telling", "/v1/ask", "/answer")},
		fine("enough-answers", "exactly as many right answers as it takes", also(examined("sums", "/v1/ask", "/answer"), plays(fmt.Sprintf("wrong=1-%d", hundred-fewest())))).fastly(),
		fine("semicolons", "a set as spreadsheets write it elsewhere", examined("semicolons", "/v1/ask", "/answer")),
		fine("right-answers", "three of a hundred answers are wrong, and 90 are asked for", examined("plain", "/v1/ask", "/answer")),
		fine("many-assertions", "answers that are told to be right in many ways", examined("lines", "/v1/ask", "/answer")),
	}
}

// without a hole.
func (c sample) without() sample {
	c.gate = ""
	return c
}

// examined declares an evaluation.
func examined(set, path, answer string) edit {
	return func(p *v1alpha1.AIPrototype) {
		p.Spec.Evaluation = &v1alpha1.Evaluation{
			Examples: v1alpha1.ExamplesSource{ConfigMap: &v1alpha1.ConfigMapKey{Name: set, Key: setKey}},
			Call: v1alpha1.EvaluationCall{Timeout: metav1.Duration{Duration: 10 * time.Second},
				JSON: &v1alpha1.JSONCall{Method: "POST", Path: path, Input: "/question", Answer: answer}},
		}
	}
}

// sets are the evaluation sets. The program adds sums, and says "You asked: " and the question to all else.
func sets() map[string]string {
	return map[string]string{
		"plain": table(100, 3, ""), "wrong": table(100, 40, ""), "few": table(24, 0, ""), "sixty": table(60, 0, ""), "narrow": table(300, 12, "fees"),
		"padded": "question,expected\n" + strings.Repeat("question 1,You asked: question 1\n", 100), "lines": lines(100),
		"telling": table(100, 0, "") + telling + ",You asked: " + telling + ",\n",
		"sums":    sums(1), "later-sums": sums(31), "broken": strings.Replace(sums(1), "7+1000,1007", "7+1000", 1), "semicolons": strings.ReplaceAll(sums(1), ",", ";"),
	}
}

// telling is a question that holds what looks like a token.
const telling = "Is ghp_" + "x7Kq2mZp9RtV4wYb8NcJ5hLd3FsG6aEu1TiO right?"

// sums are a hundred, of which the program can tell each wrongly.
func sums(first int) string {
	var b strings.Builder
	b.WriteString("question,expected\n")
	for i := first; i < first+hundred; i++ {
		_, _ = fmt.Fprintf(&b, "%d+1000,%d\n", i, i+1000)
	}
	return b.String()
}

// table of n examples, of which so many expect something else; the first twenty are in the slice.
func table(n, wrong int, slice string) string {
	var b strings.Builder
	b.WriteString("question,expected,slice\n")
	for i := range n {
		in, expected := "", fmt.Sprintf("You asked: question %d", i)
		if i < 20 {
			in = slice
		}
		if i < wrong {
			expected = "something else"
		}
		fmt.Fprintf(&b, "question %d,%s,%s\n", i, expected, in)
	}
	return b.String()
}

func lines(n int) string {
	var b strings.Builder
	for i := range n {
		assertions := []string{
			fmt.Sprintf(`{"equals":"you asked: question %d","ignoreCase":true}`, i), fmt.Sprintf(`{"contains":"question %d"}`, i),
			fmt.Sprintf(`{"regexp":"^You asked: question 0*%d$"}`, i), fmt.Sprintf(`{"number":{"value":%d.2,"absolute":0.5}}`, i),
		}
		fmt.Fprintf(&b, `{"id":"q%d","input":"question %d","assert":[%s]}`+"\n", i, i, assertions[i%len(assertions)])
	}
	return b.String()
}

// handOut puts the evaluation sets where the prototypes find them.
func (g *ground) handOut(ctx context.Context) error {
	for name, text := range sets() {
		for _, namespace := range []string{answering, judged, succeeding} {
			set := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}, Data: map[string]string{setKey: text}}
			if err := g.admin.Create(ctx, set); err != nil {
				return err
			}
		}
	}
	push, err := g.newPusher(ctx)
	if err != nil {
		return err
	}
	return errors.Join(push.keep("sums", sums(1)), push.keep("two", sums(1), table(24, 0, "")))
}
