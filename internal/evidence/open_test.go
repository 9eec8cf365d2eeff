package evidence_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/affineur/affineur/internal/evidence"
)

const (
	nonce = "0123456789abcdef0123456789abcdef"
	// subject is the digest of nothing; any well-formed digest does.
	subject = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
)

var (
	started  = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	finished = started.Add(3 * time.Second)
)

func isolationReport() evidence.Report {
	reachedAt := started.Add(time.Second)
	return evidence.Report{
		Schema: evidence.ReportSchema, Nonce: nonce, Subject: subject, StartedAt: started, FinishedAt: finished,
		Result: &evidence.IsolationReport{Targets: []evidence.TargetResult{
			{Name: "canary", Network: "tcp", Address: "198.51.100.7:8081", Class: evidence.ClassTimeout, Settled: true,
				Attempts: 3, Since: started, Until: finished, ElapsedMicroseconds: 1000000},
			{Name: "allowed", Network: "tcp", Address: "198.51.100.7:8082", Reached: true, Settled: true, Attempts: 1, Reaches: 1,
				Since: started, Until: reachedAt, FirstReachedAt: &reachedAt, LastReachedAt: &reachedAt, UpSince: &started},
		}},
	}
}

func loadReport() evidence.Report {
	return evidence.Report{
		Schema: evidence.ReportSchema, Nonce: nonce, Subject: subject, StartedAt: started, FinishedAt: finished,
		Result: &evidence.LoadReport{Within: evidence.Duration(time.Second), Steps: []evidence.StepResult{{
			RatePerSecond: "30", Duration: evidence.Duration(20 * time.Second), Planned: 600, Succeeded: 598,
			Failures: evidence.LoadFailures{Timeout: 1, NotSent: 1}, WithinTarget: 598,
			Latency: evidence.Latency{Min: 1, Mean: 3, P50: 2, P90: 3, P95: 4, P99: 5, P999: 6, Max: 7},
		}}},
	}
}

func integrationReport() evidence.Report {
	return evidence.Report{
		Schema: evidence.ReportSchema, Nonce: nonce, Subject: subject, StartedAt: started, FinishedAt: finished,
		Result: &evidence.IntegrationReport{
			Untried: []string{"integration hr (its name does not resolve)"},
			Checks:  []evidence.CheckResult{{Name: "lms", Class: evidence.ClassStatus, Status: 503, Attempts: 4}},
			Unreachable: []evidence.TargetResult{{Name: "canary", Network: "tcp", Address: "198.51.100.7:8081", Settled: true,
				Class: evidence.ClassRefused, Attempts: 3, Since: started, Until: finished}},
		},
	}
}

func expect(kind evidence.Kind) evidence.Expect {
	return evidence.Expect{Nonce: nonce, Subject: subject, Kind: kind}
}

func seal(t testing.TB, r evidence.Report) (line, envelope []byte) {
	t.Helper()
	line, envelope, err := evidence.Seal(r)
	if err != nil {
		t.Fatal(err)
	}
	return line, envelope
}

func TestOpenReturnsWhatWasSealed(t *testing.T) {
	for name, r := range map[string]evidence.Report{
		"isolation": isolationReport(), "load": loadReport(), "integration": integrationReport(),
	} {
		t.Run(name, func(t *testing.T) {
			line, envelope := seal(t, r)
			if bytes.Count(line, []byte("\n")) != 1 || !bytes.HasSuffix(line, []byte("\n")) {
				t.Fatalf("the report is not one line: %q", line)
			}
			if len(envelope) > evidence.MaxEnvelopeBytes {
				t.Fatalf("envelope of %d bytes", len(envelope))
			}
			log := slices.Concat([]byte("starting\n"), line, []byte("done\n"))
			opened, err := evidence.Open(envelope, log, expect(r.Kind()))
			if err != nil {
				t.Fatal(err)
			}
			got := *opened.Report
			got.Result = result(got.Result)
			if diff := cmp.Diff(r, got); diff != "" {
				t.Errorf("the report changed on its way (-sealed +opened):\n%s", diff)
			}
			again, err := evidence.OpenRecord(opened.Raw, opened.Digest, expect(r.Kind()))
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(opened.Raw, again.Raw) || opened.Digest != again.Digest {
				t.Errorf("the kept report differs from the opened one:\n%s\n%s", opened.Raw, again.Raw)
			}
		})
	}
}

