package imported

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/affineur/affineur/internal/evidence"
)

var (
	promptfoo = evidence.ImportOrder{Format: evidence.ImportPromptfoo}
	inspect   = evidence.ImportOrder{Format: evidence.ImportInspectAI}
)

// told is what came of each example, in short.
func told(r *evidence.ImportResult) string {
	var out []string
	for _, c := range r.Evaluation.Cases {
		text := c.ID
		if c.Slice != "" {
			text += "/" + c.Slice
		}
		for _, a := range c.Answers {
			text += " " + string(a.Outcome)
			if a.Kind != "" {
				text += ":" + a.Kind
			}
		}
		out = append(out, text)
	}
	return strings.Join(out, "; ")
}

func file(t *testing.T, name string) string {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

// Whole files, with all that the tools write besides.
func TestWholeFiles(t *testing.T) {
	for name, c := range map[string]struct {
		order evidence.ImportOrder
		want  string
		tool  string
	}{
		"promptfoo.json": {promptfoo, "fee/fees Right Right; leaves/moods Wrong:equals Right; price Lost; graded Lost; broken Lost; stored Lost; both Right; test-911f785a395d Wrong:not-contains", "0.118.3"},
		"inspect.json":   {inspect, "1/fees Right Right; fee-2 Wrong:match Right; 3 Lost Wrong:match; id-5315682b0c02 Lost Right", "0.3.121"},
	} {
		t.Run(name, func(t *testing.T) {
			raw := file(t, name)
			got, err := Read(c.order, []byte(raw))
			if err != nil {
				t.Fatal(err)
			}
			if told(got) != c.want || got.Tool != c.tool || got.Format != c.order.Format || got.Evaluation.Digest != evidence.Digest([]byte(raw)) {
				t.Errorf("got %s\nof %s %s, want\n%s", told(got), got.Format, got.Tool, c.want)
			}
		})
	}
}

// row of promptfoo with what is given in place of a right answer's.
func row(fields string) string {
	row := `{"promptIdx":0,"testIdx":0,"success":true,"failureReason":0,"latencyMs":12,"provider":{"id":"p"},"response":{"output":"x"},
		"gradingResult":{"pass":true,"componentResults":[{"pass":true,"assertion":{"type":"equals"}}]},"testCase":{"vars":{"q":"a"},"assert":[{"type":"equals"}],"metadata":{"id":"a"}}}`
	for _, field := range strings.Split(fields, "|") {
		if from, to, ok := strings.Cut(field, "=>"); ok {
			if !strings.Contains(row, from) {
				panic(from)
			}
			row = strings.Replace(row, from, to, 1)
		}
	}
	return row
}

func results(successes, failures int, rows ...string) string {
	return fmt.Sprintf(`{"evalId":"e","results":{"version":3,"results":[%s],"stats":{"successes":%d,"failures":%d,"errors":0}}}`, strings.Join(rows, ","), successes, failures)
}

func TestPromptfooAnswers(t *testing.T) {
	const failed = `"success":true,"failureReason":0=>"success":false,"failureReason":1|"pass":true,"componentResults":[{"pass":true=>"pass":false,"componentResults":[{"pass":false`
	for name, c := range map[string]struct {
		fields, want string
		fails        bool
	}{
		"right":                             {"", "a Right", false},
		"wrong":                             {failed, "a Wrong:equals", true},
		"of a slice":                        {`"id":"a"=>"id":"a","slice":"fees"`, "a/fees Right", false},
		"an id that is a number":            {`"id":"a"=>"id":12`, "12 Right", false},
		"an id that can't be shown":         {`"id":"a"=>"id":"a b"`, "id-c8687a08aa5d Right", false},
		"without an assertion":              {`[{"pass":true,"assertion":{"type":"equals"}}]=>[]`, "a Lost", false},
		"without a grade":                   {`"gradingResult":{"pass":true,"componentResults":[{"pass":true,"assertion":{"type":"equals"}}]}=>"gradingResult":null`, "a Lost", false},
		"without a word about success":      {`"success":true,=>`, "a Lost", true},
		"by a model alone":                  {`"type":"equals"}}]=>"type":"llm-rubric"}}]`, "a Lost", false},
		"by a model, not so":                {failed + `|"type":"equals"}}]=>"type":"not-llm-rubric"}}]`, "a Lost", true},
		"by nobody knows what":              {`"type":"equals"}}]=>"type":"oracle"}}]`, "a Lost", false},
		"long enough":                       {`"type":"equals"}}]=>"type":"word-count"}}]`, "a Lost", false},
		"fast enough":                       {`"type":"equals"}}]=>"type":"latency"}}]`, "a Lost", false},
		"from a store":                      {`{"output":"x"}=>{"output":"x","cached":true}`, "a Lost", false},
		"an error of the provider":          {`{"output":"x"}=>{"error":"status 500"}`, "a Lost", false},
		"an error and success":              {`"latencyMs"=>"error":"no","latencyMs"`, "a Lost", false},
		"an error":                          {`"success":true,"failureReason":0=>"success":false,"failureReason":2`, "a Lost", true},
		"success that its grade denies":     {`"gradingResult":{"pass":true=>"gradingResult":{"pass":false`, "a Lost", false},
		"success that its assertion denies": {`[{"pass":true=>[{"pass":false`, "a Lost", false},
		"without an answer":                 {`"response":{"output":"x"},=>`, "a Lost", false},
		"one of two":                        {`[{"pass":true,"assertion":{"type":"equals"}}]=>[{"pass":true,"assertion":{"type":"llm-rubric"}},{"pass":true,"assertion":{"type":"regex"}}]`, "a Right", false},
		"a set of assertions":               {`[{"pass":true,"assertion":{"type":"equals"}}]=>[{"pass":true,"assertion":{"type":"assert-set"},"componentResults":[{"pass":true,"assertion":{"type":"contains"}}]}]`, "a Right", false},
		"a set that a model judges":         {`[{"pass":true,"assertion":{"type":"equals"}}]=>[{"pass":true,"assertion":{"type":"equals"},"componentResults":[{"pass":true,"assertion":{"type":"llm-rubric"}}]}]`, "a Lost", false},
	} {
		t.Run(name, func(t *testing.T) {
			raw := results(1, 0, row(c.fields))
			if c.fails {
				raw = results(0, 1, row(c.fields))
			}
			got, err := Read(promptfoo, []byte(raw))
			if err != nil {
				t.Fatal(err)
			}
			if told(got) != c.want {
				t.Errorf("got %s, want %s", told(got), c.want)
			}
		})
	}
}

func TestPromptfooFilesThatAreRefused(t *testing.T) {
	many := make([]string, evidence.MaxRepeats+1)
	for i := range many {
		many[i] = row("")
	}
	for name, c := range map[string]struct{ raw, says string }{
		"no JSON":              {"yes", "can't be read"},
		"NaN":                  {strings.Replace(results(1, 0, row("")), `"latencyMs":12`, `"latencyMs":NaN`, 1), "NaN"},
		"a list":               {"[]", "can't be read"},
		"lines":                {row(""), "no results"},
		"an older version":     {strings.Replace(results(1, 0, row("")), `"version":3`, `"version":2`, 1), "version 2, 3 is understood"},
		"a later version":      {strings.Replace(results(1, 0, row("")), `"version":3`, `"version":4`, 1), "version 4, 3 is understood"},
		"no version":           {strings.Replace(results(1, 0, row("")), `"version":3,`, ``, 1), "version 0"},
		"nothing":              {results(0, 0), "no test"},
		"fewer than it says":   {results(2, 0, row("")), "not as many"},
		"other than it says":   {results(0, 1, row("")), "not as many"},
		"without numbers":      {strings.Replace(results(1, 0, row("")), `"stats"`, `"state"`, 1), "how many"},
		"a field twice":        {strings.Replace(results(1, 0, row("")), `"success":true`, `"success":false,"success":true`, 1), "twice"},
		"another case":         {strings.Replace(results(1, 0, row("")), `"success":true`, `"Success":true`, 1), "not as many"},
		"two providers":        {results(2, 0, row(""), row(`{"id":"p"}=>{"id":"q"}`)), "several prompts or providers"},
		"two prompts":          {results(2, 0, row(""), row(`"promptIdx":0=>"promptIdx":1`)), "several prompts or providers"},
		"a slice with a space": {results(1, 0, row(`"id":"a"=>"slice":"a b"`)), "metadata.slice"},
		"an id that is a list": {results(1, 0, row(`"id":"a"=>"id":[]`)), "metadata.id"},
		"one of two slices":    {results(2, 0, row(`"id":"a"=>"id":"a","slice":"x"`), row("")), "two slices"},
		"too often":            {results(len(many), 0, many...), "more than 10 times"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := Read(promptfoo, []byte(c.raw))
			if err == nil || !strings.Contains(err.Error(), c.says) {
				t.Errorf("got %+v, %v, want %q", got, err, c.says)
			}
		})
	}
}

