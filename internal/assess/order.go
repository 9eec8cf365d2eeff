package assess

import (
	"encoding/json"
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/internal/evidence"
	"github.com/affineur/affineur/internal/gate/scalability"
	"github.com/affineur/affineur/internal/record"
	"github.com/affineur/affineur/internal/subject"
	"github.com/affineur/affineur/internal/workload"
)

// Patience is how long a measurement may take. The first attempt is as short as the policy says; one that came to
// nothing is made anew with more of it.
type Patience int

// MostPatient is the longest that is ever tried.
const MostPatient Patience = 3

// PatienceOf the given attempt, counted from 1.
func PatienceOf(attempt int) Patience { return Patience(min(max(attempt, 1), int(MostPatient))) }

const (
	// stretch is by which factor a load measurement may grow with every step of patience, to send enough requests
	// at a rate nearer to the demand.
	stretch = 4
	// longestLoad is never exceeded for that.
	longestLoad = 20 * time.Minute
)

// LoadSpec is what the load generator is asked: one step for every scalability gate of the requirements, against the
// sandbox's Service. An error says that the demand can't be measured.
func LoadSpec(rec record.Record, patience Patience) (evidence.LoadSpec, error) {
	demand, err := demandOf(rec.Subject)
	if err != nil {
		return evidence.LoadSpec{}, err
	}
	sample := rec.Subject.Demand
	request := evidence.LoadSpec{
		URL: workload.URL(rec.Prototype.Sandbox()) + sample.Path, Method: sample.Method, Body: sample.Body, Headers: contentType(sample.Body),
	}
	var spec evidence.LoadSpec
	for _, gate := range rec.Requirements.Gates {
		if gate.Type != v1alpha1.GateScalability {
			continue
		}
		planned, err := planned(demand, gate, patience, request)
		if err != nil {
			return evidence.LoadSpec{}, fmt.Errorf("gate %s: %w", gate.Name, err)
		}
		if spec.Steps == nil {
			spec = planned
			continue
		}
		spec.Steps = append(spec.Steps, planned.Steps...)
		spec.MaxInFlight = max(spec.MaxInFlight, planned.MaxInFlight)
	}
	// Encoding is what refuses an order that the runner would refuse; the nonce stands in for the real one.
	_, err = evidence.EncodeRun(evidence.RunSpec{Nonce: strings.Repeat("0", 16), Subject: rec.ReviewDigest, Load: &spec})
	return spec, err
}

func planned(demand scalability.Demand, gate v1alpha1.Gate, patience Patience, request evidence.LoadSpec) (evidence.LoadSpec, error) {
	settings, err := settingsOf(gate, patience)
	if err != nil {
		return evidence.LoadSpec{}, err
	}
	return scalability.Plan(demand, settings, request)
}

func settingsOf(gate v1alpha1.Gate, patience Patience) (scalability.Settings, error) {
	headroom, duration := "1.5", time.Minute
	if gate.Scalability != nil {
		headroom, duration = gate.Scalability.Headroom, gate.Scalability.Duration.Duration
	}
	longest := duration
	for range patience - 1 {
		longest *= stretch
	}
	return scalability.NewSettings(headroom, duration, max(duration, min(longest, longestLoad)))
}

// contentType tells a program what it gets: there is no other way for a team to say.
func contentType(body string) []evidence.Header {
	switch {
	case body == "":
		return nil
	case json.Valid([]byte(body)):
		return []evidence.Header{{Name: "Content-Type", Value: "application/json"}}
	}
	return []evidence.Header{{Name: "Content-Type", Value: "text/plain; charset=utf-8"}}
}

