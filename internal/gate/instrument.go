package gate

import (
	"time"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/internal/evidence"
	"github.com/affineur/affineur/internal/gate/stats"
	"github.com/affineur/affineur/internal/record"
)

// Instrument measures and judges one type of gate. The operator's main package lists them; the frame around them, in the
// packages assess and review, knows none by name: it makes the runs that an instrument plans, keeps what they leave
// behind, tries again what came to nothing, and asks for the verdict.
type Instrument interface {
	// Type of the gates that it measures.
	Type() v1alpha1.GateType
	// Plan says what has to be measured, one run after the other; nothing where the record alone tells. What the attempt
	// has taken so far is there to plan the rest by; the runs before must stay the same. The error says, to people, why it
	// can't be measured at all.
	Plan(Case, Taken) ([]Run, error)
	// Judge gives the verdict on what was taken. It is asked at any time, also before anything was.
	Judge(Case, Taken) Verdict
	// Summarize tells people what was found, for the summary that is kept beside the report.
	Summarize(Case, Taken) Summary
}

// Sizer is an instrument that can tell how many replicas production should have, from what it measured. It gives false
// where it can't tell, which includes that its gate has not passed.
type Sizer interface {
	Instrument
	Size(Case, Taken) (Size, bool)
}

// Utilization of the requested CPU, in percent, at which production's autoscaler adds replicas: room for the time that a
// pod needs to start.
const Utilization = 70

// Size bounds the number of replicas, within what the policy allows, and says what each needs.
type Size struct {
	Min int32 `json:"min"`
	Max int32 `json:"max"`
	// CPU in thousandths and Memory in bytes are what each has to request by what it used; 0 where nobody looked.
	CPU    int64 `json:"cpu,omitempty"`
	Memory int64 `json:"memory,omitempty"`
	// Most that are known to work, which no other gate's wish exceeds; 0 for as many as the policy allows.
	Most int32 `json:"-"`
}

// And is the size that does for both.
func (s Size) And(other Size) Size {
	out := Size{Min: max(s.Min, other.Min), Max: max(s.Max, other.Max), Most: max(s.Most, other.Most),
		CPU: max(s.CPU, other.CPU), Memory: max(s.Memory, other.Memory)}
	if s.Most > 0 && other.Most > 0 {
		out.Most = min(s.Most, other.Most)
	}
	if out.Most > 0 {
		out.Min, out.Max = min(out.Min, out.Most), min(out.Max, out.Most)
	}
	return out
}

// Statistical is an instrument whose verdict rests on a sample that may turn out otherwise the next time, though nothing changed.
type Statistical interface {
	Instrument
	// Spent tells whether a verdict used up a look: it is no fault of the measurement, and did not show what was wanted. It is
	// not measured again without being asked, and the next look, after Case.Looks, has to be surer.
	Spent(state State, reason string) bool
}

// Case is what a gate is asked about: one gate of one record.
type Case struct {
	// Record holds the subject and the frozen requirements.
	Record record.Record
	// Gate with its settings, as they were frozen.
	Gate v1alpha1.Gate
	// Ground is known only where runs are planned; verdicts don't depend on it.
	Ground Ground
	// Earlier is what attempts took that used up a look, oldest first, for a Statistical instrument.
	Earlier []Taken
	// Patience of the attempt that is planned.
	Patience Patience
	// Before is what the newest attempt before the one that is planned took, of those that were not lost. Verdicts don't depend on it.
	Before Taken
	// Now is the present time.
	Now time.Time
}

// Looks that came before.
func (c Case) Looks() stats.Look { return stats.Look(len(c.Earlier)) }

// MeasurementMaxAge is how old a measurement of the subject may be where the policy does not say. The subject does not
// change; what it leans on does.
const MeasurementMaxAge = 30 * 24 * time.Hour

// Frame that the gate's evidence has to fit into.
func (c Case) Frame() Frame {
	age := MeasurementMaxAge
	if c.Gate.MaxAge != nil {
		age = c.Gate.MaxAge.Duration
	}
	return Frame{Subject: c.Record.ReviewDigest, Now: c.Now, MaxAge: age}
}

// Ground is where runs take place.
type Ground struct {
	// Canary is the IP address of the isolation canary.
	Canary string
	// APIServer is the host:port of the API server's Service, by IP address.
	APIServer string
	// Nodes are IP addresses of the cluster's nodes; of a large cluster not all.
	Nodes []string
	// Others are places that the prototype did not declare and must not reach from production.
	Others []Other
	// Untried says which of them are not tried, and why.
	Untried []string
	// Severed are the judges' gateways that an emergency stop cuts off, by name.
	Severed []string
}

