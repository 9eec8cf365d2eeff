package evidence

import (
	"errors"
	"fmt"
	"math"
	"regexp"
	"strconv"
	"time"
)

const (
	// KindResource reads a named object of the API server.
	KindResource Kind = "resource"
	// KindMetric asks a metrics source.
	KindMetric Kind = "metric"
	// KindJob is whatever an image that IT chose measures.
	KindJob Kind = "job"

	maxExpression = 2048
	maxObjectName = 253
)

// Answer is what a condition says about what was found.
type Answer string

const (
	// AnswerHolds means that it is true.
	AnswerHolds Answer = "Holds"
	// AnswerDoesNot means that it is false.
	AnswerDoesNot Answer = "DoesNot"
	// AnswerNone means that it has no answer: a field is missing, it costs too much, or it is neither true nor false.
	AnswerNone Answer = "None"
)

// Answers are those of the two conditions of a gate. They are asked apart, so that what neither speaks of stays unknown.
type Answers struct {
	Success Answer `json:"success"`
	Failure Answer `json:"failure"`
	// SuccessWhy and FailureWhy say why there is none, in fixed words; empty where there is one.
	SuccessWhy string `json:"successWhy,omitempty"`
	FailureWhy string `json:"failureWhy,omitempty"`
}

func (a *Answers) validate() error {
	for _, each := range []struct {
		answer Answer
		why    string
	}{{a.Success, a.SuccessWhy}, {a.Failure, a.FailureWhy}} {
		switch {
		case each.answer != AnswerHolds && each.answer != AnswerDoesNot && each.answer != AnswerNone:
			return errors.New("an answer is none of the known")
		case (each.answer == AnswerNone) != (each.why != ""):
			return errors.New("an answer and its reason contradict each other")
		}
	}
	return nil
}

func (a *Answers) clean() {
	a.SuccessWhy, a.FailureWhy = Clean(a.SuccessWhy, maxText), Clean(a.FailureWhy, maxText)
}

// Conditions are what a gate's policy says about success and failure, in CEL.
type Conditions struct {
	SuccessWhen string `json:"successWhen"`
	FailureWhen string `json:"failureWhen"`
}

func (c Conditions) validate() error {
	for _, text := range []string{c.SuccessWhen, c.FailureWhen} {
		if text == "" || len(text) > maxExpression {
			return errors.New("a condition is missing or too long")
		}
	}
	return nil
}

// ResourceOrder asks for one object and what the conditions say about it.
type ResourceOrder struct {
	APIVersion string `json:"apiVersion"`
	// ObjectKind is the object's kind.
	ObjectKind string `json:"objectKind"`
	// Namespace of the object; empty where its kind has none.
	Namespace string `json:"namespace,omitempty"`
	Name      string `json:"name"`
	// TimeFrom says in CEL when the object was made.
	TimeFrom string `json:"timeFrom"`
	Conditions
}

var (
	apiVersionForm = regexp.MustCompile(`^([a-z0-9]([-a-z0-9.]*[a-z0-9])?/)?v[a-z0-9]+$`)
	objectKindForm = regexp.MustCompile(`^[A-Z][A-Za-z0-9]{0,62}$`)
	namespaceForm  = regexp.MustCompile(`^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$`)
	// objectNameForm is what the API server takes for the name of any kind's object (path segments, RFC 1123 or not).
	objectNameForm = regexp.MustCompile(`^[A-Za-z0-9]([-A-Za-z0-9_.:]*[A-Za-z0-9])?$`)
)

// Kind of the order.
func (o ResourceOrder) Kind() Kind { return KindResource }

// Validate says what is wrong with the order, or nil. A Secret is never ordered, whatever its group is called.
func (o ResourceOrder) Validate() error {
	switch {
	case len(o.APIVersion) > maxObjectName || !apiVersionForm.MatchString(o.APIVersion):
		return errors.New("apiVersion is none")
	case !objectKindForm.MatchString(o.ObjectKind):
		return errors.New("objectKind is none")
	case o.ObjectKind == "Secret" || o.ObjectKind == "SecretList":
		return errors.New("a Secret is not read")
	case o.Namespace != "" && !namespaceForm.MatchString(o.Namespace):
		return errors.New("namespace is none")
	case len(o.Name) > maxObjectName || !objectNameForm.MatchString(o.Name):
		return errors.New("name is none")
	case o.TimeFrom == "" || len(o.TimeFrom) > maxExpression:
		return errors.New("timeFrom is missing or too long")
	}
	return o.Conditions.validate()
}

