package probe

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"math/big"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/affineur/affineur/internal/evidence"
)

// Whether a credential is needed shows when the same is asked without it.
func TestIsTheCredentialNeeded(t *testing.T) {
	var asked atomic.Int32
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		switch known := r.Header.Get("Authorization") != ""; {
		case r.URL.Path == "/needs" && !known:
			w.WriteHeader(http.StatusUnauthorized)
		case r.URL.Path == "/differs" && !known:
			_, _ = w.Write([]byte(`{"private-answer":"sign in"}`))
		default:
			_, _ = w.Write([]byte(`{"status":"ok"}`))
		}
	}))
	defer s.Close()
	credential := &evidence.Credential{File: writeFile(t, "token", "s3cret")}
	answer := &evidence.ExpectedAnswer{Schema: "{required: [status]}"}
	for name, c := range map[string]struct {
		method, path string
		credential   *evidence.Credential
		needless     bool
		asked        int32
	}{
		"anybody gets an answer": {"GET", "/", credential, true, 2}, "only who knows": {"GET", "/needs", credential, false, 2},
		"who does not gets another answer": {"GET", "/differs", credential, false, 2},
		"a POST is sent once":              {"POST", "/", credential, false, 1}, "none is shown": {"GET", "/", nil, false, 1},
	} {
		asked.Store(0)
		got := one(t, evidence.Check{Name: "lms", Kind: "http", Address: s.URL, Method: c.method, Path: c.path, Answer: answer, Credential: c.credential,
			Timeout: evidence.Duration(5 * time.Second)})
		if !got.OK || got.WithoutCredential != c.needless || asked.Load() != c.asked || got.Attempts != 1 {
			t.Errorf("%s: asked %d times, %+v", name, asked.Load(), got)
		}
	}
}

// An answer of which only the status counts has to come all the same.
func TestAnAnswerThatBreaksOffIsNone(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/cut":
			w.Header().Set("Content-Length", "1000")
			_, _ = w.Write([]byte("begun"))
		case "/long":
			_, _ = w.Write(bytes.Repeat([]byte("x"), 2*maxBeginning))
			w.(http.Flusher).Flush()
			<-r.Context().Done()
		case "/events":
			w.Header().Set("Content-Type", "text/event-stream; charset=utf-8")
			fallthrough
		case "/stuck":
			w.WriteHeader(http.StatusOK)
			w.(http.Flusher).Flush()
			<-r.Context().Done()
		}
	}))
	defer s.Close()
	for path, want := range map[string]evidence.Class{"/cut": evidence.ClassUnanswered, "/stuck": evidence.ClassTimeout, "/events": "", "/long": "", "/none": ""} {
		got := one(t, evidence.Check{Name: "lms", Kind: "http", Address: s.URL, Path: path, Timeout: evidence.Duration(time.Second)})
		if got.Class != want || got.Status != http.StatusOK {
			t.Errorf("%s: %+v, want %q", path, got, want)
		}
	}
}

// Some servers speak HTTP/2 and nothing else.
func TestHTTP2(t *testing.T) {
	now := time.Now()
	good := newAuthority(t, now.Add(-time.Hour), now.Add(time.Hour))
	address := good.server(t, now.Add(-time.Hour), now.Add(time.Hour), tls.VersionTLS13, func(config *tls.Config) {
		config.NextProtos = []string{"h2"}
		config.GetConfigForClient = func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
			if !slices.Contains(hello.SupportedProtos, "h2") {
				return nil, errors.New("nothing but HTTP/2 is spoken here")
			}
			return nil, nil
		}
	})
	got := one(t, evidence.Check{Name: "lms", Kind: "https", Address: "https://" + address, Path: "/", ServerName: "lms.example.org", CAFile: good.file,
		Timeout: evidence.Duration(5 * time.Second)})
	if !got.OK || got.Status != http.StatusOK || got.TLSVersion != "1.3" || got.CertificateExpires == nil {
		t.Errorf("got %+v", got)
	}
}

// between is an authority whose certificate another one signed, and that certificate.
func (a authority) between(t *testing.T) (authority, []byte) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(7), Subject: pkix.Name{CommonName: "between"}, NotBefore: a.cert.NotBefore, NotAfter: a.cert.NotAfter,
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, key.Public(), a.key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return authority{cert, key, a.file}, der
}

// A chain that lacks a certificate is told from one that leads to an authority which nobody trusts.
func TestAnIncompleteChain(t *testing.T) {
	from, to := time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
	root, other := newAuthority(t, from, to), newAuthority(t, from, to)
	between, sent := root.between(t)
	with := func(more ...[]byte) func(*tls.Config) {
		return func(config *tls.Config) {
			config.Certificates[0].Certificate = append(config.Certificates[0].Certificate, more...)
		}
	}
	for name, c := range map[string]struct {
		address, ca string
		class       evidence.Class
	}{
		"complete":                        {between.server(t, from, to, tls.VersionTLS13, with(sent)), root.file, ""},
		"one is missing":                  {between.server(t, from, to, tls.VersionTLS13), root.file, evidence.ClassIncompleteChain},
		"one is missing, and none named":  {between.server(t, from, to, tls.VersionTLS13), "", evidence.ClassIncompleteChain},
		"to its end, which nobody trusts": {between.server(t, from, to, tls.VersionTLS13, with(sent, root.cert.Raw)), other.file, evidence.ClassCertificate},
		"to a root of the name only":      {between.server(t, from, to, tls.VersionTLS13, with(sent)), other.file, evidence.ClassCertificate},
	} {
		for _, kind := range []evidence.CheckKind{evidence.CheckTLS, evidence.CheckHTTPS} {
			check := evidence.Check{Name: "lms", Kind: kind, Address: "tls://" + c.address, ServerName: "lms.example.org", CAFile: c.ca, Timeout: evidence.Duration(5 * time.Second)}
			if kind == evidence.CheckHTTPS {
				check.Path = "/"
			}
			if got := one(t, check); got.Class != c.class || (got.Detail == "") != got.OK || got.CertificateExpires == nil {
				t.Errorf("%s over %s: %+v", name, kind, got)
			}
		}
	}
}
