package evidence

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"path"
	"slices"
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
	// Method for http and https: GET, HEAD or POST; empty means GET.
	Method string `json:"method,omitempty"`
	// Path to ask, for http and https. May have a query.
	Path string `json:"path,omitempty"`
	// Body to send with POST, JSON; at most 4 KiB.
	Body string `json:"body,omitempty"`
	// ExpectStatus that shows that it works; 0 takes 200 to 299.
	ExpectStatus int `json:"expectStatus,omitempty"`
	// Answer says what the answer must be besides its status; for http and https.
	Answer *ExpectedAnswer `json:"answer,omitempty"`
	// MinTLS is "1.2" or "1.3"; empty means 1.2.
	MinTLS string `json:"minTLS,omitempty"`
	// ServerName on the certificate; empty means the host of the address.
	ServerName string `json:"serverName,omitempty"`
	// CAFile verifies the server in place of the system's roots; an absolute path.
	CAFile string `json:"caFile,omitempty"`
	// Credential to show, for http and https.
	Credential *Credential `json:"credential,omitempty"`
	// Timeout of one attempt, 10 ms to 30 s.
	Timeout Duration `json:"timeout"`
}

// ExpectedAnswer is what IT wrote down about an answer. All that is set must hold.
type ExpectedAnswer struct {
	// ContentType without parameters, such as application/json.
	ContentType string `json:"contentType,omitempty"`
	// Schema is a JSON Schema of the body, as JSON or YAML.
	Schema string `json:"schema,omitempty"`
	// Document is a file with an OpenAPI document, an absolute path, and Operation the operationId in it.
	Document  string `json:"document,omitempty"`
	Operation string `json:"operation,omitempty"`
}

// IntegrationSpec asks whether systems work from here, and whether others are out of reach.
type IntegrationSpec struct {
	// Checks to make, at most 64.
	Checks []Check `json:"checks,omitempty"`
	// Unreachable are targets that the network must not let through; each settles on blocked. One may be at the run's node.
	Unreachable []Target `json:"unreachable,omitempty"`
	// Untried are words about targets that are not tried; the report repeats them. At most 192.
	Untried []string `json:"untried,omitempty"`
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
	// Detail about a certificate, a forbidden address or what an answer violates, in fixed words and those of the
	// schema; never from an answer. At most 256 bytes.
	Detail string `json:"detail,omitempty"`
	// Status of the last HTTP answer; 0 without one.
	Status   int `json:"status,omitempty"`
	Attempts int `json:"attempts"`
	// CertificateExpires is when the server's certificate ends, or an authority's in its chain if that is sooner; absent
	// without TLS.
	CertificateExpires *time.Time `json:"certificateExpires,omitempty"`
	// TLSVersion that was spoken, such as 1.3; empty without a handshake that worked.
	TLSVersion string `json:"tlsVersion,omitempty"`
	// WithoutCredential means that the answer was as good when it was asked once more without the credential: then the check
	// says nothing about it. Only with OK.
	WithoutCredential bool `json:"withoutCredential,omitempty"`
	// Document is the SHA-256 of the OpenAPI document that the answer was judged by.
	Document string `json:"document,omitempty"`
	// ElapsedMicroseconds is how long the last attempt took.
	ElapsedMicroseconds Micros `json:"elapsedMicroseconds"`
}

// IntegrationReport holds one result for each check and unreachable target, in the order asked.
type IntegrationReport struct {
	Checks      []CheckResult  `json:"checks,omitempty"`
	Unreachable []TargetResult `json:"unreachable,omitempty"`
	// Untried repeats the order's.
	Untried []string `json:"untried,omitempty"`
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

// KindIntegration asks systems whether they work from here.
const KindIntegration Kind = "integration"

// Kind implements Body.
func (*IntegrationSpec) Kind() Kind { return KindIntegration }

// Kind implements Body.
func (*IntegrationReport) Kind() Kind { return KindIntegration }

// Clean implements Result.
func (r *IntegrationReport) Clean() {
	cleanResults(r.Unreachable)
	for i := range r.Checks {
		c := &r.Checks[i]
		c.Name, c.Detail = Clean(c.Name, maxText), Clean(c.Detail, maxText)
	}
	for i := range r.Untried {
		r.Untried[i] = Clean(r.Untried[i], maxText)
	}
}

// Validate implements Body.
func (s *IntegrationSpec) Validate() error {
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
		switch {
		case t.Settle != SettleBlocked:
			return fmt.Errorf("unreachable[%d]: settle is not blocked", i)
		case t.Place != PlaceNone && t.Place != PlaceNode:
			return fmt.Errorf("unreachable[%d]: there is no other run to meet", i)
		}
	}
	if err := validateUntried(s.Untried); err != nil {
		return err
	}
	return prefixed("unreachable", validateTargets(s.Unreachable))
}

