package run

import (
	"context"

	"github.com/affineur/affineur/internal/evidence"
	"github.com/affineur/affineur/internal/gate"
)

// Sampler is an instrument that has runs at gate.SiteOperator: the operator itself looks, and keeps what it saw as a report
// like any other. An error means that it could not be looked at this time, and why; it is tried again.
type Sampler interface {
	gate.Instrument
	Sample(ctx context.Context, c gate.Case, r gate.Run) (evidence.Result, error)
}
