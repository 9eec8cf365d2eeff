package review

import (
	"context"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/affineur/affineur/internal/apply"
	"github.com/affineur/affineur/internal/credentials"
	"github.com/affineur/affineur/internal/gate"
	"github.com/affineur/affineur/internal/workload"
)

// rehearse makes the rehearsal namespace whole before anything begins that is measured there.
func (a actor) rehearse(ctx context.Context, s Snapshot, m *Measuring, o *Outcome) error {
	subject, at := bare(s.Record.Subject), s.rehearsal()
	if m.Current.Site == gate.SitePlayed {
		subject, at = s.Record.Subject, s.ownSecrets()
	}
	made, err := a.Credentials.Make(ctx, subject, at)
	if err != nil {
		return err
	}
	if len(made.Problems) > 0 {
		o.hold(m.Gate.Name, pollProblem)
		o.Problems[m.Gate.Name] = made.Problems
		return nil
	}
	if wrong, err := a.furnishedOtherwise(ctx, s, m.Current.Site); wrong || err != nil {
		o.hold(m.Gate.Name, poll)
		return err
	}
	created, err := a.Writer.Ensure(ctx, s.rehearsalNamespace(m.Current.Site))
	if err != nil {
		return err
	}
	bound, err := a.Writer.Ensure(ctx, workload.OperatorBinding(at))
	if err != nil {
		return err
	}
	if m.Current.Site == gate.SitePlayed {
		err = a.play(ctx, s, *m, made.Secrets)
	} else {
		err = a.furnish(ctx, s, made.Secrets)
	}
	// The API server learns of a new binding a moment after it took it.
	if apierrors.IsForbidden(err) && (created == apply.Created || bound == apply.Created) {
		o.hold(m.Gate.Name, time.Second)
		return nil
	}
	return err
}

// furnishedOtherwise tells whether the namespace is there and was made for another site. It is read past the cache: where
// real credentials are, no prototype is ever started.
func (a actor) furnishedOtherwise(ctx context.Context, s Snapshot, site gate.Site) (bool, error) {
	var namespace corev1.Namespace
	err := a.Writer.Live.Get(ctx, client.ObjectKey{Name: s.Record.Prototype.Rehearsal()}, &namespace)
	return err == nil && furnishedFor(&namespace) != site, client.IgnoreNotFound(err)
}

func (a actor) furnish(ctx context.Context, s Snapshot, secrets []*corev1.Secret) error {
	objects := s.furniture()
	for _, secret := range secrets {
		objects = append(objects, secret)
	}
	_, err := a.Writer.EnsureAll(ctx, objects...)
	return err
}

// play sets the stage and starts the prototype on it. What the run shows of itself is made once.
func (a actor) play(ctx context.Context, s Snapshot, m Measuring, secrets []*corev1.Secret) error {
	player, err := credentials.Player(s.played())
	if err != nil {
		return err
	}
	if _, err := a.Writer.CreateOnce(ctx, player); err != nil {
		return err
	}
	if err := a.Writer.Live.Get(ctx, client.ObjectKeyFromObject(player), player); err != nil {
		return err
	}
	if _, err := a.Writer.EnsureAll(ctx, s.stage(secrets, player)...); err != nil {
		return err
	}
	_, err = a.Writer.CreateOnce(ctx, workload.PlayedJob(s.Record.Subject, s.played(), deadline(m.Gate, m.Current.Length)))
	return err
}
