package stop

import (
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/google/go-cmp/cmp"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/internal/policy"
	"github.com/affineur/affineur/internal/workload"
)

const (
	freeze = v1alpha1.StopFreeze
	sever  = v1alpha1.StopSever
	halt   = v1alpha1.StopStop
)

var (
	start  = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	digest = "sha256:" + strings.Repeat("a", 64)

	everything = v1alpha1.StopScope{All: &v1alpha1.StopAll{}}
	membership = v1alpha1.StopScope{Team: "membership"}
	gateway    = v1alpha1.StopScope{Gateway: "default"}
	crm        = v1alpha1.StopScope{Integration: "crm"}
	image      = v1alpha1.StopScope{Digest: digest}
)

func stopOf(name string, action v1alpha1.StopAction, scope v1alpha1.StopScope) v1alpha1.EmergencyStop {
	return v1alpha1.EmergencyStop{
		ObjectMeta: metav1.ObjectMeta{Name: name, UID: types.UID("uid-" + name), CreationTimestamp: metav1.NewTime(start)},
		Spec:       v1alpha1.EmergencyStopSpec{Action: action, Scope: scope, Reason: "It leaks.", By: "rita@example.org"},
	}
}

func lifted(s v1alpha1.EmergencyStop, by string) v1alpha1.EmergencyStop {
	s.Spec.Lifted = &v1alpha1.Lift{Reason: "It is mended.", By: by}
	return s
}

