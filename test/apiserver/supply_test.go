package apiserver

import (
	"io"
	"log"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/internal/evidence"
	"github.com/affineur/affineur/internal/gate"
	"github.com/affineur/affineur/internal/material"
	"github.com/affineur/affineur/internal/names"
	"github.com/affineur/affineur/internal/policy"
	"github.com/affineur/affineur/internal/record"
	ours "github.com/affineur/affineur/internal/registry"
	"github.com/affineur/affineur/internal/subject"
	"github.com/affineur/affineur/internal/supplychain"
	"github.com/affineur/affineur/test/signing"
)

// What a policy may ask of the security gate.
func TestSecurityGateSchema(t *testing.T) {
	const at, key = "spec.gates.0.security", `publicKey: "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n"`
	keys := "keys: [{name: release, " + key + "}]"
	trySchema(t, goodPolicy, admin, []schemaCase{
		{"nothing", at, "{}", ""},
		{"a key", at, "{signatures: {" + keys + "}, sbom: Required}", ""},
		{"everything", at, "{signatures: {" + keys + `, identities: [{name: ci, issuer: "https://issuer.example.org", subjectRegExp: ".*@example.org", vouchesFor: [VEX]}], trustedRoot: {name: root}}, ` +
			"provenance: {builders: [a], sources: [b]}, vulnerabilities: {source: Attestations, maxHigh: 3, maxAge: 72h}, vex: [{name: vex}]}", ""},
		{"nobody", at, "{signatures: {}}", "signatures name a key or an identity"},
		{"a private key", at, `{signatures: {keys: [{name: release, publicKey: "-----BEGIN EC PRIVATE KEY-----"}]}}`, "publicKey is a public key in PEM"},
		{"an identity of nobody's", at, "{signatures: {identities: [{name: ci, issuer: i, subject: s}]}}", "identities need a trustedRoot"},
		{"an issuer's anybody", at, "{signatures: {identities: [{name: ci, issuer: i}], trustedRoot: {name: root}}}", "exactly one of subject and subjectRegExp"},
		{"an identity exactly and not", at, "{signatures: {identities: [{name: ci, issuer: i, subject: s, subjectRegExp: s}], trustedRoot: {name: root}}}", "exactly one of subject and subjectRegExp"},
		{"two of one name", at, "{signatures: {" + keys + ", identities: [{name: release, issuer: i, subject: s}], trustedRoot: {name: root}}}", "a key and an identity have the same name"},
		{"a claim of another kind", at, "{signatures: {keys: [{name: release, vouchesFor: [Weather], " + key + "}]}}", "Unsupported value"},
		{"provenance from nobody", at, "{provenance: {builders: [a]}}", "provenance needs signatures"},
		{"attested by nobody", at, "{vulnerabilities: {source: Attestations}}", "they count only from a signer"},
		{"reports of trivy-operator", at, "{vulnerabilities: {source: TrivyOperator, maxCritical: 0}}", ""},
		{"scans of any age", at, "{vulnerabilities: {source: TrivyOperator, maxAge: 0s}}", "a scan counts for an hour at least"},
		{"fewer than none", at, "{vulnerabilities: {source: TrivyOperator, maxHigh: -1}}", "should be greater than or equal to 0"},
		{"for another gate", "spec.gates.1.security", "{}", "security is for a gate of type Security"},
	})
}

// vulnerabilityReports are trivy-operator's, as far as a server has to know them.
func vulnerabilityReports(t *testing.T) {
	t.Helper()
	_, err := envtest.InstallCRDs(config, envtest.CRDInstallOptions{CRDs: []*apiextensionsv1.CustomResourceDefinition{{
		ObjectMeta: metav1.ObjectMeta{Name: "vulnerabilityreports.aquasecurity.github.io"},
		Spec: apiextensionsv1.CustomResourceDefinitionSpec{
			Group: "aquasecurity.github.io", Scope: apiextensionsv1.NamespaceScoped,
			Names: apiextensionsv1.CustomResourceDefinitionNames{Kind: "VulnerabilityReport", ListKind: "VulnerabilityReportList", Plural: "vulnerabilityreports", Singular: "vulnerabilityreport"},
			Versions: []apiextensionsv1.CustomResourceDefinitionVersion{{Name: "v1alpha1", Served: true, Storage: true,
				Schema: &apiextensionsv1.CustomResourceValidation{OpenAPIV3Schema: &apiextensionsv1.JSONSchemaProps{Type: "object", XPreserveUnknownFields: ptr.To(true)}}}},
		},
	}}})
	must(t, err)
}

