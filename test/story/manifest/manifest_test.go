package manifest

import (
	"slices"
	"strings"
	"testing"
)

const installation = `
apiVersion: apps/v1
kind: Deployment
metadata: {name: operator}
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicyBinding
metadata: {name: guard}
---
# Nothing but a comment.
---
apiVersion: v1
kind: ConfigMap
metadata: {name: parameters}
---
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: kinds}
---
apiVersion: v1
kind: Namespace
metadata: {name: home}
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicy
metadata: {name: guard}
`

func TestInStages(t *testing.T) {
	objects, err := Decode([]byte(installation))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, stage := range InStages(objects) {
		var kinds []string
		for _, object := range stage {
			kinds = append(kinds, object.GetKind())
		}
		got = append(got, strings.Join(kinds, " "))
	}
	want := []string{
		"CustomResourceDefinition Namespace", "ConfigMap",
		"ValidatingAdmissionPolicyBinding ValidatingAdmissionPolicy", "Deployment",
	}
	if !slices.Equal(got, want) {
		t.Errorf("stages %q, want %q", got, want)
	}
}

func TestForNamesTheRegistry(t *testing.T) {
	const sample = "image: registry.example.org/team/a:1\nprefix: registry.example.org/\nhost: registry.example.org.evil\n"
	for registry, want := range map[string]string{
		"":                         sample,
		"registry.svc:5000":        "image: registry.svc:5000/team/a:1\nprefix: registry.svc:5000/\nhost: registry.example.org.evil\n",
		"registry.svc:5000/a/path": "image: registry.svc:5000/a/path/team/a:1\nprefix: registry.svc:5000/a/path/\nhost: registry.example.org.evil\n",
		"registry.svc:5000/":       "image: registry.svc:5000/team/a:1\nprefix: registry.svc:5000/\nhost: registry.example.org.evil\n",
	} {
		if got := string(For([]byte(sample), registry)); got != want {
			t.Errorf("%q: %s", registry, got)
		}
	}
}
