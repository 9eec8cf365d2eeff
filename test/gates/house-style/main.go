// Command house-style is an example of a gate of one's own: an image that IT chose for a gate of type Job. It asks whether
// a prototype answers nonsense as this house wants it: with status 400 and {"error": {"message": …, "type": …}}.
//
// It knows the documented contract (docs/your-own-gate.md) and nothing else: no package of Affineur is imported.
package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"time"
)

// run is what the environment variable AFFINEUR_RUN holds.
type run struct {
	Nonce   string `json:"nonce"`
	Subject string `json:"subject"`
	Kind    string `json:"kind"`
	Order   struct {
		URL      string    `json:"url"`
		Settings []setting `json:"settings"`
	} `json:"order"`
}

type setting struct{ Name, Value string }

// report goes to standard output, on one line behind "affineur-report: ".
type report struct {
	Schema     string    `json:"schema"`
	Nonce      string    `json:"nonce"`
	Subject    string    `json:"subject"`
	Kind       string    `json:"kind"`
	StartedAt  time.Time `json:"startedAt"`
	FinishedAt time.Time `json:"finishedAt"`
	Result     result    `json:"result"`
}

type result struct {
	Verdict      string        `json:"verdict"`
	Summary      string        `json:"summary"`
	Findings     []finding     `json:"findings,omitempty"`
	Measurements []measurement `json:"measurements,omitempty"`
}

type finding struct {
	Message string `json:"message"`
	Hint    string `json:"hint"`
	Owner   string `json:"owner"`
}

type measurement struct {
	Name  string `json:"name"`
	Value string `json:"value"`
	Unit  string `json:"unit,omitempty"`
}

// envelope goes to the termination message.
type envelope struct {
	Schema       string    `json:"schema"`
	Nonce        string    `json:"nonce"`
	Subject      string    `json:"subject"`
	Kind         string    `json:"kind"`
	ReportDigest string    `json:"reportDigest,omitempty"`
	ReportBytes  int       `json:"reportBytes,omitempty"`
	StartedAt    time.Time `json:"startedAt"`
	FinishedAt   time.Time `json:"finishedAt"`
	Failure      string    `json:"failure,omitempty"`
}

func main() {
	if err := measure(context.Background(), os.Getenv("AFFINEUR_RUN"), os.Stdout, terminationPath()); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func terminationPath() string {
	if path := os.Getenv("AFFINEUR_TERMINATION_PATH"); path != "" {
		return path
	}
	return "/dev/termination-log"
}

// measure reads what is asked, looks, and hands over: the report first, so that the envelope never vouches for nothing.
func measure(ctx context.Context, asked string, stdout io.Writer, termination string) error {
	started := time.Now().UTC()
	var r run
	if err := json.Unmarshal([]byte(asked), &r); err != nil {
		return errors.New("AFFINEUR_RUN can't be read")
	}
	out := envelope{Schema: "affineur.dev/envelope/v1", Nonce: r.Nonce, Subject: r.Subject, Kind: r.Kind, StartedAt: started}
	found, failure := look(ctx, r)
	out.FinishedAt = time.Now().UTC()
	if failure != nil {
		out.Failure = failure.Error()
		return errors.Join(failure, leave(termination, out))
	}
	raw, err := json.Marshal(report{
		Schema: "affineur.dev/report/v2", Nonce: r.Nonce, Subject: r.Subject, Kind: r.Kind, StartedAt: started, FinishedAt: out.FinishedAt, Result: found,
	})
	if err != nil {
		return err
	}
	if _, err := fmt.Fprintf(stdout, "affineur-report: %s\n", raw); err != nil {
		return err
	}
	sum := sha256.Sum256(raw)
	out.ReportDigest, out.ReportBytes = "sha256:"+hex.EncodeToString(sum[:]), len(raw)
	return leave(termination, out)
}

func leave(termination string, e envelope) error {
	raw, err := json.Marshal(e)
	if err != nil {
		return err
	}
	return os.WriteFile(termination, raw, 0o600)
}

// nonsense is what no prototype can make sense of.
var nonsense = []string{"", "{", "[]", `"text"`, `{"of this house":1`}

// look sends nonsense to the path that the policy names. Its error is why nothing could be measured: that a prototype
// does not answer says nothing about the style of its answers.
func look(ctx context.Context, r run) (result, error) {
	path := "/"
	for _, s := range r.Order.Settings {
		if s.Name == "path" {
			path = s.Value
		}
	}
	client := &http.Client{
		Timeout:       10 * time.Second,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	styled := 0
	for _, body := range nonsense {
		ok, err := inStyle(ctx, client, r.Order.URL+path, body)
		if err != nil {
			return result{}, err
		}
		if ok {
			styled++
		}
	}
	out := result{
		Verdict: "Passed", Summary: fmt.Sprintf("%d of %d requests without sense were answered in this house's style", styled, len(nonsense)),
		Measurements: []measurement{{Name: "styled", Value: strconv.Itoa(styled), Unit: "answers"}, {Name: "asked", Value: strconv.Itoa(len(nonsense)), Unit: "requests"}},
	}
	if styled < len(nonsense) {
		out.Verdict = "Failed"
		out.Findings = []finding{{
			Message: "Nonsense is not answered with status 400 and an error that says what is wrong, so callers can't tell their mistakes from ours.",
			Hint:    `Answer 400 with {"error": {"message": "…", "type": "…"}}.`,
			Owner:   "Business",
		}}
	}
	return out, nil
}

func inStyle(ctx context.Context, client *http.Client, url, body string) (bool, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewBufferString(body))
	if err != nil {
		return false, errors.New("the address can't be used")
	}
	request.Header.Set("Content-Type", "application/json")
	answer, err := client.Do(request)
	if err != nil {
		return false, errors.New("the prototype does not answer")
	}
	defer func() { _ = answer.Body.Close() }()
	var styled struct {
		Error struct{ Message, Type string } `json:"error"`
	}
	err = json.NewDecoder(io.LimitReader(answer.Body, 64<<10)).Decode(&styled)
	return answer.StatusCode == http.StatusBadRequest && err == nil && styled.Error.Message != "" && styled.Error.Type != "", nil
}
