package main

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net/http"
	"os"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote"
)

// moveTag makes the tag of one pushed image stand for another one of its repository, as whoever may push to the
// registry could.
func (s *stage) moveTag(ctx context.Context, tagOf, contentOf string) error {
	options, err := s.registryOptions(ctx)
	if err != nil {
		return err
	}
	tag, err := s.pushReference(s.images[tagOf].Image)
	if err != nil {
		return err
	}
	wanted, err := remote.Get(tag.Context().Digest(s.images[contentOf].Digest), options...)
	if err != nil {
		return err
	}
	if err := remote.Tag(tag, wanted, options...); err != nil {
		return err
	}
	now, err := remote.Head(tag, options...)
	if err != nil {
		return err
	}
	if now.Digest.String() != s.images[contentOf].Digest {
		return fmt.Errorf("%s is %s, want %s", tag, now.Digest, s.images[contentOf].Digest)
	}
	s.out.say("in the registry, %s is %s now", s.images[tagOf].Image, now.Digest)
	return nil
}

// pushReference is an image as it is reached from here.
func (s *stage) pushReference(image string) (name.Tag, error) {
	tag, err := name.NewTag(image, name.StrictValidation)
	if err != nil {
		return tag, err
	}
	var options []name.Option
	if s.plainHTTP {
		options = append(options, name.Insecure)
	}
	tag.Registry, err = name.NewRegistry(cmp.Or(s.pushTo, tag.RegistryStr()), options...)
	return tag, err
}

func (s *stage) registryOptions(ctx context.Context) ([]remote.Option, error) {
	transport := remote.DefaultTransport.(*http.Transport).Clone()
	if s.ca != "" {
		authority, err := os.ReadFile(s.ca)
		if err != nil {
			return nil, err
		}
		roots := x509.NewCertPool()
		if !roots.AppendCertsFromPEM(authority) {
			return nil, fmt.Errorf("%s holds no certificate", s.ca)
		}
		transport.TLSClientConfig = &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}
	}
	return []remote.Option{remote.WithContext(ctx), remote.WithTransport(transport), remote.WithAuthFromKeychain(authn.DefaultKeychain)}, nil
}
