package main

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/affineur/affineur/api/v1alpha1"
)

const people = `[{"name":"volunteer","password":"right","groups":["volunteers"]},{"name":"guest","password":"right"}]`

func route(namespace, host, groups string) *gatewayv1.HTTPRoute {
	return &gatewayv1.HTTPRoute{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "allow-pilots",
			Labels:      map[string]string{v1alpha1.LabelManagedBy: v1alpha1.ManagedBy},
			Annotations: map[string]string{v1alpha1.AnnotationPilots: groups}},
		Spec: gatewayv1.HTTPRouteSpec{Hostnames: []gatewayv1.Hostname{gatewayv1.Hostname(host)}},
	}
}

func TestWhoIsLetThrough(t *testing.T) {
	scheme := runtime.NewScheme()
	if err := gatewayv1.Install(scheme); err != nil {
		t.Fatal(err)
	}
	foreign := route("affx-c", "foreign.example.org", "volunteers")
	foreign.Labels = nil
	routes := []client.Object{
		route("affx-a", "advisor.example.org", "members-board\nvolunteers"), route("affx-b", "other.example.org", "members-board"),
		route("elsewhere", "outside.example.org", "volunteers"), foreign,
		route("affx-d", "twice.example.org", "volunteers"), route("affx-e", "twice.example.org", "volunteers"), route("affx-f", "nobody.example.org", ""),
	}
	for name, test := range map[string]struct {
		user, password, host string
		mute                 bool
		want                 int
	}{
		"a pilot":                     {"volunteer", "right", "advisor.example.org", false, http.StatusOK},
		"a pilot, with a port":        {"volunteer", "right", "advisor.example.org:8443", false, http.StatusOK},
		"nobody":                      {"", "", "advisor.example.org", false, http.StatusUnauthorized},
		"a wrong password":            {"volunteer", "wrong", "advisor.example.org", false, http.StatusUnauthorized},
		"somebody unknown":            {"stranger", "right", "advisor.example.org", false, http.StatusUnauthorized},
		"of no group":                 {"guest", "right", "advisor.example.org", false, http.StatusForbidden},
		"of another's group":          {"volunteer", "right", "other.example.org", false, http.StatusForbidden},
		"a host of nobody":            {"volunteer", "right", "missing.example.org", false, http.StatusForbidden},
		"a route outside sandboxes":   {"volunteer", "right", "outside.example.org", false, http.StatusForbidden},
		"a route of somebody else":    {"volunteer", "right", "foreign.example.org", false, http.StatusForbidden},
		"a host of two":               {"volunteer", "right", "twice.example.org", false, http.StatusForbidden},
		"a route that invites nobody": {"volunteer", "right", "nobody.example.org", false, http.StatusForbidden},
		"a mute API server":           {"volunteer", "right", "advisor.example.org", true, http.StatusServiceUnavailable},
	} {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "people.json")
			if err := os.WriteFile(file, []byte(people), 0o600); err != nil {
				t.Fatal(err)
			}
			c := fake.NewClientBuilder().WithScheme(scheme).WithObjects(routes...).WithInterceptorFuncs(interceptor.Funcs{
				List: func(ctx context.Context, c client.WithWatch, list client.ObjectList, options ...client.ListOption) error {
					if test.mute {
						return errors.New("no answer")
					}
					return c.List(ctx, list, options...)
				},
			}).Build()
			request := httptest.NewRequest(http.MethodGet, "/check", nil)
			request.Header.Set("X-Forwarded-Host", test.host)
			if test.user != "" {
				request.SetBasicAuth(test.user, test.password)
			}
			answer := httptest.NewRecorder()
			newHandler(file, c).ServeHTTP(answer, request)
			if answer.Code != test.want || answer.Header().Get("Authorization") != "" {
				t.Errorf("answers %d %v, want %d", answer.Code, answer.Header(), test.want)
			}
		})
	}
}
