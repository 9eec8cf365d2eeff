package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/internal/gate/isolation"
	"github.com/affineur/affineur/test/story/await"
)

// flooder is an ordinary pod that keeps the canary busy, so that nobody can be measured.
const flooder = "flooder"

// floods is row 34 from another side: no plugin ignores NetworkPolicy, but somebody wants it to be unknown whether it does.
func (f *field) floods() []attack {
	return []attack{{row: 34, who: "an ordinary pod", what: "flooding what isolation is measured with", meant: []wall{{by: "the canary's network policy ("}},
		control: f.floodsElsewhere, try: f.floodsCanary}}
}

// canaryPlaces are its ports, as the flooder is told them.
func (f *field) canaryPlaces(ctx context.Context) ([]string, error) {
	canary := &corev1.Service{ObjectMeta: in(v1alpha1.GatesNamespace, v1alpha1.CanaryService)}
	if err := f.admin.Get(ctx, client.ObjectKeyFromObject(canary), canary); err != nil {
		return nil, err
	}
	var out []string
	for _, port := range canary.Spec.Ports {
		out = append(out, strings.ToLower(string(port.Protocol))+":"+net.JoinHostPort(canary.Spec.ClusterIP, fmt.Sprint(port.Port)))
	}
	return out, nil
}

// floodsElsewhere lets the flood begin, and wants it to arrive where nobody keeps it out; and the canary to be reached
// by a pod that may, which is the probe in a sandbox.
func (f *field) floodsElsewhere(ctx context.Context) error {
	places, err := f.canaryPlaces(ctx)
	if err != nil {
		return err
	}
	open := []string{f.tries.neighbour, f.tries.resolver}
	some := corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("200m"), corev1.ResourceMemory: resource.MustParse("64Mi")}
	pod := &corev1.Pod{ObjectMeta: in(unguarded, flooder), Spec: corev1.PodSpec{
		TerminationGracePeriodSeconds: ptr.To[int64](1),
		Containers: []corev1.Container{{
			Name: flooder, Image: f.images["holey-flood"].pinned(), Resources: corev1.ResourceRequirements{Limits: some},
			Env: []corev1.EnvVar{{Name: "FLOOD", Value: strings.Join(append(places, open...), " ")}},
		}},
	}}
	if err := f.admin.Create(ctx, pod); err != nil {
		return err
	}
	for _, place := range open {
		err := await.Until(ctx, func() error {
			lines, err := f.log(ctx, f.admin, unguarded, flooder)
			if err == nil && !slices.ContainsFunc(lines, func(l line) bool { return l.Try == place && l.Done }) {
				err = fmt.Errorf("the flood of %s does not arrive", place)
			}
			return err
		})
		if err != nil {
			return err
		}
	}
	for _, path := range []string{isolation.TargetAllowedTCP, isolation.TargetAllowedUDP} {
		if found := foundOf(f.intruder, path); found != "Reachable" {
			return fmt.Errorf("%s is %q: a pod that may reach the canary does not", path, found)
		}
	}
	return nil
}

// floodsCanary asks for a measurement under the flood, and wants its verdict, with what shows it, and no part of the flood
// to have arrived.
func (f *field) floodsCanary(ctx context.Context) (by string, err error) {
	// What floods must not disturb the attacks that follow.
	defer func() {
		ctx, pod := context.WithoutCancel(ctx), &corev1.Pod{ObjectMeta: in(unguarded, flooder)}
		err = errors.Join(err, client.IgnoreNotFound(f.admin.Delete(ctx, pod)), await.Gone(ctx, f.admin, pod))
	}()
	request := time.Now().UTC().Format(time.RFC3339Nano)
	if err := f.lead.Patch(ctx, f.intruder, merge(fmt.Sprintf(`{"metadata":{"annotations":{%q:%q}}}`, v1alpha1.AnnotationRequestedAt, request))); err != nil {
		return "", err
	}
	err = f.comes(ctx, f.intruder, func(p *v1alpha1.AIPrototype) bool { return p.Status.LastHandledRequestedAt == request && running(p) })
	if err != nil {
		return "", err
	}
	measured := f.intruder.Status.Sandbox.Isolation
	if measured.Verdict != "Enforced" || foundOf(f.intruder, isolation.TargetAllowedTCP) != "Reachable" || foundOf(f.intruder, isolation.TargetAllowedUDP) != "Reachable" {
		return "", fmt.Errorf("under the flood it is %s: %s", measured.Verdict, measured.Message)
	}
	places, err := f.canaryPlaces(ctx)
	if err != nil {
		return "", err
	}
	for _, place := range places {
		var told []line
		err := await.Until(ctx, func() (err error) {
			told, err = f.floodTold(ctx, place, measured.MeasuredAt.Time)
			return err
		})
		if err != nil {
			return "", err
		}
		if slices.ContainsFunc(told, func(l line) bool { return l.Done }) {
			return "", fmt.Errorf("the flood of %s arrived", place)
		}
	}
	return fmt.Sprintf("the canary's network policy (nothing of the flood arrived on %d ports; asked again meanwhile, isolation is %s)", len(places), measured.Verdict), nil
}

// floodTold is what the flooder tells of a place, once it goes on until then.
func (f *field) floodTold(ctx context.Context, place string, until time.Time) ([]line, error) {
	lines, err := f.log(ctx, f.admin, unguarded, flooder)
	if err != nil {
		return nil, err
	}
	lines = slices.DeleteFunc(lines, func(l line) bool { return l.Try != place })
	if len(lines) == 0 || lines[len(lines)-1].At.Before(until) {
		return nil, fmt.Errorf("the flood of %s ended before the measurement", place)
	}
	return lines, nil
}

// foundOf is what the table of a prototype's isolation says of a path.
func foundOf(p *v1alpha1.AIPrototype, path string) string {
	if p.Status.Sandbox == nil || p.Status.Sandbox.Isolation == nil {
		return ""
	}
	for _, row := range p.Status.Sandbox.Isolation.Paths {
		if row.Name == path {
			return row.Found
		}
	}
	return ""
}
