//go:build e2e

// Package e2e holds tests on a cluster that runs Affineur: what only real controllers, a scheduler and a kubelet show.
package e2e

import (
	"context"
	"fmt"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	policyv1 "k8s.io/api/policy/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/intstr"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/affineur/affineur/api/v1alpha1"
)

const (
	operator = "system:serviceaccount:affineur-system:affineur"
	patience = 2 * time.Minute
)

// stand is a managed namespace of a test's own on a guarded cluster.
type stand struct {
	*WithT
	t *testing.T
	// admin is who the kubeconfig says, operator the operator's identity.
	admin, operator client.Client
	namespace       string
	image           string
}

// newStand makes a managed namespace as the operator does. The test needs a cluster on which Affineur is installed.
func newStand(t *testing.T, name string) *stand {
	t.Helper()
	s := &stand{WithT: NewWithT(t), t: t, namespace: v1alpha1.SandboxPrefix + "e2e-" + name}
	config, err := clientcmd.NewNonInteractiveDeferredLoadingClientConfig(clientcmd.NewDefaultClientConfigLoadingRules(), nil).ClientConfig()
	s.Expect(err).NotTo(HaveOccurred(), "KUBECONFIG names a cluster that runs Affineur")
	scheme := runtime.NewScheme()
	s.Expect(clientgoscheme.AddToScheme(scheme)).To(Succeed())
	s.Expect(v1alpha1.AddToScheme(scheme)).To(Succeed())
	s.admin, err = client.New(config, client.Options{Scheme: scheme})
	s.Expect(err).NotTo(HaveOccurred())
	impersonating := rest.CopyConfig(config)
	impersonating.Impersonate = rest.ImpersonationConfig{UserName: operator}
	s.operator, err = client.New(impersonating, client.Options{Scheme: scheme})
	s.Expect(err).NotTo(HaveOccurred())

	canary := &appsv1.Deployment{}
	err = s.admin.Get(t.Context(), client.ObjectKey{Namespace: v1alpha1.GatesNamespace, Name: "affineur-canary"}, canary)
	s.Expect(err).NotTo(HaveOccurred(), "Affineur is not installed on this cluster")
	s.image = canary.Spec.Template.Spec.Containers[0].Image

	s.Expect(client.IgnoreNotFound(s.operator.Delete(t.Context(), s.managed()))).To(Succeed())
	s.goneWithin(s.managed())
	s.Expect(s.operator.Create(t.Context(), s.managed())).To(Succeed())
	t.Cleanup(func() { _ = s.operator.Delete(context.Background(), s.managed()) })
	s.Expect(s.operator.Create(t.Context(), &rbacv1.RoleBinding{
		ObjectMeta: metav1.ObjectMeta{Namespace: s.namespace, Name: "affineur-managed"},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "affineur-managed"},
		Subjects:   []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Namespace: v1alpha1.SystemNamespace, Name: "affineur"}},
	})).To(Succeed())
	s.refusesOthers()
	return s
}

func (s *stand) managed() *corev1.Namespace {
	return &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: s.namespace, Labels: map[string]string{
		v1alpha1.LabelManagedBy: v1alpha1.ManagedBy, v1alpha1.LabelPurpose: v1alpha1.PurposeSandbox,
		"pod-security.kubernetes.io/enforce": "restricted",
	}}}
}

// refusesOthers makes sure that the guards stand: without them, nothing here would show anything.
func (s *stand) refusesOthers() {
	err := s.admin.Create(s.t.Context(), &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: s.namespace, Name: "intruder"}})
	s.Expect(err).To(MatchError(ContainSubstring("'affineur-managed-content'")))
}

// eventually is for what another program has to do.
func (s *stand) eventually(what string, f func(g Gomega)) {
	s.t.Helper()
	s.Eventually(f, patience, 250*time.Millisecond).Should(Succeed(), what)
}

func (s *stand) goneWithin(object client.Object) {
	s.t.Helper()
	s.eventually(fmt.Sprintf("%T %s goes", object, object.GetName()), func(g Gomega) {
		err := s.admin.Get(s.t.Context(), client.ObjectKeyFromObject(object), object.DeepCopyObject().(client.Object))
		g.Expect(apierrors.IsNotFound(err)).To(BeTrue(), "%v", err)
	})
}

