package sandbox

import (
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	nodev1 "k8s.io/api/node/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/internal/subject"
)

// born n minutes after the first, and asking for one CPU.
func born(name string, n int) stake {
	return stake{uid: name, created: birth.Add(time.Duration(n) * time.Minute), asks: amount{cpu: 1000, memory: 1 << 30}}
}

// there since the given minute.
func (s stake) there(since int) stake {
	s.since, s.held = birth.Add(time.Duration(since)*time.Minute), s.asks
	return s
}

func (s stake) waiting() stake { s.waits = true; return s }

func (s stake) asking(cpu int64) stake { s.asks.cpu = cpu; return s }

func TestPlaceInTheTeam(t *testing.T) {
	two := v1alpha1.SandboxLimits{PrototypesPerTeam: 2}
	cpu := func(cpu string) v1alpha1.SandboxLimits {
		return v1alpha1.SandboxLimits{PrototypesPerTeam: 10, PerTeam: &v1alpha1.TeamResources{CPU: cpu, Memory: "100Gi"}}
	}
	for name, test := range map[string]struct {
		self             stake
		others           []stake
		limits           v1alpha1.SandboxLimits
		position, length int32
		cramped          bool
	}{
		"nobody else":               {self: born("a", 0), limits: two},
		"no bound":                  {self: born("a", 0), others: []stake{born("b", 1).there(1), born("c", 2).there(2)}},
		"the last place":            {self: born("a", 0), others: []stake{born("b", 1).there(1)}, limits: two},
		"full":                      {self: born("a", 0), others: []stake{born("b", 1).there(1), born("c", 2).there(2)}, limits: two, position: 1, length: 1},
		"an older one waits":        {self: born("b", 1), others: []stake{born("a", 0).waiting(), born("c", 2).there(2)}, limits: two, position: 1, length: 1},
		"a younger one waits":       {self: born("b", 1), others: []stake{born("d", 3).waiting(), born("c", 2).there(2)}, limits: two},
		"same age, by UID":          {self: born("b", 1), others: []stake{born("a", 1).waiting(), born("c", 2).there(2)}, limits: two, position: 1, length: 1},
		"in the middle":             {self: born("c", 2), others: []stake{born("a", 0).there(0), born("x", 0).there(0), born("b", 1).waiting(), born("d", 3).waiting()}, limits: two, position: 2, length: 3},
		"who is there stays":        {self: born("z", 9).there(9), others: []stake{born("a", 0).waiting(), born("b", 1).there(1)}, limits: two},
		"three are there: the last": {self: born("a", 0).there(9), others: []stake{born("b", 1).there(1), born("c", 2).there(2)}, limits: two, position: 1, length: 1},
		"three are there: another":  {self: born("b", 1).there(1), others: []stake{born("a", 0).there(9), born("c", 2).there(2)}, limits: two},
		"wants nothing":             {self: born("c", 2), others: []stake{born("a", 0), born("b", 1).there(1)}, limits: two},
		"does not fit":              {self: born("b", 1).asking(1500), others: []stake{born("a", 0).there(0)}, limits: cpu("2"), position: 1, length: 1},
		"fits exactly":              {self: born("b", 1), others: []stake{born("a", 0).there(0)}, limits: cpu("2")},
		"a large one goes first":    {self: born("c", 2), others: []stake{born("a", 0).there(0), born("b", 1).asking(1500).waiting()}, limits: cpu("2"), position: 2, length: 2},
		"grows within":              {self: born("a", 0).there(0).asking(1500), others: []stake{born("b", 1).there(1)}, limits: cpu("3")},
		"grows beyond":              {self: born("a", 0).there(0).asking(2500), others: []stake{born("b", 1).there(1)}, limits: cpu("3"), cramped: true},
		"another grows":             {self: born("b", 1).there(1), others: []stake{born("a", 0).there(0).asking(2500)}, limits: cpu("3")},
		"grows where all places are taken": {self: born("a", 0).there(0).asking(1500), others: []stake{born("b", 1).there(1)},
			limits: v1alpha1.SandboxLimits{PrototypesPerTeam: 2}},
		"shrinks": {self: born("a", 0).there(0).asking(500), others: []stake{born("b", 1).there(1)}, limits: cpu("2")},
	} {
		t.Run(name, func(t *testing.T) {
			got := placeOf(test.self, test.others, test.limits)
			var position, length int32
			if got.queue != nil {
				position, length = got.queue.Position, got.queue.Length
			}
			if position != test.position || length != test.length || got.cramped != test.cramped {
				t.Errorf("place %d of %d, cramped %v (%s)", position, length, got.cramped, got.full)
			}
		})
	}
}

