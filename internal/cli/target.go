package cli

import (
	"context"
	"errors"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/internal/cli/describe"
)

// fieldManager is the name under which the API server remembers what this command changed.
const fieldManager = "kubectl-affineur"

// attempts to patch: the operator writes status at any moment, and every write makes a new resourceVersion.
const attempts = 5

// patch changes a prototype that is still as it was read. If only its status moved meanwhile, change is asked again
// on the newer one; if somebody changed what is wanted of it, nothing is done.
func (s Session) patch(ctx context.Context, prototype *v1alpha1.AIPrototype, change func(*v1alpha1.AIPrototype)) error {
	generation := prototype.Generation
	for range attempts {
		before := prototype.DeepCopy()
		change(prototype)
		err := s.Client.Patch(ctx, prototype, client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{}),
			client.FieldOwner(fieldManager))
		if !apierrors.IsConflict(err) {
			return err
		}
		newer, err := s.prototype(ctx, before.Name)
		if err != nil {
			return err
		}
		if newer.Generation != generation || newer.UID != before.UID {
			return fmt.Errorf("somebody changed %s in this moment: look again (%s) and repeat", before.Name,
				describe.Command(before.Namespace, "status", before.Name))
		}
		newer.DeepCopyInto(prototype)
	}
	return errors.New("the prototype's status does not stop changing: repeat in a minute")
}

// annotate sets an annotation where there is something to say.
func annotate(prototype *v1alpha1.AIPrototype, key, value string) {
	if value == "" {
		return
	}
	if prototype.Annotations == nil {
		prototype.Annotations = map[string]string{}
	}
	prototype.Annotations[key] = value
}
