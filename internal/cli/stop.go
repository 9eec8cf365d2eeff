package cli

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/internal/cli/describe"
)

var oneStop = one("emergency stop", "kubectl get emergencystops")

func newStop(env Environment) *cobra.Command {
	var scope v1alpha1.StopScope
	var action, reason string
	var all bool
	var wait time.Duration
	command := &cobra.Command{
		Use:   "stop NAME",
		Short: "Freeze, sever or stop everything in a scope, now; a second person lifts it",
		Args:  oneStop,
		RunE: func(command *cobra.Command, args []string) error {
			session, err := env.Connect()
			if err != nil {
				return err
			}
			if all {
				scope.All = &v1alpha1.StopAll{}
			}
			// Nothing is asked: whoever types this is in a hurry, and a second person can take it back.
			return stop(command.Context(), env, session, args[0], v1alpha1.EmergencyStopSpec{
				Scope: scope, Action: v1alpha1.StopAction(action), Reason: reason,
			}, wait)
		},
	}
	flags := command.Flags()
	flags.BoolVar(&all, "all", false, "all prototypes of the cluster")
	flags.StringVar(&scope.Team, "team", "", "prototypes of a team")
	flags.StringVar(&scope.Gateway, "gateway", "", "whoever uses a model gateway of the catalogue")
	flags.StringVar(&scope.Integration, "integration", "", "whoever uses an integration of the catalogue")
	flags.StringVar(&scope.Digest, "digest", "", "whoever runs an image, as sha256:…")
	flags.StringVar(&action, "action", string(v1alpha1.StopSever), "Freeze (nothing new into production), Sever (cut the network) or Stop (no pod runs)")
	flags.StringVar(&reason, "reason", "", "why, for everybody who reads it later")
	flags.DurationVar(&wait, "wait", 5*time.Second, "how long to wait for whether anybody knows what it names; 0 does not wait")
	command.MarkFlagsOneRequired("all", "team", "gateway", "integration", "digest")
	command.MarkFlagsMutuallyExclusive("all", "team", "gateway", "integration", "digest")
	_ = command.MarkFlagRequired("reason") // fails only for a flag that is not there
	return command
}

func stop(ctx context.Context, env Environment, session Session, name string, spec v1alpha1.EmergencyStopSpec, wait time.Duration) error {
	made := &v1alpha1.EmergencyStop{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: spec}
	if err := session.Client.Create(ctx, made); err != nil {
		return err
	}
	if err := write(env.Out, fmt.Sprintf("Emergency stop %s holds, in your name. How far it is: kubectl get emergencystop %s -w\n"+
		"A second responder lifts it: kubectl affineur lift %s --reason …\n", describe.Clean(name), describe.Clean(name), describe.Clean(name))); err != nil {
		return err
	}
	return write(env.ErrOut, doubt(ctx, env, session, name, wait))
}

// doubt is a warning where nobody knows what a stop names, or nobody looked at it; empty where all is well. The stop
// holds in any case.
func doubt(ctx context.Context, env Environment, session Session, name string, wait time.Duration) string {
	if wait <= 0 {
		return ""
	}
	ctx, done := context.WithCancel(ctx)
	defer done()
	timeout, unseen := env.Clock.After(wait), "Warning: the operator has not looked at it yet. If it does not run, the same can be done by hand (docs/emergency.md).\n"
	changes, err := Session{Client: session.Client}.changes(ctx, env.Clock, &v1alpha1.EmergencyStopList{}, name)
	if err != nil {
		return unseen
	}
	for {
		var made v1alpha1.EmergencyStop
		if err := session.Client.Get(ctx, client.ObjectKey{Name: name}, &made); err != nil {
			return unseen
		}
		if c := apimeta.FindStatusCondition(made.Status.Conditions, v1alpha1.ConditionEffective); c != nil {
			if c.Reason != v1alpha1.ReasonScopeUnknown {
				return ""
			}
			return "Warning: " + describe.Clean(c.Message) + "\n"
		}
		select {
		case <-ctx.Done():
			return unseen
		case <-timeout:
			return unseen
		case <-changes:
		}
	}
}

func newLift(env Environment) *cobra.Command {
	var reason string
	command := &cobra.Command{
		Use:   "lift NAME",
		Short: "End an emergency stop that somebody else made",
		Args:  oneStop,
		RunE: func(command *cobra.Command, args []string) error {
			session, err := env.Connect()
			if err != nil {
				return err
			}
			return lift(command.Context(), env, session, args[0], reason)
		},
	}
	command.Flags().StringVar(&reason, "reason", "", "why it is over")
	_ = command.MarkFlagRequired("reason") // fails only for a flag that is not there
	return command
}

func lift(ctx context.Context, env Environment, session Session, name, reason string) error {
	var made v1alpha1.EmergencyStop
	if err := session.Client.Get(ctx, client.ObjectKey{Name: name}, &made); err != nil {
		return err
	}
	if lifted := made.Spec.Lifted; lifted != nil {
		return fmt.Errorf("it was lifted already, by %s", describe.Clean(lifted.By))
	}
	next := made.DeepCopy()
	next.Spec.Lifted = &v1alpha1.Lift{Reason: reason}
	// What was read is lifted, and no other stop that came under its name since.
	if err := session.Client.Patch(ctx, next, client.MergeFromWithOptions(&made, client.MergeFromWithOptimisticLock{})); err != nil {
		return err
	}
	return write(env.Out, fmt.Sprintf("Emergency stop %s is lifted, in your name. What it cut off comes back by itself.\n", describe.Clean(name)))
}
