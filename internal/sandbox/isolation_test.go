package sandbox

import (
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"net/netip"
	"strings"
	"testing"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/internal/assess"
	"github.com/affineur/affineur/internal/evidence"
	"github.com/affineur/affineur/internal/gate/isolation"
)

// onNode plays the scheduler: the workload's pod runs there.
func (w *world) onNode(node string) {
	w.t.Helper()
	w.must(client.IgnoreNotFound(w.client.Delete(w.t.Context(), &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: w.identity.Sandbox(), Name: "p"}})))
	w.must(w.client.Create(w.t.Context(), &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: w.identity.Sandbox(), Name: "p", Labels: w.deployment().Spec.Template.Labels},
		Spec:       corev1.PodSpec{NodeName: node},
	}))
}

func (w *world) isolation() *v1alpha1.IsolationStatus {
	w.t.Helper()
	return w.prototype().Status.Sandbox.Isolation
}

func TestStatusHoldsTheTable(t *testing.T) {
	w := runs(t, aPrototype())
	found := map[string]string{}
	for _, path := range w.isolation().Paths {
		found[path.Name] = path.Direction + " " + path.Network + " " + path.Found
	}
	for name, want := range map[string]string{
		isolation.TargetDeniedUDP: "Egress udp Blocked", isolation.TargetNode: "Egress tcp Blocked", isolation.TargetAPIServer: "Egress tcp Blocked",
		isolation.TargetAllowedTCP: "Egress tcp Reachable", isolation.TargetInUDP: "Ingress udp Blocked", isolation.TargetAdmittedTCP: "Ingress tcp Reachable",
		isolation.TargetMetadata: "Egress tcp Unknown", isolation.TargetBeyond: "Egress tcp Unknown",
	} {
		if found[name] != want {
			t.Errorf("%s: %q, want %q", name, found[name], want)
		}
	}
	if w.isolation().Node != "node-1" {
		t.Errorf("measured on node %q", w.isolation().Node)
	}
	message := apimeta.FindStatusCondition(w.prototype().Status.Conditions, v1alpha1.ConditionNetworkIsolated).Message
	for _, part := range []string{"blocked are " + isolation.TargetDeniedTCP, isolation.TargetInTCP, "not known", isolation.TargetMetadata} {
		if !strings.Contains(message, part) {
			t.Errorf("the condition does not say %q: %s", part, message)
		}
	}
}

func TestMeasuredAgainOnTheWorkloadsNode(t *testing.T) {
	w := runs(t, aPrototype())
	w.onNode("node-1")
	w.settle()
	w.expect(v1alpha1.ConditionNetworkIsolated, metav1.ConditionTrue, v1alpha1.ReasonEnforced)
	w.onNode("node-2")
	w.settle()
	w.expect(v1alpha1.ConditionNetworkIsolated, metav1.ConditionUnknown, v1alpha1.ReasonMeasuringIsolation)
	w.expect(v1alpha1.ConditionSandboxReady, metav1.ConditionTrue, v1alpha1.ReasonRunningInSandbox)
	var job batchv1.Job
	if !w.exists(&job, w.identity.Sandbox(), w.identity.Run(assess.ReportIsolation, suffixInside)) {
		t.Fatal("it is not measured on the other node")
	}
	spec := job.Spec.Template.Spec
	if got := spec.Affinity.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution.NodeSelectorTerms[0].MatchFields[0].Values; got[0] != "node-2" || len(spec.Tolerations) != 1 {
		t.Errorf("may run on %v, tolerates %v", got, spec.Tolerations)
	}
	inside, control := reports(w.clock.Now(), true)
	inside.Node = "node-2"
	w.runs.result[w.identity.Run("isolation", suffixInside)], w.runs.result[w.identity.Run("isolation", suffixControl)] = inside, control
	w.settle()
	w.expect(v1alpha1.ConditionNetworkIsolated, metav1.ConditionTrue, v1alpha1.ReasonEnforced)
	if w.isolation().Node != "node-2" {
		t.Errorf("measured on %s", w.isolation().Node)
	}
}

