package probe

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"slices"
	"time"

	"github.com/affineur/affineur/internal/evidence"
)

func tlsConfig(c evidence.Check, host string) (*tls.Config, error) {
	config := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: host}
	if c.MinTLS == "1.3" {
		config.MinVersion = tls.VersionTLS13
	}
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
	note(r, conn.ConnectionState())
	return afterwards(conn)
}

// afterthought is how long it is listened for a refusal after a handshake.
const afterthought = 300 * time.Millisecond

// afterwards listens for a refusal: with TLS 1.3 a server looks at what the client has shown, such as no certificate at
// all, only when the client has ended the handshake (RFC 8446, section 4.4.2.4). One that waits for a question, or ends the
// conversation without a complaint, has refused nothing.
func afterwards(conn *tls.Conn) error {
	if err := conn.SetReadDeadline(time.Now().Add(afterthought)); err != nil {
		return err
	}
	_, err := conn.Read(make([]byte, 1))
	var refused *net.OpError
	if errors.As(err, &refused) && refused.Op == "remote error" {
		return err
	}
	return nil
}

// explainTLS is explain for errors of a conversation, where an error that fits nowhere else is the other side's. A
// handshake that broke down is tried once more with the versions that are too old, to say so: nothing is sent over it.
func explainTLS(ctx context.Context, guard Guard, address string, config *tls.Config, err error, r *evidence.CheckResult) (evidence.Class, string) {
	noteRefused(r, err)
	class, detail := explain(err)
	switch {
	case class == evidence.ClassOther:
		class = evidence.ClassProtocol
	case class == evidence.ClassCertificate && incomplete(err, config.RootCAs):
		return evidence.ClassIncompleteChain, "the certificate is signed by an authority that is neither trusted nor sent along"
	}
	if class != evidence.ClassProtocol && class != evidence.ClassUnanswered {
		return class, detail
	}
	old := config.Clone()
	// What is looked for is a version. Whether the certificate is right does not matter before that is.
	old.MinVersion, old.MaxVersion, old.InsecureSkipVerify = tls.VersionTLS10, config.MinVersion-1, true
	var spoken evidence.CheckResult
	if handshake(ctx, guard, address, old, &spoken) != nil {
		return class, detail
	}
	r.TLSVersion = spoken.TLSVersion
	return evidence.ClassTLSVersion, ""
}

// incomplete tells whether a certificate was refused for want of one above it: the chain that was sent ends with one whose
// authority was not sent and is none of the roots, by name.
func incomplete(err error, roots *x509.CertPool) bool {
	var unknown x509.UnknownAuthorityError
	var verify *tls.CertificateVerificationError
	if !errors.As(err, &unknown) || !errors.As(err, &verify) || len(verify.UnverifiedCertificates) == 0 {
		return false
	}
	last, rest := verify.UnverifiedCertificates[0], verify.UnverifiedCertificates[1:]
	for {
		at := slices.IndexFunc(rest, func(c *x509.Certificate) bool { return bytes.Equal(c.RawSubject, last.RawIssuer) })
		if at < 0 {
			break
		}
		last, rest = rest[at], slices.Delete(slices.Clone(rest), at, at+1)
	}
	if bytes.Equal(last.RawIssuer, last.RawSubject) {
		return false
	}
	if roots == nil {
		return true
	}
	//nolint:staticcheck // the pool is of a file, and its subjects are all of them
	return !slices.ContainsFunc(roots.Subjects(), func(subject []byte) bool { return bytes.Equal(subject, last.RawIssuer) })
}

// note keeps the version that was spoken, and when the chain ends by which the certificate was verified.
func note(r *evidence.CheckResult, state tls.ConnectionState) {
	r.TLSVersion = versions[state.Version]
	var best time.Time
	for _, chain := range state.VerifiedChains {
		if end := ending(chain); end.After(best) {
			best = end
		}
	}
	if best.IsZero() {
		best = ending(state.PeerCertificates[:min(len(state.PeerCertificates), 1)])
	}
	if !best.IsZero() {
		r.CertificateExpires = &best
	}
}

var versions = map[uint16]string{tls.VersionTLS10: "1.0", tls.VersionTLS11: "1.1", tls.VersionTLS12: "1.2", tls.VersionTLS13: "1.3"}

// ending is when the first certificate of a chain ends.
func ending(chain []*x509.Certificate) time.Time {
	var end time.Time
	for _, certificate := range chain {
		if end.IsZero() || certificate.NotAfter.Before(end) {
			end = certificate.NotAfter.UTC()
		}
	}
	return end
}

// noteRefused keeps the end of a certificate that was refused, which is often the reason.
func noteRefused(r *evidence.CheckResult, err error) {
	var verify *tls.CertificateVerificationError
	if errors.As(err, &verify) && len(verify.UnverifiedCertificates) > 0 {
		end := verify.UnverifiedCertificates[0].NotAfter.UTC()
		r.CertificateExpires = &end
	}
}
