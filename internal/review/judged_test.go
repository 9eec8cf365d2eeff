package review

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/internal/assess"
	"github.com/affineur/affineur/internal/credentials"
	"github.com/affineur/affineur/internal/evidence"
	"github.com/affineur/affineur/internal/gate/quality"
	"github.com/affineur/affineur/internal/gatewaykey"
	"github.com/affineur/affineur/internal/record"
	"github.com/affineur/affineur/internal/subject"
	"github.com/affineur/affineur/internal/workload"
)

var (
	signingKey = strings.Repeat("k", gatewaykey.MinSigningKeyBytes)
	court      = v1alpha1.Destination{Pods: &v1alpha1.PodDestination{Namespace: "models", PodLabels: map[string]string{"app": "judges"}, Port: 8080}}
)

// judged is a world whose policy asks a model about right answers too.
func judged(t *testing.T, edits ...func(*record.Record)) *world {
	t.Helper()
	var set strings.Builder
	set.WriteString("question,expected\n")
	for i := range 50 {
		fmt.Fprintf(&set, "question %d,yes\n", i)
	}
	w := newWorld(t, func(r *record.Record) {
		packed, err := record.Pack([]byte(set.String()))
		if err != nil {
			t.Fatal(err)
		}
		r.Examples = packed
		r.Subject.Evaluation = &subject.Evaluation{
			Examples: subject.Examples{Digest: evidence.Digest([]byte(set.String()))},
			Call:     v1alpha1.EvaluationCall{Timeout: metav1.Duration{Duration: time.Second}, JSON: &v1alpha1.JSONCall{Method: "POST", Path: "/ask"}},
		}
		r.Requirements.DataRules = []v1alpha1.DataRule{{Name: "titles", Class: v1alpha1.DataPublic}}
		r.Requirements.Judges = []v1alpha1.ModelGateway{{
			Name: "judges", Address: "http://judges.models.svc:8080/v1", To: court, MayCarry: v1alpha1.MayCarry{Classes: []v1alpha1.DataClass{v1alpha1.DataPublic}},
			Credentials: &v1alpha1.CredentialSource{Secret: v1alpha1.LocalName{Name: "judge-keys"}},
		}}
		r.Requirements.Gates = append(r.Requirements.Gates, v1alpha1.Gate{
			Name: "quality", Type: v1alpha1.GateQuality, Enforcement: v1alpha1.EnforcementRequired, Quality: &v1alpha1.QualityGate{
				MinimumExamples: 50, PassRateLowerBound: "0.90", Repeats: 1, Judge: &v1alpha1.QualityJudge{Gateway: "judges", Model: "judge-large", Rubric: "Polite."},
			},
		})
		for _, edit := range edits {
			edit(r)
		}
	})
	w.controller.Settings.Bench = append(slices.Clone(bench), quality.Instrument{})
	return w
}

// answered is what a runner finds of a prototype that is right, and what the judge says where it has its key.
func (w *world) answered(job batchv1.Job, order evidence.QualityOrder) *evidence.QualityResult {
	r := &evidence.QualityResult{Digest: order.Digest}
	for i := range order.Examples {
		r.Cases = append(r.Cases, evidence.CaseResult{ID: fmt.Sprintf("line-%d", i+2), Answers: []evidence.CaseAnswer{{Outcome: evidence.CaseRight, Took: 5}}})
	}
	if order.Judge == nil {
		return r
	}
	r.Judge = &evidence.JudgeResult{Shown: order.Judge.Examples, Keyless: order.Judge.Examples}
	for _, secret := range w.keyed() {
		if secret.Name == job.Name {
			r.Judge = &evidence.JudgeResult{Shown: order.Judge.Examples, Good: order.Judge.Examples - 1, Objections: []evidence.JudgeObjection{{ID: "line-7", Why: evidence.JudgeInvented}}}
		}
	}
	return r
}

// keyed are all Secrets with a key for a judge.
func (w *world) keyed() (out []corev1.Secret) {
	var list corev1.SecretList
	w.must(w.client.List(w.ctx(), &list))
	for _, secret := range list.Items {
		if len(secret.Data[evidence.JudgeKeyFile]) > 0 {
			out = append(out, secret)
		}
	}
	return out
}

