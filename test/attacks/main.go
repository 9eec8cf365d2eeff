// Command attacks performs the attacks of the threat model on the development cluster, each under the identity of the
// actor that the model names, and wants every one of them to be stopped. It prints a line for each, with what was seen to
// stop it, and ends with how many there were. It exits with 0 only if all were made and all were stopped.
//
// It needs a cluster on which make demo played. An attack counts as stopped when the refusal, the condition or the
// measurement was seen, and the forbidden effect was looked for afterwards and is not there.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"syscall"
	"time"

	"github.com/go-logr/logr"
	ctrl "sigs.k8s.io/controller-runtime"
)

func main() {
	// The libraries' own log would only interrupt.
	ctrl.SetLogger(logr.Discard())
	root := flag.String("root", ".", "`DIRECTORY` of the repository")
	only := flag.Int("row", 0, "make only the attacks of this `ROW`; the others are skipped, so the run fails")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, *root, *only, os.Stdout)
	stop()
	os.Exit(code)
}

func run(ctx context.Context, root string, only int, out io.Writer) int {
	began := time.Now()
	f, err := newField(ctx, root)
	if err != nil {
		_, _ = fmt.Fprintf(out, "the attacks need the development cluster, and what make demo left on it: %v\n", err)
		return 1
	}
	if err = f.prepare(ctx); err != nil {
		_, _ = fmt.Fprintf(out, "the ground could not be prepared: %v\n", err)
		f.cleared(ctx, out)
		return 1
	}
	_, _ = fmt.Fprintf(out, "the ground is ready after %.0f s\n", time.Since(began).Seconds())
	made, stopped, skipped := f.perform(ctx, f.attacks(), only, out)
	clean := f.cleared(ctx, out)
	_, _ = fmt.Fprintf(out, "%.0f s in all\n%d attacks, %d stopped\n", time.Since(began).Seconds(), made+skipped, stopped)
	if stopped < made || skipped > 0 || made == 0 || !clean {
		return 1
	}
	return 0
}

// cleared takes away what the attacks were made with, so that they can be made again.
func (f *field) cleared(ctx context.Context, out io.Writer) bool {
	err := f.clear(context.WithoutCancel(ctx))
	if err != nil {
		_, _ = fmt.Fprintf(out, "not everything could be taken away: %v\n", err)
	}
	return err == nil
}

// perform makes the attacks one after the other.
func (f *field) perform(ctx context.Context, attacks []attack, only int, out io.Writer) (made, stopped, skipped int) {
	for _, a := range attacks {
		if only != 0 && a.row != only {
			skipped++
			continue
		}
		made++
		by, err := f.perpetrate(ctx, a)
		if err != nil {
			_, _ = fmt.Fprintf(out, "attack %d: NOT STOPPED: %s: %s: %v\n", a.row, a.who, a.what, err)
			continue
		}
		stopped++
		_, _ = fmt.Fprintf(out, "attack %d: stopped by %s | %s: %s\n", a.row, by, a.who, a.what)
	}
	return made, stopped, skipped
}

// patience with one attack.
const patience = 2 * time.Minute

var errNothingStopped = errors.New("nothing that stopped it was seen")

// perpetrate makes one attack. Its control comes first: where what is forbidden here does not work elsewhere either,
// being refused here shows nothing.
func (f *field) perpetrate(ctx context.Context, a attack) (string, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, patience, fmt.Errorf("not within %s", patience))
	defer cancel()
	if a.control != nil {
		if err := a.control(ctx); err != nil {
			return "", fmt.Errorf("the control, which should work, does not: %w", err)
		}
	}
	by, err := a.try(ctx)
	switch {
	case err != nil:
		return "", err
	case by == "":
		return "", errNothingStopped
	case !slices.ContainsFunc(a.meant, func(w wall) bool { return w.stops(by) }):
		return "", fmt.Errorf("it was stopped by %s, which shows nothing of what is meant to stop it: %v", by, a.meant)
	}
	return by, nil
}
