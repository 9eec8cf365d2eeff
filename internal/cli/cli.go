// Package cli is kubectl affineur: what a person would read out of the objects or write into them by hand, in plain
// words. Nothing works only through it. What it says is made in the package describe; here are reading, asking,
// writing and watching.
package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"
	"k8s.io/cli-runtime/pkg/genericclioptions"
	"k8s.io/cli-runtime/pkg/genericiooptions"
	"k8s.io/cli-runtime/pkg/printers"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/affineur/affineur/internal/cli/describe"
)

// Session is a way to the cluster, as one person and in one namespace.
type Session struct {
	Client    client.WithWatch
	Namespace string
}

// Environment is everything outside that a command touches.
type Environment struct {
	genericiooptions.IOStreams
	Clock clock.Clock
	// Terminal tells that Out is a terminal, which can be redrawn.
	Terminal bool
	Paint    describe.Paint
	// Connect is called once the flags are read.
	Connect func() (Session, error)
}

// Main runs the command line on the process's own streams and returns its exit code.
func Main(ctx context.Context, args []string) int {
	flags := genericclioptions.NewConfigFlags(true)
	env := Environment{
		IOStreams: genericiooptions.IOStreams{In: os.Stdin, Out: os.Stdout, ErrOut: os.Stderr},
		Clock:     clock.RealClock{},
		Terminal:  printers.IsTerminal(os.Stdout),
		Paint:     describe.Paint(printers.AllowsColorOutput(os.Stdout)),
	}
	env.Connect = func() (Session, error) { return connect(flags, env.ErrOut) }
	return run(ctx, args, env, flags)
}

// run is Main with everything handed in. It returns 0, or 1 after it said on ErrOut what is wrong and what to do.
func run(ctx context.Context, args []string, env Environment, flags *genericclioptions.ConfigFlags) int {
	root := newRoot(env, flags)
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	switch {
	case err == nil:
		return 0
	case errors.Is(err, errSaid):
	default:
		_, _ = fmt.Fprintf(env.ErrOut, "error: %s\n", describe.Clean(inWords(err)))
	}
	return 1
}

// errSaid ends a command with exit code 1 where the output already says why.
var errSaid = errors.New("already said")

func newRoot(env Environment, flags *genericclioptions.ConfigFlags) *cobra.Command {
	root := &cobra.Command{
		Use:   "kubectl-affineur",
		Short: "Take AI prototypes from a sandbox through review into production",
		Long: "Take AI prototypes from a sandbox through review into production.\n\n" +
			"Business teams: status, promote, retire. Reviewers: explain, report, approve, reject, revoke. Responders: stop, lift.\n" +
			"Everything here can be done with kubectl alone; this says it in plain words and types the digests.",
		Annotations:       map[string]string{cobra.CommandDisplayNameAnnotation: "kubectl affineur"},
		SilenceUsage:      true,
		SilenceErrors:     true,
		CompletionOptions: cobra.CompletionOptions{DisableDefaultCmd: true},
	}
	root.SetIn(env.In)
	root.SetOut(env.Out)
	root.SetErr(env.ErrOut)
	flags.AddFlags(root.PersistentFlags())
	root.AddCommand(newStatus(env), newPromote(env), newRetire(env), newExplain(env), newReport(env), newApprove(env), newReject(env), newRevoke(env),
		newStop(env), newLift(env))
	return root
}

// one demands exactly one name, and says which.
func one(what, listing string) cobra.PositionalArgs {
	return func(_ *cobra.Command, args []string) error {
		if len(args) != 1 {
			return fmt.Errorf("name one %s; to see which there are: %s", what, listing)
		}
		return nil
	}
}

var (
	onePrototype = one("prototype", "kubectl affineur status")
	oneReview    = one("review", "kubectl get hardeningreviews")
)

func write(out io.Writer, text string) error {
	_, err := io.WriteString(out, text)
	return err
}