// leading are the names of all network policies with a way to the judges.
func (w *world) leading() (out []string) {
	var list networkingv1.NetworkPolicyList
	w.must(w.client.List(w.ctx(), &list))
	for _, policy := range list.Items {
		if workload.Lets(&policy, court) {
			out = append(out, policy.Namespace+"/"+policy.Name)
		}
	}
	return out
}

func (w *world) signs() {
	w.must(w.client.Create(w.ctx(), &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: v1alpha1.SystemNamespace, Name: "judge-keys"}, Data: map[string][]byte{credentials.KeySigning: []byte(signingKey)},
	}))
}

// asks passes until the run that asks the judge is there with its files.
func (w *world) asks(suffix string) *batchv1.Job {
	w.Helper()
	name := identity.Run("quality", key(w.review(), "quality", "")+"-1"+suffix)
	for range 20 {
		w.must(w.pass())
		var job batchv1.Job
		var secret corev1.Secret
		at := client.ObjectKey{Namespace: v1alpha1.GatesNamespace, Name: name}
		if w.client.Get(w.ctx(), at, &job) == nil && w.client.Get(w.ctx(), at, &secret) == nil {
			return &job
		}
	}
	w.Fatal("nobody asks the prototype")
	return nil
}

// The way to the judge's gateway, and its key, are for the one run that asks it: nobody else reaches it by them, and they go with it.
func TestAJudgeIsReachedByItsRunAlone(t *testing.T) {
	w := judged(t)
	w.signs()
	if len(w.leading())+len(w.keyed()) > 0 {
		t.Fatal("there is a way before there is a run")
	}
	job := w.asks("-judged")
	if got := w.leading(); len(got) != 1 || got[0] != job.Namespace+"/"+job.Name {
		t.Errorf("ways to the judge: %v", got)
	}
	var policy networkingv1.NetworkPolicy
	w.must(w.client.Get(w.ctx(), client.ObjectKeyFromObject(job), &policy))
	selected := policy.Spec.PodSelector.MatchLabels
	if len(policy.Spec.Egress) != 3 || selected[v1alpha1.LabelGate] != assess.ReportOf("quality") || selected[v1alpha1.LabelPrototypeUID] != identity.UID {
		t.Errorf("%+v", policy.Spec)
	}
	keyed := w.keyed()
	if len(keyed) != 1 || keyed[0].Name != job.Name || keyed[0].Namespace != job.Namespace || !metav1.IsControlledBy(&keyed[0], job) {
		t.Fatalf("%+v", keyed)
	}
	claims, err := gatewaykey.VerifyAt([]byte(signingKey), string(keyed[0].Data[evidence.JudgeKeyFile]), w.now)
	if err != nil || !strings.HasPrefix(claims.Client, "judge/") || !slices.Equal(claims.Models, []string{"judge-large"}) {
		t.Errorf("%+v, %v", claims, err)
	}
	// It ends an hour after the run's time, which began less than that ago.
	if over := claims.Until.Sub(w.now.Add(time.Duration(*job.Spec.ActiveDeadlineSeconds) * time.Second)); over <= 0 || over > time.Hour {
		t.Errorf("it is good for %s longer than the run", over)
	}
	var jobs batchv1.JobList
	w.must(w.client.List(w.ctx(), &jobs))
	for _, other := range jobs.Items {
		raw := fmt.Sprintf("%+v", other.Spec.Template)
		if other.Name != job.Name && strings.Contains(raw, job.Name) || strings.Contains(raw, string(keyed[0].Data[evidence.JudgeKeyFile])) {
			t.Errorf("%s knows of the key", other.Name)
		}
	}
	w.settle()
	if len(w.leading()) > 0 || len(w.jobs()) > 0 {
		t.Errorf("left over: %v, %v", w.leading(), w.jobs())
	}
	got := w.gauge()
	if got.Verdict != v1alpha1.GatePassed || got.Reason != v1alpha1.ReasonAnswersRight || len(got.Findings) != 1 || got.Findings[0].Reason != v1alpha1.ReasonJudgeObjects {
		t.Errorf("%+v", got)
	}
	if summary := w.reports(assess.ReportOf("quality"))[0].Beside[record.Summary]; !strings.Contains(summary, "The judge calls 1 invented:** line-7") {
		t.Error(summary)
	}
}

