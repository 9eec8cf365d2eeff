package world

import (
	"k8s.io/apimachinery/pkg/labels"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/affineur/affineur/internal/names"
)

var negotiated = clientgoscheme.Codecs.WithoutConversion()

func labelsOf(object client.Object) labels.Set { return object.GetLabels() }

// identityOf the prototype that an object of the operator's belongs to.
func identityOf(object client.Object) names.Identity {
	identity, _ := names.FromLabels(object.GetLabels())
	return identity
}
