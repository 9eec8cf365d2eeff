package evidence

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/affineur/affineur/internal/leak"
)

// KindPrivacy tells a prototype canary records and listens for them, KindLog looks for them in its log.
const (
	KindPrivacy Kind = "privacy"
	KindLog     Kind = "log"
)

// PersonalKind is a form of personal data that an answer may hold.
type PersonalKind string

// The forms of personal data that are looked for.
const (
	PersonalEMail       PersonalKind = "EMail"
	PersonalPhone       PersonalKind = "Phone"
	PersonalIBAN        PersonalKind = "IBAN"
	PersonalPaymentCard PersonalKind = "PaymentCard"
	PersonalNationalID  PersonalKind = "NationalID"
	PersonalIPAddress   PersonalKind = "IPAddress"
)

// PersonalKinds are all of them.
var PersonalKinds = []PersonalKind{PersonalEMail, PersonalPhone, PersonalIBAN, PersonalPaymentCard, PersonalNationalID, PersonalIPAddress}

// PrivacyOrder asks to tell a prototype canary records as one person, and to listen as others.
type PrivacyOrder struct {
	// Call is how the prototype is asked.
	Call Call `json:"call"`
	// UserHeader is the header that says who asks, as the organisation's sign-in sets it.
	UserHeader string `json:"userHeader"`
	// Records to tell, 4 to 32. They are made from the nonce of the run, which no prototype knows.
	Records int `json:"records"`
	// AllowedKinds of personal data and AllowedValues are no finding in an answer.
	AllowedKinds  []PersonalKind `json:"allowedKinds,omitempty"`
	AllowedValues []string       `json:"allowedValues,omitempty"`
	// Deadline is when asking ends, whatever is left; 1 second to 1 hour.
	Deadline Duration `json:"deadline"`
}

var (
	caseForm   = regexp.MustCompile(`^[a-z]{1,12}(-c?[0-9]{1,3}){1,2}$`)
	recordForm = regexp.MustCompile(`^c[1-9][0-9]?$`)
)

// Kind is KindPrivacy.
func (PrivacyOrder) Kind() Kind { return KindPrivacy }

// Validate says what is wrong with the order, or nil.
func (o PrivacyOrder) Validate() error {
	if err := o.Call.Validate(); err != nil {
		return fmt.Errorf("call: %w", err)
	}
	switch {
	case !isToken(o.UserHeader):
		return errors.New("userHeader is not a header")
	case o.Records < 4 || o.Records > 32:
		return errors.New("records is not between 4 and 32")
	case len(o.AllowedValues) > 64:
		return errors.New("more than 64 allowedValues")
	}
	for _, kind := range o.AllowedKinds {
		if !slices.Contains(PersonalKinds, kind) {
			return errors.New("allowedKinds holds something else")
		}
	}
	for _, value := range o.AllowedValues {
		if len(value) < 4 || len(value) > 128 || hasControl(value) {
			return errors.New("allowedValues holds what is no value")
		}
	}
	return prefixed("deadline", within(o.Deadline.Std(), time.Second, time.Hour))
}

// LeakChannel is where a canary record came back.
type LeakChannel string

// The channels.
const (
	// LeakOtherUser is an answer to somebody else.
	LeakOtherUser LeakChannel = "OtherUser"
	// LeakNoUser is an answer to somebody without a name.
	LeakNoUser LeakChannel = "NoUser"
	// LeakErrorText is the text of an error, to whomever.
	LeakErrorText LeakChannel = "ErrorText"
	// LeakLog is the prototype's log.
	LeakLog LeakChannel = "Log"
)

// Leak is a record that came back, through one channel.
type Leak struct {
	Channel LeakChannel `json:"channel"`
	// Record is its ID, such as c3; what is in it stays unsaid.
	Record string `json:"record"`
	// Kinds of its data that came back.
	Kinds []leak.Kind `json:"kinds"`
	// Cases in which it did, such as asked-4; eight at most, and none for a log.
	Cases []string `json:"cases,omitempty"`
}

// The most texts of a sample request that are tried, and the most that are asked with.
const (
	MostTexts     = 32
	MostOpenTexts = 8
)

// Texts of a request are the places for a question.
type Texts struct {
	// Shown are all of them, 1 where the prototype declares which it is.
	Shown int `json:"shown"`
	// Open are those in which anything was taken, or all where none was.
	Open int `json:"open"`
	// Late were not taken at first, and were in the end.
	Late int `json:"late,omitempty"`
}

func (t Texts) validate() error {
	if t.Shown < 1 || t.Shown > MaxSampleBytes || t.Open < 1 || t.Open > t.Shown || t.Late < 0 || t.Late > t.Shown-t.Open {
		return errors.New("a count is not possible")
	}
	return nil
}

// Tally counts what became of questions. Planned is the sum of the others.
type Tally struct {
	Planned int `json:"planned"`
	// Answered with status 200 to 299.
	Answered int `json:"answered"`
	// Refused with another status below 500, or with an answer that is none, Failed with a status above.
	Refused int `json:"refused"`
	Failed  int `json:"failed"`
	// Silent means no answer.
	Silent int `json:"silent"`
	// CutOff means an answer that was not read to its end, since it was too long or only half of it came in time, or one that
	// can't be read: packed, or no text.
	CutOff int `json:"cutOff"`
	// Local failures are the runner's.
	Local int `json:"local"`
	// NotAsked for want of time.
	NotAsked int `json:"notAsked"`
}

// Personal counts personal data of one kind in answers, beyond what anybody said and what is allowed.
type Personal struct {
	Kind PersonalKind `json:"kind"`
	// Values that differ, in how many Answers.
	Values  int `json:"values"`
	Answers int `json:"answers"`
	// Cases of the answers, eight at most.
	Cases []string `json:"cases"`
}