// The same test without an id is the same example wherever it stands, and another one is another.
func TestTestsWithoutAnID(t *testing.T) {
	bare := `,"metadata":{"id":"a"}=>`
	other := bare + `|{"q":"a"}=>{"q":"b"}`
	one, err := Read(promptfoo, []byte(results(2, 0, row(bare), row(other))))
	if err != nil {
		t.Fatal(err)
	}
	moved, err := Read(promptfoo, []byte(results(2, 0, row(other), row(bare))))
	if err != nil {
		t.Fatal(err)
	}
	a, b := one.Evaluation.Cases, moved.Evaluation.Cases
	if len(a) != 2 || a[0].ID == a[1].ID || a[0].ID != b[1].ID || a[1].ID != b[0].ID {
		t.Errorf("got %s and %s", told(one), told(moved))
	}
}

// log of inspect_ai with the given samples.
func log(edit string, samples ...string) string {
	raw := fmt.Sprintf(`{"version":2,"status":"success","eval":{"model":"m","config":{"epochs":1},"packages":{"inspect_ai":"0.3.1"}},
		"results":{"total_samples":%d,"completed_samples":1},"error":null,"invalidated":false,"samples":[%s]}`, len(samples), strings.Join(samples, ","))
	if from, to, ok := strings.Cut(edit, "=>"); ok {
		if !strings.Contains(raw, from) {
			panic(from)
		}
		raw = strings.Replace(raw, from, to, 1)
	}
	return raw
}

