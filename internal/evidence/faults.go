package evidence

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"
)

// KindFaults plays systems that are slow or down, and sees what a prototype makes of it.
const KindFaults Kind = "faults"

// Fault is a way in which a system is down.
type Fault string

const (
	// FaultSlow takes a connection and a request, and never answers; on two of every three connections it begins to, a byte
	// at a time, and never gets to the end.
	FaultSlow Fault = "slow"
	// FaultRefused has nobody listen.
	FaultRefused Fault = "refused"
	// FaultReset takes a connection and breaks it off.
	FaultReset Fault = "reset"
	// FaultError answers with status 500.
	FaultError Fault = "error"
	// FaultGarbage answers with what nobody can read.
	FaultGarbage Fault = "garbage"
)

// FaultRequests is how many requests are sent, shortly one after the other, while a system is down.
const FaultRequests = 3

// maxPlayed bounds the systems of one run: 16 integrations and a model gateway.
const maxPlayed = 17

// Played is a system that the run plays. It passes nothing on to anybody.
type Played struct {
	// Name by which the judge finds its phases.
	Name string `json:"name"`
	// Port on which the prototype looks for it, 1024 to 65535.
	Port int `json:"port"`
	// Speaks is http, https, tcp or tls.
	Speaks CheckKind `json:"speaks"`
	// Blind means that the prototype can't verify the certificate that is shown to it, so that nothing behind a
	// handshake is tried.
	Blind bool `json:"blind,omitempty"`
	// Model means that it answers chat completions while another system is down.
	Model bool `json:"model,omitempty"`
	// Within is how long people may wait for an answer while it is down, 100 ms to 30 s. 0 means that it is not tried.
	Within Duration `json:"within,omitempty"`
}

// Faults that are tried with it, in their order.
func (p Played) Faults() []Fault {
	switch {
	case p.Within == 0:
		return nil
	case p.Blind:
		return []Fault{FaultRefused, FaultReset, FaultSlow}
	case p.Speaks == CheckTCP || p.Speaks == CheckTLS:
		return []Fault{FaultRefused, FaultReset, FaultSlow, FaultGarbage}
	}
	return []Fault{FaultRefused, FaultReset, FaultSlow, FaultError, FaultGarbage}
}

// FaultsOrder asks what a prototype does while systems are down.
type FaultsOrder struct {
	// URL, Method and Body of the prototype's own sample request.
	URL    string `json:"url"`
	Method string `json:"method"`
	Body   string `json:"body,omitempty"`
	// Health is the URL of its health path; without one, a connection to URL counts.
	Health string `json:"health,omitempty"`
	// Systems to play, at least one of which is tried.
	Systems []Played `json:"systems"`
	// Start is how long the prototype may take to answer first, at most 5 minutes.
	Start Duration `json:"start"`
	// CertFile and KeyFile are what TLS systems show; absolute paths.
	CertFile string `json:"certFile,omitempty"`
	KeyFile  string `json:"keyFile,omitempty"`
}

// FaultAnswer is what became of one request.
type FaultAnswer struct {
	// Status of the answer; 0 without a complete one.
	Status int `json:"status,omitempty"`
	// Class of what went wrong; empty exactly with a status.
	Class               Class  `json:"class,omitempty"`
	ElapsedMicroseconds Micros `json:"elapsedMicroseconds"`
}

// FaultWindow is a part of a phase.
type FaultWindow struct {
	// Contacts are connections that were made in it.
	Contacts int `json:"contacts"`
	// Heard is how often something came over a connection, beside what came at once when it was made; among the requests,
	// only over those from before.
	Heard               int    `json:"heard,omitempty"`
	ElapsedMicroseconds Micros `json:"elapsedMicroseconds"`
}

const (
	// longestWindow bounds a part of a phase.
	longestWindow = 10 * time.Minute
	// mostCounted bounds what is counted in a phase.
	mostCounted = 1 << 20
)

