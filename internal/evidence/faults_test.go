package evidence

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func faultsOrder() FaultsOrder {
	return FaultsOrder{URL: "http://prototype.affr-x.svc/ask", Method: "GET", Health: "http://prototype.affr-x.svc/healthz", Start: Duration(time.Minute),
		Systems:  []Played{{Name: "lms", Port: 8081, Speaks: CheckHTTPS, Within: Duration(time.Second)}, {Name: "default", Port: 8082, Speaks: CheckHTTP, Model: true}},
		CertFile: "/run/faults/tls.crt", KeyFile: "/run/faults/tls.key"}
}

func TestFaultsOrder(t *testing.T) {
	if err := faultsOrder().Validate(); err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(*FaultsOrder){
		"another scheme":    func(o *FaultsOrder) { o.URL = "file:///x" },
		"no request":        func(o *FaultsOrder) { o.Method = "DELETE" },
		"a long body":       func(o *FaultsOrder) { o.Body = strings.Repeat("x", 64<<10+1) },
		"no time to start":  func(o *FaultsOrder) { o.Start = 0 },
		"an hour to start":  func(o *FaultsOrder) { o.Start = Duration(time.Hour) },
		"no key":            func(o *FaultsOrder) { o.KeyFile = "" },
		"no certificate":    func(o *FaultsOrder) { o.CertFile, o.KeyFile = "", "" },
		"a relative file":   func(o *FaultsOrder) { o.CertFile = "tls.crt" },
		"nothing is tried":  func(o *FaultsOrder) { o.Systems[0].Within = 0 },
		"two of a name":     func(o *FaultsOrder) { o.Systems[1].Name = "lms" },
		"two on a port":     func(o *FaultsOrder) { o.Systems[1].Port = 8081 },
		"a low port":        func(o *FaultsOrder) { o.Systems[0].Port = 443 },
		"a long wait":       func(o *FaultsOrder) { o.Systems[0].Within = Duration(time.Minute) },
		"an unknown speech": func(o *FaultsOrder) { o.Systems[0].Speaks = "udp" },
		"blind in the open": func(o *FaultsOrder) { o.Systems[1].Blind = true },
		"another's health":  func(o *FaultsOrder) { o.Health = "gopher://x" },
	} {
		o := faultsOrder()
		change(&o)
		if o.Validate() == nil {
			t.Errorf("%s is taken", name)
		}
	}
}

