package main

import (
	"context"
	"encoding/json"
	"net"
	"net/http"
	"os"
	"sync/atomic"
	"time"

	"github.com/affineur/affineur/test/prototypes/internal/serve"
)

const (
	// floodWidth is how many connections to one place are made at once, each held until the other side ends it.
	floodWidth = 64
	// floodPace is the pause between two datagrams to one place.
	floodPace = time.Millisecond
	// floodTold is how often the flood tells how far it got.
	floodTold = time.Second
)

// flood keeps every place in FLOOD as busy as it can, and tells in its log again and again which of them it reached since
// it told last.
func flood() error {
	places, err := parseTries(os.Getenv("FLOOD"))
	if err != nil {
		return err
	}
	for _, place := range places {
		go floodPlace(context.Background(), place, json.NewEncoder(os.Stdout))
	}
	serve.Main("flood", http.HandlerFunc(serve.Healthy))
	return nil
}

// floodPlace floods one place, tcp:IP:PORT or udp:IP:PORT, until the context ends.
func floodPlace(ctx context.Context, place intrusion, out *json.Encoder) {
	var arrived atomic.Int64
	if place.what == "udp" {
		go datagrams(ctx, place.where, &arrived)
	} else {
		for range floodWidth {
			go connections(ctx, place.where, &arrived)
		}
	}
	tell := time.NewTicker(floodTold)
	defer tell.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tell.C:
			_ = out.Encode(intruded{Try: place.what + ":" + place.where, Done: arrived.Swap(0) > 0, At: time.Now().UTC()})
		}
	}
}

// connections makes one connection after the other, says nothing, and holds each for as long as it is let.
func connections(ctx context.Context, where string, arrived *atomic.Int64) {
	for ctx.Err() == nil {
		connection, err := (&net.Dialer{Timeout: intrudeTimeout}).DialContext(ctx, "tcp", where)
		if err != nil {
			time.Sleep(lingerPause)
			continue
		}
		arrived.Add(1)
		stop := context.AfterFunc(ctx, func() { _ = connection.Close() })
		_, _ = connection.Read(make([]byte, 1))
		stop()
		_ = connection.Close()
	}
}

// datagrams asks without end what a canary has to answer, and counts the answers.
func datagrams(ctx context.Context, where string, arrived *atomic.Int64) {
	connection, err := (&net.Dialer{}).DialContext(ctx, "udp", where)
	if err != nil {
		return
	}
	context.AfterFunc(ctx, func() { _ = connection.Close() })
	go func() {
		answer := make([]byte, 512)
		for ctx.Err() == nil {
			if _, err := connection.Read(answer); err == nil {
				arrived.Add(1)
			}
		}
	}()
	pace := time.NewTicker(floodPace)
	defer pace.Stop()
	for ctx.Err() == nil {
		<-pace.C
		_, _ = connection.Write([]byte("affineur-probe/1 FLOODFLOOD\n"))
	}
}
