package sandbox

import (
	"context"
	"errors"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/affineur/affineur/api/v1alpha1"
)

const (
	// logAge is how long a log of a stopped workload is kept, whatever became of its prototype.
	logAge = 30 * 24 * time.Hour
	// A new log is younger than all others, so looking once a day at the latest is soon enough for any.
	longestRest, shortestRest = 24 * time.Hour, time.Minute
)

// Retention removes old logs of stopped workloads: they may hold what people typed, and those of a prototype that is gone
// would stay for ever. It goes by the API server's clock alone, which stamped them.
type Retention struct {
	Client  client.Client
	Live    client.Reader
	Witness Witness
	Clock   clock.Clock
}

// NeedLeaderElection makes one operator remove, and not each.
func (r *Retention) NeedLeaderElection() bool { return true }

// Start looks until ctx is done, each time when the next log is old.
func (r *Retention) Start(ctx context.Context) error {
	for {
		rest, err := r.pass(ctx)
		if err != nil && ctx.Err() == nil {
			log.FromContext(ctx).Error(err, "old logs were not removed", "again", shortestRest)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-r.Clock.After(rest):
		}
	}
}

// pass removes what is old, and tells when to look again.
func (r *Retention) pass(ctx context.Context) (time.Duration, error) {
	now, err := r.Witness.Now(ctx)
	if err != nil {
		return shortestRest, err
	}
	logs := &metav1.PartialObjectMetadataList{}
	logs.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("ConfigMapList"))
	ours := client.MatchingLabels{v1alpha1.LabelManagedBy: v1alpha1.ManagedBy, v1alpha1.LabelComponent: "log"}
	if err := r.Live.List(ctx, logs, client.InNamespace(v1alpha1.RecordsNamespace), ours); err != nil {
		return shortestRest, err
	}
	rest := longestRest
	var failed []error
	for i := range logs.Items {
		kept := &logs.Items[i]
		if left := kept.CreationTimestamp.Add(logAge).Sub(now); left > 0 {
			rest = min(rest, left)
			continue
		}
		gone := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: kept.Namespace, Name: kept.Name}}
		failed = append(failed, client.IgnoreNotFound(r.Client.Delete(ctx, gone, client.Preconditions{UID: &kept.UID})))
	}
	if err := errors.Join(failed...); err != nil {
		return shortestRest, err
	}
	return max(rest, shortestRest), nil
}
