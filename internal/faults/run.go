package faults

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/affineur/affineur/internal/evidence"
	"github.com/affineur/affineur/internal/probe"
)

const (
	// healthEvery is the pace at which the prototype's health is asked, and healthTime bounds one question: as the
	// kubelet does in production.
	healthEvery = 500 * time.Millisecond
	healthTime  = 2 * time.Second
	// comeBack is how long a prototype may take between two phases to answer its health again.
	comeBack = 20 * time.Second
	// aftermath is for how long its health is asked after the last answer: what broke inside may show only then.
	aftermath = 3 * time.Second
	// patience beyond the declared time, so that an answer which is a little late is told from none.
	patience = time.Second
	// quiet is for how long nobody asks anything but the health, before the requests are sent: what the prototype makes of
	// the system by itself shows then. afterAnswer is how long what a request led to may come after its answer.
	quiet       = time.Second
	afterAnswer = 500 * time.Millisecond
	// apart is by how much a request comes after the one before: what they lead to can be told apart then.
	apart = 100 * time.Millisecond
	// lull is how long connections may stay open after the last answer before they are counted.
	lull = 2 * time.Second
)

// Dial opens a connection to the prototype. It is where a caller forbids addresses.
type Dial func(ctx context.Context, network, address string) (net.Conn, error)

// Run plays all systems of the order on host, an empty one for all addresses, and has them down one after the other,
// each in every way. While one is, the others refuse, but for a model's gateway, which stands in. The error says why
// nothing was measured.
func Run(ctx context.Context, order evidence.FaultsOrder, host string, dial Dial) (*evidence.FaultsResult, error) {
	s, err := newShow(order, host, dial)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer s.end(context.WithoutCancel(ctx))
	return s.play(ctx)
}

func newShow(order evidence.FaultsOrder, host string, dial Dial) (*show, error) {
	config, err := certificate(order)
	if err != nil {
		return nil, err
	}
	s := &show{order: order, dial: dial, client: &http.Transport{DialContext: dial, DisableKeepAlives: true}, comeBack: comeBack, quiet: quiet, aftermath: aftermath}
	for _, played := range order.Systems {
		var secure *tls.Config
		if played.Speaks == evidence.CheckHTTPS || played.Speaks == evidence.CheckTLS {
			secure = config
		}
		s.stages = append(s.stages, newStage(host, played, secure))
	}
	return s, nil
}

func certificate(order evidence.FaultsOrder) (*tls.Config, error) {
	if order.CertFile == "" {
		return nil, nil
	}
	pair, err := tls.LoadX509KeyPair(order.CertFile, order.KeyFile)
	if err != nil {
		return nil, errors.New("the certificate to show can't be read")
	}
	return &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{pair}}, nil
}

// show is one run.
type show struct {
	order  evidence.FaultsOrder
	dial   Dial
	client *http.Transport
	stages []*stage
	// comeBack is how long the prototype may take to answer its health again.
	comeBack time.Duration
	// quiet is for how long only its health is asked before the requests are sent.
	quiet time.Duration
	// aftermath is for how long its health is asked after the last answer.
	aftermath time.Duration
}

func (s *show) end(ctx context.Context) {
	for _, stage := range s.stages {
		_ = stage.behave(ctx, away)
	}
}

func (s *show) play(ctx context.Context) (*evidence.FaultsResult, error) {
	result := &evidence.FaultsResult{}
	if err := s.set(ctx, nil, away); err != nil {
		return nil, err
	}
	if result.Started = s.answers(ctx, s.order.Start.Std()); !result.Started {
		return result, ctx.Err()
	}
	for _, tried := range s.stages {
		for _, fault := range tried.played.Faults() {
			phase, err := s.phase(ctx, tried, fault)
			if err != nil {
				return nil, err
			}
			result.Phases = append(result.Phases, phase)
			if !phase.Alive {
				return result, nil
			}
		}
	}
	if err := s.set(ctx, nil, away); err != nil {
		return nil, err
	}
	result.AliveAfter = s.answers(ctx, s.comeBack)
	return result, ctx.Err()
}

// set has one system behave in a way, and all others as while another is down.
func (s *show) set(ctx context.Context, tried *stage, now conduct) error {
	for _, stage := range s.stages {
		conduct := away
		switch {
		case stage == tried:
			conduct = now
		case stage.played.Model && !stage.played.Blind:
			conduct = standsIn
		}
		if err := stage.behave(ctx, conduct); err != nil {
			return fmt.Errorf("a system can't be played: %s", probe.Classify(err))
		}
	}
	return nil
}

// phase has one system down in one way and sends the requests.
func (s *show) phase(ctx context.Context, tried *stage, fault evidence.Fault) (evidence.FaultPhase, error) {
	phase := evidence.FaultPhase{System: tried.played.Name, Fault: fault}
	began := time.Now()
	if err := s.set(ctx, tried, conduct(fault)); err != nil {
		return phase, err
	}
	if phase.Alive = s.answers(ctx, s.comeBack); !phase.Alive {
		return phase, ctx.Err()
	}
	if fault != evidence.FaultRefused {
		s.watched(ctx, &evidence.FaultPhase{}, func() { pause(ctx, s.quiet) })
		phase.Idle = tried.part(began, true)
	}
	s.watched(ctx, &phase, func() { s.request(ctx, tried, &phase) })
	s.settle(ctx, tried)
	phase.Contacts, phase.Open = tried.seen()
	return phase, ctx.Err()
}

