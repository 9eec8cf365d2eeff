// Package quick makes a policy for tests that have no time to lose: the sample with short measurements, hardly any
// soak, and one tier that asks nobody.
package quick

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/internal/credentials"
	"github.com/affineur/affineur/test/story/manifest"
)

const (
	// Governs is the label whose value is the name of the policy that governs a namespace.
	Governs = "affineur.dev/e2e"
	// Team of such a namespace.
	Team = "e2e"

	owner      = "affineur-e2e"
	registryCA = "e2e-registry-ca"
)

// Registry is how images are named on the cluster: REGISTRY, or what the development cluster of the repository says.
func Registry(root string) (string, error) {
	if registry := Setting(root, "REGISTRY"); registry != "" {
		return strings.TrimSuffix(registry, "/"), nil
	}
	return "", errors.New("REGISTRY names the registry that make demo pushed the images to; .cluster/env has it on the development cluster")
}

// Setting is an environment variable, or what the development cluster wrote into its env file.
func Setting(root, name string) string {
	if value := os.Getenv(name); value != "" {
		return value
	}
	content, _ := os.ReadFile(filepath.Join(root, ".cluster", "env"))
	for line := range strings.Lines(string(content)) {
		if value, found := strings.CutPrefix(strings.TrimSpace(line), name+"="); found {
			return value
		}
	}
	return ""
}

// Govern applies the policy under a name of its own, edited if edit is given.
func Govern(ctx context.Context, c client.Client, root, name string, edit func(spec map[string]any)) error {
	registry, err := Registry(root)
	if err != nil {
		return err
	}
	objects, err := manifest.ReadFor(filepath.Join(root, "config", "samples", "policy.yaml"), registry)
	if err != nil {
		return err
	}
	policy := objects[0]
	policy.SetName(name)
	spec := policy.Object["spec"].(map[string]any)
	hurry(spec, name)
	first := spec["sandbox"].(map[string]any)["registries"].([]any)[0].(map[string]any)
	delete(first, "ca")
	if file := Setting(root, "REGISTRY_CA"); file != "" {
		first["ca"] = map[string]any{"name": registryCA}
		if err := trust(ctx, c, file); err != nil {
			return err
		}
	}
	if Setting(root, "REGISTRY_PLAIN_HTTP") != "" {
		first["scheme"] = string(v1alpha1.RegistryHTTP)
	}
	if edit != nil {
		edit(spec)
	}
	return manifest.Apply(ctx, c, owner, policy)
}

func hurry(spec map[string]any, name string) {
	spec["appliesTo"] = map[string]any{"namespaceSelector": map[string]any{"matchLabels": map[string]any{Governs: name}}}
	spec["teams"] = []any{map[string]any{"name": Team, "groups": []any{"team-e2e"}}}
	spec["tiers"] = []any{map[string]any{
		"name": "Quick", "when": "true", "gates": []any{"security", "scalability", "integration"}, "soak": "2s", "due": "1h",
	}}
	for _, gate := range spec["gates"].([]any) {
		if settings, there := gate.(map[string]any)["scalability"].(map[string]any); there {
			settings["duration"] = "5s"
		}
	}
}

// trust hands the operator the certificate authority of the registry.
func trust(ctx context.Context, c client.Client, file string) error {
	authority, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	return manifest.Apply(ctx, c, owner, &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "v1", "kind": "ConfigMap",
		"metadata": map[string]any{"namespace": v1alpha1.SystemNamespace, "name": registryCA},
		"data":     map[string]any{credentials.KeyCA: string(authority)},
	}})
}
