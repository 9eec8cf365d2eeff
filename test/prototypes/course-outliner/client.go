package main

import (
	"net"
	"net/http"
	"time"
)

const (
	// modelTimeout is for a whole answer of the model, streamed ones included.
	modelTimeout = 20 * time.Second
	// lmsTimeout is short, since an outline without the list of courses is better than a late one.
	lmsTimeout = 2 * time.Second
)

// newClient bounds every step of a call. It follows no redirects: a key must reach nobody but the
// address that was handed in.
func newClient(timeout time.Duration) *http.Client {
	dialer := &net.Dialer{Timeout: 2 * time.Second, KeepAlive: 30 * time.Second}
	return &http.Client{
		Timeout: timeout,
		Transport: &http.Transport{
			DialContext:           dialer.DialContext,
			TLSHandshakeTimeout:   2 * time.Second,
			ResponseHeaderTimeout: timeout,
			IdleConnTimeout:       time.Minute,
			// The default of 2 would open a connection for nearly every request under load.
			MaxIdleConnsPerHost: 64,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}
