package policy

import (
	"errors"
	"fmt"

	"github.com/google/cel-go/cel"
	"github.com/google/cel-go/ext"

	"github.com/affineur/affineur/api/v1alpha1"
	"github.com/affineur/affineur/internal/subject"
)

// costLimit bounds one evaluation of a tier's expression, in CEL's cost units: thousands of times what a sensible
// expression over a few facts takes, and still far below a millisecond's worth.
const costLimit = 100_000

// environment is what a tier's expression sees: one variable, facts.
func environment() (*cel.Env, error) {
	return cel.NewEnv(
		cel.Variable("facts", cel.MapType(cel.StringType, cel.DynType)),
		ext.Strings(ext.StringsVersion(2)),
		ext.Sets(),
	)
}

func compile(expression string) (cel.Program, error) {
	env, err := environment()
	if err != nil {
		return nil, err
	}
	ast, issues := env.Compile(expression)
	if err := issues.Err(); err != nil {
		return nil, err
	}
	if ast.OutputType() != cel.BoolType && ast.OutputType() != cel.DynType {
		return nil, fmt.Errorf("must be true or false, is %s", ast.OutputType())
	}
	return env.Program(ast, cel.CostLimit(costLimit))
}

// tierOf is the first tier whose expression holds. Tiers are written strictest first, so an expression that errs
// selects the first, and so does a list in which none holds: unknown is never the lenient answer.
func tierOf(p *v1alpha1.HardeningPolicy, facts subject.Facts, data Data) v1alpha1.Tier {
	for _, tier := range p.Spec.Tiers {
		holds, err := evaluate(tier.When, facts, data)
		if err != nil {
			break
		}
		if holds {
			return tier
		}
	}
	return p.Spec.Tiers[0]
}

func evaluate(expression string, facts subject.Facts, data Data) (bool, error) {
	program, err := compile(expression)
	if err != nil {
		return false, err
	}
	categories := data.Categories()
	if categories == nil {
		categories = []string{}
	}
	out, _, err := program.Eval(map[string]any{"facts": map[string]any{
		"exposure":   string(facts.Exposure),
		"autonomy":   string(facts.Autonomy),
		"users":      int64(facts.Users),
		"class":      string(data.Class()),
		"categories": categories,
		"declared":   data.Declared,
	}})
	if err != nil {
		return false, err
	}
	holds, ok := out.Value().(bool)
	if !ok {
		return false, errors.New("not true or false")
	}
	return holds, nil
}
