package drift

import (
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/internal/gate"
	"github.com/affineur/affineur/internal/gate/quality"
	"github.com/affineur/affineur/internal/names"
	"github.com/affineur/affineur/internal/policy"
	"github.com/affineur/affineur/internal/record"
	"github.com/affineur/affineur/internal/run"
	"github.com/affineur/affineur/internal/stop"
	"github.com/affineur/affineur/internal/subject"
)

var now = time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)

const day = 24 * time.Hour

var (
	same    = quality.Shift{Reason: v1alpha1.ReasonAsApproved, Message: "the approved model answers: m"}
	renamed = quality.Shift{Drifted: true, Reason: v1alpha1.ReasonModelChanged, Message: "another model answers: n"}
	worse   = quality.Shift{Drifted: true, Reason: v1alpha1.ReasonResultsChanged, Message: "of 100 examples 9 became wrong"}
	vanish  = quality.Shift{Unsure: true, Reason: v1alpha1.ReasonMeasurementLost, Message: "it was lost"}
	few     = quality.Shift{Unsure: true, Reason: v1alpha1.ReasonDriftUncertain, Message: "too few"}
	nothing = quality.Shift{Unsure: true, Reason: v1alpha1.ReasonNothingApproved, Message: "no examples"}
)

// Measurements one after the other, a day apart, and what is known after the last.
func TestConclude(t *testing.T) {
	for name, c := range map[string]struct {
		shifts  []quality.Shift
		verdict Verdict
		reason  string
		// since is the measurement with which it became so, from 1; lost so many in a row; report that it rests on, 0 for none.
		since, lost, report int
		// next is how long after the last one the next begins.
		next time.Duration
	}{
		"as approved":                 {[]quality.Shift{same}, AsApproved, same.Reason, 1, 0, 1, day},
		"as approved, again":          {[]quality.Shift{same, same}, AsApproved, same.Reason, 1, 0, 2, day},
		"another model":               {[]quality.Shift{same, renamed}, Drifted, renamed.Reason, 2, 0, 2, day},
		"another model stays":         {[]quality.Shift{renamed, renamed, renamed}, Drifted, renamed.Reason, 1, 0, 3, day},
		"and went":                    {[]quality.Shift{renamed, same}, AsApproved, same.Reason, 2, 0, 2, day},
		"worse once":                  {[]quality.Shift{same, worse}, Unknown, v1alpha1.ReasonDriftDoubtful, 2, 0, 2, 0},
		"worse twice":                 {[]quality.Shift{same, worse, worse}, Drifted, worse.Reason, 3, 0, 3, day},
		"worse once, by chance":       {[]quality.Shift{same, worse, same}, AsApproved, same.Reason, 3, 0, 3, day},
		"worse, after another model":  {[]quality.Shift{renamed, worse}, Drifted, worse.Reason, 2, 0, 2, day},
		"worse now and then":          {[]quality.Shift{worse, few, worse}, Unknown, v1alpha1.ReasonDriftDoubtful, 3, 0, 3, 0},
		"lost":                        {[]quality.Shift{same, vanish}, Unknown, vanish.Reason, 2, 1, 2, pause},
		"lost three times":            {[]quality.Shift{same, vanish, vanish, vanish}, Unknown, vanish.Reason, 2, 3, 4, 4 * pause},
		"lost many times":             {[]quality.Shift{vanish, vanish, vanish, vanish, vanish, vanish, vanish, vanish, vanish, vanish, vanish, vanish}, Unknown, vanish.Reason, 1, 12, 12, day},
		"too few":                     {[]quality.Shift{same, few}, Unknown, few.Reason, 2, 0, 2, day},
		"nothing approved":            {[]quality.Shift{nothing}, Unknown, nothing.Reason, 1, 0, 1, day},
		"a drift is not lost":         {[]quality.Shift{renamed, vanish}, Drifted, renamed.Reason, 1, 1, 1, pause},
		"nor forgotten for too few":   {[]quality.Shift{renamed, few, few}, Drifted, renamed.Reason, 1, 0, 1, day},
		"found again after many lost": {[]quality.Shift{vanish, vanish, same}, AsApproved, same.Reason, 3, 0, 3, day},
	} {
		t.Run(name, func(t *testing.T) {
			s := unmeasured("churn-1", 0, now)
			at := now
			report := func(i int) string { return "report-" + string(rune('a'+i)) }
			for i, shift := range c.shifts {
				at = now.Add(time.Duration(i+1) * day)
				s = s.conclude(shift, s.Number+1, report(i+1), at)
			}
			if s.Verdict != c.verdict || s.Reason != c.reason || !s.Since.Equal(now.Add(time.Duration(c.since)*day)) || s.Lost != c.lost ||
				s.Report != report(c.report) || s.Number != len(c.shifts) || s.Message == "" {
				t.Errorf("got %+v", s)
			}
			if next := s.due(day, at.Add(time.Minute)); next.Sub(at) != c.next && !(c.next == 0 && next.Equal(at.Add(time.Minute))) {
				t.Errorf("due after %v, want %v", next.Sub(at), c.next)
			}
			if back := Read(map[string]string{v1alpha1.AnnotationModelDrift: s.String()}); back != s {
				t.Errorf("read back: %+v", back)
			}
		})
	}
}

