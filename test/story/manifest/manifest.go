// Package manifest reads manifests and applies them in an order in which nothing has to be tried twice.
package manifest

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// sampleRegistry is how the samples name the registry.
const sampleRegistry = "registry.example.org/"

// Read decodes every object of a file.
func Read(path string) ([]*unstructured.Unstructured, error) {
	return ReadFor(path, "")
}

// ReadFor decodes a sample, with the registry that images are in here: HOST[:PORT][/PATH]. None leaves the sample as
// it is.
func ReadFor(path, registry string) ([]*unstructured.Unstructured, error) {
	content, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	objects, err := Decode(For(content, registry))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return objects, nil
}

// For puts a registry in the place of the samples'.
func For(content []byte, registry string) []byte {
	if registry == "" {
		return content
	}
	return bytes.ReplaceAll(content, []byte(sampleRegistry), []byte(strings.TrimSuffix(registry, "/")+"/"))
}

// Decode reads objects from YAML documents.
func Decode(content []byte) ([]*unstructured.Unstructured, error) {
	var objects []*unstructured.Unstructured
	decoder := yaml.NewYAMLOrJSONDecoder(bytes.NewReader(content), 4096)
	for {
		object := &unstructured.Unstructured{}
		err := decoder.Decode(object)
		if errors.Is(err, io.EOF) {
			return objects, nil
		}
		if err != nil {
			return nil, err
		}
		if len(object.Object) > 0 {
			objects = append(objects, object)
		}
	}
}

// stages in which an installation is applied. Namespaces and kinds come first, since everything else lives in them;
// admission policies before what they read would deny it, so their parameters come before them; what runs comes
// last, when its rights and guards are there.
var stages = [][]string{
	{"Namespace", "CustomResourceDefinition"},
	{"ServiceAccount", "ConfigMap", "Secret", "ClusterRole", "ClusterRoleBinding", "Role", "RoleBinding"},
	{"ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding", "MutatingAdmissionPolicy", "MutatingAdmissionPolicyBinding"},
	{"NetworkPolicy", "Service"},
}

// stageOf is the stage of a kind; whatever is not named comes last.
func stageOf(kind string) int {
	for i, kinds := range stages {
		if slices.Contains(kinds, kind) {
			return i
		}
	}
	return len(stages)
}

// InStages sorts objects into groups that are applied one after the other. Within a group the manifest's order stays.
func InStages(objects []*unstructured.Unstructured) [][]*unstructured.Unstructured {
	sorted := slices.Clone(objects)
	slices.SortStableFunc(sorted, func(a, b *unstructured.Unstructured) int {
		return cmp.Compare(stageOf(a.GetKind()), stageOf(b.GetKind()))
	})
	var groups [][]*unstructured.Unstructured
	last := -1
	for _, object := range sorted {
		if stage := stageOf(object.GetKind()); stage != last {
			groups, last = append(groups, nil), stage
		}
		groups[len(groups)-1] = append(groups[len(groups)-1], object)
	}
	return groups
}

// Apply writes the objects by server-side apply in the name of one owner, taking over fields that others hold.
func Apply(ctx context.Context, c client.Client, owner string, objects ...*unstructured.Unstructured) error {
	for _, object := range objects {
		err := c.Apply(ctx, client.ApplyConfigurationFromUnstructured(object.DeepCopy()), client.FieldOwner(owner), client.ForceOwnership)
		if err != nil {
			return fmt.Errorf("%s %s: %w", object.GetKind(), client.ObjectKeyFromObject(object), err)
		}
	}
	return nil
}