func TestPlayedFaults(t *testing.T) {
	for name, c := range map[string]struct {
		played Played
		want   []Fault
	}{
		"not tried": {Played{Speaks: CheckHTTP}, nil},
		"http":      {Played{Speaks: CheckHTTP, Within: 1}, []Fault{FaultRefused, FaultReset, FaultSlow, FaultError, FaultGarbage}},
		"blind":     {Played{Speaks: CheckHTTPS, Blind: true, Within: 1}, []Fault{FaultRefused, FaultReset, FaultSlow}},
		"tcp":       {Played{Speaks: CheckTCP, Within: 1}, []Fault{FaultRefused, FaultReset, FaultSlow, FaultGarbage}},
	} {
		if diff := cmp.Diff(c.want, c.played.Faults()); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

func faultsResult() FaultsResult {
	p := FaultPhase{System: "lms", Fault: FaultSlow, Alive: true, Contacts: 3, HealthAsked: 2, Open: 1,
		Idle: FaultWindow{1, 1, 9}, Asked: FaultWindow{2, 3, 5}}
	for range FaultRequests {
		p.Answers = append(p.Answers, FaultAnswer{Status: 200, ElapsedMicroseconds: 7})
	}
	return FaultsResult{Started: true, Phases: []FaultPhase{p}, AliveAfter: true}
}

func TestFaultsResult(t *testing.T) {
	if err := faultsResult().Validate(); err != nil {
		t.Fatal(err)
	}
	phase := func(edit func(*FaultPhase)) func(*FaultsResult) { return func(r *FaultsResult) { edit(&r.Phases[0]) } }
	for name, change := range map[string]func(*FaultsResult){
		"phases of nothing":      func(r *FaultsResult) { r.Started = false },
		"no phases":              func(r *FaultsResult) { r.Phases = nil },
		"a phase twice":          func(r *FaultsResult) { r.Phases = append(r.Phases, r.Phases[0]) },
		"alive after its end":    phase(func(p *FaultPhase) { *p = FaultPhase{System: "lms", Fault: FaultSlow} }),
		"fewer answers":          phase(func(p *FaultPhase) { p.Answers = p.Answers[:1] }),
		"an unknown fault":       phase(func(p *FaultPhase) { p.Fault = "odd" }),
		"no name":                phase(func(p *FaultPhase) { p.System = "" }),
		"a name with a newline":  phase(func(p *FaultPhase) { p.System = "a\nb" }),
		"negative contacts":      phase(func(p *FaultPhase) { p.Contacts, p.Open = -1, -1 }),
		"more open than made":    phase(func(p *FaultPhase) { p.Open = 4 }),
		"more in parts":          phase(func(p *FaultPhase) { p.Idle.Contacts = 2 }),
		"less than nobody idle":  phase(func(p *FaultPhase) { p.Idle.Contacts = -1 }),
		"less than nobody asked": phase(func(p *FaultPhase) { p.Asked.Contacts = -1 }),
		"heard less than none":   phase(func(p *FaultPhase) { p.Asked.Heard = -1 }),
		"heard without end":      phase(func(p *FaultPhase) { p.Idle.Heard = mostCounted + 1 }),
		"heard of nobody":        phase(func(p *FaultPhase) { p.Idle.Contacts = 0 }),
		"more in the last part":  phase(func(p *FaultPhase) { p.After.Contacts = 1 }),
		"less than nobody after": phase(func(p *FaultPhase) { p.After.Contacts, p.Contacts = -1, 2 }),
		"heard of nobody at all": phase(func(p *FaultPhase) {
			p.Contacts, p.Open, p.Idle, p.Asked, p.After.Heard = 0, 0, FaultWindow{}, FaultWindow{}, 1
		}),
		"a part of an hour":      phase(func(p *FaultPhase) { p.Asked.ElapsedMicroseconds = MicrosOf(time.Hour) }),
		"a part runs backwards":  phase(func(p *FaultPhase) { p.Idle.ElapsedMicroseconds = -1 }),
		"contacts of nobody":     phase(func(p *FaultPhase) { p.Fault = FaultRefused }),
		"more missed than asked": phase(func(p *FaultPhase) { p.HealthMissed = 3 }),
		"a status and a class":   phase(func(p *FaultPhase) { p.Answers[0].Class = ClassTimeout }),
		"neither":                phase(func(p *FaultPhase) { p.Answers[0].Status = 0 }),
		"an odd class":           phase(func(p *FaultPhase) { p.Answers[0] = FaultAnswer{Class: "secret"} }),
		"time runs backwards":    phase(func(p *FaultPhase) { p.Answers[0].ElapsedMicroseconds = -1 }),
	} {
		r := faultsResult()
		change(&r)
		if r.Validate() == nil {
			t.Errorf("%s is taken", name)
		}
	}
}

// Whatever a runner that was taken over writes: what is accepted is within bounds, and is the same when written and read
// again.
func FuzzFaultsResult(f *testing.F) {
	seed, err := json.Marshal(faultsResult())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(seed)
	f.Add([]byte(`{"started":false,"aliveAfter":false}`))
	f.Add([]byte(`{"started":true,"phases":[{"system":"lms","fault":"slow","alive":false}]}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		var r FaultsResult
		if decodeStrict(raw, &r) != nil {
			return
		}
		r.Clean()
		if r.Validate() != nil {
			return
		}
		written, err := json.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		var again FaultsResult
		if err := decodeStrict(written, &again); err != nil || again.Validate() != nil {
			t.Fatalf("%v: %s", err, written)
		}
		if len(r.Phases) > maxPlayed*5 {
			t.Errorf("%d phases", len(r.Phases))
		}
	})
}
