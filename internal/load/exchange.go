package load

import (
	"context"
	"errors"

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
	otherShape
	notAsDeclared
	unfinished
	noAddress
	noResources
	ends
)

var (
	errInterim = errors.New("too many interim answers")
	errHeader  = errors.New("the header of the answer is too large")
)

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
