//go:build e2e

package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/test/story/await"
)

// TestGatesOfOnesOwn: an image of IT's measures the prototype in its sandbox, another operator's report is read as soon as
// IT lets it, and a metric that nobody serves stays unclear. Only what each says about itself counts.
func TestGatesOfOnesOwn(t *testing.T) {
	t.Parallel()
	g := newGround(t)
	houseStyle := g.pushed(t, "house-style")
	job := func(name, path, network string) map[string]any {
		return map[string]any{"name": name, "type": "Job", "enforcement": "Advisory", "job": map[string]any{
			"image": houseStyle, "network": network, "length": "30s", "settings": []any{map[string]any{"name": "path", "value": path}},
		}}
	}
	g.scanReports(t)
	if err := g.govern(t.Context(), "own", func(spec map[string]any) {
		spec["gates"] = append(spec["gates"].([]any), job("in-style", "/v1/classify", "Sandbox"), job("out-of-style", "/healthz", "Sandbox"), job("closed", "/v1/classify", "Closed"),
			map[string]any{"name": "scanned", "type": "Resource", "enforcement": "Advisory", "resource": map[string]any{
				"apiVersion": "scan.example.org/v1", "kind": "ScanReport", "namespace": "default", "nameExpression": "prototype.uid",
				"madeAt": "object.scannedAt", "successWhen": "object.digest == prototype.imageDigest && object.critical == 0",
				"failureWhen": "object.digest == prototype.imageDigest && object.critical > 0",
			}},
			map[string]any{"name": "quiet", "type": "Metric", "enforcement": "Advisory", "metric": map[string]any{
				"source": map[string]any{"address": "http://no-prometheus.default.svc:9090"}, "window": "1m",
				"query": `sum(rate(errors_total{namespace="$sandbox"}[$window]))`, "successWhen": "result < 0.1", "failureWhen": "result >= 0.1",
			}})
		tier := spec["tiers"].([]any)[0].(map[string]any)
		tier["gates"] = []any{"security", "scalability", "integration", "in-style", "out-of-style", "closed", "scanned", "quiet"}
		// Somebody has to approve, so that the review stays open while the test looks.
		tier["approvals"] = []any{map[string]any{"role": "security"}}
	}); err != nil {
		t.Fatal(err)
	}
	p := g.created(t, g.newPrototype(g.team(t, "own"), "gauged", func(p *v1alpha1.AIPrototype) { p.Spec.Target = v1alpha1.TargetProduction }))

	review := g.judged(t, p, map[string]string{
		"in-style": v1alpha1.ReasonJobPassed, "out-of-style": v1alpha1.ReasonJobFailed, "closed": v1alpha1.ReasonMeasurementLost,
		"scanned": v1alpha1.ReasonResourceForbidden, "quiet": v1alpha1.ReasonMetricUnclear,
	})
	for name, want := range map[string]v1alpha1.GateState{
		"in-style": v1alpha1.GatePassed, "out-of-style": v1alpha1.GateFailed, "closed": v1alpha1.GateInconclusive,
		"scanned": v1alpha1.GateInconclusive, "quiet": v1alpha1.GateInconclusive,
	} {
		if got := gateOf(review, name); got.Verdict != want || (want == v1alpha1.GatePassed) != (len(got.Findings) == 0) {
			t.Errorf("%s is %s: %s, %+v", name, got.Verdict, got.Message, got.Findings)
		}
	}
	if hint := gateOf(review, "scanned").Findings[0].Hint; !strings.Contains(hint, `{apiGroups: ["scan.example.org"], resources: [scanreports], verbs: [get]}`) {
		t.Errorf("hint %q", hint)
	}

	g.letsRead(t)
	g.report(t, string(p.UID), digestOf(p), 1)
	g.edit(t, p, fmt.Sprintf(`{"metadata":{"annotations":{"affineur.dev/requestedAt":%q}}}`, time.Now().UTC().Format(time.RFC3339)))
	g.judged(t, p, map[string]string{"scanned": v1alpha1.ReasonFailureShown})
}

