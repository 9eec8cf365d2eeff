package credentials

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/internal/gatewaykey"
	"github.com/affineur/affineur/internal/names"
	"github.com/affineur/affineur/internal/policy"
	"github.com/affineur/affineur/internal/subject"
	"github.com/affineur/affineur/internal/workload"
)

var signing = []byte(strings.Repeat("k", 32))

func system(name, key, value string) client.Object {
	return &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: v1alpha1.SystemNamespace, Name: name}, Data: map[string][]byte{key: []byte(value)}}
}

func team(name string, data map[string][]byte) client.Object {
	return &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: "education", Name: name}, Data: data}
}

func authority() client.Object {
	return &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: v1alpha1.SystemNamespace, Name: "lms-ca"}, Data: map[string]string{KeyCA: "authority"}}
}

// everything that the subject below needs.
func everything() []client.Object {
	return []client.Object{
		system("pull", corev1.DockerConfigJsonKey, `{"auths":{}}`), system("gateway-keys", KeySigning, string(signing)),
		system("lms-test", KeyToken, "test-token"), system("lms-prod", KeyToken, "production-token"), authority(),
		team("outliner-token", map[string][]byte{"token": []byte("t"), "user": []byte("u")}),
	}
}

func aSubject() subject.Subject {
	return subject.Subject{
		Container: subject.Container{Secrets: []subject.Secret{{Name: "outliner-token", MountPath: "/etc/secrets/outliner"}}},
		Model:     &subject.Model{Gateway: "default", Name: "example-large", Version: "4.7", TokensPerDay: 1000},
	}
}

func surroundings(purpose string) workload.Surroundings {
	lms := func(secret string) *v1alpha1.Endpoint {
		return &v1alpha1.Endpoint{CA: &v1alpha1.LocalName{Name: "lms-ca"}, Credentials: &v1alpha1.CredentialSource{Secret: v1alpha1.LocalName{Name: secret}}}
	}
	return workload.Surroundings{
		Identity: names.Identity{Namespace: "education", Name: "outliner", UID: "u-1"}, Namespace: "affx-education-outliner", Purpose: purpose,
		Requirements: policy.Requirements{
			Registry:     v1alpha1.Registry{Prefix: "registry.example.org/", PullSecret: &v1alpha1.LocalName{Name: "pull"}},
			ModelGateway: &v1alpha1.ModelGateway{Name: "default", Address: "http://gateway.models.svc:8080/v1", Credentials: &v1alpha1.CredentialSource{Secret: v1alpha1.LocalName{Name: "gateway-keys"}}},
			Integrations: []v1alpha1.Integration{{Name: "lms", Sandbox: lms("lms-test"), Production: lms("lms-prod")}},
		},
	}
}

