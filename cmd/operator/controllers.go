package main

import (
	"context"
	"errors"
	"net"
	"os"

	"k8s.io/client-go/kubernetes"
	metrics "k8s.io/metrics/pkg/client/clientset/versioned"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"

	"github.com/affineur/affineur/internal/apply"
	"github.com/affineur/affineur/internal/assess"
	"github.com/affineur/affineur/internal/credentials"
	"github.com/affineur/affineur/internal/drift"
	"github.com/affineur/affineur/internal/guard"
	"github.com/affineur/affineur/internal/policy"
	"github.com/affineur/affineur/internal/promotion"
	"github.com/affineur/affineur/internal/registry"
	"github.com/affineur/affineur/internal/review"
	"github.com/affineur/affineur/internal/run"
	"github.com/affineur/affineur/internal/sandbox"
	"github.com/affineur/affineur/internal/stop"
	"github.com/affineur/affineur/internal/workload"
)

// parts are what several controllers share.
type parts struct {
	writer    *apply.Writer
	maker     credentials.Maker
	collector run.Collector
	meter     run.Meter
	// apiServer is the host:port of the API server's Service, which no workload may reach.
	apiServer string
	bench     assess.Bench
	// turns of all who begin measurements.
	turns *run.Turns
}

// addControllers lists every controller there is; none adds itself.
func addControllers(ctx context.Context, manager ctrl.Manager, o options) error {
	logs, err := kubernetes.NewForConfig(manager.GetConfig())
	if err != nil {
		return err
	}
	usage, err := metrics.NewForConfig(manager.GetConfig())
	if err != nil {
		return err
	}
	p := parts{
		writer:    &apply.Writer{Client: manager.GetClient(), Live: manager.GetAPIReader(), Rights: workload.RightsIn},
		maker:     credentials.Maker{Live: manager.GetAPIReader()},
		collector: run.Collector{Reader: manager.GetClient(), Logs: logs},
		meter:     run.Meter{Metrics: usage},
		apiServer: net.JoinHostPort(os.Getenv("KUBERNETES_SERVICE_HOST"), os.Getenv("KUBERNETES_SERVICE_PORT")),
		bench:     bench(manager.GetAPIReader(), manager.GetRESTMapper(), logs),
		turns:     &run.Turns{},
	}
	for _, add := range []func(context.Context, ctrl.Manager, options, parts) error{
		addGuard, addPolicy, addSandbox, addReview, addPromotion, addDrift, addStop,
	} {
		if err := add(ctx, manager, o, p); err != nil {
			return err
		}
	}
	return nil
}

func addGuard(_ context.Context, manager ctrl.Manager, _ options, _ parts) error {
	controller, err := guard.NewController(manager.GetConfig(), ctrl.Log.WithName("guard"))
	if err != nil {
		return err
	}
	return controller.SetupWithManager(manager)
}

func addPolicy(_ context.Context, manager ctrl.Manager, o options, _ parts) error {
	return (&policy.Reconciler{
		Client: manager.GetClient(), Live: manager.GetAPIReader(), Events: manager.GetEventRecorder("affineur-policy"), Ranges: o.ranges,
	}).SetupWithManager(manager)
}

func addSandbox(ctx context.Context, manager ctrl.Manager, o options, p parts) error {
	routes, err := sandbox.NewRoutes(manager, ours())
	if err != nil {
		return err
	}
	witness := sandbox.ServerClock{Client: manager.GetClient()}
	retention := &sandbox.Retention{Client: manager.GetClient(), Live: manager.GetAPIReader(), Witness: witness, Clock: clock.RealClock{}}
	return errors.Join(manager.Add(retention), (&sandbox.Reconciler{
		Client: manager.GetClient(), Live: manager.GetAPIReader(), Writer: p.writer,
		Resolver: registry.Resolver{Live: manager.GetAPIReader()}, Maker: p.maker, Collector: p.collector, Routes: routes,
		Tailer: p.collector, Recorder: manager.GetEventRecorder("affineur-sandbox"), Clock: clock.RealClock{},
		Witness:  witness,
		Settings: sandbox.Settings{RunnerImage: o.runnerImage, APIServer: p.apiServer, Beyond: o.beyond, MeasureEvery: o.remeasure, Bench: p.bench},
	}).SetupWithManager(ctx, manager))
}

func addReview(_ context.Context, manager ctrl.Manager, o options, p parts) error {
	return (&review.Reconciler{
		Client: manager.GetClient(), Live: manager.GetAPIReader(), Writer: p.writer, Credentials: p.maker, Collector: p.collector,
		Meter:    p.meter,
		Events:   manager.GetEventRecorder("affineur-review"),
		Settings: review.Settings{RunnerImage: o.runnerImage, APIServer: p.apiServer, Beyond: o.beyond, Bench: p.bench, RunsAtMost: o.runsAtMost},
		Turns:    p.turns,
	}).SetupWithManager(manager)
}

func addPromotion(ctx context.Context, manager ctrl.Manager, _ options, p parts) error {
	meter, err := guard.NewMeter(manager.GetConfig())
	if err != nil {
		return err
	}
	return promotion.New(promotion.Config{
		Client: manager.GetClient(), Live: manager.GetAPIReader(), Credentials: p.maker, Guards: meter,
		Destination: &promotion.InCluster{Client: manager.GetClient(), Live: manager.GetAPIReader(), Writer: p.writer},
		Recorder:    manager.GetEventRecorder("affineur-promotion"),
		Bench:       p.bench,
	}).SetupWithManager(ctx, manager)
}

func addDrift(_ context.Context, manager ctrl.Manager, o options, p parts) error {
	return drift.New(drift.Config{
		Client: manager.GetClient(), Live: manager.GetAPIReader(), Writer: p.writer, Collector: p.collector, Serving: promotion.Serving,
		RunnerImage: o.runnerImage, RunsAtMost: o.runsAtMost, Turns: p.turns,
	}).SetupWithManager(manager)
}

func addStop(_ context.Context, manager ctrl.Manager, o options, p parts) error {
	reconciler := &stop.Reconciler{
		Client: manager.GetClient(), Live: manager.GetAPIReader(), Recorder: manager.GetEventRecorder("affineur-stop"), Clock: clock.RealClock{},
	}
	meter := &stop.Meter{
		Client: manager.GetClient(), Live: manager.GetAPIReader(), Writer: p.writer, Collector: p.collector, Clock: clock.RealClock{},
		RunnerImage: o.runnerImage,
	}
	return errors.Join(reconciler.SetupWithManager(manager), meter.SetupWithManager(manager))
}
