package main

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net/http"
	"os"
	"strings"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"
)

// destination is where images are pushed, which may be another way to the registry than the one that
// their names give.
type destination struct {
	pushTo   string
	insecure bool
	pusher   *remote.Pusher
}

func newDestination(pushTo, caFile string, insecure bool) (*destination, error) {
	transport, err := newTransport(caFile, insecure)
	if err != nil {
		return nil, err
	}
	pusher, err := remote.NewPusher(remote.WithTransport(transport), remote.WithAuthFromKeychain(authn.DefaultKeychain))
	if err != nil {
		return nil, err
	}
	return &destination{pushTo: pushTo, insecure: insecure, pusher: pusher}, nil
}

// references are the images' names, as manifests use them.
func references(registry, version string, chosen []spec) (map[string]name.Tag, error) {
	if strings.Contains(registry, "://") {
		return nil, fmt.Errorf("--registry is %q, want HOST[:PORT][/PATH] without a scheme", registry)
	}
	tags := map[string]name.Tag{}
	for _, s := range chosen {
		tag, err := name.NewTag(strings.TrimSuffix(registry, "/")+"/"+s.repository+":"+cmp.Or(s.tag, version), name.StrictValidation)
		if err != nil {
			return nil, err
		}
		tags[s.name] = tag
	}
	return tags, nil
}

// push uploads what the registry does not have yet.
func (d *destination) push(ctx context.Context, reference name.Tag, index v1.ImageIndex) error {
	var options []name.Option
	if d.insecure {
		options = append(options, name.Insecure)
	}
	registry, err := name.NewRegistry(cmp.Or(d.pushTo, reference.RegistryStr()), options...)
	if err != nil {
		return err
	}
	target := reference
	target.Registry = registry
	if err := d.pusher.Push(ctx, target, index); err != nil {
		return fmt.Errorf("pushing %s to %s: %w", reference, registry, err)
	}
	return nil
}

func newTransport(caFile string, insecure bool) (http.RoundTripper, error) {
	transport := remote.DefaultTransport.(*http.Transport).Clone()
	if caFile != "" {
		pem, err := os.ReadFile(caFile)
		if err != nil {
			return nil, err
		}
		roots := x509.NewCertPool()
		if !roots.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("%s holds no certificate", caFile)
		}
		transport.TLSClientConfig = &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}
	}
	if insecure {
		return transport, nil
	}
	return onlyTLS{transport}, nil
}

// onlyTLS refuses plain HTTP. The client falls back to it by itself for local and private addresses,
// and would so send credentials and images to whoever answers there.
type onlyTLS struct{ http.RoundTripper }

func (t onlyTLS) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.URL.Scheme != "https" {
		return nil, fmt.Errorf("%s is plain HTTP, which needs --insecure", r.URL.Host)
	}
	return t.RoundTripper.RoundTrip(r)
}
