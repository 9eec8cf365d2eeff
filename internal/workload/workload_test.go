package workload

import (
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	psaapi "k8s.io/pod-security-admission/api"
	psa "k8s.io/pod-security-admission/policy"
	"sigs.k8s.io/yaml"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/internal/evidence"
	"github.com/affineur/affineur/internal/names"
	"github.com/affineur/affineur/internal/policy"
	"github.com/affineur/affineur/internal/subject"
)

var update = flag.Bool("update", false, "write the golden files anew")

var identity = names.Identity{Namespace: "education", Name: "outliner", UID: "0b7f7b9a-1"}

func pods(namespace, app string, port int32) v1alpha1.Destination {
	return v1alpha1.Destination{Pods: &v1alpha1.PodDestination{Namespace: namespace, PodLabels: map[string]string{"app": app}, Port: port}}
}

// at are surroundings in which everything is used that can be.
func at(purpose string) Surroundings {
	namespace := map[string]string{
		v1alpha1.PurposeSandbox: identity.Sandbox(), v1alpha1.PurposeProduction: identity.Production(),
		v1alpha1.PurposeRehearsal: identity.Rehearsal(),
	}[purpose]
	return Surroundings{
		Identity: identity, Namespace: namespace, Purpose: purpose, SubjectDigest: "sha256:subject", SecretsDigest: "sha256:secrets",
		Requirements: policy.Requirements{
			DNS: "Cluster", Limits: v1alpha1.Resources{CPU: "2", Memory: "4Gi"},
			Team:     v1alpha1.Team{Name: "education", Groups: []string{"team-education"}},
			Registry: v1alpha1.Registry{Prefix: "registry.example.org/", PullSecret: &v1alpha1.LocalName{Name: "registry-pull"}},
			ModelGateway: &v1alpha1.ModelGateway{
				Name: "default", Address: "http://gateway.models.svc:8080/v1", To: pods("models", "gateway", 8080),
				Credentials: &v1alpha1.CredentialSource{Secret: v1alpha1.LocalName{Name: "gateway-keys"}},
			},
			Integrations: []v1alpha1.Integration{
				{
					Name:       "lms",
					Sandbox:    &v1alpha1.Endpoint{Address: "https://lms-test.lms.svc", To: pods("lms", "lms-test", 443)},
					Production: &v1alpha1.Endpoint{Address: "https://lms.lms.svc", To: pods("lms", "lms", 443), Credentials: &v1alpha1.CredentialSource{Secret: v1alpha1.LocalName{Name: "lms"}}},
				},
				{
					Name:       "crm",
					Production: &v1alpha1.Endpoint{Address: "https://192.0.2.7", To: v1alpha1.Destination{CIDR: &v1alpha1.CIDRDestination{Range: "192.0.2.7/32", Port: 443}}},
				},
			},
			Production: v1alpha1.ProductionPolicy{
				Replicas: v1alpha1.ReplicaRange{Min: 2, Max: 5},
				Ingress: v1alpha1.IngressPolicy{From: []v1alpha1.IngressSource{{
					Pods: &v1alpha1.PodSource{Namespace: "ingress", PodLabels: map[string]string{"app": "gateway"}},
				}}},
			},
		},
	}
}

func sample() subject.Subject {
	return subject.Subject{
		Schema: subject.Schema,
		Container: subject.Container{
			Image: "registry.example.org/education/outliner@sha256:" + strings.Repeat("a", 64), Port: 8080, Health: "/healthz",
			CPU: "500m", Memory: "512Mi", Scratch: "1Gi",
			Env:     []subject.Env{{Name: "TONE", Value: "friendly"}},
			Secrets: []subject.Secret{{Name: "outliner-token", MountPath: "/etc/secrets/outliner", Keys: []string{"token"}}},
		},
		Model: &subject.Model{Gateway: "default", Name: "example-large", Version: "4.7"},
	}
}

var purposes = []string{v1alpha1.PurposeSandbox, v1alpha1.PurposeProduction, v1alpha1.PurposeRehearsal}