func (w FaultWindow) outOfRange() bool {
	return w.Contacts < 0 || w.Contacts > mostCounted || w.Heard < 0 || w.Heard > mostCounted || w.ElapsedMicroseconds < 0 || w.ElapsedMicroseconds.Std() > longestWindow
}

// FaultPhase is what was seen while one system was down in one way.
type FaultPhase struct {
	System string `json:"system"`
	Fault  Fault  `json:"fault"`
	// Alive tells whether the prototype answered its health when the phase began. If not, nothing else was tried.
	Alive bool `json:"alive"`
	// Answers to the requests that were sent.
	Answers []FaultAnswer `json:"answers,omitempty"`
	// Contacts are connections that the prototype made to the system; always 0 where nobody listened.
	Contacts int `json:"contacts"`
	// Idle are those of them from before the first request, which the prototype makes by itself or for its health; Asked
	// those from then until shortly after the last answer, and After those from then on, again by itself.
	Idle  FaultWindow `json:"idle,omitzero"`
	Asked FaultWindow `json:"asked,omitzero"`
	After FaultWindow `json:"after,omitzero"`
	// HealthAsked and HealthMissed count questions about its health meanwhile, and those without a good answer.
	HealthAsked  int `json:"healthAsked"`
	HealthMissed int `json:"healthMissed"`
	// Open are connections to the system that were still open a while after the last answer.
	Open int `json:"open"`
}

// FaultsResult holds a phase for every fault of every system that was tried, in the order asked. Where the prototype
// did not come back, the phases end.
type FaultsResult struct {
	// Started tells whether the prototype ever answered.
	Started bool         `json:"started"`
	Phases  []FaultPhase `json:"phases,omitempty"`
	// AliveAfter tells whether it answered its health when all was over.
	AliveAfter bool `json:"aliveAfter"`
}

// Kind is KindFaults.
func (FaultsOrder) Kind() Kind { return KindFaults }

// Kind is KindFaults.
func (FaultsResult) Kind() Kind { return KindFaults }

// Validate says what is wrong with the order, or nil.
func (o FaultsOrder) Validate() error {
	if err := validateURL(o.URL, "http"); err != nil {
		return fmt.Errorf("url: %w", err)
	}
	if o.Health != "" {
		if err := validateURL(o.Health, "http"); err != nil {
			return fmt.Errorf("health: %w", err)
		}
	}
	switch {
	case o.Method != http.MethodGet && o.Method != http.MethodPost && o.Method != http.MethodPut:
		return errors.New("method is not GET, POST or PUT")
	case len(o.Body) > 64<<10:
		return errors.New("body has more than 64 KiB")
	case (o.CertFile == "") != (o.KeyFile == ""), o.CertFile != "" && !(cleanPath(o.CertFile) && cleanPath(o.KeyFile)):
		return errors.New("certFile and keyFile are not two absolute paths")
	}
	if err := within(o.Start.Std(), time.Millisecond, 5*time.Minute); err != nil {
		return fmt.Errorf("start: %w", err)
	}
	return o.validateSystems()
}

func (o FaultsOrder) validateSystems() error {
	if len(o.Systems) > maxPlayed {
		return errors.New("more systems than a prototype has")
	}
	var names []string
	ports, tried := map[int]bool{}, 0
	for i, p := range o.Systems {
		if err := p.validate(); err != nil {
			return fmt.Errorf("systems[%d]: %w", i, err)
		}
		if ports[p.Port] {
			return fmt.Errorf("systems[%d]: the port is another's", i)
		}
		if p.secure() && !p.Blind && o.CertFile == "" {
			return fmt.Errorf("systems[%d]: there is no certificate to show", i)
		}
		names, ports[p.Port] = append(names, p.Name), true
		tried += len(p.Faults())
	}
	if tried == 0 {
		return errors.New("no system is tried")
	}
	return prefixed("systems", distinctNames(names))
}

