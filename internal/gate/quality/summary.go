package quality

import (
	"fmt"
	"slices"
	"strings"

	"github.com/affineur/affineur/internal/evidence"
	"github.com/affineur/affineur/internal/gate"
)

// Markdown is the evaluation for reviewers: what was asked for, what is shown, and every example that is not right, by
// its id. It quotes questions and answers only where the policy allows reports to hold them.
func Markdown(e Evidence) string {
	if e.unfit() != "" {
		return ""
	}
	cases := casesOf(e.Result, e.Set)
	var b strings.Builder
	b.WriteString("| Examples | | Right | At least, of 100 | Asked for | Must be right |\n|---|---|---|---|---|---|\n")
	row(&b, "all", share{counted(cases, all), e.Settings.Bound})
	for _, f := range e.Settings.expanded(cases) {
		row(&b, f.name(), inSlice(cases, f))
	}
	total := counted(cases, all)
	if times := len(cases[0].answers); times > 1 {
		fmt.Fprintf(&b, "\nEach was asked %d times: %d were right one time and wrong another, %d were answered in different words.\n", times, total.varies, total.differs)
	}
	if e.Settings.NonRegression && e.Production != nil {
		fmt.Fprintf(&b, "\nCompared with production: %s.\n", compared(e, cases).message)
	}
	for _, m := range e.Result.Models {
		fmt.Fprintf(&b, "\n%d answers named the model `%s`, fingerprint `%s`.\n", m.Answers, plain(m.Name), plain(m.Fingerprint))
	}
	list(&b, cases)
	b.WriteString(ofJudge(e.Result.Judge))
	quote(&b, e.Result.Shown)
	return b.String()
}

func row(b *strings.Builder, name string, s share) {
	fmt.Fprintf(b, "| %s | %d | %d | %s | %s | %d of %d |\n", name, s.n, s.right, floor1(s.Looks.Lower(s.right, s.n)*100), hundredths(s.Ratio),
		s.Looks.NeededRight(max(s.n, s.needed()), s.Ratio), max(s.n, s.needed()))
}

// list names what is not right, by what is wrong with it.
func list(b *strings.Builder, cases []asked) {
	by := make(map[string][]string)
	for _, a := range cases {
		if !a.right {
			by[why(a)] = append(by[why(a)], a.id)
		}
	}
	kinds := make([]string, 0, len(by))
	for what := range by {
		kinds = append(kinds, what)
	}
	slices.Sort(kinds)
	for _, what := range kinds {
		fmt.Fprintf(b, "\n**%d %s:** %s\n", len(by[what]), what, strings.Join(by[what], ", "))
	}
}

// quote shows questions that were answered wrongly. What they say is nobody's instruction: a cell holds no markup.
func quote(b *strings.Builder, shown []evidence.ShownCase) {
	if len(shown) == 0 {
		return
	}
	b.WriteString("\n| Example | Asked | Answered |\n|---|---|---|\n")
	for _, c := range shown {
		fmt.Fprintf(b, "| %s | %s | %s |\n", c.ID, gate.Cell(c.Input), gate.Cell(c.Answer))
	}
}

// plain takes out what would end a code span.
func plain(s string) string { return strings.ReplaceAll(s, "`", "'") }
