// Package people gives the persons of a story an identity of their own: a client certificate that the cluster signs,
// with their name and groups in its subject.
package people

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"time"

	certificatesv1 "k8s.io/api/certificates/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/affineur/affineur/test/story/await"
)

const (
	// lifetime of a certificate: a day for looking around afterwards.
	lifetime = 24 * time.Hour
	// patience with the cluster's signer.
	patience = 20 * time.Second
)

// Person is who somebody is to the API server.
type Person struct {
	Name   string
	Groups []string
}

// ErrNoSigner means that the cluster signs no client certificates, as some managed ones do not.
var ErrNoSigner = errors.New("the cluster signs no client certificates")

// Certified asks the cluster to sign a certificate for the person, approves it as the administrator, and returns a
// configuration that is nobody but the person.
func Certified(ctx context.Context, admin client.WithWatch, config *rest.Config, person Person) (*rest.Config, error) {
	key, request, err := newRequest(person)
	if err != nil {
		return nil, err
	}
	certificate, err := sign(ctx, admin, config, person, request)
	if err != nil {
		return nil, err
	}
	personal := rest.AnonymousClientConfig(config)
	personal.CertData, personal.KeyData = certificate, key
	return personal, nil
}

// Impersonated is the administrator acting as the person: what is left where no certificate is signed.
func Impersonated(config *rest.Config, person Person) *rest.Config {
	personal := rest.CopyConfig(config)
	personal.Impersonate = rest.ImpersonationConfig{UserName: person.Name, Groups: append([]string{"system:authenticated"}, person.Groups...)}
	return personal
}

// newRequest makes a key, which does not leave this machine, and a request to certify it.
func newRequest(person Person) (key, request []byte, err error) {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	der, err := x509.MarshalECPrivateKey(private)
	if err != nil {
		return nil, nil, err
	}
	template := &x509.CertificateRequest{Subject: pkix.Name{CommonName: person.Name, Organization: person.Groups}}
	asked, err := x509.CreateCertificateRequest(rand.Reader, template, private)
	if err != nil {
		return nil, nil, err
	}
	key = pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: der})
	return key, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: asked}), nil
}

func sign(ctx context.Context, admin client.WithWatch, config *rest.Config, person Person, request []byte) ([]byte, error) {
	asked := &certificatesv1.CertificateSigningRequest{
		ObjectMeta: metav1.ObjectMeta{GenerateName: "affineur-story-"},
		Spec: certificatesv1.CertificateSigningRequestSpec{
			Request:           request,
			SignerName:        certificatesv1.KubeAPIServerClientSignerName,
			ExpirationSeconds: ptr.To(int32(lifetime.Seconds())),
			Usages:            []certificatesv1.KeyUsage{certificatesv1.UsageClientAuth},
		},
	}
	if err := admin.Create(ctx, asked); err != nil {
		return nil, fmt.Errorf("certificate of %s: %w", person.Name, err)
	}
	defer func() { _ = admin.Delete(context.WithoutCancel(ctx), asked) }()
	if err := approve(ctx, config, asked); err != nil {
		return nil, fmt.Errorf("certificate of %s: %w", person.Name, err)
	}
	waiting, cancel := context.WithTimeoutCause(ctx, patience, ErrNoSigner)
	defer cancel()
	err := await.Object(waiting, admin, asked, func(r *certificatesv1.CertificateSigningRequest) (bool, error) {
		for _, condition := range r.Status.Conditions {
			if condition.Type == certificatesv1.CertificateFailed || condition.Type == certificatesv1.CertificateDenied {
				return false, fmt.Errorf("%w: %s", ErrNoSigner, condition.Message)
			}
		}
		return len(r.Status.Certificate) > 0, nil
	})
	return asked.Status.Certificate, err
}

func approve(ctx context.Context, config *rest.Config, asked *certificatesv1.CertificateSigningRequest) error {
	clients, err := kubernetes.NewForConfig(config)
	if err != nil {
		return err
	}
	approved := asked.DeepCopy()
	approved.Status.Conditions = append(approved.Status.Conditions, certificatesv1.CertificateSigningRequestCondition{
		Type: certificatesv1.CertificateApproved, Status: corev1.ConditionTrue, Reason: "Story", Message: "a person of the story",
	})
	_, err = clients.CertificatesV1().CertificateSigningRequests().UpdateApproval(ctx, approved.Name, approved, metav1.UpdateOptions{})
	return err
}
