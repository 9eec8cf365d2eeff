package packages

import (
	"strings"
	"testing"
)

func TestAbsentNamesWhatIsNotThere(t *testing.T) {
	all := []requirement{
		{[]string{"sh"}, "dash", "a shell"},
		{[]string{"no-such-program", "sh"}, "either", "one of two"},
		{[]string{"/no/such/path", "no-such-program"}, "nowhere", "nothing"},
	}
	got := absent(all)
	if len(got) != 1 || got[0].debian != "nowhere" {
		t.Fatalf("absent = %v", got)
	}
	if text := describe(got); !strings.Contains(text, "nowhere (nothing)") {
		t.Errorf("description %q", text)
	}
}
