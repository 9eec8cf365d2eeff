package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strconv"
	"time"

	"github.com/affineur/affineur/test/prototypes/internal/openai"
	"github.com/affineur/affineur/test/prototypes/internal/serve"
)

// maxAnswerBytes bounds what is read of any answer from outside.
const maxAnswerBytes = 1 << 20

// modelClient calls the model gateway.
type modelClient struct {
	http    *http.Client
	url     string
	name    string
	keyFile string
}

// post sends a conversation and returns the gateway's answer, which is a good one; the caller closes
// its body. The key is read at every use, since it may be rotated.
func (c modelClient) post(ctx context.Context, request openai.Request) (*http.Response, error) {
	key, err := serve.ReadSecret(c.keyFile)
	if err != nil {
		return nil, failure(http.StatusServiceUnavailable, "no_model_key", "there is no key for the model gateway", err)
	}
	request.Model = c.name
	body, err := json.Marshal(request)
	if err != nil {
		return nil, err
	}
	call, err := http.NewRequestWithContext(ctx, http.MethodPost, c.url+"/chat/completions", bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	call.Header.Set("Authorization", "Bearer "+string(bytes.TrimSpace(key)))
	call.Header.Set("Content-Type", "application/json")
	answer, err := c.http.Do(call)
	if err != nil {
		return nil, unreachable(err)
	}
	if answer.StatusCode != http.StatusOK {
		defer answer.Body.Close()
		return nil, refused(answer)
	}
	return answer, nil
}

// complete returns a whole answer.
func (c modelClient) complete(ctx context.Context, messages []openai.Message) (openai.Response, error) {
	answer, err := c.post(ctx, openai.Request{Messages: messages})
	if err != nil {
		return openai.Response{}, err
	}
	defer answer.Body.Close()
	var response openai.Response
	if err := json.NewDecoder(io.LimitReader(answer.Body, maxAnswerBytes)).Decode(&response); err != nil {
		return openai.Response{}, failure(http.StatusBadGateway, "bad_model_answer", "the model gateway's answer could not be read", err)
	}
	if len(response.Choices) == 0 {
		return openai.Response{}, failure(http.StatusBadGateway, "bad_model_answer", "the model gateway's answer is empty", nil)
	}
	return response, nil
}

func unreachable(err error) error {
	var timeout net.Error
	if errors.As(err, &timeout) && timeout.Timeout() {
		return failure(http.StatusGatewayTimeout, "model_timeout", "the model gateway did not answer in time", err)
	}
	return failure(http.StatusBadGateway, "model_unreachable", "the model gateway can't be reached", err)
}

// refused keeps apart what the caller can wait for (a spent budget) and what somebody has to mend.
func refused(answer *http.Response) error {
	switch answer.StatusCode {
	case http.StatusTooManyRequests:
		seconds, _ := strconv.Atoi(answer.Header.Get("Retry-After"))
		return &serve.Error{Status: http.StatusTooManyRequests, Type: "insufficient_quota", Code: "model_budget_spent",
			Message: "the model budget of this prototype is spent for now", RetryAfter: time.Duration(seconds) * time.Second}
	case http.StatusUnauthorized, http.StatusForbidden:
		return failure(http.StatusBadGateway, "model_key_refused", "the model gateway does not accept this prototype's key", errors.New(answer.Status))
	case http.StatusBadRequest:
		return serve.BadRequest("the model gateway does not accept this conversation")
	default:
		return failure(http.StatusBadGateway, "model_refused", "the model gateway answered "+answer.Status, errors.New(answer.Status))
	}
}

// failure is a refusal whose cause is logged here and not told to the caller.
func failure(status int, code, message string, cause error) error {
	slog.Error(message, "code", code, "cause", cause)
	return &serve.Error{Status: status, Type: "server_error", Code: code, Message: message}
}