// TestEverybodyAgrees: whoever looks, the same ones have room and every place is there once.
func TestEverybodyAgrees(t *testing.T) {
	all := []stake{born("a", 0).waiting(), born("b", 0).waiting(), born("c", 1).there(5), born("d", 2).there(5), born("e", 3).waiting(), born("f", 4).there(7)}
	limits := v1alpha1.SandboxLimits{PrototypesPerTeam: 2}
	places, rooms := map[int32]int{}, 0
	for i, self := range all {
		others := append(append([]stake{}, all[:i]...), all[i+1:]...)
		got := placeOf(self, others, limits)
		if got.queue == nil {
			rooms++
			continue
		}
		places[got.queue.Position]++
		if got.queue.Length != 4 {
			t.Errorf("%s sees a queue of %d", self.uid, got.queue.Length)
		}
	}
	if rooms != 2 || len(places) != 4 {
		t.Errorf("%d have room, places %v", rooms, places)
	}
}

func TestWhoTakesPart(t *testing.T) {
	queue := &v1alpha1.SandboxStatus{Queue: &v1alpha1.QueuePosition{Position: 1, Length: 1}}
	room := &v1alpha1.SandboxStatus{Room: written(birth, amount{cpu: 250, memory: 256 << 20})}
	seen := func(status *v1alpha1.SandboxStatus, change func(*v1alpha1.AIPrototype)) maker {
		return aPrototype().with(func(p *v1alpha1.AIPrototype) {
			p.Status.ObservedGeneration, p.Status.Sandbox = p.Generation, status
			if change != nil {
				change(p)
			}
		})
	}
	for name, test := range map[string]struct {
		p            maker
		holds, wants bool
	}{
		"nobody looked at it":        {aPrototype(), false, true},
		"seen, and blocked":          {seen(nil, nil), false, false},
		"in the queue":               {seen(queue, nil), false, true},
		"there":                      {seen(room, nil), true, false},
		"there, and grew":            {seen(room, func(p *v1alpha1.AIPrototype) { p.Spec.Workload.Container.Resources.CPU = "500m" }), true, true},
		"suspended, and pods stop":   {seen(room, func(p *v1alpha1.AIPrototype) { p.Spec.Suspend = true }), true, false},
		"suspended in the queue":     {seen(queue, func(p *v1alpha1.AIPrototype) { p.Spec.Suspend = true }), false, false},
		"retired in the queue":       {seen(queue, func(p *v1alpha1.AIPrototype) { p.Spec.Target = v1alpha1.TargetRetired }), false, false},
		"a need":                     {seen(queue, func(p *v1alpha1.AIPrototype) { p.Spec.Workload = nil }), false, false},
		"from before room was known": {seen(&v1alpha1.SandboxStatus{URL: "http://prototype", Namespace: "affx"}, nil), true, false},
	} {
		t.Run(name, func(t *testing.T) {
			got := stakeOf(test.p.obj())
			if got.holds() != test.holds || got.wants() != test.wants {
				t.Errorf("holds %v, wants %v", got.holds(), got.wants())
			}
		})
	}
}