// A clock that was put back must not put the next measurement off for as long.
func TestDueByAClockThatJumped(t *testing.T) {
	s := unmeasured("churn-1", 0, now).conclude(same, 1, "r", now.Add(720*time.Hour))
	if due := s.due(day, now); due.After(now) {
		t.Errorf("due at %v", due)
	}
}

func FuzzRead(f *testing.F) {
	f.Add(unmeasured("churn-1", 3, now).String())
	f.Add(unmeasured("churn-1", 3, now).conclude(renamed, 4, "r", now).String())
	f.Add(`{"record":"x","verdict":"Fine","lost":-1}`)
	f.Add(`null`)
	f.Fuzz(func(t *testing.T, text string) {
		s := Read(map[string]string{v1alpha1.AnnotationModelDrift: text})
		if s == (State{}) {
			return
		}
		if s.Verdict != Drifted && s.Verdict != AsApproved && s.Verdict != Unknown || len(s.Message) > 4*maxMessage {
			t.Errorf("took %+v", s)
		}
		if again := Read(map[string]string{v1alpha1.AnnotationModelDrift: s.String()}); again.Verdict != s.Verdict || again.Record != s.Record {
			t.Errorf("%+v became %+v", s, again)
		}
		// Whatever stands there, a measurement is due within the usual time.
		if due := s.due(day, now); due.After(now.Add(day + gate.ClockSkew)) {
			t.Errorf("due only at %v", due)
		}
	})
}

// serving is a scene in which something serves that is watched.
func serving(edits ...func(*Scene)) Scene {
	s := Scene{
		Namespace: &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "affp-x"}},
		Serving:   Serving{Record: "churn-1", Digest: "sha256:1"}, Answering: true,
		Record: &record.Record{
			Prototype: names.Identity{Namespace: "membership", Name: "churn", UID: "u"}, Ordinal: 1, ReviewDigest: "sha256:1",
			Subject: subject.Subject{Model: &subject.Model{Name: "m"}, Facts: subject.Facts{Autonomy: v1alpha1.AutonomyAnswers}, Container: subject.Container{Port: 8080}},
			Requirements: policy.Requirements{Production: v1alpha1.ProductionPolicy{
				ModelDrift: &v1alpha1.ModelDriftPolicy{Every: metav1.Duration{Duration: day}, OnDrift: v1alpha1.DriftAlert},
			}},
		},
		State: unmeasured("churn-1", 0, now), Run: run.Result{State: run.Absent},
	}
	for _, edit := range edits {
		edit(&s)
	}
	return s
}

