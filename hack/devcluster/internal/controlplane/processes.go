package controlplane

import (
	"fmt"

	"github.com/affineur/affineur/hack/devcluster/internal/layout"
	"github.com/affineur/affineur/hack/devcluster/internal/supervise"
)

const etcdURL = "http://127.0.0.1:2379"

func process(l layout.Layout, name string, args ...string) supervise.Spec {
	return supervise.Spec{Name: name, Path: l.Bin(name), Args: args, Network: supervise.Node}
}

// Etcd never waits for the disk: its contents do not outlive the cluster.
func Etcd(l layout.Layout) supervise.Spec {
	const peers = "http://127.0.0.1:2380"
	return process(l, "etcd",
		"--data-dir="+l.Run("etcd"),
		"--listen-client-urls="+etcdURL,
		"--advertise-client-urls="+etcdURL,
		"--listen-peer-urls="+peers,
		"--initial-advertise-peer-urls="+peers,
		"--initial-cluster=default="+peers,
		"--unsafe-no-fsync",
		"--quota-backend-bytes=4294967296",
		"--auto-compaction-mode=revision",
		"--auto-compaction-retention=10000",
		"--log-level=warn",
	)
}

// APIServer authenticates by certificate and service account token only, and authorises by RBAC.
func APIServer(l layout.Layout) supervise.Spec {
	return process(l, "kube-apiserver",
		"--etcd-servers="+etcdURL,
		"--bind-address="+layout.NodeIP,
		"--advertise-address="+layout.NodeIP,
		fmt.Sprintf("--secure-port=%d", layout.APIServerPort),
		"--service-cluster-ip-range="+l.Families(layout.ServiceCIDR, layout.ServiceCIDRv6),
		"--tls-cert-file="+l.PKI(apiServer+".crt"),
		"--tls-private-key-file="+l.PKI(apiServer+".key"),
		"--client-ca-file="+l.PKI("ca.crt"),
		"--anonymous-auth=false",
		"--authorization-mode=Node,RBAC",
		"--enable-admission-plugins=NodeRestriction",
		"--allow-privileged=true",
		"--service-account-issuer=https://kubernetes.default.svc.cluster.local",
		"--service-account-key-file="+l.PKI(tokens+".pub"),
		"--service-account-signing-key-file="+l.PKI(tokens+".key"),
		"--kubelet-preferred-address-types=InternalIP",
		"--kubelet-client-certificate="+l.PKI(apiServerToNode+".crt"),
		"--kubelet-client-key="+l.PKI(apiServerToNode+".key"),
		"--kubelet-certificate-authority="+l.PKI("ca.crt"),
		"--requestheader-client-ca-file="+l.PKI(frontProxyCA+".crt"),
		"--requestheader-allowed-names="+frontProxy,
		"--requestheader-username-headers=X-Remote-User",
		"--requestheader-group-headers=X-Remote-Group",
		"--requestheader-extra-headers-prefix=X-Remote-Extra-",
		"--proxy-client-cert-file="+l.PKI(frontProxy+".crt"),
		"--proxy-client-key-file="+l.PKI(frontProxy+".key"),
		"--profiling=false",
	)
}

// ControllerManager runs each controller under its own service account, as a real cluster does: admission
// policies that look at who writes must meet the same writers here.
func ControllerManager(l layout.Layout) supervise.Spec {
	masks := []string{"--node-cidr-mask-size=24"}
	if l.Dual() {
		masks = []string{"--node-cidr-mask-size-ipv4=24", "--node-cidr-mask-size-ipv6=64"}
	}
	return process(l, "kube-controller-manager", append(masks,
		"--kubeconfig="+KubeconfigOf(l, controllerManager),
		"--authentication-kubeconfig="+KubeconfigOf(l, controllerManager),
		"--authorization-kubeconfig="+KubeconfigOf(l, controllerManager),
		"--use-service-account-credentials=true",
		"--service-account-private-key-file="+l.PKI(tokens+".key"),
		"--root-ca-file="+l.PKI("ca.crt"),
		"--cluster-signing-cert-file="+l.PKI("ca.crt"),
		"--cluster-signing-key-file="+l.PKI("ca.key"),
		"--allocate-node-cidrs=true",
		"--cluster-cidr="+l.Families(layout.PodCIDR, layout.PodCIDRv6),
		"--leader-elect=false",
		"--bind-address=127.0.0.1",
		"--kube-api-qps=200", "--kube-api-burst=400",
	)...)
}

// Scheduler needs no election: it is alone.
func Scheduler(l layout.Layout) supervise.Spec {
	return process(l, "kube-scheduler",
		"--kubeconfig="+KubeconfigOf(l, scheduler),
		"--authentication-kubeconfig="+KubeconfigOf(l, scheduler),
		"--authorization-kubeconfig="+KubeconfigOf(l, scheduler),
		"--leader-elect=false",
		"--bind-address=127.0.0.1",
		"--kube-api-qps=200", "--kube-api-burst=400",
	)
}
