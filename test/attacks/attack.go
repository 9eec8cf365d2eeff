package main

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"regexp"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
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
}

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

// changes is the attack of changing an object by a merge patch.
func (f *field) changes(row int, who *person, what string, object client.Object, patch string) attack {
	return attack{row: row, who: who.name, what: what, try: func(ctx context.Context) (string, error) {
		return f.refused(ctx, func(ctx context.Context) error {
			return who.Patch(ctx, object.DeepCopyObject().(client.Object), merge(patch))
		}, object)
	}}
}

// deletes is the attack of deleting an object.
func (f *field) deletes(row int, who *person, what string, object client.Object, options ...client.DeleteOption) attack {
	return attack{row: row, who: who.name, what: what, try: func(ctx context.Context) (string, error) {
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
