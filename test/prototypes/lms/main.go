// Command lms is a small learning-management system: the system of record that prototypes integrate
// with in the demo and the tests.
package main

import (
	"crypto/tls"
	"errors"
	"os"

	"github.com/affineur/affineur/test/prototypes/internal/serve"
	"github.com/affineur/affineur/test/prototypes/lms/server"
)

func main() {
	config, err := tlsConfig(os.Getenv("LMS_TLS_CERT_FILE"), os.Getenv("LMS_TLS_KEY_FILE"))
	if err != nil {
		serve.Fail("lms", err)
	}
	serve.MainTLS("lms", server.New(os.Getenv("LMS_TOKEN_FILE")), config)
}

// tlsConfig is nil for plain HTTP. The files are read at every handshake, so that a renewed
// certificate is served without a restart; they are read once here to fail early.
func tlsConfig(certFile, keyFile string) (*tls.Config, error) {
	if certFile == "" && keyFile == "" {
		return nil, nil
	}
	if certFile == "" || keyFile == "" {
		return nil, errors.New("LMS_TLS_CERT_FILE and LMS_TLS_KEY_FILE go together")
	}
	load := func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
		pair, err := tls.LoadX509KeyPair(certFile, keyFile)
		return &pair, err
	}
	if _, err := load(nil); err != nil {
		return nil, err
	}
	return &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: load}, nil
}
