package review

import (
	"slices"
	"strings"
	"testing"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/internal/evidence"
	"github.com/affineur/affineur/internal/record"
	"github.com/affineur/affineur/internal/subject"
	"github.com/affineur/affineur/internal/workload"
)

// realToken is what IT keeps for production.
const realToken = "t"

// checkPlayed holds the prototype that is started among played systems against what must never be.
func (w *world) checkPlayed(verb string, job *batchv1.Job) {
	if verb != "create" {
		return
	}
	w.played++
	var secrets corev1.SecretList
	var policies networkingv1.NetworkPolicyList
	w.must(w.client.List(w.ctx(), &secrets, client.InNamespace(job.Namespace)))
	w.must(w.client.List(w.ctx(), &policies, client.InNamespace(job.Namespace)))
	for _, secret := range secrets.Items {
		for key, value := range secret.Data {
			if string(value) == realToken {
				w.wrong = append(w.wrong, "the prototype starts where a real credential is: "+secret.Name+"/"+key)
			}
		}
	}
	for _, policy := range policies.Items {
		for _, rule := range policy.Spec.Egress {
			for _, to := range rule.To {
				if to.IPBlock != nil || to.NamespaceSelector != nil && to.NamespaceSelector.MatchLabels["kubernetes.io/metadata.name"] != "kube-system" {
					w.wrong = append(w.wrong, "the prototype starts where "+policy.Name+" leads elsewhere")
				}
			}
		}
	}
	pod := job.Spec.Template.Spec
	for _, env := range pod.Containers[0].Env {
		if strings.Contains(env.Value, "crm.crm.svc") {
			w.wrong = append(w.wrong, "the prototype is given a real address")
		}
	}
	if pod.RestartPolicy != corev1.RestartPolicyNever || len(policies.Items) != 3 {
		w.wrong = append(w.wrong, "the prototype is started in another way")
	}
	for _, volume := range pod.Volumes {
		if volume.Secret != nil && volume.Secret.SecretName == workload.PlayedSecret {
			w.wrong = append(w.wrong, "the prototype gets the key of who plays its systems")
		}
	}
}

// faultsReport is a prototype that answers with what there is, in time or too late.
func faultsReport(order evidence.FaultsOrder, late bool) *evidence.FaultsResult {
	result := &evidence.FaultsResult{Started: true, AliveAfter: true}
	for _, system := range order.Systems {
		for _, fault := range system.Faults() {
			phase := evidence.FaultPhase{System: system.Name, Fault: fault, Alive: true, HealthAsked: 1}
			answer := evidence.FaultAnswer{Status: 200, ElapsedMicroseconds: 1000}
			if late && fault == evidence.FaultSlow {
				answer = evidence.FaultAnswer{Class: evidence.ClassTimeout, ElapsedMicroseconds: evidence.MicrosOf(system.Within.Std() + time.Second)}
			}
			phase.Answers = slices.Repeat([]evidence.FaultAnswer{answer}, evidence.FaultRequests)
			if fault != evidence.FaultRefused {
				phase.Contacts = evidence.FaultRequests
				phase.Idle.ElapsedMicroseconds = evidence.MicrosOf(time.Second)
				phase.Asked = evidence.FaultWindow{Contacts: evidence.FaultRequests, ElapsedMicroseconds: evidence.MicrosOf(600 * time.Millisecond)}
			}
			result.Phases = append(result.Phases, phase)
		}
	}
	return result
}

// promises that people are served while the system is down.
func promises(r *record.Record) {
	r.Subject.Integrations[0].WhenDown = &subject.WhenDown{Then: v1alpha1.PromiseDegrades, Within: "1s"}
}

// A promise is measured after the systems themselves, in a namespace that is made for it alone, and nothing is left.
func TestAPromiseIsMeasured(t *testing.T) {
	w := newWorld(t, promises)
	w.settle()
	w.measured(allPassed...)
	if w.played != 1 {
		t.Errorf("the prototype was started %d times among played systems", w.played)
	}
	if message := w.review().Status.Gates[2].Message; !strings.Contains(message, "keeps what it promises") {
		t.Errorf("the verdict says %q", message)
	}
	if w.rehearsal() != nil {
		t.Error("the namespace is left behind")
	}
	if len(w.wrong) > 0 {
		t.Error(w.wrong)
	}
}

func TestAPromiseThatIsNotKept(t *testing.T) {
	w := newWorld(t, promises)
	w.hangs = true
	w.settle()
	w.measured("security Passed NoHolesFound", "scalability Passed SustainsDemand", "integration Failed HangsWhenDown")
	if len(w.wrong) > 0 {
		t.Error(w.wrong)
	}
}
