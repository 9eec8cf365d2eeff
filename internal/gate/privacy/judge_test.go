package privacy

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/internal/evidence"
	"github.com/affineur/affineur/internal/gate"
	"github.com/affineur/affineur/internal/leak"
)

const (
	subjectDigest = "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
	nonce         = "0123456789abcdef0123456789abcdef"
)

// world is what a test changes.
type world struct {
	Evidence
	talk evidence.PrivacyResult
	log  evidence.LogResult
}

func report(result evidence.Result, after time.Duration) *evidence.Report {
	end := now.Add(-time.Hour + after)
	return &evidence.Report{Schema: evidence.ReportSchema, Nonce: nonce, Subject: subjectDigest, StartedAt: end.Add(-time.Minute), FinishedAt: end, Result: result}
}

// verdict on a conversation of which nothing came back, with the edits.
func verdict(edit func(*world)) gate.Verdict {
	w := world{
		Evidence: Evidence{
			Frame: gate.Frame{Subject: subjectDigest, Now: now, MaxAge: 24 * time.Hour}, Records: 12,
			Places: []Place{place(nil)}, Rules: []v1alpha1.DataRule{confidential(nil)},
		},
		talk: evidence.PrivacyResult{
			Told: evidence.Tally{Planned: 12, Answered: 12}, Others: evidence.Tally{Planned: 31, Answered: 31},
			Unnamed: evidence.Tally{Planned: 6, Refused: 6}, Broken: evidence.Tally{Planned: 16, Answered: 4, Refused: 12},
			Texts: evidence.Texts{Shown: 3, Open: 2}, Tried: evidence.Tally{Planned: 5, Answered: 3, Refused: 2},
		},
		log: evidence.LogResult{Nonce: nonce, Pods: 1, Bytes: 4096},
	}
	w.Talk.Report, w.Log.Report = report(&w.talk, 0), report(&w.log, time.Second)
	if edit != nil {
		edit(&w)
	}
	return Judge(w.Evidence)
}

func leaks(channel evidence.LeakChannel) []evidence.Leak {
	l := evidence.Leak{Channel: channel, Record: "c3", Kinds: []leak.Kind{leak.Phone}}
	if channel != evidence.LeakLog {
		l.Cases = []string{"asked-4"}
	}
	return []evidence.Leak{l}
}

