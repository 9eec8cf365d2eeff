package gatewaykey_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/google/go-cmp/cmp"

	"github.com/affineur/affineur/internal/gatewaykey"
)

var (
	signingKey = []byte("0123456789abcdef0123456789abcdef")
	otherKey   = []byte("fedcba9876543210fedcba9876543210")
)

func outliner() gatewaykey.Claims {
	return gatewaykey.Claims{
		Client:       "sandbox/education/course-outliner/1a2b3c4d",
		TokensPerDay: 2_000_000,
		Models:       []string{"example-large"},
	}
}

func TestIssuedKeyVerifies(t *testing.T) {
	for name, want := range map[string]gatewaykey.Claims{
		"all claims":         outliner(),
		"no budget, any":     {Client: "production/education/course-outliner/1a2b3c4d"},
		"the largest budget": {Client: "c", TokensPerDay: 1<<63 - 1},
	} {
		t.Run(name, func(t *testing.T) {
			key, err := gatewaykey.Issue(signingKey, want)
			if err != nil {
				t.Fatal(err)
			}
			got, err := gatewaykey.Verify(signingKey, key)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("claims changed on the way (-issued +verified):\n%s", diff)
			}
		})
	}
}

// A key that is made for a while is good until its second, and no longer.
func TestAKeyForAWhile(t *testing.T) {
	want := outliner()
	want.Until = time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)
	key, err := gatewaykey.Issue(signingKey, want)
	if err != nil {
		t.Fatal(err)
	}
	got, err := gatewaykey.VerifyAt(signingKey, key, want.Until.Add(-time.Second))
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("%v: %s", err, diff)
	}
	for _, at := range []time.Time{want.Until, want.Until.Add(time.Hour)} {
		if got, err := gatewaykey.VerifyAt(signingKey, key, at); !errors.Is(err, gatewaykey.ErrInvalidKey) || !strings.Contains(err.Error(), "outside its time") {
			t.Errorf("at %s: %+v, %v", at, got, err)
		}
	}
}

// The exact bytes are pinned: a change of the library that altered them would rewrite every Secret.
func TestIssueIsDeterministic(t *testing.T) {
	const want = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9." +
		"eyJpc3MiOiJhZmZpbmV1ciIsInN1YiI6InNhbmRib3gvZWR1Y2F0aW9uL2NvdXJzZS1vdXRsaW5lci8xYTJiM2M0ZCIsInRva2Vuc1BlckRheSI6MjAwMDAwMCwibW9kZWxzIjpbImV4YW1wbGUtbGFyZ2UiXX0."
	got, err := gatewaykey.Issue(signingKey, outliner())
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(got, want) {
		t.Errorf("key = %s, want prefix %s", got, want)
	}
	reordered := outliner()
	reordered.Models = []string{"b", "a", "b"}
	sorted := outliner()
	sorted.Models = []string{"a", "b"}
	first, err1 := gatewaykey.Issue(signingKey, reordered)
	second, err2 := gatewaykey.Issue(signingKey, sorted)
	if err1 != nil || err2 != nil {
		t.Fatal(err1, err2)
	}
	if first != second {
		t.Error("the order of models made a new key")
	}
	if diff := cmp.Diff([]string{"b", "a", "b"}, reordered.Models); diff != "" {
		t.Errorf("the caller's slice was changed:\n%s", diff)
	}
}

func TestIssueRefuses(t *testing.T) {
	for name, tc := range map[string]struct {
		key    []byte
		claims gatewaykey.Claims
		want   error
	}{
		"no client":       {signingKey, gatewaykey.Claims{}, gatewaykey.ErrInvalidClaims},
		"negative budget": {signingKey, gatewaykey.Claims{Client: "c", TokensPerDay: -1}, gatewaykey.ErrInvalidClaims},
		"empty model":     {signingKey, gatewaykey.Claims{Client: "c", Models: []string{""}}, gatewaykey.ErrInvalidClaims},
		"short key":       {signingKey[:31], outliner(), gatewaykey.ErrSigningKey},
		"no key":          {nil, outliner(), gatewaykey.ErrSigningKey},
	} {
		t.Run(name, func(t *testing.T) {
			key, err := gatewaykey.Issue(tc.key, tc.claims)
			if !errors.Is(err, tc.want) || key != "" {
				t.Errorf("Issue = %q, %v, want %v", key, err, tc.want)
			}
		})
	}
}

