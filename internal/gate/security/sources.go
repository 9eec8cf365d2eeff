package security

import (
	"net/url"
	"path"
	"regexp"
	"slices"
	"strings"
	"unicode"
)

// sourceAllowed compares addresses by their segments, without the tool in front (git+) and the revision behind (@, #).
func sourceAllowed(source string, allowed []string) bool {
	have := repositoryOf(source)
	return have != "" && slices.ContainsFunc(allowed, func(prefix string) bool {
		want := repositoryOf(prefix)
		return want != "" && (have == want || strings.HasPrefix(have, want+"/"))
	})
}

// revision of a repository behind an @: a ref, a commit, or a tag of one segment.
var revision = regexp.MustCompile(`^(?:refs/[A-Za-z0-9._/-]+|[A-Za-z0-9._-]+)$`)

// defaultPorts go without saying.
var defaultPorts = map[string]string{"https": ":443", "http": ":80", "ssh": ":22", "git": ":9418"}

// repositoryOf is an address that can be compared, or "" for what is none: a path that a server may take for another one is
// not an address.
func repositoryOf(source string) string {
	u, err := url.Parse(strings.TrimPrefix(source, "git+"))
	if err != nil || u.Scheme == "" || u.Hostname() == "" || u.RawQuery != "" || u.ForceQuery || strings.Contains(strings.ToLower(u.EscapedPath()), "%2f") {
		return ""
	}
	if strings.ContainsAny(u.Path, `\%?#`) || strings.ContainsFunc(u.Path, func(r rune) bool { return !unicode.IsGraphic(r) || r == unicode.ReplacementChar }) {
		return ""
	}
	repository, at, versioned := strings.Cut(strings.Trim(u.Path, "/"), "@")
	if versioned && !revision.MatchString(at) || path.Clean("/"+repository) != "/"+repository || path.Clean("/"+at) != "/"+at {
		return ""
	}
	host := strings.TrimSuffix(strings.ToLower(u.Host), defaultPorts[u.Scheme])
	return strings.TrimSuffix(u.Scheme+"://"+host+"/"+strings.TrimSuffix(repository, ".git"), "/")
}
