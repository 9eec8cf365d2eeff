package credentials

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/internal/workload"
)

// Among played systems there is nothing that is worth anything, and the key of who plays them is the runner's alone.
func TestStandIns(t *testing.T) {
	at := surroundings(v1alpha1.PurposeRehearsal)
	at.Requirements.Integrations[0].Production.Address = "https://lms.lms.svc:443"
	at = at.Played()
	player, err := Player(at)
	if err != nil {
		t.Fatal(err)
	}
	stand := StandIns(at, player)
	if len(stand) != 2 {
		t.Fatalf("made %d Secrets", len(stand))
	}
	for _, secret := range stand {
		for key, value := range secret.Data {
			if string(value) == "production-token" || string(value) == string(player.Data[FileKey]) || len(value) == 0 {
				t.Errorf("%s/%s is %q", secret.Name, key, value)
			}
		}
	}
}

// The OpenAPI document is for the runner of the integration gate.
func TestTheDocumentIsTheRunners(t *testing.T) {
	document := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: v1alpha1.SystemNamespace, Name: "lms-api"},
		Data: map[string]string{workload.KeyDocument: "openapi: 3.0.3"}}
	for purpose, want := range map[string]bool{v1alpha1.PurposeRehearsal: true, v1alpha1.PurposeProduction: false, v1alpha1.PurposeSandbox: false} {
		at := surroundings(purpose)
		at.Requirements.Integrations[0].Check = v1alpha1.IntegrationCheck{HTTPS: &v1alpha1.HTTPCheck{Answer: &v1alpha1.HTTPAnswer{
			OpenAPI: &v1alpha1.OpenAPIOperation{ConfigMap: v1alpha1.LocalName{Name: "lms-api"}, Operation: "getHealth"}}}}
		got, err := Maker{Live: fake.NewClientBuilder().WithScheme(clientgoscheme.Scheme).WithObjects(append(everything(), document)...).Build()}.Make(t.Context(), aSubject(), at)
		if err != nil || len(got.Problems) > 0 {
			t.Fatalf("%v, %v", err, got.Problems)
		}
		found := false
		for _, secret := range got.Secrets {
			found = found || len(secret.Data[workload.KeyDocument]) > 0
		}
		if found != want {
			t.Errorf("%s: %v", purpose, found)
		}
	}
}
