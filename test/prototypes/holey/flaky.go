package main

import (
	"net/http"
	"sync/atomic"

	"github.com/affineur/affineur/test/prototypes/internal/serve"
)

// everyFlaky is which request in a row fails.
const everyFlaky = 5

// flaky looks healthy and fails every fifth request.
func flaky() error {
	serve.Main("flaky", flakyHandler())
	return nil
}

// flakyHandler counts requests, and rolls no dice: a share measured twice must be the same.
func flakyHandler() http.Handler {
	var requests atomic.Int64
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", serve.Healthy)
	mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) {
		if requests.Add(1)%everyFlaky == 0 {
			serve.WriteError(w, &serve.Error{Status: http.StatusInternalServerError, Type: "server_error", Message: "the backend lost this request"})
			return
		}
		serve.WriteJSON(w, http.StatusOK, map[string]string{"answer": "ok"})
	})
	return mux
}
