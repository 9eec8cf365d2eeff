//go:build e2e

package e2e

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/internal/names"
	"github.com/affineur/affineur/test/story/await"
	"github.com/affineur/affineur/test/story/quick"
)

const (
	root = "../.."
	// slow is how long anything may take on a busy machine.
	slow = 8 * time.Minute
	// still is how long an object is watched to see that nobody writes it.
	still = 6 * time.Second
)

// ground is a cluster on which Affineur is installed, with a policy of the tests' own.
type ground struct {
	client.WithWatch
	// config is the administrator's way to the cluster.
	config   *rest.Config
	registry string
}

// onGround prepares the cluster once.
var onGround = sync.OnceValues(func() (*ground, error) {
	ctx, cancel := context.WithTimeout(context.Background(), slow)
	defer cancel()
	config, err := clientcmd.NewNonInteractiveDeferredLoadingClientConfig(clientcmd.NewDefaultClientConfigLoadingRules(), nil).ClientConfig()
	if err != nil {
		return nil, err
	}
	config.QPS, config.Burst = 100, 200
	scheme := runtime.NewScheme()
	if err := errors.Join(clientgoscheme.AddToScheme(scheme), apiextensionsv1.AddToScheme(scheme), gatewayv1.Install(scheme), v1alpha1.AddToScheme(scheme)); err != nil {
		return nil, err
	}
	c, err := client.NewWithWatch(config, client.Options{Scheme: scheme})
	if err != nil {
		return nil, err
	}
	registry, err := quick.Registry(root)
	if err != nil {
		return nil, err
	}
	g := &ground{WithWatch: c, config: config, registry: registry}
	return g, g.govern(ctx, "e2e", nil)
})

func newGround(t *testing.T) *ground {
	t.Helper()
	g, err := onGround()
	if err != nil {
		t.Fatalf("the tests need a cluster on which make demo installed Affineur: %v", err)
	}
	return g
}

// govern applies a policy of the tests' own. It names a registry that nobody finds as well.
func (g *ground) govern(ctx context.Context, name string, edit func(spec map[string]any)) error {
	return quick.Govern(ctx, g, root, name, func(spec map[string]any) {
		sandbox := spec["sandbox"].(map[string]any)
		sandbox["registries"] = append(sandbox["registries"].([]any), map[string]any{"prefix": "registry.invalid/"})
		if edit != nil {
			edit(spec)
		}
	})
}

// team makes a namespace of a test's own, governed by the policy of the given name, and takes it away afterwards.
func (g *ground) team(t *testing.T, policy string) string {
	t.Helper()
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "e2e-", Labels: map[string]string{quick.Governs: policy, v1alpha1.LabelTeam: quick.Team}}}
	if err := g.Create(t.Context(), namespace); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), slow)
		defer cancel()
		var left v1alpha1.AIPrototypeList
		if err := g.List(ctx, &left, client.InNamespace(namespace.Name)); err != nil {
			t.Error(err)
		}
		for i := range left.Items {
			if err := g.takeAway(ctx, &left.Items[i]); err != nil {
				t.Error(err)
			}
		}
		if err := g.Delete(ctx, namespace); err != nil {
			t.Error(err)
		}
	})
	return namespace.Name
}

// takeAway retires and deletes a prototype, and wants nothing of it left.
func (g *ground) takeAway(ctx context.Context, p *v1alpha1.AIPrototype) error {
	if err := g.Patch(ctx, p, client.RawPatch("application/merge-patch+json", []byte(`{"spec":{"target":"Retired"}}`))); err != nil {
		return err
	}
	if err := g.Delete(ctx, p); err != nil {
		return err
	}
	return g.leftNothing(ctx, p)
}

// leftNothing wants the prototype gone, and every namespace, run and opening that was made for it.
func (g *ground) leftNothing(ctx context.Context, p *v1alpha1.AIPrototype) error {
	if err := await.Gone(ctx, g, p.DeepCopy()); err != nil {
		return err
	}
	return await.NothingLeft(ctx, g, names.Of(p))
}

// bounded is the test's context with an end.
func bounded(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeoutCause(t.Context(), slow, fmt.Errorf("not within %s", slow))
	t.Cleanup(cancel)
	return ctx
}

