package sample

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/internal/evidence"
	"github.com/affineur/affineur/internal/gate"
	"github.com/affineur/affineur/internal/gate/own"
	"github.com/affineur/affineur/internal/probe"
)

// ResourceGate is the instrument of gates of type Resource, with eyes.
type ResourceGate struct {
	own.Resource
	// Live reads past every cache, with the operator's rights.
	Live client.Reader
	// Mapper tells how kinds are called in rules of RBAC.
	Mapper meta.RESTMapper
}

// Sample implements run.Sampler.
func (g ResourceGate) Sample(ctx context.Context, c gate.Case, r gate.Run) (evidence.Result, error) {
	order, ok := r.Order.(evidence.ResourceOrder)
	if !ok {
		return nil, fmt.Errorf("an order of kind %s is not for this gate", r.Order.Kind())
	}
	found, err := Resource(ctx, g.Live, g.Mapper, order, own.About(c.Record))
	if err != nil {
		return nil, err
	}
	return found, nil
}

// MetricGate is the instrument of gates of type Metric, with eyes.
type MetricGate struct {
	own.Metric
	// Live reads what the source's name stands for in the operator's namespace.
	Live client.Reader
	// Guard decides which addresses may be asked.
	Guard probe.Guard
}

// Sample implements run.Sampler.
func (g MetricGate) Sample(ctx context.Context, c gate.Case, r gate.Run) (evidence.Result, error) {
	order, ok := r.Order.(evidence.MetricOrder)
	if !ok || c.Gate.Metric == nil {
		return nil, fmt.Errorf("an order of kind %s is not for this gate", r.Order.Kind())
	}
	source, problem, err := g.source(ctx, c.Gate.Metric.Source)
	switch {
	case err != nil:
		return nil, err
	case problem != "":
		return &evidence.MetricResult{Outcome: evidence.MetricUnusable, Detail: problem, Start: order.Start, End: order.End}, nil
	}
	found, err := Metric(ctx, source, g.Guard, order, own.About(c.Record))
	if err != nil {
		return nil, err
	}
	return found, nil
}

// source reads the certificate authority and the credential, where the policy names them. problem says what IT has to put
// there first.
func (g MetricGate) source(ctx context.Context, from v1alpha1.MetricSource) (source Source, problem string, err error) {
	source.Address = from.Address
	if from.CA != nil {
		var bundle corev1.ConfigMap
		err := g.Live.Get(ctx, client.ObjectKey{Namespace: v1alpha1.SystemNamespace, Name: from.CA.Name}, &bundle)
		if client.IgnoreNotFound(err) != nil {
			return source, "", err
		}
		if source.CA = []byte(bundle.Data["ca.crt"]); apierrors.IsNotFound(err) || len(source.CA) == 0 {
			return source, fmt.Sprintf("ConfigMap %s/%s has no ca.crt", v1alpha1.SystemNamespace, from.CA.Name), nil
		}
	}
	if from.Credentials != nil {
		var secret corev1.Secret
		name := from.Credentials.Secret.Name
		err := g.Live.Get(ctx, client.ObjectKey{Namespace: v1alpha1.SystemNamespace, Name: name}, &secret)
		if client.IgnoreNotFound(err) != nil {
			return source, "", err
		}
		if source.Token = string(secret.Data["token"]); apierrors.IsNotFound(err) || source.Token == "" {
			return source, fmt.Sprintf("Secret %s/%s has no token", v1alpha1.SystemNamespace, name), nil
		}
	}
	return source, "", nil
}
