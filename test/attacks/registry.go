package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net/http"
	"os"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"github.com/affineur/affineur/test/story/quick"
)

// tag makes a pushed image's tag stand for another digest of its repository.
func (f *field) tag(ctx context.Context, image, digest string) error {
	tag, err := name.NewTag(image, name.StrictValidation)
	if err != nil {
		return err
	}
	if to := quick.Setting(f.root, "REGISTRY_PUSH"); to != "" {
		if tag.Registry, err = name.NewRegistry(to); err != nil {
			return err
		}
	}
	transport := remote.DefaultTransport.(*http.Transport).Clone()
	if file := quick.Setting(f.root, "REGISTRY_CA"); file != "" {
		authority, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		roots := x509.NewCertPool()
		if !roots.AppendCertsFromPEM(authority) {
			return fmt.Errorf("%s holds no certificate", file)
		}
		transport.TLSClientConfig = &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}
	}
	options := []remote.Option{remote.WithContext(ctx), remote.WithTransport(transport)}
	wanted, err := remote.Get(tag.Context().Digest(digest), options...)
	if err != nil {
		return err
	}
	if err := remote.Tag(tag, wanted, options...); err != nil {
		return err
	}
	now, err := remote.Head(tag, options...)
	if err == nil && now.Digest.String() != digest {
		err = fmt.Errorf("%s is %s, want %s", tag, now.Digest, digest)
	}
	return err
}