func (s *stand) podSpec() corev1.PodSpec {
	return corev1.PodSpec{
		AutomountServiceAccountToken:  ptr.To(false),
		TerminationGracePeriodSeconds: ptr.To[int64](1),
		SecurityContext: &corev1.PodSecurityContext{RunAsNonRoot: ptr.To(true), RunAsUser: ptr.To[int64](65532),
			SeccompProfile: &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault}},
		Containers: []corev1.Container{{
			Name: "canary", Image: s.image, Args: []string{"canary", "--ports", "8081,8082"},
			SecurityContext: &corev1.SecurityContext{AllowPrivilegeEscalation: ptr.To(false), Capabilities: &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}}},
		}},
	}
}

func (s *stand) deployment(replicas int32) *appsv1.Deployment {
	labels := map[string]string{"app": "tried"}
	return &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{Namespace: s.namespace, Name: "tried"},
		Spec: appsv1.DeploymentSpec{
			Replicas: ptr.To(replicas), Selector: &metav1.LabelSelector{MatchLabels: labels},
			Template: corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: labels}, Spec: s.podSpec()},
		},
	}
}

// deployed waits for a rollout and returns its pods.
func (s *stand) deployed(replicas int32) []corev1.Pod {
	s.t.Helper()
	var pods corev1.PodList
	s.eventually("the rollout completes", func(g Gomega) {
		d := s.deployment(0)
		g.Expect(s.admin.Get(s.t.Context(), client.ObjectKeyFromObject(d), d)).To(Succeed())
		g.Expect(d.Status.ObservedGeneration).To(Equal(d.Generation))
		g.Expect([]int32{d.Status.Replicas, d.Status.UpdatedReplicas, d.Status.AvailableReplicas}).To(HaveEach(replicas))
		g.Expect(s.admin.List(s.t.Context(), &pods, client.InNamespace(s.namespace), client.MatchingLabels{"app": "tried"})).To(Succeed())
		g.Expect(pods.Items).To(HaveLen(int(replicas)))
	})
	return pods.Items
}

// What every namespace needs of the cluster, a rollout, another, a Service with its endpoints, a quota.
func TestGuardsLetARolloutThrough(t *testing.T) {
	s := newStand(t, "rollout")
	s.eventually("the namespace gets its account and its certificate", func(g Gomega) {
		g.Expect(s.admin.Get(t.Context(), client.ObjectKey{Namespace: s.namespace, Name: "default"}, &corev1.ServiceAccount{})).To(Succeed())
		g.Expect(s.admin.Get(t.Context(), client.ObjectKey{Namespace: s.namespace, Name: "kube-root-ca.crt"}, &corev1.ConfigMap{})).To(Succeed())
	})
	s.Expect(s.operator.Create(t.Context(), &corev1.ResourceQuota{ObjectMeta: metav1.ObjectMeta{Namespace: s.namespace, Name: "quota"},
		Spec: corev1.ResourceQuotaSpec{Hard: corev1.ResourceList{corev1.ResourcePods: *quantity("10")}}})).To(Succeed())
	s.Expect(s.operator.Create(t.Context(), &corev1.Service{ObjectMeta: metav1.ObjectMeta{Namespace: s.namespace, Name: "tried"},
		Spec: corev1.ServiceSpec{Selector: map[string]string{"app": "tried"}, Ports: []corev1.ServicePort{{Port: 8081}}}})).To(Succeed())
	d := s.deployment(2)
	s.Expect(s.operator.Create(t.Context(), d)).To(Succeed())
	first := s.deployed(2)
	s.eventually("the Service finds the pods, the quota counts them", func(g Gomega) {
		var slices discoveryv1.EndpointSliceList
		g.Expect(s.admin.List(t.Context(), &slices, client.InNamespace(s.namespace))).To(Succeed())
		g.Expect(slices.Items).NotTo(BeEmpty())
		g.Expect(slices.Items[0].Endpoints).To(HaveLen(2))
		quota := &corev1.ResourceQuota{}
		g.Expect(s.admin.Get(t.Context(), client.ObjectKey{Namespace: s.namespace, Name: "quota"}, quota)).To(Succeed())
		g.Expect(quota.Status.Used.Pods().Value()).To(BeEquivalentTo(2))
	})
	s.Expect(s.operator.Get(t.Context(), client.ObjectKeyFromObject(d), d)).To(Succeed())
	d.Spec.Template.Spec.Containers[0].Env = []corev1.EnvVar{{Name: "REVISION", Value: "2"}}
	s.Expect(s.operator.Update(t.Context(), d)).To(Succeed())
	second := s.deployed(2)
	for _, old := range first {
		for _, pod := range second {
			s.Expect(pod.UID).NotTo(Equal(old.UID), "the second rollout replaced nothing")
		}
	}
}

