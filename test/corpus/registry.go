package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net/http"
	"os"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"github.com/affineur/affineur/test/story/quick"
)

// pusher pushes to the cluster's registry.
type pusher struct {
	host    name.Registry
	options []remote.Option
}

func (g *ground) newPusher(ctx context.Context) (pusher, error) {
	at := quick.Setting(g.root, "REGISTRY_PUSH")
	if at == "" {
		at = g.registry
	}
	host, err := name.NewRegistry(at)
	if err != nil {
		return pusher{}, err
	}
	transport := remote.DefaultTransport.(*http.Transport).Clone()
	if file := quick.Setting(g.root, "REGISTRY_CA"); file != "" {
		authority, err := os.ReadFile(file)
		if err != nil {
			return pusher{}, err
		}
		roots := x509.NewCertPool()
		if !roots.AppendCertsFromPEM(authority) {
			return pusher{}, fmt.Errorf("%s holds no certificate", file)
		}
		transport.TLSClientConfig = &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}
	}
	return pusher{host: host, options: []remote.Option{remote.WithContext(ctx), remote.WithTransport(transport)}}, nil
}

// variant pushes the program once more into a repository of its own, with a label that gives it a digest of its own.
func (p pusher) variant(repository string) (name.Digest, error) {
	program, err := remote.Image(p.host.Repo("corpus", "suspect").Tag("1"), p.options...)
	if err != nil {
		return name.Digest{}, err
	}
	config, err := program.ConfigFile()
	if err != nil {
		return name.Digest{}, err
	}
	config = config.DeepCopy()
	config.Config.Labels = map[string]string{"corpus": repository}
	if program, err = mutate.ConfigFile(program, config); err != nil {
		return name.Digest{}, err
	}
	to := p.host.Repo(repository)
	if err := remote.Write(to.Tag("1"), program, p.options...); err != nil {
		return name.Digest{}, err
	}
	var digest v1.Hash
	if digest, err = program.Digest(); err != nil {
		return name.Digest{}, err
	}
	return to.Digest(digest.String()), nil
}
