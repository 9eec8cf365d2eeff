package credentials

import (
	"context"
	"fmt"
	"time"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/internal/gatewaykey"
	"github.com/affineur/affineur/internal/names"
)

// Judge is the key with which a run that measures a prototype asks a judging model, and no other model; "" where the gateway
// wants none, or where IT keeps no signing key that can be used. It is another client's than the prototype's: it does not
// spend its budget, and the prototype can't be told by it that it is measured. It ends with the run's time.
func (m Maker) Judge(ctx context.Context, gateway v1alpha1.ModelGateway, of names.Identity, model string, until time.Time) (string, error) {
	if gateway.Credentials == nil {
		return "", nil
	}
	var made Made
	signing, err := m.system(ctx, gateway.Credentials.Secret.Name, KeySigning, source{"", "the signing key of model gateway " + gateway.Name}, &made)
	if err != nil || signing == nil {
		return "", err
	}
	key, err := gatewaykey.Issue(signing, gatewaykey.Claims{
		Client: fmt.Sprintf("judge/%s/%s/%s", of.Namespace, of.Name, of.Hash()), Models: []string{model}, Until: until,
	})
	if err != nil {
		// A signing key that is too short: like one that is not there.
		return "", nil
	}
	return key, nil
}
