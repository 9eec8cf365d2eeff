package evidence

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"time"
)

// Network is the transport protocol of a target.
type Network string

const (
	// NetworkTCP is TCP.
	NetworkTCP Network = "tcp"
	// NetworkUDP is UDP. A datagram has no handshake, so a UDP target must answer by Echo.
	NetworkUDP Network = "udp"
)

// Mode is what counts as having reached a target.
type Mode string

const (
	// ModeEcho asks for the canary's answer to a fresh number. A handshake alone may come from a proxy on the way.
	ModeEcho Mode = "echo"
	// ModeConnect takes a TCP handshake, for targets that are no canaries.
	ModeConnect Mode = "connect"
)

// MetadataService is where clouds tell a machine its secrets. No runner may touch it but to see whether it is reached.
const MetadataService = "169.254.169.254:80"

// Settle is the answer that a run waits for before it believes the opposite. Network policies take effect a moment
// after a pod starts, and for allow rules "a moment" may be longer than for isolation
// (https://kubernetes.io/docs/concepts/services-networking/network-policies/#pod-lifecycle), so the first attempt
// of a fresh pod says little. Settling never invents an answer: at the deadline the last attempts are reported.
type Settle string

const (
	// SettleAny takes the first three attempts in a row that agree.
	SettleAny Settle = ""
	// SettleReached retries until the target was reached once.
	SettleReached Settle = "reached"
	// SettleBlocked retries until three attempts in a row were blocked: one lost packet is no policy.
	SettleBlocked Settle = "blocked"
)

// Target is one address to try.
type Target struct {
	// Name by which the judge finds the result; unique in its list.
	Name string `json:"name"`
	// Network is tcp or udp.
	Network Network `json:"network"`
	// Address is host:port. Where the target should be blocked, the host must be an IP address: a name that does
	// not resolve, or a Service without endpoints, would look like a blocked target.
	Address string `json:"address"`
	// Place takes the place of the host, which is then empty.
	Place Place `json:"place,omitempty"`
	// Mode is echo or connect.
	Mode Mode `json:"mode"`
	// Settle says which answer to wait for.
	Settle Settle `json:"settle,omitempty"`
	// Timeout of one attempt, 10 ms to 30 s.
	Timeout Duration `json:"timeout"`
}

// IsolationSpec asks which targets can be reached from where the runner runs.
type IsolationSpec struct {
	// Targets to try, 1 to 64, all at the same time.
	Targets []Target `json:"targets"`
	// Window is how long to go on trying at least, so that two runs can be made to overlap. At most 5 minutes.
	Window Duration `json:"window,omitempty"`
	// Told ends the window early, when nobody needs the run as a witness any more: as soon as ToldFile in ToldPath is not
	// empty. Who is never told goes by the window. Not with a meeting.
	Told bool `json:"told,omitempty"`
	// Deadline is how long to wait for targets to settle. Above zero, at least Window, at most 10 minutes. With a
	// meeting it counts from when the other run is at work.
	Deadline Duration `json:"deadline"`
	// Serve are ports on which the run is itself a canary until it ends, over TCP and UDP; at most 8.
	Serve []int `json:"serve,omitempty"`
	// Meeting with the other run of a pair; without one a run goes by Window alone.
	Meeting *Meeting `json:"meeting,omitempty"`
}

// TargetResult is what happened to one target.
type TargetResult struct {
	Name    string  `json:"name"`
	Network Network `json:"network"`
	Address string  `json:"address"`
	// Reached tells how the last attempt ended.
	Reached bool `json:"reached"`
	// Class of the last attempt; empty exactly when Reached.
	Class Class `json:"class,omitempty"`
	// Settled means that the last attempts agreed as often as the target's Settle asks: one for reached, three for
	// blocked.
	Settled bool `json:"settled"`
	// Attempts made, and how many of them reached the target.
	Attempts int `json:"attempts"`
	Reaches  int `json:"reaches"`
	// Since is when the first of the last attempts that all ended alike began: reached, blocked, or neither for sure.
	Since time.Time `json:"since"`
	// Until is when the last attempt ended.
	Until time.Time `json:"until"`
	// FirstReachedAt and LastReachedAt are when an answer was first and last received; absent without one.
	FirstReachedAt *time.Time `json:"firstReachedAt,omitempty"`
	LastReachedAt  *time.Time `json:"lastReachedAt,omitempty"`
	// UpSince is when the canary says it started, by the runner's clock; absent for other targets.
	UpSince *time.Time `json:"upSince,omitempty"`
	// ElapsedMicroseconds is how long the last attempt took.
	ElapsedMicroseconds Micros `json:"elapsedMicroseconds"`
}

// IsolationReport holds one result for each target, in the order asked. Targets at a place that the run never learned
// are left out.
type IsolationReport struct {
	Targets []TargetResult `json:"targets"`
}

// ToldPath is the directory in which a run is told things, and ToldFile the file that is not empty once what it bears
// witness for has ended.
const (
	ToldPath = "/var/run/affineur/told"
	ToldFile = "witnessed"
)

// Target finds a result by name, or nil.
func (r *IsolationReport) Target(name string) *TargetResult {
	if r == nil {
		return nil
	}
	return findTarget(r.Targets, name)
}

func findTarget(results []TargetResult, name string) *TargetResult {
	for i := range results {
		if results[i].Name == name {
			return &results[i]
		}
	}
	return nil
}

