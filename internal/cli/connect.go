package cli

import (
	"fmt"
	"io"

	authenticationv1 "k8s.io/api/authentication/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/cli-runtime/pkg/genericclioptions"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/internal/cli/describe"
)

// newScheme knows what the commands read and write, and nothing else.
func newScheme() (*runtime.Scheme, error) {
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{v1alpha1.AddToScheme, corev1.AddToScheme, authenticationv1.AddToScheme, authorizationv1.AddToScheme} {
		if err := add(scheme); err != nil {
			return nil, err
		}
	}
	return scheme, nil
}

// newMapper is written down instead of discovered: seven kinds are not worth a dozen requests before each command.
func newMapper() meta.RESTMapper {
	mapper := meta.NewDefaultRESTMapper([]schema.GroupVersion{v1alpha1.GroupVersion, corev1.SchemeGroupVersion})
	for _, kind := range []string{"AIPrototype", "HardeningReview", "HardeningDecision"} {
		mapper.Add(v1alpha1.GroupVersion.WithKind(kind), meta.RESTScopeNamespace)
	}
	mapper.Add(v1alpha1.GroupVersion.WithKind("EmergencyStop"), meta.RESTScopeRoot)
	mapper.Add(corev1.SchemeGroupVersion.WithKind("ConfigMap"), meta.RESTScopeNamespace)
	mapper.Add(authenticationv1.SchemeGroupVersion.WithKind("SelfSubjectReview"), meta.RESTScopeRoot)
	mapper.Add(authorizationv1.SchemeGroupVersion.WithKind("SelfSubjectAccessReview"), meta.RESTScopeRoot)
	return mapper
}

func connect(flags *genericclioptions.ConfigFlags, warnings io.Writer) (Session, error) {
	namespace, _, err := flags.ToRawKubeConfigLoader().Namespace()
	if err != nil {
		return Session{}, err
	}
	config, err := flags.ToRESTConfig()
	if err != nil {
		return Session{}, err
	}
	// Where nothing is configured, the libraries silently turn to the default port of this machine.
	if config.Host == "http://localhost:8080" && *flags.APIServer == "" {
		return Session{}, clientcmd.ErrEmptyConfig
	}
	config.WarningHandler = warner{warnings}
	scheme, err := newScheme()
	if err != nil {
		return Session{}, err
	}
	c, err := client.NewWithWatch(config, client.Options{Scheme: scheme, Mapper: newMapper()})
	return Session{Client: c, Namespace: namespace}, err
}

// warner shows the API server's warnings, which may quote what other people wrote.
type warner struct{ out io.Writer }

// HandleWarningHeader implements rest.WarningHandler. 299 is the one code that Kubernetes uses.
func (w warner) HandleWarningHeader(code int, _, text string) {
	if code == 299 && text != "" {
		_, _ = fmt.Fprintf(w.out, "warning: %s\n", describe.Clean(text))
	}
}
