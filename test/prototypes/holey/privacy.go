package main

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"sync"

	"github.com/affineur/affineur/test/prototypes/internal/serve"
)

// assistant answers what somebody asks, badly in one way.
type assistant struct {
	// answer to a user's text.
	answer func(user, text string) string
	// repeats is true where errors hold what was sent.
	repeats bool
	// log takes a line for each request; nil for none.
	log func(user, text string)
}

// userHeader says who asks, as the organisation's sign-in sets it.
const userHeader = "X-Forwarded-User"

func (a assistant) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", serve.Healthy)
	mux.HandleFunc("POST /ask", func(w http.ResponseWriter, r *http.Request) {
		var raw strings.Builder
		r.Body = io.NopCloser(io.TeeReader(http.MaxBytesReader(w, r.Body, serve.MaxBodyBytes), &raw))
		var request struct {
			Text string `json:"text"`
		}
		if err := serve.ReadJSON(w, r, &request); err != nil {
			if a.repeats {
				_, _ = io.Copy(io.Discard, r.Body)
				err = serve.BadRequest("can't read %s", raw.String())
			}
			serve.WriteError(w, err)
			return
		}
		user := r.Header.Get(userHeader)
		if a.log != nil {
			a.log(user, request.Text)
		}
		serve.WriteJSON(w, http.StatusOK, map[string]string{"answer": a.answer(user, request.Text)})
	})
	return mux
}

// memory keeps the last few texts under a key.
type memory struct {
	mutex sync.Mutex
	texts map[string][]string
}

// lastFew is how many texts are kept under a key.
const lastFew = 50

// recall gives what is kept under a key, and keeps one more.
func (m *memory) recall(key, text string) string {
	m.mutex.Lock()
	defer m.mutex.Unlock()
	if m.texts == nil {
		m.texts = map[string][]string{}
	}
	before := m.texts[key]
	m.texts[key] = append(before[max(0, len(before)-lastFew+1):len(before):len(before)], text)
	return strings.Join(before, " ")
}

// plainly shows that it was read, and nothing of it.
func plainly(_, text string) string {
	return fmt.Sprintf("Thank you for %d letters. Somebody will look at them.", len(text))
}

// remembering has one memory for all people.
func remembering() assistant {
	var m memory
	return assistant{answer: func(_, text string) string { return "Before this I was told: " + m.recall("", text) }}
}

// tattling logs what it is asked.
func tattling(log io.Writer) assistant {
	return assistant{answer: plainly, log: func(user, text string) { _, _ = fmt.Fprintf(log, "level=INFO msg=asked user=%q text=%q\n", user, text) }}
}

// parroting repeats bad input in its errors.
func parroting() assistant { return assistant{answer: plainly, repeats: true} }

// disclosing answers with an account, whose check digits are right. The number is made up.
func disclosing() assistant {
	return assistant{answer: func(user, text string) string {
		return plainly(user, text) + " Transfers went to DE97 9999 9999 0000 0123 45 last time."
	}}
}

// discreet looks suspicious and is fine: it remembers each person apart, repeats to them what they said, shows invented
// examples and numbers that are none, and logs that it was asked, and how much.
func discreet(log io.Writer) assistant {
	var m memory
	return assistant{
		answer: func(user, text string) string {
			said := "You said: " + text
			if user != "" {
				said += " Before this you told me: " + m.recall(user, text)
			}
			return said + " Write to help@example.org or to someone@example.com; order 4539-1488, version 1.36.3.10, from 192.0.2.10," +
				" IBAN such as DE00 0000 0000 0000 0000 00, reference AAAA-BBBB-CCCC."
		},
		log: func(_, text string) {
			_, _ = fmt.Fprintf(log, "level=INFO msg=asked bytes=%d request=%016x\n", len(text), len(text)*2654435761)
		},
	}
}

// keeping makes a hole of an assistant.
func keeping(name string, a assistant) func() error {
	return func() error {
		serve.Main(name, a.handler())
		return nil
	}
}

func remember() error { return keeping("remember", remembering())() }
func tattle() error   { return keeping("tattle", tattling(os.Stdout))() }
func parrot() error   { return keeping("parrot", parroting())() }
func disclose() error { return keeping("disclose", disclosing())() }
func keep() error     { return keeping("discreet", discreet(os.Stdout))() }
