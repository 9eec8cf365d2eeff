package sandbox

import (
	"net"
	"slices"
	"strconv"
	"time"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/internal/evidence"
	"github.com/affineur/affineur/internal/gate/isolation"
)

// places are the addresses that a pair of runs is given; the rest they learn where they run.
type places struct {
	// Canary, and its address of the other family, empty where the cluster has one.
	Canary, Second string
	APIServer      string
	// Beyond the cluster; empty where the installation names nothing, or the policy lets the sandbox go there.
	Beyond string
}

// places of a measurement.
func (s Snapshot) places() places {
	out := places{Canary: s.References.Canary, Second: s.References.CanarySecond, APIServer: s.Settings.APIServer}
	if beyond := s.Settings.Beyond; beyond.IsValid() && !s.surroundings().MayReach(beyond) {
		out.Beyond = beyond.String()
	}
	return out
}

// order builds a run's list of targets.
type order []evidence.Target

func (o *order) add(name string, network evidence.Network, address string, mode evidence.Mode, settle evidence.Settle) {
	*o = append(*o, evidence.Target{
		Name: name, Network: network, Address: address, Mode: mode, Settle: settle, Timeout: evidence.Duration(time.Second),
	})
}

// both adds an echo over TCP and one over UDP.
func (o *order) both(tcp, udp, host string, port int, settle evidence.Settle) {
	at := net.JoinHostPort(host, strconv.Itoa(port))
	o.add(tcp, evidence.NetworkTCP, at, evidence.ModeEcho, settle)
	o.add(udp, evidence.NetworkUDP, at, evidence.ModeEcho, settle)
}

// at puts the targets that were added last at a place that only the runs learn.
func (o *order) at(place evidence.Place, n int) {
	for i := range (*o)[len(*o)-n:] {
		(*o)[len(*o)-n+i].Place = place
	}
}

// targets of the run inside, and of its control outside. Both try the same, but for what differs by where they are;
// what differs else is the answer that they wait for. What there need not be is waited for by nobody.
func targets(p places, inside bool) []evidence.Target {
	denied, any, node := evidence.SettleReached, evidence.SettleAny, evidence.PlaceOtherNode
	if inside {
		denied, any, node = evidence.SettleBlocked, evidence.SettleBlocked, evidence.PlaceNode
	}
	var o order
	o.both(isolation.TargetDeniedTCP, isolation.TargetDeniedUDP, p.Canary, v1alpha1.CanaryDeniedPort, denied)
	o.add(isolation.TargetAPIServer, evidence.NetworkTCP, p.APIServer, evidence.ModeConnect, denied)
	o.add(isolation.TargetNode, evidence.NetworkTCP, ":"+strconv.Itoa(v1alpha1.KubeletPort), evidence.ModeConnect, denied)
	o.at(node, 1)
	o.both(isolation.TargetAllowedTCP, isolation.TargetAllowedUDP, p.Canary, v1alpha1.CanaryAllowedPort, evidence.SettleReached)
	o.add(isolation.TargetMetadata, evidence.NetworkTCP, evidence.MetadataService, evidence.ModeConnect, any)
	if p.Beyond != "" {
		o.add(isolation.TargetBeyond, evidence.NetworkTCP, p.Beyond, evidence.ModeConnect, any)
	}
	if p.Second != "" {
		o.both(isolation.SecondFamily(isolation.TargetDeniedTCP), isolation.SecondFamily(isolation.TargetDeniedUDP), p.Second, v1alpha1.CanaryDeniedPort, any)
	}
	return slices.Concat(o, ways(p, inside))
}

// ways into the sandbox: the probe inside listens on two ports, and tries the closed one itself, which shows that it is
// up; its control tries both.
func ways(p places, inside bool) []evidence.Target {
	var o order
	if inside {
		o.both(isolation.TargetInTCP, isolation.TargetInUDP, "", v1alpha1.ProbeClosedPort, evidence.SettleReached)
		o.at(evidence.PlaceSelf, 2)
		if p.Second != "" {
			o.both(isolation.SecondFamily(isolation.TargetInTCP), isolation.SecondFamily(isolation.TargetInUDP), "", v1alpha1.ProbeClosedPort, evidence.SettleAny)
			o.at(evidence.PlaceSelfSecond, 2)
		}
		return o
	}
	o.both(isolation.TargetInTCP, isolation.TargetInUDP, "", v1alpha1.ProbeClosedPort, evidence.SettleBlocked)
	o.both(isolation.TargetAdmittedTCP, isolation.TargetAdmittedUDP, "", v1alpha1.ProbeOpenPort, evidence.SettleReached)
	o.at(evidence.PlaceOther, 4)
	if p.Second != "" {
		// Where the probe has an address of the other family, the way to it is waited for: of a pod that is new it may come
		// later than the first's. Where it has none, nothing is tried.
		o.both(isolation.SecondFamily(isolation.TargetInTCP), isolation.SecondFamily(isolation.TargetInUDP), "", v1alpha1.ProbeClosedPort, evidence.SettleBlocked)
		o.both(isolation.SecondFamily(isolation.TargetAdmittedTCP), isolation.SecondFamily(isolation.TargetAdmittedUDP), "", v1alpha1.ProbeOpenPort, evidence.SettleReached)
		o.at(evidence.PlaceOtherSecond, 4)
	}
	return o
}
