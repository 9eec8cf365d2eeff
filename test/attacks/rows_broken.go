package main

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/internal/workload"
	"github.com/affineur/affineur/test/story/await"
)

// unenforced is row 34: a cluster whose network plugin ignores NetworkPolicy, before a workload starts and later.
func (f *field) unenforced() []attack {
	return []attack{{row: 34, who: "a broken cluster", what: "ignoring NetworkPolicy under a running sandbox, and before another starts", meant: []wall{{by: "the measurement of isolation (", says: v1alpha1.ReasonNotEnforced}}, control: func(ctx context.Context) error {
		if err := f.comes(ctx, f.intruder, running); err != nil {
			return err
		}
		pod, err := f.pod(ctx, f.admin, f.sandbox)
		if err != nil {
			return err
		}
		_, err = f.tried(ctx, f.lead, f.sandbox, pod.Name, inside[0])
		return err
	}, try: func(ctx context.Context) (by string, err error) {
		before, err := f.logs(ctx, f.intruder)
		if err != nil {
			return "", err
		}
		if err := f.netpol(ctx, "off"); err != nil {
			return "", err
		}
		defer func() {
			if back := f.netpol(context.WithoutCancel(ctx), "on"); back != nil {
				err = errors.Join(err, back)
			}
		}()
		late := f.newPrototype(home, "late", "churn-advisor-1.4")
		if err := f.lead.Create(ctx, late); err != nil {
			return "", err
		}
		again := fmt.Sprintf(`{"metadata":{"annotations":{%q:%q}}}`, v1alpha1.AnnotationRequestedAt, time.Now().UTC().Format(time.RFC3339Nano))
		if err := f.lead.Patch(ctx, f.intruder, merge(again)); err != nil {
			return "", err
		}
		open := func(p *v1alpha1.AIPrototype) bool {
			return apimeta.IsStatusConditionFalse(p.Status.Conditions, v1alpha1.ConditionNetworkIsolated)
		}
		for _, p := range []*v1alpha1.AIPrototype{late, f.intruder} {
			if err := f.comes(ctx, p, open); err != nil {
				return "", err
			}
			if err := await.Until(ctx, func() error { return f.noPods(ctx, p) }); err != nil {
				return "", err
			}
		}
		if err := f.nothingOf(ctx, late); err != nil {
			return "", err
		}
		kept, err := f.keptLog(ctx, f.intruder, before)
		if err != nil {
			return "", err
		}
		c := apimeta.FindStatusCondition(f.intruder.Status.Conditions, v1alpha1.ConditionNetworkIsolated)
		return fmt.Sprintf("the measurement of isolation (%s=%s %s: %s; the running one was stopped, with %d lines of its log kept, the other never started)",
			c.Type, c.Status, c.Reason, short(c.Message), kept), nil
	}}}
}

// logs are those in the records of workloads of a prototype that the operator stopped.
func (f *field) logs(ctx context.Context, p *v1alpha1.AIPrototype) ([]corev1.ConfigMap, error) {
	var list corev1.ConfigMapList
	err := f.admin.List(ctx, &list, client.InNamespace(v1alpha1.RecordsNamespace),
		client.MatchingLabels{v1alpha1.LabelPrototypeUID: string(p.UID), v1alpha1.LabelComponent: "log"})
	return list.Items, err
}

// keptLog wants one log more than before, and counts the intruder's lines in it.
func (f *field) keptLog(ctx context.Context, p *v1alpha1.AIPrototype, before []corev1.ConfigMap) (int, error) {
	now, err := f.logs(ctx, p)
	if err != nil {
		return 0, err
	}
	added := slices.DeleteFunc(now, func(l corev1.ConfigMap) bool {
		return slices.ContainsFunc(before, func(b corev1.ConfigMap) bool { return b.UID == l.UID })
	})
	if len(added) != 1 {
		return 0, fmt.Errorf("%d logs were kept of the workload that was stopped", len(added))
	}
	lines, err := keptLines(added[0].BinaryData["log.gz"])
	if err == nil && !slices.ContainsFunc(lines, func(l line) bool { return l.Try == inside[0] }) {
		err = fmt.Errorf("ConfigMap %s does not hold what the intruder wrote, only %d lines", added[0].Name, len(lines))
	}
	return len(lines), err
}

// keptLines are the program's lines in a log of the records, where every line begins with when it was written.
func keptLines(packed []byte) ([]line, error) {
	unpacked, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		return nil, err
	}
	body, err := io.ReadAll(unpacked)
	if err != nil {
		return nil, err
	}
	var written strings.Builder
	for stamped := range strings.Lines(string(body)) {
		_, text, _ := strings.Cut(stamped, " ")
		written.WriteString(text)
	}
	return linesOf(strings.NewReader(written.String())), nil
}

// noPods wants none of the prototype's workload.
func (f *field) noPods(ctx context.Context, p *v1alpha1.AIPrototype) error {
	var pods corev1.PodList
	of := client.MatchingLabels{v1alpha1.LabelPrototypeUID: string(p.UID), v1alpha1.LabelComponent: workload.ComponentPrototype}
	if err := f.admin.List(ctx, &pods, of); err != nil {
		return err
	}
	// One that has ended runs nothing; the node takes it away a moment later.
	left := slices.DeleteFunc(pods.Items, func(pod corev1.Pod) bool {
		return pod.Status.Phase == corev1.PodSucceeded || pod.Status.Phase == corev1.PodFailed
	})
	if len(left) > 0 {
		return fmt.Errorf("%d pods of %s are there: %s is %s, deleted %v", len(left), p.Name, left[0].Name, left[0].Status.Phase, left[0].DeletionTimestamp)
	}
	return nil
}

// netpol exchanges the policy engine of the development cluster.
func (f *field) netpol(ctx context.Context, mode string) error {
	command := exec.CommandContext(ctx, "go", "run", ".", "up", "--netpol="+mode)
	command.Dir = filepath.Join(f.root, "hack", "devcluster")
	command.Env = append(os.Environ(), "CGO_ENABLED=0")
	said, err := command.CombinedOutput()
	if err != nil {
		return fmt.Errorf("network policy %s: %w: %s", mode, err, said)
	}
	return nil
}
