// Package registry asks registries what a tag stands for.
package registry

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
	kauth "github.com/google/go-containerregistry/pkg/authn/kubernetes"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/affineur/affineur/api/v1alpha1"
)

// timeout of one question to a registry.
const timeout = 10 * time.Second

// keyCA is the key of a certificate authority in its ConfigMap.
const keyCA = "ca.crt"

// Error is why an image could not be resolved.
type Error struct {
	// Reason is one of the reasons in api/v1alpha1.
	Reason  string
	Message string
	// Owner can change it.
	Owner v1alpha1.Owner
	// Passing is true where asking again later may help without anybody doing anything.
	Passing bool
}

func (e *Error) Error() string { return e.Message }

// Resolver asks registries under the policy's terms: the scheme, the certificate authority and the pull secret that
// it names, kept in the operator's namespace.
type Resolver struct {
	Live client.Reader
}

// Resolve returns repository@sha256:digest for a tag or digest; of a multi-platform image, the index's digest. Every
// error that is not the API server's is an *Error.
func (r Resolver) Resolve(ctx context.Context, image string, via v1alpha1.Registry) (string, error) {
	reference, options, err := r.ask(ctx, image, via)
	if err != nil {
		return "", err
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	described, err := remote.Head(reference, append(options, remote.WithContext(ctx))...)
	if err != nil {
		return "", explain(image, reference.Context().RegistryStr(), err)
	}
	return reference.Context().Digest(described.Digest.String()).Name(), nil
}

// ask is how a registry is asked about an image.
func (r Resolver) ask(ctx context.Context, image string, via v1alpha1.Registry) (name.Reference, []remote.Option, error) {
	options := []name.Option{name.WeakValidation}
	if via.Scheme == v1alpha1.RegistryHTTP {
		options = append(options, name.Insecure)
	}
	reference, err := name.ParseReference(image, options...)
	if err != nil {
		return nil, nil, &Error{Reason: v1alpha1.ReasonImageInvalid, Message: fmt.Sprintf("The image reference can't be read: %v.", err), Owner: v1alpha1.OwnerBusiness}
	}
	transport, err := r.transport(ctx, via)
	if err != nil {
		return nil, nil, err
	}
	keys, err := r.keychain(ctx, via)
	return reference, []remote.Option{remote.WithTransport(pages{transport}), remote.WithAuthFromKeychain(keys)}, err
}

// encrypted refuses plain HTTP, to which the library falls back by itself for names that look local.
type encrypted struct{ http.RoundTripper }

func (e encrypted) RoundTrip(request *http.Request) (*http.Response, error) {
	if request.URL.Scheme != "https" {
		return nil, errPlain
	}
	return e.RoundTripper.RoundTrip(request)
}

var errPlain = errors.New("plain HTTP is not allowed by the policy")

func (r Resolver) transport(ctx context.Context, via v1alpha1.Registry) (http.RoundTripper, error) {
	base := remote.DefaultTransport.(*http.Transport).Clone()
	base.TLSClientConfig = &tls.Config{MinVersion: tls.VersionTLS12}
	if via.Scheme == v1alpha1.RegistryHTTP {
		return base, nil
	}
	if via.CA == nil {
		return encrypted{base}, nil
	}
	var object corev1.ConfigMap
	err := r.Live.Get(ctx, client.ObjectKey{Namespace: v1alpha1.SystemNamespace, Name: via.CA.Name}, &object)
	if err != nil && !apierrors.IsNotFound(err) {
		return nil, err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM([]byte(object.Data[keyCA])) {
		return nil, missing(fmt.Sprintf("ConfigMap %s/%s with a certificate authority under %s is not there.", v1alpha1.SystemNamespace, via.CA.Name, keyCA))
	}
	base.TLSClientConfig.RootCAs = pool
	return encrypted{base}, nil
}

func (r Resolver) keychain(ctx context.Context, via v1alpha1.Registry) (authn.Keychain, error) {
	if via.PullSecret == nil {
		return authn.NewMultiKeychain(), nil
	}
	var secret corev1.Secret
	err := r.Live.Get(ctx, client.ObjectKey{Namespace: v1alpha1.SystemNamespace, Name: via.PullSecret.Name}, &secret)
	if apierrors.IsNotFound(err) {
		return nil, missing(fmt.Sprintf("Pull secret %s/%s is not there.", v1alpha1.SystemNamespace, via.PullSecret.Name))
	}
	if err != nil {
		return nil, err
	}
	keys, err := kauth.NewFromPullSecrets(ctx, []corev1.Secret{secret})
	if err != nil {
		return nil, missing(fmt.Sprintf("Pull secret %s/%s can't be read.", v1alpha1.SystemNamespace, via.PullSecret.Name))
	}
	return keys, nil
}

func missing(message string) *Error {
	return &Error{Reason: v1alpha1.ReasonCredentialMissing, Message: message, Owner: v1alpha1.OwnerIT}
}

// explain turns what a registry or the network said into a reason. What a registry writes is not passed on.
func explain(image, registry string, err error) *Error {
	var answered *transport.Error
	if errors.As(err, &answered) {
		switch answered.StatusCode {
		case http.StatusNotFound:
			return &Error{Reason: v1alpha1.ReasonImageNotFound, Message: fmt.Sprintf("Registry %s does not have %s.", registry, image), Owner: v1alpha1.OwnerBusiness, Passing: true}
		case http.StatusUnauthorized, http.StatusForbidden:
			return &Error{Reason: v1alpha1.ReasonRegistryRefused, Message: fmt.Sprintf("Registry %s refuses to show %s: the pull secret is missing or wrong.", registry, image), Owner: v1alpha1.OwnerIT, Passing: true}
		}
		return &Error{Reason: v1alpha1.ReasonRegistryUnreachable, Message: fmt.Sprintf("Registry %s answered with status %d.", registry, answered.StatusCode), Owner: v1alpha1.OwnerIT, Passing: true}
	}
	return &Error{Reason: v1alpha1.ReasonRegistryUnreachable, Message: fmt.Sprintf("Registry %s does not answer: %s.", registry, class(err)), Owner: v1alpha1.OwnerIT, Passing: true}
}

// class says what is wrong with a connection in words that do not change from try to try.
func class(err error) string {
	var dns *net.DNSError
	var certificate *tls.CertificateVerificationError
	var timeout net.Error
	switch {
	case errors.As(err, &dns):
		return "its name is unknown"
	case errors.Is(err, errPlain):
		return "it does not speak TLS, and the policy does not allow plain HTTP"
	case errors.As(err, &certificate):
		return "its certificate can't be verified"
	case errors.As(err, &timeout) && timeout.Timeout(), errors.Is(err, context.DeadlineExceeded):
		return "no answer in time"
	}
	return "no connection"
}
