package registry

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"

	ggcr "github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/internal/evidence"
	"github.com/affineur/affineur/test/signing"
)

// paging is a registry that shows one referrer on a page.
type paging struct {
	http.Handler
	// link is how a page names the next one.
	link func(r *http.Request, next string) string
	// broken answers in place of a page, where it says that it did.
	broken func(w http.ResponseWriter, page int) bool
}

func (p paging) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet || !strings.Contains(r.URL.Path, "/referrers/") {
		p.Handler.ServeHTTP(w, r)
		return
	}
	at, _ := strconv.Atoi(r.URL.Query().Get("page"))
	if p.broken != nil && p.broken(w, at) {
		return
	}
	recorded := httptest.NewRecorder()
	p.Handler.ServeHTTP(recorded, r)
	var all v1.IndexManifest
	if err := json.Unmarshal(recorded.Body.Bytes(), &all); err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	slices.SortFunc(all.Manifests, func(a, b v1.Descriptor) int { return strings.Compare(a.Digest.Hex, b.Digest.Hex) })
	if at+1 < len(all.Manifests) {
		w.Header().Set("Link", p.link(r, fmt.Sprintf("%s?page=%d", r.URL.Path, at+1)))
	}
	all.Manifests = all.Manifests[at:min(at+1, len(all.Manifests))]
	w.Header().Set("Content-Type", string(types.OCIImageIndex))
	_ = json.NewEncoder(w).Encode(all)
}

func relative(_ *http.Request, next string) string { return fmt.Sprintf(`<%s>; rel="next"`, next) }

