//go:build cluster

// Package test tries a running development cluster from the outside, with real packets. Run it with the
// cluster's environment: `set -a; . .cluster/env; CGO_ENABLED=0 go test -tags cluster ./test`.
package test

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/utils/ptr"
)

const (
	outsideHTTP  = "198.18.0.10:80"
	outsideEcho  = "198.18.0.10:443"
	outsideDNS   = "198.18.0.10:53"
	metadataHTTP = "169.254.169.254:80"
	apiService   = "203.0.113.1:443"
	apiServer    = "192.0.2.10:6443"
	agentPort    = "8080"
	agentUDP     = "9090"
)

var (
	restConfig *rest.Config
	client     kubernetes.Interface
	// agentImage is this test program, in the cluster's registry.
	agentImage string
	mode       = os.Getenv("NETPOL")
)

func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "agent" {
		runAgent(os.Args[2:])
		return
	}
	if err := setUp(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(m.Run())
}

func setUp() error {
	var err error
	if restConfig, err = clientcmd.BuildConfigFromFlags("", os.Getenv("KUBECONFIG")); err != nil {
		return err
	}
	restConfig.QPS, restConfig.Burst = 100, 200
	if client, err = kubernetes.NewForConfig(restConfig); err != nil {
		return err
	}
	image, err := ownImage()
	if err != nil {
		return err
	}
	agentImage, err = push("devcluster-test/agent", image, authn.Anonymous)
	return err
}

// ownImage holds this very program, which must be static.
func ownImage() (v1.Image, error) {
	path, err := os.Executable()
	if err != nil {
		return nil, err
	}
	program, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var archive bytes.Buffer
	w := tar.NewWriter(&archive)
	if err := w.WriteHeader(&tar.Header{Name: "agent", Mode: 0o755, Size: int64(len(program))}); err != nil {
		return nil, err
	}
	if _, err := w.Write(program); err != nil {
		return nil, err
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	layer, err := tarball.LayerFromOpener(func() (io.ReadCloser, error) {
		return io.NopCloser(bytes.NewReader(archive.Bytes())), nil
	})
	if err != nil {
		return nil, err
	}
	image, err := mutate.AppendLayers(empty.Image, layer)
	if err != nil {
		return nil, err
	}
	return mutate.Config(image, v1.Config{Entrypoint: []string{"/agent", "agent"}, User: "65532:65532"})
}

// push writes an image through the host's loopback and returns the reference that pods use.
func push(repository string, image v1.Image, auth authn.Authenticator) (string, error) {
	ref, err := name.ParseReference(os.Getenv("REGISTRY_PUSH") + "/" + repository + ":latest")
	if err != nil {
		return "", err
	}
	transport, err := registryTransport()
	if err != nil {
		return "", err
	}
	if err := remote.Write(ref, image, remote.WithTransport(transport), remote.WithAuth(auth)); err != nil {
		return "", err
	}
	digest, err := image.Digest()
	return os.Getenv("REGISTRY") + "/" + repository + "@" + digest.String(), err
}

func registryTransport() (http.RoundTripper, error) {
	ca, err := os.ReadFile(os.Getenv("REGISTRY_CA"))
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(ca) {
		return nil, fmt.Errorf("no certificate in %s", os.Getenv("REGISTRY_CA"))
	}
	return &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}}, nil
}

// newNamespace lasts as long as the test and enforces the strictest pod security.
func newNamespace(t *testing.T, labels map[string]string) string {
	t.Helper()
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{
		GenerateName: "devcluster-test-",
		Labels:       map[string]string{"pod-security.kubernetes.io/enforce": "restricted"},
	}}
	for key, value := range labels {
		namespace.Labels[key] = value
	}
	made, err := client.CoreV1().Namespaces().Create(t.Context(), namespace, metav1.CreateOptions{})
	must(t, err)
	t.Cleanup(func() {
		err := client.CoreV1().Namespaces().Delete(context.Background(), made.Name, metav1.DeleteOptions{})
		if err != nil {
			t.Errorf("delete namespace: %v", err)
		}
	})
	return made.Name
}

func newPod(namespace, podName string, args ...string) *corev1.Pod {
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: podName, Labels: map[string]string{"app": podName}},
		Spec: corev1.PodSpec{
			AutomountServiceAccountToken:  ptr.To(false),
			TerminationGracePeriodSeconds: ptr.To[int64](0),
			SecurityContext: &corev1.PodSecurityContext{
				RunAsNonRoot:   ptr.To(true),
				SeccompProfile: &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault},
			},
			Containers: []corev1.Container{{
				Name: "agent", Image: agentImage, Args: args,
				Ports: []corev1.ContainerPort{{Name: "http", ContainerPort: 8080}},
				ReadinessProbe: &corev1.Probe{PeriodSeconds: 1, ProbeHandler: corev1.ProbeHandler{
					HTTPGet: &corev1.HTTPGetAction{Path: "/", Port: intstrFrom("http")},
				}},
				SecurityContext: &corev1.SecurityContext{
					AllowPrivilegeEscalation: ptr.To(false),
					Capabilities:             &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}},
				},
			}},
		},
	}
}

// start creates the pods and waits until all are ready.
func start(t *testing.T, pods ...*corev1.Pod) []*corev1.Pod {
	t.Helper()
	for _, pod := range pods {
		_, err := client.CoreV1().Pods(pod.Namespace).Create(t.Context(), pod, metav1.CreateOptions{})
		must(t, err)
	}
	ready := make([]*corev1.Pod, len(pods))
	for i, pod := range pods {
		eventually(t, 60*time.Second, "pod "+pod.Name+" ready", func() error {
			current, err := client.CoreV1().Pods(pod.Namespace).Get(t.Context(), pod.Name, metav1.GetOptions{})
			if err != nil {
				return err
			}
			ready[i] = current
			return podReady(current)
		})
	}
	return ready
}

func podReady(pod *corev1.Pod) error {
	for _, condition := range pod.Status.Conditions {
		if condition.Type == corev1.PodReady && condition.Status == corev1.ConditionTrue {
			return nil
		}
	}
	return fmt.Errorf("pod is %s: %v", pod.Status.Phase, pod.Status.ContainerStatuses)
}

// ask has the agent in a pod do something. The question comes from the node, which no policy hinders.
func ask(t *testing.T, pod *corev1.Pod, path string, parameters map[string]string) outcome {
	t.Helper()
	request := client.CoreV1().RESTClient().Get().Namespace(pod.Namespace).Resource("pods").
		Name(pod.Name + ":" + agentPort).SubResource("proxy").Suffix(path)
	for key, value := range parameters {
		request.Param(key, value)
	}
	body, err := request.DoRaw(t.Context())
	must(t, err)
	var o outcome
	must(t, json.Unmarshal(body, &o))
	return o
}

func reachable(t *testing.T, from *corev1.Pod, network, address string) bool {
	t.Helper()
	return ask(t, from, "reach", map[string]string{"network": network, "address": address}).OK
}

func eventually(t *testing.T, limit time.Duration, what string, check func() error) time.Duration {
	t.Helper()
	begin := time.Now()
	for {
		err := check()
		if err == nil {
			return time.Since(begin)
		}
		if time.Since(begin) > limit {
			t.Fatalf("%s: not within %s: %v", what, limit, err)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
