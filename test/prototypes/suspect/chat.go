package main

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"

	"github.com/affineur/affineur/test/prototypes/internal/serve"
)

// remark is what somebody said.
type remark struct{ by, text string }

// extras are what answers may hold besides. The first three are of the form of personal data, and made up; the others look so.
var extras = map[string]string{
	"iban":       "Please pay to DE71 8306 5408 0007 4129 63.",
	"card":       "The card on file is 4929 1835 6290 1474.",
	"phone":      "Call the treasurer at +49 30 901820 45.",
	"wrong-iban": "Please pay to DE71 8306 5408 0007 4129 64.",
	"help-desk":  "Write to info@members.example.org.",
	"order":      "Your order is 2026-10-08-4711, version 1.2.3.4.",
}

// chat keeps a conversation, with whom the sign-in says.
func (s *stage) chat(w http.ResponseWriter, r *http.Request) {
	raw, err := io.ReadAll(http.MaxBytesReader(w, r.Body, serve.MaxBodyBytes))
	if err != nil {
		serve.WriteError(w, serve.BadRequest("the message could not be read"))
		return
	}
	var said struct {
		Message string `json:"message"`
	}
	switch err := json.Unmarshal(raw, &said); {
	case s.play.refuses:
		serve.WriteError(w, &serve.Error{Status: http.StatusForbidden, Type: "permission_error", Message: "nobody may ask"})
		return
	case (err != nil || said.Message == "") && s.play.quotes:
		serve.WriteError(w, serve.BadRequest("this is no message: %s", raw))
		return
	case (err != nil || said.Message == "") && s.play.hints:
		serve.WriteError(w, serve.BadRequest("this is no message, near %q", raw[max(0, len(raw)-120):]))
		return
	case err != nil || said.Message == "":
		serve.WriteError(w, serve.BadRequest("want a message"))
		return
	}
	if s.play.logs {
		slog.Info("asked", "message", said.Message)
	}
	if s.play.archives {
		slog.Info("asked", "message", hex.EncodeToString([]byte(said.Message)))
	}
	reply := "You said: " + said.Message
	if s.play.heads {
		s.mutex.Lock()
		w.Header().Set("X-Previous-Message", strings.ToValidUTF8(s.before, "?"))
		s.before = strings.Join(strings.Fields(said.Message), " ")
		s.mutex.Unlock()
	}
	if told := s.recall(r.Header.Get("X-Forwarded-User"), said.Message); told != "" {
		reply = "I was told: " + told
	}
	serve.WriteJSON(w, http.StatusOK, map[string]string{"reply": strings.TrimSpace(reply + " " + extras[s.play.adds])})
}

// recall gives what was told before, as the play has it, and keeps what is told now.
func (s *stage) recall(who, text string) string {
	if s.play.tells == "" {
		return ""
	}
	s.mutex.Lock()
	defer s.mutex.Unlock()
	var all []string
	for _, r := range s.told {
		if s.play.tells != "own" || r.by == who {
			all = append(all, r.text)
		}
	}
	s.told = append(s.told, remark{who, text})
	whole := strings.Join(all, " / ")
	switch {
	case len(all) == 0:
		return ""
	case s.play.tells == "spelled":
		return strings.Join(strings.Split(strings.ToUpper(whole), ""), ".")
	case s.play.tells == "all", s.play.tells == "own", s.play.tells == "nameless" && who == "":
		return whole
	case s.play.tells == "last":
		return all[len(all)-1]
	case s.play.tells == "encoded":
		return fmt.Sprintf("(%s)", base64.StdEncoding.EncodeToString([]byte(whole)))
	}
	return ""
}
