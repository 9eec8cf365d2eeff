package main

import (
	"context"
	"errors"
	"net/http"
	"os"
	"time"

	"github.com/affineur/affineur/test/prototypes/internal/serve"
)

const (
	// needed is where the system is that GET /v1/member asks, as the operator hands it in.
	needed = "AFFINEUR_INTEGRATION_HEALTH_URL"
	// lookupTime bounds a question to it, but for who is patient.
	lookupTime = time.Second
	// sulk is for how long its health is bad after the system was down.
	sulk = 4 * time.Second
)

// member answers with what a system of the organisation says, and while that is down, as the play has it.
func (s *stage) member(w http.ResponseWriter, r *http.Request) {
	ctx, limit := r.Context(), lookupTime
	if s.play.needs == "patient" {
		limit = time.Hour
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	err := lookUp(ctx, os.Getenv(needed)+"/health")
	switch {
	case err == nil:
		serve.WriteJSON(w, http.StatusOK, map[string]string{"answer": "a member"})
	case s.play.needs == "fails":
		serve.WriteError(w, &serve.Error{Status: http.StatusServiceUnavailable, Type: "server_error", Message: "the member could not be looked up"})
	default:
		s.lacking.Store(time.Now().UnixNano())
		serve.WriteJSON(w, http.StatusOK, map[string]string{"answer": "perhaps a member"})
	}
}

// health is good, unless it sulks.
func (s *stage) health(w http.ResponseWriter, r *http.Request) {
	if s.play.needs == "sulks" && time.Since(time.Unix(0, s.lacking.Load())) < sulk {
		serve.WriteError(w, &serve.Error{Status: http.StatusServiceUnavailable, Type: "server_error", Message: "something is down"})
		return
	}
	if s.play.needs == "watches" {
		ctx, cancel := context.WithTimeout(r.Context(), lookupTime/2)
		defer cancel()
		// It is none the worse for what it finds.
		_ = lookUp(ctx, os.Getenv(needed)+"/health")
	}
	serve.Healthy(w, r)
}

func lookUp(ctx context.Context, url string) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	request.Close = true
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	_ = answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return errors.New("it does not work")
	}
	return nil
}
