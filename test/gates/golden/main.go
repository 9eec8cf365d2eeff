// Command golden stands for an evaluation tool that IT chose for a quality gate's import: it asks a prototype a hundred
// sums, and writes what came of them as promptfoo or as inspect_ai would.
//
//	golden promptfoo|inspect
//
// It knows AFFINEUR_URL, AFFINEUR_RESULTS and nothing else: no package of Affineur is imported.
package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"time"
)

// sums is how many are asked, the first twenty of them in a slice of their own.
const sums, early = 100, 20

// answer is what came of one question.
type answer struct {
	question, expected, got string
	slice                   string
	took                    time.Duration
	// err is why there is none.
	err error
}

func (a answer) right() bool { return a.err == nil && a.got == a.expected }

func main() {
	if err := run(os.Args[1:], os.Getenv("AFFINEUR_URL"), os.Getenv("AFFINEUR_RESULTS")); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// run asks, and writes one file. That answers are wrong is what it was asked to find out, and no error.
func run(args []string, url, results string) error {
	if len(args) != 1 || url == "" || results == "" {
		return errors.New("one format, AFFINEUR_URL and AFFINEUR_RESULTS are needed")
	}
	write, name := promptfoo, "results.json"
	if args[0] == "inspect" {
		write, name = inspect, "2026-03-02T09-00-00_golden.json"
	}
	client := &http.Client{Timeout: 20 * time.Second}
	var answers []answer
	for n := 1; n <= sums; n++ {
		answers = append(answers, ask(client, url, n))
	}
	raw, err := json.MarshalIndent(write(answers), "", " ")
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(results, name), raw, 0o600)
}

func ask(client *http.Client, url string, n int) answer {
	a := answer{question: fmt.Sprintf("%d+1000", n), expected: fmt.Sprint(n + 1000)}
	if n <= early {
		a.slice = "early"
	}
	body, err := json.Marshal(map[string]string{"question": a.question})
	if err != nil {
		a.err = err
		return a
	}
	begun := time.Now()
	var said struct{ Answer string }
	a.err = post(client, url+"/v1/ask", body, &said)
	a.got, a.took = said.Answer, time.Since(begun)
	return a
}

func post(client *http.Client, url string, body []byte, into any) error {
	response, err := client.Post(url, "application/json", bytes.NewReader(body))
	if err != nil {
		return err
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("status %d", response.StatusCode)
	}
	return json.NewDecoder(io.LimitReader(response.Body, 64<<10)).Decode(into)
}

// object is JSON with the fields that matter here.
type object = map[string]any

func metadata(n int, a answer) object {
	m := object{"id": fmt.Sprintf("sum-%d", n+1)}
	if a.slice != "" {
		m["slice"] = a.slice
	}
	return m
}

// promptfoo writes results of version 3.
func promptfoo(answers []answer) any {
	var rows []object
	var successes, failures, failed int
	for n, a := range answers {
		assertion := object{"type": "equals", "value": a.expected}
		row := object{
			"testIdx": n, "promptIdx": 0, "success": a.right(), "failureReason": 0, "latencyMs": a.took.Milliseconds(), "score": 1,
			"provider": object{"id": "http"}, "vars": object{"question": a.question},
			"testCase": object{"vars": object{"question": a.question}, "assert": []any{assertion}, "metadata": metadata(n, a)},
		}
		switch {
		case a.err != nil:
			failed++
			row["failureReason"], row["error"], row["response"] = 2, a.err.Error(), object{"error": a.err.Error()}
		default:
			if a.right() {
				successes++
			} else {
				failures++
				row["failureReason"], row["error"], row["score"] = 1, "not equal", 0
			}
			row["response"] = object{"output": a.got}
			row["gradingResult"] = object{"pass": a.right(), "componentResults": []any{object{"pass": a.right(), "assertion": assertion}}}
		}
		rows = append(rows, row)
	}
	return object{
		"results":  object{"version": 3, "results": rows, "stats": object{"successes": successes, "failures": failures, "errors": failed}},
		"metadata": object{"promptfooVersion": "0.118.3"},
	}
}

// inspect writes a log of version 2.
func inspect(answers []answer) any {
	var samples []object
	completed := 0
	for n, a := range answers {
		meta := metadata(n, a)
		sample := object{"id": meta["id"], "epoch": 1, "input": a.question, "target": a.expected, "metadata": meta, "total_time": a.took.Seconds(), "output": object{"model": "prototype"}}
		if a.err != nil {
			sample["error"] = object{"message": a.err.Error()}
		} else {
			completed++
			value := "I"
			if a.right() {
				value = "C"
			}
			sample["scores"] = object{"match": object{"value": value, "answer": a.got}}
		}
		samples = append(samples, sample)
	}
	return object{
		"version": 2, "status": "success", "eval": object{"model": "openai/prototype", "config": object{"epochs": 1}, "packages": object{"inspect_ai": "0.3.121"}},
		"results": object{"total_samples": len(samples), "completed_samples": completed}, "error": nil, "invalidated": false, "samples": samples,
	}
}
