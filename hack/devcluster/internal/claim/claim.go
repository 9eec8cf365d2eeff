// Package claim is what the CNI plugin and the NetworkPolicy engine say to each other: a pod that is being
// made has got an address, and no container of it starts before its policies are in force.
package claim

import (
	"encoding/json"
	"fmt"
	"net"
	"net/netip"
	"time"
)

// Socket is where the engine listens, as the node sees it.
const Socket = "/run/affineur-netpol.sock"

// Timeout bounds how long a pod waits for its policies. After it the pod's network counts as failed, and
// the kubelet tries again.
const Timeout = 10 * time.Second

// Claim says that a pod has an address, or no longer.
type Claim struct {
	// Sandbox identifies the pod's network, which may be made several times for one pod.
	Sandbox string     `json:"sandbox"`
	PodUID  string     `json:"podUID"`
	Address netip.Addr `json:"address"`
	// Release takes back the sandbox's claim.
	Release bool `json:"release,omitempty"`
}

// Answer has no error when the claim is in force.
type Answer struct {
	Error string `json:"error,omitempty"`
	// Mode is what the engine enforces.
	Mode string `json:"mode"`
}

// Send delivers a claim and waits until it is in force.
func Send(socket string, c Claim) error {
	conn, err := net.DialTimeout("unix", socket, Timeout)
	if err != nil {
		return err
	}
	defer conn.Close()
	_, err = exchange(conn, c)
	return err
}

// Mode asks the engine at the other end what it enforces, by a claim of nothing.
func Mode(conn net.Conn) (string, error) {
	answer, err := exchange(conn, Claim{Release: true})
	return answer.Mode, err
}

func exchange(conn net.Conn, c Claim) (Answer, error) {
	if err := conn.SetDeadline(time.Now().Add(Timeout)); err != nil {
		return Answer{}, err
	}
	if err := json.NewEncoder(conn).Encode(c); err != nil {
		return Answer{}, err
	}
	var answer Answer
	if err := json.NewDecoder(conn).Decode(&answer); err != nil {
		return Answer{}, err
	}
	if answer.Error != "" {
		return answer, fmt.Errorf("NetworkPolicy engine: %s", answer.Error)
	}
	return answer, nil
}
