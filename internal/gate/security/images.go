package security

import (
	"fmt"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"
	corev1 "k8s.io/api/core/v1"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/internal/gate"
)

// dockerHub is how an image without a registry is spelled out, and the two names that mean the same place.
const dockerHub = "index.docker.io"

// imagesOf lists every image that a pod would run or mount.
func imagesOf(pod *corev1.PodTemplateSpec) []string {
	var out []string
	for _, c := range containers(pod) {
		out = append(out, c.Image)
	}
	for _, v := range pod.Spec.Volumes {
		if v.Image != nil {
			out = append(out, v.Image.Reference)
		}
	}
	return out
}

func images(e Evidence) []gate.Finding {
	var found []gate.Finding
	for _, image := range imagesOf(e.Pod) {
		if f := judgeImage(image, e.Registries); f != nil {
			f.Field = workloadField + ".image"
			found = append(found, *f)
		}
	}
	return found
}

// judgeImage wants a reference by digest from an allowed registry. A tag can be moved after the review.
func judgeImage(image string, registries []string) *gate.Finding {
	ref, err := name.ParseReference(image, name.WithDefaultRegistry(dockerHub))
	if err != nil {
		return &gate.Finding{Reason: v1alpha1.ReasonImageInvalid, Owner: v1alpha1.OwnerBusiness,
			Message: fmt.Sprintf("image %q can't be read", image), Hint: "Name it as registry/repository:tag."}
	}
	if !registryAllowed(ref.Context(), registries) {
		return &gate.Finding{Reason: v1alpha1.ReasonRegistryNotAllowed, Owner: v1alpha1.OwnerBusiness,
			Message: fmt.Sprintf("image %q comes from a place that the policy does not allow", image),
			Hint:    "Push it to " + alternatives(registries) + ", or ask IT to allow its registry under sandbox.registries."}
	}
	if _, pinned := ref.(name.Digest); !pinned {
		return &gate.Finding{Reason: v1alpha1.ReasonImageNotPinned, Owner: v1alpha1.OwnerIT,
			Message: fmt.Sprintf("image %q is named by tag, which can be moved after the review", image),
			Hint:    "The operator resolves tags to digests when the review opens; look at its log for why it did not."}
	}
	return nil
}

func alternatives(registries []string) string {
	if len(registries) == 0 {
		return "a registry that the policy allows (at present none)"
	}
	return strings.Join(registries, " or ")
}

// registryAllowed compares path segments and not characters: registry.example.org allows registry.example.org/a/b, and
// neither registry.example.org.evil.org/a nor, for a prefix of registry.example.org/team, registry.example.org/team-x/a.
func registryAllowed(repository name.Repository, registries []string) bool {
	have := segments(repository.Name())
	for _, prefix := range registries {
		want := segments(prefix)
		if len(want) > 0 && len(want) <= len(have) && equal(want, have[:len(want)]) {
			return true
		}
	}
	return false
}

// segments splits a reference at its slashes, with Docker Hub under one name. A policy's prefixes are in lower case.
func segments(reference string) []string {
	trimmed := strings.Trim(reference, "/")
	if trimmed == "" {
		return nil
	}
	out := strings.Split(trimmed, "/")
	if out[0] == "docker.io" {
		out[0] = dockerHub
	}
	return out
}

func equal(a, b []string) bool {
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}
