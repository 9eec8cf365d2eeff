package record

import (
	"bytes"
	"encoding/json"
	"errors"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/internal/evidence"
	"github.com/affineur/affineur/internal/names"
	"github.com/affineur/affineur/internal/policy"
	"github.com/affineur/affineur/internal/subject"
)

// goldenSubject and goldenReview are the digests of sealed(). Decisions of people out there are bound to them:
// whoever has to change one changes a schema too.
const (
	goldenSubject = "sha256:86c6e1dbad2cdf1bbb45de0153c5b8cfafbaf8ec404839de469e2a4182cfaf83"
	goldenReview  = "sha256:24fda2988430d9da1bc4576240df8fc8a221b5e971805b8af8ea93c254cd3aa0"
)

var identity = names.Identity{Namespace: "membership", Name: "churn-advisor", UID: "11111111-0000-4000-8000-000000000000"}

func sealed(t *testing.T, edits ...func(*Record)) Record {
	t.Helper()
	r := Record{
		Prototype: identity, Ordinal: 3, Title: "Membership: see who lapses",
		Subject: subject.Subject{
			Schema: subject.Schema, Destination: subject.Destination{Namespace: identity.Production()},
			Container: subject.Container{Image: "registry.example.org/membership/churn-advisor@sha256:" + strings.Repeat("a", 64), Port: 8080, CPU: "250m", Memory: "256Mi"},
			Facts:     subject.Facts{Exposure: v1alpha1.ExposureInternal, Autonomy: v1alpha1.AutonomyAnswers},
			Demand:    &subject.Demand{RequestsPerSecond: "10", LatencyP95: "800ms", ErrorRatio: "0.01", Method: "GET", Path: "/"},
		},
		Requirements: policy.Requirements{
			Schema: policy.RequirementsSchema, Team: v1alpha1.Team{Name: "membership", Groups: []string{"team-membership"}}, Tier: "Standard",
			Gates: []v1alpha1.Gate{
				{Name: "scalability", Type: v1alpha1.GateScalability, Enforcement: v1alpha1.EnforcementRequired,
					Scalability: &v1alpha1.ScalabilityGate{Headroom: "1.5", Duration: metav1.Duration{Duration: time.Minute}}},
			},
			Approvals: []policy.Approval{{Role: "security", Groups: []string{"it-security"}, Quorum: 1}}, SoakSeconds: 3600, DueSeconds: 86400,
		},
		PolicyName: "organisation", RequestedBy: "membership-lead@example.org", Authors: []string{"membership-lead@example.org"},
	}
	for _, edit := range edits {
		edit(&r)
	}
	r, err := r.Seal()
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func objectOf(t *testing.T, r Record) *appsv1.ControllerRevision {
	t.Helper()
	object, err := r.Object()
	if err != nil {
		t.Fatal(err)
	}
	return object
}

func TestDigestsStayTheSame(t *testing.T) {
	r := sealed(t)
	if r.SubjectDigest != goldenSubject || r.ReviewDigest != goldenReview {
		t.Errorf("the digests are %s and %s, were %s and %s", r.SubjectDigest, r.ReviewDigest, goldenSubject, goldenReview)
	}
}

func TestReviewDigestCoversTheRequirements(t *testing.T) {
	seen := map[string]string{goldenReview: "the original"}
	for name, edit := range map[string]func(*Record){
		"quorum":      func(r *Record) { r.Requirements.Approvals[0].Quorum = 2 },
		"role groups": func(r *Record) { r.Requirements.Approvals[0].Groups = []string{"everybody"} },
		"team groups": func(r *Record) { r.Requirements.Team.Groups = nil },
		"headroom":    func(r *Record) { r.Requirements.Gates[0].Scalability.Headroom = "1.0" },
		"duration":    func(r *Record) { r.Requirements.Gates[0].Scalability.Duration.Duration = time.Second },
		"enforcement": func(r *Record) { r.Requirements.Gates[0].Enforcement = v1alpha1.EnforcementAdvisory },
		"no gates":    func(r *Record) { r.Requirements.Gates = nil },
		"soak":        func(r *Record) { r.Requirements.SoakSeconds = 0 },
		"an entry":    func(r *Record) { r.Requirements.Integrations = []v1alpha1.Integration{{Name: "crm"}} },
		"the subject": func(r *Record) { r.Subject.Container.Port = 8081 },
		"the doubt":   func(r *Record) { r.AuthorsDoubt = "a pipeline wrote it" },
	} {
		digest := sealed(t, edit).ReviewDigest
		if other, ok := seen[digest]; ok {
			t.Errorf("%s: the same digest as %s", name, other)
		}
		seen[digest] = name
	}
}

func TestRecordComesBack(t *testing.T) {
	comesBack(t, sealed(t))
	comesBack(t, sealed(t, func(r *Record) { r.AuthorsDoubt = "a pipeline wrote it" }))
}

func comesBack(t *testing.T, r Record) {
	t.Helper()
	object := objectOf(t, r)
	if object.Namespace != v1alpha1.RecordsNamespace || object.Labels[v1alpha1.LabelPrototypeUID] != identity.UID {
		t.Errorf("%s/%s %v", object.Namespace, object.Name, object.Labels)
	}
	got, err := Read(object)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(r, got); diff != "" {
		t.Error(diff)
	}
}

// A record that was tampered with is no record.
func TestRecordTamperedWith(t *testing.T) {
	object := objectOf(t, sealed(t, func(r *Record) { r.AuthorsDoubt = "a pipeline wrote it" }))
	for name, edit := range map[string]func(*appsv1.ControllerRevision){
		"image":        func(o *appsv1.ControllerRevision) { replace(o, strings.Repeat("a", 64), strings.Repeat("b", 64)) },
		"requirements": func(o *appsv1.ControllerRevision) { replace(o, `"quorum":1`, `"quorum":0`) },
		"gates":        func(o *appsv1.ControllerRevision) { replace(o, `"headroom":"1.5"`, `"headroom":"1.0"`) },
		"doubt":        func(o *appsv1.ControllerRevision) { replace(o, `"authorsDoubt":"a pipeline wrote it",`, "") },
		"schema":       func(o *appsv1.ControllerRevision) { replace(o, Schema, "affineur.dev/record/v0") },
		"ordinal":      func(o *appsv1.ControllerRevision) { replace(o, `"ordinal":3`, `"ordinal":4`) },
		"identity":     func(o *appsv1.ControllerRevision) { replace(o, identity.UID, "22222222-0000-4000-8000-000000000000") },
		"name":         func(o *appsv1.ControllerRevision) { o.Name = "another" },
		"not JSON":     func(o *appsv1.ControllerRevision) { o.Data.Raw = []byte("{") },
		"empty":        func(o *appsv1.ControllerRevision) { o.Data.Raw = nil },
	} {
		t.Run(name, func(t *testing.T) {
			tampered := object.DeepCopy()
			edit(tampered)
			if _, err := Read(tampered); !errors.Is(err, ErrMismatch) {
				t.Errorf("read: %v", err)
			}
		})
	}
}

// A record that a later version wrote, with fields that this one does not know, keeps its digests: production must
// not freeze because the operator was upgraded and taken back.
func TestRecordOfAnotherVersion(t *testing.T) {
	o := objectOf(t, sealed(t))
	var raw map[string]json.RawMessage
	if err := json.Unmarshal(o.Data.Raw, &raw); err != nil {
		t.Fatal(err)
	}
	raw["subject"] = bytes.Replace(raw["subject"], []byte("{"), []byte(`{"later":{"field":[1,2.50]},`), 1)
	subjectDigest, reviewDigest, err := stored{Subject: raw["subject"], Requirements: raw["requirements"]}.digests()
	if err != nil {
		t.Fatal(err)
	}
	raw["subjectDigest"], raw["reviewDigest"] = []byte(strconv.Quote(subjectDigest)), []byte(strconv.Quote(reviewDigest))
	if o.Data.Raw, err = json.Marshal(raw); err != nil {
		t.Fatal(err)
	}
	read, err := Read(o)
	if err != nil || read.SubjectDigest != subjectDigest {
		t.Errorf("digest %s, %v, want %s", read.SubjectDigest, err, subjectDigest)
	}
}

// A review that is open at an upgrade is compared all the same: what an earlier version froze for all gates is the one gate's,
// and of several it is lost.
func TestBaselineOfAnEarlierVersion(t *testing.T) {
	own := Baseline{Review: "churn-advisor-2", Answers: map[string]string{"a": "RR"}}
	lost := Baseline{Review: "churn-advisor-2", Lost: "an earlier version of the operator froze one for several gates, and a new review has each its own"}
	for name, c := range map[string]struct {
		gates []string
		now   map[string]Baseline
		want  map[string]Baseline
	}{
		"one gate":      {[]string{"answers"}, nil, map[string]Baseline{"answers": own}},
		"several gates": {[]string{"answers", "golden"}, nil, map[string]Baseline{"answers": lost, "golden": lost}},
		"both forms":    {[]string{"answers"}, map[string]Baseline{"answers": {Review: "churn-advisor-1"}}, map[string]Baseline{"answers": {Review: "churn-advisor-1"}}},
	} {
		t.Run(name, func(t *testing.T) {
			o := objectOf(t, sealed(t, func(r *Record) {
				for _, gate := range c.gates {
					r.Requirements.Gates = append(r.Requirements.Gates, v1alpha1.Gate{Name: gate, Type: v1alpha1.GateQuality})
				}
				r.Baselines = c.now
			}))
			replace(o, `"ordinal":3`, `"baseline":{"review":"churn-advisor-2","answers":{"a":"RR"}},"ordinal":3`)
			r, err := Read(o)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, r.Baselines); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func replace(o *appsv1.ControllerRevision, old, with string) {
	o.Data.Raw = bytes.ReplaceAll(o.Data.Raw, []byte(old), []byte(with))
}

func TestReviewMatches(t *testing.T) {
	r := sealed(t)
	owner := &v1alpha1.AIPrototype{ObjectMeta: metav1.ObjectMeta{Namespace: identity.Namespace, Name: identity.Name, UID: types.UID(identity.UID)}}
	if err := r.Matches(r.Review(owner)); err != nil {
		t.Errorf("its own review: %v", err)
	}
	for name, edit := range map[string]func(*v1alpha1.HardeningReview){
		"digest":    func(v *v1alpha1.HardeningReview) { v.Spec.ReviewDigest = goldenSubject },
		"subject":   func(v *v1alpha1.HardeningReview) { v.Spec.SubjectDigest = goldenReview },
		"tier":      func(v *v1alpha1.HardeningReview) { v.Spec.Tier = "Low" },
		"authors":   func(v *v1alpha1.HardeningReview) { v.Spec.Authors = []string{"somebody@example.org"} },
		"doubt":     func(v *v1alpha1.HardeningReview) { v.Spec.AuthorsDoubt = "a pipeline wrote it" },
		"requester": func(v *v1alpha1.HardeningReview) { v.Spec.RequestedBy = "somebody@example.org" },
		"name":      func(v *v1alpha1.HardeningReview) { v.Name = "churn-advisor-2" },
		"namespace": func(v *v1alpha1.HardeningReview) { v.Namespace = "education" },
		"prototype": func(v *v1alpha1.HardeningReview) { v.Spec.Prototype.Name = "another" },
		"uid":       func(v *v1alpha1.HardeningReview) { v.Spec.Prototype.UID = "22222222-0000-4000-8000-000000000000" },
	} {
		t.Run(name, func(t *testing.T) {
			review := r.Review(owner)
			edit(review)
			if err := r.Matches(review); !errors.Is(err, ErrMismatch) {
				t.Errorf("matches: %v", err)
			}
		})
	}
}

func TestReportComesBack(t *testing.T) {
	report := Report{
		Prototype: identity, Gate: "load", Part: "x2", Attempt: 2, Ordinal: 3, Name: "load-churn-advisor-1", Inputs: goldenReview, Network: goldenSubject, Nonce: "0123456789abcdef",
		MeasuredAt: time.Date(2026, 11, 2, 9, 0, 0, 0, time.UTC), Body: []byte(`{"schema":"affineur.dev/report/v1"}`),
	}
	object, err := report.Object()
	if err != nil {
		t.Fatal(err)
	}
	if again, _ := report.Object(); !bytes.Equal(object.BinaryData[keyReport], again.BinaryData[keyReport]) {
		t.Error("the same report packs to other bytes")
	}
	if !ptr.Deref(object.Immutable, false) {
		t.Error("a report could change")
	}
	got, err := ReadReport(object)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(report, got); diff != "" {
		t.Error(diff)
	}
	for name, edit := range map[string]func(*corev1.ConfigMap){
		"digest":           func(o *corev1.ConfigMap) { o.Data[keyDigest] = goldenReview },
		"time":             func(o *corev1.ConfigMap) { o.Data[keyMeasured] = "yesterday" },
		"body":             func(o *corev1.ConfigMap) { o.BinaryData[keyReport] = o.BinaryData[keyReport][:10] },
		"absent":           func(o *corev1.ConfigMap) { o.BinaryData = nil },
		"attempt none":     func(o *corev1.ConfigMap) { o.Data[keyAttempt] = "0" },
		"attempt by words": func(o *corev1.ConfigMap) { o.Data[keyAttempt] = "last" },
		"review none":      func(o *corev1.ConfigMap) { o.Labels[v1alpha1.LabelReview] = "0" },
		"review by words":  func(o *corev1.ConfigMap) { o.Labels[v1alpha1.LabelReview] = "any" },
	} {
		t.Run(name, func(t *testing.T) {
			tampered := object.DeepCopy()
			edit(tampered)
			if _, err := ReadReport(tampered); !errors.Is(err, ErrMismatch) {
				t.Errorf("read: %v", err)
			}
		})
	}
}

// A small object must not fill the memory.
func TestReportThatUnpacksToTooMuch(t *testing.T) {
	large := Report{Prototype: identity, Gate: "load", Name: "large", Body: make([]byte, MaxReport)}
	object, err := large.Object()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := ReadReport(object); err != nil {
		t.Errorf("the largest report: %v", err)
	}
	large.Body = append(large.Body, 0)
	if _, err := large.Object(); err == nil {
		t.Error("a report beyond the limit was packed")
	}
	for _, size := range []int{MaxReport + 1, 128 * MaxReport} {
		bomb := bytes.Repeat([]byte{' '}, size)
		object.Data[keyDigest] = evidence.Digest(bomb)
		if object.BinaryData[keyReport], err = Pack(bomb); err != nil {
			t.Fatal(err)
		}
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err := ReadReport(object)
		runtime.ReadMemStats(&after)
		if !errors.Is(err, ErrMismatch) {
			t.Errorf("%d bytes were read: %v", size, err)
		}
		if took := after.TotalAlloc - before.TotalAlloc; took > 16*MaxReport {
			t.Errorf("%d bytes of memory for a report of %d", took, size)
		}
	}
}

// What explains a report is left out before the object grows too large to be kept.
func TestSummaryBeyondItsRoom(t *testing.T) {
	report := Report{Prototype: identity, Gate: "load", Name: "told", Body: []byte("{}"), Beside: map[string]string{
		"a.svg": strings.Repeat("a", MaxBeside/2), Summary: strings.Repeat("s", MaxBeside/2), "z.svg": "z",
	}}
	object, err := report.Object()
	if err != nil {
		t.Fatal(err)
	}
	if object.Data["a.svg"] == "" || object.Data[Summary] == "" || object.Data["z.svg"] != "" {
		t.Errorf("%d, %d and %d bytes are kept", len(object.Data["a.svg"]), len(object.Data[Summary]), len(object.Data["z.svg"]))
	}
}

func TestOutcomeComesBack(t *testing.T) {
	r := sealed(t)
	object, err := r.Outcome(Outcome{Outcome: v1alpha1.OutcomeRejected, At: metav1.NewTime(time.Date(2026, 11, 2, 9, 0, 0, 0, time.UTC))})
	if err != nil {
		t.Fatal(err)
	}
	got, err := ReadOutcome(object)
	if err != nil || got.Outcome != v1alpha1.OutcomeRejected || got.Record != r.Name() || got.ReviewDigest != r.ReviewDigest {
		t.Errorf("%+v, %v", got, err)
	}
	object.Name = OutcomeName("another")
	if _, err := ReadOutcome(object); !errors.Is(err, ErrMismatch) {
		t.Errorf("another's outcome was read: %v", err)
	}
}
