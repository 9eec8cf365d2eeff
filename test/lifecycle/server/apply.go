package server

import (
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// ownership says which fields of an object's status each owner applied: names of fields, and for conditions their
// types. The statuses here share nothing below that between owners.
type ownership map[string]map[string]bool

// conditions is the one list of a status whose items several owners apply.
const conditions = "conditions"

// applyStatus merges what an owner says about a status into what is there: what the owner said before and no longer
// says goes, what it says now is its own from now on.
func (s *Server) applyStatus(actor, owner string, patch *unstructured.Unstructured) error {
	kind := patch.GroupVersionKind()
	at := types.NamespacedName{Namespace: patch.GetNamespace(), Name: patch.GetName()}
	before := s.Find(kind, at)
	switch {
	case before == nil:
		return s.notFound(kind, at.Name)
	case patch.GetUID() != "" && patch.GetUID() != before.GetUID():
		return s.conflict(kind, at.Name, "the UID is another one")
	case patch.GetResourceVersion() != "" && patch.GetResourceVersion() != before.GetResourceVersion():
		return s.conflict(kind, at.Name, "the object has been modified")
	}
	raw, err := runtime.DefaultUnstructuredConverter.ToUnstructured(before)
	if err != nil {
		return err
	}
	wanted, _ := patch.Object["status"].(map[string]any)
	live, _ := raw["status"].(map[string]any)
	if live == nil {
		live = map[string]any{}
	}
	said := fieldsOf(wanted)
	owners := s.owners[before.GetUID()]
	raw["status"] = merge(live, wanted, said, withdrawn(owners, owner, said))
	next := before.DeepCopyObject().(client.Object)
	next.GetObjectKind().SetGroupVersionKind(before.GetObjectKind().GroupVersionKind())
	applied := before.DeepCopyObject().(client.Object)
	part(applied, "Status").SetZero()
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(raw, applied); err != nil {
		return err
	}
	setStatus(next, applied)
	request := Request{Actor: actor, Verb: Status, Kind: kind.Kind, Before: before, After: next}
	if err := s.admit(&request); err != nil {
		return err
	}
	s.owners[before.GetUID()] = owned(owners, owner, said)
	if !same(next, before) {
		s.store(kind, request)
	}
	return nil
}

// fieldsOf a status, each condition by itself.
func fieldsOf(status map[string]any) map[string]bool {
	out := map[string]bool{}
	for name, value := range status {
		list, ok := value.([]any)
		if name != conditions || !ok {
			out[name] = true
			continue
		}
		for _, item := range list {
			out[conditions+"/"+typeOf(item)] = true
		}
	}
	return out
}

func typeOf(condition any) string {
	fields, _ := condition.(map[string]any)
	name, _ := fields["type"].(string)
	return name
}

// withdrawn are the fields that only this owner had said, and no longer says.
func withdrawn(owners ownership, owner string, said map[string]bool) map[string]bool {
	out := map[string]bool{}
	for field := range owners[owner] {
		shared := said[field]
		for other, fields := range owners {
			shared = shared || other != owner && fields[field]
		}
		if !shared {
			out[field] = true
		}
	}
	return out
}

// owned is the ownership afterwards: whoever forces a field takes it over.
func owned(owners ownership, owner string, said map[string]bool) ownership {
	out := ownership{owner: said}
	for other, fields := range owners {
		if other == owner {
			continue
		}
		out[other] = map[string]bool{}
		for field := range fields {
			if !said[field] {
				out[other][field] = true
			}
		}
	}
	return out
}

func merge(live, wanted map[string]any, said, gone map[string]bool) map[string]any {
	out := map[string]any{}
	for name, value := range live {
		if name != conditions && !gone[name] {
			out[name] = value
		}
	}
	for name, value := range wanted {
		if name != conditions {
			out[name] = value
		}
	}
	if merged := mergeConditions(live[conditions], wanted[conditions], said, gone); len(merged) > 0 {
		out[conditions] = merged
	}
	return out
}

// mergeConditions keeps the order of those that are there and appends what is new.
func mergeConditions(live, wanted any, said, gone map[string]bool) []any {
	news := map[string]any{}
	list, _ := wanted.([]any)
	for _, item := range list {
		news[typeOf(item)] = item
	}
	var out []any
	old, _ := live.([]any)
	for _, item := range old {
		switch name := typeOf(item); {
		case said[conditions+"/"+name]:
			out = append(out, news[name])
			delete(news, name)
		case !gone[conditions+"/"+name]:
			out = append(out, item)
		}
	}
	for _, item := range list {
		if _, left := news[typeOf(item)]; left {
			out = append(out, item)
		}
	}
	return out
}

// mergePatch is RFC 7386.
func mergePatch(target, patch map[string]any) {
	for name, value := range patch {
		switch v := value.(type) {
		case nil:
			delete(target, name)
		case map[string]any:
			inner, _ := target[name].(map[string]any)
			if inner == nil {
				inner = map[string]any{}
			}
			mergePatch(inner, v)
			target[name] = inner
		default:
			target[name] = value
		}
	}
}

// plural is enough for people to recognise a resource.
func plural(kind string) string { return strings.ToLower(kind) + "s" }
