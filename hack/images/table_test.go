package main

import (
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestChoose(t *testing.T) {
	for only, want := range map[string][]string{
		"lms":                      {"lms"},
		"lms,operator":             {"operator", "lms"},
		"gateway,lms":              {"lms", "gateway"},
		"churn-*":                  {"churn-advisor-1.4", "churn-advisor-1.5"},
		"churn-*,churn-advisor-1?": nil,
		"holey":                    nil,
		"lms,":                     nil,
		"[":                        nil,
	} {
		chosen, err := choose(specs, only)
		var got []string
		for _, s := range chosen {
			got = append(got, s.name)
		}
		if diff := cmp.Diff(want, got); diff != "" || (err == nil) != (want != nil) {
			t.Errorf("%q: %v (-want +got):\n%s", only, err, diff)
		}
	}
	if chosen, err := choose(specs, ""); err != nil || len(chosen) != len(specs)-9 || slices.ContainsFunc(chosen, func(s spec) bool { return s.apart }) {
		t.Errorf("all but those apart: %d of %d, %v", len(chosen), len(specs), err)
	}
}

func TestTableIsSound(t *testing.T) {
	seenNames, seenTags := map[string]bool{}, map[string]bool{}
	for _, s := range specs {
		if tag := s.repository + ":" + s.tag; seenNames[s.name] || seenTags[tag] {
			t.Errorf("%s or %s is there twice", s.name, tag)
		} else {
			seenNames[s.name], seenTags[tag] = true, true
		}
		if (s.pkg == "") == (s.built == "") {
			t.Errorf("%s: want a package or a built program", s.name)
		}
		if strings.HasPrefix(s.pkg, "cmd/") || s.built != "" {
			continue // programs of the project itself, not samples: another folder's business; so are built ones
		}
		if _, err := os.Stat(filepath.Join("../..", s.pkg, "main.go")); err != nil {
			t.Errorf("%s: %v", s.name, err)
		}
	}
}

func TestInvocationsAreFew(t *testing.T) {
	type call struct {
		Revision string
		Packages []string
	}
	table := []spec{
		{name: "a", pkg: "x/plain"},
		{name: "b", pkg: "x/revised", revision: "1"},
		{name: "c", pkg: "x/revised", revision: "2"},
		{name: "d", pkg: "x/shared"},
		{name: "e", pkg: "x/shared"},
	}
	for name, tc := range map[string]struct {
		chosen []spec
		want   []call
	}{
		"all":          {table, []call{{"1", []string{"x/plain", "x/revised", "x/shared"}}, {"2", []string{"x/revised"}}}},
		"no revisions": {[]spec{table[0], table[4]}, []call{{"", []string{"x/plain", "x/shared"}}}},
		"one revision": {table[2:3], []call{{"2", []string{"x/revised"}}}},
	} {
		var got []call
		for _, i := range invocations(tc.chosen) {
			got = append(got, call{i.revision, i.packages()})
		}
		if diff := cmp.Diff(tc.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

func TestParse(t *testing.T) {
	for args, ok := range map[string]bool{
		"":                             true,
		"--insecure --only lms":        true,
		"--platform linux/amd64 extra": false,
		"--registry=":                  false,
		"--unknown":                    false,
	} {
		_, err := parse(append([]string{"--registry", "r.example.org"}, strings.Fields(args)...), io.Discard)
		if (err == nil) != ok {
			t.Errorf("%q: %v", args, err)
		}
	}
}

func TestParsePlatforms(t *testing.T) {
	for list, want := range map[string][]string{
		"linux/amd64":              {"amd64"},
		"linux/arm64, linux/amd64": {"arm64", "amd64"},
		"":                         nil,
		"linux":                    nil,
		"windows/amd64":            nil,
		"linux/arm/v7":             nil,
		"linux/amd64,linux/amd64":  nil,
	} {
		platforms, err := parsePlatforms(list)
		var got []string
		for _, platform := range platforms {
			got = append(got, platform.Architecture)
		}
		if !cmp.Equal(want, got) || (err == nil) != (want != nil) {
			t.Errorf("%q = %v, %v, want %v", list, got, err, want)
		}
	}
}

func TestReferences(t *testing.T) {
	for registry, want := range map[string]string{
		"registry.example.org":         "registry.example.org/affineur/operator:v1",
		"registry.example.org:5000/a/": "registry.example.org:5000/a/affineur/operator:v1",
		"registry.example.org/A":       "",
		"https://registry.example.org": "",
	} {
		tags, err := references(registry, "v1", specs[:1])
		if err != nil {
			if want != "" {
				t.Errorf("%s: %v", registry, err)
			}
			continue
		}
		if got := tags["operator"].String(); got != want {
			t.Errorf("%s = %s, want %q", registry, got, want)
		}
	}
	if _, err := references("registry.example.org", "v 1", specs[:1]); err == nil {
		t.Error("a version that is no tag is no error")
	}
}

// What another program's builder made is taken as it is; what is not there, or is for another machine, is an error.
func TestBuiltProgramsAreTaken(t *testing.T) {
	program := filepath.Join(t.TempDir(), "program")
	if err := os.WriteFile(program, []byte("built elsewhere"), 0o755); err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct {
		built, arch string
		ok          bool
	}{
		"there": {program, runtime.GOARCH, true}, "another machine's": {program, "other", false}, "not there": {program + "-not", runtime.GOARCH, false},
	} {
		t.Run(name, func(t *testing.T) {
			paths, err := builder{dir: t.TempDir(), log: io.Discard}.build(t.Context(), []spec{{name: "a", built: tc.built}}, tc.arch)
			if err == nil {
				_, err = layers{}.of(paths["a"])
			}
			if (err == nil) != tc.ok {
				t.Error(err)
			}
		})
	}
}
