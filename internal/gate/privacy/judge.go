package privacy

import (
	"fmt"
	"slices"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/internal/evidence"
	"github.com/affineur/affineur/internal/gate"
	"github.com/affineur/affineur/internal/subject"
)

var durationUsual = metav1.Duration{Duration: usualAnswer}

// Evidence is what a verdict rests on.
type Evidence struct {
	Frame gate.Frame
	// Places that data goes to, and Rules of the data.
	Places []Place
	Rules  []v1alpha1.DataRule
	// Talk and Log are the two runs.
	Talk, Log gate.Measurement
	// Records that had to be told.
	Records int
	// Open are the fields of the prototype whose texts lie in ConfigMaps, which many read.
	Open []string
	// Unaskable says why the prototype can't be asked anything; nil where it can.
	Unaskable error
	// Declared means that the prototype says how it is asked, and does not only show a request.
	Declared bool
}

// Judge implements gate.Instrument.
func (Instrument) Judge(c gate.Case, taken gate.Taken) gate.Verdict {
	_, err := orderOf(c)
	return Judge(Evidence{
		Frame: c.Frame(), Places: placesOf(c.Record), Rules: c.Record.Requirements.DataRules, Records: int(settingsOf(c.Gate).Records),
		Talk: taken.Runs[partTalk].Measurement, Log: taken.Runs[partLog].Measurement, Unaskable: err, Open: open(c.Record.Subject),
		Declared: c.Record.Subject.Evaluation != nil,
	})
}

// Judge gives the verdict. A hole fails the gate however much else is unknown; without a hole, everything has to be known:
// what places do with inputs, that the prototype took what it was told, that others were answered, and that its log was
// searched to the end.
func Judge(e Evidence) gate.Verdict {
	broken, unknown := Declared(e.Places, e.Rules, e.Frame.Now)
	broken = append(broken, exposed(e.Open, e.Rules)...)
	if len(e.Rules) == 0 {
		unknown = append(unknown, gate.Finding{Reason: v1alpha1.ReasonRequirementInvalid, Owner: v1alpha1.OwnerIT,
			Message: "The review does not say which data the prototype works with.", Hint: "The review is opened anew."})
	}
	if e.Unaskable != nil {
		unknown = append(unknown, unaskable(e.Unaskable))
		return e.conclude(broken, unknown, "", time.Time{})
	}
	talk, refused := gate.Open[evidence.PrivacyResult](e.Frame, e.Talk, "the conversation with the prototype")
	if refused != nil {
		return e.without(*refused, broken, unknown)
	}
	at := e.Talk.Report.FinishedAt
	broken = append(broken, leaked(*talk)...)
	unknown = append(append(unknown, e.little(*talk)...), e.deaf(*talk)...)
	log, refused := gate.Open[evidence.LogResult](e.Frame, e.Log, "the search of the prototype's log")
	if refused != nil {
		return e.without(*refused, broken, unknown)
	}
	broken = append(broken, logged(*log)...)
	unknown = append(unknown, e.unread(*log)...)
	return e.conclude(broken, unknown, said(*talk, *log), at)
}

// without a measurement that can be used: a hole that is known already fails the gate all the same, and else it is the
// refusal that counts, with whatever else is unknown.
func (e Evidence) without(refused gate.Verdict, broken, unknown []gate.Finding) gate.Verdict {
	if len(broken) > 0 {
		return e.conclude(broken, unknown, "", refused.MeasuredAt)
	}
	if refused.State == gate.Pending {
		return refused
	}
	return gate.Unknown(refused.Reason, refused.Message, refused.MeasuredAt, append(refused.Findings, unknown...)...)
}

