// Package sample looks at what only the operator can see: objects of other operators, and metrics. What it finds it puts
// to the conditions of the policy; what comes back holds their answers, and nothing of what was looked at.
package sample

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/affineur/affineur/internal/condition"
	"github.com/affineur/affineur/internal/evidence"
)

// answers puts what was found to both conditions. They were compiled when the policy was checked; one that does not
// compile here was frozen by another version of the operator.
func answers(ctx context.Context, c evidence.Conditions, scope condition.Scope, about condition.About) (*evidence.Answers, error) {
	var out evidence.Answers
	var err error
	if out.Success, out.SuccessWhy, err = answer(ctx, c.SuccessWhen, scope, about); err != nil {
		return nil, fmt.Errorf("successWhen: %w", err)
	}
	if out.Failure, out.FailureWhy, err = answer(ctx, c.FailureWhen, scope, about); err != nil {
		return nil, fmt.Errorf("failureWhen: %w", err)
	}
	return &out, nil
}

func answer(ctx context.Context, text string, scope condition.Scope, about condition.About) (evidence.Answer, string, error) {
	expression, err := condition.Compile(text, scope, condition.Truth)
	if err != nil {
		return "", "", err
	}
	holds, err := expression.Truth(ctx, about)
	switch {
	case ctx.Err() != nil:
		return "", "", ctx.Err()
	case errors.Is(err, condition.ErrUndecided):
		return evidence.AnswerNone, why(err), nil
	case err != nil:
		return "", "", err
	case holds:
		return evidence.AnswerHolds, "", nil
	}
	return evidence.AnswerDoesNot, "", nil
}

func why(err error) string {
	return strings.TrimPrefix(err.Error(), condition.ErrUndecided.Error()+": ")
}
