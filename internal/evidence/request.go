package evidence

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
)

// validateURL demands an absolute URL of one of the schemes with a host and no user info, query or fragment tricks.
func validateURL(raw string, schemes ...string) error {
	u, err := url.Parse(raw)
	if err != nil || len(raw) > 2048 || hasControl(raw) {
		return errors.New("not a URL")
	}
	if u.User != nil {
		return errors.New("a URL carries no user info")
	}
	if u.Hostname() == "" || u.Opaque != "" || u.Fragment != "" {
		return errors.New("not a URL with a host and without a fragment")
	}
	for _, s := range schemes {
		if u.Scheme == s {
			return nil
		}
	}
	return fmt.Errorf("the scheme is not one of %v", schemes)
}

func hasControl(s string) bool {
	for _, r := range s {
		if r < ' ' || r == 0x7f {
			return true
		}
	}
	return false
}

func isToken(s string) bool {
	if s == "" || len(s) > 128 {
		return false
	}
	return !strings.ContainsFunc(s, func(r rune) bool {
		return r != '-' && r != '_' && (r < '0' || r > '9') && (r < 'A' || r > 'Z') && (r < 'a' || r > 'z')
	})
}
