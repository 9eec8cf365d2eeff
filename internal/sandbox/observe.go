package sandbox

import (
	"context"
	"errors"
	"slices"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	nodev1 "k8s.io/api/node/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/internal/credentials"
	"github.com/affineur/affineur/internal/evidence"
	"github.com/affineur/affineur/internal/names"
	"github.com/affineur/affineur/internal/policy"
	"github.com/affineur/affineur/internal/record"
	"github.com/affineur/affineur/internal/registry"
	"github.com/affineur/affineur/internal/run"
	"github.com/affineur/affineur/internal/subject"
	"github.com/affineur/affineur/internal/workload"
)

// Resolver asks registries what a tag stands for, and what an artifact holds. Errors that are the registry's are *registry.Error.
type Resolver interface {
	Resolve(ctx context.Context, image string, via v1alpha1.Registry) (string, error)
	// Artifact fetches the one file of an artifact, of at most so many bytes.
	Artifact(ctx context.Context, reference string, via v1alpha1.Registry, most int64) (registry.Artifact, error)
}

// Collector reads what a measuring Job left behind.
type Collector interface {
	Collect(ctx context.Context, namespace, name string, want evidence.Kind) (run.Result, error)
}

// observer does all the reading.
type observer struct {
	cache     client.Reader
	live      client.Reader
	resolver  Resolver
	maker     credentials.Maker
	collector Collector
	routes    *Routes
	clock     Witness
	settings  Settings
	memory    *memory
}

// observe reads everything that a decision about the prototype rests on; nil where it is gone. What the present state
// does not need is not read: a deleted prototype needs no policy, and a suspended one no registry.
func (o *observer) observe(ctx context.Context, key types.NamespacedName, now time.Time) (*Snapshot, error) {
	var prototype v1alpha1.AIPrototype
	if err := o.cache.Get(ctx, key, &prototype); err != nil {
		if apierrors.IsNotFound(err) {
			o.memory.drop(key)
		}
		return nil, client.IgnoreNotFound(err)
	}
	s := &Snapshot{Settings: o.settings, Prototype: prototype.DeepCopy(), Identity: names.Of(&prototype)}
	seen := o.memory.of(key, prototype.UID)
	for _, read := range []func(context.Context, *Snapshot) error{o.namespaces, o.stops, o.sandbox} {
		if err := read(ctx, s); err != nil {
			return nil, err
		}
	}
	if s.deleting() {
		return s, nil
	}
	s.Failed = o.rest(ctx, s, seen, now)
	return s, nil
}

// rest is what is read after that which tells whether a workload has to be stopped.
func (o *observer) rest(ctx context.Context, s *Snapshot, seen *remembered, now time.Time) error {
	for _, read := range []func(context.Context, *Snapshot) error{o.reviews, o.policy, o.runtime, o.room} {
		if err := read(ctx, s); err != nil {
			return err
		}
	}
	if err := o.route(ctx, s, now); err != nil {
		return err
	}
	if err := o.pilotGateway(ctx, s); err != nil {
		return err
	}
	if err := o.runs(ctx, s, seen); err != nil {
		return err
	}
	if err := o.boots(ctx, s); err != nil {
		return err
	}
	if err := o.witness(ctx, s, now); err != nil {
		return err
	}
	if err := o.subject(ctx, s, seen, false, now); err != nil {
		return err
	}
	return o.records(ctx, s, seen, now)
}

func (o *observer) namespaces(ctx context.Context, s *Snapshot) error {
	read := func(name string) (*corev1.Namespace, error) {
		var namespace corev1.Namespace
		err := o.cache.Get(ctx, client.ObjectKey{Name: name}, &namespace)
		if apierrors.IsNotFound(err) {
			return nil, nil
		}
		return &namespace, err
	}
	var err error
	if s.Namespace, err = read(s.Identity.Sandbox()); err != nil {
		return err
	}
	if s.Production, err = read(s.Identity.Production()); err != nil {
		return err
	}
	team, err := read(s.Identity.Namespace)
	s.TeamLeaving = team == nil || !team.DeletionTimestamp.IsZero()
	if team != nil {
		s.TeamLabel = team.Labels[v1alpha1.LabelTeam]
	}
	return err
}