func TestJudge(t *testing.T) {
	for name, c := range map[string]struct {
		edit   func(*world)
		state  gate.State
		reason string
	}{
		"nothing came back":            {nil, gate.Passed, v1alpha1.ReasonPrivacyKept},
		"nine of twelve were answered": {func(w *world) { w.talk.Told = evidence.Tally{Planned: 12, Answered: 9, Refused: 3} }, gate.Passed, v1alpha1.ReasonPrivacyKept},
		"silence in the log":           {func(w *world) { w.log.Bytes = 0 }, gate.Passed, v1alpha1.ReasonPrivacyKept},
		"it goes nowhere":              {func(w *world) { w.Places = nil }, gate.Passed, v1alpha1.ReasonPrivacyKept},
		"no error could be provoked":   {func(w *world) { w.talk.Broken = evidence.Tally{Planned: 16, Answered: 16} }, gate.Passed, v1alpha1.ReasonPrivacyKept},

		"half of the bad input was answered": {func(w *world) { w.talk.Broken = evidence.Tally{Planned: 16, Refused: 8, Silent: 8} },
			gate.Passed, v1alpha1.ReasonPrivacyKept},
		"the same to everything, as it is declared": {func(w *world) { w.talk.Alike, w.Declared = true, true }, gate.Passed, v1alpha1.ReasonPrivacyKept},
		"the same to everything":                    {func(w *world) { w.talk.Alike = true }, gate.Inconclusive, v1alpha1.ReasonTooFewAnswers},
		"too many texts":                            {func(w *world) { w.talk.Texts = evidence.Texts{Shown: 33, Open: 1} }, gate.Inconclusive, v1alpha1.ReasonTooFewAnswers},
		"too many open texts":                       {func(w *world) { w.talk.Texts = evidence.Texts{Shown: 12, Open: 9} }, gate.Inconclusive, v1alpha1.ReasonTooFewAnswers},
		"a text that was taken late":                {func(w *world) { w.talk.Texts.Late = 1 }, gate.Inconclusive, v1alpha1.ReasonTooFewAnswers},
		"an error that can't be read": {func(w *world) { w.talk.Broken = evidence.Tally{Planned: 16, Refused: 15, CutOff: 1} },
			gate.Inconclusive, v1alpha1.ReasonTooFewAnswers},
		"an answer to nobody that can't be read": {func(w *world) { w.talk.Unnamed = evidence.Tally{Planned: 6, Refused: 5, CutOff: 1} },
			gate.Inconclusive, v1alpha1.ReasonTooFewAnswers},
		"no text at all": {func(w *world) { w.talk.Texts = evidence.Texts{} }, gate.Inconclusive, v1alpha1.ReasonEvidenceUnverifiable},

		"to another":          {func(w *world) { w.talk.Leaks = leaks(evidence.LeakOtherUser) }, gate.Failed, v1alpha1.ReasonRecordLeaked},
		"to nobody":           {func(w *world) { w.talk.Leaks = leaks(evidence.LeakNoUser) }, gate.Failed, v1alpha1.ReasonRecordLeaked},
		"in an error":         {func(w *world) { w.talk.Leaks = leaks(evidence.LeakErrorText) }, gate.Failed, v1alpha1.ReasonInputInErrorText},
		"in the log":          {func(w *world) { w.log.Leaks = leaks(evidence.LeakLog) }, gate.Failed, v1alpha1.ReasonInputLogged},
		"in two places":       {func(w *world) { w.talk.Leaks, w.log.Leaks = leaks(evidence.LeakNoUser), leaks(evidence.LeakLog) }, gate.Failed, v1alpha1.ReasonPrivacyViolated},
		"a hole, log to come": {func(w *world) { w.talk.Leaks, w.Log.Report = leaks(evidence.LeakNoUser), nil }, gate.Failed, v1alpha1.ReasonRecordLeaked},
		"a hole, log lost":    {func(w *world) { w.talk.Leaks, w.Log = leaks(evidence.LeakNoUser), gate.Measurement{Lost: "gone"} }, gate.Failed, v1alpha1.ReasonRecordLeaked},
		"a hole, few answers": {func(w *world) {
			w.talk.Leaks = leaks(evidence.LeakNoUser)
			w.talk.Told = evidence.Tally{Planned: 12, Answered: 1, Failed: 11}
		}, gate.Failed, v1alpha1.ReasonRecordLeaked},
		"personal data": {func(w *world) {
			w.talk.Personal = []evidence.Personal{{Kind: evidence.PersonalIBAN, Values: 1, Answers: 2, Cases: []string{"asked-3"}}}
		}, gate.Failed, v1alpha1.ReasonPersonalDataInAnswers},
		"a hole, and an assurance that is over": {func(w *world) {
			w.talk.Leaks, w.Places[0].Assurance.ValidUntil = leaks(evidence.LeakNoUser), "2026-01-01"
		}, gate.Failed, v1alpha1.ReasonRecordLeaked},
		"forbidden before anything was measured": {func(w *world) { w.Talk.Report, w.Log.Report, w.Places[0].MayCarry = nil, nil, v1alpha1.MayCarry{} }, gate.Failed, v1alpha1.ReasonDataNotAllowed},

		"assurance over":       {func(w *world) { w.Places[0].Assurance.ValidUntil = "2026-01-01" }, gate.Inconclusive, v1alpha1.ReasonAssuranceExpired},
		"no assurance":         {func(w *world) { w.Places[0].Assurance = nil }, gate.Inconclusive, v1alpha1.ReasonAssuranceMissing},
		"no data rules":        {func(w *world) { w.Rules = nil }, gate.Inconclusive, v1alpha1.ReasonRequirementInvalid},
		"nobody can ask":       {func(w *world) { w.Unaskable = errors.New("it is not said how") }, gate.Inconclusive, v1alpha1.ReasonCallUnknown},
		"few were told":        {func(w *world) { w.talk.Told = evidence.Tally{Planned: 12, Answered: 8, Refused: 4} }, gate.Inconclusive, v1alpha1.ReasonTooFewAnswers},
		"fewer were planned":   {func(w *world) { w.talk.Told = evidence.Tally{Planned: 4, Answered: 4} }, gate.Inconclusive, v1alpha1.ReasonTooFewAnswers},
		"nobody answered":      {func(w *world) { w.talk.Others = evidence.Tally{Planned: 31, Refused: 31} }, gate.Inconclusive, v1alpha1.ReasonTooFewAnswers},
		"one was cut off":      {func(w *world) { w.talk.Others = evidence.Tally{Planned: 31, Answered: 30, CutOff: 1} }, gate.Inconclusive, v1alpha1.ReasonTooFewAnswers},
		"no time":              {func(w *world) { w.talk.Others = evidence.Tally{Planned: 31, Answered: 3, NotAsked: 28} }, gate.Inconclusive, v1alpha1.ReasonTooFewAnswers},
		"died of bad input":    {func(w *world) { w.talk.Broken = evidence.Tally{Planned: 16, Silent: 16} }, gate.Inconclusive, v1alpha1.ReasonTooFewAnswers},
		"most died of it":      {func(w *world) { w.talk.Broken = evidence.Tally{Planned: 16, Refused: 7, Silent: 9} }, gate.Inconclusive, v1alpha1.ReasonTooFewAnswers},
		"no bad input":         {func(w *world) { w.talk.Broken = evidence.Tally{} }, gate.Inconclusive, v1alpha1.ReasonTooFewAnswers},
		"log cut":              {func(w *world) { w.log.Cut = true }, gate.Inconclusive, v1alpha1.ReasonLogNotSearched},
		"another's log":        {func(w *world) { w.log.Nonce = strings.Repeat("f", 32) }, gate.Inconclusive, v1alpha1.ReasonEvidenceUnverifiable},
		"log lost":             {func(w *world) { w.Log = gate.Measurement{Lost: "gone"} }, gate.Inconclusive, v1alpha1.ReasonMeasurementLost},
		"talk lost":            {func(w *world) { w.Talk = gate.Measurement{Lost: "gone"} }, gate.Inconclusive, v1alpha1.ReasonMeasurementLost},
		"stale":                {func(w *world) { w.Frame.MaxAge = time.Minute }, gate.Inconclusive, v1alpha1.ReasonEvidenceStale},
		"another subject":      {func(w *world) { w.Frame.Subject = "sha256:" + strings.Repeat("f", 64) }, gate.Inconclusive, v1alpha1.ReasonEvidenceUnverifiable},
		"no record was told":   {func(w *world) { w.talk.Told = evidence.Tally{} }, gate.Inconclusive, v1alpha1.ReasonEvidenceUnverifiable},
		"sums that lie":        {func(w *world) { w.talk.Told.Answered = 13 }, gate.Inconclusive, v1alpha1.ReasonEvidenceUnverifiable},
		"a log of no pod":      {func(w *world) { w.log.Pods = 0 }, gate.Inconclusive, v1alpha1.ReasonEvidenceUnverifiable},
		"a log for a talk":     {func(w *world) { w.Talk.Report = report(&w.log, 0) }, gate.Inconclusive, v1alpha1.ReasonEvidenceUnverifiable},
		"log leak of the talk": {func(w *world) { w.log.Leaks = leaks(evidence.LeakNoUser) }, gate.Inconclusive, v1alpha1.ReasonEvidenceUnverifiable},

		"not yet":     {func(w *world) { w.Talk.Report, w.Log.Report = nil, nil }, gate.Pending, v1alpha1.ReasonNotMeasured},
		"log to come": {func(w *world) { w.Log.Report = nil }, gate.Pending, v1alpha1.ReasonNotMeasured},
	} {
		t.Run(name, func(t *testing.T) {
			v := verdict(c.edit)
			if v.State != c.state || v.Reason != c.reason {
				t.Errorf("%s %s: %s %+v, want %s %s", v.State, v.Reason, v.Message, v.Findings, c.state, c.reason)
			}
			if v.State == gate.Failed && len(v.Findings) == 0 {
				t.Error("it failed without a finding")
			}
			for _, f := range v.Findings {
				if f.Reason == "" || f.Message == "" || f.Hint == "" || f.Owner == "" {
					t.Errorf("%+v does not say what, who and how", f)
				}
			}
		})
	}
}

// All holes show at once.
func TestJudgeTellsAll(t *testing.T) {
	v := verdict(func(w *world) {
		w.talk.Leaks = append(leaks(evidence.LeakOtherUser), leaks(evidence.LeakErrorText)...)
		w.talk.Personal = []evidence.Personal{{Kind: evidence.PersonalEMail, Values: 1, Answers: 1, Cases: []string{"told-c1"}}}
		w.log.Leaks = leaks(evidence.LeakLog)
		w.Places[0].Assurance.ValidUntil = "2026-01-01"
	})
	if len(v.Findings) != 5 || v.State != gate.Failed || v.Reason != v1alpha1.ReasonPrivacyViolated {
		t.Errorf("%+v", v)
	}
}
