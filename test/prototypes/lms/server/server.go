// Package server is the learning-management system behind HTTP. Everybody who reaches it may read;
// writing needs a token where one is configured, because a network policy can't tell the two apart.
package server

import (
	"bytes"
	"crypto/sha256"
	"crypto/subtle"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync"

	"github.com/affineur/affineur/test/prototypes/internal/serve"
)

const (
	maxCourses    = 1000
	maxTitleRunes = 200
)

// Course is one course of the catalogue.
type Course struct {
	ID    string `json:"id"`
	Title string `json:"title"`
}

type system struct {
	tokenFile string

	mu      sync.Mutex
	courses []Course
}

// New returns a system with a few courses. Writing needs the bearer token in tokenFile; "" means that
// anybody may write.
func New(tokenFile string) http.Handler {
	s := &system{tokenFile: tokenFile}
	for _, title := range []string{"Fair negotiation", "First aid at work", "Writing minutes that people read"} {
		_, _ = s.add(title)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /health", serve.Healthy)
	mux.HandleFunc("GET /v1/courses", s.list)
	mux.HandleFunc("POST /v1/courses", s.create)
	return mux
}

func (s *system) list(w http.ResponseWriter, _ *http.Request) {
	s.mu.Lock()
	courses := append([]Course{}, s.courses...)
	s.mu.Unlock()
	serve.WriteJSON(w, http.StatusOK, map[string][]Course{"courses": courses})
}

func (s *system) create(w http.ResponseWriter, r *http.Request) {
	course, err := s.accept(w, r)
	if err != nil {
		serve.WriteError(w, err)
		return
	}
	w.Header().Set("Location", "/v1/courses/"+course.ID)
	serve.WriteJSON(w, http.StatusCreated, course)
}

func (s *system) accept(w http.ResponseWriter, r *http.Request) (Course, error) {
	if err := s.authorize(r); err != nil {
		return Course{}, err
	}
	var request struct {
		Title string `json:"title"`
	}
	if err := serve.ReadJSON(w, r, &request); err != nil {
		return Course{}, err
	}
	title := strings.Join(strings.Fields(request.Title), " ")
	if title == "" || len([]rune(title)) > maxTitleRunes {
		return Course{}, serve.BadRequest("title must have 1 to %d characters", maxTitleRunes)
	}
	return s.add(title)
}

func (s *system) add(title string) (Course, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, known := range s.courses {
		if strings.EqualFold(known.Title, title) {
			return Course{}, &serve.Error{Status: http.StatusConflict, Type: "conflict_error", Message: "there is a course of this title: " + known.ID}
		}
	}
	if len(s.courses) == maxCourses {
		return Course{}, &serve.Error{Status: http.StatusInsufficientStorage, Type: "server_error", Message: "the catalogue is full"}
	}
	course := Course{ID: fmt.Sprintf("course-%d", len(s.courses)+1), Title: title}
	s.courses = append(s.courses, course)
	return course, nil
}

// authorize reads the token at every use, since it may be rotated.
func (s *system) authorize(r *http.Request) error {
	if s.tokenFile == "" {
		return nil
	}
	token, err := serve.ReadSecret(s.tokenFile)
	if token = bytes.TrimSpace(token); err != nil || len(token) == 0 {
		slog.Error("the token is not usable", "error", err)
		return &serve.Error{Status: http.StatusServiceUnavailable, Type: "server_error", Message: "no token can be checked here at the moment"}
	}
	sent, found := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	// Hashes, so that the comparison takes as long whatever the length.
	want, got := sha256.Sum256(token), sha256.Sum256([]byte(sent))
	if !found || subtle.ConstantTimeCompare(want[:], got[:]) != 1 {
		return &serve.Error{Status: http.StatusUnauthorized, Type: "authentication_error", Message: "writing needs the header Authorization: Bearer TOKEN"}
	}
	return nil
}
