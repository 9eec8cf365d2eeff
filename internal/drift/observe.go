package drift

import (
	"context"
	"errors"
	"fmt"
	"sync"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/internal/evidence"
	"github.com/affineur/affineur/internal/names"
	"github.com/affineur/affineur/internal/record"
	"github.com/affineur/affineur/internal/run"
	"github.com/affineur/affineur/internal/stop"
	"github.com/affineur/affineur/internal/workload"
)

// observer makes all reads of a pass.
type observer struct {
	// cache of what the operator made; live is past it.
	cache, live client.Reader
	collector   Collector
	serving     func(*corev1.Namespace) Serving

	mutex sync.Mutex
	// records that serve, by namespace. They never change.
	records map[string]record.Record
}

// observe fills the scene of one production namespace. Where it is gone, there is what was left of its measurements.
func (o *observer) observe(ctx context.Context, name string) (Scene, error) {
	var s Scene
	var namespace corev1.Namespace
	err := o.cache.Get(ctx, client.ObjectKey{Name: name}, &namespace)
	if client.IgnoreNotFound(err) != nil {
		return s, err
	}
	if err != nil || namespace.Labels[v1alpha1.LabelPurpose] != v1alpha1.PurposeProduction || namespace.Labels[v1alpha1.LabelManagedBy] != v1alpha1.ManagedBy {
		o.forget(name)
		return s, o.left(ctx, &s, name)
	}
	s.Namespace, s.Serving, s.State = &namespace, o.serving(&namespace), Read(namespace.Annotations)
	if err := errors.Join(o.record(ctx, &s), o.left(ctx, &s, name), o.stops(ctx, &s)); err != nil {
		return s, err
	}
	if s.Record == nil {
		return s, nil
	}
	return s, errors.Join(o.answering(ctx, &s), o.run(ctx, &s))
}

// record that serves, once for each. It must be the one that the namespace was promoted with.
func (o *observer) record(ctx context.Context, s *Scene) error {
	if s.Serving.Record == "" {
		return nil
	}
	o.mutex.Lock()
	known, ok := o.records[s.Namespace.Name]
	o.mutex.Unlock()
	if ok && known.Name() == s.Serving.Record && known.ReviewDigest == s.Serving.Digest {
		s.Record = &known
		return nil
	}
	var object appsv1.ControllerRevision
	if err := o.live.Get(ctx, client.ObjectKey{Namespace: v1alpha1.RecordsNamespace, Name: s.Serving.Record}, &object); err != nil {
		return client.IgnoreNotFound(err)
	}
	r, err := record.Read(&object)
	switch {
	case errors.Is(err, record.ErrMismatch):
		return nil
	case err != nil:
		return err
	case r.Prototype.Production() != s.Namespace.Name || r.ReviewDigest != s.Serving.Digest:
		return nil
	}
	o.mutex.Lock()
	defer o.mutex.Unlock()
	if o.records == nil {
		o.records = map[string]record.Record{}
	}
	o.records[s.Namespace.Name] = r
	s.Record = &r
	return nil
}

func (o *observer) forget(namespace string) {
	o.mutex.Lock()
	defer o.mutex.Unlock()
	delete(o.records, namespace)
}

// left are the Jobs and openings of measurements of what serves, or served, in a namespace.
func (o *observer) left(ctx context.Context, s *Scene, production string) error {
	again := client.MatchingLabels{v1alpha1.LabelComponent: workload.ComponentAgain}
	var jobs batchv1.JobList
	var out, in networkingv1.NetworkPolicyList
	gates, here := client.InNamespace(v1alpha1.GatesNamespace), client.InNamespace(production)
	if err := errors.Join(o.cache.List(ctx, &jobs, gates, again), o.cache.List(ctx, &out, gates, again), o.cache.List(ctx, &in, here, again)); err != nil {
		return fmt.Errorf("what is left of measurements: %w", err)
	}
	add := func(object client.Object) {
		if owner, ours := names.FromLabels(object.GetLabels()); ours && owner.Production() == production {
			s.Left = append(s.Left, object)
		}
	}
	// The way into production is closed first.
	for i := range in.Items {
		add(&in.Items[i])
	}
	for i := range out.Items {
		add(&out.Items[i])
	}
	for i := range jobs.Items {
		add(&jobs.Items[i])
	}
	return nil
}

// stops that concern what the namespace says of itself.
func (o *observer) stops(ctx context.Context, s *Scene) error {
	var list v1alpha1.EmergencyStopList
	if err := o.cache.List(ctx, &list); err != nil || len(list.Items) == 0 {
		return err
	}
	var team corev1.Namespace
	home := s.Namespace.Labels[v1alpha1.LabelPrototypeNamespace]
	if err := o.cache.Get(ctx, types.NamespacedName{Name: home}, &team); client.IgnoreNotFound(err) != nil {
		return err
	}
	_, facts := stop.Read(s.Namespace)
	s.Stops = stop.Of(list.Items, facts.OfTeam(team.Labels[v1alpha1.LabelTeam]))
	return nil
}

// answering looks whether the Deployment is the record's and has pods that are ready.
func (o *observer) answering(ctx context.Context, s *Scene) error {
	var d appsv1.Deployment
	if err := o.cache.Get(ctx, client.ObjectKey{Namespace: s.Namespace.Name, Name: workload.Name}, &d); err != nil {
		return client.IgnoreNotFound(err)
	}
	s.Answering = d.Annotations[v1alpha1.AnnotationRecord] == s.Serving.Record && d.Status.AvailableReplicas > 0
	return nil
}

func (o *observer) run(ctx context.Context, s *Scene) (err error) {
	s.Run, err = o.collector.Collect(ctx, v1alpha1.GatesNamespace, name(*s.Record, s.number()), evidence.KindQuality)
	return err
}

// Collector reads what a run left; it is a run.Collector.
type Collector interface {
	Collect(ctx context.Context, namespace, name string, want evidence.Kind) (run.Result, error)
}
