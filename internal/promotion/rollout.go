package promotion

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/utils/ptr"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/internal/evidence"
	"github.com/affineur/affineur/internal/stop"
	"github.com/affineur/affineur/internal/workload"
)

// Rollout is the Deployment in production and the pods of the prototype.
type Rollout struct {
	Exists bool
	// Record that the Deployment was rendered from.
	Record string
	// SecretsDigest that its pods were rendered with.
	SecretsDigest string
	// Image that it runs, and under which cut of the network.
	Image, CutOff string
	Created       time.Time
	// Observed means that the counts speak of the Deployment as it is.
	Observed                            bool
	Replicas, Total, Updated, Available int32
	// Autoscaled means that an autoscaler owns the number of replicas.
	Autoscaled bool
	// Stuck means that the progress deadline passed.
	Stuck bool
	// Refused is why the cluster does not create the pods.
	Refused string
	Pods    []Pod
}

// Pod is what matters of a pod of the prototype.
type Pod struct {
	Name string
	// Review is the ordinal that it was rendered for.
	Review string
	// CutOff is the cut of the network under which it started.
	CutOff      string
	Created     time.Time
	Terminating bool
	// Hurried means that it is given no time any more to end by itself.
	Hurried bool
	Failed  string
	Ready   bool
	// Waiting is why its container does not run.
	Waiting, WaitingMessage string
	// EndedAt is when its container ended last, with which code and why.
	EndedAt  time.Time
	ExitCode int32
	EndedWhy string
}

// reasons for which a pod's image does not come.
var pullFailures = []string{"ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull"}

const crashLoop = "CrashLoopBackOff"

// limits of texts that came from the cluster.
const (
	maxWord = 64
	maxText = 240
)

// rolloutOf reads a Deployment; nil means that there is none.
func rolloutOf(d *appsv1.Deployment, autoscaled bool, pods []corev1.Pod) Rollout {
	r := Rollout{Autoscaled: autoscaled}
	for i := range pods {
		if stop.Measuring(&pods[i]) {
			// A run that measures what the prototype's pods may reach looks like one to the network, and is none.
			continue
		}
		r.Pods = append(r.Pods, podOf(&pods[i]))
	}
	slices.SortFunc(r.Pods, func(a, b Pod) int { return cmp.Compare(a.Name, b.Name) })
	if d == nil {
		return r
	}
	r.Exists, r.Record, r.Created = true, d.Annotations[v1alpha1.AnnotationRecord], d.CreationTimestamp.Time
	r.SecretsDigest = d.Spec.Template.Annotations[workload.AnnotationSecrets]
	r.CutOff = d.Spec.Template.Annotations[v1alpha1.AnnotationCutOff]
	for _, container := range d.Spec.Template.Spec.Containers {
		r.Image = container.Image
	}
	r.Observed = d.Status.ObservedGeneration >= d.Generation
	r.Replicas, r.Total = ptr.Deref(d.Spec.Replicas, 1), d.Status.Replicas
	r.Updated, r.Available = d.Status.UpdatedReplicas, d.Status.AvailableReplicas
	for _, c := range d.Status.Conditions {
		switch {
		case c.Type == appsv1.DeploymentProgressing && c.Reason == "ProgressDeadlineExceeded":
			r.Stuck = r.Observed
		case c.Type == appsv1.DeploymentReplicaFailure && c.Status == corev1.ConditionTrue:
			r.Refused = evidence.Clean(c.Message, maxText)
		}
	}
	return r
}

func podOf(p *corev1.Pod) Pod {
	out := Pod{
		Name: p.Name, Review: p.Labels[v1alpha1.LabelReview], Created: p.CreationTimestamp.Time,
		Terminating: !p.DeletionTimestamp.IsZero(), CutOff: p.Annotations[v1alpha1.AnnotationCutOff],
		Hurried: workload.Hurried(p),
	}
	if p.Status.Phase == corev1.PodFailed {
		out.Failed = evidence.Clean(cmp.Or(p.Status.Reason, "Failed"), maxWord)
	}
	for _, c := range p.Status.Conditions {
		if c.Type == corev1.PodReady {
			out.Ready = c.Status == corev1.ConditionTrue
		}
	}
	for _, c := range p.Status.ContainerStatuses {
		if w := c.State.Waiting; w != nil {
			out.Waiting, out.WaitingMessage = evidence.Clean(w.Reason, maxWord), evidence.Clean(w.Message, maxText)
		}
		// A program's own last words may hold what people typed: only how it ended is told.
		for _, ended := range []*corev1.ContainerStateTerminated{c.State.Terminated, c.LastTerminationState.Terminated} {
			if ended != nil && ended.FinishedAt.After(out.EndedAt) {
				out.EndedAt, out.ExitCode, out.EndedWhy = ended.FinishedAt.Time, ended.ExitCode, evidence.Clean(ended.Reason, maxWord)
			}
		}
	}
	return out
}

