package scalability

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/internal/evidence"
	"github.com/affineur/affineur/internal/gate"
)

// mostReplicas bounds what is ever measured.
const mostReplicas = 16

// numbers of replicas that the policy has measured: one, two, twice as many each time, and the largest; never more than
// production may have.
func numbers(c gate.Case) []int32 {
	out := []int32{1}
	if c.Gate.Scalability == nil {
		return out
	}
	most := min(c.Gate.Scalability.UpToReplicas, c.Record.Requirements.Production.Replicas.Max, mostReplicas)
	for n := int32(2); n < most; n *= 2 {
		out = append(out, n)
	}
	if most > 1 {
		out = append(out, most)
	}
	return out
}

// partOf names the run with a number of replicas.
func partOf(n int32) string {
	if n == 1 {
		return ""
	}
	return fmt.Sprintf("x%d", n)
}

// usePart names what the pods used meanwhile.
func usePart(n int32) string { return "use" + partOf(n) }

// climbing with a number of replicas goes as much higher as there are more of them, so that it finds their limit too. Where no
// limit of one was found, none of several would say how they scale.
func climbing(one Climbing, n int32, first Capacity) Climbing {
	switch {
	case first.Usable > 0 && !first.Bracketed:
		return Climbing{}
	case one.UpTo > 1 && first.Usable > 0:
		one.UpTo = min(one.UpTo*float64(n), farthest)
	}
	return one
}

// measuredWith is one number of replicas, and what it showed.
type measuredWith struct {
	replicas int32
	verdict  gate.Verdict
}

func (m measuredWith) passed() bool { return m.verdict.State == gate.Passed }

// decided tells whether a verdict is about the subject.
func decided(v gate.Verdict) bool { return v.State == gate.Passed || v.State == gate.Failed }

// scaling is what the numbers of replicas showed.
type scaling struct {
	// levels that say something about the subject, rising from one.
	levels []measuredWith
	// open is why there is no verdict on all of them yet; nil where there is.
	open *gate.Verdict
	// cramped says why there are no more levels; empty where all were measured.
	cramped string
}

// scalingOf gathers what the gate's runs say, beginning with one replica. What was lost for want of room ends the levels; anything
// else that says nothing keeps the whole open, because several replicas could be worse than one.
func scalingOf(c gate.Case, taken gate.Taken) scaling {
	one := judgeWith(c, taken, 1)
	out := scaling{levels: []measuredWith{{1, one}}}
	if !decided(one) {
		return scaling{open: &one}
	}
	for _, n := range numbers(c)[1:] {
		run := taken.Runs[partOf(n)].Measurement
		if run.NoRoom {
			out.cramped = fmt.Sprintf("%s could not be measured: %s", replicas(int(n)), run.Lost)
			break
		}
		v := judgeWith(c, taken, n)
		if !decided(v) {
			out.open = stillOpen(n, v, one)
			break
		}
		out.levels = append(out.levels, measuredWith{n, v})
	}
	return out
}

// stillOpen is the verdict while a number of replicas says nothing. What is known to be wrong with one is told all the same.
func stillOpen(n int32, v, one gate.Verdict) *gate.Verdict {
	message := fmt.Sprintf("with %s: %s", replicas(int(n)), v.Message)
	if v.State == gate.Pending {
		out := gate.Wait(message)
		return &out
	}
	out := gate.Unknown(v.Reason, message, v.MeasuredAt, slices.Concat(v.Findings, one.Findings)...)
	return &out
}

// judgeWith judges one number of replicas by itself.
func judgeWith(c gate.Case, taken gate.Taken, n int32) gate.Verdict {
	demand, err := demandOf(c.Record.Subject)
	if err != nil {
		return unmeasurable(err)
	}
	settings, err := settingsOf(c.Gate, 1)
	if err != nil {
		return unmeasurable(err)
	}
	run := taken.Runs[partOf(n)].Measurement
	if run.Report != nil && !demanded(c, run.Report) {
		return gate.Unknown(v1alpha1.ReasonEvidenceUnverifiable, "The load that was measured is not what the requirements demand.", run.Report.FinishedAt)
	}
	return Judge(Evidence{Frame: c.Frame(), Run: run, Demand: demand, Headroom: settings.Headroom})
}

