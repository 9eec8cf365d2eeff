package promotion

import (
	"context"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/internal/apply"
	"github.com/affineur/affineur/internal/names"
)

// Destination is the place where promoted revisions run. The controller reaches production through it alone, so that
// production can be another cluster than the one where it reviews.
type Destination interface {
	// Observe reads a production namespace and what runs in it. With an error, a place that is Blind tells what could be
	// read all the same.
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
	// Sever takes the ways to the destinations, or all of them, out of the network policies that stand, and tells whether
	// there were any.
	Sever(ctx context.Context, name, prototypeUID string, all bool, to []v1alpha1.Destination) (changed bool, err error)
	// Replace has what runs started anew under the mark of the present cut, or not at all where it is halted, and deletes
	// the prototype's pods that do not carry the mark. It tells whether what runs had to be changed.
	Replace(ctx context.Context, name, prototypeUID, mark string, halted bool) (changed bool, err error)
	// Prune removes the objects that belong to one review of the prototype alone.
	Prune(ctx context.Context, name, prototypeUID, review string) error
	// Teardown takes the namespace away, pods first, one step a call; "" means that it is gone.
	Teardown(ctx context.Context, name, prototypeUID string) (waiting string, err error)
}
