package stop

import (
	"cmp"
	"context"
	"net"
	"slices"
	"strconv"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/internal/evidence"
	"github.com/affineur/affineur/internal/names"
	"github.com/affineur/affineur/internal/run"
	"github.com/affineur/affineur/internal/workload"
)

// Collector reads what a run left; it is a run.Collector.
type Collector interface {
	Collect(ctx context.Context, namespace, name string, want evidence.Kind) (run.Result, error)
}

// observer does all the reading: from the cache, and past it what is not the operator's.
type observer struct {
	cache, live client.Reader
	collector   Collector
}

// inForce are the stops that hold.
func (o observer) inForce(ctx context.Context) ([]v1alpha1.EmergencyStop, error) {
	var list v1alpha1.EmergencyStopList
	err := o.cache.List(ctx, &list)
	return slices.DeleteFunc(list.Items, func(s v1alpha1.EmergencyStop) bool { return !InForce(s) }), err
}

// managed are the namespaces in which prototypes run or are measured, by name.
func (o observer) managed(ctx context.Context) ([]corev1.Namespace, error) {
	var list corev1.NamespaceList
	if err := o.cache.List(ctx, &list, client.MatchingLabels{v1alpha1.LabelManagedBy: v1alpha1.ManagedBy}); err != nil {
		return nil, err
	}
	list.Items = slices.DeleteFunc(list.Items, func(n corev1.Namespace) bool { return !prototypes(&n) })
	slices.SortFunc(list.Items, func(a, b corev1.Namespace) int { return cmp.Compare(a.Name, b.Name) })
	return list.Items, nil
}

// prototypes tells whether a namespace is one that prototypes run or are measured in.
func prototypes(namespace client.Object) bool {
	_, ours := names.FromLabels(namespace.GetLabels())
	return ours && slices.Contains([]string{v1alpha1.PurposeSandbox, v1alpha1.PurposeProduction, v1alpha1.PurposeRehearsal},
		namespace.GetLabels()[v1alpha1.LabelPurpose])
}

// facts of a namespace: what it says, and the team that IT says its prototype's namespace belongs to.
func (o observer) facts(ctx context.Context, namespace *corev1.Namespace) (Reach, Facts, error) {
	reach, facts := Read(namespace)
	var team corev1.Namespace
	err := o.cache.Get(ctx, client.ObjectKey{Name: namespace.Labels[v1alpha1.LabelPrototypeNamespace]}, &team)
	return reach, facts.OfTeam(team.Labels[v1alpha1.LabelTeam]), client.IgnoreNotFound(err)
}

// known are the names that anybody knows of what a scope names.
func (o observer) known(ctx context.Context, scope v1alpha1.StopScope) ([]string, error) {
	var policies v1alpha1.HardeningPolicyList
	var prototypes v1alpha1.AIPrototypeList
	var namespaces corev1.NamespaceList
	for _, list := range []client.ObjectList{&policies, &prototypes, &namespaces} {
		if err := o.cache.List(ctx, list); err != nil {
			return nil, err
		}
	}
	return knownNames(scope, policies.Items, prototypes.Items, namespaces.Items), nil
}

// scene is everything in a managed namespace that tells whether stops took effect.
func (o observer) scene(ctx context.Context, namespace *corev1.Namespace, stops []v1alpha1.EmergencyStop) (Scene, error) {
	s := Scene{Namespace: namespace, Measured: remembered(namespace)}
	s.Identity, _ = names.FromLabels(namespace.Labels)
	var err error
	if s.Reach, s.Facts, err = o.facts(ctx, namespace); err != nil {
		return s, err
	}
	s.Effects = Of(stops, s.Facts)
	if !s.Effects.Severs() {
		return s, nil
	}
	var policies networkingv1.NetworkPolicyList
	var pods corev1.PodList
	var deployment appsv1.Deployment
	for _, list := range []client.ObjectList{&policies, &pods} {
		if err := o.cache.List(ctx, list, client.InNamespace(namespace.Name)); err != nil {
			return s, err
		}
	}
	slices.SortFunc(policies.Items, func(a, b networkingv1.NetworkPolicy) int { return cmp.Compare(a.Name, b.Name) })
	s.Policies, s.Pods = policies.Items, pods.Items
	err = o.cache.Get(ctx, client.ObjectKey{Namespace: namespace.Name, Name: workload.Name}, &deployment)
	if err == nil {
		s.Deployment = &deployment
	}
	return s, client.IgnoreNotFound(err)
}