// extent is the numbers of replicas that production may have by what was measured: from the first that kept the promises to the
// last before one that did not, within the policy's bounds.
type extent struct{ least, most int32 }

// extent is nil where not one number kept the promises, or none that the policy allows.
func (s scaling) extent(policy v1alpha1.ReplicaRange) *extent {
	var out *extent
	for _, level := range s.levels {
		switch {
		case level.passed() && out == nil:
			out = &extent{least: level.replicas, most: policy.Max}
		case !level.passed() && out != nil:
			// Between two measured numbers, only the smaller is known to be good.
			out.most = min(out.most, s.before(level.replicas))
			return out.within(policy)
		}
	}
	return out.within(policy)
}

func (e *extent) within(policy v1alpha1.ReplicaRange) *extent {
	if e == nil || max(e.least, policy.Min) > e.most {
		return nil
	}
	return &extent{least: max(e.least, policy.Min), most: e.most}
}

// before is the largest number below another that was measured.
func (s scaling) before(n int32) int32 {
	var out int32
	for _, level := range s.levels {
		if level.replicas < n {
			out = level.replicas
		}
	}
	return out
}

// judge says
//
//	Passed        when a number of replicas that production may have keeps the promises under the demand with headroom; production
//	              is then held between the first that does and the last before one that does not
//	Failed        when none does
//	Inconclusive  when a number that was asked for says nothing, but for want of room
func (s scaling) judge(c gate.Case, taken gate.Taken) gate.Verdict {
	switch {
	case s.open != nil:
		return *s.open
	case len(s.levels) == 1 && s.cramped == "":
		return gate.Advise(s.levels[0].verdict, s.used(c, taken)...)
	}
	policy, one := c.Record.Requirements.Production.Replicas, s.levels[0].verdict
	within := s.extent(policy)
	switch {
	case within == nil && s.firstGood() == nil:
		one.Message += s.tell(", nor with %s") + s.more()
		return gate.Fail(one.Reason, one.Message, one.MeasuredAt, one.Findings...)
	case within == nil:
		return s.worse(policy)
	}
	good := *s.firstGood()
	out := good.verdict
	if good.replicas > 1 {
		out.Message = fmt.Sprintf("%s keep the promises that fewer don't: %s", replicas(int(good.replicas)), out.Message)
	} else {
		out.Message += s.tell("; kept with %s too")
	}
	out.Message += s.more()
	return gate.Advise(gate.Pass(out.Reason, out.Message, s.latest()), s.remarks(c, taken, *within)...)
}

func (s scaling) firstGood() *measuredWith {
	for i := range s.levels {
		if s.levels[i].passed() {
			return &s.levels[i]
		}
	}
	return nil
}

// firstBad is the smallest number that failed after one that did not; nil without one.
func (s scaling) firstBad() *measuredWith {
	good := s.firstGood()
	for i := range s.levels {
		if good != nil && s.levels[i].replicas > good.replicas && !s.levels[i].passed() {
			return &s.levels[i]
		}
	}
	return nil
}

// tell names the numbers above one that came out as one did.
func (s scaling) tell(format string) string {
	var same []string
	for _, level := range s.levels[1:] {
		if level.verdict.State == s.levels[0].verdict.State {
			same = append(same, fmt.Sprint(level.replicas))
		}
	}
	if len(same) == 0 {
		return ""
	}
	return fmt.Sprintf(format, strings.Join(same, " and ")+" replicas")
}

func (s scaling) more() string {
	if s.cramped == "" {
		return ""
	}
	return "; " + s.cramped
}

// latest is when the last of the levels was measured.
func (s scaling) latest() (at time.Time) {
	for _, level := range s.levels {
		if level.verdict.MeasuredAt.After(at) {
			at = level.verdict.MeasuredAt
		}
	}
	return at
}