// The autoscaler scales to its minimum without any metric.
func TestGuardsLetTheAutoscalerThrough(t *testing.T) {
	s := newStand(t, "hpa")
	s.Expect(s.operator.Create(t.Context(), s.deployment(1))).To(Succeed())
	s.deployed(1)
	s.Expect(s.operator.Create(t.Context(), &autoscalingv2.HorizontalPodAutoscaler{
		ObjectMeta: metav1.ObjectMeta{Namespace: s.namespace, Name: "tried"},
		Spec: autoscalingv2.HorizontalPodAutoscalerSpec{MinReplicas: ptr.To[int32](2), MaxReplicas: 3,
			ScaleTargetRef: autoscalingv2.CrossVersionObjectReference{APIVersion: "apps/v1", Kind: "Deployment", Name: "tried"}},
	})).To(Succeed())
	s.deployed(2)
}

// A drain evicts: allowed while the budget holds, whoever drains; the pod is replaced.
func TestGuardsLetADrainThrough(t *testing.T) {
	s := newStand(t, "drain")
	s.Expect(s.operator.Create(t.Context(), s.deployment(2))).To(Succeed())
	s.Expect(s.operator.Create(t.Context(), &policyv1.PodDisruptionBudget{ObjectMeta: metav1.ObjectMeta{Namespace: s.namespace, Name: "tried"},
		Spec: policyv1.PodDisruptionBudgetSpec{MaxUnavailable: ptr.To(intstr.FromInt32(1)), Selector: &metav1.LabelSelector{MatchLabels: map[string]string{"app": "tried"}}}})).To(Succeed())
	pods := s.deployed(2)
	s.eventually("the budget is counted", func(g Gomega) {
		budget := &policyv1.PodDisruptionBudget{}
		g.Expect(s.admin.Get(t.Context(), client.ObjectKey{Namespace: s.namespace, Name: "tried"}, budget)).To(Succeed())
		g.Expect(budget.Status.DisruptionsAllowed).To(BeEquivalentTo(1))
	})
	s.Expect(s.admin.Delete(t.Context(), &pods[0])).To(MatchError(ContainSubstring("'affineur-managed-content'")), "deleting by hand is no drain")
	s.Expect(s.admin.SubResource("eviction").Create(t.Context(), &pods[0], &policyv1.Eviction{})).To(Succeed())
	s.goneWithin(&pods[0])
	s.deployed(2)
}

// A Job that ends, with the pod's finalizer that the job controller puts on and takes off, and its removal after.
func TestGuardsLetAJobThrough(t *testing.T) {
	s := newStand(t, "job")
	spec := s.podSpec()
	spec.RestartPolicy = corev1.RestartPolicyNever
	spec.Containers[0].Args = []string{"--help"}
	job := &batchv1.Job{ObjectMeta: metav1.ObjectMeta{Namespace: s.namespace, Name: "tried"},
		Spec: batchv1.JobSpec{BackoffLimit: ptr.To[int32](0), TTLSecondsAfterFinished: ptr.To[int32](5), Template: corev1.PodTemplateSpec{Spec: spec}}}
	s.Expect(s.operator.Create(t.Context(), job)).To(Succeed())
	s.eventually("the job ends", func(g Gomega) {
		g.Expect(s.admin.Get(t.Context(), client.ObjectKeyFromObject(job), job)).To(Succeed())
		g.Expect(job.Status.Succeeded + job.Status.Failed).To(BeEquivalentTo(1))
	})
	s.goneWithin(job)
	s.eventually("its pods go with it", func(g Gomega) {
		var pods corev1.PodList
		g.Expect(s.admin.List(t.Context(), &pods, client.InNamespace(s.namespace))).To(Succeed())
		g.Expect(pods.Items).To(BeEmpty())
	})
}

