package sandbox

import (
	"context"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/affineur/affineur/api/v1alpha1"
)

// maxNodes bounds for how many nodes a verdict speaks.
const maxNodes = 16

// homes are the nodes on which the workload's pods run, that of the newest first.
func (s Snapshot) homes() []string {
	if !s.running() {
		return nil
	}
	pods := slices.Clone(s.Pods)
	slices.SortStableFunc(pods, func(a, b corev1.Pod) int { return b.CreationTimestamp.Compare(a.CreationTimestamp.Time) })
	var out []string
	for i := range pods {
		node := pods[i].Spec.NodeName
		if node != "" && pods[i].DeletionTimestamp.IsZero() && !slices.Contains(out, node) {
			out = append(out, node)
		}
	}
	return out
}

// shown is the measurement on a node for which a verdict speaks, since the node was started; nil where there is none.
func (s Snapshot) shown(verdict *v1alpha1.IsolationStatus, node string) *v1alpha1.MeasuredNode {
	for i := range verdict.Nodes {
		if m := &verdict.Nodes[i]; m.Name == node && m.BootID == s.Boots[node] {
			return m
		}
	}
	return nil
}

// unshown is the first node of the workload's for which a verdict does not speak; empty where it speaks for all.
func (s Snapshot) unshown(verdict *v1alpha1.IsolationStatus) string {
	for _, node := range s.homes() {
		if s.shown(verdict, node) == nil {
			return node
		}
	}
	return ""
}

// moved tells whether a pod of the workload runs where nothing was measured: on another node, or on one that was started
// anew since.
func (s Snapshot) moved(verdict *v1alpha1.IsolationStatus) bool { return s.unshown(verdict) != "" }

// shownAt is when that was measured which a good verdict says: on the node where it is longest ago.
func (s Snapshot) shownAt(verdict *v1alpha1.IsolationStatus) time.Time {
	at := verdict.MeasuredAt.Time
	for _, node := range s.homes() {
		if m := s.shown(verdict, node); m != nil && m.MeasuredAt.Time.Before(at) {
			at = m.MeasuredAt.Time
		}
	}
	return at
}

// node on which the next run inside has to be: where the workload runs and nothing is shown, or that is longest ago;
// empty where none runs.
func (s Snapshot) node() string {
	homes, last := s.homes(), s.measured()
	if len(homes) == 0 {
		return ""
	}
	if last == nil || last.Verdict != verdictEnforced || last.InputsDigest != s.Inputs {
		return homes[0]
	}
	if node := s.unshown(last); node != "" {
		return node
	}
	return slices.MinFunc(homes, func(a, b string) int {
		return s.shown(last, a).MeasuredAt.Compare(s.shown(last, b).MeasuredAt.Time)
	})
}

// measuredNodes are those for which a verdict speaks: the one on which it was measured now, and the workload's others, as
// long as what was shown there under the same network still holds.
func (s Snapshot) measuredNodes(verdict *v1alpha1.IsolationStatus) []v1alpha1.MeasuredNode {
	if verdict.Verdict != verdictEnforced || s.Inside.Node == "" {
		return nil
	}
	out := []v1alpha1.MeasuredNode{{Name: s.Inside.Node, BootID: s.Boots[s.Inside.Node], MeasuredAt: verdict.MeasuredAt}}
	last := s.measured()
	if last == nil || last.Verdict != verdictEnforced || last.InputsDigest != verdict.InputsDigest {
		return out
	}
	for _, node := range s.homes() {
		m := s.shown(last, node)
		if m != nil && node != s.Inside.Node && len(out) < maxNodes && !early(m.MeasuredAt, verdict.MeasuredAt.Time) &&
			verdict.MeasuredAt.Sub(m.MeasuredAt.Time) <= s.Settings.MeasureEvery {
			out = append(out, *m)
		}
	}
	return out
}

// boots reads since when the nodes run on which something of this prototype runs.
func (o *observer) boots(ctx context.Context, s *Snapshot) error {
	s.Boots = map[string]string{}
	for _, name := range append(s.homes(), s.Inside.Node) {
		if name == "" {
			continue
		}
		var node corev1.Node
		if err := o.cache.Get(ctx, client.ObjectKey{Name: name}, &node); client.IgnoreNotFound(err) != nil {
			return err
		}
		s.Boots[name] = node.Status.NodeInfo.BootID
	}
	return nil
}

// indexNode finds the pods on a node.
const indexNode = "sandbox.node"

func nodeOf(object client.Object) []string { return []string{object.(*corev1.Pod).Spec.NodeName} }

// onNode are the prototypes with pods on a node.
func (r *Reconciler) onNode(ctx context.Context, object client.Object) []reconcile.Request {
	var pods corev1.PodList
	if r.Client.List(ctx, &pods, client.MatchingFields{indexNode: object.GetName()}) != nil {
		return nil
	}
	var out []reconcile.Request
	for i := range pods.Items {
		if inSandbox(&pods.Items[i]) {
			out = append(out, owner(ctx, &pods.Items[i])...)
		}
	}
	return out
}

// restarted leaves out what a node says all the time.
func restarted() predicate.Predicate {
	return changes(func(before, after client.Object) bool {
		return before.(*corev1.Node).Status.NodeInfo.BootID != after.(*corev1.Node).Status.NodeInfo.BootID
	})
}
