package main

import (
	"errors"
	"fmt"
)

// outcome is the last line of the story.
type outcome struct {
	Result    string             `json:"result"`
	Prototype string             `json:"prototype,omitempty"`
	Subject   string             `json:"subject,omitempty"`
	Seconds   map[string]float64 `json:"seconds,omitempty"`
	Refusals  int                `json:"refusals"`
	// Reason and Message say why the story ended early.
	Reason  string `json:"reason,omitempty"`
	Message string `json:"message,omitempty"`
}

// Results of a story.
const (
	resultPromoted = "promoted"
	resultStopped  = "stopped"
	resultFailed   = "failed"
)

// stopped means that Affineur itself ended the way, and why.
type stopped struct {
	reason, message string
}

func (e stopped) Error() string { return fmt.Sprintf("%s: %s", e.reason, e.message) }

func (o *outcome) end(err error) {
	var by stopped
	switch {
	case err == nil:
		o.Result = resultPromoted
	case errors.As(err, &by):
		o.Result, o.Reason, o.Message = resultStopped, by.reason, by.message
	default:
		o.Result, o.Message = resultFailed, err.Error()
	}
}
