//go:build cluster

package test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"slices"
	"testing"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	certificatesv1 "k8s.io/api/certificates/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
)

// People get their identity as in a real cluster: by a signing request that an admin approves.
func TestUsersByCertificateSigningRequest(t *testing.T) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	request, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{
		Subject: pkix.Name{CommonName: "carla", Organization: []string{"team-membership"}},
	}, key)
	must(t, err)
	requests := client.CertificatesV1().CertificateSigningRequests()
	made, err := requests.Create(t.Context(), &certificatesv1.CertificateSigningRequest{
		ObjectMeta: metav1.ObjectMeta{GenerateName: "devcluster-test-"},
		Spec: certificatesv1.CertificateSigningRequestSpec{
			Request:    pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: request}),
			SignerName: certificatesv1.KubeAPIServerClientSignerName,
			Usages:     []certificatesv1.KeyUsage{certificatesv1.UsageClientAuth},
		},
	}, metav1.CreateOptions{})
	must(t, err)
	t.Cleanup(func() { _ = requests.Delete(t.Context(), made.Name, metav1.DeleteOptions{}) })
	made.Status.Conditions = []certificatesv1.CertificateSigningRequestCondition{{
		Type: certificatesv1.CertificateApproved, Status: "True", Reason: "Test", Message: "test",
	}}
	_, err = requests.UpdateApproval(t.Context(), made.Name, made, metav1.UpdateOptions{})
	must(t, err)
	var certificate []byte
	eventually(t, 10*time.Second, "certificate", func() error {
		current, err := requests.Get(t.Context(), made.Name, metav1.GetOptions{})
		must(t, err)
		certificate = current.Status.Certificate
		if len(certificate) == 0 {
			return errors.New("not signed")
		}
		return nil
	})

	der, err := x509.MarshalECPrivateKey(key)
	must(t, err)
	config := rest.AnonymousClientConfig(restConfig)
	config.CertData, config.KeyData = certificate, pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: der})
	carla, err := kubernetes.NewForConfig(config)
	must(t, err)
	self, err := carla.AuthenticationV1().SelfSubjectReviews().Create(t.Context(), &authenticationv1.SelfSubjectReview{}, metav1.CreateOptions{})
	must(t, err)
	if user := self.Status.UserInfo; user.Username != "carla" || !slices.Contains(user.Groups, "team-membership") {
		t.Errorf("the API server sees %+v", user)
	}
	_, err = carla.CoreV1().Secrets("kube-system").List(t.Context(), metav1.ListOptions{})
	if !apierrors.IsForbidden(err) {
		t.Errorf("a user without a role reads secrets: %v", err)
	}
}

func TestStrangersAreTurnedAway(t *testing.T) {
	stranger, err := kubernetes.NewForConfig(rest.AnonymousClientConfig(restConfig))
	must(t, err)
	if _, err := stranger.CoreV1().Namespaces().List(t.Context(), metav1.ListOptions{}); !apierrors.IsUnauthorized(err) {
		t.Errorf("without a certificate: %v", err)
	}
}
