package sandbox

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/internal/policy"
	"github.com/affineur/affineur/internal/registry"
	"github.com/affineur/affineur/internal/run"
	"github.com/affineur/affineur/internal/subject"
	"github.com/affineur/affineur/internal/workload"
)

const (
	// referencesRetry is how soon something that is missing is looked for again.
	referencesRetry = 30 * time.Second
	// registryLeast and registryMost bound the pause after a registry's answer that was none.
	registryLeast = 2 * time.Second
	registryMost  = 5 * time.Minute
	// maxBody is the largest sample request that a load measurement sends.
	maxBody = 64 << 10
)

// memory holds what was read live, so that a pass in which nothing changed makes no request. It is lost with the
// process, which costs one more reading and nothing else.
type memory struct {
	mutex sync.Mutex
	known map[types.NamespacedName]*remembered
	// rotations counts the changes of each of IT's Secrets.
	rotations map[string]int
}

// remembered is what is known of one prototype. One worker at a time uses it.
type remembered struct {
	uid types.UID
	// image is the newest answer of the registry, for this key.
	imageKey string
	image    Image
	failures int
	// set is the evaluation set that an artifact held, when it was asked for under this key.
	setKey, setReference string
	set                  evaluationSet
	// references were read for this key. Written tells that the Secrets made from them are in the sandbox.
	referencesKey string
	references    References
	written       bool
	// namespace that they were written into: another one of the same name holds none of them.
	namespace types.UID
	// removed are the nonces of runs that were deleted; the cache may still show them.
	removed []string
	// stale are the versions of the prototype before our last writes, which the cache may still show until fresh.
	stale []string
	fresh time.Time
}

func (m *memory) of(key types.NamespacedName, uid types.UID) *remembered {
	m.mutex.Lock()
	defer m.mutex.Unlock()
	if m.known == nil {
		m.known = map[types.NamespacedName]*remembered{}
	}
	if m.known[key] == nil || m.known[key].uid != uid {
		m.known[key] = &remembered{uid: uid}
	}
	return m.known[key]
}

// meet the sandbox's namespace as it is now; nil where there is none.
func (r *remembered) meet(namespace *corev1.Namespace) {
	switch {
	case namespace == nil:
		r.namespace, r.written = "", false
	case r.namespace != "" && r.namespace != namespace.UID:
		r.namespace, r.written = namespace.UID, false
	default:
		r.namespace = namespace.UID
	}
}

func (m *memory) drop(key types.NamespacedName) {
	m.mutex.Lock()
	defer m.mutex.Unlock()
	delete(m.known, key)
}

// image resolves the spec's image: once for every change of it and for every request for a new look. Until the
// registry answers, what the same tag stood for before goes on.
func (o *observer) image(ctx context.Context, s *Snapshot, seen *remembered, now time.Time) error {
	requested := s.container().Image
	s.Image = Image{Requested: requested}
	last := s.Prototype.Status.Image
	known := last != nil && last.Requested == requested
	if known {
		s.Image.Resolved, s.Image.At = last.Resolved, last.At.Time
	}
	if known && !s.asked() {
		return nil
	}
	key := requested
	if s.asked() {
		key += "\n" + s.request()
	}
	if seen.imageKey != key {
		seen.imageKey, seen.image, seen.failures = key, Image{}, 0
	}
	if seen.image.Resolved == "" && !now.Before(seen.image.RetryAt) {
		if err := o.ask(ctx, s.Requirements.Registry, requested, seen, now); err != nil {
			return err
		}
	}
	if seen.image.Resolved != "" {
		s.Image = seen.image
		return nil
	}
	s.Image.Pending, s.Image.Problem, s.Image.RetryAt = true, seen.image.Problem, seen.image.RetryAt
	if s.Image.Resolved == "" {
		s.Problems = append(s.Problems, *s.Image.Problem)
	}
	return nil
}

// ask the registry. An error that is not the registry's is the API server's.
func (o *observer) ask(ctx context.Context, via v1alpha1.Registry, image string, seen *remembered, now time.Time) error {
	resolved, err := o.resolver.Resolve(ctx, image, via)
	if err == nil {
		seen.image, seen.failures = Image{Requested: image, Resolved: resolved, At: now}, 0
		return nil
	}
	var refused *registry.Error
	if !errors.As(err, &refused) {
		return err
	}
	wait := registryMost
	if refused.Passing {
		wait = min(registryLeast<<min(seen.failures, 10), registryMost)
	}
	seen.failures++
	seen.image = Image{Requested: image, RetryAt: now.Add(wait), Problem: &policy.Problem{
		Reason: refused.Reason, Field: "spec.workload.container.image", Owner: refused.Owner,
		Message: refused.Message, Hint: hint(refused),
	}}
	return nil
}

func hint(refused *registry.Error) string {
	switch {
	case refused.Owner == v1alpha1.OwnerBusiness && refused.Passing:
		return "Push the image, or correct its name; the registry is asked again by itself."
	case refused.Owner == v1alpha1.OwnerBusiness:
		return "Correct the name of the image."
	}
	return "IT looks after the registry and the operator's access to it; it is asked again by itself."
}

