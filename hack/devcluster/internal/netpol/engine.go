package netpol

import (
	"context"
	"errors"
	"fmt"
	"log"
	"reflect"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	corelisters "k8s.io/client-go/listers/core/v1"
	networkinglisters "k8s.io/client-go/listers/networking/v1"
	"k8s.io/client-go/tools/cache"
	"sigs.k8s.io/knftables"

	"github.com/affineur/affineur/hack/devcluster/internal/claim"
)

// settle collects changes that come in one burst, far below what anybody waits for.
const settle = 10 * time.Millisecond

// retryAfter is when to try again what the kernel refused.
const retryAfter = time.Second

// Engine keeps the kernel's rules equal to what the cluster's policies say.
type Engine struct {
	mode       Mode
	kernels    map[bool]knftables.Interface // by whether they are of IPv6
	pods       corelisters.PodLister
	namespaces corelisters.NamespaceLister
	policies   networkinglisters.NetworkPolicyLister
	claims     claims
	changed    chan struct{}

	mu      sync.Mutex // one writer at a time
	applied map[bool]*Ruleset
}

// Run enforces until the context ends. The rules stay in the kernel: a pod is not set free because the
// engine restarts.
func Run(ctx context.Context, client kubernetes.Interface, mode Mode, socket string, dual bool) error {
	e := &Engine{mode: mode, kernels: map[bool]knftables.Interface{}, applied: map[bool]*Ruleset{}, changed: make(chan struct{}, 1)}
	families := []knftables.Family{knftables.IPv4Family}
	if dual {
		families = append(families, knftables.IPv6Family)
	}
	for _, family := range families {
		kernel, err := knftables.New(family, Table)
		if err != nil {
			return err
		}
		e.kernels[family == knftables.IPv6Family] = kernel
	}
	e.claims.bySandbox = map[string]claim.Claim{}
	if err := e.watch(ctx, client); err != nil {
		return err
	}
	if err := e.sync(ctx); err != nil {
		return err
	}
	log.Printf("enforcing, mode %s", mode)
	if err := e.serve(ctx, socket); err != nil {
		return err
	}
	e.follow(ctx)
	return nil
}

func (e *Engine) watch(ctx context.Context, client kubernetes.Interface) error {
	factory := informers.NewSharedInformerFactory(client, 0)
	pods := factory.Core().V1().Pods()
	namespaces := factory.Core().V1().Namespaces()
	policies := factory.Networking().V1().NetworkPolicies()
	e.pods, e.namespaces, e.policies = pods.Lister(), namespaces.Lister(), policies.Lister()
	poke := cache.ResourceEventHandlerFuncs{
		AddFunc:    func(any) { e.poke() },
		UpdateFunc: func(any, any) { e.poke() },
		DeleteFunc: func(any) { e.poke() },
	}
	for _, informer := range []cache.SharedIndexInformer{pods.Informer(), namespaces.Informer(), policies.Informer()} {
		if _, err := informer.AddEventHandler(poke); err != nil {
			return err
		}
	}
	factory.Start(ctx.Done())
	for kind, synced := range factory.WaitForCacheSync(ctx.Done()) {
		if !synced {
			return fmt.Errorf("watch %s: %w", kind, ctx.Err())
		}
	}
	return nil
}

func (e *Engine) poke() {
	select {
	case e.changed <- struct{}{}:
	default: // already poked
	}
}

func (e *Engine) follow(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-e.changed:
		}
		time.Sleep(settle)
		if err := e.sync(ctx); err != nil {
			log.Printf("apply: %v", err)
			time.AfterFunc(retryAfter, e.poke)
		}
	}
}

// sync brings the kernel up to date, and does nothing when it is.
func (e *Engine) sync(ctx context.Context) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	var failures []error
	for v6, kernel := range e.kernels {
		failures = append(failures, e.enforce(ctx, kernel, v6))
	}
	return errors.Join(failures...)
}

func (e *Engine) enforce(ctx context.Context, kernel knftables.Interface, v6 bool) error {
	in, err := e.observe(v6)
	if err != nil {
		return err
	}
	rules := Compile(in)
	if e.applied[v6] != nil && reflect.DeepEqual(*e.applied[v6], rules) {
		return nil
	}
	tx := kernel.NewTransaction()
	render(tx, rules)
	if err := kernel.Run(ctx, tx); err != nil {
		e.applied[v6] = nil
		return err
	}
	e.applied[v6] = &rules
	return nil
}

func (e *Engine) observe(v6 bool) (Input, error) {
	pods, err := e.pods.List(labels.Everything())
	if err != nil {
		return Input{}, err
	}
	namespaces, err := e.namespaces.List(labels.Everything())
	if err != nil {
		return Input{}, err
	}
	policies, err := e.policies.List(labels.Everything())
	if err != nil {
		return Input{}, err
	}
	byAddress, byPod := e.claims.owners(v6)
	return Input{
		Pods:       podsOf(pods, byAddress, byPod, v6),
		Namespaces: labelsOf(namespaces),
		Policies:   policies,
		Mode:       e.mode,
		V6:         v6,
	}, nil
}

func labelsOf(namespaces []*corev1.Namespace) map[string]map[string]string {
	byName := make(map[string]map[string]string, len(namespaces))
	for _, namespace := range namespaces {
		byName[namespace.Name] = namespace.Labels
	}
	return byName
}

// knows tells whether the watch has seen the pod.
func (e *Engine) knows(uid types.UID) (bool, error) {
	pods, err := e.pods.List(labels.Everything())
	if err != nil {
		return false, err
	}
	for _, pod := range pods {
		if pod.UID == uid {
			return true, nil
		}
	}
	return false, nil
}
