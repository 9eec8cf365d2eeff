package apply

import (
	"context"
	"errors"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"
)

// TestTeardown: what makes pods goes first, and the namespace stays while a single pod is left, whoever's it is.
func TestTeardown(t *testing.T) {
	pod := inside(&corev1.Pod{}, "a").(*corev1.Pod)
	pod.Labels = nil
	s, w := newServer(t, managed(ours), inside(&appsv1.Deployment{Spec: appsv1.DeploymentSpec{Replicas: ptr.To[int32](1)}}, "prototype"),
		inside(&batchv1.Job{}, "probe"), pod)
	step := func(want string) {
		t.Helper()
		waiting, err := w.Teardown(t.Context(), space, ours.UID)
		s.must(err)
		if want == "" && waiting != "" || !strings.Contains(waiting, want) {
			t.Errorf("waits for %q, want %q", waiting, want)
		}
	}
	step("1 pods")
	for _, o := range []client.Object{inside(&appsv1.Deployment{}, "prototype"), inside(&batchv1.Job{}, "probe")} {
		if err := s.Get(t.Context(), client.ObjectKeyFromObject(o), o); !apierrors.IsNotFound(err) {
			t.Errorf("%T is still there: %v", o, err)
		}
	}
	s.must(s.Get(t.Context(), client.ObjectKey{Name: space}, &corev1.Namespace{}))
	step("1 pods")
	s.must(s.Delete(t.Context(), pod))
	step("being deleted")
	step("")
}

// unentitled is a server that refuses everything in the namespace but a RoleBinding, as long as that is not there.
func unentitled(s *server) client.WithWatch {
	refused := func(ctx context.Context, namespace string) error {
		err := s.Get(ctx, client.ObjectKeyFromObject(rights(nil)), &rbacv1.RoleBinding{})
		if namespace == space && apierrors.IsNotFound(err) {
			return apierrors.NewForbidden(corev1.Resource("pods"), "", errors.New("no rights"))
		}
		return nil
	}
	return interceptor.NewClient(s, interceptor.Funcs{
		List: func(ctx context.Context, c client.WithWatch, list client.ObjectList, options ...client.ListOption) error {
			var asked client.ListOptions
			return errors.Join(refused(ctx, asked.ApplyOptions(options).Namespace), c.List(ctx, list, options...))
		},
		Delete: func(ctx context.Context, c client.WithWatch, o client.Object, options ...client.DeleteOption) error {
			if err := refused(ctx, o.GetNamespace()); err != nil {
				return err
			}
			return c.Delete(ctx, o, options...)
		},
		Update: func(ctx context.Context, c client.WithWatch, o client.Object, options ...client.UpdateOption) error {
			if err := refused(ctx, o.GetNamespace()); err != nil {
				return err
			}
			return c.Update(ctx, o, options...)
		},
	})
}

func rights(*corev1.Namespace) *rbacv1.RoleBinding {
	return inside(&rbacv1.RoleBinding{}, "affineur-operator").(*rbacv1.RoleBinding)
}

// Rights that were lost, or never given, are given again: nothing goes on running for their lack, and what could not be
// seen does not count as gone.
func TestLostRightsComeBack(t *testing.T) {
	for name, request := range map[string]func(*Writer) error{
		"taking down": func(w *Writer) error { _, err := w.Teardown(t.Context(), space, ours.UID); return err },
		"removing":    func(w *Writer) error { return w.Remove(t.Context(), inside(&appsv1.Deployment{}, "prototype")) },
		"stopping": func(w *Writer) error {
			return w.Put(t.Context(), inside(&appsv1.Deployment{Spec: appsv1.DeploymentSpec{Replicas: ptr.To[int32](0)}}, "prototype"))
		},
	} {
		t.Run(name, func(t *testing.T) {
			s, w := newServer(t, managed(ours), inside(&appsv1.Deployment{}, "prototype"), inside(&corev1.Pod{}, "a"))
			w.Client, w.Rights = unentitled(s), rights
			w.Live = w.Client
			if err := request(w); !apierrors.IsForbidden(err) {
				t.Errorf("without rights: %v", err)
			}
			s.wrote("create *v1.RoleBinding affineur-operator")
			if err := request(w); err != nil {
				t.Errorf("with rights: %v", err)
			}
		})
	}
}

// A namespace that is nobody's, or is going, gets none.
func TestNoRightsWhereNoneAreNeeded(t *testing.T) {
	going := managed(ours)
	going.Finalizers, going.DeletionTimestamp = []string{"kubernetes"}, ptr.To(metav1.Now())
	for name, test := range map[string]struct {
		namespace *corev1.Namespace
		rights    func(*corev1.Namespace) *rbacv1.RoleBinding
	}{
		"nobody's": {managed(theirs), func(*corev1.Namespace) *rbacv1.RoleBinding { return nil }},
		"going":    {going, rights},
	} {
		s, w := newServer(t, test.namespace, inside(&appsv1.Deployment{}, "prototype"))
		w.Client, w.Rights = unentitled(s), test.rights
		if err := w.Remove(t.Context(), inside(&appsv1.Deployment{}, "prototype")); !apierrors.IsForbidden(err) {
			t.Errorf("%s: %v", name, err)
		}
		s.wrote()
	}
}

func TestTeardownLeavesOthersAlone(t *testing.T) {
	for name, namespace := range map[string]*corev1.Namespace{
		"another prototype's": managed(theirs), "nobody's": {ObjectMeta: metav1.ObjectMeta{Name: space}},
	} {
		s, w := newServer(t, namespace, inside(&appsv1.Deployment{}, "prototype"))
		waiting, err := w.Teardown(t.Context(), space, ours.UID)
		if waiting != "" || err != nil {
			t.Errorf("%s: %q, %v", name, waiting, err)
		}
		s.wrote()
	}
}