// Found is what became of looking for an object.
type Found string

const (
	// FoundObject means that it was read.
	FoundObject Found = "Object"
	// FoundNothing means that there is none of that name.
	FoundNothing Found = "Nothing"
	// FoundNoKind means that the API server does not know the kind.
	FoundNoKind Found = "NoKind"
	// FoundForbidden means that the operator may not read it.
	FoundForbidden Found = "Forbidden"
	// FoundTeams means that it was not read, because a team may write where it would be.
	FoundTeams Found = "TeamMayWrite"
)

// ResourceResult is what the conditions say about an object. The object itself is not kept.
type ResourceResult struct {
	Found Found `json:"found"`
	// UID and ResourceVersion of the object that was read.
	UID             string `json:"uid,omitempty"`
	ResourceVersion string `json:"resourceVersion,omitempty"`
	// MadeAt is when the object was made, as TimeFrom tells; absent where it does not, and MadeWhy says why.
	MadeAt  *time.Time `json:"madeAt,omitempty"`
	MadeWhy string     `json:"madeWhy,omitempty"`
	// Rule is what RBAC has to grant where reading was forbidden.
	Rule    string   `json:"rule,omitempty"`
	Answers *Answers `json:"answers,omitempty"`
}

// Kind of the result.
func (r *ResourceResult) Kind() Kind { return KindResource }

// Validate says what is wrong with the result, or nil.
func (r *ResourceResult) Validate() error {
	read := r.Found == FoundObject
	switch {
	case !read && r.Found != FoundNothing && r.Found != FoundNoKind && r.Found != FoundForbidden && r.Found != FoundTeams:
		return errors.New("found is none of the known")
	case read != (r.Answers != nil) || read != (r.UID != "") || read != (r.MadeAt != nil || r.MadeWhy != ""):
		return errors.New("answers about an object that was not read, or none about one that was")
	case r.MadeAt != nil && (r.MadeWhy != "" || r.MadeAt.IsZero()):
		return errors.New("a time and a reason for its absence")
	case (r.Found == FoundForbidden) != (r.Rule != ""):
		return errors.New("a rule without need, or none where one is needed")
	case len(r.UID) > maxText || len(r.ResourceVersion) > maxText || len(r.MadeWhy) > maxText || len(r.Rule) > 2*maxText:
		return errors.New("a text is too long")
	case read:
		return r.Answers.validate()
	}
	return nil
}

// Clean makes the result's texts fit to be shown.
func (r *ResourceResult) Clean() {
	r.UID, r.ResourceVersion = Clean(r.UID, maxText), Clean(r.ResourceVersion, maxText)
	r.MadeWhy, r.Rule = Clean(r.MadeWhy, maxText), Clean(r.Rule, 2*maxText)
	if r.Answers != nil {
		r.Answers.clean()
	}
}

// MetricOrder asks a metrics source for one moment, with a window behind it.
type MetricOrder struct {
	// Query is complete: nothing in it stands for anything else.
	Query string `json:"query"`
	// Start and End of the window, in whole seconds: the same for every attempt.
	Start time.Time `json:"start"`
	End   time.Time `json:"end"`
	// Many says that several series may answer; otherwise exactly one has to.
	Many bool `json:"many,omitempty"`
	Conditions
}

// Kind of the order.
func (o MetricOrder) Kind() Kind { return KindMetric }

// Validate says what is wrong with the order, or nil.
func (o MetricOrder) Validate() error {
	switch {
	case o.Query == "" || len(o.Query) > 2*maxExpression:
		return errors.New("query is missing or too long")
	case !wholeSeconds(o.Start) || !wholeSeconds(o.End) || !o.End.After(o.Start):
		return errors.New("start and end are no window of whole seconds")
	}
	return o.Conditions.validate()
}

func wholeSeconds(t time.Time) bool { return !t.IsZero() && t.Nanosecond() == 0 }

// MetricOutcome is what became of a query.
type MetricOutcome string

