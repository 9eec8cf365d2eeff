package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/netip"
	"slices"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/test/story/await"
)

// beyondTheCluster is a range that a catalogue may open.
const beyondTheCluster = "198.18.1.0/24"

// widened are the integrations of the policy without DNS: one, which leads to a range.
func widened(cidr string) []any {
	return []any{map[string]any{
		"name": "wide", "mayCarry": map[string]any{"classes": []any{"Public", "Internal"}},
		"sandbox": map[string]any{"address": "http://198.18.1.1:443", "to": map[string]any{"cidr": map[string]any{"range": cidr, "port": int64(443)}}},
		"check":   map[string]any{"http": map[string]any{"path": "/", "expectStatus": int64(200)}},
	}}
}

// ranges is row 17, where no schema can know the range: the addresses of the cluster's own Services, the API server's
// among them. The control is that a range beyond the cluster is open to the sandbox, under the same policy.
func (f *field) ranges() []attack {
	return []attack{{row: 17, who: f.pipeline.name, what: "a policy in use that opens the addresses of the cluster's Services",
		meant: []wall{{by: "policy " + dark + ", Ready=False " + v1alpha1.ReasonRangeOfCluster, says: "from which Services get their addresses"}},
		control: func(ctx context.Context) error {
			if err := f.comes(ctx, f.blind, running); err != nil {
				return err
			}
			open, err := f.blocks(ctx, f.blind)
			if err == nil && !slices.Equal(open, []string{beyondTheCluster}) {
				err = fmt.Errorf("the sandbox is open to %v", open)
			}
			return err
		},
		try: f.widens,
	}}
}

// widens leads the integration to where Services get their addresses, and wants the sandbox that uses it shut and empty.
func (f *field) widens(ctx context.Context) (string, error) {
	service := &corev1.Service{ObjectMeta: in(metav1.NamespaceDefault, "kubernetes")}
	if err := f.admin.Get(ctx, client.ObjectKeyFromObject(service), service); err != nil {
		return "", err
	}
	address, err := netip.ParseAddr(service.Spec.ClusterIP)
	if err != nil {
		return "", err
	}
	patch, err := json.Marshal(map[string]any{"spec": map[string]any{"catalogue": map[string]any{"integrations": widened(around(address).String())}}})
	if err != nil {
		return "", err
	}
	policy := &v1alpha1.HardeningPolicy{ObjectMeta: metav1.ObjectMeta{Name: dark}}
	if err := f.update(ctx, f.pipeline, policy, string(patch)); err != nil {
		return "", err
	}
	var ready *metav1.Condition
	err = await.Object(ctx, f.admin, policy, func(p *v1alpha1.HardeningPolicy) (bool, error) {
		ready = apimeta.FindStatusCondition(p.Status.Conditions, v1alpha1.ConditionReady)
		return ready != nil && ready.ObservedGeneration == p.Generation && ready.Status == metav1.ConditionFalse, nil
	})
	if err != nil {
		return "", fmt.Errorf("%w; Ready of policy %s is %+v", err, dark, ready)
	}
	by := fmt.Sprintf("policy %s, Ready=%s %s (%s)", dark, ready.Status, ready.Reason, short(ready.Message))
	if err := f.comes(ctx, f.blind, func(p *v1alpha1.AIPrototype) bool { return conditionOf(p, v1alpha1.ReasonPolicyNotReady) != nil }); err != nil {
		return "", err
	}
	return by, await.Until(ctx, func() error {
		if err := f.noPods(ctx, f.blind); err != nil {
			return err
		}
		open, err := f.blocks(ctx, f.blind)
		if err == nil && len(open) > 0 {
			err = fmt.Errorf("the sandbox is open to %v", open)
		}
		return err
	})
}

// around is the widest range around an address that the schema lets a catalogue open.
func around(address netip.Addr) netip.Prefix {
	bits := 24
	if address.Is6() {
		bits = 64
	}
	return netip.PrefixFrom(address, bits).Masked()
}

// blocks are the ranges that the network policies of a prototype's sandbox open to its containers.
func (f *field) blocks(ctx context.Context, p *v1alpha1.AIPrototype) ([]string, error) {
	var policies networkingv1.NetworkPolicyList
	if err := f.admin.List(ctx, &policies, client.InNamespace(p.Status.Sandbox.Namespace)); err != nil {
		return nil, err
	}
	if len(policies.Items) == 0 {
		return nil, fmt.Errorf("no network policy is in %s, so everything is open", p.Status.Sandbox.Namespace)
	}
	var out []string
	for _, policy := range policies.Items {
		for _, rule := range policy.Spec.Egress {
			for _, to := range rule.To {
				if to.IPBlock != nil {
					out = append(out, to.IPBlock.CIDR)
				}
			}
		}
	}
	return out, nil
}