// crowded is a world with room for one, taken by another prototype of the same team in another namespace.
func crowded(t *testing.T) *world {
	t.Helper()
	policy := aPolicy()
	policy.Spec.Sandbox.Limits.PrototypesPerTeam = 1
	other := aPrototype().with(func(p *v1alpha1.AIPrototype) {
		p.Namespace, p.Name, p.UID = "membership-lab", "other", "5c9f3f1e-0000-4000-8000-000000000002"
		p.Status.ObservedGeneration = p.Generation
		p.Status.Sandbox = &v1alpha1.SandboxStatus{StartedAt: &metav1.Time{Time: birth}, Room: written(birth, amountOf("250m", "256Mi"))}
	}).obj()
	return newWorld(t, aPrototype().obj(), policy, other,
		namespace("membership-lab", map[string]string{"affineur.dev/ai-sandbox": "true", v1alpha1.LabelTeam: "membership"}))
}

func TestQueue(t *testing.T) {
	w := crowded(t)
	w.settle()
	w.expect(v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonTeamAtCapacity)
	status := w.prototype().Status
	if status.Sandbox.Queue == nil || *status.Sandbox.Queue != (v1alpha1.QueuePosition{Position: 1, Length: 1}) || status.Sandbox.Room != nil || status.Sandbox.StartedAt != nil {
		t.Errorf("%+v", status.Sandbox)
	}
	if w.exists(&corev1.Namespace{}, "", w.identity.Sandbox()) || len(w.prototype().Finalizers) > 0 {
		t.Error("who waits is given a namespace, or held")
	}
	if len(status.WaitingOn) != 2 || status.WaitingOn[0].Party != v1alpha1.PartyBusiness || status.WaitingOn[1].Party != v1alpha1.PartyIT {
		t.Errorf("waits for %+v", status.WaitingOn)
	}
	other := &v1alpha1.AIPrototype{ObjectMeta: metav1.ObjectMeta{Namespace: "membership-lab", Name: "other"}}
	w.must(w.client.Get(t.Context(), client.ObjectKeyFromObject(other), other))
	if woken := w.rearranged(t.Context(), other); len(woken) != 2 || woken[0] != (ctrl.Request{NamespacedName: w.key}) {
		t.Errorf("a change of the other wakes %v", woken)
	}
	if woken := w.inNamespace(t.Context(), namespace("elsewhere", map[string]string{v1alpha1.LabelTeam: "membership"})); len(woken) != 1 {
		t.Errorf("a namespace less wakes %v", woken)
	}
	w.must(w.client.Delete(t.Context(), other))
	w.settle()
	w.expect(v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonMeasuringIsolation)
	if status := w.prototype().Status.Sandbox; status.Queue != nil || status.Room == nil || status.Room.CPU != "250m" || status.Room.Memory != "256Mi" {
		t.Errorf("%+v", status)
	}
}

// TestRoomIsClaimedBeforeTheWorkloadStarts: so that everybody who counts can count it.
func TestRoomIsClaimedBeforeTheWorkloadStarts(t *testing.T) {
	w := runs(t, aPrototype())
	w.edit(func(p *v1alpha1.AIPrototype) { p.Spec.Suspend = true })
	w.settle()
	w.serves()
	w.settle()
	if room := w.prototype().Status.Sandbox.Room; room != nil {
		t.Fatalf("what is suspended holds room: %+v", room)
	}
	w.edit(func(p *v1alpha1.AIPrototype) { p.Spec.Suspend = false })
	_, err := w.reconcile()
	w.must(err)
	if room := w.prototype().Status.Sandbox.Room; room == nil || *w.deployment().Spec.Replicas != 0 {
		t.Fatalf("room %+v, %d replicas", room, *w.deployment().Spec.Replicas)
	}
	w.settle()
	if *w.deployment().Spec.Replicas != 1 {
		t.Error("not resumed")
	}
}

