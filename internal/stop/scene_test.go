package stop

import (
	"slices"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/internal/evidence"
	"github.com/affineur/affineur/internal/names"
	"github.com/affineur/affineur/internal/run"
	"github.com/affineur/affineur/internal/workload"
)

var identity = names.Identity{Namespace: "membership", Name: "advisor", UID: "uid"}

// sceneOf is production as the stops want it, with one pod from after the cut.
func sceneOf(stops ...v1alpha1.EmergencyStop) Scene {
	at := workload.Surroundings{Identity: identity, Namespace: identity.Production(), Purpose: v1alpha1.PurposeProduction, Requirements: requirements()}
	namespace := workload.Namespace(at, false)
	s := Scene{Namespace: namespace, Identity: identity, Reach: ReachOf(at, "a@"+digest)}
	s.Facts = s.Reach.Facts()
	s.Effects = Of(stops, s.Facts)
	at.Severed = s.Effects.Severance()
	for _, p := range workload.NetworkPolicies(at, 8080) {
		s.Policies = append(s.Policies, *p)
	}
	s.Deployment = &appsv1.Deployment{Spec: appsv1.DeploymentSpec{Replicas: ptr.To[int32](1)}}
	s.Pods = []corev1.Pod{podOf("new", s.Effects.Mark())}
	return s
}

func podOf(name, mark string) corev1.Pod {
	return corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: name, Annotations: map[string]string{v1alpha1.AnnotationCutOff: mark}}}
}

// with changes a copy: what one row changes no other may see.
func (s Scene) with(change func(*Scene)) Scene {
	pods := s.Pods
	s.Pods, s.Deployment = nil, s.Deployment.DeepCopy()
	for i := range pods {
		s.Pods = append(s.Pods, *pods[i].DeepCopy())
	}
	change(&s)
	return s
}

func measuredAs(severed bool, message string) func(*Scene) {
	return func(s *Scene) {
		s.Measured = &Measured{Inputs: s.inputs(), Severed: severed, Message: message, At: start, Since: start}
	}
}

