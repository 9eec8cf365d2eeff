package gate

import (
	"time"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/internal/evidence"
)

// DeclaredCall is how a prototype at the given address is asked a question, as its evaluation declares.
func DeclaredCall(url string, declared v1alpha1.EvaluationCall, within time.Duration) evidence.Call {
	call := evidence.Call{URL: url, Timeout: evidence.Duration(within)}
	if own := declared.JSON; own != nil {
		call.JSON = &evidence.JSONCall{Method: own.Method, Path: own.Path, Input: own.Input, Answer: own.Answer}
	}
	if chat := declared.OpenAIChat; chat != nil {
		call.OpenAIChat = &evidence.ChatCall{Path: chat.Path, Model: chat.Model}
	}
	return call
}
