package credentials

import (
	"encoding/base64"
	"encoding/json"
	"regexp"
	"strings"

	corev1 "k8s.io/api/core/v1"
)

// signed finds JSON Web Tokens (RFC 7519), wherever they stand, as in a kubeconfig; the group is what is claimed.
var signed = regexp.MustCompile(`eyJ[A-Za-z0-9_-]+\.([A-Za-z0-9_-]+)\.[A-Za-z0-9_-]+`)

// opensAPI tells whether a Secret holds a token for an API server: one that Kubernetes fills, or one that somebody copied.
func opensAPI(secret *corev1.Secret) bool {
	if secret.Type == corev1.SecretTypeServiceAccountToken {
		return true
	}
	for _, value := range secret.Data {
		for _, match := range signed.FindAllSubmatch(value, -1) {
			claims, err := base64.RawURLEncoding.DecodeString(string(match[1]))
			var of struct {
				Subject string `json:"sub"`
			}
			if err == nil && json.Unmarshal(claims, &of) == nil && strings.HasPrefix(of.Subject, "system:serviceaccount:") {
				return true
			}
		}
	}
	return false
}
