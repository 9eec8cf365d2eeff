package promotion

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/internal/drift"
	"github.com/affineur/affineur/internal/gate"
	"github.com/affineur/affineur/internal/record"
)

// Memory is what a production namespace remembers in its annotations. It is the only state on which a promotion
// goes on after a restart: a status is a view that is computed from it and never read back as a reason to go on.
type Memory struct {
	// Record that is to serve; "" for nothing. It is written before the Deployment changes.
	Record string `json:"record,omitempty"`
	// Digest is the review digest of that record, so that another one of its name is noticed.
	Digest   string    `json:"digest,omitempty"`
	IntentAt time.Time `json:"intentAt,omitzero"`
	// Size is how many replicas it has, and what they request, by what was measured for it, kept because reports go before a
	// revision does; zero where nothing tells.
	Size gate.Size `json:"size,omitzero"`
	// SoakingSince is when every replica was available.
	SoakingSince time.Time `json:"soakingSince,omitzero"`
	// ServingSince is when the record had soaked.
	ServingSince time.Time `json:"servingSince,omitzero"`
	// Previous is what served before, to return to.
	Previous Served `json:"previous,omitzero"`
	// Fault is the last revision that was taken back, and why.
	Fault Fault `json:"fault,omitzero"`
	// Leftover is the record whose own objects can go as soon as the other one's pods have taken over.
	Leftover string `json:"leftover,omitempty"`
	// Retiring means that production is being taken down, whatever becomes of the prototype meanwhile.
	Retiring bool `json:"retiring,omitempty"`
}

// Served is a record that soaked.
type Served struct {
	Record   string    `json:"record,omitempty"`
	Digest   string    `json:"digest,omitempty"`
	IntentAt time.Time `json:"intentAt,omitzero"`
	Size     gate.Size `json:"size,omitzero"`
	Since    time.Time `json:"since,omitzero"`
}

// Fault is why a record was taken back.
type Fault struct {
	Record   string    `json:"record,omitempty"`
	Reason   string    `json:"reason,omitempty"`
	Message  string    `json:"message,omitempty"`
	At       time.Time `json:"at,omitzero"`
	IntentAt time.Time `json:"intentAt,omitzero"`
	Previous string    `json:"previous,omitempty"`
}

// recall reads a namespace's memory. Details that speak of another record than the annotation that everybody reads
// are dropped, and what can't be read is no memory: both only lead to another look at gates and decisions.
func recall(namespace *corev1.Namespace) Memory {
	var m Memory
	name := namespace.Annotations[v1alpha1.AnnotationRecord]
	err := json.Unmarshal([]byte(namespace.Annotations[v1alpha1.AnnotationPromotion]), &m)
	if err != nil || m.Record != name {
		return Memory{Record: name}
	}
	return m
}

// Serving is what a production namespace remembers to serve for good; nothing where it is being taken down, and while another
// record is on its way.
func Serving(namespace *corev1.Namespace) drift.Serving {
	place := placeOf(namespace)
	if m := place.Memory; !place.Foreign && !place.Terminating && !m.Retiring && m.serving() {
		return drift.Serving{Record: m.Record, Digest: m.Digest}
	}
	return drift.Serving{}
}

// annotations are the memory as the namespace keeps it.
func (m Memory) annotations() (map[string]string, error) {
	raw, err := json.Marshal(m)
	if err != nil {
		return nil, err
	}
	return map[string]string{v1alpha1.AnnotationRecord: m.Record, v1alpha1.AnnotationPromotion: string(raw)}, nil
}

// serving means that the record passed its whole way, so that putting it back needs no other permission.
func (m Memory) serving() bool { return m.Record != "" && !m.ServingSince.IsZero() }

func (m Memory) soaking() bool { return m.Record != "" && !m.SoakingSince.IsZero() && !m.serving() }

// underWay means that the record has neither soaked nor failed yet.
func (m Memory) underWay() bool { return m.Record != "" && !m.serving() }

// beside is the other record whose pods may still run: the one before while its successor is under way, afterwards
// what is left of either.
func (m Memory) beside() string {
	if m.underWay() {
		return m.Previous.Record
	}
	return m.Leftover
}

// intend makes a record the one that is to serve. Only one that soaked is worth returning to.
func (m Memory) intend(r record.Record, size gate.Size, now time.Time) Memory {
	next := Memory{Record: r.Name(), Digest: r.ReviewDigest, IntentAt: stamp(now), Size: size, Fault: m.Fault}
	if m.serving() {
		next.Previous = Served{Record: m.Record, Digest: m.Digest, IntentAt: m.IntentAt, Size: m.Size, Since: m.ServingSince}
	}
	return next
}

// withdraw takes an intent back before anything of it ran.
func (m Memory) withdraw() Memory {
	next := m.back()
	next.Leftover, next.Fault = m.Record, m.Fault
	return next
}

// rollBack returns to what served before, or to nothing.
func (m Memory) rollBack(reason, message string, now time.Time) Memory {
	next := m.back()
	next.Leftover = m.Record
	next.Fault = Fault{
		Record: m.Record, Reason: reason, Message: message, At: stamp(now), IntentAt: m.IntentAt, Previous: m.Previous.Record,
	}
	return next
}

func (m Memory) back() Memory {
	p := m.Previous
	return Memory{Record: p.Record, Digest: p.Digest, IntentAt: p.IntentAt, Size: p.Size, ServingSince: p.Since}
}

func (m Memory) soak(now time.Time) Memory {
	m.SoakingSince = stamp(now)
	return m
}

// soakAgain forgets a soak that was interrupted by something that is not the revision's fault.
func (m Memory) soakAgain() Memory {
	m.SoakingSince = time.Time{}
	return m
}

func (m Memory) serve(now time.Time) Memory {
	m.ServingSince, m.Leftover = stamp(now), m.Previous.Record
	return m
}

func (m Memory) cleaned() Memory {
	m.Leftover = ""
	return m
}

func (m Memory) retire() Memory {
	m.Retiring = true
	return m
}

// stamp drops what does not survive being written.
func stamp(t time.Time) time.Time { return t.UTC().Round(time.Millisecond) }

// String is one line for plans in tests and logs.
func (m Memory) String() string {
	var parts []string
	add := func(format string, args ...any) { parts = append(parts, fmt.Sprintf(format, args...)) }
	switch {
	case m.Record == "":
		add("nothing")
	case m.serving():
		add("%s serving", m.Record)
	case m.soaking():
		add("%s soaking", m.Record)
	default:
		add("%s intended", m.Record)
	}
	if m.Previous.Record != "" {
		add("after %s", m.Previous.Record)
	}
	if m.Fault.Record != "" {
		add("fault %s %s", m.Fault.Record, m.Fault.Reason)
	}
	if m.Leftover != "" {
		add("leftover %s", m.Leftover)
	}
	if m.Retiring {
		add("retiring")
	}
	return strings.Join(parts, ", ")
}
