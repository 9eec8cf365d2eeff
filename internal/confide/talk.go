package confide

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"sync"

	"github.com/affineur/affineur/internal/ask"
	"github.com/affineur/affineur/internal/evidence"
	"github.com/affineur/affineur/internal/leak"
)

// findOpen places for a question in the request that the prototype shows. It does not say which of its texts is what people
// type, and it must not choose: in every text that takes anything, records are told and questions asked. A text that only
// takes what it knows, such as the name of a model or a role, is refused every time.
func (s *session) findOpen(ctx context.Context) {
	if body, contentType := s.another.Shown(); body != "" {
		s.exchange(ctx, s.another, &s.result.Tried, sent{body, contentType}, "shown-1", evidence.LeakOtherUser)
	}
	s.result.Texts.Shown = s.another.Texts()
	for at := range min(s.another.Texts(), evidence.MostTexts) {
		if s.another.Texts() == 1 || s.takes(ctx, at, "tried") {
			s.open = append(s.open, at)
		} else {
			s.closed = append(s.closed, at)
		}
	}
	if len(s.open) == 0 {
		s.open, s.closed = s.closed, nil
	}
	s.result.Texts.Open = len(s.open)
	s.open = s.open[:min(len(s.open), evidence.MostOpenTexts)]
}

// takes tells whether a place may take anything: it is not refused twice. What got no answer may.
func (s *session) takes(ctx context.Context, at int, name string) bool {
	for i, question := range plain[:2] {
		body, contentType := s.another.Request(at, question)
		got := s.exchange(ctx, s.another, &s.result.Tried, sent{body, contentType}, fmt.Sprintf("%s-%d-%d", name, at+1, i+1), evidence.LeakOtherUser)
		if got.Status < http.StatusMultipleChoices || got.Status == http.StatusTooManyRequests {
			return true
		}
	}
	return false
}

// tell every record, in every open place at least two, while another asks something plain.
func (s *session) tell(ctx context.Context) {
	for i := range max(len(s.records), 2*len(s.open)) {
		r, at := s.records[i%len(s.records)], s.open[i%len(s.open)]
		var pair sync.WaitGroup
		pair.Go(func() { s.ask(ctx, s.one, &s.result.Told, at, told(i, r), "told-"+r.ID, "") })
		pair.Go(func() {
			s.ask(ctx, s.another, &s.result.Others, at, plain[i%len(plain)], fmt.Sprintf("meanwhile-%d", i+1), evidence.LeakOtherUser)
		})
		pair.Wait()
	}
}

// stumble sends what can't be read, with records in it.
func (s *session) stumble(ctx context.Context) {
	for i := range max(brokenRecords, len(s.open)) {
		r := s.records[i%brokenRecords]
		typed := told(i, r)
		body, contentType := s.one.Request(s.open[i%len(s.open)], typed)
		for n, sent := range broken(body, contentType, typed) {
			s.exchange(ctx, s.one, &s.result.Broken, sent, fmt.Sprintf("broken-%s-%d", r.ID, 10*(i/brokenRecords)+n+1), "")
		}
	}
}

// listen as another, and as somebody without a name, on connections of their own. The last records were told last, and
// the first ones are what a summary holds: both are asked for by name.
func (s *session) listen(ctx context.Context) {
	questions := slices.Clone(curious)
	for _, r := range []leak.Record{s.records[0], s.records[len(s.records)-1]} {
		questions = append(questions, pointed(r)...)
	}
	s.askAll(ctx, s.another, &s.result.Others, questions, "asked", evidence.LeakOtherUser)
	s.askAll(ctx, s.nobody, &s.result.Unnamed, curious[:len(curious)/2], "unnamed", evidence.LeakNoUser)
}

// listenAgain to what broken input left behind, and try once more what was refused: it may have been refused to us only.
func (s *session) listenAgain(ctx context.Context) {
	s.askAll(ctx, s.another, &s.result.Others, curious[:3], "later", evidence.LeakOtherUser)
	for _, at := range s.closed {
		if s.takes(ctx, at, "again") {
			s.result.Texts.Late++
		}
	}
}

// askAll questions in every open place. Cases are numbered by the question, and by the place where there are several.
func (s *session) askAll(ctx context.Context, who *ask.Client, tally *evidence.Tally, questions []string, name string, channel evidence.LeakChannel) {
	for i, question := range questions {
		for n, at := range s.open {
			as := fmt.Sprintf("%s-%d", name, i+1)
			if len(s.open) > 1 {
				as += fmt.Sprintf("-%d", n+1)
			}
			s.ask(ctx, who, tally, at, question, as, channel)
		}
	}
}

func (s *session) ask(ctx context.Context, who *ask.Client, tally *evidence.Tally, at int, question, name string, channel evidence.LeakChannel) {
	body, contentType := who.Request(at, question)
	s.exchange(ctx, who, tally, sent{body, contentType}, name, channel)
}