// demandOf reads the frozen demand.
func demandOf(s subject.Subject) (scalability.Demand, error) {
	if s.Demand == nil {
		return scalability.Demand{}, fmt.Errorf("no demand is declared")
	}
	d := v1alpha1.Demand{ErrorRatio: s.Demand.ErrorRatio}
	if s.Demand.People > 0 {
		d.People = ptr.To(s.Demand.People)
	}
	if s.Demand.BusiestHour > 0 {
		d.BusiestHour = ptr.To(s.Demand.BusiestHour)
	}
	if s.Demand.RequestsPerSecond != "" {
		d.RequestsPerSecond = ptr.To(s.Demand.RequestsPerSecond)
	}
	var err error
	if d.AnswerWithin, err = durationOf("answerWithin", s.Demand.AnswerWithin); err != nil {
		return scalability.Demand{}, err
	}
	if d.LatencyP95, err = durationOf("latencyP95", s.Demand.LatencyP95); err != nil {
		return scalability.Demand{}, err
	}
	return scalability.NewDemand(d)
}

func durationOf(field, text string) (*metav1.Duration, error) {
	if text == "" {
		return nil, nil
	}
	d, err := time.ParseDuration(text)
	if err != nil {
		return nil, fmt.Errorf("%s is no duration", field)
	}
	return &metav1.Duration{Duration: d}, nil
}

// timing of the integration run and its control. The control begins first and goes on until the run has ended, because
// only then can it bear witness that the forbidden targets were up all the while.
type timing struct{ control, run time.Duration }

func timingOf(patience Patience) timing {
	if patience > 1 {
		return timing{control: 90 * time.Second, run: 60 * time.Second}
	}
	return timing{control: 20 * time.Second, run: 12 * time.Second}
}

// IntegrationSpec asks every declared integration, as the frozen catalogue says, and tries what production must not
// reach. canary is the IP address of the canary, apiServer the host:port of the API server.
func IntegrationSpec(rec record.Record, canary, apiServer string, patience Patience) evidence.IntegrationSpec {
	spec := evidence.IntegrationSpec{
		Unreachable: targets(canary, apiServer, evidence.SettleBlocked),
		Deadline:    evidence.Duration(timingOf(patience).run),
	}
	for _, integration := range rec.Requirements.Integrations {
		if integration.Production != nil {
			spec.Checks = append(spec.Checks, checkOf(integration))
		}
	}
	return spec
}

// ControlSpec reaches the same targets from a place that may, meanwhile.
func ControlSpec(canary, apiServer string, patience Patience) evidence.IsolationSpec {
	window := timingOf(patience).control
	return evidence.IsolationSpec{
		Targets: targets(canary, apiServer, evidence.SettleReached),
		Window:  evidence.Duration(window), Deadline: evidence.Duration(window + 5*time.Second),
	}
}

func targets(canary, apiServer string, settle evidence.Settle) []evidence.Target {
	denied := net.JoinHostPort(canary, strconv.Itoa(v1alpha1.CanaryDeniedPort))
	target := func(name string, network evidence.Network, address string, mode evidence.Mode) evidence.Target {
		return evidence.Target{
			Name: name, Network: network, Address: address, Mode: mode, Settle: settle, Timeout: evidence.Duration(time.Second),
		}
	}
	return []evidence.Target{
		target(TargetDeniedTCP, evidence.NetworkTCP, denied, evidence.ModeEcho),
		target(TargetDeniedUDP, evidence.NetworkUDP, denied, evidence.ModeEcho),
		target(TargetAPIServer, evidence.NetworkTCP, apiServer, evidence.ModeConnect),
	}
}

// IntegrationFiles is the directory in which the runner finds an integration's credential and certificate authority:
// the same in which the program will find them in production.
func IntegrationFiles(name string) string { return workload.IntegrationsPath + "/" + name }

// checkOf renders one catalogue entry.
func checkOf(integration v1alpha1.Integration) evidence.Check {
	endpoint := integration.Production
	check := evidence.Check{Name: integration.Name, Address: endpoint.Address, Timeout: evidence.Duration(3 * time.Second)}
	if endpoint.CA != nil {
		check.CAFile = IntegrationFiles(integration.Name) + "/ca.crt"
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
	check.Path, check.ExpectStatus = http.Path, int(http.ExpectStatus)
	if check.Path == "" {
		check.Path = "/"
	}
	if endpoint.Credentials != nil {
		check.Credential = &evidence.Credential{File: IntegrationFiles(integration.Name) + "/token"}
	}
	return check
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
	return fmt.Sprintf("%s from %s at %s", status, check.Path, check.Address)
}
