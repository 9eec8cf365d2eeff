package main

import (
	"io"
	"log/slog"
	"net/http"
	"slices"

	"github.com/affineur/affineur/test/prototypes/internal/openai"
	"github.com/affineur/affineur/test/prototypes/internal/serve"
)

type outliner struct {
	model modelClient
	lms   lmsClient
}

func newHandler(c config) http.Handler {
	o := outliner{
		model: modelClient{http: newClient(modelTimeout), url: c.modelURL, name: c.modelName, keyFile: c.keyFile},
		lms:   lmsClient{http: newClient(lmsTimeout), url: c.lmsURL},
	}
	mux := http.NewServeMux()
	// Health is this process's own: a gateway that is down must not restart every prototype.
	mux.HandleFunc("GET /healthz", serve.Healthy)
	mux.HandleFunc("POST /v1/outline", o.outline)
	mux.HandleFunc("POST /v1/chat/completions", o.chat)
	return mux
}

func (o outliner) outline(w http.ResponseWriter, r *http.Request) {
	var request struct {
		Topic string `json:"topic"`
	}
	err := serve.ReadJSON(w, r, &request)
	if err == nil {
		request.Topic, err = checkTopic(request.Topic)
	}
	if err != nil {
		serve.WriteError(w, err)
		return
	}
	draft, err := o.draft(r, request.Topic)
	if err != nil {
		serve.WriteError(w, err)
		return
	}
	serve.WriteJSON(w, http.StatusOK, draft)
}

func (o outliner) draft(r *http.Request, topic string) (outline, error) {
	draft := outline{Topic: topic, Title: courseTitle(topic), Notes: []string{}}
	courses, err := o.lms.courses(r.Context())
	if err != nil {
		slog.Warn("the learning-management system could not be asked", "cause", err)
		draft.Notes = append(draft.Notes, "The learning-management system could not be asked which courses exist already.")
	}
	draft.Similar = similar(topic, courses)
	if len(draft.Similar) > 0 {
		draft.Notes = append(draft.Notes, "Similar courses exist already: compare before you build a new one.")
	}
	answer, err := o.model.complete(r.Context(), prompt(topic, draft.Similar))
	if err != nil {
		return outline{}, err
	}
	choice := answer.Choices[0]
	if draft.Modules = modules(string(choice.Message.Content)); len(draft.Modules) == 0 {
		return outline{}, failure(http.StatusBadGateway, "bad_model_answer", "the model's answer holds no outline", nil)
	}
	if choice.FinishReason == openai.FinishLength {
		draft.Notes = append(draft.Notes, "The model's answer was cut off.")
	}
	draft.Model = answer.SystemFingerprint
	return draft, nil
}

// chat hands a conversation on to the model with this prototype's instruction before it, and the answer
// back as it comes, streamed or whole.
func (o outliner) chat(w http.ResponseWriter, r *http.Request) {
	var request openai.Request
	err := serve.ReadJSON(w, r, &request)
	if err == nil {
		err = request.Validate()
	}
	if err != nil {
		serve.WriteError(w, err)
		return
	}
	request.Messages = slices.Insert(request.Messages, 0, openai.Message{Role: openai.RoleSystem, Content: instruction})
	answer, err := o.model.post(r.Context(), request)
	if err != nil {
		serve.WriteError(w, err)
		return
	}
	defer answer.Body.Close()
	w.Header().Set("Content-Type", answer.Header.Get("Content-Type"))
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(http.StatusOK)
	if err := copyFlushed(w, answer.Body); err != nil {
		// The status is sent; an answer cut short is all that is left to tell the caller.
		slog.Warn("the model's answer was not handed on to its end", "cause", err)
	}
}

// copyFlushed hands every piece on when it comes, as a stream needs.
func copyFlushed(w http.ResponseWriter, from io.Reader) error {
	controller := http.NewResponseController(w)
	piece := make([]byte, 8<<10)
	for {
		n, err := from.Read(piece)
		if n > 0 {
			if _, err := w.Write(piece[:n]); err != nil {
				return err
			}
			if err := controller.Flush(); err != nil {
				return err
			}
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
}
