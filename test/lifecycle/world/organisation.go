package world

import (
	"context"
	"maps"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/affineur/affineur/api/v1alpha1"
	affineurregistry "github.com/affineur/affineur/internal/registry"
)

// The images of the stories: a repository and the digests of what was pushed to it.
const (
	Repository  = "registry.example.org/membership/churn-advisor"
	canary      = "203.0.113.20"
	integration = "crm"
)

// Digest of an image that is made of one character.
func Digest(of string) string { return "sha256:" + strings.Repeat(of, 64) }

// Program is what an image does when it runs.
type Program struct {
	// Slow programs take twice the promised time to answer.
	Slow bool
	// Crashes at its start.
	Crashes bool
	// Fails a few seconds after it was ready, in production only.
	Fails bool
}

func (w *World) program(image string) Program {
	_, digest, _ := strings.Cut(image, "@")
	return w.Images[digest]
}

// registry answers what a tag stands for.
type registry struct{ world *World }

// Resolve implements sandbox.Resolver.
func (r registry) Resolve(_ context.Context, image string, _ v1alpha1.Registry) (string, error) {
	if r.world.chance(8) {
		return "", &affineurregistry.Error{
			Reason: v1alpha1.ReasonRegistryUnreachable, Message: "The registry does not answer.", Owner: v1alpha1.OwnerIT, Passing: true,
		}
	}
	digest, known := r.world.Tags[image]
	if !known {
		return "", &affineurregistry.Error{
			Reason: v1alpha1.ReasonImageNotFound, Message: "The registry does not have " + image + ".", Owner: v1alpha1.OwnerBusiness, Passing: true,
		}
	}
	repository, _, _ := strings.Cut(image, ":")
	return repository + "@" + digest, nil
}

// Artifact implements sandbox.Resolver: no prototype of the stories names one.
func (registry) Artifact(_ context.Context, reference string, _ v1alpha1.Registry, _ int64) (affineurregistry.Artifact, error) {
	return affineurregistry.Artifact{}, &affineurregistry.Error{
		Reason: v1alpha1.ReasonImageNotFound, Message: "The registry does not have " + reference + ".", Owner: v1alpha1.OwnerBusiness, Passing: true,
	}
}

// NewPrototype is the prototype of the stories, with everything that a review asks for.
func NewPrototype(target v1alpha1.Target, tag string) *v1alpha1.AIPrototype {
	return &v1alpha1.AIPrototype{
		ObjectMeta: metav1.ObjectMeta{Namespace: Team, Name: Name},
		Spec: v1alpha1.AIPrototypeSpec{
			Target:       target,
			Need:         v1alpha1.Need{Problem: "Members lapse before anyone notices that they are unhappy."},
			Facts:        &v1alpha1.Facts{Exposure: v1alpha1.ExposureInternal, Autonomy: v1alpha1.AutonomyAnswers},
			Data:         &v1alpha1.DataUse{Uses: []string{"renewal-dates"}},
			Integrations: []v1alpha1.IntegrationUse{{Name: integration, Access: v1alpha1.AccessRead}},
			Workload: &v1alpha1.Workload{Container: &v1alpha1.Container{
				Image: Repository + ":" + tag, Port: 8080, Resources: v1alpha1.Resources{CPU: "250m", Memory: "256Mi"},
			}},
			Demand: &v1alpha1.Demand{
				People: ptr.To[int32](100), BusiestHour: ptr.To[int32](3600), AnswerWithin: &metav1.Duration{Duration: 2 * time.Second},
				ErrorRatio: "0.01", Request: v1alpha1.SampleRequest{Method: "GET", Path: "/"},
			},
		},
	}
}

// organisation is what IT set up before the story begins.
func organisation() []client.Object {
	namespace := func(name string, labels map[string]string) client.Object {
		return &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: labels}}
	}
	secret := func(name, key, value string) client.Object {
		return &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: v1alpha1.SystemNamespace, Name: name}, Data: map[string][]byte{key: []byte(value)}}
	}
	return []client.Object{
		namespace(v1alpha1.SystemNamespace, nil), namespace(v1alpha1.RecordsNamespace, nil), namespace(v1alpha1.GatesNamespace, nil),
		namespace(Team, map[string]string{"affineur.dev/ai-sandbox": "true", v1alpha1.LabelTeam: Team}),
		secret("registry-pull", corev1.DockerConfigJsonKey, "{}"), secret("crm-test", "token", "{}"), secret("crm-prod", "token", productionCredential),
		&corev1.Service{
			ObjectMeta: metav1.ObjectMeta{Namespace: v1alpha1.GatesNamespace, Name: v1alpha1.CanaryService},
			Spec:       corev1.ServiceSpec{ClusterIP: canary},
		},
		thePolicy(),
	}
}