func TestMissing(t *testing.T) {
	gatewayCut, allCut, stopped := sceneOf(stopOf("s", sever, gateway)), sceneOf(stopOf("s", sever, membership)), sceneOf(stopOf("s", halt, membership))
	untouched := sceneOf().Policies
	for name, c := range map[string]struct {
		scene  Scene
		action v1alpha1.StopAction
		want   string
	}{
		"frozen":                       {sceneOf(stopOf("s", freeze, everything)), freeze, ""},
		"not measured":                 {gatewayCut, sever, "it is being measured"},
		"severed":                      {gatewayCut.with(measuredAs(true, "")), sever, ""},
		"severed all":                  {allCut.with(measuredAs(true, "")), sever, ""},
		"still reached":                {gatewayCut.with(measuredAs(false, "gateway default was still reached"+platformSees)), sever, "still reached"},
		"measured something else":      {gatewayCut.with(measuredAs(true, "")).with(func(s *Scene) { s.Policies = s.Policies[:1] }), sever, "it is being measured"},
		"the rule is there":            {gatewayCut.with(measuredAs(true, "")).with(func(s *Scene) { s.Policies = untouched }), sever, "still lets its pods go to gateway default"},
		"any rule is there":            {allCut.with(func(s *Scene) { s.Policies = untouched }), sever, "still opens something"},
		"a rule, and no pod":           {stopped.with(func(s *Scene) { s.Policies, s.Pods = untouched, nil }), halt, "still opens something"},
		"pods from before":             {gatewayCut.with(func(s *Scene) { s.Pods = append(s.Pods, podOf("old", "")) }), sever, "1 pods from before"},
		"pods of an earlier cut":       {gatewayCut.with(func(s *Scene) { s.Pods[0].Annotations[v1alpha1.AnnotationCutOff] = "earlier" }), sever, "1 pods from before"},
		"nothing runs":                 {sceneOf(stopOf("s", sever, gateway)).with(func(s *Scene) { s.Pods, s.Deployment = nil, nil }), sever, ""},
		"suspended, the rule is there": {gatewayCut.with(func(s *Scene) { s.Policies, s.Pods, s.Deployment = untouched, nil, nil }), sever, ""},
		"nothing runs yet":             {sceneOf(stopOf("s", sever, gateway)).with(func(s *Scene) { s.Pods = nil }), sever, "when a pod of the workload starts"},
		"measured long ago":            {gatewayCut.with(measuredAs(true, "")).with(func(s *Scene) { s.Measured.At = start.Add(-2 * measureEvery) }), sever, "it was last measured at"},
		"measured a while ago":         {gatewayCut.with(measuredAs(true, "")).with(func(s *Scene) { s.Measured.At = start.Add(time.Second - 2*measureEvery) }), sever, ""},
		"only a run is there":          {stopped.with(func(s *Scene) { s.Pods, s.Deployment = []corev1.Pod{runPod()}, nil }), halt, ""},
		"a pod that says it is a run":  {stopped.with(func(s *Scene) { s.Pods[0].Labels = runPod().Labels }), halt, "1 pods are stopping"},
		"a stranger's pod":             {gatewayCut.with(measuredAs(true, "")).with(func(s *Scene) { s.Stranger = s.stranger([]corev1.Pod{podOf("odd", "")}, nil) }), sever, "pod odd runs there"},
		"a stranger's rule":            {gatewayCut.with(measuredAs(true, "")).with(func(s *Scene) { s.Stranger = s.stranger(s.Pods, renamed(untouched)) }), sever, "network policy odd-"},
		"nobody strange":               {gatewayCut.with(measuredAs(true, "")).with(func(s *Scene) { s.Stranger = s.stranger(append(s.Pods, runPod()), s.Policies) }), sever, ""},
		"stopping":                     {stopped, halt, "1 pods are stopping"},
		"a pod that ended":             {stopped.with(func(s *Scene) { s.Pods[0].Status.Phase = corev1.PodSucceeded; s.Deployment = nil }), halt, ""},
		"to be scaled down":            {stopped.with(func(s *Scene) { s.Pods = nil }), halt, "is being stopped"},
		"stopped":                      {stopped.with(func(s *Scene) { s.Pods, s.Deployment.Spec.Replicas = nil, ptr.To[int32](0) }), halt, ""},
		"severed by a stronger one":    {sceneOf(stopOf("a", sever, gateway), stopOf("b", halt, everything)), sever, "1 pods are stopping"},
		"a rehearsal":                  {gatewayCut.with(rehearsal), sever, "rehearsal"},
		"leaving with a pod":           {allCut.with(leaving), sever, "ending with their namespace"},
		"leaving without":              {allCut.with(leaving).with(func(s *Scene) { s.Pods = nil }), sever, ""},
	} {
		t.Run(name, func(t *testing.T) {
			got := c.scene.missing(c.action, start)
			if (c.want == "") != (got == "") || !strings.Contains(got, c.want) {
				t.Errorf("missing %q, want %q", got, c.want)
			}
			if got != "" && !movedBy(got) {
				t.Errorf("%q does not say who moves it", got)
			}
		})
	}
}

// movedBy tells whether a line names who moves what is missing, and is told whole.
func movedBy(line string) bool {
	named := func(party string) bool { return strings.Contains(line, party) }
	return len(line) <= 256 && slices.ContainsFunc([]string{"operator", "platform team", "responder", "owner of the policy"}, named)
}

// twoPlaces has the gateway's entry lead somewhere else for a second revision.
func twoPlaces(s *Scene) {
	other := s.Reach.Gateways[0]
	other.To = v1alpha1.Destination{CIDR: &v1alpha1.CIDRDestination{Range: "198.51.100.0/24", Port: 443}}
	s.Reach = s.Reach.And(Reach{Gateways: []Place{other}})
}

// renamed are policies that are known under no such name.
func renamed(policies []networkingv1.NetworkPolicy) []networkingv1.NetworkPolicy {
	var out []networkingv1.NetworkPolicy
	for _, p := range policies {
		p.Name = "odd-" + p.Name
		out = append(out, p)
	}
	return out
}

