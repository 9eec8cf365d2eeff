package main

import (
	"k8s.io/utils/ptr"

	"github.com/affineur/affineur/api/v1alpha1"
)

// refused are prototypes that are stopped before any gate is asked.
func refused() []sample {
	stopped := func(name, hole, reason, says string, edit edit) sample {
		return sample{name: name, hole: hole, gate: policyGate, reason: reason, says: says, edit: edit}
	}
	turnedAway := func(name, hole, says string, edit edit) sample {
		return sample{name: name, hole: hole, gate: schemaGate, reason: "refused", says: says, edit: edit}
	}
	return []sample{
		stopped("confidential", "data of a class that the system may not have", v1alpha1.ReasonDataNotAllowed, "attendee-feedback",
			also(uses("health"), func(p *v1alpha1.AIPrototype) { p.Spec.Data.Uses = []string{"attendee-feedback"} })).fastly(),
		stopped("confidential-model", "data of a class that the model gateway may not have", v1alpha1.ReasonDataNotAllowed, "attendee-feedback",
			func(p *v1alpha1.AIPrototype) {
				p.Spec.Data.Uses = []string{"attendee-feedback"}
				p.Spec.Model = &v1alpha1.ModelUse{Gateway: "default", Name: "example-large", Version: "4.7"}
			}),
		stopped("undeclared-data", "no data is named, which then counts as the strictest, and a system may not have that", v1alpha1.ReasonDataNotAllowed, "",
			also(uses("health"), func(p *v1alpha1.AIPrototype) { p.Spec.Data = nil })),
		stopped("unknown-system", "a system that the catalogue does not have", v1alpha1.ReasonUnknownName, "no-such-system", uses("no-such-system")),
		stopped("unknown-data", "data that the policy does not know", v1alpha1.ReasonUnknownName, "no-such-data",
			func(p *v1alpha1.AIPrototype) { p.Spec.Data.Uses = []string{"no-such-data"} }),
		stopped("too-large", "more memory than the policy gives", v1alpha1.ReasonLimitExceeded, "memory",
			func(p *v1alpha1.AIPrototype) { p.Spec.Workload.Container.Resources.Memory = "2Gi" }),
		stopped("ungranted-secret", "a Secret that its team did not grant", v1alpha1.ReasonSecretNotGranted, "members-db",
			func(p *v1alpha1.AIPrototype) {
				p.Spec.Workload.Container.Secrets = []v1alpha1.SecretMount{{Name: "members-db", MountPath: "/etc/members-db"}}
			}),
		turnedAway("low-port", "a port that takes the rights of root", "below 1024", func(p *v1alpha1.AIPrototype) { p.Spec.Workload.Container.Port = 80 }),
		turnedAway("operators-variable", "a variable of the operator's, to lead the program elsewhere", "AFFINEUR_",
			env("AFFINEUR_MODEL_URL", "http://models.evil.example.org/v1")),
		turnedAway("secret-over-proc", "a Secret mounted over the kernel's own files", "mountPath", func(p *v1alpha1.AIPrototype) {
			p.Spec.Workload.Container.Secrets = []v1alpha1.SecretMount{{Name: "x", MountPath: "/proc/self"}}
		}),
		turnedAway("address-as-path", "a load measurement that is led to another address", "spec.demand.request.path",
			func(p *v1alpha1.AIPrototype) { p.Spec.Demand.Request.Path = "http://169.254.169.254/latest" }),
		turnedAway("no-demand", "nobody said what production has to carry", "needs a demand", func(p *v1alpha1.AIPrototype) { p.Spec.Demand = nil }),
		turnedAway("no-rate", "a demand without a number of requests", "how many requests", func(p *v1alpha1.AIPrototype) {
			p.Spec.Demand.RequestsPerSecond, p.Spec.Demand.People = nil, ptr.To[int32](3)
		}),
	}
}
