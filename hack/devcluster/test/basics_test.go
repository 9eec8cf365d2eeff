//go:build cluster

package test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

func intstrFrom(name string) intstr.IntOrString { return intstr.FromString(name) }

func kubectl(ctx context.Context, args ...string) *exec.Cmd {
	program := filepath.Join(filepath.Dir(os.Getenv("KUBECONFIG")), "bin", "kubectl")
	return exec.CommandContext(ctx, program, args...)
}

func newService(t *testing.T, namespace, name string) string {
	t.Helper()
	service, err := client.CoreV1().Services(namespace).Create(t.Context(), &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec: corev1.ServiceSpec{
			Selector: map[string]string{"app": name},
			Ports:    []corev1.ServicePort{{Port: 80, TargetPort: intstr.FromString("http")}},
		},
	}, metav1.CreateOptions{})
	must(t, err)
	return service.Spec.ClusterIP
}

func TestServicesAndNames(t *testing.T) {
	namespace := newNamespace(t, nil)
	address := newService(t, namespace, "server")
	pods := start(t, newPod(namespace, "server"), newPod(namespace, "client"))
	user := pods[1]

	eventually(t, 10*time.Second, "service reachable", func() error {
		if !reachable(t, user, "tcp", address+":80") {
			return errors.New("no connection")
		}
		return nil
	})
	for _, test := range []struct {
		name, want string
	}{
		{"server", address},
		{"server." + namespace + ".svc", address},
		{"kubernetes.default.svc.cluster.local.", "203.0.113.1"},
		{"registry.registry.svc", "203.0.113.20"},
		{"example.com", ""},
		{"no-such-service", ""},
	} {
		o := ask(t, user, "resolve", map[string]string{"name": test.name})
		if test.want != "" && !slices.Contains(o.Found, test.want) {
			t.Errorf("%s: %+v, want %s", test.name, o, test.want)
		}
		if test.want == "" && (o.OK || !strings.Contains(o.Error, "no such host") || o.Millis > 500) {
			t.Errorf("%s should not exist, and at once: %+v", test.name, o)
		}
	}
	for _, address := range []string{apiService, apiServer, outsideHTTP, outsideEcho, metadataHTTP} {
		if !reachable(t, user, "tcp", address) {
			t.Errorf("%s is out of reach without any policy", address)
		}
	}
	if !reachable(t, user, "udp", outsideDNS) {
		t.Errorf("%s over UDP is out of reach without any policy", outsideDNS)
	}
}

func TestExecLogsAndPortForward(t *testing.T) {
	namespace := newNamespace(t, nil)
	start(t, newPod(namespace, "server"))

	out, err := kubectl(t.Context(), "logs", "-n", namespace, "server").CombinedOutput()
	if err != nil || !strings.Contains(string(out), "agent of server serves") {
		t.Errorf("logs: %v: %s", err, out)
	}
	// The agent is the only program in its image: run with a flag of the test framework it prints a list.
	out, err = kubectl(t.Context(), "exec", "-n", namespace, "server", "--", "/agent", "-help").CombinedOutput()
	if !strings.Contains(string(out), "test.run") && !strings.Contains(string(out), "no configuration") {
		t.Errorf("exec: %v: %s", err, out)
	}

	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	forward := kubectl(ctx, "port-forward", "-n", namespace, "pod/server", ":8080")
	output, err := forward.StdoutPipe()
	must(t, err)
	must(t, forward.Start())
	line := make([]byte, 256)
	n, err := output.Read(line)
	must(t, err)
	var port int
	if _, err := fmt.Sscanf(string(line[:n]), "Forwarding from 127.0.0.1:%d ->", &port); err != nil {
		t.Fatalf("port-forward says %q", line[:n])
	}
	response, err := http.Get(fmt.Sprintf("http://%s", net.JoinHostPort("127.0.0.1", fmt.Sprint(port))))
	must(t, err)
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	must(t, err)
	if string(body) != "server" {
		t.Errorf("answer %q", body)
	}
}

func TestPrivateImagesNeedASecret(t *testing.T) {
	image, err := ownImage()
	must(t, err)
	user, password := os.Getenv("REGISTRY_PRIVATE_USER"), os.Getenv("REGISTRY_PRIVATE_PASSWORD")
	private, err := push("private/agent", image, &authn.Basic{Username: user, Password: password})
	must(t, err)
	if _, err := push("private/agent", image, authn.Anonymous); err == nil {
		t.Error("anybody may push to the private part")
	}
	namespace := newNamespace(t, nil)
	without := newPod(namespace, "without")
	without.Spec.Containers[0].Image = private
	_, err = client.CoreV1().Pods(namespace).Create(t.Context(), without, metav1.CreateOptions{})
	must(t, err)
	eventually(t, 30*time.Second, "pull refused", func() error {
		pod, err := client.CoreV1().Pods(namespace).Get(t.Context(), "without", metav1.GetOptions{})
		must(t, err)
		for _, status := range pod.Status.ContainerStatuses {
			if w := status.State.Waiting; w != nil && strings.Contains(w.Reason, "Pull") {
				return nil
			}
		}
		return errors.New("not yet")
	})

	out, err := kubectl(t.Context(), "create", "secret", "docker-registry", "puller", "-n", namespace,
		"--docker-server="+os.Getenv("REGISTRY"), "--docker-username="+user, "--docker-password="+password).CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	with := newPod(namespace, "with")
	with.Spec.Containers[0].Image = private
	with.Spec.ImagePullSecrets = []corev1.LocalObjectReference{{Name: "puller"}}
	start(t, with)
}

// registryHas looks an image up through the host's loopback.
func registryHas(t *testing.T, image string) {
	t.Helper()
	ref, err := name.ParseReference(strings.Replace(image, os.Getenv("REGISTRY"), os.Getenv("REGISTRY_PUSH"), 1))
	must(t, err)
	transport, err := registryTransport()
	must(t, err)
	eventually(t, 10*time.Second, image+" in the registry", func() error {
		_, err := remote.Head(ref, remote.WithTransport(transport))
		return err
	})
}

// The node is the only one: what is evicted cannot come back before uncordon.
func TestDrain(t *testing.T) {
	if os.Getenv("DRAIN") == "" {
		t.Skip("takes the cluster's registry and DNS away for a moment; set DRAIN=1")
	}
	namespace := newNamespace(t, nil)
	start(t, newPod(namespace, "victim"))
	defer func() {
		if out, err := kubectl(context.Background(), "uncordon", "node1").CombinedOutput(); err != nil {
			t.Errorf("uncordon: %v: %s", err, out)
		}
		for _, d := range [][2]string{{"kube-system", "coredns"}, {"registry", "registry"}} {
			out, err := kubectl(context.Background(), "rollout", "status", "-n", d[0], "deployment/"+d[1], "--timeout=60s").CombinedOutput()
			if err != nil {
				t.Errorf("%s after uncordon: %v: %s", d[1], err, out)
			}
		}
		registryHas(t, agentImage)
	}()
	out, err := kubectl(t.Context(), "drain", "node1", "--force", "--ignore-daemonsets", "--delete-emptydir-data", "--timeout=60s").CombinedOutput()
	if err != nil {
		t.Fatalf("drain: %v\n%s", err, out)
	}
	if _, err := client.CoreV1().Pods(namespace).Get(t.Context(), "victim", metav1.GetOptions{}); !apierrors.IsNotFound(err) {
		t.Errorf("the victim is still there: %v", err)
	}
	if !bytes.Contains(out, []byte("drained")) {
		t.Errorf("drain says %s", out)
	}
}
