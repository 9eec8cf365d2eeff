package samples

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/affineur/affineur/test/story/await"
)

// Waiting sees what happens while it waits, and what was so before.
func TestAwait(t *testing.T) {
	object := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: metav1.NamespaceDefault, Name: "awaited"}}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	done := make(chan error, 1)
	go func() {
		done <- await.Object(ctx, admin, object.DeepCopy(), func(c *corev1.ConfigMap) (bool, error) { return c.Data["state"] == "ready", nil })
	}()
	made := object.DeepCopy()
	if err := admin.Create(ctx, made); err != nil {
		t.Fatal(err)
	}
	select {
	case err := <-done:
		t.Fatalf("it was not ready: %v", err)
	case <-time.After(200 * time.Millisecond):
	}
	made.Data = map[string]string{"state": "ready"}
	if err := admin.Update(ctx, made); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	go func() { done <- await.Gone(ctx, admin, object.DeepCopy()) }()
	if err := admin.Delete(ctx, made); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
}

func TestAwaitEnds(t *testing.T) {
	never := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: metav1.NamespaceDefault, Name: "never"}}
	late := errors.New("late")
	ctx, cancel := context.WithTimeoutCause(t.Context(), 300*time.Millisecond, late)
	defer cancel()
	err := await.Object(ctx, admin, never, func(*corev1.ConfigMap) (bool, error) { return true, nil })
	if !errors.Is(err, late) || !strings.Contains(err.Error(), "default/never") {
		t.Errorf("%v", err)
	}
	stranger, err := client.NewWithWatch(impersonated("nobody@example.org"), client.Options{Scheme: scheme})
	if err != nil {
		t.Fatal(err)
	}
	if err := await.Gone(t.Context(), stranger, never); !apierrors.IsForbidden(err) {
		t.Errorf("whoever may not look is told at once: %v", err)
	}
}
