package main

import (
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/client-go/kubernetes"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/affineur/affineur/internal/assess"
	"github.com/affineur/affineur/internal/gate/integration"
	"github.com/affineur/affineur/internal/gate/own"
	"github.com/affineur/affineur/internal/gate/quality"
	"github.com/affineur/affineur/internal/gate/scalability"
	"github.com/affineur/affineur/internal/gate/security"
	"github.com/affineur/affineur/internal/material"
	"github.com/affineur/affineur/internal/overhear"
	"github.com/affineur/affineur/internal/probe"
	"github.com/affineur/affineur/internal/registry"
	"github.com/affineur/affineur/internal/sample"
)

// bench lists every gate there is; none adds itself. live reads past the cache.
func bench(live client.Reader, mapper meta.RESTMapper, logs kubernetes.Interface) assess.Bench {
	return assess.Bench{
		material.Instrument{Instrument: security.Instrument{Rights: true}, Live: live, Resolver: registry.Resolver{Live: live}},
		scalability.Instrument{},
		integration.Instrument{},
		quality.Instrument{},
		sample.ResourceGate{Live: live, Mapper: mapper},
		sample.MetricGate{Live: live, Guard: probe.RefuseSpecial},
		own.Job{},
		overhear.Instrument{Reader: live, Logs: logs},
	}
}
