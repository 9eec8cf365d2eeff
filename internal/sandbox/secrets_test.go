package sandbox

import (
	"context"
	"errors"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/internal/credentials"
	"github.com/affineur/affineur/internal/workload"
)

// granting reads a team's Secrets only while the team grants them.
type granting struct {
	client.Reader
	revoked bool
}

func (g *granting) Get(ctx context.Context, key client.ObjectKey, object client.Object, options ...client.GetOption) error {
	if _, secret := object.(*corev1.Secret); secret && key.Namespace == "membership" && g.revoked {
		return apierrors.NewForbidden(schema.GroupResource{Resource: "secrets"}, key.Name, errors.New("no"))
	}
	return g.Reader.Get(ctx, key, object, options...)
}

func teamSecret(data map[string]string) *corev1.Secret {
	s := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: "membership", Name: "archive"}, Data: map[string][]byte{}}
	for key, value := range data {
		s.Data[key] = []byte(value)
	}
	return s
}

// entrusted is a world in which a prototype with a Secret of its team runs in its sandbox.
func entrusted(t *testing.T) (*world, *granting) {
	t.Helper()
	w := newWorld(t, aPrototype().with(func(p *v1alpha1.AIPrototype) {
		p.Spec.Workload.Container.Secrets = []v1alpha1.SecretMount{{Name: "archive", MountPath: "/etc/archive"}}
	}).obj(), aPolicy(), teamSecret(map[string]string{"token": "first"}))
	grant := &granting{Reader: w.client}
	w.Maker.Live = grant
	w.settle()
	w.measures(true)
	w.serves()
	w.settle()
	w.expect(v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonRunningInSandbox)
	return w, grant
}

func (w *world) copied() string {
	var secret corev1.Secret
	w.exists(&secret, w.identity.Sandbox(), workload.TeamSecret("archive"))
	return string(secret.Data["token"])
}

func TestARotatedSecretRollsTheSameSubject(t *testing.T) {
	w, _ := entrusted(t)
	subject, rolled := w.prototype().Status.SubjectDigest, w.deployment().Spec.Template.Annotations[workload.AnnotationSecrets]
	w.must(w.client.Update(t.Context(), teamSecret(map[string]string{"token": "second"})))
	w.advance(referencesFresh)
	w.settle()
	if got := w.copied(); got != "second" {
		t.Errorf("the sandbox has %q", got)
	}
	if got := w.deployment().Spec.Template.Annotations[workload.AnnotationSecrets]; got == rolled {
		t.Error("the workload does not roll")
	}
	if got := w.prototype().Status.SubjectDigest; got != subject {
		t.Error("a rotated value is another subject")
	}
	w.must(w.client.Update(t.Context(), teamSecret(map[string]string{"token": "second", "user": "u"})))
	w.advance(referencesFresh)
	w.settle()
	if got := w.prototype().Status.SubjectDigest; got == subject {
		t.Error("another key is the same subject")
	}
}

// A grant that is taken back, and a Secret that is deleted, leave nothing running with the copy.
func TestASecretThatItsTeamTakesBack(t *testing.T) {
	for name, test := range map[string]struct {
		take, give func(w *world, g *granting)
		reason     string
	}{
		"revoked": {
			func(_ *world, g *granting) { g.revoked = true }, func(_ *world, g *granting) { g.revoked = false }, v1alpha1.ReasonSecretNotGranted,
		},
		"deleted": {
			func(w *world, _ *granting) { w.must(w.client.Delete(w.t.Context(), teamSecret(nil))) },
			func(w *world, _ *granting) {
				w.must(w.client.Create(w.t.Context(), teamSecret(map[string]string{"token": "first"})))
			}, v1alpha1.ReasonReferenceMissing,
		},
	} {
		t.Run(name, func(t *testing.T) {
			w, grant := entrusted(t)
			test.take(w, grant)
			w.advance(referencesFresh)
			w.settle()
			if got := *w.deployment().Spec.Replicas; got != 0 {
				t.Errorf("%d replicas run on", got)
			}
			if w.exists(&corev1.Secret{}, w.identity.Sandbox(), workload.TeamSecret("archive")) {
				t.Error("the copy is still there")
			}
			w.expect(v1alpha1.ConditionReady, metav1.ConditionFalse, test.reason)
			w.expect(v1alpha1.ConditionStalled, metav1.ConditionTrue, test.reason)
			if got := w.prototype().Status.WaitingOn; len(got) != 1 || got[0].Party != v1alpha1.PartyBusiness {
				t.Errorf("waits on %+v", got)
			}
			if message := w.prototype().Status.Conditions[0].Message; !strings.HasPrefix(message, "It was stopped and its copy of the Secret removed") {
				t.Errorf("says %q", message)
			}
			before := len(w.writes)
			w.settle()
			if len(w.writes) != before {
				t.Errorf("writes again and again: %v", w.writes[before:])
			}
			test.give(w, grant)
			w.advance(referencesRetry)
			w.settle()
			w.serves()
			w.settle()
			w.expect(v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonRunningInSandbox)
			if got := *w.deployment().Spec.Replicas; got != 1 || w.copied() != "first" {
				t.Errorf("%d replicas with %q", got, w.copied())
			}
		})
	}
}

