package reach_test

import (
	"testing"
	"time"

	"github.com/affineur/affineur/internal/evidence"
	"github.com/affineur/affineur/internal/gate/reach"
)

var start = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func at(seconds float64) *time.Time {
	t := start.Add(time.Duration(seconds * float64(time.Second)))
	return &t
}

// tried is a target that was not reached from second 10 to second 14.
func tried(class evidence.Class) *evidence.TargetResult {
	return &evidence.TargetResult{Name: "canary", Network: "tcp", Address: "198.51.100.7:8081", Class: class, Settled: true,
		Attempts: 3, Since: *at(10), Until: *at(14)}
}

// seen is a witness who reached the target from first to last; up is when the canary says it started.
func seen(first, last float64, up *time.Time) *evidence.TargetResult {
	return &evidence.TargetResult{Name: "canary", Network: "tcp", Address: "198.51.100.7:8081", Reached: true, Settled: true,
		Attempts: 2, Reaches: 2, Since: *at(first), Until: *at(last), FirstReachedAt: at(first), LastReachedAt: at(last), UpSince: up}
}

func changed(r *evidence.TargetResult, change func(*evidence.TargetResult)) *evidence.TargetResult {
	change(r)
	return r
}

func TestBlocked(t *testing.T) {
	good := seen(9, 15, nil)
	reached := changed(tried(""), func(r *evidence.TargetResult) {
		r.Reached, r.Reaches, r.FirstReachedAt, r.LastReachedAt = true, 1, at(11), at(14)
	})
	for name, c := range map[string]struct {
		r, witness *evidence.TargetResult
		want       reach.Outcome
	}{
		"silence":                  {tried(evidence.ClassTimeout), good, reach.Holds},
		"RST":                      {tried(evidence.ClassRefused), good, reach.Holds},
		"ICMP":                     {tried(evidence.ClassNoRoute), good, reach.Holds},
		"EPERM":                    {tried(evidence.ClassDenied), good, reach.Holds},
		"answer":                   {reached, good, reach.Broken},
		"answer without a witness": {reached, nil, reach.Broken},
		"nothing":                  {nil, good, reach.Unclear},
		"a connection":             {tried(evidence.ClassUnanswered), good, reach.Unclear},
		"no name":                  {tried(evidence.ClassDNS), good, reach.Unclear},
		"no sockets":               {tried(evidence.ClassLocal), good, reach.Unclear},
		"something else":           {tried(evidence.ClassOther), good, reach.Unclear},
		"unheard-of class":         {tried("Fine"), good, reach.Unclear},
		"not settled": {changed(tried(evidence.ClassTimeout), func(r *evidence.TargetResult) { r.Settled = false }), good,
			reach.Unclear},

		"no witness":             {tried(evidence.ClassTimeout), nil, reach.Unclear},
		"RST without a witness":  {tried(evidence.ClassRefused), nil, reach.Unclear},
		"dead canary":            {tried(evidence.ClassRefused), tried(evidence.ClassRefused), reach.Unclear},
		"witness too early":      {tried(evidence.ClassTimeout), seen(1, 8, nil), reach.Unclear},
		"witness too late":       {tried(evidence.ClassTimeout), seen(15, 20, nil), reach.Unclear},
		"witness ended early":    {tried(evidence.ClassTimeout), seen(9, 11, nil), reach.Unclear},
		"late witness, up since": {tried(evidence.ClassTimeout), seen(15, 16, at(5)), reach.Holds},
		"canary was restarted":   {tried(evidence.ClassTimeout), seen(9, 15, at(13)), reach.Unclear},
		"clocks differ a little": {tried(evidence.ClassTimeout), seen(11, 13, nil), reach.Holds},
		"other address": {tried(evidence.ClassTimeout), changed(seen(9, 15, nil),
			func(r *evidence.TargetResult) { r.Address = "198.51.100.8:8081" }), reach.Unclear},
		"other protocol": {tried(evidence.ClassTimeout), changed(seen(9, 15, nil),
			func(r *evidence.TargetResult) { r.Network = "udp" }), reach.Unclear},
	} {
		t.Run(name, func(t *testing.T) {
			if got := reach.Blocked(c.r, c.witness); got.Outcome != c.want || got.Why == "" {
				t.Errorf("got %+v, want %s", got, c.want)
			}
		})
	}
}

func TestBlockedLate(t *testing.T) {
	late := changed(tried(evidence.ClassTimeout), func(r *evidence.TargetResult) {
		r.Reaches, r.Attempts, r.FirstReachedAt, r.LastReachedAt = 4, 7, at(8), at(9.5)
	})
	if got := reach.Blocked(late, seen(7, 15, nil)); got.Outcome != reach.Holds || got.OpenFor != 1500*time.Millisecond {
		t.Errorf("got %+v, want a policy that took effect after 1.5 s", got)
	}
}

func TestReachable(t *testing.T) {
	for name, c := range map[string]struct {
		r    *evidence.TargetResult
		want reach.Outcome
	}{
		"reached": {seen(1, 2, nil), reach.Holds},
		"not":     {tried(evidence.ClassTimeout), reach.Broken},
		"nothing": {nil, reach.Unclear},
	} {
		if got := reach.Reachable(c.r); got.Outcome != c.want {
			t.Errorf("%s: got %+v, want %s", name, got, c.want)
		}
	}
}
