package run

import (
	"bytes"
	"context"
	"errors"
	"io"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/utils/ptr"
)

// Bounds of what is read for a tail. The node hands out whole lines, and cuts a long one into pieces of 16 KiB that it
// counts as lines: what all of them come to is read, or the last ones would be missing.
const (
	maxTailLines = 2000
	maxTail      = 64 << 20
)

// Tail is the end of what a container wrote.
type Tail struct {
	Text []byte
	// Cut is true where more was written before.
	Cut bool
}

// Tail reads the end of what a container wrote, of at most the given length. Where reading broke off, there is an error,
// and what was read until then.
func (c Collector) Tail(ctx context.Context, namespace, pod, container string, length int) (Tail, error) {
	stream, err := c.Logs.CoreV1().Pods(namespace).GetLogs(pod, tailOf(container)).Stream(ctx)
	if err != nil {
		return Tail{}, err
	}
	tail, err := end(io.LimitReader(stream, maxTail), length)
	return tail, errors.Join(err, stream.Close())
}

// tailOf asks for the last lines, and sets no limit in bytes: that keeps the beginning of them, and loses the end.
func tailOf(container string) *corev1.PodLogOptions {
	return &corev1.PodLogOptions{Container: container, TailLines: ptr.To[int64](maxTailLines), Timestamps: true}
}

// end of a stream, read to its end in the memory of twice the length.
func end(stream io.Reader, length int) (Tail, error) {
	last := ending{length: length}
	_, err := io.Copy(&last, stream)
	return Tail{Text: last.text(), Cut: last.read > int64(length) || last.lines >= maxTailLines}, err
}

// ending remembers the end of what is written to it.
type ending struct {
	length      int
	buffer      []byte
	read, lines int64
}

func (e *ending) Write(p []byte) (int, error) {
	e.read += int64(len(p))
	e.lines += int64(bytes.Count(p, []byte{'\n'}))
	e.buffer = append(e.buffer, p[max(0, len(p)-e.length):]...)
	if len(e.buffer) > 2*e.length {
		e.buffer = append(e.buffer[:0], e.text()...)
	}
	return len(p), nil
}

func (e *ending) text() []byte { return e.buffer[max(0, len(e.buffer)-e.length):] }
