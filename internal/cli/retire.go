package cli

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/internal/cli/describe"
)

func newRetire(env Environment) *cobra.Command {
	var yes bool
	command := &cobra.Command{
		Use:   "retire NAME",
		Short: "Take a prototype out of production and out of its sandbox; the record stays",
		Args:  onePrototype,
		RunE: func(command *cobra.Command, args []string) error {
			session, err := env.Connect()
			if err != nil {
				return err
			}
			return retire(command.Context(), env, session, args[0], yes)
		},
	}
	addYes(command, &yes)
	return command
}

func retire(ctx context.Context, env Environment, session Session, name string, yes bool) error {
	prototype, err := session.prototype(ctx, name)
	if err != nil {
		return err
	}
	switch {
	case !prototype.DeletionTimestamp.IsZero():
		return errors.New("it is being deleted")
	case prototype.Spec.Target == v1alpha1.TargetRetired:
		return fmt.Errorf("it is retired already; to see how far that is: %s", describe.Command(prototype.Namespace, "status", name))
	}
	if err := write(env.Out, describe.Retiring(prototype, env.Clock.Now(), env.Paint)); err != nil {
		return err
	}
	if err := confirm(ctx, env, "Retire it?", yes); err != nil {
		return err
	}
	if err := session.patch(ctx, prototype, func(p *v1alpha1.AIPrototype) { p.Spec.Target = v1alpha1.TargetRetired }); err != nil {
		return err
	}
	return write(env.Out, describe.Retired(prototype))
}