func (o *observer) stops(ctx context.Context, s *Snapshot) error {
	var list v1alpha1.EmergencyStopList
	err := o.cache.List(ctx, &list)
	s.Stops = list.Items
	return err
}

func (o *observer) reviews(ctx context.Context, s *Snapshot) error {
	var list v1alpha1.HardeningReviewList
	if err := o.cache.List(ctx, &list, client.InNamespace(s.Identity.Namespace), client.MatchingFields{indexPrototypeUID: s.Identity.UID}); err != nil {
		return err
	}
	s.Reviews = list.Items
	slices.SortFunc(s.Reviews, func(a, b v1alpha1.HardeningReview) int {
		return ordinal(s.Identity, a.Name) - ordinal(s.Identity, b.Name)
	})
	return nil
}

// sandbox reads the objects that decide: the workload and its pods, and what grants or opens something.
func (o *observer) sandbox(ctx context.Context, s *Snapshot) error {
	return o.inside(ctx, s, s.Identity.Sandbox())
}

// inside reads the same of one of the prototype's namespaces.
func (o *observer) inside(ctx context.Context, s *Snapshot, namespace string) error {
	mine := client.MatchingLabels{v1alpha1.LabelPrototypeUID: s.Identity.UID}
	var deployment appsv1.Deployment
	err := o.cache.Get(ctx, client.ObjectKey{Namespace: namespace, Name: workload.Name}, &deployment)
	if client.IgnoreNotFound(err) != nil {
		return err
	}
	if owner, ours := names.FromLabels(deployment.Labels); err == nil && ours && owner.UID == s.Identity.UID {
		s.Deployment = &deployment
	}
	var pods corev1.PodList
	if err := o.cache.List(ctx, &pods, client.InNamespace(namespace), client.MatchingLabels(workload.Selector(s.Identity))); err != nil {
		return err
	}
	s.Pods = pods.Items
	for _, list := range []client.ObjectList{&rbacv1.RoleBindingList{}, &networkingv1.NetworkPolicyList{}} {
		if err := o.cache.List(ctx, list, client.InNamespace(namespace), mine); err != nil {
			return err
		}
		objects, err := apimeta.ExtractList(list)
		if err != nil {
			return err
		}
		for _, object := range objects {
			s.Present = append(s.Present, object.(client.Object))
		}
	}
	return nil
}

// policy finds the one that governs and freezes what it asks.
func (o *observer) policy(ctx context.Context, s *Snapshot) error {
	var namespace corev1.Namespace
	if err := o.cache.Get(ctx, client.ObjectKey{Name: s.Identity.Namespace}, &namespace); client.IgnoreNotFound(err) != nil {
		return err
	}
	var policies v1alpha1.HardeningPolicyList
	if err := o.cache.List(ctx, &policies); err != nil {
		return err
	}
	governing, problem := policy.Governing(policies.Items, labels.Set(namespace.Labels))
	s.Policy = governing
	if problem != nil {
		s.Unread = governing != nil && !read(governing)
		s.Problems = append(s.Problems, *problem)
		return nil
	}
	var problems []policy.Problem
	s.Requirements, problems = policy.Resolve(governing, labels.Set(namespace.Labels), s.Prototype.Spec)
	s.Problems = append(s.Problems, s.attributed(problems)...)
	s.Answers = policy.Answers(governing, s.Prototype.Spec)
	return nil
}

// runtime looks whether the cluster has what the policy wants the prototype's data handled under.
func (o *observer) runtime(ctx context.Context, s *Snapshot) error {
	name := s.Requirements.RuntimeClass
	if name == "" || s.container() == nil {
		return nil
	}
	var class nodev1.RuntimeClass
	err := o.cache.Get(ctx, client.ObjectKey{Name: name}, &class)
	if apierrors.IsNotFound(err) {
		s.Problems = append(s.Problems, policy.RuntimeMissing(name))
		return nil
	}
	return err
}

