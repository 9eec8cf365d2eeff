package guard

import (
	"errors"
	"slices"
	"strings"
	"testing"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/affineur/affineur/api/v1alpha1"
)

func shipped(t *testing.T) guards {
	t.Helper()
	g, err := read(Shipped())
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// What is shipped must guard: fail closed, deny, be bound, and leave the cluster alone when parameters are missing.
func TestShippedGuardsGuard(t *testing.T) {
	g := shipped(t)
	if len(g.validating) < 10 || len(g.mutating) < 2 || g.parameters == nil {
		t.Fatalf("too little is shipped: %d, %d", len(g.validating), len(g.mutating))
	}
	for name, policy := range g.validating {
		binding, bound := g.validatingBindings[name]
		if !bound || binding.Spec.PolicyName != name {
			t.Errorf("%s is not bound", name)
		}
		if *policy.Spec.FailurePolicy != admissionv1.Fail || !slices.Equal(binding.Spec.ValidationActions, []admissionv1.ValidationAction{admissionv1.Deny}) {
			t.Errorf("%s does not fail closed", name)
		}
		for _, v := range policy.Spec.Validations {
			if v.Message == "" && v.MessageExpression == "" {
				t.Errorf("%s refuses without a word: %s", name, v.Expression)
			}
		}
		if (policy.Spec.ParamKind == nil) != (binding.Spec.ParamRef == nil) {
			t.Errorf("%s is bound without its parameters", name)
		}
		if policy.Spec.ParamKind != nil && !narrow(policy) {
			t.Errorf("%s would deny in foreign namespaces where its parameters are missing", name)
		}
		if policy.Spec.ParamKind != nil && *binding.Spec.ParamRef.ParameterNotFoundAction != admissionv1.DenyAction {
			t.Errorf("%s lets everything through where its parameters are missing", name)
		}
	}
	for name := range g.mutating {
		if binding, bound := g.mutatingBindings[name]; !bound || binding.Spec.PolicyName != name {
			t.Errorf("%s is not bound", name)
		}
	}
}

// narrow tells whether a policy matches only what is ours before its parameters are looked up.
func narrow(policy admissionv1.ValidatingAdmissionPolicy) bool {
	match := policy.Spec.MatchConstraints
	if match.NamespaceSelector != nil || match.ObjectSelector != nil {
		return true
	}
	return !slices.ContainsFunc(match.ResourceRules, func(rule admissionv1.NamedRuleWithOperations) bool {
		return !slices.Equal(rule.APIGroups, []string{v1alpha1.GroupVersion.Group})
	})
}

func TestDifferences(t *testing.T) {
	for name, test := range map[string]struct {
		change func(*guards)
		want   string
	}{
		"none": {func(*guards) {}, ""},
		"what the server fills in": {func(g *guards) {
			p := g.validating["affineur-records"]
			defaultMatch(p.Spec.MatchConstraints)
			g.validating["affineur-records"] = p
		}, ""},
		"labels": {func(g *guards) {
			p := g.validating["affineur-records"]
			p.Labels = map[string]string{"their": "own"}
			g.validating["affineur-records"] = p
		}, ""},
		"a foreign policy": {func(g *guards) { g.validating["foreign"] = admissionv1.ValidatingAdmissionPolicy{} }, ""},
		"a missing policy": {func(g *guards) { delete(g.mutating, "affineur-stamp-decisions") }, "MutatingAdmissionPolicy affineur-stamp-decisions is missing"},
		"another exemption": {func(g *guards) {
			p := g.validating["affineur-decisions"]
			p.Spec.MatchConditions = append(p.Spec.MatchConditions, admissionv1.MatchCondition{Name: "not-me", Expression: "false"})
			g.validating["affineur-decisions"] = p
		}, "ValidatingAdmissionPolicy affineur-decisions is not as shipped"},
		"an excluded resource": {func(g *guards) {
			p := g.validating["affineur-managed-content"]
			p.Spec.MatchConstraints.ExcludeResourceRules = p.Spec.MatchConstraints.ResourceRules[:1]
			g.validating["affineur-managed-content"] = p
		}, "ValidatingAdmissionPolicy affineur-managed-content is not as shipped"},
		"a binding elsewhere": {func(g *guards) {
			b := g.mutatingBindings["affineur-stamp-decisions"]
			b.Spec.MatchResources = &admissionv1.MatchResources{ObjectSelector: &metav1.LabelSelector{MatchLabels: map[string]string{"a": "b"}}}
			g.mutatingBindings["affineur-stamp-decisions"] = b
		}, "MutatingAdmissionPolicyBinding affineur-stamp-decisions is not as shipped"},
		"one more trusted writer": {func(g *guards) { g.parameters.Data["systemWriters"] += "\nmallory" }, "systemWriters in ConfigMap"},
		"one more cleaner":        {func(g *guards) { g.parameters.Data["cleaners"] += "\nmallory" }, "cleaners in ConfigMap"},
		"the platform's writers":  {func(g *guards) { g.parameters.Data["platformWriters"] = "system:serviceaccount:mesh:mesh" }, ""},
		"no parameters":           {func(g *guards) { g.parameters = nil }, "ConfigMap affineur-system/affineur-guards is missing"},
	} {
		t.Run(name, func(t *testing.T) {
			live := shipped(t)
			test.change(&live)
			got := strings.Join(differences(shipped(t), live), "; ")
			if test.want == "" && got != "" || !strings.Contains(got, test.want) {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}

func TestFingerprint(t *testing.T) {
	base := func() guards {
		g := shipped(t)
		g.parameters.UID, g.parameters.ResourceVersion = "1", "7"
		return g
	}
	same := fingerprint(shipped(t), base())
	for name, change := range map[string]func(*guards){
		"deleted and restored": func(g *guards) {
			b := g.validatingBindings["affineur-decisions"]
			b.UID = "2"
			g.validatingBindings["affineur-decisions"] = b
		},
		"changed and changed back": func(g *guards) {
			p := g.mutating["affineur-stamp-decisions"]
			p.Generation = 3
			g.mutating["affineur-stamp-decisions"] = p
		},
		"parameters touched": func(g *guards) { g.parameters.ResourceVersion = "9" },
		"one gone":           func(g *guards) { delete(g.validating, "affineur-records") },
	} {
		changed := base()
		change(&changed)
		if fingerprint(shipped(t), changed) == same {
			t.Errorf("%s: the fingerprint is the same", name)
		}
	}
	foreign := base()
	foreign.validating["foreign"] = admissionv1.ValidatingAdmissionPolicy{}
	if fingerprint(shipped(t), foreign) != same {
		t.Error("a foreign policy changes the fingerprint")
	}
}

func TestJudge(t *testing.T) {
	f := forgery{what: "a decision", policy: "affineur-decisions", says: "made by a person"}
	refusal := func(message string) error {
		return apierrors.NewForbidden(schema.GroupResource{Resource: "hardeningdecisions"}, "x", errors.New(message))
	}
	for name, test := range map[string]struct {
		err  error
		want string
	}{
		"let through":                 {nil, v1alpha1.ReasonGuardsChanged},
		"refused by the right policy": {refusal("ValidatingAdmissionPolicy 'affineur-decisions' with binding 'affineur-decisions' denied request: a decision is made by a person"), v1alpha1.ReasonGuardsMeasured},
		"refused for another reason":  {refusal("ValidatingAdmissionPolicy 'affineur-decisions' with binding 'affineur-decisions' denied request: in one's own name"), v1alpha1.ReasonGuardsChanged},
		"refused by RBAC":             {refusal(`User "x" cannot create resource "hardeningdecisions"`), v1alpha1.ReasonGuardsUnknown},
		"refused by a webhook":        {refusal(`admission webhook "theirs" denied the request`), v1alpha1.ReasonGuardsUnknown},
		"nobody answers":              {errors.New("connection refused"), v1alpha1.ReasonGuardsUnknown},
	} {
		t.Run(name, func(t *testing.T) {
			if got := f.judge(test.err); got.reason != test.want {
				t.Errorf("got %s: %s", got.reason, got.message)
			}
		})
	}
}

func TestWorst(t *testing.T) {
	changed, unknown, fine := verdict{v1alpha1.ReasonGuardsChanged, "a hole"}, verdict{v1alpha1.ReasonGuardsUnknown, "no answer"}, verdict{reason: v1alpha1.ReasonGuardsMeasured}
	for _, test := range []struct {
		verdicts []verdict
		want     string
	}{
		{[]verdict{fine, fine}, v1alpha1.ReasonGuardsMeasured},
		{[]verdict{fine, unknown}, v1alpha1.ReasonGuardsUnknown},
		{[]verdict{unknown, changed, fine}, v1alpha1.ReasonGuardsChanged},
	} {
		if got, message := worst(test.verdicts); got != test.want || (got != v1alpha1.ReasonGuardsMeasured && message == "") {
			t.Errorf("%v: %s %q", test.verdicts, got, message)
		}
	}
}
