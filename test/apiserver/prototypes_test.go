package apiserver

import (
	"context"
	"fmt"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/affineur/affineur/api/v1alpha1"
)

func merge(name, body string) func(context.Context, client.Client) error {
	return func(ctx context.Context, c client.Client) error {
		return c.Patch(ctx, prototype(name), client.RawPatch("application/merge-patch+json", []byte(body)))
	}
}

func stampsOf(t *testing.T, name string) (authors, requester string) {
	t.Helper()
	p := prototype(name)
	must(t, admin.Get(t.Context(), client.ObjectKeyFromObject(p), p))
	return strings.ReplaceAll(p.Annotations[v1alpha1.AnnotationAuthors], "\n", " "), p.Annotations[v1alpha1.AnnotationRequestedBy]
}

// Threat 4: everybody who changed the prototype, or asked for another look at it, stays its author.
func TestAuthorsAccumulate(t *testing.T) {
	const name = "authors"
	anna, bobby, pipeline := as(ann, teamMembership), as(bob, teamMembership), as("system:serviceaccount:ci:pipeline", everything)
	made := prototype(name)
	made.Annotations = map[string]string{v1alpha1.AnnotationAuthors: bob + "\nsomebody", v1alpha1.AnnotationRequestedBy: bob}
	must(t, anna.Create(t.Context(), made))
	for _, step := range []struct {
		what               string
		who                client.Client
		body               string
		authors, requester string
	}{
		{"as created", nil, "", ann, ""},
		{"a label makes nobody an author", bobby, `{"metadata":{"labels":{"a":"b"}}}`, ann, ""},
		{"changed by another", bobby, `{"spec":{"contact":"membership@example.org"}}`, ann + " " + bob, ""},
		{"changed by the first again", anna, `{"spec":{"contact":"x@example.org"}}`, ann + " " + bob, ""},
		{"forged", anna, `{"metadata":{"annotations":{"affineur.dev/authors":"` + bob + `"}}}`, ann + " " + bob, ""},
		{"wiped", anna, `{"metadata":{"annotations":null}}`, ann + " " + bob, ""},
		{"changed by a pipeline", pipeline, `{"spec":{"contact":"y@example.org"}}`, ann + " " + bob + " system:serviceaccount:ci:pipeline", ""},
		{"asked for production", bobby, `{"spec":{"target":"Production"}}`, ann + " " + bob + " system:serviceaccount:ci:pipeline", bob},
		{"changed while production is wanted", anna, `{"spec":{"contact":"z@example.org"}}`, ann + " " + bob + " system:serviceaccount:ci:pipeline", ann},
		{"claimed by another", bobby, `{"metadata":{"annotations":{"affineur.dev/requested-by":"` + bob + `"}}}`, ann + " " + bob + " system:serviceaccount:ci:pipeline", ann},
		// A new look resolves the tag again: whoever asks for it may have moved the tag.
		{"asked for another look", as(sam, everything), `{"metadata":{"annotations":{"affineur.dev/requestedAt":"2026-03-02T12:00:00Z"}}}`,
			ann + " " + bob + " system:serviceaccount:ci:pipeline " + sam, sam},
		{"no longer wanted", bobby, `{"spec":{"target":"Sandbox"}}`, ann + " " + bob + " system:serviceaccount:ci:pipeline " + sam, sam},
	} {
		if step.who != nil {
			if err := merge(name, step.body)(t.Context(), step.who); err != nil {
				t.Fatalf("%s: %v", step.what, err)
			}
		}
		if authors, requester := stampsOf(t, name); authors != step.authors || requester != step.requester {
			t.Errorf("%s: authors %q and requester %q, want %q and %q", step.what, authors, requester, step.authors, step.requester)
		}
	}
}

// A pipeline applies the same manifest again and again: it must neither lose the stamp nor fight it.
func TestAuthorsSurviveServerSideApply(t *testing.T) {
	apply := func(who client.Client, contact string) string {
		p := prototype("applied")
		p.TypeMeta = metav1.TypeMeta{APIVersion: v1alpha1.GroupVersion.String(), Kind: "AIPrototype"}
		p.Spec.Contact = contact
		must(t, who.Patch(t.Context(), p, client.Apply, client.FieldOwner("pipeline"), client.ForceOwnership)) //nolint:staticcheck // the plainest way to apply a typed object
		return p.ResourceVersion
	}
	apply(as(ann, teamMembership), "a@example.org")
	second := apply(as(bob, teamMembership), "b@example.org")
	if authors, _ := stampsOf(t, "applied"); authors != ann+" "+bob {
		t.Errorf("authors %q", authors)
	}
	if third := apply(as(bob, teamMembership), "b@example.org"); third != second {
		t.Error("applying the same again is a write")
	}
}

