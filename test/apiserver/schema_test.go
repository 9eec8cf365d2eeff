package apiserver

import (
	"strings"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/affineur/affineur/api/v1alpha1"
)

// schemaCase changes one thing of a good manifest.
type schemaCase struct {
	name string
	// at and value say what is set; a value of nil takes the field away.
	at    string
	value string
	// says is what a refusal has to tell; empty means that the change is fine.
	says string
}

// trySchema applies every case to a copy of the good manifest, by dry run.
func trySchema(t *testing.T, good string, who client.Client, cases []schemaCase) {
	t.Helper()
	t.Run("good", func(t *testing.T) { must(t, dry(who).Create(t.Context(), manifest(t, good))) })
	for _, c := range cases {
		t.Run(named(c.name), func(t *testing.T) {
			object := manifest(t, good)
			edit(t, object, c.at, c.value)
			err := dry(who).Create(t.Context(), object)
			switch {
			case c.says == "" && err != nil:
				t.Errorf("refused: %v", err)
			case c.says != "" && err == nil:
				t.Error("let through")
			case c.says != "" && (!apierrors.IsInvalid(err) || !strings.Contains(err.Error(), c.says)):
				t.Errorf("does not say %q: %v", c.says, err)
			}
		})
	}
}

func manifest(t *testing.T, text string) *unstructured.Unstructured {
	t.Helper()
	object := &unstructured.Unstructured{}
	must(t, yaml.Unmarshal([]byte(text), &object.Object))
	return object
}

// edit sets a field by its path, such as spec.need.outcomes.0.target; the value is YAML.
func edit(t *testing.T, object *unstructured.Unstructured, path, text string) {
	t.Helper()
	var value any
	must(t, yaml.Unmarshal([]byte(text), &value))
	steps := strings.Split(path, ".")
	var at any = object.Object
	for i, step := range steps {
		last := i == len(steps)-1
		switch node := at.(type) {
		case map[string]any:
			switch {
			case last && text == "":
				delete(node, step)
			case last:
				node[step] = value
			default:
				at = node[step]
			}
		case []any:
			index := int(step[0] - '0')
			if last {
				node[index] = value
			} else {
				at = node[index]
			}
		default:
			t.Fatalf("%s leads nowhere at %s", path, step)
		}
	}
}

const goodPrototype = `
apiVersion: affineur.dev/v1alpha1
kind: AIPrototype
metadata: {name: good, namespace: membership}
spec:
  target: Production
  contact: membership@example.org
  need:
    problem: Members lapse before anyone notices that they are unhappy.
    outcomes: [{name: renewal-rate, unit: percent, direction: Increase, baseline: "71", target: "75.5"}]
  facts: {exposure: Internal, autonomy: Answers, users: 120}
  data: {uses: [renewal-dates]}
  model: {gateway: default, name: example-large, version: "4.7", budget: {tokensPerDay: 2000000}}
  integrations: [{name: lms, access: ReadWrite}]
  workload:
    container:
      image: registry.example.org/membership/churn-advisor:1.4
      port: 8080
      health: {path: /healthz}
      env: [{name: TONE, value: friendly}]
      secrets: [{name: advisor-token, mountPath: /etc/secrets/advisor}]
      resources: {cpu: 500m, memory: 512Mi}
      scratch: {size: 1Gi}
  demand: {people: 120, busiestHour: 60, answerWithin: 2s, request: {method: POST, path: /v1/advice, body: {configMap: {name: advisor-load, key: body.json}}}}
  sandbox: {lifetime: 720h}
`

// evaluation is one that asks in the given way.
func evaluation(call string) string {
	return "{examples: {configMap: {name: golden, key: examples.csv}}, call: {" + call + "}}"
}

// pushed is an evaluation whose examples are an artifact.
func pushed(reference string) string {
	return "{examples: {artifact: " + reference + "}, call: {openAIChat: {}}}"
}

