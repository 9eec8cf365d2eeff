package apply

import (
	"crypto/sha256"
	"encoding/json"
	"maps"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

type key struct {
	kind            schema.GroupVersionKind
	namespace, name string
}

// memory is what was wanted and what the server made of it.
type memory struct {
	wanted, live [sha256.Size]byte
	uid          types.UID
}

// meet forgets what is remembered of a namespace where the one that is seen has taken its name: nothing of what was
// written into the one before is there.
func (w *Writer) meet(object client.Object) {
	if _, is := object.(*corev1.Namespace); !is {
		return
	}
	w.mutex.Lock()
	known := w.namespaces[object.GetName()]
	if w.namespaces == nil {
		w.namespaces = map[string]types.UID{}
	}
	w.namespaces[object.GetName()] = object.GetUID()
	w.mutex.Unlock()
	if known != object.GetUID() {
		w.Forget(object.GetName())
	}
}

// Forget drops what is remembered of a namespace that is gone, or going because it is not wanted any more.
func (w *Writer) Forget(namespace string) {
	w.mutex.Lock()
	defer w.mutex.Unlock()
	in := func(k key) bool {
		return k.namespace == namespace || k.namespace == "" && k.name == namespace && k.kind.Kind == "Namespace"
	}
	maps.DeleteFunc(w.looked, func(k key, _ time.Time) bool { return in(k) })
	maps.DeleteFunc(w.written, func(k key, _ memory) bool { return in(k) })
	maps.DeleteFunc(w.doubts, func(k key, _ Drift) bool { return in(k) })
	delete(w.drifts, namespace)
}

// unlearn forgets what is known of an object.
func (w *Writer) unlearn(kind schema.GroupVersionKind, object client.Object) {
	w.mutex.Lock()
	defer w.mutex.Unlock()
	delete(w.written, key{kind, object.GetNamespace(), object.GetName()})
	delete(w.doubts, key{kind, object.GetNamespace(), object.GetName()})
}

func (w *Writer) remember(kind schema.GroupVersionKind, wanted, live client.Object) error {
	state, err := memoryOf(wanted, live)
	if err != nil {
		return err
	}
	w.mutex.Lock()
	defer w.mutex.Unlock()
	if w.written == nil {
		w.written, w.looked = map[key]memory{}, map[key]time.Time{}
	}
	at := key{kind, wanted.GetNamespace(), wanted.GetName()}
	w.written[at], w.looked[at] = state, w.now()
	return nil
}

func (w *Writer) remembered(kind schema.GroupVersionKind, wanted, live client.Object) (bool, error) {
	state, err := memoryOf(wanted, live)
	if err != nil {
		return false, err
	}
	w.mutex.Lock()
	defer w.mutex.Unlock()
	at := key{kind, wanted.GetNamespace(), wanted.GetName()}
	last, known := w.written[at]
	if known && last.wanted == state.wanted && last.live == state.live {
		w.looked[at] = w.now()
		return true, nil
	}
	return false, nil
}

func memoryOf(wanted, live client.Object) (memory, error) {
	want, err := content(wanted, wanted)
	if err != nil {
		return memory{}, err
	}
	have, err := content(live, wanted)
	return memory{wanted: want, live: have, uid: live.GetUID()}, err
}

// content digests everything of an object but its status and the metadata that is the server's or others': of
// labels and annotations only the keys that we want count.
func content(object, wanted client.Object) ([sha256.Size]byte, error) {
	raw, err := runtime.DefaultUnstructuredConverter.ToUnstructured(object)
	if err != nil {
		return [sha256.Size]byte{}, err
	}
	kept := map[string]any{}
	for field, value := range raw {
		switch field {
		case "metadata", "status", "kind", "apiVersion":
		default:
			kept[field] = value
		}
	}
	kept["labels"] = restricted(object.GetLabels(), wanted.GetLabels())
	kept["annotations"] = restricted(object.GetAnnotations(), wanted.GetAnnotations())
	kept["owners"] = object.GetOwnerReferences()
	encoded, err := json.Marshal(kept)
	if err != nil {
		return [sha256.Size]byte{}, err
	}
	return sha256.Sum256(encoded), nil
}

func restricted(have, keys map[string]string) map[string]string {
	out := map[string]string{}
	for k := range keys {
		if value, ok := have[k]; ok {
			out[k] = value
		}
	}
	return out
}
