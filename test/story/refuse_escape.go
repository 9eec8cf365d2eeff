package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"time"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/affineur/affineur/internal/workload"
)

const curiousAdvisor = "curious-advisor"

// place is somewhere that a pod in a sandbox may try to reach.
type place struct {
	what, address string
	// allowed is for the policy's own catalogue: what is blocked can so be told from what does not work at all.
	allowed bool
}

// outside are the addresses at which the development cluster has a host beyond the cluster and a cloud's metadata
// service. Elsewhere nobody may be there; then it is no proof that they can't be reached, and they are left out.
var outside = []place{
	{"the internet", "198.18.0.10:80", false},
	{"the cloud's metadata service", "169.254.169.254:80", false},
}

// refuseEscape lets a program in a sandbox try to connect to what it may not. Its team asks it to, through a
// forwarded port. Every place is first reached from a pod outside, so that only the sandbox can be the reason.
func (s *stage) refuseEscape(ctx context.Context) error {
	lead := s.cast[membershipLead]
	prototype := prototypeOf(membership, curiousAdvisor)
	if err := s.prototype(ctx, lead, prototype, inSandbox); err != nil {
		return err
	}
	places, err := s.places(ctx)
	if err != nil {
		return err
	}
	places, err = s.reachableOutside(ctx, places)
	if err != nil {
		return err
	}
	forwarded, stop, err := s.forward(ctx, lead, prototype.Status.Sandbox.Namespace, workload.Name)
	if err != nil {
		return err
	}
	defer stop()
	for _, place := range places {
		if err := s.tryReach(ctx, forwarded, place); err != nil {
			return err
		}
	}
	return nil
}

// places are addresses of this cluster.
func (s *stage) places(ctx context.Context) ([]place, error) {
	var places []place
	for _, service := range []struct {
		what            string
		namespace, name string
		port            int
		allowed         bool
	}{
		{"the model gateway, which it may", models, "gateway", 8080, true},
		{"the test system, which it may", learning, "lms-test", 8080, true},
		{"the API server", corev1.NamespaceDefault, "kubernetes", 443, false},
		{"a pod outside its sandbox, the real system beside the test system", learning, "lms", 8080, false},
	} {
		found := &corev1.Service{}
		if err := s.admin.Get(ctx, client.ObjectKey{Namespace: service.namespace, Name: service.name}, found); err != nil {
			return nil, err
		}
		address := net.JoinHostPort(found.Spec.ClusterIP, fmt.Sprint(service.port))
		places = append(places, place{what: service.what, address: address, allowed: service.allowed})
	}
	return append(places, outside...), nil
}

// reachableOutside keeps what a pod without a sandbox can connect to.
func (s *stage) reachableOutside(ctx context.Context, places []place) ([]place, error) {
	var requests []request
	for _, place := range places {
		requests = append(requests, request{Method: "DIAL", URL: "tcp://" + place.address})
	}
	answers, err := s.send(ctx, requests)
	if err != nil {
		return nil, err
	}
	var reachable []place
	for i, place := range places {
		if !answers[i].Connected {
			s.out.say("left out: %s (%s) does not answer from outside either: %s", place.what, place.address, answers[i].Error)
			continue
		}
		reachable = append(reachable, place)
	}
	if len(reachable) < 3 {
		return nil, fmt.Errorf("only %d places answer from outside: that proves nothing", len(reachable))
	}
	return reachable, nil
}

// tryReach asks the program in the sandbox to connect.
func (s *stage) tryReach(ctx context.Context, base string, place place) error {
	ctx, cancel := context.WithTimeout(ctx, 15*time.Second)
	defer cancel()
	query := url.Values{"network": {"tcp"}, "address": {place.address}, "timeout": {"2s"}}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, base+"/reach?"+query.Encode(), nil)
	if err != nil {
		return err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer func() { _ = response.Body.Close() }()
	var reached struct {
		Reachable bool
		Error     string
	}
	if err := json.NewDecoder(response.Body).Decode(&reached); err != nil {
		return err
	}
	switch {
	case reached.Reachable != place.allowed:
		return fmt.Errorf("%s at %s: reachable from the sandbox: %t (%s)", place.what, place.address, reached.Reachable, reached.Error)
	case place.allowed:
		s.out.say("from its sandbox, %s reached %s at %s", curiousAdvisor, place.what, place.address)
	default:
		s.count(curiousAdvisor+" in its sandbox", "connecting to "+place.what+" at "+place.address, reached.Error)
	}
	return nil
}