func sign(t *testing.T, method jwt.SigningMethod, key any, claims jwt.MapClaims) string {
	t.Helper()
	signed, err := jwt.NewWithClaims(method, claims).SignedString(key)
	if err != nil {
		t.Fatal(err)
	}
	return signed
}

func TestVerifyRefuses(t *testing.T) {
	good := func() jwt.MapClaims { return jwt.MapClaims{"iss": "affineur", "sub": "c", "tokensPerDay": 5} }
	with := func(name string, value any) jwt.MapClaims {
		c := good()
		c[name] = value
		return c
	}
	issued, err := gatewaykey.Issue(signingKey, outliner())
	if err != nil {
		t.Fatal(err)
	}
	parts := strings.Split(issued, ".")
	richer := strings.Split(sign(t, jwt.SigningMethodHS256, otherKey, with("tokensPerDay", 1<<40)), ".")[1]

	for name, key := range map[string]string{
		"empty":                           "",
		"no JWT":                          "letmein",
		"alg none":                        sign(t, jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType, good()),
		"alg none, our signature":         strings.Split(sign(t, jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType, good()), ".")[0] + "." + parts[1] + "." + parts[2],
		"another algorithm":               sign(t, jwt.SigningMethodHS512, signingKey, good()),
		"another signing key":             sign(t, jwt.SigningMethodHS256, otherKey, good()),
		"claims swapped":                  parts[0] + "." + richer + "." + parts[2],
		"signature cut off":               parts[0] + "." + parts[1] + ".",
		"another issuer":                  sign(t, jwt.SigningMethodHS256, signingKey, with("iss", "someone")),
		"no issuer":                       sign(t, jwt.SigningMethodHS256, signingKey, jwt.MapClaims{"sub": "c"}),
		"no client":                       sign(t, jwt.SigningMethodHS256, signingKey, with("sub", "")),
		"negative budget":                 sign(t, jwt.SigningMethodHS256, signingKey, with("tokensPerDay", -1)),
		"budget no integer":               sign(t, jwt.SigningMethodHS256, signingKey, with("tokensPerDay", "lots")),
		"expired, should one ever say so": sign(t, jwt.SigningMethodHS256, signingKey, with("exp", time.Now().Add(-time.Hour).Unix())),
		"too long":                        issued + strings.Repeat("A", 8<<10),
	} {
		t.Run(name, func(t *testing.T) {
			claims, err := gatewaykey.Verify(signingKey, key)
			if !errors.Is(err, gatewaykey.ErrInvalidKey) {
				t.Errorf("Verify = %+v, %v, want ErrInvalidKey", claims, err)
			}
			if err != nil && key != "" && strings.Contains(err.Error(), key) {
				t.Error("the error quotes the key")
			}
			if diff := cmp.Diff(gatewaykey.Claims{}, claims); diff != "" {
				t.Errorf("claims of a refused key:\n%s", diff)
			}
		})
	}
	// The same helper, nothing wrong: otherwise every case above could pass for a reason of its own.
	if _, err := gatewaykey.Verify(signingKey, sign(t, jwt.SigningMethodHS256, signingKey, good())); err != nil {
		t.Errorf("the untouched claims are refused too: %v", err)
	}
	if _, err := gatewaykey.Verify(signingKey[:31], issued); !errors.Is(err, gatewaykey.ErrSigningKey) {
		t.Errorf("short signing key: %v, want ErrSigningKey", err)
	}
}

func TestAllows(t *testing.T) {
	for name, tc := range map[string]struct {
		models []string
		want   bool
	}{
		"any":     {nil, true},
		"named":   {[]string{"example-small", "example-large"}, true},
		"another": {[]string{"example-small"}, false},
	} {
		t.Run(name, func(t *testing.T) {
			if got := (gatewaykey.Claims{Models: tc.models}).Allows("example-large"); got != tc.want {
				t.Errorf("Allows = %v, want %v", got, tc.want)
			}
		})
	}
}