// Other is a place that a prototype did not declare.
type Other struct {
	// Name of the target, by which package undeclared knows what it is.
	Name string
	// Address is IP:port.
	Address string
}

// Patience is how long a measurement may take. The first attempt is as short as the policy says; one that came to
// nothing is made anew with more of it.
type Patience int

// MostPatient is the longest that is ever tried.
const MostPatient Patience = 3

// PatienceOf the given attempt, counted from 1.
func PatienceOf(attempt int) Patience { return Patience(min(max(attempt, 1), int(MostPatient))) }

// Site is where a run takes place, and with that what it reaches.
type Site string

const (
	// SiteSandbox is the namespace of gates; the run reaches the prototype in its sandbox on its port, cluster DNS, and
	// nothing else. It begins when the reviewed revision answers there, and counts only if that ran all the while.
	SiteSandbox Site = "Sandbox"
	// SiteRehearsal is a namespace of the review's own under production's network policies, with the credentials of the
	// prototype's integrations.
	SiteRehearsal Site = "Rehearsal"
	// SitePlayed is the review's own namespace with one replica of the prototype in it, whose systems the run plays: it
	// reaches the run, the run reaches it, and neither reaches anything else. No real credential is there.
	SitePlayed Site = "Played"
	// SiteClosed is the namespace of gates without any network.
	SiteClosed Site = "Closed"
	// SiteOperator is the operator itself: see run.Sampler.
	SiteOperator Site = "Operator"
)

// Run is one measurement.
type Run struct {
	// Part tells the runs of a gate apart, in lower case letters and digits, at most 16; "" for the only one.
	Part string
	// Site where it takes place.
	Site Site
	// Replicas of the prototype that it is made with at SiteSandbox; 0 and 1 for one. Where there is no room for several, it is
	// lost for that reason.
	Replicas int32
	// Gateway is the name of one of the requirements' judges that a run at SiteSandbox reaches besides, under an opening of its
	// own, and with a key of its own where the gateway wants one; "" for none.
	Gateway string
	// Use is the part under which it is kept what the prototype's pods use meanwhile, where the cluster tells; "" for nothing.
	Use string
	// Order for the runner.
	Order evidence.Body
	// Alone means that nothing else may call the prototype in its sandbox meanwhile: it measures how fast that is.
	Alone bool
	// NotBefore is when it may begin at the earliest; zero for at once.
	NotBefore time.Time
	// Length of the measurement, from the start of the runner.
	Length time.Duration
	// CPU and Memory of the runner, as quantities.
	CPU, Memory string
	// Files for the runner, by name; at most 700 KiB in all.
	Files map[string][]byte
	// Image of the runner where IT chose another; "" for the operator's.
	Image string
	// Tool runs before the runner, which reads what it wrote; nil for none.
	Tool *Tool
	// Control is a run from outside that begins first and must be at work all the while; nil for none.
	Control *Control
}

// Tool is an image that IT chose and that knows nothing of runs: it writes files, and the operator's runner reads them.
type Tool struct {
	// Image by digest, and its arguments, in which Kubernetes puts $(NAME) for a variable of Env.
	Image string
	Args  []string
	// Env are its variables, besides those that say where it may write.
	Env map[string]string
	// CPU and Memory, as quantities.
	CPU, Memory string
}

// Control is an isolation run from a place that no policy of the prototype restrains: the witness that what another run
// must not reach was there to be reached.
type Control struct {
	Order  *evidence.IsolationSpec
	Length time.Duration
}

// Taken is what the newest attempt of a gate has measured so far.
type Taken struct {
	// Runs by part. One that is not there has not ended.
	Runs map[string]Witnessed
	// Isolation of the prototype's sandbox.
	Isolation Isolation
}

// IsolationMaxAge is how old the measurement of a sandbox's isolation may be. It is made anew all the time, so an old one
// means that it can't be made any more.
const IsolationMaxAge = 24 * time.Hour

// Isolation is what is known of a sandbox's isolation, under the network policies that the record renders.
type Isolation struct {
	// Verdict of package isolation.
	Verdict Verdict
	// Report is the digest of the report from inside, and At its time; empty without one.
	Report string
	At     time.Time
}

// Witnessed is a measurement and that of its control.
type Witnessed struct {
	Measurement
	Control Measurement
}

// Summary is what people read about a measurement.
type Summary struct {
	// Markdown without a heading of the first or second level. It follows the rule for reports: no input, no answer.
	Markdown string
	// Files beside it, such as plot.svg, by name; texts of at most 128 KiB.
	Files map[string]string
}
