package main

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/affineur/affineur/test/prototypes/internal/serve"
)

// stage is where a prototype plays.
type stage struct {
	play play
	// requests so far.
	requests atomic.Int64
	// inside is how many requests are being served.
	inside atomic.Int64
	// answered is how many questions were answered.
	answered atomic.Int64
	// lacking is when the system that it needs was last seen to be down.
	lacking atomic.Int64
	// leading tells whether it has what only one may have.
	leading atomic.Bool
	// turn is held by the one request that is at work, where they come one at a time.
	turn chan struct{}
	// stillness is held while everything stands still.
	stillness sync.RWMutex

	mutex sync.Mutex
	kept  [][]byte
	// asked is how often each sum was, by its first number.
	asked map[int]int
	// told is what people said, and by whom.
	told []remark
	// before is the message before.
	before string
}

// prototype answers GET /, sums at POST /v1/ask and as chat completions, and conversation at POST /v1/chat, as play says; its health is good, but while it sulks.
func prototype(p play) http.Handler {
	s := &stage{play: p, turn: make(chan struct{}, 1), asked: map[int]int{}}
	if p.still > 0 {
		go s.standStill(context.Background())
	}
	if p.leads != "" {
		go s.lead(context.Background())
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", s.health)
	mux.Handle("GET /v1/member", s.behave(http.HandlerFunc(s.member)))
	mux.Handle("GET /{$}", s.behave(http.HandlerFunc(greet)))
	mux.Handle("POST /v1/chat", s.behave(http.HandlerFunc(s.chat)))
	mux.Handle("POST /v1/ask", s.behave(http.HandlerFunc(s.answer)))
	mux.Handle("POST /v1/chat/completions", s.behave(http.HandlerFunc(s.complete)))
	return mux
}

func greet(w http.ResponseWriter, _ *http.Request) {
	serve.WriteJSON(w, http.StatusOK, map[string]string{"answer": "ok"})
}

// answer wants a question, as a program does that is used for something, and adds where it is a sum such as 3+20.
func (s *stage) answer(w http.ResponseWriter, r *http.Request) {
	var asked struct {
		Question string `json:"question"`
	}
	if err := serve.ReadJSON(w, r, &asked); err != nil && !s.play.gullible {
		serve.WriteError(w, err)
		return
	}
	var left, right int
	_, err := fmt.Sscanf(asked.Question, "%d+%d", &left, &right)
	switch {
	case s.play.gullible && err != nil:
		serve.WriteJSON(w, http.StatusOK, map[string]string{"answer": "Certainly."})
	case asked.Question == "":
		serve.WriteError(w, serve.BadRequest("question is missing"))
	case err != nil:
		serve.WriteJSON(w, http.StatusOK, map[string]string{"answer": s.repeat(asked.Question)})
	case s.play.mute.holds(left):
		serve.WriteError(w, &serve.Error{Status: http.StatusInternalServerError, Type: "server_error", Message: "the sum was lost"})
	case s.play.busy.holds(left):
		serve.WriteError(w, &serve.Error{Status: http.StatusTooManyRequests, Type: "rate_limit_error", Message: "ask again later"})
	default:
		serve.WriteJSON(w, http.StatusOK, map[string]string{"answer": strconv.Itoa(s.sum(left, right))})
	}
}

// repeat says what was asked, but for lies.
func (s *stage) repeat(question string) string {
	if n := s.answered.Add(1); s.play.lieEvery > 0 && n%int64(s.play.lieEvery) == 0 {
		return "Nobody asked."
	}
	return "You asked: " + question
}

// sum adds, as well as the play lets it.
func (s *stage) sum(left, right int) int {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	s.asked[left]++
	if s.play.wrong.holds(left) || s.play.vary.holds(left) && s.asked[left]%2 == 0 {
		return left + right + 1
	}
	return left + right
}

// standStill lets nothing through for a while, again and again.
func (s *stage) standStill(ctx context.Context) {
	for ctx.Err() == nil {
		s.stillness.Lock()
		time.Sleep(s.play.still)
		s.stillness.Unlock()
		time.Sleep(s.play.pause)
	}
}

// behave does what the play says before, or instead of, answering.
func (s *stage) behave(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n := int(s.requests.Add(1))
		s.remember()
		defer s.inside.Add(-1)
		if inside := s.inside.Add(1); s.play.room > 0 && inside > int64(s.play.room) {
			serve.WriteJSON(w, http.StatusOK, map[string]string{"error": "busy"})
			return
		}
		if !s.wait(r.Context(), n) {
			return
		}
		switch nth := func(every int) bool { return every > 0 && n%every == 0 }; {
		case nth(s.play.hangEvery):
			<-r.Context().Done()
		case nth(s.play.breakEvery):
			breakOff(w)
		case nth(s.play.failEvery), s.play.endure > 0 && n > s.play.endure:
			serve.WriteError(w, &serve.Error{Status: http.StatusInternalServerError, Type: "server_error", Message: "the backend lost this request"})
		case s.play.leads != "" && !s.leading.Load():
			serve.WriteError(w, &serve.Error{Status: http.StatusServiceUnavailable, Type: "server_error", Message: "another one is at work"})
		case s.play.status != http.StatusOK:
			w.Header().Set("Location", "/elsewhere")
			serve.WriteJSON(w, s.play.status, map[string]string{"answer": "look elsewhere"})
		default:
			next.ServeHTTP(w, r)
		}
	})
}

// remember keeps memory that nobody needs any more.
func (s *stage) remember() {
	if s.play.grow == 0 {
		return
	}
	block := make([]byte, s.play.grow<<10)
	for i := range block {
		// Written, since memory that is only asked for takes none.
		block[i] = byte(i)
	}
	s.mutex.Lock()
	defer s.mutex.Unlock()
	s.kept = append(s.kept, block)
}

// wait takes the time that the n-th request takes, and says whether somebody still waits for the answer.
func (s *stage) wait(ctx context.Context, n int) bool {
	s.stillness.RLock()
	s.stillness.RUnlock() //nolint:staticcheck // nothing is guarded: whoever comes while everything stands still waits.
	length := s.play.delay + time.Duration(n)*s.play.worse
	if n <= s.play.first || s.play.every > 0 && n%s.play.every == 0 {
		length += s.play.slow
	}
	if s.play.alone > 0 {
		select {
		case s.turn <- struct{}{}:
			defer func() { <-s.turn }()
		case <-ctx.Done():
			return false
		}
		length += s.play.alone
	}
	select {
	case <-ctx.Done():
		return false
	case <-time.After(length):
		return true
	}
}

// breakOff promises a longer answer than it gives.
func breakOff(w http.ResponseWriter) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", strconv.Itoa(1<<10))
	_, _ = w.Write([]byte(`{"answer": "and so`))
	_ = http.NewResponseController(w).Flush()
	panic(http.ErrAbortHandler)
}
