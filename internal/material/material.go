// Package material gathers for the security gate what is known beside an image: what its registry keeps, what trivy-operator
// reported, and the papers that IT keeps in the operator's namespace; and which bindings give the prototype rights. The operator does that itself, because it alone may ask registries;
// nothing of it is believed here. A runner without a network reads and verifies it.
package material

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/internal/evidence"
	"github.com/affineur/affineur/internal/gate"
	"github.com/affineur/affineur/internal/gate/security"
	"github.com/affineur/affineur/internal/registry"
	"github.com/affineur/affineur/internal/run"
)

// keyTrustedRoot is the key of a trusted root in its ConfigMap.
const keyTrustedRoot = "trusted_root.json"

// reports are trivy-operator's.
var reports = schema.GroupVersionKind{Group: "aquasecurity.github.io", Version: "v1alpha1", Kind: "VulnerabilityReportList"}

// Instrument is the security gate with somebody who gathers for it.
type Instrument struct {
	security.Instrument
	Live     client.Reader
	Resolver registry.Resolver
}

var _ run.Sampler = Instrument{}

// Sample implements run.Sampler. It is all or an error.
func (i Instrument) Sample(ctx context.Context, c gate.Case, r gate.Run) (evidence.Result, error) {
	if order := evidence.As[evidence.RightsOrder](r.Order); order != nil {
		return i.rights(ctx, *order)
	}
	asked := c.Gate.Security
	if !security.AsksSupply(asked) {
		return nil, errors.New("nothing is asked about the image")
	}
	gathered, err := i.Resolver.Material(ctx, c.Record.Subject.Container.Image, c.Record.Requirements.Registry)
	if err != nil {
		return nil, err
	}
	if asked.Signatures != nil && asked.Signatures.TrustedRoot != nil {
		if gathered.TrustedRoot, err = i.trustedRoot(ctx, asked.Signatures.TrustedRoot.Name); err != nil {
			return nil, err
		}
	}
	for _, named := range asked.VEX {
		papers, err := i.papers(ctx, named.Name)
		if err != nil {
			return nil, err
		}
		gathered.VEX = append(gathered.VEX, papers...)
	}
	if rule := asked.Vulnerabilities; rule != nil && rule.Source == v1alpha1.SourceTrivyOperator {
		if gathered.Reports, err = i.reports(ctx, c, gathered.Image); err != nil {
			return nil, err
		}
	}
	packed, err := evidence.PackMaterial(gathered)
	if err != nil {
		return nil, err
	}
	return &evidence.MaterialResult{Image: gathered.Image, Packed: packed}, nil
}

// configMap of the operator's namespace.
func (i Instrument) configMap(ctx context.Context, name string) (*corev1.ConfigMap, error) {
	var object corev1.ConfigMap
	err := i.Live.Get(ctx, client.ObjectKey{Namespace: v1alpha1.SystemNamespace, Name: name}, &object)
	if apierrors.IsNotFound(err) {
		return nil, fmt.Errorf("ConfigMap %s/%s, which the policy names, is not there", v1alpha1.SystemNamespace, name)
	}
	return &object, err
}

func (i Instrument) trustedRoot(ctx context.Context, name string) ([]byte, error) {
	object, err := i.configMap(ctx, name)
	if err != nil {
		return nil, err
	}
	root := object.Data[keyTrustedRoot]
	if root == "" {
		return nil, fmt.Errorf("ConfigMap %s/%s has no key %s", v1alpha1.SystemNamespace, name, keyTrustedRoot)
	}
	return []byte(root), nil
}

// papers are the VEX documents of a ConfigMap: all of its keys, and at least one.
func (i Instrument) papers(ctx context.Context, name string) ([]evidence.Document, error) {
	object, err := i.configMap(ctx, name)
	if err != nil {
		return nil, err
	}
	var out []evidence.Document
	for _, key := range slices.Sorted(maps.Keys(object.Data)) {
		out = append(out, evidence.Document{Name: name + "/" + key, Content: []byte(object.Data[key])})
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("ConfigMap %s/%s holds no document", v1alpha1.SystemNamespace, name)
	}
	return out, nil
}

// reports of trivy-operator about the image, found by its digest. They count only from the prototype's own namespaces,
// in which nobody but the operator and what the platform installs writes: in its team's namespace, a team could write one.
func (i Instrument) reports(ctx context.Context, c gate.Case, digest string) ([]evidence.Document, error) {
	var out []evidence.Document
	for _, namespace := range []string{c.Record.Prototype.Sandbox(), c.Record.Prototype.Production()} {
		var list unstructured.UnstructuredList
		list.SetGroupVersionKind(reports)
		err := i.Live.List(ctx, &list, client.InNamespace(namespace))
		switch {
		case meta.IsNoMatchError(err) || apierrors.IsNotFound(err):
			return nil, errors.New("the cluster knows no VulnerabilityReports: trivy-operator is not installed, which the policy names as the source of scans")
		case apierrors.IsForbidden(err):
			return nil, errors.New("the operator may not list VulnerabilityReports: IT lets it, with a ClusterRole that is aggregated to affineur-reads")
		case err != nil:
			return nil, err
		}
		for _, item := range list.Items {
			if of, _, _ := unstructured.NestedString(item.Object, "report", "artifact", "digest"); of != digest {
				continue
			}
			document, err := slim(item)
			if err != nil {
				return nil, err
			}
			out = append(out, document)
		}
	}
	return distinct(out), nil
}

// slim is a report without what is not judged.
func slim(item unstructured.Unstructured) (evidence.Document, error) {
	report, _, err := unstructured.NestedMap(item.Object, "report")
	if err != nil {
		return evidence.Document{}, fmt.Errorf("VulnerabilityReport %s can't be read", item.GetName())
	}
	if list, ok := report["vulnerabilities"].([]any); ok {
		for _, entry := range list {
			if flaw, ok := entry.(map[string]any); ok {
				for _, verbose := range []string{"title", "description", "links", "primaryLink", "cvss", "target", "class", "packageType"} {
					delete(flaw, verbose)
				}
			}
		}
	}
	bare := unstructured.Unstructured{Object: map[string]any{"apiVersion": item.GetAPIVersion(), "kind": item.GetKind(), "report": report}}
	content, err := bare.MarshalJSON()
	return evidence.Document{Name: evidence.Clean(item.GetNamespace()+"/"+item.GetName(), 256), Content: content}, err
}

// distinct drops reports that say the same: every ReplicaSet of a workload has one.
func distinct(documents []evidence.Document) []evidence.Document {
	seen := map[string]bool{}
	return slices.DeleteFunc(documents, func(d evidence.Document) bool {
		key := strings.TrimSpace(string(d.Content))
		again := seen[key]
		seen[key] = true
		return again
	})
}
