package record

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/internal/evidence"
	"github.com/affineur/affineur/internal/names"
)

// MaxReport is the most bytes that a report may have before it is compressed.
const MaxReport = 512 << 10

// keys of a report's object.
const (
	keyReport   = "report.json.gz"
	keyDigest   = "digest"
	keyInputs   = "inputs"
	keyNonce    = "nonce"
	keyMeasured = "measuredAt"
	keyNetwork  = "network"
	keyPart     = "part"
	keyAttempt  = "attempt"
)

// MaxBeside is the most bytes of text that is kept beside a report, so that both fit into one object.
const MaxBeside = 256 << 10

// Summary is the name of the text that tells people what was found.
const Summary = "summary.md"

// Report is one measurement, as the runner wrote it. It is kept whatever it says.
type Report struct {
	Prototype names.Identity
	// Gate is the kind of measurement: isolation, isolation-control, or that of a policy's gate or its control.
	Gate string
	// Part of the gate's measurement, "" for the only one, and Attempt, from 1, for one that was made for a review.
	Part    string
	Attempt int
	// Ordinal of the review that the measurement was made for; 0 where it was made for none. The same subject under
	// the same requirements, reviewed again, is measured again.
	Ordinal int
	// Name of the report's object, unique for the run.
	Name string
	// Inputs binds the report to what was measured: the review digest, or the digest of the policies probed.
	Inputs string
	// Network is the digest of the sandbox's network policies that isolation was measured under; empty for all else.
	Network string
	// Nonce of the run.
	Nonce      string
	MeasuredAt time.Time
	// Body is the runner's JSON.
	Body []byte
	// Beside are texts for people that are kept with it, such as summary.md, by name; MaxBeside in all. They are no
	// evidence: nothing is judged by them.
	Beside map[string]string
}

// Digest is "sha256:" and the hexadecimal SHA-256 of the body.
func (r Report) Digest() string { return evidence.Digest(r.Body) }

// Object is the report as the API server keeps it: immutable and compressed.
func (r Report) Object() (*corev1.ConfigMap, error) {
	labels := r.Prototype.Labels("report")
	labels[v1alpha1.LabelGate] = r.Gate
	if r.Ordinal > 0 {
		labels[v1alpha1.LabelReview] = strconv.Itoa(r.Ordinal)
	}
	data := map[string]string{
		keyInputs: r.Inputs, keyNonce: r.Nonce, keyMeasured: r.MeasuredAt.UTC().Format(time.RFC3339),
	}
	if r.Network != "" {
		data[keyNetwork] = r.Network
	}
	if r.Attempt > 0 {
		data[keyPart], data[keyAttempt] = r.Part, strconv.Itoa(r.Attempt)
	}
	room := MaxBeside
	for _, name := range slices.Sorted(maps.Keys(r.Beside)) {
		// What is left out is only explanation; the report is whole.
		if text := r.Beside[name]; strings.Contains(name, ".") && len(text) <= room {
			data[name] = text
			room -= len(text)
		}
	}
	return kept{what: "report", name: r.Name, labels: labels, key: keyReport, body: r.Body, data: data}.object()
}

// ReadReport unpacks a report and verifies its digest. Errors wrap ErrMismatch.
func ReadReport(object *corev1.ConfigMap) (Report, error) {
	report := Report{
		Prototype: names.Identity{
			Namespace: object.Labels[v1alpha1.LabelPrototypeNamespace],
			Name:      object.Labels[v1alpha1.LabelPrototype],
			UID:       object.Labels[v1alpha1.LabelPrototypeUID],
		},
		Gate: object.Labels[v1alpha1.LabelGate], Name: object.Name, Inputs: object.Data[keyInputs], Nonce: object.Data[keyNonce],
		Network: object.Data[keyNetwork], Part: object.Data[keyPart],
	}
	for name, text := range object.Data {
		if strings.Contains(name, ".") {
			if report.Beside == nil {
				report.Beside = map[string]string{}
			}
			report.Beside[name] = text
		}
	}
	if text, ok := object.Data[keyAttempt]; ok {
		attempt, err := strconv.Atoi(text)
		if err != nil || attempt < 1 {
			return report, fmt.Errorf("%w: report %s is of no attempt", ErrMismatch, object.Name)
		}
		report.Attempt = attempt
	}
	if review, ok := object.Labels[v1alpha1.LabelReview]; ok {
		ordinal, err := strconv.Atoi(review)
		if err != nil || ordinal < 1 {
			return report, fmt.Errorf("%w: report %s is of no review", ErrMismatch, object.Name)
		}
		report.Ordinal = ordinal
	}
	body, err := unpack(object.BinaryData[keyReport])
	if err != nil {
		return report, fmt.Errorf("%w: report %s: %w", ErrMismatch, object.Name, err)
	}
	report.Body = body
	if report.MeasuredAt, err = time.Parse(time.RFC3339, object.Data[keyMeasured]); err != nil {
		return report, fmt.Errorf("%w: report %s: %w", ErrMismatch, object.Name, err)
	}
	if report.Digest() != object.Data[keyDigest] {
		return report, fmt.Errorf("%w: report %s", ErrMismatch, object.Name)
	}
	return report, nil
}

// kept is a text of the records, compressed under a key, and what is said about it.
type kept struct {
	what, name   string
	labels, data map[string]string
	key          string
	body         []byte
}

// object is the text as the API server keeps it: immutable, compressed, with its digest.
func (k kept) object() (*corev1.ConfigMap, error) {
	if len(k.body) > MaxReport {
		return nil, fmt.Errorf("%s %s has %d bytes, more than %d", k.what, k.name, len(k.body), MaxReport)
	}
	packed, err := Pack(k.body)
	if err != nil {
		return nil, err
	}
	k.data[keyDigest] = evidence.Digest(k.body)
	return &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{Namespace: v1alpha1.RecordsNamespace, Name: k.name, Labels: k.labels},
		Immutable:  ptr.To(true),
		Data:       k.data,
		BinaryData: map[string][]byte{k.key: packed},
	}, nil
}

// Pack compresses without a name or a time in the header, so that the same text packs to the same bytes.
func Pack(body []byte) ([]byte, error) {
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

// unpack reads no more than a report may have, so that a small object can't fill the memory.
func unpack(packed []byte) ([]byte, error) {
	reader, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		return nil, err
	}
	body, err := io.ReadAll(io.LimitReader(reader, MaxReport+1))
	if err != nil {
		return nil, err
	}
	if len(body) > MaxReport {
		return nil, fmt.Errorf("more than %d bytes", MaxReport)
	}
	return body, nil
}
