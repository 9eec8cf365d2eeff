package evidence

import (
	"errors"
	"fmt"
	"net/url"
	"path"
	"strings"
	"time"
)

// CheckKind is how a system is asked whether it works.
type CheckKind string

const (
	// CheckTCP opens a connection.
	CheckTCP CheckKind = "tcp"
	// CheckTLS completes a handshake and verifies chain, name and expiry.
	CheckTLS CheckKind = "tls"
	// CheckHTTP asks over plain HTTP.
	CheckHTTP CheckKind = "http"
	// CheckHTTPS asks over TLS.
	CheckHTTPS CheckKind = "https"
)

// Credential is a secret that the runner was given as a file. Its content is never reported.
type Credential struct {
	// File is an absolute path.
	File string `json:"file"`
	// Header that carries the content; empty means "Authorization: Bearer CONTENT".
	Header string `json:"header,omitempty"`
}

// Check asks one system.
type Check struct {
	// Name by which the judge finds the result; unique in its list.
	Name string    `json:"name"`
	Kind CheckKind `json:"kind"`
	// Address is a URL of scheme tcp, tls, http or https whose host and port are asked; its path is not used.
	Address string `json:"address"`
	// Path to GET, for http and https. May have a query.
	Path string `json:"path,omitempty"`
	// ExpectStatus that shows that it works; 0 takes 200 to 299.
	ExpectStatus int `json:"expectStatus,omitempty"`
	// ServerName on the certificate; empty means the host of the address.
	ServerName string `json:"serverName,omitempty"`
	// CAFile verifies the server in place of the system's roots; an absolute path.
	CAFile string `json:"caFile,omitempty"`
	// Credential to show, for http and https.
	Credential *Credential `json:"credential,omitempty"`
	// Timeout of one attempt, 10 ms to 30 s.
	Timeout Duration `json:"timeout"`
}

// IntegrationSpec asks whether systems work from here, and whether others are out of reach.
type IntegrationSpec struct {
	// Checks to make, at most 64.
	Checks []Check `json:"checks,omitempty"`
	// Unreachable are targets that the network must not let through; each settles on blocked.
	Unreachable []Target `json:"unreachable,omitempty"`
	// Deadline is how long failing checks are tried again, since a network's allow rules take effect with delay, and
	// how long the unreachable may take to settle. Above zero, at most 10 minutes.
	Deadline Duration `json:"deadline"`
}

// CheckResult is what became of one check.
type CheckResult struct {
	Name string `json:"name"`
	OK   bool   `json:"ok"`
	// Class of the last attempt; empty exactly when OK.
	Class Class `json:"class,omitempty"`
	// Detail about a certificate or a forbidden address; never from an answer's body. At most 256 bytes.
	Detail string `json:"detail,omitempty"`
	// Status of the last HTTP answer; 0 without one.
	Status   int `json:"status,omitempty"`
	Attempts int `json:"attempts"`
	// CertificateExpires is when the server's certificate ends; absent without TLS.
	CertificateExpires *time.Time `json:"certificateExpires,omitempty"`
	// ElapsedMicroseconds is how long the last attempt took.
	ElapsedMicroseconds Micros `json:"elapsedMicroseconds"`
}

// IntegrationReport holds one result for each check and unreachable target, in the order asked.
type IntegrationReport struct {
	Checks      []CheckResult  `json:"checks,omitempty"`
	Unreachable []TargetResult `json:"unreachable,omitempty"`
}

// Check finds a result by name, or nil.
func (r *IntegrationReport) Check(name string) *CheckResult {
	if r == nil {
		return nil
	}
	for i := range r.Checks {
		if r.Checks[i].Name == name {
			return &r.Checks[i]
		}
	}
	return nil
}

// Target finds the result of an unreachable target by name, or nil.
func (r *IntegrationReport) Target(name string) *TargetResult {
	if r == nil {
		return nil
	}
	return findTarget(r.Unreachable, name)
}

func (s *IntegrationSpec) validate() error {
	if len(s.Checks)+len(s.Unreachable) == 0 {
		return errors.New("neither checks nor unreachable")
	}
	if err := within(s.Deadline.Std(), time.Millisecond, 10*time.Minute); err != nil {
		return fmt.Errorf("deadline: %w", err)
	}
	names := make([]string, 0, len(s.Checks))
	for i, c := range s.Checks {
		names = append(names, c.Name)
		if err := c.validate(); err != nil {
			return fmt.Errorf("checks[%d]: %w", i, err)
		}
	}
	if err := distinctNames(names); err != nil {
		return fmt.Errorf("checks: %w", err)
	}
	for i, t := range s.Unreachable {
		if t.Settle != SettleBlocked {
			return fmt.Errorf("unreachable[%d]: settle is not blocked", i)
		}
	}
	return prefixed("unreachable", validateTargets(s.Unreachable))
}

func (c Check) validate() error {
	if err := validateURL(c.Address, "tcp", "tls", "http", "https"); err != nil {
		return fmt.Errorf("address: %w", err)
	}
	if u, err := url.Parse(c.Address); err != nil || u.Port() == "" && u.Scheme != "http" && u.Scheme != "https" {
		return errors.New("address: no port")
	}
	overHTTP := c.Kind == CheckHTTP || c.Kind == CheckHTTPS
	switch {
	case !overHTTP && c.Kind != CheckTCP && c.Kind != CheckTLS:
		return errors.New("kind is not tcp, tls, http or https")
	case !overHTTP && (c.Path != "" || c.ExpectStatus != 0 || c.Credential != nil):
		return errors.New("path, expectStatus and credential are for http and https")
	case overHTTP && (!strings.HasPrefix(c.Path, "/") || len(c.Path) > 1024 || hasControl(c.Path)):
		return errors.New("path does not start with /")
	case c.ExpectStatus != 0 && (c.ExpectStatus < 200 || c.ExpectStatus > 599):
		return errors.New("expectStatus is not between 200 and 599")
	case len(c.ServerName) > 253 || hasControl(c.ServerName):
		return errors.New("serverName is not a host name")
	case c.CAFile != "" && !cleanPath(c.CAFile):
		return errors.New("caFile is not an absolute path")
	case c.Credential != nil && !cleanPath(c.Credential.File):
		return errors.New("credential.file is not an absolute path")
	case c.Credential != nil && c.Credential.Header != "" && !isToken(c.Credential.Header):
		return errors.New("credential.header is not a header")
	}
	return prefixed("timeout", within(c.Timeout.Std(), 10*time.Millisecond, 30*time.Second))
}

func cleanPath(p string) bool {
	return path.IsAbs(p) && path.Clean(p) == p && len(p) <= 1024 && !hasControl(p)
}

func (r *IntegrationReport) validate() error {
	if len(r.Checks)+len(r.Unreachable) == 0 {
		return errors.New("no results")
	}
	names := make([]string, 0, len(r.Checks))
	for i := range r.Checks {
		names = append(names, r.Checks[i].Name)
		if err := r.Checks[i].validate(); err != nil {
			return fmt.Errorf("checks[%d]: %w", i, err)
		}
	}
	if err := distinctNames(names); err != nil {
		return fmt.Errorf("checks: %w", err)
	}
	return prefixed("unreachable", validateResults(r.Unreachable))
}

func (c *CheckResult) validate() error {
	switch {
	case !classes[c.Class]:
		return errors.New("unknown class")
	case c.OK != (c.Class == ClassNone):
		return errors.New("ok and class contradict each other")
	case c.Attempts < 1 || c.Status < 0 || c.Status > 999 || c.ElapsedMicroseconds < 0:
		return errors.New("a number is out of range")
	}
	return nil
}
