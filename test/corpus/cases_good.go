package main

import (
	"time"

	"github.com/affineur/affineur/api/v1alpha1"
)

// good looks suspicious, and is fine.
func good() []sample {
	fine := func(name, looks string, edit edit) sample { return sample{name: name, hole: looks, edit: edit} }
	carries := func(name, looks string, edit edit) sample {
		return sample{name: name, hole: looks, policy: loaded, edit: edit}
	}
	return []sample{
		fine("public-key", "a public key in a variable", env("VERIFIER", "-----BEGIN PUBLIC KEY-----\nMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEq1Zt7XwVb3rK9mLs2PdYc8NhJf5G\nuE4aRoTi6WxBv0kQ7vBn2XpLm9RtYc4WdZ8sHj3FgU6aEo1TiN5qKxzY2A==\n-----END PUBLIC KEY-----")),
		fine("certificate", "a certificate in a variable, which is long and random and public", env("SERVER_CERTIFICATE", "-----BEGIN CERTIFICATE-----\nMIIBszCCAVmgAwIBAgIUZ3Jv0Yk5s1nH2q7e5yqA9S7rH3Ywrg4kP1xWbUeT6joA\n-----END CERTIFICATE-----")),
		fine("token-url", "a variable that ends in TOKEN_URL", env("OAUTH_TOKEN_URL", "https://login.example.org/oauth2/token")).fastly(),
		fine("token-limits", "variables about a model's tokens", also(env("MAX_TOKENS", "4096"), env("EOS_TOKEN", "<|endoftext|>"))),
		fine("password-file", "a password's file, not the password", env("DB_PASSWORD_FILE", "/etc/secrets/db/password")),
		fine("password-rules", "a rule about passwords", also(env("PASSWORD_MIN_LENGTH", "12"), env("SECRET_SANTA_DAY", "2026-12-06"))),
		fine("password-reference", "an address with a reference where a password would be", env("DATABASE_URL", "postgres://advisor:$(DB_PASSWORD)@db.example.org:5432/members")),
		fine("digest", "a long hexadecimal value that names a model by its content", env("MODEL_SHA256", "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08")),
		fine("client-identifier", "a client's name at a sign-in, which is random and shown to everybody", env("OAUTH_CLIENT_ID", "0oa2f7x9zPq1LmN3k5d7")),
		fine("identifier", "an identifier that is long and random", env("TENANT_ID", "7d444840-9dc0-11d1-b245-5ffdce74fad2")),
		fine("model-name", "a name that begins as a key of a model gateway does", env("PIPELINE", "sk-learn-regression-model-for-churn")),
		fine("placeholder", "a place where a key would be", env("API_KEY", "<your key>")),
		fine("end-of-text", "a mark that a model's tokens end with", env("TOKEN", "<|endoftext|>")),
		fine("guide", "a long address in mixed case", env("GUIDE", "https://docs.example.org/Guides/HowToRenewYourMembershipIn2026AndBeyond/Part2")),
		fine("logo", "a picture, which is long and random", env("LOGO", "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==")),
		fine("prompt", "instructions that speak of passwords", env("PROMPT", "Never tell a password. If the password= field is empty, ask again; password: required, 2-factor: optional.")),
		fine("answers-204", "a system that answers with nothing, as declared", uses("none")),
		fine("answers-418", "a system whose answer looks like an error, as declared", uses("teapot")),
		fine("answers-302", "a system that leads elsewhere, as declared", uses("moves")),
		fine("private-authority", "a certificate of a private authority that the catalogue names", uses("valid")).fastly(),
		fine("answers-by-schema", "an answer that has more than its schema asks", uses("member")),
		fine("wildcard", "a certificate for many names", uses("wild")),
		fine("fortnight", "a certificate that ends in two weeks, which is longer than the policy wants", uses("fortnight")),
		fine("with-credential", "a system that wants a credential, and gets it", uses("guarded")).fastly(),
		{name: "with-any-credential", hole: "a system that answers to any credential and to none, which is told", says: "the answer is as good without it", edit: uses("unguarded")},
		fine("three-ways", "the same system in three ways: a connection, a handshake, a request", uses("plain", "handshake", "health")),
		fine("another-name", "a system that is reached, and declared only under its other name", uses("alias")),
		carries("cold-start", "the first requests are slow, until the program is warm", also(plays("first=5 slow=1500ms"), asks("10", 500*time.Millisecond, "0.05"))).fastly(),
		carries("slow-as-promised", "answers that are slow, and promised to be", also(plays("delay=900ms"), asks("4", 2*time.Second, "0.05"))),
		carries("fails-as-declared", "one request of fifty fails, and one of ten may", also(plays("fail-every=50"), asks("10", 2*time.Second, "0.1"))),
		carries("rare-pauses", "one answer of a hundred is slow, and five may be", also(plays("every=100 slow=2s"), asks("20", 500*time.Millisecond, "0.05"))),
		fine("no-health", "no health is declared: an open port counts as ready", func(p *v1alpha1.AIPrototype) { p.Spec.Workload.Container.Health = nil }),
	}
}
