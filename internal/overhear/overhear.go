// Package overhear looks for canary records in the log of a prototype's sandbox, as the operator: nothing else may read
// logs there.
package overhear

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/affineur/affineur/internal/evidence"
	"github.com/affineur/affineur/internal/gate"
	"github.com/affineur/affineur/internal/gate/privacy"
	"github.com/affineur/affineur/internal/leak"
	"github.com/affineur/affineur/internal/workload"
)

const (
	// mostLog is how much of a log is searched, of all pods together.
	mostLog = 16 << 20
	// window is how much is looked at at a time, and overlap how much of it again with the next: what lies across the
	// boundary is found too, encoded twice.
	window  = 256 << 10
	overlap = 16 << 10
	// before is how much earlier than the conversation reading begins: the clocks of nodes differ.
	before = 10 * time.Second
	// large is a log of which the beginning may have been put aside by the node, which gives the newest file only and begins
	// a new one when the log is long. A smaller one is that of a program that says little.
	large = 64 << 10
	// starting is how long a program that was started anew may take until it logs something.
	starting = time.Minute
)

// Instrument is the privacy gate's, with eyes for logs.
type Instrument struct {
	privacy.Instrument
	// Reader reads pods past the cache, and Logs their logs.
	Reader client.Reader
	Logs   kubernetes.Interface
}

// Sample implements run.Sampler.
func (i Instrument) Sample(ctx context.Context, c gate.Case, r gate.Run) (evidence.Result, error) {
	order, err := evidence.Read[evidence.LogOrder](r.Order)
	if err != nil {
		return nil, err
	}
	records, err := leak.Records(order.Nonce, order.Records)
	if err != nil {
		return nil, err
	}
	namespace := c.Record.Prototype.Sandbox()
	var pods corev1.PodList
	if err := i.Reader.List(ctx, &pods, client.InNamespace(namespace), client.MatchingLabels(workload.Selector(c.Record.Prototype))); err != nil {
		return nil, fmt.Errorf("the sandbox's pods can't be listed: %w", err)
	}
	s := search{detector: leak.NewDetector(records), result: &evidence.LogResult{Nonce: order.Nonce}}
	heard := 0
	for n := range pods.Items {
		pod := &pods.Items[n]
		there, err := talkedTo(pod, order.Since)
		if err != nil {
			return nil, err
		}
		if there {
			heard++
		}
		if err := i.read(ctx, pod, order.Since, &s); err != nil {
			return nil, err
		}
	}
	if heard == 0 {
		return nil, errors.New("no pod is left that was there when the prototype was talked to, so its log can't be searched")
	}
	evidence.SortLeaks(s.result.Leaks)
	return s.result, nil
}

// talkedTo tells whether a pod was there when the conversation began. Of its containers that ended since, only the last
// one's log is kept: where more did, something is missing.
func talkedTo(pod *corev1.Pod, since time.Time) (bool, error) {
	for _, status := range pod.Status.ContainerStatuses {
		if last := status.LastTerminationState.Terminated; last != nil && last.StartedAt.After(since) && status.RestartCount > 1 {
			return false, errors.New("the program was started anew more than once since it was talked to, so its log is not all there")
		}
	}
	return !pod.CreationTimestamp.After(since), nil
}

// read the logs of a pod's program, of the one that ended before included.
func (i Instrument) read(ctx context.Context, pod *corev1.Pod, since time.Time, s *search) error {
	s.result.Pods++
	for _, status := range pod.Status.ContainerStatuses {
		if status.Name != workload.Name {
			continue
		}
		if last := status.LastTerminationState.Terminated; last != nil && last.FinishedAt.After(since) {
			if err := i.stream(ctx, pod, begin(since, last.StartedAt.Time), since, true, s); err != nil {
				return err
			}
		}
		running := since
		if status.State.Running != nil {
			running = begin(since, status.State.Running.StartedAt.Time)
		}
		return i.stream(ctx, pod, running, since, false, s)
	}
	return fmt.Errorf("pod %s says nothing of its program", pod.Name)
}

// begin is when the log of a program that was started at a time has something in it at the latest, if it logs at all.
func begin(since, started time.Time) time.Time {
	if started.Before(since) {
		return since
	}
	return started.Add(starting)
}

// stream a log since the conversation began. Where it is large, and the first line that is left of it is later than begin,
// what was before has been put aside.
func (i Instrument) stream(ctx context.Context, pod *corev1.Pod, begin, since time.Time, previous bool, s *search) error {
	options := corev1.PodLogOptions{Container: workload.Name, Previous: previous, SinceTime: ptr.To(metav1.NewTime(since.Add(-before)))}
	bytes := s.result.Bytes
	if err := i.open(ctx, pod, options, s.read); err != nil {
		return err
	}
	if s.result.Bytes-bytes < large {
		return nil
	}
	options = corev1.PodLogOptions{Container: workload.Name, Previous: previous, Timestamps: true, LimitBytes: ptr.To[int64](64)}
	return i.open(ctx, pod, options, func(log io.Reader) error {
		first, err := firstTime(log)
		s.result.Cut = s.result.Cut || err != nil || first.After(begin)
		return nil
	})
}

// firstTime is when the first line of a log with times was written.
func firstTime(log io.Reader) (time.Time, error) {
	raw, err := io.ReadAll(io.LimitReader(log, 64))
	if err != nil {
		return time.Time{}, err
	}
	stamp, _, _ := strings.Cut(string(raw), " ")
	return time.Parse(time.RFC3339Nano, stamp)
}

func (i Instrument) open(ctx context.Context, pod *corev1.Pod, options corev1.PodLogOptions, read func(io.Reader) error) error {
	stream, err := i.Logs.CoreV1().Pods(pod.Namespace).GetLogs(pod.Name, &options).Stream(ctx)
	if err != nil {
		return fmt.Errorf("the log of pod %s can't be read: %w", pod.Name, err)
	}
	return errors.Join(read(stream), stream.Close())
}

// search of logs, a window at a time.
type search struct {
	detector *leak.Detector
	result   *evidence.LogResult
}

// read a log to its end, or until it is longer than what is searched.
func (s *search) read(log io.Reader) error {
	buffer := make([]byte, 0, window)
	for {
		if s.result.Bytes >= mostLog {
			s.result.Cut = true
			return nil
		}
		n, err := io.ReadFull(log, buffer[len(buffer):cap(buffer)])
		buffer = buffer[:len(buffer)+n]
		s.result.Bytes += int64(n)
		if n > 0 {
			for _, sighting := range s.detector.Find(string(buffer)) {
				s.result.Leaks = evidence.AddLeak(s.result.Leaks, evidence.LeakLog, sighting, "")
			}
		}
		switch {
		case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
			return nil
		case err != nil:
			return fmt.Errorf("reading the log broke off: %w", err)
		}
		buffer = append(buffer[:0], buffer[max(0, len(buffer)-overlap):]...)
	}
}
