package stop

import (
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
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
		"still reached":                {gatewayCut.with(measuredAs(false, "gateway default was still reached")), sever, "still reached"},
		"measured something else":      {gatewayCut.with(measuredAs(true, "")).with(func(s *Scene) { s.Policies = s.Policies[:1] }), sever, "it is being measured"},
		"the rule is there":            {gatewayCut.with(measuredAs(true, "")).with(func(s *Scene) { s.Policies = untouched }), sever, "still lets its pods go to gateway default"},
		"any rule is there":            {allCut.with(func(s *Scene) { s.Policies = untouched }), sever, "still opens something"},
		"a rule, and no pod":           {stopped.with(func(s *Scene) { s.Policies, s.Pods = untouched, nil }), halt, "still opens something"},
		"pods from before":             {gatewayCut.with(func(s *Scene) { s.Pods = append(s.Pods, podOf("old", "")) }), sever, "1 pods from before"},
		"pods of an earlier cut":       {gatewayCut.with(func(s *Scene) { s.Pods[0].Annotations[v1alpha1.AnnotationCutOff] = "earlier" }), sever, "1 pods from before"},
		"nothing runs":                 {sceneOf(stopOf("s", sever, gateway)).with(func(s *Scene) { s.Pods, s.Deployment = nil, nil }), sever, ""},
		"suspended, the rule is there": {gatewayCut.with(func(s *Scene) { s.Policies, s.Pods, s.Deployment = untouched, nil, nil }), sever, ""},
		"nothing runs yet":             {sceneOf(stopOf("s", sever, gateway)).with(func(s *Scene) { s.Pods = nil }), sever, "it is being measured"},
		"only a run is there":          {stopped.with(func(s *Scene) { s.Pods, s.Deployment = []corev1.Pod{runPod()}, nil }), halt, ""},
		"stopping":                     {stopped, halt, "1 pods are stopping"},
		"a pod that ended":             {stopped.with(func(s *Scene) { s.Pods[0].Status.Phase = corev1.PodSucceeded; s.Deployment = nil }), halt, ""},
		"to be scaled down":            {stopped.with(func(s *Scene) { s.Pods = nil }), halt, "is being stopped"},
		"stopped":                      {stopped.with(func(s *Scene) { s.Pods, s.Deployment.Spec.Replicas = nil, ptr.To[int32](0) }), halt, ""},
		"severed by a stronger one":    {sceneOf(stopOf("a", sever, gateway), stopOf("b", halt, everything)), sever, "1 pods are stopping"},
		"a rehearsal":                  {gatewayCut.with(rehearsal), sever, "rehearsal"},
		"leaving with a pod":           {allCut.with(leaving), sever, "it is being measured"},
		"leaving without":              {allCut.with(leaving).with(func(s *Scene) { s.Pods = nil }), sever, ""},
	} {
		t.Run(name, func(t *testing.T) {
			got := c.scene.missing(c.action)
			if (c.want == "") != (got == "") || !strings.Contains(got, c.want) {
				t.Errorf("missing %q, want %q", got, c.want)
			}
		})
	}
}

func runPod() corev1.Pod {
	return corev1.Pod{ObjectMeta: metav1.ObjectMeta{Labels: map[string]string{v1alpha1.LabelGate: gateInside}}}
}

func rehearsal(s *Scene) {
	s.Namespace = s.Namespace.DeepCopy()
	s.Namespace.Labels[v1alpha1.LabelPurpose] = v1alpha1.PurposeRehearsal
}

func leaving(s *Scene) {
	s.Namespace = s.Namespace.DeepCopy()
	s.Namespace.DeletionTimestamp = &metav1.Time{Time: start}
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
		"control is still at work":    {cut, ended, atWorkNow, start, Follow},
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
		Isolation: &evidence.IsolationReport{Targets: results}}}}}
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
		})
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
	at := Addresses{Canary: "203.0.113.9", Resolver: "203.0.113.10:53", Places: map[string][]string{
		"gateway default": {"198.51.100.1:8080", "198.51.100.2:8080", "203.0.113.7:8080", "198.51.100.3:8080"}}}
	tried := func(s Scene) string {
		job, err := s.job("runner@"+digest, "0123456789abcdef", at, true)
		if err != nil {
			t.Fatal(err)
		}
		order, err := evidence.DecodeRun([]byte(job.Spec.Template.Spec.Containers[0].Env[0].Value))
		if err != nil {
			t.Fatal(err)
		}
		var out []string
		for _, target := range order.Isolation.Targets {
			out = append(out, target.Name)
		}
		return strings.Join(out, ", ")
	}
	if got, want := tried(sceneOf(stopOf("s", sever, gateway))), "the canary, gateway default#1, gateway default#2, gateway default#3"; got != want {
		t.Errorf("tried %s", got)
	}
	if got, want := tried(sceneOf(stopOf("s", sever, membership))), "the canary, what only probes may reach, the resolver, gateway default#1"; !strings.HasPrefix(got, want) {
		t.Errorf("tried %s", got)
	}
}

