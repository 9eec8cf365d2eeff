// Package controlplane says with which identities and settings etcd and the Kubernetes control plane run.
package controlplane

import (
	"fmt"
	"os"

	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"github.com/affineur/affineur/hack/devcluster/internal/layout"
	"github.com/affineur/affineur/hack/devcluster/internal/pki"
)

// The files under which identities are kept.
const (
	admin             = "admin"
	breakGlass        = "break-glass"
	apiServer         = "apiserver"
	apiServerToNode   = "apiserver-kubelet-client"
	controllerManager = "controller-manager"
	scheduler         = "scheduler"
	Proxy             = "kube-proxy"
	Kubelet           = "kubelet"
	NetPol            = "netpol"
	// Registry is the certificate of the in-cluster registry.
	Registry = "registry"
	tokens   = "service-accounts"

	ca           = "ca"
	frontProxyCA = "front-proxy-ca"
	frontProxy   = "front-proxy"
)

var loopback = []string{"127.0.0.1", "localhost"}

// identities are everybody who has a certificate from the start. Only break-glass is beyond RBAC, and it is
// used only to hand out the first roles.
var identities = []pki.Request{
	{File: admin, User: "affineur:admin", Groups: []string{"affineur:cluster-admins"}},
	{File: breakGlass, User: "affineur:break-glass", Groups: []string{"system:masters"}},
	{File: apiServerToNode, User: "affineur:apiserver"},
	{File: controllerManager, User: "system:kube-controller-manager"},
	{File: scheduler, User: "system:kube-scheduler"},
	{File: Proxy, User: "system:kube-proxy"},
	{File: NetPol, User: "affineur:netpol"},
	{
		File: Kubelet, User: "system:node:" + layout.NodeName, Groups: []string{"system:nodes"},
		Hosts: []string{layout.NodeName, layout.NodeIP},
	},
	{File: apiServer, User: "kube-apiserver", Hosts: append([]string{
		layout.NodeIP, layout.APIServiceIP, "kubernetes", "kubernetes.default", "kubernetes.default.svc",
		"kubernetes.default.svc.cluster.local",
	}, loopback...)},
	{File: Registry, User: "registry", Hosts: append([]string{
		layout.RegistryIP, "registry.registry.svc", "registry.registry.svc.cluster.local",
	}, loopback...)},
}

// WriteIdentities makes every key and certificate, and the kubeconfigs. The host reaches the API server
// at the given port of its loopback, the cluster's own processes reach it at the node's address.
func WriteIdentities(l layout.Layout, hostPort int) error {
	if err := os.MkdirAll(l.PKI(), 0o700); err != nil {
		return err
	}
	if err := writeFrontProxy(l); err != nil {
		return err
	}
	authority, err := pki.NewAuthority(l.PKI(), ca)
	if err != nil {
		return err
	}
	for _, identity := range identities {
		if err := authority.Issue(identity); err != nil {
			return fmt.Errorf("certificate of %s: %w", identity.User, err)
		}
	}
	if err := pki.NewSigningKey(l.PKI(), tokens); err != nil {
		return err
	}
	inside := fmt.Sprintf("https://%s:%d", layout.NodeIP, layout.APIServerPort)
	for _, name := range []string{controllerManager, scheduler, Proxy, Kubelet, NetPol} {
		if err := writeKubeconfig(l, name, inside, KubeconfigOf(l, name)); err != nil {
			return err
		}
	}
	host := fmt.Sprintf("https://127.0.0.1:%d", hostPort)
	if err := writeKubeconfig(l, breakGlass, host, KubeconfigOf(l, breakGlass)); err != nil {
		return err
	}
	return writeKubeconfig(l, admin, host, KubeconfigOf(l, admin))
}

// writeFrontProxy makes the identity by which extension API servers know the API server. It has an authority
// of its own: whoever that one vouches for may speak in anybody's name.
func writeFrontProxy(l layout.Layout) error {
	authority, err := pki.NewAuthority(l.PKI(), frontProxyCA)
	if err != nil {
		return err
	}
	return authority.Issue(pki.Request{File: frontProxy, User: frontProxy})
}

// KubeconfigOf is where an identity's kubeconfig is.
func KubeconfigOf(l layout.Layout, identity string) string {
	return l.Run("kubeconfig", identity)
}

// AdminKubeconfig is that of the cluster admin, before it is handed out.
func AdminKubeconfig(l layout.Layout) string { return KubeconfigOf(l, admin) }

// BreakGlassKubeconfig is that of an identity which no role binds.
func BreakGlassKubeconfig(l layout.Layout) string { return KubeconfigOf(l, breakGlass) }

// writeKubeconfig embeds keys and certificates: the file works wherever it is copied to.
func writeKubeconfig(l layout.Layout, identity, server, path string) error {
	var data [3][]byte
	for i, name := range []string{"ca.crt", identity + ".crt", identity + ".key"} {
		content, err := os.ReadFile(l.PKI(name))
		if err != nil {
			return err
		}
		data[i] = content
	}
	config := clientcmdapi.NewConfig()
	config.Clusters["affineur"] = &clientcmdapi.Cluster{Server: server, CertificateAuthorityData: data[0]}
	config.AuthInfos[identity] = &clientcmdapi.AuthInfo{ClientCertificateData: data[1], ClientKeyData: data[2]}
	config.Contexts["affineur"] = &clientcmdapi.Context{Cluster: "affineur", AuthInfo: identity}
	config.CurrentContext = "affineur"
	return clientcmd.WriteToFile(*config, path)
}
