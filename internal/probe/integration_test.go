package probe

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/affineur/affineur/internal/evidence"
)

// anywhere lets tests talk to their own servers on loopback.
func anywhere(netip.Addr) error { return nil }

func writeFile(t *testing.T, name, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// selfSigned makes a certificate for a name that ends at notAfter.
func selfSigned(t *testing.T, name string, notAfter time.Time) (tls.Certificate, string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: notAfter.Add(-48 * time.Hour), NotAfter: notAfter,
		DNSNames: []string{name}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	ca := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, writeFile(t, "ca.crt", string(ca))
}

func serveTLS(t *testing.T, cert tls.Certificate) *httptest.Server {
	t.Helper()
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusOK) }))
	s.TLS = &tls.Config{Certificates: []tls.Certificate{cert}}
	s.Config.ErrorLog = nil
	s.StartTLS()
	t.Cleanup(s.Close)
	return s
}

func tcpAddress(s *httptest.Server, scheme string) string {
	return scheme + "://" + s.Listener.Addr().String()
}

func TestIntegrationChecks(t *testing.T) {
	plain := httptest.NewServer(system())
	defer plain.Close()
	soon := time.Now().Add(24 * time.Hour)
	goodCert, goodCA := selfSigned(t, "lms.example.org", soon)
	oldCert, oldCA := selfSigned(t, "lms.example.org", time.Now().Add(-time.Hour))
	good, old := serveTLS(t, goodCert), serveTLS(t, oldCert)
	noise := rawServer(t, "SSH-2.0-secret-banner\r\n")
	token := writeFile(t, "token", "s3cret\n")

	for name, c := range map[string]struct {
		check  evidence.Check
		class  evidence.Class
		status int
	}{
		"tcp":            {check: evidence.Check{Kind: "tcp", Address: tcpAddress(plain, "tcp")}},
		"tcp nobody":     {evidence.Check{Kind: "tcp", Address: "tcp://127.0.0.1:1"}, evidence.ClassRefused, 0},
		"unknown name":   {evidence.Check{Kind: "tcp", Address: "tcp://nowhere.invalid:443"}, evidence.ClassDNS, 0},
		"http":           {evidence.Check{Kind: "http", Address: plain.URL, Path: "/health", ExpectStatus: 200}, "", 200},
		"http any 2xx":   {evidence.Check{Kind: "http", Address: plain.URL, Path: "/created"}, "", 201},
		"http by status": {evidence.Check{Kind: "http", Address: plain.URL, Path: "/broken", ExpectStatus: 500}, "", 500},
		"http broken":    {evidence.Check{Kind: "http", Address: plain.URL, Path: "/broken"}, evidence.ClassStatus, 500},
		"http redirect":  {evidence.Check{Kind: "http", Address: plain.URL, Path: "/away", ExpectStatus: 200}, evidence.ClassStatus, 302},
		"http slow":      {evidence.Check{Kind: "http", Address: plain.URL, Path: "/slow"}, evidence.ClassTimeout, 0},
		"http no token":  {evidence.Check{Kind: "http", Address: plain.URL, Path: "/private"}, evidence.ClassStatus, 401},
		"http token": {evidence.Check{Kind: "http", Address: plain.URL, Path: "/private",
			Credential: &evidence.Credential{File: token}}, "", 200},
		"http own header": {evidence.Check{Kind: "http", Address: plain.URL, Path: "/keyed",
			Credential: &evidence.Credential{File: token, Header: "X-Api-Key"}}, "", 200},
		"http no such token": {evidence.Check{Kind: "http", Address: plain.URL, Path: "/private",
			Credential: &evidence.Credential{File: token + "x"}}, evidence.ClassLocal, 0},
		"http two-line token": {evidence.Check{Kind: "http", Address: plain.URL, Path: "/private",
			Credential: &evidence.Credential{File: writeFile(t, "two", "a\nX-Evil: b")}}, evidence.ClassLocal, 0},
		"http to noise": {evidence.Check{Kind: "http", Address: "http://" + noise, Path: "/"}, evidence.ClassProtocol, 0},
		"tls": {check: evidence.Check{Kind: "tls", Address: tcpAddress(good, "tls"), ServerName: "lms.example.org",
			CAFile: goodCA}},
		"https": {evidence.Check{Kind: "https", Address: tcpAddress(good, "https"), Path: "/", ServerName: "lms.example.org",
			CAFile: goodCA}, "", 200},
		"tls other name": {evidence.Check{Kind: "tls", Address: tcpAddress(good, "tls"), ServerName: "crm.example.org",
			CAFile: goodCA}, evidence.ClassCertificate, 0},
		"tls other authority": {evidence.Check{Kind: "tls", Address: tcpAddress(good, "tls"), ServerName: "lms.example.org",
			CAFile: oldCA}, evidence.ClassCertificate, 0},
		"tls expired": {evidence.Check{Kind: "tls", Address: tcpAddress(old, "tls"), ServerName: "lms.example.org",
			CAFile: oldCA}, evidence.ClassCertificate, 0},
		"https expired": {evidence.Check{Kind: "https", Address: tcpAddress(old, "https"), Path: "/", ServerName: "lms.example.org",
			CAFile: oldCA}, evidence.ClassCertificate, 0},
		"tls no CA": {evidence.Check{Kind: "tls", Address: tcpAddress(good, "tls"), CAFile: goodCA + "x"},
			evidence.ClassLocal, 0},
		"tls to plain":   {evidence.Check{Kind: "tls", Address: tcpAddress(plain, "tls")}, evidence.ClassProtocol, 0},
		"https to plain": {evidence.Check{Kind: "https", Address: tcpAddress(plain, "https"), Path: "/"}, evidence.ClassProtocol, 0},
	} {
		t.Run(name, func(t *testing.T) {
			c.check.Name, c.check.Timeout = "system", evidence.Duration(time.Second)
			r, err := Integration(t.Context(), evidence.IntegrationSpec{Checks: []evidence.Check{c.check}, Deadline: 1}, Here{Guard: anywhere})
			if err != nil {
				t.Fatal(err)
			}
			got := r.Checks[0]
			if got.Class != c.class || got.OK != (c.class == "") || got.Status != c.status {
				t.Errorf("got %+v, want class %q, status %d", got, c.class, c.status)
			}
			wantExpiry := c.check.CAFile == goodCA && got.Class != evidence.ClassLocal || c.check.CAFile == oldCA
			if (got.CertificateExpires != nil) != wantExpiry {
				t.Errorf("certificate ends %v", got.CertificateExpires)
			}
			wantValid(t, evidence.Report{Result: r})
			wantNothingLeaked(t, r)
		})
	}
}

