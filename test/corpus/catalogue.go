package main

import "fmt"

// entry of the catalogue: a system, and how it is asked.
type entry struct {
	name    string
	address string
	port    int32
	check   map[string]any
	// ca and credentials name what IT keeps for it.
	ca, credentials string
	// opens are the labels of the pods to which the catalogue opens the way; none are those of the systems.
	opens map[string]any
	// unborn has no production target.
	unborn bool
}

// inTheClear asks over plain HTTP.
func inTheClear(name, path string, status int64) entry {
	return entry{name: name, address: fmt.Sprintf("http://%s:8080", systemsHost), port: 8080,
		check: map[string]any{"http": map[string]any{"path": path, "expectStatus": status}}}
}

// contracted wants more of an answer than its status.
func contracted(name, path string, answer map[string]any) entry {
	return inTheClear(name, path, 200).with(func(e *entry) { e.check["http"].(map[string]any)["answer"] = answer })
}

// anyMember is what an answer about a member has to be.
var anyMember = map[string]any{"schema": `{"type": "object", "required": ["id", "name"], "properties": {"id": {"type": "integer"}}}`}

// overTLS asks with one of the certificates.
func overTLS(name string) entry {
	for _, c := range certificates() {
		if c.name == name {
			return entry{name: name, address: fmt.Sprintf("https://%s:%d", systemsHost, c.port), port: c.port, ca: authority,
				check: map[string]any{"https": map[string]any{"path": "/health", "expectStatus": int64(200)}}}
		}
	}
	panic("no certificate is called " + name)
}

func (e entry) with(change func(*entry)) entry {
	change(&e)
	return e
}

// entries of the catalogue that every policy of the corpus has.
func entries() []entry {
	tcp := map[string]any{"tcp": map[string]any{}}
	handshake := map[string]any{"tls": map[string]any{}}
	return []entry{
		inTheClear("health", "/health", 200), inTheClear("none", "/none", 204), inTheClear("broken", "/broken", 200),
		inTheClear("teapot", "/teapot", 418), inTheClear("moved", "/moved", 200), inTheClear("moves", "/moved", 302),
		inTheClear("late", "/late", 200), inTheClear("missing", "/no-such-path", 200), inTheClear("quiet", "/none", 200),
		contracted("member", "/member", map[string]any{"contentType": "application/json", "schema": `{"type": "object", "required": ["id", "name"], "properties": {"id": {"type": "integer"}}}`}),
		contracted("stale-schema", "/member", map[string]any{"schema": `{"type": "object", "required": ["id", "email"]}`}),
		contracted("sign-in-page", "/text", map[string]any{"contentType": "application/json"}),
		contracted("bare", "/bare", anyMember), contracted("cut", "/cut", anyMember), contracted("doubled", "/doubled", anyMember),
		contracted("contradicts", "/contradicts", anyMember), contracted("drips", "/drips", anyMember),
		inTheClear("keyless", "/guarded", 200),
		inTheClear("guarded", "/guarded", 200).with(func(e *entry) { e.credentials = rightToken }),
		inTheClear("unguarded", "/health", 200).with(func(e *entry) { e.credentials = wrongToken }),
		inTheClear("locked", "/guarded", 200).with(func(e *entry) { e.credentials = wrongToken }),
		inTheClear("nameless", "/health", 200).with(func(e *entry) { e.address = "http://nobody." + organisation + ".svc:8080" }),
		inTheClear("closed", "/health", 200).with(func(e *entry) { e.address, e.port = fmt.Sprintf("http://%s:%d", systemsHost, dead), dead }),
		inTheClear("misrouted", "/health", 200).with(func(e *entry) { e.opens = map[string]any{"app": "others"} }),
		inTheClear("unborn", "/health", 200).with(func(e *entry) { e.unborn = true }),
		inTheClear("plain", "/health", 200).with(func(e *entry) { e.address, e.check, e.ca = "tcp://"+systemsHost+":8080", tcp, "" }),
		inTheClear("alias", "/health", 200).with(func(e *entry) { e.address = "http://" + aliasHost + ":8080" }),
		inTheClear("suite", "/health", 200).with(func(e *entry) { e.opens = map[string]any{suite: "yes"} }),
		inTheClear("neighbour", "/health", 200).with(func(e *entry) {
			e.address, e.opens = "http://"+neighbourHost+":8080", map[string]any{"app": "neighbour"}
		}),
		overTLS("valid"), overTLS("expired"), overTLS("early"), overTLS("other"), overTLS("stranger"), overTLS("ending"), overTLS("old"),
		overTLS("wild"), overTLS("fortnight"), overTLS("mutual"),
		overTLS("mutual").with(func(e *entry) {
			e.name, e.check, e.address = "mutual-handshake", handshake, fmt.Sprintf("tls://%s:%d", systemsHost, e.port)
		}),
		overTLS("valid").with(func(e *entry) { e.name, e.ca = "untrusted", "" }),
		overTLS("valid").with(func(e *entry) {
			e.name, e.check, e.address = "handshake", handshake, fmt.Sprintf("tls://%s:%d", systemsHost, e.port)
		}),
		overTLS("valid").with(func(e *entry) {
			e.name, e.port, e.address = "cleartext", 8080, fmt.Sprintf("https://%s:8080", systemsHost)
		}),
	}
}

// catalogue is the policy's, of all entries.
func catalogue() []any {
	var out []any
	for _, e := range entries() {
		out = append(out, e.rendered())
	}
	return out
}

// rendered is the entry as a policy has it.
func (e entry) rendered() map[string]any {
	labels := e.opens
	if labels == nil {
		labels = map[string]any{"app": "systems"}
	}
	to := map[string]any{"pods": map[string]any{"namespace": organisation, "podLabels": labels, "port": int64(e.port)}}
	endpoint := map[string]any{"address": e.address, "to": to}
	if e.ca != "" {
		endpoint["ca"] = map[string]any{"name": e.ca}
	}
	if e.credentials != "" {
		endpoint["credentials"] = map[string]any{"secret": map[string]any{"name": e.credentials}}
	}
	integration := map[string]any{"name": e.name, "check": e.check, "mayCarry": map[string]any{"classes": []any{"Public", "Internal"}},
		"sandbox": map[string]any{"address": e.address, "to": to}}
	if !e.unborn {
		integration["production"] = endpoint
	}
	return integration
}