// Who leaves the queue claims room at once, also where its namespace could not be made: it would lose its turn.
func TestRoomIsClaimedBeforeThereIsANamespace(t *testing.T) {
	s := observed(func(s *Snapshot) {
		s.Namespace, s.Deployment, s.Subject = nil, nil, &subject.Subject{}
		s.Prototype.Status.Sandbox = &v1alpha1.SandboxStatus{Queue: &v1alpha1.QueuePosition{Position: 1, Length: 2}}
	})
	status := s.sandboxStatus(Plan{State: Measuring}, birth)
	if status == nil || status.Room == nil || status.Queue != nil || status.StartedAt != nil || status.ExpiresAt != nil {
		t.Errorf("%+v", status)
	}
}

// TestLoserOfARaceIsStopped: two that took the last place at once don't both keep it, and what is stopped is kept.
func TestLoserOfARaceIsStopped(t *testing.T) {
	w := runs(t, aPrototype())
	since := w.prototype().Status.Sandbox.Room.Since
	winner := aPrototype().with(func(p *v1alpha1.AIPrototype) {
		p.Name, p.UID = "winner", types.UID("5c9f3f1e-0000-4000-8000-000000000000")
		p.Status.ObservedGeneration = p.Generation
		p.Status.Sandbox = &v1alpha1.SandboxStatus{StartedAt: &since, Room: written(since.Time, amountOf("250m", "256Mi"))}
	}).obj()
	w.must(w.client.Create(t.Context(), winner.DeepCopy()))
	w.must(w.client.Status().Update(t.Context(), withVersion(w, winner)))
	policy := &v1alpha1.HardeningPolicy{}
	w.must(w.client.Get(t.Context(), client.ObjectKey{Name: "organisation"}, policy))
	policy.Spec.Sandbox.Limits.PrototypesPerTeam = 1
	w.must(w.client.Update(t.Context(), policy))
	w.settle()
	w.expect(v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonTeamAtCapacity)
	if *w.deployment().Spec.Replicas != 0 || !w.exists(&corev1.Namespace{}, "", w.identity.Sandbox()) {
		t.Error("it still runs, or more than its pods was taken away")
	}
	w.serves()
	w.settle()
	if status := w.prototype().Status.Sandbox; status.Room != nil || status.Queue == nil || status.StartedAt == nil {
		t.Errorf("%+v", status)
	}
	w.must(w.client.Delete(t.Context(), winner))
	w.settle()
	if *w.deployment().Spec.Replicas != 1 {
		t.Error("it does not come back by itself")
	}
}

func withVersion(w *world, p *v1alpha1.AIPrototype) *v1alpha1.AIPrototype {
	w.t.Helper()
	var live v1alpha1.AIPrototype
	w.must(w.client.Get(w.t.Context(), client.ObjectKeyFromObject(p), &live))
	live.Status = p.Status
	return &live
}

// TestGrowthBeyondTheTeamsRoom: what ran before goes on, and nobody else loses their room.
func TestGrowthBeyondTheTeamsRoom(t *testing.T) {
	w := runs(t, aPrototype())
	policy := &v1alpha1.HardeningPolicy{}
	w.must(w.client.Get(t.Context(), client.ObjectKey{Name: "organisation"}, policy))
	policy.Spec.Sandbox.Limits.PerTeam = &v1alpha1.TeamResources{CPU: "500m", Memory: "4Gi"}
	w.must(w.client.Update(t.Context(), policy))
	other := aPrototype().with(func(p *v1alpha1.AIPrototype) {
		p.Name, p.UID = "other", "5c9f3f1e-0000-4000-8000-000000000002"
		p.Status.ObservedGeneration = p.Generation
		p.Status.Sandbox = &v1alpha1.SandboxStatus{StartedAt: &metav1.Time{Time: birth}, Room: written(birth, amountOf("250m", "256Mi"))}
	}).obj()
	w.must(w.client.Create(t.Context(), other.DeepCopy()))
	w.must(w.client.Status().Update(t.Context(), withVersion(w, other)))
	w.edit(func(p *v1alpha1.AIPrototype) { p.Spec.Workload.Container.Resources.CPU = "300m" })
	w.settle()
	w.expect(v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonTeamAtCapacity)
	if cpu := w.deployment().Spec.Template.Spec.Containers[0].Resources.Requests.Cpu().String(); cpu != "250m" || *w.deployment().Spec.Replicas != 1 {
		t.Errorf("runs with %s", cpu)
	}
	if room := w.prototype().Status.Sandbox.Room; room == nil || room.CPU != "250m" {
		t.Errorf("room %+v", room)
	}
	w.must(w.client.Delete(t.Context(), other))
	w.settle()
	if cpu := w.deployment().Spec.Template.Spec.Containers[0].Resources.Requests.Cpu().String(); cpu != "300m" {
		t.Errorf("runs with %s although there is room", cpu)
	}
}

