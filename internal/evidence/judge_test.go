package evidence_test

import (
	"encoding/json"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/affineur/affineur/internal/evidence"
)

// judgedResult has one right answer of two, which the judge objects to.
func judgedResult() evidence.QualityResult {
	r := qualityResult()
	r.Judge = &evidence.JudgeResult{
		Shown: 1, Objections: []evidence.JudgeObjection{{ID: "line-2", Why: evidence.JudgeInvented}}, Models: []evidence.ModelSeen{{Name: "j", Answers: 1}},
	}
	return r
}

func TestJudgesThatContradictThemselves(t *testing.T) {
	if err := judgedResult().Validate(); err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(*evidence.JudgeResult){
		"more than there are":     func(j *evidence.JudgeResult) { j.Shown, j.Good = 2, 1 },
		"below nothing":           func(j *evidence.JudgeResult) { j.Good, j.Silent = 1, -1 },
		"a status of nothing":     func(j *evidence.JudgeResult) { j.Status = 400 },
		"rejected by nothing":     func(j *evidence.JudgeResult) { j.Shown, j.Objections, j.Rejected, j.Models = 1, nil, 1, nil },
		"an absurd status":        func(j *evidence.JudgeResult) { j.Objections, j.Rejected, j.Models, j.Status = nil, 1, nil, 1000 },
		"counts that do not add":  func(j *evidence.JudgeResult) { j.Good = 1 },
		"fewer than it speaks of": func(j *evidence.JudgeResult) { j.Shown = 0 },
		"of a wrong answer":       func(j *evidence.JudgeResult) { j.Objections[0].ID = "line-3" },
		"of no case":              func(j *evidence.JudgeResult) { j.Objections[0].ID = "line-9" },
		"without a reason":        func(j *evidence.JudgeResult) { j.Objections[0].Why = "" },
		"in its own words":        func(j *evidence.JudgeResult) { j.Objections[0].Why = "it says that the fee is 42" },
		"twice": func(j *evidence.JudgeResult) {
			j.Shown, j.Objections = 2, append(j.Objections, j.Objections[0])
		},
		"by more models than words": func(j *evidence.JudgeResult) { j.Models[0].Answers = 2 },
		"by a model in colours":     func(j *evidence.JudgeResult) { j.Models[0].Name = "\x1b[31mj" },
		"by more models than named": func(j *evidence.JudgeResult) { j.MoreModels = true },
	} {
		t.Run(name, func(t *testing.T) {
			r := judgedResult()
			change(r.Judge)
			if r.Validate() == nil {
				t.Errorf("accepted: %+v", r.Judge)
			}
		})
	}
}

func judgeOrder() *evidence.JudgeOrder {
	return &evidence.JudgeOrder{
		Call: evidence.Call{URL: "http://models.gateway.svc:8080", Timeout: evidence.Duration(time.Minute),
			OpenAIChat: &evidence.ChatCall{Path: "/v1/chat/completions", Model: "judge"}},
		Rubric: "Polite.", Examples: 50, Within: evidence.Duration(time.Minute),
	}
}

func TestJudgesThatCannotBeOrdered(t *testing.T) {
	order := func(j *evidence.JudgeOrder) error {
		return evidence.QualityOrder{
			Call: evidence.Call{URL: "http://prototype.x.svc", JSON: &evidence.JSONCall{Method: "POST", Path: "/"}, Timeout: evidence.Duration(time.Second)},
			File: "examples", Digest: subject, Examples: 1, Repeats: 1, InFlight: 1, Within: evidence.Duration(time.Minute), Judge: j,
		}.Validate()
	}
	if err := order(judgeOrder()); err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(*evidence.JudgeOrder){
		"nowhere": func(o *evidence.JudgeOrder) { o.Call.URL = "" },
		"no chat": func(o *evidence.JudgeOrder) {
			o.Call.OpenAIChat, o.Call.JSON = nil, &evidence.JSONCall{Method: "POST", Path: "/"}
		},
		"no model":         func(o *evidence.JudgeOrder) { o.Call.OpenAIChat.Model = "" },
		"no rubric":        func(o *evidence.JudgeOrder) { o.Rubric = "" },
		"a book of rubric": func(o *evidence.JudgeOrder) { o.Rubric = strings.Repeat("x", evidence.MaxRubric+1) },
		"no examples":      func(o *evidence.JudgeOrder) { o.Examples = 0 },
		"all the examples": func(o *evidence.JudgeOrder) { o.Examples = evidence.MaxJudged + 1 },
		"no time":          func(o *evidence.JudgeOrder) { o.Within = 0 },
	} {
		t.Run(name, func(t *testing.T) {
			j := judgeOrder()
			change(j)
			if order(j) == nil {
				t.Errorf("accepted: %+v", j)
			}
		})
	}
}

