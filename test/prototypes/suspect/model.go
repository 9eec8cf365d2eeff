package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"github.com/affineur/affineur/internal/gatewaykey"
	"github.com/affineur/affineur/test/prototypes/internal/openai"
	"github.com/affineur/affineur/test/prototypes/internal/serve"
)

// complete answers a sum as a chat completion, in the name of the model that the play says.
func (s *stage) complete(w http.ResponseWriter, r *http.Request) {
	var asked openai.Request
	if err := serve.ReadJSON(w, r, &asked); err != nil {
		serve.WriteError(w, err)
		return
	}
	var left, right int
	if _, err := fmt.Sscanf(asked.LastUser(), "%d+%d", &left, &right); err != nil {
		serve.WriteError(w, serve.BadRequest("want a sum"))
		return
	}
	serve.WriteJSON(w, http.StatusOK, openai.Answer("sum", 0, s.play.model, "", strconv.Itoa(s.sum(left, right)), openai.FinishStop, openai.Usage{}))
}

// judges is a gateway whose model judges answers: it likes numbers and nothing else. It answers who has a key for that model.
func judges(signing string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		var asked openai.Request
		if err := serve.ReadJSON(w, r, &asked); err != nil {
			serve.WriteError(w, err)
			return
		}
		claims, err := gatewaykey.Verify([]byte(signing), strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer "))
		if err != nil || len(claims.Models) == 0 || !claims.Allows(asked.Model) {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		verdict, err := opinion(asked.LastUser())
		if err != nil {
			serve.WriteError(w, serve.BadRequest("there is nothing to judge: %v", err))
			return
		}
		serve.WriteJSON(w, http.StatusOK, openai.Answer("verdict", 0, asked.Model, "", verdict, openai.FinishStop, openai.Usage{}))
	}
}

// opinion about an answer that comes as JSON behind a line with a mark.
func opinion(text string) (string, error) {
	mark, rest, _ := strings.Cut(text, "\n")
	var shown struct {
		Answer string `json:"answer"`
	}
	if err := json.NewDecoder(strings.NewReader(rest)).Decode(&shown); err != nil {
		return "", err
	}
	said := map[string]any{"case": mark, "good": true}
	if _, err := strconv.Atoi(shown.Answer); err != nil {
		said["good"], said["why"] = false, "tone"
	}
	raw, err := json.Marshal(said)
	return string(raw), err
}
