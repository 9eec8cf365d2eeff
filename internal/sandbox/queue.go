package sandbox

import (
	"context"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/affineur/affineur/api/v1alpha1"
)

const (
	// indexTeam finds the namespaces of a team.
	indexTeam = "sandbox.team"
	// indexStake finds the prototypes that have room, and those that want some.
	indexStake = "sandbox.stake"
	roomHeld   = "held"
	roomWanted = "wanted"
)

// indexRoom registers what the queue is found by.
func indexRoom(ctx context.Context, indexer client.FieldIndexer) error {
	if err := indexer.IndexField(ctx, &corev1.Namespace{}, indexTeam, teamOf); err != nil {
		return err
	}
	return indexer.IndexField(ctx, &v1alpha1.AIPrototype{}, indexStake, stakesIn)
}

// teamOf gives a namespace's key in the index.
func teamOf(object client.Object) []string {
	if team := object.GetLabels()[v1alpha1.LabelTeam]; team != "" {
		return []string{team}
	}
	return nil
}

// stakesIn gives a prototype's keys in the index.
func stakesIn(object client.Object) []string {
	mine := stakeOf(object.(*v1alpha1.AIPrototype))
	var out []string
	if mine.holds() {
		out = append(out, roomHeld)
	}
	if mine.wants() {
		out = append(out, roomWanted)
	}
	return out
}

// inTeam lists the prototypes in all namespaces of a team, to look at only.
func inTeam(ctx context.Context, cache client.Reader, team string, options ...client.ListOption) ([]v1alpha1.AIPrototype, error) {
	if team == "" {
		return nil, nil
	}
	var namespaces corev1.NamespaceList
	if err := cache.List(ctx, &namespaces, client.MatchingFields{indexTeam: team}, client.UnsafeDisableDeepCopy); err != nil {
		return nil, err
	}
	var out []v1alpha1.AIPrototype
	for i := range namespaces.Items {
		var list v1alpha1.AIPrototypeList
		here := append([]client.ListOption{client.InNamespace(namespaces.Items[i].Name), client.UnsafeDisableDeepCopy}, options...)
		if err := cache.List(ctx, &list, here...); err != nil {
			return nil, err
		}
		out = append(out, list.Items...)
	}
	return out, nil
}

// indexed are the prototypes of a team that have room, or want some.
func (r *Reconciler) indexed(ctx context.Context, team, which string) []reconcile.Request {
	list, err := inTeam(ctx, r.Client, team, client.MatchingFields{indexStake: which})
	if err != nil {
		return nil
	}
	var out []reconcile.Request
	for i := range list {
		out = append(out, reconcile.Request{NamespacedName: client.ObjectKeyFromObject(&list[i])})
	}
	return out
}

// rearranged are the prototypes whose place another one's change may move: those of its team that want room, and those
// that came to theirs after it. The changed one is among them: it looks at its claim once everybody can see it.
func (r *Reconciler) rearranged(ctx context.Context, object client.Object) []reconcile.Request {
	var namespace corev1.Namespace
	if err := r.Client.Get(ctx, client.ObjectKey{Name: object.GetNamespace()}, &namespace); err != nil {
		return nil
	}
	team, changed := namespace.Labels[v1alpha1.LabelTeam], stakeOf(object.(*v1alpha1.AIPrototype))
	out := r.indexed(ctx, team, roomWanted)
	if !changed.holds() {
		return out
	}
	holders, err := inTeam(ctx, r.Client, team, client.MatchingFields{indexStake: roomHeld})
	if err != nil {
		return out
	}
	for i := range holders {
		if changed.before(stakeOf(&holders[i])) <= 0 {
			out = append(out, reconcile.Request{NamespacedName: client.ObjectKeyFromObject(&holders[i])})
		}
	}
	return out
}

// roomChanged leaves out what moves nobody's place.
func roomChanged() predicate.Predicate {
	return changes(func(before, after client.Object) bool {
		return stakeOf(before.(*v1alpha1.AIPrototype)) != stakeOf(after.(*v1alpha1.AIPrototype))
	})
}
