package quality

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/internal/evidence"
	"github.com/affineur/affineur/internal/examples"
	"github.com/affineur/affineur/internal/gate"
	"github.com/affineur/affineur/internal/record"
)

const (
	// byChance is the least probability at which a difference is taken for none.
	byChance = 0.05
	// fewestPairs can show anything: five that all became worse are so by chance once in 32 times.
	fewestPairs = 5
	// mostReplaced says that one in so many of production's examples may be gone. A set that never changed would
	// be learnt; one from which just those may go that became worse compares nothing.
	mostReplaced = 5
)

// What an answer was, in a baseline.
const (
	wasRight   = 'R'
	wasWrong   = 'W'
	wasUnclear = 'U'
)

// Baseline is how a revision answered a gate, from what its review took: what the gate compares the next revision with. Each
// gate has its own: others ask something else.
func Baseline(g v1alpha1.Gate, rec record.Record, taken gate.Taken) record.Baseline {
	b := record.Baseline{Review: rec.Prototype.Review(rec.Ordinal)}
	if b.Unasked = unasked(g, rec); b.Unasked != "" {
		return b
	}
	m := taken.Runs[""].Measurement
	switch {
	case m.Lost != "":
		b.Lost = m.Lost
		return b
	case m.Report == nil:
		b.Lost = "its report is not there"
		return b
	}
	result, set, lost := readReport(rec, m.Report.Result)
	if lost != "" {
		b.Lost = lost
		return b
	}
	if b.Lost = strays(set, *result); b.Lost == "" {
		b.Answers = answers(set, *result)
	}
	return b
}

// unasked says why a revision was not asked what a gate asks, or "". Which gates there are and how they ask is IT's to say. Which of
// them a revision meets follows from what its team says of it, so one that was asked is looked for among all that were promoted.
func unasked(g v1alpha1.Gate, rec record.Record) string {
	at := slices.IndexFunc(rec.Requirements.Gates, func(then v1alpha1.Gate) bool { return then.Name == g.Name && then.Type == g.Type })
	if at < 0 {
		return "its review had no such gate"
	}
	if then, now := asker(rec.Requirements.Gates[at]), asker(g); then != now {
		return fmt.Sprintf("this gate then took its examples from %s, and now from %s", then, now)
	}
	return ""
}

// asker is where a gate has its examples from.
func asker(g v1alpha1.Gate) string {
	if i := importOf(g); i != nil {
		return "an image of IT's (" + string(i.Format) + ")"
	}
	return "the evaluation set"
}

// readReport is what a report says, with the set that was asked: none for an evaluation that brought its own examples.
func readReport(rec record.Record, body evidence.Body) (result *evidence.QualityResult, set examples.Set, lost string) {
	if taken := evidence.As[evidence.ImportResult](body); taken != nil {
		return &taken.Evaluation, set, ""
	}
	result, err := evidence.Read[evidence.QualityResult](body)
	if err != nil {
		return nil, set, "its report contradicts itself"
	}
	if set, err = setOf(rec); err != nil {
		return nil, set, "its evaluation set can't be read"
	}
	return result, set, ""
}

// answers of a result, a letter for each, by what was asked and what was expected.
func answers(set examples.Set, r evidence.QualityResult) map[string]string {
	found := make(map[string]string, len(r.Cases))
	for i, c := range r.Cases {
		found[key(set, r, i)] = letters(c.Answers)
	}
	return found
}

func letters(all []evidence.CaseAnswer) string {
	var b strings.Builder
	for _, a := range all {
		switch one := caseOf(evidence.CaseResult{Answers: []evidence.CaseAnswer{a}}); {
		case one.right:
			b.WriteByte(wasRight)
		case one.unclear:
			b.WriteByte(wasUnclear)
		default:
			b.WriteByte(wasWrong)
		}
	}
	return b.String()
}

// key finds an example again: by its question and what is expected, whatever its id, since a line that is put in between
// renames all that follow; or by its id where the evaluation brings its own examples.
func key(set examples.Set, r evidence.QualityResult, i int) string {
	if i >= len(set.Examples) {
		return "id " + r.Cases[i].ID
	}
	e := set.Examples[i]
	// Structures of texts, which are always written.
	raw, _ := json.Marshal(struct {
		Input  string
		Assert []examples.Assertion
	}{e.Input, e.Assert})
	sum := sha256.Sum256(raw)
	return hex.EncodeToString(sum[:12])
}

// pairs are the examples that both revisions were asked.
type pairs struct {
	n, worse, better int64
	// became names those that became worse.
	became []string
	// unclear is of how many more it is not known what they were, or are now.
	unclear int
}

