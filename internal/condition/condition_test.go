package condition_test

import (
	"context"
	"encoding/json"
	"errors"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/affineur/affineur/internal/condition"
)

var advisor = condition.Prototype{
	Name: "churn-advisor", Namespace: "membership", UID: "4f1c", Team: "membership",
	SandboxNamespace: "affx-membership-churn-advisor-1a2b3c4d", ProductionNamespace: "affp-membership-churn-advisor-1a2b3c4d",
	Image: "registry.example.org/a@sha256:aa", ImageDigest: "sha256:aa", SubjectDigest: "sha256:bb",
}

func TestWhatDoesNotCompile(t *testing.T) {
	for name, tc := range map[string]struct {
		text  string
		scope condition.Scope
		wants condition.Wants
		says  string
	}{
		"empty":                      {" ", condition.OfObject, condition.Truth, "1 to 2048"},
		"too long":                   {"true" + strings.Repeat(" ", 2048), condition.OfObject, condition.Truth, "1 to 2048"},
		"no CEL":                     {"object.status ==", condition.OfObject, condition.Truth, "Syntax"},
		"a number":                   {"1 + 1", condition.OfObject, condition.Truth, "true or false"},
		"no text":                    {"1", condition.OfPrototype, condition.Text, "text"},
		"no time":                    {"1", condition.OfObject, condition.Time, "a time"},
		"a field that is none":       {"prototype.nam == 'a'", condition.OfObject, condition.Truth, "undefined field"},
		"object without an object":   {"object.a == 1", condition.OfNumber, condition.Truth, "undeclared"},
		"result without a query":     {"result > 1.0", condition.OfObject, condition.Truth, "undeclared"},
		"a list where one is":        {"result.all(r, r.value > 1.0)", condition.OfNumber, condition.Truth, "double"},
		"one where a list is":        {"result > 1.0", condition.OfSeries, condition.Truth, "overload"},
		"a series has no such field": {"result.all(r, r.number > 1.0)", condition.OfSeries, condition.Truth, "undefined field"},
		"an authorizer":              {"authorizer.group('').resource('secrets').check('get').allowed()", condition.OfObject, condition.Truth, "undeclared"},
		"a backreference":            {`object.a.matches('(a)\\1')`, condition.OfObject, condition.Truth, "matches"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := condition.Compile(tc.text, tc.scope, tc.wants)
			if err == nil || !strings.Contains(err.Error(), tc.says) {
				t.Errorf("got %v, want an error with %q", err, tc.says)
			}
		})
	}
}

func objectOf(t *testing.T, text string) map[string]any {
	t.Helper()
	var out map[string]any
	if err := json.Unmarshal([]byte(text), &out); err != nil {
		t.Fatal(err)
	}
	return out
}

func TestTruth(t *testing.T) {
	report := objectOf(t, `{"spec":{"digest":"sha256:aa"},"summary":{"critical":0},"password":"hunter2","list":[1,2]}`)
	one := []condition.Series{{Value: 0.5}}
	for name, tc := range map[string]struct {
		text  string
		scope condition.Scope
		about condition.About
		want  bool
		says  string
	}{
		"holds":                      {text: "object.summary.critical == 0", scope: condition.OfObject, about: condition.About{Object: report}, want: true},
		"does not":                   {text: "object.summary.critical > 0", scope: condition.OfObject, about: condition.About{Object: report}},
		"about this subject":         {text: "object.spec.digest == prototype.imageDigest", scope: condition.OfObject, about: condition.About{Object: report, Prototype: advisor}, want: true},
		"about another":              {text: "object.spec.digest == prototype.subjectDigest", scope: condition.OfObject, about: condition.About{Object: report, Prototype: advisor}},
		"a missing field":            {text: "object.summary.high == 0", scope: condition.OfObject, about: condition.About{Object: report}, says: "there is no field high"},
		"optional":                   {text: "object.?summary.?high.orValue(0) == 0", scope: condition.OfObject, about: condition.About{Object: report}, want: true},
		"no bool":                    {text: "object.password", scope: condition.OfObject, about: condition.About{Object: report}, says: "not true or false"},
		"another type":               {text: "object.password > 1", scope: condition.OfObject, about: condition.About{Object: report}, says: "can't be evaluated"},
		"never quotes":               {text: "int(object.password) > 1", scope: condition.OfObject, about: condition.About{Object: report}, says: "can't be evaluated"},
		"a missing key of the value": {text: "{'a': true}[object.password]", scope: condition.OfObject, about: condition.About{Object: report}, says: "can't be evaluated"},
		"no object":                  {text: "true", scope: condition.OfObject, says: "no object"},
		"dear":                       {text: "[0,1,2,3,4,5,6,7,8,9].all(a, [0,1,2,3,4,5,6,7,8,9].all(b, [0,1,2,3,4,5,6,7,8,9].all(c, [0,1,2,3,4,5,6,7,8,9].all(d, [0,1,2,3,4,5,6,7,8,9].all(e, [0,1,2,3,4,5,6,7,8,9].all(f, object.list.size() + a + b + c + d + e + f >= 0))))))", scope: condition.OfObject, about: condition.About{Object: report}, says: "costs too much"},
		"a number":                   {text: "result < 0.6", scope: condition.OfNumber, about: condition.About{Series: one}, want: true},
		"a number as a whole one":    {text: "result < 1", scope: condition.OfNumber, about: condition.About{Series: one}, want: true},
		"no series":                  {text: "true", scope: condition.OfNumber, says: "0 series"},
		"two where one is":           {text: "true", scope: condition.OfNumber, about: condition.About{Series: append(one, one...)}, says: "2 series"},
		"all of none":                {text: "result.all(r, r.value < 1.0)", scope: condition.OfSeries, says: "0 series"},
		"not a number":               {text: "result.all(r, !(r.value > 1.0))", scope: condition.OfSeries, about: condition.About{Series: []condition.Series{{Value: math.NaN()}}}, says: "no number"},
		"infinite":                   {text: "result > 1.0", scope: condition.OfNumber, about: condition.About{Series: []condition.Series{{Value: math.Inf(1)}}}, says: "no number"},
		"by label": {text: "result.filter(r, r.labels['route'] == '/a').all(r, r.value < 1.0)", scope: condition.OfSeries,
			about: condition.About{Series: []condition.Series{{Value: 0.5, Labels: map[string]string{"route": "/a"}}, {Value: 2, Labels: map[string]string{"route": "/b"}}}}, want: true},
	} {
		t.Run(name, func(t *testing.T) {
			expression, err := condition.Compile(tc.text, tc.scope, condition.Truth)
			if err != nil {
				t.Fatal(err)
			}
			got, err := expression.Truth(t.Context(), tc.about)
			if tc.says == "" {
				if err != nil || got != tc.want {
					t.Errorf("got %v, %v", got, err)
				}
				return
			}
			if got || !errors.Is(err, condition.ErrUndecided) || !strings.Contains(err.Error(), tc.says) || strings.Contains(err.Error(), "hunter2") {
				t.Errorf("got %v, %v, want an error with %q", got, err, tc.says)
			}
		})
	}
}

