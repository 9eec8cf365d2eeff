package promotion

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/internal/gate"
	"github.com/affineur/affineur/internal/record"
	"github.com/affineur/affineur/internal/subject"
	"github.com/affineur/affineur/internal/workload"
)

func withEverything(r *record.Record) {
	withPullSecret(r)
	to := v1alpha1.Destination{Pods: &v1alpha1.PodDestination{Namespace: "models", PodLabels: map[string]string{"app": "gateway"}, Port: 8080}}
	r.Requirements.ModelGateway = &v1alpha1.ModelGateway{
		Name: "default", Address: "http://gateway.models.svc:8080/v1", To: to,
		Credentials: &v1alpha1.CredentialSource{Secret: v1alpha1.LocalName{Name: "gateway-keys"}},
	}
	r.Subject.Model = &subject.Model{Gateway: "default", Name: "example-large", Version: "4.7"}
	r.Subject.Container.Secrets = []subject.Secret{{Name: "token", MountPath: "/etc/token", Keys: []string{"token"}}}
}

// find is the object of a type and name in the content of production.
func find[T any](t *testing.T, r record.Record, beside *record.Record, name string) T {
	t.Helper()
	for _, o := range content(r, r.Requirements.Production.Replicas, beside, workload.Severance{}) {
		if typed, ok := o.(T); ok && o.GetName() == name {
			return typed
		}
	}
	t.Fatalf("no %T %s", *new(T), name)
	panic("unreachable")
}

// TestOwnSecrets: every Secret that a pod names is one of its record's own.
func TestOwnSecrets(t *testing.T) {
	r := recordOf(t, 7, digestA, withEverything)
	pod := deployment(r, "sha256:x", workload.Severance{}, 2, gate.Size{}).Spec.Template.Spec
	made := map[string]bool{}
	for _, o := range secretsOf(r, []*corev1.Secret{secret(workload.PullSecret), secret(workload.ModelSecret), secret(workload.TeamSecret("token"))}) {
		made[o.GetName()] = true
		if o.GetLabels()[v1alpha1.LabelReview] != "7" {
			t.Errorf("%s is not marked as review 7's", o.GetName())
		}
	}
	named := 0
	for _, v := range pod.Volumes {
		if v.Secret != nil {
			named++
			if !made[v.Secret.SecretName] {
				t.Errorf("volume %s names %s, which nobody makes", v.Name, v.Secret.SecretName)
			}
		}
	}
	for _, s := range pod.ImagePullSecrets {
		named++
		if !made[s.Name] {
			t.Errorf("pulls with %s, which nobody makes", s.Name)
		}
	}
	if named != 3 {
		t.Errorf("%d Secrets are used, want 3", named)
	}
}

func secret(name string) *corev1.Secret {
	s := &corev1.Secret{}
	s.Name, s.Labels = name, map[string]string{}
	return s
}

// TestPoliciesSideBySide: while two revisions run, each has exactly what was reviewed for it.
func TestPoliciesSideBySide(t *testing.T) {
	one, two := recordOf(t, 1, digestA), recordOf(t, 2, digestB, withEverything)
	applies := func(r record.Record) (egress int, ingress []string) {
		pod := labels.Set(deployment(r, "", workload.Severance{}, 1, gate.Size{}).Spec.Template.Labels)
		for _, o := range content(two, two.Requirements.Production.Replicas, &one, workload.Severance{}) {
			p, ok := o.(*networkingv1.NetworkPolicy)
			if !ok || !labels.SelectorFromSet(p.Spec.PodSelector.MatchLabels).Matches(pod) {
				continue
			}
			egress += len(p.Spec.Egress)
			if len(p.Spec.Ingress) > 0 {
				ingress = append(ingress, p.Name)
			}
		}
		return egress, ingress
	}
	if egress, ingress := applies(one); egress != 1 || len(ingress) != 1 || ingress[0] != "allow-callers-1" {
		t.Errorf("the first may go to %d places and is called under %v", egress, ingress)
	}
	if egress, ingress := applies(two); egress != 2 || len(ingress) != 1 || ingress[0] != "allow-callers-2" {
		t.Errorf("the second may go to %d places and is called under %v", egress, ingress)
	}
	if deny := find[*networkingv1.NetworkPolicy](t, two, &one, "deny-all"); len(deny.Spec.PodSelector.MatchLabels) != 0 || len(deny.Spec.PolicyTypes) != 2 {
		t.Errorf("deny-all leaves something open: %+v", deny.Spec)
	}
	selector := labels.SelectorFromSet(deployment(one, "", workload.Severance{}, 1, gate.Size{}).Spec.Selector.MatchLabels)
	if !selector.Matches(labels.Set(deployment(two, "", workload.Severance{}, 1, gate.Size{}).Spec.Template.Labels)) {
		t.Error("the selector of a Deployment never changes, and does not select the next revision's pods")
	}
}

