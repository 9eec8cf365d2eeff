package main

import (
	"github.com/affineur/affineur/internal/assess"
	"github.com/affineur/affineur/internal/gate/integration"
	"github.com/affineur/affineur/internal/gate/quality"
	"github.com/affineur/affineur/internal/gate/scalability"
	"github.com/affineur/affineur/internal/gate/security"
)

// bench lists every gate there is; none adds itself.
func bench() assess.Bench {
	return assess.Bench{
		security.Instrument{},
		scalability.Instrument{},
		integration.Instrument{},
		quality.Instrument{},
	}
}
