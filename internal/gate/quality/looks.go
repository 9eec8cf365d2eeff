package quality

import (
	"fmt"

	"github.com/affineur/affineur/internal/evidence"
	"github.com/affineur/affineur/internal/gate"
	"github.com/affineur/affineur/internal/gate/stats"
)

// earlier are the results of the looks that came before. What was no look was not kept as one.
func earlier(c gate.Case) []evidence.QualityResult {
	var out []evidence.QualityResult
	for _, taken := range c.Earlier {
		report := taken.Runs[""].Report
		if report == nil {
			continue
		}
		if result := evidence.As[evidence.ImportResult](report.Result); result != nil {
			out = append(out, result.Evaluation)
		} else if result := evidence.As[evidence.QualityResult](report.Result); result != nil {
			out = append(out, *result)
		}
	}
	return out
}

// worse says why it is shown that the revision in production answers better, and by which examples; "" where it is not. Asking again must
// neither lead out of that by luck nor into it by itself, so every look of the review counts:
//
//   - the newest by itself, surer each time (stats.Look), for what answers may have changed since the ones before;
//   - all of them together, example by example (stats.MatchedSets), if also more examples were wrong more often than before than
//     were less often (McNemar's test of their signs): one example that is wrong each time is one example.
//
// The second is two tests that must both show it, which is no likelier by chance than either (Berger 1982, see Judge). Without
// a single answer that became wrong each of them has the probability 1.
func worse(e Evidence, cases []asked, newest pairs, read reading) (why string, which []string) {
	if p := stats.McNemar(newest.worse, newest.better); p < e.Settings.Looks.Error() {
		return fmt.Sprintf("by chance that happens %s times in 100", hundredths(p)), newest.became
	}
	if len(e.Earlier) == 0 {
		return "", nil
	}
	sets, ids := overLooks(e, cases, read)
	less := int64(0)
	for i, s := range sets {
		if !s.WasWrong && s.Wrong > 0 {
			which = append(which, ids[i])
		}
		less += one(s.WasWrong && s.Wrong < s.Times)
	}
	more := int64(len(which))
	if p := max(stats.McNemar(more, less), stats.MatchedSets(sets)); p < byChance {
		return fmt.Sprintf("asked %d times in this review, %d were wrong more often than then and %d less often: by chance that happens %s times in 100",
			len(e.Earlier)+1, more, less, hundredths(p)), which
	}
	return "", nil
}

// overLooks are the examples that production was asked too, with what came of each in all looks, and their ids. As in one look, as many answers
// of each count as of the revision that gave fewer. What an earlier look did not hear is left out: the newest asked it again.
func overLooks(e Evidence, cases []asked, read reading) (sets []stats.Matched, ids []string) {
	looks := make([]map[string]string, 0, len(e.Earlier))
	for _, r := range e.Earlier {
		look := make(map[string]string, len(r.Cases))
		for _, c := range r.Cases {
			look[c.ID] = letters(c.Answers)
		}
		looks = append(looks, look)
	}
	for i, now := range cases {
		older := e.Production.Answers[key(e.Set, e.Result, i)]
		all := []string{letters(now.answers)}
		times := min(len(older), len(all[0]))
		for _, look := range looks {
			if answers, asked := look[now.id]; asked {
				all, times = append(all, answers), min(times, len(answers))
			}
		}
		before := allOf(older[:times])
		set := stats.Matched{WasWrong: before == wasWrong}
		for look, answers := range all {
			is := allOf(answers[:times])
			if look > 0 && is == wasUnclear {
				continue
			}
			was, is := read(before, is)
			if was != wasUnclear && is != wasUnclear {
				set.Times++
				set.Wrong += one(is == wasWrong)
			}
		}
		if set.Times > 0 {
			sets, ids = append(sets, set), append(ids, now.id)
		}
	}
	return sets, ids
}
