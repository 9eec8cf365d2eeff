package promotion

import (
	"maps"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/affineur/affineur/internal/record"
)

// known is what the observer remembers of a production namespace between two passes.
type known struct {
	// records that were read and verified. They never change, so that a pass without news makes no request.
	records map[string]record.Record
	// looked is when the credentials were last read, for the namespace lookedIn: another one of its name has none of them.
	looked   time.Time
	lookedIn types.UID
	// failing is since when not everything can be read; the zero time while it can.
	failing time.Time
}

// of is what is known of a namespace. The mutex is held.
func (o *observer) of(production string) *known {
	if o.known == nil {
		o.known = map[string]*known{}
	}
	if o.known[production] == nil {
		o.known[production] = &known{records: map[string]record.Record{}}
	}
	return o.known[production]
}

// failing is since when not everything can be read.
func (o *observer) failing(s Snapshot, now time.Time) time.Time {
	o.mutex.Lock()
	defer o.mutex.Unlock()
	switch k := o.known[s.Name]; {
	case s.Failed != nil && (k == nil || k.failing.IsZero()):
		o.of(s.Name).failing = now
	case s.Failed == nil && k != nil:
		k.failing = time.Time{}
	}
	if s.Failed == nil {
		return time.Time{}
	}
	return o.known[s.Name].failing
}

// forget drops what the snapshot does not use.
func (o *observer) forget(s Snapshot) {
	o.mutex.Lock()
	defer o.mutex.Unlock()
	if !s.Place.Exists && len(s.Reviews) == 0 {
		delete(o.known, s.Name)
		return
	}
	maps.DeleteFunc(o.of(s.Name).records, func(name string, _ record.Record) bool { return s.record(name) == nil })
}

// lookedAt notes that the credentials of a namespace were made and written.
func (o *observer) lookedAt(s Snapshot, at time.Time) {
	o.mutex.Lock()
	defer o.mutex.Unlock()
	k := o.of(s.Name)
	k.looked, k.lookedIn = at, s.Place.Made
}
