package sandbox

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/internal/assess"
	"github.com/affineur/affineur/internal/evidence"
	"github.com/affineur/affineur/internal/names"
	"github.com/affineur/affineur/internal/record"
)

func TestReportsAreNotKeptForEver(t *testing.T) {
	w := runs(t, aPrototype())
	var list corev1.ConfigMapList
	mine := client.MatchingLabels{v1alpha1.LabelComponent: "report"}
	w.must(w.client.List(t.Context(), &list, client.InNamespace(v1alpha1.RecordsNamespace), mine))
	first, err := record.ReadReport(&list.Items[0])
	w.must(err)
	w.must(w.client.Create(t.Context(), &v1alpha1.HardeningReview{
		ObjectMeta: metav1.ObjectMeta{Namespace: w.key.Namespace, Name: w.identity.Review(1)},
		Spec:       v1alpha1.HardeningReviewSpec{Prototype: v1alpha1.ObjectIdentity{Name: w.key.Name, UID: w.identity.UID}},
		Status:     v1alpha1.HardeningReviewStatus{Gates: []v1alpha1.GateStatus{{Name: "security", ReportDigest: first.Digest()}}},
	}))
	for range keptReports + 3 {
		w.advance(time.Hour)
		w.settle()
		w.measures(true)
	}
	if got := w.isolationReports(); got != keptReports+1 {
		t.Errorf("%d reports are kept, want the newest %d and the one that a review rests on", got, keptReports)
	}
	w.must(w.client.List(t.Context(), &list, client.InNamespace(v1alpha1.RecordsNamespace), mine))
	pairs := map[string]int{}
	for i := range list.Items {
		pairs[pairOf(list.Items[i].Name)]++
	}
	if pairs[pairOf(first.Name)] != 2 || len(pairs) != keptReports+1 {
		t.Errorf("pairs %v, want that of %s whole", pairs, first.Name)
	}
}

func TestSurplusReports(t *testing.T) {
	at := birth
	report := func(gate, name string, hours int) corev1.ConfigMap {
		object, err := record.Report{
			Prototype: names.Of(aPrototype().obj()), Gate: gate, Name: name, MeasuredAt: at.Add(time.Duration(hours) * time.Hour), Body: []byte(name),
		}.Object()
		if err != nil {
			t.Fatal(err)
		}
		return *object
	}
	var objects []corev1.ConfigMap
	for n := range keptReports + 2 {
		objects = append(objects, report(assess.ReportIsolation, fmt.Sprintf("isolation-x-%d", n), n), report(assess.ReportIsolationControl, fmt.Sprintf("control-x-%d", n), n))
	}
	broken := report(assess.ReportIsolation, "isolation-x-broken", -9)
	broken.BinaryData = nil
	objects = append(objects, broken, report(assess.ReportOf("load"), "load-x-1", -9))
	var names []string
	for _, object := range surplusReports(objects, resting{digests: map[string]bool{evidence.Digest([]byte("isolation-x-1")): true}}) {
		names = append(names, object.GetName())
	}
	if got := strings.Join(names, " "); got != "isolation-x-0 control-x-0" {
		t.Errorf("removes %s", got)
	}
}

// What can't be read may rest on anything from before it was sealed.
func TestReportsStayWhileAnOutcomeCannotBeRead(t *testing.T) {
	report := func(hours int) (corev1.ConfigMap, record.Report) {
		r := record.Report{Prototype: names.Of(aPrototype().obj()), Gate: assess.ReportIsolation, Body: fmt.Append(nil, hours)}
		object, err := r.Object()
		if err != nil {
			t.Fatal(err)
		}
		object.CreationTimestamp = metav1.NewTime(birth.Add(time.Duration(hours) * time.Hour))
		return *object, r
	}
	sealed := func(component, content string) appsv1.ControllerRevision {
		return appsv1.ControllerRevision{
			ObjectMeta: metav1.ObjectMeta{
				Name: "r-1-outcome", CreationTimestamp: metav1.NewTime(birth.Add(2 * time.Hour)), Labels: map[string]string{v1alpha1.LabelComponent: component},
			},
			Data: runtime.RawExtension{Raw: []byte(content)},
		}
	}
	for name, test := range map[string]struct {
		revision appsv1.ControllerRevision
		stays    []int
	}{
		"readable":             {sealed("outcome", `{"record":"r-1"}`), nil},
		"of another record":    {sealed("outcome", `{"record":"r-2"}`), []int{1, 2}},
		"no JSON":              {sealed("outcome", `{`), []int{1, 2}},
		"of an unknown kind":   {sealed("", `{`), []int{1, 2}},
		"a record, no outcome": {sealed("record", `{}`), nil},
	} {
		t.Run(name, func(t *testing.T) {
			rests := Snapshot{}.restsOn([]appsv1.ControllerRevision{test.revision})
			for hours := 1; hours <= 3; hours++ {
				object, read := report(hours)
				if got := rests.on(&object, read); got != slices.Contains(test.stays, hours) {
					t.Errorf("a report of hour %d stays: %t", hours, got)
				}
			}
		})
	}
}

func TestSurplusLogs(t *testing.T) {
	var objects []corev1.ConfigMap
	for n := range keptLogs + 3 {
		objects = append(objects, corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{
			Name: fmt.Sprint("log-", n), CreationTimestamp: metav1.NewTime(birth.Add(time.Duration(n) * time.Hour)),
			Labels: map[string]string{v1alpha1.LabelComponent: "log"},
		}})
	}
	objects = append(objects, corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "report", Labels: map[string]string{v1alpha1.LabelComponent: "report"}}})
	slices.Reverse(objects)
	review := func(hours int, outcome v1alpha1.ReviewOutcome) []v1alpha1.HardeningReview {
		return []v1alpha1.HardeningReview{{
			ObjectMeta: metav1.ObjectMeta{CreationTimestamp: metav1.NewTime(birth.Add(time.Duration(hours) * time.Hour))},
			Status:     v1alpha1.HardeningReviewStatus{Outcome: outcome},
		}}
	}
	for name, test := range map[string]struct {
		reviews []v1alpha1.HardeningReview
		want    string
	}{
		"the oldest go":                      {nil, "log-2 log-1 log-0"},
		"but from the time of a review":      {review(1, ""), "log-0"},
		"which is over":                      {review(1, v1alpha1.OutcomeRejected), "log-2 log-1 log-0"},
		"a review since the first stays all": {review(0, ""), ""},
	} {
		t.Run(name, func(t *testing.T) {
			var out []string
			for _, object := range (Snapshot{Reviews: test.reviews}).surplusLogs(objects) {
				out = append(out, object.GetName())
			}
			if got := strings.Join(out, " "); got != test.want {
				t.Errorf("removes %q, want %q", got, test.want)
			}
		})
	}
}

func TestLogsAreNotKeptForEver(t *testing.T) {
	w := runs(t, aPrototype())
	w.onNode("node-1")
	w.said = "the last line"
	for range keptLogs + 2 {
		w.advance(time.Hour)
		w.settle()
		w.measures(false)
		w.advance(time.Hour)
		w.settle()
		w.measures(true)
	}
	if kept := w.kept(); len(kept) != keptLogs {
		t.Errorf("%d logs are kept, want %d", len(kept), keptLogs)
	}
}