func TestPrototypeSchema(t *testing.T) {
	long := strings.Repeat("x", 5000)
	many := "[" + strings.TrimSuffix(strings.Repeat("{name: a, value: b},", 65), ",") + "]"
	trySchema(t, goodPrototype, as(ann, teamMembership), []schemaCase{
		{"a stated need only", "spec", `{need: {problem: Slow., outcomes: [{name: days, unit: days, direction: Decrease, baseline: "10", target: "2"}]}}`, ""},
		{"nothing to review", "spec.workload", "", "target Production needs a workload: there is nothing to review yet"},
		{"no demand", "spec.demand", "", "target Production needs a demand"},
		{"no workload in a sandbox", "spec", `{need: {problem: Slow., outcomes: [{name: days, unit: days, direction: Decrease, baseline: "10", target: "2"}]}, demand: {people: 1, busiestHour: 1, answerWithin: 1s}}`, ""},
		{"another target", "spec.target", "Live", `Unsupported value: "Live": supported values: "Sandbox", "Production", "Retired"`},
		{"a promise", "spec.integrations.0.whenDown", "{then: Degrades, within: 2s}", ""},
		{"a promise for the model", "spec.model.whenDown", "{then: Fails}", ""},
		{"a promise that says nothing", "spec.integrations.0.whenDown", "{within: 2s}", "then: Required value"},
		{"another promise", "spec.integrations.0.whenDown", "{then: Explodes}", "Unsupported value"},
		{"a promise for later", "spec.integrations.0.whenDown", "{then: Fails, within: 31s}", "within is a duration from 100ms to 30s"},
		{"a promise for never", "spec.model.whenDown", "{then: Fails, within: 0s}", "within is a duration from 100ms to 30s"},
		{"an evaluation", "spec.evaluation", evaluation("json: {path: /v1/classify, input: /text, answer: /label}"), ""},
		{"an evaluation by chat", "spec.evaluation", evaluation("openAIChat: {}, timeout: 30s"), ""},
		{"examples by tag", "spec.evaluation", pushed("registry.example.org/golden/set:1.0"), ""},
		{"examples by digest", "spec.evaluation", pushed("registry.example.org:5000/golden/set:1@sha256:" + strings.Repeat("a", 64)), ""},
		{"examples of any tag", "spec.evaluation", pushed("registry.example.org/golden/set"), "should match"},
		{"examples at an address", "spec.evaluation", pushed("https://registry.example.org/golden/set:1"), "should match"},
		{"examples at two places", "spec.evaluation", pushed("registry.example.org/golden/set:1, configMap: {name: a, key: b}"), "at most 1"},
		{"an evaluation by nothing", "spec.evaluation", evaluation(""), "say how the prototype is asked: json or openAIChat"},
		{"an evaluation in two ways", "spec.evaluation", evaluation("json: {path: /}, openAIChat: {}"), "say how the prototype is asked: json or openAIChat"},
		{"a question in the address", "spec.evaluation", evaluation("json: {path: /, method: GET}"), "Unsupported value"},
		{"a path that leads elsewhere", "spec.evaluation", evaluation(`json: {path: "http://evil.example.org/"}`), "should match"},
		{"no pointer", "spec.evaluation", evaluation("json: {path: /, answer: label}"), "should match"},
		{"an answer that takes for ever", "spec.evaluation", evaluation("openAIChat: {}, timeout: 1h"), "an answer may take 100ms at least and 10m at most"},
		{"an evaluation of nothing", "spec.evaluation", "{examples: {}, call: {openAIChat: {}}}", "should have at least 1 properties"},
		{"no need", "spec.need", "", "spec.need: Required value"},
		{"no outcome", "spec.need.outcomes", "[]", "should have at least 1 items"},
		{"an outcome backwards", "spec.need.outcomes.0.target", `"70"`, "target must lie beyond the baseline in the stated direction"},
		{"an outcome that stands still", "spec.need.outcomes.0.target", `"71"`, "target must lie beyond the baseline"},
		{"an outcome in words", "spec.need.outcomes.0.baseline", `"seventy"`, "should match"},
		{"two outcomes of one name", "spec.need.outcomes", `[{name: a, unit: x, direction: Increase, baseline: "1", target: "2"}, {name: a, unit: x, direction: Increase, baseline: "1", target: "3"}]`, "Duplicate value"},
		{"a long problem", "spec.need.problem", long, "may not be more than 1024"},
		{"no data", "spec.data.uses", "[]", "should have at least 1 items"},
		{"data twice", "spec.data.uses", "[a, a]", "Duplicate value"},
		{"a port for root", "spec.workload.container.port", "80", "serve on 1024 or above"},
		{"no port", "spec.workload.container.port", "0", "should be greater than or equal to 1"},
		{"an image with a blank", "spec.workload.container.image", `"a b"`, "should match"},
		{"an image by digest", "spec.workload.container.image", "registry.example.org/x@" + digest, ""},
		{"two kinds of workload", "spec.workload", `{}`, "should have at least 1 properties"},
		{"the operator's own variable", "spec.workload.container.env.0.name", "AFFINEUR_MODEL", "names that start with AFFINEUR_ are set by the operator"},
		{"too many variables", "spec.workload.container.env", many, "must have at most 64 items"},
		{"a secret over the operator's files", "spec.workload.container.secrets.0.mountPath", "/var/run/affineur/keys", "must lie outside /var/run/affineur"},
		{"a secret somewhere else", "spec.workload.container.secrets.0.mountPath", "/etc/../proc", "must not contain '..'"},
		{"a secret of another namespace", "spec.workload.container.secrets.0.name", "other/secret", "should match"},
		{"no memory", "spec.workload.container.resources.memory", `"0"`, "memory must be a quantity above zero, such as 512Mi"},
		{"memory in words", "spec.workload.container.resources.memory", "much", "memory must be a quantity above zero"},
		{"health elsewhere", "spec.workload.container.health.path", "http://169.254.169.254/", "should match"},
		{"a request elsewhere", "spec.demand.request.path", "//evil.example.org", ""}, // a path of the prototype's own Service all the same
		{"a request that is no path", "spec.demand.request.path", "evil.example.org", "should match"},
		{"people without an hour", "spec.demand", "{people: 10, answerWithin: 2s}", "say how many requests to expect: people and busiestHour, or requestsPerSecond"},
		{"no answer time", "spec.demand", "{people: 10, busiestHour: 10}", "say how fast an answer must come: answerWithin, or latencyP95"},
		{"an answer at once", "spec.demand.answerWithin", "0s", "must be a duration above zero, such as 2s"},
		{"answers that begin in time", "spec.demand.firstByteWithin", "500ms", ""},
		{"answers that begin when they are complete", "spec.demand.firstByteWithin", "2s", ""},
		{"answers that begin at once", "spec.demand.firstByteWithin", "0s", "must be a duration above zero, such as 500ms"},
		{"answers that begin after they end", "spec.demand.firstByteWithin", "3s", "an answer can't begin after it is complete"},
		{"answers that begin after the 95th percentile", "spec.demand", `{requestsPerSecond: "20", answerWithin: 5s, latencyP95: 800ms, firstByteWithin: 1s}`, "an answer can't begin after it is complete"},
		{"requests per second", "spec.demand", `{requestsPerSecond: "20", latencyP95: 800ms}`, ""},
		{"no requests per second", "spec.demand", `{requestsPerSecond: "0", latencyP95: 800ms}`, "requestsPerSecond must be above zero"},
		{"a lifetime of nothing", "spec.sandbox.lifetime", "0s", "must be a duration above zero, such as 336h"},
		{"a model without a version", "spec.model.version", "", "spec.model.version: Required value"},
		{"a name that is too long", "metadata.name", strings.Repeat("a", 64), "63"},
	})
}

