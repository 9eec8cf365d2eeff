package credentials

import (
	"encoding/base64"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	"github.com/affineur/affineur/api/v1alpha1"
)

func tokenOf(claims string) string {
	encode := base64.RawURLEncoding.EncodeToString
	return encode([]byte(`{"alg":"RS256"}`)) + "." + encode([]byte(claims)) + "." + encode([]byte("signature"))
}

// What opens an API server does not get into a prototype by way of a Secret that its team grants.
func TestTokensForTheAPIServerAreRefused(t *testing.T) {
	account := tokenOf(`{"iss":"kubernetes/serviceaccount","sub":"system:serviceaccount:education:deployer"}`)
	for name, c := range map[string]struct {
		of      corev1.SecretType
		value   string
		refused bool
	}{
		"a password":                        {corev1.SecretTypeOpaque, "hunter2", false},
		"another's token":                   {corev1.SecretTypeOpaque, tokenOf(`{"sub":"app"}`), false},
		"what only looks like a token":      {corev1.SecretTypeOpaque, "eyJx.yy.zz system:serviceaccount:a:b", false},
		"one that Kubernetes fills":         {corev1.SecretTypeServiceAccountToken, "", true},
		"one that was copied":               {corev1.SecretTypeOpaque, account + "\n", true},
		"one in a kubeconfig":               {corev1.SecretTypeOpaque, "users:\n- user: {token: " + account + "}\n", true},
		"one behind somebody else's tokens": {corev1.SecretTypeOpaque, tokenOf(`{"sub":"app"}`) + " " + account, true},
	} {
		secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: "education", Name: "outliner-token"}, Type: c.of, Data: map[string][]byte{"token": []byte(c.value)}}
		m := Maker{Live: fake.NewClientBuilder().WithScheme(clientgoscheme.Scheme).WithObjects(secret).Build()}
		data, problem, err := m.Granted(t.Context(), "education", "outliner-token")
		if err != nil || c.refused != (problem != nil) || c.refused != (data == nil) {
			t.Errorf("%s: %v %+v", name, err, problem)
		}
		if problem != nil && problem.Reason != v1alpha1.ReasonTokenMounted {
			t.Errorf("%s: %+v", name, problem)
		}
	}
}

// A team writes its Secrets: whatever is in one is read without a panic.
func FuzzOpensAPI(f *testing.F) {
	for _, seed := range []string{"", "eyJ..", tokenOf("{}"), tokenOf("null"), tokenOf(`{"sub":1}`)} {
		f.Add([]byte(seed))
	}
	account := tokenOf(`{"sub":"system:serviceaccount:a:b"}`)
	f.Fuzz(func(t *testing.T, value []byte) {
		opensAPI(&corev1.Secret{Data: map[string][]byte{"a": value}})
		if !opensAPI(&corev1.Secret{Data: map[string][]byte{"a": append(append([]byte{}, value...), "\n"+account...)}}) {
			t.Error("a token was not found behind something else")
		}
	})
}
