package run

import (
	"context"
	"errors"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"
)

// A cluster that refuses the word stops nothing else, whoever refuses it there: RBAC, an admission policy, which says Invalid if
// it says nothing, or a webhook, which says 400. Who can't be asked just now is asked again.
func TestAWordThatIsRefused(t *testing.T) {
	pods := corev1.Resource("pods")
	webhook := &apierrors.StatusError{ErrStatus: metav1.Status{Status: metav1.StatusFailure, Code: 400, Message: "admission webhook \"x\" denied the request"}}
	for name, c := range map[string]struct {
		says  error
		again bool
	}{
		"taken":                        {nil, false},
		"the pod is gone":              {apierrors.NewNotFound(pods, "witness"), false},
		"refused by RBAC":              {apierrors.NewForbidden(pods, "witness", errors.New("no")), false},
		"refused by admission":         {apierrors.NewInvalid(schema.GroupKind{Kind: "Pod"}, "witness", nil), false},
		"refused by a webhook":         {webhook, false},
		"too much at once":             {apierrors.NewTooManyRequests("later", 1), true},
		"a webhook that nobody serves": {apierrors.NewInternalError(errors.New("failed calling webhook")), true},
		"nobody there":                 {errors.New("connection refused"), true},
	} {
		told := ""
		cluster := fake.NewClientBuilder().WithInterceptorFuncs(interceptor.Funcs{
			Patch: func(_ context.Context, _ client.WithWatch, o client.Object, _ client.Patch, _ ...client.PatchOption) error {
				told = o.GetNamespace() + "/" + o.GetName()
				return c.says
			},
		}).Build()
		err := Dismiss(t.Context(), cluster, "gates", Result{Pod: "witness"}, time.Unix(0, 0))
		if (err != nil) != c.again || told != "gates/witness" {
			t.Errorf("%s: %v, told %s", name, err, told)
		}
	}
}
