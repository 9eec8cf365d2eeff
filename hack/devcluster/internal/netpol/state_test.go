package netpol

import (
	"net/netip"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/affineur/affineur/hack/devcluster/internal/claim"
)

func TestPodsOf(t *testing.T) {
	pod := func(uid, address string, change func(*corev1.Pod)) *corev1.Pod {
		p := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: uid, UID: types.UID(uid)}, Status: corev1.PodStatus{PodIP: address}}
		if change != nil {
			change(p)
		}
		return p
	}
	claimOf := func(sandbox, uid, address string) claim.Claim {
		return claim.Claim{Sandbox: sandbox, PodUID: uid, Address: netip.MustParseAddr(address)}
	}
	tests := []struct {
		name   string
		pods   []*corev1.Pod
		claims []claim.Claim
		want   map[string]string
		v6     bool
	}{
		{"an address from the API", []*corev1.Pod{pod("a", "198.51.100.2", nil)}, nil, map[string]string{"a": "198.51.100.2"}, false},
		{"none yet", []*corev1.Pod{pod("a", "", nil)}, nil, nil, false},
		{"a claim comes before the API", []*corev1.Pod{pod("a", "", nil)},
			[]claim.Claim{claimOf("s", "a", "198.51.100.2")}, map[string]string{"a": "198.51.100.2"}, false},
		{"an address that was given to another pod", []*corev1.Pod{pod("old", "198.51.100.2", nil), pod("new", "", nil)},
			[]claim.Claim{claimOf("s", "new", "198.51.100.2")}, map[string]string{"new": "198.51.100.2"}, false},
		{"the later claim of an address holds", []*corev1.Pod{pod("old", "", nil), pod("new", "", nil)},
			[]claim.Claim{claimOf("s", "old", "198.51.100.2"), claimOf("t", "new", "198.51.100.2")}, map[string]string{"new": "198.51.100.2"}, false},
		{"a claim taken back", []*corev1.Pod{pod("a", "", nil)},
			[]claim.Claim{claimOf("s", "a", "198.51.100.2"), {Sandbox: "s", Release: true}}, nil, false},
		{"ended and host network pods have no address of their own", []*corev1.Pod{
			pod("a", "198.51.100.2", func(p *corev1.Pod) { p.Status.Phase = corev1.PodSucceeded }),
			pod("b", "192.0.2.10", func(p *corev1.Pod) { p.Spec.HostNetwork = true }),
		}, nil, nil, false},
		{"the other family, from the API", []*corev1.Pod{pod("a", "198.51.100.2", func(p *corev1.Pod) {
			p.Status.PodIPs = []corev1.PodIP{{IP: "198.51.100.2"}, {IP: "2001:db8:2::2"}}
		})}, nil, map[string]string{"a": "2001:db8:2::2"}, true},
		{"claims of both families", []*corev1.Pod{pod("a", "", nil)},
			[]claim.Claim{claimOf("s", "a", "2001:db8:2::2"), claimOf("s", "a", "198.51.100.2")}, map[string]string{"a": "2001:db8:2::2"}, true},
		{"both taken back", []*corev1.Pod{pod("a", "", nil)},
			[]claim.Claim{claimOf("s", "a", "198.51.100.2"), claimOf("s", "a", "2001:db8:2::2"), {Sandbox: "s", Release: true}}, nil, true},
		{"none of that family", []*corev1.Pod{pod("a", "198.51.100.2", nil)}, nil, nil, true},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			held := claims{bySandbox: map[string]claim.Claim{}}
			for _, c := range test.claims {
				held.record(c)
			}
			byAddress, byPod := held.owners(test.v6)
			got := podsOf(test.pods, byAddress, byPod, test.v6)
			if len(got) != len(test.want) {
				t.Errorf("pods %v, want %v", got, test.want)
			}
			for _, p := range got {
				if test.want[p.Name] != p.Address.String() {
					t.Errorf("%s has %s, want %s", p.Name, p.Address, test.want[p.Name])
				}
			}
		})
	}
}
