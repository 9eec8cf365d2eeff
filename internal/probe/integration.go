package probe

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"
	"unicode"

	"golang.org/x/sync/errgroup"

	"github.com/affineur/affineur/internal/evidence"
)

const (
	// maxSecret bounds a credential or a CA file.
	maxSecret = 1 << 20
	// maxHeaders bounds the headers of an answer.
	maxHeaders = 64 << 10
	userAgent  = "affineur-gate-runner"
)

// Integration asks all systems at the same time, again until they work or the deadline has passed, and meanwhile
// tries the targets that should be out of reach. The guard is asked about every address that a name resolves to. The
// error is the context's: a run that was stopped measured nothing.
func Integration(ctx context.Context, spec evidence.IntegrationSpec, guard Guard) (*evidence.IntegrationReport, error) {
	report := &evidence.IntegrationReport{Checks: make([]evidence.CheckResult, len(spec.Checks))}
	deadline := time.Now().Add(spec.Deadline.Std())
	g, ctx := errgroup.WithContext(ctx)
	for i, c := range spec.Checks {
		g.Go(func() (err error) {
			report.Checks[i], err = insist(ctx, c, guard, deadline)
			return err
		})
	}
	g.Go(func() (err error) {
		c := newCourse(Here{}, spec.Unreachable)
		defer c.alone(0, spec.Deadline.Std())()
		report.Unreachable, err = c.followAll(ctx, spec.Unreachable)
		return err
	})
	if err := g.Wait(); err != nil {
		return nil, err
	}
	return report, nil
}

// insist makes one check until it succeeds or the deadline has passed.
func insist(ctx context.Context, c evidence.Check, guard Guard, deadline time.Time) (evidence.CheckResult, error) {
	for attempts := 1; ; attempts++ {
		r := checkOnce(ctx, c, guard)
		if ctx.Err() != nil {
			return r, ctx.Err()
		}
		r.Attempts = attempts
		if r.OK || !time.Now().Before(deadline) {
			return r, nil
		}
		if err := wait(ctx, pause, nil); err != nil {
			return r, err
		}
	}
}

func checkOnce(ctx context.Context, c evidence.Check, guard Guard) evidence.CheckResult {
	ctx, cancel := context.WithTimeout(ctx, c.Timeout.Std())
	defer cancel()
	r := evidence.CheckResult{Name: c.Name}
	began := time.Now()
	r.Class, r.Detail = check(ctx, c, guard, &r)
	r.ElapsedMicroseconds = evidence.MicrosOf(time.Since(began))
	r.OK = r.Class == evidence.ClassNone
	return r
}

// check asks one system once and returns the class of what went wrong, and detail in fixed words.
func check(ctx context.Context, c evidence.Check, guard Guard, r *evidence.CheckResult) (evidence.Class, string) {
	u, err := url.Parse(c.Address)
	if err != nil {
		return evidence.ClassLocal, "the address is not a URL"
	}
	address := net.JoinHostPort(u.Hostname(), portOf(u))
	config, err := tlsConfig(c, u.Hostname())
	if err != nil {
		return evidence.ClassLocal, "the file with the certificate authority can't be used"
	}
	switch c.Kind {
	case evidence.CheckTCP:
		conn, err := guard.DialContext(ctx, "tcp", address)
		if err == nil {
			_ = conn.Close()
		}
		return explain(err)
	case evidence.CheckTLS:
		err := handshake(ctx, guard, address, config, r)
		noteExpiry(r, err)
		return explainAnswer(err)
	}
	return askHTTP(ctx, c, guard, u.Host, config, r)
}

// explain adds to the class of an error what a person needs to mend it, in words of our own.
func explain(err error) (evidence.Class, string) {
	class := Classify(err)
	switch class {
	case evidence.ClassCertificate:
		return class, certificateProblem(err)
	case evidence.ClassForbiddenAddress:
		return class, "the name resolves to a loopback, link-local, multicast or metadata address"
	}
	return class, ""
}

