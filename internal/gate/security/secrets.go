package security

import (
	"fmt"
	"math"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"unicode"

	corev1 "k8s.io/api/core/v1"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/internal/gate"
)

// shapes are secrets that are known by their form, whatever their variable is called.
var shapes = []struct {
	kind string
	form *regexp.Regexp
	// sure asks something of the match as well, for forms that words can have: sk-learn-regression-model is no key.
	sure func(string) bool
}{
	{kind: "a private key", form: regexp.MustCompile(`-----BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY|PuTTY-User-Key-File-[0-9]:`)},
	{kind: "an AWS access key", form: regexp.MustCompile(`\b(?:AKIA|ASIA|ABIA|ACCA)[A-Z2-7]{16}\b`)},
	{kind: "a GitHub token", form: regexp.MustCompile(`\b(?:gh[pousr]_[A-Za-z0-9]{36,}|github_pat_[A-Za-z0-9_]{22,})`)},
	{kind: "a GitLab token", form: regexp.MustCompile(`\bglpat-[A-Za-z0-9_-]{20,}`)},
	{kind: "a Slack token", form: regexp.MustCompile(`\bxox[abeoprs]-[A-Za-z0-9-]{10,}`)},
	{kind: "an address that is a secret itself", form: regexp.MustCompile(`\b(?:hooks\.slack\.com/services|discord(?:app)?\.com/api/webhooks)/[^\s$<{]{20,}`)},
	{kind: "a Google API key", form: regexp.MustCompile(`\bAIza[A-Za-z0-9_-]{35}`)},
	{kind: "a Stripe key", form: regexp.MustCompile(`\b[rs]k_live_[A-Za-z0-9]{16,}`)},
	{kind: "a Twilio key", form: regexp.MustCompile(`\bSK[0-9a-f]{32}\b`)},
	{kind: "a Hugging Face token", form: regexp.MustCompile(`\bhf_[A-Za-z0-9]{30,}`)},
	{kind: "a key for a model gateway", form: regexp.MustCompile(`\bsk-[A-Za-z0-9_-]{20,}`), sure: mixed},
	{kind: "a JSON Web Token", form: regexp.MustCompile(`\beyJ[A-Za-z0-9_-]{8,}\.eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*`)},
	{kind: "what signs a request in", form: regexp.MustCompile(`(?i)\b(?:bearer|basic)\s+[A-Za-z0-9+/._~-]{16,}={0,2}`), sure: mixed},
	{kind: "a password in a setting", form: regexp.MustCompile(`(?i)(?:^|[;\s&?_-])(?:password|passwd|pwd|secret|api_?key|access_?token|client_?secret)=[^;&\s$<{]{6,}`)},
	{kind: "a password in a connection string", form: regexp.MustCompile(`(?i)(?:^|;)\s*(?:pwd|password)\s*=\s*[^;\s$<{]{3,}`), sure: connects},
	{kind: "a password in a setting", form: regexp.MustCompile(`(?i)(?:password|passwd|passphrase|passwort|kennwort|client[_-]?secret|api[_-]?key|access[_-]?token)(?:["']?\s*[:=]\s*["']?|["'],\s*["'])[^\s"';:&,=$<{}]{6,}`), sure: varied},
	{kind: "a password among arguments", form: regexp.MustCompile(`(?i)--[a-z-]*(?:password|passwd|secret|token|api-key)[\s=]+["']?[^\s"'$<{]{6,}`), sure: varied},
	{kind: "a key in an address", form: regexp.MustCompile(`(?i)[?&][a-z_-]*(?:token|key|sig|signature|secret|auth|code)=[A-Za-z0-9%+/_.~-]{16,}`), sure: mixed},
	{kind: "a password in JSON", form: regexp.MustCompile(`(?i)"(?:password|passwd|pass|secret|token|api_?key|access_?token|client_?secret|private_?key)"\s*:\s*"[^"$<{]{6,}"`)},
	{kind: "a password in XML", form: regexp.MustCompile(`(?i)(?:key|name)="[^"]*(?:password|secret|token|api_?key)"\s+value="[^"$<{]{6,}"`)},
	{kind: "a password in a list of logins", form: regexp.MustCompile(`\blogin\s+\S+\s+(?:account\s+\S+\s+)?password\s+[^\s$<{]{4,}`)},
	{kind: "a name with a password", form: regexp.MustCompile(`(?:^|\s)(?:-u|--user)[\s=]+[^\s:/]+:[^\s/$]{6,}|\b[\w.-]+:[^@\s:/$]{4,}@(?:tcp|unix)?\(|\b\w+/[^@\s/$]{4,}@//[\w.-]+`)},
}

