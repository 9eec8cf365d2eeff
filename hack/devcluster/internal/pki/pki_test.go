package pki

import (
	"crypto/tls"
	"crypto/x509"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

func TestIssuedCertificates(t *testing.T) {
	dir := t.TempDir()
	authority, err := NewAuthority(dir, "ca")
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	ca, err := os.ReadFile(filepath.Join(dir, "ca.crt"))
	if err != nil || !roots.AppendCertsFromPEM(ca) {
		t.Fatalf("authority: %v", err)
	}
	tests := []struct {
		name    string
		request Request
		usage   x509.ExtKeyUsage
		host    string
		valid   bool
	}{
		{"client", Request{File: "u", User: "alice", Groups: []string{"team"}}, x509.ExtKeyUsageClientAuth, "", true},
		{"client is no server", Request{File: "u", User: "alice"}, x509.ExtKeyUsageServerAuth, "", false},
		{"server by name", Request{File: "s", User: "s", Hosts: []string{"a.svc", "192.0.2.1"}}, x509.ExtKeyUsageServerAuth, "a.svc", true},
		{"server by address", Request{File: "s", User: "s", Hosts: []string{"a.svc", "192.0.2.1"}}, x509.ExtKeyUsageServerAuth, "192.0.2.1", true},
		{"server under another name", Request{File: "s", User: "s", Hosts: []string{"a.svc"}}, x509.ExtKeyUsageServerAuth, "b.svc", false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if err := authority.Issue(test.request); err != nil {
				t.Fatal(err)
			}
			file := filepath.Join(dir, test.request.File)
			pair, err := tls.LoadX509KeyPair(file+".crt", file+".key")
			if err != nil {
				t.Fatal(err)
			}
			leaf := pair.Leaf
			_, err = leaf.Verify(x509.VerifyOptions{Roots: roots, DNSName: test.host, KeyUsages: []x509.ExtKeyUsage{test.usage}})
			if (err == nil) != test.valid {
				t.Errorf("verify: %v, want valid = %v", err, test.valid)
			}
			if leaf.Subject.CommonName != test.request.User || !slices.Equal(leaf.Subject.Organization, test.request.Groups) {
				t.Errorf("subject = %v", leaf.Subject)
			}
		})
	}
}

func TestKeysAreReadableByTheirOwnerOnly(t *testing.T) {
	dir := t.TempDir()
	if _, err := NewAuthority(dir, "ca"); err != nil {
		t.Fatal(err)
	}
	if err := NewSigningKey(dir, "tokens"); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"ca.key", "tokens.key"} {
		info, err := os.Stat(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %s", name, info.Mode())
		}
	}
}