func runPod() corev1.Pod {
	return corev1.Pod{ObjectMeta: metav1.ObjectMeta{
		Labels:          map[string]string{v1alpha1.LabelGate: gateInside},
		OwnerReferences: []metav1.OwnerReference{{Kind: "Job", Name: "stop", Controller: ptr.To(true)}},
	}}
}

func rehearsal(s *Scene) {
	s.Namespace = s.Namespace.DeepCopy()
	s.Namespace.Labels[v1alpha1.LabelPurpose] = v1alpha1.PurposeRehearsal
}

func leaving(s *Scene) {
	s.Namespace = s.Namespace.DeepCopy()
	s.Namespace.DeletionTimestamp = &metav1.Time{Time: start}
}

// inPod is a run that has a pod, which was told that it may end or was not.
func inPod(p Probe, told bool) Probe {
	p.Pod, p.Told = "control", told
	return p
}

func TestNext(t *testing.T) {
	cut := sceneOf(stopOf("s", sever, gateway))
	probe := func(state run.State, why string) Probe {
		return Probe{Result: run.Result{State: state, Why: why}, Inputs: cut.inputs()}
	}
	none, other := Probe{Result: run.Result{State: run.Absent}}, Probe{Result: run.Result{State: run.Running}, Inputs: "other"}
	ended, atWorkNow := probe(run.Measured, ""), probe(run.Running, atWork)
	severed, reached := cut.with(measuredAs(true, "")), cut.with(measuredAs(false, "reached"))
	for name, c := range map[string]struct {
		scene           Scene
		inside, control Probe
		at              time.Time
		want            Step
	}{
		"due":                         {cut, none, none, start, Begin},
		"control is starting":         {cut, none, probe(run.Running, "ContainerCreating"), start, Follow},
		"control is at work":          {cut, none, atWorkNow, start, Join},
		"both are":                    {cut, atWorkNow, atWorkNow, start, Follow},
		"control is to end":           {cut, ended, inPod(atWorkNow, false), start, Dismiss},
		"as is that of a lost run":    {cut, probe(run.Lost, ""), inPod(atWorkNow, false), start, Dismiss},
		"control heard of it":         {cut, ended, inPod(atWorkNow, true), start, Follow},
		"control is needed":           {cut, atWorkNow, inPod(atWorkNow, false), start, Follow},
		"both have ended":             {cut, ended, ended, start, Conclude},
		"control was lost before":     {cut, none, probe(run.Lost, ""), start, Conclude},
		"a run without control":       {cut, ended, none, start, Discard},
		"made for something else":     {cut, other, ended, start, Discard},
		"told":                        {severed, ended, ended, start.Add(time.Second), Discard},
		"severed":                     {severed, none, none, start.Add(time.Minute), Rest},
		"severed an hour ago":         {severed, none, none, start.Add(time.Hour), Begin},
		"reached a moment ago":        {reached, none, none, start.Add(time.Second), Rest},
		"reached":                     {reached, none, none, start.Add(retryLeast), Begin},
		"pods from before":            {cut.with(func(s *Scene) { s.Pods = []corev1.Pod{podOf("old", "")} }), none, none, start, Rest},
		"the rule is there":           {cut.with(func(s *Scene) { s.Policies = sceneOf().Policies }), none, none, start, Rest},
		"nothing runs":                {cut.with(func(s *Scene) { s.Pods = nil }), none, none, start, Rest},
		"stopped":                     {sceneOf(stopOf("s", halt, gateway)), none, none, start, Rest},
		"stopped while it measured":   {sceneOf(stopOf("s", halt, gateway)), none, atWorkNow, start, Discard},
		"lifted":                      {sceneOf().with(measuredAs(true, "")), none, none, start, Forget},
		"lifted while it measured":    {sceneOf().with(measuredAs(true, "")), ended, ended, start, Discard},
		"nothing was ever cut":        {sceneOf(), none, none, start, Rest},
		"a rehearsal is not measured": {cut.with(rehearsal), none, none, start, Rest},
	} {
		t.Run(name, func(t *testing.T) {
			if got, _ := c.scene.Next(c.inside, c.control, c.at); got != c.want {
				t.Errorf("%s, want %s", got, c.want)
			}
		})
	}
}

