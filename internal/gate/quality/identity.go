package quality

import (
	"fmt"
	"slices"
	"strings"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/internal/evidence"
	"github.com/affineur/affineur/internal/gate/stats"
	"github.com/affineur/affineur/internal/subject"
)

// answerers compares who answered. Where nobody named a model when it was approved, the declared one is what was.
func answerers(declared *subject.Model, before, after evidence.QualityResult) Shift {
	known := namesOf(before.Models)
	strange := slices.DeleteFunc(namesOf(after.Models), func(name string) bool {
		if len(known) == 0 {
			return declared != nil && is(*declared, name)
		}
		return slices.ContainsFunc(known, func(then string) bool { return alike(declared, then, name) })
	})
	was := listed(known)
	if len(known) == 0 && declared != nil {
		was = declared.Name + " " + declared.Version
	}
	switch {
	case len(strange) > 0 && before.MoreNames || after.MoreNames:
		return unsure(v1alpha1.ReasonDriftUncertain, "more models answered than are listed")
	case len(strange) > 0:
		return drifted(v1alpha1.ReasonModelChanged, "another model answers: %s; approved was %s", listed(strange), was)
	}
	if other := otherFingerprint(declared, before, after); other != "" {
		return drifted(v1alpha1.ReasonFingerprintChanged, "%s", other)
	}
	return stillSaid(declared, before, after)
}

// alike tells whether two names can be those of one model. A gateway that is set up anew may write the declared one with or
// without its provider, or its version; another provider is another model.
func alike(declared *subject.Model, then, now string) bool {
	switch {
	case strings.EqualFold(then, now):
		return true
	case declared == nil || !is(*declared, then) || !is(*declared, now):
		return false
	}
	was, is := provider(then), provider(now)
	return was == "" || is == "" || strings.EqualFold(was, is)
}

// provider is what a name has before its last slash.
func provider(name string) string { return name[:max(strings.LastIndex(name, "/"), 0)] }

// versioned tells whether a name for the declared model has the version in it.
func versioned(declared *subject.Model, name string) bool {
	bare := func(name string) string { return name[strings.LastIndex(name, "/")+1:] }
	return declared != nil && is(*declared, name) && len(bare(name)) > len(bare(declared.Name))
}

// otherFingerprint names what answers under a fingerprint that it did not have, where it had one at all; "" where nothing does.
// Who gives no name may be anybody. Of one that had more than are listed, nobody can tell.
func otherFingerprint(declared *subject.Model, before, after evidence.QualityResult) string {
	if before.MoreModels {
		return ""
	}
	for _, m := range after.Models {
		var had []string
		for _, then := range before.Models {
			same := then.Name == "" || m.Name == "" || alike(declared, then.Name, m.Name)
			if same && then.Fingerprint != "" && !slices.Contains(had, then.Fingerprint) {
				had = append(had, then.Fingerprint)
			}
		}
		if m.Fingerprint != "" && len(had) > 0 && !slices.Contains(had, m.Fingerprint) {
			return fmt.Sprintf("the model answers under another fingerprint: %s; approved was %s", strings.TrimSpace(m.Name+" "+m.Fingerprint), listed(had))
		}
	}
	return ""
}

// hints are what an answer can say about the model that gave it, beginning with the name.
var hints = []struct {
	what string
	in   func(*subject.Model, evidence.ModelSeen) bool
}{
	{"which model gave them", func(_ *subject.Model, m evidence.ModelSeen) bool { return m.Name != "" }},
	{"under which fingerprint", func(_ *subject.Model, m evidence.ModelSeen) bool { return m.Fingerprint != "" }},
	{"of which provider it is", func(_ *subject.Model, m evidence.ModelSeen) bool { return provider(m.Name) != "" }},
	{"which version it is", func(declared *subject.Model, m evidence.ModelSeen) bool { return versioned(declared, m.Name) }},
}

// stillSaid is what is known of answerers of whom none is strange. Who puts another model behind a name can leave out what would
// tell, so answers that say less than they did are not as approved.
func stillSaid(declared *subject.Model, before, after evidence.QualityResult) Shift {
	if after.MoreModels && !before.MoreModels {
		return unsure(v1alpha1.ReasonDriftUncertain, "more models answered than are listed, and fewer did when it was approved")
	}
	answersThen, _ := said(before)
	answers, named := said(after)
	for _, hint := range hints {
		then, now := 0, 0
		for _, m := range before.Models {
			if hint.in(declared, m) {
				then += m.Answers
			}
		}
		for _, m := range after.Models {
			if hint.in(declared, m) {
				now += m.Answers
			}
		}
		if rarer(then, answersThen, now, answers) {
			return unsure(v1alpha1.ReasonDriftUncertain, "%d of %d answers say %s; when it was approved, %d of %d did", now, answers, hint.what, then, answersThen)
		}
	}
	if named == 0 {
		return Shift{Reason: v1alpha1.ReasonAnswersAsApproved, Message: "no answer says which model gave it"}
	}
	return Shift{Reason: v1alpha1.ReasonAsApproved, Message: "the approved model answers: " + listed(namesOf(after.Models))}
}

// rarer tells whether what so many answers said then is said by a smaller share now than chance explains, looks being taken day
// after day: a gateway may say it in some answers only. What all said and none says any more is gone, however few they are, and where
// none came nobody knows. Each of several hints may err as much less often as there are (Bonferroni).
func rarer(then, ofThen, now, ofNow int) bool {
	switch {
	case then == 0:
		return false
	case now == 0 && (then >= ofThen || ofNow == 0):
		return true
	}
	return stats.Fisher(int64(then), int64(max(ofThen, then)), int64(now), int64(max(ofNow, now))) < rarely/float64(len(hints))
}