// edit changes one key of a JSON object, or removes it where value is nil.
func edit(t *testing.T, raw []byte, key string, value any) []byte {
	t.Helper()
	var m map[string]any
	if err := json.Unmarshal(raw, &m); err != nil {
		t.Fatal(err)
	}
	if value == nil {
		delete(m, key)
	} else {
		m[key] = value
	}
	out, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// vouch makes an envelope for a report whose JSON a test chose.
func vouch(t *testing.T, raw []byte, kind evidence.Kind) []byte {
	t.Helper()
	out, err := json.Marshal(evidence.Envelope{
		Schema: evidence.EnvelopeSchema, Nonce: nonce, Subject: subject, Kind: kind,
		ReportDigest: evidence.Digest(raw), ReportBytes: len(raw), StartedAt: started, FinishedAt: finished,
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestOpenRefusesEnvelopes(t *testing.T) {
	line, good := seal(t, isolationReport())
	want := expect(evidence.KindIsolation)
	failure, err := evidence.SealFailure(evidence.RunSpec{Nonce: nonce, Subject: subject, Order: &evidence.IsolationSpec{}},
		"no\x1b[31m sockets\nleft", started, finished)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		envelope []byte
		want     evidence.Expect
		problem  evidence.Problem
	}{
		"none":            {nil, want, evidence.ProblemEnvelopeMissing},
		"white space":     {[]byte(" \n"), want, evidence.ProblemEnvelopeMissing},
		"too long":        {bytes.Repeat([]byte("x"), evidence.MaxEnvelopeBytes+1), want, evidence.ProblemEnvelopeMalformed},
		"not JSON":        {[]byte("Error: boom"), want, evidence.ProblemEnvelopeMalformed},
		"cut":             {good[:len(good)-3], want, evidence.ProblemEnvelopeMalformed},
		"trailing":        {append(slices.Clone(good), "{}"...), want, evidence.ProblemEnvelopeMalformed},
		"unknown field":   {edit(t, good, "verdict", "Passed"), want, evidence.ProblemEnvelopeMalformed},
		"other case":      {bytes.Replace(good, []byte(`"nonce"`), []byte(`"Nonce"`), 1), want, evidence.ProblemEnvelopeMalformed},
		"repeated field":  {bytes.Replace(good, []byte(`{`), []byte(`{"nonce":"other",`), 1), want, evidence.ProblemEnvelopeMalformed},
		"other schema":    {edit(t, good, "schema", "affineur.dev/envelope/v2"), want, evidence.ProblemEnvelopeMalformed},
		"other nonce":     {edit(t, good, "nonce", "ffffffffffffffffffffffffffffffff"), want, evidence.ProblemOtherRun},
		"nothing asked":   {edit(t, failure, "nonce", ""), evidence.Expect{Subject: subject, Kind: evidence.KindIsolation}, evidence.ProblemOtherRun},
		"other subject":   {edit(t, good, "subject", "sha256:"+strings.Repeat("0", 64)), want, evidence.ProblemOtherRun},
		"other kind":      {good, expect(evidence.KindLoad), evidence.ProblemOtherRun},
		"no digest":       {edit(t, good, "reportDigest", nil), want, evidence.ProblemEnvelopeMalformed},
		"negative length": {edit(t, good, "reportBytes", -1), want, evidence.ProblemEnvelopeMalformed},
		"huge length":     {edit(t, good, "reportBytes", evidence.MaxReportBytes+1), want, evidence.ProblemEnvelopeMalformed},
		"other digest":    {edit(t, good, "reportDigest", "sha256:"+strings.Repeat("0", 64)), want, evidence.ProblemReportAltered},
		"other length":    {edit(t, good, "reportBytes", 17), want, evidence.ProblemReportAltered},
		"other times":     {edit(t, good, "startedAt", "2025-03-01T12:00:00Z"), want, evidence.ProblemReportMalformed},
		"failure":         {failure, want, evidence.ProblemRunFailed},
		"failure and report": {edit(t, good, "failure", "not really"), want,
			evidence.ProblemRunFailed},
	} {
		t.Run(name, func(t *testing.T) {
			opened, err := evidence.Open(c.envelope, line, c.want)
			var refused *evidence.Error
			if opened != nil || !errors.As(err, &refused) {
				t.Fatalf("got %v, %v; want an *evidence.Error", opened, err)
			}
			if refused.Problem != c.problem {
				t.Errorf("problem %v, want %s", refused, c.problem)
			}
			if strings.ContainsAny(refused.Error(), "\x1b\n") {
				t.Errorf("control characters in %q", refused)
			}
		})
	}
}

func TestOpenRefusesLogs(t *testing.T) {
	line, envelope := seal(t, isolationReport())
	raw := bytes.TrimSuffix(bytes.TrimPrefix(line, []byte(evidence.ReportPrefix)), []byte("\n"))
	for name, c := range map[string]struct {
		log     []byte
		problem evidence.Problem
	}{
		"empty":      {nil, evidence.ProblemReportMissing},
		"no report":  {[]byte("hello\n"), evidence.ProblemReportMissing},
		"quoted":     {append([]byte(`msg="`), line...), evidence.ProblemReportMissing},
		"twice":      {slices.Concat(line, line), evidence.ProblemReportAmbiguous},
		"another":    {slices.Concat(line, []byte(evidence.ReportPrefix+"{}\n")), evidence.ProblemReportAmbiguous},
		"cut":        {line[:len(line)-10], evidence.ProblemReportAltered},
		"same size":  {bytes.Replace(line, []byte(`"class":"Timeout"`), []byte(`"class":"Refused"`), 1), evidence.ProblemReportAltered},
		"carriage":   {bytes.Replace(line, []byte("\n"), []byte("\r\n"), 1), evidence.ProblemReportAltered},
		"line break": {bytes.Replace(line, []byte(","), []byte(",\n"), 1), evidence.ProblemReportAltered},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := evidence.Open(envelope, c.log, expect(evidence.KindIsolation))
			wantProblem(t, err, c.problem)
		})
	}
	t.Run("no newline at the end", func(t *testing.T) {
		if _, err := evidence.Open(envelope, []byte(evidence.ReportPrefix+string(raw)), expect(evidence.KindIsolation)); err != nil {
			t.Fatal(err)
		}
	})
}

// A runner image that IT names may write what it likes and vouch for it: form and arithmetic are checked all the same.
func TestOpenRefusesVouchedReports(t *testing.T) {
	encode := func(r evidence.Report) []byte {
		raw, err := json.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		return raw
	}
	isolation := func(change func(*evidence.TargetResult)) []byte {
		r := isolationReport()
		change(&r.Result.(*evidence.IsolationReport).Targets[0])
		return encode(r)
	}
	load := func(change func(*evidence.StepResult)) []byte {
		r := loadReport()
		change(&r.Result.(*evidence.LoadReport).Steps[0])
		return encode(r)
	}
	other := isolationReport()
	other.Nonce = strings.Repeat("f", 32)
	backwards := isolationReport()
	backwards.StartedAt, backwards.FinishedAt = finished, started
	for name, c := range map[string]struct {
		raw     []byte
		problem evidence.Problem
	}{
		"null":             {[]byte("null"), evidence.ProblemReportMalformed},
		"not JSON":         {[]byte("{"), evidence.ProblemReportMalformed},
		"NaN":              {[]byte(`{"nonce":NaN}`), evidence.ProblemReportMalformed},
		"too long":         {bytes.Repeat([]byte(" "), evidence.MaxReportBytes+1), evidence.ProblemEnvelopeMalformed},
		"unknown field":    {edit(t, encode(isolationReport()), "answer", "text"), evidence.ProblemReportMalformed},
		"other run":        {encode(other), evidence.ProblemOtherRun},
		"backwards":        {encode(backwards), evidence.ProblemReportMalformed},
		"unknown class":    {isolation(func(r *evidence.TargetResult) { r.Class = "Fine" }), evidence.ProblemReportMalformed},
		"reached by word":  {isolation(func(r *evidence.TargetResult) { r.Reached = true }), evidence.ProblemReportMalformed},
		"never tried":      {isolation(func(r *evidence.TargetResult) { r.Attempts = 0 }), evidence.ProblemReportMalformed},
		"negative reaches": {isolation(func(r *evidence.TargetResult) { r.Reaches = -1 }), evidence.ProblemReportMalformed},
		"same name":        {isolation(func(r *evidence.TargetResult) { r.Name = "allowed" }), evidence.ProblemReportMalformed},
		"name of controls": {isolation(func(r *evidence.TargetResult) { r.Name = "\x00\x1b" }), evidence.ProblemReportMalformed},
		"same when clean":  {isolation(func(r *evidence.TargetResult) { r.Name = "allowed\x00" }), evidence.ProblemReportMalformed},
		"does not add up":  {load(func(s *evidence.StepResult) { s.Succeeded++; s.WithinTarget++ }), evidence.ProblemReportMalformed},
		"negative count":   {load(func(s *evidence.StepResult) { s.Failures.Timeout = -1; s.Succeeded = 600 }), evidence.ProblemReportMalformed},
		"overflow": {load(func(s *evidence.StepResult) {
			s.Failures.Timeout, s.Failures.Connect = 1<<62, -(1<<62)+1
		}), evidence.ProblemReportMalformed},
		"fewer planned":      {load(func(s *evidence.StepResult) { s.Planned, s.Succeeded, s.WithinTarget = 500, 498, 498 }), evidence.ProblemReportMalformed},
		"rate of NaN":        {load(func(s *evidence.StepResult) { s.RatePerSecond = "NaN" }), evidence.ProblemReportMalformed},
		"negative rate":      {load(func(s *evidence.StepResult) { s.RatePerSecond = "-30" }), evidence.ProblemReportMalformed},
		"percentiles mixed":  {load(func(s *evidence.StepResult) { s.Latency.P95 = 1 }), evidence.ProblemReportMalformed},
		"negative latency":   {load(func(s *evidence.StepResult) { s.Latency.Min = -1 }), evidence.ProblemReportMalformed},
		"more than answered": {load(func(s *evidence.StepResult) { s.WithinTarget = 599 }), evidence.ProblemReportMalformed},
		"quietly unfinished": {load(func(s *evidence.StepResult) { s.Unfinished, s.Succeeded, s.WithinTarget = 8, 590, 590 }), evidence.ProblemReportMalformed},
		"quietly limited":    {load(func(s *evidence.StepResult) { s.GeneratorLimited = true }), evidence.ProblemReportMalformed},
	} {
		t.Run(name, func(t *testing.T) {
			kind := evidence.KindIsolation
			if bytes.Contains(c.raw, []byte(`"kind":"load"`)) {
				kind = evidence.KindLoad
			}
			line := slices.Concat([]byte(evidence.ReportPrefix), c.raw, []byte("\n"))
			opened, err := evidence.Open(vouch(t, c.raw, kind), line, expect(kind))
			if err == nil {
				// What only the result's own type can tell is told when it is read.
				if read(opened.Report.Result) == nil {
					t.Error("it was taken")
				}
				return
			}
			wantProblem(t, err, c.problem)
		})
	}
}

// A report that was kept counts for what was asked and for nothing else, also where nobody vouches for it but its digest.
func TestOpenRecordRefusesOtherRuns(t *testing.T) {
	raw, err := json.Marshal(isolationReport())
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]evidence.Expect{
		"another nonce":   {Nonce: strings.Repeat("f", 32), Subject: subject, Kind: evidence.KindIsolation},
		"another subject": {Nonce: nonce, Subject: "sha256:" + strings.Repeat("0", 64), Kind: evidence.KindIsolation},
		"another kind":    expect(evidence.KindLoad),
	} {
		t.Run(name, func(t *testing.T) {
			_, err := evidence.OpenRecord(raw, evidence.Digest(raw), want)
			wantProblem(t, err, evidence.ProblemOtherRun)
		})
	}
	if _, err := evidence.OpenRecord(raw, evidence.Digest(raw), evidence.Expect{Nonce: nonce, Subject: subject}); err != nil {
		t.Errorf("whoever reads the result has to know its kind, not whoever opens it: %v", err)
	}
}