// What an owner leaves behind is collected, in either order.
func TestGuardsLetTheCollectorThrough(t *testing.T) {
	for _, order := range []metav1.DeletionPropagation{metav1.DeletePropagationBackground, metav1.DeletePropagationForeground} {
		t.Run(string(order), func(t *testing.T) {
			s := newStand(t, "gc")
			d := s.deployment(1)
			s.Expect(s.operator.Create(t.Context(), d)).To(Succeed())
			s.deployed(1)
			s.Expect(s.operator.Delete(t.Context(), d, client.PropagationPolicy(order))).To(Succeed())
			s.goneWithin(d)
			s.eventually("ReplicaSets and pods go", func(g Gomega) {
				var sets appsv1.ReplicaSetList
				var pods corev1.PodList
				g.Expect(s.admin.List(t.Context(), &sets, client.InNamespace(s.namespace))).To(Succeed())
				g.Expect(s.admin.List(t.Context(), &pods, client.InNamespace(s.namespace))).To(Succeed())
				g.Expect(len(sets.Items) + len(pods.Items)).To(BeZero())
			})
		})
	}
}

// A managed namespace goes, with everything that is guarded in it.
func TestGuardsLetAManagedNamespaceGo(t *testing.T) {
	s := newStand(t, "gone")
	s.Expect(s.operator.Create(t.Context(), s.deployment(1))).To(Succeed())
	s.Expect(s.operator.Create(t.Context(), &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: s.namespace, Name: "tried"}})).To(Succeed())
	s.deployed(1)
	s.Expect(s.admin.Delete(t.Context(), s.managed())).To(MatchError(ContainSubstring("'affineur-namespaces'")))
	s.Expect(s.operator.Delete(t.Context(), s.managed())).To(Succeed())
	s.goneWithin(s.managed())
}

// A team's namespace goes, with reviews and decisions that nobody may delete by hand.
func TestGuardsLetATeamsNamespaceGo(t *testing.T) {
	s := newStand(t, "team")
	home := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "e2e-guards-team"}}
	s.Expect(client.IgnoreNotFound(s.admin.Delete(t.Context(), home.DeepCopy()))).To(Succeed())
	s.goneWithin(home)
	s.Expect(s.admin.Create(t.Context(), home.DeepCopy())).To(Succeed())
	t.Cleanup(func() { _ = s.admin.Delete(context.Background(), home.DeepCopy()) })
	const digest = "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
	meta := metav1.ObjectMeta{Namespace: home.Name, Name: "tried"}
	review := &v1alpha1.HardeningReview{ObjectMeta: meta, Spec: v1alpha1.HardeningReviewSpec{
		Prototype: v1alpha1.ObjectIdentity{Name: "tried", UID: "none"}, SubjectDigest: digest, ReviewDigest: digest,
		Tier: "none", RequestedBy: "nobody", Authors: []string{"nobody"}, Record: "none"}}
	s.Expect(s.operator.Create(t.Context(), review)).To(Succeed())
	decision := &v1alpha1.HardeningDecision{ObjectMeta: meta, Spec: v1alpha1.HardeningDecisionSpec{
		Review: v1alpha1.ObjectIdentity{Name: "tried", UID: string(review.UID)}, ReviewDigest: digest, Role: "security", Verdict: v1alpha1.VerdictApprove}}
	decision.OwnerReferences = []metav1.OwnerReference{{APIVersion: v1alpha1.GroupVersion.String(), Kind: "HardeningReview", Name: review.Name, UID: review.UID}}
	s.Expect(s.admin.Create(t.Context(), decision)).To(Succeed())
	s.Expect(s.admin.Delete(t.Context(), decision.DeepCopy())).To(MatchError(ContainSubstring("'affineur-decisions'")))
	s.Expect(s.admin.Delete(t.Context(), review.DeepCopy())).To(MatchError(ContainSubstring("'affineur-reviews-and-status'")))
	s.Expect(s.admin.Delete(t.Context(), home.DeepCopy())).To(Succeed())
	s.goneWithin(home)
}

func quantity(q string) *resource.Quantity { return ptr.To(resource.MustParse(q)) }