// kept are the logs in the records.
func (w *world) kept() []string {
	w.t.Helper()
	var list corev1.ConfigMapList
	w.must(w.client.List(w.t.Context(), &list, client.InNamespace(v1alpha1.RecordsNamespace), client.MatchingLabels{v1alpha1.LabelComponent: "log"}))
	var out []string
	for _, object := range list.Items {
		reader, err := gzip.NewReader(bytes.NewReader(object.BinaryData["log.gz"]))
		w.must(err)
		body, err := io.ReadAll(reader)
		w.must(err)
		if object.Data["digest"] != evidence.Digest(body) || !*object.Immutable {
			w.t.Errorf("kept as %v", object.Data)
		}
		out = append(out, string(body))
	}
	return out
}

func TestIsolationLost(t *testing.T) {
	lose := func(w *world) {
		w.onNode("node-1")
		w.advance(time.Hour)
		w.settle()
		w.measures(false)
	}
	t.Run("the log is kept, then the workload is stopped", func(t *testing.T) {
		w := runs(t, aPrototype())
		w.said = strings.Repeat("x", 2*keptLog) + "the last line"
		lose(w)
		if *w.deployment().Spec.Replicas != 0 {
			t.Error("it runs in the open")
		}
		kept := w.kept()
		if len(kept) != 1 || !strings.HasPrefix(kept[0], "pod p, the end only\n") || !strings.HasSuffix(kept[0], "the last line\n") || len(kept[0]) > keptLog+100 {
			t.Fatalf("%d logs kept", len(kept))
		}
		w.expect(v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonNotEnforced)
		if message := apimeta.FindStatusCondition(w.prototype().Status.Conditions, v1alpha1.ConditionReady).Message; !strings.Contains(message, isolation.TargetDeniedTCP) {
			t.Errorf("it is not told what was reached: %s", message)
		}
		told := false
		for len(w.events.Events) > 0 {
			event := <-w.events.Events
			told = told || strings.Contains(event, v1alpha1.ReasonIsolationLost) && strings.Contains(event, "sha256:")
		}
		if !told {
			t.Error("no event says where the log is")
		}
	})
	t.Run("one pod that can't be read takes nothing from the others", func(t *testing.T) {
		w := runs(t, aPrototype())
		w.said, w.silent, w.unspoken = "the last line", "q", errors.New("container is waiting to start")
		w.must(w.client.Create(t.Context(), &corev1.Pod{
			ObjectMeta: metav1.ObjectMeta{Namespace: w.identity.Sandbox(), Name: "q", Labels: w.deployment().Spec.Template.Labels},
		}))
		lose(w)
		if *w.deployment().Spec.Replicas != 0 {
			t.Error("it runs in the open")
		}
		want := "pod p\nthe last line\npod q, could not be read to its end: container is waiting to start\n\n"
		if kept := w.kept(); len(kept) != 1 || kept[0] != want {
			t.Errorf("kept %q", kept)
		}
	})
	t.Run("a log that can't be read delays nothing", func(t *testing.T) {
		w := runs(t, aPrototype())
		w.unspoken = errors.New("the kubelet does not answer")
		lose(w)
		if *w.deployment().Spec.Replicas != 0 || len(w.kept()) != 0 {
			t.Error("it runs in the open")
		}
	})
}

func TestUnknownForTooLong(t *testing.T) {
	w := runs(t, aPrototype())
	w.onNode("node-1")
	w.must(w.client.Delete(t.Context(), canaryService()))
	w.advance(time.Hour)
	w.settle()
	w.expect(v1alpha1.ConditionNetworkIsolated, metav1.ConditionUnknown, v1alpha1.ReasonIsolationInconclusive)
	if *w.deployment().Spec.Replicas != 1 {
		t.Fatal("it was stopped at once")
	}
	w.advance(time.Hour - time.Minute)
	result, err := w.reconcile()
	w.must(err)
	if *w.deployment().Spec.Replicas != 1 || result.RequeueAfter > time.Minute {
		t.Fatalf("%d replicas, looks again in %v", *w.deployment().Spec.Replicas, result.RequeueAfter)
	}
	w.advance(time.Minute)
	w.settle()
	if *w.deployment().Spec.Replicas != 0 {
		t.Fatal("it runs on although nothing is known of its isolation")
	}
	w.expect(v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonCanaryMissing)
	message := apimeta.FindStatusCondition(w.prototype().Status.Conditions, v1alpha1.ConditionReady).Message
	if !strings.Contains(message, "was stopped") || !strings.Contains(message, "platform team") {
		t.Errorf("message %q", message)
	}
	w.must(w.client.Create(t.Context(), canaryService()))
	w.advance(referencesFresh)
	w.settle()
	w.measures(true)
	if *w.deployment().Spec.Replicas != 1 {
		t.Error("it does not come back")
	}
}