// restricted evaluates a pod as the API server of v1.36 does.
func restricted(t *testing.T, meta *metav1.ObjectMeta, spec *corev1.PodSpec) string {
	t.Helper()
	evaluator, err := psa.NewEvaluator(psa.DefaultChecks(), nil)
	if err != nil {
		t.Fatal(err)
	}
	level := psaapi.LevelVersion{Level: psaapi.LevelRestricted, Version: psaapi.MajorMinorVersion(1, 36)}
	if result := psa.AggregateCheckResults(evaluator.EvaluatePod(level, meta, spec)); !result.Allowed {
		return result.ForbiddenDetail()
	}
	return ""
}

func TestPodsAreRestricted(t *testing.T) {
	for _, purpose := range purposes {
		pod := PodTemplate(sample(), at(purpose))
		if detail := restricted(t, &pod.ObjectMeta, &pod.Spec); detail != "" {
			t.Errorf("%s: %s", purpose, detail)
		}
		checkPod(t, purpose, pod)
	}
	job, err := aRun().Job()
	if err != nil {
		t.Fatal(err)
	}
	if detail := restricted(t, &job.Spec.Template.ObjectMeta, &job.Spec.Template.Spec); detail != "" {
		t.Errorf("runner: %s", detail)
	}
	checkPod(t, "runner", job.Spec.Template)

	pod := PodTemplate(sample(), at(v1alpha1.PurposeSandbox))
	pod.Spec.Containers[0].SecurityContext.AllowPrivilegeEscalation = nil
	if restricted(t, &pod.ObjectMeta, &pod.Spec) == "" {
		t.Error("the evaluation objects to nothing: it proves nothing")
	}
}

// checkPod asks for what Pod Security does not.
func checkPod(t *testing.T, what string, pod corev1.PodTemplateSpec) {
	t.Helper()
	if token := pod.Spec.AutomountServiceAccountToken; token == nil || *token {
		t.Errorf("%s: holds a token", what)
	}
	if links := pod.Spec.EnableServiceLinks; links == nil || *links {
		t.Errorf("%s: is told of every Service", what)
	}
	for _, c := range pod.Spec.Containers {
		if !*c.SecurityContext.ReadOnlyRootFilesystem {
			t.Errorf("%s: may write into its image", what)
		}
		if len(c.Resources.Limits) != 2 || !c.Resources.Limits.Cpu().Equal(*c.Resources.Requests.Cpu()) || !c.Resources.Limits.Memory().Equal(*c.Resources.Requests.Memory()) {
			t.Errorf("%s: resources %+v", what, c.Resources)
		}
	}
	for _, v := range pod.Spec.Volumes {
		if v.Secret == nil && (v.EmptyDir == nil || v.EmptyDir.SizeLimit == nil) {
			t.Errorf("%s: volume %s is neither a Secret nor bounded scratch", what, v.Name)
		}
	}
}

func aRun() Run {
	return Run{
		Identity: identity, Namespace: v1alpha1.GatesNamespace, Name: identity.Run("load", "1"), Component: ComponentCaller, Gate: "load",
		Image: "registry.example.org/it/gate-runner@sha256:" + strings.Repeat("b", 64),
		Order: evidence.RunSpec{
			Nonce: strings.Repeat("0", 32), Subject: "sha256:" + strings.Repeat("c", 64),
			Order: &evidence.IsolationSpec{Deadline: evidence.Duration(time.Second), Targets: []evidence.Target{{
				Name: "$(KUBERNETES_SERVICE_HOST)", Network: evidence.NetworkTCP, Mode: evidence.ModeConnect, Address: "192.0.2.1:443", Timeout: evidence.Duration(time.Second),
			}}},
		},
		Secrets: map[string]string{"/etc/a": "one", "/etc/b": "two"}, ServiceAccount: v1alpha1.RunnerAccount, DeadlineSeconds: 60, CPU: "200m", Memory: "128Mi",
	}
}