func sample(scores string) string {
	return `{"id":"a","epoch":1,"total_time":0.5,"output":{"model":"m"},"metadata":{},"scores":` + scores + `,"error":null}`
}

func TestInspectScores(t *testing.T) {
	for name, c := range map[string]struct{ scores, scorer, want string }{
		"correct":                 {`{"match":{"value":"C"}}`, "", "a Right"},
		"incorrect":               {`{"match":{"value":"I"}}`, "", "a Wrong:match"},
		"partly":                  {`{"match":{"value":"P"}}`, "", "a Wrong:match"},
		"no answer":               {`{"match":{"value":"N"}}`, "", "a Wrong:match"},
		"another word":            {`{"match":{"value":"correct"}}`, "", "a Lost"},
		"true":                    {`{"match":{"value":true}}`, "", "a Right"},
		"false":                   {`{"match":{"value":false}}`, "", "a Wrong:match"},
		"one":                     {`{"match":{"value":1.0}}`, "", "a Right"},
		"almost one":              {`{"match":{"value":0.99}}`, "", "a Wrong:match"},
		"of a scale to ten":       {`{"match":{"value":7}}`, "", "a Lost"},
		"below nothing":           {`{"match":{"value":-1}}`, "", "a Lost"},
		"several values":          {`{"match":{"value":["C","C"]}}`, "", "a Lost"},
		"without a value":         {`{"match":{}}`, "", "a Lost"},
		"null":                    {`{"match":{"value":null}}`, "", "a Lost"},
		"without scores":          {`{}`, "", "a Lost"},
		"scores that are null":    {`null`, "", "a Lost"},
		"by a model alone":        {`{"model_graded_qa":{"value":"C"}}`, "", "a Lost"},
		"a model disagrees":       {`{"match":{"value":"C"},"model_graded_qa":{"value":"I"}}`, "", "a Right"},
		"a model agrees":          {`{"match":{"value":"I"},"model_graded_fact":{"value":"C"}}`, "", "a Wrong:match"},
		"one of two":              {`{"exact":{"value":"C"},"includes":{"value":"I"}}`, "", "a Wrong:includes"},
		"one of two says nothing": {`{"exact":{"value":null},"includes":{"value":"C"}}`, "", "a Lost"},
		"the one that counts":     {`{"exact":{"value":"C"},"includes":{"value":"I"}}`, "exact", "a Right"},
		"one that is not there":   {`{"exact":{"value":"C"}}`, "includes", "a Lost"},
		"a model that counts":     {`{"model_graded_qa":{"value":"C"}}`, "model_graded_qa", "a Lost"},
		"a name of its own":       {`{"my scorer/1":{"value":"I"}}`, "", "a Wrong:assertion"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := Read(evidence.ImportOrder{Format: evidence.ImportInspectAI, Scorer: c.scorer}, []byte(log("", sample(c.scores))))
			if err != nil {
				t.Fatal(err)
			}
			if told(got) != c.want {
				t.Errorf("got %s, want %s", told(got), c.want)
			}
		})
	}
}

