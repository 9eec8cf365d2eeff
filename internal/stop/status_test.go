package stop

import (
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/affineur/affineur/api/v1alpha1"
)

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
		"an unknown action":  {stopOf("s", "Evaporate", everything), nil, names, "stopped 0/0 True Stopped", "True"},
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

// A stop looks again when the first of its measurements says nothing any more, though nothing happens.
func TestAgain(t *testing.T) {
	cut := sceneOf(stopOf("leak", sever, gateway))
	older := cut.with(measuredAs(true, "")).with(func(s *Scene) { s.Measured.At = start.Add(-time.Hour) })
	if got := again(sever, []Scene{cut, cut.with(measuredAs(true, "")), older}, start); !got.Equal(start.Add(time.Hour)) {
		t.Errorf("at %s", got)
	}
	if got := again(sever, []Scene{older}, start.Add(time.Hour)); !got.IsZero() {
		t.Errorf("looks again at %s at what it told already", got)
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
