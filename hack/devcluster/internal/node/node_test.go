package node

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"

	"github.com/affineur/affineur/hack/devcluster/internal/layout"
)

func TestConfigurationIsComplete(t *testing.T) {
	l := layout.Layout{Root: t.TempDir()}
	if err := WriteConfiguration(l); err != nil {
		t.Fatal(err)
	}
	read := func(path string) []byte {
		content, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(content), "<no value>") {
			t.Errorf("%s has holes:\n%s", path, content)
		}
		return content
	}
	var kubelet struct {
		CgroupRoot     string   `json:"cgroupRoot"`
		ClusterDNS     []string `json:"clusterDNS"`
		Authentication struct {
			Anonymous struct {
				Enabled *bool `json:"enabled"`
			} `json:"anonymous"`
		} `json:"authentication"`
	}
	if err := yaml.Unmarshal(read(l.Run("kubelet.yaml")), &kubelet); err != nil {
		t.Fatal(err)
	}
	if kubelet.CgroupRoot != l.CgroupRoot() || len(kubelet.ClusterDNS) != 1 || kubelet.ClusterDNS[0] != layout.DNSIP {
		t.Errorf("kubelet: %+v", kubelet)
	}
	if anonymous := kubelet.Authentication.Anonymous.Enabled; anonymous == nil || *anonymous {
		t.Error("the kubelet serves anybody")
	}
	var network struct {
		Plugins []struct{ Type string } `json:"plugins"`
	}
	if err := json.Unmarshal(read(l.Run("cni", "10-pods.conflist")), &network); err != nil {
		t.Fatal(err)
	}
	if last := network.Plugins[len(network.Plugins)-1].Type; last != "netpol-wait" {
		t.Errorf("the last plugin is %s: a pod could start before its policies", last)
	}
	read(l.Run("containerd.toml"))
	if hosts := string(read(l.Run("certs.d", layout.RegistryHost, "hosts.toml"))); !strings.Contains(hosts, layout.RegistryIP) {
		t.Errorf("the node does not find the registry:\n%s", hosts)
	}
}
