// Package lifecycle plays whole lives of prototypes with all controllers together, and holds every step against the
// invariants.
//
//	go test ./test/lifecycle                         every story, under many seeds
//	go test ./test/lifecycle -run NAME -seed=N       one story under one seed, to see a failure again
//	go test ./test/lifecycle -update                 write the golden transcripts anew
package lifecycle

import (
	"flag"
	"hash/fnv"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/affineur/affineur/test/lifecycle/world"
)

var (
	update = flag.Bool("update", false, "write the golden transcripts anew")
	seeds  = flag.Int("seeds", 4, "under how many seeds each story is played")
	only   = flag.Int64("seed", -1, "play under this seed alone; 0 is the calm world of the transcripts")
)

// TestMain lets memory grow up to a bound: worlds are small and many, and a story is over before most of it is worth
// collecting.
func TestMain(m *testing.M) {
	debug.SetGCPercent(-1)
	debug.SetMemoryLimit(512 << 20)
	os.Exit(m.Run())
}

// play a story in the calm world, whose transcript is golden, and under every other seed.
func play(t *testing.T, story func(*world.World)) {
	t.Helper()
	if *only >= 0 {
		w := world.New(t, uint64(*only))
		story(w)
		w.Rest()
		t.Log("\n" + w.Transcript())
		return
	}
	calm := world.New(t, 0)
	story(calm)
	transcript := calm.Transcript()
	calm.Rest()
	golden(t, transcript)
	// Every story has seeds of its own: many begin alike.
	hash := fnv.New32a()
	_, _ = hash.Write([]byte(t.Name()))
	first := uint64(hash.Sum32()%1000)*1000 + 1
	for seed := first; seed < first+uint64(*seeds) && !t.Failed(); seed++ {
		w := world.New(t, seed)
		story(w)
		w.Rest()
	}
}

// golden compares with the file that is named after the test.
func golden(t *testing.T, got string) {
	t.Helper()
	name := strings.ToLower(strings.NewReplacer("Test", "", "/", "-").Replace(t.Name())) + ".golden"
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(strings.Split(string(want), "\n"), strings.Split(got, "\n")); diff != "" {
		t.Errorf("the story is told otherwise (-update writes it anew): %s\n%s", path, diff)
	}
}