// request sends the requests, and stays until what they led to has shown.
func (s *show) request(ctx context.Context, tried *stage, phase *evidence.FaultPhase) {
	began := time.Now()
	phase.Answers = make([]evidence.FaultAnswer, evidence.FaultRequests)
	var all sync.WaitGroup
	for i := range phase.Answers {
		all.Go(func() {
			pause(ctx, time.Duration(i)*apart)
			phase.Answers[i] = s.ask(ctx, tried.played.Within.Std()+patience)
		})
	}
	all.Wait()
	late := min(afterAnswer, s.aftermath)
	pause(ctx, late)
	phase.Asked = tried.part(began, false)
	began = time.Now()
	pause(ctx, s.aftermath-late)
	phase.After = tried.part(began, false)
}

// watched does something while the prototype's health is asked.
func (s *show) watched(ctx context.Context, phase *evidence.FaultPhase, do func()) {
	over, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		s.watch(ctx, over, phase)
	}()
	do()
	close(over)
	<-ended
}

// settle waits until no connection is open any more, or the lull is over.
func (s *show) settle(ctx context.Context, tried *stage) {
	ctx, cancel := context.WithTimeout(ctx, lull)
	defer cancel()
	for ctx.Err() == nil {
		if _, open := tried.seen(); open == 0 {
			return
		}
		pause(ctx, 20*time.Millisecond)
	}
}

// watch asks the prototype's health at once and then at its pace, until the phase is over. The last question gets the
// time that it takes.
func (s *show) watch(ctx context.Context, over <-chan struct{}, phase *evidence.FaultPhase) {
	pace := time.NewTicker(healthEvery)
	defer pace.Stop()
	for {
		phase.HealthAsked++
		if !s.healthy(ctx) {
			phase.HealthMissed++
		}
		select {
		case <-over:
			return
		case <-pace.C:
		}
	}
}

// answers waits until the prototype's health is good.
func (s *show) answers(ctx context.Context, atMost time.Duration) bool {
	ctx, cancel := context.WithTimeout(ctx, atMost)
	defer cancel()
	for {
		if s.healthy(ctx) {
			return true
		}
		if pause(ctx, healthEvery/5); ctx.Err() != nil {
			return false
		}
	}
}

// healthy asks once, as the kubelet does: 200 to 399, or an open port where there is no path to ask.
func (s *show) healthy(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, healthTime)
	defer cancel()
	if s.order.Health == "" {
		u, err := url.Parse(s.order.URL)
		if err != nil {
			return false
		}
		port := u.Port()
		if port == "" {
			port = "80"
		}
		conn, err := s.dial(ctx, "tcp", net.JoinHostPort(u.Hostname(), port))
		if err == nil {
			_ = conn.Close()
		}
		return err == nil
	}
	status, class := s.exchange(ctx, http.MethodGet, s.order.Health, "")
	return class == evidence.ClassNone && status >= 200 && status < 400
}

// ask sends the sample request once.
func (s *show) ask(ctx context.Context, atMost time.Duration) evidence.FaultAnswer {
	ctx, cancel := context.WithTimeout(ctx, atMost)
	defer cancel()
	began := time.Now()
	status, class := s.exchange(ctx, s.order.Method, s.order.URL, s.order.Body)
	if class != evidence.ClassNone {
		status = 0
	}
	return evidence.FaultAnswer{Status: status, Class: class, ElapsedMicroseconds: evidence.MicrosOf(time.Since(began))}
}

// exchange sends one request and reads its answer to the last byte, which is thrown away unseen.
func (s *show) exchange(ctx context.Context, method, address, body string) (int, evidence.Class) {
	request, err := http.NewRequestWithContext(ctx, method, address, strings.NewReader(body))
	if err != nil {
		return 0, evidence.ClassLocal
	}
	// Set but empty: nothing says that it is a measurement.
	request.Header.Set("User-Agent", "")
	if kind := contentType(body); kind != "" {
		request.Header.Set("Content-Type", kind)
	}
	response, err := s.client.RoundTrip(request)
	if err == nil {
		defer func() { _ = response.Body.Close() }()
		_, err = io.Copy(io.Discard, response.Body)
	}
	switch class := classOf(ctx, err); {
	case class != evidence.ClassNone:
		return 0, class
	default:
		return response.StatusCode, evidence.ClassNone
	}
}

// classOf an error. What ended by the phase's own clock is a timeout of the prototype.
func classOf(ctx context.Context, err error) evidence.Class {
	if err != nil && errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return evidence.ClassTimeout
	}
	return probe.Classify(err)
}

// contentType tells a program what it gets, as the load generator does.
func contentType(body string) string {
	switch {
	case body == "":
		return ""
	case json.Valid([]byte(body)):
		return "application/json"
	}
	return "text/plain; charset=utf-8"
}

func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}
