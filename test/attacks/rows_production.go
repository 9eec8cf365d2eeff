package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/internal/workload"
	"github.com/affineur/affineur/test/story/await"
)

// tagMoved is row 13, by whoever may push to the registry.
func (f *field) tagMoved() []attack {
	return []attack{{row: 13, who: "whoever may push to the registry", what: "moving the tag of what serves in production, and having a pod start anew", meant: []wall{{by: "the digest in production's Deployment ("}}, try: func(ctx context.Context) (string, error) {
		reviewed, other := f.images["churn-advisor-1.4"], f.images["churn-advisor-1.5"]
		if err := f.tag(ctx, reviewed.Image, other.Digest); err != nil {
			return "", err
		}
		defer func() { _ = f.tag(context.WithoutCancel(ctx), reviewed.Image, reviewed.Digest) }()
		var pods corev1.PodList
		of := client.MatchingLabels{v1alpha1.LabelComponent: workload.ComponentPrototype}
		if err := f.admin.List(ctx, &pods, client.InNamespace(f.production), of); err != nil || len(pods.Items) == 0 {
			return "", fmt.Errorf("%d pods serve: %w", len(pods.Items), err)
		}
		before := map[string]bool{}
		for _, pod := range pods.Items {
			before[string(pod.UID)] = true
		}
		if err := f.admin.SubResource("eviction").Create(ctx, &pods.Items[0], &policyv1.Eviction{}); err != nil {
			return "", err
		}
		var started *corev1.Pod
		err := await.Until(ctx, func() error {
			if err := f.admin.List(ctx, &pods, client.InNamespace(f.production), of); err != nil {
				return err
			}
			for i := range pods.Items {
				if !before[string(pods.Items[i].UID)] && len(pods.Items[i].Status.ContainerStatuses) > 0 && pods.Items[i].Status.ContainerStatuses[0].Ready {
					started = &pods.Items[i]
					return nil
				}
			}
			return errors.New("no pod started in its place")
		})
		if err != nil {
			return "", err
		}
		if image := started.Spec.Containers[0].Image; image != reviewed.pinned() {
			return "", fmt.Errorf("the new pod runs %s", image)
		}
		return "the digest in production's Deployment (the new pod runs " + reviewed.pinned() + ")", nil
	}}}
}

// bodySwapped is row 12: what a review was made of changes after the approval.
func (f *field) bodySwapped() []attack {
	deployment := &appsv1.Deployment{ObjectMeta: in(f.production, workload.Name)}
	body := &corev1.ConfigMap{ObjectMeta: in(f.serving.Namespace, "churn-advisor-load")}
	look := func(ctx context.Context) error {
		return f.membership.Patch(ctx, f.serving.DeepCopy(), merge(fmt.Sprintf(`{"metadata":{"annotations":{%q:%q}}}`, v1alpha1.AnnotationRequestedAt, time.Now().UTC().Format(time.RFC3339Nano))))
	}
	return []attack{{row: 12, who: f.membership.name, what: "changing a ConfigMap that was reviewed, after the approval", meant: []wall{{by: "the digest of the subject ("}}, try: func(ctx context.Context) (string, error) {
		before, err := f.contents(ctx, []client.Object{deployment})
		if err != nil {
			return "", err
		}
		if err := f.membership.Get(ctx, client.ObjectKeyFromObject(body), body); err != nil {
			return "", err
		}
		was := body.DeepCopy()
		for key := range body.Data {
			body.Data[key] = `{"text": "swapped"}`
		}
		if err := f.membership.Update(ctx, body); err != nil {
			return "", err
		}
		defer func() {
			was.ResourceVersion = ""
			_ = f.membership.Update(context.WithoutCancel(ctx), was)
			_ = look(context.WithoutCancel(ctx))
		}()
		if err := look(ctx); err != nil {
			return "", err
		}
		p := f.serving.DeepCopy()
		serves := p.Status.Production.SubjectDigest
		err = await.Object(ctx, f.admin, p, func(p *v1alpha1.AIPrototype) (bool, error) { return p.Status.SubjectDigest != serves, nil })
		if err != nil {
			return "", err
		}
		after, err := f.contents(ctx, []client.Object{deployment})
		if err != nil {
			return "", err
		}
		if p.Status.Production == nil || p.Status.Production.SubjectDigest != serves || fmt.Sprint(before[0]["spec"]) != fmt.Sprint(after[0]["spec"]) {
			return "", fmt.Errorf("production changed: %+v", p.Status.Production)
		}
		return "the digest of the subject (it is another subject now, " + p.Status.SubjectDigest[:19] + "…, which needs a review of its own; production serves " + serves[:19] + "… as before)", nil
	}}}
}
