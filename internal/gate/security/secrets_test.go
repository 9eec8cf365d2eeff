package security

import (
	"encoding/base64"
	"math/rand/v2"
	"strings"
	"testing"
)

// Secrets as people hide them without meaning to. Samples are put together at run time, so that scanners do not take this
// file for a leak.
func TestSecretsOfAllSortsAreFound(t *testing.T) {
	word, random := "tr0ub4dor"+"-and-3", "kQ7vBn2XpLm9"+"RtYc4WdZ8sHj3FgU6aEo"
	for _, v := range [][2]string{
		{"DB_PASS", "correct-horse"}, {"SSHPASS", "correct-horse"}, {"USERPASS", "correct-horse"}, {"SETTINGS", "machine git.example.org\n  login bot\n  password " + word}, {"DB_PW", "correct-horse"}, {"MYSQL_PWD", "correct-horse"}, {"PASSWORT", "correct-horse"}, {"CRM_PASSWORD_NEW", "correct-horse"},
		{"PASSWORD_FOR_CRM", "correct-horse"}, {"SECRET_KEY_BASE", "correct-horse"}, {"JWT_SECRET_CURRENT", "correct-horse"}, {"PASSPHRASE", "a few words only"},
		{"DB_AUTH", "advisor:" + word}, {"SMTP_LOGIN", "advisor:" + word}, {"MODEL_ID", random + random[:4]}, {"DB_PASSWORD", "bearer"}, {"API_TOKEN", "/" + word},
		{"SECRET", "vault:" + random + random}, {"DB_PASSWORD", "vault:" + word}, {"API_KEY", "file://" + word},
		{"DB_PASSWORD", "hunter2$(EMPTY)"}, {"MAX_TOKENS", "ghp_" + strings.Repeat("a1B2", 9)}, {"API_KEY", "7d444840-9dc0-11d1-b245-5ffdce74fad2"},
		{"HEADER", "Authorization: Basic " + base64.StdEncoding.EncodeToString([]byte("advisor:"+word))}, {"HEADER", "Bearer " + random[:22]},
		{"NOTIFY", "https://hooks.slack.com/services/" + "T0263514877/B02QVL9M2RT/" + random[:24]},
		{"FEED", "https://feeds.example.org/v1?token=" + random[:20]}, {"FEED", "https://feeds.example.org/v1?a=b&x-api-key=" + random[:20]},
		{"SOURCE", "https://" + random[:20] + "@git.example.org/a.git"}, {"DB", "advisor:" + word + "@tcp(db.example.org:3306)/members"},
		{"DB", "advisor/" + word + "@//db.example.org:1521/members"}, {"DB", "Data Source=members;pwd=abc1"}, {"FETCH", "curl -u advisor:" + word + " https://crm.example.org"},
		{"SETTINGS", "crm:\n  password: " + word + "\n"}, {"SETTINGS", "[db]\nuser = a\npassword = " + word}, {"SETTINGS", "{'password': '" + word + "'}"},
		{"SETTINGS", `{"db_password": "` + word + `"}`}, {"SETTINGS", `{"pass": "` + word + `"}`}, {"SETTINGS", `<add key="Password" value="` + word + `"/>`},
		{"COMMAND", `["--password", "` + word + `"]`}, {"COMMAND", "import --api-token " + word}, {"SIGNER", "PuTTY-User-Key-File-3: " + "ssh-ed25519"},
		{"SMS", "SK" + strings.Repeat("9f86d081", 4)}, {"COMMIT_KEY", "3f786850e387550fdab8" + "36ed7e6dc881de23001b"}, {"BUILD", random + "1TiN5qKx"},
	} {
		if secretKind(v[0], v[1]) == "" {
			t.Errorf("%s=%s was not found", v[0], v[1])
		}
	}
}

// What people write about secrets, and what is long and not random.
func TestWhatSpeaksOfSecretsIsNone(t *testing.T) {
	for _, v := range [][2]string{
		{"TOKEN", "/token"}, {"API_KEY", "file:///run/secrets/key"}, {"API_KEY", "file:/run/secrets/key"}, {"SECRET", "vault:secret/data/app#key"}, {"API_KEY", "op://team/gateway/key"},
		{"TOKEN", "bearer"}, {"CSRF_TOKEN", "double-submit"}, {"BYPASS", "cache"}, {"COMPASS", "north"}, {"HELP", "Use your login and a password of twelve letters."},
		{"OAUTH_CLIENT_ID", "7dQ2mZp9RtV4" + "wYb8NcJ5hLd3FsG6aEu1"}, {"RECAPTCHA_SITE_KEY", "6LeIxAcTkQ7vBn2XpLm9" + "RtYc4WdZ8sHj3FgU6aEo"}, {"STRIPE_PUBLISHABLE_KEY", "pk_live_" + "kQ7vBn2XpLm9RtYc4WdZ8sHj"},
		{"AUTH", "oauth2:google"}, {"HTTP_AUTH", "none"}, {"AUTH", "https://id.example.org/2026"},
		{"MODEL_ID", "7d444840-9dc0-11d1-b245-5ffdce74fad2"}, {"DATABASE_ID", "0f1e2d3c4b5a69788796a5b4c3d2e1f0"}, {"SHEET_ID", "kQ7vBn2XpLm9" + "RtYc4WdZ8sHj3FgU6aEo"},
		{"TOKEN", "<|endoftext|>"}, {"API_KEY", "<your key>"}, {"PAD_TOKEN", "<pad>"}, {"NUM_PASS", "2"}, {"ACCESS_TOKEN_TTL", "3600"}, {"PRIMARY_KEY", "id"},
		{"LOGO", "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="},
		{"GUIDE", "https://docs.example.org/Guides/HowToRenewYourMembershipIn2026AndBeyond/Part2"},
		{"MODEL", "mistralai/Mixtral-8x7B-Instruct-v0.1-GPTQ-4bit-32g-actorder"}, {"SCHEMA", `{"properties":{"password":{"type":"string"}}}`},
		{"LIMITS", `{"max_tokens": 4096, "token": ""}`}, {"FEED", "https://feeds.example.org/v1?api_key=$(FEED_KEY)"}, {"REVISION", "3f786850e387550fdab836ed7e6dc881de23001b"},
		{"PROMPT", "Our secret: 24-hour support. A password, 2-factor or not, has 12 characters; a password 8-digits long is weak. Basic membership costs 12 EUR."},
		{"PROMPT", "Passwort: mindestens 12 Zeichen. If the password= field is empty, ask again; password: required, token: optional; secret 2026-plan."},
	} {
		if kind := secretKind(v[0], v[1]); kind != "" {
			t.Errorf("%s=%s was taken for %s", v[0], v[1], kind)
		}
	}
}

// Of keys that are really random, hardly any is taken for words.
func TestRandomKeysLookRandom(t *testing.T) {
	source := rand.New(rand.NewPCG(1, 2))
	const all = 20_000
	missed := 0
	for range all {
		raw := make([]byte, 32)
		for i := range raw {
			raw[i] = byte(source.UintN(256))
		}
		if !looksRandom(base64.RawURLEncoding.EncodeToString(raw)) {
			missed++
		}
	}
	if missed > all/200 {
		t.Errorf("%d of %d random keys of 256 bits were not seen", missed, all)
	}
}