// result of a report by its type.
func result(r evidence.Result) evidence.Result {
	switch r.Kind() {
	case evidence.KindIsolation:
		return evidence.As[evidence.IsolationReport](r)
	case evidence.KindLoad:
		return evidence.As[evidence.LoadReport](r)
	}
	return evidence.As[evidence.IntegrationReport](r)
}

// read says what is wrong with a result of either type, or nil.
func read(result evidence.Result) error {
	if result.Kind() == evidence.KindLoad {
		_, err := evidence.Read[evidence.LoadReport](result)
		return err
	}
	_, err := evidence.Read[evidence.IsolationReport](result)
	return err
}

func TestOpenCleansNames(t *testing.T) {
	r := isolationReport()
	r.Result.(*evidence.IsolationReport).Targets[0].Name = "ca\x1b[2Jnary\u202e"
	raw, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	opened, err := evidence.Open(vouch(t, raw, evidence.KindIsolation),
		slices.Concat([]byte(evidence.ReportPrefix), raw), expect(evidence.KindIsolation))
	if err != nil {
		t.Fatal(err)
	}
	if got := evidence.As[evidence.IsolationReport](opened.Report.Result).Targets[0].Name; got != "ca[2Jnary" {
		t.Errorf("name %q was not cleaned", got)
	}
}

