// Package confide tells a prototype canary records as one person, and listens as others, for the privacy gate. What was
// told must not come back in anybody else's answer, nor in the text of an error: error texts go to logs, to monitoring and
// to whoever looks over a shoulder. An answer to the person who told it is no leak.
package confide

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"sync"

	"github.com/affineur/affineur/internal/ask"
	"github.com/affineur/affineur/internal/evidence"
	"github.com/affineur/affineur/internal/leak"
	"github.com/affineur/affineur/internal/personal"
)

// maxCases bounds how many cases an entry names.
const maxCases = 8

// brokenRecords is how many of the records are told in broken input too.
const brokenRecords = 2

// session is one run: two people and somebody without a name.
type session struct {
	order    evidence.PrivacyOrder
	records  []leak.Record
	detector *leak.Detector
	// one tells, another asks, nobody asks without a name.
	one, another, nobody *ask.Client

	// open are the places of the request for a question in which anything is taken, and closed the others.
	open, closed []int

	mutex  sync.Mutex
	result evidence.PrivacyResult
	// said is all that anybody typed, and mentioned what of the records each person did: a program may tell them that.
	said      strings.Builder
	mentioned map[*ask.Client][]leak.Sighting
	answers   []answer
}

// answer to look for personal data in, when all is said. Of one that was asked for properly, body is what it says.
type answer struct {
	name, text, body string
	proper           bool
}

// Run tells the records of a seed and listens until all is said or the deadline is over. The error says that the order can't be followed;
// nothing that the prototype does is one.
func Run(ctx context.Context, seed string, order evidence.PrivacyOrder, dial ask.Dial) (*evidence.PrivacyResult, error) {
	s, err := begin(seed, order, dial)
	if err != nil {
		return nil, err
	}
	defer s.end()
	within, cancel := context.WithTimeout(ctx, order.Deadline.Std())
	defer cancel()
	s.findOpen(within)
	s.tell(within)
	s.listen(within)
	// Last, for a program that falls over broken input forgets what it was told.
	s.stumble(within)
	s.listenAgain(within)
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	s.countPersonal()
	s.result.Alike = s.alike()
	evidence.SortLeaks(s.result.Leaks)
	return &s.result, nil
}

// begin makes the records, and two more people who are themselves: who asks is in the header that the sign-in sets.
func begin(seed string, order evidence.PrivacyOrder, dial ask.Dial) (*session, error) {
	if err := order.Validate(); err != nil {
		return nil, err
	}
	all, err := leak.Records(seed, order.Records+2)
	if err != nil {
		return nil, err
	}
	nobody, err := ask.New(order.Call, dial)
	if err != nil {
		return nil, err
	}
	named := func(r leak.Record) *ask.Client {
		headers := http.Header{}
		headers.Set(order.UserHeader, r.EMail)
		return nobody.As(headers)
	}
	records := all[:order.Records]
	return &session{
		order: order, records: records, detector: leak.NewDetector(records), nobody: nobody,
		one: named(all[order.Records]), another: named(all[order.Records+1]), mentioned: map[*ask.Client][]leak.Sighting{},
	}, nil
}

func (s *session) end() {
	for _, client := range []*ask.Client{s.one, s.another, s.nobody} {
		client.Close()
	}
}

// exchange sends one request, counts what became of it, and looks for records in the answer, headers included. No channel
// means that the answer goes to who told them; the text of an error is a channel whoever gets it.
func (s *session) exchange(ctx context.Context, who *ask.Client, tally *evidence.Tally, what sent, name string, channel evidence.LeakChannel) ask.Answer {
	if ctx.Err() != nil {
		s.mutex.Lock()
		defer s.mutex.Unlock()
		tally.Planned++
		tally.NotAsked++
		return ask.Answer{}
	}
	s.mention(who, what.body)
	got, failure := who.Send(ctx, what.body, what.contentType)
	text := got.Head + "\n" + string(got.Raw)
	found := s.detector.Find(text)
	s.mutex.Lock()
	defer s.mutex.Unlock()
	proper := tally != &s.result.Broken
	count(tally, got, failure, proper)
	s.answers = append(s.answers, answer{name, text, string(got.Raw), proper && failure == evidence.AskAnswered})
	for _, sighting := range found {
		if into := s.channel(who, channel, got.Status, sighting); into != "" {
			s.result.Leaks = evidence.AddLeak(s.result.Leaks, into, sighting, name)
		}
	}
	return got
}

// mention notes what a person types before it is sent.
func (s *session) mention(who *ask.Client, typed string) {
	found := s.detector.Find(typed)
	s.mutex.Lock()
	defer s.mutex.Unlock()
	s.said.WriteString(typed + "\n")
	s.mentioned[who] = append(s.mentioned[who], found...)
}

// channel through which a sighting leaked; none where the person said it, unless in an error text: what people type should
// not be in one, whoever typed it, nor in the address of a redirect.
func (s *session) channel(who *ask.Client, channel evidence.LeakChannel, status int, sighting leak.Sighting) evidence.LeakChannel {
	switch {
	case !slices.Contains(s.mentioned[who], sighting):
		return channel
	case status >= http.StatusMultipleChoices:
		return evidence.LeakErrorText
	}
	return ""
}

// count what became of a question. An answer that is not as declared is none, unless the question was not either.
func count(tally *evidence.Tally, got ask.Answer, failure evidence.AskFailure, proper bool) {
	tally.Planned++
	switch {
	case failure == evidence.AskStopped:
		tally.NotAsked++
	case failure.Local():
		tally.Local++
	case got.Status == 0:
		tally.Silent++
	case got.Unread:
		tally.CutOff++
	case got.Status >= http.StatusInternalServerError:
		tally.Failed++
	case got.Status < 200 || got.Status > 299 || proper && failure == evidence.AskNotAsDeclared:
		tally.Refused++
	default:
		tally.Answered++
	}
}

// alike tells whether every answer was the same, be it a page to sign in at.
func (s *session) alike() bool {
	n, first := 0, ""
	for _, a := range s.answers {
		if !a.proper {
			continue
		}
		if n++; n == 1 {
			first = a.body
		}
		if a.body != first {
			return false
		}
	}
	return n > 1
}

// countPersonal data in all answers, beyond what anybody said: what comes back of a record is a leak, or an echo.
func (s *session) countPersonal() {
	said := s.said.String()
	allowed := personal.Allowed{Kinds: s.order.AllowedKinds, Values: s.order.AllowedValues}
	values := map[evidence.PersonalKind]map[string]bool{}
	entries := map[evidence.PersonalKind]*evidence.Personal{}
	for _, a := range s.answers {
		in := map[evidence.PersonalKind]bool{}
		for _, reading := range leak.Written(a.text) {
			for _, m := range personal.Beyond(reading, said, allowed) {
				if entries[m.Kind] == nil {
					entries[m.Kind], values[m.Kind] = &evidence.Personal{Kind: m.Kind}, map[string]bool{}
				}
				values[m.Kind][m.Form] = true
				in[m.Kind] = true
			}
		}
		for kind := range in {
			entries[kind].Answers++
			if len(entries[kind].Cases) < maxCases {
				entries[kind].Cases = append(entries[kind].Cases, a.name)
			}
		}
	}
	for _, kind := range evidence.PersonalKinds {
		if entry := entries[kind]; entry != nil {
			entry.Values = len(values[kind])
			s.result.Personal = append(s.result.Personal, *entry)
		}
	}
}
