package sandbox

import (
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/internal/credentials"
	"github.com/affineur/affineur/internal/registry"
)

func pods(app string) v1alpha1.Destination {
	return v1alpha1.Destination{Pods: &v1alpha1.PodDestination{Namespace: app, PodLabels: map[string]string{"app": app}, Port: 8080}}
}

// What a review would object to shows on the first day, each with whose it is, where to change it, and how.
func TestGapsThatAReviewWouldFind(t *testing.T) {
	everything := v1alpha1.MayCarry{Classes: []v1alpha1.DataClass{v1alpha1.DataPublic, v1alpha1.DataInternal, v1alpha1.DataConfidential, v1alpha1.DataRestricted}}
	govern := aPolicy()
	govern.Spec.Catalogue = v1alpha1.Catalogue{
		ModelGateways: []v1alpha1.ModelGateway{{Name: "default", Address: "http://gateway.models:8080", To: pods("models"), MayCarry: everything}},
		Integrations: []v1alpha1.Integration{
			{Name: "lms", MayCarry: everything, Sandbox: &v1alpha1.Endpoint{Address: "http://lms.lms:8080", To: pods("lms")}},
			{Name: "crm", MayCarry: everything, Production: &v1alpha1.Endpoint{
				Address: "http://crm.crm:8080", To: pods("crm"), Credentials: &v1alpha1.CredentialSource{Secret: v1alpha1.LocalName{Name: "crm-token"}},
			}},
		},
	}
	uses := func(name string) func(*v1alpha1.AIPrototype) {
		return func(p *v1alpha1.AIPrototype) {
			p.Spec.Integrations = []v1alpha1.IntegrationUse{{Name: name, Access: v1alpha1.AccessRead}}
		}
	}
	for name, test := range map[string]struct {
		change              func(*v1alpha1.AIPrototype)
		gate, reason, field string
		owner               v1alpha1.Owner
		says                string
	}{
		"a secret in plain sight": {func(p *v1alpha1.AIPrototype) {
			p.Spec.Workload.Container.Env = []v1alpha1.EnvVar{{Name: "DB_PASSWORD", Value: "correct-horse-battery"}}
		}, "security", v1alpha1.ReasonPlainSecret, "spec.workload.container.env[name=DB_PASSWORD]", v1alpha1.OwnerBusiness, "looks like"},
		"no demand": {func(p *v1alpha1.AIPrototype) { p.Spec.Demand = nil },
			"scalability", v1alpha1.ReasonDemandMissing, "spec.demand", v1alpha1.OwnerBusiness, "nothing can be measured"},
		"no sample of a request": {func(p *v1alpha1.AIPrototype) {
			p.Spec.Demand.Request = v1alpha1.SampleRequest{Method: "POST", Path: "/ask"}
		},
			"scalability", v1alpha1.ReasonSampleMissing, "spec.demand.request.body", v1alpha1.OwnerBusiness, "POST /ask without a body"},
		"a budget below the demand": {func(p *v1alpha1.AIPrototype) {
			p.Spec.Model = &v1alpha1.ModelUse{Gateway: "default", Name: "m", Version: "1", Budget: &v1alpha1.ModelBudget{TokensPerDay: 49}}
		}, "scalability", v1alpha1.ReasonLimitExceeded, "spec.model.budget.tokensPerDay", v1alpha1.OwnerBusiness, "each of the 50 requests"},
		"nothing in production": {uses("lms"), "integration", v1alpha1.ReasonIntegrationBroken, "spec.integrations[name=lms]", v1alpha1.OwnerIT, "no production target"},
		"no test instance":      {uses("crm"), "integration", v1alpha1.ReasonNoSandboxTarget, "spec.integrations[name=crm]", v1alpha1.OwnerIT, "no test instance"},
		"no credential for production": {uses("crm"), "integration", v1alpha1.ReasonCredentialMissing, "spec.integrations[name=crm]", v1alpha1.OwnerIT,
			"affineur-system/crm-token with key token"},
		"no data": {func(p *v1alpha1.AIPrototype) { p.Spec.Data = nil },
			gatePolicy, v1alpha1.ReasonDataUndeclared, "spec.data.uses", v1alpha1.OwnerBusiness, "counts as Restricted"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, aPrototype().with(test.change).obj(), govern.DeepCopy())
			w.settle()
			gap := w.gap(test.reason)
			if gap == nil || gap.Gate != test.gate || gap.Field != test.field || gap.Owner != test.owner || gap.Hint == "" || !strings.Contains(gap.Message, test.says) {
				t.Fatalf("gap %+v among %+v", gap, w.prototype().Status.Gaps)
			}
			w.measures(true)
			w.serves()
			w.settle()
			w.expect(v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonRunningInSandbox)
			if w.gap(test.reason) == nil {
				t.Error("the gap is forgotten when the prototype runs")
			}
		})
	}
	t.Run("nothing", func(t *testing.T) {
		secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: v1alpha1.SystemNamespace, Name: "crm-token"}, Data: map[string][]byte{credentials.KeyToken: []byte("t")}}
		whole := govern.DeepCopy()
		whole.Spec.Catalogue.Integrations[1].Sandbox = whole.Spec.Catalogue.Integrations[0].Sandbox
		w := newWorld(t, aPrototype().with(uses("crm")).obj(), whole, secret)
		w.settle()
		if gaps := w.prototype().Status.Gaps; len(gaps) != 0 {
			t.Errorf("%+v", gaps)
		}
	})
}

