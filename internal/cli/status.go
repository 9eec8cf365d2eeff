package cli

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/internal/cli/describe"
)

type statusOptions struct {
	watch, everywhere bool
	output            string
	until             goal
	timeout           time.Duration
}

func newStatus(env Environment) *cobra.Command {
	var options statusOptions
	command := &cobra.Command{
		Use:   "status [NAME]",
		Short: "Say where a prototype is, what is missing, whose turn it is and what to do next",
		Example: "  kubectl affineur status                          # every prototype of the namespace, a line each\n" +
			"  kubectl affineur status churn-advisor --watch\n" +
			"  kubectl affineur status churn-advisor --until=promoted --timeout=30m   # for pipelines",
		Args: cobra.MaximumNArgs(1),
		RunE: func(command *cobra.Command, args []string) error {
			name := ""
			if len(args) == 1 {
				name = args[0]
			}
			if err := options.check(name); err != nil {
				return err
			}
			session, err := env.Connect()
			if err != nil {
				return err
			}
			return options.run(command.Context(), env, session, name)
		},
	}
	flags := command.Flags()
	flags.BoolVarP(&options.watch, "watch", "w", false, "say it again whenever it changes, until Ctrl-C")
	flags.BoolVarP(&options.everywhere, "all-namespaces", "A", false, "list the prototypes of all namespaces")
	flags.StringVarP(&options.output, "output", "o", "", "print the object itself: json or yaml")
	flags.StringVar((*string)(&options.until), "until", "", "watch until it is ready or promoted; exit code 1 if it can't be")
	flags.DurationVar(&options.timeout, "timeout", 0, "with --watch or --until: give up after this time, such as 30m")
	return command
}

func (o statusOptions) check(name string) error {
	following := o.watch || o.until != ""
	switch {
	case o.output != "" && o.output != outputJSON && o.output != outputYAML:
		return fmt.Errorf("--output is json or yaml, not %q", o.output)
	case o.until != "" && o.until != goalReady && o.until != goalPromoted:
		return fmt.Errorf("--until is ready or promoted, not %q", o.until)
	case following && name == "":
		return errors.New("name the prototype to watch")
	case following && o.output != "":
		return errors.New("--output prints once: leave out --watch and --until")
	case o.timeout != 0 && !following:
		return errors.New("--timeout needs --watch or --until")
	case o.timeout < 0:
		return errors.New("--timeout is a time above zero, such as 30m")
	case o.everywhere && name != "":
		return errors.New("name a prototype or ask for all namespaces, not both")
	default:
		return nil
	}
}

func (o statusOptions) run(ctx context.Context, env Environment, session Session, name string) error {
	switch {
	case name == "":
		return o.list(ctx, env, session)
	case o.watch || o.until != "":
		return newFollower(env, session, name, o.until, o.timeout).run(ctx)
	case o.output != "":
		prototype, err := session.prototype(ctx, name)
		if err != nil {
			return err
		}
		return printObject(env.Out, prototype, o.output)
	default:
		view, err := session.view(ctx, name)
		if err != nil {
			return err
		}
		return write(env.Out, describe.Prototype(view, env.Clock.Now(), env.Paint))
	}
}

func (o statusOptions) list(ctx context.Context, env Environment, session Session) error {
	namespace, place := session.Namespace, "namespace "+session.Namespace
	if o.everywhere {
		namespace, place = "", "any namespace"
	}
	list := &v1alpha1.AIPrototypeList{}
	if err := session.Client.List(ctx, list, client.InNamespace(namespace)); err != nil {
		return err
	}
	switch {
	case o.output != "":
		return printObject(env.Out, list, o.output)
	case len(list.Items) == 0:
		_, err := fmt.Fprintf(env.ErrOut, "There is no prototype in %s.\n", place)
		return err
	default:
		return write(env.Out, describe.Prototypes(list.Items, o.everywhere, env.Clock.Now()))
	}
}
