package apiserver

import (
	"context"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"
	"sigs.k8s.io/yaml"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/internal/condition"
	"github.com/affineur/affineur/internal/evidence"
	"github.com/affineur/affineur/internal/policy"
	"github.com/affineur/affineur/internal/sample"
)

const scanners = "scanners"

// scanReports is a kind of somebody else's operator.
func scanReports(t *testing.T) {
	t.Helper()
	_, err := envtest.InstallCRDs(config, envtest.CRDInstallOptions{CRDs: []*apiextensionsv1.CustomResourceDefinition{{
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
	}}})
	must(t, err)
}

func scanReport(name, digest string, critical int64, at time.Time) *unstructured.Unstructured {
	return &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "scan.example.org/v1", "kind": "ScanReport", "metadata": map[string]any{"namespace": scanners, "name": name},
		"digest": digest, "summary": map[string]any{"critical": critical}, "scannedAt": at.UTC().Format(time.RFC3339),
	}}
}

func scanned(name string) evidence.ResourceOrder {
	return evidence.ResourceOrder{
		APIVersion: "scan.example.org/v1", ObjectKind: "ScanReport", Namespace: scanners, Name: name, TimeFrom: "object.scannedAt",
		Conditions: evidence.Conditions{
			SuccessWhen: "object.digest == prototype.imageDigest && object.summary.critical == 0",
			FailureWhen: "object.digest == prototype.imageDigest && object.summary.critical > 0",
		},
	}
}