// Nobody waits for a judge: without its key, or where the data may not go to it, the prototype is measured all the same.
func TestNobodyWaitsForAJudge(t *testing.T) {
	restricted := func(r *record.Record) {
		r.Requirements.DataRules = []v1alpha1.DataRule{{Name: "members", Class: v1alpha1.DataRestricted}}
	}
	for name, c := range map[string]struct {
		edit func(*record.Record)
		ways int
		says string
	}{
		"no signing key":                 {nil, 1, "want of the gateway's key"},
		"data that may not go":           {restricted, 0, "members may not go to gateway judges"},
		"a judge that is frozen nowhere": {func(r *record.Record) { r.Requirements.Judges = nil }, 0, "not frozen"},
	} {
		t.Run(name, func(t *testing.T) {
			var edits []func(*record.Record)
			if c.edit != nil {
				edits = append(edits, c.edit)
			}
			w := judged(t, edits...)
			if c.edit != nil {
				w.signs()
			}
			suffix := ""
			if c.ways > 0 {
				suffix = "-judged"
			}
			w.asks(suffix)
			if got := w.leading(); len(got) != c.ways || len(w.keyed()) > 0 {
				t.Errorf("ways %v, keys %d", got, len(w.keyed()))
			}
			w.settle()
			got := w.gauge()
			if got.Verdict != v1alpha1.GatePassed || len(got.Findings) != 1 || got.Findings[0].Reason != v1alpha1.ReasonJudgeSilent || !strings.Contains(got.Findings[0].Message, c.says) {
				t.Errorf("%+v", got)
			}
		})
	}
}

// Whoever stops a gateway stops who asks it, at once; the prototype is measured without the judge, and nothing else of it is stopped.
func TestAJudgeIsStopped(t *testing.T) {
	for action, severs := range map[v1alpha1.StopAction]bool{v1alpha1.StopSever: true, v1alpha1.StopStop: true, v1alpha1.StopFreeze: false} {
		t.Run(string(action), func(t *testing.T) {
			w := judged(t)
			w.signs()
			before := w.asks("-judged")
			w.must(w.client.Create(w.ctx(), &v1alpha1.EmergencyStop{
				ObjectMeta: metav1.ObjectMeta{Name: "leak"},
				Spec:       v1alpha1.EmergencyStopSpec{Scope: v1alpha1.StopScope{Gateway: "judges"}, Action: action, Reason: "It leaks.", By: "rita@example.org"},
			}))
			begun := len(w.writes)
			w.must(w.pass())
			if writes := w.writes[begun:]; severs && (len(writes) < 2 || !strings.HasPrefix(writes[0], "delete ") || !strings.HasPrefix(writes[1], "delete ")) {
				t.Errorf("something comes before the cut: %q", writes)
			}
			gone := apierrors.IsNotFound(w.client.Get(w.ctx(), client.ObjectKeyFromObject(before), &batchv1.Job{}))
			if got := w.leading(); severs == (len(got) > 0) || severs != gone {
				t.Errorf("left: %v, %v", got, w.jobs())
			}
			w.settle()
			got, want := w.gauge(), v1alpha1.ReasonJudgeObjects
			if severs {
				want = v1alpha1.ReasonJudgeSilent
			}
			if got.Verdict != v1alpha1.GatePassed || len(got.Findings) != 1 || got.Findings[0].Reason != want {
				t.Errorf("%+v", got)
			}
			if ready := apimeta.FindStatusCondition(w.review().Status.Conditions, v1alpha1.ConditionReady); ready.Reason == v1alpha1.ReasonEmergencyStop {
				t.Errorf("%+v", ready)
			}
		})
	}
}