const goodDecision = `
apiVersion: affineur.dev/v1alpha1
kind: HardeningDecision
metadata: {name: good, namespace: membership}
spec:
  review: {name: advisor-1, uid: 5f0c7f1e-0000-4000-8000-000000000000}
  reviewDigest: sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef
  role: security
  verdict: Approve
  reason: Findings mended.
`

func TestDecisionSchema(t *testing.T) {
	const says = "a Reject, and only a Reject, says under reject.approveWhen what would have to change"
	trySchema(t, goodDecision, as(sam, itSecurity), []schemaCase{
		{"a rejection without a way out", "spec.verdict", "Reject", says},
		{"an approval with conditions", "spec.reject", "{approveWhen: never}", says},
		{"another digest", "spec.reviewDigest", "sha256:0123", "should match"},
		{"no digest", "spec.reviewDigest", "", "spec.reviewDigest: Required value"},
		{"no review", "spec.review.uid", "", "spec.review.uid: Required value"},
		{"another verdict", "spec.verdict", "Maybe", "Unsupported value"},
		{"a revocation", "spec.verdict", "Revoke", ""},
		{"a long reason", "spec.reason", strings.Repeat("x", 1025), "may not be more than 1024"},
	})
}

const goodReview = `
apiVersion: affineur.dev/v1alpha1
kind: HardeningReview
metadata: {name: good, namespace: membership}
spec:
  prototype: {name: advisor, uid: 5f0c7f1e-0000-4000-8000-000000000000}
  subjectDigest: sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef
  reviewDigest: sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef
  tier: Standard
  requestedBy: ann@example.org
  authors: [ann@example.org]
  record: advisor-0a1b2c3d-1
`

