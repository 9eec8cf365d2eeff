package policy

import (
	"strings"
	"testing"
	"time"

	"github.com/affineur/affineur/api/v1alpha1"
)

// byClass is a policy with limits and a runtime of its own for the two strictest classes.
func byClass(p *v1alpha1.HardeningPolicySpec) {
	p.Sandbox.Limits = v1alpha1.SandboxLimits{
		PerPrototype: v1alpha1.Resources{CPU: "2", Memory: "4Gi"},
		PerClass: []v1alpha1.ClassLimits{
			{Class: v1alpha1.DataConfidential, PerPrototype: v1alpha1.Resources{CPU: "1", Memory: "1Gi"}},
			{Class: v1alpha1.DataRestricted, PerPrototype: v1alpha1.Resources{CPU: "500m", Memory: "512Mi"}},
		},
		PerTeam: &v1alpha1.TeamResources{CPU: "1500m", Memory: "2Gi"},
	}
	p.Sandbox.RuntimeClasses = []v1alpha1.ClassRuntime{
		{Class: v1alpha1.DataConfidential, RuntimeClass: "gvisor"}, {Class: v1alpha1.DataRestricted, RuntimeClass: "kata"},
	}
}

func TestLimitsAndRuntimeByTheStrictestData(t *testing.T) {
	uses := func(names ...string) func(*v1alpha1.AIPrototypeSpec) {
		return func(s *v1alpha1.AIPrototypeSpec) { s.Data = &v1alpha1.DataUse{Uses: names} }
	}
	for name, test := range map[string]struct {
		edit         func(*v1alpha1.AIPrototypeSpec)
		cpu, runtime string
	}{
		"public":                              {uses("course-titles"), "2", ""},
		"the strictest of several":            {uses("course-titles", "feedback"), "1", "gvisor"},
		"undeclared data counts as the worst": {func(s *v1alpha1.AIPrototypeSpec) { s.Data = nil }, "500m", "kata"},
	} {
		t.Run(name, func(t *testing.T) {
			r, problems := Resolve(organisation(byClass), membership, prototype(test.edit))
			if r.Limits.CPU != test.cpu || r.RuntimeClass != test.runtime || len(problems) > 0 {
				t.Errorf("cpu %s under %q, %+v", r.Limits.CPU, r.RuntimeClass, problems)
			}
		})
	}
}

func TestMoreThanIsGiven(t *testing.T) {
	asks := func(cpu string, uses ...string) func(*v1alpha1.AIPrototypeSpec) {
		return func(s *v1alpha1.AIPrototypeSpec) {
			s.Data = &v1alpha1.DataUse{Uses: uses}
			s.Workload.Container.Resources = v1alpha1.Resources{CPU: cpu, Memory: "256Mi"}
		}
	}
	for name, test := range map[string]struct {
		edit    func(*v1alpha1.AIPrototypeSpec)
		message string
	}{
		"within the class": {asks("1", "feedback"), ""},
		"beyond the class": {asks("1200m", "feedback"), "cpu 1200m is more than a sandbox with Confidential data may have: 1."},
		"beyond the team":  {asks("1600m", "course-titles"), "cpu 1600m is more than all sandboxes of a team may have together: 1500m."},
	} {
		t.Run(name, func(t *testing.T) {
			_, problems := Resolve(organisation(byClass), membership, prototype(test.edit))
			var got string
			for _, p := range problems {
				got += p.Message
			}
			if got != test.message {
				t.Errorf("%q, want %q", got, test.message)
			}
		})
	}
}

func TestRuntimeMissingIsITs(t *testing.T) {
	problem := RuntimeMissing("kata")
	if problem.Owner != v1alpha1.OwnerIT || !strings.Contains(problem.Message, "RuntimeClass kata") {
		t.Errorf("%+v", problem)
	}
}

func TestSpan(t *testing.T) {
	for d, want := range map[time.Duration]string{
		336 * time.Hour: "336h", 90 * time.Minute: "1h30m", time.Hour + 5*time.Second: "1h0m5s", 30 * time.Second: "30s", 10 * time.Minute: "10m",
	} {
		if got := Span(d); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
}
