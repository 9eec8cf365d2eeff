package record

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/affineur/affineur/api/v1alpha1"
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
func (l Log) Digest() string {
	sum := sha256.Sum256(l.Body)
	return "sha256:" + hex.EncodeToString(sum[:])
}

// Object is the log as the API server keeps it: immutable and compressed.
func (l Log) Object() (*corev1.ConfigMap, error) {
	if len(l.Body) > MaxReport {
		return nil, fmt.Errorf("log %s has %d bytes, more than %d", l.Name, len(l.Body), MaxReport)
	}
	packed, err := pack(l.Body)
	if err != nil {
		return nil, err
	}
	return &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{Namespace: v1alpha1.RecordsNamespace, Name: l.Name, Labels: l.Prototype.Labels("log")},
		Immutable:  ptr.To(true),
		Data:       map[string]string{keyDigest: l.Digest(), keyWhy: l.Why, keyAt: l.At.UTC().Format(time.RFC3339)},
		BinaryData: map[string][]byte{keyLog: packed},
	}, nil
}

// pack compresses without a name or a time in the header, so that the same text packs to the same bytes.
func pack(body []byte) ([]byte, error) {
	var packed bytes.Buffer
	writer := gzip.NewWriter(&packed)
	if _, err := writer.Write(body); err != nil {
		return nil, err
	}
	if err := writer.Close(); err != nil {
		return nil, err
	}
	return packed.Bytes(), nil
}
