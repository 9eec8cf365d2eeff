//go:build e2e

package e2e

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/internal/workload"
	"github.com/affineur/affineur/test/story/await"
)

// drifting is a model gateway of a test's own, like that of the organisation: its model can change behind its name.
const drifting = "gateway-drifting"

// TestModelDrifts: what serves is asked again through openings of its own, is as approved, and is taken back when its
// gateway answers with another version under the same name.
func TestModelDrifts(t *testing.T) {
	t.Parallel()
	g := newGround(t)
	gateway := g.driftingGateway(t)
	if err := g.govern(t.Context(), "drifts", func(spec map[string]any) {
		catalogue := spec["catalogue"].(map[string]any)
		entry := maps.Clone(catalogue["modelGateways"].([]any)[0].(map[string]any))
		entry["name"], entry["address"] = "drifting", "http://"+drifting+".models.svc:8080/v1"
		entry["to"] = map[string]any{"pods": map[string]any{"namespace": "models", "podLabels": map[string]any{"app": drifting}, "port": int64(8080)}}
		catalogue["modelGateways"] = append(catalogue["modelGateways"].([]any), entry)
		spec["gates"] = append(spec["gates"].([]any), map[string]any{
			"name": "answers", "type": "Quality", "quality": map[string]any{"minimumExamples": int64(12), "passRateLowerBound": "0.5", "repeats": int64(2)},
		})
		tier := spec["tiers"].([]any)[0].(map[string]any)
		tier["gates"] = append(tier["gates"].([]any), "answers")
		spec["production"].(map[string]any)["modelDrift"] = map[string]any{"every": "1m", "onDrift": "RollBack"}
	}); err != nil {
		t.Fatal(err)
	}
	team := g.team(t, "drifts")
	set := strings.Builder{}
	set.WriteString("question,expected,check\n")
	for i := range 12 {
		fmt.Fprintf(&set, "How is lesson %d of a course held?,[a-z],regexp\n", i+1)
	}
	if err := g.Create(t.Context(), &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{Namespace: team, Name: "lessons"}, Data: map[string]string{"examples.csv": set.String(), "topic.json": `{"topic": "first aid"}`},
	}); err != nil {
		t.Fatal(err)
	}
	p := g.created(t, g.newPrototype(team, "drifter", wantsProduction, func(p *v1alpha1.AIPrototype) {
		p.Spec.Workload.Container.Image = g.image("education/course-outliner:0.9")
		p.Spec.Model = &v1alpha1.ModelUse{Gateway: "drifting", Name: "example-large", Version: "4.7"}
		p.Spec.Demand.Request = v1alpha1.SampleRequest{Method: "POST", Path: "/v1/outline", Body: &v1alpha1.RequestBody{
			ConfigMap: &v1alpha1.ConfigMapKey{Name: "lessons", Key: "topic.json"},
		}}
		p.Spec.Evaluation = &v1alpha1.Evaluation{
			Examples: v1alpha1.ExamplesSource{ConfigMap: &v1alpha1.ConfigMapKey{Name: "lessons", Key: "examples.csv"}},
			Call:     v1alpha1.EvaluationCall{OpenAIChat: &v1alpha1.ChatCall{}, Timeout: metav1.Duration{Duration: 10 * time.Second}},
		}
	}))

	g.comes(t, p, promoted)
	drift := func(status metav1.ConditionStatus) func(*v1alpha1.AIPrototype) bool {
		return func(p *v1alpha1.AIPrototype) bool {
			c := apimeta.FindStatusCondition(p.Status.Conditions, v1alpha1.ConditionModelDrift)
			return c != nil && c.Status == status
		}
	}
	g.comes(t, p, drift(metav1.ConditionFalse))
	if c := apimeta.FindStatusCondition(p.Status.Conditions, v1alpha1.ConditionModelDrift); c.Reason != v1alpha1.ReasonAsApproved ||
		!strings.Contains(c.Message, "example-large; of 12 examples 0 became wrong") {
		t.Errorf("%s: %s", c.Reason, c.Message)
	}
	g.closedAgain(t, p)

	if err := g.Patch(t.Context(), gateway, client.RawPatch("application/strategic-merge-patch+json", []byte(
		`{"spec":{"template":{"spec":{"containers":[{"name":"gateway","env":[{"name":"GATEWAY_MODEL_VERSION","value":"4.8"}]}]}}}}`))); err != nil {
		t.Fatal(err)
	}
	g.comes(t, p, func(p *v1alpha1.AIPrototype) bool {
		c := apimeta.FindStatusCondition(p.Status.Conditions, v1alpha1.ConditionInProduction)
		return c != nil && c.Status == metav1.ConditionFalse && c.Reason == v1alpha1.ReasonFingerprintChanged
	})
	g.closedAgain(t, p)
}

// driftingGateway is the organisation's gateway once more, under another name.
func (g *ground) driftingGateway(t *testing.T) *appsv1.Deployment {
	t.Helper()
	var usual appsv1.Deployment
	if err := g.Get(t.Context(), client.ObjectKey{Namespace: "models", Name: "gateway"}, &usual); err != nil {
		t.Fatal(err)
	}
	labels := map[string]string{"app": drifting}
	made := &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{Namespace: "models", Name: drifting},
		Spec: appsv1.DeploymentSpec{
			Replicas: ptr.To[int32](1), Selector: &metav1.LabelSelector{MatchLabels: labels},
			Template: corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: labels}, Spec: usual.Spec.Template.Spec},
		},
	}
	g.fixture(t, made)
	g.fixture(t, &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Namespace: "models", Name: drifting},
		Spec:       corev1.ServiceSpec{Selector: labels, Ports: []corev1.ServicePort{{Port: 8080, TargetPort: intstr.FromInt32(8080)}}},
	})
	return made
}

// closedAgain waits until no run that asks production is there, and wants its openings gone.
func (g *ground) closedAgain(t *testing.T, p *v1alpha1.AIPrototype) {
	t.Helper()
	mine := client.MatchingLabels{v1alpha1.LabelComponent: workload.ComponentAgain, v1alpha1.LabelPrototypeUID: string(p.UID)}
	left := func() []string {
		var out []string
		for _, list := range []client.ObjectList{&batchv1.JobList{}, &networkingv1.NetworkPolicyList{}} {
			if err := g.List(t.Context(), list, mine); err != nil {
				t.Fatal(err)
			}
			items, err := apimeta.ExtractList(list)
			if err != nil {
				t.Fatal(err)
			}
			for _, item := range items {
				out = append(out, fmt.Sprintf("%T %s", item, item.(client.Object).GetName()))
			}
		}
		slices.Sort(out)
		return out
	}
	err := await.Until(bounded(t), func() error {
		if open := left(); len(open) > 0 {
			return fmt.Errorf("left open: %v", open)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