// result of trying a target from second 10 to second 14.
func result(name string, class evidence.Class) evidence.TargetResult {
	from, to := start.Add(10*time.Second), start.Add(14*time.Second)
	r := evidence.TargetResult{Name: name, Network: "tcp", Address: "198.51.100.7:8081", Class: class, Settled: true, Attempts: 3, Since: from, Until: to}
	if class == evidence.ClassNone {
		up := start
		r.Reached, r.Reaches, r.FirstReachedAt, r.LastReachedAt, r.UpSince = true, 3, &from, &to, &up
	}
	return r
}

func ran(results ...evidence.TargetResult) Probe {
	return Probe{Result: run.Result{State: run.Measured, Opened: &evidence.Opened{Report: &evidence.Report{
		Result: &evidence.IsolationReport{Targets: results}}}}}
}

func TestJudge(t *testing.T) {
	const up, silent = evidence.ClassNone, evidence.ClassTimeout
	cut := sceneOf(stopOf("s", sever, gateway))
	outside := ran(result(canaryTarget, up), result("gateway default#1", up))
	for name, c := range map[string]struct {
		inside, control Probe
		want            bool
		says            string
	}{
		"severed":              {ran(result(canaryTarget, silent), result("gateway default#1", silent)), outside, true, "nothing"},
		"rejected":             {ran(result(canaryTarget, evidence.ClassRefused), result("gateway default#1", evidence.ClassRefused)), outside, true, "nothing"},
		"reached":              {ran(result(canaryTarget, silent), result("gateway default#1", up)), outside, false, "gateway default was still reached"},
		"one of two reached":   {ran(result(canaryTarget, silent), result("gateway default#1", silent), result("gateway default#2", up)), outside, false, "still reached"},
		"UDP goes through":     {ran(result(canaryTarget, silent), result(canaryTarget+overUDP, up), result("gateway default#1", silent)), outside, false, "the canary over UDP was still reached"},
		"policies are ignored": {ran(result(canaryTarget, up), result("gateway default#1", silent)), outside, false, "not seen to be enforced"},
		"a dead canary":        {ran(result(canaryTarget, silent), result("gateway default#1", silent)), ran(result(canaryTarget, silent)), false, "not seen to be enforced"},
		"a dead gateway":       {ran(result(canaryTarget, silent), result("gateway default#1", evidence.ClassRefused)), ran(result(canaryTarget, up), result("gateway default#1", evidence.ClassRefused)), true, "nothing"},
		"no address":           {ran(result(canaryTarget, silent)), outside, false, "no address"},
		"a proxy answers":      {ran(result(canaryTarget, silent), result("gateway default#1", evidence.ClassUnanswered)), outside, false, "not clear"},
		"the probe was lost":   {Probe{Result: run.Result{State: run.Lost, Why: "OOMKilled"}}, outside, false, "the probe was lost: OOMKilled"},
		"the control was lost": {ran(result(canaryTarget, silent)), Probe{Result: run.Result{State: run.Lost, Why: "gone"}}, false, "the control was lost: gone"},
		"both never began":     {Probe{Result: run.Result{State: run.Absent}}, Probe{Result: run.Result{State: run.Absent}}, false, "could not be measured"},
	} {
		t.Run(name, func(t *testing.T) {
			got := cut.Judge(c.inside, c.control, start)
			if got.Severed != c.want || !strings.Contains(got.Message, c.says) || got.Inputs != cut.inputs() {
				t.Errorf("got %+v", got)
			}
			if !got.Severed && !movedBy(got.Message) {
				t.Errorf("%q does not say who moves it", got.Message)
			}
		})
	}
	twice := cut.with(twoPlaces)
	one, two := result("gateway default#1", silent), result("gateway default (2)#1", silent)
	if got := twice.Judge(ran(result(canaryTarget, silent), one), outside, start); got.Severed || !strings.Contains(got.Message, "gateway default (2) has no address") {
		t.Errorf("one place of two tried: %+v", got)
	}
	if got := twice.Judge(ran(result(canaryTarget, silent), one, two), outside, start); !got.Severed {
		t.Errorf("both places tried: %+v", got)
	}
	first := cut.Judge(ran(), ran(), start)
	cut.Measured = &first
	if second := cut.Judge(ran(), ran(), start.Add(time.Minute)); !second.Since.Equal(start) {
		t.Errorf("failing since %v", second.Since)
	}
}

