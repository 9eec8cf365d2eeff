package isolation

import "strings"

// Names of the targets that tell whether a network policy is enforced, as reports hold them and people read them.
const (
	// The canary in another namespace, on a port that the sandbox must not reach, and on the one that a probe may.
	TargetDeniedTCP  = "another-namespace-tcp"
	TargetDeniedUDP  = "another-namespace-udp"
	TargetAllowedTCP = "allowed-tcp"
	TargetAllowedUDP = "allowed-udp"
	// The API server's Service, the kubelet of the node under the probe, the metadata service of a cloud, and what the
	// installation names beyond the cluster.
	TargetAPIServer = "api-server"
	TargetNode      = "node-kubelet"
	TargetMetadata  = "link-local-metadata"
	TargetBeyond    = "beyond-cluster"
	// The probe itself, from another namespace: a port that nobody may reach, and one that the control may.
	TargetInTCP       = "from-another-namespace-tcp"
	TargetInUDP       = "from-another-namespace-udp"
	TargetAdmittedTCP = "admitted-tcp"
	TargetAdmittedUDP = "admitted-udp"
)

// SecondFamily is a target at the address of the other family, IPv6 beside IPv4, where the cluster has two.
func SecondFamily(target string) string { return target + secondFamily }

const secondFamily = "-second-family"

// Forbidden are the targets that neither a sandbox nor production may reach.
var Forbidden = []string{TargetDeniedTCP, TargetDeniedUDP, TargetAPIServer}

// Paths of a sandbox and how they should be. Those that lead to what a cluster need not have come last.
func Paths() []Expectation {
	out := Egresses(append(Forbidden[:len(Forbidden):len(Forbidden)], TargetNode), []string{TargetAllowedTCP, TargetAllowedUDP})
	out = append(out, in(TargetInTCP, TargetAdmittedTCP), in(TargetInUDP, TargetAdmittedUDP),
		admitted(TargetAdmittedTCP), admitted(TargetAdmittedUDP))
	for _, name := range []string{TargetMetadata, TargetBeyond, SecondFamily(TargetDeniedTCP), SecondFamily(TargetDeniedUDP)} {
		out = append(out, Egresses([]string{name}, nil)[0])
		out[len(out)-1].IfAny = true
	}
	for _, pair := range [][2]string{{TargetInTCP, TargetAdmittedTCP}, {TargetInUDP, TargetAdmittedUDP}} {
		out = append(out, in(SecondFamily(pair[0]), SecondFamily(pair[1])))
		out[len(out)-1].IfAny = true
	}
	for i := range out {
		out[i].Silent = strings.HasSuffix(out[i].Target, secondFamily)
	}
	return out
}

// in is a way into the sandbox that must be closed. The probe inside bears witness that it listens there.
func in(target, twin string) Expectation {
	return Expectation{
		Target: target, Direction: Ingress, Want: Blocked, From: Outside, Witness: Inside, Twin: twin,
	}
}

// admitted is the one way in that is open to the control of a probe.
func admitted(target string) Expectation {
	return Expectation{Target: target, Direction: Ingress, Want: Reachable, From: Outside}
}
