package review

import (
	"slices"
	"strings"
	"testing"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/internal/credentials"
	"github.com/affineur/affineur/internal/evidence"
	"github.com/affineur/affineur/internal/gate"
	"github.com/affineur/affineur/internal/workload"
)

// stage is the review's own namespace, made for a site; nil where there is none, or another.
func (s *onServer) stage(site gate.Site) *corev1.Namespace {
	var namespace corev1.Namespace
	err := s.admin.Get(s.Context(), client.ObjectKey{Name: s.rec.Prototype.Rehearsal()}, &namespace)
	if s.must(client.IgnoreNotFound(err)); err != nil || !namespace.DeletionTimestamp.IsZero() || furnishedFor(&namespace) != site {
		return nil
	}
	return &namespace
}

// jobs in a namespace, by component.
func (s *onServer) jobs(namespace string) map[string]batchv1.Job {
	s.Helper()
	var list batchv1.JobList
	s.must(s.admin.List(s.Context(), &list, client.InNamespace(namespace)))
	out := map[string]batchv1.Job{}
	for _, job := range list.Items {
		out[job.Labels[v1alpha1.LabelComponent]] = job
	}
	return out
}

// holders are the Secrets outside of IT's own namespace in which the credential of production is.
func (s *onServer) holders() []string {
	s.Helper()
	var list corev1.SecretList
	s.must(s.admin.List(s.Context(), &list))
	var out []string
	for _, secret := range list.Items {
		for _, value := range secret.Data {
			if strings.Contains(string(value), tokenOfProduction) && secret.Namespace != v1alpha1.SystemNamespace {
				out = append(out, secret.Namespace+"/"+secret.Name)
			}
		}
	}
	return out
}

// given is what a Job's pod finds: the Secrets that it mounts. No variable may hold a credential.
func (s *onServer) given(job batchv1.Job) []string {
	s.Helper()
	var out []string
	for _, volume := range job.Spec.Template.Spec.Volumes {
		if volume.Secret != nil {
			out = append(out, volume.Secret.SecretName)
		}
	}
	for _, container := range job.Spec.Template.Spec.Containers {
		for _, env := range container.Env {
			if strings.Contains(env.Value, tokenOfProduction) || env.ValueFrom != nil && env.ValueFrom.SecretKeyRef != nil || len(container.EnvFrom) > 0 {
				s.Errorf("%s: variable %s holds a credential", job.Name, env.Name)
			}
		}
	}
	slices.Sort(out)
	return out
}

// watch notes every Job that is made for a prototype's program while the credential of production is in its namespace, and
// every one outside of a rehearsal that is given a Secret of the integration.
func (s *onServer) watch() (stop func()) {
	s.Helper()
	jobs, err := s.admin.Watch(s.Context(), &batchv1.JobList{})
	s.must(err)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for event := range jobs.ResultChan() {
			job, ok := event.Object.(*batchv1.Job)
			if !ok {
				continue
			}
			real := slices.ContainsFunc(s.holders(), func(at string) bool { return strings.HasPrefix(at, job.Namespace+"/") })
			if real && job.Labels[v1alpha1.LabelComponent] != workload.ComponentRehearsal {
				s.Errorf("Job %s/%s is there while the credential of production is", job.Namespace, job.Name)
			}
			if job.Namespace == v1alpha1.GatesNamespace && len(s.given(*job)) > 0 {
				s.Errorf("control %s is given %v", job.Name, s.given(*job))
			}
		}
	}()
	return func() { jobs.Stop(); <-done }
}

// The credential of production is in one place besides IT's own, for one run, as a file, and goes with it. Then the
// prototype is started in a namespace that is made anew, with stand-ins, and nothing of that is left; also where the
// operator is killed in the middle, where the review is deleted meanwhile, and where another one comes.
func TestRehearsalsOnARealAPIServer(t *testing.T) {
	s := startServer(t)
	s.open()
	defer s.watch()()
	s.revive()

	credential := workload.IntegrationSecret("crm")
	first := s.rehearsed(credential)
	s.kill()
	s.revive()
	s.end(evidence.KindIntegration)
	second := s.plays(credential)
	if second.UID == first.UID {
		t.Error("the prototype is started in the namespace of the rehearsal")
	}
	program := s.jobs(second.Name)[workload.ComponentPrototype]
	s.kill()
	s.end(evidence.KindFaults)
	s.revive()
	s.eventually("the gate has passed and the namespace is gone", func() bool { return s.says("Passed IntegrationsWork") && s.nothing() })

	// Another review makes namespaces of its own, and takes them along when it is deleted.
	review := s.review(4)
	s.rehearsed(credential)
	s.end(evidence.KindIntegration)
	third := s.plays(credential)
	if again := s.jobs(third.Name)[workload.ComponentPrototype]; third.UID == second.UID || again.UID == program.UID {
		t.Error("what another review made is used again")
	}
	s.kill()
	s.must(s.admin.Delete(t.Context(), review))
	s.revive()
	s.eventually("nothing of a review that is gone is left", s.nothing)

	// So does one that comes while the prototype is among the played systems of another.
	s.review(5)
	s.rehearsed(credential)
	s.end(evidence.KindIntegration)
	fourth := s.plays(credential)
	s.kill()
	s.review(6)
	s.revive()
	if fifth := s.rehearsed(credential); fifth.UID == fourth.UID {
		t.Error("what another review made is used again")
	}
	s.kill()
}