const caseWord = "WORDOFTHISCASE"

// verdictTexts are what judges write, and what of it is a verdict.
var verdictTexts = map[string]struct {
	good bool
	why  evidence.JudgeWhy
	ok   bool
}{
	`{"case": "WORDOFTHISCASE", "good": true}`:                                          {true, "", true},
	` {"good": false, "why": "invented", "case": "WORDOFTHISCASE"} `:                    {false, evidence.JudgeInvented, true},
	`{"case": "WORDOFTHISCASE", "good": true, "why": "tone"}`:                           {},
	`{"case": "WORDOFTHISCASE", "good": false}`:                                         {},
	`{"case": "WORDOFTHISCASE", "good": false, "why": "the fee is 42"}`:                 {},
	`{"case": "WORDOFTHISCASE", "good": null}`:                                          {},
	`{"case": "WORDOFTHISCASE", "good": "true"}`:                                        {},
	`{"case": "WORDOFTHISCASE"}`:                                                        {},
	`{"case": "ANOTHERWORD", "good": true}`:                                             {},
	`{"good": true}`:                                                                    {},
	`{"case": "WORDOFTHISCASE", "good": false, "good": true, "why": "tone"}`:            {},
	`{"case": "WORDOFTHISCASE", "good": true, "because": "he said so"}`:                 {},
	`{"case": "WORDOFTHISCASE", "good": true} {"case": "WORDOFTHISCASE", "good": true}`: {},
	`Of course! {"case": "WORDOFTHISCASE", "good": true}`:                               {},
	"```json\n{\"case\": \"WORDOFTHISCASE\", \"good\": true}\n```":                      {true, "", true},
	"\n```\r\n{\"case\": \"WORDOFTHISCASE\",\n\"good\": true}```\n":                     {true, "", true},
	"```json\n{\"case\": \"WORDOFTHISCASE\", \"good\": false}\n```":                     {},
	"```json\n{\"case\": \"ANOTHERWORD\", \"good\": true}\n```":                         {},
	"```json\n```json\n{\"case\": \"WORDOFTHISCASE\", \"good\": true}\n```\n```":        {},
	"Sure:\n```json\n{\"case\": \"WORDOFTHISCASE\", \"good\": true}\n```":               {},
	"```json\n{\"case\": \"WORDOFTHISCASE\", \"good\": true}\n```\nIt is good.":         {},
	"```json\n{\"case\": \"WORDOFTHISCASE\", \"good\": true}":                           {},
	"```json\n{\"case\": \"WORDOFTHISCASE\", \"good\": true}\n```\n```json\n{}\n```":    {},
	`{"case": "WORDOFTHISCASE", "good": true` + strings.Repeat(" ", 2000) + `}`:         {},
	`[{"case": "WORDOFTHISCASE", "good": true}]`:                                        {},
	`good`: {},
	`true`: {},
	``:     {},
}

func TestVerdicts(t *testing.T) {
	for text, want := range verdictTexts {
		good, why, ok := evidence.ReadVerdict(text, caseWord)
		if good != want.good || why != want.why || ok != want.ok {
			t.Errorf("%s: %t %q %t", text, good, why, ok)
		}
	}
	if _, _, ok := evidence.ReadVerdict(`{"case": "", "good": true}`, ""); ok {
		t.Error("a verdict without a word of its own counts")
	}
}

// aroundVerdicts may be one pair of fences.
var aroundVerdicts = regexp.MustCompile("(?i)^\\s*(```(json)?\\s*```)?\\s*$")

// FuzzReadVerdict looks for texts that count and do not hold the case's own word, or say anything but what there is to say.
func FuzzReadVerdict(f *testing.F) {
	for text := range verdictTexts {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		good, why, ok := evidence.ReadVerdict(text, caseWord)
		switch {
		case !ok && (good || why != ""):
			t.Fatalf("no verdict, and it says %t %q", good, why)
		case !ok:
			return
		}
		var read struct {
			Case string
			Good bool
			Why  string
		}
		object := text[strings.IndexByte(text, '{') : strings.LastIndexByte(text, '}')+1]
		if around := strings.Replace(text, object, "", 1); !aroundVerdicts.MatchString(around) {
			t.Fatalf("there is something else in %s", text)
		}
		if err := json.Unmarshal([]byte(object), &read); err != nil || read.Case != caseWord || read.Good != good || read.Why != string(why) {
			t.Fatalf("%s is read as %t %q, and is %+v, %v", text, good, why, read, err)
		}
		if good != (why == "") {
			t.Fatalf("good %t and %q", good, why)
		}
	})
}
