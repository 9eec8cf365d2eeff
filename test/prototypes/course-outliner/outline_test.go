package main

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestModules(t *testing.T) {
	for name, tc := range map[string]struct {
		answer string
		want   []module
	}{
		"as asked":    {"Opening: meet.\nClosing: part.", []module{{"Opening", "meet."}, {"Closing", "part."}}},
		"with marks":  {"1. Opening: meet.\n- Middle: work.\n• Closing: part.", []module{{"Opening", "meet."}, {"Middle", "work."}, {"Closing", "part."}}},
		"no titles":   {"Just meet.\n\n: odd.\nEmpty:", []module{{"Part 1", "Just meet."}, {"Part 2", ": odd."}, {"Part 3", "Empty:"}}},
		"two colons":  {"Time: from 9:30 on.", []module{{"Time", "from 9:30 on."}}},
		"blank":       {" \n\n", nil},
		"only a mark": {"- ", []module{{"Part 1", "-"}}},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, modules(tc.answer)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestCheckTopic(t *testing.T) {
	for topic, want := range map[string]string{
		"first aid":              "first aid",
		"  first \n aid ":        "first aid",
		"":                       "",
		" \t":                    "",
		"first\x00aid":           "",
		strings.Repeat("ü", 200): strings.Repeat("ü", 200),
		strings.Repeat("ü", 201): "",
	} {
		got, err := checkTopic(topic)
		if got != want || (err == nil) != (want != "") {
			t.Errorf("%.20q = %q, %v, want %q", topic, got, err, want)
		}
	}
}

func TestSimilar(t *testing.T) {
	titles := []string{"First aid at work", "FIRST  AID", "Aid", "Fair negotiation", ""}
	want := []string{"First aid at work", "FIRST  AID", "Aid"}
	if diff := cmp.Diff(want, similar("first aid", titles)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	var many []string
	for i := range 50 {
		many = append(many, fmt.Sprintf("first aid %d", i))
	}
	if got := similar("first aid", many); len(got) != maxSimilar {
		t.Errorf("%d similar titles", len(got))
	}
}

func TestConfig(t *testing.T) {
	good := map[string]string{"AFFINEUR_MODEL_URL": "http://gateway.models.svc:8080/v1/", "AFFINEUR_MODEL_NAME": "example-large"}
	with := func(name, value string) map[string]string {
		all := map[string]string{name: value}
		for k, v := range good {
			if k != name {
				all[k] = v
			}
		}
		return all
	}
	want := config{modelURL: "http://gateway.models.svc:8080/v1", modelName: "example-large", keyFile: "/var/run/affineur/model/key"}
	got, err := configFrom(func(name string) string { return good[name] })
	if err != nil || got != want {
		t.Errorf("config = %+v, %v, want %+v", got, err, want)
	}
	for name, env := range map[string]map[string]string{
		"no URL":    with("AFFINEUR_MODEL_URL", ""),
		"no model":  with("AFFINEUR_MODEL_NAME", ""),
		"no scheme": with("AFFINEUR_MODEL_URL", "gateway:8080/v1"),
		"a file":    with("AFFINEUR_MODEL_URL", "file:///etc/passwd"),
		"a bad lms": with("AFFINEUR_INTEGRATION_LMS_URL", "lms.svc"),
	} {
		if got, err := configFrom(func(name string) string { return env[name] }); err == nil {
			t.Errorf("%s: config = %+v, want an error", name, got)
		}
	}
}
