package evidence

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"time"
)

const (
	// MaxJudged bounds how many answers a judge is shown.
	MaxJudged = 200
	// MaxRubric bounds what a judge is told about good answers, in bytes.
	MaxRubric = 16 << 10
	// JudgeKeyFile is the file beside the run's own in which a runner finds the key for the judge's gateway. No order binds it.
	JudgeKeyFile = "judge-key"
)

// JudgeOrder has a model look at answers that the assertions found right.
type JudgeOrder struct {
	// Call is a chat completion at the judge's gateway, with its model.
	Call Call `json:"call"`
	// Rubric says what a good answer is.
	Rubric string `json:"rubric"`
	// Examples that it is shown at most.
	Examples int `json:"examples"`
	// Keyed means that the gateway wants a key.
	Keyed bool `json:"keyed,omitempty"`
	// Within is how long it may take in all, once the questions are asked. 1 s to 1 h.
	Within Duration `json:"within"`
}

func (o *JudgeOrder) validate() error {
	if o == nil {
		return nil
	}
	if err := o.Call.Validate(); err != nil {
		return fmt.Errorf("call: %w", err)
	}
	switch {
	case o.Call.OpenAIChat == nil || o.Call.OpenAIChat.Model == "":
		return errors.New("call is no chat completion of a model")
	case o.Rubric == "" || len(o.Rubric) > MaxRubric:
		return errors.New("rubric is empty or too long")
	case o.Examples < 1 || o.Examples > MaxJudged:
		return fmt.Errorf("not 1 to %d examples", MaxJudged)
	}
	if err := within(o.Within.Std(), time.Second, time.Hour); err != nil {
		return fmt.Errorf("within: %w", err)
	}
	return nil
}

// JudgeWhy is what a judge objects to. It has no other words: what it writes could quote what it was shown.
type JudgeWhy string

// What a judge may object to.
const (
	JudgeWrong      JudgeWhy = "wrong"
	JudgeIncomplete JudgeWhy = "incomplete"
	JudgeInvented   JudgeWhy = "invented"
	JudgeOffTopic   JudgeWhy = "off-topic"
	JudgeHarmful    JudgeWhy = "harmful"
	JudgeTone       JudgeWhy = "tone"
	JudgeOther      JudgeWhy = "other"
)

// JudgeWhys are all of them.
var JudgeWhys = []JudgeWhy{JudgeWrong, JudgeIncomplete, JudgeInvented, JudgeOffTopic, JudgeHarmful, JudgeTone, JudgeOther}

// JudgeObjection is an answer that the judge does not find good.
type JudgeObjection struct {
	ID  string   `json:"id"`
	Why JudgeWhy `json:"why"`
}

// JudgeResult is what came of showing answers to a judge. Those it gave no usable word about are neither good nor bad.
type JudgeResult struct {
	// Shown is how many answers were to be judged; it is the sum of all that follows.
	Shown int `json:"shown"`
	Good  int `json:"good"`
	// Objections in the order of the cases.
	Objections []JudgeObjection `json:"objections,omitempty"`
	// Unparsable is how many verdicts could not be read, Refused how many it refused to give, Keyless how many were not asked
	// for want of the key, and Silent how many did not come: no connection, no time. Rejected is how many questions got a status that
	// is no answer, and Status the first of those.
	Unparsable int `json:"unparsable,omitempty"`
	Refused    int `json:"refused,omitempty"`
	Keyless    int `json:"keyless,omitempty"`
	Silent     int `json:"silent,omitempty"`
	Rejected   int `json:"rejected,omitempty"`
	Status     int `json:"status,omitempty"`
	// Models that its answers named, as a result has them.
	Models     []ModelSeen `json:"models,omitempty"`
	MoreModels bool        `json:"moreModels,omitempty"`
}

// Unjudged is how many answers it gave no usable word about.
func (j JudgeResult) Unjudged() int {
	return j.Unparsable + j.Refused + j.Keyless + j.Silent + j.Rejected
}

// validate demands that the judge spoke of cases whose first answer is right, and of each once.
func (j *JudgeResult) validate(cases []CaseResult) error {
	if j == nil {
		return nil
	}
	right := make(map[string]bool, len(cases))
	for _, c := range cases {
		if c.Answers[0].Outcome == CaseRight {
			right[c.ID] = true
		}
	}
	if j.Shown < 0 || j.Shown > min(MaxJudged, len(right)) {
		return errors.New("more was shown than there is")
	}
	for _, n := range []int{j.Good, j.Unparsable, j.Refused, j.Keyless, j.Silent, j.Rejected} {
		if n < 0 || n > j.Shown {
			return errors.New("a count is absurd")
		}
	}
	if (j.Rejected > 0) != (j.Status != 0) || j.Status != 0 && (j.Status < 100 || j.Status > 999) {
		return errors.New("the status that rejected is missing or absurd")
	}
	if j.Good+len(j.Objections)+j.Unjudged() != j.Shown {
		return errors.New("the counts do not add up")
	}
	for i, o := range j.Objections {
		if !right[o.ID] || !slices.Contains(JudgeWhys, o.Why) {
			return fmt.Errorf("objections[%d] is about no right answer, is there twice, or says something else", i)
		}
		right[o.ID] = false
	}
	if j.MoreModels && len(j.Models) < MaxModels {
		return errors.New("more models than there are places, and places are left")
	}
	return prefixed("models", validateModels(j.Models, j.Shown))
}

// verdict is what a judge has to write, and nothing else.
type verdict struct {
	// Case is the word that came with the question and that nobody else knew: an answer that holds a verdict of its own, and
	// a judge that only repeats it, say nothing.
	Case string   `json:"case"`
	Good *bool    `json:"good"`
	Why  JudgeWhy `json:"why,omitempty"`
}

// fenced is a text between fences of Markdown, in which many models put JSON.
var fenced = regexp.MustCompile("(?is)^\\s*```(?:json)?[ \\t]*\\r?\\n(.*)```\\s*$")

// ReadVerdict reads a judge's word about the answer that came with a word of its own: nothing but one JSON object, between fences
// or not, which says in words what it means. false means that it can't be used, which is never good.
func ReadVerdict(text, word string) (good bool, why JudgeWhy, ok bool) {
	var v verdict
	if within := fenced.FindStringSubmatch(text); within != nil {
		text = within[1]
	}
	if word == "" || len(text) > 1<<10 || decodeStrict([]byte(text), &v) != nil || v.Case != word || v.Good == nil {
		return false, "", false
	}
	if *v.Good != (v.Why == "") || v.Why != "" && !slices.Contains(JudgeWhys, v.Why) {
		return false, "", false
	}
	return *v.Good, v.Why, true
}
