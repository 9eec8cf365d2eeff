package promotion

import (
	"context"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/affineur/affineur/internal/apply"
	"github.com/affineur/affineur/internal/names"
)

// Destination is the place where promoted revisions run. The controller reaches production through it alone, so that
// production can be another cluster than the one where it reviews.
type Destination interface {
	// Observe reads a production namespace and what runs in it.
	Observe(ctx context.Context, name string) (Place, error)
	// Remember writes the namespace itself, with its memory and what its pods may reach.
	Remember(ctx context.Context, identity names.Identity, m Memory, reach string, orphaned bool, mark string) (apply.Outcome, error)
	// EnsureRights gives the operator what it needs in the namespace.
	EnsureRights(ctx context.Context, identity names.Identity) (apply.Outcome, error)
	// Ensure makes objects as they are wanted, and tells which were not. A *apply.ConflictError says that a foreign
	// object is in the way.
	Ensure(ctx context.Context, wanted ...client.Object) ([]apply.Outcome, error)
	// Stop takes everything away that runs pods of the prototype.
	Stop(ctx context.Context, name, prototypeUID string) error
	// Replace deletes the prototype's pods that do not carry the mark of the present cut.
	Replace(ctx context.Context, name, prototypeUID, mark string) error
	// Shut closes the network, but for what denies, and scales what runs to zero.
	Shut(ctx context.Context, name, prototypeUID string) error
	// Prune removes the objects that belong to one review of the prototype alone.
	Prune(ctx context.Context, name, prototypeUID, review string) error
	// Teardown takes the namespace away, pods first, one step a call; "" means that it is gone.
	Teardown(ctx context.Context, name, prototypeUID string) (waiting string, err error)
}