func TestInForce(t *testing.T) {
	for name, c := range map[string]struct {
		stop v1alpha1.EmergencyStop
		want bool
	}{
		"not lifted":              {stopOf("s", sever, everything), true},
		"lifted by another":       {lifted(stopOf("s", sever, everything), "rolf@example.org"), false},
		"lifted by its maker":     {lifted(stopOf("s", sever, everything), "rita@example.org"), true},
		"lifted by nobody":        {lifted(stopOf("s", sever, everything), ""), true},
		"lifted by a machine":     {lifted(stopOf("s", sever, everything), "system:serviceaccount:a:b"), true},
		"an action of the future": {stopOf("s", "Melt", everything), true},
	} {
		if got := InForce(c.stop); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

func TestOf(t *testing.T) {
	mine := Facts{Teams: []string{"membership"}, Gateways: []string{"default"}, Integrations: []string{"crm", "lms"}, Digests: []string{digest}}
	other := Facts{Teams: []string{"education"}, Gateways: []string{"backup"}}
	type effects struct {
		Frozen, Cut, Stopped   bool
		Gateways, Integrations []string
		By                     string
	}
	for name, c := range map[string]struct {
		stops []v1alpha1.EmergencyStop
		facts Facts
		want  effects
	}{
		"none":                             {nil, mine, effects{}},
		"freeze all":                       {list(stopOf("s", freeze, everything)), mine, effects{Frozen: true, By: "s"}},
		"sever a gateway":                  {list(stopOf("s", sever, gateway)), mine, effects{Frozen: true, Gateways: []string{"default"}, By: "s"}},
		"sever an integration":             {list(stopOf("s", sever, crm)), mine, effects{Frozen: true, Integrations: []string{"crm"}, By: "s"}},
		"sever a team":                     {list(stopOf("s", sever, membership)), mine, effects{Frozen: true, Cut: true, By: "s"}},
		"sever an image":                   {list(stopOf("s", sever, image)), mine, effects{Frozen: true, Cut: true, By: "s"}},
		"sever all":                        {list(stopOf("s", sever, everything)), other, effects{Frozen: true, Cut: true, By: "s"}},
		"stop those who use a gateway":     {list(stopOf("s", halt, gateway)), mine, effects{Frozen: true, Cut: true, Stopped: true, By: "s"}},
		"another's gateway":                {list(stopOf("s", halt, gateway)), other, effects{}},
		"another's team":                   {list(stopOf("s", halt, membership)), other, effects{}},
		"another's integration":            {list(stopOf("s", halt, crm)), other, effects{}},
		"another's image":                  {list(stopOf("s", halt, image)), other, effects{}},
		"lifted":                           {list(lifted(stopOf("s", halt, everything), "rolf@example.org")), mine, effects{}},
		"unknown facts, a gateway":         {list(stopOf("s", sever, gateway)), Facts{Unknown: true}, effects{Frozen: true, Cut: true, By: "s"}},
		"unknown facts, a freeze":          {list(stopOf("s", freeze, membership)), Facts{Unknown: true}, effects{Frozen: true, By: "s"}},
		"an action of the future":          {list(stopOf("s", "Melt", gateway)), mine, effects{Frozen: true, Cut: true, Stopped: true, By: "s"}},
		"a scope of the future":            {list(stopOf("s", sever, v1alpha1.StopScope{})), other, effects{Frozen: true, Cut: true, By: "s"}},
		"several, the strongest first":     {list(stopOf("a", freeze, everything), stopOf("b", sever, crm), stopOf("c", halt, image)), mine, effects{Frozen: true, Cut: true, Stopped: true, Integrations: []string{"crm"}, By: "c b a"}},
		"two of the same":                  {list(stopOf("b", sever, crm), stopOf("a", sever, crm)), mine, effects{Frozen: true, Integrations: []string{"crm"}, By: "a b"}},
		"one lifted, the other holds":      {list(lifted(stopOf("a", halt, everything), "rolf@example.org"), stopOf("b", sever, crm)), mine, effects{Frozen: true, Integrations: []string{"crm"}, By: "b"}},
		"a prototype that uses nothing":    {list(stopOf("s", sever, gateway)), Facts{Teams: []string{"membership"}}, effects{}},
		"a stop without a stamped name":    {list(func() v1alpha1.EmergencyStop { s := stopOf("s", halt, everything); s.Spec.By = ""; return s }()), mine, effects{Frozen: true, Cut: true, Stopped: true, By: "s"}},
		"sever and stop of the same thing": {list(stopOf("a", sever, gateway), stopOf("b", halt, gateway)), mine, effects{Frozen: true, Cut: true, Stopped: true, Gateways: []string{"default"}, By: "b a"}},
	} {
		t.Run(name, func(t *testing.T) {
			e := Of(c.stops, c.facts)
			var by []string
			for _, b := range e.By {
				by = append(by, b.Name)
			}
			got := effects{e.Frozen, e.Cut, e.Stopped, e.Gateways, e.Integrations, strings.Join(by, " ")}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Error(diff)
			}
			if severs := e.Cut || len(e.Gateways)+len(e.Integrations) > 0; severs != (e.Mark() != "") {
				t.Errorf("mark %q", e.Mark())
			}
			if (e.Message() == "") == e.Frozen {
				t.Errorf("message %q", e.Message())
			}
		})
	}
}

func list(stops ...v1alpha1.EmergencyStop) []v1alpha1.EmergencyStop { return stops }

// A cut right after a lift is another cut: pods from before it must go, although it cuts the same.
func TestMark(t *testing.T) {
	facts := Facts{Gateways: []string{"default"}}
	a, b, frozen := stopOf("a", sever, gateway), stopOf("b", sever, gateway), stopOf("c", freeze, everything)
	one, two := Of(list(a), facts), Of(list(b), facts)
	if one.Mark() == two.Mark() {
		t.Error("two stops, one mark")
	}
	if one.Mark() != Of(list(frozen, a), facts).Mark() {
		t.Error("a freeze makes another mark")
	}
	again := stopOf("a", sever, gateway)
	again.UID = "another"
	if one.Mark() == Of(list(again), facts).Mark() {
		t.Error("a stop made anew under the name has the mark of the old one")
	}
}

func TestMessageNamesEverything(t *testing.T) {
	s := stopOf("leak", sever, gateway)
	s.Spec.Reason = "It \x1b[31mleaks\nprompts"
	got := Of(list(s, stopOf("more", freeze, everything)), Facts{Gateways: []string{"default"}}).Message()
	for _, want := range []string{"leak", "severs gateway default", "2026-03-01T12:00:00Z", "rita@example.org", "prompts", "and 1 more", "Another responder", "kubectl affineur lift leak"} {
		if !strings.Contains(got, want) {
			t.Errorf("%q lacks %q", got, want)
		}
	}
	if strings.ContainsAny(got, "\x1b\n") {
		t.Errorf("%q holds control characters", got)
	}
}

func requirements() policy.Requirements {
	pods := func(app string) v1alpha1.Destination {
		return v1alpha1.Destination{Pods: &v1alpha1.PodDestination{Namespace: "it", PodLabels: map[string]string{"app": app}, Port: 8080}}
	}
	return policy.Requirements{
		Team:         v1alpha1.Team{Name: "membership"},
		ModelGateway: &v1alpha1.ModelGateway{Name: "default", Address: "http://gateway.it.svc:8080/v1", To: pods("gateway")},
		Integrations: []v1alpha1.Integration{
			{Name: "crm", Production: &v1alpha1.Endpoint{Address: "https://10.1.2.3:443", To: v1alpha1.Destination{CIDR: &v1alpha1.CIDRDestination{Range: "10.1.2.3/32", Port: 443}}}},
			{Name: "lms", Sandbox: &v1alpha1.Endpoint{Address: "http://lms.it.svc:80", To: pods("lms")}},
		},
	}
}

func TestReachSurvivesTheNamespace(t *testing.T) {
	at := workload.Surroundings{Purpose: v1alpha1.PurposeProduction, Requirements: requirements()}
	reach := ReachOf(at, "registry.example.org/a@"+digest, "registry.example.org/a:tag", "")
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Annotations: map[string]string{v1alpha1.AnnotationReach: reach.String()}}}
	read, facts := Read(namespace)
	if diff := cmp.Diff(reach, read); diff != "" {
		t.Error(diff)
	}
	want := Facts{Teams: []string{"membership"}, Gateways: []string{"default"}, Integrations: []string{"crm"}, Digests: []string{digest}}
	if diff := cmp.Diff(want, facts); diff != "" {
		t.Error(diff)
	}
	if both := reach.And(reach); both.String() != reach.String() {
		t.Errorf("twice the same is %s", both)
	}
	for _, said := range []string{"", "{", `["a"]`} {
		namespace.Annotations[v1alpha1.AnnotationReach] = said
		if _, facts := Read(namespace); !facts.Unknown {
			t.Errorf("%q is known", said)
		}
	}
}
