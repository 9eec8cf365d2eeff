package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"regexp"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/util/retry"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/apiutil"
)

// attack is one forbidden thing that somebody tries.
type attack struct {
	// row of the threat model.
	row int
	// who tries, and what.
	who, what string
	// control does the same where it is allowed, and works; nil where nobody may anywhere.
	control func(context.Context) error
	// try returns what stopped it, as it was observed, once the forbidden effect was looked for and is not there.
	try func(context.Context) (string, error)
	// meant is what has to stop it, any of these: a request that is mistyped, or too late, is refused as well.
	meant []wall
}

// wall is what stops an attack: how its name begins, as it was observed, and what it says about why.
type wall struct{ by, says string }

// by says what is meant to stop the attack.
func (a attack) by(walls ...wall) attack {
	a.meant = walls
	return a
}

// stops tells whether the wall is what was observed.
func (w wall) stops(observed string) bool {
	return strings.HasPrefix(observed, w.by) && strings.Contains(observed, w.says)
}

func (w wall) String() string {
	if w.says == "" {
		return w.by
	}
	return fmt.Sprintf("%s (…%s…)", w.by, w.says)
}

// Walls that stop more than one attack.
var (
	rbac         = wall{by: "RBAC ("}
	podSecurity  = wall{by: "Pod Security restricted"}
	content      = guard("managed-content")
	access       = guard("managed-access")
	workloads    = guard("managed-workloads")
	namespaces   = guard("namespaces")
	prefixes     = guard("namespace-names")
	records      = guard("records")
	prototypes   = guard("prototypes")
	emergencies  = guard("stops")
	confinement  = guard("confine-operator")
	itsOperator  = wall{by: "the operator ("}
	tooLongABody = wall{by: "the API server's bound on the size of a request"}
)

// guard is one of the shipped admission policies.
func guard(name string) wall { return wall{by: "admission policy affineur-" + name + " ("} }

// schemaSays is what the schema of a kind says about a field. Only where it is meant to refuse: any mistake is refused by it.
func schemaSays(what string) wall { return wall{by: "the schema", says: what} }

// told is a condition that holds a prototype for a reason.
func told(reason string) wall { return wall{by: "condition ", says: "=False " + reason + " ("} }

// refusals are who refuses, by how the API server words it. The first group is their name.
var refusals = []struct {
	words *regexp.Regexp
	by    string
}{
	{regexp.MustCompile(`ValidatingAdmissionPolicy '([^']+)' with binding '[^']+' denied request: (.+)`), "admission policy %s (%s)"},
	{regexp.MustCompile(`violates PodSecurity "([^"]+)": (.+)`), "Pod Security %s (%s)"},
	{regexp.MustCompile(`exceeded quota: ([^,]+), (.+)`), "the quota %s (%s)"},
	{regexp.MustCompile(`User "([^"]+)" cannot (.+)`), "RBAC (%s cannot %s)"},
	{regexp.MustCompile(`user "([^"]+)" .*is attempting to grant RBAC permissions not currently held:(?s:(.*))`), "RBAC (%s would grant what they do not hold: %s)"},
	{regexp.MustCompile(`strict decoding error: (unknown field "([^"]+)")`), "the schema (%s: there is no %s)"},
	{regexp.MustCompile(`(?s)^(\S+) "[^"]*" is invalid: (.+)`), "the schema of %s (%s)"},
}

// longest that a line says of why.
const longest = 200

// stopper tells who refused a request, in their own words.
func stopper(err error) (string, bool) {
	if err == nil {
		return "", false
	}
	if apierrors.IsRequestEntityTooLargeError(err) {
		return "the API server's bound on the size of a request (" + short(err.Error()) + ")", true
	}
	for _, refusal := range refusals {
		if found := refusal.words.FindStringSubmatch(err.Error()); found != nil {
			return fmt.Sprintf(refusal.by, found[1], short(found[2])), true
		}
	}
	return "", false
}

func short(text string) string {
	text = strings.Join(strings.Fields(text), " ")
	if len(text) > longest {
		return strings.ToValidUTF8(text[:longest], "") + "…"
	}
	return text
}

var errLetThrough = errors.New("it was let through")

// refused makes a request that must be refused, and looks whether it had an effect on any of the objects all the same.
func (f *field) refused(ctx context.Context, request func(context.Context) error, targets ...client.Object) (string, error) {
	before, err := f.contents(ctx, targets)
	if err != nil {
		return "", err
	}
	answer := request(ctx)
	by, refused := stopper(answer)
	if answer == nil {
		return "", errLetThrough
	}
	if !refused {
		return "", fmt.Errorf("it failed, but nobody refused it: %w", answer)
	}
	after, err := f.contents(ctx, targets)
	if err != nil {
		return "", err
	}
	for i := range targets {
		if !reflect.DeepEqual(before[i], after[i]) {
			return "", fmt.Errorf("refused by %s, and yet %T %s changed", by, targets[i], client.ObjectKeyFromObject(targets[i]))
		}
	}
	return by, nil
}