func wantProblem(t *testing.T, err error, want evidence.Problem) {
	t.Helper()
	var refused *evidence.Error
	if !errors.As(err, &refused) {
		t.Fatalf("got %v, want an *evidence.Error", err)
	}
	if refused.Problem != want {
		t.Errorf("problem %v, want %s", refused, want)
	}
}

// FuzzOpen looks for inputs that make Open panic, return something unverified, or show control characters.
func FuzzOpen(f *testing.F) {
	for _, r := range []evidence.Report{isolationReport(), loadReport(), integrationReport()} {
		line, envelope := seal(f, r)
		f.Add(envelope, line)
		f.Add(envelope, append(line, line...))
		f.Add(envelope[:len(envelope)/2], line)
		f.Add(envelope, line[:len(line)/2])
	}
	f.Add([]byte(nil), []byte(nil))
	f.Add([]byte(`{"schema":"affineur.dev/envelope/v1","nonce":"`+nonce+`","failure":"\u001b[31m"}`), []byte("x"))
	f.Add([]byte("[[[[[[[["), []byte(evidence.ReportPrefix+"[[[[[["))
	f.Fuzz(func(t *testing.T, envelope, log []byte) {
		for _, kind := range []evidence.Kind{evidence.KindIsolation, evidence.KindLoad, evidence.KindIntegration} {
			opened, err := evidence.Open(envelope, log, expect(kind))
			if err != nil {
				wantClean(t, err)
				continue
			}
			r := opened.Report
			if r.Nonce != nonce || r.Subject != subject || r.Kind() != kind || r.Validate() != nil {
				t.Fatalf("opened what it should not: %+v", r)
			}
			if evidence.Digest(opened.Raw) != opened.Digest || !bytes.Contains(log, opened.Raw) {
				t.Fatal("the raw report is not the log's")
			}
		}
		// The digest hides the report from a fuzzer, so give it a way past the envelope.
		if opened, err := evidence.OpenRecord(log, evidence.Digest(log), expect(evidence.KindLoad)); err == nil {
			if _, _, err := evidence.Seal(*opened.Report); err != nil {
				t.Fatalf("an opened report can't be sealed: %v", err)
			}
		}
	})
}

func wantClean(t *testing.T, err error) {
	t.Helper()
	var refused *evidence.Error
	if !errors.As(err, &refused) {
		t.Fatalf("untyped error %v", err)
	}
	for _, r := range refused.Error() {
		if r < ' ' || r == 0x7f {
			t.Fatalf("control character in %q", refused.Error())
		}
	}
}