// A hole shows also while something else keeps the prototype from running, and a need without a program has none yet.
func TestGapsOfWhatDoesNotRun(t *testing.T) {
	leaky := func(p *v1alpha1.AIPrototype) {
		p.Spec.Workload.Container.Env = []v1alpha1.EnvVar{{Name: "DB_PASSWORD", Value: "correct-horse-battery"}}
	}
	for name, test := range map[string]struct {
		change func(*v1alpha1.AIPrototype)
		also   string
	}{
		"an image that is not there":   {func(*v1alpha1.AIPrototype) {}, v1alpha1.ReasonImageNotFound},
		"another registry":             {func(p *v1alpha1.AIPrototype) { p.Spec.Workload.Container.Image = "elsewhere.example.org/a:1" }, v1alpha1.ReasonRegistryNotAllowed},
		"a name that nobody knows":     {func(p *v1alpha1.AIPrototype) { p.Spec.Data.Uses = []string{"salaries"} }, v1alpha1.ReasonUnknownName},
		"suspended before it ever ran": {func(p *v1alpha1.AIPrototype) { p.Spec.Suspend = true }, ""},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, aPrototype().with(leaky).with(test.change).obj(), aPolicy())
			w.registry.err = &registry.Error{Reason: v1alpha1.ReasonImageNotFound, Message: "The registry does not have it.", Owner: v1alpha1.OwnerBusiness}
			w.settle()
			if w.gap(v1alpha1.ReasonPlainSecret) == nil || test.also != "" && w.gap(test.also) == nil {
				t.Errorf("gaps %+v", w.prototype().Status.Gaps)
			}
			for _, gap := range w.prototype().Status.Gaps {
				if gap.Reason == v1alpha1.ReasonImageNotPinned {
					t.Error("an image that was not looked up is said not to be pinned")
				}
			}
		})
	}
	w := newWorld(t, aPrototype().with(func(p *v1alpha1.AIPrototype) {
		p.Spec.Workload, p.Spec.Data, p.Spec.Demand = nil, nil, nil
	}).obj(), aPolicy())
	w.settle()
	if gaps := w.prototype().Status.Gaps; len(gaps) != 0 {
		t.Errorf("a stated need has gaps: %+v", gaps)
	}
}
