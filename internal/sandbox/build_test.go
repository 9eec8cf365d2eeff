package sandbox

import (
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/affineur/affineur/api/v1alpha1"
)

// maker builds prototypes fluently.
type maker struct{ p *v1alpha1.AIPrototype }

func aPrototype() maker {
	return maker{&v1alpha1.AIPrototype{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: "membership", Name: "churn-advisor", UID: "5c9f3f1e-0000-4000-8000-000000000001", Generation: 1,
			CreationTimestamp: metav1.NewTime(birth),
			Annotations:       map[string]string{v1alpha1.AnnotationAuthors: "membership-lead@example.org"},
		},
		Spec: v1alpha1.AIPrototypeSpec{
			Target: v1alpha1.TargetSandbox,
			Need:   v1alpha1.Need{Problem: "Members lapse before anyone notices that they are unhappy."},
			Facts:  &v1alpha1.Facts{Exposure: v1alpha1.ExposureInternal, Autonomy: v1alpha1.AutonomyAnswers},
			Data:   &v1alpha1.DataUse{Uses: []string{"renewal-dates"}},
			Workload: &v1alpha1.Workload{Container: &v1alpha1.Container{
				Image: "registry.example.org/membership/churn-advisor:1.4", Port: 8080,
				Resources: v1alpha1.Resources{CPU: "250m", Memory: "256Mi"},
			}},
			Demand: &v1alpha1.Demand{
				People: ptr.To[int32](100), BusiestHour: ptr.To[int32](50), AnswerWithin: &metav1.Duration{Duration: 2 * time.Second},
				ErrorRatio: "0.01", Request: v1alpha1.SampleRequest{Method: "GET", Path: "/"},
			},
		},
		Status: v1alpha1.AIPrototypeStatus{ObservedGeneration: -1},
	}}
}

func (m maker) with(change func(*v1alpha1.AIPrototype)) maker { change(m.p); return m }

func (m maker) inProduction() maker {
	m.p.Spec.Target = v1alpha1.TargetProduction
	m.p.Annotations[v1alpha1.AnnotationRequestedBy] = "membership-lead@example.org"
	return m
}

func (m maker) obj() *v1alpha1.AIPrototype { return m.p }

func aPolicy() *v1alpha1.HardeningPolicy {
	gates := []string{"security", "scalability", "integration"}
	hours := func(n int) metav1.Duration { return metav1.Duration{Duration: time.Duration(n) * time.Hour} }
	return &v1alpha1.HardeningPolicy{
		ObjectMeta: metav1.ObjectMeta{Name: "organisation", Generation: 1},
		Spec: v1alpha1.HardeningPolicySpec{
			AppliesTo: v1alpha1.AppliesTo{NamespaceSelector: metav1.LabelSelector{MatchLabels: map[string]string{"affineur.dev/ai-sandbox": "true"}}},
			Teams:     []v1alpha1.Team{{Name: "membership", Groups: []string{"team-membership"}}},
			DataRules: []v1alpha1.DataRule{{Name: "renewal-dates", Class: v1alpha1.DataInternal}},
			Sandbox: v1alpha1.SandboxPolicy{
				Registries: []v1alpha1.Registry{{Prefix: "registry.example.org/"}}, DNS: "Cluster",
				Lifetime: v1alpha1.LifetimePolicy{Default: hours(336), Max: hours(2160)},
				Limits:   v1alpha1.SandboxLimits{PerPrototype: v1alpha1.Resources{CPU: "2", Memory: "4Gi"}},
				Access:   v1alpha1.SandboxAccess{PortForward: true},
			},
			Gates: []v1alpha1.Gate{
				{Name: "security", Type: v1alpha1.GateSecurity, Enforcement: v1alpha1.EnforcementRequired},
				{Name: "scalability", Type: v1alpha1.GateScalability, Enforcement: v1alpha1.EnforcementRequired},
				{Name: "integration", Type: v1alpha1.GateIntegration, Enforcement: v1alpha1.EnforcementRequired},
			},
			Roles: []v1alpha1.Role{{Name: "security", Groups: []string{"it-security"}}},
			Tiers: []v1alpha1.Tier{{Name: "Standard", When: "true", Gates: gates, Approvals: []v1alpha1.Approval{{Role: "security", Quorum: 1}}, Due: hours(24), Soak: hours(1)}},
		},
		Status: v1alpha1.HardeningPolicyStatus{Conditions: []metav1.Condition{{
			Type: v1alpha1.ConditionReady, Status: metav1.ConditionTrue, Reason: v1alpha1.ReasonPolicyUsable, ObservedGeneration: 1,
			LastTransitionTime: metav1.NewTime(birth),
		}}},
	}
}
