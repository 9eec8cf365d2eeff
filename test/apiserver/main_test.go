// Package apiserver holds tests against a real API server: the schemas' CEL, the admission policies under
// impersonated users, and the measurement of the guards. One server serves the whole package.
package apiserver

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/yaml"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/affineur/affineur/api/v1alpha1"
)

const root = "../.."

var (
	scheme = runtime.NewScheme()
	// config is the server's, as a member of system:masters.
	config *rest.Config
	// admin writes whatever admission lets a cluster's administrator write.
	admin client.Client
	// operatorConfig is the operator's own, with the rights that config/rbac gives it and no others.
	operatorConfig *rest.Config
	// certified makes an identity with a certificate of its own, for names that impersonation can't carry.
	certified func(user string, groups ...string) (*rest.Config, error)
)

func TestMain(m *testing.M) {
	code, err := run(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

func run(m *testing.M) (code int, err error) {
	ctrl.SetLogger(logr.Discard())
	assets, err := assets()
	if err != nil {
		return 0, err
	}
	for _, add := range []func(*runtime.Scheme) error{clientgoscheme.AddToScheme, gatewayv1.Install, v1alpha1.AddToScheme} {
		if err := add(scheme); err != nil {
			return 0, err
		}
	}
	gateway, err := gatewayCRDs()
	if err != nil {
		return 0, err
	}
	environment := &envtest.Environment{
		BinaryAssetsDirectory:    assets,
		CRDDirectoryPaths:        append(gateway, filepath.Join(root, "config", "crd")),
		ErrorIfCRDPathMissing:    true,
		ControlPlaneStartTimeout: time.Minute,
	}
	// Also where the start failed halfway: a server that runs on would never end.
	defer func() { err = errors.Join(err, environment.Stop()) }()
	if config, err = environment.Start(); err != nil {
		return 0, fmt.Errorf("start the API server from %s: %w", assets, err)
	}
	// Tests fire many small requests; the client must not be what slows them.
	config.QPS, config.Burst = 500, 500
	if admin, err = client.New(config, client.Options{Scheme: scheme}); err != nil {
		return 0, err
	}
	certified = func(user string, groups ...string) (*rest.Config, error) {
		account, err := environment.AddUser(envtest.User{Name: user, Groups: groups}, config)
		if err != nil {
			return nil, err
		}
		return account.Config(), nil
	}
	operatorConfig, err = certified(operator, "system:serviceaccounts", "system:serviceaccounts:"+v1alpha1.SystemNamespace)
	if err != nil {
		return 0, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := install(ctx); err != nil {
		return 0, err
	}
	return m.Run(), nil
}

// assets is where kube-apiserver, etcd and kubectl are: KUBEBUILDER_ASSETS, or what make cluster-up built.
func assets() (string, error) {
	folder := os.Getenv("KUBEBUILDER_ASSETS")
	if folder == "" {
		folder = filepath.Join(root, ".cluster", "bin")
	}
	for _, name := range []string{"kube-apiserver", "etcd"} {
		if _, err := os.Stat(filepath.Join(folder, name)); err != nil {
			return "", fmt.Errorf("%s is not in %s: build it, or point KUBEBUILDER_ASSETS to where it is: %w", name, folder, err)
		}
	}
	return filepath.Abs(folder)
}

// gatewayCRDs are those of the Gateway API that the tests use, of the module that the operator is built with.
func gatewayCRDs() ([]string, error) {
	folder, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "sigs.k8s.io/gateway-api").Output()
	var files []string
	for _, kind := range []string{"gatewayclasses", "gateways", "httproutes", "referencegrants"} {
		files = append(files, filepath.Join(strings.TrimSpace(string(folder)), "config", "crd", "standard", gatewayv1.GroupName+"_"+kind+".yaml"))
	}
	return files, err
}

// install does what a platform team does: namespaces, roles, guards, in the order of an installation manifest.
func install(ctx context.Context) error {
	if err := createAll(ctx, installed()...); err != nil {
		return err
	}
	if err := createAll(ctx, fixtures()...); err != nil {
		return err
	}
	for _, part := range []string{"rbac", "admission"} {
		objects, err := build(ctx, part)
		if err != nil {
			return err
		}
		for _, object := range objects {
			if err := admin.Create(ctx, object); err != nil {
				return fmt.Errorf("%s %s: %w", object.GetKind(), object.GetName(), err)
			}
		}
	}
	return until(ctx, unguarded)
}

func installed() []client.Object {
	return []client.Object{
		&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: v1alpha1.SystemNamespace}},
		managed(v1alpha1.RecordsNamespace, v1alpha1.PurposeRecords),
		managed(v1alpha1.GatesNamespace, v1alpha1.PurposeGates),
	}
}

// managed is a namespace as the operator makes it.
func managed(name, purpose string) *corev1.Namespace {
	return &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{
		v1alpha1.LabelManagedBy: v1alpha1.ManagedBy, v1alpha1.LabelPurpose: purpose,
		"pod-security.kubernetes.io/enforce": "restricted",
	}}}
}

func createAll(ctx context.Context, objects ...client.Object) error {
	for _, object := range objects {
		if err := admin.Create(ctx, object); err != nil {
			return fmt.Errorf("create %T %s: %w", object, object.GetName(), err)
		}
	}
	return nil
}

func build(ctx context.Context, part string) ([]*unstructured.Unstructured, error) {
	rendered, err := render(ctx, part)
	if err != nil {
		return nil, err
	}
	return decode(rendered)
}

// render builds a folder of config/ with the pinned kustomize.
func render(ctx context.Context, part string) ([]byte, error) {
	command := exec.CommandContext(ctx, "go", "tool", "-modfile=hack/tools/go.mod", "kustomize", "build", "config/"+part)
	command.Dir = root
	var failure bytes.Buffer
	command.Stderr = &failure
	rendered, err := command.Output()
	if err != nil {
		return nil, fmt.Errorf("kustomize build config/%s: %w: %s", part, err, failure.String())
	}
	return rendered, nil
}

func decode(manifest []byte) ([]*unstructured.Unstructured, error) {
	var objects []*unstructured.Unstructured
	decoder := yaml.NewYAMLOrJSONDecoder(bytes.NewReader(manifest), 4096)
	for {
		object := &unstructured.Unstructured{}
		err := decoder.Decode(object)
		if errors.Is(err, io.EOF) {
			return objects, nil
		}
		if err != nil {
			return nil, err
		}
		if len(object.Object) > 0 {
			objects = append(objects, object)
		}
	}
}

// unguarded is nil when the server applies every policy; it loads them a moment after they are created. Each is asked
// for by a write that only it refuses, by dry run.
func unguarded(ctx context.Context) error {
	for _, attack := range canaries() {
		if err := attack.refused(ctx, dry); err != nil {
			return err
		}
	}
	return stamped(ctx)
}

// as is a client under another identity.
func as(user string, groups ...string) client.Client {
	impersonated := rest.CopyConfig(config)
	impersonated.Impersonate = rest.ImpersonationConfig{UserName: user, Groups: append([]string{"system:authenticated"}, groups...)}
	c, err := client.New(impersonated, client.Options{Scheme: scheme})
	if err != nil {
		panic(err)
	}
	return c
}