// system answers as the paths say, and with a body that must not show up anywhere.
func system() http.Handler {
	reply := func(status int) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(status)
			_, _ = w.Write([]byte("private-answer"))
		}
	}
	when := func(allowed func(*http.Request) bool) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			if allowed(r) {
				reply(http.StatusOK)(w, r)
				return
			}
			reply(http.StatusUnauthorized)(w, r)
		}
	}
	mux := http.NewServeMux()
	mux.Handle("/health", reply(http.StatusOK))
	mux.Handle("/created", reply(http.StatusCreated))
	mux.Handle("/broken", reply(http.StatusInternalServerError))
	mux.Handle("/away", http.RedirectHandler("/health", http.StatusFound))
	mux.Handle("/private", when(func(r *http.Request) bool { return r.Header.Get("Authorization") == "Bearer s3cret" }))
	mux.Handle("/keyed", when(func(r *http.Request) bool { return r.Header.Get("X-Api-Key") == "s3cret" }))
	mux.HandleFunc("/slow", func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	return mux
}

// rawServer says the same to everybody.
func rawServer(t *testing.T, says string) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			_, _ = conn.Write([]byte(says))
			_ = conn.Close()
		}
	}()
	return l.Addr().String()
}

func wantNothingLeaked(t *testing.T, r *evidence.IntegrationReport) {
	t.Helper()
	raw, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	for _, secret := range []string{"s3cret", "private-answer", "secret-banner"} {
		if strings.Contains(string(raw), secret) {
			t.Errorf("%q leaked into %s", secret, raw)
		}
	}
}

func TestIntegrationRefusesSpecialAddresses(t *testing.T) {
	reached := false
	s := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { reached = true }))
	defer s.Close()
	port := strings.TrimPrefix(s.URL, "http://127.0.0.1:")
	// localhost only turns out to be loopback once it is resolved.
	for _, address := range []string{s.URL, "http://localhost:" + port, "http://0.0.0.0:" + port, "http://[::ffff:127.0.0.1]:" + port,
		"http://169.254.169.254:80"} {
		spec := evidence.IntegrationSpec{Deadline: 1, Checks: []evidence.Check{
			{Name: "http", Kind: "http", Address: address, Path: "/", Timeout: evidence.Duration(time.Second)},
			{Name: "tcp", Kind: "tcp", Address: address, Timeout: evidence.Duration(time.Second)},
			{Name: "tls", Kind: "tls", Address: address, Timeout: evidence.Duration(time.Second)},
		}}
		r, err := Integration(t.Context(), spec, Here{Guard: RefuseSpecial})
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range r.Checks {
			if c.Class != evidence.ClassForbiddenAddress {
				t.Errorf("%s over %s: %+v", address, c.Name, c)
			}
		}
	}
	if reached {
		t.Error("a forbidden address was reached")
	}
}

