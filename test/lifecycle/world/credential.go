package world

import (
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/internal/workload"
	"github.com/affineur/affineur/test/lifecycle/server"
)

// productionCredential is what IT keeps for the production instance of the integration.
const productionCredential = "the credential of production"

// keepsCredential: before production, only the run that tries the integrations is given the credential of production, as a
// file, in a namespace in which no prototype is ever started.
func (w *World) keepsCredential(request server.Request) {
	switch o := request.After.(type) {
	case *corev1.Secret:
		if holds(o) && !strings.HasPrefix(o.Namespace, v1alpha1.RehearsalPrefix) && !strings.HasPrefix(o.Namespace, v1alpha1.ProductionPrefix) &&
			o.Namespace != v1alpha1.SystemNamespace {
			w.broken("the credential of production is in Secret %s/%s", o.Namespace, o.Name)
		}
	case *corev1.Pod:
		w.givenTo(o)
	case *corev1.ConfigMap:
		for key, value := range o.Data {
			if strings.Contains(value, productionCredential) {
				w.broken("the credential of production is in ConfigMap %s/%s, %s", o.Namespace, o.Name, key)
			}
		}
	}
}

// givenTo looks at what a pod finds.
func (w *World) givenTo(pod *corev1.Pod) {
	run := strings.HasPrefix(pod.Namespace, v1alpha1.RehearsalPrefix) && pod.Labels[v1alpha1.LabelComponent] == workload.ComponentRehearsal &&
		pod.Spec.Containers[0].Image == runnerImage
	for _, container := range pod.Spec.Containers {
		for _, env := range container.Env {
			if strings.Contains(env.Value, productionCredential) || env.ValueFrom != nil && env.ValueFrom.SecretKeyRef != nil {
				w.broken("pod %s/%s is given a credential in variable %s", pod.Namespace, pod.Name, env.Name)
			}
		}
	}
	for _, volume := range pod.Spec.Volumes {
		if volume.Secret == nil {
			continue
		}
		secret, ok := w.server.Find(secretKind, types.NamespacedName{Namespace: pod.Namespace, Name: volume.Secret.SecretName}).(*corev1.Secret)
		switch {
		case !ok || !holds(secret) || strings.HasPrefix(pod.Namespace, v1alpha1.ProductionPrefix):
		case run:
			w.truth.handed = true
		default:
			w.broken("pod %s/%s, component %s, is given the credential of production", pod.Namespace, pod.Name, pod.Labels[v1alpha1.LabelComponent])
		}
	}
	if strings.HasPrefix(pod.Namespace, v1alpha1.RehearsalPrefix) && !run {
		w.broken("pod %s/%s is started where the credential of production is", pod.Namespace, pod.Name)
	}
}

func holds(secret *corev1.Secret) bool {
	for _, value := range secret.Data {
		if string(value) == productionCredential {
			return true
		}
	}
	return false
}

// Handed tells whether the credential of production was ever given to the run that tries the integrations.
func (w *World) Handed() bool { return w.truth.handed }
