package evidence

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"time"
)

var conditions = Conditions{SuccessWhen: "true", FailureWhen: "false"}

func TestResourceOrder(t *testing.T) {
	good := ResourceOrder{APIVersion: "scan.example.org/v1", ObjectKind: "ScanReport", Namespace: "scans", Name: "a-b.c", TimeFrom: "object.at", Conditions: conditions}
	for name, tc := range map[string]struct {
		mend func(*ResourceOrder)
		bad  bool
	}{
		"good":                     {func(*ResourceOrder) {}, false},
		"of the cluster":           {func(o *ResourceOrder) { o.Namespace = "" }, false},
		"core":                     {func(o *ResourceOrder) { o.APIVersion, o.ObjectKind = "v1", "ConfigMap" }, false},
		"a Secret":                 {func(o *ResourceOrder) { o.APIVersion, o.ObjectKind = "v1", "Secret" }, true},
		"Secrets":                  {func(o *ResourceOrder) { o.APIVersion, o.ObjectKind = "v1", "SecretList" }, true},
		"a Secret of another name": {func(o *ResourceOrder) { o.APIVersion, o.ObjectKind = "core/v1", "Secret" }, true},
		"a path":                   {func(o *ResourceOrder) { o.Name = "../../v1/secrets/a" }, true},
		"a path as namespace":      {func(o *ResourceOrder) { o.Namespace = "a/b" }, true},
		"no name":                  {func(o *ResourceOrder) { o.Name = "" }, true},
		"no time":                  {func(o *ResourceOrder) { o.TimeFrom = "" }, true},
		"no kind":                  {func(o *ResourceOrder) { o.ObjectKind = "scanreports" }, true},
		"no version":               {func(o *ResourceOrder) { o.APIVersion = "scan.example.org" }, true},
		"no failure":               {func(o *ResourceOrder) { o.FailureWhen = "" }, true},
		"no success":               {func(o *ResourceOrder) { o.SuccessWhen = "" }, true},
	} {
		o := good
		tc.mend(&o)
		if err := o.Validate(); (err != nil) != tc.bad {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestResourceResult(t *testing.T) {
	at := time.Date(2026, 5, 4, 10, 0, 0, 0, time.UTC)
	holds := &Answers{Success: AnswerHolds, Failure: AnswerDoesNot}
	for name, tc := range map[string]struct {
		result ResourceResult
		bad    bool
	}{
		"read":                        {ResourceResult{Found: FoundObject, UID: "a", MadeAt: &at, Answers: holds}, false},
		"read, of no time":            {ResourceResult{Found: FoundObject, UID: "a", MadeWhy: "there is no field at", Answers: holds}, false},
		"missing":                     {ResourceResult{Found: FoundNothing}, false},
		"no such kind":                {ResourceResult{Found: FoundNoKind}, false},
		"where a team may write":      {ResourceResult{Found: FoundTeams}, false},
		"forbidden":                   {ResourceResult{Found: FoundForbidden, Rule: "{}"}, false},
		"nothing":                     {ResourceResult{}, true},
		"missing, with answers":       {ResourceResult{Found: FoundNothing, Answers: holds}, true},
		"read, without answers":       {ResourceResult{Found: FoundObject, UID: "a", MadeAt: &at}, true},
		"read, without a time":        {ResourceResult{Found: FoundObject, UID: "a", Answers: holds}, true},
		"read, of nobody":             {ResourceResult{Found: FoundObject, MadeAt: &at, Answers: holds}, true},
		"a time and none":             {ResourceResult{Found: FoundObject, UID: "a", MadeAt: &at, MadeWhy: "b", Answers: holds}, true},
		"an answer of another kind":   {ResourceResult{Found: FoundObject, UID: "a", MadeAt: &at, Answers: &Answers{Success: "Yes", Failure: AnswerDoesNot}}, true},
		"no answer, and no reason":    {ResourceResult{Found: FoundObject, UID: "a", MadeAt: &at, Answers: &Answers{Success: AnswerNone, Failure: AnswerDoesNot}}, true},
		"an answer, and why it isn't": {ResourceResult{Found: FoundObject, UID: "a", MadeAt: &at, Answers: &Answers{Success: AnswerHolds, SuccessWhy: "a", Failure: AnswerDoesNot}}, true},
	} {
		if err := tc.result.Validate(); (err != nil) != tc.bad {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestMetricResult(t *testing.T) {
	good := MetricResult{
		Outcome: MetricAnswered, Start: time.Unix(600, 0).UTC(), End: time.Unix(1200, 0).UTC(), Series: 2, Lowest: "-1.5", Highest: "2e+30",
		Answers: &Answers{Success: AnswerHolds, Failure: AnswerDoesNot},
	}
	for name, tc := range map[string]struct {
		mend func(*MetricResult)
		bad  bool
	}{
		"good":                   {func(*MetricResult) {}, false},
		"unanswered":             {func(r *MetricResult) { r.Outcome, r.Answers, r.Lowest, r.Highest = MetricNoData, nil, "", "" }, false},
		"answers to nothing":     {func(r *MetricResult) { r.Outcome = MetricNoData }, true},
		"values of nothing":      {func(r *MetricResult) { r.Outcome, r.Answers = MetricNoData, nil }, true},
		"no answers":             {func(r *MetricResult) { r.Answers = nil }, true},
		"no series":              {func(r *MetricResult) { r.Series = 0 }, true},
		"too many series":        {func(r *MetricResult) { r.Series = MaxSeries + 1 }, true},
		"not a number":           {func(r *MetricResult) { r.Highest = "NaN" }, true},
		"infinite":               {func(r *MetricResult) { r.Highest = "1e+999" }, true},
		"lowest above highest":   {func(r *MetricResult) { r.Lowest, r.Highest = "3", "2" }, true},
		"one of two values":      {func(r *MetricResult) { r.Series = 1 }, true},
		"no window":              {func(r *MetricResult) { r.End = r.Start }, true},
		"parts of a second":      {func(r *MetricResult) { r.Start = r.Start.Add(time.Millisecond) }, true},
		"an outcome of its own":  {func(r *MetricResult) { r.Outcome = "Fine" }, true},
		"a window without start": {func(r *MetricResult) { r.Start = time.Time{} }, true},
	} {
		r := good
		tc.mend(&r)
		if err := r.Validate(); (err != nil) != tc.bad {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestJobOrder(t *testing.T) {
	image := "registry.example.org/a@sha256:" + strings.Repeat("a", 64)
	good := JobOrder{URL: "http://prototype.affx-a:8080", Prototype: "membership/churn-advisor", Image: image, Settings: []Setting{{"tone", "friendly"}}}
	for name, tc := range map[string]struct {
		mend func(*JobOrder)
		bad  bool
	}{
		"good":           {func(*JobOrder) {}, false},
		"no network":     {func(o *JobOrder) { o.URL = "" }, false},
		"another scheme": {func(o *JobOrder) { o.URL = "file:///etc/passwd" }, true},
		"by tag":         {func(o *JobOrder) { o.Image = "registry.example.org/a:1" }, true},
		"twice":          {func(o *JobOrder) { o.Settings = append(o.Settings, o.Settings[0]) }, true},
		"too long":       {func(o *JobOrder) { o.Settings = []Setting{{"a", strings.Repeat("a", 1025)}} }, true},
		"nobody":         {func(o *JobOrder) { o.Prototype = "" }, true},
	} {
		o := good
		tc.mend(&o)
		if err := o.Validate(); (err != nil) != tc.bad {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestJobResult(t *testing.T) {
	finding := JobFinding{Message: "no title", Owner: "Business"}
	for name, tc := range map[string]struct {
		result JobResult
		bad    bool
	}{
		"passed":                    {JobResult{Verdict: JobPassed, Summary: "fine", Measurements: []Measurement{{"titles", "12", "pages"}, {"drift", "-0.5", ""}}}, false},
		"failed":                    {JobResult{Verdict: JobFailed, Summary: "not so", Findings: []JobFinding{finding}}, false},
		"unknown":                   {JobResult{Verdict: JobInconclusive, Summary: "no answer"}, false},
		"unknown, with findings":    {JobResult{Verdict: JobInconclusive, Summary: "no answer", Findings: []JobFinding{finding}}, false},
		"no verdict":                {JobResult{Summary: "fine"}, true},
		"another verdict":           {JobResult{Verdict: "passed", Summary: "fine"}, true},
		"no summary":                {JobResult{Verdict: JobPassed}, true},
		"passed with findings":      {JobResult{Verdict: JobPassed, Summary: "fine", Findings: []JobFinding{finding}}, true},
		"failed without":            {JobResult{Verdict: JobFailed, Summary: "not so"}, true},
		"of nobody":                 {JobResult{Verdict: JobFailed, Summary: "not so", Findings: []JobFinding{{Message: "a", Owner: "Team"}}}, true},
		"not a number":              {JobResult{Verdict: JobPassed, Summary: "fine", Measurements: []Measurement{{"a", "NaN", ""}}}, true},
		"measured twice":            {JobResult{Verdict: JobPassed, Summary: "fine", Measurements: []Measurement{{"a", "1", ""}, {"a", "2", ""}}}, true},
		"a name that is a sentence": {JobResult{Verdict: JobPassed, Summary: "fine", Measurements: []Measurement{{"a b", "1", ""}}}, true},
		"too many findings":         {JobResult{Verdict: JobFailed, Summary: "not so", Findings: make([]JobFinding, MaxJobFindings+1)}, true},
	} {
		if err := tc.result.Validate(); (err != nil) != tc.bad {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// FuzzJobResult: what an image of IT's own says is read strictly; what is accepted is fit to be shown, and is the same
// when it was written and read again.
func FuzzJobResult(f *testing.F) {
	for _, seed := range []string{
		`{"verdict":"Passed","summary":"fine","measurements":[{"name":"a","value":"1.5","unit":"s"}]}`,
		`{"verdict":"Failed","summary":"not so","findings":[{"field":"spec.model","message":"none","hint":"name one","owner":"Business"}]}`,
		`{"verdict":"Passed","verdict":"Failed","summary":"both"}`, `{"VERDICT":"Passed","summary":"a"}`, `{"verdict":"Passed","summary":"\u202eenif"}`,
		`{"verdict":"Inconclusive","summary":"\u001b[31m"}`, `[]`, `null`, ``, `{"verdict":"Passed","summary":"a","findings":null,"measurements":[{"name":"a","value":"1e309"}]}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		var r JobResult
		if decodeStrict(raw, &r) != nil {
			return
		}
		r.Clean()
		if r.Validate() != nil {
			return
		}
		for _, text := range append([]string{r.Summary}, textsOf(r)...) {
			if text != Clean(text, maxWords) {
				t.Errorf("%q is not fit to be shown", text)
			}
		}
		written, err := json.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		var again JobResult
		if err := decodeStrict(written, &again); err != nil {
			t.Fatalf("%s: %v", written, err)
		}
		again.Clean()
		if len(r.Findings) == 0 {
			r.Findings, again.Findings = nil, nil
		}
		if len(r.Measurements) == 0 {
			r.Measurements, again.Measurements = nil, nil
		}
		if !reflect.DeepEqual(r, again) || again.Validate() != nil {
			t.Errorf("%+v became %+v", r, again)
		}
	})
}

func textsOf(r JobResult) (out []string) {
	for _, f := range r.Findings {
		out = append(out, f.Field, f.Message, f.Hint)
	}
	for _, m := range r.Measurements {
		out = append(out, m.Unit)
	}
	return out
}
