// Package condition compiles and evaluates what IT writes in CEL about evidence: whether a report of another operator or
// the result of a query shows success, or failure. The language is that of the API server's admission policies, with the
// same libraries, the same limit of cost for one evaluation, and interruption by a context.
package condition

import (
	"context"
	"errors"
	"fmt"
	"math"
	"regexp"
	"strings"
	"sync"
	"time"

	"github.com/google/cel-go/cel"
	"k8s.io/apimachinery/pkg/util/version"
	celconfig "k8s.io/apiserver/pkg/apis/cel"
	apiservercel "k8s.io/apiserver/pkg/cel"
	"k8s.io/apiserver/pkg/cel/environment"
)

// language is the version of Kubernetes whose CEL is spoken: the least that the operator runs on, so that an expression
// means the same wherever it is installed.
var language = version.MajorMinor(1, 36)

// MaxTime is the longest that one evaluation may take; the limit of cost ends one long before.
const MaxTime = 10 * time.Second

// MaxExpression is the longest expression, in bytes.
const MaxExpression = 2048

// Wants is what an expression must give.
type Wants int

// What an expression may have to give.
const (
	Truth Wants = iota
	Text
	Time
)

func (w Wants) fits(t *cel.Type) bool {
	switch w {
	case Truth:
		return t.IsExactType(cel.BoolType)
	case Text:
		return t.IsExactType(cel.StringType)
	}
	return t.IsExactType(cel.TimestampType) || t.IsExactType(cel.StringType)
}

func (w Wants) String() string { return [...]string{"true or false", "text", "a time"}[w] }

// ErrUndecided is what all errors of an evaluation wrap: the expression has no answer for these values. Their texts
// never quote a value.
var ErrUndecided = errors.New("no answer")

// Prototype is what expressions know about the subject, as the variable prototype.
type Prototype struct {
	// Name and Namespace of the AIPrototype, UID as the API server gave it, and its Team.
	Name, Namespace, UID, Team string
	// SandboxNamespace is where it runs while it is measured, and ProductionNamespace where it would run.
	SandboxNamespace, ProductionNamespace string
	// Image is repository@sha256:…, ImageDigest the part behind the @.
	Image, ImageDigest string
	// SubjectDigest is of what would run.
	SubjectDigest string
}

func (p Prototype) value() map[string]any {
	return map[string]any{
		"name": p.Name, "namespace": p.Namespace, "uid": p.UID, "team": p.Team, "sandboxNamespace": p.SandboxNamespace,
		"productionNamespace": p.ProductionNamespace, "image": p.Image, "imageDigest": p.ImageDigest, "subjectDigest": p.SubjectDigest,
	}
}

// prototypeType makes a misspelt field a mistake that is found when a policy is written.
var prototypeType = func() *apiservercel.DeclType {
	fields := map[string]*apiservercel.DeclField{}
	for name := range (Prototype{}).value() {
		fields[name] = apiservercel.NewDeclField(name, apiservercel.StringType, true, nil, nil)
	}
	return apiservercel.NewObjectType("affineur.Prototype", fields)
}()

// seriesType is one of several series.
var seriesType = apiservercel.NewObjectType("affineur.Series", map[string]*apiservercel.DeclField{
	"value":  apiservercel.NewDeclField("value", apiservercel.DoubleType, true, nil, nil),
	"labels": apiservercel.NewDeclField("labels", apiservercel.NewMapType(apiservercel.StringType, apiservercel.StringType, -1), true, nil, nil),
})

// Scope is what an expression sees besides prototype.
type Scope int

// The scopes.
const (
	// OfPrototype sees nothing else.
	OfPrototype Scope = iota
	// OfObject sees object: an object of the API server, of any form.
	OfObject
	// OfNumber sees result: the one number that a query gave.
	OfNumber
	// OfSeries sees result: a list, and of each series its value and labels.
	OfSeries
)

func (s Scope) variables() []cel.EnvOption {
	out := []cel.EnvOption{cel.Variable("prototype", prototypeType.CelType())}
	switch s {
	case OfObject:
		out = append(out, cel.Variable("object", cel.DynType))
	case OfNumber:
		out = append(out, cel.Variable("result", cel.DoubleType))
	case OfSeries:
		out = append(out, cel.Variable("result", cel.ListType(seriesType.CelType())))
	}
	return out
}

// environments by scope, made once: making one costs more than compiling, and policies are looked at often.
var environments = map[Scope]func() (*cel.Env, error){
	OfPrototype: sync.OnceValues(OfPrototype.environment), OfObject: sync.OnceValues(OfObject.environment),
	OfNumber: sync.OnceValues(OfNumber.environment), OfSeries: sync.OnceValues(OfSeries.environment),
}

func (s Scope) environment() (*cel.Env, error) {
	set, err := environment.MustBaseEnvSet(language).Extend(environment.VersionedOptions{
		IntroducedVersion: language,
		EnvOptions:        s.variables(),
		DeclTypes:         []*apiservercel.DeclType{prototypeType, seriesType},
	})
	if err != nil {
		return nil, err
	}
	return set.NewExpressionsEnv(), nil
}