// The pod that measures in production is, to the network, a pod of the revision that serves; to the Service it is none.
func TestProbeMayWhatTheWorkloadMay(t *testing.T) {
	s := sceneOf(stopOf("s", sever, gateway))
	s.Reach.Review = "3"
	job, err := s.job("runner@"+digest, "0123456789abcdef", Addresses{Canary: "203.0.113.9"}, true)
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
	control, _ := s.job("runner@"+digest, "0123456789abcdef", Addresses{Canary: "203.0.113.9"}, false)
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
		"https://api.example.org/v1":                  {cidr("10.1.2.0/24"), "10.1.2.1:443", [2]string{}},
		"tcp://[2001:db8::1]:5432":                    {cidr("2001:db8::/64"), "[2001:db8::1]:5432 [2001:db8::1]:443", [2]string{}},
	} {
		got, service, _ := direct(Place{Address: address, To: c.to})
		if strings.Join(got, " ") != c.want || service != c.service {
			t.Errorf("%s: %v %v", address, got, service)
		}
	}
}

func TestStatusOf(t *testing.T) {
	stop := stopOf("leak", sever, gateway)
	cut := sceneOf(stop)
	done := cut.with(measuredAs(true, ""))
	names := []string{"default"}
	for name, c := range map[string]struct {
		stop   v1alpha1.EmergencyStop
		scenes []Scene
		known  []string
		want   string
		ready  metav1.ConditionStatus
	}{
		"on its way":         {stop, []Scene{done, cut}, names, "severed 1/2 False Stopping", "False"},
		"effective":          {stop, []Scene{done, done}, names, "severed 2/2 True Stopped", "True"},
		"nothing in scope":   {stop, nil, names, "severed 0/0 True Stopped", "True"},
		"nobody knows it":    {stop, nil, []string{"backup", "crm", "defaults", "fault"}, "severed 0/0 Unknown ScopeUnknown", "False"},
		"lifted":             {lifted(stop, "rolf@example.org"), nil, names, "lifted False Lifted", "True"},
		"lifted by oneself":  {lifted(stop, "rita@example.org"), []Scene{done}, names, "severed 1/1 True Stopped", "True"},
		"frozen":             {stopOf("s", freeze, everything), []Scene{cut}, names, "frozen 1/1 True Stopped", "True"},
		"stopped by another": {stopOf("s", halt, everything), []Scene{sceneOf(stopOf("s", halt, everything))}, names, "stopped 0/1 False Stopping", "False"},
	} {
		t.Run(name, func(t *testing.T) {
			status := StatusOf(c.stop, c.scenes, c.known, start)
			effective, ready := status.Conditions[1], status.Conditions[0]
			if got := status.Summary + " " + string(effective.Status) + " " + effective.Reason; got != c.want || ready.Status != c.ready {
				t.Errorf("got %s, Ready %s", got, ready.Status)
			}
			stalled := apimeta.IsStatusConditionTrue(status.Conditions, v1alpha1.ConditionStalled)
			if stalled != (name == "nobody knows it") || stalled && !strings.Contains(effective.Message, "nobody knows gateway default: ") ||
				stalled && !strings.Contains(effective.Message, "most like it: defaults, fault, backup. The stop holds") {
				t.Errorf("stalled %v: %q", stalled, effective.Message)
			}
			c.stop.Status = status
			if again := StatusOf(c.stop, c.scenes, c.known, start.Add(time.Hour)); !again.Conditions[0].LastTransitionTime.Equal(&ready.LastTransitionTime) {
				t.Error("the same answer is written anew")
			}
		})
	}
}

func TestKnownNames(t *testing.T) {
	policies := []v1alpha1.HardeningPolicy{{Spec: v1alpha1.HardeningPolicySpec{
		Teams: []v1alpha1.Team{{Name: "membership"}},
		Catalogue: v1alpha1.Catalogue{
			ModelGateways: []v1alpha1.ModelGateway{{Name: "default"}}, Integrations: []v1alpha1.Integration{{Name: "crm"}},
		},
	}}}
	prototypes := []v1alpha1.AIPrototype{{
		Spec:   v1alpha1.AIPrototypeSpec{Model: &v1alpha1.ModelUse{Gateway: "gone"}, Integrations: []v1alpha1.IntegrationUse{{Name: "lms"}}},
		Status: v1alpha1.AIPrototypeStatus{Image: &v1alpha1.ResolvedImage{Resolved: "a@" + digest}},
	}}
	namespaces := []corev1.Namespace{{ObjectMeta: metav1.ObjectMeta{Labels: map[string]string{v1alpha1.LabelTeam: "education"}}}}
	for _, c := range []struct {
		scope v1alpha1.StopScope
		want  string
		doubt bool
	}{
		{everything, digest, false}, {membership, "education membership", false}, {v1alpha1.StopScope{Team: "x"}, "education membership", true},
		{gateway, "default gone", false}, {v1alpha1.StopScope{Gateway: "x"}, "default gone", true},
		{crm, "crm lms", false}, {v1alpha1.StopScope{Integration: "x"}, "crm lms", true},
		{image, digest, false}, {v1alpha1.StopScope{Digest: "sha256:x"}, digest, true},
	} {
		got := knownNames(c.scope, policies, prototypes, namespaces)
		if strings.Join(got, " ") != c.want || unknown(c.scope, got) != c.doubt {
			t.Errorf("%s: known are %v, in doubt %v", What(c.scope), got, unknown(c.scope, got))
		}
	}
}
