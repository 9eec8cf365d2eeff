// Package gatewaykey issues and verifies the keys with which a prototype calls a model gateway.
//
// The operator issues one key per prototype and environment; the gateway verifies it. Both know one
// signing key (a Secret), so nothing has to be registered at the gateway before a sandbox can start,
// and a new signing key revokes every key at once. A prototype's key has no end of its own: it lives as
// long as the client that it names, and changes only when its claims or the signing key do. One that is
// made for a while says until when.
package gatewaykey

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// Issuer is the "iss" claim of every key.
const Issuer = "affineur"

// MinSigningKeyBytes is the least length of a signing key: RFC 7518, section 3.2, asks of HS256 a key
// of at least the size of its hash.
const MinSigningKeyBytes = 32

// maxKeyBytes bounds what Verify is ready to parse; a key with fifty model names has about 3 KiB.
const maxKeyBytes = 8 << 10

var (
	// ErrSigningKey says that the signing key itself is unusable: the fault is of whoever runs the
	// gateway or the operator, never of the client.
	ErrSigningKey = fmt.Errorf("the signing key has fewer than %d bytes", MinSigningKeyBytes)
	// ErrInvalidClaims says that a key can't be issued for such claims.
	ErrInvalidClaims = errors.New("the claims are not valid")
	// ErrInvalidKey says that the client's key proves nothing.
	ErrInvalidKey = errors.New("the key is not valid")
)

// Claims is what a key grants to whom.
type Claims struct {
	// Client identifies who calls, and is what a budget is counted by,
	// for example "sandbox/education/course-outliner/1a2b3c4d".
	Client string
	// TokensPerDay is the client's budget of tokens per UTC day; 0 means no budget of its own.
	TokensPerDay int64
	// Models are the names of the models that the client may use; empty means any.
	Models []string
	// Until is when the key ends, to the second; the zero time for never.
	Until time.Time
}

// Allows reports whether the key may be used for the named model.
func (c Claims) Allows(model string) bool {
	return len(c.Models) == 0 || slices.Contains(c.Models, model)
}

func (c Claims) validate() error {
	switch {
	case c.Client == "":
		return errors.New("no client is named")
	case c.TokensPerDay < 0:
		return fmt.Errorf("tokensPerDay is negative: %d", c.TokensPerDay)
	case slices.Contains(c.Models, ""):
		return errors.New("a model name is empty")
	}
	return nil
}

// payload is the key's content on the wire.
type payload struct {
	jwt.RegisteredClaims
	TokensPerDay int64    `json:"tokensPerDay"`
	Models       []string `json:"models,omitempty"`
}

// Validate is called by the parser once the signature is proven.
func (p payload) Validate() error { return p.claims().validate() }

func (p payload) claims() Claims {
	claims := Claims{Client: p.Subject, TokensPerDay: p.TokensPerDay, Models: p.Models}
	if p.ExpiresAt != nil {
		claims.Until = p.ExpiresAt.UTC()
	}
	return claims
}

// Issue returns the key for the claims, a JWT signed with HS256. It holds nothing random, and no time but
// its end: the same input gives the same key, so that a Secret that holds it is not rewritten without need.
// The order and repetition of models make no difference.
func Issue(signingKey []byte, claims Claims) (string, error) {
	if len(signingKey) < MinSigningKeyBytes {
		return "", ErrSigningKey
	}
	if err := claims.validate(); err != nil {
		return "", fmt.Errorf("%w: %w", ErrInvalidClaims, err)
	}
	models := slices.Clone(claims.Models)
	slices.Sort(models)
	registered := jwt.RegisteredClaims{Issuer: Issuer, Subject: claims.Client}
	if !claims.Until.IsZero() {
		registered.ExpiresAt = jwt.NewNumericDate(claims.Until)
	}
	token := jwt.NewWithClaims(jwt.SigningMethodHS256, payload{
		RegisteredClaims: registered,
		TokensPerDay:     claims.TokensPerDay,
		Models:           slices.Compact(models),
	})
	return token.SignedString(signingKey)
}

// parser accepts one algorithm, whatever a key's header asks for.
func parser(now time.Time) *jwt.Parser {
	return jwt.NewParser(
		jwt.WithValidMethods([]string{jwt.SigningMethodHS256.Alg()}),
		jwt.WithIssuer(Issuer),
		jwt.WithStrictDecoding(),
		jwt.WithTimeFunc(func() time.Time { return now }),
	)
}

// Verify returns what the key grants now. The error is ErrSigningKey or ErrInvalidKey and never quotes
// the key.
func Verify(signingKey []byte, key string) (Claims, error) {
	return VerifyAt(signingKey, key, time.Now())
}

// VerifyAt returns what the key grants at a time, as Verify does.
func VerifyAt(signingKey []byte, key string, now time.Time) (Claims, error) {
	if len(signingKey) < MinSigningKeyBytes {
		return Claims{}, ErrSigningKey
	}
	if len(key) > maxKeyBytes {
		return Claims{}, fmt.Errorf("%w: longer than %d bytes", ErrInvalidKey, maxKeyBytes)
	}
	var p payload
	if _, err := parser(now).ParseWithClaims(key, &p, func(*jwt.Token) (any, error) { return signingKey, nil }); err != nil {
		return Claims{}, fmt.Errorf("%w: %s", ErrInvalidKey, reason(err))
	}
	return p.claims(), nil
}

// reason names the fault in our own words: the library's errors may quote what the client sent.
func reason(err error) string {
	switch {
	case errors.Is(err, jwt.ErrTokenMalformed):
		return "malformed"
	case errors.Is(err, jwt.ErrTokenSignatureInvalid), errors.Is(err, jwt.ErrTokenUnverifiable):
		return "not signed by this organisation's signing key"
	case errors.Is(err, jwt.ErrTokenExpired), errors.Is(err, jwt.ErrTokenNotValidYet):
		return "outside its time"
	default:
		return "its claims are not accepted"
	}
}
