package main

import (
	"net"
	"net/http"
	"net/netip"
	"time"

	"github.com/affineur/affineur/test/prototypes/internal/serve"
)

const (
	reachTimeout    = 2 * time.Second
	reachMaxTimeout = 10 * time.Second
)

// reach tries, when asked, to connect from inside its pod to anything at all.
func reach() error {
	serve.Main("reach", reachHandler())
	return nil
}

func reachHandler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", serve.Healthy)
	mux.HandleFunc("GET /reach", tryToReach)
	return mux
}

// reached is what came of an attempt.
type reached struct {
	Reachable bool   `json:"reachable"`
	Error     string `json:"error"`
}

func tryToReach(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	network, address, timeout := query.Get("network"), query.Get("address"), reachTimeout
	if network == "" {
		network = "tcp"
	}
	if network != "tcp" {
		// A datagram that is sent says nothing about whether it arrived.
		serve.WriteError(w, serve.BadRequest("network must be tcp"))
		return
	}
	if _, err := netip.ParseAddrPort(address); err != nil {
		serve.WriteError(w, serve.BadRequest("address must be IP:PORT"))
		return
	}
	if value := query.Get("timeout"); value != "" {
		parsed, err := time.ParseDuration(value)
		if err != nil || parsed <= 0 || parsed > reachMaxTimeout {
			serve.WriteError(w, serve.BadRequest("timeout must be a duration of at most %s", reachMaxTimeout))
			return
		}
		timeout = parsed
	}
	serve.WriteJSON(w, http.StatusOK, attempt(network, address, timeout))
}

func attempt(network, address string, timeout time.Duration) reached {
	connection, err := net.DialTimeout(network, address, timeout)
	if err != nil {
		return reached{Error: err.Error()}
	}
	_ = connection.Close()
	return reached{Reachable: true}
}