func TestInspectLogsThatAreRefused(t *testing.T) {
	right := sample(`{"match":{"value":"C"}}`)
	for name, c := range map[string]struct{ raw, says string }{
		"an archive":           {"PK\x03\x04", "INSPECT_LOG_FORMAT=json"},
		"an older version":     {log(`"version":2=>"version":1`, right), "version 1, 2 is understood"},
		"a later version":      {log(`"version":2=>"version":3`, right), "version 3, 2 is understood"},
		"still going":          {log(`"success"=>"started"`, right), `"started"`},
		"cancelled":            {log(`"success"=>"cancelled"`, right), `"cancelled"`},
		"an error":             {log(`"success"=>"error"`, right), `"error"`},
		"success and an error": {log(`"error":null,"inv=>"error":{"message":"x"},"inv`, right), "ended with an error"},
		"invalid":              {log(`"invalidated":false=>"invalidated":true`, right), "invalid"},
		"without samples":      {log(""), "no samples"},
		"fewer than it says":   {log(`"total_samples":1=>"total_samples":2`, right), "not as many"},
		"without a number":     {log(`"results"=>"result"`, right), "not as many"},
		"twice in one epoch":   {log("", right, right), "twice in one epoch"},
		"an epoch is missing":  {log(`"epochs":1=>"epochs":2`, right), "in each of 2 epochs"},
		"another epoch":        {log("", strings.Replace(right, `"epoch":1`, `"epoch":2`, 1)), "in each of 1 epochs"},
		"no id":                {log("", strings.Replace(right, `"id":"a"`, `"id":null`, 1)), "no id"},
		"a field twice":        {log("", strings.Replace(right, `"id":"a"`, `"id":"b","id":"a"`, 1)), "twice"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := Read(inspect, []byte(c.raw))
			if err == nil || !strings.Contains(err.Error(), c.says) {
				t.Errorf("got %+v, %v, want %q", got, err, c.says)
			}
		})
	}
}

func TestTooLong(t *testing.T) {
	if _, err := Read(inspect, make([]byte, MaxBytes+1)); err == nil || !strings.Contains(err.Error(), "bytes long") {
		t.Errorf("got %v", err)
	}
}

// What is taken over holds no word of what was asked or answered.
func TestNothingIsQuoted(t *testing.T) {
	for name, order := range map[string]evidence.ImportOrder{"promptfoo.json": promptfoo, "inspect.json": inspect} {
		got, err := Read(order, []byte(file(t, name)))
		if err != nil {
			t.Fatal(err)
		}
		line, _, err := evidence.Seal(evidence.Report{Nonce: "0123456789abcdef", Subject: evidence.Digest(nil), Result: got, StartedAt: at, FinishedAt: at})
		if err != nil {
			t.Fatal(err)
		}
		for _, secret := range []string{"How much", "120", "leaving", "Nobody"} {
			if !strings.Contains(file(t, name), secret) {
				continue
			}
			if strings.Contains(string(line), secret) {
				t.Errorf("%s: %q is in %s", name, secret, line)
			}
		}
	}
}
