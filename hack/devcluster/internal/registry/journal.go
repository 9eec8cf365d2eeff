// Package registry is the cluster's image registry: go-containerregistry's, with its contents on disk and
// one part of it behind a password.
package registry

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
)

// entry is one change to the registry's manifests.
type entry struct {
	Method      string `json:"method"`
	Path        string `json:"path"`
	ContentType string `json:"contentType"`
	Body        []byte `json:"body"`
}

// journal remembers the changes to manifests, which the registry beneath it keeps in memory only, and
// repeats them after a restart.
type journal struct {
	next http.Handler
	dir  string

	mu   sync.Mutex
	last int
}

func newJournal(dir string, next http.Handler) (*journal, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	j := &journal{next: next, dir: dir}
	return j, j.replay()
}

func (j *journal) replay() error {
	files, err := filepath.Glob(filepath.Join(j.dir, "*.json"))
	if err != nil {
		return err
	}
	slices.Sort(files) // the names are numbers of one length: the order of writing
	for _, file := range files {
		if _, err := fmt.Sscanf(filepath.Base(file), "%d.json", &j.last); err != nil {
			return fmt.Errorf("%s: %w", file, err)
		}
		content, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		var e entry
		if err := json.Unmarshal(content, &e); err != nil {
			return fmt.Errorf("%s: %w", file, err)
		}
		if status := j.apply(e).Code; status >= http.StatusBadRequest {
			log.Printf("replay of %s %s: status %d", e.Method, e.Path, status)
		}
	}
	return nil
}

func (j *journal) apply(e entry) *httptest.ResponseRecorder {
	request := httptest.NewRequest(e.Method, e.Path, bytes.NewReader(e.Body))
	request.Header.Set("Content-Type", e.ContentType)
	response := httptest.NewRecorder()
	j.next.ServeHTTP(response, request)
	return response
}

// ServeHTTP records changes of manifests once they have succeeded, and passes everything else on.
func (j *journal) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !changesManifest(r) {
		j.next.ServeHTTP(w, r)
		return
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	e := entry{Method: r.Method, Path: r.URL.RequestURI(), ContentType: r.Header.Get("Content-Type"), Body: body}
	response := j.apply(e)
	if response.Code < http.StatusBadRequest {
		if err := j.record(e); err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
	}
	for name, values := range response.Header() {
		w.Header()[name] = values
	}
	w.WriteHeader(response.Code)
	if _, err := w.Write(response.Body.Bytes()); err != nil {
		log.Printf("answer to %s: %v", r.RemoteAddr, err)
	}
}

func changesManifest(r *http.Request) bool {
	return (r.Method == http.MethodPut || r.Method == http.MethodDelete) && strings.Contains(r.URL.Path, "/manifests/")
}

// record writes in two steps, so that a restart never finds half an entry.
func (j *journal) record(e entry) error {
	content, err := json.Marshal(e)
	if err != nil {
		return err
	}
	j.last++
	path := filepath.Join(j.dir, fmt.Sprintf("%08d.json", j.last))
	if err := os.WriteFile(path+".new", content, 0o644); err != nil {
		return err
	}
	return os.Rename(path+".new", path)
}