func TestDecide(t *testing.T) {
	since := func(age time.Duration, shift quality.Shift) func(*Scene) {
		return func(s *Scene) { s.State = s.State.conclude(shift, 1, "r", now.Add(-age)) }
	}
	running := func(s *Scene) { s.Run = run.Result{State: run.Running} }
	mute := func(s *Scene) { s.Answering = false }
	severed := func(s *Scene) { s.Stops = stop.Effects{Cut: true} }
	for name, c := range map[string]struct {
		scene Scene
		step  Step
		keeps bool
		// wake is how long from now; 0 for never.
		wake time.Duration
	}{
		"nothing there":              {Scene{}, Rest, false, 0},
		"nothing serves":             {serving(func(s *Scene) { s.Serving = Serving{} }, running), Rest, false, 0},
		"not asked for":              {serving(func(s *Scene) { s.Record.Requirements.Production.ModelDrift = nil; s.State = State{} }), Rest, false, 0},
		"no longer asked for":        {serving(func(s *Scene) { s.Record.Requirements.Production.ModelDrift = nil }), Forget, false, 0},
		"no model":                   {serving(func(s *Scene) { s.Record.Subject.Model = nil }), Forget, false, 0},
		"a new record":               {serving(func(s *Scene) { s.State.Record = "churn-0" }), Tell, false, 0},
		"nothing known":              {serving(func(s *Scene) { s.State = State{} }), Tell, false, 0},
		"not measured":               {serving(), Start, true, 0},
		"not measured, mute":         {serving(mute), Rest, false, 0},
		"at work":                    {serving(running), Tend, true, 0},
		"at work, without a pod":     {serving(running, func(s *Scene) { s.Run.Until = now.Add(time.Minute) }), Tend, true, time.Minute},
		"at work, mute by now":       {serving(running, mute), Rest, false, 0},
		"at work, stopped by now":    {serving(running, severed), Rest, false, 0},
		"ended":                      {serving(func(s *Scene) { s.Run.State = run.Measured }), Conclude, true, 0},
		"ended, stopped by now":      {serving(func(s *Scene) { s.Run.State = run.Measured }, severed), Rest, false, 0},
		"came to nothing":            {serving(func(s *Scene) { s.Run.State = run.Lost }), Conclude, true, 0},
		"measured an hour ago":       {serving(since(time.Hour, same)), Rest, false, 23 * time.Hour},
		"measured a day ago":         {serving(since(day, same)), Start, true, 0},
		"doubtful":                   {serving(since(time.Second, worse)), Start, true, 0},
		"lost a minute ago":          {serving(since(time.Minute, vanish)), Rest, false, 4 * time.Minute},
		"due, mute":                  {serving(since(day, same), mute), Rest, false, day},
		"due, stopped":               {serving(since(day, same), severed), Rest, false, day},
		"long due, mute":             {serving(since(2*day, same), mute), Tell, false, 0},
		"long due, stopped":          {serving(since(2*day, same), severed), Tell, false, 0},
		"drifted, and mute for long": {serving(since(9*day, renamed), mute), Rest, false, 0},
		"no record":                  {serving(since(time.Hour, same), func(s *Scene) { s.Record = nil }), Tell, false, 0},
		"no record, and it is known": {serving(func(s *Scene) { s.Record = nil }), Rest, false, pause},
	} {
		t.Run(name, func(t *testing.T) {
			p := Decide(c.scene, now)
			if p.Step != c.step || p.keeps() != c.keeps {
				t.Fatalf("got %s", p.Step)
			}
			if wake := p.Wake.Sub(now); !p.Wake.IsZero() && wake != c.wake || p.Wake.IsZero() && c.wake != 0 {
				t.Errorf("wakes after %v", wake)
			}
			if p.Step == Tell && (p.State.Verdict != Unknown || p.State.Reason != v1alpha1.ReasonDriftNotMeasured || p.State.Message == "") {
				t.Errorf("tells %+v", p.State)
			}
		})
	}
}