func TestReviewSchema(t *testing.T) {
	trySchema(t, goodReview, as(operator), []schemaCase{
		{"without authors", "spec.authors", "[]", "should have at least 1 items"},
		{"an author twice", "spec.authors", "[a, a]", "Duplicate value"},
		{"without a record", "spec.record", "", "spec.record: Required value"},
		{"another digest", "spec.subjectDigest", "sha512:0", "should match"},
	})
	must(t, as(operator).Create(t.Context(), manifest(t, goodReview)))
	changed := manifest(t, goodReview)
	// With every right, so that what refuses is the schema.
	full := as(operator, administrators)
	err := full.Patch(t.Context(), changed, client.RawPatch("application/merge-patch+json", []byte(`{"spec":{"tier":"Low"}}`)))
	if err == nil || !strings.Contains(err.Error(), "a review never changes: a new subject gets a review of its own") {
		t.Errorf("a review changed: %v", err)
	}
	must(t, full.Delete(t.Context(), manifest(t, goodReview)))
}

const goodPolicy = `
apiVersion: affineur.dev/v1alpha1
kind: HardeningPolicy
metadata: {name: good}
spec:
  appliesTo: {namespaceSelector: {matchLabels: {affineur.dev/ai-sandbox: never}}}
  teams: [{name: membership, groups: [team-membership]}]
  dataRules: [{name: renewal-dates, class: Internal}, {name: feedback, class: Confidential, categories: [PersonalData]}]
  sandbox:
    registries: [{prefix: registry.example.org/}]
    access: {portForward: true}
  catalogue:
    modelGateways:
    - name: default
      address: http://gateway.models.svc:8080/v1
      to: {pods: {namespace: models, podLabels: {app: gateway}, port: 8080}}
      mayCarry: {classes: [Public, Internal]}
      credentials: {secret: {name: gateway-keys}}
    integrations:
    - name: lms
      sandbox: {address: "https://lms-test.lms.svc:443", to: {pods: {namespace: lms, podLabels: {app: lms-test}, port: 8443}}}
      production: {address: "https://lms.example.org:443", to: {cidr: {range: 203.0.113.0/24, port: 443}}}
      check: {https: {path: /health, expectStatus: 200}}
  gates:
  - {name: security, type: Security}
  - {name: scalability, type: Scalability, scalability: {headroom: "1.5", duration: 60s}}
  - {name: integration, type: Integration}
  roles: [{name: security, groups: [it-security]}]
  tiers: [{name: Standard, when: "true", gates: [security, scalability, integration], approvals: [{role: security}]}]
  production: {replicas: {min: 2, max: 20}, ingress: {from: [{pods: {namespace: callers, podLabels: {app: caller}}}]}}
`

func pilotGateway(domain string) string {
	return "{name: people, namespace: gateways, sectionName: signed-in, domain: " + domain + ", from: {namespace: gateways, podLabels: {app: gateway}}}"
}