// A run is made once and ends: a second pod would answer the same question again, and the luckier answer might count. What it
// answers is bound by its Job.
func TestRunsAreMadeOnce(t *testing.T) {
	r := aRun()
	job, err := r.Job()
	if err != nil {
		t.Fatal(err)
	}
	spec := job.Spec
	if again := spec.BackoffLimit; again == nil || *again != 0 || spec.Template.Spec.RestartPolicy != corev1.RestartPolicyNever {
		t.Errorf("it is made again: %v, %s", again, spec.Template.Spec.RestartPolicy)
	}
	if within := spec.ActiveDeadlineSeconds; within == nil || *within != r.DeadlineSeconds {
		t.Errorf("it may take %v", within)
	}
	if job.Annotations[v1alpha1.AnnotationNonce] != r.Order.Nonce || job.Annotations[v1alpha1.AnnotationInputs] != r.Order.Subject {
		t.Errorf("bound by %v", job.Annotations)
	}
}

// A file whose content no order binds lies beside the others, and the order does not speak of it.
func TestFilesThatNoOrderBinds(t *testing.T) {
	r := aRun()
	r.Unbound = map[string][]byte{"judge-key": []byte("k")}
	if got := r.FileSecret(); got != nil {
		t.Errorf("nobody mounts %+v", got)
	}
	r.Files = map[string][]byte{"examples": []byte("a")}
	data := r.FileSecret().Data
	if len(r.Files) != 1 || len(data) != 2 || string(data["judge-key"]) != "k" || string(data["examples"]) != "a" {
		t.Errorf("files %v, and the Secret has %v", r.Files, data)
	}
	job, err := r.Job()
	if err != nil {
		t.Fatal(err)
	}
	if raw := job.Spec.Template.Spec.Containers[0].Env[0].Value; !strings.Contains(raw, `"examples"`) || strings.Contains(raw, "judge-key") {
		t.Error(raw)
	}
}

// podOf a run, which has to be a restricted one.
func podOf(t *testing.T, r Run) *corev1.PodTemplateSpec {
	t.Helper()
	job, err := r.Job()
	if err != nil {
		t.Fatal(err)
	}
	pod := &job.Spec.Template
	if detail := restricted(t, &pod.ObjectMeta, &pod.Spec); detail != "" {
		t.Error(detail)
	}
	return pod
}

// A run that bears witness sees in a file when it need no longer; no other one is told anything.
func TestWitnessesAreTold(t *testing.T) {
	r := aRun()
	told := func() []corev1.Volume {
		return slices.DeleteFunc(podOf(t, r).Spec.Volumes, func(v corev1.Volume) bool { return v.DownwardAPI == nil })
	}
	if found := told(); len(found) != 0 {
		t.Errorf("got %+v", found)
	}
	evidence.As[evidence.IsolationSpec](r.Order.Order).Told = true
	found := told()
	if len(found) != 1 || len(found[0].DownwardAPI.Items) != 1 {
		t.Fatalf("got %+v", found)
	}
	if item := found[0].DownwardAPI.Items[0]; item.Path != evidence.ToldFile || item.FieldRef.FieldPath != "metadata.annotations['affineur.dev/witnessed']" {
		t.Errorf("got %+v", item)
	}
}

// A tool of IT's runs before the runner, knows no more than where the prototype is and where it may write, and can't speak
// for the runner.
func TestToolsRunBefore(t *testing.T) {
	r := aRun()
	r.Tool = &Tool{Image: "registry.example.org/it/golden@sha256:" + strings.Repeat("d", 64), Args: []string{"-o", "$(AFFINEUR_RESULTS)/a.json"},
		Env: map[string]string{"AFFINEUR_URL": "http://prototype.$(x).svc"}, CPU: "500m", Memory: "512Mi"}
	r.Files = map[string][]byte{"examples": []byte("a")}
	pod := podOf(t, r)
	checkPod(t, "tool", *pod)
	tool, runner := pod.Spec.InitContainers[0], pod.Spec.Containers[0]
	if len(pod.Spec.InitContainers) != 1 || tool.Image != r.Tool.Image || tool.RestartPolicy != nil || tool.Args[1] != "$(AFFINEUR_RESULTS)/a.json" || runner.Image != r.Image {
		t.Fatalf("got %+v", tool)
	}
	env := map[string]string{}
	for _, e := range tool.Env {
		env[e.Name] = e.Value
	}
	if env[evidence.RunEnv] != "" || env[evidence.ResultsEnv] != evidence.ResultsPath || env["HOME"] == "" || expand(env["AFFINEUR_URL"], nil) != "http://prototype.$(x).svc" {
		t.Errorf("got %+v", env)
	}
	writes := map[string]bool{}
	for _, mount := range tool.VolumeMounts {
		writes[mount.MountPath] = !mount.ReadOnly
	}
	if len(writes) != 2 || !writes[evidence.ResultsPath] || !writes[env["HOME"]] || env["TMPDIR"] != env["HOME"] {
		t.Errorf("the tool writes to %v", writes)
	}
	for _, mount := range runner.VolumeMounts {
		if !mount.ReadOnly || mount.MountPath == env["HOME"] {
			t.Errorf("the runner has %+v", mount)
		}
	}
}