// secretName matches variables whose last word says that the value is a secret. DB_PASSWORD is one; PASSWORD_MIN_LENGTH,
// TOKEN_URL, API_KEY_FILE and MAX_TOKENS are not.
var secretName = regexp.MustCompile(`(?i)(?:password|passwd|passphrase|passwort|kennwort|(?:^|_|db|user|ssh|smtp|mail|ldap|admin|root)pass|_pwd|_pw|secret|token|api_?key|access_?key|secret_?key|` +
	`private_?key|encryption_?key|signing_?key|auth_?key|credentials?)(?:_?(?:[0-9]+|base64|b64|base|value|prod|production|live|test|dev|staging|` +
	`new|old|current|previous|next|primary|secondary|main|default|(?:for|of|to)_[a-z0-9_]+))?$`)

// vocabulary matches variables that end like a secret's and speak of a language model's tokens: MAX_TOKEN, EOS_TOKEN.
var vocabulary = regexp.MustCompile(`(?i)(?:^|_)(?:max|min|num|per|count|limit|eos|bos|pad|unk|sep|cls|mask|stop|start|end|begin|` +
	`special|separator)_(?:[a-z]+_)?token$`)

// publicName matches variables whose long values are known not to be secret: names of things by content, and what a browser
// or a request to sign in shows to everybody (RFC 6749, section 2.2: "The client identifier is not a secret").
var publicName = regexp.MustCompile(`(?i)(?:^|_)(?:sha|sha1|sha256|digest|hash|checksum|fingerprint|etag|uuid|guid|certificate|cert)(?:_|$)|` +
	`(?:^|_)(?:sheet|spreadsheet|doc|document|file|folder|drive|calendar|client)_?id$`)

// countedName matches variables whose values name or count something, in hexadecimal where they are long.
var countedName = regexp.MustCompile(`(?i)(?:^|_)(?:commit|revision|version|build|git|ref|id)(?:_|$)`)

// publicKeyName matches variables that hold a key which is handed out.
var publicKeyName = regexp.MustCompile(`(?i)(?:^|_)(?:public|publishable|site)_?key(?:_|$)`)

// keyName matches variables that hold a key whatever else they speak of.
var keyName = regexp.MustCompile(`(?i)_key$`)

// harmless are values that hold nothing: switches, and what people write where a program insists on a key.
var harmless = []string{"", "true", "false", "yes", "no", "on", "off", "none", "null", "nil", "unset", "disabled", "enabled",
	"unused", "not-used", "not-needed", "n/a", "dummy", "empty"}

// reference matches values that name another variable in place of a secret, as in $(TOKEN) and ${TOKEN}, or leave a place
// for one, as in <your token> and <|endoftext|>.
var reference = regexp.MustCompile(`^(?:\$(?:\([A-Za-z_][A-Za-z0-9_]*\)|\{[A-Za-z_][A-Za-z0-9_]*\})|<[^<>="]{1,40}>)$`)

// file matches absolute paths of at least two segments: the file that holds a secret is none.
var file = regexp.MustCompile(`^(?:/[A-Za-z0-9._-]+){2,}/?$`)

// elsewhere matches addresses of a place where a secret is kept, and single words in the form of a path, as in TOKEN=/token.
var elsewhere = regexp.MustCompile(`^(?:/[a-z][a-z._-]{0,30}|file:(?://)?(?:/[A-Za-z0-9._-]+)+|vault:[A-Za-z0-9_./-]+#[A-Za-z0-9_.-]+|` +
	`(?:op|vault|awssm|gcpsm|ref\+[a-z0-9]+)://[A-Za-z0-9_./-]+(?:#/?[A-Za-z0-9_./-]+)?)$`)

// tokenName matches variables of tokens, and sorts are what such a variable may say in place of one: of what sort it is.
var (
	tokenName = regexp.MustCompile(`(?i)token$`)
	sorts     = []string{"bearer", "basic", "jwt", "opaque", "cookie", "header", "session", "double-submit", "synchronizer", "oauth", "oauth2", "oidc", "required", "optional"}
)

// pairName matches variables that hold a name and a password, and pair what they hold then.
var (
	pairName = regexp.MustCompile(`(?i)(?:^|_)(?:auth|basic_?auth|login|user_?pass)$`)
	pair     = regexp.MustCompile(`^[^\s:/$]+:[^\s/$<{]{6,}$`)
)

