package main

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/affineur/affineur/api/v1alpha1"
)

// Every row of the threat model about sandboxes is attacked.
func TestEveryRowIsThere(t *testing.T) {
	somebody := &person{name: "somebody"}
	f := &field{admin: somebody, lead: somebody, membership: somebody, responder: somebody, second: somebody, pipeline: somebody, thief: somebody}
	f.images = map[string]pushed{}
	for _, name := range []string{"churn-advisor-1.4", "churn-advisor-1.5", "holey-lure", "holey-intrude", "holey-hold"} {
		f.images[name] = pushed{Image: "registry.example.org/" + name + ":1", Digest: "sha256:0"}
	}
	f.record = &appsv1.ControllerRevision{}
	f.intruder, f.blind, f.stubborn, f.serving = &v1alpha1.AIPrototype{}, &v1alpha1.AIPrototype{}, &v1alpha1.AIPrototype{}, &v1alpha1.AIPrototype{}
	f.lurer = &v1alpha1.AIPrototype{Spec: v1alpha1.AIPrototypeSpec{Demand: &v1alpha1.Demand{}}}
	var rows []int
	for _, a := range f.attacks() {
		rows = append(rows, a.row)
		if a.who == "" || a.what == "" || a.try == nil || len(a.meant) == 0 {
			t.Errorf("attack %d is not told who tries what, and what is meant to stop it: %+v", a.row, a)
		}
	}
	slices.Sort(rows)
	want := []int{12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 31, 34, 36}
	if got := slices.Compact(rows); !slices.Equal(got, want) {
		t.Errorf("rows %v, want %v", got, want)
	}
}

func TestStopper(t *testing.T) {
	resource := schema.GroupResource{Resource: "services"}
	for name, test := range map[string]struct {
		err  error
		want string
	}{
		"nothing":      {nil, ""},
		"not refused":  {apierrors.NewNotFound(resource, "x"), ""},
		"a conflict":   {apierrors.NewConflict(resource, "x", errors.New("changed meanwhile")), ""},
		"a broken net": {errors.New("connection refused"), ""},
		"a policy": {errors.New(`services "x" is forbidden: ValidatingAdmissionPolicy 'affineur-managed-content' with binding 'affineur-managed-content' denied request: only the operator writes`),
			"admission policy affineur-managed-content (only the operator writes)"},
		"RBAC":         {errors.New(`services is forbidden: User "ann" cannot create resource "services" in API group ""`), `RBAC (ann cannot create resource "services" in API group "")`},
		"Pod Security": {errors.New(`pods "x" is forbidden: violates PodSecurity "restricted:v1.36": host namespaces (hostPID=true)`), "Pod Security restricted:v1.36 (host namespaces (hostPID=true))"},
		"a quota":      {errors.New(`pods "x" is forbidden: exceeded quota: room, requested: pods=1`), "the quota room (requested: pods=1)"},
		"the schema":   {errors.New(`AIPrototype.affineur.dev "x" is invalid: spec.port: too low`), "the schema of AIPrototype.affineur.dev (spec.port: too low)"},
	} {
		if got, refused := stopper(test.err); got != test.want || refused != (test.want != "") {
			t.Errorf("%s: %q, %t", name, got, refused)
		}
	}
}

// An attack that got through, was not made, or that nothing was seen to stop, counts as not stopped.
func TestOnlyWhatWasStoppedCounts(t *testing.T) {
	fails := func(context.Context) error { return errors.New("broken") }
	stops := func(context.Context) (string, error) { return "a wall", nil }
	wanted := []wall{{by: "a wall"}}
	attacks := []attack{
		{row: 12, who: "a", what: "b", try: stops, meant: wanted},
		{row: 12, who: "a", what: "b", try: func(context.Context) (string, error) { return "the schema (a typing mistake)", nil }, meant: wanted},
		{row: 12, who: "a", what: "b", try: stops},
		{row: 12, who: "a", what: "b", try: func(context.Context) (string, error) { return "", errLetThrough }, meant: wanted},
		{row: 12, who: "a", what: "b", try: func(context.Context) (string, error) { return "", nil }, meant: wanted},
		{row: 12, who: "a", what: "b", try: stops, control: fails, meant: wanted},
		{row: 13, who: "a", what: "b", try: stops},
	}
	var out bytes.Buffer
	made, stopped, skipped := (&field{}).perform(t.Context(), attacks, 12, &out)
	if made != 6 || stopped != 1 || skipped != 1 {
		t.Errorf("%d made, %d stopped, %d skipped", made, stopped, skipped)
	}
	if lines := strings.Count(out.String(), "\n"); lines != 6 || !strings.HasPrefix(out.String(), "attack 12: stopped by a wall | a: b\n") || strings.Count(out.String(), "NOT STOPPED") != 5 {
		t.Errorf("told %q", out.String())
	}
}
