package main

import (
	"context"
	"crypto/rand"
	"net/http"
	"net/url"
	"os"
	"sync"
	"time"

	"github.com/affineur/affineur/test/prototypes/internal/serve"
)

const (
	// leaseTime is for how long a system lends what only one may have, and renewal how often who has it asks again.
	leaseTime = 5 * time.Second
	renewal   = time.Second
)

// lease is what a system lends to one at a time.
type lease struct {
	mutex  sync.Mutex
	holder string
	until  time.Time
}

// lend says whether somebody has it from now on.
func (l *lease) lend(to string, now time.Time) bool {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	if l.holder != to && now.Before(l.until) {
		return false
	}
	l.holder, l.until = to, now.Add(leaseTime)
	return true
}

// serve answers GET /lease?of=WHAT&by=WHO: 200 to who has it, 409 to everybody else.
func (l *leases) serve(w http.ResponseWriter, r *http.Request) {
	if !l.of(r.URL.Query().Get("of")).lend(r.URL.Query().Get("by"), time.Now()) {
		w.WriteHeader(http.StatusConflict)
		return
	}
	serve.Healthy(w, r)
}

// leases by what they are of.
type leases struct{ all sync.Map }

func (l *leases) of(what string) *lease {
	found, _ := l.all.LoadOrStore(what, &lease{})
	return found.(*lease)
}

// lead asks for the lease again and again; only who has it answers.
func (s *stage) lead(ctx context.Context) {
	where := os.Getenv(needed) + "/lease?of=" + url.QueryEscape(s.play.leads) + "&by=" + rand.Text()
	for ctx.Err() == nil {
		asking, cancel := context.WithTimeout(ctx, lookupTime)
		s.leading.Store(lookUp(asking, where) == nil)
		cancel()
		time.Sleep(renewal)
	}
}
