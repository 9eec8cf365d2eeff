package run

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	metricsv1beta1 "k8s.io/metrics/pkg/apis/metrics/v1beta1"
	metrics "k8s.io/metrics/pkg/client/clientset/versioned"

	"github.com/affineur/affineur/internal/evidence"
)

// ErrNoMetrics means that the cluster has no metrics API, or does not let the operator read it.
var ErrNoMetrics = errors.New("the cluster has no metrics API that the operator may read")

// Meter reads the metrics API (metrics.k8s.io), which tells what pods use and not by how much their limit held them back.
type Meter struct{ Metrics metrics.Interface }

// Look reads what pods used of late, one sample for each that the API knows.
func (m Meter) Look(ctx context.Context, namespace string, selector map[string]string) ([]evidence.UsageSample, error) {
	list, err := m.Metrics.MetricsV1beta1().PodMetricses(namespace).List(ctx, metav1.ListOptions{LabelSelector: labels.SelectorFromSet(selector).String()})
	switch {
	case apierrors.IsNotFound(err), apierrors.IsForbidden(err):
		return nil, ErrNoMetrics
	case err != nil:
		return nil, err
	}
	slices.SortFunc(list.Items, func(a, b metricsv1beta1.PodMetrics) int { return strings.Compare(a.Name, b.Name) })
	var out []evidence.UsageSample
	for i := range list.Items {
		out = append(out, sampleOf(&list.Items[i], i))
	}
	return out, nil
}

func sampleOf(pod *metricsv1beta1.PodMetrics, number int) evidence.UsageSample {
	out := evidence.UsageSample{At: pod.Timestamp.UTC().Truncate(time.Second), Window: evidence.Duration(pod.Window.Duration), Pod: number}
	for _, container := range pod.Containers {
		out.CPU += container.Usage.Cpu().MilliValue()
		out.Memory += container.Usage.Memory().Value()
	}
	return out
}
