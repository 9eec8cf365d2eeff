package probe

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"slices"
	"time"

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
// tries the targets that should be out of reach. The guard is asked about every address that a name resolves to, and
// about every target. The error is the context's: a run that was stopped measured nothing.
func Integration(ctx context.Context, spec evidence.IntegrationSpec, at Here) (*evidence.IntegrationReport, error) {
	guard := at.Guard
	report := &evidence.IntegrationReport{Checks: make([]evidence.CheckResult, len(spec.Checks)), Untried: spec.Untried}
	deadline := time.Now().Add(spec.Deadline.Std())
	g, ctx := errgroup.WithContext(ctx)
	for i, c := range spec.Checks {
		g.Go(func() (err error) {
			report.Checks[i], err = insist(ctx, c, guard, deadline)
			return err
		})
	}
	g.Go(func() (err error) {
		targets := at.mayTry(spec.Unreachable)
		c := newCourse(at, targets)
		defer c.alone(0, spec.Deadline.Std())()
		report.Unreachable, err = c.followAll(ctx, targets)
		return err
	})
	if err := g.Wait(); err != nil {
		return nil, err
	}
	return report, nil
}

// mayTry leaves out what no runner may touch, with one exception: whether the metadata service is in reach is among the
// questions, and it is asked by a connection that carries nothing.
func (at Here) mayTry(targets []evidence.Target) []evidence.Target {
	return slices.DeleteFunc(slices.Clone(targets), func(t evidence.Target) bool {
		if t.Address == evidence.MetadataService && t.Mode == evidence.ModeConnect {
			return false
		}
		to := at.Node
		if t.Place == evidence.PlaceNone {
			host, _, _ := net.SplitHostPort(t.Address)
			to, _ = netip.ParseAddr(host)
		}
		return !to.IsValid() || at.Guard(to) != nil
	})
}

// insist makes one check until it succeeds or the deadline has passed.
func insist(ctx context.Context, c evidence.Check, guard Guard, deadline time.Time) (evidence.CheckResult, error) {
	for attempts := 1; ; attempts++ {
		r := checkOnce(ctx, c, guard)
		if ctx.Err() != nil {
			return r, ctx.Err()
		}
		r.Attempts = attempts
		r.WithoutCredential = r.OK && needless(ctx, c, guard)
		if r.OK || !time.Now().Before(deadline) || !again(c, r.Class) {
			return r, nil
		}
		if err := wait(ctx, pause, nil); err != nil {
			return r, err
		}
	}
}

// needless tells whether the answer is as good without the credential. A POST is not sent twice to find out.
func needless(ctx context.Context, c evidence.Check, guard Guard) bool {
	if c.Credential == nil || c.Method == http.MethodPost {
		return false
	}
	c.Credential = nil
	return checkOnce(ctx, c, guard).OK
}

// again tells whether a check may be made once more: what may change something is not sent twice, unless it never got
// there.
func again(c evidence.Check, class evidence.Class) bool {
	switch {
	case c.Method != http.MethodPost:
		return true
	case class == evidence.ClassRefused, class == evidence.ClassNoRoute, class == evidence.ClassDenied, class == evidence.ClassDNS:
		return true
	}
	return false
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
		return explainTLS(ctx, guard, address, config, handshake(ctx, guard, address, config, r), r)
	}
	return askHTTP(ctx, question{Check: c, host: u.Host, address: address}, guard, config, r)
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

func portOf(u *url.URL) string {
	switch {
	case u.Port() != "":
		return u.Port()
	case u.Scheme == "http":
		return "80"
	}
	return "443"
}

func readSmall(name string) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	return io.ReadAll(io.LimitReader(f, maxSecret))
}
