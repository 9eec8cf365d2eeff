package sandbox

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/internal/apply"
	"github.com/affineur/affineur/internal/evidence"
	"github.com/affineur/affineur/internal/record"
	"github.com/affineur/affineur/internal/run"
	"github.com/affineur/affineur/internal/workload"
)

// Tailer reads the end of a container's log.
type Tailer interface {
	Tail(ctx context.Context, namespace, pod, container string, length int) (run.Tail, error)
}

const (
	// keptLog is how much of the end of a workload's log is kept, of all its pods together.
	keptLog = 64 << 10
	// logTime bounds how long a stop may wait until the log is read, of all pods side by side, and then until it is kept.
	logTime = 3 * time.Second
)

// keepLogs stores the end of the workload's log in the records before it is stopped, and says what became of it. It
// never fails, and takes twice logTime at most: nothing may keep a workload running that must not.
func (a *actor) keepLogs(ctx context.Context, s *Snapshot, p Plan) string {
	kept, outcome, err := a.logs(ctx, s, p)
	switch {
	case err != nil:
		log.FromContext(ctx).Error(err, "log not kept")
		return "The end of its log could not be kept: " + evidence.Clean(err.Error(), 256)
	case outcome != apply.Created:
		return ""
	}
	return "The end of its log is kept in ConfigMap " + v1alpha1.RecordsNamespace + "/" + kept.Name + " (" + kept.Digest() + ")."
}

func (a *actor) logs(ctx context.Context, s *Snapshot, p Plan) (record.Log, apply.Outcome, error) {
	kept := s.log(p)
	tails := a.tails(ctx, s)
	if err := nothing(tails); err != nil {
		return kept, "", err
	}
	kept.Body = bodyOf(tails)
	object, err := kept.Object()
	if err != nil {
		return kept, "", err
	}
	ctx, cancel := context.WithTimeout(ctx, logTime)
	defer cancel()
	outcome, err := a.writer.CreateOnce(ctx, object)
	return kept, outcome, err
}

// tail is the end of one pod's log, and why it is not all there.
type tail struct {
	pod string
	run.Tail
	err error
}

// tails of all pods, read side by side: one that does not answer must not take the others' time.
func (a *actor) tails(ctx context.Context, s *Snapshot) []tail {
	ctx, cancel := context.WithTimeout(ctx, logTime)
	defer cancel()
	out := make([]tail, len(s.Pods))
	var group sync.WaitGroup
	for i := range s.Pods {
		group.Go(func() {
			out[i].pod = s.Pods[i].Name
			out[i].Tail, out[i].err = a.tailer.Tail(ctx, s.Identity.Sandbox(), out[i].pod, workload.Name, keptLog/len(s.Pods))
		})
	}
	group.Wait()
	return out
}

// nothing says why there is nothing to keep; nil where there is something, be it of one pod alone.
func nothing(tails []tail) error {
	if len(tails) == 0 {
		return errors.New("it has no pod")
	}
	var all []error
	for _, t := range tails {
		if t.err == nil || len(t.Text) > 0 {
			return nil
		}
		all = append(all, fmt.Errorf("pod %s: %w", t.pod, t.err))
	}
	return errors.Join(all...)
}

// bodyOf a log: what could be read, under a line for every pod that says what could not.
func bodyOf(tails []tail) []byte {
	var body strings.Builder
	for _, t := range tails {
		body.WriteString("pod " + t.pod)
		if t.Cut {
			body.WriteString(", the end only")
		}
		if t.err != nil {
			body.WriteString(", could not be read to its end: " + evidence.Clean(t.err.Error(), 256))
		}
		fmt.Fprintf(&body, "\n%s\n", t.Text)
	}
	return []byte(body.String())
}

// log is what is kept of a workload that is being stopped, without its text. One verdict stops it once.
func (s Snapshot) log(p Plan) record.Log {
	kept := record.Log{Prototype: s.Identity, Why: string(p.State)}
	if verdict := p.verdict(s); verdict != nil {
		kept.At = verdict.MeasuredAt.Time
	}
	kept.Name = s.Identity.Run("log", strconv.FormatInt(kept.At.Unix(), 36))
	return kept
}
