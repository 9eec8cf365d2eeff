package evidence

import (
	"slices"
	"strings"
	"testing"
)

// Whatever names of roles a policy may hold, the order takes, and nothing larger.
func TestRolesThatARightsOrderExcuses(t *testing.T) {
	for name, c := range map[string]struct {
		excused []string
		ok      bool
	}{
		"none":                  {nil, true},
		"one":                   {[]string{"shared/viewer"}, true},
		"as many as may be":     {slices.Repeat([]string{strings.Repeat("ä", 317)}, maxExcused), true},
		"one more":              {slices.Repeat([]string{"viewer"}, maxExcused+1), false},
		"one without a name":    {[]string{""}, false},
		"one with a longer one": {[]string{strings.Repeat("a", maxBindingText+1)}, false},
	} {
		order := RightsOrder{Accounts: []Account{{Namespace: "affp-x", Name: "prototype"}}, Excused: c.excused}
		if err := order.Validate(); (err == nil) != c.ok {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A list that is cut was full.
func TestRightsThatWereLeftOut(t *testing.T) {
	binding := Binding{Name: "a", Role: "b", To: "c"}
	for named, ok := range map[int]bool{MaxBindings: true, MaxBindings - 1: false} {
		if err := (RightsResult{Cluster: 1, Bindings: slices.Repeat([]Binding{binding}, named), More: 1}).Validate(); (err == nil) != ok {
			t.Errorf("%d named, and one more: %v", named, err)
		}
	}
}
