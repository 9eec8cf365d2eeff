package main

import (
	"errors"
	"fmt"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
)

// refuser tells whether an answer is a refusal, and by the right one.
type refuser func(error) error

// byRBAC wants the API server's authorizer to refuse.
func byRBAC(err error) error {
	if !apierrors.IsForbidden(err) || strings.Contains(err.Error(), "denied request:") {
		return errors.New("not refused by RBAC")
	}
	return nil
}

// byPolicy wants one admission policy to refuse, with words of its own.
func byPolicy(policy, words string) refuser {
	return func(err error) error {
		text := fmt.Sprint(err)
		if err == nil || !strings.Contains(text, "'"+policy+"'") || !strings.Contains(text, words) {
			return fmt.Errorf("not refused by admission policy %s (%q)", policy, words)
		}
		return nil
	}
}

// refused shows an attempt and its answer, and counts it if the right one refused. Anything else is a failure of the
// story.
func (s *stage) refused(who, what string, answer error, by refuser) error {
	if err := by(answer); err != nil {
		return fmt.Errorf("%s tried: %s: %w, but: %w", who, what, err, orNothing(answer))
	}
	s.count(who, what, answer.Error())
	return nil
}

var errAllowed = errors.New("it was let through")

func orNothing(answer error) error {
	if answer == nil {
		return errAllowed
	}
	return answer
}

// count shows a refusal that was checked.
func (s *stage) count(who, what, answer string) {
	s.out.refusal(who, what, answer)
	s.result.Refusals++
}
