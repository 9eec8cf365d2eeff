package registry

import (
	"context"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	ggcr "github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	"github.com/affineur/affineur/api/v1alpha1"
)

const user, password = "puller", "secret"

// guarded is a registry that shows nothing without the password.
func guarded(w http.ResponseWriter, r *http.Request) bool {
	name, given, ok := r.BasicAuth()
	if ok && name == user && given == password {
		return true
	}
	w.Header().Set("WWW-Authenticate", `Basic realm="registry"`)
	w.WriteHeader(http.StatusUnauthorized)
	return false
}

// serve starts a registry with one index at membership/churn:1 and returns its address and the index's digest.
func serve(t *testing.T, start func(http.Handler) *httptest.Server, auth bool) (*httptest.Server, string, string) {
	t.Helper()
	content := ggcr.New()
	server := start(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if auth && r.Method != http.MethodPut && r.Method != http.MethodPost && r.Method != http.MethodPatch && !guarded(w, r) {
			return
		}
		content.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	index := mutate.AppendManifests(empty.Index, mutate.IndexAddendum{Add: empty.Image})
	digest, err := index.Digest()
	if err != nil {
		t.Fatal(err)
	}
	inner := httptest.NewServer(content)
	t.Cleanup(inner.Close)
	push(t, strings.TrimPrefix(inner.URL, "http://"), index)
	return server, server.Listener.Addr().String(), digest.String()
}

func push(t *testing.T, address string, index v1.ImageIndex) {
	t.Helper()
	tag, err := name.NewTag(address+"/membership/churn:1", name.Insecure)
	if err != nil {
		t.Fatal(err)
	}
	if err := remote.WriteIndex(tag, index); err != nil {
		t.Fatal(err)
	}
}

func configMap(server *httptest.Server) *corev1.ConfigMap {
	ca := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	return &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: v1alpha1.SystemNamespace, Name: "ca"}, Data: map[string]string{"ca.crt": string(ca)}}
}

func pullSecret(address, password string) *corev1.Secret {
	auth := base64.StdEncoding.EncodeToString([]byte(user + ":" + password))
	return &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: v1alpha1.SystemNamespace, Name: "pull"}, Type: corev1.SecretTypeDockerConfigJson,
		Data: map[string][]byte{corev1.DockerConfigJsonKey: fmt.Appendf(nil, `{"auths":{%q:{"auth":%q}}}`, address, auth)},
	}
}

func resolver(objects ...client.Object) Resolver {
	return Resolver{Live: fake.NewClientBuilder().WithObjects(objects...).Build()}
}

func TestResolve(t *testing.T) {
	secure, address, digest := serve(t, httptest.NewTLSServer, false)
	private, privateAddress, _ := serve(t, httptest.NewTLSServer, true)
	_, plain, _ := serve(t, httptest.NewServer, false)
	ca, pull := &v1alpha1.LocalName{Name: "ca"}, &v1alpha1.LocalName{Name: "pull"}
	for name, test := range map[string]struct {
		image   string
		via     v1alpha1.Registry
		objects []client.Object
		reason  string
	}{
		"by tag, own authority":         {address + "/membership/churn:1", v1alpha1.Registry{CA: ca}, []client.Object{configMap(secure)}, ""},
		"by digest":                     {address + "/membership/churn@" + digest, v1alpha1.Registry{CA: ca}, []client.Object{configMap(secure)}, ""},
		"with a pull secret":            {privateAddress + "/membership/churn:1", v1alpha1.Registry{CA: ca, PullSecret: pull}, []client.Object{configMap(private), pullSecret(privateAddress, password)}, ""},
		"plain where the policy says":   {plain + "/membership/churn:1", v1alpha1.Registry{Scheme: v1alpha1.RegistryHTTP}, nil, ""},
		"plain where it does not":       {plain + "/membership/churn:1", v1alpha1.Registry{Scheme: v1alpha1.RegistryHTTPS}, nil, v1alpha1.ReasonRegistryUnreachable},
		"unknown authority":             {address + "/membership/churn:1", v1alpha1.Registry{}, nil, v1alpha1.ReasonRegistryUnreachable},
		"authority that is not there":   {address + "/membership/churn:1", v1alpha1.Registry{CA: ca}, nil, v1alpha1.ReasonCredentialMissing},
		"no such tag":                   {address + "/membership/churn:2", v1alpha1.Registry{CA: ca}, []client.Object{configMap(secure)}, v1alpha1.ReasonImageNotFound},
		"without the pull secret":       {privateAddress + "/membership/churn:1", v1alpha1.Registry{CA: ca}, []client.Object{configMap(private)}, v1alpha1.ReasonRegistryRefused},
		"with a wrong password":         {privateAddress + "/membership/churn:1", v1alpha1.Registry{CA: ca, PullSecret: pull}, []client.Object{configMap(private), pullSecret(privateAddress, "wrong")}, v1alpha1.ReasonRegistryRefused},
		"pull secret that is not there": {privateAddress + "/membership/churn:1", v1alpha1.Registry{CA: ca, PullSecret: pull}, []client.Object{configMap(private)}, v1alpha1.ReasonCredentialMissing},
		"nobody listens":                {"127.0.0.1:1/membership/churn:1", v1alpha1.Registry{}, nil, v1alpha1.ReasonRegistryUnreachable},
		"not a reference":               {"127.0.0.1:1/UPPER:1", v1alpha1.Registry{}, nil, v1alpha1.ReasonImageInvalid},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := resolver(test.objects...).Resolve(context.Background(), test.image, test.via)
			var known *Error
			if errors.As(err, &known) != (err != nil) {
				t.Fatalf("not an *Error: %v", err)
			}
			if test.reason == "" {
				if err != nil || !strings.HasSuffix(got, "/membership/churn@"+digest) {
					t.Errorf("got %q, %v, want digest %s", got, err, digest)
				}
				return
			}
			if known == nil || known.Reason != test.reason || known.Owner == "" {
				t.Errorf("got %q, %+v, want %s", got, known, test.reason)
			}
		})
	}
}
