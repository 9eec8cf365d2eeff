package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/test/story/await"
)

const (
	// severed is the name of the stop that cuts a gateway off, listener that of the gateway and its Service.
	severed  = "attacks-gateway"
	listener = "listener"
	// neighbour holds a stream to the same gateway, and is no prototype: its beats are the clock.
	neighbour = "neighbour"
	// silent is how many beats of the neighbour a container has to be silent for.
	silent = 50
)

// clings is row 36: a program that holds on to what it has.
func (f *field) clings() []attack {
	return []attack{{
		row: 36, who: "a malicious container", what: "holding on to a connection from before its gateway is cut off, and opening others",
		meant: []wall{{by: "emergency stop " + severed + " by ", says: "severed 1/1"}},
		control: func(ctx context.Context) error {
			return errors.Join(f.comes(ctx, f.clinger, running), f.holdsOn(ctx))
		},
		try: f.severed,
	}}
}

// holdsOn waits until the container is heard at the gateway.
func (f *field) holdsOn(ctx context.Context) error {
	first, err := f.heard(ctx)
	if err != nil {
		return err
	}
	return await.Until(ctx, func() error {
		now, err := f.heard(ctx)
		if err == nil && now.clinger < first.clinger+3 {
			err = errors.New("the container is not heard at its gateway")
		}
		return err
	})
}

// severed has a responder cut the gateway off, and wants the container to be silent there while its neighbour is heard.
// Lifted by another, it is heard again: what was shown was the stop's doing.
func (f *field) severed(ctx context.Context) (string, error) {
	made := &v1alpha1.EmergencyStop{ObjectMeta: metav1.ObjectMeta{Name: severed}, Spec: v1alpha1.EmergencyStopSpec{
		Scope: v1alpha1.StopScope{Gateway: listener}, Action: v1alpha1.StopSever, Reason: "it listens too well"}}
	if err := f.responder.Create(ctx, made); err != nil {
		return "", err
	}
	err := await.Object(ctx, f.admin, made, func(s *v1alpha1.EmergencyStop) (bool, error) {
		return apimeta.IsStatusConditionTrue(s.Status.Conditions, v1alpha1.ConditionEffective), nil
	})
	if err != nil {
		return "", fmt.Errorf("%w: %+v", err, made.Status)
	}
	by := fmt.Sprintf("emergency stop %s by %s (%s)", made.Name, made.Spec.By, made.Status.Summary)
	before, err := f.heard(ctx)
	if err != nil {
		return "", err
	}
	var after beats
	err = await.Until(ctx, func() error {
		if after, err = f.heard(ctx); err == nil && after.neighbour < before.neighbour+silent {
			err = fmt.Errorf("the neighbour is not heard either: %+v", after)
		}
		return err
	})
	if err == nil && (after.clinger != before.clinger || after.streams != before.streams) {
		err = fmt.Errorf("%s, and yet the gateway heard it: %+v, then %+v", by, before, after)
	}
	if err != nil {
		return "", err
	}
	if err := f.second.Patch(ctx, made, merge(lift)); err != nil {
		return "", err
	}
	return by, errors.Join(f.holdsOn(ctx), f.second.Delete(ctx, made))
}

// beats that arrived at the gateway, and how many streams the container opened.
type beats struct{ neighbour, clinger, streams int }

func (f *field) heard(ctx context.Context) (beats, error) {
	clients, err := kubernetes.NewForConfig(f.admin.config)
	if err != nil {
		return beats{}, err
	}
	raw, err := clients.CoreV1().Services(unguarded).ProxyGet("http", listener, "8080", "/heard", nil).DoRaw(ctx)
	if err != nil {
		return beats{}, err
	}
	var from map[string]struct{ Streams, Beats int }
	if err := json.Unmarshal(raw, &from); err != nil {
		return beats{}, err
	}
	var sum beats
	for who, came := range from {
		if strings.HasPrefix(who, neighbour) {
			sum.neighbour += came.Beats
			continue
		}
		sum.clinger += came.Beats
		sum.streams += came.Streams
	}
	return sum, nil
}
