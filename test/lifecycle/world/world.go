// Package world is the part that everybody but the operator plays in a story: the team, the reviewers, the admission
// policies, the cluster's own controllers, its nodes, its network, the registry, and what prototypes are like. The
// operator's controllers are the real ones, all together, behind caches that lag and an API server that fails now and
// then.
//
// A world has a seed. Seed 0 is a calm world, in which everything happens in order and nothing fails; in every other
// one the seed decides who comes next, which cache lags, which write fails, and when the operator is killed. Whatever
// happens, the invariants are checked after every change, and a story must come to the same end.
package world

import (
	"context"
	"math/rand/v2"
	"testing"
	"testing/cryptotest"
	"time"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/internal/evidence"
	"github.com/affineur/affineur/test/lifecycle/server"
)

// Start is when every story begins.
var Start = time.Date(2026, 11, 2, 9, 0, 0, 0, time.UTC)

// World is one play of one story.
type World struct {
	*testing.T
	Seed uint64
	// Network tells whether the cluster enforces NetworkPolicy.
	Network bool
	// Gateway tells whether the cluster has the Gateway API.
	Gateway bool
	// Full namespaces take nothing more: their quota is used up.
	Full map[string]bool
	// Broken integrations do not answer.
	Broken map[string]bool
	// Images are what programs are like, by image digest. What is not named is well.
	Images map[string]Program
	// Tags of the registry, by repository and tag.
	Tags map[string]string
	// Forgets begins the name of the Job that the Job controller forgets next; "" for none.
	Forgets string
	// Skew is by how much the operator's clock differs from the API server's.
	Skew time.Duration

	rng    *rand.Rand
	server *server.Server
	clock  time.Time
	// forging is true while somebody keeps a forged status as it is.
	forging bool
	// faults is true while things go wrong.
	faults   bool
	operator *operator
	guards   guards
	// asked are all requests that each controller was ever given.
	asked map[string]map[reconcile.Request]bool
	// busy are the controllers that are in the middle of a pass.
	busy map[string]bool
	// changed is when something last changed.
	changed time.Time
	// pauses that were drawn for things that take time, and rights of the operator that take effect later.
	pauses map[types.UID]time.Duration
	rights map[string]time.Time
	logs   map[types.NamespacedName][]byte
	// books of the Job controller: the Job that it knows by a name.
	books map[types.NamespacedName]types.UID
	// lost are the runs that ended without a report, by kind and subject.
	lost map[string]bool
	// orders of runs, and templates of Deployments by their version, that were read before.
	orders    map[types.UID]evidence.RunSpec
	templates map[string]string
	truth     truth
	// acts are what people are going to do.
	acts   []act
	script transcript
	// wrong is what must never be.
	wrong []string
}

// New is a world with an organisation: its namespaces, its policy, its secrets, and guards that are in place. The
// operator has started.
func New(t *testing.T, seed uint64) *World {
	t.Helper()
	cryptotest.SetGlobalRandom(t, seed)
	w := &World{
		T: t, Seed: seed, Network: true, Full: map[string]bool{}, Broken: map[string]bool{}, Images: map[string]Program{}, Tags: map[string]string{}, lost: map[string]bool{},
		rng: rand.New(rand.NewPCG(seed, seed)), clock: Start, faults: seed != 0,
		asked: map[string]map[reconcile.Request]bool{}, busy: map[string]bool{}, pauses: map[types.UID]time.Duration{},
		rights: map[string]time.Time{}, logs: map[types.NamespacedName][]byte{}, books: map[types.NamespacedName]types.UID{},
		orders: map[types.UID]evidence.RunSpec{}, templates: map[string]string{}, truth: newTruth(), changed: Start,
	}
	w.server = server.New(scheme(), w.Now, w.admit)
	w.server.OnChange(func(request server.Request) {
		w.changed = w.clock
		w.operator.hear(request)
		w.script.change(w, request)
		w.look(request)
	})
	for _, object := range organisation() {
		w.Must(w.as(platform).Create(w.Context(), object))
	}
	w.guards = guards{inPlace: true, good: Start.Add(-time.Minute), due: Start.Add(looksEvery)}
	w.keepGuards()
	w.script.lines = nil
	w.restart()
	return w
}

func scheme() *runtime.Scheme {
	s := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{clientgoscheme.AddToScheme, gatewayv1.Install, v1alpha1.AddToScheme} {
		if err := add(s); err != nil {
			panic(err)
		}
	}
	return s
}

// Now is the world's time.
func (w *World) Now() time.Time { return w.clock }

// operatorClock is the clock of the node on which the operator runs.
type operatorClock struct{ world *World }

// Now implements clock.PassiveClock.
func (c operatorClock) Now() time.Time { return c.world.clock.Add(c.world.Skew) }

// Since implements clock.PassiveClock.
func (c operatorClock) Since(at time.Time) time.Duration { return c.Now().Sub(at) }

// Must ends the story on an error.
func (w *World) Must(err error) {
	w.Helper()
	if err != nil {
		w.end("%v", err)
	}
}

// end the story: tell what happened last, and how to see it again.
func (w *World) end(format string, args ...any) {
	w.Helper()
	w.Logf("the last of what happened:\n%s", w.script.tail(80))
	w.Logf("to see it again: go test ./test/lifecycle -run '^%s$' -seed=%d", w.Name(), w.Seed)
	w.Fatalf(format, args...)
}

// Expect ends the story where something is not as it should be.
func (w *World) Expect(ok bool, format string, args ...any) {
	w.Helper()
	if !ok {
		w.end(format, args...)
	}
}

// as is a client of somebody who is not the operator.
func (w *World) as(actor string) client.Client { return w.server.As(actor) }

// chance is true once in n times, and never in a calm world.
func (w *World) chance(n int) bool { return w.faults && w.rng.IntN(n) == 0 }

// jitter is up to the given time, and nothing in a calm world.
func (w *World) jitter(most time.Duration) time.Duration {
	if w.Seed == 0 {
		return 0
	}
	return time.Duration(w.rng.Int64N(int64(most))).Truncate(100 * time.Millisecond)
}

// after is when something that takes time with an object is done; how long it takes is drawn once.
func (w *World) after(object client.Object, least, more time.Duration) time.Time {
	pause, drawn := w.pauses[object.GetUID()]
	if !drawn {
		pause = w.jitter(more)
		w.pauses[object.GetUID()] = pause
	}
	return object.GetCreationTimestamp().Add(least + pause)
}

// context of everything that is done, without a log.
func (w *World) context() context.Context { return logr.NewContext(w.Context(), logr.Discard()) }

// get an object as it is; nil where it is absent.
func get[T client.Object](w *World, into T, namespace, name string) T {
	w.Helper()
	err := w.as(platform).Get(w.Context(), client.ObjectKey{Namespace: namespace, Name: name}, into)
	if client.IgnoreNotFound(err) != nil {
		w.end("%v", err)
	}
	if err != nil {
		var none T
		return none
	}
	return into
}

// Namespace of a name; nil where there is none.
func (w *World) Namespace(name string) *corev1.Namespace {
	return get(w, &corev1.Namespace{}, "", name)
}

// now is the time as an API object keeps it.
func (w *World) stamp() metav1.Time { return metav1.NewTime(w.clock.Truncate(time.Second)) }
