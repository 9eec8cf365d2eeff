package probe

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/affineur/affineur/internal/evidence"
)

// authority is a certificate authority of one test.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	file string
}

func newAuthority(t *testing.T, from, to time.Time) authority {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "authority"}, NotBefore: from, NotAfter: to,
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return authority{cert, key, writeFile(t, "ca.crt", string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})))}
}

// server answers over TLS with a certificate for lms.example.org.
func (a authority) server(t *testing.T, from, to time.Time, newest uint16, edits ...func(*tls.Config)) string {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(2), NotBefore: from, NotAfter: to, DNSNames: []string{"lms.example.org"},
		KeyUsage: x509.KeyUsageDigitalSignature}
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, key.Public(), a.key)
	if err != nil {
		t.Fatal(err)
	}
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusOK) }))
	s.TLS = &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}, MinVersion: tls.VersionTLS10, MaxVersion: newest}
	for _, edit := range edits {
		edit(s.TLS)
	}
	s.StartTLS()
	t.Cleanup(s.Close)
	return s.Listener.Addr().String()
}

func TestTLSSaysExactly(t *testing.T) {
	now := time.Now()
	past, soon, later := now.Add(-48*time.Hour), now.Add(24*time.Hour), now.Add(240*time.Hour)
	good, other := newAuthority(t, past, later), newAuthority(t, past, later)
	ending := newAuthority(t, past, soon)
	ended := newAuthority(t, past, now.Add(-time.Hour))
	for name, c := range map[string]struct {
		address, ca, min string
		class            evidence.Class
		detail, version  string
		ends             time.Time
	}{
		"good":                 {good.server(t, past, later, tls.VersionTLS13), good.file, "1.3", "", "", "1.3", later},
		"the authority ends":   {ending.server(t, past, later, tls.VersionTLS13), ending.file, "", "", "", "1.3", soon},
		"expired":              {good.server(t, past, now.Add(-time.Hour), tls.VersionTLS13), good.file, "", evidence.ClassCertificate, "the certificate has expired", "", now.Add(-time.Hour)},
		"not yet":              {good.server(t, soon, later, tls.VersionTLS13), good.file, "", evidence.ClassCertificate, "the certificate is not yet valid", "", later},
		"the authority ended":  {ended.server(t, past, later, tls.VersionTLS13), ended.file, "", evidence.ClassCertificate, "the certificate of its authority has expired", "", later},
		"unknown authority":    {good.server(t, past, later, tls.VersionTLS13), other.file, "", evidence.ClassCertificate, "the certificate is signed by an authority that is not trusted", "", later},
		"1.2 where 1.3 is due": {good.server(t, past, later, tls.VersionTLS12), good.file, "1.3", evidence.ClassTLSVersion, "", "1.2", time.Time{}},
		"1.2 is enough":        {good.server(t, past, later, tls.VersionTLS12), good.file, "1.2", "", "", "1.2", later},
		"1.1":                  {good.server(t, past, later, tls.VersionTLS11), good.file, "", evidence.ClassTLSVersion, "", "1.1", time.Time{}},
	} {
		for _, kind := range []evidence.CheckKind{evidence.CheckTLS, evidence.CheckHTTPS} {
			check := evidence.Check{Name: "lms", Kind: kind, Address: "tls://" + c.address, ServerName: "lms.example.org", CAFile: c.ca,
				MinTLS: c.min, Timeout: evidence.Duration(5 * time.Second)}
			if kind == evidence.CheckHTTPS {
				check.Path = "/"
			}
			got := one(t, check)
			if got.Class != c.class || got.Detail != c.detail || got.TLSVersion != c.version {
				t.Errorf("%s over %s: %+v", name, kind, got)
			}
			if (got.CertificateExpires == nil) != c.ends.IsZero() || got.CertificateExpires != nil && got.CertificateExpires.Sub(c.ends).Abs() > time.Second {
				t.Errorf("%s over %s: ends %v, want %v", name, kind, got.CertificateExpires, c.ends)
			}
		}
	}
}

// A server that wants a certificate of the client says so only after a handshake of TLS 1.3.
func TestAServerThatWantsACertificateIsNoWay(t *testing.T) {
	now := time.Now()
	good := newAuthority(t, now.Add(-time.Hour), now.Add(time.Hour))
	for name, c := range map[string]struct {
		asks tls.ClientAuthType
		most uint16
		ok   bool
	}{
		"required over 1.3":      {tls.RequireAnyClientCert, tls.VersionTLS13, false},
		"required over 1.2":      {tls.RequireAnyClientCert, tls.VersionTLS12, false},
		"asked for and optional": {tls.RequestClientCert, tls.VersionTLS13, true},
	} {
		address := good.server(t, now.Add(-time.Hour), now.Add(time.Hour), c.most, func(config *tls.Config) { config.ClientAuth = c.asks })
		for _, kind := range []evidence.CheckKind{evidence.CheckTLS, evidence.CheckHTTPS} {
			check := evidence.Check{Name: "lms", Kind: kind, Address: "tls://" + address, ServerName: "lms.example.org", CAFile: good.file, Timeout: evidence.Duration(5 * time.Second)}
			if kind == evidence.CheckHTTPS {
				check.Path = "/"
			}
			if got := one(t, check); got.OK != c.ok || !c.ok && got.Class != evidence.ClassProtocol {
				t.Errorf("%s over %s: %+v", name, kind, got)
			}
		}
	}
}

