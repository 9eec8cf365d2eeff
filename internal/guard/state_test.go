package guard

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/affineur/affineur/api/v1alpha1"
)

var noon = time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)

func at(minutes float64) time.Time { return noon.Add(time.Duration(minutes * float64(time.Minute))) }

func good(minutes float64, print string) measurement {
	return measurement{at: at(minutes), fingerprint: print, reason: v1alpha1.ReasonGuardsMeasured, message: "as shipped"}
}

func bad(minutes float64, print string) measurement {
	return measurement{at: at(minutes), fingerprint: print, reason: v1alpha1.ReasonGuardsChanged, message: "a rule is missing"}
}

func dark(minutes float64) measurement {
	return measurement{at: at(minutes), reason: v1alpha1.ReasonGuardsUnknown, message: "nobody answers"}
}

func TestGaps(t *testing.T) {
	settled := settling.Minutes()
	for name, test := range map[string]struct {
		measurements []measurement
		unguarded    []float64
		guarded      []float64
	}{
		"never measured": {nil, []float64{-60, 0, 60}, nil},
		"never good":     {[]measurement{bad(0, "a"), dark(1)}, []float64{-60, 0, 60}, nil},
		"good at once":   {[]measurement{good(0, "a")}, []float64{-60, 0, settled}, []float64{1, 60}},
		"the same later": {[]measurement{good(0, "a"), good(5, "a"), good(500, "a")}, []float64{-1}, []float64{1, 5, 60, 500}},
		"changed and back while nobody looked": {
			[]measurement{good(0, "a"), good(5, "a"), good(10, "b")}, []float64{5, 7, 10, 10 + settled}, []float64{4, 11}},
		"seen changed, then restored": {
			[]measurement{good(0, "a"), bad(5, "b"), good(10, "c")}, []float64{0, 3, 5, 8, 10}, []float64{11}},
		"seen changed, not yet restored": {
			[]measurement{good(1, "a"), good(2, "a"), bad(5, "b")}, []float64{2, 5, 60, 600}, []float64{1.5}},
		// The policies are untouched, but the server did not apply them: the hole was seen, so it counts.
		"a forgery was let through under the same fingerprint": {
			[]measurement{good(0, "a"), good(4, "a"), bad(5, "a"), good(10, "a")}, []float64{4, 5, 9}, []float64{3, 11}},
		"nobody could look, and nothing was changed": {
			[]measurement{good(0, "a"), dark(5), dark(10), good(15, "a")}, []float64{-1}, []float64{1, 5, 10, 15}},
		"nobody could look, and something was changed": {
			[]measurement{good(0, "a"), good(3, "a"), dark(5), good(15, "b")}, []float64{3, 5, 14}, []float64{2, 16}},
		"darkness inside a hole does not close it": {
			[]measurement{good(0, "a"), good(3, "a"), bad(5, "b"), dark(6), bad(7, "b"), good(15, "a")}, []float64{3, 6, 14}, []float64{2, 16}},
		"two holes": {
			[]measurement{good(0, "a"), good(3, "a"), bad(5, "b"), good(6, "c"), good(20, "c"), good(25, "d")},
			[]float64{3, 5, 6, 20, 24}, []float64{2, 10, 19, 26}},
	} {
		t.Run(name, func(t *testing.T) {
			var state State
			for _, m := range test.measurements {
				state = restarted(t, state.next(m))
			}
			for _, minute := range test.unguarded {
				if !state.Unguarded(at(minute)) {
					t.Errorf("minute %v counts as guarded: %+v", minute, state.Gaps)
				}
			}
			for _, minute := range test.guarded {
				if state.Unguarded(at(minute)) {
					t.Errorf("minute %v counts as unguarded: %+v", minute, state.Gaps)
				}
			}
		})
	}
}

// restarted is what the next leader reads.
func restarted(t *testing.T, state State) State {
	t.Helper()
	raw, err := json.Marshal(state)
	if err != nil {
		t.Fatal(err)
	}
	var read State
	if err := json.Unmarshal(raw, &read); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(state, read); diff != "" {
		t.Fatalf("a restart forgets: %s", diff)
	}
	return read
}

// A decision's creationTimestamp has whole seconds: one made in the second of the last good look may be younger.
func TestGapBeginsWithTheSecond(t *testing.T) {
	first := good(0, "a")
	first.at = first.at.Add(-time.Hour)
	last := good(0, "a")
	last.at = last.at.Add(700 * time.Millisecond)
	state := State{}.next(first).next(last).next(bad(1, "b"))
	if !state.Unguarded(noon) {
		t.Errorf("a decision of %s counts, although the guards were last seen at %s", noon, last.at)
	}
}

func TestGapsStayBounded(t *testing.T) {
	state := State{}
	for i := range 3 * maxGaps {
		state = state.next(good(float64(10*i), fmt.Sprint(i)))
		state = state.next(good(float64(10*i+5), fmt.Sprint(i)))
	}
	if len(state.Gaps) > maxGaps {
		t.Errorf("%d gaps are kept", len(state.Gaps))
	}
	if !state.Unguarded(at(7)) {
		t.Error("the oldest gap is forgotten")
	}
	if state.Unguarded(at(10*(3*maxGaps-1) + 3)) {
		t.Error("the newest good time is lost")
	}
}

func TestSince(t *testing.T) {
	state := State{}.next(good(0, "a")).next(good(5, "a"))
	if !state.InPlace || !state.Since.Equal(at(0)) || !state.MeasuredAt.Equal(at(5)) {
		t.Errorf("%+v", state)
	}
	state = state.next(bad(6, "b"))
	if state.InPlace || !state.Since.Equal(at(6)) || state.Reason != v1alpha1.ReasonGuardsChanged {
		t.Errorf("%+v", state)
	}
}

func TestWorthKeeping(t *testing.T) {
	kept := State{}.next(good(0, "a"))
	for name, test := range map[string]struct {
		now  State
		want bool
	}{
		"the same a little later": {kept.next(good(5, "a")), false},
		"the same much later":     {kept.next(good(keepEvery.Minutes(), "a")), true},
		"other guards":            {kept.next(good(5, "b")), true},
		"a hole":                  {kept.next(bad(5, "a")), true},
		"the same hole":           {kept.next(dark(5)), true},
	} {
		t.Run(name, func(t *testing.T) {
			if got := worthKeeping(kept, test.now); got != test.want {
				t.Errorf("got %v", got)
			}
		})
	}
	hole := kept.next(bad(5, "a"))
	if worthKeeping(hole, hole.next(bad(6, "a"))) {
		t.Error("the same hole is written again")
	}
}