// room reads what the team's other prototypes have of its room, in all of the team's namespaces. Whoever is kept from
// running by something else takes part in no queue.
func (o *observer) room(ctx context.Context, s *Snapshot) error {
	if s.container() == nil || s.Prototype.Spec.Suspend || s.Prototype.Spec.Target == v1alpha1.TargetRetired || len(s.Problems) > 0 {
		return nil
	}
	list, err := inTeam(ctx, o.cache, s.Requirements.Team.Name)
	if err != nil {
		return err
	}
	for i := range list {
		if list[i].UID != s.Prototype.UID {
			s.Team = append(s.Team, stakeOf(&list[i]))
		}
	}
	s.Problems = append(s.Problems, s.cramped()...)
	return nil
}

// read tells whether the policy's newest generation has a verdict.
func read(p *v1alpha1.HardeningPolicy) bool {
	ready := apimeta.FindStatusCondition(p.Status.Conditions, v1alpha1.ConditionReady)
	return ready != nil && ready.ObservedGeneration == p.Generation
}

// runs of the isolation measurement. One that was deleted on an earlier pass counts as absent, also while the cache
// still shows it.
func (o *observer) runs(ctx context.Context, s *Snapshot, seen *remembered) error {
	for suffix, into := range map[string]*Probe{suffixInside: &s.Inside, suffixControl: &s.Control} {
		series := s.series(suffix)
		jobs, err := run.Attempts(ctx, o.cache, s.Identity, series)
		if err != nil {
			return err
		}
		into.State, into.Jobs = run.Absent, slices.DeleteFunc(jobs, func(job batchv1.Job) bool {
			return slices.Contains(seen.removed, job.Annotations[v1alpha1.AnnotationNonce])
		})
		if len(into.Jobs) == 0 {
			continue
		}
		job := into.Jobs[0]
		if into.Result, err = o.collector.Collect(ctx, job.Namespace, job.Name, evidence.KindIsolation); err != nil {
			// What it measured is not known yet. Everything else goes on, so that a node which does not answer keeps
			// nothing running that has to be stopped.
			into.State, into.Why, s.Late = run.Running, "", errors.Join(s.Late, err)
		}
		if len(into.Jobs) > 1 {
			continue
		}
		into.Inputs, into.Request = job.Annotations[v1alpha1.AnnotationInputs], job.Annotations[v1alpha1.AnnotationRequestedAt]
	}
	return nil
}

// subject resolves what the spec names and renders what would run. While something is unknown there is none.
func (o *observer) subject(ctx context.Context, s *Snapshot, seen *remembered, anew bool, now time.Time) error {
	s.Subject, s.SubjectDigest, s.ReviewDigest, s.Inputs = nil, "", "", ""
	if s.container() == nil || s.Prototype.Spec.Suspend || s.Prototype.Spec.Target == v1alpha1.TargetRetired {
		return nil
	}
	// Under a problem, what runs already is still looked after, as far as it is known what it may reach.
	broken := len(s.Problems) > 0
	if broken && s.Deployment == nil || slices.ContainsFunc(s.Problems, unbounded) {
		return nil
	}
	if s.lifeOver(now) {
		return nil
	}
	if !broken {
		if err := o.image(ctx, s, seen, now); err != nil {
			return err
		}
	}
	if err := o.references(ctx, s, seen, anew, now); err != nil {
		return err
	}
	s.Problems = append(s.Problems, s.References.Problems...)
	if err := s.measurable(); err != nil {
		return err
	}
	if len(s.Problems) > 0 {
		return nil
	}
	return s.render()
}

// measurable computes the digest of what isolation is measured under.
func (s *Snapshot) measurable() error {
	if s.References.Canary == "" {
		return nil
	}
	var err error
	s.Inputs, err = inputsDigest(s.policies(), targets(s.places(), true), s.Requirements.RuntimeClass)
	return err
}

// render computes the subject and its digests.
func (s *Snapshot) render() error {
	rendered := subject.New(s.Prototype.Spec, subject.Inputs{
		Image: s.Image.Resolved, SecretKeys: s.References.Keys, Body: s.References.Body, Examples: s.References.Examples.Examples,
		ProductionNamespace: s.Identity.Production(),
	})
	var err error
	s.Subject = &rendered
	if s.SubjectDigest, err = subject.Digest(rendered); err != nil {
		return err
	}
	s.ReviewDigest, err = record.ReviewDigest(s.SubjectDigest, s.Requirements, "")
	return err
}
