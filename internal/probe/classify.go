package probe

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"syscall"
	"time"

	"github.com/affineur/affineur/internal/evidence"
)

// bySystemError maps what the kernel says to a class. Only errors with one meaning are in it.
var bySystemError = []struct {
	errno syscall.Errno
	class evidence.Class
}{
	{syscall.ECONNREFUSED, evidence.ClassRefused},
	{syscall.EHOSTUNREACH, evidence.ClassNoRoute},
	{syscall.ENETUNREACH, evidence.ClassNoRoute},
	{syscall.EPERM, evidence.ClassDenied},
	{syscall.EACCES, evidence.ClassDenied},
	{syscall.ETIMEDOUT, evidence.ClassTimeout},
	{syscall.ECONNRESET, evidence.ClassUnanswered},
	{syscall.ECONNABORTED, evidence.ClassUnanswered},
	{syscall.EPIPE, evidence.ClassUnanswered},
	{syscall.EMFILE, evidence.ClassLocal},
	{syscall.ENFILE, evidence.ClassLocal},
	{syscall.ENOBUFS, evidence.ClassLocal},
	{syscall.ENOMEM, evidence.ClassLocal},
	{syscall.EADDRNOTAVAIL, evidence.ClassLocal},
	{syscall.EAFNOSUPPORT, evidence.ClassLocal},
}

// Classify says how an attempt ended, from its error. Texts of errors are not looked at and not kept: they may quote
// what a server sent.
func Classify(err error) evidence.Class {
	var dns *net.DNSError
	var timeout net.Error
	switch {
	case err == nil:
		return evidence.ClassNone
	case errors.Is(err, ErrForbiddenAddress):
		return evidence.ClassForbiddenAddress
	case errors.Is(err, context.Canceled):
		return evidence.ClassLocal
	case errors.As(err, &dns):
		return evidence.ClassDNS
	case certificateProblem(err) != "":
		return evidence.ClassCertificate
	}
	for _, s := range bySystemError {
		if errors.Is(err, s.errno) {
			return s.class
		}
	}
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded), errors.Is(err, context.DeadlineExceeded),
		errors.As(err, &timeout) && timeout.Timeout():
		return evidence.ClassTimeout
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return evidence.ClassUnanswered
	case isProtocolError(err):
		return evidence.ClassProtocol
	}
	return evidence.ClassOther
}

func isProtocolError(err error) bool {
	var record tls.RecordHeaderError
	return errors.As(err, &record) || errors.Is(err, http.ErrSchemeMismatch)
}

// certificateProblem says in fixed words what is wrong with a certificate, or "" when the error is about none.
func certificateProblem(err error) string {
	var (
		invalid   x509.CertificateInvalidError
		name      x509.HostnameError
		authority x509.UnknownAuthorityError
		verify    *tls.CertificateVerificationError
	)
	switch {
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		return outOfTime(err, invalid.Cert, time.Now())
	case errors.As(err, &name):
		return "the certificate is made out to another name"
	case errors.As(err, &authority):
		return "the certificate is signed by an authority that is not trusted"
	case errors.As(err, &verify), errors.As(err, &invalid):
		return "the certificate could not be verified"
	}
	return ""
}

// outOfTime says which of the two a certificate is, and whose it is.
func outOfTime(err error, bad *x509.Certificate, now time.Time) string {
	var verify *tls.CertificateVerificationError
	whose := "the certificate"
	if bad != nil && errors.As(err, &verify) && len(verify.UnverifiedCertificates) > 0 && !verify.UnverifiedCertificates[0].Equal(bad) {
		whose = "the certificate of its authority"
	}
	if bad != nil && now.Before(bad.NotBefore) {
		return whose + " is not yet valid"
	}
	return whose + " has expired"
}
