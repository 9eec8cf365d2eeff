//go:build e2e

package undeploy

import (
	"context"
	"maps"
	"slices"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// passing are kinds whose objects come and go by themselves.
var passing = []string{"Event", "Lease", "Pod", "EndpointSlice", "CertificateSigningRequest"}

// inventory names every object of the cluster, of every kind that it serves.
func inventory(ctx context.Context, c client.Client) (map[string]bool, error) {
	config, err := clientcmd.NewNonInteractiveDeferredLoadingClientConfig(clientcmd.NewDefaultClientConfigLoadingRules(), nil).ClientConfig()
	if err != nil {
		return nil, err
	}
	finder, err := discovery.NewDiscoveryClientForConfig(config)
	if err != nil {
		return nil, err
	}
	kinds, err := finder.ServerPreferredResources()
	if err != nil {
		return nil, err
	}
	out := map[string]bool{}
	for _, group := range kinds {
		version, err := schema.ParseGroupVersion(group.GroupVersion)
		if err != nil {
			return nil, err
		}
		for _, kind := range group.APIResources {
			if !slices.Contains(kind.Verbs, "list") || slices.Contains(passing, kind.Kind) {
				continue
			}
			list := &metav1.PartialObjectMetadataList{}
			list.SetGroupVersionKind(version.WithKind(kind.Kind + "List"))
			if err := c.List(ctx, list); err != nil && !apierrors.IsNotFound(err) {
				return nil, err
			}
			for _, item := range list.Items {
				out[kind.Kind+"."+version.Group+" "+item.Namespace+"/"+item.Name] = true
			}
		}
	}
	return out, nil
}

func taken(t *testing.T, c client.Client) map[string]bool {
	t.Helper()
	found, err := inventory(bounded(t), c)
	if err != nil || len(found) == 0 {
		t.Fatalf("the cluster holds %d objects: %v", len(found), err)
	}
	return found
}

// asBefore wants exactly the objects that were there before: nothing left, and nothing lost. What the cluster itself
// takes away after an uninstallation, such as a namespace's own content, may take it a moment.
func asBefore(t *testing.T, c client.Client, before map[string]bool) {
	t.Helper()
	var left, lost []string
	err := wait.PollUntilContextTimeout(bounded(t), time.Second, time.Minute, true, func(ctx context.Context) (bool, error) {
		after, err := inventory(ctx, c)
		if err != nil {
			return false, nil
		}
		left, lost = beyond(after, before), beyond(before, after)
		return len(left)+len(lost) == 0, nil
	})
	if err != nil {
		t.Errorf("%v: left behind %q, lost %q", err, left, lost)
	}
}

// beyond are the names in one inventory that are not in the other.
func beyond(one, other map[string]bool) []string {
	out := slices.Collect(maps.Keys(one))
	out = slices.DeleteFunc(out, func(name string) bool { return other[name] })
	slices.Sort(out)
	return out
}