func (p Played) secure() bool { return p.Speaks == CheckHTTPS || p.Speaks == CheckTLS }

func (p Played) validate() error {
	switch {
	case p.Port < 1024 || p.Port > 65535:
		return errors.New("port is not between 1024 and 65535")
	case !slices.Contains([]CheckKind{CheckHTTP, CheckHTTPS, CheckTCP, CheckTLS}, p.Speaks):
		return errors.New("speaks is not http, https, tcp or tls")
	case p.Blind && !p.secure():
		return errors.New("only a system with a certificate is blind")
	case p.Within == 0:
		return nil
	}
	return prefixed("within", within(p.Within.Std(), 100*time.Millisecond, 30*time.Second))
}

// Validate says what is wrong with the result by itself, or nil.
func (r FaultsResult) Validate() error {
	switch {
	case !r.Started && (len(r.Phases) > 0 || r.AliveAfter):
		return errors.New("phases of a prototype that never started")
	case r.Started && len(r.Phases) == 0:
		return errors.New("no phases")
	case len(r.Phases) > maxPlayed*5:
		return errors.New("more phases than there are")
	}
	for i, p := range r.Phases {
		if err := p.validate(); err != nil {
			return fmt.Errorf("phases[%d]: %w", i, err)
		}
		if !p.Alive && (i != len(r.Phases)-1 || r.AliveAfter) {
			return fmt.Errorf("phases[%d]: it went on although the prototype did not", i)
		}
		if slices.ContainsFunc(r.Phases[:i], func(q FaultPhase) bool { return q.System == p.System && q.Fault == p.Fault }) {
			return fmt.Errorf("phases[%d]: it is repeated", i)
		}
	}
	return nil
}

var faults = []Fault{FaultSlow, FaultRefused, FaultReset, FaultError, FaultGarbage}

func (p FaultPhase) validate() error {
	switch {
	case p.System == "" || p.System != Clean(p.System, maxText):
		return errors.New("no usable name")
	case !slices.Contains(faults, p.Fault):
		return errors.New("unknown fault")
	case p.Alive != (len(p.Answers) == FaultRequests), !p.Alive && len(p.Answers) > 0:
		return errors.New("answers and alive contradict each other")
	case p.Contacts < 0 || p.Contacts > mostCounted || p.Open < 0 || p.Open > p.Contacts:
		return errors.New("contacts and open contradict each other")
	case p.Idle.outOfRange() || p.Asked.outOfRange() || p.After.outOfRange() || p.Idle.Contacts+p.Asked.Contacts+p.After.Contacts > p.Contacts:
		return errors.New("contacts and their parts contradict each other")
	case p.Idle.Contacts == 0 && p.Idle.Heard+p.Asked.Heard > 0, p.Contacts == 0 && p.After.Heard > 0:
		return errors.New("something came over a connection that nobody made")
	case p.Fault == FaultRefused && p.Contacts > 0:
		return errors.New("contacts where nobody listened")
	case p.HealthAsked < 0 || p.HealthAsked > mostCounted || p.HealthMissed < 0 || p.HealthMissed > p.HealthAsked:
		return errors.New("the counts of health contradict each other")
	case !p.Alive && p.Contacts+p.HealthAsked > 0:
		return errors.New("something was tried with a prototype that was gone")
	}
	for i, a := range p.Answers {
		switch {
		case !classes[a.Class] || (a.Class == ClassNone) != (a.Status != 0):
			return fmt.Errorf("answers[%d]: status and class contradict each other", i)
		case a.Status != 0 && (a.Status < 100 || a.Status > 999) || a.ElapsedMicroseconds < 0:
			return fmt.Errorf("answers[%d]: a number is out of range", i)
		}
	}
	return nil
}

// Clean takes out of the result's strings what could harm a terminal or a status.
func (r *FaultsResult) Clean() {
	for i := range r.Phases {
		r.Phases[i].System = Clean(strings.TrimSpace(r.Phases[i].System), maxText)
	}
}
