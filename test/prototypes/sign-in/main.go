// Command sign-in stands for the organisation's own sign-in in front of its gateway. The gateway asks it about every
// request. It knows people by name and password and the groups that they are in, and lets a person through to a host
// only if the pilots' route of that host names one of these groups.
package main

import (
	"errors"
	"os"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/affineur/affineur/test/prototypes/internal/serve"
)

func main() {
	routes, err := cluster()
	if err == nil && os.Getenv("PEOPLE_FILE") == "" {
		err = errors.New("PEOPLE_FILE names no file")
	}
	if err != nil {
		serve.Fail("sign-in", err)
	}
	serve.Main("sign-in", newHandler(os.Getenv("PEOPLE_FILE"), routes))
}

// cluster reads routes with the pod's own account, and keeps nothing: who may come is asked anew for every request.
func cluster() (client.Reader, error) {
	config, err := rest.InClusterConfig()
	if err != nil {
		return nil, err
	}
	scheme := runtime.NewScheme()
	if err := gatewayv1.Install(scheme); err != nil {
		return nil, err
	}
	return client.New(config, client.Options{Scheme: scheme})
}
