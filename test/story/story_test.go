package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// What ends the story decides its last line, and the exit code with it.
func TestLastLine(t *testing.T) {
	for name, test := range map[string]struct {
		err  error
		want string
	}{
		"promoted": {nil, `{"result":"promoted","prototype":"membership/churn-advisor","refusals":3}`},
		"stopped": {fmt.Errorf("the sandbox: %w", stopped{"NetworkPolicyNotEnforced", "it reached the canary"}),
			`{"result":"stopped","prototype":"membership/churn-advisor","refusals":3,"reason":"NetworkPolicyNotEnforced","message":"it reached the canary"}`},
		"failed": {errors.New("no cluster"), `{"result":"failed","prototype":"membership/churn-advisor","refusals":3,"message":"no cluster"}`},
	} {
		t.Run(name, func(t *testing.T) {
			o := &outcome{Prototype: "membership/churn-advisor", Refusals: 3}
			o.end(test.err)
			if line, err := json.Marshal(o); err != nil || string(line) != test.want {
				t.Errorf("%s, %v, want %s", line, err, test.want)
			}
		})
	}
}

func TestWithoutARegistryItFails(t *testing.T) {
	var out strings.Builder
	if code := run(t.Context(), nil, &out); code == 0 {
		t.Error("exit code 0")
	}
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	if last := lines[len(lines)-1]; !strings.HasPrefix(last, `{"result":"failed"`) {
		t.Errorf("last line %q", last)
	}
}

// Only the refusal that was meant counts.
func TestRefusers(t *testing.T) {
	resource := schema.GroupResource{Group: "apps", Resource: "deployments"}
	rbac := apierrors.NewForbidden(resource, "prototype", errors.New(`User "lead" cannot patch resource`))
	policy := apierrors.NewForbidden(resource, "prototype", errors.New(
		"ValidatingAdmissionPolicy 'affineur-managed-content' with binding 'b' denied request: only the operator writes deployments"))
	guard := byPolicy("affineur-managed-content", "only the operator")
	for name, test := range map[string]struct {
		by     refuser
		answer error
		right  bool
	}{
		"by RBAC":                {byRBAC, rbac, true},
		"by a policy":            {guard, policy, true},
		"RBAC wanted, by policy": {byRBAC, policy, false},
		"policy wanted, by RBAC": {guard, rbac, false},
		"another policy":         {byPolicy("affineur-records", "only the operator"), policy, false},
		"another of its rules":   {byPolicy("affineur-managed-content", "never changes"), policy, false},
		"let through, policy":    {guard, nil, false},
		"let through, RBAC":      {byRBAC, nil, false},
		"the server was away":    {byRBAC, errors.New("connection refused"), false},
	} {
		t.Run(name, func(t *testing.T) {
			s := &stage{out: newNarrator(&strings.Builder{}), result: &outcome{}}
			err := s.refused("lead", "something", test.answer, test.by)
			if (err == nil) != test.right || (s.result.Refusals == 1) != test.right {
				t.Errorf("%v, %d refusals counted", err, s.result.Refusals)
			}
		})
	}
}

func TestPinned(t *testing.T) {
	file := filepath.Join(t.TempDir(), "digests.json")
	content := `{"operator":{"image":"registry.svc:5000/affineur/operator:dev","digest":"sha256:0a"}}`
	if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	if code := run(t.Context(), []string{"pinned", file, "operator"}, &out); code != 0 || out.String() != "registry.svc:5000/affineur/operator@sha256:0a\n" {
		t.Errorf("%d, %q", code, out.String())
	}
	if code := run(t.Context(), []string{"pinned", file, "nobody"}, &out); code == 0 {
		t.Error("an image that was not pushed has a digest")
	}
}

func TestWrap(t *testing.T) {
	got := wrap("one two three a-very-long-word four", 9)
	if want := []string{"one two", "three", "a-very-long-word", "four"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}
