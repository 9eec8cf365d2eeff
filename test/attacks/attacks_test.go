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

// someField is enough of one to tell the attacks.
func someField() *field {
	somebody := &person{name: "somebody"}
	f := &field{admin: somebody, lead: somebody, membership: somebody, responder: somebody, second: somebody, pipeline: somebody, thief: somebody}
	f.images = map[string]pushed{}
	for _, name := range []string{"churn-advisor-1.4", "churn-advisor-1.5", "holey-lure", "holey-intrude", "holey-hold"} {
		f.images[name] = pushed{Image: "registry.example.org/" + name + ":1", Digest: "sha256:0"}
	}
	f.record = &appsv1.ControllerRevision{}
	f.intruder, f.blind, f.stubborn, f.serving = &v1alpha1.AIPrototype{}, &v1alpha1.AIPrototype{}, &v1alpha1.AIPrototype{}, &v1alpha1.AIPrototype{}
	f.lurer = &v1alpha1.AIPrototype{Spec: v1alpha1.AIPrototypeSpec{Demand: &v1alpha1.Demand{}}}
	return f
}

// Every row of the threat model about sandboxes is attacked.
func TestEveryRowIsThere(t *testing.T) {
	f := someField()
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

// Refused, or failed, for a reason that is nobody's doing is not stopped.
func TestWhatShowsNothing(t *testing.T) {
	f := someField()
	for _, a := range slices.Concat(f.packets(), f.lured(), f.ranges(), f.unenforced()) {
		for _, nothing := range []string{
			"the sandbox (the program was told: dial tcp 192.0.2.1:80: connect: connection refused)",
			"gate integration, which failed (lms does not work from production: the connection was refused)",
			"gate scalability, which failed (9 of 9 requests failed, 1 of 100 may: 9 without a connection)",
			"policy attacks-dark, Ready=False Invalid (spec.sandbox.lifetime: must not be below zero)",
			"the measurement of isolation (NetworkIsolated=False Measuring: it is measured)",
		} {
			if at := slices.IndexFunc(a.meant, func(w wall) bool { return w.stops(nothing) }); at >= 0 {
				t.Errorf("%s, told to be stopped by %s, counts", a.what, nothing)
			}
		}
	}
}

// A gate that failed for another reason says nothing about the lure.
func TestFailedFor(t *testing.T) {
	failed := v1alpha1.GateStatus{Name: "integration", Message: "rebound and others do not work", Findings: []v1alpha1.Gap{
		{Message: "lure does not work from production: it answered with status 302"}}}
	by, err := failedFor(failed, "lure ")
	if want := "gate integration, which failed (lure does not work from production: it answered with status 302)"; err != nil || by != want {
		t.Errorf("%q, %v", by, err)
	}
	if by, err := failedFor(failed, "rebound "); err == nil {
		t.Errorf("it shows something: %q", by)
	}
}
