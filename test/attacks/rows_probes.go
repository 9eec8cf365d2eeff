package main

import (
	"context"
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
		text := failed.Message
		for _, finding := range failed.Findings {
			if strings.Contains(finding.Message+finding.Field, about) {
				text = finding.Message
			}
		}
		return fmt.Sprintf("gate %s, which failed (%s)", gate, short(text)), nil
	}
	// asked wants the lure to have been asked at a path, and nobody to have followed to the bait.
	asked := func(ctx context.Context, namespace string, selector client.MatchingLabels, path string) error {
		return await.Until(ctx, func() error {
			var pods corev1.PodList
			if err := f.admin.List(ctx, &pods, client.InNamespace(namespace), selector); err != nil || len(pods.Items) == 0 {
				return fmt.Errorf("%d pods of the lure: %w", len(pods.Items), err)
			}
			clients, err := kubernetes.NewForConfig(f.admin.config)
			if err != nil {
				return err
			}
			raw, err := clients.CoreV1().Pods(namespace).GetLogs(pods.Items[0].Name, &corev1.PodLogOptions{}).DoRaw(ctx)
			switch {
			case err != nil:
				return err
			case strings.Contains(string(raw), `"/bait"`):
				return fmt.Errorf("somebody took the bait: %s", short(string(raw)))
			case !strings.Contains(string(raw), `"path":"`+path+`"`):
				return fmt.Errorf("nobody asked for %s, so it shows nothing", path)
			}
			return nil
		})
	}
	path := f.newPrototype(home, "astray", "churn-advisor-1.4")
	path.Spec.Demand = f.lurer.Spec.Demand.DeepCopy()
	path.Spec.Demand.Request.Path = "http://169.254.169.254/latest"
	return []attack{
		f.applies(31, "a load measurement aimed at another address", path),
		{row: 31, who: "a malicious container", what: "redirecting the load measurement", try: func(ctx context.Context) (string, error) {
			by, err := finding(ctx, "scalability", "")
			if err != nil {
				return "", err
			}
			return by, asked(ctx, names.Of(f.lurer).Sandbox(), client.MatchingLabels{v1alpha1.LabelComponent: workload.ComponentPrototype}, "/load")
		}},
		{row: 31, who: "the owner of an integration", what: "redirecting the integration check, which shows a credential", try: func(ctx context.Context) (string, error) {
			by, err := finding(ctx, "integration", "lure")
			if err != nil {
				return "", err
			}
			return by, asked(ctx, unguarded, client.MatchingLabels{"app": "lure"}, "/integration")
		}},
		{row: 31, who: "the owner of an integration", what: "pointing its name at a cloud's metadata service", try: func(ctx context.Context) (string, error) {
			by, err := finding(ctx, "integration", "rebound")
			if err == nil && !strings.Contains(by, "rebound") {
				err = fmt.Errorf("no finding speaks of the name: %s", by)
			}
			return by, err
		}},
	}
}