// rehearsed waits until the systems are tried, and looks at who is given what.
func (s *onServer) rehearsed(credential string) *corev1.Namespace {
	s.Helper()
	var stage *corev1.Namespace
	s.eventually("the systems are tried", func() bool {
		stage = s.stage(gate.SiteRehearsal)
		return stage != nil && len(s.jobs(stage.Name)) > 0 && stage.Labels[v1alpha1.LabelReview] == s.ordinal()
	})
	jobs := s.jobs(stage.Name)
	tries, only := jobs[workload.ComponentRehearsal]
	if !only || len(jobs) != 1 || !slices.Equal(s.given(tries), []string{credential}) || tries.Spec.Template.Spec.Containers[0].Image != "registry.example.org/affineur/gate-runner:1" {
		s.Errorf("given are %v, in %d Jobs", s.given(tries), len(jobs))
	}
	if got, want := s.holders(), []string{stage.Name + "/" + credential}; !slices.Equal(got, want) {
		s.Errorf("the credential of production is in %v, want %v", got, want)
	}
	return stage
}

// plays waits until the prototype is started among played systems, and looks at what it finds.
func (s *onServer) plays(credential string) *corev1.Namespace {
	s.Helper()
	var stage *corev1.Namespace
	s.eventually("the prototype is started among played systems", func() bool {
		stage = s.stage(gate.SitePlayed)
		return stage != nil && len(s.jobs(stage.Name)) == 2 && stage.Labels[v1alpha1.LabelReview] == s.ordinal()
	})
	if held := s.holders(); len(held) > 0 {
		s.Errorf("the credential of production is in %v", held)
	}
	jobs := s.jobs(stage.Name)
	if got := s.given(jobs[workload.ComponentPrototype]); !slices.Equal(got, []string{credential}) {
		s.Errorf("the prototype is given %v", got)
	}
	if got := s.given(jobs[workload.ComponentRehearsal]); !slices.Equal(got, []string{workload.PlayedSecret}) {
		s.Errorf("the run is given %v", got)
	}
	var secret corev1.Secret
	s.must(s.admin.Get(s.Context(), client.ObjectKey{Namespace: stage.Name, Name: credential}, &secret))
	if got := string(secret.Data[credentials.KeyToken]); got == "" || strings.Contains(got, "token") {
		s.Errorf("in place of a credential there is %q", got)
	}
	s.closedIn(stage.Name)
	return stage
}

// closedIn holds that nothing but the resolver is in reach from a namespace.
func (s *onServer) closedIn(namespace string) {
	s.Helper()
	var policies networkingv1.NetworkPolicyList
	s.must(s.admin.List(s.Context(), &policies, client.InNamespace(namespace)))
	denies := false
	for _, policy := range policies.Items {
		denies = denies || len(policy.Spec.PodSelector.MatchLabels) == 0 && len(policy.Spec.PolicyTypes) == 2 && !workload.Opens(&policy)
		for _, rule := range policy.Spec.Egress {
			for _, to := range rule.To {
				if to.IPBlock != nil || to.NamespaceSelector != nil && to.NamespaceSelector.MatchLabels[corev1.LabelMetadataName] != "kube-system" {
					s.Errorf("%s leads out of the namespace: %+v", policy.Name, to)
				}
			}
			if len(rule.To) == 0 {
				s.Errorf("%s leads everywhere", policy.Name)
			}
		}
	}
	if !denies || len(policies.Items) != 3 {
		s.Errorf("%d policies, and nothing denies the rest", len(policies.Items))
	}
}

func (s *onServer) ordinal() string {
	return strings.TrimPrefix(s.rec.Prototype.Review(s.rec.Ordinal), s.rec.Prototype.Name+"-")
}

// says tells whether the review says this of its gate.
func (s *onServer) says(verdict string) bool {
	s.Helper()
	var review v1alpha1.HardeningReview
	s.must(s.admin.Get(s.Context(), client.ObjectKey{Namespace: identity.Namespace, Name: s.rec.Prototype.Review(s.rec.Ordinal)}, &review))
	return len(review.Status.Gates) == 1 && string(review.Status.Gates[0].Verdict)+" "+review.Status.Gates[0].Reason == verdict
}

// nothing tells whether neither a rehearsal namespace nor a Job nor the credential of production is left.
func (s *onServer) nothing() bool {
	s.Helper()
	err := s.admin.Get(s.Context(), client.ObjectKey{Name: s.rec.Prototype.Rehearsal()}, &corev1.Namespace{})
	if !apierrors.IsNotFound(err) {
		s.must(err)
		return false
	}
	var jobs batchv1.JobList
	s.must(s.admin.List(s.Context(), &jobs))
	return len(jobs.Items) == 0 && len(s.holders()) == 0
}
