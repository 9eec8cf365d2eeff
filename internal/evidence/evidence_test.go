package evidence_test

import (
	"bytes"
	"math"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/affineur/affineur/internal/evidence"
)

func seconds(n float64) evidence.Duration { return evidence.Duration(n * float64(time.Second)) }

func isolationRun() evidence.RunSpec {
	return evidence.RunSpec{Nonce: nonce, Subject: subject, Order: &evidence.IsolationSpec{
		Deadline: seconds(10),
		Targets: []evidence.Target{{Name: "canary", Network: "tcp", Address: "198.51.100.7:8081", Mode: "echo",
			Settle: evidence.SettleBlocked, Timeout: seconds(1)}},
	}}
}

func loadRun() evidence.RunSpec {
	return evidence.RunSpec{Nonce: nonce, Subject: subject, Order: &evidence.LoadSpec{
		URL: "http://subject.sandbox.svc:8080/ask?x=1", Method: "POST", Body: "{}",
		Headers: []evidence.Header{{Name: "Content-Type", Value: "application/json"}},
		Steps:   []evidence.Step{{RatePerSecond: "30", Duration: seconds(20)}},
		Timeout: seconds(8), Within: seconds(2), MaxInFlight: 240, MaxLag: seconds(0.2),
	}}
}

func integrationRun() evidence.RunSpec {
	return evidence.RunSpec{Nonce: nonce, Subject: subject, Order: &evidence.IntegrationSpec{
		Deadline: seconds(10),
		Checks: []evidence.Check{
			{Name: "crm", Kind: "tcp", Address: "tcp://crm.systems.svc:5432", Timeout: seconds(2)},
			{Name: "lms", Kind: "https", Address: "https://lms.systems.svc", Path: "/health", ExpectStatus: 200, CAFile: "/etc/ca/ca.crt",
				Credential: &evidence.Credential{File: "/etc/credentials/token"}, Timeout: seconds(2)},
		},
		Unreachable: evidence.As[evidence.IsolationSpec](isolationRun().Order).Targets,
	}}
}

