package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/url"
	"regexp"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/clientcmd"
)

// invalidValue is what the API server puts before the sentence that a validation rule was written with.
var invalidValue = regexp.MustCompile(`^(Invalid value|Forbidden|Required value|Unsupported value|Too long): ("(\\.|[^"\\])*": )?`)

// inWords says what is wrong and what to do about it, for people who don't read API errors.
func inWords(err error) string {
	var status apierrors.APIStatus
	var address *url.Error
	var network *net.OpError
	var file *fs.PathError
	switch {
	case clientcmd.IsEmptyConfig(err):
		return "no cluster is configured: set KUBECONFIG or --kubeconfig to the file that your platform team gave you"
	case errors.As(err, &status):
		return refusal(status.Status())
	case errors.Is(err, context.Canceled):
		return "interrupted"
	case errors.As(err, &file):
		return fmt.Sprintf("%v: check --kubeconfig and KUBECONFIG", err)
	case errors.As(err, &address), errors.As(err, &network):
		return fmt.Sprintf("the cluster can't be reached (%v): check your network, --context and --kubeconfig", err)
	default:
		return err.Error()
	}
}

func refusal(status metav1.Status) string {
	switch {
	case strings.Contains(status.Message, "denied request: "):
		_, reason, _ := strings.Cut(status.Message, "denied request: ")
		return "refused: " + reason
	case status.Reason == metav1.StatusReasonInvalid && status.Details != nil && len(status.Details.Causes) > 0:
		return "refused: " + strings.Join(sentences(status.Details.Causes), "; ")
	case status.Reason == metav1.StatusReasonUnauthorized:
		return "the cluster does not know you: your login is missing or over"
	case status.Reason == metav1.StatusReasonForbidden:
		return forbidden(status.Message)
	case apierrors.HasStatusCause(&apierrors.StatusError{ErrStatus: status}, metav1.CauseTypeUnexpectedServerResponse) &&
		status.Reason == metav1.StatusReasonNotFound:
		return "this cluster does not have Affineur's resources: ask the platform team whether it is installed here"
	default:
		return status.Message
	}
}

func sentences(causes []metav1.StatusCause) []string {
	var said []string
	for _, cause := range causes {
		text := invalidValue.ReplaceAllString(cause.Message, "")
		if cause.Field != "" && cause.Field != "<nil>" {
			text = cause.Field + ": " + text
		}
		said = append(said, text)
	}
	return said
}

func forbidden(message string) string {
	if _, reason, found := strings.Cut(message, "is forbidden: "); found {
		message = reason
	}
	return message + "; ask the platform team for the right, or act as somebody who has it (--context, --as)"
}