func made(t *testing.T, purpose string, objects ...client.Object) Made {
	t.Helper()
	all, err := Maker{Live: fake.NewClientBuilder().WithScheme(clientgoscheme.Scheme).WithObjects(objects...).Build()}.
		Make(t.Context(), aSubject(), surroundings(purpose))
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func value(made Made, name, key string) string {
	for _, secret := range made.Secrets {
		if secret.Name == name {
			return string(secret.Data[key])
		}
	}
	return ""
}

func TestEveryPlaceGetsItsOwn(t *testing.T) {
	sandbox, production := made(t, v1alpha1.PurposeSandbox, everything()...), made(t, v1alpha1.PurposeProduction, everything()...)
	if len(sandbox.Problems)+len(production.Problems) > 0 {
		t.Fatalf("%v %v", sandbox.Problems, production.Problems)
	}
	lms := workload.IntegrationSecret("lms")
	if got := value(sandbox, lms, KeyToken); got != "test-token" {
		t.Errorf("the sandbox gets %q", got)
	}
	if got := value(production, lms, KeyToken); got != "production-token" {
		t.Errorf("production gets %q", got)
	}
	if got := value(sandbox, lms, KeyCA); got != "authority" {
		t.Errorf("authority %q", got)
	}
	if got := value(sandbox, workload.TeamSecret("outliner-token"), "user"); got != "u" {
		t.Errorf("the team's Secret is copied as %q", got)
	}
	for _, secret := range sandbox.Secrets {
		if secret.Namespace != "affx-education-outliner" || secret.Labels[v1alpha1.LabelPrototypeUID] != "u-1" {
			t.Errorf("%s lies in %s with labels %v", secret.Name, secret.Namespace, secret.Labels)
		}
		for key, value := range secret.Data {
			if strings.Contains(string(value), string(signing)) || strings.Contains(string(value), "production-token") {
				t.Errorf("%s/%s holds what a sandbox must not have", secret.Name, key)
			}
		}
	}
	if got := value(sandbox, workload.ModelSecret, KeyAddress); got != "http://gateway.models.svc:8080/v1" {
		t.Errorf("the gateway's address is handed over as %q", got)
	}
	a, b := value(sandbox, workload.ModelSecret, KeyModel), value(production, workload.ModelSecret, KeyModel)
	if a == "" || a == b {
		t.Error("sandbox and production share a key of the model gateway")
	}
	claims, err := gatewaykey.Verify(signing, a)
	if err != nil || claims.TokensPerDay != 1000 || !slices.Equal(claims.Models, []string{"example-large"}) {
		t.Errorf("%+v, %v", claims, err)
	}
}

func TestDigestFollowsValues(t *testing.T) {
	first, again := made(t, v1alpha1.PurposeSandbox, everything()...), made(t, v1alpha1.PurposeSandbox, everything()...)
	if first.Digest == "" || first.Digest != again.Digest {
		t.Errorf("%q, then %q for the same", first.Digest, again.Digest)
	}
	objects := everything()
	objects[5] = team("outliner-token", map[string][]byte{"token": []byte("rotated"), "user": []byte("u")})
	if rotated := made(t, v1alpha1.PurposeSandbox, objects...); rotated.Digest == first.Digest {
		t.Error("a rotated value does not roll the pods")
	}
	none := digest([]*corev1.Secret{secretOf(surroundings(v1alpha1.PurposeSandbox), "a", map[string][]byte{"ab": []byte("c")})})
	if none == digest([]*corev1.Secret{secretOf(surroundings(v1alpha1.PurposeSandbox), "a", map[string][]byte{"a": []byte("bc")})}) {
		t.Error("two contents have one digest")
	}
}

func TestWhatIsMissingIsNamed(t *testing.T) {
	for name, test := range map[string]struct {
		without int
		says    string
		reason  string
		owner   v1alpha1.Owner
	}{
		"pull secret":   {0, "affineur-system/pull", v1alpha1.ReasonCredentialMissing, v1alpha1.OwnerIT},
		"signing key":   {1, "affineur-system/gateway-keys", v1alpha1.ReasonCredentialMissing, v1alpha1.OwnerIT},
		"credential":    {2, "affineur-system/lms-test", v1alpha1.ReasonCredentialMissing, v1alpha1.OwnerIT},
		"authority":     {4, "affineur-system/lms-ca", v1alpha1.ReasonCredentialMissing, v1alpha1.OwnerIT},
		"team's Secret": {5, "outliner-token", v1alpha1.ReasonReferenceMissing, v1alpha1.OwnerBusiness},
	} {
		t.Run(name, func(t *testing.T) {
			all := made(t, v1alpha1.PurposeSandbox, slices.Delete(everything(), test.without, test.without+1)...)
			if len(all.Problems) != 1 || all.Problems[0].Reason != test.reason || all.Problems[0].Owner != test.owner ||
				!strings.Contains(all.Problems[0].Message, test.says) || all.Problems[0].Hint == "" {
				t.Errorf("%+v", all.Problems)
			}
		})
	}
	if all := made(t, v1alpha1.PurposeSandbox); len(all.Problems) != 5 {
		t.Errorf("%d problems at once, want all 5: %+v", len(all.Problems), all.Problems)
	}
}

func TestASecretThatWasNotGranted(t *testing.T) {
	refuse := func(err error) client.Reader {
		return fake.NewClientBuilder().WithScheme(clientgoscheme.Scheme).WithObjects(everything()...).WithInterceptorFuncs(interceptor.Funcs{
			Get: func(ctx context.Context, c client.WithWatch, key client.ObjectKey, object client.Object, options ...client.GetOption) error {
				if key.Namespace == "education" {
					return err
				}
				return c.Get(ctx, key, object, options...)
			},
		}).Build()
	}
	forbidden := apierrors.NewForbidden(schema.GroupResource{Resource: "secrets"}, "outliner-token", errors.New("no"))
	made, err := Maker{Live: refuse(forbidden)}.Make(t.Context(), aSubject(), surroundings(v1alpha1.PurposeSandbox))
	if err != nil || len(made.Problems) != 1 || made.Problems[0].Reason != v1alpha1.ReasonSecretNotGranted || made.Problems[0].Owner != v1alpha1.OwnerBusiness {
		t.Errorf("%+v, %v", made.Problems, err)
	}
	if !strings.Contains(made.Problems[0].Hint, "affineur-system/affineur") {
		t.Errorf("the hint does not say whom to grant it: %q", made.Problems[0].Hint)
	}
	down := errors.New("connection refused")
	if _, err := (Maker{Live: refuse(down)}).Make(t.Context(), aSubject(), surroundings(v1alpha1.PurposeSandbox)); !errors.Is(err, down) {
		t.Errorf("an unreachable API server passes for %v", err)
	}
}

// A gateway that asks for no key is found in the same place.
func TestAGatewayWithoutAKey(t *testing.T) {
	at := surroundings(v1alpha1.PurposeSandbox)
	at.Requirements = policy.Requirements{ModelGateway: &v1alpha1.ModelGateway{Name: "default", Address: "http://open.models.svc:8080/v1"}}
	made, err := Maker{Live: fake.NewClientBuilder().WithScheme(clientgoscheme.Scheme).Build()}.
		Make(t.Context(), subject.Subject{Model: &subject.Model{Gateway: "default"}}, at)
	if err != nil || len(made.Problems) > 0 {
		t.Fatalf("%v, %v", made.Problems, err)
	}
	if value(made, workload.ModelSecret, KeyAddress) != "http://open.models.svc:8080/v1" || value(made, workload.ModelSecret, KeyModel) != "" {
		t.Errorf("%+v", made.Secrets)
	}
	first := made.Digest
	at.Requirements.ModelGateway.Address = "http://moved.models.svc:8080/v1"
	made, err = Maker{Live: fake.NewClientBuilder().WithScheme(clientgoscheme.Scheme).Build()}.Make(t.Context(), subject.Subject{Model: &subject.Model{Gateway: "default"}}, at)
	if err != nil || made.Digest == first {
		t.Errorf("a gateway that moved does not roll the pods: %v", err)
	}
}

// What production will lack is known before there is a production, and none of it is read for a sandbox.
func TestForesee(t *testing.T) {
	live := func(without string) client.Reader {
		objects := slices.DeleteFunc(everything(), func(object client.Object) bool { return object.GetName() == without })
		return fake.NewClientBuilder().WithScheme(clientgoscheme.Scheme).WithObjects(objects...).Build()
	}
	for without, want := range map[string]int{"lms-prod": 1, "lms-ca": 1, "lms-test": 0, "gateway-keys": 0} {
		problems, err := Maker{Live: live(without)}.Foresee(t.Context(), surroundings(v1alpha1.PurposeSandbox))
		if err != nil || len(problems) != want {
			t.Errorf("without %s: %+v, %v", without, problems, err)
		}
		if len(problems) > 0 && problems[0].Field != "spec.integrations[name=lms]" {
			t.Errorf("without %s: field %q", without, problems[0].Field)
		}
	}
}