// withGateway names a model gateway for public and internal data, with a key for everybody.
func withGateway(p *v1alpha1.HardeningPolicy) {
	p.Spec.Catalogue.ModelGateways = []v1alpha1.ModelGateway{{
		Name: "default", Address: "http://gateway.models.svc:8080/v1", To: pods("models"),
		MayCarry:    v1alpha1.MayCarry{Classes: []v1alpha1.DataClass{v1alpha1.DataPublic, v1alpha1.DataInternal}},
		Credentials: &v1alpha1.CredentialSource{Secret: v1alpha1.LocalName{Name: "gateway-keys"}},
	}}
}

// Rotation in the catalogue is no matter of minutes: of the key by a watch, of the address by the policy's own.
func TestRotationInTheCatalogue(t *testing.T) {
	governing := aPolicy()
	withGateway(governing)
	signing := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: v1alpha1.SystemNamespace, Name: "gateway-keys"},
		Data: map[string][]byte{credentials.KeySigning: []byte(strings.Repeat("a", 32))}}
	w := newWorld(t, aPrototype().with(func(p *v1alpha1.AIPrototype) {
		p.Spec.Model = &v1alpha1.ModelUse{Gateway: "default", Name: "example-large", Version: "1"}
	}).obj(), governing, signing)
	w.settle()
	w.measures(true)
	w.serves()
	w.settle()
	handed := func(key string) string {
		var secret corev1.Secret
		w.must(w.client.Get(t.Context(), client.ObjectKey{Namespace: w.identity.Sandbox(), Name: workload.ModelSecret}, &secret))
		return string(secret.Data[key])
	}
	if got := handed(credentials.KeyAddress); got != "http://gateway.models.svc:8080/v1" {
		t.Errorf("finds the gateway at %q", got)
	}
	key, pods := handed(credentials.KeyModel), w.deployment().Spec.Template.Annotations[workload.AnnotationSecrets]
	signing.Data[credentials.KeySigning] = []byte(strings.Repeat("b", 32))
	signing.ResourceVersion = ""
	w.must(w.client.Update(t.Context(), signing))
	if got := w.rotated(t.Context(), signing); len(got) != 1 || got[0].NamespacedName != w.key {
		t.Errorf("asks %v to look again", got)
	}
	w.settle()
	if handed(credentials.KeyModel) == key || w.deployment().Spec.Template.Annotations[workload.AnnotationSecrets] == pods {
		t.Error("the running sandbox keeps the old key")
	}
	unrelated := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: v1alpha1.SystemNamespace, Name: "another"}}
	if got := w.rotated(t.Context(), unrelated); len(got) != 0 {
		t.Errorf("a Secret that no policy names asks %v to look again", got)
	}
	w.govern(func(p *v1alpha1.HardeningPolicy) {
		p.Spec.Catalogue.ModelGateways[0].Address = "http://moved.models.svc:8080/v1"
	})
	w.settle()
	if got := handed(credentials.KeyAddress); got != "http://moved.models.svc:8080/v1" {
		t.Errorf("finds the gateway at %q", got)
	}
}

// Data that may not go to a gateway keeps everything from starting, and the team reads why and what may go where.
func TestConfidentialDataAndAGatewayForPublic(t *testing.T) {
	governing := aPolicy()
	governing.Spec.DataRules = []v1alpha1.DataRule{{Name: "course-titles", Class: v1alpha1.DataPublic}, {Name: "attendee-feedback", Class: v1alpha1.DataConfidential}}
	governing.Spec.Catalogue.ModelGateways = []v1alpha1.ModelGateway{{
		Name: "default", Address: "http://gateway.models.svc:8080/v1",
		To:       v1alpha1.Destination{Pods: &v1alpha1.PodDestination{Namespace: "models", PodLabels: map[string]string{"app": "gateway"}, Port: 8080}},
		MayCarry: v1alpha1.MayCarry{Classes: []v1alpha1.DataClass{v1alpha1.DataPublic}},
	}}
	w := newWorld(t, aPrototype().with(func(p *v1alpha1.AIPrototype) {
		p.Spec.Data.Uses = []string{"course-titles", "attendee-feedback"}
		p.Spec.Model = &v1alpha1.ModelUse{Gateway: "default", Name: "example-large", Version: "1"}
	}).obj(), governing)
	w.settle()
	w.expect(v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonDataNotAllowed)
	w.expect(v1alpha1.ConditionDataAnswered, metav1.ConditionTrue, v1alpha1.ReasonAnswered)
	for _, condition := range w.prototype().Status.Conditions {
		want := "May go to gateway default: course-titles. Never: attendee-feedback."
		if condition.Type == v1alpha1.ConditionDataAnswered && condition.Message != want {
			t.Errorf("answers %q, want %q", condition.Message, want)
		}
	}
	if gap := w.gap(v1alpha1.ReasonDataNotAllowed); gap == nil || gap.Field != "spec.model.gateway" || gap.Owner != v1alpha1.OwnerBusiness || gap.Hint == "" {
		t.Errorf("gap %+v", gap)
	}
	if w.exists(namespace("", nil), "", w.identity.Sandbox()) {
		t.Error("something was made for it")
	}
}