// explainAnswer is explain for errors of a conversation, where an error that fits nowhere else is the other side's.
func explainAnswer(err error) (evidence.Class, string) {
	class, detail := explain(err)
	if class == evidence.ClassOther {
		class = evidence.ClassProtocol
	}
	return class, detail
}

func portOf(u *url.URL) string {
	switch {
	case u.Port() != "":
		return u.Port()
	case u.Scheme == "http":
		return "80"
	}
	return "443"
}

func tlsConfig(c evidence.Check, host string) (*tls.Config, error) {
	config := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: host}
	if c.ServerName != "" {
		config.ServerName = c.ServerName
	}
	if c.CAFile == "" {
		return config, nil
	}
	pem, err := readSmall(c.CAFile)
	if err != nil {
		return nil, err
	}
	config.RootCAs = x509.NewCertPool()
	if !config.RootCAs.AppendCertsFromPEM(pem) {
		return nil, errors.New("no certificate in the file")
	}
	return config, nil
}

func readSmall(name string) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	return io.ReadAll(io.LimitReader(f, maxSecret))
}

func handshake(ctx context.Context, guard Guard, address string, config *tls.Config, r *evidence.CheckResult) error {
	raw, err := guard.DialContext(ctx, "tcp", address)
	if err != nil {
		return err
	}
	defer func() { _ = raw.Close() }()
	conn := tls.Client(raw, config)
	if err := conn.HandshakeContext(ctx); err != nil {
		return err
	}
	noteCertificate(r, conn.ConnectionState().PeerCertificates)
	return nil
}

// noteExpiry keeps the end of a certificate that was refused, which is often the reason.
func noteExpiry(r *evidence.CheckResult, err error) {
	var verify *tls.CertificateVerificationError
	if errors.As(err, &verify) {
		noteCertificate(r, verify.UnverifiedCertificates)
	}
}

func noteCertificate(r *evidence.CheckResult, chain []*x509.Certificate) {
	if len(chain) > 0 {
		end := chain[0].NotAfter.UTC()
		r.CertificateExpires = &end
	}
}

// askHTTP sends one GET. Redirects are not followed and no proxy is used: both would take the probe, and its
// credential, somewhere that the catalogue does not name. The body of the answer is not read.
func askHTTP(ctx context.Context, c evidence.Check, guard Guard, host string, config *tls.Config, r *evidence.CheckResult) (evidence.Class, string) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, string(c.Kind)+"://"+host+c.Path, nil)
	if err != nil {
		return evidence.ClassLocal, "the path is not one"
	}
	req.Header.Set("User-Agent", userAgent)
	if c.Credential != nil {
		if err := attach(req.Header, *c.Credential); err != nil {
			return evidence.ClassLocal, "the credential can't be used"
		}
	}
	transport := &http.Transport{DialContext: guard.DialContext, TLSClientConfig: config, DisableKeepAlives: true, MaxResponseHeaderBytes: maxHeaders}
	resp, err := transport.RoundTrip(req)
	if err != nil {
		noteExpiry(r, err)
		return explainAnswer(err)
	}
	defer func() { _ = resp.Body.Close() }()
	r.Status = resp.StatusCode
	if resp.TLS != nil {
		noteCertificate(r, resp.TLS.PeerCertificates)
	}
	if !statusFits(resp.StatusCode, c.ExpectStatus) {
		return evidence.ClassStatus, ""
	}
	return evidence.ClassNone, ""
}

func statusFits(got, want int) bool {
	if want == 0 {
		return got >= 200 && got <= 299
	}
	return got == want
}

func attach(h http.Header, c evidence.Credential) error {
	raw, err := readSmall(c.File)
	if err != nil {
		return err
	}
	secret := string(bytes.TrimSpace(raw))
	if secret == "" || strings.ContainsFunc(secret, unicode.IsControl) {
		return errors.New("the credential is empty or more than one line")
	}
	if c.Header == "" {
		h.Set("Authorization", "Bearer "+secret)
		return nil
	}
	h.Set(c.Header, secret)
	return nil
}
