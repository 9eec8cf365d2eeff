package credentials

import (
	corev1 "k8s.io/api/core/v1"
	certutil "k8s.io/client-go/util/cert"

	"github.com/affineur/affineur/internal/workload"
)

// Files that a run which plays systems finds.
const (
	FileCertificate = "tls.crt"
	FileKey         = "tls.key"
)

// standIn is a credential that is worth nothing.
const standIn = "stand-in"

// Player is what a run shows of itself while it plays a prototype's systems: a certificate that is made for this once,
// with its key. at are the surroundings of the prototype, played.
func Player(at workload.Surroundings) (*corev1.Secret, error) {
	certificate, key, err := certutil.GenerateSelfSignedCertKey(workload.PlayedHost(at.Identity), nil, nil)
	if err != nil {
		return nil, err
	}
	return secretOf(at, workload.PlayedSecret, map[string][]byte{FileCertificate: certificate, FileKey: key}), nil
}

// StandIns are what the prototype finds in place of its systems' credentials: words that are worth nothing, and the
// certificate of who plays the systems. No real credential is read to make them.
func StandIns(at workload.Surroundings, player *corev1.Secret) []*corev1.Secret {
	var out []*corev1.Secret
	if gateway := at.Requirements.ModelGateway; gateway != nil {
		out = append(out, secretOf(at, workload.ModelSecret, map[string][]byte{
			KeyAddress: []byte(gateway.Address), KeyModel: []byte(standIn),
		}))
	}
	for _, integration := range at.Requirements.Integrations {
		data := map[string][]byte{}
		if integration.Production.Credentials != nil {
			data[KeyToken] = []byte(standIn)
		}
		if integration.Production.CA != nil {
			data[KeyCA] = player.Data[FileCertificate]
		}
		if len(data) > 0 {
			out = append(out, secretOf(at, workload.IntegrationSecret(integration.Name), data))
		}
	}
	return out
}