func TestPolicySchema(t *testing.T) {
	to := "spec.catalogue.integrations.0.production.to"
	trySchema(t, goodPolicy, admin, []schemaCase{
		{"the whole cluster", "spec.appliesTo.namespaceSelector", "{}", "an empty selector would govern the whole cluster"},
		{"without scalability", "spec.gates", "[{name: security, type: Security}, {name: s2, type: Security}, {name: integration, type: Integration}]", "must each be there and Required"},
		{"advisory security", "spec.gates.0.enforcement", "Advisory", "must each be there and Required"},
		{"a second security gate that no tier has", "spec.gates", besides("{name: security2, type: Security}"), "every tier must contain the Required gates"},
		{"measurements that count for seconds", "spec.gates.0.maxAge", "59s", "a measurement counts for a minute at least"},
		{"settings of another gate", "spec.gates.0.scalability", "{}", "scalability is for a gate of type Scalability"},
		{"a report of another operator", "spec.gates", besides(resourceGate("")), ""},
		{"a report by two names", "spec.gates", besides(resourceGate("nameExpression: prototype.name")), "exactly one of name and nameExpression"},
		{"a report in two namespaces", "spec.gates", besides(resourceGate("namespaceExpression: prototype.sandboxNamespace")), "at most one of namespace and namespaceExpression"},
		{"a report that is a Secret", "spec.gates", besides(strings.Replace(resourceGate(""), "ScanReport", "Secret", 1)), "a Secret is never read"},
		{"a report of any age", "spec.gates", besides(resourceGate("maxAge: 0s")), "maxAge must be from 1m to 8760h"},
		{"a report without failure", "spec.gates", besides(strings.Replace(resourceGate(""), "failureWhen: object.bad, ", "", 1)), "failureWhen: Required value"},
		{"a Resource gate without a resource", "spec.gates", besides("{name: own, type: Resource}"), "which needs it"},
		{"a job's settings for a metric", "spec.gates", besides("{name: own, type: Metric, job: {image: " + pinned + "}}"), "which needs it"},
		{"a metric", "spec.gates", besides(metricGate("address: http://prometheus.monitoring.svc:9090")), ""},
		{"a metric by another scheme", "spec.gates", besides(metricGate("address: file:///etc/passwd")), "address must be an http or https URL"},
		{"a credential for a metric in the clear", "spec.gates", besides(metricGate("address: http://prometheus.monitoring.svc:9090, credentials: {secret: {name: a}}")), "a credential goes over TLS"},
		{"a credential for a metric", "spec.gates", besides(metricGate("address: https://prometheus.monitoring.svc:9090, credentials: {secret: {name: a}}, ca: {name: b}")), ""},
		{"a job", "spec.gates", besides("{name: own, type: Job, job: {image: " + pinned + ", network: Closed, settings: [{name: path, value: /v1}]}}"), ""},
		{"a job by tag", "spec.gates", besides("{name: own, type: Job, job: {image: registry.example.org/it/house-style:1}}"), "should match"},
		{"a job on another network", "spec.gates", besides("{name: own, type: Job, job: {image: " + pinned + ", network: Host}}"), "Unsupported value"},
		{"a setting twice", "spec.gates", besides("{name: own, type: Job, job: {image: " + pinned + ", settings: [{name: a}, {name: a}]}}"), "Duplicate value"},
		{"a job for a day", "spec.gates", besides("{name: own, type: Job, job: {image: " + pinned + ", length: 24h}}"), "length must be from 10s to 1h"},
		{"a climb to eight times the demand", "spec.gates.1.scalability.climbTo", `"8"`, ""},
		{"no climb", "spec.gates.1.scalability.climbTo", `"1"`, ""},
		{"a climb down", "spec.gates.1.scalability.climbTo", `"0.5"`, "climbTo is a factor from 1 to 64"},
		{"a climb without end", "spec.gates.1.scalability.climbTo", `"65"`, "climbTo is a factor from 1 to 64"},
		{"a climb to a word", "spec.gates.1.scalability.climbTo", `high`, "should match"},
		{"right answers", "spec.gates", besides(`{name: answers, type: Quality, quality: {minimumExamples: 50, passRateLowerBound: "0.8", slices: [{name: "*", passRateLowerBound: "0.5"}], repeats: 3, nonRegression: None}}`), ""},
		{"right answers as they are", "spec.gates", besides("{name: answers, type: Quality}"), ""},
		{"right answers of another gate", "spec.gates.0.quality", "{}", "quality is for a gate of type Quality"},
		{"an evaluation by IT", "spec.gates", besides("{name: answers, type: Quality, quality: {import: {format: InspectAI, scorer: match, image: " + pinned + ", args: [eval, $(AFFINEUR_URL)], length: 1h}}}"), ""},
		{"an evaluation by a tag", "spec.gates", besides("{name: answers, type: Quality, quality: {import: {format: Promptfoo, image: registry.example.org/it/golden:1}}}"), "should match"},
		{"an evaluation of no known form", "spec.gates", besides("{name: answers, type: Quality, quality: {import: {format: Sheet, image: " + pinned + "}}}"), "Unsupported value"},
		{"an evaluation that takes for ever", "spec.gates", besides("{name: answers, type: Quality, quality: {import: {format: Promptfoo, length: 4h, image: " + pinned + "}}}"), "length must be from 10s to 3h"},
		{"a judge", "spec.gates", besides("{name: answers, type: Quality, quality: {judge: {gateway: default, model: example-large, rubric: Polite., examples: 20}}}"), ""},
		{"a judge of nothing", "spec.gates", besides("{name: answers, type: Quality, quality: {judge: {gateway: default, model: example-large, rubric: ''}}}"), "should be at least 1 chars long"},
		{"a judge of a book", "spec.gates", besides("{name: answers, type: Quality, quality: {judge: {gateway: default, model: example-large, rubric: " + strings.Repeat("x", 4097) + "}}}"), "Too long"},
		{"a judge of everything", "spec.gates", besides("{name: answers, type: Quality, quality: {judge: {gateway: default, model: example-large, rubric: Polite., examples: 201}}}"), "less than or equal to 200"},
		{"a judge of an image's results", "spec.gates", besides("{name: answers, type: Quality, quality: {judge: {gateway: default, model: m, rubric: Polite.}, import: {format: InspectAI, image: " + pinned + "}}}"), "a judge looks at answers to the prototype's own examples"},
		{"all answers right", "spec.gates", besides(`{name: answers, type: Quality, quality: {passRateLowerBound: "1.0"}}`), "should match"},
		{"no answers right", "spec.gates", besides(`{name: answers, type: Quality, quality: {passRateLowerBound: "0.0"}}`), "a share above 0 and at most 0.998"},
		{"more examples than a set holds", "spec.gates", besides(`{name: answers, type: Quality, quality: {minimumExamples: 2001}}`), "less than or equal to 2000"},
		{"a floor for no slice", "spec.gates", besides(`{name: answers, type: Quality, quality: {slices: [{name: "a b", passRateLowerBound: "0.5"}]}}`), "should match"},
		{"less than the demand", "spec.gates.1.scalability.headroom", `"0.5"`, "headroom below 1 would measure less than the demand"},
		{"a tier without a required gate", "spec.tiers.0.gates", "[security, scalability, security2]", "a tier names a gate that is not in gates"},
		{"an unknown role", "spec.tiers.0.approvals", "[{role: legal}]", "a tier asks for the approval of a role that is not in roles"},
		{"a role of the cluster's", "spec.roles.0.groups", "[\"system:masters\"]", "groups that start with system: name no people"},
		{"approvals for minutes", "spec.tiers.0.approvalsValidFor", "30m", "approvals count for an hour at least"},
		{"approvals for years", "spec.tiers.0.approvalsValidFor", "8761h", "and for a year (8760h) at most"},
		{"approvals for a while", "spec.tiers.0.approvalsValidFor", "soon", "type conversion error"},
		{"approvals for a quarter", "spec.tiers.0.approvalsValidFor", "2160h", ""},
		{"no teams", "spec.teams", "[]", "should have at least 1 items"},
		{"into our own namespaces", "spec.catalogue.modelGateways.0.to.pods.namespace", "affineur-system", "can't lead into the cluster's or the operator's own namespaces"},
		{"into a sandbox", "spec.catalogue.modelGateways.0.to.pods.namespace", "affx-other", "can't lead into the cluster's or the operator's own namespaces"},
		{"a wide range", to + ".cidr.range", "203.0.0.0/8", "at least /24"},
		{"metadata", to + ".cidr.range", "169.254.169.254/32", "special-use ranges"},
		{"the host itself", to + ".cidr.range", "127.0.0.1/32", "special-use ranges"},
		{"carrier-grade NAT", to + ".cidr.range", "100.64.1.0/24", "special-use ranges"},
		{"unique-local", to + ".cidr.range", "fd00::/64", "special-use ranges"},
		{"a mapped address", to + ".cidr.range", `"::ffff:169.254.169.254/128"`, "range must be a CIDR"},
		{"a mapped range", to + ".cidr.range", `"::ffff:169.254.0.0/112"`, "range must be a CIDR"},
		{"around a loopback", to + ".cidr.range", `"::/64"`, "special-use ranges"},
		{"around a metadata service", to + ".cidr.range", "168.63.129.0/24", "special-use ranges"},
		{"around another", to + ".cidr.range", "192.0.0.0/24", "special-use ranges"},
		{"behind a translator", to + ".cidr.range", "64:ff9b::a9fe:a9fe/128", "special-use ranges"},
		{"in a 6to4 address", to + ".cidr.range", "2002:a9fe:a9fe::/64", "special-use ranges"},
		{"in an IPv4-compatible address", to + ".cidr.range", `"::a9fe:a9fe/128"`, "special-use ranges"},
		{"link-local over IPv6", to + ".cidr.range", "fe80::/64", "special-use ranges"},
		{"a metadata service over IPv6", to + ".cidr.range", "fd00:ec2::254/128", "special-use ranges"},
		{"broadcast", to + ".cidr.range", "255.255.255.255/32", "special-use ranges"},
		{"from the middle", to + ".cidr.range", "203.0.113.7/24", "must begin at its first address"},
		{"a narrow one", to + ".cidr.range", "203.0.113.7/32", ""},
		{"a narrow one over IPv6", to + ".cidr.range", "2001:db8::7/128", ""},
		{"a gateway for pilots", "spec.sandbox.access.gateway", pilotGateway("pilots.example.org"), ""},
		{"a domain with an empty label", "spec.sandbox.access.gateway", pilotGateway("pilots..org"), "should match"},
		{"a domain with a label too long", "spec.sandbox.access.gateway", pilotGateway(strings.Repeat("a", 64) + ".org"), "should match"},
		{"a gateway without pods", "spec.sandbox.access.gateway", "{name: people, namespace: gateways, domain: example.org}", "from: Required value"},
		{"no range", to + ".cidr.range", "everywhere", "range must be a CIDR"},
		{"two destinations", to, "{cidr: {range: 203.0.113.0/24, port: 443}, pods: {namespace: a, podLabels: {a: b}, port: 1}}", "must have at most 1 item"},
		{"no way to check", "spec.catalogue.integrations.0.check", "{}", "should have at least 1 properties"},
		{"an address of another scheme", "spec.catalogue.integrations.0.production.address", "file:///etc/passwd", "address must be an http, https, tcp or tls URL"},
		{"an integration without a port", "spec.catalogue.integrations.0.production.address", "https://lms.example.org", "with a host and a port"},
		{"an answer by its schema", "spec.catalogue.integrations.0.check", `{https: {answer: {contentType: application/json, schema: "{type: object}"}}}`, ""},
		{"an answer by its operation", "spec.catalogue.integrations.0.check", "{https: {answer: {openAPI: {configMap: {name: lms-api}, operation: getHealth}}}}", ""},
		{"an answer of no kind", "spec.catalogue.integrations.0.check", "{https: {answer: {}}}", "should have at least 1 properties"},
		{"a long schema", "spec.catalogue.integrations.0.check", "{https: {answer: {schema: " + strings.Repeat("x", 4097) + "}}}", "may not be more than 4096"},
		{"a body to read", "spec.catalogue.integrations.0.check", "{https: {body: \"{}\"}}", "a body goes with method POST"},
		{"a body to post", "spec.catalogue.integrations.0.check", "{https: {method: POST, body: \"{}\"}}", ""},
		{"a method that deletes", "spec.catalogue.integrations.0.check", "{https: {method: DELETE}}", "Unsupported value"},
		{"a head with a schema", "spec.catalogue.integrations.0.check", `{https: {method: HEAD, answer: {schema: "{type: object}"}}}`, "an answer to HEAD has no body for a schema"},
		{"a credential in the clear", "spec.catalogue.integrations.0", `{name: lms, production: {address: "http://lms.example.org:80", to: {cidr: {range: 203.0.113.0/24, port: 80}}, credentials: {secret: {name: lms}}}, check: {http: {}}}`, "a credential goes over TLS"},
		{"a credential to pods", "spec.catalogue.integrations.0", `{name: lms, production: {address: "http://lms.lms.svc:80", to: {pods: {namespace: lms, podLabels: {app: lms}, port: 80}}, credentials: {secret: {name: lms}}}, check: {http: {}}}`, ""},
		{"certificates for a month", "spec.gates.2.integration", "{certificateValidFor: 720h, minTLSVersion: \"1.3\", whenDown: Required}", ""},
		{"certificates for ever", "spec.gates.2.integration", "{certificateValidFor: 8761h}", "certificateValidFor is a duration from 0s to 8760h"},
		{"old TLS", "spec.gates.2.integration", "{minTLSVersion: \"1.1\"}", "Unsupported value"},
		{"a privacy gate", "spec.gates", besides("{name: privacy, type: Privacy, privacy: {records: 8, userHeader: Remote-User, answerWithin: 30s, allowed: {kinds: [EMail], values: [\"@example.org\"]}}}"), ""},
		{"a privacy gate as usual", "spec.gates", besides("{name: privacy, type: Privacy}"), ""},
		{"privacy of another gate", "spec.gates.0.privacy", "{}", "privacy is for a gate of type Privacy"},
		{"two records", "spec.gates", besides("{name: privacy, type: Privacy, privacy: {records: 2}}"), "should be greater than or equal to 4"},
		{"a header of two lines", "spec.gates", besides("{name: privacy, type: Privacy, privacy: {userHeader: \"a\\nb\"}}"), "should match"},
		{"an answer at any time", "spec.gates", besides("{name: privacy, type: Privacy, privacy: {answerWithin: 1h}}"), "answerWithin is a duration from 1s to 10m"},
		{"another kind of personal data", "spec.gates", besides("{name: privacy, type: Privacy, privacy: {allowed: {kinds: [Shoe]}}}"), "Unsupported value"},
		{"an assurance", "spec.catalogue.modelGateways.0.assurance", assured(""), ""},
		{"an assurance of everything", "spec.catalogue.integrations.0.assurance", assured("retention: 24h, residency: eu"), ""},
		{"an assurance that nobody read", "spec.catalogue.modelGateways.0.assurance", "{trainsOnInputs: Never, document: a, validUntil: \"2027-03-31\"}", "checkedBy: Required value"},
		{"an assurance for ever", "spec.catalogue.modelGateways.0.assurance", "{trainsOnInputs: Never, document: a, checkedBy: security, validUntil: never}", "should match"},
		{"an assurance about nothing", "spec.catalogue.modelGateways.0.assurance", "{trainsOnInputs: Perhaps, document: a, checkedBy: security, validUntil: \"2027-03-31\"}", "Unsupported value"},
		{"kept for less than nothing", "spec.catalogue.modelGateways.0.assurance", assured("retention: -1h"), "retention must not be below zero"},
		{"what data asks for", "spec.dataRules.0", "{name: other, class: Confidential, residency: [eu, ch], maxRetention: 0s, mayTrain: OptOut}", ""},
		{"less than nothing", "spec.dataRules.0", "{name: other, class: Confidential, maxRetention: -1s}", "maxRetention must not be below zero"},
		{"reports with all", "spec.reports", "{content: Full}", ""},
		{"reports with some", "spec.reports", "{content: Some}", "Unsupported value"},
		{"drift", "spec.production.modelDrift", "{every: 1m, onDrift: RollBack}", ""},
		{"drift as it is", "spec.production.modelDrift", "{}", ""},
		{"drift all the time", "spec.production.modelDrift", "{every: 59s}", "every minute at most"},
		{"drift once a year", "spec.production.modelDrift", "{every: 721h}", "every 720h at least"},
		{"drift of what acts", "spec.production.modelDrift", "{acting: Ask}", ""},
		{"drift of what acts, somehow", "spec.production.modelDrift", "{acting: Maybe}", "Unsupported value"},
		{"drift, and then", "spec.production.modelDrift", "{onDrift: Panic}", "Unsupported value"},
		{"fewer at most than at least", "spec.production.replicas", "{min: 5, max: 2}", "max must not be below min"},
		{"a registry without a boundary", "spec.sandbox.registries.0.prefix", "registry.example.org", "should match"},
		{"another data class", "spec.dataRules.0.class", "Secret", "Unsupported value"},
	})
}