// complete means that every wanted replica is of the current template and available, and no other is left.
func (r Rollout) complete() bool {
	return r.Exists && r.Observed && r.Replicas > 0 &&
		r.Updated >= r.Replicas && r.Total == r.Updated && r.Available >= r.Replicas
}

// answering means that as many pods of the record are seen to be ready as the Deployment wants. Pods and Deployments are
// seen over different watches: one that is not yet seen to be ready must not look, a moment later, as if it no longer
// were.
func (r Rollout) answering(ordinal string) bool {
	ready := int32(0)
	for _, p := range r.Pods {
		if p.Review == ordinal && p.Ready && !p.Terminating {
			ready++
		}
	}
	return ready >= r.Replicas
}

// interrupted means that the pods that soaked are being replaced by others: drift was put back or a credential was
// rotated. That is nobody's fault, and the soak begins anew.
func (r Rollout) interrupted(since time.Time) bool {
	return !r.Exists || r.Created.After(since) || (r.Observed && r.Total > r.Updated)
}

// failure is why a rollout can't succeed, nil while it still can.
func (r Rollout) failure(ordinal string) *Blocker {
	for _, p := range r.Pods {
		switch {
		case p.Review != ordinal || p.Terminating:
		case p.Waiting == crashLoop:
			return &Blocker{v1alpha1.ReasonCrashLooping, fmt.Sprintf("Pod %s keeps ending%s.", p.Name, p.ending())}
		case slices.Contains(pullFailures, p.Waiting):
			return &Blocker{v1alpha1.ReasonImagePullFailing, fmt.Sprintf("Pod %s can't get its image: %s.", p.Name, cmp.Or(p.WaitingMessage, p.Waiting))}
		}
	}
	if !r.Stuck {
		return nil
	}
	return &Blocker{v1alpha1.ReasonRolloutFailed, "Its pods did not become available in time: " + r.cause(ordinal) + "."}
}

// cause is the most telling thing about a rollout that is stuck.
func (r Rollout) cause(ordinal string) string {
	if r.Refused != "" {
		return "the cluster refuses to create them: " + r.Refused
	}
	for _, p := range r.Pods {
		switch {
		case p.Review != ordinal || p.Terminating || p.Ready:
		case p.Failed != "":
			return fmt.Sprintf("pod %s failed: %s", p.Name, p.Failed)
		case p.Waiting != "":
			return fmt.Sprintf("pod %s waits: %s", p.Name, cmp.Or(p.WaitingMessage, p.Waiting))
		case !p.EndedAt.IsZero():
			return fmt.Sprintf("pod %s ended%s", p.Name, p.ending())
		default:
			return fmt.Sprintf("pod %s does not answer on its port or health path, or found no node", p.Name)
		}
	}
	return fmt.Sprintf("%d of %d are available", r.Available, r.Replicas)
}

// misbehaviour is what went wrong with a revision that soaks, nil while all is well. A pod that is being taken away
// by somebody else, or one that starts for the first time, is not its fault.
func (r Rollout) misbehaviour(ordinal string, since time.Time) *Blocker {
	for _, p := range r.Pods {
		var what string
		switch {
		case p.Review != ordinal || p.Terminating:
			continue
		case p.Failed != "":
			what = "failed: " + p.Failed
		case p.Waiting == crashLoop || p.EndedAt.After(since):
			what = "ended" + p.ending()
		case slices.Contains(pullFailures, p.Waiting):
			what = "can't get its image: " + cmp.Or(p.WaitingMessage, p.Waiting)
		case p.Created.Before(since) && !p.Ready:
			what = "stopped answering on its port or health path"
		default:
			continue
		}
		return &Blocker{v1alpha1.ReasonSoakFailed, fmt.Sprintf("Pod %s %s.", p.Name, what)}
	}
	return nil
}

func (p Pod) ending() string {
	if p.EndedAt.IsZero() {
		return ""
	}
	if p.EndedWhy == "" {
		return fmt.Sprintf(" with exit code %d", p.ExitCode)
	}
	return fmt.Sprintf(" with exit code %d (%s)", p.ExitCode, p.EndedWhy)
}
