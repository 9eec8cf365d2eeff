package describe

import (
	"strings"
	"time"

	"github.com/affineur/affineur/api/v1alpha1"
)

// Promoted says what happens after somebody asked for production; again tells that it had been asked for before.
func Promoted(view View, again bool) string {
	p, prototype := &page{}, view.Prototype
	if again {
		p.line(0, say("Asked Affineur to look at %s again.", prototype.Name))
	} else {
		p.line(0, say("Asked for production of %s.", prototype.Name))
	}
	switch {
	case !holds(prototype, v1alpha1.ConditionSandboxReady):
		p.line(0, say("It does not run in its sandbox yet (%s). Its review opens as soon as it does.", where(prototype)))
	default:
		p.line(0, say("Gates measure exactly this revision, the roles that the policy asks for decide, and then it is promoted."))
	}
	if n := len(prototype.Status.Gaps); n > 0 {
		p.line(0, say("Known so far: %s that a review would object to. status names them.", count(n, "gap")))
	}
	if pipeline(prototype) {
		p.line(0, say("A pipeline also writes this prototype: set spec.target to Production in its source too, or it sets it back."))
	}
	p.line(0, say("To follow it:"))
	p.line(4, say("%s", Command(prototype.Namespace, "status", prototype.Name, "--watch")))
	return p.String()
}

// pipeline tells whether a service account is among those who wrote the prototype.
func pipeline(prototype *v1alpha1.AIPrototype) bool {
	for author := range strings.SplitSeq(prototype.Annotations[v1alpha1.AnnotationAuthors], "\n") {
		if strings.HasPrefix(author, "system:serviceaccount:") {
			return true
		}
	}
	return false
}

// Retiring says what would be taken down.
func Retiring(prototype *v1alpha1.AIPrototype, now time.Time, paint Paint) string {
	p := &page{paint: paint}
	about(p, prototype)
	sandbox(p, prototype, now)
	production(p, View{Prototype: prototype}, now)
	p.line(0, say("Retiring takes all of it down, pods first. The record of its reviews stays."))
	return p.String()
}

// Retired says what happens after somebody retired a prototype.
func Retired(prototype *v1alpha1.AIPrototype) string {
	p := &page{}
	p.line(0, say("%s is being retired.", prototype.Name))
	if pipeline(prototype) {
		p.line(0, say("A pipeline also writes this prototype: set spec.target to Retired in its source too, or it sets it back."))
	}
	p.line(0, say("To follow it:"))
	p.line(4, say("%s", Command(prototype.Namespace, "status", prototype.Name, "--watch")))
	return p.String()
}
