package record

import (
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/affineur/affineur/internal/evidence"
	"github.com/affineur/affineur/internal/names"
)

// keys of a log's object, besides those that it has in common with a report's.
const (
	keyLog = "log.gz"
	keyWhy = "why"
	keyAt  = "at"
)

// Log is the end of what a workload wrote before the operator stopped it. It may hold what people typed, so it is kept
// nowhere but in the records, and only where a workload was stopped because its isolation was lost.
type Log struct {
	Prototype names.Identity
	// Name of the log's object.
	Name string
	// Why the workload was stopped, and At when that was found.
	Why  string
	At   time.Time
	Body []byte
}

// Digest is "sha256:" and the hexadecimal SHA-256 of the body.
func (l Log) Digest() string { return evidence.Digest(l.Body) }

// Object is the log as the API server keeps it: immutable and compressed.
func (l Log) Object() (*corev1.ConfigMap, error) {
	return kept{
		what: "log", name: l.Name, labels: l.Prototype.Labels("log"), key: keyLog, body: l.Body,
		data: map[string]string{keyWhy: l.Why, keyAt: l.At.UTC().Format(time.RFC3339)},
	}.object()
}
