package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/affineur/affineur/test/prototypes/internal/serve"
)

// systems serves one API in the clear on 8080, and over TLS on a port for every certificate in TLS, in words such as
// expired=9002. Each certificate is a pair NAME.crt and NAME.key in the directory CERTIFICATES.
func systems() error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	api := system(os.Getenv("TOKEN"), os.Getenv("SIGNING_KEY"))
	go func() { cancel(serve.ListenAndServe(ctx, ":8080", api, nil)) }()
	for word := range strings.FieldsSeq(os.Getenv("TLS")) {
		name, port, err := certified(word)
		if err != nil {
			return err
		}
		config, err := configOf(name)
		if err != nil {
			return err
		}
		go func() { cancel(serve.ListenAndServe(ctx, fmt.Sprintf(":%d", port), api, config)) }()
	}
	<-ctx.Done()
	if err := context.Cause(ctx); !errors.Is(err, context.Canceled) {
		return err
	}
	return nil
}

func certified(word string) (string, int, error) {
	name, text, _ := strings.Cut(word, "=")
	port, err := strconv.Atoi(text)
	if err != nil {
		return "", 0, fmt.Errorf("TLS says %q, want NAME=PORT", word)
	}
	return name, port, nil
}

// configOf loads a certificate. One called old speaks no newer TLS than 1.1; one called mutual wants a certificate of the client.
func configOf(name string) (*tls.Config, error) {
	directory := os.Getenv("CERTIFICATES")
	pair, err := tls.LoadX509KeyPair(filepath.Join(directory, name+".crt"), filepath.Join(directory, name+".key"))
	if err != nil {
		return nil, err
	}
	config := &tls.Config{Certificates: []tls.Certificate{pair}}
	switch name {
	case "old":
		config.MinVersion, config.MaxVersion = tls.VersionTLS10, tls.VersionTLS11
	case "mutual":
		config.ClientAuth = tls.RequireAnyClientCert
	}
	return config, nil
}

// drip answers a byte in a second, and never comes to an end.
func drip(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	for r.Context().Err() == nil {
		_, _ = w.Write([]byte(" "))
		_ = http.NewResponseController(w).Flush()
		time.Sleep(time.Second)
	}
}

// system is what the organisation runs: some of it works, some does not. signing is the key from which those are issued with
// which its model is asked.
func system(token, signing string) http.Handler {
	mux := http.NewServeMux()
	status := func(code int) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code) }
	}
	mux.HandleFunc("GET /health", serve.Healthy)
	lent := &leases{}
	mux.HandleFunc("GET /lease", lent.serve)
	mux.HandleFunc("GET /none", status(http.StatusNoContent))
	mux.HandleFunc("GET /broken", status(http.StatusInternalServerError))
	mux.HandleFunc("GET /teapot", status(http.StatusTeapot))
	mux.HandleFunc("GET /moved", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/health", http.StatusFound) })
	mux.HandleFunc("GET /late", func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	mux.HandleFunc("GET /member", func(w http.ResponseWriter, _ *http.Request) {
		serve.WriteJSON(w, http.StatusOK, map[string]any{"id": 7, "name": "somebody", "active": true})
	})
	mux.HandleFunc("GET /text", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		_, _ = w.Write([]byte("<p>Please sign in.</p>"))
	})
	inJSON := func(length, text string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			if length != "" {
				w.Header().Set("Content-Length", length)
			}
			_, _ = w.Write([]byte(text))
		}
	}
	mux.HandleFunc("GET /bare", inJSON("0", ""))
	mux.HandleFunc("GET /cut", inJSON("400", `{"id": 7, "name": "some`))
	mux.HandleFunc("GET /doubled", inJSON("", `{"id": 7, "name": "somebody"}{"id": "eight"}`))
	mux.HandleFunc("GET /contradicts", inJSON("", `{"id": 7, "name": "somebody", "id": "eight"}`))
	mux.HandleFunc("GET /drips", drip)
	mux.HandleFunc("POST /api/v1/query", metrics)
	mux.HandleFunc("POST /v1/chat/completions", judges(signing))
	mux.HandleFunc("GET /guarded", func(w http.ResponseWriter, r *http.Request) {
		if token == "" || r.Header.Get("Authorization") != "Bearer "+token {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		serve.Healthy(w, r)
	})
	return mux
}