func (e Evidence) conclude(broken, unknown []gate.Finding, passed string, at time.Time) gate.Verdict {
	switch {
	case len(broken) > 0:
		return gate.Fail(reasonOf(broken, v1alpha1.ReasonPrivacyViolated), messageOf(broken), at, append(broken, unknown...)...)
	case len(unknown) > 0:
		return gate.Unknown(unknown[0].Reason, messageOf(unknown), at, unknown...)
	case passed == "":
		return gate.Unknown(v1alpha1.ReasonEvidenceUnverifiable, "Nothing was measured.", at)
	}
	return gate.Pass(v1alpha1.ReasonPrivacyKept, passed, at)
}

// reasonOf findings: their own where there is one, and else that there are several.
func reasonOf(findings []gate.Finding, several string) string {
	for _, f := range findings {
		if f.Reason != findings[0].Reason {
			return several
		}
	}
	return findings[0].Reason
}

func messageOf(findings []gate.Finding) string {
	if len(findings) == 1 {
		return findings[0].Message
	}
	return fmt.Sprintf("%s And %d more.", findings[0].Message, len(findings)-1)
}

func said(talk evidence.PrivacyResult, log evidence.LogResult) string {
	text := fmt.Sprintf("%d canary records were told; none came back in %d answers to others, in %d errors, or in %s of log, and no answer held personal data beyond what was said.",
		talk.Told.Answered, talk.Others.Answered+talk.Unnamed.Answered, talk.Broken.Refused+talk.Broken.Failed, size(log.Bytes))
	if talk.Texts.Shown > 1 {
		text += fmt.Sprintf(" Of %d texts of the sample request %d took anything, and were told in.", talk.Texts.Shown, talk.Texts.Open)
	}
	if talk.Alike {
		text += " Every answer was the same."
	}
	if log.Bytes == 0 {
		text += " The program logged nothing at all."
	}
	return text
}

func unaskable(err error) gate.Finding {
	return gate.Finding{
		Reason: v1alpha1.ReasonCallUnknown, Field: "spec.demand.request", Owner: v1alpha1.OwnerBusiness,
		Message: "The prototype can't be asked anything: " + err.Error() + ".",
		Hint:    "Say under evaluation.call how it is asked, or show a request with a text in its body under demand.request.",
	}
}

const fieldArtifact = "spec.evaluation.examples.artifact"

// open fields hold what people type, or what is right about it, for everybody who sees the namespace.
func open(s subject.Subject) []string {
	var out []string
	if s.Demand != nil && s.Demand.Body != "" && !s.Demand.Guarded {
		out = append(out, "spec.demand.request.body.configMap")
	}
	switch {
	case s.Evaluation == nil || s.Evaluation.Guarded:
	case s.Evaluation.Artifact != "":
		out = append(out, fieldArtifact)
	default:
		out = append(out, "spec.evaluation.examples.configMap")
	}
	return out
}

// exposed are texts that may hold data which not everybody in the namespace may see: what a prototype works with is what its
// examples are made of.
func exposed(fields []string, rules []v1alpha1.DataRule) []gate.Finding {
	at := slices.IndexFunc(rules, func(r v1alpha1.DataRule) bool {
		return r.Class == v1alpha1.DataConfidential || r.Class == v1alpha1.DataRestricted
	})
	if at < 0 {
		return nil
	}
	var out []gate.Finding
	for _, field := range fields {
		f := gate.Finding{
			Reason: v1alpha1.ReasonConfidentialInConfigMap, Field: field, Owner: v1alpha1.OwnerBusiness,
			Message: nameOf(rules[at]) + " is " + string(rules[at].Class) + ", and what is asked lies in a ConfigMap, which everybody who sees the namespace may read.",
			Hint:    "Put it into a Secret, name that in place of the ConfigMap, and grant it to the operator: a Role with get on that one Secret. Then delete the ConfigMap.",
		}
		if field == fieldArtifact {
			f.Message = nameOf(rules[at]) + " is " + string(rules[at].Class) + ", and the registry shows the examples to everybody who can reach it, or not over TLS."
			f.Hint = "Push them where a credential is needed to pull them, and let IT keep one for the operator with that registry; or put them into a Secret that the team grants."
		}
		out = append(out, f)
	}
	return out
}