// KindIsolation tries to reach targets, to see what the network lets through.
const KindIsolation Kind = "isolation"

// Kind implements Body.
func (*IsolationSpec) Kind() Kind { return KindIsolation }

// Kind implements Body.
func (*IsolationReport) Kind() Kind { return KindIsolation }

// Clean implements Result.
func (r *IsolationReport) Clean() { cleanResults(r.Targets) }

// Validate implements Body.
func (s *IsolationSpec) Validate() error {
	if len(s.Targets) == 0 {
		return errors.New("targets is empty")
	}
	if err := within(s.Window.Std(), 0, 5*time.Minute); err != nil {
		return fmt.Errorf("window: %w", err)
	}
	if err := within(s.Deadline.Std(), max(s.Window.Std(), time.Millisecond), 10*time.Minute); err != nil {
		return fmt.Errorf("deadline: %w", err)
	}
	if len(s.Serve) > 8 {
		return errors.New("serve has more than 8 ports")
	}
	for _, port := range s.Serve {
		if port < 1024 || port > 65535 {
			return errors.New("serve: a port is not between 1024 and 65535")
		}
	}
	if s.Told && s.Meeting != nil {
		return errors.New("told: a run of a pair goes by the other run")
	}
	if err := s.Meeting.validate(); err != nil {
		return fmt.Errorf("meeting: %w", err)
	}
	for i, t := range s.Targets {
		if s.Meeting == nil && t.Place.other() {
			return fmt.Errorf("targets[%d]: there is no other run to meet", i)
		}
	}
	return validateTargets(s.Targets)
}

func validateTargets(targets []Target) error {
	names := make([]string, 0, len(targets))
	for i, t := range targets {
		names = append(names, t.Name)
		if err := t.validate(); err != nil {
			return fmt.Errorf("targets[%d]: %w", i, err)
		}
	}
	return distinctNames(names)
}

func (t Target) validate() error {
	host, port, err := net.SplitHostPort(t.Address)
	if err != nil || (host == "") != (t.Place != PlaceNone) || len(t.Address) > maxText {
		return errors.New("address is not host:port, or with a place :port")
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
		return errors.New("port is not a number from 1 to 65535")
	}
	switch {
	case !places[t.Place]:
		return errors.New("unknown place")
	case t.Network != NetworkTCP && t.Network != NetworkUDP:
		return errors.New("network is neither tcp nor udp")
	case t.Mode != ModeEcho && t.Mode != ModeConnect:
		return errors.New("mode is neither echo nor connect")
	case t.Mode == ModeConnect && t.Network == NetworkUDP:
		return errors.New("udp has no connection to make: use echo")
	case t.Settle != SettleAny && t.Settle != SettleReached && t.Settle != SettleBlocked:
		return errors.New("settle is neither reached nor blocked")
	}
	if _, err := netip.ParseAddr(host); err != nil && t.Settle == SettleBlocked && t.Place == PlaceNone {
		return errors.New("a target that should be blocked is named by IP address")
	}
	if err := within(t.Timeout.Std(), 10*time.Millisecond, 30*time.Second); err != nil {
		return fmt.Errorf("timeout: %w", err)
	}
	return nil
}

func within(d, low, high time.Duration) error {
	if d < low || d > high {
		return fmt.Errorf("%v is not between %v and %v", d, low, high)
	}
	return nil
}

// Validate implements Body.
func (r *IsolationReport) Validate() error {
	if len(r.Targets) == 0 {
		return errors.New("no results")
	}
	return validateResults(r.Targets)
}

func validateResults(results []TargetResult) error {
	names := make([]string, 0, len(results))
	for i := range results {
		names = append(names, results[i].Name)
		if err := results[i].validate(); err != nil {
			return fmt.Errorf("targets[%d]: %w", i, err)
		}
	}
	return distinctNames(names)
}

// validate checks that the numbers of a result fit together. One that contradicts itself was not written by a
// runner that works, and nothing is to be concluded from it.
func (t *TargetResult) validate() error {
	switch {
	case !classes[t.Class]:
		return errors.New("unknown class")
	case t.Reached != (t.Class == ClassNone):
		return errors.New("reached and class contradict each other")
	case t.Attempts < 1 || t.Reaches < 0 || t.Reaches > t.Attempts || (t.Reached && t.Reaches == 0):
		return errors.New("attempts and reaches contradict each other")
	case t.Since.IsZero() || t.Until.Before(t.Since):
		return errors.New("until is before since")
	case (t.Reaches > 0) != (t.FirstReachedAt != nil) || (t.Reaches > 0) != (t.LastReachedAt != nil):
		return errors.New("reaches and the times of reaching contradict each other")
	case t.LastReachedAt != nil && (t.LastReachedAt.Before(*t.FirstReachedAt) || t.LastReachedAt.After(t.Until)):
		return errors.New("the times of reaching are out of order")
	case t.UpSince != nil && t.Reaches == 0:
		return errors.New("a target that was never reached said when it started")
	case t.ElapsedMicroseconds < 0:
		return errors.New("negative time")
	}
	return nil
}

func cleanResults(results []TargetResult) {
	for i := range results {
		results[i].Name = Clean(results[i].Name, maxText)
		results[i].Address = Clean(results[i].Address, maxText)
		results[i].Network = Network(Clean(string(results[i].Network), 8))
	}
}
