//go:build e2e

package e2e

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/affineur/affineur/test/story/await"
	"github.com/affineur/affineur/test/story/installation"
	"github.com/affineur/affineur/test/story/manifest"
)

const gateways = "gateways"

// someone signs in with a password that was made for this run.
type someone struct {
	Name     string   `json:"name"`
	Password string   `json:"password"`
	Groups   []string `json:"groups"`
}

func whoever(name string, groups ...string) someone {
	return someone{Name: name, Password: rand.Text(), Groups: groups}
}

// withGateway installs the Gateway API and a gateway behind a sign-in that knows these people, waits until both work,
// and takes them away after the test. It returns who signed the gateway's certificate.
func (g *ground) withGateway(t *testing.T, people ...someone) *x509.CertPool {
	t.Helper()
	g.withGatewayAPI(t)
	content, err := os.ReadFile("gateway.yaml")
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "gateway.yaml")
	if err := os.WriteFile(file, manifest.For(content, g.registry), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { g.takeDown(t, file) })
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: gateways}}
	certificate, key, trusted := certificateFor(t, "*.pilots.example.org")
	known, err := json.Marshal(people)
	if err != nil {
		t.Fatal(err)
	}
	secret := func(name string, data map[string][]byte) *corev1.Secret {
		return &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: gateways, Name: name}, Data: data}
	}
	for _, object := range []client.Object{
		namespace, secret("people", map[string][]byte{"people.json": known}),
		secret("pilots", map[string][]byte{corev1.TLSCertKey: certificate, corev1.TLSPrivateKeyKey: key}),
	} {
		if err := g.Create(t.Context(), object); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := installation.Apply(t.Context(), g, "affineur-e2e", file); err != nil {
		t.Fatal(err)
	}
	g.gatewayWorks(t)
	return trusted
}

func (g *ground) gatewayWorks(t *testing.T) {
	t.Helper()
	ctx := bounded(t)
	for _, name := range []string{"gateway", "sign-in"} {
		deployment := &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Namespace: gateways, Name: name}}
		if err := await.Object(ctx, g, deployment, func(d *appsv1.Deployment) (bool, error) { return d.Status.AvailableReplicas > 0, nil }); err != nil {
			t.Fatal(err)
		}
	}
	gateway := &gatewayv1.Gateway{ObjectMeta: metav1.ObjectMeta{Namespace: gateways, Name: "people"}}
	err := await.Object(ctx, g, gateway, func(gateway *gatewayv1.Gateway) (bool, error) {
		return apimeta.IsStatusConditionTrue(gateway.Status.Conditions, string(gatewayv1.GatewayConditionProgrammed)), nil
	})
	if err != nil {
		t.Fatalf("%v: %+v", err, gateway.Status)
	}
}

// withGatewayAPI installs the kinds of the module that the operator is built with, where the cluster has none.
func (g *ground) withGatewayAPI(t *testing.T) {
	t.Helper()
	folder, err := exec.CommandContext(t.Context(), "go", "list", "-m", "-f", "{{.Dir}}", "sigs.k8s.io/gateway-api").Output()
	if err != nil {
		t.Fatal(err)
	}
	for _, kind := range []string{"gatewayclasses", "gateways", "httproutes", "grpcroutes", "referencegrants", "backendtlspolicies"} {
		crd := &apiextensionsv1.CustomResourceDefinition{ObjectMeta: metav1.ObjectMeta{Name: kind + "." + gatewayv1.GroupName}}
		if err := g.Get(t.Context(), client.ObjectKeyFromObject(crd), crd); err == nil {
			continue
		}
		file := filepath.Join(strings.TrimSpace(string(folder)), "config", "crd", "standard", gatewayv1.GroupName+"_"+kind+".yaml")
		t.Cleanup(func() { g.takeDown(t, file) })
		if _, err := installation.Apply(t.Context(), g, "affineur-e2e", file); err != nil {
			t.Fatal(err)
		}
	}
}

// takeDown deletes what a manifest made, the last first, and waits until it is gone.
func (g *ground) takeDown(t *testing.T, file string) {
	ctx, cancel := context.WithTimeout(context.Background(), slow)
	defer cancel()
	objects, err := manifest.Read(file)
	if err != nil {
		t.Error(err)
	}
	for i := len(objects) - 1; i >= 0; i-- {
		if err := client.IgnoreNotFound(g.Delete(ctx, objects[i])); err != nil && !apimeta.IsNoMatchError(err) {
			t.Error(err)
		}
	}
	for _, object := range objects {
		if object.GetNamespace() == "" {
			err := await.Until(ctx, func() error {
				if err := g.Get(ctx, client.ObjectKeyFromObject(object), object); err == nil {
					return errNotYet
				}
				return nil
			})
			if err != nil {
				t.Errorf("%s %s: %v", object.GetKind(), object.GetName(), err)
			}
		}
	}
}

// certificateFor a host, signed by itself.
func certificateFor(t *testing.T, host string) (certificate, key []byte, trusted *x509.CertPool) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), DNSNames: []string{host}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	signed, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	encoded, wrong := x509.MarshalPKCS8PrivateKey(private)
	if err := errors.Join(err, wrong); err != nil {
		t.Fatal(err)
	}
	certificate = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: signed})
	trusted = x509.NewCertPool()
	trusted.AppendCertsFromPEM(certificate)
	return certificate, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: encoded}), trusted
}