func TestInterrupted(t *testing.T) {
	expression, err := condition.Compile("object.list.all(a, a >= 0)", condition.OfObject, condition.Truth)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	list := make([]any, 10_000)
	for i := range list {
		list[i] = int64(i)
	}
	about := condition.About{Object: map[string]any{"list": list}}
	holds, err := expression.Truth(ctx, about)
	if holds || err == nil || !strings.Contains(err.Error(), "interrupted") {
		t.Errorf("got %v, %v", holds, err)
	}
	// It does not go through the list before it notices.
	whole := testing.AllocsPerRun(1, func() { _, _ = expression.Truth(t.Context(), about) })
	if part := testing.AllocsPerRun(1, func() { _, _ = expression.Truth(ctx, about) }); part > whole/4 {
		t.Errorf("%v allocations after it was interrupted, %v in all", part, whole)
	}
}

func TestTextAndTime(t *testing.T) {
	name, err := condition.Compile("prototype.name + '-' + prototype.imageDigest.replace(':', '-')", condition.OfPrototype, condition.Text)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := name.Text(advisor); err != nil || got != "churn-advisor-sha256-aa" {
		t.Errorf("got %q, %v", got, err)
	}
	at := time.Date(2026, 5, 4, 10, 0, 0, 0, time.UTC)
	object := map[string]any{"at": "2026-05-04T12:00:00+02:00", "never": "yesterday", "count": int64(3)}
	for text, want := range map[string]time.Time{
		"object.at": at, "timestamp(object.at)": at, "object.never": {}, "object.count": {}, "object.gone": {},
	} {
		expression, err := condition.Compile(text, condition.OfObject, condition.Time)
		if err != nil {
			t.Fatal(err)
		}
		got, err := expression.Time(t.Context(), condition.About{Object: object})
		if !got.Equal(want) || (err == nil) == want.IsZero() {
			t.Errorf("%s: got %s, %v", text, got, err)
		}
	}
}

func TestExpand(t *testing.T) {
	got, err := condition.Expand(`sum(rate(errors{namespace="$sandbox",path=~".*x$"}[$window])) by ($team)`, 10*time.Minute, advisor)
	if err != nil || got != `sum(rate(errors{namespace="affx-membership-churn-advisor-1a2b3c4d",path=~".*x$"}[600s])) by (membership)` {
		t.Errorf("got %s, %v", got, err)
	}
	if got, err := condition.Expand(`rate(errors{team="$namespace",app="$prototype"}[$window])`, time.Minute, advisor); err != nil || got != `rate(errors{team="membership",app="churn-advisor"}[60s])` {
		t.Errorf("got %s, %v", got, err)
	}
	for name, query := range map[string]string{
		"a name that stands for nothing": `up{ns="$sandboxes"}[$window]`, "any time": `rate(up{ns="$sandbox"}[1h])`,
		"everybody": `sum(rate(errors[$window]))`, "a team": `sum(rate(errors{team="$team"}[$window]))`,
		"a name that another team may use": `max_over_time(errors{app="$prototype"}[$window])`, "a namespace": `max_over_time(errors{namespace="$namespace"}[$window])`,
	} {
		if got, err := condition.Expand(query, time.Minute, advisor); err == nil {
			t.Errorf("%s: got %s", name, got)
		}
	}
}
