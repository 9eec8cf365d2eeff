// Package serve is the plumbing that the sample prototypes share: an HTTP server that starts, ends and
// refuses bad input in the way a pod needs.
package serve

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strconv"
	"syscall"
	"time"
)

const (
	// drainDelay keeps the listener open after SIGTERM, while Services still send requests here: the
	// cluster removes the endpoint and signals the pod at the same time, in no order.
	drainDelay = time.Second
	// shutdownTimeout is what running requests get to finish; well below a pod's usual 30 s of grace.
	shutdownTimeout = 15 * time.Second
)

// Main serves handler until the process is told to stop, and exits with 1 and a readable reason when
// it can't. It is the last call of a prototype's main.
func Main(name string, handler http.Handler) {
	MainTLS(name, handler, nil)
}

// MainTLS is Main over TLS; nil means plain HTTP.
func MainTLS(name string, handler http.Handler, config *tls.Config) {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	port, err := Port(os.Getenv("PORT"))
	if err != nil {
		Fail(name, err)
	}
	if err := ListenAndServe(ctx, fmt.Sprintf(":%d", port), handler, config); err != nil {
		Fail(name, err)
	}
}

// Fail ends the program with one readable line. It is written to standard error without a stack or
// a time, since a pod's termination message may be cut from it.
func Fail(name string, err error) {
	fmt.Fprintf(os.Stderr, "%s: %v\n", name, err)
	os.Exit(1)
}

// Port reads the PORT variable; empty is 8080.
func Port(value string) (int, error) {
	if value == "" {
		return 8080, nil
	}
	port, err := strconv.Atoi(value)
	if err != nil || port < 1 || port > 65535 {
		return 0, fmt.Errorf("PORT is %q, want a number from 1 to 65535", value)
	}
	return port, nil
}

// ListenAndServe serves on addr until ctx ends, then lets running requests finish.
func ListenAndServe(ctx context.Context, addr string, handler http.Handler, config *tls.Config) error {
	listener, err := net.Listen("tcp", addr)
	if err != nil {
		return err
	}
	return Serve(ctx, listener, handler, config, drainDelay)
}

// Serve serves on the listener until ctx ends; it goes on accepting for the drain time and then lets
// running requests finish.
func Serve(ctx context.Context, listener net.Listener, handler http.Handler, config *tls.Config, drain time.Duration) error {
	server := &http.Server{
		Handler:           handler,
		TLSConfig:         config,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       15 * time.Second,
		WriteTimeout:      60 * time.Second,
		IdleTimeout:       2 * time.Minute,
	}
	failed := make(chan error, 1)
	go func() { failed <- accept(server, listener) }()
	slog.Info("serving", "address", listener.Addr().String(), "tls", config != nil)

	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
	}
	slog.Info("stopping")
	time.Sleep(drain)
	// A context of its own: the one that ended would cut the running requests off.
	finish, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownTimeout)
	defer cancel()
	if err := server.Shutdown(finish); err != nil {
		return fmt.Errorf("requests still ran when the time to stop was over: %w", err)
	}
	return nil
}

func accept(server *http.Server, listener net.Listener) error {
	serve := server.Serve
	if server.TLSConfig != nil {
		serve = func(l net.Listener) error { return server.ServeTLS(l, "", "") }
	}
	if err := serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}