const (
	// MetricAnswered means that the answer can be judged.
	MetricAnswered MetricOutcome = "Answered"
	// MetricNoData means that no series answered.
	MetricNoData MetricOutcome = "NoData"
	// MetricNotANumber means that a value was NaN or infinite.
	MetricNotANumber MetricOutcome = "NotANumber"
	// MetricManySeries means that more series answered than may.
	MetricManySeries MetricOutcome = "ManySeries"
	// MetricOtherForm means that the query gives no instant vector and no scalar, or values of another time.
	MetricOtherForm MetricOutcome = "OtherForm"
	// MetricWarned means that the source warned, so that its answer may be partial.
	MetricWarned MetricOutcome = "Warned"
	// MetricRejected means that the source did not take the query.
	MetricRejected MetricOutcome = "Rejected"
	// MetricUnreachable means that no usable answer came.
	MetricUnreachable MetricOutcome = "Unreachable"
	// MetricUnusable means that the source can't be asked as the policy says: its credential or certificate authority.
	MetricUnusable MetricOutcome = "Unusable"
)

var metricOutcomes = map[MetricOutcome]bool{
	MetricAnswered: true, MetricNoData: true, MetricNotANumber: true, MetricManySeries: true, MetricOtherForm: true,
	MetricWarned: true, MetricRejected: true, MetricUnreachable: true, MetricUnusable: true,
}

// MaxSeries is how many series an answer may have.
const MaxSeries = 1024

// MetricResult is what the conditions say about the answer. Labels are not kept.
type MetricResult struct {
	Outcome MetricOutcome `json:"outcome"`
	// Detail says more in fixed words.
	Detail string `json:"detail,omitempty"`
	// Start and End of the window that was asked for.
	Start time.Time `json:"start"`
	End   time.Time `json:"end"`
	// Series is how many answered, Lowest and Highest their values: written as Go writes floats, never NaN or infinite.
	Series  int      `json:"series"`
	Lowest  string   `json:"lowest,omitempty"`
	Highest string   `json:"highest,omitempty"`
	Answers *Answers `json:"answers,omitempty"`
}

// Kind of the result.
func (r *MetricResult) Kind() Kind { return KindMetric }

// Validate says what is wrong with the result, or nil.
func (r *MetricResult) Validate() error {
	answered := r.Outcome == MetricAnswered
	switch {
	case !metricOutcomes[r.Outcome]:
		return errors.New("outcome is none of the known")
	case !wholeSeconds(r.Start) || !wholeSeconds(r.End) || !r.End.After(r.Start):
		return errors.New("start and end are no window of whole seconds")
	case r.Series < 0 || len(r.Detail) > maxText:
		return errors.New("a number or text is out of range")
	case answered != (r.Answers != nil):
		return errors.New("answers without an answer, or none to one")
	case !answered && (r.Lowest != "" || r.Highest != ""):
		return errors.New("values without an answer")
	case !answered:
		return nil
	case r.Series < 1 || r.Series > MaxSeries:
		return errors.New("an answer of no series or too many")
	}
	lowest, err := finite(r.Lowest)
	if err != nil {
		return err
	}
	highest, err := finite(r.Highest)
	if err != nil {
		return err
	}
	if lowest > highest || r.Series == 1 && lowest != highest {
		return errors.New("lowest and highest contradict each other")
	}
	return r.Answers.validate()
}

// Clean makes the result's texts fit to be shown.
func (r *MetricResult) Clean() {
	r.Detail = Clean(r.Detail, maxText)
	if r.Answers != nil {
		r.Answers.clean()
	}
}

var number = regexp.MustCompile(`^-?[0-9]{1,22}(\.[0-9]{1,22})?(e[+-][0-9]{1,3})?$`)

// finite reads a number as FormatFloat writes it, and none that is infinite or not a number.
func finite(s string) (float64, error) {
	if !number.MatchString(s) {
		return 0, errors.New("a value is no number")
	}
	v, err := strconv.ParseFloat(s, 64)
	if err != nil || math.IsInf(v, 0) {
		return 0, errors.New("a value is no number")
	}
	return v, nil
}

// FormatNumber writes a finite number as a result holds it.
func FormatNumber(v float64) (string, error) {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return "", fmt.Errorf("%v is no number", v)
	}
	return strconv.FormatFloat(v, 'g', -1, 64), nil
}
