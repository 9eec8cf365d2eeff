// Command images builds the project's images from its sources and pushes them, with nothing but Go: no
// container engine, no base image. The same sources and the same Go release give the same digests on
// every machine.
//
//	go run ./hack/images --registry registry.example.org --push-to 192.0.2.10:5000 --ca ca.crt --output digests.json
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
	"strings"
	"syscall"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
)

type options struct {
	registry, pushTo, ca string
	insecure             bool
	only, version        string
	output, platforms    string
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	o, err := parse(os.Args[1:], os.Stderr)
	if errors.Is(err, flag.ErrHelp) {
		return
	}
	if err == nil {
		err = run(ctx, o, specs, os.Stdout)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "images:", err)
		os.Exit(1)
	}
}

func parse(args []string, usage io.Writer) (options, error) {
	var o options
	flags := flag.NewFlagSet("images", flag.ContinueOnError)
	flags.SetOutput(usage)
	flags.StringVar(&o.registry, "registry", "", "`HOST[:PORT][/PATH]` that the images are named by (required)")
	flags.StringVar(&o.pushTo, "push-to", "", "`HOST:PORT` to push to, when it is not the one of --registry")
	flags.StringVar(&o.ca, "ca", "", "`FILE` with the certificate authority of the registry; the system's by default")
	flags.BoolVar(&o.insecure, "insecure", false, "allow plain HTTP")
	flags.StringVar(&o.only, "only", "", "`NAMES` of images, separated by commas, * matches; by default all that a demo needs, of: "+strings.Join(names(specs), ", "))
	flags.StringVar(&o.version, "version", "dev", "`VERSION` of the operator and the gate runner")
	flags.StringVar(&o.output, "output", "", "`FILE` for {name: {image, digest}}; none by default")
	flags.StringVar(&o.platforms, "platform", "linux/amd64", "`PLATFORMS`, separated by commas")
	if err := flags.Parse(args); err != nil {
		return options{}, err
	}
	switch {
	case flags.NArg() > 0:
		return options{}, fmt.Errorf("unexpected argument %q", flags.Arg(0))
	case o.registry == "":
		return options{}, errors.New("--registry is missing")
	}
	return o, nil
}

// pushed is an entry of the output.
type pushed struct {
	Image  string `json:"image"`
	Digest string `json:"digest"`
}

func run(ctx context.Context, o options, all []spec, log io.Writer) error {
	chosen, err := choose(all, o.only)
	if err != nil {
		return err
	}
	platforms, err := parsePlatforms(o.platforms)
	if err != nil {
		return err
	}
	target, err := newDestination(o.pushTo, o.ca, o.insecure)
	if err != nil {
		return err
	}
	// Before anything is built, since a build takes minutes and a bad name is found at once.
	tags, err := references(o.registry, o.version, chosen)
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "affineur-images-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	b := builder{dir: dir, version: o.version, log: log}
	built := binaries{}
	for _, platform := range platforms {
		if built[platform.Architecture], err = b.build(ctx, chosen, platform.Architecture); err != nil {
			return err
		}
	}
	digests, err := publisher{target: target, tags: tags, platforms: platforms, log: log}.publish(ctx, built, chosen)
	if err != nil {
		return err
	}
	return write(o.output, digests)
}

// publisher makes images of programs that are built, and pushes them.
type publisher struct {
	target    *destination
	tags      map[string]name.Tag
	platforms []v1.Platform
	log       io.Writer
}

func (p publisher) publish(ctx context.Context, built binaries, chosen []spec) (map[string]pushed, error) {
	digests := map[string]pushed{}
	known := layers{}
	for _, s := range chosen {
		start := time.Now()
		index, err := p.assemble(built, known, s)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", s.name, err)
		}
		digest, err := index.Digest()
		if err != nil {
			return nil, err
		}
		tag := p.tags[s.name]
		if err := p.target.push(ctx, tag, index); err != nil {
			return nil, err
		}
		digests[s.name] = pushed{Image: tag.String(), Digest: digest.String()}
		fmt.Fprintf(p.log, "pushed %s@%s in %s\n", tag, digest, time.Since(start).Round(10*time.Millisecond))
	}
	return digests, nil
}

func (p publisher) assemble(built binaries, known layers, s spec) (v1.ImageIndex, error) {
	images := map[string]v1.Image{}
	for _, platform := range p.platforms {
		layer, err := known.of(built[platform.Architecture][s.name])
		if err != nil {
			return nil, err
		}
		if images[platform.Architecture], err = newImage(s, layer, platform); err != nil {
			return nil, err
		}
	}
	return newIndex(images, p.platforms), nil
}

func parsePlatforms(list string) ([]v1.Platform, error) {
	var platforms []v1.Platform
	seen := map[string]bool{}
	for text := range strings.SplitSeq(list, ",") {
		system, arch, _ := strings.Cut(strings.TrimSpace(text), "/")
		if system != "linux" || arch == "" || strings.Contains(arch, "/") || seen[arch] {
			return nil, fmt.Errorf("--platform is %q, want a list such as linux/amd64,linux/arm64, each once", list)
		}
		seen[arch] = true
		platforms = append(platforms, v1.Platform{OS: system, Architecture: arch})
	}
	return platforms, nil
}

func write(path string, digests map[string]pushed) error {
	if path == "" {
		return nil
	}
	content, err := json.MarshalIndent(digests, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(path, append(content, '\n'), 0o644)
}