// contents are the objects as they are now, without what the cluster itself keeps in them; nil for what is absent.
func (f *field) contents(ctx context.Context, objects []client.Object) ([]map[string]any, error) {
	out := make([]map[string]any, len(objects))
	for i, object := range objects {
		kind, err := apiutil.GVKForObject(object, f.scheme)
		if err != nil {
			return nil, err
		}
		live := &unstructured.Unstructured{}
		live.SetGroupVersionKind(kind)
		err = f.admin.Get(ctx, client.ObjectKeyFromObject(object), live)
		if apierrors.IsNotFound(err) {
			continue
		}
		if err != nil {
			return nil, err
		}
		live.SetManagedFields(nil)
		live.SetResourceVersion("")
		if kind.Kind != "AIPrototype" && kind.Kind != "HardeningReview" {
			delete(live.Object, "status")
		}
		out[i] = live.Object
	}
	return out, nil
}

// creates is the attack of making an object that must not be. Its control makes the same in a namespace that nobody
// guards, as a dry run.
func (f *field) creates(row int, who *person, what string, object client.Object) attack {
	a := attack{row: row, who: who.name, what: what}
	if object.GetNamespace() != "" {
		a.control = func(ctx context.Context) error {
			elsewhere := object.DeepCopyObject().(client.Object)
			elsewhere.SetNamespace(unguarded)
			return f.admin.Create(ctx, elsewhere, client.DryRunAll)
		}
	}
	a.try = func(ctx context.Context) (string, error) {
		return f.refused(ctx, func(ctx context.Context) error { return who.Create(ctx, object.DeepCopyObject().(client.Object)) }, object)
	}
	return a
}

// changes is the attack of changing an object as a merge patch says. It is written as an update: an identity that may not
// patch may update all the same.
func (f *field) changes(row int, who *person, what string, object client.Object, patch string) attack {
	return attack{row: row, who: who.name, what: what, control: f.there(object), try: func(ctx context.Context) (string, error) {
		return f.refused(ctx, func(ctx context.Context) error { return f.update(ctx, who, object, patch) }, object)
	}}
}

// there wants an object to be there: who refuses to change nothing shows nothing.
func (f *field) there(object client.Object) func(context.Context) error {
	return func(ctx context.Context) error {
		return f.admin.Get(ctx, client.ObjectKeyFromObject(object), object.DeepCopyObject().(client.Object))
	}
}

// update writes an object as it is now, changed as a merge patch says; anew where somebody else wrote meanwhile.
func (f *field) update(ctx context.Context, who *person, object client.Object, patch string, options ...client.UpdateOption) error {
	wanted := map[string]any{}
	if err := json.Unmarshal([]byte(patch), &wanted); err != nil {
		return err
	}
	kind, err := apiutil.GVKForObject(object, f.scheme)
	if err != nil {
		return err
	}
	return retry.RetryOnConflict(retry.DefaultRetry, func() error {
		live := &unstructured.Unstructured{}
		live.SetGroupVersionKind(kind)
		if err := f.admin.Get(ctx, client.ObjectKeyFromObject(object), live); err != nil {
			return err
		}
		merged(live.Object, wanted)
		return who.Update(ctx, live, options...)
	})
}

// merged applies a merge patch (RFC 7396).
func merged(into, patch map[string]any) {
	for key, value := range patch {
		inner, nested := value.(map[string]any)
		here, there := into[key].(map[string]any)
		switch {
		case value == nil:
			delete(into, key)
		case nested && there:
			merged(here, inner)
		default:
			into[key] = value
		}
	}
}

// deletes is the attack of deleting an object.
func (f *field) deletes(row int, who *person, what string, object client.Object, options ...client.DeleteOption) attack {
	return attack{row: row, who: who.name, what: what, control: f.there(object), try: func(ctx context.Context) (string, error) {
		return f.refused(ctx, func(ctx context.Context) error {
			return who.Delete(ctx, object.DeepCopyObject().(client.Object), options...)
		}, object)
	}}
}

// asks is the attack of a request that changes nothing, such as reading what one must not.
func (f *field) asks(row int, who *person, what string, request, control func(context.Context) error) attack {
	return attack{row: row, who: who.name, what: what, control: control, try: func(ctx context.Context) (string, error) {
		return f.refused(ctx, request)
	}}
}

func merge(patch string) client.Patch {
	return client.RawPatch("application/merge-patch+json", []byte(patch))
}