// confidential is a policy under which the prototype's data is handled by one runtime alone.
func confidential(runtime string) *v1alpha1.HardeningPolicy {
	policy := aPolicy()
	policy.Spec.Sandbox.RuntimeClasses = []v1alpha1.ClassRuntime{{Class: v1alpha1.DataInternal, RuntimeClass: runtime}}
	return policy
}

func TestRuntimeClassThatTheClusterLacks(t *testing.T) {
	kata := &nodev1.RuntimeClass{ObjectMeta: metav1.ObjectMeta{Name: "kata"}, Handler: "kata"}
	w := newWorld(t, aPrototype().obj(), confidential("kata"))
	w.settle()
	w.expect(v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonRuntimeClassMissing)
	if got := w.prototype().Status.Summary.WaitingOn; got != "IT" || w.exists(&corev1.Namespace{}, "", w.identity.Sandbox()) {
		t.Errorf("waits on %q", got)
	}
	if woken := w.handled(t.Context(), kata); len(woken) != 1 {
		t.Errorf("its coming wakes %v", woken)
	}
	if woken := w.handled(t.Context(), &nodev1.RuntimeClass{ObjectMeta: metav1.ObjectMeta{Name: "gvisor"}}); len(woken) != 0 {
		t.Errorf("another one wakes %v", woken)
	}
	w.must(w.client.Create(t.Context(), kata.DeepCopy()))
	w.settle()
	w.measures(true)
	if name := w.deployment().Spec.Template.Spec.RuntimeClassName; name == nil || *name != "kata" {
		t.Fatalf("runs under %v", name)
	}
	t.Run("what runs under it goes on without it", func(t *testing.T) {
		w.must(w.client.Delete(t.Context(), kata.DeepCopy()))
		w.settle()
		w.expect(v1alpha1.ConditionReady, metav1.ConditionFalse, v1alpha1.ReasonRuntimeClassMissing)
		if *w.deployment().Spec.Replicas != 1 {
			t.Error("stopped")
		}
	})
	t.Run("what runs under another is stopped", func(t *testing.T) {
		policy := &v1alpha1.HardeningPolicy{}
		w.must(w.client.Get(t.Context(), clientKey("organisation"), policy))
		policy.Spec = confidential("gvisor").Spec
		w.must(w.client.Update(t.Context(), policy))
		w.settle()
		if *w.deployment().Spec.Replicas != 0 {
			t.Error("goes on under a runtime that may not handle its data")
		}
	})
}

// TestIsolationIsMeasuredUnderTheSameRuntime, and anew under another: it may have another network.
func TestIsolationIsMeasuredUnderTheSameRuntime(t *testing.T) {
	s := lived(nil)
	s.Requirements.RuntimeClass = "kata"
	for suffix, want := range map[string]string{suffixInside: "kata", suffixControl: ""} {
		if got := s.probe(suffix).RuntimeClass; got != want {
			t.Errorf("%s under %q", suffix, got)
		}
	}
	one, err := inputsDigest(nil, nil, "kata")
	if err != nil {
		t.Fatal(err)
	}
	if other, _ := inputsDigest(nil, nil, ""); one == other {
		t.Error("another runtime is not measured anew")
	}
}
