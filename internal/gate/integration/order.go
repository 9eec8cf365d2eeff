package integration

import (
	"fmt"
	"net"
	"slices"
	"strconv"
	"time"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/internal/evidence"
	"github.com/affineur/affineur/internal/gate"
	"github.com/affineur/affineur/internal/gate/isolation"
	"github.com/affineur/affineur/internal/workload"
)

// timing of the integration run and its control. The control begins first and goes on until the run has ended, because
// only then can it bear witness that the forbidden targets were up all the while. It is told when that is: what it has
// is the longest that it waits, with room for a pod that is slow to start.
type timing struct{ control, run time.Duration }

func timingOf(patience gate.Patience) timing {
	if patience > 1 {
		return timing{control: 150 * time.Second, run: 60 * time.Second}
	}
	return timing{control: 60 * time.Second, run: 15 * time.Second}
}

// orderOf asks every declared integration, as the frozen catalogue says, and tries what production must not reach.
func orderOf(c gate.Case) evidence.IntegrationSpec {
	spec := evidence.IntegrationSpec{
		Unreachable: slices.Concat(targets(c.Ground, evidence.SettleBlocked), ifAny(c.Ground, evidence.SettleBlocked), atNode()),
		Untried:     c.Ground.Untried, Deadline: evidence.Duration(timingOf(c.Patience).run),
	}
	for _, integration := range c.Record.Requirements.Integrations {
		if integration.Production != nil {
			check := checkOf(integration)
			check.MinTLS = settingsOf(c.Gate).minTLS
			spec.Checks = append(spec.Checks, check)
		}
	}
	return spec
}

// controlOf reaches the same targets from a place that may, meanwhile.
func controlOf(c gate.Case) evidence.IsolationSpec {
	window := timingOf(c.Patience).control
	return evidence.IsolationSpec{
		Targets: slices.Concat(targets(c.Ground, evidence.SettleReached), ifAny(c.Ground, evidence.SettleAny), atNodes(c.Ground)),
		Window:  evidence.Duration(window), Told: true, Deadline: evidence.Duration(window + 5*time.Second),
	}
}

func target(name string, network evidence.Network, address string, mode evidence.Mode, settle evidence.Settle) evidence.Target {
	return evidence.Target{
		Name: name, Network: network, Address: address, Mode: mode, Settle: settle, Timeout: evidence.Duration(time.Second),
	}
}

// targets that are always there.
func targets(ground gate.Ground, settle evidence.Settle) []evidence.Target {
	denied := net.JoinHostPort(ground.Canary, strconv.Itoa(v1alpha1.CanaryDeniedPort))
	return []evidence.Target{
		target(isolation.TargetDeniedTCP, evidence.NetworkTCP, denied, evidence.ModeEcho, settle),
		target(isolation.TargetDeniedUDP, evidence.NetworkUDP, denied, evidence.ModeEcho, settle),
		target(isolation.TargetAPIServer, evidence.NetworkTCP, ground.APIServer, evidence.ModeConnect, settle),
	}
}

// ifAny are targets that there need not be, or that keep the control out as well.
func ifAny(ground gate.Ground, settle evidence.Settle) []evidence.Target {
	out := []evidence.Target{target(isolation.TargetMetadata, evidence.NetworkTCP, evidence.MetadataService, evidence.ModeConnect, settle)}
	for _, other := range ground.Others {
		out = append(out, target(other.Name, evidence.NetworkTCP, other.Address, evidence.ModeConnect, settle))
	}
	return out
}

// atNode is the kubelet of the node under the run, which only the run knows; its control tries those of all nodes.
func atNode() []evidence.Target {
	out := target(isolation.TargetNode, evidence.NetworkTCP, ":"+strconv.Itoa(v1alpha1.KubeletPort), evidence.ModeConnect, evidence.SettleBlocked)
	out.Place = evidence.PlaceNode
	return []evidence.Target{out}
}