func TestAuthorsAreBounded(t *testing.T) {
	const name = "crowded"
	must(t, as(ann, teamMembership).Create(t.Context(), prototype(name)))
	crowd := func(i int) client.Client { return as(fmt.Sprintf("person-%d@example.org", i), everything) }
	contact := func(i int) string { return fmt.Sprintf(`{"spec":{"contact":"%d@example.org"}}`, i) }
	for i := 1; i < 64; i++ {
		must(t, merge(name, contact(i))(t.Context(), crowd(i)))
	}
	full := attack{"the 65th author", "affineur-prototypes", "64 people changed this prototype already", crowd(64), merge(name, contact(64))}
	must(t, full.refused(t.Context(), wet))
	// Those who are in it go on.
	must(t, merge(name, contact(0))(t.Context(), as(ann, teamMembership)))
}

// A name of two lines would write another person into the set, and keep them from deciding.
func TestANameOfTwoLinesIsNoAuthor(t *testing.T) {
	config, err := certified("eve@example.org\n"+sam, everything)
	must(t, err)
	eve, err := client.New(config, client.Options{Scheme: scheme})
	must(t, err)
	must(t, attack{"two lines", "affineur-prototypes", "a user name with a line break", eve, create(func() client.Object { return prototype("two-lines") })}.refused(t.Context(), wet))
}

// Threat 23.
func TestOnlyTheOperatorTouchesItsFinalizer(t *testing.T) {
	const name, policy, says = "held", "affineur-prototypes", "only the operator adds and removes finalizers"
	must(t, as(ann, teamMembership).Create(t.Context(), prototype(name)))
	add := merge(name, `{"metadata":{"finalizers":["`+v1alpha1.FinalizerSandbox+`"]}}`)
	drop := merge(name, `{"metadata":{"finalizers":null}}`)
	tryAll(t, []attack{
		{"added by the team", policy, says, as(ann, teamMembership), add},
		{"added by an administrator", policy, says, as("root", administrators), add},
	})
	must(t, add(t.Context(), as(operator)))
	tryAll(t, []attack{
		{"removed by the team", policy, says, as(ann, teamMembership), drop},
		{"removed by the garbage collector", policy, says, as(collector), drop},
	})
	// Others' finalizers are others' business.
	must(t, merge(name, `{"metadata":{"finalizers":["`+v1alpha1.FinalizerSandbox+`","example.org/theirs"]}}`)(t.Context(), as(ann, teamMembership)))
	must(t, merge(name, `{"metadata":{"finalizers":["example.org/theirs"]}}`)(t.Context(), as(operator)))
	must(t, drop(t.Context(), as(ann, teamMembership)))
}

// Deleting a prototype does not take production down by accident.
func TestLiveProductionIsRetiredFirst(t *testing.T) {
	const name = "serving"
	gone := func(ctx context.Context, c client.Client) error { return c.Delete(ctx, prototype(name)) }
	anna := as(ann, teamMembership)
	must(t, anna.Create(t.Context(), prototype(name)))
	must(t, gone(t.Context(), dry(anna)))

	serving := prototype(name)
	must(t, as(operator).Get(t.Context(), client.ObjectKeyFromObject(serving), serving))
	serving.Status.Production = &v1alpha1.ProductionStatus{Namespace: production, SubjectDigest: digest, Review: name + "-1", Since: metav1.Now()}
	must(t, as(operator).Status().Update(t.Context(), serving))
	for _, who := range []client.Client{anna, as("root", administrators)} {
		must(t, attack{"deleted", "affineur-prototypes", "Set spec.target to Retired first", who, gone}.refused(t.Context(), wet))
	}
	must(t, gone(t.Context(), dry(as(namespacer))))
	must(t, gone(t.Context(), dry(as(collector))))
	must(t, merge(name, `{"spec":{"target":"Retired"}}`)(t.Context(), anna))
	must(t, gone(t.Context(), anna))
}

// Whoever has edit in a namespace writes prototypes and nothing else of ours.
func TestTeamWritesPrototypesOnly(t *testing.T) {
	anna := as(ann, teamMembership)
	for _, object := range []client.Object{review("by-hand"), decision("by-hand"), &v1alpha1.HardeningPolicy{ObjectMeta: metav1.ObjectMeta{Name: "by-hand"}}} {
		if err := anna.Create(t.Context(), object); err == nil {
			t.Errorf("a team created a %T", object)
		}
	}
	p := prototype("team")
	must(t, anna.Create(t.Context(), p))
	p.Spec.Demand.People = ptr.To[int32](20)
	must(t, anna.Update(t.Context(), p))
	must(t, anna.Delete(t.Context(), p))
}
