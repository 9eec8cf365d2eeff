package drift

import (
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/affineur/affineur/internal/record"
	"github.com/affineur/affineur/internal/run"
	"github.com/affineur/affineur/internal/stop"
)

// Serving is what a production namespace remembers to serve in it for good; the zero value where nothing does.
type Serving struct {
	// Record and the review digest that it must have.
	Record, Digest string
}

// Scene is everything that one pass looks at.
type Scene struct {
	Namespace *corev1.Namespace
	Serving   Serving
	// Record that serves, nil where it can't be read or is another.
	Record *record.Record
	// Answering means that pods of the record are there to be asked.
	Answering bool
	// Stops that concern what serves.
	Stops stop.Effects
	State State
	// Run that is next or at work.
	Run run.Result
	// Left are Jobs and openings of measurements that are there, the present one's included.
	Left []client.Object
}