func atNodes(ground gate.Ground) []evidence.Target {
	var out []evidence.Target
	for _, node := range ground.Nodes {
		address := net.JoinHostPort(node, strconv.Itoa(v1alpha1.KubeletPort))
		out = append(out, target(nodes+node, evidence.NetworkTCP, address, evidence.ModeConnect, evidence.SettleAny))
	}
	return out
}

// nodes begins the names of the targets by which the control tries the nodes.
const nodes = isolation.TargetNode + " "

// checkOf renders one catalogue entry.
func checkOf(integration v1alpha1.Integration) evidence.Check {
	endpoint := integration.Production
	check := evidence.Check{Name: integration.Name, Address: endpoint.Address, Timeout: evidence.Duration(3 * time.Second)}
	if endpoint.CA != nil {
		check.CAFile = workload.IntegrationFiles(integration.Name) + "/ca.crt"
	}
	var http *v1alpha1.HTTPCheck
	switch {
	case integration.Check.TCP != nil:
		check.Kind = evidence.CheckTCP
	case integration.Check.TLS != nil:
		check.Kind = evidence.CheckTLS
	case integration.Check.HTTP != nil:
		check.Kind, http = evidence.CheckHTTP, integration.Check.HTTP
	case integration.Check.HTTPS != nil:
		check.Kind, http = evidence.CheckHTTPS, integration.Check.HTTPS
	}
	if http == nil {
		return check
	}
	check.Method, check.Path, check.Body, check.ExpectStatus = string(http.Method), http.Path, http.Body, int(http.ExpectStatus)
	if check.Path == "" {
		check.Path = "/"
	}
	check.Answer = answerOf(integration.Name, http.Answer)
	if endpoint.Credentials != nil {
		check.Credential = &evidence.Credential{File: workload.IntegrationFiles(integration.Name) + "/token"}
	}
	return check
}

// answerOf renders what an answer must be. The runner finds the document beside the credential.
func answerOf(name string, answer *v1alpha1.HTTPAnswer) *evidence.ExpectedAnswer {
	if answer == nil {
		return nil
	}
	out := &evidence.ExpectedAnswer{ContentType: answer.ContentType, Schema: answer.Schema}
	if answer.OpenAPI != nil {
		out.Document, out.Operation = workload.IntegrationFiles(name)+"/"+workload.KeyDocument, answer.OpenAPI.Operation
	}
	return out
}

// settings of a gate, with what holds where the policy says nothing.
type settings struct {
	certificateValidFor time.Duration
	minTLS              string
	whenDownRequired    bool
}

// usualValidity is for how long certificates must be valid yet where the policy says nothing, as the schema has it.
const usualValidity = 168 * time.Hour

func settingsOf(g v1alpha1.Gate) settings {
	out := settings{certificateValidFor: usualValidity, minTLS: "1.2"}
	if g.Integration == nil {
		return out
	}
	if valid := g.Integration.CertificateValidFor; valid != nil {
		out.certificateValidFor = valid.Duration
	}
	if g.Integration.MinTLSVersion != "" {
		out.minTLS = g.Integration.MinTLSVersion
	}
	out.whenDownRequired = g.Integration.WhenDown == v1alpha1.WhenDownRequired
	return out
}

// expected says in words what the catalogue expects of an integration.
func expected(integration v1alpha1.Integration) string {
	check := checkOf(integration)
	switch check.Kind {
	case evidence.CheckTCP:
		return "a connection to " + check.Address
	case evidence.CheckTLS:
		return "a valid certificate at " + check.Address
	}
	status := "a status from 200 to 299"
	if check.ExpectStatus != 0 {
		status = strconv.Itoa(check.ExpectStatus)
	}
	text := fmt.Sprintf("%s from %s at %s", status, check.Path, check.Address)
	if check.Answer != nil {
		text += ", and an answer as the check's answer says"
	}
	return text
}