func vulnerabilityReport(namespace, name, digest string, severities ...string) *unstructured.Unstructured {
	flaws := []any{}
	for _, severity := range severities {
		flaws = append(flaws, map[string]any{"vulnerabilityID": "CVE-2026-0001", "resource": "openssl", "installedVersion": "3.0.1", "severity": severity, "title": "long"})
	}
	return &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "aquasecurity.github.io/v1alpha1", "kind": "VulnerabilityReport", "metadata": map[string]any{"namespace": namespace, "name": name},
		"report": map[string]any{
			"updateTimestamp": time.Now().Add(-time.Hour).UTC().Format(time.RFC3339), "scanner": map[string]any{"name": "Trivy"},
			"artifact": map[string]any{"digest": digest}, "summary": map[string]any{"criticalCount": int64(0), "highCount": int64(0)}, "vulnerabilities": flaws,
		},
	}}
}

// shelved is a registry with an image of its own, by digest.
func shelved(t *testing.T, title string) name.Digest {
	t.Helper()
	server := httptest.NewServer(registry.New(registry.WithReferrersSupport(true), registry.Logger(log.New(io.Discard, "", 0))))
	t.Cleanup(server.Close)
	tag, err := name.NewTag(strings.TrimPrefix(server.URL, "http://")+"/membership/advisor:1", name.Insecure)
	must(t, err)
	index := mutate.AppendManifests(empty.Index, mutate.IndexAddendum{Add: mutate.Annotations(empty.Image, map[string]string{"title": title}).(v1.Image)})
	must(t, remote.WriteIndex(tag, index))
	digest, err := index.Digest()
	must(t, err)
	return tag.Digest(digest.String())
}

// chain is a security gate that looks with the operator's own rights.
type chain struct {
	material.Instrument
	c gate.Case
}

// verdict goes the whole way: gathered as the operator, verified as a runner does, judged.
func (s chain) verdict(t *testing.T) gate.Verdict {
	t.Helper()
	s.c.Now = time.Now()
	measured := func(result evidence.Result, err error) gate.Witnessed {
		if err != nil {
			return gate.Witnessed{Measurement: gate.Measurement{Lost: err.Error()}}
		}
		return gate.Witnessed{Measurement: gate.Measurement{Report: &evidence.Report{Schema: evidence.ReportSchema, Nonce: "0123456789abcdef",
			Subject: s.c.Record.ReviewDigest, StartedAt: s.c.Now, FinishedAt: s.c.Now, Result: result}}}
	}
	taken := gate.Taken{Runs: map[string]gate.Witnessed{}, Isolation: gate.Isolation{Verdict: gate.Pass(v1alpha1.ReasonEnforced, "measured", s.c.Now)}}
	runs, err := s.Plan(s.c, taken)
	must(t, err)
	result, err := s.Sample(t.Context(), s.c, runs[0])
	taken.Runs[runs[0].Part] = measured(result, err)
	if err == nil {
		runs, err = s.Plan(s.c, taken)
		must(t, err)
		order, err := evidence.Read[evidence.SupplyOrder](runs[1].Order)
		must(t, err)
		found, err := supplychain.Examine(*order, runs[1].Files)
		taken.Runs[runs[1].Part] = measured(&found, err)
	}
	return s.Judge(s.c, taken)
}