// expand is what the kubelet makes of a value: $(NAME) becomes the variable's value where there is one, and $$ one $.
func expand(value string, variables map[string]string) string {
	var out strings.Builder
	for i := 0; i < len(value); i++ {
		if value[i] != '$' || i+1 == len(value) {
			out.WriteByte(value[i])
			continue
		}
		switch end := strings.IndexByte(value[i:], ')'); {
		case value[i+1] == '$':
			out.WriteByte('$')
			i++
		case value[i+1] == '(' && end > 0:
			name := value[i+2 : i+end]
			if v, ok := variables[name]; ok {
				out.WriteString(v)
			} else {
				out.WriteString("$(" + name + ")")
			}
			i += end
		default:
			out.WriteString(value[i : i+2])
			i++
		}
	}
	return out.String()
}

// TestValuesAreLiteral: whatever stands in a value, the program sees exactly that.
func TestValuesAreLiteral(t *testing.T) {
	for _, value := range []string{
		"friendly", "$(TONE)", "$$(TONE)", "$$$(TONE)", "costs $5", "$", "a$$b", "$(", "x$(TONE)y$(NOPE)z", "$(AFFINEUR_MODEL_URL)",
	} {
		s := sample()
		s.Container.Env = append(s.Container.Env, subject.Env{Name: "VALUE", Value: value})
		variables := map[string]string{}
		for _, e := range PodTemplate(s, at(v1alpha1.PurposeSandbox)).Spec.Containers[0].Env {
			variables[e.Name] = expand(e.Value, variables)
		}
		if got := variables["VALUE"]; got != value {
			t.Errorf("reviewed %q, the program sees %q", value, got)
		}
	}
	if expand("$(TONE)", map[string]string{"TONE": "x"}) != "x" {
		t.Error("the test's own expansion expands nothing")
	}
	job, err := aRun().Job()
	if err != nil {
		t.Fatal(err)
	}
	order, err := evidence.EncodeRun(aRun().Order)
	if err != nil {
		t.Fatal(err)
	}
	env := job.Spec.Template.Spec.Containers[0].Env[0]
	if got := expand(env.Value, map[string]string{"KUBERNETES_SERVICE_HOST": "203.0.113.1"}); got != string(order) {
		t.Errorf("the runner is asked %s", got)
	}
}

// TestEnvironment: what the operator hands in depends on the place, and comes after the prototype's own.
func TestEnvironment(t *testing.T) {
	for purpose, want := range map[string]map[string]string{
		v1alpha1.PurposeSandbox: {"AFFINEUR_INTEGRATION_LMS_URL": "https://lms-test.lms.svc", "AFFINEUR_INTEGRATION_CRM_URL": ""},
		v1alpha1.PurposeProduction: {"AFFINEUR_INTEGRATION_LMS_URL": "https://lms.lms.svc", "AFFINEUR_INTEGRATION_CRM_URL": "https://192.0.2.7",
			"AFFINEUR_MODEL_URL": "http://gateway.models.svc:8080/v1", "AFFINEUR_MODEL_NAME": "example-large", "AFFINEUR_MODEL_VERSION": "4.7"},
	} {
		have := map[string]string{}
		for _, e := range PodTemplate(sample(), at(purpose)).Spec.Containers[0].Env {
			have[e.Name] = e.Value
		}
		for name, value := range want {
			if have[name] != value {
				t.Errorf("%s: %s is %q, want %q", purpose, name, have[name], value)
			}
		}
	}
}