// A question makes what acts do something, in production: it is asked none without IT's word, and that is no good verdict.
func TestWhatActsIsLeftAlone(t *testing.T) {
	autonomy := func(a v1alpha1.Autonomy) func(*Scene) {
		return func(s *Scene) { s.Record.Subject.Facts.Autonomy = a }
	}
	acting := func(a v1alpha1.ActingAnswer) func(*Scene) {
		return func(s *Scene) { s.Record.Requirements.Production.ModelDrift.Acting = a }
	}
	known := func(shift quality.Shift) func(*Scene) {
		return func(s *Scene) { s.State = s.State.conclude(shift, 1, "r", now.Add(-day)) }
	}
	acts, asks := autonomy(v1alpha1.AutonomyActs), acting(v1alpha1.ActingAsk)
	running := func(s *Scene) { s.Run.State = run.Running }
	told := func(s *Scene) { s.State = s.State.unasked(now.Add(-time.Hour)) }
	for name, c := range map[string]struct {
		scene Scene
		step  Step
	}{
		"answers":                       {serving(autonomy(v1alpha1.AutonomyAnswers)), Start},
		"suggests":                      {serving(autonomy(v1alpha1.AutonomySuggests)), Start},
		"acts":                          {serving(acts), Tell},
		"acts, and that is known":       {serving(acts, told), Rest},
		"acts, was as approved":         {serving(acts, known(same)), Tell},
		"acts, has drifted":             {serving(acts, known(renamed)), Rest},
		"acts, at work":                 {serving(acts, running), Tell},
		"acts, at work, that is known":  {serving(acts, running, told), Rest},
		"acts, ended":                   {serving(acts, func(s *Scene) { s.Run.State = run.Measured }), Tell},
		"nobody knows":                  {serving(autonomy("")), Tell},
		"a word of later":               {serving(autonomy("Dreams")), Tell},
		"acts, left by the policy":      {serving(acts, acting(v1alpha1.ActingLeave)), Tell},
		"acts, and may":                 {serving(acts, asks), Start},
		"acts, and may since":           {serving(acts, asks, told), Start},
		"acts, and nobody looks":        {serving(acts, func(s *Scene) { s.Record.Requirements.Production.ModelDrift = nil }), Forget},
		"acts, new, is told that first": {serving(acts, func(s *Scene) { s.State = State{} }), Tell},
	} {
		t.Run(name, func(t *testing.T) {
			p := Decide(c.scene, now)
			if p.Step != c.step || p.keeps() != (c.step == Start) || !p.Wake.IsZero() {
				t.Fatalf("got %+v", p)
			}
			if p.Step != Tell || c.scene.State == (State{}) {
				return
			}
			if s := p.State; s.Verdict != Unknown || s.Reason != v1alpha1.ReasonDriftNotAsked || !strings.Contains(s.Message, "IT says so") || len(s.Message) > maxMessage ||
				!strings.HasSuffix(s.Message, ".") {
				t.Errorf("tells %+v", s)
			}
		})
	}
}

// The openings are for the pods of one Job and those of the record that serves, on its port.
func TestOpenings(t *testing.T) {
	s := serving()
	r := s.runOf("image", gate.Run{})
	var out, in *networkingv1.NetworkPolicy
	for _, object := range s.openings(r) {
		if p := object.(*networkingv1.NetworkPolicy); p.Namespace == "affp-x" {
			in = p
		} else {
			out = p
		}
	}
	if out.Namespace != v1alpha1.GatesNamespace || out.Spec.PodSelector.MatchLabels["batch.kubernetes.io/job-name"] != r.Name || len(out.Spec.Ingress) > 0 {
		t.Errorf("out: %+v", out)
	}
	from := in.Spec.Ingress[0].From
	if len(in.Spec.Ingress) != 1 || len(from) != 1 || from[0].PodSelector.MatchLabels["batch.kubernetes.io/job-name"] != r.Name ||
		from[0].NamespaceSelector.MatchLabels["kubernetes.io/metadata.name"] != v1alpha1.GatesNamespace ||
		in.Spec.PodSelector.MatchLabels[v1alpha1.LabelReview] != "1" || in.Spec.Ingress[0].Ports[0].Port.IntValue() != 8080 || len(in.Spec.Egress) > 0 {
		t.Errorf("in: %+v", in)
	}
	for _, p := range []*networkingv1.NetworkPolicy{in, out} {
		if p.Name != r.Name || p.Labels[v1alpha1.LabelPrototypeUID] != "u" || p.Labels[v1alpha1.LabelComponent] != "again" || p.Labels[v1alpha1.LabelReview] != "1" {
			t.Errorf("%s/%s with %v", p.Namespace, p.Name, p.Labels)
		}
	}
	if len(r.Name) > 63 || !strings.HasPrefix(r.Name, "drift-churn-") {
		t.Errorf("named %s", r.Name)
	}
}