var pinned = "registry.example.org/it/house-style@sha256:" + strings.Repeat("a", 64)

// assured is an assurance with more in it.
func assured(more string) string {
	if more != "" {
		more = ", " + more
	}
	return "{trainsOnInputs: Never, document: contract 7, checkedBy: security, validUntil: \"2027-03-31\"" + more + "}"
}

// besides the gates that every policy has.
func besides(gate string) string {
	return "[{name: security, type: Security}, {name: scalability, type: Scalability}, {name: integration, type: Integration}, " + gate + "]"
}

func resourceGate(more string) string {
	if more != "" {
		more = ", " + more
	}
	return "{name: own, type: Resource, resource: {apiVersion: scan.example.org/v1, kind: ScanReport, namespace: scanners, name: all, madeAt: object.at, failureWhen: object.bad, successWhen: object.good" + more + "}}"
}

func metricGate(source string) string {
	return "{name: own, type: Metric, metric: {source: {" + source + `}, query: "sum(rate(errors{namespace='$sandbox'}[$window]))", successWhen: result < 0.1, failureWhen: result >= 0.1}}`
}

// A pipeline that looks at once must see that nobody looked yet.
func TestDefaults(t *testing.T) {
	p := prototype("defaulted")
	must(t, as(ann, teamMembership).Create(t.Context(), p))
	if p.Status.ObservedGeneration != -1 {
		t.Errorf("a prototype: %d", p.Status.ObservedGeneration)
	}
	if p.Spec.Target != v1alpha1.TargetSandbox || p.Spec.Demand.ErrorRatio != "0.01" || p.Spec.Demand.Request.Path != "/" ||
		p.Spec.Workload.Container.Resources != (v1alpha1.Resources{CPU: "250m", Memory: "256Mi"}) {
		t.Errorf("%+v", p.Spec)
	}
	r := review("defaulted")
	must(t, as(operator).Create(t.Context(), r))
	if r.Status.ObservedGeneration != -1 {
		t.Errorf("a review: %d", r.Status.ObservedGeneration)
	}
	h := policyOf("defaulted")
	must(t, admin.Create(t.Context(), h))
	if h.Status.ObservedGeneration != -1 {
		t.Errorf("a policy: %d", h.Status.ObservedGeneration)
	}
	if h.Spec.Sandbox.DNS != "Cluster" || h.Spec.Production.Replicas != (v1alpha1.ReplicaRange{Min: 2, Max: 10}) || h.Spec.Tiers[0].Approvals[0].Quorum != 1 {
		t.Errorf("%+v", h.Spec)
	}
}
