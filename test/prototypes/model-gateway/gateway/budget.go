package gateway

import (
	"sync"
	"time"
)

// ledger counts what each client has used today. It is kept in memory: a gateway that restarts, or a
// second replica, begins at zero.
type ledger struct {
	now func() time.Time

	mu   sync.Mutex
	day  time.Time
	used map[string]int64
}

func newLedger(now func() time.Time) *ledger {
	return &ledger{now: now, used: map[string]int64{}}
}

// charge takes tokens from the client's budget, or nothing when they are more than what is left of it.
// A limit of 0 is no limit. It returns what the client has used today and when a new day begins.
func (l *ledger) charge(client string, tokens, limit int64) (used int64, renews time.Time, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	today := l.now().UTC().Truncate(24 * time.Hour)
	if !today.Equal(l.day) {
		l.day, l.used = today, map[string]int64{}
	}
	renews = today.Add(24 * time.Hour)
	if limit > 0 && tokens > limit-l.used[client] {
		return l.used[client], renews, false
	}
	l.used[client] += tokens
	return l.used[client], renews, true
}
