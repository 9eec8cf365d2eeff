package main

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/affineur/affineur/test/prototypes/internal/serve"
)

const (
	// heartbeat is the pause between two beats on a stream, and before another stream is opened.
	heartbeat = 100 * time.Millisecond
	// holdTimeout of opening a stream.
	holdTimeout = 2 * time.Second
)

// hold keeps a stream open to every URL in HOLD for as long as it lasts, opens another when it has ended, and goes on
// while it is being stopped: a connection that outlives the rules that let it through.
func hold() error {
	name, err := os.Hostname()
	if err != nil {
		return err
	}
	for _, to := range strings.Fields(os.Getenv("HOLD")) {
		go func() {
			for {
				_ = holdOn(context.Background(), to, name)
				time.Sleep(heartbeat)
			}
		}()
	}
	serve.Main("hold", http.HandlerFunc(serve.Healthy))
	return nil
}

// holdOn opens one stream, says who is there, and sends beats until it ends.
func holdOn(ctx context.Context, to, name string) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	body, beats := io.Pipe()
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, to+"/held?by="+url.QueryEscape(name), body)
	if err != nil {
		return err
	}
	transport := &http.Transport{DisableKeepAlives: true, DialContext: (&net.Dialer{Timeout: holdTimeout}).DialContext}
	ended := make(chan error, 1)
	go func() {
		answer, err := transport.RoundTrip(request)
		if err == nil {
			_ = answer.Body.Close()
			err = errors.New("the other side ended it")
		}
		_ = body.CloseWithError(err)
		ended <- err
	}()
	for {
		if _, err := beats.Write([]byte(".")); err != nil {
			return <-ended
		}
		time.Sleep(heartbeat)
	}
}

// heard is what came from one holder.
type heard struct {
	// Streams were opened, and Beats came on all of them.
	Streams int `json:"streams"`
	Beats   int `json:"beats"`
}

// hear is the other side of hold: POST /held?by=NAME takes a stream, GET /heard tells how many streams and beats came
// from whom. What arrives is counted, not what somebody claims to have sent.
func hear() error {
	serve.Main("hear", hearHandler())
	return nil
}

func hearHandler() http.Handler {
	var one sync.Mutex
	from := map[string]*heard{}
	count := func(name string, streams, beats int) {
		one.Lock()
		defer one.Unlock()
		if from[name] == nil {
			from[name] = &heard{}
		}
		from[name].Streams += streams
		from[name].Beats += beats
	}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /held", func(w http.ResponseWriter, r *http.Request) {
		// A stream lasts longer than a request may.
		_ = http.NewResponseController(w).SetReadDeadline(time.Time{})
		name := r.URL.Query().Get("by")
		count(name, 1, 0)
		beat := make([]byte, 1)
		for {
			n, err := r.Body.Read(beat)
			count(name, 0, n)
			if err != nil {
				return
			}
		}
	})
	mux.HandleFunc("GET /heard", func(w http.ResponseWriter, _ *http.Request) {
		one.Lock()
		defer one.Unlock()
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(from)
	})
	mux.HandleFunc("/", serve.Healthy)
	return mux
}