func TestTargets(t *testing.T) {
	all := places{Canary: "203.0.113.5", Second: "2001:db8::5", APIServer: "203.0.113.1:443", Beyond: "198.18.0.10:80"}
	for name, p := range map[string]places{"all": all, "least": {Canary: all.Canary, APIServer: all.APIServer}} {
		t.Run(name, func(t *testing.T) {
			tried := map[string][2]bool{}
			for side, inside := range []bool{true, false} {
				for _, target := range targets(p, inside) {
					both := tried[target.Name]
					both[side] = true
					tried[target.Name] = both
				}
			}
			for _, x := range isolation.Paths() {
				both := tried[x.Target]
				if x.IfAny && p != all && !both[0] && !both[1] {
					continue
				}
				if x.Witness != "" && both != [2]bool{true, true} || !both[0] && !both[1] {
					t.Errorf("%s is tried %v", x.Target, both)
				}
			}
		})
	}
}

func TestOpenWaysAreWaitedFor(t *testing.T) {
	waited := map[string]bool{}
	for _, target := range targets(places{Canary: "203.0.113.5", Second: "2001:db8::5", APIServer: "203.0.113.1:443"}, false) {
		waited[target.Name] = target.Settle == evidence.SettleReached
	}
	for _, name := range []string{isolation.TargetAdmittedTCP, isolation.TargetAdmittedUDP} {
		if !waited[name] || !waited[isolation.SecondFamily(name)] {
			t.Errorf("%s: waited for %v, over the other family %v", name, waited[name], waited[isolation.SecondFamily(name)])
		}
	}
}

func TestBeyondIsNotTriedWhereThePolicyLeadsThere(t *testing.T) {
	for address, tried := range map[string]bool{"198.18.0.10:443": false, "198.18.0.10:80": true, "198.18.9.10:443": true} {
		s := Snapshot{Settings: Settings{Beyond: netip.MustParseAddrPort(address)}}
		s.Requirements.ModelGateway = &v1alpha1.ModelGateway{To: v1alpha1.Destination{CIDR: &v1alpha1.CIDRDestination{Range: "198.18.0.0/24", Port: 443}}}
		if got := s.places().Beyond != ""; got != tried {
			t.Errorf("%s is tried: %v", address, got)
		}
	}
}

func TestRunsOfAPairMeet(t *testing.T) {
	w := newWorld(t, aPrototype().obj(), aPolicy())
	w.settle()
	order := func(namespace, suffix string) evidence.RunSpec {
		var job batchv1.Job
		if !w.exists(&job, namespace, w.identity.Run(assess.ReportIsolation, suffix)) {
			t.Fatalf("no run %s", suffix)
		}
		env := job.Spec.Template.Spec.Containers[0].Env
		spec, err := evidence.DecodeRun([]byte(env[len(env)-1].Value))
		w.must(err)
		return spec
	}
	inside, control := order(w.identity.Sandbox(), suffixInside), order(v1alpha1.GatesNamespace, suffixControl)
	if a, b := evidence.As[evidence.IsolationSpec](inside.Order).Meeting, evidence.As[evidence.IsolationSpec](control.Order).Meeting; a.Token != b.Token || a.Seat == b.Seat || a.Token == control.Nonce {
		t.Errorf("%+v and %+v", a, b)
	}
	w.must(w.client.Delete(t.Context(), &batchv1.Job{ObjectMeta: metav1.ObjectMeta{Namespace: w.identity.Sandbox(), Name: w.attempt(w.identity.Sandbox(), w.identity.Run(assess.ReportIsolation, suffixInside))}}))
	w.settle()
	if again := order(w.identity.Sandbox(), suffixInside); evidence.As[evidence.IsolationSpec](again.Order).Meeting.Token != evidence.As[evidence.IsolationSpec](control.Order).Meeting.Token || again.Nonce == inside.Nonce {
		t.Error("a run that was started later does not find its control")
	}
}
