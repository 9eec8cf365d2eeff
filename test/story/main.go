// Command story plays the way of a prototype from manifest to production on a real cluster, with a client certificate
// for every person, and tries what must be refused. Progress goes to standard output; its last line is the result as
// one JSON object. It exits with 0 only if everything happened.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/go-logr/logr"
	ctrl "sigs.k8s.io/controller-runtime"
)

// options say where the story plays.
type options struct {
	manifest, samples, plugin string
	registry, pushTo, ca      string
	plainHTTP                 bool
	digests                   string
	people                    string
	shared                    bool
	clusterSeconds, starts    int
	afterwards                string
}

func main() {
	// The libraries' own log would only interrupt the story.
	ctrl.SetLogger(logr.Discard())
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], os.Stdout)
	stop()
	os.Exit(code)
}

func run(ctx context.Context, args []string, out io.Writer) int {
	if len(args) == 3 && args[0] == "pinned" {
		return printPinned(args[1], args[2], out)
	}
	o, err := parse(args)
	if errors.Is(err, flag.ErrHelp) {
		return 0
	}
	if err == nil && o.starts > 0 {
		return runStarts(ctx, o, out)
	}
	result := &outcome{Result: "failed"}
	if err == nil {
		err = play(ctx, o, out, result)
	}
	result.end(err)
	line, marshalErr := json.Marshal(result)
	if marshalErr != nil {
		line = []byte(`{"result":"failed"}`)
	}
	_, _ = fmt.Fprintf(out, "%s\n", line)
	if err != nil || marshalErr != nil {
		return 1
	}
	return 0
}

// runStarts measures starts instead of playing the story.
func runStarts(ctx context.Context, o options, out io.Writer) int {
	s, err := newStage(o, out)
	if err == nil {
		err = s.measureStarts(ctx)
	}
	if err != nil {
		_, _ = fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// printPinned writes an image of those that hack/images pushed as repository@digest, for the scripts.
func printPinned(digests, name string, out io.Writer) int {
	images, err := readDigests(digests)
	if pushed, there := images[name]; err == nil && there {
		_, _ = fmt.Fprintln(out, pushed.pinned())
		return 0
	}
	_, _ = fmt.Fprintf(os.Stderr, "no image %s in %s: %v\n", name, digests, err)
	return 1
}

func parse(args []string) (options, error) {
	var o options
	flags := flag.NewFlagSet("story", flag.ContinueOnError)
	flags.StringVar(&o.manifest, "manifest", "dist/install.yaml", "`FILE` that installs Affineur")
	flags.StringVar(&o.samples, "samples", "config/samples", "`DIRECTORY` of the samples")
	flags.StringVar(&o.plugin, "plugin", "bin/kubectl-affineur", "`FILE` of the kubectl plugin")
	flags.StringVar(&o.registry, "registry", "", "`HOST[:PORT][/PATH]` that images are named by (required)")
	flags.StringVar(&o.pushTo, "push-to", "", "`HOST:PORT` of the registry as reached from here, when it is another one")
	flags.StringVar(&o.ca, "ca", "", "`FILE` with the certificate authority of the registry; the system's by default")
	flags.BoolVar(&o.plainHTTP, "plain-http", false, "the registry speaks no TLS")
	flags.StringVar(&o.digests, "digests", "bin/demo/digests.json", "`FILE` that hack/images wrote")
	flags.StringVar(&o.people, "people", "bin/demo/people", "`DIRECTORY` for the people's kubeconfigs")
	flags.BoolVar(&o.shared, "shared", false, "the cluster is also used for other things: refuse to touch what another installation left")
	flags.IntVar(&o.clusterSeconds, "cluster-seconds", 0, "how many `SECONDS` the cluster took to start, for the timeline")
	flags.IntVar(&o.starts, "starts", 0, "play nothing: measure how long `N` prototypes take to start on the cluster that a story left")
	flags.StringVar(&o.afterwards, "afterwards", "", "`TEXT` to end with, before the result")
	if err := flags.Parse(args); err != nil {
		return o, err
	}
	if o.registry == "" || flags.NArg() > 0 {
		return o, errors.New("usage: story --registry HOST[:PORT][/PATH] [flags]")
	}
	return o, nil
}

// play goes through the steps, and fills in the result on the way.
func play(ctx context.Context, o options, out io.Writer, result *outcome) error {
	s, err := newStage(o, out)
	if err != nil {
		return err
	}
	s.result = result
	result.Seconds = map[string]float64{"cluster": float64(o.clusterSeconds)}
	err = s.perform(ctx, story)
	s.out.timeline()
	if o.afterwards != "" {
		_, _ = fmt.Fprintf(out, "%s\n\n", o.afterwards)
	}
	return err
}