// pushed is an image of the project as hack/images pushed it, by digest.
func (g *ground) pushed(t *testing.T, name string) string {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(root, "bin", "demo", "digests.json"))
	if err != nil {
		t.Fatal(err)
	}
	var images map[string]struct{ Image, Digest string }
	if err := json.Unmarshal(content, &images); err != nil {
		t.Fatal(err)
	}
	repository, _, _ := strings.Cut(strings.TrimPrefix(images[name].Image, g.registry), ":")
	return g.registry + repository + "@" + images[name].Digest
}

func digestOf(p *v1alpha1.AIPrototype) string {
	_, digest, _ := strings.Cut(p.Status.Image.Resolved, "@")
	return digest
}

// scanReports is a kind of somebody else's operator.
func (g *ground) scanReports(t *testing.T) {
	t.Helper()
	crd := &apiextensionsv1.CustomResourceDefinition{
		ObjectMeta: metav1.ObjectMeta{Name: "scanreports.scan.example.org"},
		Spec: apiextensionsv1.CustomResourceDefinitionSpec{
			Group: "scan.example.org", Scope: apiextensionsv1.NamespaceScoped,
			Names: apiextensionsv1.CustomResourceDefinitionNames{Kind: "ScanReport", ListKind: "ScanReportList", Plural: "scanreports", Singular: "scanreport"},
			Versions: []apiextensionsv1.CustomResourceDefinitionVersion{{
				Name: "v1", Served: true, Storage: true,
				Schema: &apiextensionsv1.CustomResourceValidation{OpenAPIV3Schema: &apiextensionsv1.JSONSchemaProps{
					Type: "object", XPreserveUnknownFields: ptr.To(true),
				}},
			}},
		},
	}
	g.fixture(t, crd)
}

// letsRead gives the operator the right, as docs/your-own-gate.md says.
func (g *ground) letsRead(t *testing.T) {
	t.Helper()
	g.fixture(t, &rbacv1.ClusterRole{
		ObjectMeta: metav1.ObjectMeta{Name: "e2e-reads-scanreports", Labels: map[string]string{v1alpha1.LabelAggregateToReads: "true"}},
		Rules:      []rbacv1.PolicyRule{{APIGroups: []string{"scan.example.org"}, Resources: []string{"scanreports"}, Verbs: []string{"get"}}},
	})
	err := await.Until(bounded(t), func() error {
		var reads rbacv1.ClusterRole
		if err := g.Get(t.Context(), client.ObjectKey{Name: "affineur-reads"}, &reads); err != nil {
			return err
		}
		if len(reads.Rules) == 0 {
			return fmt.Errorf("the control plane has not filled in %s", reads.Name)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func (g *ground) report(t *testing.T, name, digest string, critical int64) {
	t.Helper()
	g.fixture(t, &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "scan.example.org/v1", "kind": "ScanReport", "metadata": map[string]any{"namespace": corev1.NamespaceDefault, "name": name},
		"digest": digest, "critical": critical, "scannedAt": time.Now().UTC().Format(time.RFC3339),
	}})
}

// fixture is there until the test ends.
func (g *ground) fixture(t *testing.T, object client.Object) {
	t.Helper()
	if err := g.Create(t.Context(), object); err != nil && !apierrors.IsAlreadyExists(err) {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := client.IgnoreNotFound(g.Delete(context.Background(), object)); err != nil {
			t.Error(err)
		}
	})
}

// judged waits until the gates of the prototype's review say the given reasons.
func (g *ground) judged(t *testing.T, p *v1alpha1.AIPrototype, reasons map[string]string) *v1alpha1.HardeningReview {
	t.Helper()
	g.comes(t, p, func(p *v1alpha1.AIPrototype) bool { return p.Status.Review != nil })
	review := &v1alpha1.HardeningReview{ObjectMeta: metav1.ObjectMeta{Namespace: p.Namespace, Name: p.Status.Review.Name}}
	err := await.Object(bounded(t), g, review, func(r *v1alpha1.HardeningReview) (bool, error) {
		for name, reason := range reasons {
			if gateOf(r, name).Reason != reason {
				return false, nil
			}
		}
		return true, nil
	})
	if err != nil {
		t.Fatalf("%v; the gates say %+v", err, review.Status.Gates)
	}
	return review
}

func gateOf(r *v1alpha1.HardeningReview, name string) v1alpha1.GateStatus {
	for _, gate := range r.Status.Gates {
		if gate.Name == name {
			return gate
		}
	}
	return v1alpha1.GateStatus{}
}
