package security

import (
	"strings"
	"testing"
)

func TestSources(t *testing.T) {
	const team = "https://git.example.org/membership"
	for source, want := range map[string]bool{
		team: true, team + "/churn": true, "git+" + team + "/churn.git": true, team + "/churn/": true, "https://GIT.example.org/membership/churn": true,
		team + "/churn@refs/heads/feature/x": true, team + "/churn@" + strings.Repeat("a1", 20): true, team + "/churn@v1.4": true, team + "/churn.git#refs/heads/main": true,
		"https://git.example.org:443/membership/churn": true, "https://somebody@git.example.org/membership/churn": true,

		team + "-evil/x": false, team + "/../evil": false, team + "/%2e%2e/evil": false, team + "/%252e%252e/evil": false, team + "%2f..%2fevil": false,
		team + "/./../evil": false, team + `/..\evil`: false, team + "/%5c..%5cevil": false, team + "//evil": false,
		team + "@evil/repo": false, team + "/churn@refs/../../evil": false, team + "/x?repository=evil": false, team + "/x?": false,
		"http://git.example.org/membership/churn": false, "https://git.example.org:8443/membership/churn": false, "https://git.example.org@evil.example.net/membership/churn": false,
		"https://git.example.org.evil.example.net/membership": false, "git@git.example.org:membership/churn": false, "https:///membership/churn": false,
		"hg+https://git.example.org/membership/churn": false, "pkg:github/membership/churn": false, "https://git.example.org": false, "": false,
	} {
		if got := sourceAllowed(source, []string{team}); got != want {
			t.Errorf("%s: got %v", source, got)
		}
	}
	if !sourceAllowed(team+"/churn", []string{"https://git.example.org/"}) || sourceAllowed(team, []string{""}) || sourceAllowed("", []string{""}) {
		t.Error("a whole host, or nothing, is compared wrongly")
	}
}

// FuzzSource looks for an address that is allowed and leads elsewhere.
func FuzzSource(f *testing.F) {
	for _, seed := range []string{"/churn", "/../evil", "/%2e%2e/evil", "@evil/repo", "/churn@refs/heads/main", `/..\evil`, ":443/x", "/%00", "/a%3Fb", "/\xff", "/a b"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, rest string) {
		const team = "https://git.example.org/membership"
		have := repositoryOf(team + rest)
		if have == "" || !sourceAllowed(team+rest, []string{team}) {
			return
		}
		if have != team && !strings.HasPrefix(have, team+"/") || strings.ContainsAny(have, `\%@?#`) || strings.Contains(have, "/..") && strings.Contains(have+"/", "/../") {
			t.Errorf("%q is taken for %q", team+rest, have)
		}
		if repositoryOf(have) != have && !strings.HasSuffix(have, ".git") {
			t.Errorf("%q becomes %q", have, repositoryOf(have))
		}
	})
}