// figure matches numbers of one or two digits: how many passes there are is no password.
var figure = regexp.MustCompile(`^[0-9]{1,2}$`)

// secrets finds literal values in the pod that look like secrets. It never quotes one: a finding is read by many.
func secrets(e Evidence) []gate.Finding {
	var found []gate.Finding
	for _, c := range containers(e.Pod) {
		for _, v := range c.Env {
			if v.ValueFrom != nil {
				continue
			}
			if kind := secretKind(v.Name, v.Value); kind != "" {
				found = append(found, envFinding(e, v.Name, kind))
			}
		}
		for i, argument := range slices.Concat(c.Command, c.Args) {
			if kind := shapeOf(argument); kind != "" {
				found = append(found, gate.Finding{Reason: v1alpha1.ReasonPlainSecret, Field: workloadField, Owner: v1alpha1.OwnerBusiness,
					Message: fmt.Sprintf("argument %d of container %q holds what looks like %s; everybody who may see the pod can read it", i, c.Name, kind),
					Hint:    "Move it to a Secret and name it under secrets; the program reads it as a file."})
			}
		}
	}
	return found
}

// containers of a template, which can't have ephemeral ones.
func containers(pod *corev1.PodTemplateSpec) []corev1.Container {
	return slices.Concat(pod.Spec.InitContainers, pod.Spec.Containers)
}

func envFinding(e Evidence, name, kind string) gate.Finding {
	f := gate.Finding{Reason: v1alpha1.ReasonPlainSecret,
		Message: fmt.Sprintf("variable %s holds what looks like %s; everybody who may see the manifest or the pod can read it", name, kind)}
	if i := slices.Index(e.Env, name); i >= 0 {
		f.Field = fmt.Sprintf("%s.env[%d]", workloadField, i)
		f.Owner = v1alpha1.OwnerBusiness
		f.Hint = "Move it to a Secret and name it under secrets; the program reads it as a file. Then change the secret: it has been seen."
		return f
	}
	f.Owner = v1alpha1.OwnerIT
	f.Hint = "The operator sets this variable from the policy's catalogue; take the secret out of the address there and name it under credentials."
	return f
}

// secretKind says what kind of secret a variable seems to hold, or "".
func secretKind(name, value string) string {
	value = strings.TrimSpace(value)
	if slices.Contains(harmless, strings.ToLower(value)) || reference.MatchString(value) || figure.MatchString(value) {
		return ""
	}
	if kind := shapeOf(value); kind != "" {
		return kind
	}
	random := looksRandom(value)
	switch {
	case (file.MatchString(value) || elsewhere.MatchString(value)) && !random:
		return ""
	case tokenName.MatchString(name) && slices.Contains(sorts, strings.ToLower(value)):
		return ""
	case pairName.MatchString(name) && pair.MatchString(value) && varied(value):
		return "a name with a password"
	case secretName.MatchString(name) && !vocabulary.MatchString(name):
		return "a secret, by its name"
	case random && !openly(name, value):
		return "a key: it is long and random"
	}
	return ""
}

// openly tells whether a variable says that its long random value is meant to be seen.
func openly(name, value string) bool {
	switch {
	case publicKeyName.MatchString(name):
		return true
	case keyName.MatchString(name):
		return false
	}
	return publicName.MatchString(name) || countedName.MatchString(name) && hexadecimal.MatchString(value)
}

func shapeOf(value string) string {
	for _, s := range shapes {
		for _, match := range s.form.FindAllString(value, -1) {
			if s.sure == nil || s.sure(match) {
				return s.kind
			}
		}
	}
	if hasPassword(value) {
		return "an address with a password in it"
	}
	return ""
}

// address finds URLs that may carry user info, in any text.
var address = regexp.MustCompile(`[A-Za-z][A-Za-z0-9+.-]*://[^\s"'<>]*@[^\s"'<>]*`)

// hasPassword tells whether a text holds a URL with a password. A reference such as ${PASSWORD} in its place is none.
func hasPassword(text string) bool {
	for _, match := range address.FindAllString(text, -1) {
		u, err := url.Parse(match)
		if err != nil {
			// What can't be parsed may still be used by a lenient program.
			if _, rest, _ := strings.Cut(match, "://"); strings.Contains(strings.SplitN(rest, "@", 2)[0], ":") {
				return true
			}
			continue
		}
		password, ok := u.User.Password()
		if ok && password != "" && !strings.HasPrefix(password, "$") {
			return true
		}
		// A key in the place of a name, which is all that some hosts of code ask for.
		if who := u.User.Username(); !ok && len(who) >= 16 && mixed(who) {
			return true
		}
	}
	return false
}

