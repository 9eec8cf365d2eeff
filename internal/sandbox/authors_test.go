package sandbox

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/internal/guard"
)

// guards as they are kept.
func guards(t *testing.T, state guard.State) *corev1.ConfigMap {
	t.Helper()
	raw, err := json.Marshal(state)
	if err != nil {
		t.Fatal(err)
	}
	return &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{Namespace: v1alpha1.RecordsNamespace, Name: guard.ConfigMapName},
		Data:       map[string]string{"state.json": string(raw)},
	}
}

func TestAuthorsDoubt(t *testing.T) {
	const lead, pipeline = "membership-lead@example.org", "system:serviceaccount:argo:syncer"
	gap := func(from, to time.Duration) guard.Gap { return guard.Gap{From: birth.Add(from), To: birth.Add(to)} }
	for name, test := range map[string]struct {
		authors   []string
		requester string
		gaps      []guard.Gap
		unknown   bool
		want      string
	}{
		"people":                       {authors: []string{lead, "colleague@example.org"}, requester: lead},
		"a pipeline wrote it":          {authors: []string{pipeline}, requester: lead, want: pipeline},
		"a pipeline wrote some of it":  {authors: []string{lead, pipeline}, requester: lead, want: pipeline},
		"a pipeline asked":             {authors: []string{lead}, requester: pipeline, want: pipeline},
		"a component":                  {authors: []string{lead, "System:kube-controller-manager"}, requester: lead, want: "kube-controller-manager"},
		"a gap before it was made":     {authors: []string{lead}, requester: lead, gaps: []guard.Gap{gap(-time.Hour, -time.Second)}},
		"a gap until it was made":      {authors: []string{lead}, requester: lead, gaps: []guard.Gap{gap(-time.Hour, 0)}, want: "from 2026-03-02T08:00:00Z to 2026-03-02T09:00:00Z"},
		"a gap since it was made":      {authors: []string{lead}, requester: lead, gaps: []guard.Gap{gap(-time.Hour, -time.Minute), gap(time.Hour, time.Hour+time.Minute)}, want: "from 2026-03-02T10:00:00Z to 2026-03-02T10:01:00Z"},
		"a gap that goes on":           {authors: []string{lead}, requester: lead, gaps: []guard.Gap{{From: birth.Add(time.Hour)}}, want: "since 2026-03-02T10:00:00Z"},
		"older than the first look":    {authors: []string{lead}, requester: lead, gaps: []guard.Gap{{To: birth.Add(time.Second)}}, want: "until 2026-03-02T09:00:01Z"},
		"the guards were never looked": {authors: []string{lead}, requester: lead, unknown: true, want: "never"},
	} {
		t.Run(name, func(t *testing.T) {
			state := guard.State{LastGood: birth, Gaps: test.gaps}
			if test.unknown {
				state = guard.State{}
			}
			got := authorsDoubt(test.authors, test.requester, birth, state)
			if (got == "") != (test.want == "") || !strings.Contains(got, test.want) {
				t.Errorf("doubt is %q, want %q", got, test.want)
			}
		})
	}
}

// The doubt is frozen with the review, and no reason to open another.
func TestReviewIsOpenedWithItsDoubt(t *testing.T) {
	for name, test := range map[string]struct {
		edit func(*v1alpha1.AIPrototype)
		gap  bool
		want string
	}{
		"people": {edit: func(*v1alpha1.AIPrototype) {}},
		"a pipeline": {edit: func(p *v1alpha1.AIPrototype) {
			p.Annotations[v1alpha1.AnnotationAuthors] = "system:serviceaccount:argo:syncer"
		}, want: "system:serviceaccount:argo:syncer"},
		"a gap": {edit: func(*v1alpha1.AIPrototype) {}, gap: true, want: "were not provably in place"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, aPrototype().inProduction().with(test.edit).obj(), aPolicy())
			if test.gap {
				w.must(w.client.Update(t.Context(), guards(t, guard.State{LastGood: birth, Gaps: []guard.Gap{{From: birth.Add(-time.Hour), To: birth.Add(5 * time.Second)}}})))
			}
			w.settle()
			w.measures(true)
			w.serves()
			w.settle()
			opened := w.records().Newest
			if opened == nil || (opened.AuthorsDoubt == "") != (test.want == "") || !strings.Contains(opened.AuthorsDoubt, test.want) {
				t.Fatalf("record %+v, want the doubt %q", opened, test.want)
			}
			review := w.review(opened.Prototype.Review(opened.Ordinal))
			if err := opened.Matches(review); err != nil || review.Spec.AuthorsDoubt != opened.AuthorsDoubt {
				t.Errorf("the review says %q: %v", review.Spec.AuthorsDoubt, err)
			}
			w.advance(time.Minute)
			w.edit(func(p *v1alpha1.AIPrototype) {
				p.Annotations[v1alpha1.AnnotationRequestedAt] = w.clock.Now().Format(time.RFC3339)
			})
			w.settle()
			w.measures(true)
			if last := w.records().Last; last != 1 {
				t.Errorf("asking again opened review %d", last)
			}
		})
	}
}
