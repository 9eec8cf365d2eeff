package sandbox

import (
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/internal/workload"
)

// guarded takes the sample of a request and the evaluation set from a Secret of the team's.
func guarded(p *v1alpha1.AIPrototype) {
	evaluated(p)
	p.Spec.Evaluation.Examples = v1alpha1.ExamplesSource{Secret: &v1alpha1.SecretKey{Name: "letters", Key: "examples.csv"}}
	p.Spec.Demand.Request = v1alpha1.SampleRequest{Method: "POST", Path: "/ask", Body: &v1alpha1.RequestBody{Secret: &v1alpha1.SecretKey{Name: "letters", Key: "body.json"}}}
}

func letters(body string) *corev1.Secret {
	return &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: "membership", Name: "letters"}, StringData: map[string]string{
		"body.json": body, "examples.csv": golden(100).Data["examples.csv"],
	}}
}

// grant is what a team writes so that the operator may read the Secret, and no other.
func grant() (*rbacv1.Role, *rbacv1.RoleBinding) {
	meta := metav1.ObjectMeta{Namespace: "membership", Name: "affineur-reads-letters"}
	return &rbacv1.Role{ObjectMeta: meta, Rules: []rbacv1.PolicyRule{{APIGroups: []string{""}, Resources: []string{"secrets"}, ResourceNames: []string{"letters"}, Verbs: []string{"get"}}}},
		&rbacv1.RoleBinding{ObjectMeta: meta, RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: meta.Name},
			Subjects: []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Namespace: v1alpha1.SystemNamespace, Name: workload.OperatorAccount}}}
}

// later lets the controller look once what it knows of references is old.
func (s *onServer) later(what string, holds func() bool) {
	s.Helper()
	s.clock.SetTime(s.clock.Now().Add(max(referencesFresh, referencesRetry) + time.Second))
	s.nudge()
	s.eventually(what, holds)
}

// gap tells whether the prototype's status has one.
func (s *onServer) gap(reason, field, words string) bool {
	for _, gap := range s.prototype().Status.Gaps {
		if gap.Reason == reason && strings.HasPrefix(gap.Field, field) && strings.Contains(gap.Message, words) {
			return gap.Owner == v1alpha1.OwnerBusiness
		}
	}
	return false
}

// What may hold confidential data lies in a Secret that a real API server shows the operator only when the team granted
// it. What it says is part of the subject; a grant that is taken back and a Secret that is deleted stop the prototype.
func TestConfidentialSetsOnARealAPIServer(t *testing.T) {
	s := startServer(t)
	s.must(s.admin.Create(t.Context(), namespace("membership", map[string]string{"affineur.dev/ai-sandbox": "true", v1alpha1.LabelTeam: "membership"})))
	s.must(s.admin.Create(t.Context(), letters(`{"question":"When does it end?"}`)))
	identity := s.govern(func(p *v1alpha1.HardeningPolicy) { p.Spec = *strict().Spec.DeepCopy() }, aPrototype().with(guarded).obj())
	const body, set = "spec.demand.request.body.secret", "spec.evaluation.examples"
	refused := func() bool {
		return s.gap(v1alpha1.ReasonSecretNotGranted, body, "may not read Secret letters") && s.gap(v1alpha1.ReasonExamplesInvalid, set, "may not read Secret letters")
	}
	s.eventually("not granted", refused)

	role, binding := grant()
	s.must(s.admin.Create(t.Context(), role))
	s.must(s.admin.Create(t.Context(), binding))
	s.later("granted", func() bool {
		return !s.gap(v1alpha1.ReasonSecretNotGranted, "", "") && !s.gap(v1alpha1.ReasonExamplesInvalid, "", "")
	})
	s.isolates(identity)
	s.serves(identity)
	granted := s.prototype().Status.SubjectDigest

	s.must(s.admin.Update(t.Context(), letters(`{"question":"Why does it end?"}`)))
	s.later("another subject after an edit", func() bool { now := s.prototype().Status.SubjectDigest; return now != granted && now != "" })
	s.must(s.admin.Update(t.Context(), letters(`{"question":"When does it end?"}`)))
	s.later("the first subject again", func() bool { return s.prototype().Status.SubjectDigest == granted })

	s.must(s.admin.Delete(t.Context(), binding))
	s.later("the grant is taken back", refused)
	_, binding = grant()
	s.must(s.admin.Create(t.Context(), binding))
	s.later("granted again", func() bool { return !s.gap(v1alpha1.ReasonSecretNotGranted, "", "") })

	s.must(s.admin.Delete(t.Context(), letters("")))
	s.later("deleted", func() bool {
		return s.gap(v1alpha1.ReasonReferenceMissing, body, "Secret letters is not there") && s.gap(v1alpha1.ReasonExamplesInvalid, set, "Secret letters is not there")
	})
	s.says(v1alpha1.ConditionReady, v1alpha1.ReasonReferenceMissing)
}