const workloadField = "spec.workload.container"

// leaked are the holes that the conversation showed.
func leaked(r evidence.PrivacyResult) []gate.Finding {
	var out []gate.Finding
	to := func(channels ...evidence.LeakChannel) []evidence.Leak {
		return slices.DeleteFunc(slices.Clone(r.Leaks), func(l evidence.Leak) bool { return !slices.Contains(channels, l.Channel) })
	}
	if leaks := to(evidence.LeakOtherUser, evidence.LeakNoUser); len(leaks) > 0 {
		out = append(out, gate.Finding{
			Reason: v1alpha1.ReasonRecordLeaked, Field: workloadField, Owner: v1alpha1.OwnerBusiness,
			Message: fmt.Sprintf("What one person told came back in answers to another: %s of a canary record (%s). Whoever uses it reads what others typed.", kindsOf(leaks), casesOf(leaks)),
			Hint:    "Keep what people type apart by who they are, as the sign-in's header says, or do not keep it: no variable, cache, file or index for all of them.",
		})
	}
	if leaks := to(evidence.LeakErrorText); len(leaks) > 0 {
		out = append(out, gate.Finding{
			Reason: v1alpha1.ReasonInputInErrorText, Field: workloadField, Owner: v1alpha1.OwnerBusiness,
			Message: fmt.Sprintf("The text of an error repeats what was typed: %s of a canary record (%s). Error texts go to logs, to monitoring and to support.", kindsOf(leaks), casesOf(leaks)),
			Hint:    "Answer bad input with what is wrong and where, in fixed words, and never with the input.",
		})
	}
	for _, p := range r.Personal {
		out = append(out, gate.Finding{
			Reason: v1alpha1.ReasonPersonalDataInAnswers, Field: workloadField, Owner: v1alpha1.OwnerBusiness,
			Message: fmt.Sprintf("%s held %s of the form of personal data (%s) that nobody had typed: cases %s.", count(p.Answers, "answer", "answers"),
				count(p.Values, "value", "values"), personalWord(p.Kind), listed(p.Cases)),
			Hint: "Take people's data out of what the prototype answers from. What may be told, such as a help desk's number, IT allows under privacy.allowed of the policy's gate.",
		})
	}
	return out
}

func personalWord(kind evidence.PersonalKind) string {
	if word := kindWords[string(kind)]; word != "" {
		return word
	}
	return string(kind)
}

// little says where there were too few answers to conclude anything from silence about the records.
func (e Evidence) little(r evidence.PrivacyResult) []gate.Finding {
	var out []gate.Finding
	add := func(what string, t evidence.Tally, least int) {
		if t.Answered >= least && t.CutOff == 0 {
			return
		}
		f := gate.Finding{Reason: v1alpha1.ReasonTooFewAnswers, Field: "spec.demand.request", Owner: v1alpha1.OwnerBusiness,
			Message: fmt.Sprintf("Of %d %s %d were answered: %d were refused, %d failed, %d had no answer in time, %d had one that could not be read to its end.",
				t.Planned, what, t.Answered, t.Refused, t.Failed, t.Silent, t.CutOff),
			Hint: "Show a request that the prototype answers. If it answers only those who are signed in, IT names the header under privacy.userHeader of the policy's gate."}
		if t.Local+t.NotAsked > 0 {
			f.Owner, f.Field = v1alpha1.OwnerIT, ""
			f.Message = fmt.Sprintf("Of %d %s %d could not be asked, for want of time or by the runner's fault.", t.Planned, what, t.Local+t.NotAsked)
			f.Hint = "It is measured again, with more time."
		}
		out = append(out, f)
	}
	// Three of four: a prototype that mixes people up does so with more than one of them.
	add("canary records", r.Told, max(1, (max(r.Told.Planned, e.Records)*3+3)/4))
	add("questions of somebody else", r.Others, max(1, (r.Others.Planned*3+3)/4))
	if r.Tried.CutOff+r.Unnamed.CutOff > 0 {
		add("questions without a name, or of other forms,", evidence.Tally{Planned: r.Tried.Planned + r.Unnamed.Planned,
			Answered: r.Tried.Answered + r.Unnamed.Answered, Refused: r.Tried.Refused + r.Unnamed.Refused,
			Failed: r.Tried.Failed + r.Unnamed.Failed, Silent: r.Tried.Silent + r.Unnamed.Silent, CutOff: r.Tried.CutOff + r.Unnamed.CutOff}, 0)
	}
	if r.Broken.CutOff > 0 || r.Broken.Planned == 0 || r.Broken.Answered+r.Broken.Refused+r.Broken.Failed < (r.Broken.Planned+1)/2 {
		add("requests with broken input", evidence.Tally{Planned: r.Broken.Planned, Silent: r.Broken.Silent, CutOff: r.Broken.CutOff,
			Local: r.Broken.Local, NotAsked: r.Broken.NotAsked}, 1)
	}
	return out
}

