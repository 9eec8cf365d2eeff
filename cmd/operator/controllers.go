package main

import (
	"context"

	ctrl "sigs.k8s.io/controller-runtime"

	"github.com/affineur/affineur/internal/guard"
	"github.com/affineur/affineur/internal/policy"
)

// addControllers lists every controller there is; none adds itself.
func addControllers(_ context.Context, manager ctrl.Manager, _ options) error {
	guards, err := guard.NewController(manager.GetConfig(), ctrl.Log.WithName("guard"))
	if err != nil {
		return err
	}
	if err := guards.SetupWithManager(manager); err != nil {
		return err
	}
	return (&policy.Reconciler{
		Client: manager.GetClient(), Live: manager.GetAPIReader(), Events: manager.GetEventRecorder("affineur-policy"),
	}).SetupWithManager(manager)
}