// Expression is one that compiled.
type Expression struct {
	text    string
	scope   Scope
	program cel.Program
}

// Compile reads an expression. Its error is for whoever wrote it.
func Compile(text string, scope Scope, wants Wants) (*Expression, error) {
	if strings.TrimSpace(text) == "" || len(text) > MaxExpression {
		return nil, fmt.Errorf("must have 1 to %d bytes", MaxExpression)
	}
	env, err := environments[scope]()
	if err != nil {
		return nil, err
	}
	ast, issues := env.Compile(text)
	if err := issues.Err(); err != nil {
		return nil, err
	}
	if out := ast.OutputType(); !wants.fits(out) && !out.IsExactType(cel.DynType) {
		return nil, fmt.Errorf("must be %s, is %s", wants, out)
	}
	program, err := env.Program(ast, cel.InterruptCheckFrequency(celconfig.CheckFrequency))
	if err != nil {
		return nil, err
	}
	return &Expression{text: text, scope: scope, program: program}, nil
}

// Series is one series of a query's result.
type Series struct {
	Value  float64
	Labels map[string]string
}

// About is what an expression is evaluated on: the prototype, and what its scope adds.
type About struct {
	Prototype Prototype
	// Object for OfObject, nil otherwise: as JSON decodes it.
	Object map[string]any
	// Series for OfNumber, which needs exactly one, and OfSeries, which needs one at least. No value may be NaN or infinite.
	Series []Series
}

func (a About) values(scope Scope) (map[string]any, error) {
	out := map[string]any{"prototype": a.Prototype.value()}
	switch scope {
	case OfObject:
		if a.Object == nil {
			return nil, undecided("there is no object")
		}
		out["object"] = a.Object
	case OfNumber, OfSeries:
		if len(a.Series) == 0 || scope == OfNumber && len(a.Series) != 1 {
			return nil, undecided("the query gave %d series", len(a.Series))
		}
		all := make([]map[string]any, 0, len(a.Series))
		for _, s := range a.Series {
			if math.IsNaN(s.Value) || math.IsInf(s.Value, 0) {
				return nil, undecided("the query gave a value that is no number")
			}
			all = append(all, map[string]any{"value": s.Value, "labels": s.Labels})
		}
		out["result"] = all
		if scope == OfNumber {
			out["result"] = a.Series[0].Value
		}
	}
	return out, nil
}

// Truth evaluates an expression that must be true or false.
func (e *Expression) Truth(ctx context.Context, about About) (bool, error) {
	out, err := e.eval(ctx, about)
	if err != nil {
		return false, err
	}
	truth, ok := out.(bool)
	if !ok {
		return false, undecided("it is not true or false")
	}
	return truth, nil
}

// Text evaluates an expression over a prototype that must give a text.
func (e *Expression) Text(prototype Prototype) (string, error) {
	values, err := About{Prototype: prototype}.values(e.scope)
	if err != nil {
		return "", err
	}
	out, _, err := e.program.Eval(values)
	if err != nil {
		return "", e.explain(err)
	}
	text, ok := out.Value().(string)
	if !ok {
		return "", undecided("it is no text")
	}
	return text, nil
}

// Time evaluates an expression that must give a time, also one that is written as RFC 3339 says.
func (e *Expression) Time(ctx context.Context, about About) (time.Time, error) {
	out, err := e.eval(ctx, about)
	if err != nil {
		return time.Time{}, err
	}
	switch value := out.(type) {
	case time.Time:
		return value.UTC(), nil
	case string:
		if at, err := time.Parse(time.RFC3339, value); err == nil {
			return at.UTC(), nil
		}
	}
	return time.Time{}, undecided("it is no time as RFC 3339 writes it")
}

func (e *Expression) eval(ctx context.Context, about About) (any, error) {
	values, err := about.values(e.scope)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, MaxTime)
	defer cancel()
	out, _, err := e.program.ContextEval(ctx, values)
	switch {
	case ctx.Err() != nil:
		return nil, undecided("it was interrupted")
	case err != nil:
		return nil, e.explain(err)
	}
	return out.Value(), nil
}

var noSuchKey = regexp.MustCompile(`^no such key: ([A-Za-z_][A-Za-z0-9_]{0,62})$`)

// explain says why there is no answer. CEL's errors may quote what was evaluated, so only the name of a missing field is
// repeated, and only where the expression names it itself.
func (e *Expression) explain(err error) error {
	if strings.Contains(err.Error(), "cost limit exceeded") {
		return undecided("it costs too much")
	}
	if match := noSuchKey.FindStringSubmatch(err.Error()); match != nil && strings.Contains(e.text, match[1]) {
		return undecided("there is no field %s", match[1])
	}
	return undecided("it can't be evaluated on what is there")
}

func undecided(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrUndecided, fmt.Sprintf(format, args...))
}