// AtNode tells whether a target is at the node under the run, which it has to be told.
func (s *IntegrationSpec) AtNode() bool {
	return s != nil && slices.ContainsFunc(s.Unreachable, func(t Target) bool { return t.Place == PlaceNode })
}

func validateUntried(texts []string) error {
	if len(texts) > 192 {
		return errors.New("untried: more than 192 texts")
	}
	for i, text := range texts {
		if text == "" || text != Clean(text, maxText) {
			return fmt.Errorf("untried[%d] is no usable text", i)
		}
	}
	return nil
}

func (c Check) validate() error {
	if err := validateURL(c.Address, "tcp", "tls", "http", "https"); err != nil {
		return fmt.Errorf("address: %w", err)
	}
	if u, err := url.Parse(c.Address); err != nil || u.Port() == "" && u.Scheme != "http" && u.Scheme != "https" {
		return errors.New("address: no port")
	}
	overHTTP := c.Kind == CheckHTTP || c.Kind == CheckHTTPS
	if err := c.validateQuestion(overHTTP); err != nil {
		return err
	}
	switch {
	case c.MinTLS != "" && c.MinTLS != "1.2" && c.MinTLS != "1.3":
		return errors.New("minTLS is neither 1.2 nor 1.3")
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

// validateQuestion looks at what is asked over HTTP, and that nothing of it is set elsewhere.
func (c Check) validateQuestion(overHTTP bool) error {
	switch {
	case !overHTTP && c.Kind != CheckTCP && c.Kind != CheckTLS:
		return errors.New("kind is not tcp, tls, http or https")
	case !overHTTP && (c.Method != "" || c.Path != "" || c.Body != "" || c.ExpectStatus != 0 || c.Credential != nil || c.Answer != nil):
		return errors.New("method, path, body, expectStatus, credential and answer are for http and https")
	case c.Method != "" && c.Method != http.MethodGet && c.Method != http.MethodHead && c.Method != http.MethodPost:
		return errors.New("method is not GET, HEAD or POST")
	case c.Body != "" && (c.Method != http.MethodPost || len(c.Body) > 4<<10):
		return errors.New("a body has at most 4 KiB and goes with POST")
	case c.Method == http.MethodHead && c.Answer != nil && c.Answer.Schema != "":
		return errors.New("HEAD has no body for a schema")
	case overHTTP && (!strings.HasPrefix(c.Path, "/") || len(c.Path) > 1024 || hasControl(c.Path)):
		return errors.New("path does not start with /")
	}
	return prefixed("answer", c.Answer.validate())
}

func (a *ExpectedAnswer) validate() error {
	switch {
	case a == nil:
		return nil
	case *a == ExpectedAnswer{}:
		return errors.New("nothing is expected")
	case len(a.ContentType) > maxText || hasControl(a.ContentType):
		return errors.New("contentType is none")
	case len(a.Schema) > 4<<10:
		return errors.New("schema has more than 4 KiB")
	case (a.Document == "") != (a.Operation == ""):
		return errors.New("document and operation go together")
	case a.Document != "" && !cleanPath(a.Document):
		return errors.New("document is not an absolute path")
	case len(a.Operation) > maxText || hasControl(a.Operation):
		return errors.New("operation is none")
	}
	return nil
}

func cleanPath(p string) bool {
	return path.IsAbs(p) && path.Clean(p) == p && len(p) <= 1024 && !hasControl(p)
}

// Validate implements Body.
func (r *IntegrationReport) Validate() error {
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
	if err := validateUntried(r.Untried); err != nil {
		return err
	}
	return prefixed("unreachable", validateResults(r.Unreachable))
}

var tlsVersions = map[string]bool{"": true, "1.0": true, "1.1": true, "1.2": true, "1.3": true}

func (c *CheckResult) validate() error {
	switch {
	case !classes[c.Class]:
		return errors.New("unknown class")
	case c.OK != (c.Class == ClassNone):
		return errors.New("ok and class contradict each other")
	case c.WithoutCredential && !c.OK:
		return errors.New("it answers without a credential and not with it")
	case len(c.Detail) > maxText:
		return errors.New("detail is too long")
	case !tlsVersions[c.TLSVersion]:
		return errors.New("unknown tlsVersion")
	case c.Document != "" && !digestForm.MatchString(c.Document):
		return errors.New("document is no digest")
	case c.Attempts < 1 || c.Status < 0 || c.Status > 999 || c.ElapsedMicroseconds < 0:
		return errors.New("a number is out of range")
	}
	return nil
}