// deaf says why the records may have been told where nobody listens.
func (e Evidence) deaf(r evidence.PrivacyResult) []gate.Finding {
	finding := func(message string) []gate.Finding {
		return []gate.Finding{{Reason: v1alpha1.ReasonTooFewAnswers, Field: "spec.demand.request", Owner: v1alpha1.OwnerBusiness, Message: message,
			Hint: "Say under evaluation.call how it is asked a question, and where in its answer the text is."}}
	}
	switch t := r.Texts; {
	case t.Shown > evidence.MostTexts:
		return finding(fmt.Sprintf("The sample request holds %d texts, and nobody says which of them people type; %d are tried.", t.Shown, evidence.MostTexts))
	case t.Open > evidence.MostOpenTexts:
		return finding(fmt.Sprintf("%d texts of the sample request take anything, and nobody says which of them people type; %d are asked with.", t.Open, evidence.MostOpenTexts))
	case t.Late > 0:
		return finding(fmt.Sprintf("%s of the sample request %s refused at first and taken in the end, so nothing was told there.", count(t.Late, "text", "texts"), was(t.Late)))
	case r.Alike && !e.Declared:
		return finding("Every answer was the same, that to the request as it is shown too, as a page to sign in at would be: nobody can tell whether anything was read.")
	}
	return nil
}

// logged are the holes in the log.
func logged(r evidence.LogResult) []gate.Finding {
	if len(r.Leaks) == 0 {
		return nil
	}
	return []gate.Finding{{
		Reason: v1alpha1.ReasonInputLogged, Field: workloadField, Owner: v1alpha1.OwnerBusiness,
		Message: fmt.Sprintf("The prototype's log holds what people typed: %s of a canary record (%s). Logs are shipped to collectors and read by many.", kindsOf(r.Leaks), casesOf(r.Leaks)),
		Hint:    "Log that something was asked, how long it took and a number to find it by; never what was typed or answered. Mind the framework's debug mode and its error traces.",
	}}
}

// unread says where the search of the log was not that of this conversation, or did not come to the end.
func (e Evidence) unread(r evidence.LogResult) []gate.Finding {
	finding := func(message string) []gate.Finding {
		return []gate.Finding{{Reason: v1alpha1.ReasonLogNotSearched, Field: workloadField, Owner: v1alpha1.OwnerBusiness, Message: message,
			Hint: "Log less for each request; what nobody can read through, nobody can look after."}}
	}
	switch {
	case r.Nonce != e.Talk.Report.Nonce:
		return []gate.Finding{{Reason: v1alpha1.ReasonEvidenceUnverifiable, Owner: v1alpha1.OwnerIT,
			Message: "The log was searched for the records of another conversation.", Hint: "It is measured again."}}
	case r.Cut:
		return finding(fmt.Sprintf("The log of the conversation is longer than the %s that were searched, or the node has put its beginning aside.", size(r.Bytes)))
	}
	return nil
}
