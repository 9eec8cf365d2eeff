package main

import (
	"cmp"
	"fmt"
	"path"
	"slices"
	"strings"
)

const module = "github.com/affineur/affineur/"

// spec is one image: a program, and how it is called.
type spec struct {
	// name is how the image is asked for and reported.
	name string
	// repository and tag are its place in the registry. An empty tag is the version of the run.
	repository, tag string
	// pkg is the main package, relative to the module.
	pkg string
	// revision is linked into the program as main.revision, so that two revisions differ.
	revision string
	// built is where the program of another project is, built already, instead of pkg.
	built string
	// apart images are made only where they are asked for by name.
	apart bool
	// args are the image's default arguments.
	args []string
}

// program is the name of the binary, in the build's folder and in the image.
func (s spec) program() string { return path.Base(cmp.Or(s.built, s.pkg)) }

// specs are all images of the project.
var specs = []spec{
	{name: "operator", repository: "affineur/operator", pkg: "cmd/operator"},
	{name: "gate-runner", repository: "affineur/gate-runner", pkg: "cmd/gate-runner"},

	{name: "churn-advisor-1.4", repository: "membership/churn-advisor", tag: "1.4", pkg: "test/prototypes/churn-advisor", revision: "1.4"},
	{name: "churn-advisor-1.5", repository: "membership/churn-advisor", tag: "1.5", pkg: "test/prototypes/churn-advisor", revision: "1.5"},
	{name: "course-outliner", repository: "education/course-outliner", tag: "0.9", pkg: "test/prototypes/course-outliner"},
	{name: "model-gateway", repository: "models/gateway", tag: "1", pkg: "test/prototypes/model-gateway"},
	{name: "lms", repository: "lms/lms", tag: "1", pkg: "test/prototypes/lms"},
	{name: "caller", repository: "clients/caller", tag: "1", pkg: "test/prototypes/caller"},

	{name: "house-style", repository: "it/house-style", tag: "1", pkg: "test/gates/house-style"},
	{name: "golden", repository: "it/golden", tag: "1", pkg: "test/gates/golden", apart: true},

	{name: "gateway", repository: "gateways/traefik", tag: "3.6.12", built: ".cluster/bin/traefik", apart: true},
	{name: "sign-in", repository: "gateways/sign-in", tag: "1", pkg: "test/prototypes/sign-in", apart: true},

	{name: "suspect", repository: "corpus/suspect", tag: "1", pkg: "test/prototypes/suspect", apart: true},

	holey("slow"), holey("crash"), holey("deaf"), holey("reach"), holey("flaky"), holey("rooted"), holey("intrude"), holey("lure"),
	holey("hold"), holey("hear"), holey("flood"),
	apart(holey("remember")), apart(holey("tattle")), apart(holey("parrot")), apart(holey("disclose")), apart(holey("discreet")),
}

func holey(hole string) spec {
	return spec{name: "holey-" + hole, repository: "holey/" + hole, tag: "1", pkg: "test/prototypes/holey", args: []string{hole}}
}

// apart is an image that is made only where it is asked for.
func apart(s spec) spec {
	s.apart = true
	return s
}

// choose returns the images whose names match the patterns (as of path.Match, separated by commas), in
// the order of the table; no patterns mean all of them but those apart.
func choose(all []spec, only string) ([]spec, error) {
	if only == "" {
		return slices.DeleteFunc(slices.Clone(all), func(s spec) bool { return s.apart }), nil
	}
	patterns := strings.Split(only, ",")
	used := map[string]bool{}
	var chosen []spec
	for _, s := range all {
		matches := false
		for _, pattern := range patterns {
			match, err := path.Match(pattern, s.name)
			if err != nil {
				return nil, fmt.Errorf("%q: %w", pattern, err)
			}
			used[pattern] = used[pattern] || match
			matches = matches || match
		}
		if matches {
			chosen = append(chosen, s)
		}
	}
	for _, pattern := range patterns {
		if !used[pattern] {
			return nil, fmt.Errorf("no image is called %q; there are %s", pattern, strings.Join(names(all), ", "))
		}
	}
	return chosen, nil
}

func names(all []spec) []string {
	found := make([]string, len(all))
	for i, s := range all {
		found[i] = s.name
	}
	slices.Sort(found)
	return found
}
