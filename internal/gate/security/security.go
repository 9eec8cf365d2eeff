// Package security judges the pod that would run: its rights (Pod Security Standard "restricted"), its images, what
// its environment gives away, its access to the API server, whether its sandbox was seen to be isolated, and, where the
// policy asks, what is known of its image: who signed it, how it was built, what is in it and what scanners found.
//
// It judges the rendered pod and not the manifest, so that a mistake of the renderer is found like one of the team.
package security

import (
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	podsecurity "k8s.io/pod-security-admission/api"
	"k8s.io/pod-security-admission/policy"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/internal/evidence"
	"github.com/affineur/affineur/internal/gate"
)

// workloadField is where a prototype declares what is judged here.
const workloadField = "spec.workload.container"

// Evidence is what the verdict rests on.
type Evidence struct {
	// Pod as it is rendered for the subject under review.
	Pod *corev1.PodTemplateSpec
	// Env holds the names of the prototype's own variables in the order of spec.workload.container.env. Other variables
	// of the pod are the operator's.
	Env []string
	// Said is what the subject shows beside its variables to everybody who may see it.
	Said []evidence.Text
	// Registries are the prefixes that images may have, such as registry.example.org/team/.
	Registries []string
	// Isolation is the verdict of package isolation on the sandbox.
	Isolation gate.Verdict
	// Now is the present time, and IsolationMaxAge how old the isolation verdict may be.
	Now             time.Time
	IsolationMaxAge time.Duration
	// Rights at the API server; nil where nobody looks.
	Rights *Rights
	// Search for secrets by a runner, and what is known of the image's Supply chain; nil where nothing was to be measured.
	Search *Search
	Supply *Supply
}

// Judge says Passed when there is no hole and isolation is Enforced. Holes in the pod are reported whatever is known
// about isolation, which is only waited for when there are none.
func Judge(e Evidence) gate.Verdict {
	if e.Pod == nil || len(e.Pod.Spec.Containers) == 0 {
		return gate.Unknown(v1alpha1.ReasonEvidenceUnverifiable, "there is no rendered pod to judge", time.Time{})
	}
	holes, err := podSecurity(e.Pod)
	if err != nil {
		return gate.Unknown(v1alpha1.ReasonEvidenceUnverifiable, "the Pod Security checks of this build can't be used", time.Time{})
	}
	holes = slices.Concat(holes, tokens(e.Pod), images(e), secrets(e), shown(e.Said))
	measured := opinion{holes: holes}
	if e.Rights != nil {
		measured.add(judgeRights(*e.Rights))
	}
	if e.Search != nil {
		measured.add(judgeSearch(*e.Search, holes))
	}
	if e.Supply != nil {
		measured.add(judgeSupply(*e.Supply))
	}
	if isolated := isolation(e); isolated != nil && isolated.State == gate.Failed {
		measured.holes = append(measured.holes, isolated.Findings...)
	} else if isolated != nil {
		measured.unsettled = append(measured.unsettled, *isolated)
	}
	return sum(e, measured)
}

// sum makes one verdict. What can be known by waiting is waited for last: what stands in the way has to be seen.
func sum(e Evidence, o opinion) gate.Verdict {
	if len(o.holes) > 0 {
		return gate.Fail(v1alpha1.ReasonHolesFound, sumUp(o.holes), e.Now, o.holes...)
	}
	for _, state := range []gate.State{gate.Inconclusive, gate.Pending} {
		if at := slices.IndexFunc(o.unsettled, func(v gate.Verdict) bool { return v.State == state }); at >= 0 {
			return o.unsettled[at]
		}
	}
	if len(o.unsettled) > 0 {
		return gate.Unknown(v1alpha1.ReasonEvidenceUnverifiable, "a measurement says nothing", time.Time{})
	}
	said := append([]string{"restricted Pod Security", plural(imageCount(e.Pod), "image") + " by digest from allowed registries"}, o.praise...)
	said = append(said, "no plain secret", "no token for the API server", "isolation enforced")
	return gate.Pass(v1alpha1.ReasonNoHoles, strings.Join(said, ", "), e.Now)
}

