package workload

import (
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/affineur/affineur/internal/evidence"
)

// Tool is an image of IT's that runs before the runner, in the same pod and with the same network. It is given neither the
// run's order nor its nonce, so it can't speak for the runner.
type Tool struct {
	// Image by digest.
	Image string
	// Args of the image, in which $(NAME) stands for a variable.
	Args []string
	// Env are variables besides those that say where it may write.
	Env map[string]string
	// CPU and Memory, as quantities.
	CPU, Memory string
}

const (
	volumeResults = "results"
	volumeHome    = "home"
	// homePath is where a tool may write what nobody reads.
	homePath = "/var/run/affineur/home"
)

// toolRoom bounds what a tool may write, in each of its two directories.
var toolRoom = resource.MustParse("256Mi")

// containers that run before the runner: the tool, if there is one. It has ended before the runner begins.
func (t *Tool) containers() []corev1.Container {
	if t == nil {
		return nil
	}
	env := []corev1.EnvVar{
		{Name: evidence.ResultsEnv, Value: evidence.ResultsPath}, {Name: "HOME", Value: homePath}, {Name: "TMPDIR", Value: homePath},
	}
	for _, name := range sortedKeys(t.Env) {
		env = append(env, corev1.EnvVar{Name: name, Value: literal(t.Env[name])})
	}
	return []corev1.Container{{
		Name: "tool", Image: t.Image, ImagePullPolicy: corev1.PullIfNotPresent, Args: t.Args, Env: env, WorkingDir: homePath,
		SecurityContext: ContainerSecurity(), Resources: resources(t.CPU, t.Memory),
		VolumeMounts: []corev1.VolumeMount{{Name: volumeResults, MountPath: evidence.ResultsPath}, {Name: volumeHome, MountPath: homePath}},
	}}
}

func toolVolumes() []corev1.Volume {
	var out []corev1.Volume
	for _, name := range []string{volumeResults, volumeHome} {
		room := toolRoom.DeepCopy()
		out = append(out, corev1.Volume{Name: name, VolumeSource: corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{SizeLimit: &room}}})
	}
	return out
}
