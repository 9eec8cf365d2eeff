package serve

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"strconv"
	"time"
)

// MaxBodyBytes bounds every request body.
const MaxBodyBytes = 64 << 10

// Error is a refusal in the shape that OpenAI-compatible clients read.
type Error struct {
	Status  int    `json:"-"`
	Message string `json:"message"`
	Type    string `json:"type"`
	Code    string `json:"code,omitempty"`
	// RetryAfter, when it is not 0, tells the caller when to come again.
	RetryAfter time.Duration `json:"-"`
}

func (e *Error) Error() string { return e.Message }

// BadRequest is a fault of the caller's input.
func BadRequest(format string, args ...any) *Error {
	return &Error{Status: http.StatusBadRequest, Type: "invalid_request_error", Message: fmt.Sprintf(format, args...)}
}

// WriteJSON answers with a JSON value.
func WriteJSON(w http.ResponseWriter, status int, value any) {
	body, err := json.Marshal(value)
	if err != nil {
		http.Error(w, "the answer could not be written", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	_, _ = w.Write(append(body, '\n'))
}

// WriteError answers {"error":{…}}. What is no *Error is ours, and its text stays in the pod.
func WriteError(w http.ResponseWriter, err error) {
	var known *Error
	if !errors.As(err, &known) {
		known = &Error{Status: http.StatusInternalServerError, Type: "server_error", Message: "an internal error occurred"}
	}
	if known.RetryAfter > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(int(math.Ceil(known.RetryAfter.Seconds()))))
	}
	WriteJSON(w, known.Status, map[string]*Error{"error": known})
}

// ReadJSON reads one JSON value from the request's body into target. Unknown fields are accepted:
// clients of OpenAI-compatible interfaces send many that a small server has no use for.
func ReadJSON(w http.ResponseWriter, r *http.Request, target any) error {
	decoder := json.NewDecoder(http.MaxBytesReader(w, r.Body, MaxBodyBytes))
	if err := decoder.Decode(target); err != nil {
		return describe(err)
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return BadRequest("the body goes on after its JSON value")
	}
	return nil
}

// describe never quotes the body: error texts end in logs, bodies are people's messages.
func describe(err error) error {
	var (
		wrongType *json.UnmarshalTypeError
		tooLarge  *http.MaxBytesError
		known     *Error
	)
	switch {
	case errors.As(err, &known):
		return known
	case errors.As(err, &tooLarge):
		return &Error{Status: http.StatusRequestEntityTooLarge, Type: "invalid_request_error",
			Message: fmt.Sprintf("the body is larger than %d bytes", tooLarge.Limit)}
	case errors.As(err, &wrongType) && wrongType.Field != "":
		return BadRequest("field %q is of the wrong type", wrongType.Field)
	case errors.Is(err, io.EOF):
		return BadRequest("the body is empty, want a JSON object")
	default:
		return BadRequest("the body is not a JSON object")
	}
}

// Healthy answers a health check with 200.
func Healthy(w http.ResponseWriter, _ *http.Request) {
	WriteJSON(w, http.StatusOK, map[string]string{"status": "ok"})
}