// isolation gives the verdict that stands in the way, or nil when isolation is enforced and freshly measured.
func isolation(e Evidence) *gate.Verdict {
	v := e.Isolation
	switch v.State {
	case gate.Failed, gate.Inconclusive:
	case gate.Passed:
		age := e.Now.Sub(v.MeasuredAt)
		if v.Reason == v1alpha1.ReasonEnforced && age <= e.IsolationMaxAge && age >= -gate.ClockSkew {
			return nil
		}
		v = gate.Unknown(v1alpha1.ReasonEvidenceStale, fmt.Sprintf("isolation was measured %s ago, %s are allowed",
			age.Round(time.Second), e.IsolationMaxAge), v.MeasuredAt)
	default:
		v = gate.Wait("the sandbox's isolation has not been measured yet")
	}
	if v.State == gate.Failed && len(v.Findings) == 0 {
		v.Findings = []gate.Finding{{Reason: v.Reason, Message: v.Message, Owner: v1alpha1.OwnerIT}}
	}
	return &v
}

// podSecurity evaluates the restricted standard as Kubernetes 1.36 defines it. The pod is rendered by the operator from
// a narrow API, so what is found here is for IT to look into.
func podSecurity(pod *corev1.PodTemplateSpec) ([]gate.Finding, error) {
	evaluator, err := policy.NewEvaluator(policy.DefaultChecks(), nil)
	if err != nil {
		return nil, err
	}
	level := podsecurity.LevelVersion{Level: podsecurity.LevelRestricted, Version: podsecurity.MajorMinorVersion(1, 36)}
	var found []gate.Finding
	for _, r := range evaluator.EvaluatePod(level, &pod.ObjectMeta, &pod.Spec) {
		if r.Allowed {
			continue
		}
		message := "the restricted Pod Security Standard forbids: " + r.ForbiddenReason
		if r.ForbiddenDetail != "" {
			message += " (" + r.ForbiddenDetail + ")"
		}
		found = append(found, gate.Finding{
			Reason: v1alpha1.ReasonPodSecurity, Field: workloadField, Message: message, Owner: v1alpha1.OwnerIT,
			Hint: "The operator renders this; compare its version and its policy with what is expected.",
		})
	}
	return found, nil
}

// tokens finds every way in which a pod gets a token for the API server. A pod that says nothing gets one by default.
func tokens(pod *corev1.PodTemplateSpec) []gate.Finding {
	var found []gate.Finding
	add := func(message, hint string) {
		found = append(found, gate.Finding{Reason: v1alpha1.ReasonTokenMounted, Field: workloadField, Message: message,
			Hint: hint, Owner: v1alpha1.OwnerIT})
	}
	if mount := pod.Spec.AutomountServiceAccountToken; mount == nil || *mount {
		add("the pod gets a service-account token, with which it could talk to the API server",
			"automountServiceAccountToken must be false on the pod.")
	}
	for _, volume := range pod.Spec.Volumes {
		if volume.Projected == nil {
			continue
		}
		for _, source := range volume.Projected.Sources {
			if source.ServiceAccountToken != nil {
				add(fmt.Sprintf("volume %q projects a service-account token", volume.Name), "Take the token out of the volume.")
			}
		}
	}
	return found
}

func sumUp(holes []gate.Finding) string {
	var reasons []string
	for _, h := range holes {
		if !slices.Contains(reasons, h.Reason) {
			reasons = append(reasons, h.Reason)
		}
	}
	return fmt.Sprintf("%s found: %s", plural(len(holes), "hole"), strings.Join(reasons, ", "))
}

func plural(n int, word string) string {
	if n == 1 {
		return "1 " + word
	}
	return fmt.Sprintf("%d %ss", n, word)
}

func imageCount(pod *corev1.PodTemplateSpec) int { return len(imagesOf(pod)) }