// worse is the verdict where fewer replicas keep the promises than production has at least.
func (s scaling) worse(policy v1alpha1.ReplicaRange) gate.Verdict {
	bad, good := s.firstBad(), s.firstGood()
	if bad == nil {
		return gate.Unknown(v1alpha1.ReasonRequirementInvalid, "the policy's numbers of replicas can't be met", s.latest())
	}
	message := fmt.Sprintf("the promises are kept with %s and not with %s, and production has at least %d: %s",
		replicas(int(good.replicas)), replicas(int(bad.replicas)), policy.Min, bad.verdict.Message)
	var findings []gate.Finding
	for _, f := range bad.verdict.Findings {
		findings = append(findings, gate.Finding{Reason: v1alpha1.ReasonWorseWithReplicas, Field: "spec.workload.container", Owner: v1alpha1.OwnerBusiness,
			Message: fmt.Sprintf("with %s, but not with %s: %s", replicas(int(bad.replicas)), replicas(int(good.replicas)), f.Message), Hint: hintShared})
	}
	return gate.Fail(v1alpha1.ReasonWorseWithReplicas, message, s.latest(), findings...)
}

const hintShared = "Keep nothing in the program that its next request needs, such as sessions, files or locks: with several replicas, another one may answer it."

// uses are what pods used where the promises were kept.
func (s scaling) uses(c gate.Case, taken gate.Taken) []*use {
	var out []*use
	for _, level := range s.levels {
		if u := usedWith(c, taken, level.replicas); u != nil && level.passed() {
			out = append(out, u)
		}
	}
	return out
}

// used are remarks about that.
func (s scaling) used(c gate.Case, taken gate.Taken) []gate.Finding {
	var out []gate.Finding
	for _, u := range s.uses(c, taken) {
		out = append(out, u.remarks()...)
	}
	return out
}

// requests are the largest that would do where the promises were kept; 0 where nothing was read.
func (s scaling) requests(c gate.Case, taken gate.Taken) (cpu, memory int64) {
	for _, u := range s.uses(c, taken) {
		one, other := u.requests()
		cpu, memory = max(cpu, one), max(memory, other)
	}
	return cpu, memory
}

// remarks stand in nobody's way.
func (s scaling) remarks(c gate.Case, taken gate.Taken, within extent) []gate.Finding {
	var out []gate.Finding
	if bad := s.firstBad(); bad != nil {
		out = append(out, gate.Finding{Reason: v1alpha1.ReasonWorseWithReplicas, Field: "spec.workload.container", Owner: v1alpha1.OwnerBusiness, Hint: hintShared,
			Message: fmt.Sprintf("Production gets %d at most, because %s did not keep the promises: %s", within.most, replicas(int(bad.replicas)), bad.verdict.Message)})
	}
	if all := carrying(capacitiesOf(c, taken)); len(all) > 1 && (Sizing{Capacities: all}).saturates() {
		last, before := all[len(all)-1], all[len(all)-2]
		out = append(out, gate.Finding{Reason: v1alpha1.ReasonReplicasShare, Field: "spec.workload.container", Owner: v1alpha1.OwnerBusiness,
			Message: fmt.Sprintf("%s together carry %s req/s, and %s %s: they wait for something that they share, so more of them are no help when demand grows",
				replicas(last.Replicas), short(last.Carries()), replicas(before.Replicas), short(before.Carries())),
			Hint: "Look for a lock, a store or a system that all of them use one after the other."})
	}
	out = append(out, s.used(c, taken)...)
	if s.cramped != "" {
		out = append(out, gate.Finding{Reason: v1alpha1.ReasonNoRoomForReplicas, Owner: v1alpha1.OwnerIT,
			Message: evidence.Clean(s.cramped, 300) + ". What several carry is not known.",
			Hint:    "Make room in the cluster or in the team's sandboxes, and ask for another look; or measure fewer replicas (scalability.upToReplicas)."})
	}
	return out
}
