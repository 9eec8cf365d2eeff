package main

import (
	"net/http"
	"time"

	"github.com/affineur/affineur/test/prototypes/churn-advisor/model"
	"github.com/affineur/affineur/test/prototypes/internal/bayes"
	"github.com/affineur/affineur/test/prototypes/internal/serve"
)

// slowWork is how long one request holds the lock: fewer than three a second get through, with any
// number of processors.
const slowWork = 350 * time.Millisecond

// slow classifies rightly, one request at a time.
func slow() error {
	classifier, err := model.Load()
	if err != nil {
		return err
	}
	serve.Main("slow", slowHandler(classifier, slowWork))
	return nil
}

func slowHandler(classifier *bayes.Classifier, work time.Duration) http.Handler {
	// A channel instead of a mutex: a caller who gave up must not take its turn.
	lock := make(chan struct{}, 1)
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", serve.Healthy)
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		var request struct {
			Text string `json:"text"`
		}
		if r.Method == http.MethodPost {
			if err := serve.ReadJSON(w, r, &request); err != nil {
				serve.WriteError(w, err)
				return
			}
		}
		select {
		case lock <- struct{}{}:
			defer func() { <-lock }()
		case <-r.Context().Done():
			return
		}
		time.Sleep(work)
		label, confidence := classifier.Classify(request.Text)
		serve.WriteJSON(w, http.StatusOK, map[string]any{"label": label, "confidence": confidence})
	})
	return mux
}