// strangers looks past the cache, which knows only what carries the operator's label, for what else is in the scenes.
func (o observer) strangers(ctx context.Context, scenes []Scene) error {
	for i := range scenes {
		if !scenes[i].Effects.Severs() {
			continue
		}
		var pods corev1.PodList
		var policies networkingv1.NetworkPolicyList
		for _, list := range []client.ObjectList{&pods, &policies} {
			if err := o.live.List(ctx, list, client.InNamespace(scenes[i].Namespace.Name)); err != nil {
				return err
			}
		}
		scenes[i].Stranger = scenes[i].stranger(pods.Items, policies.Items)
	}
	return nil
}

// probes are the two runs that measure the scene's cut.
func (o observer) probes(ctx context.Context, s Scene) (inside, control Probe, err error) {
	for _, look := range []struct {
		inside bool
		into   *Probe
	}{{true, &inside}, {false, &control}} {
		if err := o.probe(ctx, s, look.inside, look.into); err != nil {
			return inside, control, err
		}
	}
	return inside, control, nil
}

func (o observer) probe(ctx context.Context, s Scene, inside bool, into *Probe) error {
	series := s.series(inside)
	jobs, err := run.Attempts(ctx, o.cache, s.Identity, series)
	into.State, into.Jobs = run.Absent, jobs
	if err != nil || len(jobs) == 0 {
		return err
	}
	if into.Result, err = o.collector.Collect(ctx, series.Namespace, jobs[0].Name, evidence.KindIsolation); err != nil {
		return err
	}
	if len(jobs) == 1 {
		into.Inputs = jobs[0].Annotations[v1alpha1.AnnotationInputs]
	}
	return nil
}

// addresses of what is to be tried, looked up past the cache when a measurement begins. Nothing is asked of a resolver:
// a name would lead where somebody else says.
func (o observer) addresses(ctx context.Context, s Scene) (Addresses, error) {
	at := Addresses{Places: map[string][]string{}}
	var err error
	if at.Canary, err = run.ServiceAddresses(ctx, o.live, v1alpha1.GatesNamespace, v1alpha1.CanaryService); err != nil {
		return at, err
	}
	if at.Resolver, err = o.service(ctx, "kube-system", "kube-dns", "53"); err != nil {
		return at, err
	}
	for _, place := range s.Reach.Severed(s.Effects) {
		found, service, port := direct(place)
		if service != [2]string{} && port != "" {
			addresses, err := o.service(ctx, service[0], service[1], port)
			if err != nil {
				return at, err
			}
			found = append(found, addresses...)
		}
		pods, err := o.pods(ctx, place)
		if err != nil {
			return at, err
		}
		at.Places[place.Name] = spread(append(pods, at.Places[place.Name], found)...)
	}
	return at, nil
}

// service are the host:port of a Service, one of every family that it has; none where it has no address.
func (o observer) service(ctx context.Context, namespace, name, port string) ([]string, error) {
	found, err := run.ServiceAddresses(ctx, o.live, namespace, name)
	for i := range found {
		found[i] = net.JoinHostPort(found[i], port)
	}
	return found, err
}

// pods are the host:port of some of the pods that a place leads to, for every pod one of every family that it has.
func (o observer) pods(ctx context.Context, place Place) ([][]string, error) {
	to := place.To.Pods
	if to == nil {
		return nil, nil
	}
	var list corev1.PodList
	if err := o.live.List(ctx, &list, client.InNamespace(to.Namespace), client.MatchingLabels(to.PodLabels)); err != nil {
		return nil, err
	}
	slices.SortFunc(list.Items, func(a, b corev1.Pod) int { return cmp.Compare(a.Name, b.Name) })
	var out [][]string
	for _, pod := range list.Items {
		if pod.Status.PodIP == "" || pod.Status.Phase != corev1.PodRunning || len(out) == podsPerPlace {
			continue
		}
		addresses := []string{net.JoinHostPort(pod.Status.PodIP, strconv.Itoa(int(to.Port)))}
		// The first of PodIPs is PodIP again.
		for _, other := range pod.Status.PodIPs[min(1, len(pod.Status.PodIPs)):] {
			addresses = append(addresses, net.JoinHostPort(other.IP, strconv.Itoa(int(to.Port))))
		}
		out = append(out, addresses)
	}
	return out, nil
}
