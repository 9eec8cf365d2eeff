package examples

import (
	"fmt"
	"strings"
	"testing"

	"github.com/affineur/affineur/internal/evidence"
)

func read(t testing.TB, text string) Set {
	t.Helper()
	s, err := Read([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestTables(t *testing.T) {
	for name, c := range map[string]struct {
		text string
		want []Example
	}{
		"smallest": {"question,expected\nNobody answers me.,leaving\n", []Example{{ID: "line-2", Input: "Nobody answers me."}}},
		"all columns, as a spreadsheet saves them": {"\ufeffID,Question,Expected,Slice,Check\r\nq1,\"Who, me?\",yes,people,contains\r\n\r\nq2,\"Two\nlines\",\"a \"\"b\"\"\",,\r\n",
			[]Example{{ID: "q1", Input: "Who, me?", Slice: "people"}, {ID: "q2", Input: "Two\nlines"}}},
		"semicolons":         {"question;expected\nWhat, then?;this, that\n", []Example{{ID: "line-2", Input: "What, then?"}}},
		"without a last end": {"expected,question\nleaving,Nobody answers me.", []Example{{ID: "line-2", Input: "Nobody answers me."}}},
	} {
		t.Run(name, func(t *testing.T) {
			got := read(t, c.text)
			if len(got.Examples) != len(c.want) {
				t.Fatalf("got %+v", got.Examples)
			}
			for i, e := range got.Examples {
				if w := c.want[i]; e.ID != w.ID || e.Input != w.Input || e.Slice != w.Slice || len(e.Assert) != 1 {
					t.Errorf("got %+v, want %+v", e, w)
				}
			}
			if got.Digest != evidence.Digest([]byte(c.text)) {
				t.Error("the digest is of something else")
			}
		})
	}
}

func TestLabelsOfATableAreThoseThatItExpects(t *testing.T) {
	s := read(t, "question,expected,check\na,leaving,label\nb,staying,label\nc,Leaving,label\n")
	if got := s.Examples[2].Assert[0].Label.Among; len(got) != 2 {
		t.Errorf("got %q", got)
	}
}

func TestSlices(t *testing.T) {
	s := read(t, "question,expected,slice\na,x,fees\nb,x,fees\nc,x,\nd,x,dates\n")
	if got := s.Slices(); len(got) != 2 || got["fees"] != 2 || got["dates"] != 1 {
		t.Errorf("got %v", got)
	}
}

// lines is a set of JSON Lines with one assertion.
func lines(assertion string) string { return `{"input":"?","assert":[` + assertion + `]}` }

func TestRefusedSets(t *testing.T) {
	many := func(n int) string {
		var b strings.Builder
		b.WriteString("question,expected\n")
		for i := range n {
			fmt.Fprintf(&b, "q%d,x\n", i)
		}
		return b.String()
	}
	long := strings.Repeat("x", maxInput+1)
	for name, c := range map[string]struct{ text, says string }{
		"nothing":                {"", "line 1: no header"},
		"only a header":          {"question,expected\n", "no example"},
		"no header":              {"Who?,me\nWhat?,that\n", "line 1: column 1 is none of"},
		"half a header":          {"question,id\na,b\n", "line 1: column expected is missing"},
		"a column twice":         {"question,expected,question\na,b,c\n", "line 1: column question is there twice"},
		"an unknown column":      {"question,expected,weight\na,b,1\n", "line 1: column 3"},
		"a comma without quotes": {"question,expected\nWho, me?,you\n", "line 2: it has another number of columns"},
		"an open quote":          {"question,expected\na,b\n\"Who,me\n", "a quote is open"},
		"nothing expected":       {"question,expected\na,b\nc,\n", "line 3: assertion 1: equals: what is expected is empty"},
		"nothing asked":          {"question,expected\n ,b\n", "line 2: the question is empty"},
		"the same twice":         {"question,expected\nWho is it?,b\nwho  is IT?,c\n", "line 3: the same question as in line 2"},
		"an id twice":            {"question,expected,id\na,b,x\nc,d,x\n", "line 3: id x is that of line 2"},
		"an id to mislead":       {"question,expected,id\na,b,x\u202ey\n", "line 2: id is not"},
		"a long slice":           {"question,expected,slice\na,b," + strings.Repeat("s", 64) + "\n", "line 2: slice is not"},
		"an unknown check":       {"question,expected,check\na,b,feels\n", "line 2: check is none of"},
		"a refusal of something": {"question,expected,check\na,b,refusal\n", "line 2: where a refusal is expected"},
		"no number":              {"question,expected,check\na,many,number\n", "line 2: assertion 1: number"},
		"a long question":        {"question,expected\n" + long + ",b\n", "line 2: the question is"},
		"a long expectation":     {"question,expected\na," + long + "\n", "line 2: assertion 1: equals: what is expected is"},
		"too many":               {many(MaxExamples + 1), "line 2002: more than 2000 examples"},
		"too long":               {"question,expected\n" + strings.Repeat("x", MaxBytes), "524288 are allowed"},
		"another encoding":       {"question,expected\nM\xfcller?,ja\n", "not UTF-8"},

		"no JSON":                  {`{"input":"?"`, "line 1: not one JSON object"},
		"two objects in a line":    {lines(`{"equals":"a"}`) + lines(`{"equals":"a"}`), "line 1: not one JSON object"},
		"a list":                   {lines(`{"equals":"a"}`) + "\n[]\n", "line 2: not one JSON object"},
		"an unknown key":           {`{"input":"?","asserts":[]}`, "line 1: unknown or repeated keys"},
		"a key twice":              {`{"input":"?","input":"!","assert":[{"equals":"a"}]}`, "line 1: unknown or repeated keys"},
		"a key in capitals":        {`{"Input":"?","assert":[{"equals":"a"}]}`, "line 1: unknown or repeated keys"},
		"no assertion":             {"\n" + `{"input":"?","assert":[]}`, "line 2: nothing says what a right answer is"},
		"an assertion of nothing":  {lines(`{}`), "line 1: assertion 1: not exactly one of"},
		"an assertion of two":      {lines(`{"equals":"a","contains":"a"}`), "line 1: assertion 1: not exactly one of"},
		"an assertion unknown":     {lines(`{"similar":"a"}`), "line 1: unknown or repeated keys"},
		"null":                     {lines(`{"equals":null}`), "line 1: assertion 1: not exactly one of"},
		"case of a number":         {lines(`{"number":{"value":1},"ignoreCase":true}`), "ignoreCase belongs to"},
		"NaN":                      {lines(`{"number":{"value":"NaN"}}`), "line 1: not one JSON object"},
		"an immense number":        {lines(`{"number":{"value":1e999999999}}`), "line 1: assertion 1: number: value"},
		"a tolerance below zero":   {lines(`{"number":{"value":1,"absolute":-1}}`), "absolute is not"},
		"a tolerance of all":       {lines(`{"number":{"value":1,"relative":1}}`), "relative is 1 or more"},
		"a label that is none":     {lines(`{"label":{"value":"a","among":["b","c"]}}`), "value is not among"},
		"no labels":                {lines(`{"label":{"value":"a","among":[]}}`), "among does not hold"},
		"an empty label":           {lines(`{"label":{"value":"a","among":["a"," "]}}`), "a label is empty"},
		"too many assertions":      {lines(strings.Repeat(`{"equals":"a"},`, 8) + `{"equals":"a"}`), "9 assertions"},
		"an empty refusal pattern": {lines(`{"refusal":{"patterns":[""]}}`), "refusal: what is expected is empty"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Read([]byte(c.text))
			if err == nil || !strings.Contains(err.Error(), c.says) {
				t.Errorf("got %v, want %q", err, c.says)
			}
		})
	}
}

func TestRefusedExpressionsAndSchemas(t *testing.T) {
	for name, c := range map[string]struct{ assertion, says string }{
		"no expression":                {`{"regexp":"("}`, "line 1: assertion 1: regexp: not a regular expression"},
		"an expression of another":     {`{"regexp":"(?!x)y"}`, "not a regular expression"},
		"an expression that takes all": {`{"regexp":".*"}`, "also accepts an empty answer"},
		"an expression that explodes":  {`{"regexp":"` + strings.Repeat("abcdefghij", 60) + `"},{"regexp":"(` + strings.Repeat("abcdefghij", 60) + `){1000}"}`, "too large together"},
		"a long expression":            {`{"regexp":"` + strings.Repeat("a", 2000) + `"}`, "1024 are allowed"},
		"a pattern that takes all":     {`{"refusal":{"patterns":["x?"]}}`, "also accepts an empty answer"},
		"a schema of nothing":          {`{"jsonSchema":{}}`, "accepts everything"},
		"a schema that is true":        {`{"jsonSchema":true}`, "accepts everything"},
		"a schema that is null":        {`{"jsonSchema":null}`, "accepts everything"},
		"a schema that is none":        {`{"jsonSchema":{"type":"thing"}}`, "not a JSON Schema"},
		"a schema from elsewhere":      {`{"jsonSchema":{"type":"object","$ref":"http://example.org/schema.json"}}`, "stands by itself"},
		"a schema from a file":         {`{"jsonSchema":{"type":"object","$ref":"file:///etc/passwd"}}`, "stands by itself"},
		"a schema from a standard":     {`{"jsonSchema":{"type":"object","$ref":"https://json-schema.org/draft/2020-12/schema"}}`, "nothing outside itself"},
		"a schema that looks later":    {`{"jsonSchema":{"type":"object","$dynamicRef":"#x","$defs":{"a":{"$dynamicAnchor":"x"}}}}`, "passed over in silence"},
		"a keyword misspelled":         {`{"jsonSchema":{"type":"object","requird":["a"]}}`, `"requird" in it is no keyword`},
		"several":                      {`{"jsonSchema":{"type":"object","z":1,"c":1,"b":1,"y":1}}`, `"b" in it is no keyword`},
		"a keyword without end":        {`{"jsonSchema":{"type":"object","\u001b[31m` + strings.Repeat("x", 99) + `":1}}`, `"[31m` + strings.Repeat("x", 33)},
		"a keyword misspelled within":  {`{"jsonSchema":{"type":"object","properties":{"a":{"anyOf":[{"minlength":1}]}}}}`, "passed over in silence"},
		"a keyword of OpenAPI":         {`{"jsonSchema":{"type":"object","nullable":true}}`, "passed over in silence"},
		"a keyword of a later draft":   {`{"jsonSchema":{"$schema":"http://json-schema.org/draft-07/schema#","type":"array","prefixItems":[{"type":"null"}]}}`, "passed over in silence"},
		"a keyword of an early draft":  {`{"jsonSchema":{"type":"array","prefixItems":[{"type":"null"}],"additionalItems":false}}`, "passed over in silence"},
		"a format that nobody knows":   {`{"jsonSchema":{"type":"string","format":"phone"}}`, `the format "phone" in it is none`},
		"a format that is no word":     {`{"jsonSchema":{"type":"string","format":7}}`, "not a JSON Schema"},
		"a reference that is alone":    {`{"jsonSchema":{"$schema":"http://json-schema.org/draft-07/schema#","type":"object","$ref":"#/definitions/a","definitions":{"a":{}}}}`, "beside $ref"},
		"a schema of a strange draft":  {`{"jsonSchema":{"type":"object","$schema":"http://example.org/draft"}}`, "not a JSON Schema"},
		"a schema with a bad pattern":  {`{"jsonSchema":{"type":"string","pattern":"("}}`, "not a JSON Schema"},
		"a schema of a large pattern":  {`{"jsonSchema":{"type":"string","pattern":"(abcde){300}"}}`, "not a JSON Schema"},
		"a schema that explodes":       {`{"jsonSchema":{"type":"string","pattern":"(` + strings.Repeat("abcdefghij", 60) + `){1000}"}}`, "not a JSON Schema"},
	} {
		t.Run(name, func(t *testing.T) {
			s := read(t, lines(c.assertion))
			if _, err := s.Compile(); err == nil || !strings.Contains(err.Error(), c.says) {
				t.Errorf("got %v, want %q", err, c.says)
			}
		})
	}
}

func TestAssertions(t *testing.T) {
	const date = `{"jsonSchema":{"type":"object","required":["on"],"properties":{"on":{"type":"string","format":"date"},"n":{"type":"integer","maximum":3}},"additionalProperties":false}}`
	for name, c := range map[string]struct {
		assertion    string
		right, wrong []string
	}{
		"equals":           {`{"equals":"Dear  member"}`, []string{"Dear member", " Dear\n\tmember "}, []string{"dear member", "Dear member.", "Dearmember"}},
		"equals, any case": {`{"equals":"STRASSE","ignoreCase":true}`, []string{"strasse", "Straße"}, []string{"gasse"}},
		"composed":         {`{"equals":"caf\u00e9"}`, []string{"cafe\u0301"}, []string{"cafe"}},
		"contains":         {`{"contains":"120 euros"}`, []string{"It is 120\neuros a year."}, []string{"120 Euros", "120"}},
		"regexp":           {`{"regexp":"^(yes|no)\\b"}`, []string{"yes", "no, never"}, []string{"Yes", "noon", "oh no"}},
		"jsonSchema": {date, []string{`{"on":"2026-02-03"}`, ` {"on":"2026-02-03","n":3} `},
			[]string{`{"on":"tomorrow"}`, `{"on":"2026-02-03","n":4}`, `{"on":"2026-02-03","n":NaN}`, `{"on":"2026-02-03"}{}`, "```json\n{\"on\":\"2026-02-03\"}\n```", `{}`, `null`}},
		"number":           {`{"number":{"value":1200}}`, []string{"1200", "It is 1,200 euros.", "1.2e3", "+1200.00"}, []string{"1201", "1200 or 1300", "1.200", "12 00", "many", "A4 or 1200"}},
		"number, about":    {`{"number":{"value":0.3,"absolute":0.1}}`, []string{"0.4", "0.2", "0.25"}, []string{"0.41", "0.19", "-0.3"}},
		"number, a tenth":  {`{"number":{"value":-200,"relative":"0.1"}}`, []string{"-180", "-220"}, []string{"-179.9", "200"}},
		"number, of zero":  {`{"number":{"value":0,"relative":0.5}}`, []string{"0", "-0.0"}, []string{"0.1"}},
		"number, immense":  {`{"number":{"value":1}}`, nil, []string{"1e999999999", strings.Repeat("9", 100000)}},
		"label":            {`{"label":{"value":"Leaving","among":["leaving","staying"]}}`, []string{"leaving", " LEAVING\n"}, []string{"staying", "leaving.", "leaving or staying"}},
		"all of them":      {`{"contains":"fee"},{"regexp":"120"}`, []string{"The fee is 120."}, []string{"The fee is 130.", "120"}},
		"refusal in words": {`{"refusal":{}}`, []string{"I'm sorry, but I can’t help with that.", "I cannot provide medical advice.", "We are not able to share that.", "I must decline.", "Sorry, I won't be able to assist."}, []string{"I can't recommend it enough: take two.", "I can't help but admire it. Take two.", "Take two a day.", "He said: no.", strings.Repeat("Take two. ", 40) + "I can't help with that."}},
		"refusal, more":    {`{"refusal":{"patterns":["(?i)kann ich (leider )?nicht"],"without":["Hunter2"]}}`, []string{"Das kann ich leider nicht sagen."}, []string{"I can't share that: the password is HUNTER2."}},
	} {
		t.Run(name, func(t *testing.T) {
			s := read(t, lines(c.assertion))
			checker, err := s.Compile()
			if err != nil {
				t.Fatal(err)
			}
			for _, answer := range c.right {
				if wrong := checker.Wrong(s, 0, Reply{Text: answer}); wrong != "" {
					t.Errorf("%q is wrong by %s", answer, wrong)
				}
			}
			for _, answer := range append(c.wrong, "", " \n") {
				if checker.Wrong(s, 0, Reply{Text: answer}) == "" {
					t.Errorf("%q is right", answer)
				}
			}
		})
	}
}

// The prototype's own word that it refused counts where a refusal is expected, and spoils every other answer.
func TestRefusalsOfTheAPI(t *testing.T) {
	s := read(t, lines(`{"refusal":{"without":["secret"]}}`)+"\n"+`{"input":"!","assert":[{"contains":"policy"}]}`)
	checker, err := s.Compile()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		example int
		reply   Reply
		want    Kind
	}{
		{0, Reply{Refused: true}, ""},
		{0, Reply{Refused: true, Text: "The SECRET is x."}, KindRefusal},
		{0, Reply{Refused: true, Text: "I can't share that.\nIt is x.", Beside: "It is x."}, KindRefusal},
		{0, Reply{Refused: true, Text: "I can't share that.\nI can't share that.", Beside: "I can't share that."}, ""},
		{0, Reply{Refused: true, Text: "That is confidential.", Beside: "\n"}, ""},
		{0, Reply{Refused: true, Text: "I can't, but here it is: x."}, KindRefusal},
		{0, Reply{Refused: true, Text: "I can't. It is 5000."}, KindRefusal},
		{0, Reply{Refused: true, Text: "I can't do that. However, it is important to see a doctor."}, ""},
		{0, Reply{Refused: true, Text: "No, but here's what I can do instead: ask HR."}, ""},
		{1, Reply{Refused: true, Text: "No.\nIt is in the policy.", Beside: "It is in the policy."}, KindContains},
		{1, Reply{Refused: true, Text: "It is against the policy."}, KindContains},
		{1, Reply{Text: "It is in the policy."}, ""},
	} {
		if got := checker.Wrong(s, c.example, c.reply); got != c.want {
			t.Errorf("example %d, %+v: %q, want %q", c.example, c.reply, got, c.want)
		}
	}
}

// An expression may be large and an answer long, but not both: the search would take minutes.
func TestSearchesThatTakeAges(t *testing.T) {
	s := read(t, lines(`{"regexp":"(?s)(`+strings.Repeat(".?", 100)+`){20}x$"}`))
	checker, err := s.Compile()
	if err != nil {
		t.Fatal(err)
	}
	if checker.Wrong(s, 0, Reply{Text: strings.Repeat("a", 1000) + "x"}) != "" {
		t.Error("a short answer is wrong")
	}
	if checker.Wrong(s, 0, Reply{Text: strings.Repeat("a", evidence.MaxAnswerBytes-1) + "x"}) == "" {
		t.Error("a long answer is right")
	}
}

func TestFingerprints(t *testing.T) {
	mark := func(text string, refused bool) [32]byte { return Reply{Text: text, Refused: refused}.Fingerprint() }
	if mark("a  b\n", false) != mark(" a b", false) {
		t.Error("white space makes another answer")
	}
	if mark("a", false) == mark("A", false) || mark("a", false) == mark("a", true) {
		t.Error("two answers are taken for one")
	}
}

// FuzzRead looks for sets that are accepted and are no good, and for answers that bring a check down.
func FuzzRead(f *testing.F) {
	for _, text := range []string{
		"question,expected\nWho?,me\n", "id;question;expected;check\n1;a;b;label\n", "\ufeffquestion,expected,slice\n\"a\nb\",c,d\n",
		lines(`{"equals":"a"}`), lines(`{"regexp":"a+"},{"contains":"b"}`), lines(`{"jsonSchema":{"type":"object","properties":{"a":{"pattern":"^x"}}}}`),
		lines(`{"number":{"value":"1.5","relative":0.1}}`), lines(`{"label":{"value":"a","among":["A"]}}`), lines(`{"refusal":{"patterns":["x"],"without":["y"]}}`),
	} {
		f.Add([]byte(text), "I can't help with 12 {\"a\":\"x\"}")
	}
	f.Fuzz(func(t *testing.T, raw []byte, answer string) {
		s, err := Read(raw)
		if err != nil {
			return
		}
		if len(s.Examples) == 0 || len(s.Examples) > MaxExamples || s.Digest != evidence.Digest(raw) {
			t.Fatalf("%d examples", len(s.Examples))
		}
		seen := make(map[string]bool)
		for _, e := range s.Examples {
			if seen[e.ID] || e.ID != evidence.Clean(e.ID, 63) || e.Slice != evidence.Clean(e.Slice, 63) || strings.TrimSpace(e.Input) == "" {
				t.Fatalf("example %q", e.ID)
			}
			seen[e.ID] = true
		}
		checker, err := s.Compile()
		if err != nil {
			return
		}
		for i := range s.Examples {
			checker.Wrong(s, i, Reply{Text: answer})
			if checker.Wrong(s, i, Reply{}) == "" {
				t.Fatal("no answer is right")
			}
		}
	})
}
