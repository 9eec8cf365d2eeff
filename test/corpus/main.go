// Command corpus tries the gates with prototypes whose holes are known, on the development cluster: every known-bad one
// has one hole that one gate should find, for the reason that is written beside it; every known-good one looks suspicious
// and is fine. It prints what each gate said, the confusion matrix of every gate, and at last how many were judged
// wrongly. It exits with 0 only if none was.
//
// It needs the development cluster with Affineur installed, and the image suspect in its registry.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"regexp"
	"syscall"
	"time"

	"github.com/go-logr/logr"
	ctrl "sigs.k8s.io/controller-runtime"
)

// options of a run.
type options struct {
	root string
	// fast tries only the cases that are marked so.
	fast bool
	// only tries cases whose names match it.
	only *regexp.Regexp
	// together is how many cases are on the cluster at the same time.
	together int
}

func main() {
	// The libraries' own log would only interrupt.
	ctrl.SetLogger(logr.Discard())
	var o options
	flag.StringVar(&o.root, "root", ".", "`DIRECTORY` of the repository")
	flag.BoolVar(&o.fast, "fast", false, "try only the fast subset")
	only := flag.String("only", "", "try only the cases whose names match this `EXPRESSION`")
	flag.IntVar(&o.together, "together", 6, "how many cases are on the cluster at the same time")
	flag.Parse()
	var err error
	if o.only, err = regexp.Compile(*only); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, o, os.Stdout)
	stop()
	os.Exit(code)
}

func run(ctx context.Context, o options, out io.Writer) int {
	began := time.Now()
	chosen := choose(all(), o)
	g, err := newGround(ctx, o.root)
	if err == nil {
		err = g.prepare(ctx)
	}
	if err == nil {
		err = g.publish(ctx, chosen)
	}
	if err != nil {
		_, _ = fmt.Fprintf(out, "the corpus needs the development cluster with Affineur installed: %v\n", err)
		return 1
	}
	_, _ = fmt.Fprintf(out, "the ground is ready after %.0f s; %d cases\n", time.Since(began).Seconds(), len(chosen))
	judged := g.try(ctx, chosen, o.together, out)
	clean := true
	if err := g.clear(context.WithoutCancel(ctx)); err != nil {
		clean = false
		_, _ = fmt.Fprintf(out, "not everything could be taken away: %v\n", err)
	}
	_, _ = fmt.Fprintf(out, "%.0f s in all\n\n", time.Since(began).Seconds())
	if !tell(out, judged) || !clean {
		return 1
	}
	return 0
}

// choose the cases that were asked for.
func choose(cases []sample, o options) []sample {
	var chosen []sample
	for _, c := range cases {
		if o.only.MatchString(c.name) && (c.fast || !o.fast) {
			chosen = append(chosen, c)
		}
	}
	return chosen
}