func TestRunSpecSurvivesItsWay(t *testing.T) {
	for name, spec := range map[string]evidence.RunSpec{
		"isolation": isolationRun(), "load": loadRun(), "integration": integrationRun(),
	} {
		t.Run(name, func(t *testing.T) {
			raw, err := evidence.EncodeRun(spec)
			if err != nil {
				t.Fatal(err)
			}
			got, err := evidence.DecodeRun(raw)
			if err != nil {
				t.Fatal(err)
			}
			spec.Schema = evidence.RunSchema
			if again, err := evidence.EncodeRun(got); err != nil || !bytes.Equal(raw, again) || got.Kind() != spec.Kind() {
				t.Errorf("%s became %s: %v", raw, again, err)
			}
			if diff := cmp.Diff(spec.Order, typed(got.Order)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// typed is an order by its type.
func typed(order evidence.Body) evidence.Body {
	switch order.Kind() {
	case evidence.KindIsolation:
		return evidence.As[evidence.IsolationSpec](order)
	case evidence.KindLoad:
		return evidence.As[evidence.LoadSpec](order)
	}
	return evidence.As[evidence.IntegrationSpec](order)
}

func TestRunSpecRefuses(t *testing.T) {
	isolation := func(change func(*evidence.IsolationSpec)) evidence.RunSpec {
		s := isolationRun()
		change(s.Order.(*evidence.IsolationSpec))
		return s
	}
	target := func(change func(*evidence.Target)) evidence.RunSpec {
		return isolation(func(s *evidence.IsolationSpec) { change(&s.Targets[0]) })
	}
	load := func(change func(*evidence.LoadSpec)) evidence.RunSpec {
		s := loadRun()
		change(s.Order.(*evidence.LoadSpec))
		return s
	}
	check := func(change func(*evidence.Check)) evidence.RunSpec {
		s := integrationRun()
		change(&s.Order.(*evidence.IntegrationSpec).Checks[1])
		return s
	}
	short := isolationRun()
	short.Nonce = "short"
	files := func(files ...evidence.File) evidence.RunSpec {
		s := isolationRun()
		s.Files = files
		return s
	}
	file := evidence.File{Name: "examples.csv", Digest: subject}
	integration := func(change func(*evidence.IntegrationSpec)) evidence.RunSpec {
		s := integrationRun()
		change(s.Order.(*evidence.IntegrationSpec))
		return s
	}
	place := func(place evidence.Place) evidence.RunSpec {
		return integration(func(s *evidence.IntegrationSpec) { s.Unreachable[0].Place, s.Unreachable[0].Address = place, ":10250" })
	}
	if _, err := evidence.EncodeRun(place(evidence.PlaceNode)); err != nil {
		t.Errorf("the run's node: %v", err)
	}
	for name, spec := range map[string]evidence.RunSpec{
		"another run's node":  place(evidence.PlaceOtherNode),
		"its own pod":         place(evidence.PlaceSelf),
		"untried, no text":    integration(func(s *evidence.IntegrationSpec) { s.Untried = []string{""} }),
		"untried, a break":    integration(func(s *evidence.IntegrationSpec) { s.Untried = []string{"a\nb"} }),
		"untried, too long":   integration(func(s *evidence.IntegrationSpec) { s.Untried = []string{strings.Repeat("x", 257)} }),
		"untried, too many":   integration(func(s *evidence.IntegrationSpec) { s.Untried = slices.Repeat([]string{"x"}, 193) }),
		"nothing":             {Nonce: nonce, Subject: subject},
		"a file elsewhere":    files(evidence.File{Name: "../examples.csv", Digest: subject}),
		"a hidden file":       files(evidence.File{Name: ".examples.csv", Digest: subject}),
		"an unbound file":     files(evidence.File{Name: "examples.csv"}),
		"a file twice":        files(file, file),
		"too many files":      files(make([]evidence.File, 17)...),
		"guessable nonce":     short,
		"no targets":          isolation(func(s *evidence.IsolationSpec) { s.Targets = nil }),
		"no deadline":         isolation(func(s *evidence.IsolationSpec) { s.Deadline = 0 }),
		"window too long":     isolation(func(s *evidence.IsolationSpec) { s.Window = seconds(11) }),
		"same name":           isolation(func(s *evidence.IsolationSpec) { s.Targets = append(s.Targets, s.Targets[0]) }),
		"no name":             target(func(t *evidence.Target) { t.Name = "" }),
		"blocked name":        target(func(t *evidence.Target) { t.Address = "canary.svc:8081" }),
		"no port":             target(func(t *evidence.Target) { t.Address = "198.51.100.7" }),
		"port zero":           target(func(t *evidence.Target) { t.Address = "198.51.100.7:0" }),
		"udp connect":         target(func(t *evidence.Target) { t.Network, t.Mode = "udp", "connect" }),
		"no timeout":          target(func(t *evidence.Target) { t.Timeout = 0 }),
		"user info":           load(func(s *evidence.LoadSpec) { s.URL = "http://a:b@subject:8080/" }),
		"other scheme":        load(func(s *evidence.LoadSpec) { s.URL = "file:///etc/passwd" }),
		"no host":             load(func(s *evidence.LoadSpec) { s.URL = "http://:80/" }),
		"method":              load(func(s *evidence.LoadSpec) { s.Method = "DELETE" }),
		"header break":        load(func(s *evidence.LoadSpec) { s.Headers[0].Value = "a\r\nHost: b" }),
		"no steps":            load(func(s *evidence.LoadSpec) { s.Steps = nil }),
		"rate of NaN":         load(func(s *evidence.LoadSpec) { s.Steps[0].RatePerSecond = "NaN" }),
		"rate of zero":        load(func(s *evidence.LoadSpec) { s.Steps[0].RatePerSecond = "0" }),
		"negative rate":       load(func(s *evidence.LoadSpec) { s.Steps[0].RatePerSecond = "-1" }),
		"rate with exponent":  load(func(s *evidence.LoadSpec) { s.Steps[0].RatePerSecond = "1e9" }),
		"less than one":       load(func(s *evidence.LoadSpec) { s.Steps[0].RatePerSecond = "0.01" }),
		"bad warm-up":         load(func(s *evidence.LoadSpec) { s.WarmUp = &evidence.Step{RatePerSecond: "1"} }),
		"promise over limit":  load(func(s *evidence.LoadSpec) { s.Within = seconds(9) }),
		"none in flight":      load(func(s *evidence.LoadSpec) { s.MaxInFlight = 0 }),
		"no lag limit":        load(func(s *evidence.LoadSpec) { s.MaxLag = 0 }),
		"large body":          load(func(s *evidence.LoadSpec) { s.Body = strings.Repeat("x", 64<<10+1) }),
		"kind":                check(func(c *evidence.Check) { c.Kind = "grpc" }),
		"path without slash":  check(func(c *evidence.Check) { c.Path = "health" }),
		"relative CA":         check(func(c *evidence.Check) { c.CAFile = "ca.crt" }),
		"CA by dots":          check(func(c *evidence.Check) { c.CAFile = "/etc/../proc/self/environ" }),
		"credential over tcp": check(func(c *evidence.Check) { c.Kind, c.Path, c.ExpectStatus = "tcp", "", 0 }),
		"tcp without port":    check(func(c *evidence.Check) { c.Address = "tcp://lms.svc" }),
	} {
		t.Run(name, func(t *testing.T) {
			if raw, err := evidence.EncodeRun(spec); err == nil {
				t.Errorf("accepted: %s", raw)
			}
		})
	}
}

func TestDecodeRunIsStrict(t *testing.T) {
	raw, err := evidence.EncodeRun(loadRun())
	if err != nil {
		t.Fatal(err)
	}
	good := string(raw)
	for name, bad := range map[string]string{
		"empty":    "",
		"trailing": good + "x",
		"unknown":  strings.Replace(good, `{`, `{"proxy":"http://evil",`, 1),
		"repeated": strings.Replace(good, `"nonce"`, `"subject":"x","nonce"`, 1),
		"cased":    strings.Replace(good, `"nonce"`, `"NONCE"`, 1),
		"long":     good + strings.Repeat(" ", evidence.MaxRunBytes),
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := evidence.DecodeRun([]byte(bad)); err == nil {
				t.Error("accepted")
			}
		})
	}
}

func TestSealRefuses(t *testing.T) {
	big := isolationReport()
	found := big.Result.(*evidence.IsolationReport)
	for len(found.Targets) < 65 {
		found.Targets = append(found.Targets, found.Targets[0])
	}
	for name, r := range map[string]evidence.Report{"nothing": {}, "too many results": big} {
		if _, _, err := evidence.Seal(r); err == nil {
			t.Errorf("%s: sealed", name)
		}
	}
	if _, err := evidence.SealFailure(evidence.RunSpec{}, "\n", started, finished); err == nil {
		t.Error("sealed a failure without a reason")
	}
	raw, err := evidence.SealFailure(evidence.RunSpec{}, strings.Repeat("\"é", 4000), started, finished)
	if err != nil || len(raw) > evidence.MaxEnvelopeBytes {
		t.Errorf("a long failure gives %d bytes, %v", len(raw), err)
	}
}

func TestClean(t *testing.T) {
	for in, want := range map[string]string{
		"":                        "",
		"plain":                   "plain",
		" a\n\tb\r\nc ":           "a b c",
		"a\x1b[31mred\x07":        "a[31mred",
		"a\u202eb\u2066c\u200bd":  "abcd",
		"a\u2028b":                "a b",
		"a\xff\xfeb":              "ab",
		"müde":                    "müde",
		strings.Repeat("x", 11):   "xxxxxxx…",
		strings.Repeat("ü", 6):    "üüü…",
		"private use \ue000 area": "private…",
	} {
		got := evidence.Clean(in, 10)
		if got != want {
			t.Errorf("Clean(%q) = %q, want %q", in, got, want)
		}
		if len(got) > 10 || !utf8.ValidString(got) || evidence.Clean(got, 10) != got {
			t.Errorf("Clean(%q) = %q is not clean", in, got)
		}
	}
}

func TestDecimals(t *testing.T) {
	for _, bad := range []string{"", "NaN", "Inf", "-1", "+1", "1e3", "0x1p3", "1_000", ".5", "5.", " 1", "1 ", "1,5", "12345678901", "0.1234567"} {
		if v, err := evidence.ParseDecimal(bad); err == nil {
			t.Errorf("%q was read as %v", bad, v)
		}
	}
	for _, bad := range []float64{math.NaN(), math.Inf(1), -0.5, 1e9} {
		if s, err := evidence.FormatDecimal(bad); err == nil {
			t.Errorf("%v was written as %q", bad, s)
		}
	}
	for v, want := range map[float64]string{0: "0", 30: "30", 0.15: "0.15", 13.4: "13.4", 1.0 / 3: "0.333"} {
		if s, err := evidence.FormatDecimal(v); err != nil || s != want {
			t.Errorf("%v was written as %q, %v; want %q", v, s, err, want)
		}
	}
}

func TestArrivals(t *testing.T) {
	for _, c := range []struct {
		rate     string
		duration float64
		want     int64
	}{{"30", 20, 600}, {"30", 0.1, 3}, {"0.15", 20, 3}, {"0.3", 10, 3}, {"0.01", 20, 0}, {"x", 20, 0}, {"10", -1, 0}} {
		if got := (evidence.Step{RatePerSecond: c.rate, Duration: seconds(c.duration)}).Arrivals(); got != c.want {
			t.Errorf("%s/s for %v s: %d arrivals, want %d", c.rate, c.duration, got, c.want)
		}
	}
}