// TestNetworkPolicies compares with what a person read and found right.
func TestNetworkPolicies(t *testing.T) {
	for _, purpose := range purposes {
		var out strings.Builder
		for _, p := range NetworkPolicies(at(purpose), 8080) {
			raw, err := yaml.Marshal(p)
			if err != nil {
				t.Fatal(err)
			}
			out.WriteString("---\n" + string(raw))
		}
		file := filepath.Join("testdata", "networkpolicies-"+purpose+".yaml")
		if *update {
			if err := os.WriteFile(file, []byte(out.String()), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if out.String() != string(want) {
			t.Errorf("%s differs from %s; -update writes it anew:\n%s", purpose, file, out.String())
		}
	}
	without := at(v1alpha1.PurposeSandbox)
	without.Requirements.DNS, without.Requirements.ModelGateway, without.Requirements.Integrations = "None", nil, nil
	for _, p := range NetworkPolicies(without, 8080) {
		if len(p.Spec.Egress) > 0 {
			t.Errorf("%s lets something out although nothing is named: %+v", p.Name, p.Spec.Egress)
		}
	}
	closed := at(v1alpha1.PurposeProduction)
	closed.Requirements.Production.Ingress.From = nil
	for _, p := range NetworkPolicies(closed, 8080) {
		if len(p.Spec.Ingress) > 0 {
			t.Errorf("%s lets somebody in although nobody is named", p.Name)
		}
	}
}

// TestQuota: the replicas and one runner fit, with nothing to spare for another replica.
func TestQuota(t *testing.T) {
	for _, replicas := range []int64{1, 6} {
		hard := Quota(at(v1alpha1.PurposeProduction), sample().Container, replicas).Spec.Hard
		need := func(name corev1.ResourceName, count int64) resource.Quantity {
			total := RunnerQuota()[name]
			one := PodTemplate(sample(), at(v1alpha1.PurposeProduction)).Spec.Containers[0].Resources.Requests[name]
			one.Mul(count)
			total.Add(one)
			return total
		}
		for name, keys := range map[corev1.ResourceName][2]corev1.ResourceName{
			corev1.ResourceCPU:    {corev1.ResourceRequestsCPU, corev1.ResourceLimitsCPU},
			corev1.ResourceMemory: {corev1.ResourceRequestsMemory, corev1.ResourceLimitsMemory},
		} {
			for _, key := range keys {
				room, fits, more := hard[key], need(name, replicas), need(name, replicas+1)
				if room.Cmp(fits) < 0 || room.Cmp(more) >= 0 {
					t.Errorf("%d replicas: %s is %s, want at least %s and less than %s", replicas, key, room.String(), fits.String(), more.String())
				}
			}
		}
		if room := hard[corev1.ResourcePods]; room.Value() < replicas+1 {
			t.Errorf("%d replicas: %s pods", replicas, room.String())
		}
		for _, some := range []corev1.ResourceName{
			corev1.ResourcePods, corev1.ResourceServices, corev1.ResourceSecrets, corev1.ResourceConfigMaps,
			"count/deployments.apps", "count/replicasets.apps", "count/jobs.batch",
		} {
			if room, ok := hard[some]; !ok || room.IsZero() {
				t.Errorf("%s is not counted, or forbidden", some)
			}
		}
		for _, none := range []corev1.ResourceName{
			corev1.ResourceServicesNodePorts, corev1.ResourceServicesLoadBalancers, corev1.ResourcePersistentVolumeClaims,
			corev1.ResourceReplicationControllers, "count/statefulsets.apps", "count/daemonsets.apps", "count/cronjobs.batch",
		} {
			if room, ok := hard[none]; !ok || !room.IsZero() {
				t.Errorf("%s is not forbidden", none)
			}
		}
	}
}

// TestSelectors: a Service and a Deployment find the prototype's pods, and never a runner.
func TestSelectors(t *testing.T) {
	place := at(v1alpha1.PurposeProduction)
	pod := labels.Set(PodTemplate(sample(), place).Labels)
	runner := labels.Set(aRun().labels())
	for what, selector := range map[string]map[string]string{
		"Service": Service(sample(), place).Spec.Selector, "Deployment": Deployment(sample(), place, 2).Spec.Selector.MatchLabels,
	} {
		if s := labels.SelectorFromSet(selector); !s.Matches(pod) || s.Matches(runner) {
			t.Errorf("%s selects %v", what, selector)
		}
	}
}

func TestNamespace(t *testing.T) {
	for _, purpose := range purposes {
		namespace := Namespace(at(purpose), false)
		for label, want := range map[string]string{
			"pod-security.kubernetes.io/enforce": "restricted", "pod-security.kubernetes.io/enforce-version": "v1.36",
			v1alpha1.LabelManagedBy: v1alpha1.ManagedBy, v1alpha1.LabelPurpose: purpose, v1alpha1.LabelPrototypeUID: identity.UID,
		} {
			if namespace.Labels[label] != want {
				t.Errorf("%s: %s is %q, want %q", purpose, label, namespace.Labels[label], want)
			}
		}
	}
}

// TestRuntimeClass: what is reviewed, tried and promoted runs under the runtime that the policy wants, and so does what
// measures in its place.
func TestRuntimeClass(t *testing.T) {
	for _, purpose := range purposes {
		place := at(purpose)
		if name := PodTemplate(sample(), place).Spec.RuntimeClassName; name != nil {
			t.Errorf("%s: %s although nobody asks for one", purpose, *name)
		}
		place.Requirements.RuntimeClass = "kata"
		if name := PodTemplate(sample(), place).Spec.RuntimeClassName; name == nil || *name != "kata" {
			t.Errorf("%s: %v", purpose, name)
		}
	}
	plain, place := at(v1alpha1.PurposeSandbox), at(v1alpha1.PurposeSandbox)
	place.Requirements.RuntimeClass = "kata"
	less, more := Quota(plain, sample().Container, 1).Spec.Hard, Quota(place, sample().Container, 1).Spec.Hard
	if few, many := less[corev1.ResourceLimitsMemory], more[corev1.ResourceLimitsMemory]; many.Cmp(few) <= 0 {
		t.Errorf("no room for what a runtime adds to a pod: %s, without it %s", many.String(), few.String())
	}
	r := aRun()
	r.RuntimeClass = "kata"
	job, err := r.Job()
	if err != nil {
		t.Fatal(err)
	}
	if name := job.Spec.Template.Spec.RuntimeClassName; name == nil || *name != "kata" {
		t.Errorf("runner: %v", name)
	}
}

// Where the policy closes DNS, nothing in the sandbox may ask the resolver, the probe of its isolation included.
func TestDNSNoneClosesTheResolver(t *testing.T) {
	asks := func(policies []*networkingv1.NetworkPolicy) int {
		n := 0
		for _, p := range policies {
			for _, rule := range p.Spec.Egress {
				for _, port := range rule.Ports {
					if port.Port.IntVal == 53 {
						n++
					}
				}
			}
		}
		return n
	}
	for dns, want := range map[string]int{"Cluster": 2, "None": 0} {
		at := Surroundings{Identity: identity, Namespace: identity.Sandbox(), Purpose: v1alpha1.PurposeSandbox, Requirements: policy.Requirements{DNS: dns}}
		if got := asks(NetworkPolicies(at, 8080)); got != want {
			t.Errorf("dns %s: %d ports of the resolver are open, want %d", dns, got, want)
		}
	}
	probe := Run{Identity: identity, Component: ComponentProbe}
	load := Run{Identity: identity, Component: ComponentCaller, Resolves: true}
	if got := asks([]*networkingv1.NetworkPolicy{probe.AllowRun("a", nil)}); got != 0 {
		t.Error("a probe that is given addresses may ask the resolver")
	}
	if got := asks([]*networkingv1.NetworkPolicy{load.AllowRun("a", nil)}); got != 2 {
		t.Error("a load run can't resolve the name that it is given")
	}
}