// What is asked of both runs: the places that are cut, by address, and the canary; where everything is cut, also what
// was allowed before.
func TestTargets(t *testing.T) {
	one := Addresses{Canary: []string{"203.0.113.9"}, Resolver: []string{"203.0.113.10:53"}, Places: map[string][]string{"gateway default": {"198.51.100.1:8080"}}}
	both := Addresses{
		Canary: []string{"203.0.113.9", "2001:db8::9"}, Resolver: []string{"203.0.113.10:53", "[2001:db8::10]:53"},
		Places: map[string][]string{"gateway default": slices.Repeat([]string{"198.51.100.1:8080"}, perPlace+1)},
	}
	many := Addresses{Canary: both.Canary, Resolver: both.Resolver, Places: map[string][]string{}}
	for i := range 17 {
		many.Places["integration "+string(rune('a'+i))] = both.Places["gateway default"]
	}
	tried := func(s Scene, at Addresses) string {
		job, err := s.job("runner@"+digest, "0123456789abcdef", at, true)
		if err != nil {
			t.Fatal(err)
		}
		order, err := evidence.DecodeRun([]byte(job.Spec.Template.Spec.Containers[0].Env[0].Value))
		if err != nil {
			t.Fatal(err)
		}
		var out []string
		for _, target := range evidence.As[evidence.IsolationSpec](order.Order).Targets {
			out = append(out, target.Name)
		}
		return strings.Join(out, ", ")
	}
	gatewayCut, allCut := sceneOf(stopOf("s", sever, gateway)), sceneOf(stopOf("s", sever, membership))
	for _, c := range []struct{ got, want string }{
		{tried(gatewayCut, one), "the canary, the canary over UDP, gateway default#1"},
		{tried(gatewayCut, both), "the canary, the canary over UDP, the canary#2, the canary over UDP#2, gateway default#1, gateway default#2, " +
			"gateway default#3, gateway default#4, gateway default#5, gateway default#6"},
		{tried(allCut, one), "the canary, the canary over UDP, what only probes may reach, what only probes may reach over UDP, the resolver, gateway default#1"},
		{tried(allCut, both), "the canary, the canary over UDP, the canary#2, the canary over UDP#2, what only probes may reach, " +
			"what only probes may reach over UDP, what only probes may reach#2, what only probes may reach over UDP#2, the resolver, the resolver#2, gateway default#1"},
	} {
		if !strings.HasPrefix(c.got, c.want) {
			t.Errorf("tried %s", c.got)
		}
	}
	if got := tried(allCut, many); strings.Count(got, ",")+1 > maxTargets || !strings.Contains(got, "integration q#3") {
		t.Errorf("of many tried %s", got)
	}
	for _, target := range gatewayCut.targets(both, false) {
		if wanted := target.Name == canaryTarget; wanted != (target.Settle == evidence.SettleReached) {
			t.Errorf("the control waits for %s: %s", target.Name, target.Settle)
		}
	}
}