// newPrototype is small and works, until a test edits it.
func (g *ground) newPrototype(namespace, name string, edits ...func(*v1alpha1.AIPrototype)) *v1alpha1.AIPrototype {
	p := &v1alpha1.AIPrototype{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name},
		Spec: v1alpha1.AIPrototypeSpec{
			Need: v1alpha1.Need{Problem: "Members lapse.", Outcomes: []v1alpha1.Outcome{
				{Name: "renewal-rate", Unit: "percent", Direction: v1alpha1.DirectionIncrease, Baseline: "71", Target: "75"}}},
			Facts: &v1alpha1.Facts{Exposure: v1alpha1.ExposureInternal, Autonomy: v1alpha1.AutonomyAnswers, Users: 10},
			Data:  &v1alpha1.DataUse{Uses: []string{"renewal-dates"}},
			Workload: &v1alpha1.Workload{Container: &v1alpha1.Container{
				Image: g.image("membership/churn-advisor:1.4"), Port: 8080, Health: &v1alpha1.Health{Path: "/healthz"},
				Resources: v1alpha1.Resources{CPU: "50m", Memory: "48Mi"},
			}},
			Demand: &v1alpha1.Demand{RequestsPerSecond: ptr.To("1"), LatencyP95: &metav1.Duration{Duration: 2 * time.Second}},
		},
	}
	for _, edit := range edits {
		edit(p)
	}
	return p
}

func (g *ground) image(path string) string { return g.registry + "/" + path }

// created applies a prototype.
func (g *ground) created(t *testing.T, p *v1alpha1.AIPrototype) *v1alpha1.AIPrototype {
	t.Helper()
	if err := g.Create(t.Context(), p); err != nil {
		t.Fatal(err)
	}
	return p
}

// comes waits until the prototype is as done wants it.
func (g *ground) comes(t *testing.T, p *v1alpha1.AIPrototype, done func(*v1alpha1.AIPrototype) bool) {
	t.Helper()
	err := await.Object(bounded(t), g, p, func(p *v1alpha1.AIPrototype) (bool, error) {
		return p.Status.ObservedGeneration == p.Generation && done(p), nil
	})
	if err != nil {
		t.Fatalf("%v; it says: %s", err, saying(p))
	}
}

func saying(p *v1alpha1.AIPrototype) string {
	var said []string
	for _, c := range p.Status.Conditions {
		said = append(said, fmt.Sprintf("%s=%s %s: %s", c.Type, c.Status, c.Reason, c.Message))
	}
	return strings.Join(said, "\n")
}

// told wants an event of the reason about the object.
func (g *ground) told(t *testing.T, object client.Object, reason string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	var seen []string
	err := await.Until(ctx, func() error {
		var events eventsv1.EventList
		if err := g.List(ctx, &events); err != nil {
			return err
		}
		seen = nil
		for _, event := range events.Items {
			if event.Regarding.UID == object.GetUID() {
				seen = append(seen, event.Reason)
			}
			if event.Regarding.UID == object.GetUID() && event.Reason == reason {
				return nil
			}
		}
		return fmt.Errorf("no event %s about %s; there are %v", reason, object.GetName(), seen)
	})
	if err != nil {
		t.Error(err)
	}
}

// calm wants nobody to write the object while nothing happens to it.
func (g *ground) calm(t *testing.T, object client.Object) {
	t.Helper()
	key := client.ObjectKeyFromObject(object)
	if err := g.Get(t.Context(), key, object); err != nil {
		t.Fatal(err)
	}
	before := object.GetResourceVersion()
	time.Sleep(still)
	if err := g.Get(t.Context(), key, object); err != nil {
		t.Fatal(err)
	}
	if after := object.GetResourceVersion(); after != before {
		t.Errorf("%s was written although nothing happened: resourceVersion %s, then %s", key, before, after)
	}
}

// absent wants that a namespace is not there.
func (g *ground) absent(t *testing.T, name string) {
	t.Helper()
	if err := g.Get(t.Context(), client.ObjectKey{Name: name}, &corev1.Namespace{}); !apierrors.IsNotFound(err) {
		t.Errorf("namespace %s is there, or can't be told: %v", name, err)
	}
}