// TestResourcesAreReadAsTheOperator reads with the rights that config/rbac gives, and with what IT adds to them.
func TestResourcesAreReadAsTheOperator(t *testing.T) {
	scanReports(t)
	must(t, admin.Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: scanners}}))
	at := time.Now().Add(-time.Hour).Truncate(time.Second)
	for _, report := range []*unstructured.Unstructured{
		scanReport("good", "sha256:aa", 0, at), scanReport("bad", "sha256:aa", 2, at), scanReport("other", "sha256:bb", 0, at),
	} {
		must(t, admin.Create(t.Context(), report))
	}
	must(t, admin.Create(t.Context(), &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: v1alpha1.SystemNamespace, Name: "kept"}, StringData: map[string]string{"a": "b"}}))
	reader, err := client.New(operatorConfig, client.Options{Scheme: scheme})
	must(t, err)
	advisor := condition.Prototype{Name: "churn-advisor", ImageDigest: "sha256:aa"}
	read := func(t *testing.T, order evidence.ResourceOrder) *evidence.ResourceResult {
		t.Helper()
		got, err := sample.Resource(t.Context(), reader, reader.RESTMapper(), order, advisor)
		must(t, err)
		if err := got.Validate(); err != nil {
			t.Errorf("the result is not valid: %v", err)
		}
		return got
	}

	t.Run("not without IT's leave", func(t *testing.T) {
		got := read(t, scanned("good"))
		if got.Found != evidence.FoundForbidden || got.Rule != `{apiGroups: ["scan.example.org"], resources: [scanreports], verbs: [get]}` {
			t.Errorf("got %+v", got)
		}
	})
	// No controller fills in aggregated rules here; the control plane does it on a cluster.
	var reads rbacv1.ClusterRole
	must(t, admin.Get(t.Context(), client.ObjectKey{Name: "affineur-reads"}, &reads))
	reads.Rules = []rbacv1.PolicyRule{{APIGroups: []string{"scan.example.org"}, Resources: []string{"scanreports"}, Verbs: []string{"get"}}}
	must(t, admin.Update(t.Context(), &reads))
	for start := time.Now(); read(t, scanned("good")).Found == evidence.FoundForbidden; {
		if time.Since(start) > time.Minute {
			t.Fatal("the right was granted and is not there")
		}
	}

	for name, tc := range map[string]struct {
		success, failure evidence.Answer
	}{"good": {evidence.AnswerHolds, evidence.AnswerDoesNot}, "bad": {evidence.AnswerDoesNot, evidence.AnswerHolds}, "other": {evidence.AnswerDoesNot, evidence.AnswerDoesNot}} {
		t.Run(name, func(t *testing.T) {
			got := read(t, scanned(name))
			if got.Found != evidence.FoundObject || got.Answers.Success != tc.success || got.Answers.Failure != tc.failure || got.MadeAt == nil || !got.MadeAt.Equal(at) {
				t.Errorf("got %+v, %+v", got, got.Answers)
			}
		})
	}
	t.Run("no such report", func(t *testing.T) {
		if got := read(t, scanned("none")); got.Found != evidence.FoundNothing {
			t.Errorf("got %+v", got)
		}
	})
	t.Run("where a team may write", func(t *testing.T) {
		governs := policyOf("scans-governed")
		governs.Spec.AppliesTo.NamespaceSelector = metav1.LabelSelector{MatchLabels: map[string]string{corev1.LabelMetadataName: "scans-governed"}}
		must(t, admin.Create(t.Context(), governs))
		t.Cleanup(func() { _ = admin.Delete(context.Background(), governs) })
		for name, marks := range map[string]map[string]string{"scans-of-a-team": {v1alpha1.LabelTeam: "renewals"}, "scans-governed": nil, "scans-of-nobody": nil} {
			must(t, admin.Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: marks}}))
			report := scanReport("good", "sha256:aa", 0, at)
			report.SetNamespace(name)
			must(t, admin.Create(t.Context(), report))
			order := scanned("good")
			order.Namespace = name
			if got := read(t, order); (got.Found == evidence.FoundTeams) != (name != "scans-of-nobody") {
				t.Errorf("%s: got %+v", name, got)
			}
		}
	})
	t.Run("no such kind", func(t *testing.T) {
		order := scanned("good")
		order.ObjectKind = "AuditReport"
		if got := read(t, order); got.Found != evidence.FoundNoKind {
			t.Errorf("got %+v", got)
		}
	})
	t.Run("no time in it", func(t *testing.T) {
		order := scanned("good")
		order.TimeFrom = "object.finishedAt"
		if got := read(t, order); got.MadeAt != nil || got.MadeWhy != "there is no field finishedAt" {
			t.Errorf("got %+v", got)
		}
	})
	t.Run("a time that is none", func(t *testing.T) {
		order := scanned("good")
		order.TimeFrom = "timestamp('0001-01-01T00:00:00Z')"
		if got := read(t, order); got.MadeAt != nil || got.MadeWhy != "it is the zero time" {
			t.Errorf("got %+v", got)
		}
	})
	t.Run("never a Secret, though the operator may read this one", func(t *testing.T) {
		order := scanned("kept")
		order.APIVersion, order.ObjectKind, order.Namespace, order.SuccessWhen = "v1", "Secret", v1alpha1.SystemNamespace, "object.data.a == 'Yg=='"
		if got, err := sample.Resource(t.Context(), reader, reader.RESTMapper(), order, advisor); err == nil || !strings.Contains(err.Error(), "Secret") {
			t.Errorf("got %+v, %v", got, err)
		}
	})
}

// TestTheDocumentedGatesAreTaken: what docs/your-own-gate.md shows, a policy may say.
func TestTheDocumentedGatesAreTaken(t *testing.T) {
	page, err := os.ReadFile(filepath.Join(root, "docs", "your-own-gate.md"))
	must(t, err)
	blocks := regexp.MustCompile("(?s)```yaml\n(- name: .*?)```").FindAllStringSubmatch(string(page), -1)
	if len(blocks) != 3 {
		t.Fatalf("%d gates are shown", len(blocks))
	}
	for _, block := range blocks {
		text := strings.ReplaceAll(block[1], "sha256:…", "sha256:"+strings.Repeat("a", 64))
		var shown []v1alpha1.Gate
		must(t, yaml.UnmarshalStrict([]byte(text), &shown))
		t.Run(shown[0].Name, func(t *testing.T) {
			good := policyOf("documented-" + shown[0].Name)
			good.Spec.Gates = append(good.Spec.Gates, shown...)
			must(t, admin.Create(t.Context(), good, client.DryRunAll))
			if problem := policy.Check(good.Spec, nil); problem != nil && strings.HasPrefix(problem.Field, "spec.gates") {
				t.Errorf("%+v", problem)
			}
		})
	}
}