// paged is a shelf with three signatures beside its index, each on a page of its own.
func paged(t *testing.T, how paging) *shelf {
	t.Helper()
	how.Handler = ggcr.New(ggcr.WithReferrersSupport(true))
	s := stock(t, how)
	for i := range 3 {
		if err := signing.Push(s.index, []evidence.Attachment{{Type: signing.BundleType, Content: []byte{byte(i)}}}); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

func TestReferrersOnSeveralPages(t *testing.T) {
	for name, link := range map[string]func(*http.Request, string) string{
		"relative": relative,
		"absolute": func(r *http.Request, next string) string { return fmt.Sprintf(`<http://%s%s>; rel=next`, r.Host, next) },
		"one of several links": func(_ *http.Request, next string) string {
			return fmt.Sprintf(`</first>; rel="first", <%s>; title="more"; rel="last next"`, next)
		},
		"without saying what it is": func(_ *http.Request, next string) string { return "<" + next + ">" },
	} {
		t.Run(name, func(t *testing.T) {
			s := paged(t, paging{link: link})
			got, err := s.ask(t, s.index.Name())
			if err != nil {
				t.Fatal(err)
			}
			var found []byte
			for _, a := range got.Attachments {
				found = append(found, a.Content...)
			}
			if slices.Sort(found); string(found) != "\x00\x01\x02" {
				t.Errorf("got %v", found)
			}
		})
	}
}

// What is on a page that can't be had is not known to be absent.
func TestReferrersOfWhichAPageIsMissing(t *testing.T) {
	status := func(code int) func(http.ResponseWriter, int) bool {
		return func(w http.ResponseWriter, page int) bool {
			if page == 2 {
				w.WriteHeader(code)
			}
			return page == 2
		}
	}
	text := func(kind, body string) func(http.ResponseWriter, int) bool {
		return func(w http.ResponseWriter, page int) bool {
			if page == 2 {
				w.Header().Set("Content-Type", kind)
				_, _ = w.Write([]byte(body))
			}
			return page == 2
		}
	}
	for name, c := range map[string]struct {
		how  paging
		says string
	}{
		"not there":      {paging{link: relative, broken: status(http.StatusNotFound)}, "page 3: the answer is no list, and its status 404"},
		"refused":        {paging{link: relative, broken: status(http.StatusForbidden)}, "status 403"},
		"broken":         {paging{link: relative, broken: status(http.StatusNotImplemented)}, "status 501"},
		"something else": {paging{link: relative, broken: text("text/html", "<html>Sign in</html>")}, "is no list"},
		"cut off":        {paging{link: relative, broken: text(string(types.OCIImageIndex), `{"schemaVersion":2,"mani`)}, "can't be read"},
		"elsewhere": {paging{link: func(_ *http.Request, next string) string {
			return fmt.Sprintf(`<http://registry.evil.example.org%s>; rel="next"`, next)
		}}, "at another place"},
		"unreadable link": {paging{link: func(_ *http.Request, next string) string { return next + `; rel="next"` }}, "can't be read"},
		"in a circle":     {paging{link: func(r *http.Request, _ string) string { return relative(r, r.URL.Path+"?page=1&again") }, broken: barren}, "more than 64 pages"},
	} {
		t.Run(name, func(t *testing.T) {
			s := paged(t, c.how)
			got, err := s.ask(t, s.index.Name())
			if err == nil || err.Reason != v1alpha1.ReasonRegistryUnreachable || !strings.Contains(err.Message, "only a part") || !strings.Contains(err.Message, c.says) {
				t.Errorf("got %d attachments, %+v", len(got.Attachments), err)
			}
		})
	}
}

// barren is a page without anything, of which another one follows.
func barren(w http.ResponseWriter, page int) bool {
	if page == 1 {
		w.Header().Set("Content-Type", string(types.OCIImageIndex))
		w.Header().Set("Link", `<?page=1>; rel="next"`)
		_, _ = w.Write([]byte(`{"schemaVersion":2,"manifests":[]}`))
	}
	return page == 1
}

// More than can be looked at is told as such, and no more pages are asked for.
func TestMorePagesThanCanBeLookedAt(t *testing.T) {
	asked := 0
	s := paged(t, paging{link: relative, broken: func(http.ResponseWriter, int) bool { asked++; return false }})
	for i := range evidence.MaxAttachments {
		if err := signing.Push(s.index, []evidence.Attachment{{Type: signing.BundleType, Content: []byte{byte(i), 1}}}); err != nil {
			t.Fatal(err)
		}
	}
	asked = 0
	if got, err := s.ask(t, s.index.Name()); err == nil {
		t.Errorf("got %d attachments", len(got.Attachments))
	}
	if asked > maxPages+1 {
		t.Errorf("%d pages were asked for", asked)
	}
}

// Every page is asked for with the credentials of the first.
func TestPagesBehindAPassword(t *testing.T) {
	s := paged(t, paging{link: relative})
	open := s.broken
	s.broken = func(w http.ResponseWriter, r *http.Request) bool {
		return !guarded(w, r) || open != nil && open(w, r)
	}
	pull := &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: v1alpha1.SystemNamespace, Name: "pull"}, Type: corev1.SecretTypeDockerConfigJson,
		Data: map[string][]byte{corev1.DockerConfigJsonKey: fmt.Appendf(nil, `{"auths":{%q:{"username":%q,"password":%q}}}`, s.index.RegistryStr(), user, password)},
	}
	got, err := resolver(pull).Material(context.Background(), s.index.Name(), v1alpha1.Registry{Scheme: v1alpha1.RegistryHTTP, PullSecret: &v1alpha1.LocalName{Name: "pull"}})
	if err != nil || len(got.Attachments) != 3 {
		t.Errorf("got %d attachments, %v", len(got.Attachments), err)
	}
}

// FuzzFollowing: whatever a registry writes, its next page is at the same registry.
func FuzzFollowing(f *testing.F) {
	for _, seed := range []string{`</v2/a/referrers/b?page=2>; rel="next"`, `<https://elsewhere.example.org/>; rel=next`, `<//elsewhere.example.org/>`, `</a>; rel="first", <b>; REL = "last next"`, "<", `<http://user@registry.example.org/>; rel="next"`, "<>"} {
		f.Add(seed)
	}
	from, err := url.Parse("https://registry.example.org/v2/a/referrers/sha256:b")
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, link string) {
		at, err := following(http.Header{"Link": {link}}, from)
		if at != nil && (err != nil || at.Scheme != from.Scheme || at.Host != from.Host || at.User != nil) {
			t.Errorf("%q leads to %v, %v", link, at, err)
		}
	})
}