// systems are the addresses of IT's systems, by what their pods are labelled with.
var systems = map[string]string{"crm-test": "203.0.113.30", "crm": "203.0.113.31"}

// addressed gives IT's systems their addresses: only where something is cut off, somebody looks for them.
func (w *World) addressed() {
	w.Helper()
	if w.Namespace("crm") != nil {
		return
	}
	w.Must(w.as(platform).Create(w.context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "crm"}}))
	for _, app := range slices.Sorted(maps.Keys(systems)) {
		w.Must(w.as(platform).Create(w.context(), serviceOf(app)))
	}
}

func serviceOf(app string) client.Object {
	return &corev1.Service{ObjectMeta: metav1.ObjectMeta{Namespace: "crm", Name: app}, Spec: corev1.ServiceSpec{ClusterIP: systems[app]}}
}

func thePolicy() *v1alpha1.HardeningPolicy {
	endpoint := func(app, credential string) *v1alpha1.Endpoint {
		return &v1alpha1.Endpoint{
			Address:     "https://" + app + ".crm.svc:443",
			To:          v1alpha1.Destination{Pods: &v1alpha1.PodDestination{Namespace: "crm", PodLabels: map[string]string{"app": app}, Port: 8443}},
			Credentials: &v1alpha1.CredentialSource{Secret: v1alpha1.LocalName{Name: credential}},
		}
	}
	hours := func(n int) metav1.Duration { return metav1.Duration{Duration: time.Duration(n) * time.Hour} }
	gate := func(name string, kind v1alpha1.GateType) v1alpha1.Gate {
		return v1alpha1.Gate{Name: name, Type: kind, Enforcement: v1alpha1.EnforcementRequired}
	}
	scalability := gate("scalability", v1alpha1.GateScalability)
	scalability.Scalability = &v1alpha1.ScalabilityGate{Headroom: "1.5", Duration: metav1.Duration{Duration: 20 * time.Second}}
	return &v1alpha1.HardeningPolicy{
		ObjectMeta: metav1.ObjectMeta{Name: "organisation"},
		Spec: v1alpha1.HardeningPolicySpec{
			AppliesTo: v1alpha1.AppliesTo{NamespaceSelector: metav1.LabelSelector{MatchLabels: map[string]string{"affineur.dev/ai-sandbox": "true"}}},
			Teams:     []v1alpha1.Team{{Name: Team, Groups: []string{"team-membership"}}},
			DataRules: []v1alpha1.DataRule{{Name: "renewal-dates", Class: v1alpha1.DataInternal}},
			Sandbox: v1alpha1.SandboxPolicy{
				Registries: []v1alpha1.Registry{{Prefix: "registry.example.org/", PullSecret: &v1alpha1.LocalName{Name: "registry-pull"}}}, DNS: "Cluster",
				Lifetime: v1alpha1.LifetimePolicy{Default: hours(336), Max: hours(2160)},
				Limits:   v1alpha1.SandboxLimits{PerPrototype: v1alpha1.Resources{CPU: "2", Memory: "4Gi"}},
				Access:   v1alpha1.SandboxAccess{PortForward: true},
			},
			Catalogue: v1alpha1.Catalogue{Integrations: []v1alpha1.Integration{{
				Name: integration, Sandbox: endpoint("crm-test", "crm-test"), Production: endpoint("crm", "crm-prod"),
				MayCarry: v1alpha1.MayCarry{Classes: []v1alpha1.DataClass{v1alpha1.DataPublic, v1alpha1.DataInternal}},
				Check:    v1alpha1.IntegrationCheck{HTTPS: &v1alpha1.HTTPCheck{Path: "/health", ExpectStatus: 200}},
			}}},
			Gates: []v1alpha1.Gate{gate("security", v1alpha1.GateSecurity), scalability, gate("integration", v1alpha1.GateIntegration)},
			Roles: []v1alpha1.Role{{Name: "security", Groups: []string{"it-security"}}, {Name: "operations", Groups: []string{"it-operations"}}},
			Tiers: []v1alpha1.Tier{{
				Name: "Standard", When: "true", Gates: []string{"security", "scalability", "integration"},
				Approvals: []v1alpha1.Approval{{Role: "security", Quorum: 1}, {Role: "operations", Quorum: 1}},
				Due:       hours(24), Soak: metav1.Duration{Duration: 10 * time.Second},
			}},
			Production: v1alpha1.ProductionPolicy{
				Replicas: v1alpha1.ReplicaRange{Min: 2, Max: 4},
				Ingress: v1alpha1.IngressPolicy{From: []v1alpha1.IngressSource{{
					Pods: &v1alpha1.PodSource{Namespace: "ingress", PodLabels: map[string]string{"app": "gateway"}},
				}}},
			},
		},
	}
}
