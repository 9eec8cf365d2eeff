package credentials

import (
	"slices"
	"testing"
	"time"

	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/internal/gatewaykey"
)

// A judge's key is another client's than the prototype's, and for the judging model alone. What IT does not keep holds nobody up.
func TestKeyOfAJudge(t *testing.T) {
	at := surroundings(v1alpha1.PurposeSandbox)
	gateway := *at.Requirements.ModelGateway
	until := time.Now().Add(time.Hour).UTC().Truncate(time.Second)
	keyOf := func(gateway v1alpha1.ModelGateway, objects ...client.Object) string {
		t.Helper()
		m := Maker{Live: fake.NewClientBuilder().WithScheme(clientgoscheme.Scheme).WithObjects(objects...).Build()}
		key, err := m.Judge(t.Context(), gateway, at.Identity, "judge-large", until)
		if err != nil {
			t.Fatal(err)
		}
		return key
	}
	claims, err := gatewaykey.Verify(signing, keyOf(gateway, everything()...))
	own, _ := gatewaykey.Verify(signing, value(made(t, v1alpha1.PurposeSandbox, everything()...), "affineur-model", KeyModel))
	if err != nil || !slices.Equal(claims.Models, []string{"judge-large"}) || claims.Client == "" || claims.Client == own.Client ||
		!claims.Until.Equal(until) || !own.Until.IsZero() {
		t.Errorf("%+v, and the prototype's %+v: %v", claims, own, err)
	}
	until = time.Now().Add(-time.Minute)
	if _, err := gatewaykey.Verify(signing, keyOf(gateway, everything()...)); err == nil {
		t.Error("a key is good for longer than its run")
	}
	for name, objects := range map[string][]client.Object{
		"nothing":     nil,
		"another key": {system("gateway-keys", "key", "x")},
		"too short":   {system("gateway-keys", KeySigning, "short")},
	} {
		if key := keyOf(gateway, objects...); key != "" {
			t.Errorf("%s: %q", name, key)
		}
	}
	gateway.Credentials = nil
	if key := keyOf(gateway, everything()...); key != "" {
		t.Errorf("a gateway that wants none gets %q", key)
	}
}
