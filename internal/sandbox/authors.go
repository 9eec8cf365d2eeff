package sandbox

import (
	"fmt"
	"time"

	"github.com/affineur/affineur/internal/assess"
	"github.com/affineur/affineur/internal/evidence"
	"github.com/affineur/affineur/internal/guard"
)

// maxNamed is how much of a name a doubt repeats.
const maxNamed = 128

// authorsDoubt says why the authors, and who asked, can't be trusted to be all people who wrote a prototype; "" where
// they can. Behind a pipeline's account can be anybody, also somebody who decides later. And while the admission
// policies were not in place, anybody could write into the list of the authors, or past it.
func authorsDoubt(authors []string, requester string, created time.Time, guards guard.State) string {
	for _, name := range append([]string{requester}, authors...) {
		if !assess.PersonsName(name) {
			return fmt.Sprintf("%s is an account and no person", evidence.Clean(name, maxNamed))
		}
	}
	if guards.LastGood.IsZero() {
		return "the admission policies, which keep the authors, were never seen in place"
	}
	for _, gap := range guards.Gaps {
		if gap.To.IsZero() || !gap.To.Before(created) {
			return "the admission policies, which keep the authors, were not provably in place " + spanned(gap)
		}
	}
	return ""
}

// spanned says when a gap was.
func spanned(gap guard.Gap) string {
	from, to := gap.From.UTC().Format(time.RFC3339), gap.To.UTC().Format(time.RFC3339)
	switch {
	case gap.To.IsZero():
		return "since " + from
	case gap.From.IsZero():
		return "until " + to
	}
	return fmt.Sprintf("from %s to %s", from, to)
}
