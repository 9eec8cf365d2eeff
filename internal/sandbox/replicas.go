package sandbox

import "github.com/affineur/affineur/api/v1alpha1"

// replicas of the workload: one; or as many as the open review of the present subject says that a measurement wants for the while,
// where production may have that many and the team has room for them. They hold no room: whoever comes goes first, and the
// workload is back at one.
func (s Snapshot) replicas() int32 {
	review := s.newest()
	switch {
	case review == nil || review.Status.Outcome != "" || review.Status.SandboxReplicas == nil,
		s.SubjectDigest == "" || review.Spec.SubjectDigest != s.SubjectDigest,
		s.Policy == nil || s.container() == nil:
		return 1
	}
	n := min(review.Status.SandboxReplicas.Count, s.Requirements.Production.Replicas.Max)
	if n < 1 || !spare(stakeOf(s.Prototype), s.Team, s.Policy.Spec.Sandbox.Limits, n) {
		return 1
	}
	return n
}

// spare tells whether a team has room for so many replicas of a workload, besides what all of its sandboxes hold.
func spare(self stake, others []stake, limits v1alpha1.SandboxLimits, replicas int32) bool {
	r := roomOf(limits)
	r.sandboxes = 0
	for _, one := range others {
		if one.holds() {
			r.take(one.held)
		}
	}
	return r.full(amount{cpu: self.asks.cpu * int64(replicas), memory: self.asks.memory * int64(replicas)}) == ""
}
