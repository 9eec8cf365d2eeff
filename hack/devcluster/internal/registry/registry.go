package registry

import (
	"crypto/subtle"
	"net/http"
	"os"
	"path/filepath"
	"strings"

	ggcr "github.com/google/go-containerregistry/pkg/registry"
)

// PrivatePrefix is where the images are for which one has to log in.
const PrivatePrefix = "/v2/private/"

// Credentials open the private part.
type Credentials struct{ User, Password string }

// New returns a registry that keeps its contents in dir. Without a user nothing is private.
func New(dir string, private Credentials) (http.Handler, error) {
	blobs := filepath.Join(dir, "blobs")
	if err := os.MkdirAll(blobs, 0o755); err != nil {
		return nil, err
	}
	store := ggcr.New(ggcr.WithBlobHandler(ggcr.NewDiskBlobHandler(blobs)), ggcr.WithReferrersSupport(true))
	journal, err := newJournal(filepath.Join(dir, "manifests"), store)
	if err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	mux.HandleFunc("/readyz", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusOK) })
	mux.Handle("/", guard(private, journal))
	return mux, nil
}

// guard asks for credentials in the private part, and at the entrance, where clients look for the way to
// log in. Those who have none learn of it there and go on without, which is enough for the public part.
func guard(private Credentials, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asks := strings.HasPrefix(r.URL.Path, PrivatePrefix) || r.URL.Path == "/v2/"
		if private.User == "" || !asks || private.match(r) {
			next.ServeHTTP(w, r)
			return
		}
		w.Header().Set("WWW-Authenticate", `Basic realm="registry"`)
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusUnauthorized)
		_, _ = w.Write([]byte(`{"errors":[{"code":"UNAUTHORIZED","message":"authentication required"}]}`)) // the client left
	})
}

func (c Credentials) match(r *http.Request) bool {
	user, password, given := r.BasicAuth()
	return given &&
		subtle.ConstantTimeCompare([]byte(user), []byte(c.User)) == 1 &&
		subtle.ConstantTimeCompare([]byte(password), []byte(c.Password)) == 1
}