// references reads what is named outside the prototype: the sample request, the team's Secrets, IT's credentials and
// the canary. It reads anew when the spec or the requirements changed, when what was read is old, and as long as the
// Secrets made from it are not in the sandbox.
func (o *observer) references(ctx context.Context, s *Snapshot, seen *remembered, anew bool, now time.Time) error {
	key, err := subject.Digest(struct {
		Generation   int64
		Request      string
		Requirements policy.Requirements
		Rotations    []int
	}{s.Prototype.Generation, s.request(), s.Requirements, o.memory.rotationsOf(s.Requirements)})
	if err != nil {
		return err
	}
	seen.meet(s.Namespace)
	usable := seen.referencesKey == key && now.Before(seen.references.Until) && !anew
	if usable && (seen.written || len(s.Problems)+len(seen.references.Problems) > 0) {
		s.References = seen.references
		return nil
	}
	read, err := o.read(ctx, s, seen, now)
	if err != nil {
		return err
	}
	s.References = read
	read.Live, read.Made.Secrets = false, nil
	seen.referencesKey, seen.references, seen.written = key, read, false
	return nil
}

func (o *observer) read(ctx context.Context, s *Snapshot, seen *remembered, now time.Time) (References, error) {
	out := References{Live: true, Until: now.Add(referencesFresh)}
	var err error
	if out.Body, out.Problems, err = o.body(ctx, s.Prototype); err != nil {
		return out, err
	}
	if out.Examples, err = o.examples(ctx, s, seen); err != nil {
		return out, err
	}
	provisional := subject.New(s.Prototype.Spec, subject.Inputs{ProductionNamespace: s.Identity.Production()})
	if out.Made, err = o.maker.Make(ctx, provisional, s.surroundings()); err != nil {
		return out, err
	}
	out.Problems = append(out.Problems, out.Made.Problems...)
	if out.Foreseen, err = o.maker.Foresee(ctx, s.surroundings()); err != nil {
		return out, err
	}
	out.Keys = map[string][]string{}
	for _, mount := range s.container().Secrets {
		at := slices.IndexFunc(out.Made.Secrets, func(made *corev1.Secret) bool { return made.Name == workload.TeamSecret(mount.Name) })
		if at >= 0 {
			out.Keys[mount.Name] = slices.Sorted(maps.Keys(out.Made.Secrets[at].Data))
		}
	}
	if out.Canary, out.CanarySecond, err = o.canary(ctx); err != nil {
		return out, err
	}
	if len(out.Problems) > 0 || out.Canary == "" || out.Examples.Problem != "" {
		out.Until = now.Add(referencesRetry)
	}
	return out, nil
}

// body of the sample request, from the ConfigMap or the Secret that the demand names.
func (o *observer) body(ctx context.Context, prototype *v1alpha1.AIPrototype) (string, []policy.Problem, error) {
	demand := prototype.Spec.Demand
	switch {
	case demand == nil || demand.Request.Body == nil:
		return "", nil, nil
	case demand.Request.Body.Secret != nil:
		return o.guardedBody(ctx, prototype.Namespace, *demand.Request.Body.Secret)
	case demand.Request.Body.ConfigMap == nil:
		return "", nil, nil
	}
	from := demand.Request.Body.ConfigMap
	var object corev1.ConfigMap
	err := o.live.Get(ctx, client.ObjectKey{Namespace: prototype.Namespace, Name: from.Name}, &object)
	if err != nil && !apierrors.IsNotFound(err) {
		return "", nil, err
	}
	text, there := object.Data[from.Key]
	body, problems := sampleOf(text, there, "configMap", fmt.Sprintf("ConfigMap %s", from.Name), from.Key)
	return body, problems, nil
}

// guardedBody is one that not everybody who sees the namespace may read.
func (o *observer) guardedBody(ctx context.Context, namespace string, from v1alpha1.SecretKey) (string, []policy.Problem, error) {
	data, problem, err := o.maker.Granted(ctx, namespace, from.Name)
	switch {
	case err != nil:
		return "", nil, err
	case problem != nil:
		problem.Field = "spec.demand.request.body.secret"
		return "", []policy.Problem{*problem}, nil
	}
	text, there := data[from.Key]
	body, problems := sampleOf(string(text), there, "secret", fmt.Sprintf("Secret %s", from.Name), from.Key)
	return body, problems, nil
}

// sampleOf what was read of a member of the body's union, or what is wrong with it.
func sampleOf(text string, there bool, member, where, key string) (string, []policy.Problem) {
	problem := func(reason, message, hint string) []policy.Problem {
		return []policy.Problem{{
			Reason: reason, Field: "spec.demand.request.body." + member, Owner: v1alpha1.OwnerBusiness, Message: message, Hint: hint,
		}}
	}
	switch {
	case !there:
		return "", problem(v1alpha1.ReasonReferenceMissing, fmt.Sprintf("%s with key %s is not there.", where, key), "Create it in the prototype's namespace.")
	case len(text) > maxBody:
		return "", problem(v1alpha1.ReasonLimitExceeded, fmt.Sprintf("The sample request in %s has %d bytes; %d are allowed.", where, len(text), maxBody),
			"Use a smaller sample request.")
	}
	return strings.ToValidUTF8(text, "\uFFFD"), nil
}

// canary is the address of the canary's Service, empty where there is none, and its second one where the cluster has
// two families.
func (o *observer) canary(ctx context.Context) (first, second string, err error) {
	found, err := run.ServiceAddresses(ctx, o.live, v1alpha1.GatesNamespace, v1alpha1.CanaryService)
	if len(found) > 0 {
		first = found[0]
	}
	if len(found) > 1 {
		second = found[1]
	}
	return first, second, err
}