// TestTheSupplyChainAsTheOperator asks a real registry and a real API server, with the rights that config/rbac gives.
func TestTheSupplyChainAsTheOperator(t *testing.T) {
	key, err := signing.NewKey()
	must(t, err)
	stranger, err := signing.NewKey()
	must(t, err)
	public, err := key.PEM()
	must(t, err)
	signed, unsigned := shelved(t, "signed"), shelved(t, "unsigned")
	release, err := key.Bundle(signed.DigestStr())
	must(t, err)
	foreign, err := stranger.Image(unsigned.DigestStr())
	must(t, err)
	must(t, signing.Push(signed, []evidence.Attachment{release}))
	must(t, signing.Push(unsigned, []evidence.Attachment{foreign}))

	identity := names.Identity{Namespace: team, Name: "supplied", UID: "3f1c1f0e-0000-4000-8000-000000000001"}
	full := as(operator, administrators)
	must(t, full.Create(t.Context(), managed(identity.Sandbox(), v1alpha1.PurposeSandbox)))
	reader, err := client.New(operatorConfig, client.Options{Scheme: scheme})
	must(t, err)
	of := func(image name.Digest, asked v1alpha1.SecurityGate) chain {
		prefix := image.RegistryStr() + "/membership/"
		via := v1alpha1.Registry{Prefix: prefix, Scheme: v1alpha1.RegistryHTTP}
		return chain{
			Instrument: material.Instrument{Live: reader, Resolver: ours.Resolver{Live: reader}},
			c: gate.Case{Gate: v1alpha1.Gate{Name: "security", Type: v1alpha1.GateSecurity, Security: &asked}, Record: record.Record{
				Prototype: identity, SubjectDigest: evidence.Digest([]byte("subject")), ReviewDigest: evidence.Digest([]byte("review")),
				Subject:      subject.Subject{Container: subject.Container{Image: image.Name(), Port: 8080, CPU: "100m", Memory: "64Mi"}},
				Requirements: policy.Requirements{Registry: via},
			}},
		}
	}
	signatures := &v1alpha1.Signatures{Keys: []v1alpha1.SignerKey{{Name: "release", PublicKey: public}}}
	says := func(t *testing.T, v gate.Verdict, state gate.State, text string) {
		t.Helper()
		all := v.Message
		for _, f := range v.Findings {
			all += " " + f.Reason + " " + f.Message
		}
		if v.State != state || !strings.Contains(all, text) {
			t.Errorf("got %+v, want %s with %q", v, state, text)
		}
	}
	t.Run("signed", func(t *testing.T) {
		says(t, of(signed, v1alpha1.SecurityGate{Signatures: signatures}).verdict(t), gate.Passed, "signed by release")
	})
	t.Run("signed by a stranger", func(t *testing.T) {
		says(t, of(unsigned, v1alpha1.SecurityGate{Signatures: signatures}).verdict(t), gate.Failed, "ImageNotSigned")
	})
	t.Run("a paper that is not there", func(t *testing.T) {
		asked := v1alpha1.SecurityGate{Signatures: signatures, VEX: []v1alpha1.LocalName{{Name: "vex"}}}
		says(t, of(signed, asked).verdict(t), gate.Inconclusive, "ConfigMap affineur-system/vex, which the policy names, is not there")
		must(t, admin.Create(t.Context(), &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: v1alpha1.SystemNamespace, Name: "vex"}, Data: map[string]string{
			"one.json": `{"@context":"https://openvex.dev/ns/v0.2.0","timestamp":"2026-03-01T12:00:00Z","statements":[{"vulnerability":{"name":"CVE-2026-0001"},"products":[{"@id":"` +
				"pkg:oci/advisor@" + signed.DigestStr() + `"}],"status":"not_affected","justification":"component_not_present"}]}`}}))
		says(t, of(signed, asked).verdict(t), gate.Passed, "signed by release")
	})
	scans := v1alpha1.SecurityGate{Vulnerabilities: &v1alpha1.VulnerabilityRule{Source: v1alpha1.SourceTrivyOperator, MaxAge: metav1.Duration{Duration: 24 * time.Hour}}}
	t.Run("no trivy-operator", func(t *testing.T) {
		says(t, of(signed, scans).verdict(t), gate.Inconclusive, "trivy-operator is not installed")
	})
	vulnerabilityReports(t)
	t.Run("without IT's leave", func(t *testing.T) {
		says(t, of(signed, scans).verdict(t), gate.Inconclusive, "may not list VulnerabilityReports")
	})
	allowReports(t, reader, identity.Sandbox())
	t.Run("not scanned", func(t *testing.T) {
		must(t, full.Create(t.Context(), vulnerabilityReport(identity.Sandbox(), "other", unsigned.DigestStr())))
		must(t, admin.Create(t.Context(), vulnerabilityReport(team, "by-the-team", signed.DigestStr())))
		says(t, of(signed, scans).verdict(t), gate.Inconclusive, "ScanMissing")
	})
	t.Run("scanned", func(t *testing.T) {
		must(t, full.Create(t.Context(), vulnerabilityReport(identity.Sandbox(), "advisor", signed.DigestStr(), "CRITICAL", "LOW")))
		says(t, of(signed, scans).verdict(t), gate.Failed, "VulnerabilitiesFound")
		says(t, of(unsigned, scans).verdict(t), gate.Passed, "0 critical and 0 high")
	})
	t.Run("excused", func(t *testing.T) {
		asked := scans
		asked.VEX = []v1alpha1.LocalName{{Name: "vex"}}
		says(t, of(signed, asked).verdict(t), gate.Passed, "excused by VEX")
	})
}

// allowReports adds what examples/read-reports.yaml adds on a cluster, where a controller fills in aggregated rules.
func allowReports(t *testing.T, reader client.Client, namespace string) {
	t.Helper()
	var reads rbacv1.ClusterRole
	must(t, admin.Get(t.Context(), client.ObjectKey{Name: "affineur-reads"}, &reads))
	reads.Rules = append(reads.Rules, rbacv1.PolicyRule{APIGroups: []string{"aquasecurity.github.io"}, Resources: []string{"vulnerabilityreports"}, Verbs: []string{"get", "list"}})
	must(t, admin.Update(t.Context(), &reads))
	list := &unstructured.UnstructuredList{}
	list.SetAPIVersion("aquasecurity.github.io/v1alpha1")
	list.SetKind("VulnerabilityReportList")
	for start := time.Now(); reader.List(t.Context(), list, client.InNamespace(namespace)) != nil; {
		if time.Since(start) > time.Minute {
			t.Fatal("the right was granted and is not there")
		}
	}
}
