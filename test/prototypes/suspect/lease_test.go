package main

import (
	"net/http/httptest"
	"testing"
	"time"
)

// What is lent to one is nobody else's until it is given back by not being asked for again.
func TestLease(t *testing.T) {
	var l lease
	now := time.Now()
	for _, c := range []struct {
		who   string
		after time.Duration
		want  bool
	}{
		{"a", 0, true}, {"b", time.Second, false}, {"a", 2 * time.Second, true}, {"b", 6 * time.Second, false},
		{"b", 8 * time.Second, true}, {"a", 9 * time.Second, false},
	} {
		if got := l.lend(c.who, now.Add(c.after)); got != c.want {
			t.Errorf("%s after %s: %t", c.who, c.after, got)
		}
	}
}

func TestOneOfTwoAnswers(t *testing.T) {
	lender := httptest.NewServer(system("", ""))
	t.Cleanup(lender.Close)
	t.Setenv(needed, lender.URL)
	answered := 0
	for range 2 {
		p, err := parsePlay("leads=something")
		if err != nil {
			t.Fatal(err)
		}
		one := &stage{play: p, turn: make(chan struct{}, 1), asked: map[int]int{}}
		go one.lead(t.Context())
		for until := time.Now().Add(2 * renewal); time.Now().Before(until) && !one.leading.Load(); {
			time.Sleep(10 * time.Millisecond)
		}
		if one.leading.Load() {
			answered++
		}
	}
	if answered != 1 {
		t.Errorf("%d of two lead", answered)
	}
}
