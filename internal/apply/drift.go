package apply

import (
	"context"
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// Owner is the field manager under which whole objects are written.
const Owner = "affineur"

// Drift is an object that was not as the writer had left it, and was put back.
type Drift struct {
	APIVersion, Kind, Namespace, Name string
	// Deleted is true where it was gone.
	Deleted bool
	// By is how whoever wrote it last called themselves (a field manager); empty where nobody can tell. A deletion
	// leaves no name.
	By string
}

// String is the drift in words.
func (d Drift) String() string {
	switch {
	case d.Deleted:
		return fmt.Sprintf("%s %s was deleted, and is there again", d.Kind, d.Name)
	case d.By != "":
		return fmt.Sprintf("%s %s was changed by field manager %s, and is as it was again", d.Kind, d.Name, d.By)
	}
	return fmt.Sprintf("%s %s was changed, and is as it was again", d.Kind, d.Name)
}

// Drifts tells what was put back in a namespace, the Namespace itself included, and forgets it: each is told once.
func (w *Writer) Drifts(namespace string) []Drift {
	w.mutex.Lock()
	defer w.mutex.Unlock()
	found := w.drifts[namespace]
	delete(w.drifts, namespace)
	return found
}

// wrote tells whether the very same wish was written before: then a difference is not ours. After a restart nothing is
// remembered; what was changed meanwhile is put back all the same, and told from a new wish by nobody.
func (w *Writer) wrote(kind schema.GroupVersionKind, wanted client.Object) bool {
	want, err := content(wanted, wanted)
	if err != nil {
		return false
	}
	w.mutex.Lock()
	defer w.mutex.Unlock()
	last, known := w.written[key{kind, wanted.GetNamespace(), wanted.GetName()}]
	return known && last.wanted == want
}

// author of what is there now, by the object's managed fields. They are in no cache, so this is a request, made only
// for what drifted. Not being told is no reason not to put things right.
func (w *Writer) author(ctx context.Context, live client.Object) string {
	found := live.DeepCopyObject().(client.Object)
	if err := w.Live.Get(ctx, client.ObjectKeyFromObject(live), found); err != nil {
		return ""
	}
	return lastAuthor(found.GetManagedFields())
}

// lastAuthor is who wrote anything but the status last, if that was not us.
func lastAuthor(entries []metav1.ManagedFieldsEntry) string {
	var last metav1.ManagedFieldsEntry
	for _, entry := range entries {
		if entry.Subresource == "status" || entry.Time == nil {
			continue
		}
		// Times have whole seconds: of two in the same one, the other's is what made us write again.
		if last.Time == nil || last.Time.Before(entry.Time) || last.Time.Equal(entry.Time) && last.Manager == Owner {
			last = entry
		}
	}
	if last.Manager == Owner {
		return ""
	}
	return last.Manager
}

func (w *Writer) drifted(kind schema.GroupVersionKind, object client.Object, d Drift) {
	namespace := object.GetNamespace()
	d.APIVersion, d.Kind = kind.ToAPIVersionAndKind()
	d.Namespace, d.Name = namespace, object.GetName()
	if _, is := object.(*corev1.Namespace); is {
		namespace = object.GetName()
	}
	w.mutex.Lock()
	defer w.mutex.Unlock()
	if w.drifts == nil {
		w.drifts = map[string][]Drift{}
	}
	// Nobody may ever ask: the same is kept once.
	if !slices.Contains(w.drifts[namespace], d) {
		w.drifts[namespace] = append(w.drifts[namespace], d)
	}
}

// doubt remembers what a write was to put back whose answer did not come: it may have been made all the same.
func (w *Writer) doubt(kind schema.GroupVersionKind, object client.Object, d Drift) {
	w.mutex.Lock()
	defer w.mutex.Unlock()
	if w.doubts == nil {
		w.doubts = map[key]Drift{}
	}
	w.doubts[key{kind, object.GetNamespace(), object.GetName()}] = d
}

// settle ends a doubt where the object is as wanted: then it was put back, whichever write did it, and is told.
func (w *Writer) settle(kind schema.GroupVersionKind, object client.Object) {
	at := key{kind, object.GetNamespace(), object.GetName()}
	w.mutex.Lock()
	d, doubted := w.doubts[at]
	delete(w.doubts, at)
	w.mutex.Unlock()
	if doubted {
		w.drifted(kind, object, d)
	}
}

// made tells whether the live object is the one that the writer made or wrote, whatever its labels say by now.
func (w *Writer) made(kind schema.GroupVersionKind, live client.Object) bool {
	w.mutex.Lock()
	defer w.mutex.Unlock()
	last, known := w.written[key{kind, live.GetNamespace(), live.GetName()}]
	return known && last.uid != types.UID("") && last.uid == live.GetUID()
}
