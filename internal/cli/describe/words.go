package describe

import (
	"fmt"
	"regexp"
	"strings"
	"time"
	"unicode"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/duration"

	"github.com/affineur/affineur/api/v1alpha1"
)

// shownDigits of a digest are enough for two people to see that they speak of the same thing.
const shownDigits = 12

// digest shortens a digest for reading; nobody types one.
func digest(full string) string {
	algorithm, hex, found := strings.Cut(full, ":")
	if !found || len(hex) <= shownDigits {
		return full
	}
	return algorithm + ":" + hex[:shownDigits]
}

// image shortens the digest of repository@sha256:digest.
func image(resolved string) string {
	repository, sum, found := strings.Cut(resolved, "@")
	if !found {
		return resolved
	}
	return repository + "@" + digest(sum)
}

// clockTime is the time of day, with the date unless it is today's.
func clockTime(now, t time.Time) string {
	now, t = now.UTC(), t.UTC()
	if now.Format(time.DateOnly) == t.Format(time.DateOnly) {
		return t.Format("15:04 UTC")
	}
	return t.Format("2006-01-02 15:04 UTC")
}

// since says how long something has lasted: "3m ago (since 14:02 UTC)".
func since(now time.Time, t metav1.Time) string { return past(now, t.Time, "since ") }

// at says when something happened: "3m ago (14:02 UTC)".
func at(now time.Time, t metav1.Time) string { return past(now, t.Time, "") }

func past(now, t time.Time, preposition string) string {
	if t.IsZero() {
		return "at an unknown time"
	}
	// A clock that runs behind the server's must not show a negative age.
	age := max(0, now.Sub(t))
	return fmt.Sprintf("%s ago (%s%s)", duration.HumanDuration(age), preposition, clockTime(now, t))
}

// ends says when something ends or ended: "in 4h (18:02 UTC)", "4h ago (18:02 UTC)".
func ends(now time.Time, t metav1.Time) string {
	if t.After(now) {
		return fmt.Sprintf("in %s (%s)", duration.HumanDuration(t.Sub(now)), clockTime(now, t.Time))
	}
	return at(now, t)
}

// due says how much time is left, or by how much it is late.
func due(now time.Time, t *metav1.Time) string {
	switch {
	case t == nil:
		return ""
	case t.After(now):
		return "due " + ends(now, *t)
	default:
		return fmt.Sprintf("late by %s (due %s)", duration.HumanDuration(now.Sub(t.Time)), clockTime(now, t.Time))
	}
}

// humanise turns a reason such as RegistryNotAllowed into "registry not allowed".
func humanise(reason string) string {
	var b strings.Builder
	for i, r := range reason {
		if unicode.IsUpper(r) && i > 0 {
			b.WriteByte(' ')
		}
		b.WriteRune(unicode.ToLower(r))
	}
	return b.String()
}

// count says "1 gap" or "3 gaps".
func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// party names a side in the words of the people on it.
func party(p v1alpha1.Party, role string) string {
	name := map[v1alpha1.Party]string{
		v1alpha1.PartyBusiness: "the team",
		v1alpha1.PartyIT:       "IT",
		v1alpha1.PartyOperator: "Affineur",
	}[p]
	if name == "" {
		name = string(p)
	}
	if role != "" {
		name += ", role " + role
	}
	return name
}

func owner(o v1alpha1.Owner) string {
	if o == v1alpha1.OwnerBusiness {
		return "the team"
	}
	return string(o)
}

var harmless = regexp.MustCompile(`^[A-Za-z0-9._/=-]+$`)

// shell quotes a word for a command that people copy, so that a name can't become a second command.
func shell(word string) string {
	word = Clean(word)
	if harmless.MatchString(word) {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}

// Command is what to type: kubectl affineur and these words, in a namespace.
func Command(namespace string, words ...string) string {
	return typed(append([]string{"affineur"}, words...), namespace)
}

func typed(words []string, namespace string) string {
	quoted := []string{"kubectl"}
	for _, word := range words {
		quoted = append(quoted, shell(word))
	}
	return strings.Join(append(quoted, "-n", shell(namespace)), " ")
}
