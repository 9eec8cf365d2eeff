package main

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/affineur/affineur/internal/evidence"
	"github.com/affineur/affineur/internal/imported"
)

// adds is a prototype that can't add so many of the sums, and gives no answer to some.
func adds(wrong, mute int) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		var asked struct{ Question string }
		_ = json.NewDecoder(r.Body).Decode(&asked)
		n, _ := strconv.Atoi(strings.TrimSuffix(asked.Question, "+1000"))
		switch {
		case n <= wrong:
			n++
		case n <= wrong+mute:
			w.WriteHeader(http.StatusInternalServerError)
			return
		}
		_ = json.NewEncoder(w).Encode(map[string]string{"answer": strconv.Itoa(n + 1000)})
	}
}

// What it writes is what the runner understands.
func TestFilesAreUnderstood(t *testing.T) {
	server := httptest.NewServer(adds(7, 3))
	defer server.Close()
	for name, format := range map[string]evidence.ImportFormat{"promptfoo": evidence.ImportPromptfoo, "inspect": evidence.ImportInspectAI} {
		t.Run(name, func(t *testing.T) {
			directory := t.TempDir()
			if err := run([]string{name}, server.URL, directory); err != nil {
				t.Fatal(err)
			}
			files, err := filepath.Glob(filepath.Join(directory, "*.json"))
			if err != nil || len(files) != 1 {
				t.Fatalf("%v, %v", files, err)
			}
			raw, err := os.ReadFile(files[0])
			if err != nil {
				t.Fatal(err)
			}
			got, err := imported.Read(evidence.ImportOrder{Format: format}, raw)
			if err != nil {
				t.Fatal(err)
			}
			counts, inSlice := map[evidence.CaseOutcome]int{}, 0
			for _, c := range got.Evaluation.Cases {
				counts[c.Answers[0].Outcome]++
				if c.Slice == "early" {
					inSlice++
				}
			}
			if counts[evidence.CaseRight] != 90 || counts[evidence.CaseWrong] != 7 || counts[evidence.CaseLost] != 3 || inSlice != 20 {
				t.Errorf("got %v, %d in the slice", counts, inSlice)
			}
		})
	}
}
