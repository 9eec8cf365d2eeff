package load

import (
	"context"
	"errors"
	"io"
	"net/http"

	"github.com/affineur/affineur/internal/evidence"
	"github.com/affineur/affineur/internal/probe"
)

// end is what became of an arrival.
type end int

const (
	succeeded end = iota
	timedOut
	notConnected
	serverError
	otherStatus
	shortRead
	notSent
	unfinished
	noAddress
	noResources
	ends
)

// exchange sends one request and reads its answer to the last byte. Redirects are not followed: a transport does not,
// and another address is another subject. The body of the answer is thrown away unseen.
func exchange(client http.RoundTripper, request *http.Request) end {
	response, err := client.RoundTrip(request)
	if err != nil {
		return broken(err, notConnected)
	}
	defer func() { _ = response.Body.Close() }()
	_, err = io.Copy(io.Discard, response.Body)
	switch {
	case response.StatusCode >= 500:
		return serverError
	case response.StatusCode < 200 || response.StatusCode > 299:
		return otherStatus
	case err != nil:
		return broken(err, shortRead)
	}
	return succeeded
}

// broken tells an error of the subject from one on the generator's side. otherwise is what an error of the subject
// other than a timeout means at this point of the exchange.
func broken(err error, otherwise end) end {
	if errors.Is(err, context.DeadlineExceeded) {
		return timedOut
	}
	switch probe.Classify(err) {
	case evidence.ClassTimeout:
		return timedOut
	case evidence.ClassDNS, evidence.ClassForbiddenAddress:
		return noAddress
	case evidence.ClassLocal:
		return noResources
	}
	return otherwise
}
