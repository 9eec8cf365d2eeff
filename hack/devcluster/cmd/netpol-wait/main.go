// Netpol-wait is a CNI plugin that runs last in the chain: it tells the NetworkPolicy engine the address of
// a new pod and waits until the pod's policies are in force. Without it, a pod's first packets would race
// the engine, which otherwise learns addresses from the API only after the containers have started.
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"strings"

	"github.com/affineur/affineur/hack/devcluster/internal/claim"
)

type configuration struct {
	CNIVersion string          `json:"cniVersion"`
	PrevResult json.RawMessage `json:"prevResult"`
}

func main() {
	var config configuration
	if err := json.NewDecoder(os.Stdin).Decode(&config); err != nil {
		fail("", fmt.Errorf("configuration: %w", err))
	}
	if err := run(os.Getenv("CNI_COMMAND"), config); err != nil {
		fail(config.CNIVersion, err)
	}
}

func run(command string, config configuration) error {
	switch command {
	case "VERSION":
		return answer(map[string]any{"cniVersion": "1.0.0", "supportedVersions": []string{"0.4.0", "1.0.0"}})
	case "ADD":
		if err := add(config); err != nil {
			return err
		}
		return answer(config.PrevResult)
	case "DEL":
		err := send(claim.Claim{Sandbox: os.Getenv("CNI_CONTAINERID"), Release: true})
		if err != nil {
			fmt.Fprintln(os.Stderr, err) // removing a pod never waits for an engine
		}
	}
	return nil
}

func add(config configuration) error {
	uid := argument("K8S_POD_UID")
	if uid == "" {
		return nil // no pod: somebody tries out the network by hand
	}
	var result struct {
		IPs []struct{ Address netip.Prefix } `json:"ips"`
	}
	if err := json.Unmarshal(config.PrevResult, &result); err != nil {
		return fmt.Errorf("previous result: %w", err)
	}
	for _, ip := range result.IPs {
		c := claim.Claim{Sandbox: os.Getenv("CNI_CONTAINERID"), PodUID: uid, Address: ip.Address.Addr()}
		if err := send(c); err != nil {
			return err
		}
	}
	return nil
}

// send tolerates that no engine is meant to run: then there is no socket. A socket that nobody answers is
// an engine that failed, and no pod starts without its policies.
func send(c claim.Claim) error {
	err := claim.Send(claim.Socket, c)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// argument reads one of the runtime's KEY=VALUE;KEY=VALUE arguments.
func argument(key string) string {
	for _, pair := range strings.Split(os.Getenv("CNI_ARGS"), ";") {
		if name, value, found := strings.Cut(pair, "="); found && name == key {
			return value
		}
	}
	return ""
}

func answer(value any) error { return json.NewEncoder(os.Stdout).Encode(value) }

func fail(version string, err error) {
	const tryAgainLater = 11
	if writeErr := answer(map[string]any{"cniVersion": version, "code": tryAgainLater, "msg": err.Error()}); writeErr != nil {
		fmt.Fprintln(os.Stderr, writeErr)
	}
	os.Exit(1)
}