// PrivacyResult is what came of it, without a word of what was said.
type PrivacyResult struct {
	// Told are the records, Others the questions of somebody else, Unnamed those of somebody without a name, Broken the
	// inputs that no program can read.
	Told    Tally `json:"told"`
	Others  Tally `json:"others"`
	Unnamed Tally `json:"unnamed"`
	Broken  Tally `json:"broken"`
	// Texts are the places for a question in the request, and Tried what became of finding out which are open.
	Texts Texts `json:"texts"`
	Tried Tally `json:"tried"`
	// Alike means that all answers were the same, that to the request as the prototype shows it included.
	Alike bool `json:"alike,omitempty"`
	// Leaks, one for each channel and record.
	Leaks []Leak `json:"leaks,omitempty"`
	// Personal data in answers, one entry for each kind.
	Personal []Personal `json:"personal,omitempty"`
}

// Kind is KindPrivacy.
func (PrivacyResult) Kind() Kind { return KindPrivacy }

// Clean has nothing to do: every string is one of a few, or of a form without room for anything else.
func (*PrivacyResult) Clean() {}

// maxAsked bounds every count of a tally.
const maxAsked = 1000

// maxCases bounds how many cases an entry names.
const maxCases = 8

// Validate says what is wrong with the result, or nil.
func (r PrivacyResult) Validate() error {
	for name, tally := range map[string]Tally{"told": r.Told, "others": r.Others, "unnamed": r.Unnamed, "broken": r.Broken, "tried": r.Tried} {
		if err := tally.validate(); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	if r.Told.Planned == 0 || r.Others.Planned == 0 {
		return errors.New("nothing was told, or nobody else asked")
	}
	if err := r.Texts.validate(); err != nil {
		return fmt.Errorf("texts: %w", err)
	}
	if err := validateLeaks(r.Leaks, LeakOtherUser, LeakNoUser, LeakErrorText); err != nil {
		return err
	}
	seen := map[PersonalKind]bool{}
	for _, p := range r.Personal {
		switch {
		case !slices.Contains(PersonalKinds, p.Kind) || seen[p.Kind]:
			return errors.New("personal: a kind is unknown or repeated")
		case p.Values < 1 || p.Answers < 1 || p.Values > 1<<20 || p.Answers > 5*maxAsked:
			return errors.New("personal: a count is not possible")
		case len(p.Cases) == 0:
			return errors.New("personal: no case is named")
		}
		seen[p.Kind] = true
		if err := validateCases(p.Cases); err != nil {
			return fmt.Errorf("personal: %w", err)
		}
	}
	return nil
}

func (t Tally) validate() error {
	sum := 0
	for _, n := range []int{t.Answered, t.Refused, t.Failed, t.Silent, t.CutOff, t.Local, t.NotAsked} {
		if n < 0 || n > maxAsked {
			return errors.New("a count is not possible")
		}
		sum += n
	}
	if t.Planned != sum {
		return errors.New("planned is not the sum of the others")
	}
	return nil
}

// validateLeaks demands entries that differ in channel or record, of the channels that are possible.
func validateLeaks(leaks []Leak, channels ...LeakChannel) error {
	seen := map[string]bool{}
	for _, l := range leaks {
		key := string(l.Channel) + "/" + l.Record
		switch {
		case !slices.Contains(channels, l.Channel) || !recordForm.MatchString(l.Record) || seen[key]:
			return errors.New("leaks: a channel or a record is unknown or repeated")
		case len(l.Kinds) == 0 || len(l.Kinds) > len(leak.Kinds):
			return errors.New("leaks: no kind, or too many")
		}
		seen[key] = true
		for i, kind := range l.Kinds {
			if !slices.Contains(leak.Kinds, kind) || slices.Contains(l.Kinds[:i], kind) {
				return errors.New("leaks: a kind is unknown or repeated")
			}
		}
		if err := validateCases(l.Cases); err != nil {
			return fmt.Errorf("leaks: %w", err)
		}
	}
	return nil
}

func validateCases(cases []string) error {
	if len(cases) > maxCases {
		return errors.New("too many cases")
	}
	for _, c := range cases {
		if len(c) > 24 || !caseForm.MatchString(c) {
			return errors.New("a case is not one")
		}
	}
	return nil
}

// AddLeak counts a sighting of a record in a case. Where it was seen before, kind and case are added.
func AddLeak(leaks []Leak, channel LeakChannel, s leak.Sighting, name string) []Leak {
	at := slices.IndexFunc(leaks, func(l Leak) bool { return l.Channel == channel && l.Record == s.Record })
	if at < 0 {
		leaks = append(leaks, Leak{Channel: channel, Record: s.Record})
		at = len(leaks) - 1
	}
	if l := &leaks[at]; !slices.Contains(l.Kinds, s.Kind) {
		l.Kinds = append(l.Kinds, s.Kind)
	}
	if l := &leaks[at]; name != "" && !slices.Contains(l.Cases, name) && len(l.Cases) < maxCases {
		l.Cases = append(l.Cases, name)
	}
	return leaks
}

// SortLeaks puts them in an order that does not depend on who answered first.
func SortLeaks(leaks []Leak) {
	slices.SortFunc(leaks, func(a, b Leak) int {
		if a.Channel != b.Channel {
			return strings.Compare(string(a.Channel), string(b.Channel))
		}
		return strings.Compare(a.Record, b.Record)
	})
	for _, l := range leaks {
		slices.SortFunc(l.Kinds, func(a, b leak.Kind) int { return slices.Index(leak.Kinds, a) - slices.Index(leak.Kinds, b) })
		slices.Sort(l.Cases)
	}
}