// TestRoom: the quota admits the maximum and the surge, of the larger revision.
func TestRoom(t *testing.T) {
	small := recordOf(t, 1, digestA)
	large := recordOf(t, 2, digestB, func(r *record.Record) {
		r.Subject.Container.CPU, r.Subject.Container.Memory = "1", "128Mi"
		r.Requirements.Production.Replicas.Max = 6
	})
	runner := workload.RunnerQuota()
	hard := find[*corev1.ResourceQuota](t, small, &large, "room").Spec.Hard
	cpu, memory := hard[corev1.ResourceRequestsCPU], hard[corev1.ResourceLimitsMemory]
	cpu.Sub(runner[corev1.ResourceCPU])
	memory.Sub(runner[corev1.ResourceMemory])
	if cpu.String() != "7" {
		t.Errorf("cpu for pods: %s, want 7: 6 and a surge of the large one", cpu.String())
	}
	if memory.String() != "1280Mi" {
		t.Errorf("memory for pods: %s, want 1280Mi: 4 and a surge of the small one", memory.String())
	}
	if pods := hard[corev1.ResourcePods]; pods.Value() < 7 {
		t.Errorf("pods: %s", pods.String())
	}
}

func TestBudgetAndScaling(t *testing.T) {
	for minimum, want := range map[int32]int32{1: 0, 2: 1, 5: 4} {
		r := recordOf(t, 1, digestA, func(r *record.Record) {
			r.Requirements.Production.Replicas = v1alpha1.ReplicaRange{Min: minimum, Max: 8}
		})
		if got := budget(r, r.Requirements.Production.Replicas).Spec.MinAvailable.IntVal; got != want {
			t.Errorf("of %d replicas %d must stay, want %d", minimum, got, want)
		}
		scaler := autoscaler(r)
		if *scaler.Spec.MinReplicas != minimum || scaler.Spec.MaxReplicas != 8 || scaler.Spec.ScaleTargetRef.Name != workload.Name {
			t.Errorf("scales %+v", scaler.Spec)
		}
	}
}

func TestReplicas(t *testing.T) {
	r := recordOf(t, 1, digestA)
	for name, test := range map[string]struct {
		live Rollout
		want int32
	}{
		"nothing runs":            {Rollout{}, 2},
		"the autoscaler chose":    {Rollout{Exists: true, Autoscaled: true, Replicas: 3}, 3},
		"scaled to zero":          {Rollout{Exists: true, Autoscaled: true, Replicas: 0}, 2},
		"beyond what was allowed": {Rollout{Exists: true, Autoscaled: true, Replicas: 40}, 4},
		"by hand":                 {Rollout{Exists: true, Replicas: 3}, 2},
	} {
		if got := replicas(r, test.live); got != test.want {
			t.Errorf("%s: %d, want %d", name, got, test.want)
		}
	}
}

func TestDeployment(t *testing.T) {
	r := recordOf(t, 1, digestA)
	d := deployment(r, "", workload.Severance{}, 2, gate.Size{})
	if d.Annotations[v1alpha1.AnnotationRecord] != r.Name() || d.Annotations[v1alpha1.AnnotationSubject] != r.SubjectDigest {
		t.Errorf("does not say what it is: %v", d.Annotations)
	}
	if rolling := d.Spec.Strategy.RollingUpdate; rolling.MaxUnavailable.IntVal != 0 || rolling.MaxSurge.IntVal != surge {
		t.Errorf("rolls %+v: the old one would stop before the new one serves", rolling)
	}
}

func TestMemorySurvivesTheNamespace(t *testing.T) {
	s := makeSituation(t)
	for name, m := range memories(s) {
		m.IntentAt = stamp(time.Date(2026, 3, 2, 10, 0, 0, 123456789, time.FixedZone("x", 3600)))
		namespace, err := namespaceOf(identity, m, "", true, "")
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(m, recall(namespace)); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
		if namespace.Labels[v1alpha1.LabelOrphaned] != "true" || namespace.Labels["pod-security.kubernetes.io/enforce"] != "restricted" {
			t.Errorf("labels %v", namespace.Labels)
		}
		if m.Record == "" {
			continue
		}
		namespace.Annotations[v1alpha1.AnnotationRecord] = "another-1"
		if got := recall(namespace); got != (Memory{Record: "another-1"}) {
			t.Errorf("%s: details of one record are believed of another: %s", name, got)
		}
		namespace.Annotations[v1alpha1.AnnotationPromotion] = "{"
		if got := recall(namespace); got != (Memory{Record: "another-1"}) {
			t.Errorf("%s: broken memory reads as %s", name, got)
		}
	}
	raw, err := json.Marshal(Memory{})
	if err != nil || string(raw) != "{}" {
		t.Errorf("an empty memory is %s, %v", raw, err)
	}
	if _, err := namespaceOf(identity, Memory{}, "", false, "true"); err != nil {
		t.Fatal(err)
	}
	back, _ := namespaceOf(identity, Memory{}, "", false, "true")
	if back.Labels[v1alpha1.LabelOrphaned] != "false" || strings.Contains(back.Annotations[v1alpha1.AnnotationPromotion], "record") {
		t.Errorf("mark not taken back: %v", back.Labels)
	}
}