func TestIntegrationInsists(t *testing.T) {
	asked := 0
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if asked++; asked < 3 {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	}))
	defer s.Close()
	check := evidence.Check{Name: "lms", Kind: "http", Address: s.URL, Path: "/", Timeout: evidence.Duration(time.Second)}
	spec := evidence.IntegrationSpec{Checks: []evidence.Check{check}, Deadline: evidence.Duration(20 * time.Second)}
	r, err := Integration(t.Context(), spec, Here{Guard: anywhere})
	if err != nil {
		t.Fatal(err)
	}
	if got := r.Checks[0]; !got.OK || got.Attempts != 3 {
		t.Errorf("got %+v, want success at the third attempt", got)
	}
}

func TestIntegrationTriesTheUnreachable(t *testing.T) {
	port, _ := startCanary(t)
	atNode := evidence.Target{Name: "node", Network: evidence.NetworkTCP, Address: ":" + strconv.Itoa(port), Place: evidence.PlaceNode, Mode: evidence.ModeConnect,
		Settle: evidence.SettleBlocked, Timeout: evidence.Duration(100 * time.Millisecond)}
	spec := evidence.IntegrationSpec{Deadline: evidence.Duration(600 * time.Millisecond), Untried: []string{"hr (its name does not resolve)"},
		Unreachable: []evidence.Target{target("tcp", "echo", port, evidence.SettleBlocked), atNode}}
	r, err := Integration(t.Context(), spec, Here{Guard: anywhere, Node: netip.MustParseAddr("127.0.0.1")})
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"canary", "node"} {
		if got := r.Target(name); got == nil || !got.Reached || !strings.HasPrefix(got.Address, "127.0.0.1:") {
			t.Errorf("%s: got %+v, want reached", name, got)
		}
	}
	if !slices.Equal(r.Untried, spec.Untried) {
		t.Errorf("got %v", r.Untried)
	}
	// Who does not know its node does not try it, and says nothing of it.
	if r, err = Integration(t.Context(), spec, Here{Guard: anywhere}); err != nil || r.Target("node") != nil || r.Target("canary") == nil {
		t.Errorf("got %+v, %v", r, err)
	}
}

// Not even to see whether it is in reach does a runner touch what it must not, but for the metadata service.
func TestIntegrationGuardsTheUnreachable(t *testing.T) {
	port, _ := startCanary(t)
	tried := func(name, address string, mode evidence.Mode) evidence.Target {
		return evidence.Target{Name: name, Network: evidence.NetworkTCP, Address: address, Mode: mode, Settle: evidence.SettleBlocked, Timeout: evidence.Duration(50 * time.Millisecond)}
	}
	spec := evidence.IntegrationSpec{Deadline: evidence.Duration(200 * time.Millisecond), Unreachable: []evidence.Target{
		tried("loopback", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)), evidence.ModeConnect),
		tried("metadata", evidence.MetadataService, evidence.ModeConnect), tried("metadata, and a word", evidence.MetadataService, evidence.ModeEcho),
		tried("another port there", "169.254.169.254:8080", evidence.ModeConnect), tried("in IPv6", "[::ffff:169.254.169.254]:80", evidence.ModeConnect),
	}}
	r, err := Integration(t.Context(), spec, Here{Guard: RefuseSpecial})
	if err != nil {
		t.Fatal(err)
	}
	if len(r.Unreachable) != 1 || r.Unreachable[0].Name != "metadata" {
		t.Errorf("tried %+v", r.Unreachable)
	}
}

func TestIntegrationStops(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	spec := evidence.IntegrationSpec{Deadline: evidence.Duration(time.Minute), Checks: []evidence.Check{
		{Name: "lms", Kind: "tcp", Address: "tcp://127.0.0.1:1", Timeout: evidence.Duration(time.Second)}}}
	if r, err := Integration(ctx, spec, Here{Guard: anywhere}); err == nil {
		t.Errorf("a stopped run measured %+v", r)
	}
}