// one makes a check once.
func one(t *testing.T, check evidence.Check) evidence.CheckResult {
	t.Helper()
	r, err := Integration(t.Context(), evidence.IntegrationSpec{Checks: []evidence.Check{check}, Deadline: 1}, Here{Guard: anywhere})
	if err != nil {
		t.Fatal(err)
	}
	wantValid(t, evidence.Report{Result: r})
	wantNothingLeaked(t, r)
	return r.Checks[0]
}

func TestAnswersAreJudged(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", r.URL.Query().Get("as"))
		switch r.URL.Path {
		case "/good":
			_, _ = w.Write([]byte(`{"status":"ok","private-answer":1}`))
		case "/bad":
			_, _ = w.Write([]byte(`{"status":"private-answer"}`))
		case "/long":
			_, _ = w.Write([]byte(`{"status":"ok"}` + strings.Repeat(" ", 1<<20)))
		case "/cut":
			w.Header().Set("Content-Length", "1000")
			_, _ = w.Write([]byte(`{"status":"ok"}`))
		}
	}))
	defer s.Close()
	schema := &evidence.ExpectedAnswer{Schema: "{required: [status], properties: {status: {const: ok}}}"}
	document := writeFile(t, "openapi.yaml", `
openapi: 3.0.3
info: {title: lms, version: "1"}
paths:
  /good: {get: {operationId: good, responses: {"200": {description: ok, content: {application/json: {schema: {type: object, required: [status]}}}}}}}
  /bad: {get: {operationId: bad, responses: {"200": {description: ok, content: {application/json: {schema: {type: object, required: [since]}}}}}}}
`)
	operation := func(name string) *evidence.ExpectedAnswer {
		return &evidence.ExpectedAnswer{Document: document, Operation: name}
	}
	for name, c := range map[string]struct {
		method, path string
		answer       *evidence.ExpectedAnswer
		class        evidence.Class
		detail       string
	}{
		"fits the schema":     {"GET", "/good", schema, "", ""},
		"violates it":         {"GET", "/bad", schema, evidence.ClassAnswer, "status violates const"},
		"too long to tell":    {"GET", "/long", schema, evidence.ClassAnswer, "the answer is longer than 1 MiB"},
		"cut off":             {"GET", "/cut", schema, evidence.ClassUnanswered, ""},
		"nothing":             {"GET", "/none", schema, evidence.ClassAnswer, "the answer violates JSON"},
		"the type":            {"GET", "/good?as=application/json%3Bcharset=utf-8", &evidence.ExpectedAnswer{ContentType: "application/json"}, "", ""},
		"another type":        {"GET", "/good?as=text/html", &evidence.ExpectedAnswer{ContentType: "application/json"}, evidence.ClassAnswer, "the content type is another"},
		"the type of a head":  {"HEAD", "/good?as=application/json", &evidence.ExpectedAnswer{ContentType: "application/json"}, "", ""},
		"fits the operation":  {"GET", "/good?as=application/json", operation("good"), "", ""},
		"violates it in JSON": {"GET", "/bad?as=application/json", operation("bad"), evidence.ClassAnswer, "since violates required"},
		"no such operation":   {"GET", "/good", operation("ugly"), evidence.ClassLocal, "the OpenAPI document can't be used: the document has no such operation"},
		"another's operation": {"GET", "/good", operation("bad"), evidence.ClassLocal, "the OpenAPI document can't be used: the operation has another path than the check"},
		"no document":         {"GET", "/good", &evidence.ExpectedAnswer{Document: document + "x", Operation: "good"}, evidence.ClassLocal, "the file with the OpenAPI document can't be read"},
		"a schema that is none": {"GET", "/good", &evidence.ExpectedAnswer{Schema: "$ref: https://example.org"}, evidence.ClassLocal,
			"the schema can't be used: it can't be read, refers to another document, or is not valid"},
	} {
		got := one(t, evidence.Check{Name: "lms", Kind: "http", Address: s.URL, Method: c.method, Path: c.path, ExpectStatus: 200, Answer: c.answer,
			Timeout: evidence.Duration(5 * time.Second)})
		if got.Class != c.class || got.Detail != c.detail {
			t.Errorf("%s: %+v", name, got)
		}
		if judged := c.answer.Operation != "" && c.class != evidence.ClassLocal; judged && got.Document == "" {
			t.Errorf("%s: the report does not say by which document: %+v", name, got)
		}
	}
}

// A POST that reached the system is not sent again, whatever came of it; one that did not is.
func TestPostIsNotRepeated(t *testing.T) {
	var asked atomic.Int32
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Content-Type") == "application/json" {
			asked.Add(1)
		}
		w.WriteHeader(http.StatusServiceUnavailable)
	}))
	check := evidence.Check{Name: "lms", Kind: "http", Address: s.URL, Method: "POST", Path: "/", Body: "{}", Timeout: evidence.Duration(time.Second)}
	spec := evidence.IntegrationSpec{Checks: []evidence.Check{check}, Deadline: evidence.Duration(time.Minute)}
	r, err := Integration(t.Context(), spec, Here{Guard: anywhere})
	if err != nil {
		t.Fatal(err)
	}
	if got := r.Checks[0]; got.Attempts != 1 || asked.Load() != 1 || got.Status != 503 {
		t.Errorf("sent %d times: %+v", asked.Load(), got)
	}
	s.Close()
	spec.Deadline = evidence.Duration(700 * time.Millisecond)
	if r, err = Integration(t.Context(), spec, Here{Guard: anywhere}); err != nil {
		t.Fatal(err)
	}
	if got := r.Checks[0]; got.Attempts < 2 || got.Class != evidence.ClassRefused {
		t.Errorf("what never got there is not tried again: %+v", got)
	}
}