// token is a run of characters of base64, base64url or hexadecimal.
var token = regexp.MustCompile(`[A-Za-z0-9+/_-]{32,}={0,2}`)

const (
	// entropyOfRandom is the entropy in bits per character above which a mixed token may be random: 32 random characters
	// of base64 have 4.6 on average and hardly ever less than 4.
	entropyOfRandom = 4.0
	// changesOfRandom is the share of neighbours of different kinds (upper, lower, digit, other) above which it may be.
	// In random base64 it is 0.65; in words, paths and names in mixed case about 0.25.
	changesOfRandom = 0.4
	// entropyOfHex is the same for hexadecimal digits, of which 32 random ones have 3.6 on average.
	entropyOfHex = 3.0
	// runOfWords is the mean length of runs of lower case letters above which a token is made of words, as in an address
	// in mixed case. In random base64 it is 1.7.
	runOfWords = 3.0
)

// public matches texts that hold long random runs and are meant to be seen.
var public = regexp.MustCompile(`-----BEGIN (?:CERTIFICATE|PUBLIC KEY)|^(?:ssh-|ecdsa-)[a-z0-9-]+ |^data:(?:image|font|audio|video)/`)

// looksRandom finds long random tokens: of at least 32 characters with upper and lower case letters and digits, well
// mixed and of a high entropy (C. E. Shannon, "A Mathematical Theory of Communication", 1948); or of at least 32
// hexadecimal digits. Digests with their algorithm in front ("sha256:…") name things and are not secret, nor are UUIDs, which
// have hyphens among digits of one case.
func looksRandom(value string) bool {
	if public.MatchString(value) {
		return false
	}
	for _, at := range token.FindAllStringIndex(value, -1) {
		t := value[at[0]:at[1]]
		switch before := value[:at[0]]; {
		case strings.HasSuffix(before, "sha256:"), strings.HasSuffix(before, "sha512:"):
		case hexadecimal.MatchString(t):
			if strings.ContainsAny(t, "abcdefABCDEF") && strings.ContainsAny(t, "0123456789") && entropy(t) >= entropyOfHex {
				return true
			}
		case mixed(t) && entropy(t) >= entropyOfRandom && changes(t) >= changesOfRandom && lowerRun(t) <= runOfWords:
			return true
		}
	}
	return false
}

var hexadecimal = regexp.MustCompile(`^(?:[0-9a-f]+|[0-9A-F]+)$`)

func mixed(s string) bool {
	return strings.ContainsAny(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") && strings.ContainsAny(s, "abcdefghijklmnopqrstuvwxyz") &&
		strings.ContainsAny(s, "0123456789")
}

// varied tells whether the value behind a setting's name has letters and digits, as words of people have not: "password:
// required" sets nothing.
func varied(setting string) bool {
	value := setting[strings.LastIndexAny(setting, ":=, \t\n\"'")+1:]
	return strings.ContainsAny(value, "0123456789") && strings.IndexFunc(value, unicode.IsLetter) >= 0
}

// connects tells whether a match stands among other settings, as in a connection string.
func connects(match string) bool { return strings.HasPrefix(match, ";") }

// lowerRun is the mean length of runs of lower case letters.
func lowerRun(s string) float64 {
	letters, runs, inside := 0, 0, false
	for _, c := range s {
		lower := c >= 'a' && c <= 'z'
		if lower {
			letters++
		}
		if lower && !inside {
			runs++
		}
		inside = lower
	}
	return float64(letters) / float64(max(runs, 1))
}

// changes is the share of neighbouring characters that are of different kinds.
func changes(s string) float64 {
	kind := func(c byte) int {
		switch {
		case c >= '0' && c <= '9':
			return 1
		case c >= 'A' && c <= 'Z':
			return 2
		case c >= 'a' && c <= 'z':
			return 3
		}
		return 4
	}
	n := 0
	for i := 1; i < len(s); i++ {
		if kind(s[i]) != kind(s[i-1]) {
			n++
		}
	}
	return float64(n) / float64(max(len(s)-1, 1))
}

// entropy is Shannon's, in bits per character, of the characters as they occur in s.
func entropy(s string) float64 {
	var counts [256]int
	for i := range len(s) {
		counts[s[i]]++
	}
	sum := 0.0
	for _, n := range counts {
		if n > 0 {
			p := float64(n) / float64(len(s))
			sum -= p * math.Log2(p)
		}
	}
	return sum
}