// The run inside is where the workload's newest pod is, and runs as it does; when that moves, it is measured anew.
func TestProbeIsWhereTheWorkloadIs(t *testing.T) {
	s := sceneOf(stopOf("s", sever, gateway)).with(func(s *Scene) {
		older := podOf("older", s.Effects.Mark())
		older.Spec.NodeName, older.CreationTimestamp = "node-1", metav1.NewTime(start)
		s.Pods[0].Spec.NodeName, s.Pods[0].CreationTimestamp = "node-2", metav1.NewTime(start.Add(time.Minute))
		s.Pods[0].Spec.RuntimeClassName = ptr.To("kata")
		s.Pods = append(s.Pods, older)
	})
	in, out := s.probe("runner@"+digest, true), s.probe("runner@"+digest, false)
	if in.Node != "node-2" || in.RuntimeClass != "kata" || out.Node != "" || out.RuntimeClass != "" {
		t.Errorf("inside on %q under %q, the control on %q under %q", in.Node, in.RuntimeClass, out.Node, out.RuntimeClass)
	}
	s = s.with(measuredAs(true, ""))
	if left := s.missing(sever, start); left != "" {
		t.Errorf("missing %q", left)
	}
	if left := s.with(func(s *Scene) { s.Pods[0].Spec.NodeName = "node-3" }).missing(sever, start); !strings.Contains(left, "being measured") {
		t.Errorf("what was measured elsewhere counts: %q", left)
	}
}

// What is tried of a place where not all can be: of pods and Services one address each, before the second of any.
func TestSpread(t *testing.T) {
	got := spread([]string{"pod-a 4", "pod-a 6"}, []string{"pod-b 4", "pod-b 6"}, nil, []string{"service 4", "pod-a 4", "service 6"})
	if want := []string{"pod-a 4", "pod-b 4", "service 4", "pod-a 6", "pod-b 6", "service 6"}; !slices.Equal(got, want) {
		t.Errorf("%v", got)
	}
}

// The pod that measures in production is, to the network, a pod of the revision that serves; to the Service it is none.
func TestProbeMayWhatTheWorkloadMay(t *testing.T) {
	s := sceneOf(stopOf("s", sever, gateway))
	s.Reach.Review = "3"
	job, err := s.job("runner@"+digest, "0123456789abcdef", Addresses{Canary: []string{"203.0.113.9"}}, true)
	if err != nil {
		t.Fatal(err)
	}
	for key, value := range workload.Selector(identity) {
		if job.Spec.Template.Labels[key] != value {
			t.Errorf("label %s is %q", key, job.Spec.Template.Labels[key])
		}
	}
	if job.Spec.Template.Labels[v1alpha1.LabelReview] != "3" || job.Spec.Template.Labels[v1alpha1.LabelGate] != gateInside {
		t.Errorf("labels %v", job.Spec.Template.Labels)
	}
	if len(job.Spec.Template.Spec.Containers[0].Ports) > 0 {
		t.Error("the Service would send it requests")
	}
	control, _ := s.job("runner@"+digest, "0123456789abcdef", Addresses{Canary: []string{"203.0.113.9"}}, false)
	if control.Namespace != v1alpha1.GatesNamespace || control.Name == job.Name {
		t.Errorf("the control is %s/%s", control.Namespace, control.Name)
	}
}

func TestDirect(t *testing.T) {
	cidr := func(r string) v1alpha1.Destination {
		return v1alpha1.Destination{CIDR: &v1alpha1.CIDRDestination{Range: r, Port: 443}}
	}
	for address, c := range map[string]struct {
		to      v1alpha1.Destination
		want    string
		service [2]string
	}{
		"http://gateway.models.svc:8080/v1":           {v1alpha1.Destination{}, "", [2]string{"models", "gateway"}},
		"https://gateway.models.svc.cluster.local/v1": {v1alpha1.Destination{}, "", [2]string{"models", "gateway"}},
		"https://10.1.2.3/v1":                         {cidr("10.1.2.3/32"), "10.1.2.3:443 10.1.2.3:443", [2]string{}},
		"https://api.example.org/v1":                  {cidr("10.1.2.0/24"), "10.1.2.1:443 10.1.2.254:443", [2]string{}},
		"tcp://[2001:db8::1]:5432":                    {cidr("2001:db8::/64"), "[2001:db8::1]:5432 [2001:db8::1]:443 [2001:db8::ffff:ffff:ffff:fffe]:443", [2]string{}},
	} {
		got, service, _ := direct(Place{Address: address, To: c.to})
		if strings.Join(got, " ") != c.want || service != c.service {
			t.Errorf("%s: %v %v", address, got, service)
		}
	}
}
