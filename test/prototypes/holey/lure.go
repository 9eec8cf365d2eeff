package main

import (
	"encoding/json"
	"io"
	"net/http"
	"os"
	"sync"

	"github.com/affineur/affineur/test/prototypes/internal/serve"
)

// lured is a request that came, one JSON line in the log. What a header holds is not told, only whether it is there.
type lured struct {
	Path       string `json:"path"`
	Credential bool   `json:"credential"`
}

// lure answers every request but those for its health and its bait with a redirect to the bait, and tells in its log
// who came. A probe that follows shows that it can be led anywhere.
func lure() error {
	serve.Main("lure", lureHandler(os.Stdout))
	return nil
}

func lureHandler(out io.Writer) http.Handler {
	var one sync.Mutex
	encoder := json.NewEncoder(out)
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", serve.Healthy)
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		one.Lock()
		_ = encoder.Encode(lured{Path: r.URL.Path, Credential: r.Header.Get("Authorization") != "" || r.Header.Get("Cookie") != ""})
		one.Unlock()
		if r.URL.Path == "/bait" {
			serve.Healthy(w, r)
			return
		}
		http.Redirect(w, r, "/bait", http.StatusFound)
	})
	return mux
}
