package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/affineur/affineur/test/prototypes/internal/serve"
	"github.com/affineur/affineur/test/prototypes/lms/server"
)

func TestTLSConfig(t *testing.T) {
	cert, key, _ := certificate(t, t.TempDir())
	for name, tc := range map[string]struct {
		cert, key string
		tls, fail bool
	}{
		"plain":        {"", "", false, false},
		"both":         {cert, key, true, false},
		"cert alone":   {cert, "", false, true},
		"key alone":    {"", key, false, true},
		"no such file": {cert + "x", key, false, true},
	} {
		config, err := tlsConfig(tc.cert, tc.key)
		if (config != nil) != tc.tls || (err != nil) != tc.fail {
			t.Errorf("%s: %v, %v", name, config, err)
		}
	}
}

// A certificate that is renewed on disk is served to the next client.
func TestServesTLS(t *testing.T) {
	dir := t.TempDir()
	cert, key, first := certificate(t, dir)
	config, err := tlsConfig(cert, key)
	if err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- serve.Serve(ctx, listener, server.New(""), config, 0) }()

	if err := health(listener.Addr().String(), first); err != nil {
		t.Errorf("the first certificate: %v", err)
	}
	_, _, second := certificate(t, dir)
	if err := health(listener.Addr().String(), second); err != nil {
		t.Errorf("the renewed certificate: %v", err)
	}
	if err := health(listener.Addr().String(), first); err == nil {
		t.Error("the old certificate is still served")
	}
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

func health(address string, trusted *x509.CertPool) error {
	client := http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{
		DisableKeepAlives: true, TLSClientConfig: &tls.Config{RootCAs: trusted},
	}}
	answer, err := client.Get("https://" + address + "/health")
	if err != nil {
		return err
	}
	return answer.Body.Close()
}

func certificate(t *testing.T, dir string) (certFile, keyFile string, trusted *x509.CertPool) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	certFile, keyFile = filepath.Join(dir, "tls.crt"), filepath.Join(dir, "tls.key")
	certPEM := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	for file, content := range map[string][]byte{certFile: certPEM, keyFile: pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER})} {
		if err := os.WriteFile(file, content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	trusted = x509.NewCertPool()
	trusted.AppendCertsFromPEM(certPEM)
	return certFile, keyFile, trusted
}
