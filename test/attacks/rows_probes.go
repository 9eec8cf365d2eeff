package main

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/kubernetes"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/internal/names"
	"github.com/affineur/affineur/internal/workload"
	"github.com/affineur/affineur/test/story/await"
)

// lured is row 31: whoever is probed wants to lead the probe elsewhere.
func (f *field) lured() []attack {
	review := &v1alpha1.HardeningReview{ObjectMeta: in(home, "lurer-1")}
	finding := func(ctx context.Context, gate, about string) (string, error) {
		var failed v1alpha1.GateStatus
		err := await.Object(ctx, f.admin, review, func(r *v1alpha1.HardeningReview) (bool, error) {
			at := slices.IndexFunc(r.Status.Gates, func(g v1alpha1.GateStatus) bool { return g.Name == gate && g.Verdict == v1alpha1.GateFailed })
			if at >= 0 {
				failed = r.Status.Gates[at]
			}
			return at >= 0, nil
		})
		if err != nil {
			return "", fmt.Errorf("gate %s: %w; the gates say %+v", gate, err, review.Status.Gates)
		}
		return failedFor(failed, about)
	}
	// asked wants the lure to have been asked at a path, and nobody to have followed to the bait.
	asked := func(ctx context.Context, namespace string, selector client.MatchingLabels, path string) error {
		return await.Until(ctx, func() error {
			came, err := f.came(ctx, namespace, selector)
			switch {
			case err != nil:
				return err
			case slices.Contains(came, "/bait"):
				return fmt.Errorf("somebody took the bait: %v", came)
			case !slices.Contains(came, path):
				return fmt.Errorf("nobody asked for %s, so it shows nothing", path)
			}
			return nil
		})
	}
	path := f.newPrototype(home, "astray", "churn-advisor-1.4")
	path.Spec.Demand = f.lurer.Spec.Demand.DeepCopy()
	path.Spec.Demand.Request.Path = "http://169.254.169.254/latest"
	return []attack{
		f.applies(31, "a load measurement aimed at another address", path).by(schemaSays("spec.demand.request.path")),
		{row: 31, who: "a malicious container", what: "redirecting the load measurement", meant: failing("scalability", "with another status than 2xx"), try: func(ctx context.Context) (string, error) {
			by, err := finding(ctx, "scalability", "requests failed")
			if err != nil {
				return "", err
			}
			return by, asked(ctx, names.Of(f.lurer).Sandbox(), client.MatchingLabels{v1alpha1.LabelComponent: workload.ComponentPrototype}, "/load")
		}},
		{row: 31, who: "the owner of an integration", what: "redirecting the integration check, which shows a credential", meant: failing("integration", "answered with status 302"), try: func(ctx context.Context) (string, error) {
			by, err := finding(ctx, "integration", "lure ")
			if err != nil {
				return "", err
			}
			return by, asked(ctx, unguarded, client.MatchingLabels{"app": "lure", "part": "lure"}, "/integration")
		}},
		{row: 31, who: "the owner of an integration", what: "pointing its name at a cloud's metadata service, which answers",
			meant:   failing("integration", "the name resolves to a loopback, link-local, multicast or metadata address"),
			control: f.rebounds, try: func(ctx context.Context) (string, error) {
				// The gate came to its end, and by then it had tried every integration.
				by, err := finding(ctx, "integration", "rebound ")
				if err != nil {
					return "", err
				}
				came, err := f.came(ctx, unguarded, targeted)
				if others := slices.DeleteFunc(came, func(path string) bool { return path == strollersPath }); len(others) > 0 {
					return "", fmt.Errorf("the chosen target was asked for %v", others)
				}
				return by, err
			}},
	}
}

// failing is a gate that fails, and what its finding has to say.
func failing(gate, says string) []wall {
	return []wall{{by: "gate " + gate + ", which failed (", says: says}}
}

// failedFor tells what a failed gate found about something. That it failed because of something else shows nothing.
func failedFor(gate v1alpha1.GateStatus, about string) (string, error) {
	at := slices.IndexFunc(gate.Findings, func(f v1alpha1.Gap) bool { return strings.Contains(f.Message, about) })
	if at < 0 {
		return "", fmt.Errorf("gate %s failed, and found nothing about %q: %+v", gate.Name, about, gate.Findings)
	}
	return fmt.Sprintf("gate %s, which failed (%s)", gate.Name, short(gate.Findings[at].Message)), nil
}

// strollersPath is where an ordinary pod asks what the name leads to.
const strollersPath = "/held"

// targeted are the labels of what stands where a cloud's metadata service would. The catalogue's entry lets probes go
// there: nothing but the look at the address, when it is dialled, keeps them away.
var targeted = client.MatchingLabels{"app": "lure", "part": "target"}

// rebounds wants the chosen target to hear an ordinary pod that goes by the same name.
func (f *field) rebounds(ctx context.Context) error {
	return await.Until(ctx, func() error {
		came, err := f.came(ctx, unguarded, targeted)
		if err == nil && !slices.Contains(came, strollersPath) {
			err = fmt.Errorf("the name leads nobody to the target: %v", came)
		}
		return err
	})
}

// came are the paths at which a lure was asked, as it tells itself.
func (f *field) came(ctx context.Context, namespace string, selector client.MatchingLabels) ([]string, error) {
	var pods corev1.PodList
	if err := f.admin.List(ctx, &pods, client.InNamespace(namespace), selector); err != nil || len(pods.Items) != 1 {
		return nil, fmt.Errorf("%d pods of the lure: %w", len(pods.Items), err)
	}
	clients, err := kubernetes.NewForConfig(f.admin.config)
	if err != nil {
		return nil, err
	}
	raw, err := clients.CoreV1().Pods(namespace).GetLogs(pods.Items[0].Name, &corev1.PodLogOptions{}).DoRaw(ctx)
	if err != nil {
		return nil, err
	}
	var paths []string
	for told := range strings.Lines(string(raw)) {
		var request struct{ Path string }
		if json.Unmarshal([]byte(told), &request) == nil && request.Path != "" {
			paths = append(paths, request.Path)
		}
	}
	return paths, nil
}