// compared judges by the examples that the revision in production was asked too.
func compared(e Evidence, cases []asked) part {
	old := *e.Production
	if old.Unasked != "" {
		return part{state: gate.Passed, reason: v1alpha1.ReasonAnswersRight, message: fmt.Sprintf("nothing to compare with %s: %s", promotion(old), old.Unasked)}
	}
	if old.Lost != "" {
		return incomparable(fmt.Sprintf("the evaluation of %s, can't be used: %s", promotion(old), old.Lost), v1alpha1.OwnerIT,
			"IT looks at the record of that review, or sets nonRegression to None for this one promotion.")
	}
	found, gone := pair(e, cases, asKnown), replaced(e)
	if all := len(old.Answers); gone*mostReplaced > all || found.n < fewestPairs || 2*found.n < int64(all) {
		return incomparable(fmt.Sprintf("of the %d examples of %s, %d are in the set no more, and %d can be compared; at most one in %d may go, and at least %d, and half, must be comparable",
			all, promotion(old), gone, found.n, mostReplaced, fewestPairs), v1alpha1.OwnerBusiness, "Keep the examples of the revision that was promoted, and add new ones to them. Where they are out of date, IT sets nonRegression to None for this one promotion.")
	}
	counts := fmt.Sprintf("of %d examples that %s was asked too, %d became wrong and %d became right", found.n, old.Review, found.worse, found.better)
	if found.unclear > 0 {
		counts += fmt.Sprintf(" (%d more could not be asked or judged then or now)", found.unclear)
	}
	notes := noted(gone, old)
	for _, n := range notes {
		counts += " (" + n.Message + ")"
	}
	if why, which := worse(e, cases, found, asKnown); why != "" {
		message := counts + ": " + why
		return part{state: gate.Failed, reason: v1alpha1.ReasonRegressed, message: message, notes: notes, findings: []gate.Finding{{
			Reason: v1alpha1.ReasonRegressed, Field: fieldExamples, Owner: v1alpha1.OwnerBusiness,
			Message: fmt.Sprintf("%s: %s", message, listed(which)),
			Hint:    "Look at what the promoted revision answers to these: the new one should not be worse.",
		}}}
	}
	// Who may leave questions open leaves those that became worse.
	if why, which := worse(e, cases, pair(e, cases, atWorst), atWorst); why != "" {
		message := fmt.Sprintf("%s; if all of these became wrong, the answers are worse: %s", counts, listed(which))
		return part{state: gate.Inconclusive, reason: v1alpha1.ReasonExamplesNotAsked, message: message, notes: notes,
			findings: []gate.Finding{undecided(cases, which, message)}}
	}
	return part{state: gate.Passed, reason: v1alpha1.ReasonAnswersRight, message: counts, notes: notes}
}

// undecided tells who can have those examples answered on which the comparison depends.
func undecided(cases []asked, which []string, message string) gate.Finding {
	open := slices.DeleteFunc(slices.Clone(cases), func(a asked) bool { return !a.unclear || !slices.Contains(which, a.id) })
	if len(open) > 0 {
		return notAsked(open, message)
	}
	return gate.Finding{
		Reason: v1alpha1.ReasonExamplesNotAsked, Field: fieldExamples, Owner: v1alpha1.OwnerBusiness, Message: message,
		Hint: "Mend these: they are wrong now, and of some it is not known what the promoted revision answered. Or IT sets nonRegression to None for this one promotion.",
	}
}

// promotion is which revision it is compared with, for people.
func promotion(old record.Baseline) string {
	if old.Older {
		return old.Review + ", which was the last to be promoted under this gate"
	}
	return old.Review + ", which was promoted last"
}

// replaced is how many examples of the revision in production are not asked any more, or expect something else now.
func replaced(e Evidence) int {
	gone := len(e.Production.Answers)
	for i := range e.Result.Cases {
		if _, kept := e.Production.Answers[key(e.Set, e.Result, i)]; kept {
			gone--
		}
	}
	return gone
}

// noted tells whoever approves what the comparison can't see: those that are gone may be just those that became worse.
func noted(gone int, old record.Baseline) []gate.Finding {
	if gone == 0 {
		return nil
	}
	return []gate.Finding{{
		Reason: v1alpha1.ReasonExamplesReplaced, Field: fieldExamples, Owner: v1alpha1.OwnerIT,
		Message: fmt.Sprintf("%d of the %d examples of %s are gone from the set or expect something else now, and were not compared", gone, len(old.Answers), old.Review),
		Hint:    "Whoever approves asks why: they may be those that became worse. This does not change the verdict.",
	}}
}

func incomparable(message string, owner v1alpha1.Owner, hint string) part {
	return part{state: gate.Inconclusive, reason: v1alpha1.ReasonNothingToCompare, message: message, findings: []gate.Finding{{
		Reason: v1alpha1.ReasonNothingToCompare, Field: fieldExamples, Owner: owner, Message: message, Hint: hint,
	}}}
}

func listed(names []string) string {
	if len(names) > named {
		return strings.Join(names[:named], ", ") + " …"
	}
	return strings.Join(names, ", ")
}

// pair finds the examples that both were asked. Where one was asked more often than the other, only as many of its
// answers count, or it would have had more chances to be wrong.
func pair(e Evidence, cases []asked, read reading) pairs {
	var p pairs
	for i, now := range cases {
		older, both := e.Production.Answers[key(e.Set, e.Result, i)]
		if !both {
			continue
		}
		newer := letters(now.answers)
		times := min(len(newer), len(older))
		was, is := read(allOf(older[:times]), allOf(newer[:times]))
		if was == wasUnclear || is == wasUnclear {
			p.unclear++
			continue
		}
		p.n++
		switch {
		case was == wasRight && is == wasWrong:
			p.worse++
			p.became = append(p.became, now.id)
		case was == wasWrong && is == wasRight:
			p.better++
		}
	}
	return p
}

// reading says for what an example is taken of which it may not be clear what it was in production, or is now. What is still
// unclear then is no pair.
type reading func(was, is rune) (rune, rune)

func asKnown(was, is rune) (rune, rune) { return was, is }

// atWorst takes what is unclear as right in production, and as wrong now. What is unclear of both did not become worse: of some
// examples that an image of IT's asks it always is.
func atWorst(was, is rune) (rune, rune) {
	switch {
	case was == is:
	case was == wasUnclear:
		was = wasRight
	case is == wasUnclear:
		is = wasWrong
	}
	return was, is
}

// allOf is what several answers to one question are: wrong if one is, right if all are. None are unclear.
func allOf(letters string) rune {
	switch {
	case strings.ContainsRune(letters, wasWrong):
		return wasWrong
	case letters != "" && strings.Trim(letters, string(wasRight)) == "":
		return wasRight
	}
	return wasUnclear
}
