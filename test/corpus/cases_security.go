package main

import (
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/internal/names"
)

// secrets in plain sight. None of them opens anything.
func secrets() []sample {
	plain := func(name, hole, variable, value string) sample {
		return sample{name: name, hole: hole, gate: "security", reason: v1alpha1.ReasonPlainSecret, says: variable, edit: env(variable, value)}
	}
	return []sample{
		plain("password", "a password in a variable that says so", "CRM_PASSWORD", "correct-horse-battery-staple").fastly(),
		plain("aws-key", "an access key of a cloud", "STORAGE", "AKIA"+"Q3EGTIUA5JYLFNBZ"),
		plain("github-token", "a token of a code host, under a harmless name", "SOURCE", "ghp_"+"x7Kq2mZp9RtV4wYb8NcJ5hLd3FsG6aEu1TiO"),
		plain("private-key", "a private key", "SIGNER", "-----BEGIN EC PRIVATE KEY-----\nMHcCAQEEIBsD0zY9rP4nq0vC2q7e5yqA9S7rH3Zt4kP1xWbUeT6joAoGCCqGSM49\n-----END EC PRIVATE KEY-----"),
		plain("json-web-token", "a signed token that says who it is", "SESSION", "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9."+"eyJzdWIiOiJzZXJ2aWNlIiwiaWF0IjoxNzY3MjI1NjAwfQ.q1Zt7XwVb3rK9mLs2PdYc8NhJf5GuE4aRoTi6WxBv0k"),
		plain("url-password", "a password in an address", "DATABASE_URL", "postgres://advisor:tr0ub4dor-and-3@db.example.org:5432/members").fastly(),
		plain("connection-string", "a password in a connection string", "REPORTING", "Server=db.example.org;Database=members;User Id=advisor;Password=tr0ub4dor-and-3;"),
		plain("slack-token", "a token of a chat", "NOTIFY", "xoxb-"+"263514877521-1684735529913-kQ7vBn2XpLm9RtYc4WdZ8sHj"),
		plain("google-key", "a key of a map service", "MAPS", "AIza"+"SyD8kQ7vBn2XpLm9RtYc4WdZ8sHj3FgU6aE"),
		plain("json-secret", "a secret inside of JSON", "SETTINGS", `{"host": "crm.example.org", "client_secret": "tr0ub4dor-and-3-more"}`),
		plain("basic-header", "a header that signs requests in", "CRM_HEADER", "Authorization: Basic YWR2aXNvcjp0cjB1YjRkb3ItYW5kLTM="),
		plain("short-name", "a password in a variable of few letters", "DB_PASS", "correct-horse-battery"),
		plain("later-word", "a password whose variable ends in something else", "CRM_PASSWORD_NEW", "correct-horse-battery"),
		plain("budget-of-tokens", "a token where a number of tokens should be", "MAX_TOKENS", "ghp_"+"x7Kq2mZp9RtV4wYb8NcJ5hLd3FsG6aEu1TiO"),
		plain("half-reference", "a password with a reference behind it", "DB_PASSWORD", "hunter2$(EMPTY)"),
		plain("settings-file", "a password in a whole file of settings", "SETTINGS", "crm:\n  url: https://crm.example.org\n  password: tr0ub4dor-and-3\n"),
		plain("web-hook", "an address that lets anybody write", "NOTIFY", "https://hooks.slack.com/services/"+"T0263514877/B02QVL9M2RT/kQ7vBn2XpLm9RtYc4WdZ8sHj"),
		plain("key-as-user", "a key in the place of a user's name", "SOURCE", "https://"+"kQ7vBn2XpLm9RtYc4WdZ"+"@git.example.org/members.git"),
		plain("driver-string", "a password in the words of a driver", "DATABASE", "advisor:tr0ub4dor-and-3@tcp(db.example.org:3306)/members"),
		plain("random-key", "a long random value under a name that says nothing", "SEED_OF_DAY", "kQ7vBn2XpLm9RtYc4WdZ8sHj3FgU6aEo1TiN5qKx"),
	}
}

// images that must not run. Where they come from, the policy asks before any review.
func images() []sample {
	return []sample{
		{name: "foreign-registry", hole: "an image of a registry that the policy does not name", gate: policyGate, reason: v1alpha1.ReasonRegistryNotAllowed,
			says: "does not name", edit: runs("elsewhere.example.org/corpus/suspect:1"), fast: true},
		{name: "lookalike-prefix", hole: "a place whose name begins like one that is allowed", gate: policyGate, reason: v1alpha1.ReasonRegistryNotAllowed,
			says: "does not name", edit: runs("REGISTRY/corpus-evil/suspect:1")},
		{name: "lookalike-host", hole: "a host whose name begins like that of an allowed registry", gate: policyGate, reason: v1alpha1.ReasonRegistryNotAllowed,
			says: "does not name", edit: runs("registry.evil.example.org/corpus/suspect:1")},
		{name: "public-hub", hole: "an image without a registry, which is the public hub's", gate: policyGate, reason: v1alpha1.ReasonRegistryNotAllowed,
			says: "does not name", edit: runs("library/nginx:1")},
		{name: "no-such-image", hole: "a tag that nobody pushed", gate: policyGate, reason: v1alpha1.ReasonImageNotFound,
			says: "no-such-tag", edit: runs("REGISTRY/corpus/suspect:no-such-tag")},
	}
}

// rights that somebody gives to the account under which a prototype runs, and to another one that is named like it.
func rights() []sample {
	bound := func(name string, to func(names.Identity) rbacv1.Subject) func(names.Identity) client.Object {
		return func(identity names.Identity) client.Object {
			return &rbacv1.ClusterRoleBinding{
				ObjectMeta: metav1.ObjectMeta{Name: "corpus-" + name},
				RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "view"},
				Subjects:   []rbacv1.Subject{to(identity)},
			}
		}
	}
	account := func(namespace string) rbacv1.Subject {
		return rbacv1.Subject{Kind: rbacv1.ServiceAccountKind, Namespace: namespace, Name: "prototype"}
	}
	return []sample{
		{name: "may-look", hole: "a ClusterRoleBinding for the prototype's account", gate: "security", reason: v1alpha1.ReasonRightsGranted,
			says: "ClusterRoleBinding corpus-may-look gives ClusterRole view", edit: func(*v1alpha1.AIPrototype) {},
			beside: bound("may-look", func(i names.Identity) rbacv1.Subject { return account(i.Production()) })},
		{name: "another-may-look", hole: "a ClusterRoleBinding for an account of the same name in another namespace", edit: func(*v1alpha1.AIPrototype) {},
			beside: bound("another-may-look", func(names.Identity) rbacv1.Subject { return account("finance") })},
	}
}

// fastly puts a case into the fast subset.
func (c sample) fastly() sample {
	c.fast = true
	return c
}
