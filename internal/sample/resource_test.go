package sample_test

import (
	"context"
	"errors"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/internal/condition"
	"github.com/affineur/affineur/internal/evidence"
	"github.com/affineur/affineur/internal/sample"
)

// Whose namespace it is has to be known before anything in it counts: where that can't be read, nothing was found, and it is
// looked for again.
func TestANamespaceThatCantBeRead(t *testing.T) {
	errBusy := errors.New("the API server is busy")
	scheme := runtime.NewScheme()
	if err := errors.Join(corev1.AddToScheme(scheme), v1alpha1.AddToScheme(scheme)); err != nil {
		t.Fatal(err)
	}
	order := evidence.ResourceOrder{
		APIVersion: "v1", ObjectKind: "ConfigMap", Namespace: "scanners", Name: "report", TimeFrom: "object.metadata.creationTimestamp",
		Conditions: evidence.Conditions{SuccessWhen: "true", FailureWhen: "false"},
	}
	for name, fails := range map[string]interceptor.Funcs{
		"all is read": {},
		"the namespace": {Get: func(ctx context.Context, c client.WithWatch, key client.ObjectKey, o client.Object, opts ...client.GetOption) error {
			if _, is := o.(*corev1.Namespace); is {
				return errBusy
			}
			return c.Get(ctx, key, o, opts...)
		}},
		"the policies": {List: func(context.Context, client.WithWatch, client.ObjectList, ...client.ListOption) error { return errBusy }},
	} {
		t.Run(name, func(t *testing.T) {
			reader := fake.NewClientBuilder().WithScheme(scheme).WithInterceptorFuncs(fails).WithObjects(
				&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "scanners"}},
				&corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: "scanners", Name: "report", UID: "1", CreationTimestamp: metav1.Now()}},
			).Build()
			got, err := sample.Resource(t.Context(), reader, meta.NewDefaultRESTMapper(nil), order, condition.Prototype{})
			if readable := fails.Get == nil && fails.List == nil; readable != (err == nil) || readable != (got != nil) || !readable && !errors.Is(err, errBusy) {
				t.Errorf("got %+v, %v", got, err)
			}
		})
	}
}
