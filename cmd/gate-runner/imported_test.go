package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/affineur/affineur/internal/evidence"
)

// results are the files that a tool left, by name; a value that begins with @ is a link.
func results(t *testing.T, files map[string]string) string {
	t.Helper()
	directory := t.TempDir()
	for name, content := range files {
		path := filepath.Join(directory, name)
		err := os.WriteFile(path, []byte(content), 0o600)
		if target, link := strings.CutPrefix(content, "@"); link {
			err = os.Remove(path)
			if err == nil {
				err = os.Symlink(target, path)
			}
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return directory
}

func TestTakeOver(t *testing.T) {
	whole, err := os.ReadFile("../../internal/imported/testdata/inspect.json")
	if err != nil {
		t.Fatal(err)
	}
	elsewhere := filepath.Join(t.TempDir(), "elsewhere.json")
	if err := os.WriteFile(elsewhere, whole, 0o600); err != nil {
		t.Fatal(err)
	}
	spec := evidence.RunSpec{Order: &evidence.ImportOrder{Format: evidence.ImportInspectAI}}
	for name, c := range map[string]struct {
		files map[string]string
		says  string
	}{
		"a log":                        {map[string]string{"2026_golden.json": string(whole)}, ""},
		"beside what is no result":     {map[string]string{"2026_golden.json": string(whole), "notes.txt": "x", ".lock": ""}, ""},
		"nothing":                      {nil, "left no results file"},
		"an archive":                   {map[string]string{"2026_golden.eval": "PK"}, "INSPECT_LOG_FORMAT=json"},
		"two":                          {map[string]string{"a.json": string(whole), "b.json": string(whole)}, "several results files"},
		"a link to somewhere else":     {map[string]string{"a.json": "@" + elsewhere}, "left no results file"},
		"a link beside what is a file": {map[string]string{"a.json": string(whole), "b.json": "@" + elsewhere}, ""},
		"one that did not end":         {map[string]string{"a.json": strings.Replace(string(whole), `"success"`, `"error"`, 1)}, `the status "error"`},
		"one of another tool":          {map[string]string{"a.json": `{"results":{"version":3}}`}, "version 0"},
	} {
		t.Run(name, func(t *testing.T) {
			var log bytes.Buffer
			r := runner{guard: anywhere, stdout: &log, terminationPath: filepath.Join(t.TempDir(), "termination-log"), results: results(t, c.files)}
			err := r.run(t.Context(), encode(t, spec))
			if c.says != "" {
				if err == nil || !strings.Contains(err.Error(), c.says) || log.Len() > 0 {
					t.Errorf("got %v and %d bytes, want %q", err, log.Len(), c.says)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			opened, err := evidence.Open(contentOf(t, r.terminationPath), log.Bytes(), evidence.Expect{Nonce: nonce, Subject: subject, Kind: evidence.KindImport})
			if err != nil {
				t.Fatal(err)
			}
			if got := evidence.As[evidence.ImportResult](opened.Report.Result); got == nil || len(got.Evaluation.Cases) != 4 {
				t.Errorf("got %+v", got)
			}
		})
	}
}
